/// A value that can be told as JSON: by its members, or as it writes itself.
package protocol JSONRepresentable: Encodable {
    /// Writes the value, one JSON text.
    func write(to writer: inout JSONWriter)
}

extension JSONRepresentable {
    /// Writes the members that the type declares.
    package func write(to writer: inout JSONWriter) { JSONEncoding.write(self, to: &writer) }
}

/// A value that writes its own JSON, where it is written too often for the synthesized way.
package protocol JSONWritable: JSONRepresentable {}

extension JSONWritable {
    package func encode(to encoder: any Encoder) throws {
        guard let encoding = encoder as? JSONEncoding else { throw JSONEncoding.Foreign() }
        write(to: &encoding.writer)
    }
}

extension JSONWriter {
    /// The JSON of a value.
    package static func bytes(of value: some JSONRepresentable) -> [UInt8] {
        var writer = JSONWriter()
        value.write(to: &writer)
        return writer.bytes
    }

    /// The JSON of whatever can be encoded.
    package static func bytes(encoding value: some Encodable) -> [UInt8] {
        var writer = JSONWriter()
        JSONEncoding.write(value, to: &writer)
        return writer.bytes
    }

    /// The JSON of an array of values.
    package static func bytes(of values: [some JSONRepresentable]) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { for value in values { value.write(to: &$0) } }
        return writer.bytes
    }
}

/// Writes an `Encodable` value as JSON; its members are what its type declares, and an optional one is absent for nil.
final class JSONEncoding: Encoder {
    /// Thrown for an encoder of somebody else, which can write no JSON as it came.
    struct Foreign: Error {}

    var writer = JSONWriter()
    private var brackets: [UInt8] = []
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Writes a value whose members are told by its type behind what is written already.
    static func write(_ value: some Encodable, to writer: inout JSONWriter) {
        let encoding = JSONEncoding()
        swap(&encoding.writer, &writer)
        // Nothing of what is encoded throws: it is made of what JSON has.
        do { try encoding.encode(value) } catch { preconditionFailure("\(error)") }
        swap(&encoding.writer, &writer)
    }

    /// Writes one value, and ends what it has begun.
    func encode(_ value: some Encodable) throws {
        switch value {
        case let text as String: writer.string(text)
        case let number as Int: writer.int(number)
        case let flag as Bool: writer.bool(flag)
        case let number as Double: writer.double(number)
        default:
            let depth = brackets.count
            try value.encode(to: self)
            while brackets.count > depth, let bracket = brackets.popLast() { writer.close(bracket) }
        }
    }

    private func begin(_ opening: UInt8, _ closing: UInt8) {
        writer.open(opening)
        brackets.append(closing)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        begin(0x7B, 0x7D)
        return KeyedEncodingContainer(Members<Key>(encoding: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        begin(0x5B, 0x5D)
        return Elements(encoding: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(encoding: self) }
}

extension JSONEncoding {
    private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let encoding: JSONEncoding
        var codingPath: [any CodingKey] { [] }

        func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
            encoding.writer.key(key.stringValue)
            try encoding.encode(value)
        }
        func encodeNil(forKey key: Key) {
            encoding.writer.key(key.stringValue)
            encoding.writer.null()
        }
        func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type, forKey key: Key)
            -> KeyedEncodingContainer<Inner>
        {
            encoding.writer.key(key.stringValue)
            return encoding.container(keyedBy: type)
        }
        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            encoding.writer.key(key.stringValue)
            return encoding.unkeyedContainer()
        }
        func superEncoder() -> any Encoder { encoding }
        func superEncoder(forKey key: Key) -> any Encoder {
            encoding.writer.key(key.stringValue)
            return encoding
        }
    }

    private struct Elements: UnkeyedEncodingContainer {
        let encoding: JSONEncoding
        private(set) var count = 0
        var codingPath: [any CodingKey] { [] }

        init(encoding: JSONEncoding) { self.encoding = encoding }

        mutating func encode<Value: Encodable>(_ value: Value) throws {
            count += 1
            try encoding.encode(value)
        }
        mutating func encodeNil() {
            count += 1
            encoding.writer.null()
        }
        func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type) -> KeyedEncodingContainer<Inner> {
            encoding.container(keyedBy: type)
        }
        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoding.unkeyedContainer() }
        func superEncoder() -> any Encoder { encoding }
    }

    private struct Single: SingleValueEncodingContainer {
        let encoding: JSONEncoding
        var codingPath: [any CodingKey] { [] }

        func encode<Value: Encodable>(_ value: Value) throws { try encoding.encode(value) }
        func encodeNil() { encoding.writer.null() }
    }
}

/// An object whose keys are not known beforehand; it is written in their order.
package struct JSONTable<Value: Codable & Sendable>: Codable, Sendable, ExpressibleByDictionaryLiteral {
    /// Written in the order of the names.
    package var members: [String: Value]

    package init(_ members: [String: Value]) { self.members = members }
    package init(dictionaryLiteral elements: (String, Value)...) {
        members = Dictionary(elements) { first, _ in first }
    }
    package init(from decoder: any Decoder) throws {
        members = try decoder.singleValueContainer().decode([String: Value].self)
    }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            try container.encode(value, forKey: Name(stringValue: name))
        }
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
