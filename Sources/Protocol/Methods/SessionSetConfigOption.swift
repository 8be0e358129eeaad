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
            package var configID: String
            package var value: String

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                configID = try reader.required("configId")
                value = try reader.required("value")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var configOptions: [Wire.ConfigOption]

            package init(configOptions: [Wire.ConfigOption]) {
                self.configOptions = configOptions
            }
        }
    }
}
