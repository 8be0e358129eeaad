/// One pass over a JSON text that notes where each value lies.
struct JSONReader {
    private typealias Node = JSONDocument.Node

    private let depth: Int
    private let isRelaxed: Bool
    private let keys: Int
    private let values: Int
    private var nodes: [JSONDocument.Node] = []
    private var open: [Container] = []  // not yet closed, outermost first
    private var at = 0

    /// An array or object that is being read.
    private struct Container {
        let node: Int
        /// Members so far.
        var count = 0
    }

    init(depth: Int, isRelaxed: Bool, keys: Int, values: Int) {
        self.depth = depth
        self.isRelaxed = isRelaxed
        self.keys = keys
        self.values = values
    }

    /// Reads the whole text.
    mutating func read(_ text: Span<UInt8>) throws(JSONError) -> [JSONDocument.Node] {
        guard text.count < UInt32.max else { throw JSONError(code: .tooLarge, offset: 0) }
        if !ByteSearch.isUTF8(text) {
            do { _ = try UTF8Span(validating: text) } catch {
                throw JSONError(code: .notUTF8, offset: error.byteOffsets.lowerBound)
            }
        }
        nodes.reserveCapacity(min(text.count / 8 + 4, 4096))
        open.reserveCapacity(8)
        if isRelaxed && text.count >= 3 && text[0] == 0xEF && text[1] == 0xBB && text[2] == 0xBF { at = 3 }
        try skipSpace(text)
        try value(text)
        while let container = open.last { try continueContainer(text, container.node) }
        try skipSpace(text)
        if at < text.count { throw JSONError(code: .trailingText, offset: at) }
        return nodes
    }

    /// After a value inside a container: a comma and the next one, or the end of the container.
    private mutating func continueContainer(_ text: Span<UInt8>, _ container: Int) throws(JSONError) {
        let isObject = nodes[container].kind == .object
        let isFirst = nodes.count == container + 1
        try skipSpace(text)
        guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
        let closer: UInt8 = isObject ? 0x7D : 0x5D
        if !isFirst && text[at] != closer {
            guard text[at] == 0x2C else { throw unexpected(text) }
            at += 1
            try skipSpace(text)
            guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
            if text[at] == closer && !isRelaxed { throw unexpected(text) }
        }
        if text[at] == closer {
            at += 1
            open.removeLast()
            nodes[container].end = UInt32(at)
            nodes[container].next = UInt32(nodes.count)
            return
        }
        if isObject {
            open[open.count - 1].count += 1
            guard open[open.count - 1].count <= keys else {
                throw JSONError(code: .tooManyKeys(limit: keys), offset: at)
            }
            try key(text)
        }
        guard nodes.count < values else { throw JSONError(code: .tooManyValues(limit: values), offset: at) }
        try value(text)
    }

    private mutating func key(_ text: Span<UInt8>) throws(JSONError) {
        if text[at] == 0x22 || (isRelaxed && text[at] == 0x27) {
            try string(text)
        } else if isRelaxed && isBare(text[at], isFirst: true) {
            let start = at
            while at < text.count && isBare(text[at], isFirst: false) { at += 1 }
            add(.string, from: start, [.bare])
        } else {
            throw unexpected(text)
        }
        try skipSpace(text)
        guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
        guard text[at] == 0x3A else { throw unexpected(text) }
        at += 1
        try skipSpace(text)
    }

