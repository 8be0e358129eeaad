internal import Posix

extension Configuration.Access {
    func isAdmin(_ peer: Peer, daemon: UInt32) -> Bool {
        peer.uid == 0 || peer.uid == daemon || adminUsers.contains(peer.uid)
            || adminGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }

    func isAllowed(_ peer: Peer) -> Bool {
        guard let allowedUsers else { return true }
        return allowedUsers.contains(peer.uid)
            || allowedGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }
}
