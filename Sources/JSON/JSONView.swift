/// One value inside a document; a cheap copy that keeps the document alive.
package struct JSONView: Sendable {
    let storage: JSONDocument.Storage
    let index: Int

    private var node: JSONDocument.Node { storage.nodes[index] }

    package var kind: JSONDocument.Kind { node.kind }
    package var isNull: Bool { node.kind == .null }

    /// The value as it stands in the text, byte for byte.
    package var raw: ArraySlice<UInt8> { storage.bytes[Int(node.start)..<Int(node.end)] }

    /// Bytes of memory that the whole document takes as long as one value of it is kept.
    package var documentCost: Int {
        storage.bytes.count + storage.nodes.count * MemoryLayout<JSONDocument.Node>.stride
    }

    /// The byte at which the value begins in its text.
    package var offset: Int { Int(node.start) }

    /// The truth value, nil for anything but `true` and `false`.
    package var bool: Bool? { node.kind == .bool ? storage.bytes[Int(node.start)] == 0x74 : nil }

    /// The string with escapes undone and lone surrogates as U+FFFD, nil for anything but a string.
    package var string: String? {
        guard node.kind == .string else { return nil }
        let inner = stringBytes
        if !node.flags.contains(.escaped) { return String(decoding: inner, as: UTF8.self) }
        return String(decoding: JSONText.unescaped(inner), as: UTF8.self)
    }

    /// The string's UTF-8 with escapes undone, nil for anything but a string.
    package var utf8: [UInt8]? {
        guard node.kind == .string else { return nil }
        return node.flags.contains(.escaped) ? JSONText.unescaped(stringBytes) : Array(stringBytes)
    }

    /// Whether a string holds an escaped surrogate without its mate.
    package var hasLoneSurrogate: Bool { node.flags.contains(.loneSurrogate) }

    /// Whether this value or one inside it is a string with a lone surrogate.
    package var hasLoneSurrogateInside: Bool {
        storage.nodes[index..<Int(node.next)].contains {
            $0.flags.contains(.loneSurrogate) && $0.kind == .string
        }
    }

    /// The integer, nil for anything else: a number with a fraction, or beyond 64 bits.
    ///
    /// How it is written does not matter: `1.0` and `1e2` are integers too (JSON Schema 2020-12, 6.1.1 and 4.2.3).
    package var int: Int? {
        guard node.kind == .number else { return nil }
        let text = String(decoding: raw, as: UTF8.self)
        return node.flags.contains(.fraction) ? JSONView.integer(text) : Int(text)
    }

    /// The integer that a number with a point or an exponent is, told from its digits, so that no bit is lost.
    private static func integer(_ text: String) -> Int? {
        let parts = text.split { $0 == "e" || $0 == "E" }
        let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = numbers.count > 1 ? numbers[1] : ""
        let isNegative = text.hasPrefix("-")
        var digits = (numbers[0].drop { $0 == "-" } + fraction).drop { $0 == "0" }
        guard !digits.isEmpty else { return 0 }
        guard var exponent = parts.count > 1 ? Int(parts[1]) : 0, (-(1 << 30)...(1 << 30)).contains(exponent)
        else { return nil }
        exponent -= fraction.count
        while exponent < 0, digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
        return Int((isNegative ? "-" : "") + digits + String(repeating: "0", count: exponent))
    }

    /// The number as a double, nil for anything but a finite number.
    package var double: Double? {
        guard node.kind == .number, let value = Double(String(decoding: raw, as: UTF8.self)), value.isFinite
        else { return nil }
        return value
    }

    /// How many elements or members there are; 0 for a scalar.
    package var count: Int {
        switch node.kind {
        case .array: elements.count { _ in true }
        case .object: members.count { _ in true }
        default: 0
        }
    }

    /// The elements of an array; nothing for any other kind.
    package var elements: JSONElements { JSONElements(view: self, isArray: node.kind == .array) }

    /// The members of an object in their order, duplicates included; nothing for any other kind.
    package var members: JSONMembers { JSONMembers(view: self, isObject: node.kind == .object) }

    /// The value of an object's first member with this key.
    package subscript(key: String) -> JSONView? {
        guard node.kind == .object else { return nil }
        let wanted = key.utf8.span, end = Int(node.next)
        var at = index + 1
        while at < end {
            let name = storage.nodes[at]
            let isIt =
                name.flags.contains(.escaped)
                ? JSONView(storage: storage, index: at).isKey(key)
                : storage.isSpelled(wanted, name)
            if isIt { return JSONView(storage: storage, index: at + 1) }
            at = Int(storage.nodes[at + 1].next)
        }
        return nil
    }

    /// Whether a string equals `key`, compared by bytes, without making a String where it can.
    package func isKey(_ key: String) -> Bool {
        if node.flags.contains(.escaped) { return utf8.map { $0.elementsEqual(key.utf8) } ?? false }
        return storage.isSpelled(key.utf8.span, node)
    }

    /// The first key that an object has twice, nil when there is none.
    package var duplicateKey: String? {
        guard node.kind == .object else { return nil }
        return secondKey.map { JSONView(storage: storage, index: $0).string ?? "" }
    }

    /// The first duplicate key anywhere inside, with the byte where its second stands.
    package var duplicateKeyInside: (key: String, offset: Int)? {
        for at in index..<Int(node.next) where storage.nodes[at].kind == .object {
            guard let second = JSONView(storage: storage, index: at).secondKey else { continue }
            let key = JSONView(storage: storage, index: second)
            return (key.string ?? "", key.offset)
        }
        return nil
    }

    /// Members up to which each key is compared with each before it, which costs less than a set of them.
    private static let fewMembers = 16

    /// The node of the first key of an object that it has before; nil where all differ.
    private var secondKey: Int? {
        var at = index + 1, count = 0
        let end = Int(node.next)
        while at < end {
            if count == JSONView.fewMembers || storage.nodes[at].flags.contains(.escaped) {
                return secondKeyOfMany
            }
            let key = JSONView(storage: storage, index: at)
            var other = index + 1
            while other < at {
                if key.isSpelled(as: JSONView(storage: storage, index: other)) { return at }
                other = Int(storage.nodes[other + 1].next)
            }
            count += 1
            at = Int(storage.nodes[at + 1].next)
        }
        return nil
    }

    private var secondKeyOfMany: Int? {
        var seen: Set<[UInt8]> = []
        return members.first { !seen.insert($0.keyView.utf8 ?? []).inserted }?.keyView.index
    }

    /// Whether two strings have the same bytes.
    private func isSpelled(as other: JSONView) -> Bool {
        let mine = stringRange, others = other.stringRange
        return mine.count == others.count && storage.bytes[mine] == storage.bytes[others]
    }

    private var stringRange: Range<Int> { node.inner }

    private var stringBytes: ArraySlice<UInt8> { storage.bytes[stringRange] }
}