    private func isBare(_ byte: UInt8, isFirst: Bool) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24, 0x80...: true
        case 0x30...0x39: !isFirst
        default: false
        }
    }

    private mutating func value(_ text: Span<UInt8>) throws(JSONError) {
        guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
        switch text[at] {
        case 0x7B: try begin(.object)
        case 0x5B: try begin(.array)
        case 0x22: try string(text)
        case 0x27 where isRelaxed: try string(text)
        case 0x2D, 0x30...0x39: try number(text)
        case 0x74: try word(text, "true", .bool)
        case 0x66: try word(text, "false", .bool)
        case 0x6E: try word(text, "null", .null)
        default: throw unexpected(text)
        }
    }

    private mutating func begin(_ kind: JSONDocument.Kind) throws(JSONError) {
        guard open.count < depth else { throw JSONError(code: .tooDeep(limit: depth), offset: at) }
        open.append(Container(node: nodes.count))
        at += 1
        add(kind, from: at - 1, [])
    }

    private mutating func word(_ text: Span<UInt8>, _ word: StaticString, _ kind: JSONDocument.Kind)
        throws(JSONError)
    {
        let start = at
        for byte in word.description.utf8 {
            guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
            guard text[at] == byte else { throw unexpected(text) }
            at += 1
        }
        add(kind, from: start, [])
    }

    private mutating func string(_ text: Span<UInt8>) throws(JSONError) {
        let quote = text[at], start = at
        var flags: JSONDocument.Flags = []
        at += 1
        while true {
            if quote == 0x22 { at = ByteSearch.special(in: text, from: at) }
            guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
            let byte = text[at]
            if byte == quote {
                at += 1
                add(.string, from: start, flags)
                return
            }
            if byte == 0x5C {
                flags.insert(.escaped)
                flags.formUnion(try escape(text))
            } else if byte < 0x20 {
                throw JSONError(code: .controlCharacter, offset: at)
            } else {
                at += 1
            }
        }
    }

    /// One escape, or two that make a surrogate pair.
    private mutating func escape(_ text: Span<UInt8>) throws(JSONError) -> JSONDocument.Flags {
        guard at + 1 < text.count else { throw JSONError(code: .endOfText, offset: at) }
        switch text[at + 1] {
        case let letter where JSONText.isSimple(letter) || letter == 0x27 && isRelaxed:
            at += 2
            return []
        case 0x75: break
        default: throw JSONError(code: .badEscape, offset: at)
        }
        guard let unit = JSONText.hex4(text, at + 2) else { throw JSONError(code: .badEscape, offset: at) }
        at += 6
        switch unit {
        case 0: return [.nul]
        case 0xD800...0xDBFF:
            if at + 1 < text.count, text[at] == 0x5C, text[at + 1] == 0x75,
                let low = JSONText.hex4(text, at + 2),
                (0xDC00...0xDFFF).contains(low)
            {
                at += 6
                return []
            }
            return [.loneSurrogate]
        case 0xDC00...0xDFFF: return [.loneSurrogate]
        default: return []
        }
    }

    private mutating func number(_ text: Span<UInt8>) throws(JSONError) {
        let start = at
        var flags: JSONDocument.Flags = []
        if text[at] == 0x2D { at += 1 }
        guard at < text.count else { throw JSONError(code: .endOfText, offset: at) }
        if text[at] == 0x30 { at += 1 } else { try digits(text) }
        if at < text.count && text[at] == 0x2E {
            flags = [.fraction]
            at += 1
            try digits(text)
        }
        if at < text.count && (text[at] == 0x65 || text[at] == 0x45) {
            flags = [.fraction]
            at += 1
            if at < text.count && (text[at] == 0x2B || text[at] == 0x2D) { at += 1 }
            try digits(text)
        }
        add(.number, from: start, flags)
    }

    private mutating func digits(_ text: Span<UInt8>) throws(JSONError) {
        let start = at
        while at < text.count && (0x30...0x39).contains(text[at]) { at += 1 }
        if at == start { throw JSONError(code: at < text.count ? .badNumber : .endOfText, offset: at) }
    }

    private mutating func skipSpace(_ text: Span<UInt8>) throws(JSONError) {
        while at < text.count {
            switch text[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            case 0x2F where isRelaxed: try comment(text)
            default: return
            }
        }
    }

    private mutating func comment(_ text: Span<UInt8>) throws(JSONError) {
        let start = at
        guard at + 1 < text.count else { throw unexpected(text) }
        if text[at + 1] == 0x2F {
            while at < text.count && text[at] != 0x0A { at += 1 }
        } else if text[at + 1] == 0x2A {
            at += 2
            while at + 1 < text.count && !(text[at] == 0x2A && text[at + 1] == 0x2F) { at += 1 }
            guard at + 1 < text.count else { throw JSONError(code: .endOfText, offset: start) }
            at += 2
        } else {
            throw unexpected(text)
        }
    }

    private mutating func add(_ kind: JSONDocument.Kind, from start: Int, _ flags: JSONDocument.Flags) {
        nodes.append(
            Node(
                start: UInt32(start), end: UInt32(at), next: UInt32(nodes.count + 1), kind: kind, flags: flags
            ))
    }

    private func unexpected(_ text: Span<UInt8>) -> JSONError {
        guard at < text.count else { return JSONError(code: .endOfText, offset: at) }
        return JSONError.unexpected(text[at], at: at)
    }
}
