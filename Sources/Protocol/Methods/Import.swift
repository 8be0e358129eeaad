package import Conversation
package import JSON

extension Method {
    /// `_convod/import`: reads a session in that was written down in JSON lines, in as many calls as it takes.
    package enum Import: Contract {
        package static let method = Method.importRecords
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looksAndChanges
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// Records of one call at most.
        package static let most = 1_000

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// What the first call gave; nil for that.
            package var importID: String?
            /// Raw JSON objects, as they stand in the file; of a first call the first is the session.
            package var records: [[UInt8]]
            /// Whether these are the last ones.
            package var isEnd: Bool
            /// Whether at the end the session is taken although its newest message did not come.
            package var takesCut: Bool
            /// Whether nothing is written; for a first call, whose other records are only read.
            package var isDryRun: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                importID = try reader.name("importId")
                guard let array = try reader.array("records") else { throw .invalid("'records' is missing") }
                records = []
                for element in array.elements {
                    guard element.kind == .object else { throw .invalid("'records' must hold objects") }
                    guard records.count < Import.most else {
                        throw .invalid("'records' may hold \(Import.most) records; send several requests")
                    }
                    records.append(Array(element.raw))
                }
                isEnd = try reader.bool("end") ?? false
                takesCut = try reader.bool("cut") ?? false
                isDryRun = try reader.bool("dryRun") ?? false
                if importID == nil && records.isEmpty {
                    throw .invalid("'records' must begin with the session, or 'importId' say which one it is")
                }
                if isDryRun && importID != nil {
                    throw .invalid("'dryRun' is for a first call; it makes no 'importId'")
                }
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// For the next call; absent at the end, of a dry run, and where the session is there already.
            package var importId: String?
            /// What the session is called, or will be.
            package var sessionId: SessionID
            /// True where this very session is there already, and nothing is done; else absent.
            package var exists: Bool?
            /// True where it is in the trash; else absent.
            package var trashed: Bool?
            /// True where it has not the changes that the file has behind its newest message; else absent.
            package var older: Bool?
            /// Records so far, by kind.
            package var messages: Int
            /// Of the messages those that a session that is there has too, and that both share.
            package var sharedMessages: Int
            /// Of the messages those that got another ID.
            package var renamedMessages: Int
            package var turns: Int
            package var summaries: Int

            /// Nothing was read so far.
            package init(sessionId: SessionID) {
                self.sessionId = sessionId
                (messages, sharedMessages, renamedMessages, turns, summaries) = (0, 0, 0, 0, 0)
            }
        }
    }
}
