extension JSONView {
    /// The value as a type tells it; what is missing or of another kind is told with its place.
    package func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws(JSONDecoding.Mismatch)
        -> Value
    {
        do { return try JSONDecoding(view: self, path: "").decode(type) } catch let mismatch
            as JSONDecoding.Mismatch
        {
            throw mismatch
        } catch { throw JSONDecoding.Mismatch(path: "", expected: "\(type)") }
    }
}

/// Reads a `Decodable` value out of JSON; members that its type does not declare are passed over, null is absent.
package struct JSONDecoding: Decoder {
    /// What is not as its type says.
    package struct Mismatch: Error, Equatable, CustomStringConvertible {
        /// The place, as `sessions[2].title`; empty for the whole.
        package let path: String
        /// What was to stand there, in words.
        package let expected: String

        package init(path: String, expected: String) {
            self.path = path
            self.expected = expected
        }

        package var description: String { "\(path.isEmpty ? "it" : "'\(path)'") must be \(expected)" }
    }

    /// The value that is read.
    package let view: JSONView
    let path: String
    package var codingPath: [any CodingKey] { [] }
    package var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Something of another kind stands there.
    package func mismatch(_ expected: String) -> Mismatch { Mismatch(path: path, expected: expected) }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        switch type {
        case is String.Type: return try found(view.string, "a string")
        case is Int.Type: return try found(view.int, "an integer")
        case is Bool.Type: return try found(view.bool, "true or false")
        case is Double.Type: return try found(view.double, "a number")
        default:
            do { return try Value(from: self) } catch is DecodingError {
                // Only a word that an enumeration does not know is told so.
                throw mismatch("a word that is known here")
            }
        }
    }

    private func found<Found, Value>(_ found: Found?, _ expected: String) throws -> Value {
        guard let value = found as? Value else { throw mismatch(expected) }
        return value
    }

    package func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard view.kind == .object else { throw mismatch("an object") }
        return KeyedDecodingContainer(Members<Key>(decoding: self))
    }

    package func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard view.kind == .array else { throw mismatch("an array") }
        return Elements(decoding: self)
    }

    package func singleValueContainer() -> any SingleValueDecodingContainer { Single(decoding: self) }
}

extension JSONDecoding {
    private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let decoding: JSONDecoding
        var codingPath: [any CodingKey] { [] }
        var allKeys: [Key] { decoding.view.members.compactMap { Key(stringValue: $0.key) } }

        func contains(_ key: Key) -> Bool { decoding.view[key.stringValue] != nil }
        func decodeNil(forKey key: Key) -> Bool { decoding.view[key.stringValue]?.isNull ?? true }
        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            try inner(key).decode(type)
        }
        private func inner(_ key: Key) throws -> JSONDecoding {
            let path = decoding.path.isEmpty ? key.stringValue : "\(decoding.path).\(key.stringValue)"
            guard let value = decoding.view[key.stringValue] else {
                throw Mismatch(path: path, expected: "there")
            }
            return JSONDecoding(view: value, path: path)
        }
        func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type, forKey key: Key) throws
            -> KeyedDecodingContainer<Inner>
        {
            try inner(key).container(keyedBy: type)
        }
        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
            try inner(key).unkeyedContainer()
        }
        func superDecoder() -> any Decoder { decoding }
        func superDecoder(forKey key: Key) throws -> any Decoder { try inner(key) }
    }

    private struct Elements: UnkeyedDecodingContainer {
        let decoding: JSONDecoding
        private let values: [JSONView]
        private(set) var currentIndex = 0
        var codingPath: [any CodingKey] { [] }
        var count: Int? { values.count }
        var isAtEnd: Bool { currentIndex == values.count }

        init(decoding: JSONDecoding) {
            self.decoding = decoding
            values = Array(decoding.view.elements)
        }

        private mutating func next() throws -> JSONDecoding {
            let path = "\(decoding.path)[\(currentIndex)]"
            guard currentIndex < values.count else { throw Mismatch(path: path, expected: "there") }
            currentIndex += 1
            return JSONDecoding(view: values[currentIndex - 1], path: path)
        }
        mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            try next().decode(type)
        }
        mutating func decodeNil() -> Bool {
            guard currentIndex < values.count, values[currentIndex].isNull else { return false }
            currentIndex += 1
            return true
        }
        mutating func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type) throws
            -> KeyedDecodingContainer<Inner>
        {
            try next().container(keyedBy: type)
        }
        mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
            try next().unkeyedContainer()
        }
        mutating func superDecoder() throws -> any Decoder { try next() }
    }

    private struct Single: SingleValueDecodingContainer {
        let decoding: JSONDecoding
        var codingPath: [any CodingKey] { [] }

        func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoding.decode(type) }
        func decodeNil() -> Bool { decoding.view.isNull }
    }
}

/// JSON that goes through as it came, byte for byte.
package struct RawJSON: Codable, Sendable, Equatable, JSONWritable {
    /// One JSON text.
    package var bytes: [UInt8]

    /// Takes what is JSON already.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        guard let decoding = decoder as? JSONDecoding else { throw JSONEncoding.Foreign() }
        bytes = Array(decoding.view.raw)
    }

    package func write(to writer: inout JSONWriter) { writer.raw(bytes) }
}

/// A value that is passed on as the JSON in which it came or was stored, and read only by who wants to know what it says.
package struct Verbatim<Value: Decodable & Sendable>: Codable, Sendable, Equatable {
    /// One JSON text.
    package var bytes: [UInt8]

    /// Takes what was written for such a value.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws { bytes = try RawJSON(from: decoder).bytes }
    package func encode(to encoder: any Encoder) throws { try RawJSON(bytes).encode(to: encoder) }

    /// What it says, nil where it is not such a value.
    package var value: Value? { try? JSONDocument(bytes).root.decoded() }
}
