extension Invocation {
    /// Says that standard input is waited for, and how not to; `instead` is what else would do, nil for nothing.
    func noteIdleInput(_ instead: String? = nil) {
        let end = StandardInput.isTerminal ? "Ctrl-D ends it" : "it ends when whoever writes to it closes it"
        console.note("waiting for the end of standard input; \(instead ?? end)")
    }
}
