package import Conversation
internal import JSON

extension Method {
    /// `session/set_config_option` (ACP v1): sets one of a session's options.
    package enum SessionSetConfigOption: Contract {
        package static let method = Method.sessionSetConfigOption
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// The `id` of one of the session's `ConfigOption`s.
            package var configID: String
            /// One of the values that the option offers.
            package var value: String

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                configID = try reader.required("configId")
                value = try reader.required("value")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// All of the session's, as they are then.
            package var configOptions: [Wire.ConfigOption]

            package init(configOptions: [Wire.ConfigOption]) {
                self.configOptions = configOptions
            }
        }
    }
}
