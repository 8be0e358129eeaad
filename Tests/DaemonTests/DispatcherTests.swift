internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Sessions
internal import TestSupport
internal import Testing
@testable internal import Daemon

/// A client's link that keeps what is sent.
private final class Link: ClientLink {
    var isOpen = true
    var waitingBytes = 0
    var putsOff = false
    var lines: [String] = []
    /// A line of which the end was not sent yet.
    private var begun: [UInt8] = []
    var steps: [() -> Void] = []
    var held = 0
    var onRelease: () -> Void = {}
    /// Lines that were no messages since the last that was one.
    var nonsense = 0

    func send(_ line: [UInt8], isPush: Bool) {
        #expect(!isPush, "what was asked for is no push")
        begun += line
        guard begun.last == 0x0A else { return }
        lines.append(text(begun.dropLast()))
        begun = []
    }
    func send(_ chunk: Chunk, isPush: Bool) {}
    func whenDrained(_ action: @escaping () -> Void) { action() }
    func add(step: @escaping () -> Void) { steps.append(step) }
    func hold(_ bytes: Int) { held += bytes }
    func letGo(_ bytes: Int) { held -= bytes }
    func release() { onRelease() }
    func heard(isMessage: Bool) { nonsense = isMessage ? 0 : nonsense + 1 }
    func answered(isLast: Bool) {}
    func joined(by change: Int) {}
    func kept(by change: Int) {}
    func close() { isOpen = false }

    func runSteps() { while !steps.isEmpty { steps.removeFirst()() } }
}

/// A dispatcher with one client, and the calls that were handed to handlers.
private final class Desk {
    let link = Link()
    let client: Client
    private(set) lazy var dispatcher: Dispatcher = makeDispatcher()
    /// Sessions on which a client's prompts were ended ahead of its request to close them.
    var left: [String] = []
    var begun: [Client.Call] = []
    var limits = Limits()
    /// What a handler does at once.
    var handle: (Client.Call) throws(WireError) -> Void = { _ in }

    init() {
        client = Client(number: 1, user: 1, role: .user, link: link)
    }

    private func makeDispatcher() -> Dispatcher {
        let handler: (Client.Call) throws(WireError) -> Void = { [unowned self] (call) throws(WireError) in
            begun.append(call)
            try handle(call)
        }
        let leave: (SessionID, Client) -> Void = { [unowned self] session, _ in left.append(session.text) }
        return Dispatcher(limits: { [unowned self] in limits }, handler: handler, leave: leave)
    }

    func receive(_ line: String) { dispatcher.receive(Array(line.utf8), client) }

    func ask(_ id: Int, _ method: Method, _ session: String = "a") {
        receive(
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method.rawValue)","params":{"sessionId":"\#(session)"}}"#
        )
    }

    /// Begins all that may begin by now.
    func goOn() { while dispatcher.takesWaiting(client) {} }

    var begunIDs: [String] { begun.map { text($0.id.raw) } }
    func call(_ id: Int) -> Client.Call? { client.calls[.number(id)] }
    func kinds() -> [String] {
        link.lines.map { line in
            (try? JSONDocument(Array(line.utf8)).root["error"]?["data"]?["kind"]?.string) ?? "result"
        }
    }
}

