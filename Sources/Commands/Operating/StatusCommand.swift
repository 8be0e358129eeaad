internal import ConvoClient
internal import Posix
internal import Protocol
internal import Typesetting

extension Command {
    static let status = Command(
        name: "status", summary: "show the running daemon", options: [.json],
        details: "Starts none; ends with 4 when none runs."
    ) { invocation throws(CommandError) in
        let info = try invocation.runningDaemon().client.info()
        if invocation.has(.json) {
            invocation.console.print(json: info)
        } else {
            StatusReport.print(info, on: invocation.console)
        }
        invocation.warn(about: info)
        return .success
    }
}

/// A running daemon, as `convo status` shows it.
enum StatusReport {
    static func print(_ info: Method.ServerInfo.Result, on console: Console) {
        func line(_ name: String, _ value: String) {
            console.print("\(TextWidth.padded(name, to: 11))\(Console.harmless(value, keepingLines: false))")
        }
        line("daemon", "convod \(info.version), process \(info.pid)")
        line("uptime", Times.duration(milliseconds: info.uptimeMs))
        line("socket", info.socket)
        line("database", info.database ?? "")
        line("clients", "\(info.connections), running turns: \(info.sessionsRunning ?? 0)")
        line(
            "route",
            info.defaultRoute.joined(separator: ", ") + (info.isImplicit ? " (no configuration file)" : ""))
        console.print("")
        upstreams(info).print(on: console)
    }

    /// The upstreams as a table.
    static func upstreams(_ info: Method.ServerInfo.Result) -> Table {
        var table = Table([
            Table.Column(title: "UPSTREAM"), Table.Column(title: "KIND"), Table.Column(title: "MODEL"),
            Table.Column(title: "KEY"),
            Table.Column(title: "URL", isFlexible: true),
        ])
        for upstream in info.upstreams {
            table.add([
                upstream.name, upstream.kind, upstream.model ?? "", upstream.hasKey ? "yes" : "no",
                upstream.baseURL ?? "",
            ])
        }
        return table
    }
}
