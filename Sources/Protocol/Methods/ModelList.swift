internal import JSON

extension Method {
    /// `_convod/model/list`: the models of the upstreams, asked now.
    package enum ModelList: Contract {
        package static let method = Method.modelList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.free

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// Nil asks all.
            package var upstream: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                upstream = try reader.name("upstream")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var models: [Model]
            /// Upstreams that could not be asked.
            package var errors: [Problem]

            package init(models: [Model], errors: [Problem]) {
                self.models = models
                self.errors = errors
            }

            /// One that can be asked.
            package struct Model: Codable, Sendable {
                /// The name of the upstream that has it.
                package var upstream: String
                /// The provider's name for it.
                package var id: String
                /// Whether its upstream uses it when nobody names one.
                package var isDefault: Bool
                /// Tokens, where that is known.
                package var contextLength: Int?

                package init(upstream: String, id: String, isDefault: Bool, contextLength: Int? = nil) {
                    self.upstream = upstream
                    self.id = id
                    self.isDefault = isDefault
                    self.contextLength = contextLength
                }
            }

            /// Why an upstream says nothing.
            package struct Problem: Codable, Sendable {
                /// The upstream's name.
                package var upstream: String
                /// One sentence for a person.
                package var message: String

                package init(upstream: String, message: String) {
                    self.upstream = upstream
                    self.message = message
                }
            }
        }
    }
}
