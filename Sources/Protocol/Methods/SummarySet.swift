package import Conversation
internal import JSON

extension Method {
    /// `_convod/summary/set`: gives a summary other words.
    package enum SummarySet: Contract {
        package static let method = Method.summarySet
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            package var summaryID: SummaryID
            /// Its new words, at most 64 KiB.
            package var text: String

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                summaryID = try reader.summaryID()
                guard let words = try reader.string("text", most: 64 << 10), !words.isBlank else {
                    throw .invalid(
                        "'text' is missing or blank; '_convod/summary/delete' throws a summary away")
                }
                text = words
            }
        }
        package typealias Result = Wire.Summary
    }
}
