internal import CLinux

/// A system call that failed: which one, on what, with which errno.
package struct PosixError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The C function that failed, as in `"bind"`.
    package let call: StaticString
    /// The path or address it was about, empty when there is none.
    package let subject: String
    /// The errno it left.
    package let errno: Int32

    /// Names the call, what it was about and the errno it left.
    package init(_ call: StaticString, _ subject: String = "", errno: Int32) {
        self.call = call
        self.subject = subject
        self.errno = errno
    }

    /// Takes errno as it stands now; call it right after the failed call.
    package static func last(_ call: StaticString, _ subject: String = "") -> PosixError {
        PosixError(call, subject, errno: clinux_errno())
    }

    package static func == (a: PosixError, b: PosixError) -> Bool {
        a.errno == b.errno && a.subject == b.subject && a.call.description == b.call.description
    }

    package var description: String {
        subject.isEmpty ? "\(call): \(reason)" : "\(call) '\(subject)': \(reason)"
    }

    /// Nobody reads what is written.
    package static let brokenPipe = EPIPE
    /// A file is larger than it may be.
    package static let tooBig = EFBIG

    /// An errno of our own: what is there is no regular file.
    package static let notRegular: Int32 = -1
    /// An errno of our own: the file belongs to another user, or has other names besides.
    package static let notOwn: Int32 = -2

    /// An errno of our own: the descriptor is no Unix stream socket that listens.
    package static let notListening: Int32 = -3

    /// Says the errno in words, without the call.
    package var reason: String {
        switch errno {
        case PosixError.notRegular: "there is something at this path that is no regular file"
        case PosixError.notOwn: "the file there is a link, or belongs to another user; remove it"
        case PosixError.notListening: "it is no Unix stream socket that listens; give ListenStream= a path"
        default: PosixError.words(errno)
        }
    }

    /// The system's words for an errno.
    package static func words(_ code: Int32) -> String {
        let words = unsafe String(cString: clinux_error_words(code))
        return words.isEmpty ? "error \(code)" : words.lowercasedFirst
    }

    /// What kept a file from being written.
    package enum Meaning: Sendable { case noRoom, noWriting, other }

    /// What an errno says of a file that could not be written: no room, a file system that takes no writing, or a fault.
    package static func meaning(of code: Int32) -> Meaning {
        switch code {
        case ENOSPC, EDQUOT, EFBIG: .noRoom
        case EROFS, EACCES, EPERM: .noWriting
        default: .other
        }
    }

    /// ENOENT: nothing is at the path.
    package var isNotFound: Bool { errno == ENOENT }
    /// EAGAIN: it would have to wait, or a lock is held by another.
    package var isAgain: Bool { errno == EAGAIN }
    /// EACCES: this user may not.
    package var isDenied: Bool { errno == EACCES }
    /// ECONNREFUSED: nobody listens at the socket.
    package var isConnectionRefused: Bool { errno == ECONNREFUSED }
}

extension String {
    /// The string with its first ASCII letter in lower case.
    fileprivate var lowercasedFirst: String {
        guard let first else { return self }
        return first.lowercased() + dropFirst()
    }
}

/// The calling thread's errno.
internal var errno: Int32 { clinux_errno() }
