package import Conversation
package import JSON

extension Method {
    /// `_convod/message/append`: adds messages that no model made.
    package enum MessageAppend: Contract {
        package static let method = Method.messageAppend
        package static let callers = Callers.controllers
        package static let order = RequestOrder.changes

        /// What to do when the session is not there: make it in the directory that the request names, or answer
        /// `not_found`.
        package enum IfMissing: String, Sendable, CaseIterable { case create, error }

        /// One of the messages.
        package struct NewMessage: Sendable {
            package var role: Message.Role
            /// The JSON array of parts as it is kept; see `Message.content`.
            package var content: [UInt8]
            /// The same, decoded; each is allowed for the role.
            package var parts: [Part]
            /// A raw JSON object of at most 64 KiB; nil for none.
            package var metadata: [UInt8]?
            /// Milliseconds since 1970, which do not change the order; nil means now.
            package var createdAt: Int64?
            /// Whether every window holds it; unless said otherwise, messages of role `system` are pinned.
            package var isPinned: Bool
        }

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            package var ifMissing: IfMissing
            /// The directory of a session that is made, an absolute path; nil means the home of the client's user.
            package var cwd: String?
            /// At least one and at most a page's rows, in the order in which they are stored.
            package var messages: [NewMessage]
            /// What `_convod/context/build` gave for the window that the answers among them were made with; nil for none.
            package var windowID: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                ifMissing = try reader.word("ifMissing", IfMissing.self) ?? .error
                cwd = try reader.directory()
                windowID = try reader.string("windowId", most: 64 << 10)
                guard let array = try reader.array("messages") else {
                    throw .invalid("'messages' is missing")
                }
                messages = []
                for (index, element) in array.elements.enumerated() {
                    guard index < limits.pageRows else {
                        throw .invalid(
                            "'messages' may hold \(limits.pageRows) messages; send several requests")
                    }
                    messages.append(try NewMessage(element, path: "messages[\(index)]"))
                }
                guard !messages.isEmpty else {
                    throw .invalid("'messages' must hold at least one message")
                }
            }
        }

        /// What it gives.
        package struct Result: Codable, JSONWritable, MethodResult {
            package var sessionId: SessionID
            /// In the order in which they were given.
            package var messageIds: [MessageID]
            /// The place of the first of them on the active path, from 1.
            package var firstSeq: Int
            /// The place of the last of them.
            package var lastSeq: Int

            package init(sessionId: SessionID, messageIds: [MessageID], firstSeq: Int, lastSeq: Int) {
                self.sessionId = sessionId
                self.messageIds = messageIds
                self.firstSeq = firstSeq
                self.lastSeq = lastSeq
            }

            package func write(to writer: inout JSONWriter) {
                writer.object {
                    $0.member("sessionId", sessionId.text)
                    $0.key("messageIds")
                    $0.array { for id in messageIds { $0.string(id) } }
                    $0.member("firstSeq", firstSeq)
                    $0.member("lastSeq", lastSeq)
                }
            }
        }
    }
}

extension Method.MessageAppend.NewMessage {
    fileprivate init(_ view: JSONView, path: String) throws(WireError) {
        var reader = try ParameterReader(view, path: path)
        let name = try reader.required("role")
        guard let role = Message.Role(name: name) else {
            throw .invalid("'\(path).role' must be 'system', 'user', 'assistant' or 'tool'")
        }
        guard let array = try reader.array("content") else { throw .invalid("'\(path).content' is missing") }
        self.role = role
        parts = try checkedContent(array, path: "\(path).content", role: role)
        guard !parts.isEmpty else { throw .invalid("'\(path).content' must hold at least one part") }
        content = Message.content(array)
        metadata = try reader.metadata()
        createdAt = try reader.time("createdAt")
        isPinned = try reader.bool("pinned") ?? (role == .system)
        try reader.finish()
    }
}
