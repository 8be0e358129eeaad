/// The bytes of images, sounds and documents as providers take them.
///
/// That is base64 with its padding and nothing else (RFC 4648, section 4). Clients also hand over what a browser's
/// `readAsDataURL` gives, lines of 76 characters, the alphabet of URLs, or no padding; refused once, such a part would be
/// refused with every later prompt of its session.
enum MediaBytes {
    /// Base64 without faults, and the MIME type where it stood before; nil where it is no base64.
    static func repaired(_ data: String) -> (data: String, type: String?)? {
        if isStrict(data) { return (data, nil) }
        var text = Substring(data), type: String?
        if text.hasScheme(DataAddress.scheme) {
            guard let inside = DataAddress(data) else { return nil }
            if !inside.type.isEmpty { type = inside.type }
            text = inside.data[...]
        }
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count + 3)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case 0x09, 0x0A, 0x0D, 0x20: continue
            case UInt8(ascii: "-"): out.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): out.append(UInt8(ascii: "/"))
            case UInt8(ascii: "%"):
                // In an address those three may be spelled so (RFC 3986, section 2.1).
                switch String(decoding: rest.prefix(2), as: UTF8.self).uppercased() {
                case "2B": out.append(UInt8(ascii: "+"))
                case "2F": out.append(UInt8(ascii: "/"))
                case "3D": out.append(UInt8(ascii: "="))
                default: return nil
                }
                rest = rest.dropFirst(2)
            default: out.append(byte)
            }
        }
        while out.last == UInt8(ascii: "=") { out.removeLast() }
        if out.count % 4 == 1 { return nil }
        out.append(contentsOf: repeatElement(UInt8(ascii: "="), count: (4 - out.count % 4) % 4))
        let repaired = String(decoding: out, as: UTF8.self)
        return isStrict(repaired) ? (repaired, type) : nil
    }

    /// Whether it is base64 with its padding and nothing else.
    private static func isStrict(_ data: String) -> Bool {
        let bytes = data.utf8
        guard bytes.count % 4 == 0 else { return false }
        let digits = bytes.count - bytes.suffix(2).count { $0 == UInt8(ascii: "=") }
        return bytes.prefix(digits).allSatisfy { MediaBytes.isDigit[Int($0)] }
    }

    private static let isDigit: [Bool] = (0..<256).map { byte in
        let letter = UInt8(byte)
        return (0x30...0x39).contains(letter) || (0x41...0x5A).contains(letter)
            || (0x61...0x7A).contains(letter) || letter == UInt8(ascii: "+") || letter == UInt8(ascii: "/")
    }
}
