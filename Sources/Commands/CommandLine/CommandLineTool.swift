internal import ConvoClient
internal import Posix
internal import Protocol

/// Commands are the verbs of `convo` and how they print.
///
/// - Invariant: standard output holds data only; what a person should know besides goes to standard error.

/// The whole program: reads arguments, runs one command, ends the process.
package enum CommandLineTool {
    /// Runs `convo` with the arguments after its name and ends with its exit code.
    package static func main(_ arguments: [String]) -> Never {
        fillStandardDescriptors()
        Signals.restoreBrokenPipes()
        Process.keepOpenToItself()
        Process.exit(run(arguments).rawValue)
    }

    /// Puts something at 0, 1 and 2 when the caller closed them, so that no socket gets these numbers.
    ///
    /// Opened for reading: input is empty then, and output fails as it should.
    private static func fillStandardDescriptors() {
        while let file = try? Files.open("/dev/null", .reading) {
            guard file.raw <= 2 else { return }
            _ = file.release()
        }
    }

    /// The environment with whole paths for what it names: the daemon that is started with it runs in `/`.
    private static func placed(_ environment: [String: String]) -> [String: String] {
        var environment = environment
        for name in ["CONVOD_CONFIG", "CONVOD_DATABASE", "CONVOD_SOCKET"] {
            if let path = environment[name], !path.isEmpty { environment[name] = Files.absolute(path) }
        }
        return environment
    }

    /// Which argument, from 1 on, is no UTF-8 as it was given; nil where all are.
    private static func numberThatIsNoText(of arguments: [String]) -> Int? {
        // Where nothing was replaced, and where nobody can look, there is nothing to find.
        guard arguments.contains(where: { $0.unicodeScalars.contains("\u{FFFD}") }),
            let given = try? Files.read("/proc/self/cmdline")
        else { return nil }
        // The program's own name is the first.
        return given.split(separator: 0, omittingEmptySubsequences: false)
            .firstIndex { String(validating: $0, as: UTF8.self) == nil }
    }

    static func run(_ arguments: [String]) -> ExitCode {
        let environment = placed(Process.environment)
        do throws(CommandError) {
            // What is no text came as signs of replacement: nobody may have been asked something else than was typed.
            if let number = numberThatIsNoText(of: arguments) {
                throw .usage("argument \(number) is not UTF-8: give text in that encoding")
            }
            let parsed = try ArgumentParser.parse(arguments, commands: Command.all + [.complete])
            let console = Console(
                color: try Console.ColorChoice(parsed.value(.color)), isQuiet: parsed.has(.quiet),
                isRaw: parsed.has(.raw),
                environment: environment)
            let code = try run(parsed, console, environment)
            if let failure = console.failure {
                if failure.errno == PosixError.brokenPipe { return .closedPipe }
                throw CommandError(.failure, "cannot write to standard output: \(failure.reason)")
            }
            return code
        } catch {
            Console.complain(error.message)
            return error.code
        }
    }

    private static func run(
        _ parsed: ParsedArguments, _ console: Console, _ environment: [String: String]
    ) throws(CommandError) -> ExitCode {
        if parsed.has(.version) {
            console.print("convo \(Version.text)")
            return .success
        }
        guard let command = parsed.command ?? Command.alone(parsed, console) else {
            Help.print(Help.short, on: console)
            return parsed.has(.help) ? .success : .usage
        }
        if parsed.has(.help) {
            Help.print(Help.text(of: command), on: console)
            return .success
        }
        let flags = DaemonLocator.Flags(
            configuration: parsed.value(.config), socket: parsed.value(.socket),
            database: parsed.value(.database))
        let locator = DaemonLocator(flags: flags, environment: environment)
        if let problem = ForeignHome.problem(locator.unnamedPlaces, program: "convo") {
            throw CommandError(.failure, problem)
        }
        // A shell that completes a word shows what is on standard error in the midst of it.
        if let notice = locator.notice, command.name != Command.complete.name { console.note(notice) }
        return try command.run(
            Invocation(arguments: parsed, console: console, environment: environment, locator: locator))
    }
}
