internal import Archive
internal import Conversation
internal import Posix
internal import Store
internal import TestSupport
internal import Testing

/// Keeps what it takes.
private struct MessageCollector: MessageTaker {
    private(set) var messages: [Message] = []
    mutating func take(_ message: Message) { messages.append(message.withoutCosts) }
    mutating func take(_ head: Message.Head, text: Span<UInt8>) { messages.append(Message(head, text: text)) }
}

extension Message {
    /// The message without what it costs of a window.
    fileprivate var withoutCosts: Message {
        var message = self
        (message.tokens, message.knownSize) = (0, nil)
        return message
    }
}

@Suite struct `A stored session` {
    @Test func `is its owner's alone, and an ID may be used by each`() throws {
        let bench = try Bench()
        try bench.session("s", owner: 1)
        try bench.session("s", owner: 2)
        #expect(try bench.read(SessionByName(SessionID("s")!, owner: 3)) == nil)
        #expect(try bench.read(SessionByName(SessionID("s")!, owner: 1))?.session.owner == 1)
        guard
            case .existed = try bench.write(
                CreateSession(Session(id: SessionID("s")!, owner: 1, cwd: "/", createdAt: 0)))
        else {
            Issue.record("made twice")
            return
        }
    }

    @Test func `counts its messages without gaps, in the order of their seq, through equal times (B070)`()
        throws
    {
        let bench = try Bench()
        try bench.session("s")
        for number in 0..<50 { try bench.append("s", ["m\(number)"]) }
        var found: [Message] = [], from = 1
        while true {
            let page = try bench.read(
                ReadMessages(bench.record("s"), .from(from), limit: 7, bytes: 1 << 20))
            found += page.messages
            guard let next = page.next else { break }
            from = next
        }
        #expect(found.map(\.seq) == Array(1...50))
        #expect(found.map { $0.parts[0].visibleText } == (0..<50).map { "m\($0)" })
        #expect(zip(found, found.dropFirst()).allSatisfy { $1.parentID == $0.id })
        #expect(try bench.record("s").session.messageCount == 50)
    }

