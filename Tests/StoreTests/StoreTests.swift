internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Store
internal import TestSupport
internal import Testing

/// A store on a loop that a test turns by hand.
final class Bench {
    let directory: TemporaryDirectory
    let loop: EventLoop
    let store: Store
    private var ids = IDMaker()

    init(_ directory: TemporaryDirectory? = nil, now: Int64 = 1_000) throws {
        self.directory = try directory ?? TemporaryDirectory()
        loop = try EventLoop()
        store = try Store(path: self.directory.file("c.db"), durability: .full, loop: loop, clock: { now })
    }

    var path: String { directory.file("c.db") }

    func id<Kind>() -> ID<Kind> { ids.next(milliseconds: 1_000, random: 7) }

    /// Sends a change and turns the loop until its answer is there.
    func write<Write: LocalWrite>(_ change: Write) throws -> Write.Output {
        var answer: Result<Write.Output, ArchiveError>?
        store.write(change) { answer = $0 }
        while answer == nil { try loop.turn(waiting: true) }
        guard let answer else { preconditionFailure("the loop turned until it was there") }
        return try answer.get()
    }

    /// Looks, and turns the loop until the answer is there.
    func read<Read: LocalRead>(_ look: Read) throws -> Read.Output {
        var answer: Result<Read.Output, ArchiveError>?
        store.read(look) { answer = $0 }
        while answer == nil { try loop.turn(waiting: true) }
        guard let answer else { preconditionFailure("the loop turned until it was there") }
        return try answer.get()
    }

    func message(_ text: String, _ role: Message.Role = .user, pinned: Bool = false) -> NewMessage {
        NewMessage(
            id: id(), role: role, content: Part.encode([.text(text)]), size: ContentSize(tokens: 10),
            mark: pinned ? .pin : nil)
    }

    @discardableResult
    func session(_ name: String, owner: UserID = 0) throws -> SessionRecord {
        guard
            case .created(let record) = try write(
                CreateSession(Session(id: sessionID(name), owner: owner, cwd: "/tmp", createdAt: 1_000)))
        else {
            throw ArchiveError(.other, "make a session", reason: "it was there")
        }
        return record
    }

    func append(_ name: String, _ texts: [String]) throws {
        _ = try write(AppendMessages(sessionID(name), owner: 0, texts.map { message($0) }, ifMissing: nil))
    }

    func record(_ name: String) throws -> SessionRecord {
        let found = try read(SessionByName(sessionID(name), owner: 0))
        return try #require(found)
    }

    func texts(_ name: String) throws -> [String] {
        try read(ReadMessages(record(name), .from(1), limit: 10_000, bytes: 1 << 30)).messages.map {
            $0.parts[0].visibleText
        }
    }

    func shell(_ sql: String) throws { try TestSupport.shell("sqlite3", path, sql) }

    deinit { store.close() }
}

/// A well-formed session ID.
func sessionID(_ text: String) -> SessionID {
    guard let id = SessionID(text) else { preconditionFailure("'\(text)' is no session ID") }
    return id
}
