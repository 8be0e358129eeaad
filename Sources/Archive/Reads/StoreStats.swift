package import Conversation

/// How much there is, in slices: messages and bytes by session and by day, and the file.
package struct StoreStats: ArchiveRead {
    /// Sums of a part of the messages.
    package struct Sum: Sendable, Equatable {
        package var messages = 0
        /// Bytes of contents.
        package var bytes = 0
        package init() {}
        /// Counts more messages in.
        package mutating func add(messages: Int, bytes: Int) {
            self.messages += messages
            self.bytes += bytes
        }

        /// Counts both.
        package static func + (a: Sum, b: Sum) -> Sum {
            var sum = a
            sum.add(messages: b.messages, bytes: b.bytes)
            return sum
        }
    }

    /// What the file holds, in bytes.
    package struct File: Sendable, Equatable {
        package var bytes = 0
        package var free = 0
        /// Of the search index.
        package var index = 0
        /// Messages that are not in the index yet.
        package var notIndexed = 0
        package init() {}
    }

    /// What is known so far, and the slice that is next.
    package struct Output: Sendable {
        package var sessions: [SessionRow: Sum] = [:]
        /// By days since 1970 (UTC).
        package var days: [Int64: Sum] = [:]
        package var file = File()
        package var next: StoreStats?
        package init() {}
    }

    /// Whose; nil for everybody's.
    package let owner: UserID?
    /// Where the slice begins: behind a message, or where all of them were looked at behind a row of the index.
    package var afterMessage: Int64? = 0
    package var afterIndexRow: Int64 = Int64.min

    package init(owner: UserID?) { self.owner = owner }
}

/// Bytes of the database's file, its log left out.
package struct StoreSize: ArchiveRead {
    package typealias Output = Int
    package init() {}
}

/// What a session that statistics tell of is called.
package struct SessionNames: ArchiveRead {
    package typealias Output = [SessionRow: (id: SessionID, owner: UserID, title: String?)]
    package let rows: [SessionRow]
    package init(_ rows: [SessionRow]) { self.rows = rows }
}

/// A request that changed something, or should have.
package struct AuditEntry: Sendable, Equatable {
    /// Its number among those that are kept, by which a list goes on; 0 where it is not kept yet.
    package var id: Int64 = 0
    /// Milliseconds since 1970.
    package let at: Int64
    package let user: UserID
    /// The process that asked; 0 where the kernel did not say.
    package let pid: Int
    package let method: String
    /// The session's ID as it was given; nil where it was about none.
    package let session: String?
    /// `done` or the kind of error.
    package let outcome: String

    package init(at: Int64, user: UserID, pid: Int, method: String, session: String?, outcome: String) {
        self.at = at
        self.user = user
        self.pid = pid
        self.method = method
        self.session = session
        self.outcome = outcome
    }
}

/// Keeps a request among those that changed something.
package struct NoteAudit: ArchiveWrite {
    package typealias Output = Void
    package let entry: AuditEntry
    package let durability: Durability

    package init(_ entry: AuditEntry, durability: Durability = .normal) {
        self.entry = entry
        self.durability = durability
    }
}

/// Requests that changed something, the newest first.
package struct AuditList: ArchiveRead {
    package typealias Output = [AuditEntry]
    /// Whose requests; nil for everybody's.
    package let user: UserID?
    /// About which session; nil for any.
    package let session: String?
    /// Milliseconds since 1970 from which on.
    package let since: Int64
    /// The number of the entry behind which it goes on; nil for the newest.
    package let before: Int64?
    package let limit: Int

    package init(user: UserID?, session: String?, since: Int64, before: Int64? = nil, limit: Int) {
        self.before = before
        self.user = user
        self.session = session
        self.since = since
        self.limit = limit
    }
}
