internal import JSON

extension Method {
    /// `_convod/server/reload`: takes up the configuration anew, as SIGHUP does, and says what came of it.
    package enum ServerReload: Contract {
        package static let method = Method.serverReload
        package static let callers = Callers.administrators
        package static let order = RequestOrder.free

        /// What it takes: nothing.
        package struct Parameters: MethodParameters {
            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {}
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Keys that were changed in the file and stay as they are until a restart.
            package var restartNeeded: [String]

            package init(restartNeeded: [String]) { self.restartNeeded = restartNeeded }
        }
    }
}
