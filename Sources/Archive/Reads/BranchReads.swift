/// A session's branches, oldest first, at most `limit` of those behind one.
package struct BranchList: ArchiveRead {
    package typealias Output = [Branch]
    package let session: SessionRow
    /// Branches with this number and below are left out.
    package let after: BranchRow
    /// Branches at most.
    package let limit: Int

    package init(_ session: SessionRow, after: BranchRow, limit: Int) {
        self.session = session
        self.after = after
        self.limit = limit
    }
}

/// Two branches of a session beside each other.
package struct BranchPair: ArchiveRead {
    /// Where the two part, or which of them there is not.
    package enum Output: Sendable {
        /// The session has no such branch.
        case missing(BranchRow)
        /// The last seq that they share, and the page behind it of each.
        case pair(common: Int, [MessagePage])
    }

    package let session: SessionRecord
    /// Two, in the order in which they were given.
    package let branches: [BranchRow]
    /// Rows and bytes of one page at most.
    package let limit: Int
    package let bytes: Int

    /// `limit` and `bytes` bound each of the two pages.
    package init(_ session: SessionRecord, _ first: BranchRow, _ second: BranchRow, limit: Int, bytes: Int) {
        self.session = session
        branches = [first, second]
        self.limit = limit
        self.bytes = bytes
    }
}

/// Where a branch comes from.
package struct BranchOrigin: Sendable, Equatable {
    package let parent: BranchRow?
    /// The last seq that it shares with its parent.
    package let forkSeq: Int

    package init(parent: BranchRow?, forkSeq: Int) {
        self.parent = parent
        self.forkSeq = forkSeq
    }
}

/// The branches that some leave, and those that these leave, and so on, of whatever session.
package struct BranchElders: ArchiveRead {
    package typealias Output = [BranchRow: BranchOrigin]
    package let branches: [BranchRow]
    package init(_ branches: [BranchRow]) { self.branches = branches }
}
