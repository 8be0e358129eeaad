internal import Posix

/// A credential that was found and can be used.
enum GoogleCredential {
    case serviceAccount(ServiceAccountKey)
    case authorizedUser(AuthorizedUser)
    /// `isCertain` is false when nothing but the lack of anything else leads there.
    case metadataServer(host: String, isCertain: Bool)
}

/// Finds the credential that the settings mean, and notices when its file changes.
struct GoogleCredentialSource {
    private let settings: GoogleSettings
    private let environment: [String: String]
    private let home: String
    private var place: ApplicationDefault.Place?
    private var stamp: FileStamp?
    private var loaded: GoogleCredential?

    init(_ settings: GoogleSettings, environment: [String: String]) {
        self.settings = settings
        self.environment = environment
        let user = Process.userID
        home = Locations(environment: environment, uid: user, home: Process.home(of: user)).home
    }

    /// The credential, and whether it is another one than at the last call.
    ///
    /// Costs a system call or two as long as nothing changed.
    mutating func load() throws(UpstreamFailure) -> (credential: GoogleCredential, isNew: Bool) {
        let place = try locate()
        switch place {
        case .metadataServer:
            if self.place == place, let loaded { return (loaded, false) }
            let credential = GoogleCredential.metadataServer(host: host, isCertain: isOnGoogle)
            (self.place, stamp, loaded) = (place, nil, credential)
            return (credential, true)
        case .file(let path):
            let stamp = try CredentialFile.stamp(path)
            if self.place == place, self.stamp == stamp, let loaded { return (loaded, false) }
            let credential = try read(path)
            (self.place, self.stamp, loaded) = (place, stamp, credential)
            return (credential, true)
        }
    }

    /// Whether a credential is there, as far as that can be told without asking anyone.
    var isAtHand: Bool {
        var copy = self
        guard let (credential, _) = try? copy.load() else { return false }
        if case .metadataServer(_, let isCertain) = credential { return isCertain }
        return true
    }

    /// Where the credential comes from, for people.
    var origin: String {
        let place: ApplicationDefault.Place
        do { place = try locate() } catch { return error.message }
        let words =
            switch place {
            case .file(let path): "the file '\(path)'"
            case .metadataServer: "the metadata server at '\(host)'"
            }
        return switch settings.source {
        case .applicationDefault: "Google's application default credentials: \(words)"
        case .serviceAccount: "the Google service account in \(words)"
        case .authorizedUser: "the Google login in \(words)"
        case .metadataServer: words
        }
    }

    /// The project that a request names as the one whose quota pays.
    func quotaProject(_ credential: GoogleCredential) -> String? {
        if let project = settings.quotaProject { return project }
        if let project = ApplicationDefault.value("GOOGLE_CLOUD_QUOTA_PROJECT", environment) {
            return project
        }
        if case .authorizedUser(let user) = credential { return user.quotaProject }
        return nil
    }

    /// Puts another refresh token into a login's file; a file that somebody else changed meanwhile stays as it is.
    ///
    /// The file is then as sure as before: written whole beside it, 0600, synced, renamed.
    mutating func save(_ token: String, inPlaceOf used: String, path: String) throws(PosixError) {
        let file = try Files.resolved(path)
        let bytes = try Files.read(file, limit: 1 << 20)
        guard let changed = AuthorizedUser.replacing(used, by: token, in: bytes, path: path) else { return }
        try Files.replace(file, with: changed)
        _ = try? load()  // our own change is no other credential
    }

    private func locate() throws(UpstreamFailure) -> ApplicationDefault.Place {
        switch settings.source {
        case .serviceAccount(let path), .authorizedUser(let path): return .file(path)
        case .metadataServer: return .metadataServer
        case .applicationDefault:
            return try ApplicationDefault.search(environment, home: home) { path in
                // What cannot be looked at counts as there, so that reading it tells why.
                do throws(PosixError) { return try FileStamp.of(path) != nil } catch { return true }
            }
        }
    }

    private func read(_ path: String) throws(UpstreamFailure) -> GoogleCredential {
        let bytes = try CredentialFile.read(path)
        let kind: CredentialFile.Kind =
            switch settings.source {
            case .serviceAccount: .serviceAccount
            case .authorizedUser: .authorizedUser
            case .metadataServer, .applicationDefault: try CredentialFile(bytes, path: path).kind()
            }
        return switch kind {
        case .serviceAccount: .serviceAccount(try ServiceAccountKey(bytes, path: path))
        case .authorizedUser: .authorizedUser(try AuthorizedUser(bytes, path: path))
        }
    }

    private var host: String { ApplicationDefault.metadataHost(environment) }

    private var isOnGoogle: Bool {
        if settings.source == .metadataServer { return true }
        let product = try? Files.read("/sys/class/dmi/id/product_name", limit: 4096)
        return ApplicationDefault.isOnGoogle(
            environment, productName: product.map { String(decoding: $0, as: UTF8.self) })
    }
}
