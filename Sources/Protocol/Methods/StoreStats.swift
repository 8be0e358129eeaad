package import Conversation
package import JSON

extension Method {
    /// `_convod/store/stats`: how much there is: by session, by day, and in the file.
    ///
    /// Administrators get everybody's and the file, others their own.
    package enum StoreStats: Contract {
        package static let method = Method.storeStats
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Sessions that are told, the largest.
            package var limit: Int

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? 10
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Sessions that hold messages, messages, and bytes of their contents.
            package var sessions: Int
            package var messages: Int
            package var bytes: Int
            /// The largest sessions, largest first.
            package var largest: [Session]
            /// The last 30 days, oldest first.
            package var days: [Day]
            /// Absent for others than administrators.
            package var file: File?

            package init(
                sessions: Int, messages: Int, bytes: Int, largest: [Session], days: [Day], file: File?
            ) {
                self.sessions = sessions
                self.messages = messages
                self.bytes = bytes
                self.largest = largest
                self.days = days
                self.file = file
            }
        }

        /// A session and what it holds by itself; what it shares counts where it was first said.
        package struct Session: Codable, Sendable {
            package var sessionId: SessionID
            package var owner: Int
            package var title: String?
            package var messages: Int
            package var bytes: Int

            package init(sessionId: SessionID, owner: Int, title: String?, messages: Int, bytes: Int) {
                self.sessionId = sessionId
                self.owner = owner
                self.title = title
                self.messages = messages
                self.bytes = bytes
            }
        }

        /// What a day brought.
        package struct Day: Codable, Sendable {
            /// As "2026-11-29" (UTC).
            package var day: String
            package var messages: Int
            package var bytes: Int

            package init(day: String, messages: Int, bytes: Int) {
                self.day = day
                self.messages = messages
                self.bytes = bytes
            }
        }

        /// The database's file, in bytes.
        package struct File: Codable, Sendable {
            package var bytes: Int
            /// Of these such as hold nothing now.
            package var free: Int
            /// Of these the search index, about.
            package var index: Int
            /// Messages that are not in the index yet.
            package var notIndexed: Int

            package init(bytes: Int, free: Int, index: Int, notIndexed: Int) {
                self.bytes = bytes
                self.free = free
                self.index = index
                self.notIndexed = notIndexed
            }
        }
    }
}
