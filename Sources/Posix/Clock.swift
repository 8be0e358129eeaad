internal import CLinux

/// The machine's clocks and its randomness.
package enum Machine {
    /// Wall clock, milliseconds since 1970 UTC.
    ///
    /// Goes back when someone sets the clock.
    package static func milliseconds() -> Int64 { Int64(nanoseconds(CLOCK_REALTIME) / 1_000_000) }

    /// Monotonic clock in nanoseconds, for timers and durations.
    package static func monotonic() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Milliseconds since the machine was started, those that it slept included.
    package static func sinceStart() -> Int64 { Int64(nanoseconds(CLOCK_BOOTTIME) / 1_000_000) }

    /// Random bytes from the kernel.
    package static func random(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = unsafe bytes.withUnsafeMutableBytes { unsafe getrandom($0.baseAddress, $0.count, 0) }
        precondition(got == count, "getrandom gives up to 256 bytes whole")
        return bytes
    }
}

/// Signals of the process.
package enum Signals {
    /// SIGINT, as of Ctrl-C.
    package static let interrupt: Int32 = 2
    /// SIGKILL, which no process can catch.
    package static let kill: Int32 = 9
    /// SIGTERM, as systemd sends it to stop a service.
    package static let terminate: Int32 = 15
    /// SIGHUP, the usual call to read a configuration anew.
    package static let hangup: Int32 = 1

    /// Blocks signals in this thread and those it starts, and returns a descriptor that reads them.
    package static func descriptor(for numbers: [Int32]) throws(PosixError) -> Descriptor {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        let fd = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard fd >= 0 else { throw .last("signalfd") }
        return Descriptor(owning: fd)
    }

    /// The next signal waiting on such a descriptor.
    package static func next(_ fd: Int32) -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        let n = unsafe CLinux.read(fd, &info, size)
        return n == size ? Int32(info.ssi_signo) : nil
    }

    /// Lets a write to a closed pipe fail with EPIPE rather than kill the process.
    package static func ignoreBrokenPipes() { clinux_sigpipe(1) }

    /// Lets a write beyond the limit of a file's size fail with EFBIG rather than kill the process.
    package static func ignoreFileLimits() { clinux_ignore_file_limits() }

    /// Gives SIGPIPE its ordinary meaning back, so that `convo … | head` ends quietly.
    package static func restoreBrokenPipes() { clinux_sigpipe(0) }
}
