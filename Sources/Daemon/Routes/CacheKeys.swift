internal import Archive
internal import Conversation
internal import Crypto
internal import EventLoop

/// Names of sessions for providers that want to know which requests are of one conversation: they tell nothing else.
final class CacheKeys {
    private var secret: [UInt8]?

    /// Reads the secret, again and again until that can be done; without it no session has a name.
    ///
    /// `tried` is called once, after the first try.
    func read(_ archives: Archives, _ loop: EventLoop, _ tried: @escaping () -> Void) {
        archives.read(SecretByName("prompt_cache")) { [weak self] result in
            defer { tried() }
            guard let self else { return }
            guard case .success(let found) = result else {
                // Why the store cannot be read the recovery says.
                loop.after(milliseconds: Archives.readPause) { [weak self] in
                    self?.read(archives, loop) {}
                }
                return
            }
            secret = found
        }
    }

    /// 32 hexadecimal digits of a keyed SHA-256 over the owner and the session.
    func key(of session: Session) -> String? {
        guard let secret else { return nil }
        let digest = HMACSHA256.of(Array("\(session.owner)\n\(session.id.text)".utf8), key: secret)
        return Array(digest.prefix(16)).hexadecimal
    }
}
