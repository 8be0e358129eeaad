/// Where Google hands out tokens.
package enum TokenEndpoint {
    /// Google's own address: where users' tokens come from, and the audience of every assertion (wire.md B2, B5).
    package static let google = "https://oauth2.googleapis.com/token"

    /// Whether a secret may be sent there: by https, or to this machine.
    package static func isSafe(_ url: String) -> Bool {
        let lower = url.lowercased()
        guard lower.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let host = host(lower) else {
            return false
        }
        return lower.hasPrefix("https://") || lower.hasPrefix("http://") && isLoopback(host)
    }

    /// The host of a URL without its port, nil when there is none or it could be read in two ways.
    package static func host(_ url: String) -> String? {
        guard let mark = url.utf8.firstIndex(of: 0x3A), url[mark...].hasPrefix("://") else { return nil }
        let rest = url[mark...].dropFirst(3)
        let authority = rest.prefix { !"/?#".contains($0) }
        // Readers of URLs disagree on where the host begins behind either of these.
        guard !authority.contains("@"), !authority.contains("\\") else { return nil }
        let host =
            authority.hasPrefix("[")
            ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return host.isEmpty ? nil : String(host)
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
