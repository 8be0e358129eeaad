package import Conversation
package import JSON

extension Method {
    /// `_convod/usage`: what was used in some days, summed up by what is asked for.
    ///
    /// Administrators get everybody's, others their own.
    package enum UsageList: Contract {
        package static let method = Method.usageList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// Days of one report at most.
        package static let mostDays: Int64 = 3_660
        /// What rows may be told apart by.
        package static let parts = ["day", "model", "upstream", "user", "session"]

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Days since 1970 (UTC); nil means thirty days up to the other, and today.
            package var from: Int64?
            package var to: Int64?
            /// What rows are told apart by, in this order; empty for one row.
            package var by: [String]
            /// Rows at most.
            package var limit: Int

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                from = try Parameters.day("from", &reader)
                to = try Parameters.day("to", &reader)
                by = try reader.strings("by") ?? ["day"]
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? limits.pageRows
                let known = UsageList.parts.map { "'\($0)'" }.joined(separator: ", ")
                guard Set(by).count == by.count, by.allSatisfy(UsageList.parts.contains) else {
                    throw .invalid("'by' must be an array of \(known), each once at most")
                }
                if let from, let to, from > to || to - from >= UsageList.mostDays {
                    throw .invalid(
                        "'from' must be a day at or before 'to', at most \(UsageList.mostDays) days earlier")
                }
            }

            private static func day(_ name: String, _ reader: inout ParameterReader) throws(WireError)
                -> Int64?
            {
                guard let text = try reader.string(name) else { return nil }
                guard let day = Timestamp.day(text), (-719_162...2_932_896).contains(day) else {
                    throw .invalid("'\(name)' must be a day from 0001-01-01 to 9999-12-31, as \"2026-11-25\"")
                }
                return day
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// The first day and the last one, UTC.
            package var from: String
            package var to: String
            /// In the order of their parts; days count up.
            package var rows: [Row]
            /// All of the days, whatever the limit.
            package var total: Row
            /// Whether there are more rows.
            package var more: Bool

            package init(from: String, to: String, rows: [Row], total: Row, more: Bool) {
                self.from = from
                self.to = to
                self.rows = rows
                self.total = total
                self.more = more
            }
        }

        /// Sums; of what it was not asked by a row says nothing.
        package struct Row: Codable, Sendable {
            /// As `2026-11-25`, UTC.
            package var day: String?
            package var model: String?
            package var upstream: String?
            /// A number of a user (uid).
            package var user: Int?
            /// Absent for a session that is gone, too.
            package var sessionId: SessionID?
            /// Turns that were asked.
            package var prompts: Int
            /// Those that came to nothing.
            package var failures: Int
            /// Tokens of requests, those out of and into the provider's cache included.
            package var inputTokens: Int
            package var cachedTokens: Int
            package var writtenTokens: Int
            /// Tokens of answers, thoughts included.
            package var outputTokens: Int
            package var thoughtTokens: Int
            package var cost: Dollars
            /// Calls that cost what nobody knows; they are not in `cost`.
            package var unpriced: Int
            /// Milliseconds to the first piece; absent where none is known, and by session.
            package var latencyMs: Latency?

            /// Milliseconds that a share of the turns did not pass, in steps of a third to a half.
            package struct Latency: Codable, Sendable {
                package var p50: Int
                package var p95: Int

                package init(p50: Int, p95: Int) {
                    self.p50 = p50
                    self.p95 = p95
                }
            }

            /// Nothing used.
            package init() {
                (prompts, failures, inputTokens, cachedTokens, writtenTokens) = (0, 0, 0, 0, 0)
                (outputTokens, thoughtTokens, unpriced) = (0, 0, 0)
                cost = Dollars(nil)
            }
        }
    }

    /// What something costs; null on the wire where nobody knows, so that nobody takes that for nothing.
    package struct Dollars: Codable, Sendable, Equatable {
        /// Nil where nobody knows.
        package var amount: Double?

        package init(_ amount: Double?) { self.amount = amount }

        package init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            amount = value.decodeNil() ? nil : try value.decode(Double.self)
        }

        package func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            if let amount { try value.encode(amount) } else { try value.encodeNil() }
        }
    }
}
