/// How much of each class of characters a message has, from which its tokens are estimated for any vocabulary.
///
/// Sizes add up: that of a request is the sum of its messages'. Up to 4,294,967,295 of each class are counted.
package struct ContentSize: Sendable, Equatable {
    /// The classes of wire.md H3.
    package enum Class: Int, Sendable, CaseIterable {
        /// A run of ASCII letters and digits that has letters.
        case word
        /// An ASCII letter of a word.
        case letter
        /// An ASCII digit.
        case digit
        /// Another ASCII sign that can be seen.
        case sign
        /// A newline that follows no other.
        case newline
        /// A blank, tab or newline behind another; a tab alone is four.
        case blank
        /// A letter or digit of a run that looks random: base64, hexadecimal, UUIDs.
        case random
        case han, kana, hangul
        /// A sign of Chinese, Japanese or Korean, or a wide one.
        case wideSign
        /// A scalar from U+0080 below U+0800: accents, Greek, Cyrillic, Arabic, Hebrew.
        case twoByte
        /// Another scalar below U+10000.
        case threeByte
        /// U+1F000 and above, but for those of `rare`.
        case emoji
        /// U+20000 to U+3FFFF: rare Han.
        case rare
        /// What is counted in tokens: overheads, sounds and documents.
        case token
        /// An image, and what vendors count of one (wire.md H5): squares of 512 and of 768 pixels, patches of 28 pixels of an
        /// image of at most 1,568 and of at most 4,784 of them, patches of 32 pixels.
        case image, tile512, tile768, patch28, finePatch28, patch32
        /// A token of what a model thought, as a server of which nothing is known would count it.
        ///
        /// Few providers get thoughts back, so it costs nothing but where they do.
        case thought
    }

    /// By the classes' raw values: those of text with `token`, and those of images from 16 on.
    private var texts: SIMD16<UInt32>, images: SIMD8<UInt32>

    /// Nothing but a number of tokens.
    package init(tokens: Int = 0) {
        (texts, images) = (.zero, .zero)
        self[.token] = UInt32(clamping: tokens)
    }

    /// How much there is of a class.
    package subscript(_ class: Class) -> UInt32 {
        get { self[index: `class`.rawValue] }
        set { self[index: `class`.rawValue] = newValue }
    }

    private subscript(index index: Int) -> UInt32 {
        get { index < 16 ? texts[index] : images[index - 16] }
        set { if index < 16 { texts[index] = newValue } else { images[index - 16] = newValue } }
    }

    /// Tokens for a server of which nothing is known: what is stored and shown.
    package var tokens: Int { TokenWeights.unknown.tokens(self) }

    /// The size of both together.
    package static func + (a: ContentSize, b: ContentSize) -> ContentSize {
        var sum = a
        sum += b
        return sum
    }

    /// Adds what another has.
    package static func += (a: inout ContentSize, b: ContentSize) {
        a.texts &+= b.texts
        a.images &+= b.images
    }

    /// Sums of the weights of what there is: of ASCII with what is counted in tokens and of images, and of other scripts.
    fileprivate func weighed(texts weights: SIMD16<Double>, images: SIMD8<Double>) -> (
        plain: Double, wide: Double
    ) {
        let products = SIMD16<Double>(texts) * weights
        // From `han` to `rare`.
        let wide =
            products[7] + products[8] + products[9] + products[10] + products[11] + products[12]
            + products[13] + products[14]
        let plain = products.sum() - wide
        if self.images == .zero { return (plain, wide) }
        return (plain + (SIMD8<Double>(self.images) * images).sum(), wide)
    }

    // MARK: As it is stored

    /// For each class that there is: its number in the low four bits and the low three of the count, then the rest of the
    /// count, seven bits a byte, each byte but the last with its high bit set.
    ///
    /// Classes from 16 on stand behind a byte of 0, with
    /// their number less 16.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for index in 0..<24 {
            if index == 16, images != .zero { bytes.append(0) }
            var rest = self[index: index]
            if rest == 0 { continue }
            var byte = UInt8(index & 0xF) | UInt8(rest & 7) << 4
            rest >>= 3
            while rest > 0 {
                bytes.append(byte | 0x80)
                byte = UInt8(rest & 0x7F)
                rest >>= 7
            }
            bytes.append(byte)
        }
        return bytes
    }

    /// Reads what `encoded` wrote; nil for anything else.
    package init?(encoded bytes: [UInt8]) { self.init(encoded: bytes.span) }

    /// The same where the bytes lie.
    package init?(encoded bytes: Span<UInt8>) {
        self.init()
        var at = 0, last = -1, first = 0
        while at < bytes.count {
            if bytes[at] == 0, first == 0 {
                (first, last) = (16, 15)
                at += 1
                guard at < bytes.count else { return nil }
            }
            let index = Int(bytes[at] & 0xF) + first
            guard index > last, index < 24 else { return nil }
            var count = UInt64(bytes[at] >> 4 & 7), shift: UInt64 = 3
            while bytes[at] & 0x80 != 0 {
                at += 1
                guard at < bytes.count, shift < 32 else { return nil }
                count |= UInt64(bytes[at] & 0x7F) << shift
                shift += 7
            }
            guard let exact = UInt32(exactly: count), exact > 0 else { return nil }
            self[index: index] = exact
            last = index
            at += 1
        }
    }
}

