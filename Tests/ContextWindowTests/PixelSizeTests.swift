import Conversation
import TestSupport
import Testing

@testable import ContextWindow

/// The heads of image files, each with its size.
private enum Heads {
    static func png(_ width: Int, _ height: Int) -> [UInt8] {
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + big(width, 4)
            + big(height, 4)
            + [8, 2, 0, 0, 0]
    }

    static func gif(_ width: Int, _ height: Int) -> [UInt8] {
        Array("GIF89a".utf8) + little(width, 2) + little(height, 2) + [0x80, 0, 0]
    }

    static func jpeg(_ width: Int, _ height: Int, metadata: Int = 14) -> [UInt8] {
        [0xFF, 0xD8, 0xFF, 0xE1] + big(metadata + 2, 2) + [UInt8](repeating: 0xC0, count: metadata)
            + [0xFF, 0xC4, 0, 4, 1, 2, 0xFF, 0xFF, 0xC2, 0, 17, 8] + big(height, 2) + big(width, 2) + [3]
    }

    static func webP(_ kind: String, _ bytes: [UInt8]) -> [UInt8] {
        Array("RIFF".utf8) + little(100, 4) + Array("WEBP".utf8) + Array(kind.utf8) + little(80, 4) + bytes
    }

    static func extended(_ width: Int, _ height: Int) -> [UInt8] {
        webP("VP8X", [0, 0, 0, 0] + little(width - 1, 3) + little(height - 1, 3))
    }

    static func lossless(_ width: Int, _ height: Int) -> [UInt8] {
        webP("VP8L", [0x2F] + little((height - 1) << 14 | (width - 1), 4))
    }

    static func lossy(_ width: Int, _ height: Int) -> [UInt8] {
        webP("VP8 ", [0, 0, 0, 0x9D, 0x01, 0x2A] + little(width, 2) + little(height, 2))
    }

    static func big(_ value: Int, _ count: Int) -> [UInt8] { little(value, count).reversed() }
    static func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) }
    }
}

private func base64(_ bytes: [UInt8]) -> String {
    let signs = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let three = (0..<3).map { start + $0 < bytes.count ? Int(bytes[start + $0]) : 0 }
        let bits = three[0] << 16 | three[1] << 8 | three[2]
        for index in 0..<4 {
            text.append(start + index - 1 < bytes.count ? signs[bits >> (18 - 6 * index) & 63] : 0x3D)
        }
    }
    return String(decoding: text, as: UTF8.self)
}

@Suite struct `The size of an image in pixels` {
    @Test(arguments: [(1, 1), (640, 480), (1_024, 1_024), (4_000, 3_000), (16_383, 9)])
    func `is read from the head of each kind of file`(_ width: Int, _ height: Int) {
        let files = [
            Heads.png(width, height), Heads.gif(width, height), Heads.jpeg(width, height),
            Heads.jpeg(width, height, metadata: 60_001), Heads.extended(width, height),
            Heads.lossless(width, height), Heads.lossy(width, height),
        ]
        for file in files {
            #expect(PixelSize(base64: base64(file)) == PixelSize(width: width, height: height))
        }
    }

    @Test func `is not known of a file that is cut, damaged or of another kind`() {
        for file in [
            Heads.png(640, 480), Heads.gif(640, 480), Heads.jpeg(640, 480), Heads.extended(640, 480),
            Heads.lossless(640, 480), Heads.lossy(640, 480),
        ] {
            // Behind the size lie at most five bytes in these heads.
            for count in 0..<(file.count - 5) {
                #expect(
                    PixelSize(base64: base64(Array(file.prefix(count)))) == nil, "\(count) bytes of \(file)")
            }
        }
        #expect(PixelSize(base64: base64(Heads.png(0, 480))) == nil)
        #expect(PixelSize(base64: base64(Heads.png(640, 65_536))) == nil)
        #expect(PixelSize(base64: base64(Heads.png(0xFFFF_FFFF, 0xFFFF_FFFF))) == nil)
        #expect(PixelSize(base64: "%%%%" + base64(Heads.png(640, 480))) == nil)
        let endless = base64([0xFF, 0xD8] + (0..<200).flatMap { _ in [0xFF, 0xE0, 0, 2] as [UInt8] })
        #expect(PixelSize(base64: endless) == nil)
    }

    @Test func `never traps, whatever the bytes (random)`() {
        var random = SeededRandom()
        for _ in 0..<5_000 {
            var file = [Heads.png(9, 9), Heads.jpeg(9, 9), Heads.gif(9, 9), Heads.lossy(9, 9)][
                random.int(0...3)]
            for _ in 0..<random.int(1...6) {
                file[random.int(0...(file.count - 1))] = UInt8(random.int(0...255))
            }
            let image = Part.image(mimeType: "image/png", data: base64(file), uri: nil)
            #expect(TokenEstimate.size(of: image).tokens >= 1, "\(random)")
        }
    }
}

@Suite struct `The estimate of an image` {
    private func tokens(_ width: Int, _ height: Int, _ model: TokenWeights) -> Int {
        model.tokens(
            TokenEstimate.size(
                of: .image(mimeType: "image/png", data: base64(Heads.png(width, height)), uri: nil)))
    }

    @Test func `follows each vendor's rule by its size in pixels (wire.md H5)`() {
        // OpenAI: four tiles of 1,024 by 1,024 brought to 768; two by four of 2,048 by 4,096 brought to 768 by 1,536.
        #expect(tokens(1_024, 1_024, .o200k) == 85 + 4 * 170)
        #expect(tokens(2_048, 4_096, .o200k) == 85 + 6 * 170)
        #expect(tokens(200, 100, .o200k) == 85 + 170)
        // Anthropic: patches of 28 pixels, to their two bounds.
        #expect(tokens(200, 200, .claude) == 64)
        #expect(tokens(1_092, 1_092, .claude) == 39 * 39)
        #expect(tokens(4_000, 3_000, .claude) == 1_568)
        #expect(tokens(1_000, 1_000, .newClaude) == 36 * 36)
        #expect(tokens(4_000, 3_000, .newClaude) == 4_784)
        // Gemini: 258 up to 384 pixels, else a tile of 768; since 3 one number.
        #expect(tokens(384, 384, .gemini.counting(images: .gemini2)) == 258)
        #expect(tokens(1_500, 700, .gemini.counting(images: .gemini2)) == 2 * 258)
        #expect(tokens(384, 384, .gemini) == 1_120)
        #expect(tokens(4_000, 3_000, .gemini) == 1_120)
    }

    @Test func `of unknown size is that of a large one`() {
        let image = TokenEstimate.size(of: .image(mimeType: "image/png", data: nil, uri: "https://e.x/a.png"))
        for (model, least) in [
            (TokenWeights.o200k, 1_400), (.claude, 1_568), (.newClaude, 4_784), (.gemini, 1_120),
        ] {
            #expect(model.tokens(image) >= least)
        }
    }
}
