internal import JSON

extension Method {
    /// `_convod/store/check`: looks at the whole store, and mends what can be mended where that is asked for.
    package enum StoreCheck: Contract {
        package static let method = Method.storeCheck
        package static let callers = Callers.administrators
        package static let order = RequestOrder.free

        /// Findings of a kind that are told.
        package static let most = 100

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Whether what looks at every message is left out.
            package var isQuick: Bool
            /// Whether what can be mended is mended.
            package var repairs: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                isQuick = try reader.bool("quick") ?? false
                repairs = try reader.bool("repair") ?? false
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// What was found, by kind.
            package var findings: [Finding]
            /// How many of them were mended; 0 where nobody asked for that.
            package var repaired: Int

            package init(findings: [Finding], repaired: Int) {
                self.findings = findings
                self.repaired = repaired
            }
        }

        /// Something that is not as it should be.
        package struct Finding: Codable, Sendable {
            /// A word for its kind.
            package var kind: String
            /// What it is about: a session's ID, a place, SQLite's words.
            package var about: String
            /// What is wrong, in one sentence.
            package var problem: String
            /// What mends it, in one sentence; absent where nothing does.
            package var repair: String?

            package init(kind: String, about: String, problem: String, repair: String?) {
                self.kind = kind
                self.about = about
                self.problem = problem
                self.repair = repair
            }
        }
    }
}