    @Test func `is paged backwards as forwards`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (1...20).map { "m\($0)" })
        let page = try bench.read(ReadMessages(bench.record("s"), .backFrom(20), limit: 5, bytes: 1 << 20))
        #expect(page.messages.map(\.seq) == [20, 19, 18, 17, 16])
        #expect(page.next == 15)
        #expect(page.messages.last?.parentID != nil)
    }

    @Test func `gives short pages where messages are long, and at least one message`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (1...4).map { _ in String(repeating: "x", count: 3_000) })
        let page = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 100, bytes: 8_000))
        #expect(page.messages.count == 2 && page.next == 3)
        #expect(
            try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 100, bytes: 10)).messages.count
                == 1)
    }

    @Test func `is handed over as it is read, message by message, as its pages hold it`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (1...9).map { "text \($0) \u{e9}" })
        let all = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 99, bytes: 1 << 20))
            .messages
        _ = try bench.write(EditMessage(bench.record("s").row, all[4].id, bench.message("another")))
        try bench.append("s", (1...6).map { "later \($0)" })
        let ids = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 99, bytes: 1 << 20))
            .messages.map(\.id)
        let row = try bench.record("s").row
        _ = try bench.write(MarkMessage(row, ids[1], pinned: true))
        _ = try bench.write(MarkMessage(row, ids[6], excluded: true))
        // What no plain text is, or is spelled in another way, has more to it, or is no UTF-8.
        for (at, sql) in [
            (0, #"content = '[{"text":"a","type":"text"}]'"#), (2, #"metadata = '{"a":1}'"#),
            (3, #"content = '[{"type":"text","text":"a"},{"type":"text","text":"b"}]'"#),
            (5, #"content = CAST(x'5B7B2274797065223A2274657874222C2274657874223A22FF227D5D' AS TEXT)"#),
            (7, #"binding = '{"model":"m","digest":"d"}'"#), (8, "deleted_at = 7"),
            (9, "role = 2, status = 1"),
        ] {
            try bench.shell(
                "UPDATE message SET \(sql) WHERE hex(id) = upper('\(ids[at].description.replacing("-", with: ""))')"
            )
        }
        let record = try bench.record("s")
        for (limit, bytes) in [(99, 1 << 20), (4, 1 << 20), (1, 1 << 20), (99, 900), (99, 1)] {
            var next: Int? = 1
            while let from = next {
                let page = try bench.read(ReadMessages(record, .from(from), limit: limit, bytes: bytes))
                let taken = try bench.read(
                    TakeMessages(record, from: from, limit: limit, bytes: bytes, MessageCollector()))
                #expect(taken.next == page.next)
                #expect(taken.taker.messages == page.messages.map(\.withoutCosts))
                next = page.next
            }
        }
    }

    @Test func `that somebody broke by hand is told of where it is handed over too`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b"])
        try bench.shell("UPDATE message SET content = 'no json' WHERE key & 15 = 2")
        #expect(throws: ArchiveError.self) {
            try bench.read(
                TakeMessages(bench.record("s"), from: 1, limit: 9, bytes: 1 << 20, MessageCollector()))
        }
    }

    @Test func `moves to the front of the list with each change`() throws {
        let bench = try Bench()
        for name in ["a", "b", "c"] {
            try bench.session(name)
            try bench.append(name, ["x"])
        }
        try bench.append("a", ["y"])
        let found = try bench.read(FindSessions(owner: .user(0), limit: 10))
        #expect(found.sessions.map(\.session.id.text) == ["a", "c", "b"])
    }

    @Test func `in the trash is hidden, and comes back whole`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["x"])
        #expect(try bench.write(TrashSession(SessionID("s")!, owner: 0)))
        #expect(try bench.read(FindSessions(owner: .user(0), limit: 10)).sessions.isEmpty)
        #expect(
            try bench.write(
                AppendMessages(SessionID("s")!, owner: 0, [bench.message("y")], ifMissing: nil))
                == .trashed)
        #expect(try bench.write(RestoreSession(SessionID("s")!, owner: 0))?.session.trashedAt == nil)
        #expect(try bench.texts("s") == ["x"])
    }

    @Test func `goes to the trash only if it is as it was seen`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["x"])
        let seen = try bench.record("s").session.activity
        try bench.append("s", ["y"])
        let trash = TrashSession(SessionID("s")!, owner: 0, unchangedSince: seen)
        #expect(try !bench.write(trash) && bench.record("s").session.trashedAt == nil)
        let now = try bench.record("s").session.activity
        #expect(try bench.write(TrashSession(SessionID("s")!, owner: 0, unchangedSince: now)))
    }

    @Test func `that is on its way out or in is in no order and no damage`() throws {
        let bench = try Bench()
        for (name, owner) in [("a", 0), ("b", -1), ("c", -2)] {
            try bench.session(name)
            try bench.append(name, ["x"])
            if owner < 0 { try bench.shell("UPDATE session SET owner = \(owner) WHERE name = '\(name)'") }
        }
        let sort = SortSessions(
            FindSessions(owner: .all, limit: 9), by: .title, isDescending: false, after: nil, limit: 9)
        let found = try bench.read(sort)
        #expect(found.sessions.map(\.session.id.text) == ["a"] && found.damaged.isEmpty)
    }

    @Test func `is found among those of all users in the order of activity, page by page`() throws {
        let bench = try Bench()
        for number in 0..<9 {
            let id = SessionID("s\(number)")!
            let session = Session(id: id, owner: UserID(UInt32(number % 3)), cwd: "/", createdAt: 0)
            _ = try bench.write(
                AppendMessages(
                    id, owner: UserID(UInt32(number % 3)), [bench.message("x")], ifMissing: session))
        }
        var search = FindSessions(owner: .all, limit: 4)
        var names: [String] = []
        while true {
            let output = try bench.read(search)
            names += output.sessions.map(\.session.id.text)
            guard let next = output.next else { break }
            search.after = next
        }
        #expect(names == (0..<9).reversed().map { "s\($0)" })
    }

    @Test func `with bytes that are no text, written by hand, still opens (B089)`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["x"])
        try bench.shell(
            "UPDATE message SET content = CAST(x'5b7b2274797065223a2274657874222c2274657874223a22eda080ff227d5d' AS TEXT); UPDATE session SET title = CAST(x'61ff' AS TEXT)"
        )
        #expect(try bench.texts("s").first?.contains("\u{FFFD}") == true)
        #expect(try bench.record("s").session.title == "a\u{FFFD}")
    }
}

