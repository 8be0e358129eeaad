extension UpstreamKind {
    /// The built-in upstream that answers offline.
    package static let echo: UpstreamKind = {
        var kind = UpstreamKind("echo", .local { EchoUpstream($0, loop: $1) })
        // Milliseconds between the chunks of an answer.
        kind.options = [Option("delay", .milliseconds(0))]
        return kind
    }()
}
