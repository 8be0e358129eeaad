internal import Archive
internal import Posix
internal import TestSupport
internal import Testing

@testable internal import Store

@Suite struct `When pages of the log are moved` {
    private static let step = (16 << 20) / 4_120 + 1

    private func found(_ frames: Int, _ moved: Int, isBlocked: Bool = false) -> WriteAheadLog.Checkpoint {
        .init(isBlocked: isBlocked, frames: frames, moved: moved)
    }

    @Test func `is a moment after the last change, then once more to cut the file, then never`() {
        var log = WriteAheadLog()
        log.wrote(10)
        #expect(log.pause == 100 && log.idleWay == .passive && log.busyWay == nil)
        log.checkpointed(.passive, found(10, 10), 10)
        #expect(log.pause == 5_000 && log.idleWay == .truncate)
        log.checkpointed(.truncate, found(0, 0), 10)
        #expect(log.pause == -1)
        log.wrote(10)
        #expect(log.pause == -1)
        log.wrote(11)
        #expect(log.pause == 100 && log.idleWay == .passive)
    }

    @Test func `is every five seconds while somebody reads`() {
        var log = WriteAheadLog(), pages = 10
        log.wrote(pages)
        for way in [WriteAheadLog.Way.passive, .passive] {
            #expect(log.idleWay == way)
            log.checkpointed(way, found(10, 3), pages)
            #expect(log.pause == 5_000)
        }
        log.checkpointed(.passive, found(10, 10), pages)
        log.checkpointed(.truncate, found(10, 10, isBlocked: true), pages)
        #expect(log.pause == 5_000 && log.idleWay == .passive)
        pages += 1
        log.wrote(pages)
        #expect(log.pause == 100)
    }

    @Test func `is after 16 MiB however many commits they are, and above 64 MiB the file is to be cut`() {
        var log = WriteAheadLog(), pages = 0, ways: [WriteAheadLog.Way?] = [], growths: [Int] = []
        for number in 1...9 {
            pages += Self.step - 1
            log.wrote(pages)
            #expect(log.busyWay == nil)
            pages += 1
            log.wrote(pages)
            ways.append(log.busyWay)
            log.checkpointed(.passive, found(number * Self.step, 0), pages)
            if let bytes = log.takeGrowth() { growths.append(bytes >> 20) }
        }
        #expect(ways == [.passive, .passive, .passive] + Array(repeating: .truncate, count: 6))
        #expect(growths == [64, 128])
        log.checkpointed(.truncate, found(0, 0), pages)
        log.wrote(pages + Self.step)
        #expect(log.busyWay == .passive && log.takeGrowth() == nil)
    }
}

@Suite struct `The log's room` {
    @Test func `is there for the next commits, and read as its end`() throws {
        let bench = try Bench()
        try bench.session("s")
        func size() throws -> Int64 { try #require(try Files.status(bench.path + "-wal")).size }
        let first = try size()
        #expect(first >= 1 << 20)
        for number in 0..<5 { try bench.append("s", ["message \(number)"]) }
        #expect(try size() == first)
        // As a crash leaves it.
        let copy = bench.directory.file("copy.db")
        for end in ["", "-wal"] { try shell("cp", bench.path + end, copy + end) }
        let said = try shell("sqlite3", copy, "PRAGMA integrity_check; SELECT count(*) FROM message")
        #expect(said == "ok\n5\n")
        for _ in 0..<100 { try bench.append("s", [String(repeating: "x", count: 10_000)]) }
        #expect(try size() > first)
        for end in ["", "-wal"] { try shell("cp", bench.path + end, copy + end) }
        try Files.remove(copy + "-shm")
        #expect(
            try shell("sqlite3", copy, "PRAGMA integrity_check; SELECT count(*) FROM message") == "ok\n105\n")
    }
}
