internal import Commands

/// `convo`, the command line of convod.
@main struct Main {
    static func main() { CommandLineTool.main(Array(CommandLine.arguments.dropFirst())) }
}
