internal import JSON
internal import Protocol
internal import Upstream

/// Reads members of one object of the configuration; every complaint names the line.
struct ConfigurationReader {
    let file: String
    let bytes: [UInt8]
    let view: JSONView
    private let path: String
    private var known: Set<String> = []

    init(file: String, bytes: [UInt8], view: JSONView, path: String = "") throws(ConfigurationError) {
        self.file = file
        self.bytes = bytes
        self.view = view
        self.path = path
        guard view.kind == .object else {
            throw complaint(view, "'\(path.isEmpty ? "the configuration" : path)' must be an object")
        }
    }

    func complaint(_ place: JSONView, _ words: String) -> ConfigurationError {
        let (line, column) = JSONError.position(of: place.offset, in: bytes)
        return ConfigurationError("\(file):\(line):\(column): \(words)")
    }

    private func full(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    mutating func value(_ name: String) -> JSONView? {
        known.insert(name)
        guard let value = view[name], !value.isNull else { return nil }
        return value
    }

    mutating func string(_ name: String) throws(ConfigurationError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string else {
            throw complaint(value, "'\(full(name))' must be a string\(said(value))")
        }
        return text
    }

    /// A file's place: from the root on, since a daemon that a command starts works in another directory than its user.
    mutating func path(_ name: String) throws(ConfigurationError) -> String? {
        guard let text = try string(name) else { return nil }
        try checkPath(text, view[name] ?? view, "'\(full(name))'")
        return text
    }

    func checkPath(_ text: String, _ place: JSONView, _ what: String) throws(ConfigurationError) {
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw complaint(
                place,
                "\(what) must be a path that begins with '/' and has no control characters\(said(place))")
        }
    }

