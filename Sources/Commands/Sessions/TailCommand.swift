internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Option {
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "begin with the newest N messages (default 4)")
    fileprivate static let after = Option(
        long: "after", value: "MESSAGE", help: "go on behind this message: its number or ID")
}

extension Command {
    static let tail = Command(
        name: "tail", summary: "follow what is said in a session, as it comes", arguments: "[ID]",
        count: 0...1,
        options: [.after, .continue, .jsonl, .number, .session],
        details: """
            Shows the newest messages and goes on with what others write and models answer, until Ctrl-C. Without an ID the
            session that convo used last. --after goes on behind a message that was seen, so that nothing is missed;
            --jsonl prints each change as the daemon tells it.
            """
    ) { invocation throws(CommandError) in
        if invocation.has(.after) && invocation.has(.number) {
            throw .usage("--after and -n cannot stand together: both say where to begin")
        }
        let number = try invocation.arguments.number(.number) ?? 4
        let interrupts = Interrupts()
        let client = try invocation.connect()
        let session = try SessionChoice(client: client, console: invocation.console).session(
            named: invocation.sessionName())
        let pages = MessagePages(client: client, session: session.id)
        let shown: [Wire.Message]
        if let name = invocation.value(.after) {
            shown = try pages.upTo(try MessageChoice(client, session).id(of: name), 1)
        } else {
            shown = try pages.newest(max(2, number))
        }
        var tail = Tail(invocation, client)
        if number > 0 && !invocation.has(.after) { tail.show(shown.suffix(number)) }
        // What is streaming now is told from its beginning.
        return try tail.follow(session.id, behind: shown.last { $0.status != .streaming }, interrupts)
    }
}

/// What is said in a session, as it comes.
private struct Tail {
    private let console: Console
    private let locator: DaemonLocator
    private var client: Client
    private let printer: MessagePrinter
    private let isRaw: Bool
    /// The message whose words came last.
    private var current: String?
    private var atLineStart = true
    private var ends = LineEnds()
    /// The newest message of which something came, and how many bytes of what it says and thinks.
    private var place: (id: String, offset: Int)?

    init(_ invocation: Invocation, _ client: Client) {
        console = invocation.console
        locator = invocation.locator
        self.client = client
        printer = MessagePrinter(console)
        isRaw = invocation.has(.jsonl)
    }

    func show(_ messages: [Wire.Message]) {
        for message in messages where message.status != .streaming {
            if isRaw { console.print(record: message) } else { console.print(printer.text(of: message)) }
        }
    }

    mutating func follow(_ session: String, behind last: Wire.Message?, _ interrupts: Interrupts?)
        throws(CommandError) -> ExitCode
    {
        place = last.map { ($0.id.description, $0.length) }
        while true {
            if let code = try listen(to: session, interrupts) { return code }
            if !atLineStart { console.print("") }
            (current, atLineStart) = (nil, true)
            console.note("the daemon has gone; what comes when it is there again is shown")
            if let code = try wait(interrupts) { return code }
        }
    }

    /// Waits until a daemon is there again; gives the code to end with where somebody ends it meanwhile.
    private mutating func wait(_ interrupts: Interrupts?) throws(CommandError) -> ExitCode? {
        while true {
            do throws(PosixError) {
                _ = try System.wait(
                    readable: interrupts.map { [$0.descriptor] } ?? [], milliseconds: Tail.pause)
            } catch { throw CommandError(.failure, "cannot wait for the daemon: \(error.reason)") }
            if let interrupts, let number = Signals.next(interrupts.descriptor) {
                return number == Signals.terminate ? .terminated : .success
            }
            // It takes its time, or nobody starts it.
            if let again = try? locator.connect() {
                client = again
                return nil
            }
        }
    }

    /// Milliseconds between two looks for a daemon.
    private static let pause: Int32 = 500

