internal import Archive
internal import Posix

/// A look at a database that no daemon has open, which changes nothing of it.
package enum CopyCheck {
    /// What is wrong with a file, in a sentence; nil for a whole database of convod's that this build can open.
    package static func problem(of path: String) -> String? {
        do throws(ArchiveError) {
            guard try Migrations.version(ofFileAt: path) != nil else {
                // What cannot be looked at is told by the next look.
                let isThere = ((try? Files.status(path, follows: true)) ?? nil) != nil
                return isThere ? "there is nothing in it" : "there is no file '\(path)'"
            }
            let database = try Database(path: path, .inspecting)
            defer { database.close() }
            return try database.first(
                "SELECT integrity_check FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'",
                doing: "check '\(path)'"
            ) { row in
                // The first line may name the database, the next one says what is wrong with it.
                let lines = row.text(0).split(separator: "\n").filter { !$0.hasPrefix("***") }
                return "SQLite finds it damaged: \(lines.first ?? "nobody knows where")"
            }
        } catch { return error.description }
    }
}
