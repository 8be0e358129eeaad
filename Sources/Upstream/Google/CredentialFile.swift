internal import JSON
internal import Posix

/// A credential file of Google's as JSON, with the sentences for what is wrong with it.
struct CredentialFile {
    /// The types that can be used (wire.md B6 lists all).
    enum Kind: String { case serviceAccount = "service_account", authorizedUser = "authorized_user" }

    let path: String
    private let root: JSONView

    init(_ bytes: [UInt8], path: String) throws(UpstreamFailure) {
        self.path = path
        do throws(JSONError) { root = try JSONDocument(bytes).root } catch {
            // Only the place is told: the reason may quote what stands there.
            let (line, column) = error.position(in: bytes)
            throw CredentialFile.failure(path, "is not JSON (line \(line), column \(column))")
        }
        guard root.kind == .object else { throw CredentialFile.failure(path, "holds no JSON object") }
    }

    /// The file's `type`; throws for one that cannot be used.
    func kind() throws(UpstreamFailure) -> Kind {
        guard let name = root["type"]?.string else {
            let isClient = root["installed"] != nil || root["web"] != nil
            throw failure(
                isClient
                    ? "describes an OAuth client, not a credential; "
                        + "log in with 'gcloud auth application-default login --client-id-file'"
                    : "lacks 'type'")
        }
        if let kind = Kind(rawValue: name) { return kind }
        let known = [
            "external_account": " (workload identity)",
            "external_account_authorized_user": " (workforce identity)",
            "gdch_service_account": " (Google Distributed Cloud)",
            "impersonated_service_account": " (impersonation)",
        ]
        let shown = known[name].map { "'\(name)'\($0)" } ?? "'\(ServerWords.safe(String(name.prefix(40))))'"
        throw failure(
            "is of the type \(shown), which is not supported; "
                + "use one of the types 'service_account' and 'authorized_user'")
    }

    /// Throws unless the file is of this type.
    func demand(_ wanted: Kind) throws(UpstreamFailure) {
        let kind = try kind()
        guard kind == wanted else {
            throw failure("is of the type '\(kind.rawValue)', not '\(wanted.rawValue)'")
        }
    }

    /// The values of members that must be there, as strings that are not empty.
    func required(_ names: [String]) throws(UpstreamFailure) -> [String] {
        let values = names.map { optional($0) }
        let missing = zip(names, values).filter { $0.1 == nil }.map { "'\($0.0)'" }
        guard missing.isEmpty else { throw failure("lacks \(missing.joined(separator: ", "))") }
        return values.compactMap(\.self)
    }

    /// The value of a member, nil when it is absent, empty or no string.
    func optional(_ name: String) -> String? {
        guard let value = root[name]?.string, !value.isEmpty else { return nil }
        return value
    }

    /// Where the raw value of a member stands in the file's bytes.
    func place(of name: String) -> Range<Int>? {
        root[name].map { $0.offset..<($0.offset + $0.raw.count) }
    }

    func failure(_ words: String) -> UpstreamFailure { CredentialFile.failure(path, words) }

    /// A failure that only a change of the file or of the configuration ends.
    static func failure(_ path: String, _ words: String) -> UpstreamFailure {
        UpstreamFailure(.auth, "the credential file '\(path)' \(words)", isRetryable: false)
    }

    /// The state of the file that the path leads to; throws when it is not there or others may read it.
    static func stamp(_ path: String) throws(UpstreamFailure) -> FileStamp {
        let stamp: FileStamp?
        do throws(PosixError) { stamp = try FileStamp.of(path) } catch {
            throw failure(path, "cannot be read: \(error.reason)")
        }
        guard let stamp else { throw failure(path, "is not there") }
        guard !stamp.isRegular || stamp.mode & 0o077 == 0 else {
            let mode = String(stamp.mode, radix: 8)
            throw failure(path, "can be read by others (mode \(mode)); run 'chmod 600' on it")
        }
        return stamp
    }

    /// The bytes of a credential file.
    static func read(_ path: String) throws(UpstreamFailure) -> [UInt8] {
        do throws(PosixError) { return try Files.read(path, limit: 1 << 20) } catch {
            throw failure(path, "cannot be read: \(error.reason)")
        }
    }
}