/// Tokens that a vocabulary has for one of each class of characters, and the factors by which a provider was seen to count
/// more.
package struct TokenWeights: Sendable, Equatable {
    /// Hundredths of a token by the classes' raw values: integers, so that sums of sizes are exact.
    private let hundredths: SIMD16<Double>
    private var images: SIMD8<Double>
    /// Tokens that the provider counts for one of ASCII text and of what is counted in tokens, and for one of other scripts:
    /// one ratio for two scripts fits neither.
    private var plainRatio = 1.0, wideRatio = 1.0

    /// Hundredths of a token by the classes' raw values, and what one of the classes of images costs.
    package init(hundredths: SIMD16<UInt16>, images: Images) {
        self.hundredths = SIMD16<Double>(hundredths)
        self.images = images.hundredths
    }

    /// What images cost at a vendor, by their size in pixels (wire.md H5).
    package struct Images: Sendable {
        fileprivate let hundredths: SIMD8<Double>

        private init(_ tokens: [ContentSize.Class: Double]) {
            var hundredths = SIMD8<Double>.zero
            for (`class`, value) in tokens { hundredths[`class`.rawValue - 16] = value * 100 }
            self.hundredths = hundredths
        }

        /// A base and so much for each square of 512 pixels: OpenAI's older models.
        package static func tiles(base: Double, each: Double) -> Images {
            Images([.image: base, .tile512: each])
        }
        /// So much for each patch of 32 pixels: OpenAI's newer and small models.
        package static func patches(_ each: Double) -> Images { Images([.patch32: each]) }
        /// Patches of 28 pixels, at most 1,568: Anthropic's models before Opus 4.7, and who is not known.
        package static let coarse = Images([.patch28: 1])
        /// Patches of 28 pixels, at most 4,784: Anthropic's models since.
        package static let fine = Images([.finePatch28: 1])
        /// 258 for each square of 768 pixels: Gemini before 3.
        package static let gemini2 = Images([.tile768: 258])
        /// 1,120 whatever the size: Gemini 3 at its default resolution.
        package static let gemini3 = Images([.image: 1_120])
    }

    /// The same vocabulary at a model that counts images so.
    package func counting(images: Images) -> TokenWeights {
        var copy = self
        copy.images = images.hundredths
        copy.images[TokenWeights.thought] = self.images[TokenWeights.thought]
        return copy
    }

    /// The same vocabulary at a provider that gets thoughts back, or does not.
    package func counting(thoughts: Bool) -> TokenWeights {
        var copy = self
        copy.images[TokenWeights.thought] = thoughts ? 100 : 0
        return copy
    }

    private static let thought = ContentSize.Class.thought.rawValue - 16

    /// The estimate for a size, rounded up; 0 only for nothing.
    package func tokens(_ size: ContentSize) -> Int {
        let parts = parts(size)
        let sum = parts.plain * plainRatio + parts.wide * wideRatio, whole = Int(sum)
        return Double(whole) < sum ? whole + 1 : whole
    }

    /// The estimate without the ratios in its two parts: ASCII with what is counted in tokens and images, and other scripts.
    package func parts(_ size: ContentSize) -> (plain: Double, wide: Double) {
        let sums = size.weighed(texts: hundredths, images: images)
        return (sums.plain / 100, sums.wide / 100)
    }

    /// The same vocabulary at a provider that counts so many tokens for one of each part.
    package func scaled(plain: Double, wide: Double) -> TokenWeights {
        var copy = self
        (copy.plainRatio, copy.wideRatio) = (plain, wide)
        return copy
    }

    // Columns of wire.md H3, times 1.1 to 1.2: p5 of the estimate over the truth is above 0.85 and the mean error below a
    // quarter for what Tests/External/estimates.py measures. A word weighs more than there and its letters
    // less: so what one stretch of code or prose teaches of another is 4 % off, not 6. Order: word, letter, digit, sign, newline,
    // blank, random, han, kana, hangul, wideSign, twoByte, threeByte, emoji, rare, token.

    /// A server of which nothing is known: o200k times 1.25, and at least one for each Han, Kana and Hangul character, as the
    /// old vocabularies of local models have it.
    package static let unknown = TokenWeights(
        hundredths: .init(80, 12, 50, 45, 144, 12, 88, 100, 100, 100, 88, 32, 125, 250, 500, 100),
        images: .coarse)
    /// OpenAI's models since gpt-4o.
    package static let o200k = TokenWeights(
        hundredths: .init(76, 10, 48, 43, 138, 10, 84, 84, 80, 84, 84, 30, 120, 240, 480, 100),
        images: .tiles(base: 85, each: 170))
    /// OpenAI's models before those.
    package static let cl100k = TokenWeights(
        hundredths: .init(76, 10, 48, 43, 144, 10, 84, 116, 116, 136, 110, 54, 180, 312, 480, 100),
        images: .tiles(base: 85, each: 170))
    /// Google's models.
    package static let gemini = TokenWeights(
        hundredths: .init(76, 10, 120, 66, 144, 12, 102, 69, 48, 76, 70, 29, 120, 156, 480, 100),
        images: .gemini3)
    /// Anthropic's models before Opus 4.7.
    package static let claude = TokenWeights(
        hundredths: .init(80, 10, 52, 57, 152, 8, 82, 101, 111, 156, 113, 62, 170, 282, 450, 100),
        images: .coarse)
    /// Anthropic's models since Opus 4.7: "about 30 % more" (wire.md H2).
    package static let newClaude = TokenWeights(
        hundredths: .init(104, 13, 68, 74, 198, 10, 107, 131, 144, 203, 147, 81, 221, 367, 585, 100),
        images: .fine)
    /// DeepSeek's models.
    package static let deepSeek = TokenWeights(
        hundredths: .init(76, 10, 48, 58, 132, 10, 84, 65, 76, 98, 72, 34, 120, 228, 480, 100),
        images: .coarse)
}
