internal import CLinux

/// An open file descriptor that closes itself.
package struct Descriptor: ~Copyable, Sendable {
    /// The number, for calls that borrow it.
    package let raw: Int32

    /// Takes over an open descriptor; a negative number is a bug of the caller.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "a descriptor is never negative")
        self.raw = raw
    }

    deinit { _ = CLinux.close(raw) }

    /// Gives the number away; the caller closes it.
    package consuming func release() -> Int32 {
        let number = raw
        discard self
        return number
    }

    /// Makes reads and writes return `EAGAIN` rather than wait.
    package func setNonBlocking() throws(PosixError) {
        let flags = clinux_fcntl(raw, F_GETFL, 0)
        guard flags >= 0, clinux_fcntl(raw, F_SETFL, flags | O_NONBLOCK) == 0 else { throw .last("fcntl") }
    }

    /// Puts the same file at another number, as one of the standard streams'.
    package func replace(_ number: Int32) { _ = dup2(raw, number) }

    /// Keeps the descriptor out of programs that this one starts.
    package func setCloseOnExec() throws(PosixError) {
        guard clinux_fcntl(raw, F_SETFD, FD_CLOEXEC) == 0 else { throw .last("fcntl") }
    }
}

/// System calls on descriptor numbers; the one place where EINTR is retried.
package enum System {
    /// Reads what is there into `buffer`; 0 is the end, nil means that nothing is there yet.
    package static func read(_ fd: Int32, into buffer: inout [UInt8], most: Int) throws(PosixError) -> Int? {
        let old = buffer.count
        var failure: PosixError?
        var got = 0
        buffer.append(addingCapacity: most) { span in
            repeat {
                got = unsafe span.withUnsafeMutableBufferPointer { pointer, count in
                    let n = unsafe CLinux.read(fd, pointer.baseAddress, most)
                    count = max(0, n)
                    return n
                }
            } while got < 0 && errno == EINTR
            if got < 0 && errno != EAGAIN { failure = .last("read") }
        }
        if let failure { throw failure }
        assert(buffer.count == old + max(0, got))
        return got < 0 ? nil : got
    }

    /// Writes as much of `bytes` from `offset` on as goes; nil means that the other end takes nothing now.
    package static func write(_ fd: Int32, _ bytes: [UInt8], from offset: Int = 0) throws(PosixError) -> Int?
    {
        var wrote = 0
        repeat {
            wrote = unsafe bytes.withUnsafeBytes { buffer in
                unsafe CLinux.write(fd, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
            }
        } while wrote < 0 && errno == EINTR
        if wrote >= 0 { return wrote }
        if errno == EAGAIN { return nil }
        throw .last("write")
    }

    /// Sends on a socket without raising SIGPIPE.
    package static func send(_ fd: Int32, _ bytes: [UInt8], from offset: Int = 0) throws(PosixError) -> Int? {
        var sent = 0
        repeat {
            sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe CLinux.send(
                    fd, buffer.baseAddress?.advanced(by: offset), buffer.count - offset, Int32(MSG_NOSIGNAL))
            }
        } while sent < 0 && errno == EINTR
        if sent >= 0 { return sent }
        if errno == EAGAIN { return nil }
        throw .last("send")
    }

    /// Whether a short write would not wait.
    package static func isWritable(_ fd: Int32) throws(PosixError) -> Bool {
        var poll = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        guard unsafe CLinux.poll(&poll, 1, 0) >= 0 else { throw .last("poll") }
        return poll.revents & Int16(POLLOUT) != 0
    }

    /// Waits until one of the descriptors can be read; returns those that can, none on timeout or a signal.
    package static func wait(readable fds: [Int32], broken: [Int32] = [], milliseconds: Int32)
        throws(PosixError) -> [Int32]
    {
        var polls =
            fds.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            + broken.map { pollfd(fd: $0, events: 0, revents: 0) }
        let n = unsafe polls.withUnsafeMutableBufferPointer {
            unsafe poll($0.baseAddress, nfds_t($0.count), milliseconds)
        }
        if n < 0 {
            guard errno == EINTR else { throw .last("poll") }
            return []
        }
        return polls.filter { $0.revents != 0 }.map(\.fd)
    }
}
