internal import Conversation
package import JSON

/// Reads an object's members strictly: nothing is coerced, and what nobody asked for can be refused.
package struct ParameterReader {
    /// The object that is read; nil reads like an empty one.
    package let view: JSONView?
    private let path: String
    /// The members that were asked for: few, so an array.
    private var known = ["_meta"]

    /// Reads `view`, whose members are called `path.name` in errors (`name` when `path` is empty).
    package init(_ view: JSONView?, path: String = "") throws(WireError) {
        if let view {
            guard view.kind == .object else {
                throw .invalid("\(path.isEmpty ? "'params'" : "'\(path)'") must be an object")
            }
            if let key = view.duplicateKey {
                throw .invalid("the key '\(key.prefix(40))' stands twice; each may stand once")
            }
        }
        self.view = view
        self.path = path.isEmpty ? "" : path + "."
    }

    /// The member, nil when it is absent or null.
    package mutating func value(_ name: String) -> JSONView? {
        known.append(name)
        guard let value = view?[name], !value.isNull else { return nil }
        return value
    }

    /// The member, null included, nil when it is absent.
    package mutating func nullable(_ name: String) -> JSONView? {
        known.append(name)
        return view?[name]
    }

    /// A string of any length, nil where the member is absent or null.
    package mutating func string(_ name: String) throws(WireError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string else { throw wrong(name, "a string") }
        return text
    }

    /// A string of at most `most` bytes.
    package mutating func string(_ name: String, most: Int) throws(WireError) -> String? {
        guard let value = value(name) else { return nil }
        // A raw string is never shorter than what it says.
        guard value.kind != .string || value.raw.count <= 6 * most + 2 else {
            throw tooLong(name, most, value.raw.count - 2)
        }
        guard let text = value.string else { throw wrong(name, "a string") }
        guard text.utf8.count <= most else { throw tooLong(name, most, text.utf8.count) }
        return text
    }

    /// An object or array kept as it came, of at most `most` bytes.
    package mutating func raw(_ name: String, _ kind: JSONDocument.Kind, most: Int) throws(WireError)
        -> [UInt8]?
    {
        guard let value = kind == .array ? try array(name) : try object(name) else { return nil }
        guard value.raw.count <= most else { throw tooLong(name, most, value.raw.count) }
        return Array(value.raw)
    }

    private func tooLong(_ name: String, _ most: Int, _ size: Int) -> WireError {
        .invalid("'\(path)\(name)' may have \(most) bytes, it has \(size)")
    }

    /// The name of an upstream, a model, an option or a place in a list.
    package mutating func name(_ name: String) throws(WireError) -> String? {
        try string(name, most: Limits.name)
    }

    /// A string of at most `Limits.name` bytes, which must be there.
    package mutating func required(_ name: String) throws(WireError) -> String {
        guard let text = try string(name, most: Limits.name) else {
            throw .invalid("'\(path)\(name)' is missing")
        }
        return text
    }

    /// A client's key for sending once.
    package mutating func requestID() throws(WireError) -> String? {
        let id = try string("requestId")
        if let id, !(1...256).contains(id.utf8.count) {
            throw .invalid("'requestId' must have 1 to 256 bytes, it has \(id.utf8.count)")
        }
        return id
    }

    /// A truth value, nil where the member is absent or null.
    package mutating func bool(_ name: String) throws(WireError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.bool else { throw wrong(name, "true or false") }
        return flag
    }

    /// An integer in `range`.
    package mutating func int(_ name: String, in range: ClosedRange<Int>) throws(WireError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let number = value.int else { throw wrong(name, "an integer") }
        guard range.contains(number) else {
            throw .invalid(
                "'\(path)\(name)' must be from \(range.lowerBound) to \(range.upperBound), it is \(number)")
        }
        return number
    }

    /// One of the words of an enumeration.
    package mutating func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type)
        throws(WireError) -> Word?
    where Word.RawValue == String {
        guard let text = try string(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw wrong(name, Word.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or "))
        }
        return word
    }

    /// An object as it came, nil where the member is absent or null.
    package mutating func object(_ name: String) throws(WireError) -> JSONView? {
        guard let value = value(name) else { return nil }
        guard value.kind == .object else { throw wrong(name, "an object") }
        return value
    }

    /// An array as it came, nil where the member is absent or null.
    package mutating func array(_ name: String) throws(WireError) -> JSONView? {
        guard let value = value(name) else { return nil }
        guard value.kind == .array else { throw wrong(name, "an array") }
        return value
    }

    /// An array of strings.
    package mutating func strings(_ name: String) throws(WireError) -> [String]? {
        guard let value = try array(name) else { return nil }
        var out: [String] = []
        for element in value.elements {
            guard let text = element.string else { throw wrong(name, "an array of strings") }
            out.append(text)
        }
        return out
    }

    /// A time in RFC 3339.
    package mutating func time(_ name: String) throws(WireError) -> Int64? {
        guard let text = try string(name) else { return nil }
        guard let time = Timestamp.milliseconds(text) else {
            throw wrong(name, "a time as in '2026-11-25T06:00:00.000Z'")
        }
        return time
    }

    /// Refuses members that nobody asked for.
    package func finish() throws(WireError) {
        guard let view else { return }
        for member in view.members where !known.contains(member.key) {
            throw .invalid("'\(path)\(member.key.prefix(60))' is not known here")
        }
    }

    /// The error for a member of the wrong type.
    package func wrong(_ name: String, _ expected: String) -> WireError {
        .invalid("'\(path)\(name)' must be \(expected)")
    }
}
