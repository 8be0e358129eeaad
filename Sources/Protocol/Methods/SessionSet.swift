package import Conversation
internal import JSON

extension Method {
    /// `_convod/session/set`: absent leaves a field as it is, null clears it.
    package enum SessionSet: Contract {
        package static let method = Method.sessionSet
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// `quota` may be set by administrators only.
            package var change = SessionChange()

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                if reader.nullable("title") != nil { change.title = .set(try reader.title()) }
                if reader.nullable("system") != nil { change.system = .set(try reader.system()) }
                if reader.nullable("upstream") != nil { change.upstream = .set(try reader.name("upstream")) }
                if reader.nullable("model") != nil { change.model = .set(try reader.name("model")) }
                if reader.nullable("window") != nil { change.window = .set(try reader.window()) }
                if reader.nullable("quota") != nil { change.quota = .set(try Parameters.quota(&reader)) }
                if reader.nullable("tags") != nil { change.tags = .set(try reader.tags()) }
                if reader.nullable("metadata") != nil { change.metadata = .set(try reader.metadata()) }
                change.isArchived = try reader.bool("archived")
            }

            private static func quota(_ reader: inout ParameterReader) throws(WireError) -> [UInt8]? {
                guard let value = try reader.object("quota") else { return nil }
                var inner = try ParameterReader(value, path: "quota")
                _ = try inner.int("tokens", in: 1...Int.max)
                if let cost = inner.value("cost"), cost.double.map({ (0...1e12).contains($0) }) != true {
                    throw .invalid("'quota.cost' must be a number of dollars from 0 to 1e12")
                }
                try inner.finish()
                return Array(value.raw)
            }
        }
        package typealias Result = Wire.Session
    }
}