    /// A value as a complaint may quote it: of what may be a key that was pasted into the wrong place only the beginning.
    static func shown(_ text: String) -> String {
        let isWord = text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                || [0x2B, 0x2D, 0x2E, 0x3D, 0x5F].contains($0)
        }
        let hasDigit = text.utf8.contains { (0x30...0x39).contains($0) }
        if isWord, hasDigit, text.utf8.count >= 16 { return "\"\(text.prefix(4))…\", which may be a key" }
        // Of an address neither who asks nor what.
        guard let scheme = text.firstRange(of: "://") else { return "\"\(text.prefix(40))\"" }
        let rest = text[scheme.upperBound...].prefix { $0 != "?" && $0 != "#" }
        let host = rest.lastIndex(of: "@").map { "…" + rest[$0...] } ?? String(rest)
        let end = rest.endIndex == text.endIndex ? "" : "?…"
        return "\"\(text[..<scheme.upperBound])\(host.prefix(60))\(end)\""
    }

    /// What stands somewhere, as the end of a complaint about it; nothing where that is more than a word.
    private func said(_ value: JSONView) -> String {
        if let text = value.string { return "; it is \(ConfigurationReader.shown(text))" }
        if value.kind == .object || value.kind == .array { return "" }
        return "; it is \(String(decoding: value.raw.prefix(40), as: UTF8.self))"
    }

    mutating func strings(_ name: String) throws(ConfigurationError) -> [String]? {
        guard let value = value(name) else { return nil }
        let texts = value.elements.map(\.string)
        guard value.kind == .array, texts.allSatisfy({ $0 != nil }) else {
            throw complaint(value, "'\(full(name))' must be an array of strings")
        }
        return texts.compactMap(\.self)
    }

    mutating func int(_ name: String, _ range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw complaint(
                value,
                "'\(full(name))' must be an integer from \(range.lowerBound) to \(range.upperBound)\(said(value))"
            )
        }
        return number
    }

    mutating func bool(_ name: String) throws(ConfigurationError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.bool else {
            throw complaint(value, "'\(full(name))' must be true or false\(said(value))")
        }
        return flag
    }

    /// How long a provider keeps beginnings of requests.
    mutating func promptCache(_ name: String, keepsHours: Bool) throws(ConfigurationError) -> PromptCache? {
        guard let value = value(name) else { return nil }
        if let flag = value.bool { return flag ? .minutes : PromptCache.none }
        let word = value.string.flatMap(PromptCache.init)
        if let word, word == .minutes || word == .hour && keepsHours { return word }
        throw complaint(
            value,
            "'\(full(name))' must be true, false\(keepsHours ? ", \"5m\" or \"1h\"" : " or \"5m\"; this kind cannot ask for longer")"
        )
    }

    /// A number that is not negative.
    mutating func number(_ name: String) throws(ConfigurationError) -> Double? {
        guard let value = value(name) else { return nil }
        guard let number = value.double, (0...1e12).contains(number) else {
            throw complaint(value, "'\(full(name))' must be a number from 0 to 1e12\(said(value))")
        }
        return number
    }

    /// One of a few words.
    mutating func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type)
        throws(ConfigurationError) -> Word?
    where Word.RawValue == String {
        guard let value = value(name) else { return nil }
        guard let text = value.string, let word = Word(rawValue: text) else {
            let all = Word.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw complaint(value, "'\(full(name))' must be one of \(all)\(said(value))")
        }
        return word
    }

    /// The kind of an upstream.
    mutating func kind(_ kinds: UpstreamKinds) throws(ConfigurationError) -> UpstreamKind? {
        guard let value = value("kind") else { return nil }
        if let kind = value.string.flatMap({ kinds[$0] }) { return kind }
        let all = kinds.names.map { "'\($0)'" }.joined(separator: ", ")
        // A short word is near to any other.
        let meant = value.string.flatMap {
            Spelling.nearest(to: $0, in: kinds.names, within: min(3, $0.count / 2))
        }
        let hint = meant.map { "; did you mean '\($0)'?" } ?? ""
        throw complaint(value, "'\(full("kind"))' must be one of \(all)\(said(value))\(hint)")
    }

    /// Days that a time may have; more is a slip of the pen, and sums of such times must stay numbers.
    private static let mostDays = 3_650

    /// A time such as `250ms`, `10s`, `5m`, `2h`, `30d`, of at least `least` and at most ten years; in milliseconds.
    mutating func duration(_ name: String, least: Int = 0) throws(ConfigurationError) -> Int? {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        return try quantity(
            name, units, least...ConfigurationReader.mostDays * 86_400_000,
            "a time such as \"250ms\", \"10s\" or \"30d\", \(least > 0 ? "at least \(least)ms and " : "")at most \(ConfigurationReader.mostDays)d"
        )
    }

    /// A size such as `64KiB` or `16MiB`, of at least `least` and at most 1 TiB; in bytes.
    mutating func size(_ name: String, least: Int, most: Int = 1 << 30) throws(ConfigurationError) -> Int? {
        func words(_ bytes: Int) -> String {
            for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            where bytes.isMultiple(of: factor) { return "\(bytes / factor)\(unit)" }
            return "\(bytes)B"
        }
        return try quantity(
            name, [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)], least...most,
            "a size such as \"64KiB\" or \"16MiB\", from \(words(least)) to \(words(most))")
    }

    private mutating func quantity(
        _ name: String, _ units: [(String, Int)], _ range: ClosedRange<Int>, _ what: String
    ) throws(ConfigurationError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let text = value.string, let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }),
            let number = Int(text.dropLast(unit.count)), number >= 0, number <= Int.max / factor,
            range.contains(number * factor)
        else {
            throw complaint(value, "'\(full(name))' must be \(what)\(said(value))")
        }
        return number * factor
    }

    mutating func object(_ name: String) throws(ConfigurationError) -> ConfigurationReader? {
        guard let value = value(name) else { return nil }
        return try ConfigurationReader(file: file, bytes: bytes, view: value, path: full(name))
    }

    /// Refuses keys that nobody asked for, with the nearest known one.
    func finish() throws(ConfigurationError) {
        for member in view.members where !known.contains(member.key) {
            let hint =
                Spelling.nearest(to: member.key, in: known, within: 3).map { "; did you mean '\($0)'?" }
                ?? "; known here: \(known.sorted().joined(separator: ", "))"
            throw complaint(member.keyView, "unknown key '\(full(member.key))'\(hint)")
        }
    }
}
