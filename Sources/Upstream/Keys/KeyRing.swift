internal import Crypto
package import EventLoop
internal import Posix

/// An upstream's keys, in the order of the configuration: the first that is good is used.
///
/// A key that was refused with 401 is left alone until its source gives another one or is touched, but for one probe after a
/// minute, and after twice as long each time up to an hour: a provider may refuse a good key for a while. That is so for the
/// model that was asked for, since gateways answer 401 where a key may not use one (issue 1460 of BerriAI/litellm). A key that
/// was asked to wait is passed over while it must; where all must, the one that is free first is taken. Sources are read at each call, so
/// a changed file counts at once.
///
/// - Invariant: a key leaves this type only into a request's header; no description, error or log line holds it.
package final class KeyRing: Authorizer {
    /// Milliseconds for which a command's key is taken without asking again.
    private static let memory: Int64 = 600_000
    /// Milliseconds before a refused key is probed for the first time, and the longest pause between two probes.
    private static let probePause: Int64 = 60_000, longestPause: Int64 = 3_600_000

    /// Models with which refusals of a key are remembered; then all are forgotten.
    private static let mostRefusals = 256

    /// A key that a server did not take.
    private struct Refusal {
        let hash: [UInt8]
        /// Milliseconds from which one request may try it again, and the pause behind that one.
        var until: Int64
        var pause: Int64
        /// Whether that request is under way.
        var isProbing = false
        /// The file's state when it was refused.
        let stamp: FileStamp?
    }

    private struct Source {
        let source: KeySource
        /// By the model that was asked for; by "" where none was, as for a list of them.
        var refusals: [String: Refusal] = [:]
        /// Whether a server took it since it was last refused, with whatever model.
        var isGood = false
        /// Milliseconds before which the key is left alone, by the model that was asked for: limits are a model's own.
        var gates = ModelGates<Void>()
        /// What a command printed last, and when.
        var printed: (key: String, at: Int64)?
        /// Whether a command gave no key when it ran last.
        var isFailing = false
        /// The hash and the last characters of the key that was read last.
        var last: (hash: [UInt8], masked: String)?

        /// The refusal that lasts longest.
        var longestRefusal: Refusal? { refusals.values.max { $0.until < $1.until } }
    }

    private var sources: [Source]
    /// Names of variables that a command must not see.
    private var hidden: Set<String> = []
    private let upstream: String
    private let environment: [String: String]
    private let loop: EventLoop
    private let clock: () -> Int64
    private let headers: (String) -> [String]
    private var commands: [Int: (run: KeyCommand?, waiting: [(Result<String, KeyTrouble>) -> Void])] = [:]

    /// `headers` puts a key into header lines; `clock` gives milliseconds that never go back; `upstream` is the name that is
    /// said to people.
    package init(
        _ sources: [KeySource], of upstream: String, environment: [String: String], loop: EventLoop,
        clock: @escaping () -> Int64, headers: @escaping (String) -> [String]
    ) {
        self.upstream = upstream
        self.sources = sources.map { Source(source: $0) }
        self.environment = environment
        self.loop = loop
        self.clock = clock
        self.headers = headers
    }

    package var origin: String { sources.map(\.source.description).joined(separator: ", ") }

    package func authorize(
        for model: String?, retrying: @escaping (UpstreamFailure, Int) -> Void,
        _ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void
    ) {
        if sources.isEmpty { return then(.success(.none)) }
        find(for: model, from: 0, reasons: [], waiting: nil, then)
    }

    private func find(
        for model: String?, from index: Int, reasons: [String], waiting: (found: Authorization, gate: Int64)?,
        _ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void
    ) {
        guard index < sources.count else {
            // All must wait: who asks anyway knows why.
            if let waiting { return then(.success(waiting.found)) }
            let words = "no key: \(reasons.joined(separator: "; "))"
            return then(.failure(UpstreamFailure(.auth, words, isRetryable: false)))
        }
        read(index) { [self] result in
            switch result {
            case .failure(let trouble):
                find(for: model, from: index + 1, reasons: reasons + [trouble.words], waiting: waiting, then)
            case .success(let key):
                let hash = SHA256Digest.of(Array(key.utf8))
                sources[index].last = (hash, KeyRing.masked(key))
                if let words = standing(index, hash, for: model) {
                    return find(
                        for: model, from: index + 1, reasons: reasons + [words], waiting: waiting, then)
                }
                let found = Authorization(headers: headers(key), identity: hash)
                let gate = sources[index].gates.until(for: model)
                if gate > clock() {
                    let isSooner = gate < waiting?.gate ?? .max
                    let first = isSooner ? (found: found, gate: gate) : waiting
                    return find(for: model, from: index + 1, reasons: reasons, waiting: first, then)
                }
                // While this request tries it again, no other does.
                let asked = model ?? ""
                if let pause = sources[index].refusals[asked]?.pause {
                    sources[index].refusals[asked]?.until = clock() + pause
                    sources[index].refusals[asked]?.isProbing = true
                }
                then(.success(found))
            }
        }
    }

    /// Why a key may not be used since it was refused, in one clause; nil when it may.
    ///
    /// What is not that key any more is forgiven.
    private func standing(_ index: Int, _ hash: [UInt8], for model: String?) -> String? {
        guard let refusal = sources[index].refusals[model ?? ""] else { return nil }
        guard refusal.hash == hash, refusal.stamp == stamp(of: sources[index].source) else {
            sources[index].refusals = [:]
            return nil
        }
        let wait = refusal.until - clock()
        if wait <= 0 { return nil }
        return "\(sources[index].source) was refused (HTTP 401) and has not changed since; "
            + "it is tried again in \(Durations.words(Int(wait))), or at once by 'convo upstreams test \(upstream)'"
    }

    /// The state of the file that a key comes from; nil for other sources, and where it cannot be looked at: then reading it
    /// says why.
    private func stamp(of source: KeySource) -> FileStamp? {
        switch source {
        case .file(let path): (try? FileStamp.of(path)) ?? nil
        case .credential(let name):
            environment["CREDENTIALS_DIRECTORY"].flatMap { (try? FileStamp.of("\($0)/\(name)")) ?? nil }
        case .command, .environment: nil
        }
    }

    // MARK: How they fared

    package func forgive() { for index in sources.indices { sources[index].refusals = [:] } }

    package func hide(_ names: Set<String>) { hidden = names }

    package func stop() { for command in commands.values { command.run?.stop() } }

    package func refused(_ authorization: Authorization, for model: String?) -> Bool {
        let name = model ?? ""
        var isCommand = false
        for index in sources.indices where sources[index].last?.hash == authorization.identity {
            let known = sources[index].refusals[name].flatMap { $0.hash == authorization.identity ? $0 : nil }
            // Of those that were sent before the first refusal came, each is no probe that failed.
            if known == nil || known?.isProbing == true {
                sources[index].isGood = false
                let pause = known.map { min(2 * $0.pause, KeyRing.longestPause) } ?? KeyRing.probePause
                if sources[index].refusals.count >= KeyRing.mostRefusals, known == nil {
                    sources[index].refusals = [:]
                }
                sources[index].refusals[name] = Refusal(
                    hash: authorization.identity, until: clock() + pause, pause: pause,
                    stamp: stamp(of: sources[index].source))
            }
            // The command may give another key by now; it is asked once more.
            if case .command = sources[index].source, sources[index].printed != nil {
                sources[index].printed = nil
                isCommand = true
            }
        }
        return isCommand || hasFree(for: model)
    }

    package func throttled(_ authorization: Authorization, milliseconds: Int, for model: String) -> Int {
        let now = clock()
        for index in sources.indices where sources[index].last?.hash == authorization.identity {
            sources[index].gates.close(model, until: now + Int64(milliseconds), (), now: now)
        }
        if hasFree(for: model) { return 0 }
        let gates = sources.filter { $0.refusals[model] == nil }.map { $0.gates.until(for: model) }.filter {
            $0 > now
        }
        return gates.min().map { Int($0 - now) } ?? milliseconds
    }

    package func succeeded(_ authorization: Authorization, for model: String?) {
        let name = model ?? "", now = clock()
        for index in sources.indices where sources[index].last?.hash == authorization.identity {
            if sources[index].refusals.isEmpty { continue }
            sources[index].isGood = true
            // One that is over says nothing more of a key that is taken.
            sources[index].refusals = sources[index].refusals.filter {
                $0.key != name && $0.value.until > now
            }
        }
    }

    /// Whether a source is left that may give a good key for a model; nil for any.
    private func hasFree(for model: String?) -> Bool {
        sources.contains { source in
            if source.gates.until(for: model) > clock() { return false }
            guard let refusal = source.refusals[model ?? ""], refusal.until > clock() else {
                if case .command = source.source { return !source.isFailing }
                if case .success = readNow(source.source) { return true }
                return false
            }
            if case .command = source.source { return false }
            guard case .success(let key) = readNow(source.source) else { return false }
            return SHA256Digest.of(Array(key.utf8)) != refusal.hash
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
            if case .command(let words) = source.source {
                if let trouble = KeyCommand.trouble(words, environment) {
                    return KeyDescription(source: name, masked: nil, state: .missing, reason: trouble.words)
                }
                let state: KeyDescription.State = source.refusals.isEmpty || source.isGood ? .ready : .refused
                return KeyDescription(source: name, masked: masked, state: state, reason: nil)
            }
            switch readNow(source.source) {
            case .failure(let trouble):
                return KeyDescription(source: name, masked: nil, state: .missing, reason: trouble.words)
            case .success(let key):
                masked = KeyRing.masked(key)
                let refusal = source.longestRefusal.flatMap {
                    $0.hash == SHA256Digest.of(Array(key.utf8)) && $0.stamp == stamp(of: source.source)
                        ? $0 : nil
                }
                let isRefused = refusal != nil && !source.isGood
                let isWaiting = source.gates.latest > clock()
                return KeyDescription(
                    source: name, masked: masked, state: isRefused ? .refused : isWaiting ? .waiting : .ready,
                    reason: refusal.map {
                        "HTTP 401; it is tried again in \(Durations.words(Int(max(0, $0.until - clock()))))"
                    })
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
        commands[index, default: (nil, [])].waiting.append(then)
        guard commands[index]?.waiting.count == 1 else { return }
        let command = KeyCommand(words, environment: commandEnvironment, loop: loop)
        commands[index]?.run = command
        command.run { [self] result in
            let result = result.flatMap { checked($0, sources[index].source) }
            let key = try? result.get()  // why there is none goes to who waits
            if let key { sources[index].printed = (key, clock()) }
            sources[index].isFailing = key == nil
            for waiter in commands.removeValue(forKey: index)?.waiting ?? [] { waiter(result) }
        }
    }

    /// What a command sees: nothing that is between the daemon and its service manager, and no key of others.
    private var commandEnvironment: [String: String] {
        environment.filter { !hidden.contains($0.key) && !Process.managerVariables.contains($0.key) }
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

    /// A key is one run of printable ASCII: all else is a slip of whoever copied it, and a line end would be another header.
    private func checked(_ key: String, _ source: KeySource) -> Result<String, KeyTrouble> {
        guard let wrong = key.unicodeScalars.first(where: { !(0x21...0x7E).contains($0.value) }) else {
            return .success(key)
        }
        let code = String(wrong.value, radix: 16, uppercase: true)
        let name = "U+" + String(repeating: "0", count: max(0, 4 - code.count)) + code
        let what =
            ["\n", "\r"].contains(wrong) ? "more than one line" : "a character that no key has (\(name))"
        return .failure(KeyTrouble("\(source) holds \(what); put the key there again, on one line"))
    }
}

/// Files that hold a secret: only their owner may read them.
enum SecretFile {
    /// What it holds, without a byte order mark and without blanks and line ends around it.
    static func line(_ path: String, isGuarded: Bool = false) throws(KeyTrouble) -> String {
        let bytes = try bytes(path, isGuarded: isGuarded)
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let line = String(decoding: bytes.starts(with: mark) ? bytes[3...] : bytes[...], as: UTF8.self)
            .trimmed
        if line.isEmpty { throw KeyTrouble("the key file '\(path)' is empty") }
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
