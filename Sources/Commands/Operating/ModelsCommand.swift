internal import ConvoClient
internal import Protocol

extension Command {
    static let models = Command(
        name: "models", summary: "list the models that can be asked", options: [.json, .jsonl]
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let list = try client.ask(Method.ModelList.self)
        if invocation.has(.jsonl) {
            for model in list.models { invocation.console.print(record: model) }
        } else if invocation.has(.json) {
            invocation.console.print(json: list)
        } else {
            return list.print(asked: try client.info().defaultRoute.first, on: invocation.console)
        }
        return .success
    }
}

extension Method.ModelList.Result {
    /// Prints the models as a table and the upstreams that could not be asked as notices; `first` is asked where nobody is named.
    func print(asked first: String?, on console: Console) -> ExitCode {
        // One without a model of its own is asked for the first that it lists.
        let own =
            models.first { $0.upstream == first && $0.isDefault } ?? models.first { $0.upstream == first }
        var table = Table([
            Table.Column(title: "UPSTREAM"), Table.Column(title: "MODEL", isFlexible: true),
            Table.Column(title: "DEFAULT"),
            Table.Column(title: "CONTEXT", isRight: true),
        ])
        for model in models {
            table.add([
                model.upstream, model.id,
                model.upstream == first
                    ? model.id == own?.id ? "default" : "" : model.isDefault ? "-u \(model.upstream)" : "",
                model.contextLength.map(Times.number) ?? "",
            ])
        }
        if !models.isEmpty { table.print(on: console) }
        for error in errors { Console.complain("\(error.upstream): \(error.message)") }
        return models.isEmpty && !errors.isEmpty ? .upstream : .success
    }
}
