internal import Crypto
package import EventLoop
internal import Posix

/// An upstream's keys, in the order of the configuration: the first that is good is used.
///
/// A key that was refused with 401 is out until its source gives another one; a key that was asked to wait is passed
/// over while it must. Sources are read at each call, so a changed file counts at once.
///
/// - Invariant: a key leaves this type only into a request's header; no description, error or log line holds it.
package final class KeyRing: Authorizer {
    /// Milliseconds for which a command's key is taken without asking again.
    private static let memory: Int64 = 600_000

    private struct Source {
        let source: KeySource
        /// The hash of the key that was refused.
        var refused: [UInt8]?
        /// Milliseconds before which the key is left alone.
        var gate: Int64 = 0
        /// What a command printed last, and when.
        var printed: (key: String, at: Int64)?
        /// The hash and the last characters of the key that was read last.
        var last: (hash: [UInt8], masked: String)?
    }

    private var sources: [Source]
    private let environment: [String: String]
    private let loop: EventLoop
    private let clock: () -> Int64
    private let headers: (String) -> [String]
    private var commands: [Int: [(Result<String, KeyTrouble>) -> Void]] = [:]

    /// `headers` puts a key into header lines; `clock` gives milliseconds that never go back.
    package init(
        _ sources: [KeySource], environment: [String: String], loop: EventLoop,
        clock: @escaping () -> Int64, headers: @escaping (String) -> [String]
    ) {
        self.sources = sources.map { Source(source: $0) }
        self.environment = environment
        self.loop = loop
        self.clock = clock
        self.headers = headers
    }

    package var origin: String { sources.map(\.source.description).joined(separator: ", ") }

    package func authorize(_ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void) {
        if sources.isEmpty { return then(.success(.none)) }
        find(from: 0, reasons: [], waiting: nil, then)
    }

    private func find(
        from index: Int, reasons: [String], waiting: Authorization?,
        _ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void
    ) {
        guard index < sources.count else {
            if let waiting { return then(.success(waiting)) }  // all must wait: who asks anyway knows why
            let words = "no key: \(reasons.joined(separator: "; "))"
            return then(.failure(UpstreamFailure(.auth, words, isRetryable: false)))
        }
        read(index) { [self] result in
            switch result {
            case .failure(let trouble):
                find(from: index + 1, reasons: reasons + [trouble.words], waiting: waiting, then)
            case .success(let key):
                let hash = SHA256Digest.of(Array(key.utf8))
                sources[index].last = (hash, KeyRing.masked(key))
                if sources[index].refused == hash {
                    let words = "\(sources[index].source) was refused (HTTP 401) and has not changed since"
                    return find(from: index + 1, reasons: reasons + [words], waiting: waiting, then)
                }
                sources[index].refused = nil
                let found = Authorization(headers: headers(key), identity: hash)
                if sources[index].gate > clock() {
                    return find(from: index + 1, reasons: reasons, waiting: waiting ?? found, then)
                }
                then(.success(found))
            }
        }
    }

    // MARK: How they fared

    package func refused(_ authorization: Authorization) -> Bool {
        var isCommand = false
        for index in sources.indices where sources[index].last?.hash == authorization.identity {
            sources[index].refused = authorization.identity
            // The command may give another key by now; it is asked once more.
            if case .command = sources[index].source, sources[index].printed != nil {
                sources[index].printed = nil
                isCommand = true
            }
        }
        return isCommand || hasFree
    }

    package func throttled(_ authorization: Authorization, milliseconds: Int) -> Bool {
        for index in sources.indices where sources[index].last?.hash == authorization.identity {
            sources[index].gate = clock() + Int64(milliseconds)
        }
        return hasFree
    }

    package func succeeded(_ authorization: Authorization) {}

    /// Whether a source is left that may give a good key.
    private var hasFree: Bool {
        sources.contains { source in
            if source.gate > clock() { return false }
            if case .command = source.source { return source.refused == nil }
            guard case .success(let key) = readNow(source.source) else { return false }
            return SHA256Digest.of(Array(key.utf8)) != source.refused
        }
    }

    package var isAtHand: Bool {
        sources.contains { source in
            if case .command = source.source { return true }
            return (try? readNow(source.source).get()) != nil
        }
    }

    package var keys: [KeyDescription] {
        sources.map { source in
            let name = source.source.description
            var masked = source.last?.masked
            if case .command = source.source {
                let state: KeyDescription.State = source.refused != nil ? .refused : .ready
                return KeyDescription(source: name, masked: masked, state: state, reason: nil)
            }
            switch readNow(source.source) {
            case .failure(let trouble):
                return KeyDescription(source: name, masked: nil, state: .missing, reason: trouble.words)
            case .success(let key):
                masked = KeyRing.masked(key)
                let isRefused = source.refused == SHA256Digest.of(Array(key.utf8))
                let isWaiting = source.gate > clock()
                return KeyDescription(
                    source: name, masked: masked, state: isRefused ? .refused : isWaiting ? .waiting : .ready,
                    reason: isRefused ? "HTTP 401; it is out until its source changes" : nil)
            }
        }
    }

    /// The last four characters of a key that is long enough to spare them.
    private static func masked(_ key: String) -> String { key.count >= 16 ? "…\(key.suffix(4))" : "…" }

    // MARK: Sources

    private func read(_ index: Int, _ then: @escaping (Result<String, KeyTrouble>) -> Void) {
        guard case .command(let words) = sources[index].source else {
            return then(readNow(sources[index].source))
        }
        if let (key, at) = sources[index].printed, clock() - at < KeyRing.memory, clock() >= at {
            return then(.success(key))
        }
        commands[index, default: []].append(then)
        guard commands[index]?.count == 1 else { return }
        KeyCommand(words, environment: environment, loop: loop).run { [self] result in
            if case .success(let key) = result { sources[index].printed = (key, clock()) }
            for waiter in commands.removeValue(forKey: index) ?? [] { waiter(result) }
        }
    }

    private func readNow(_ source: KeySource) -> Result<String, KeyTrouble> {
        switch source {
        case .environment(let name):
            let value = (environment[name] ?? "").trimmed
            return value.isEmpty
                ? .failure(KeyTrouble("the variable '\(name)' is not set in the daemon's environment"))
                : checked(value, source)
        case .file(let path):
            do throws(KeyTrouble) { return checked(try SecretFile.line(path), source) } catch {
                return .failure(error)
            }
        case .credential(let name):
            guard let directory = environment["CREDENTIALS_DIRECTORY"] else {
                return .failure(KeyTrouble("the credential '\(name)' needs LoadCredential= in the unit"))
            }
            do throws(KeyTrouble) {
                // systemd keeps the directory closed; the file's mode may show an ACL's mask.
                return checked(try SecretFile.line("\(directory)/\(name)", isGuarded: true), source)
            } catch { return .failure(error) }
        case .command: return .failure(KeyTrouble("a command's key is not at hand"))
        }
    }

    /// A key with a control character would end the header line.
    private func checked(_ key: String, _ source: KeySource) -> Result<String, KeyTrouble> {
        key.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            ? .success(key) : .failure(KeyTrouble("\(source) holds white space or control characters"))
    }
}

