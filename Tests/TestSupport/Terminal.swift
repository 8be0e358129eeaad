internal import Glibc
internal import Posix

/// A program at a terminal of its own: what is typed, and what it shows.
package final class Terminal {
    /// It did not show what was waited for.
    package struct Unseen: Error, CustomStringConvertible { package let description: String }

    private let master: Int32
    private var pid: Int32
    /// All that it has shown so far.
    package private(set) var shown = ""

    /// Starts a program with a terminal of 80 columns as its input, output and error.
    package init(_ program: String, _ arguments: [String], environment: [String: String]) throws {
        master = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN of <asm-generic/ioctls.h>: unlock the other end, and tell its number.
        var lock: Int32 = 0, number: UInt32 = 0
        guard master >= 0, unsafe ioctl(master, 0x4004_5431, &lock) == 0,
            unsafe ioctl(master, 0x8004_5430, &number) == 0
        else { throw Unseen(description: "this machine has no terminals to give") }
        let slave = unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        defer { close(slave) }
        pid = try Process.start(
            program, arguments, environment: environment,
            streams: Process.Streams(input: slave, output: slave, error: slave), isDetached: true)
    }

    deinit {
        if pid > 0 {
            try? Process.signal(pid, Signals.kill)
            _ = try? Process.reap(pid)
        }
        close(master)
    }

    /// Types something.
    package func type(_ text: String) throws { try type(bytes: Array(text.utf8)) }

    /// Types bytes that need be no text.
    package func type(bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count { offset += try System.write(master, bytes, from: offset) ?? 0 }
    }

    /// Waits until it has shown a text since the last one that was waited for; returns what it showed up to there.
    @discardableResult package func see(_ text: String, milliseconds: Int = 20_000) throws -> String {
        let deadline = Machine.monotonic() + UInt64(milliseconds) * 1_000_000
        while true {
            if let found = fresh.firstRange(of: text) {
                let before = String(fresh[..<found.upperBound])
                fresh = String(fresh[found.upperBound...])
                return before
            }
            let now = Machine.monotonic()
            guard now < deadline else { throw Unseen(description: "'\(text)' is not in: \(fresh)") }
            guard
                try !System.wait(readable: [master], milliseconds: Int32((deadline - now) / 1_000_000 + 1))
                    .isEmpty
            else { continue }
            var bytes: [UInt8] = []
            // A terminal without a program at its other end gives EIO.
            guard let count = try? System.read(master, into: &bytes, most: 65_536), count > 0 else {
                throw Unseen(description: "it ended; '\(text)' is not in: \(fresh)")
            }
            let more = String(decoding: bytes, as: UTF8.self)
            shown += more
            fresh += more
        }
    }
    private var fresh = ""

    /// Sends the program a signal.
    package func signal(_ number: Int32) throws { try Process.signal(pid, number) }

    /// Waits for the program's end; returns its exit code.
    package func end() throws -> Int32 {
        defer { pid = 0 }
        guard case .exited(let code)? = try Process.reap(pid) else { return -1 }
        return code
    }
}
