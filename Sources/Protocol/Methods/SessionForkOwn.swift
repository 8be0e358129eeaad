internal import Conversation
package import JSON

extension Method {
    /// `_convod/session/fork`: `session/fork` with convod's parameters in its own words.
    package enum SessionForkOwn: Contract {
        package static let method = Method.sessionForkOwn
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looksAndChanges

        package static func reach(of params: JSONView?) -> RequestReach {
            ForkQuestion.reach(params, params?["newSessionId"])
        }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Read in convod's own form.
            package var fork: ForkQuestion

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                fork = try ForkQuestion(&reader, isOwn: true)
            }
        }
        package typealias Result = Wire.NewSession
    }
}
