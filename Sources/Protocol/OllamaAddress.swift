/// Where an Ollama answers, by what `OLLAMA_HOST` says (wire.md C6): an address with or without a scheme and a port, which may
/// be the one on which it listens everywhere.
package struct OllamaAddress: Sendable {
    /// As in "http://127.0.0.1:11434", without a path.
    package let text: String

    /// An empty one means this machine.
    package init(_ host: String) {
        var host = host.isEmpty ? "127.0.0.1" : host
        if !host.contains("://") { host = "http://" + host }
        while host.hasSuffix("/") { host.removeLast() }
        let address = host.drop { $0 != ":" }.dropFirst(3)
        host = address.contains(":") ? host : host + ":11434"
        text = host.split(separator: "0.0.0.0", omittingEmptySubsequences: false).joined(
            separator: "127.0.0.1")
    }
}
