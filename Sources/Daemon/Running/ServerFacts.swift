internal import Conversation
internal import Posix
internal import Protocol
internal import Store

/// What the server knows of itself.
final class ServerFacts {
    var socket = ""
    var database = ""
    var configuration: String?
    /// Milliseconds since 1970.
    var startedAt: Int64 = 0
    /// The same on a clock that is never set, in milliseconds.
    var startedSteady: Int64 = 0
    let uid = Process.userID
    var user: UserID { UserID(uid) }
    /// Names of the variables with keys that its environment has.
    var keyVariables: [String] = []
    var connections: () -> Int = { 0 }
    /// All that are connected.
    var clients: () -> [Client] = { [] }
    /// Takes up the configuration anew; gives the keys that need a restart.
    var reload: () throws(ConfigurationError) -> [String] = { [] }

    /// The OpenRPC description, without the white space that would end a line.
    lazy var description: [UInt8] = {
        var out: [UInt8] = []
        var isInString = false, isEscaped = false
        for byte in EmbeddedSchema.protocolDescription {
            if isInString {
                isInString = isEscaped || byte != 0x22
                isEscaped = !isEscaped && byte == 0x5C
            } else if byte <= 0x20 {
                continue
            } else if byte == 0x22 {
                isInString = true
            }
            out.append(byte)
        }
        return out
    }()
}