/// Files that hold a secret: only their owner may read them.
enum SecretFile {
    /// The first line with anything in it.
    static func line(_ path: String, isGuarded: Bool = false) throws(KeyTrouble) -> String {
        let text = String(decoding: try bytes(path, isGuarded: isGuarded), as: UTF8.self)
        let line = text.split { $0.isNewline }.map { String($0).trimmed }.first { !$0.isEmpty }
        guard let line else { throw KeyTrouble("the key file '\(path)' is empty") }
        return line
    }

    /// The whole file, at most 64 KiB; refused when others can read it.
    static func bytes(_ path: String, isGuarded: Bool = false) throws(KeyTrouble) -> [UInt8] {
        let status: FileStatus?, content: [UInt8]
        do throws(PosixError) {
            status = try Files.status(path, follows: true)
            content = status == nil ? [] : try Files.read(path, limit: 65_536)
        } catch { throw KeyTrouble("the key file '\(path)' cannot be read: \(error.reason)") }
        guard let status else { throw KeyTrouble("the key file '\(path)' is not there") }
        guard isGuarded || status.kind != .regular || status.mode & 0o077 == 0 else {
            let mode = String(status.mode, radix: 8)
            throw KeyTrouble(
                "the key file '\(path)' can be read by others (mode \(mode)); run 'chmod 600' on it")
        }
        return content
    }
}
