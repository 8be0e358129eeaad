internal import Posix

/// What systemd and the daemon tell each other (sd_listen_fds(3), sd_notify(3)), without its library.
struct ServiceManager {
    private let notifySocket: String?
    /// Half of the time after which systemd kills a daemon that says nothing, in milliseconds.
    let watchdogInterval: Int?

    init(environment: [String: String], pid: Int32) {
        notifySocket = environment["NOTIFY_SOCKET"]
        let isMine = environment["WATCHDOG_PID"].map { Int32($0) == pid } ?? true
        watchdogInterval =
            isMine
            // None is wanted by what is no time (sd_watchdog_enabled(3)).
            ? environment["WATCHDOG_USEC"].flatMap { Int($0) }.flatMap { time in
                time > 0 ? min(max(1, time / 2000), 86_400_000) : nil
            }
            : nil
    }

    /// Sends a state; without a service manager nothing happens.
    ///
    /// Returns whether it must be sent again: the manager has not read what it was told before.
    @discardableResult func notify(_ state: String) -> Bool {
        guard let notifySocket else { return false }
        do throws(PosixError) { try UnixSocket.notify(state, to: notifySocket) } catch {
            return error.isAgain
        }
        return false
    }

    /// The sockets handed over at the start; the variables are taken out so that no child sees them.
    static func activatedSockets(environment: [String: String], pid: Int32) throws(DaemonError) -> [Int32] {
        defer {
            for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] { Process.unsetEnvironment(name) }
        }
        guard environment["LISTEN_PID"].flatMap({ Int32($0) }) == pid, let said = environment["LISTEN_FDS"],
            said != "0"
        else { return [] }
        guard let count = Int32(said), (1...64).contains(count) else {
            throw DaemonError("LISTEN_FDS is '\(said.prefix(20))'; one socket is expected, which is 1")
        }
        return (3..<(3 + count)).map { $0 }
    }
}
