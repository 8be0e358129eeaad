/// Bytes that stand in their address as base64 (RFC 2397).
struct DataAddress {
    static let scheme = "data:"

    /// The MIME type that is said; empty where none is.
    let type: String
    let data: String

    /// Nil for another address, and for one whose bytes are written otherwise.
    init?(_ address: String) {
        let text = address.drop(while: \.isWhitespace)
        guard text.hasScheme(DataAddress.scheme), let comma = text.firstIndex(of: ",") else { return nil }
        let head = text[..<comma].dropFirst(DataAddress.scheme.count)
        guard head.split(separator: ";").last.map({ $0.lowercased() }) == "base64" else { return nil }
        type = String(head.prefix { $0 != ";" }.drop(while: \.isWhitespace))
        data = String(text[text.index(after: comma)...])
    }
}

extension StringProtocol {
    /// Whether an address begins with a scheme, in whatever case (RFC 3986, section 3.1), behind blanks or not.
    func hasScheme(_ scheme: String) -> Bool {
        drop(while: \.isWhitespace).prefix(scheme.count).lowercased() == scheme
    }
}
