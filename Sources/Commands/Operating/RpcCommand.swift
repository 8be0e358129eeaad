internal import ConvoClient
internal import JSON
internal import Protocol

extension Command {
    static let rpc = Command(
        name: "rpc", summary: "call any method of the daemon", arguments: "METHOD [JSON|-]", count: 1...2,
        options: [.json, .jsonl],
        details: """
            Prints the result; what the daemon sends before it goes to standard error, or with --jsonl to standard
            output, each on a line. 'convo rpc rpc.discover' lists all methods.
            """
    ) { invocation throws(CommandError) in
        let name = invocation.positionals[0]
        let params = try parameters(invocation)
        let client = try invocation.connect()
        do throws(ClientError) {
            if let method = Method(rawValue: name), method.isNotification {
                try client.notify(method, params)
                return .success
            }
            let result = try client.call(named: name, params) { event in
                guard case .notification(let method, let params) = event else { return }
                let line = Protocol.Outgoing.notification(
                    method, params.map { Array($0.raw) } ?? Array("{}".utf8))
                if invocation.has(.jsonl) {
                    invocation.console.write(line)
                } else {
                    try? Console.write(line, to: 2)
                }
            }
            let answer = RawJSON(Array(result.raw))
            if invocation.has(.jsonl) {
                invocation.console.print(record: answer)
            } else {
                invocation.console.print(json: answer)
            }
        } catch { throw described(error) }
        return .success
    }

    private static func parameters(_ invocation: Invocation) throws(CommandError) -> [UInt8] {
        guard invocation.positionals.count > 1 else { return Array("{}".utf8) }
        let given = invocation.positionals[1]
        let text = given == "-" ? try StandardInput.all { invocation.noteIdleInput() } : given
        let view: JSONView
        do throws(JSONError) { view = try JSONDocument(Array(text.utf8)).root } catch {
            throw .usage("the parameters are not JSON: \(error.description)")
        }
        guard view.kind == .object else { throw .usage("the parameters must be a JSON object") }
        return Array(view.raw)
    }

    private static func described(_ error: ClientError) -> CommandError {
        let mapped = CommandError(error)
        guard let remote = error.remote else { return mapped }
        let kind = remote.kind.isEmpty ? "" : "\(remote.kind), "
        return CommandError(mapped.code, "\(remote.message) (\(kind)\(remote.code))")
    }
}