@Suite struct `A query of the store` {
    /// Every statement's plan, as the sources have them, must search by an index.
    @Test func `never scans a table (B097)`() throws {
        let bench = try Bench()
        let sources = try shell(
            "grep", "-rhoE", "--include=*.swift", "x", Files.directory(of: #filePath) + "/../../Sources/Store"
        )
        #expect(!sources.isEmpty)
        for sql in try statements() {
            let plan = try shell("sqlite3", bench.path, "EXPLAIN QUERY PLAN " + sql.replacingParameters)
            // That index has nothing but what is open, and calibrations are read at the start, 2,000 of them.
            let scans = plan.split(separator: "\n").filter {
                $0.contains("SCAN ") && !$0.contains("SCAN turn USING INDEX turn_open")
                    && !$0.contains("SCAN search VIRTUAL TABLE INDEX 192:M<")
                    && !$0.contains("SCAN search VIRTUAL TABLE INDEX 192:M1<")
                    && !$0.contains("SCAN search VIRTUAL TABLE INDEX 192:M1><")
                    && !$0.contains("SCAN pragma_integrity_check VIRTUAL TABLE")
                    && !$0.contains("SCAN import") && !$0.contains("SCAN CONSTANT ROW")
                    && !$0.contains("SCAN calibration")
                    && !$0.contains("SCAN (subquery")
            }
            #expect(scans.isEmpty, "\(sql)\n\(plan)")
        }
    }

    /// SELECT, UPDATE and DELETE statements that stand as literals in the store's sources.
    private func statements() throws -> [String] {
        let directory = Files.directory(of: #filePath) + "/../../Sources/Store"
        let files = try shell("find", directory, "-name", "*.swift").split(separator: "\n")
        var found: [String] = []
        for file in files {
            let source = text(try Files.read(String(file)))
            var rest = source[...]
            while let start = rest.firstIndex(of: "\"") {
                rest = rest[rest.index(after: start)...]
                let isLong = rest.hasPrefix("\"\"")
                let mark = isLong ? "\"\"\"" : "\""
                if isLong { rest = rest.dropFirst(2) }
                guard let end = rest.ranges(of: mark).first else { break }
                let literal = rest[..<end.lowerBound].split(whereSeparator: \.isWhitespace).joined(
                    separator: " ")
                rest = rest[end.upperBound...]
                let before = String(source[..<start].suffix(10))
                let heads = [
                    "sessions(": "SELECT * FROM session ", "turns(": "SELECT * FROM turn ",
                    "messages(": "SELECT * FROM message m ",
                ]
                if let head = heads.first(where: { before.hasSuffix($0.key) }) {
                    found.append(head.value + literal)
                } else if ["SELECT ", "UPDATE ", "DELETE "].contains(where: literal.hasPrefix),
                    !literal.contains("\\"),
                    !literal.contains("sqlite_schema"), !literal.contains(" temp.")
                {
                    found.append(literal)
                }
            }
        }
        #expect(found.count > 20)
        return found
    }
}

extension String {
    fileprivate var replacingParameters: String {
        split(separator: "?", omittingEmptySubsequences: false).joined(separator: "1")
    }
}
