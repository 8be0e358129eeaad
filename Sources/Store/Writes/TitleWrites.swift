package import Archive
internal import Conversation

extension KeepTitle: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> SessionRecord? {
        // A session that was purged meanwhile has no row that the sums could belong to.
        guard try writer.place(ofRow: session) != nil else { return nil }
        if let used { try writer.add(used, of: session, turns: 0, upstream, model) }
        guard let title else { return try writer.live(id, owner: owner) }
        var change = SessionChange()
        change.title = .set(title)
        return try UpdateSession(id, owner: owner, change).run(on: writer)
    }
}
