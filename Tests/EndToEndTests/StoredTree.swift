internal import JSON
internal import TestSupport

/// The messages of all sessions as the database has them, read with the sqlite3 shell.
struct StoredTree {
    private struct Branch {
        let parent: Int?
        let fork: Int
    }

    private var branches: [Int: Branch] = [:]
    private var ids: [Int: String] = [:]
    private var newest = 0, newestTurn = 0
    private var turns: Set<String> = []

    private static let uuid = """
        lower(substr(hex(%),1,8)||'-'||substr(hex(%),9,4)||'-'||substr(hex(%),13,4)||'-'||substr(hex(%),17,4)||'-'||substr(hex(%),21))
        """
    private static func uuid(_ column: String) -> String {
        uuid.split(separator: "%", omittingEmptySubsequences: false).joined(separator: column)
    }

    private static func rows(_ daemon: RealDaemon, _ columns: String, _ from: String) throws -> [[JSONView]] {
        let said = try daemon.sqlite("SELECT json_group_array(json_array(\(columns))) FROM \(from)")
        return try JSONDocument(Array(said.utf8), depth: 10).root.elements.map { Array($0.elements) }
    }

    /// Reads what is new and holds it against the model; `isCut` lets the store know more than the model.
    mutating func check(_ daemon: RealDaemon, _ model: inout SessionModel, isCut: Bool) throws {
        if model.isDeleting { try dropDeleted(daemon, &model) }
        for row in try StoredTree.rows(daemon, "id, parent, fork_seq", "branch") {
            branches[row[0].int ?? 0] = Branch(parent: row[1].int, fork: row[2].int ?? 0)
        }
        let columns = """
            key, \(StoredTree.uuid("id")), role, status,
            (SELECT group_concat(value->>'text', '') FROM json_each(content)), created_at
            """
        let rows = try StoredTree.rows(
            daemon, columns, "(SELECT * FROM message WHERE created_at >= \(newest) ORDER BY key)")
        for row in rows {
            ids[row[0].int ?? 0] = row[1].string ?? ""
            newest = max(newest, row[5].int ?? 0)
        }
        let names = ["complete", "cancelled", "interrupted", "failed", "refused"]
        for row in rows {
            let id = row[1].string ?? "", key = row[0].int ?? 0
            let node = ModelNode(
                parent: parent(of: key), isUser: row[2].int == 1, text: row[4].string ?? "",
                status: names[row[3].int ?? 0])
            if let known = model.nodes[id] {
                if known != node { model.wrong("message \(id) is \(node), not \(known)") }
            } else if isCut {
                model.add(id, node)
            } else {
                model.wrong("nobody was told of message \(id): \(node)")
            }
        }
        let stored = Set(ids.values)
        for id in model.nodes.keys where !stored.contains(id) { model.wrong("message \(id) is lost") }
        try checkTurns(daemon, &model)
    }

    private func parent(of key: Int) -> String? {
        let seq = (key & 0xFFFF_FFFF) - 1
        guard seq > 0 else { return nil }
        var branch = key >> 32
        while let above = branches[branch], let parent = above.parent, seq <= above.fork { branch = parent }
        return ids[branch << 32 | seq] ?? "nothing"
    }

    /// Deleted branches took as many messages as their answers said.
    private mutating func dropDeleted(_ daemon: RealDaemon, _ model: inout SessionModel) throws {
        let rows = try StoredTree.rows(daemon, "key, \(StoredTree.uuid("id"))", "message")
        let left = Dictionary(uniqueKeysWithValues: rows.map { ($0[0].int ?? 0, $0[1].string ?? "") })
        let alive = Set(left.values)
        var gone = 0
        for (key, id) in ids where left[key] != id {
            ids[key] = nil
            guard !alive.contains(id) else { continue }
            gone += 1
            model.drop(id)
        }
        // A message that came and went between two looks was never counted here.
        for id in model.nodes.keys where !alive.contains(id) {
            model.drop(id)
            gone += 1
        }
        if gone != model.deletedMessages, !model.isDeleteUnsure {
            model.wrong("\(gone) messages are gone, \(model.deletedMessages) were deleted")
        }
        model.deletedMessages = 0
        model.isDeleteUnsure = false
    }

    /// Each turn that the daemon told of is there and has ended, with its prompt.
    private mutating func checkTurns(_ daemon: RealDaemon, _ model: inout SessionModel) throws {
        let rows = try StoredTree.rows(
            daemon, "id, \(StoredTree.uuid("uuid")), state, \(StoredTree.uuid("prompt_id"))",
            "(SELECT * FROM turn WHERE id > \(newestTurn))")
        for row in rows {
            newestTurn = max(newestTurn, row[0].int ?? 0)
            turns.insert(row[1].string ?? "")
            if row[2].int ?? 0 < 2 { model.wrong("turn \(row[1].string ?? "") is still open") }
        }
        // One that a look had seen may be told of once more behind it: a commit is seen before its news are sent.
        for id in model.acknowledged where !turns.contains(id) {
            let hex = id.filter { $0 != "-" }
            let row = try daemon.sqlite("SELECT id, state FROM turn WHERE uuid = x'\(hex)'")
            model.wrong("turn \(id) was acknowledged and is lost: '\(row)', and \(newestTurn) is the newest")
        }
        model.acknowledged = []
    }
}
