import Posix
import TestSupport
import Testing

@Suite struct `The holder of a lock` {
    @Test func `is this process while it has it, and nobody after`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("f")
        #expect(FileLocks.holder(of: path) == nil)
        do {
            let file = try Files.open(path, .readingAndCreating)
            #expect(FileLocks.holder(of: path) == nil)
            try Files.lock(file.raw)
            #expect(FileLocks.holder(of: path) == Process.id)
        }
        // A program that another test starts has the file for the moment between fork and exec.
        let end = Machine.monotonic() + 20_000_000_000
        while FileLocks.holder(of: path) != nil, Machine.monotonic() < end {}
        #expect(FileLocks.holder(of: path) == nil)
    }

    @Test func `is told by inode, and by device where several have that inode`() {
        let text = """
            1: FLOCK  ADVISORY  WRITE 11 fe:00:7 0 EOF
            2: POSIX  ADVISORY  WRITE 12 08:01:9 0 EOF
            3: FLOCK  ADVISORY  READ 13 08:01:9 0 EOF
            4: FLOCK  ADVISORY  WRITE -1 08:01:9 0 EOF
            5: FLOCK  ADVISORY  WRITE 14 00:1b:9 0 EOF
            6: FLOCK  ADVISORY  WRITE 15 08:01:9 0 EOF
            6: -> FLOCK  ADVISORY  WRITE 16 08:01:9 0 EOF
            7: nonsense
            """
        #expect(FileLocks.holder(of: FilePlace(device: 8 << 32 | 1, inode: 9), in: text) == 15)
        #expect(FileLocks.holder(of: FilePlace(device: 3 << 32, inode: 9), in: text) == 14)
        #expect(FileLocks.holder(of: FilePlace(device: 0, inode: 8), in: text) == nil)
    }
}
