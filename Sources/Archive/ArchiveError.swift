package import Conversation

/// Why an archive could not do something, whatever engine it stands on.
package struct ArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as a program tells it apart.
    package enum Code: Sendable, Equatable {
        /// Another process holds the database; trying again later may help.
        case busy
        /// The disk or a quota is full.
        case full
        /// Sessions in memory have as much together as they may.
        case memoryFull
        /// The file is damaged, or is no database.
        case corrupt
        /// The file was made by a newer version; holds that version and the newest that this build knows.
        case fromTheFuture(Int, known: Int)
        /// Another program's database.
        case foreign
        /// A rule of the schema was broken: a bug.
        case constraint
        /// The disk or its file system failed.
        case disk
        /// A value has more bytes than the engine takes.
        case tooBig
        /// What was to be changed is in another state than whoever changes it knows: somebody else did.
        case changedElsewhere
        /// What is to be stored contradicts itself: `reason` says how, `doing` which of several it is.
        case refused
        /// A file of the database was removed, moved or replaced while it was open.
        case gone
        /// The file or its directory cannot be written.
        case readOnly
        /// Sessions of several users have the ID by which one was asked for; holds whose.
        case ambiguous([UserID])
        /// Another daemon has the database; holds its lock file's text.
        case locked(by: String)
        /// Anything else; `reason` has the engine's words.
        case other
    }
    package let code: Code
    /// What was being done, as in `"insert message"`.
    package let doing: String
    /// The engine's own code, for SQLite its extended result code; 0 when it was not the engine.
    package let engineCode: Int32
    /// The engine's or the system's own words; never bound values.
    package let reason: String

    package init(_ code: Code, _ doing: String, engineCode: Int32 = 0, reason: String) {
        self.code = code
        self.doing = doing
        self.engineCode = engineCode
        self.reason = reason
    }

    package var description: String { "\(doing): \(reason)" }
}
