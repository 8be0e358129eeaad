/// An image's width and height in pixels, as its file says at its head.
struct PixelSize: Sendable, Equatable {
    let width: Int
    let height: Int

    /// The most of an edge, that of JPEG: beyond it a head is wrong, and counts of squares would not fit a size.
    private static let longest = 65_535

    /// From one to 65,535 pixels each way; nil for others.
    init?(width: Int, height: Int) {
        guard 1...PixelSize.longest ~= width, 1...PixelSize.longest ~= height else { return nil }
        (self.width, self.height) = (width, height)
    }

    /// Reads the head of a PNG, GIF, WebP or JPEG file in base64 (RFC 4648 without line breaks); nil for others and for what
    /// is damaged.
    init?(base64: String) {
        var text = base64
        text.makeContiguousUTF8()
        self.init(Base64Bytes(text: text.utf8.span))
    }

    private init?(_ file: borrowing Base64Bytes) {
        if file.begins(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
            file.begins(with: Array("IHDR".utf8), at: 12)
        {
            // PNG 1.2 section 4.1.1: IHDR is the first chunk.
            self.init(file.big(16, 4), file.big(20, 4))
        } else if file.begins(with: Array("GIF8".utf8)) {
            // GIF89a section 18.
            self.init(file.little(6, 2), file.little(8, 2))
        } else if file.begins(with: Array("RIFF".utf8)), file.begins(with: Array("WEBP".utf8), at: 8) {
            self.init(webP: file)
        } else if file.begins(with: [0xFF, 0xD8]) {
            self.init(jpeg: file)
        } else {
            return nil
        }
    }

    /// What was read of a head; nil where that is cut.
    private init?(_ width: Int?, _ height: Int?) {
        guard let width, let height else { return nil }
        self.init(width: width, height: height)
    }

    /// RFC 9649 section 2: one of three chunks comes first.
    private init?(webP file: borrowing Base64Bytes) {
        if file.begins(with: Array("VP8X".utf8), at: 12) {
            self.init(file.little(24, 3).map { $0 + 1 }, file.little(27, 3).map { $0 + 1 })
        } else if file.begins(with: Array("VP8L".utf8), at: 12) {
            guard let bits = file.little(21, 4) else { return nil }
            self.init(width: bits & 0x3FFF + 1, height: bits >> 14 & 0x3FFF + 1)
        } else if file.begins(with: Array("VP8 ".utf8), at: 12) {
            self.init(file.little(26, 2).map { $0 & 0x3FFF }, file.little(28, 2).map { $0 & 0x3FFF })
        } else {
            return nil
        }
    }

    /// ITU-T T.81 section B.2: segments until the start of a frame, of which there are thirteen kinds.
    private init?(jpeg file: borrowing Base64Bytes) {
        var at = 2
        // A hundred segments are more than any file has before its frame.
        for _ in 0..<100 {
            guard file[at] == 0xFF, let marker = file[at + 1] else { return nil }
            switch marker {
            case 0xFF: at += 1
            case 0x01, 0xD0...0xD7: at += 2
            case 0xC0...0xCF where ![0xC4, 0xC8, 0xCC].contains(marker):
                self.init(file.big(at + 7, 2), file.big(at + 5, 2))
                return
            default:
                guard let length = file.big(at + 2, 2), length >= 2, marker != 0xDA else { return nil }
                at += 2 + length
            }
        }
        return nil
    }

    /// Scaled down, its form kept, until its longer edge is at most so long and its shorter one too.
    func scaled(longEdge: Int, shortEdge: Int = Int.max) -> PixelSize {
        let factor = min(
            1, Double(longEdge) / Double(max(width, height)), Double(shortEdge) / Double(min(width, height)))
        func scaled(_ edge: Int) -> Int { max(1, Int(Double(edge) * factor)) }
        return PixelSize(width: scaled(width), height: scaled(height)) ?? self
    }

    /// How many squares of so many pixels cover it.
    func squares(of edge: Int) -> UInt32 {
        UInt32(((width - 1) / edge + 1) * ((height - 1) / edge + 1))
    }
}

/// The bytes of a base64 text, decoded where they are looked at.
private struct Base64Bytes: ~Escapable {
    private let text: Span<UInt8>

    @_lifetime(copy text)
    init(text: Span<UInt8>) { self.text = text }

    /// The byte at an offset; nil behind the end and for what is no base64.
    subscript(offset: Int) -> UInt8? {
        let first = offset / 3 * 4 + offset % 3
        guard offset >= 0, first + 1 < text.count, let a = Self.bits(text[first]),
            let b = Self.bits(text[first + 1])
        else { return nil }
        let shift = UInt8(offset % 3) * 2
        return a << (2 + shift) | b >> (4 - shift)
    }

    func begins(with bytes: [UInt8], at start: Int = 0) -> Bool {
        for index in bytes.indices where self[start + index] != bytes[index] { return false }
        return true
    }

    /// A number of so many bytes, the highest first.
    func big(_ start: Int, _ count: Int) -> Int? {
        var sum = 0
        for at in start..<(start + count) {
            guard let byte = self[at] else { return nil }
            sum = sum << 8 | Int(byte)
        }
        return sum
    }

    /// A number of so many bytes, the lowest first.
    func little(_ start: Int, _ count: Int) -> Int? {
        var sum = 0
        for at in (start..<(start + count)).reversed() {
            guard let byte = self[at] else { return nil }
            sum = sum << 8 | Int(byte)
        }
        return sum
    }

    private static func bits(_ sign: UInt8) -> UInt8? {
        switch sign {
        case 0x41...0x5A: sign - 0x41
        case 0x61...0x7A: sign - 0x61 + 26
        case 0x30...0x39: sign - 0x30 + 52
        case 0x2B, 0x2D: 62
        case 0x2F, 0x5F: 63
        default: nil
        }
    }
}
