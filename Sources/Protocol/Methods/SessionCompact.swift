package import Conversation
internal import JSON

extension Method {
    /// `_convod/session/compact`: summarizes all before the newest turn, which is sent in its place from then on.
    package enum SessionCompact: Contract {
        package static let method = Method.sessionCompact
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// What the summary should mind above all, at most 16 KiB; nil for nothing.
            package var instructions: String?
            /// Whether only what it would take is told, and nobody is asked.
            package var isDryRun: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                instructions = try reader.string("instructions", most: 16 << 10)
                isDryRun = try reader.bool("dryRun") ?? false
            }
        }
        package typealias Result = Wire.Summary
    }
}
