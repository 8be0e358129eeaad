import Glibc
import Posix
import TestSupport
import Testing

private func mode(_ path: String) throws -> String { String(try Files.status(path)?.mode ?? 0, radix: 8) }

@Suite struct `A file` {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `is 0600 and its directory 0700 from the first moment, whatever the umask (B140)`() async {
        // The umask belongs to the process, so this runs in one of its own.
        await #expect(processExitsWith: .success) {
            _ = umask(0)
            try TemporaryDirectory.with { directory in
                let inner = directory.file("a/b")
                try Files.makeDirectories(inner)
                #expect(try [directory.path, directory.file("a"), inner].map(mode) == ["700", "700", "700"])
                for access in [Files.Access.readingAndCreating, .appending, .replacing, .creatingNew] {
                    let path = directory.file("\(access)")
                    _ = try Files.open(path, access)
                    #expect(try mode(path) == "600")
                }
                for mask in [mode_t(0o177), 0o777] {
                    _ = umask(mask)
                    let deep = directory.file("mask-\(mask)/b/c")
                    try Files.makeDirectories(deep)
                    #expect(try [directory.file("mask-\(mask)"), deep].map(mode) == ["700", "700"])
                    #expect(umask(0) == mask)
                }
                try Files.replace(directory.file("c"), with: [1])
                #expect(try mode(directory.file("c")) == "600")
                for mask in [mode_t(0), 0o022, 0o077] {
                    _ = umask(mask)
                    for wanted in ["600", "660"] {
                        let path = directory.file("\(wanted)-\(mask)")
                        _ = try UnixSocket.listen(at: path, mode: UInt32(wanted, radix: 8) ?? 0)
                        #expect(try mode(path) == wanted)
                    }
                    #expect(umask(0) == mask)
                }
            }
        }
    }

    @Test func `replaced holds all of the new bytes and leaves nothing beside it`() throws {
        let path = directory.file("x"), inner = directory.file("inner")
        try Files.makeDirectories(inner)
        for count in [0, 1, 300_000, 2] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            try Files.replace(path, with: bytes)
            #expect(try Files.read(path) == bytes)
        }
        #expect(try names(in: directory.path) == ["inner", "x"])
    }

    @Test func `that cannot be replaced is left as it was, with nothing beside it`() throws {
        let path = directory.file("x")
        try Files.makeDirectories(path + "/in/the/way")
        let error = #expect(throws: PosixError.self) { try Files.replace(path, with: [1, 2, 3]) }
        #expect(error?.call.description == "rename")
        #expect(try Files.status(path)?.kind == .directory)
        #expect(try names(in: directory.path) == ["x"])
    }

    @Test func `is never seen half replaced by a reader`() throws {
        let path = directory.file("x"), isOver = Locked(false)
        let versions = [[UInt8](repeating: 1, count: 200_000), [UInt8](repeating: 2, count: 100_000)]
        try Files.replace(path, with: versions[0])
        let writer = try Thread(named: "replace") {
            for turn in 0..<40 { _ = try? Files.replace(path, with: versions[turn % 2]) }
            isOver.withLock { $0 = true }
        }
        var reads = 0
        while !isOver.withLock({ $0 }) || reads == 0 {
            #expect(versions.contains(try Files.read(path)))
            reads += 1
        }
        writer.join()
    }

    @Test func `larger than the limit is not read`() throws {
        let path = directory.file("x")
        try Files.replace(path, with: [UInt8](repeating: 7, count: 100_001))
        #expect(try Files.read(path, limit: 100_001).count == 100_001)
        let error = #expect(throws: PosixError.self) { try Files.read(path, limit: 100_000) }
        #expect(error?.description == "read '\(path)': file too large")
    }

    @Test func `that is not there has no status and is removed without complaint`() throws {
        let path = directory.file("none")
        #expect(try Files.status(path) == nil)
        #expect(try Files.status(path + "/below") == nil)
        try Files.remove(path)
        let error = #expect(throws: PosixError.self) { _ = try Files.open(path, .reading) }
        #expect(error == PosixError("open", path, errno: ENOENT))
        #expect(error?.isNotFound == true)
        #expect(error?.description == "open '\(path)': no such file or directory")
    }

    @Test func `that is there is not made anew`() throws {
        let path = directory.file("x")
        _ = try Files.open(path, .creatingNew)
        let error = #expect(throws: PosixError.self) { _ = try Files.open(path, .creatingNew) }
        #expect(error?.errno == EEXIST)
    }

    @Test func `has a status of its own kind and size, links not followed`() throws {
        let path = directory.file("x"), link = directory.file("link")
        try Files.replace(path, with: [1, 2, 3])
        #expect(unsafe symlink(path, link) == 0)
        let socket = try UnixSocket.listen(at: directory.file("s"), mode: 0o600)
        let kinds = try ["x", "link", "s", "."].map { try Files.status(directory.file($0))?.kind }
        #expect(kinds == [.regular, .symlink, .socket, .directory])
        #expect(try Files.status(path)?.size == 3)
        #expect(try Files.status(path)?.owner == Process.userID)
        _ = consume socket
    }

    @Test func `is locked by one descriptor at a time`() throws {
        let path = directory.file("lock")
        let first = try Files.open(path, .readingAndCreating),
            second = try Files.open(path, .readingAndCreating)
        try Files.lock(first.raw)
        let error = #expect(throws: PosixError.self) { try Files.lock(second.raw) }
        #expect(error?.isAgain == true)
        _ = consume first
        // A process that another test starts at this moment has a copy of every descriptor until it runs its program.
        let end = Machine.monotonic() + 10_000_000_000
        while true {
            do throws(PosixError) {
                try Files.lock(second.raw)
                break
            } catch { if !error.isAgain || Machine.monotonic() > end { throw error } }
        }
    }

    @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/", "a/b"), ("/", "/"), ("", ".")])
    func `lies in the directory before its last slash`(_ path: String, _ expected: String) {
        #expect(Files.directory(of: path) == expected)
    }

    /// The names in a directory, sorted.
    private func names(in path: String) throws -> [String] {
        let ends = try Process.pipe()
        let reading = Descriptor(owning: ends.reading), writing = Descriptor(owning: ends.writing)
        let pid = try Process.start(
            "/bin/ls", ["-A", path], environment: ["LC_ALL": "C"],
            streams: Process.Streams(output: writing.raw))
        _ = consume writing
        var bytes: [UInt8] = []
        while let n = try System.read(reading.raw, into: &bytes, most: 4_096), n > 0 {}
        _ = try Process.reap(pid)
        return text(bytes).split(separator: "\n").map(String.init)
    }
}

extension `A file` {
    @Test(arguments: [
        (UInt32(0x6969), "NFS"), (0xFF53_4D42, "SMB"), (0xFE53_4D42, "SMB"), (0x517B, "SMB"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "FUSE"), (0x0BD0_0BD0, "Lustre"),
    ])
    func `lies on a network file system by the number of its kind (B083)`(_ number: UInt32, _ name: String) {
        #expect(Files.networkFileSystem(kind: number) == name)
    }

    @Test func `lies on this machine where its file system is an ordinary one (B083)`() {
        // ext4, tmpfs, xfs, btrfs, overlayfs, and one that cannot be told.
        for number: UInt32 in [0xEF53, 0x0102_1994, 0x5846_5342, 0x9123_683E, 0x794C_7630, 0] {
            #expect(Files.networkFileSystem(kind: number) == nil)
        }
        #expect(Files.networkFileSystem("/proc/self") == nil)
    }
}
