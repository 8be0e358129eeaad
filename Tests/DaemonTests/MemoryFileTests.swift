@testable internal import Daemon
internal import Posix
internal import TestSupport
internal import Testing

@Suite(.enabled(if: Files.isInMemory("/dev/shm"), "there is a memory file system at /dev/shm"))
struct `The file of sessions in memory` {
    /// A directory in memory in which everybody may make something.
    private final class Shared {
        let path = "/dev/shm/test-" + Machine.random(8).map { String($0, radix: 16) }.joined()
        init() throws { try Files.makeDirectories(path) }
        deinit { _ = try? shell("rm", "-r", path) }

        var first: String { "\(path)/convod-\(Process.userID)" }
    }

    @Test func `lies in one directory for all databases, under a name for each`() throws {
        let shared = try Shared()
        let one = try #require(MemoryFile.path(for: "/a/one.db", root: shared.path))
        let other = try #require(MemoryFile.path(for: "/a/other.db", root: shared.path))
        #expect(one != other && one.hasPrefix(shared.first + "/") && other.hasPrefix(shared.first + "/"))
        #expect(try Files.status(shared.first)?.mode == 0o700)
        #expect(MemoryFile.path(for: "/a/one.db", root: shared.path) == one)
    }

    @Test(arguments: ["file", "link", "open"])
    func `has another place where somebody put something first`(what: String) throws {
        let shared = try Shared()
        switch what {
        case "file": try Files.replace(shared.first, with: [])
        case "link": try shell("ln", "-s", "/tmp", shared.first)
        default: try shell("mkdir", "-m", "777", shared.first)
        }
        let path = try #require(MemoryFile.path(for: "/a/one.db", root: shared.path))
        #expect(path.hasPrefix(shared.first + "-"), "\(path)")
        #expect(MemoryFile.path(for: "/a/one.db", root: shared.path) == path, "it is found again")
    }

    @Test func `goes at the next start of any daemon where its own was killed`() throws {
        let shared = try Shared()
        let dead = try #require(MemoryFile.path(for: "/a/dead.db", root: shared.path))
        let live = try #require(MemoryFile.path(for: "/a/live.db", root: shared.path))
        do {
            let lock = try MemoryFile.hold(dead)
            for end in ["", "-wal"] { try Files.replace(dead + end, with: Array("words".utf8)) }
            // A kill lets go of the lock and leaves the files.
            _ = consume lock
        }
        let lock = try MemoryFile.hold(live)
        try Files.replace(live, with: Array("words".utf8))
        MemoryFile.sweep(for: "/a/third.db", root: shared.path)
        #expect(try Files.status(dead) == nil && Files.status(dead + "-wal") == nil)
        #expect(try Files.status(live) != nil, "that of one that lives stays")
        _ = consume lock
        try Files.replace(dead, with: Array("words".utf8))
        MemoryFile.sweep(for: "/a/dead.db", root: shared.path)
        #expect(try Files.status(dead) == nil && Files.status(live) == nil)
    }
}
