package import JSON

/// What one method is: who may call it, what it may pass, what it takes and what it gives.
///
/// A method is one file in `Methods`: its contract. A handler in `Daemon` and an entry of `schema/protocol.json` go with it.
package protocol Contract: Sendable {
    /// What it takes.
    associatedtype Parameters: MethodParameters
    /// What it gives; a notification gives nothing, and nobody reads it.
    associatedtype Result: MethodResult
    /// The method's entry in the list of all, and with that its name on the wire.
    static var method: Method { get }
    /// Who is answered; whoever else calls it gets `permission_denied`.
    static var callers: Callers { get }
    /// Whether those are answered too who may look at everything and change nothing.
    static var isForWatchers: Bool { get }
    /// What a request of it waits for among those of the same client.
    static var order: RequestOrder { get }
    /// Whether somebody waits for its answer in a conversation: what else is asked may wait a little for that.
    static var isConversation: Bool { get }
    /// Whether it begins a turn, which goes on without its client unless that asked otherwise.
    static var beginsTurn: Bool { get }
    /// What a request with these parameters is about; asked before they are read.
    static func reach(of params: JSONView?) -> RequestReach
}

/// Parameters of a method, read strictly.
package protocol MethodParameters: Sendable {
    /// Reads them; `limits` bound pages and lists.
    init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError)
}

/// What a method gives, as it is written and read.
package protocol MethodResult: Decodable, JSONRepresentable, Sendable {}

/// Who may call a method; some refuse single parameters to all but administrators beside that.
package enum Callers: String, Sendable {
    /// Everybody, also who only observes the session that it is about.
    case everyone
    /// Everybody but those who only observe the session.
    case controllers
    /// Those who see all sessions.
    case administrators
}

/// What a request may pass among those of the same client.
package enum RequestOrder: Sendable {
    /// Acts at once, ahead of everything that waits.
    case overtakes
    /// Neither changes nor looks at sessions, so it waits for nobody.
    case free
    /// Changes a session, most of the time without looking at it; the store keeps the order, so several may be on their way.
    case changes
    /// Looks at a session, so it waits until the changes of it before are stored.
    case looks
    /// Looks at a session and then changes it: those behind it wait for that.
    case looksAndChanges

    /// Whether it changes something, so that what looks at the same behind it must wait.
    package var isChange: Bool { self == .changes || self == .looksAndChanges }
}

/// What a request is about: only requests about the same keep their order.
package enum RequestReach: Sendable, Equatable {
    /// Some sessions, by their IDs as the client wrote them; none for a new one.
    case sessions([String])
    /// Whatever session there is: a list, or a turn whose session is not known yet.
    case any
}

extension Contract {
    package static var isForWatchers: Bool { callers == .everyone && !order.isChange }
    package static var isConversation: Bool { false }
    package static var beginsTurn: Bool { false }

    /// The session that `sessionId` names; a method about no single one says so itself.
    package static func reach(of params: JSONView?) -> RequestReach {
        params?["sessionId"]?.string.map { .sessions([$0]) } ?? .any
    }

    /// Reads the parameters of a request.
    ///
    /// Convod's own methods refuse members that nobody asked for, those of ACP pass over them.
    package static func parameters(_ params: JSONView?, _ limits: Limits = Limits()) throws(WireError)
        -> Parameters
    {
        var reader = try ParameterReader(params)
        let parameters = try Parameters(&reader, limits)
        if method.isOwn { try reader.finish() }
        return parameters
    }
}

/// Parameters of a method that takes none; a method of convod's own refuses any member.
package struct NoParameters: MethodParameters {
    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {}
}

/// A result that says no more than that it was done.
package struct Done: Codable, JSONWritable, MethodResult {
    package init() {}
    package init(from decoder: any Decoder) throws {}
    package func write(to writer: inout JSONWriter) { writer.object { _ in } }
}

extension RawJSON: MethodResult {}
