internal import Posix

/// Who may listen in the daemon's name: whoever does reads what is said, and is obeyed.
enum TrustedPeer {
    /// Where the system's daemon listens, and the user that it runs as.
    private static let systemSocket = "/run/convod/convod.sock", systemUser = "convod"

    /// What is wrong with who listens at a path, as one sentence; nil for this user, root, and the system's daemon at its
    /// own path.
    static func problem(_ peer: Peer, at path: String) -> String? {
        if peer.uid == Process.userID || peer.uid == 0 { return nil }
        if path == systemSocket, peer.uid == Process.userID(named: systemUser) { return nil }
        let name = Process.userName(peer.uid).map { "user '\($0)'" } ?? "user \(peer.uid)"
        return
            "at '\(path)' listens a process of \(name), not one of yours; nothing was sent to it. Remove that socket, give another --socket, or run this as that user"
    }
}
