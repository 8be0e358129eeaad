internal import Posix

/// What the machine knows of terminals (terminfo(5)).
package enum TerminalEntries {
    /// Those that nearly all others understand.
    private static let common = ["xterm-256color", "xterm", "vt100"]

    /// How a line is edited on a terminal.
    package enum Choice: Sendable, Equatable {
        /// By its own entry.
        case own
        /// By that of another, since it has none here.
        case other(String)
        /// Not at all.
        case none
    }

    /// What is read of the terminal that `TERM` names; ssh brings names along of which a machine may not know.
    package static func choice(_ environment: [String: String]) -> Choice {
        let name = environment["TERM"] ?? ""
        if name.isEmpty || name == "dumb" { return .none }
        let places = places(environment)
        if has(name, places) { return .own }
        return common.first { has($0, places) }.map { .other($0) } ?? .none
    }

    private static func places(_ environment: [String: String]) -> [String] {
        var places: [String] = []
        if let own = environment["TERMINFO"] { places.append(own) }
        if let home = environment["HOME"] { places.append(home + "/.terminfo") }
        places += (environment["TERMINFO_DIRS"] ?? "").split(separator: ":").map(String.init)
        return places + ["/etc/terminfo", "/lib/terminfo", "/usr/lib/terminfo", "/usr/share/terminfo"]
    }

    private static func has(_ name: String, _ places: [String]) -> Bool {
        guard let first = name.first, !name.contains("/") else { return false }
        // A place that cannot be looked at has nothing for us.
        return places.contains {
            ((try? Files.status("\($0)/\(first)/\(name)", follows: true)) ?? nil) != nil
        }
    }
}
