package import Conversation
package import Protocol

/// A turn on its way to run on a session: what its place in the line depends on, and who waits for it.
///
/// Its words are not here: what waits costs no memory.
package struct Ticket: Sendable, Equatable {
    /// A client's own name for a prompt, so that it can be sent again without being run twice.
    package struct Key: Sendable, Equatable {
        /// 1 to 256 bytes, the `requestId` on the wire.
        package let name: String
        /// SHA-256 over what was asked.
        package var hash: [UInt8]

        package init(name: String, hash: [UInt8]) {
            self.name = name
            self.hash = hash
        }
    }

    /// Whether the archive has it.
    package enum Storage: Sendable, Equatable {
        /// It has not; nothing of it is left when the daemon ends.
        case absent
        /// The write that puts it into the archive's queue is out.
        case onItsWay
        /// It waits there, or runs.
        case queued
    }

    package let id: TurnID
    /// Nil where its client gave none.
    package internal(set) var key: Key?
    /// Bytes of its prompt.
    package internal(set) var bytes: Int
    /// What to do where a turn is running already.
    package let ifBusy: TurnRequest.IfBusy
    /// Whether it goes on from further back than the path's head, on a branch of its own; such a turn cannot wait.
    package let branches: Bool
    /// Whether it ends when those who wait for it have left.
    package let endsWithAskers: Bool
    /// The requests that wait for it.
    package internal(set) var askers: [Asker]
    package internal(set) var storage: Storage

    /// Edits of its prompt that are on their way to the archive.
    var edits = 0
    /// How often its prompt was edited: what was found out before that is old.
    var version = 0
    /// Its place in the queue when it came there, 1 for the first.
    var position = 0
    /// Whether it waited when the daemon was started.
    var isTakenUp = false
    /// Whether somebody cancelled it while the write that begins it was out.
    var isCancelled = false
    /// Why it will be refused, unless it turns out that it was asked for before.
    var refusal: WireError?
    /// Milliseconds that its user has to wait.
    var wait = 0
    /// Whether as many prompts were being answered as may be when it came.
    var isCrowded = false

    package init(
        id: TurnID, key: Key? = nil, bytes: Int = 0, ifBusy: TurnRequest.IfBusy = .queue,
        branches: Bool = false, endsWithAskers: Bool = false, askers: [Asker] = [],
        storage: Storage = .absent
    ) {
        self.id = id
        self.key = key
        self.bytes = bytes
        self.ifBusy = ifBusy
        self.branches = branches
        self.endsWithAskers = endsWithAskers
        self.askers = askers
        self.storage = storage
    }

    var interrupts: Bool { ifBusy == .interrupt }
    /// Whether it may be taken out of the queue.
    var isReady: Bool { storage == .absent || storage == .queued && edits == 0 }

    /// A client has left.
    mutating func forget(client: Int) {
        for index in askers.indices where askers[index].client == client { askers[index].isGone = true }
    }

    /// Hands its askers over: whoever gets them answers them.
    mutating func takeAskers() -> [Asker] {
        defer { askers = [] }
        return askers
    }

    func isAsked(by client: Int) -> Bool { askers.contains { $0.waitsForAnswer && $0.client == client } }

    /// Whether a client waits for it, and no other does.
    func isAskedOnly(by client: Int) -> Bool {
        isAsked(by: client) && !askers.contains { $0.waitsForAnswer && $0.client != client }
    }
}
