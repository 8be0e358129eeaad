package import Conversation
internal import JSON

extension Method {
    /// `_convod/upstream/test`: one small call, with an explanation of what came of it.
    package enum UpstreamTest: Contract {
        package static let method = Method.upstreamTest
        package static let callers = Callers.administrators
        package static let order = RequestOrder.free

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var upstream: String
            /// Nil means the upstream's own.
            package var model: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                upstream = try reader.required("upstream")
                model = try reader.name("model")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var upstream: String
            package var model: String
            /// Whether an answer came to its end.
            package var ok: Bool
            /// What the model said, at most 200 characters.
            package var text: String?
            /// Until its first words.
            package var firstMs: Int?
            /// Milliseconds of the whole call.
            package var totalMs: Int
            /// Tokens as the provider counted them; absent when it counted nothing.
            package var usage: Usage?
            /// Absent when all went well.
            package var error: Wire.Failure?
            /// The HTTP status of a failure.
            package var status: Int?
            /// Milliseconds that the server asks to wait; absent when it names none.
            package var retryAfterMs: Int?
            /// What to do next.
            package var hint: String?

            package init(
                upstream: String, model: String, ok: Bool, text: String? = nil, firstMs: Int? = nil,
                totalMs: Int, usage: Usage? = nil, error: Wire.Failure? = nil, status: Int? = nil,
                retryAfterMs: Int? = nil, hint: String? = nil
            ) {
                self.upstream = upstream
                self.model = model
                self.ok = ok
                self.text = text
                self.firstMs = firstMs
                self.totalMs = totalMs
                self.usage = usage
                self.error = error
                self.status = status
                self.retryAfterMs = retryAfterMs
                self.hint = hint
            }
        }
    }
}
