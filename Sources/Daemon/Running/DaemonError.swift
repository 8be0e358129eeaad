/// Why the daemon does not run; one sentence for standard error.
package struct DaemonError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
