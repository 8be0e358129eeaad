/// Where a user's files of convod lie, worked out from the environment alone (design sections 8 and 10).
///
/// A flag wins over the environment, that over the configuration file, that over the defaults below.
package struct Locations: Sendable, Equatable {
    private let environment: [String: String]
    private let uid: UInt32
    private let userHome: String?

    /// `home` is the home directory of the password file, for an environment without `HOME`.
    package init(environment: [String: String], uid: UInt32, home: String?) {
        self.environment = environment
        self.uid = uid
        userHome = home
    }

    /// Those of this process.
    package static var ofThisProcess: Locations {
        Locations(
            environment: Process.environment, uid: Process.userID, home: Process.home(of: Process.userID))
    }

    /// `$HOME`, else the one of the password file, else `/`.
    package var home: String { absolute("HOME") ?? userHome ?? "/" }

    private var configurationHome: String { absolute("XDG_CONFIG_HOME") ?? home + "/.config" }
    private var stateHome: String { absolute("XDG_STATE_HOME") ?? home + "/.local/state" }

    /// `$XDG_CONFIG_HOME/convod/config.json5`; under systemd in `$CONFIGURATION_DIRECTORY`.
    package var configuration: String {
        if let directory = absolute("CONFIGURATION_DIRECTORY") { return directory + "/config.json5" }
        return configurationHome + "/convod/config.json5"
    }

    /// `$XDG_DATA_HOME/convod/convod.db`; under systemd in `$STATE_DIRECTORY`.
    package var database: String {
        if let directory = absolute("STATE_DIRECTORY") { return directory + "/convod.db" }
        return (absolute("XDG_DATA_HOME") ?? home + "/.local/share") + "/convod/convod.db"
    }

    /// `$XDG_STATE_HOME/convod/convod.log`.
    package var log: String { stateHome + "/convod/convod.log" }

    /// `$XDG_STATE_HOME/convod/prompts`: what was typed in chats.
    package var promptHistory: String {
        stateHome + "/convod/prompts"
    }

    /// `$XDG_STATE_HOME/convod/sessions`: which sessions convo used last.
    package var usedSessions: String { stateHome + "/convod/sessions" }

    /// `$XDG_CONFIG_HOME/convod/templates`.
    package var templates: String {
        configurationHome + "/convod/templates"
    }

    /// `$XDG_CONFIG_HOME/systemd/user`: the user's own units (systemd.unit(5)).
    package var userUnits: String { configurationHome + "/systemd/user" }

    /// `$XDG_CONFIG_HOME/convod/aliases`: short names for models.
    package var aliases: String { configurationHome + "/convod/aliases" }

    /// `convod/convod.sock` under the first of `$XDG_RUNTIME_DIR`, `/run/user/UID` and a private directory in `/tmp`.
    ///
    /// `isUsable` tells whether a directory is there and belongs to the user; editors start agents without
    /// `XDG_RUNTIME_DIR`, so the second place must be looked at too. `isForeign` tells whether it is another user's.
    package func socket(
        isUsable: (String) -> Bool, isForeign: (String) -> Bool = { _ in false }
    ) -> String {
        if let directory = absolute("RUNTIME_DIRECTORY") { return directory + "/convod.sock" }
        if let directory = absolute("XDG_RUNTIME_DIR"), !isForeign(directory) {
            return directory + "/convod/convod.sock"
        }
        let run = "/run/user/\(uid)"
        if isUsable(run) { return run + "/convod/convod.sock" }
        return "\(privateDirectory)/convod.sock"
    }

    /// The last resort for the socket; it must belong to the user and be 0700.
    package var privateDirectory: String { "/tmp/convod-\(uid)" }

    /// Whether a directory is there and belongs to this process's user.
    package static func isUsable(_ directory: String) -> Bool {
        guard let status = try? Files.status(directory) else { return false }
        return status.kind == .directory && status.owner == Process.userID
    }

    /// Whether a directory belongs to another user than this process's, as one does that `su` leaves in the environment.
    ///
    /// To root none is foreign: `ForeignHome` refuses what root would do there, by name.
    package static func isForeign(_ directory: String) -> Bool {
        // One that cannot be looked at is tried, and says itself why it does not do.
        guard Process.userID != 0, let status = try? Files.status(directory, follows: true) else {
            return false
        }
        return status.owner != Process.userID
    }

    /// What is said where `XDG_RUNTIME_DIR` is passed over, as one sentence; nil where it is not.
    package func foreignRuntimeDirectory(isForeign: (String) -> Bool) -> String? {
        guard absolute("RUNTIME_DIRECTORY") == nil, let directory = absolute("XDG_RUNTIME_DIR"),
            isForeign(directory)
        else { return nil }
        return "XDG_RUNTIME_DIR is '\(directory)', which belongs to another user"
    }

    /// Makes the directory a socket will lie in, and refuses one of another user or open to others in `/tmp`.
    ///
    /// Whoever may use a socket of this mode may go through it; only its owner may see what is in it.
    package func prepareDirectory(ofSocket path: String, mode: UInt32) throws(PosixError) {
        let directory = Files.directory(of: path)
        let passing = directory == privateDirectory ? 0 : Locations.passing(mode)
        try Files.makeDirectories(directory, mode: 0o700 | passing)
        guard problem(listeningIn: directory) == nil else {
            throw PosixError("use", directory, errno: PosixError.notOwn)
        }
    }

    /// What lets through a directory who may use a socket of a mode.
    private static func passing(_ mode: UInt32) -> UInt32 {
        (mode & 0o060 != 0 ? 0o010 : 0) | (mode & 0o006 != 0 ? 0o001 : 0)
    }

    /// The directory of a socket that others may use and may not go through to; nil where they may.
    package func closedDirectory(ofSocket path: String, mode: UInt32) -> String? {
        let directory = Files.directory(of: path)
        let passing = Locations.passing(mode)
        // One that cannot be looked at cannot be used either, and that is said then.
        guard let status = try? Files.status(directory, follows: true) else { return nil }
        return status.mode & passing == passing ? nil : directory
    }

    /// Why a daemon must not listen in a directory: somebody else could put another socket in place of its own; nil where
    /// nobody can, and where none is there.
    package func problem(listeningIn directory: String) -> String? {
        if let problem = problem(ofSocketDirectory: directory) { return problem }
        // One that cannot be looked at cannot be used either, and that is said then.
        guard let status = try? Files.status(directory, follows: true), status.kind == .directory else {
            return nil
        }
        let advice = "give the socket a directory of your own, or let the service manager open it"
        if status.owner != uid, status.owner != 0 {
            let owner = Process.userName(status.owner).map { "'\($0)'" } ?? "\(status.owner)"
            return
                "'\(directory)' belongs to user \(owner), who could put another socket in its place; \(advice)"
        }
        // Where the sticky bit is set, as in /tmp, nobody can take away what belongs to others.
        if status.mode & 0o002 != 0, status.mode & 0o1000 == 0 {
            return
                "everybody may write into '\(directory)' (mode \(String(status.mode, radix: 8))), and put another socket in its place; \(advice)"
        }
        return nil
    }

    /// What is wrong with what is at the place of the private directory, as one sentence with its owner and mode: in
    /// `/tmp` anyone could have made it first; nil for any other directory, and where none is there.
    package func problem(ofSocketDirectory directory: String) -> String? {
        // One that cannot be looked at cannot be used either, and that is said then.
        guard directory == privateDirectory, let status = try? Files.status(directory) else { return nil }
        if status.kind == .directory, status.owner == uid, status.mode & 0o077 == 0 { return nil }
        let kind =
            switch status.kind {
            case .directory: "a directory"
            case .symlink: "a link"
            case .regular, .socket, .other: "no directory"
            }
        let owner = Process.userName(status.owner).map { "user '\($0)'" } ?? "user \(status.owner)"
        return
            "'\(directory)' is \(kind) of \(owner) with mode \(String(status.mode, radix: 8)), not a directory of yours with mode 700; remove it or give --socket"
    }

    /// A variable that holds an absolute path; relative ones are ignored, as the XDG specification says.
    private func absolute(_ name: String) -> String? {
        guard let value = environment[name], value.hasPrefix("/") else { return nil }
        return value.count > 1 && value.hasSuffix("/") ? String(value.dropLast()) : value
    }
}
