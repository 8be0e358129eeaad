/// JSON reads text into a flat tree that keeps every byte, and writes text.

/// A parsed JSON text (RFC 8259): its bytes as they came, and a flat tree of where each value lies.
///
/// Nothing is converted at parse time, so numbers, key order, white space and escapes come back byte for byte.
///
/// - Invariant: a text is never read recursively, so nesting costs heap, not stack.
package struct JSONDocument: Sendable {
    /// What a value is.
    package enum Kind: UInt8, Sendable { case null, bool, number, string, array, object }

    /// Where a value lies; `next` is the index of the node after its whole subtree.
    struct Node: Sendable {
        var start: UInt32
        var end: UInt32
        var next: UInt32
        var kind: Kind
        var flags: Flags
    }

    /// What the reader noticed inside a string or a number.
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        static let escaped = Flags(rawValue: 1)
        static let loneSurrogate = Flags(rawValue: 2)
        static let nul = Flags(rawValue: 4)
        static let fraction = Flags(rawValue: 8)  // a number with '.', 'e' or 'E'
        static let bare = Flags(rawValue: 16)  // a JSON5 key without quotes
    }

    final class Storage: Sendable {
        let bytes: [UInt8]
        let nodes: [Node]
        init(bytes: [UInt8], nodes: [Node]) {
            self.bytes = bytes
            self.nodes = nodes
        }
    }

    let storage: Storage

    /// The outermost value.
    package var root: JSONView { JSONView(storage: storage, index: 0) }

    /// The text as it came.
    package var bytes: [UInt8] { storage.bytes }

    /// Reads one JSON text that fills `bytes` but for white space.
    ///
    /// Refuses what RFC 8259 refuses, text that is not UTF-8, a leading byte order mark, and nesting below `depth`.
    /// Accepts escaped lone surrogates (they read as U+FFFD and are kept raw) and numbers of any size.
    ///
    /// `keys` bounds the members of each object and `values` what there is in all, keys counted.
    package init(_ bytes: [UInt8], depth: Int = 128, keys: Int = .max, values: Int = .max) throws(JSONError) {
        var reader = JSONReader(depth: depth, isRelaxed: false, keys: keys, values: values)
        storage = Storage(bytes: bytes, nodes: try reader.read(bytes.span))
    }

    /// Reads JSON5 as far as people write it: comments, trailing commas, bare keys, single quotes.
    package init(relaxed bytes: [UInt8], depth: Int = 64) throws(JSONError) {
        var reader = JSONReader(depth: depth, isRelaxed: true, keys: .max, values: .max)
        storage = Storage(bytes: bytes, nodes: try reader.read(bytes.span))
    }
}

/// Why a text is not JSON, and where.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is against it.
    package enum Code: Sendable, Equatable {
        /// `unexpected` holds the character or the byte, as it is to be told.
        case notUTF8, tooDeep(limit: Int), unexpected(String), endOfText, trailingText, badNumber, badEscape,
            controlCharacter
        /// 4 GiB or more: places are kept in 32 bits.
        case tooLarge
        /// Bounds that the caller set were passed.
        case tooManyKeys(limit: Int), tooManyValues(limit: Int), tooLong(limit: Int)
    }
    /// A byte that cannot stand where it does.
    static func unexpected(_ byte: UInt8, at offset: Int) -> JSONError {
        let isPlain = (0x21...0x7E).contains(byte)
        return JSONError(
            code: .unexpected(isPlain ? "'\(Unicode.Scalar(byte))'" : "byte \(byte)"), offset: offset)
    }

    package let code: Code
    /// The byte at which the reader stopped, from 0.
    package let offset: Int

    package var description: String { "\(reason) at byte \(offset)" }

    /// The reason without the place.
    package var reason: String {
        switch code {
        case .notUTF8: "not valid UTF-8"
        case .tooDeep(let limit): "nested deeper than \(limit) levels"
        case .unexpected(let what): "unexpected \(what)"
        case .endOfText: "the text ends inside a value"
        case .trailingText: "text after the value"
        case .badNumber: "a number that is not JSON"
        case .badEscape: "an escape that is not JSON"
        case .controlCharacter: "a raw control character inside a string"
        case .tooLarge: "a text of 4 GiB or more"
        case .tooManyKeys(let limit): "an object with more than \(limit) members"
        case .tooManyValues(let limit): "more than \(limit) values, keys counted"
        case .tooLong(let limit): "an element of more than \(limit) bytes"
        }
    }

    /// The line and column of the offset in `bytes`, both from 1; only LF counts as a line end.
    package func position(in bytes: [UInt8]) -> (line: Int, column: Int) {
        JSONError.position(of: offset, in: bytes)
    }

    /// The line and column of any offset, both from 1.
    package static func position(of offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
        let before = bytes.prefix(offset)
        let line = before.count { $0 == 0x0A } + 1
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return (line, String(decoding: before[start...], as: UTF8.self).unicodeScalars.count + 1)
    }
}
