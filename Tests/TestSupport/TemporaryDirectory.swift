package import Posix

/// A directory of one test, 0700, removed with all that lies in it when the last reference goes.
///
/// Keep it in a property of the suite, or use `with`, so that it outlives the paths taken from it.
package final class TemporaryDirectory: Sendable {
    /// Its absolute path, without a slash at the end and short enough for a socket's.
    package let path: String

    /// Makes an empty directory under `$TMPDIR`, or under `/tmp` when that is not set or too long for a socket's path.
    package init() throws(PosixError) {
        let wanted = Process.environment["TMPDIR"] ?? ""
        let base = wanted.hasPrefix("/") && wanted.utf8.count <= 40 ? wanted : "/tmp"
        let digits = Machine.random(6).map { String(Int($0) + 0x100, radix: 16).dropFirst() }.joined()
        path = (base == "/" ? "" : base) + "/convod-test-" + digits
        try Files.makeDirectories(path)
    }

    /// Runs `body` with a directory that is removed afterwards.
    package static func with<Result>(_ body: (TemporaryDirectory) throws -> Result) throws -> Result {
        let directory = try TemporaryDirectory()
        return try withExtendedLifetime(directory) { try body(directory) }
    }

    deinit {
        guard let pid = try? Process.start("/bin/rm", ["-rf", "--", path], environment: [:]) else { return }
        _ = try? Process.reap(pid)
    }

    /// The path of a thing inside.
    package func file(_ name: String) -> String { path + "/" + name }
}
