internal import Posix

extension Configuration.Access {
    func isAdmin(_ peer: Peer, daemon: UInt32) -> Bool {
        peer.uid == 0 || peer.uid == daemon || adminUsers.contains(peer.uid)
            || adminGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }

    /// What a client may see; nil where it may not connect.
    ///
    /// Who is to watch does not work here beside that.
    func role(of peer: Peer, daemon: UInt32) -> Client.Role? {
        if isAdmin(peer, daemon: daemon) { return .administrator }
        if peer.isNobody { return nil }
        if isWatcher(peer) { return .watcher }
        return isAllowed(peer) ? .user : nil
    }

    private func isWatcher(_ peer: Peer) -> Bool {
        watchingUsers.contains(peer.uid)
            || watchingGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }

    private func isAllowed(_ peer: Peer) -> Bool {
        guard let allowedUsers else { return true }
        return allowedUsers.contains(peer.uid)
            || allowedGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }
}
