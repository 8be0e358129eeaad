internal import ConvoClient
internal import JSON
internal import Protocol

extension Command {
    static let models = Command(
        name: "models", summary: "list the models that can be asked", options: [.json, .jsonl]
    ) { invocation throws(CommandError) in
        let list = try ModelList(try invocation.connect())
        if invocation.has(.jsonl) {
            for model in list.models { invocation.console.print(record: model) }
        } else if invocation.has(.json) {
            invocation.console.print(json: list.view)
        } else {
            return list.print(on: invocation.console)
        }
        return .success
    }
}

/// What `_convod/model/list` says.
struct ModelList {
    let view: JSONView
    var models: [JSONView] { view["models"].map { Array($0.elements) } ?? [] }

    init(_ client: Client) throws(CommandError) { view = try client.ask(.modelList) }

    /// Prints the models as a table and the upstreams that could not be asked as notices.
    func print(on console: Console) -> ExitCode {
        var table = Table([
            Table.Column(title: "UPSTREAM"), Table.Column(title: "MODEL", isFlexible: true),
            Table.Column(title: "DEFAULT"),
            Table.Column(title: "CONTEXT", isRight: true),
        ])
        for model in models {
            table.add([
                model["upstream"]?.string ?? "", model["id"]?.string ?? "",
                model["isDefault"]?.bool == true ? "default" : "",
                model["contextLength"]?.int.map(Times.number) ?? "",
            ])
        }
        if !models.isEmpty { table.print(on: console) }
        let errors = view["errors"].map { Array($0.elements) } ?? []
        for error in errors {
            Console.complain(
                "\(error["upstream"]?.string ?? "an upstream"): \(error["message"]?.string ?? "cannot be asked")"
            )
        }
        return models.isEmpty && !errors.isEmpty ? .upstream : .success
    }
}
