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

    /// Says the errno in words, without the call.
    package var reason: String { PosixError.words(errno) }

    /// The system's words for an errno.
    package static func words(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0).lowercasedFirst } ?? "error \(code)"
    }

    package var isNotFound: Bool { errno == ENOENT }
    package var isAgain: Bool { errno == EAGAIN }
    package var isConnectionRefused: Bool { errno == ECONNREFUSED }
    package var isExists: Bool { errno == EEXIST }
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
