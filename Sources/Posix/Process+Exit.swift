internal import CLinux

extension Process {
    /// Ends this process at once with an exit code; no deinit of what is still held runs.
    package static func exit(_ code: Int32) -> Never { CLinux.exit(code) }
}
