internal import ConvoClient
internal import Posix

extension Option {
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "the last N lines (default 50, 0 for all)")
}

extension Command {
    static let logs = Command(
        name: "logs", summary: "show the log of the daemon that convo started", options: [.number],
        details: "A daemon under systemd logs to the journal: journalctl --user -u convod."
    ) { invocation throws(CommandError) in
        let path = DaemonStarter(invocation.locator, environment: invocation.environment).log
        let bytes: [UInt8]
        do throws(PosixError) { bytes = try Files.read(path) } catch {
            throw CommandError(
                error.isNotFound ? .notFound : .failure,
                "cannot read '\(path)': \(error.reason); a daemon under systemd logs to the journal")
        }
        let number = try invocation.arguments.number(.number) ?? 50
        invocation.console.write(number == 0 ? bytes : lastLines(number, of: bytes))
        return .success
    }

    private static func lastLines(_ number: Int, of bytes: [UInt8]) -> [UInt8] {
        var rest = number + (bytes.last == 0x0A ? 1 : 0)
        for at in bytes.indices.reversed() where bytes[at] == 0x0A {
            rest -= 1
            if rest == 0 { return Array(bytes[(at + 1)...]) }
        }
        return bytes
    }
}
