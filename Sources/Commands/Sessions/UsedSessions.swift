internal import Conversation
internal import Posix

/// The sessions that convo used, the last one first: their IDs, one a line, in a file of the user's own.
///
/// What else changes sessions, as an import or an editor, does not move what '-c' goes on with.
struct UsedSessions {
    /// IDs that are kept at most.
    private static let most = 100

    private let path = Locations.ofThisProcess.usedSessions

    /// Their IDs; none where there is no file, and where it cannot be read: then the sessions' times tell.
    var ids: [String] {
        guard let bytes = try? Files.read(path, limit: 64 << 10) else { return [] }
        return bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
            .filter { SessionID($0) != nil }
    }

    /// Notes that one is used now; nobody is kept from asking where that cannot be written.
    func note(_ id: String) {
        let known = ids
        // Root leaves nothing in another user's home.
        if known.first == id || ForeignHome.problem([path], program: "convo") != nil { return }
        let newest = ([id] + known.filter { $0 != id }).prefix(UsedSessions.most)
        do throws(PosixError) {
            try Files.makeDirectories(Files.directory(of: path))
            try Files.replace(path, with: Array(newest.map { $0 + "\n" }.joined().utf8))
        } catch {
            // What it says is no longer so; where it can be neither written nor removed it stays.
            try? Files.remove(path)
        }
    }
}
