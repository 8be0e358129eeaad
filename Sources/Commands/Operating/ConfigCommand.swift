internal import ConvoClient
internal import JSON
internal import Protocol

extension Command {
    static let config = Command(
        name: "config", summary: "show the configuration in force, or where its file is", arguments: "[path]",
        count: 0...1,
        details:
            "Secrets are masked. 'convo config path' prints the path of the file, whether or not it exists."
    ) { invocation throws(CommandError) in
        if let word = invocation.positionals.first {
            guard word == "path" else { throw .usage("'config' takes nothing or 'path', not '\(word)'") }
            invocation.console.print(invocation.locator.configuration)
            return .success
        }
        let info = try invocation.connect().info(withConfiguration: true)
        guard let config = info.config else {
            throw CommandError(
                .failure, "the daemon does not tell its configuration; only its administrators see it")
        }
        invocation.console.print(PrettyJSON.text(of: config.bytes))
        return .success
    }
}
