package import Posix

/// Runs a program of the system and gives what it printed; its exit code must be 0.
@discardableResult
package func shell(_ program: String, _ arguments: String...) throws -> String {
    let path =
        ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"].map { $0 + program }.first { Files.isExecutable($0) }
        ?? program
    let (code, output) = try run(path, arguments, environment: Process.environment)
    guard code == .exited(0) else {
        throw ShellError(description: "\(program) \(arguments): \(code): \(output)")
    }
    return output
}

/// A program of the system that failed.
package struct ShellError: Error, CustomStringConvertible {
    package let description: String
}

/// Runs a program with its output and errors together; standard input is what `input` holds.
package func run(
    _ path: String, _ arguments: [String], environment: [String: String], input: String = "",
    directory: String? = nil
) throws -> (Process.Ending, String) {
    let (outReading, outWriting) = try Process.pipe(), (inReading, inWriting) = try Process.pipe()
    let out = Descriptor(owning: outReading)
    let pid: Int32
    do {
        let ends = [Descriptor(owning: outWriting).release(), Descriptor(owning: inReading).release()]
        pid = try Process.start(
            path, arguments, environment: environment,
            streams: .init(input: ends[1], output: ends[0], error: ends[0]), directory: directory)
        _ = Descriptor(owning: ends[0])
        _ = Descriptor(owning: ends[1])
    }
    do {
        let writer = Descriptor(owning: inWriting)
        _ = try? System.write(writer.raw, Array(input.utf8))
    }
    var bytes: [UInt8] = []
    while let got = try System.read(out.raw, into: &bytes, most: 65_536), got > 0 {}
    return (try Process.reap(pid) ?? .exited(0), text(bytes))
}
