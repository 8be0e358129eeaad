/// Archive says what is kept of sessions, as values: records, changes and looks, and nothing of how an engine keeps them.
///
/// - Invariant: this target holds no SQL, no engine and no clock, and no value in it holds a closure.

/// How safe a commit must be before its answer leaves.
package enum Durability: Sendable {
    /// On disk: survives power loss.
    case full
    /// In the operating system: survives `kill -9`.
    case normal
}

/// A change: one value that an engine makes in one transaction.
package protocol ArchiveWrite: Sendable {
    /// What is answered after the commit.
    associatedtype Output: Sendable
    /// What must hold before the answer leaves; `full` unless said otherwise.
    var durability: Durability { get }
}

extension ArchiveWrite {
    package var durability: Durability { .full }
}

/// A look: one value that an engine answers out of what is committed, at one moment between asking and answering.
package protocol ArchiveRead: Sendable {
    /// What is answered; each look says what stands for something that is not there.
    associatedtype Output: Sendable
}
