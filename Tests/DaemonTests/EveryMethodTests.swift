internal import JSON
internal import Protocol
internal import TestSupport
internal import Testing

@Suite struct `Every method` {
    /// Runs a method's first example where there is a session `demo` with one turn.
    @Test(arguments: Method.allCases.filter { !$0.isNotification })
    func `answers its own example as described (N035)`(method: Method) throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let turn = try client.prompt("demo", "hello").extras
        let examples = SchemaChecker.shared.examples(of: method.rawValue)
        #expect(!examples.isEmpty)
        for example in examples {
            var params = text(example.params)
            // Turns get their IDs when they are made, so the example's stands for the one that was.
            if let id = turn?["turnId"]?.string { params = replaced(params, "turnId", id) }
            if [.messageSet, .messageDelete, .contextWhy].contains(method),
                let id = turn?["messageId"]?.string
            {
                params = replaced(params, "messageId", id)
            }
            if method == .branchRewind, let id = turn?["messageId"]?.string {
                params = replaced(params, "before", id)
            }
            let answer = try client.call(method.rawValue, params)
            let mayFail: Set<Method> = [
                .authenticate, .storeBackup, .branchDelete, .turnContinue, .turnSet, .sessionNew,
                .sessionResume,
                .sessionLoad, .sessionSetConfigOption,
                .sessionSet, .sessionPrompt, .turnStart, .sessionCompact, .summaryDelete, .summaryGet,
                .summarySet,
            ]
            #expect(
                answer.result != nil || mayFail.contains(method), "\(answer.error.map { text($0.raw) } ?? "")"
            )
        }
    }

    /// What one who only looks may ask of a session; the rest changes it.
    private static let forObservers: Set<Method> = [
        .sessionLoad, .sessionResume, .sessionClose, .sessionGet, .sessionFind, .sessionList, .watch,
        .contextBuild,
        .contextPreview, .contextReceipt, .contextWhy, .export, .sessionFork, .sessionForkOwn, .turnGet,
        .turnList,
        .branchList,
        .branchCompare, .messageList, .summaryGet, .summaryList,
    ]

    @Test(
        arguments: Method.allCases.filter { method in
            !method.isNotification
                && SchemaChecker.shared.examples(of: method.rawValue).contains {
                    let params = text($0.params)
                    return params.contains("sessionId") && method != .sessionNew || params.contains("turnId")
                }
        })
    func `about a session is refused to who only observes it, where it changes something`(method: Method)
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let turn = try client.prompt("demo", "hello").extras
        let observer = try daemon.client()
        let resumed = try observer.call(
            "session/resume", #"{"sessionId":"demo","cwd":"/","_meta":{"convod":{"role":"observer"}}}"#)
        #expect(resumed.result != nil)
        var asked = 0
        for example in SchemaChecker.shared.examples(of: method.rawValue) {
            var params = text(example.params)
            guard params.contains(#""sessionId":"demo""#) || params.contains("turnId") else { continue }
            if let id = turn?["turnId"]?.string { params = replaced(params, "turnId", id) }
            if let id = turn?["messageId"]?.string { params = replaced(params, "messageId", id) }
            asked += 1
            let answer = try observer.call(method.rawValue, params)
            if Self.forObservers.contains(method) {
                #expect(answer.kind != "permission_denied", "\(params)")
            } else {
                #expect(answer.kind == "permission_denied", "\(params): \(text(answer.message.raw))")
            }
        }
        #expect(asked > 0)
        #expect(try client.messages("demo").count == 2)
        #expect(try client.call("_convod/session/get", #"{"sessionId":"demo"}"#).result != nil)
    }

    /// The text with the string member `name` given another value.
    private func replaced(_ json: String, _ name: String, _ value: String) -> String {
        var out: [UInt8] = []
        let bytes = Array(json.utf8), mark = Array("\"\(name)\":\"".utf8)
        var at = 0
        while at < bytes.count {
            if bytes[at...].starts(with: mark) {
                out += mark + Array(value.utf8)
                at += mark.count
                while bytes[at] != 0x22 { at += 1 }
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
