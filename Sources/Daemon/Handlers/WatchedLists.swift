internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol

/// Tells those who watch a list of sessions of what changed in it, in the order of the changes.
///
/// One look a user is out at a time: what changes meanwhile is looked for behind it, so that no change passes another.
final class WatchedLists {
    private let archives: Archives
    private let channels: Channels
    private let configuration: CurrentConfiguration
    private let loop: EventLoop
    /// Users whose changes are being looked for, and whether there may be more by now.
    private var looking: [UserID: Bool] = [:]

    init(
        _ archives: Archives, _ channels: Channels, _ configuration: CurrentConfiguration, _ loop: EventLoop
    ) {
        self.archives = archives
        self.channels = channels
        self.configuration = configuration
        self.loop = loop
    }

    /// Something has changed in some list.
    func changed() {
        for (owner, seen) in channels.watched { look(owner, after: seen) }
    }

    private func look(_ owner: UserID, after seen: Int64) {
        if looking[owner] != nil {
            looking[owner] = true
            return
        }
        looking[owner] = false
        let limits = configuration.limits
        let changes = Changes(owner: owner, after: seen, limit: limits.pageRows, bytes: limits.pageBytes)
        archives.read(changes) { [self] result in
            let isAgain = looking.removeValue(forKey: owner) ?? false
            switch result {
            case .success(let found):
                channels.tell(found.records, of: owner, after: seen)
                if isAgain || found.isMore { goOn(owner) }
            case .failure(let error):
                // What cannot be read now is told a little later.
                if error.code == .corrupt { return }
                loop.after(milliseconds: Archives.readPause) { [weak self] in self?.goOn(owner) }
            }
        }
    }

    private func goOn(_ owner: UserID) {
        if let seen = channels.watched[owner] { look(owner, after: seen) }
    }
}
