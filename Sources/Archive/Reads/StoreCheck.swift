/// A kind of damage that is looked for.
package enum Damage: String, Sendable, CaseIterable {
    /// SQLite finds its own structure broken.
    case file
    /// The index of what messages say does not hold what it should.
    case index
    /// A session's settings, tags, metadata or servers are no such JSON.
    case settings
    /// A session's active branch is not there, or is another session's.
    case activeBranch
    /// A session's head or tokens are not those of its newest message.
    case head
    /// A branch leaves one that is not there, is newer, or has no such message.
    case parent
    /// A branch has not every seq from its fork on.
    case gap
    /// A message is on no branch.
    case strayMessage
    /// A message's content is no JSON array.
    case content
    /// What is kept beside a message's content is no JSON.
    case messageRecord
    /// A message has no place in the order of storing, so that no search finds it.
    case arrival
    /// A message's estimate over its path is not the sum of those before it.
    case total
    /// A message belongs to a turn that is not there.
    case messageTurn
    /// A turn belongs to a session that is not there.
    case strayTurn
    /// What a turn was asked for, or what came of it, is no JSON.
    case turnRecord
    /// A branch belongs to a session that is not there.
    case strayBranch
    /// Tries are of a turn that is not there.
    case attempt
    /// Where a branch's windows begin is kept of a branch that is not there.
    case anchor
    /// A summary is of a session or a message that is not there.
    case summary
    /// Tries are of a summary that is not there.
    case summaryAttempt
    /// A session that is being read in is not there.
    case importedSession
    /// A message that waits for the turn that it was read in before is not there.
    case importedMessage
    /// Pieces of an answer are there though its turn has ended, or is not there.
    case piece
    /// A mark is of a message or a session that is not there.
    case mark

    /// Whether `RepairStore` can do something about it.
    package var isRepairable: Bool { self != .file && self != .gap }
}

/// Something that is not as it should be.
package struct DamageFound: Sendable, Equatable {
    package let kind: Damage
    /// The row of the table that the kind is about; 0 for a whole file or index.
    package let row: Int64
    /// What it is about, for a person: a session's name, a message's place, SQLite's words.
    package let words: String

    package init(_ kind: Damage, row: Int64, words: String) {
        self.kind = kind
        self.row = row
        self.words = words
    }
}

/// A slice of a look at the whole store, in the order of `Damage`.
package struct CheckStore: ArchiveRead {
    /// What one slice found.
    package struct Output: Sendable {
        package var found: [DamageFound] = []
        /// Where the next slice goes on; nil at the end.
        package var next: CheckStore?
        package init() {}
    }

    /// What is looked for now, and behind which row.
    package var kind: Damage
    package var after: Int64
    /// Behind which word of the index it is read on; empty where its reading has not begun.
    package var afterWord: [UInt8] = []
    /// Whether what takes a look at every message is left out.
    package let isQuick: Bool
    /// Findings of a kind at most.
    package let limit: Int

    /// Begins with the first kind that is looked for.
    package init(isQuick: Bool, limit: Int) {
        kind = isQuick ? .settings : .file
        after = 0
        self.isQuick = isQuick
        self.limit = limit
    }
}

/// Mends what was found, all of it or nothing; what cannot be mended is left.
package struct RepairStore: ArchiveWrite {
    /// How many were mended.
    package typealias Output = Int
    package let found: [DamageFound]
    package init(_ found: [DamageFound]) { self.found = found }
}
