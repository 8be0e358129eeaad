/// Store keeps sessions, messages and turns in SQLite; nothing above it sees SQL.

/// Why the store could not do something.
package struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// Another process holds the database; trying again later may help.
        case busy
        /// The disk or a quota is full.
        case full
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
        /// A value has more bytes than SQLite takes.
        case tooBig
        /// What was to be changed is in another state than whoever changes it knows: somebody else did.
        case changedElsewhere
        /// A file of the database was removed, moved or replaced while it was open.
        case gone
        /// The file or its directory cannot be written.
        case readOnly
        /// Another daemon has the database; holds its lock file's text.
        case locked(by: String)
        case other
    }
    package let code: Code
    /// What was being done, as in `"insert message"`.
    package let doing: String
    /// SQLite's extended result code, 0 when it was not SQLite.
    package let sqlite: Int32
    /// SQLite's or the system's own words; never bound values.
    package let reason: String

    package init(_ code: Code, _ doing: String, sqlite: Int32 = 0, reason: String) {
        self.code = code
        self.doing = doing
        self.sqlite = sqlite
        self.reason = reason
    }

    package var description: String { "\(doing): \(reason)" }
}
