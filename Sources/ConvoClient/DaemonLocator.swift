internal import JSON
package import Posix

/// Where the daemon of this user is or would be, by the rules that the daemon itself follows.
///
/// A flag wins over the environment, that over the configuration file, that over the defaults of `Locations`.
package struct DaemonLocator: Sendable {
    /// Paths as the command line gave them.
    package struct Flags: Sendable, Equatable {
        /// What `--config` says.
        package var configuration: String?
        /// What `--socket` says.
        package var socket: String?
        /// What `--database` says.
        package var database: String?

        /// Takes each path as it was given, nil for what was not.
        package init(configuration: String? = nil, socket: String? = nil, database: String? = nil) {
            self.configuration = configuration
            self.socket = socket
            self.database = database
        }
    }

    /// What a daemon that is started now gets on its command line.
    package let flags: Flags
    /// The defaults for this user.
    package let locations: Locations
    /// The configuration file's path, whether or not it exists.
    package let configuration: String
    /// The socket that someone named, nil when the default holds.
    package let namedSocket: String?
    /// The configuration that a flag or the environment names.
    package let namedConfiguration: String?
    /// Whether a flag, the environment or the configuration names the database.
    private let isDatabaseNamed: Bool
    /// The database of the daemon that is meant.
    package let database: String
    /// Where a daemon that is started now will listen.
    package let socket: String
    /// What its user should hear of how `socket` was found, as one sentence; nil where there is nothing.
    package let notice: String?

    /// Works all paths out; `read` gives a configuration file's bytes, `isUsable` and `isForeign` are as in
    /// `Locations.socket`.
    package init(
        flags: Flags, environment: [String: String], locations: Locations, read: (String) -> [UInt8]?,
        isUsable: (String) -> Bool, isForeign: (String) -> Bool
    ) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        self.flags = flags
        self.locations = locations
        namedConfiguration = flags.configuration ?? variable("CONVOD_CONFIG")
        configuration = namedConfiguration ?? locations.configuration
        let file = read(configuration).flatMap { try? JSONDocument(relaxed: $0).root }
        namedSocket = flags.socket ?? variable("CONVOD_SOCKET") ?? file?["socket"]?["path"]?.string
        let named = flags.database ?? variable("CONVOD_DATABASE") ?? file?["database"]?["path"]?.string
        isDatabaseNamed = named != nil
        database = named ?? locations.database
        let socket = namedSocket ?? locations.socket(isUsable: isUsable, isForeign: isForeign)
        self.socket = socket
        notice =
            namedSocket != nil
            ? nil
            : locations.foreignRuntimeDirectory(isForeign: isForeign).map {
                "\($0); '\(socket)' is used in its place"
            }
    }

    /// The locator of this process; relative paths in flags are made absolute, since the daemon runs in `/`.
    package init(
        flags: Flags, environment: [String: String], locations: Locations = .ofThisProcess
    ) {
        let absolute = Flags(
            configuration: flags.configuration.map(Files.absolute), socket: flags.socket.map(Files.absolute),
            database: flags.database.map(Files.absolute))
        self.init(
            flags: absolute, environment: environment, locations: locations,
            read: { try? Files.read($0, limit: 1 << 20) }, isUsable: Locations.isUsable,
            isForeign: Locations.isForeign)
    }

    /// The lock file beside the database; its flock is held for as long as the daemon lives.
    ///
    /// It stands beside the file itself, wherever a symbolic link to that lies.
    package var lock: String { ((try? Files.resolved(database)) ?? database) + ".lock" }

    /// The places that a daemon would use and that nobody named.
    package var unnamedPlaces: [String] {
        (namedSocket == nil ? [socket] : []) + (isDatabaseNamed ? [] : [database])
    }

    /// What a daemon that runs on another database or configuration than is meant here says of itself and what was
    /// meant, nil where they are the same.
    ///
    /// Beside a socket that was named only what was named too is compared, else the default database as well; and
    /// nothing that the daemon does not tell.
    package func difference(
        database running: String?, configuration: String?
    ) -> (running: String, meant: String, flag: String)? {
        if isDatabaseNamed || namedSocket == nil, let running, !running.isEmpty,
            !DaemonLocator.isSame(running, database)
        {
            return (running, database, "--database")
        }
        if let meant = namedConfiguration, let configuration, !DaemonLocator.isSame(configuration, meant) {
            return (configuration, meant, "--config")
        }
        return nil
    }

    /// Whether two paths lead to the same place, through all symbolic links; what is not there is compared by its directory.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        func whole(_ path: String) -> String {
            if let found = try? Files.resolved(path) { return found }
            let path = Files.absolute(path), directory = Files.directory(of: path)
            guard let found = try? Files.resolved(directory) else { return path }
            return found + path.dropFirst(directory == "/" ? 0 : directory.count)
        }
        return whole(one) == whole(other)
    }

    /// The process that has the database open, as the kernel says; nil when none does.
    package var holder: Int32? {
        FileLocks.holder(of: database) ?? FileLocks.holder(of: lock)
    }

    /// That the socket is another's and not to be used, as a sentence; nil where it is not.
    package var forbidden: String? {
        do throws(PosixError) {
            _ = try UnixSocket.connect(to: socket)
            return nil
        } catch {
            guard error.isDenied else { return nil }
            return
                "you may not use '\(socket)': the daemon there is another user's; its administrator lets you in, as with 'adduser NAME convod' for that of the system, and then log in again"
        }
    }

    /// What is wrong where a daemon runs that cannot be reached, as one sentence; nil when none runs.
    package var unreachable: String? { unreachable(orElsewhere: true) }

    /// The same; without `orElsewhere` one that listens at another socket than the named one is none.
    package func unreachable(orElsewhere: Bool) -> String? {
        guard let pid = holder else { return nil }
        let socket = lockOwner()?.socket ?? socket
        if let named = namedSocket, !DaemonLocator.isSame(named, socket) {
            guard orElsewhere else { return nil }
            return "nobody listens at '\(named)'; convod runs as process \(pid) and listens at '\(socket)'"
        }
        guard (try? Files.status(socket)) ?? nil == nil else {
            return "convod runs as process \(pid), and takes no connection at '\(socket)'"
        }
        return
            "convod runs as process \(pid) without its socket '\(socket)': it is still starting, as on a large database of an earlier version, or the socket was removed, and it makes a new one within two seconds where it made that; else 'kill \(pid)' ends it"
    }

    /// Who holds the lock and where it listens, by what the file says; nil when nobody holds it.
    package func lockOwner() -> LockOwner? { isLockFree() ? nil : LockOwner(file: lock) }

    /// Whether nobody holds the lock, found out by holding it for a moment.
    package func isLockFree() -> Bool { !FileLocks.isLocked(lock) }

    /// Connects to the running daemon: at the named socket, else where the lock file says, else at the default.
    package func connect() throws(ClientError) -> Client {
        if namedSocket == nil, let owner = lockOwner(), owner.socket != socket {
            try checkPrivateDirectory(of: owner.socket)
            do { return try Client(connectingTo: owner.socket) } catch {
                if case .untrusted = error.code { throw error }
            }
        }
        try checkPrivateDirectory(of: socket)
        return try Client(connectingTo: socket)
    }

    /// In `/tmp` anyone could have made the directory first and listen there in the daemon's place.
    private func checkPrivateDirectory(of socket: String) throws(ClientError) {
        if let problem = locations.problem(ofSocketDirectory: Files.directory(of: socket)) {
            throw ClientError(.cannotConnect, problem)
        }
    }
}
