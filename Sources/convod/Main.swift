internal import Daemon
internal import Posix

/// convod: keeps conversations with language models.
///
/// Everything is in `Daemon`.
@main struct Main {
    static func main() {
        Process.exit(Launch.main(Array(CommandLine.arguments.dropFirst())))
    }
}
