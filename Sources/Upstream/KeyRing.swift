internal import Posix

/// Finds an upstream's key when a call needs it.
///
/// - Invariant: a key leaves this type only into a request's header; no description, error or log line holds it.
package struct KeyRing: Sendable {
    private let sources: [KeySource]
    private let environment: [String: String]

    package init(_ sources: [KeySource], environment: [String: String]) {
        self.sources = sources
        self.environment = environment
    }

    /// Whether any source is configured.
    package var isConfigured: Bool { !sources.isEmpty }

    /// The first key that a source gives; nil when no source is configured.
    ///
    /// Throws when sources are there and none gives one.
    package func key() throws(UpstreamFailure) -> String? {
        if sources.isEmpty { return nil }
        var reasons: [String] = []
        for source in sources {
            switch read(source) {
            case .success(let key): return key
            case .failure(let reason): reasons.append(reason.words)
            }
        }
        throw UpstreamFailure(.auth, "no key: \(reasons.joined(separator: "; "))", isRetryable: false)
    }

    private struct Missing: Error { let words: String }

    private func read(_ source: KeySource) -> Result<String, Missing> {
        switch source {
        case .environment(let name):
            guard let value = environment[name], !value.isEmpty else {
                return .failure(
                    Missing(words: "the variable '\(name)' is not set in the daemon's environment"))
            }
            return .success(value)
        case .file(let path): return read(file: path)
        case .credential(let name):
            guard let directory = environment["CREDENTIALS_DIRECTORY"] else {
                return .failure(Missing(words: "the credential '\(name)' needs LoadCredential= in the unit"))
            }
            return read(file: "\(directory)/\(name)")
        }
    }

    private func read(file path: String) -> Result<String, Missing> {
        do throws(PosixError) {
            guard let status = try Files.status(path) else {
                return .failure(Missing(words: "the key file '\(path)' is not there"))
            }
            guard status.kind != .regular || status.mode & 0o077 == 0 else {
                let mode = String(status.mode, radix: 8)
                return .failure(
                    Missing(
                        words:
                            "the key file '\(path)' can be read by others (mode \(mode)); run 'chmod 600' on it"
                    ))
            }
            let bytes = try Files.read(path, limit: 65_536)
            let text = String(decoding: bytes, as: UTF8.self)
            let key = text.split { $0.isWhitespace }.first.map(String.init) ?? ""
            return key.isEmpty ? .failure(Missing(words: "the key file '\(path)' is empty")) : .success(key)
        } catch {
            return .failure(Missing(words: "the key file '\(path)' cannot be read: \(error.reason)"))
        }
    }
}