/// The elements of an array, in order.
package struct JSONElements: Sequence, IteratorProtocol, Sendable {
    private let storage: JSONDocument.Storage
    private var at: Int
    private let end: Int

    init(view: JSONView, isArray: Bool) {
        storage = view.storage
        at = view.index + 1
        end = isArray ? Int(view.storage.nodes[view.index].next) : 0
    }

    package mutating func next() -> JSONView? {
        guard at < end else { return nil }
        defer { at = Int(storage.nodes[at].next) }
        return JSONView(storage: storage, index: at)
    }
}

/// The members of an object, in order.
package struct JSONMembers: Sequence, IteratorProtocol, Sendable {
    /// One key with its value.
    package struct Member: Sendable {
        /// The key as a string value, for its bytes and its place.
        package let keyView: JSONView
        package let value: JSONView
        /// The key with escapes undone.
        package var key: String { keyView.string ?? "" }
    }

    private let storage: JSONDocument.Storage
    private var at: Int
    private let end: Int

    init(view: JSONView, isObject: Bool) {
        storage = view.storage
        at = view.index + 1
        end = isObject ? Int(view.storage.nodes[view.index].next) : 0
    }

    package mutating func next() -> Member? {
        guard at < end else { return nil }
        defer { at = Int(storage.nodes[at + 1].next) }
        return Member(
            keyView: JSONView(storage: storage, index: at), value: JSONView(storage: storage, index: at + 1))
    }
}

extension JSONDocument.Node {
    /// Where the bytes of a string lie, without its quotes.
    fileprivate var inner: Range<Int> {
        let edge = flags.contains(.bare) ? 0 : 1
        return (Int(start) + edge)..<(Int(end) - edge)
    }
}

extension JSONDocument.Storage {
    /// Whether a string without escapes has these bytes.
    @inline(__always)
    fileprivate func isSpelled(_ text: Span<UInt8>, _ node: JSONDocument.Node) -> Bool {
        let inner = node.inner
        guard text.count == inner.count else { return false }
        var at = 0
        while at < text.count, bytes[inner.lowerBound + at] == text[at] { at += 1 }
        return at == text.count
    }
}
