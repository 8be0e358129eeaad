internal import Conversation
package import JSON

extension Method {
    /// `session/fork` (unstable in ACP v1): a new session with the messages of another up to a place.
    package enum SessionFork: Contract {
        package static let method = Method.sessionFork
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looksAndChanges

        package static func reach(of params: JSONView?) -> RequestReach {
            ForkQuestion.reach(params, params?["_meta"]?["convod"]?["sessionId"])
        }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Read in ACP's form, convod's parameters in `_meta.convod`.
            package var fork: ForkQuestion

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                fork = try ForkQuestion(&reader, isOwn: false)
            }
        }
        package typealias Result = Wire.NewSession
    }
}
