/// An engine's own number of a session; it never changes and is never used twice.
package struct SessionRow: Hashable, Sendable, Comparable {
    /// Positive; ephemeral sessions begin at `firstEphemeral`.
    package let number: Int64
    package init(_ number: Int64) { self.number = number }
    package static func < (a: SessionRow, b: SessionRow) -> Bool { a.number < b.number }

    /// Where the rows of sessions begin that live in memory only.
    package static let firstEphemeral = SessionRow(1 << 40)
    /// Whether the session lives in memory only.
    package var isEphemeral: Bool { self >= SessionRow.firstEphemeral }
}

/// An engine's own number of a turn; it grows with every turn that is stored.
package struct TurnRow: Hashable, Sendable, Comparable {
    /// Positive.
    package let number: Int64
    package init(_ number: Int64) { self.number = number }
    package static func < (a: TurnRow, b: TurnRow) -> Bool { a.number < b.number }
}

/// An engine's own number of a branch, which is also the one on the wire.
package struct BranchRow: Hashable, Sendable, Comparable {
    /// Positive, and the same on the wire.
    package let number: Int64
    package init(_ number: Int64) { self.number = number }
    package static func < (a: BranchRow, b: BranchRow) -> Bool { a.number < b.number }
}
