package import Conversation
internal import JSON

/// The shapes of what goes over the wire, as `schema/protocol.json` describes them under `components`.
///
/// Members have the names that they have on the wire; times are milliseconds since 1970 in Swift.
package enum Wire {}

extension Wire {
    /// A time: RFC 3339 in UTC with milliseconds on the wire.
    package struct Time: Codable, Sendable, Equatable {
        /// Milliseconds since 1970.
        package var milliseconds: Int64
        /// As it stands on the wire.
        package var text: String { Timestamp.text(milliseconds) }

        /// Takes milliseconds since 1970.
        package init(_ milliseconds: Int64) { self.milliseconds = milliseconds }

        package init(from decoder: any Decoder) throws {
            milliseconds = try word(decoder, "a time") { Timestamp.milliseconds($0) }
        }
        package func encode(to encoder: any Encoder) throws { try encoder.put(text) }
    }

    /// What went wrong, of an error or a turn that failed.
    package struct Failure: Codable, Sendable, Equatable {
        /// One of `ErrorKind`'s words; a later version may have others.
        package var kind: String
        /// One sentence for a person.
        package var message: String

        package init(kind: String, message: String) {
            self.kind = kind
            self.message = message
        }
    }
}

/// Reads a string that `make` understands.
private func word<Value>(_ decoder: any Decoder, _ expected: String, _ make: (String) -> Value?) throws
    -> Value
{
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let value = make(text) else {
        throw (decoder as? JSONDecoding)?.mismatch(expected)
            ?? JSONDecoding.Mismatch(path: "", expected: expected)
    }
    return value
}

extension Encoder {
    fileprivate func put(_ text: String) throws {
        var container = singleValueContainer()
        try container.encode(text)
    }
}

extension ID: Codable {
    package init(from decoder: any Decoder) throws { self = try word(decoder, "an ID") { ID($0) } }
    package func encode(to encoder: any Encoder) throws { try encoder.put(description) }
}

extension SessionID: Codable {
    package init(from decoder: any Decoder) throws {
        self = try word(decoder, "a session's ID") { SessionID($0) }
    }
    package func encode(to encoder: any Encoder) throws { try encoder.put(text) }
}

extension Message.Role: Codable {
    package init(from decoder: any Decoder) throws {
        self = try word(decoder, "a role") { Message.Role(name: $0) }
    }
    package func encode(to encoder: any Encoder) throws { try encoder.put(name) }
}

extension Message.Status: Codable {
    package init(from decoder: any Decoder) throws {
        self = try word(decoder, "a message's status") { name in
            Message.Status.allCases.first { $0.name == name }
        }
    }
    package func encode(to encoder: any Encoder) throws { try encoder.put(name) }
}

extension TurnRecord.State: Codable {
    package init(from decoder: any Decoder) throws {
        self = try word(decoder, "a turn's state") { name in
            TurnRecord.State.allCases.first { $0.name == name }
        }
    }
    package func encode(to encoder: any Encoder) throws { try encoder.put(name) }
}

extension StopReason: Codable {}

extension JSONWriter {
    /// Writes milliseconds since 1970 as a time.
    mutating func string(time: Int64) {
        let form = JSONWriter.time
        begin(form) { Timestamp.write(time, to: &$0, at: form.gaps[0]) }
        ended()
    }
    private static let time = JSONForm("\"", .time, "\"")

    /// Writes a member whose value is a time.
    mutating func member(_ name: String, _ time: Wire.Time) {
        key(name)
        string(time: time.milliseconds)
    }
    /// Writes the member only when there is a time.
    mutating func optional(_ name: String, _ time: Wire.Time?) { if let time { member(name, time) } }
}
