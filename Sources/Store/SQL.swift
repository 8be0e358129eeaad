/// The text of a statement: a literal, behind the columns of a record where it reads whole records.
struct SQL: ExpressibleByStringLiteral {
    /// What the text begins with; records read their columns in this order.
    enum Head: Int, Hashable {
        case none, sessions, listedSessions, turns, openTurns, messages, markedMessages, summaries

        /// What a message is read from.
        private static let message = """
            SELECT m.key, m.id, m.role, m.status, t.uuid, m.created_at, m.tokens, m.metadata, m.content, \
            m.binding, m.size, m.deleted_at\u{20}
            """

        var text: String {
            switch self {
            case .none: ""
            case .sessions:
                """
                SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens, created_at, \
                updated_at, activity, archived, trashed_at, \
                head = 0 AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.session = session.id), appended_system \
                FROM session\u{20}
                """
            // Without what lists do not show, and what may be large.
            case .listedSessions:
                """
                SELECT id, owner, name, title, cwd, '[]', NULL, settings, tags, NULL, branch, head, tokens, created_at, \
                updated_at, activity, archived, trashed_at, \
                head = 0 AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.session = session.id), NULL FROM session\u{20}
                """
            // Without the prompts, which are read when they are taken up.
            case .openTurns:
                """
                SELECT id, uuid, session, state, NULL, prompt_id, answer_id, request_id, request_hash, options, stop_reason, \
                finish, error, upstream, model, usage, NULL, created_at, started_at, ended_at, detail, \
                cached FROM turn\u{20}
                """
            case .turns:
                """
                SELECT id, uuid, session, state, prompt, prompt_id, answer_id, request_id, request_hash, options, stop_reason, \
                finish, error, upstream, model, usage, receipt, created_at, started_at, ended_at, detail, \
                cached FROM turn\u{20}
                """
            case .messages: Head.message + "FROM message m "
            case .summaries:
                """
                SELECT id, uuid, first_seq, message, text, problem, requested, made_at, upstream, model, input_tokens, output_tokens, \
                created_at, edited_at, cost FROM summary\u{20}
                """
            case .markedMessages:
                Head.message
                    + "FROM mark k INDEXED BY mark_kind CROSS JOIN message m ON m.key = k.message "
            }
        }
    }

    /// Tells statements apart: a literal has one address, but two heads may share a literal.
    struct Key: Hashable {
        let head: Head
        let address: UInt
    }

    private let head: Head
    private let rest: StaticString

    init(stringLiteral rest: StaticString) { self.init(.none, rest) }

    private init(_ head: Head, _ rest: StaticString) {
        self.head = head
        self.rest = rest
    }

    static func sessions(_ rest: StaticString) -> SQL { SQL(.sessions, rest) }
    static func listedSessions(_ rest: StaticString) -> SQL { SQL(.listedSessions, rest) }
    static func turns(_ rest: StaticString) -> SQL { SQL(.turns, rest) }
    static func openTurns(_ rest: StaticString) -> SQL { SQL(.openTurns, rest) }
    static func messages(_ rest: StaticString) -> SQL { SQL(.messages, rest) }
    static func markedMessages(_ rest: StaticString) -> SQL { SQL(.markedMessages, rest) }
    static func summaries(_ rest: StaticString) -> SQL { SQL(.summaries, rest) }

    var key: Key { unsafe Key(head: head, address: UInt(bitPattern: rest.utf8Start)) }
    var text: String { head.text + rest.description }
}