    /// Shows what comes; nil where the daemon goes away.
    private mutating func listen(to session: String, _ interrupts: Interrupts?) throws(CommandError)
        -> ExitCode?
    {
        let params = MessagePages.resuming(session, behind: place, isObserver: true)
        var events: [JSONView] = []
        func hear(_ event: Client.Event) {
            if case .notification("session/update", let params?) = event { events.append(params) }
        }
        do throws(ClientError) {
            _ = try client.call(Method.SessionResume.self, params) { hear($0) }
        } catch {
            if case .closed = error.code { return nil }
            // What was seen last is no more on the path: what comes from now on is shown.
            guard case .remote(let remote) = error.code, remote.kind == ErrorKind.conflict.rawValue,
                place != nil
            else { throw CommandError(error) }
            place = nil
            return try listen(to: session, interrupts)
        }
        while console.failure == nil {
            for event in events { tell(event) }
            if let why = events.lazy.compactMap(Tail.end).first {
                if !atLineStart { console.print("") }
                throw CommandError(.failure, why)
            }
            events = []
            let ready: [Int32]
            do throws(PosixError) {
                ready = try System.wait(
                    readable: [client.descriptor] + (interrupts.map { [$0.descriptor] } ?? []),
                    milliseconds: -1)
            } catch { throw CommandError(.failure, "cannot wait for the daemon: \(error.reason)") }
            if let interrupts, ready.contains(interrupts.descriptor) {
                if !atLineStart { console.print("") }
                return Signals.next(interrupts.descriptor) == Signals.terminate ? .terminated : .success
            }
            do throws(ClientError) { try client.drain { hear($0) } } catch {
                for event in events { tell(event) }
                if case .closed = error.code { return nil }
                throw CommandError(error)
            }
        }
        return .closedPipe
    }

    /// Why nothing more will come; nil where it may.
    private static func end(_ params: JSONView) -> String? {
        let news = params["update"]?["_meta"]?["convod"]
        return news?["left"]?.bool == true ? news?["error"]?["message"]?.string : nil
    }

    /// Notes how far what came goes.
    private mutating func note(_ update: JSONView) {
        guard let kind = update["sessionUpdate"]?.string, kind.hasSuffix("_chunk"),
            let id = update["messageId"]?.string
        else { return }
        let bytes = update["content"]?["text"]?.string?.utf8.count ?? 0
        place = (id, (place?.id == id ? place?.offset ?? 0 : 0) + bytes)
    }

    private mutating func tell(_ params: JSONView) {
        if let update = params["update"] { note(update) }
        if isRaw { return console.write(json: Array(params.raw) + [0x0A]) }
        guard let update = params["update"], let kind = update["sessionUpdate"]?.string else { return }
        switch kind {
        case "user_message_chunk", "agent_message_chunk":
            let text = update["content"]?["text"]?.string ?? "[\(update["content"]?["type"]?.string ?? "?")]"
            begin(update["messageId"]?.string, kind == "user_message_chunk" ? "user" : "assistant")
            let shown = console.isOutputTerminal ? ends.add(text) : text
            console.write(verbatim: shown)
            if !shown.isEmpty { atLineStart = shown.hasSuffix("\n") }
        case "tool_call":
            begin(nil, "calls \(Console.harmless(update["title"]?.string ?? "a tool", keepingLines: false))")
        case "session_info_update":
            // A turn has come to its end; a title that changes meanwhile ends no line.
            guard update["_meta"]?["convod"]?["state"]?.string == "ended" else { return }
            if !atLineStart { console.print("") }
            (current, atLineStart) = (nil, true)
        default: break
        }
    }

    /// A line above the words of another message.
    private mutating func begin(_ message: String?, _ who: String) {
        if let message, message == current { return }
        if !atLineStart { console.print("") }
        ends = LineEnds()
        console.print(console.styled("— \(who)", .dim))
        (current, atLineStart) = (message, true)
    }
}