@Suite struct `The table of handlers` {
    @Test func `has one handler for each method`() {
        #expect(Set(Handlers.table.keys) == Set(Method.allCases))
        for (method, handler) in Handlers.table { #expect(handler.contract.method == method) }
        let tables = [
            Handlers.branches, Handlers.checking, Handlers.context, Handlers.export, Handlers.finding,
            Handlers.importing, Handlers.measuring,
            Handlers.messages,
            Handlers.opening, Handlers.purging, Handlers.searching, Handlers.serving, Handlers.sessions,
            Handlers.summarizing, Handlers.turns,
            Handlers.upstreams, Handlers.usage, Handlers.watching,
        ]
        for table in tables {
            let names = table.map { $0.contract.method.rawValue }
            #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        }
        #expect(tables.reduce(0) { $0 + $1.count } == Method.allCases.count)
    }
}

@Suite struct `A dispatcher` {
    @Test
    func `hands requests to their handlers in order, and waits for a look only where it is about the same`() {
        let desk = Desk()
        desk.handle = { call in if call.method == .sessionGet { call.beginLook() } }
        desk.ask(1, .sessionGet)
        desk.ask(2, .turnList)
        desk.ask(3, .turnList, "b")
        #expect(desk.begunIDs == ["1", "3"])
        desk.call(1)?.reply(.success(Array("{}".utf8)))
        desk.goOn()
        #expect(desk.begunIDs == ["1", "3"], "its look is still out")
        desk.begun[0].endLook()
        desk.goOn()
        #expect(desk.begunIDs == ["1", "3", "2"])
    }

    @Test func `holds a look up until the change before it is stored`() {
        let desk = Desk()
        desk.ask(1, .sessionSet)
        desk.ask(2, .sessionGet)
        #expect(desk.begunIDs == ["1"])
        desk.call(1)?.reply(.success(Array("{}".utf8)))
        desk.goOn()
        #expect(desk.begunIDs == ["1", "2"])
    }

    @Test func `answers once what throws, and tells an unknown method`() {
        let desk = Desk()
        desk.handle = { (_) throws(WireError) in throw WireError(.notFound, "no") }
        desk.ask(1, .sessionGet)
        desk.receive(#"{"jsonrpc":"2.0","id":2,"method":"no/such"}"#)
        desk.receive("nonsense")
        #expect(desk.kinds() == ["not_found", "method_not_found", "parse_error"])
        #expect(desk.client.calls.isEmpty && desk.client.lanes.isEmpty && desk.link.held == 0)
    }

    @Test func `refuses an ID that still runs, and more requests than there may be`() {
        let desk = Desk()
        desk.limits.requests = 2
        desk.ask(1, .turnList)
        desk.ask(1, .turnList)
        desk.ask(2, .turnList)
        desk.ask(3, .turnList)
        desk.receive(
            #"{"jsonrpc":"2.0","id":4,"method":"_convod/turn/cancel","params":{"turnId":"x"}}"#)
        #expect(desk.kinds() == ["invalid_request", "overloaded"])
        #expect(desk.begunIDs.last == "4", "a cancel is always taken")
    }

    @Test func `lets a cancel of a turn pass what waits, and what is behind it waits while it looks`() {
        let desk = Desk()
        desk.handle = { call in if call.method == .turnCancel { call.beginLook() } }
        desk.ask(1, .sessionSet)
        desk.ask(2, .sessionGet)
        desk.receive(
            #"{"jsonrpc":"2.0","id":3,"method":"_convod/turn/cancel","params":{"turnId":"x"}}"#)
        desk.ask(4, .sessionPrompt, "b")
        #expect(desk.begunIDs == ["1", "3"])
        desk.begun[1].endLook()
        desk.goOn()
        #expect(desk.begunIDs == ["1", "3", "4"])
    }

    @Test func `keeps the order of appends of which the first has to look`() {
        let desk = Desk()
        desk.handle = { call in if call.id == .number(1) { call.beginLook() } }
        for id in 1...3 { desk.ask(id, .messageAppend) }
        #expect(desk.begunIDs == ["1"])
        desk.begun[0].endLook()
        desk.goOn()
        #expect(desk.begunIDs == ["1", "2", "3"], "then all are on their way")
    }

    @Test func `ends prompts at once ahead of a request to close that waits`() {
        let desk = Desk()
        desk.handle = { call in if call.method == .sessionPrompt { call.beginLook() } }
        desk.ask(1, .sessionPrompt)
        desk.ask(2, .sessionClose)
        #expect(desk.kinds() == ["result"] && desk.left == ["a"] && desk.begunIDs == ["1"])
        desk.begun[0].endLook()
        desk.goOn()
        #expect(desk.begunIDs == ["1", "2"])
    }

    @Test func `lets nobody go on where nobody waits`() {
        let desk = Desk()
        var released = 0
        desk.link.onRelease = { released += 1 }
        desk.ask(1, .sessionGet)
        desk.ask(2, .modelList)
        for id in [2, 1] { desk.call(id)?.reply(.success(Array("{}".utf8))) }
        #expect(released == 0)
        desk.ask(3, .sessionSet)
        desk.ask(4, .sessionGet)
        desk.call(3)?.reply(.success(Array("{}".utf8)))
        #expect(released == 1)
    }

    @Test func `takes back what has not begun, and lets go of what it held`() {
        let desk = Desk()
        desk.handle = { call in if call.method == .sessionGet { call.beginLook() } }
        desk.ask(1, .sessionGet)
        desk.ask(2, .sessionPrompt)
        desk.ask(3, .turnList)
        #expect(desk.link.held > 0)
        for id in [2, 3, 1] {
            desk.receive(#"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(id)}}"#)
        }
        #expect(desk.kinds() == ["result", "cancelled", "cancelled"])
        #expect(desk.link.lines.first?.contains("\"stopReason\":\"cancelled\"") == true)
        desk.begun[0].endLook()
        desk.goOn()
        #expect(desk.begunIDs == ["1"] && desk.client.waiting.isEmpty && desk.client.lanes.isEmpty)
        desk.begun = []
        #expect(desk.link.held == 0)
    }

    @Test func `ends what a client asked for on a session ahead of what it sent before`() {
        let desk = Desk()
        desk.handle = { call in if call.method == .sessionGet { call.beginLook() } }
        desk.ask(1, .sessionGet)
        desk.ask(2, .sessionPrompt)
        desk.ask(3, .sessionPrompt, "b")
        desk.receive(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"a"}}"#)
        #expect(desk.kinds() == ["result"])
        #expect(desk.begun.map(\.method) == [.sessionGet, .sessionPrompt, .sessionCancel])
    }

    @Test func `puts off what is no part of a conversation where others wait`() {
        let desk = Desk()
        desk.link.putsOff = true
        desk.ask(1, .turnList)
        desk.ask(2, .sessionPrompt, "b")
        #expect(desk.begunIDs == ["2"])
        desk.link.runSteps()
        #expect(desk.begunIDs == ["2", "1"])
    }

    @Test func `answers a batch in one line, and no prompt in it`() {
        let desk = Desk()
        desk.handle = { call in call.reply(.success(Array("{}".utf8))) }
        let entries = [(1, "_convod/turn/list"), (2, "session/prompt"), (3, "session/close")].map {
            id, name in
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(name)","params":{"sessionId":"a"}}"#
        }
        desk.receive("[\(entries.joined(separator: ","))]")
        #expect(desk.link.lines.isEmpty)
        desk.link.runSteps()
        #expect(desk.link.lines.count == 1 && desk.begunIDs == ["1", "3"])
        desk.begun = []
        #expect(desk.link.held == 0)
    }

    @Test func `tells what goes past the bound of a batch to be asked for alone`() {
        let desk = Desk()
        desk.limits.outbox = 100
        desk.handle = { call in call.reply(.success(Array("\"\(String(repeating: "x", count: 80))\"".utf8))) }
        let entries = (1...3).map { id in
            #"{"jsonrpc":"2.0","id":\#(id),"method":"_convod/turn/list","params":{"sessionId":"a"}}"#
        }
        desk.receive("[\(entries.joined(separator: ","))]")
        desk.link.runSteps()
        let answers = (try? JSONDocument(Array(desk.link.lines[0].utf8)).root.elements.map(\.self)) ?? []
        #expect(answers.map { $0["error"]?["data"]?["kind"]?.string } == [nil, "overloaded", "overloaded"])
    }

    @Test func `lets go of all that a client asked for that has gone`() {
        let desk = Desk()
        desk.handle = { call in if call.method == .sessionGet { call.beginLook() } }
        desk.ask(1, .sessionGet)
        desk.ask(2, .turnList)
        desk.ask(3, .sessionPrompt, "b")
        desk.dispatcher.forget(desk.client)
        #expect(desk.client.calls.isEmpty && desk.client.waiting.isEmpty)
        desk.goOn()
        #expect(desk.begunIDs == ["1", "3"])
    }
}

@Suite struct `The clients of a daemon` {
    @Test func `are listed with what each has open and has asked for`() throws {
        let daemon = try TestDaemon()
        let first = try daemon.client(), second = try daemon.client()
        try first.open("s")
        let prompt = try first.startPrompt("s", "count to a thousand")
        _ = try first.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let answer = try second.call("_convod/server/clients", "{}")
        let clients = (answer.result?["clients"]).map { Array($0.elements) } ?? []
        #expect(clients.count == 2)
        #expect(clients.map { $0["isSelf"]?.bool } == [false, true])
        #expect(
            clients.map { $0["sessions"]?.int } == [1, 0] && clients.map { $0["requests"]?.int } == [1, 1])
        #expect(
            clients.allSatisfy { $0["pid"]?.int == Int(Process.id) && $0["role"]?.string == "administrator" })
        try first.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        #expect(try first.finish(prompt).result?["stopReason"]?.string == "cancelled")
    }
}
