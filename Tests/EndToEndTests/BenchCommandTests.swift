internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A measurement` {
    private func left(_ directory: String) throws -> [String] { try Files.names(in: directory) }

    @Test func `of every kind of request is told as JSON, and leaves nothing behind`() throws {
        let home = try Home(Home.echo), place = home.directory.file("tmp")
        try Files.makeDirectories(place)
        let told = try Built.run(
            Built.convo,
            [
                "bench", "-q", "--json", "--seconds", "1", "-c", "2", "--rate", "100", "--mix",
                "append,last=2,list,search,prompt",
            ], environment: home.environment.merging(["TMPDIR": place]) { $1 })
        let report = try Fixtures.json(told.said)
        #expect(told.code == 0 && report["errors"]?.int == 0, "\(told)")
        let kinds = report["kinds"].map { Array($0.elements) } ?? []
        #expect(
            Set(kinds.compactMap { $0["kind"]?.string }) == ["append", "last", "list", "search", "prompt"])
        let sum = kinds.reduce(0) { $0 + ($1["requests"]?.int ?? 0) }
        #expect((50...100).contains(sum), "a hundred a second were wanted: \(sum)")
        for kind in kinds {
            let times = kind["microseconds"]
            let values = ["p50", "p90", "p99", "max"].compactMap { times?[$0]?.int }
            #expect(values.count == 4 && values == values.sorted() && values[0] > 0)
            #expect((kind["firstChunkMicroseconds"] != nil) == (kind["kind"]?.string == "prompt"))
        }
        #expect(try left(place).isEmpty)
    }

    @Test func `of the daemon that runs purges what it made there`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "--new", "mine", "words").code == 0)
        let told = try home.convo("bench", "--running", "--seconds", "1", "-c", "2")
        #expect(told.code == 0 && told.said.contains("2 clients, 1 s, 0 errors"), "\(told)")
        let names = try home.convo("ls", "--empty").said.split(separator: "\n")
        #expect(names.count == 1 && names[0].hasPrefix("mine\t"), "\(names)")
        #expect(try home.convo("ls", "--trashed").said.isEmpty)
    }

    @Test(arguments: [Signals.interrupt, Signals.terminate, Signals.hangup])
    func `that is broken off takes its daemon with it`(signal: Int32) throws {
        let home = try Home(Home.echo), place = home.directory.file("tmp")
        try Files.makeDirectories(place)
        let program = try PipedProgram(
            Built.convo, ["bench", "--seconds", "60", "-c", "1"],
            environment: home.environment.merging(["TMPDIR": place]) { $1 })
        try soon("its daemon listens") {
            try left(place).contains { try Files.status("\(place)/\($0)/s.sock") != nil }
        }
        try program.signal(signal)
        #expect(try program.ended() == .exited(128 + signal))
        #expect(try left(place).isEmpty)
    }

    @Test func `that is killed leaves no daemon that runs`() throws {
        let home = try Home(Home.echo), place = home.directory.file("tmp")
        try Files.makeDirectories(place)
        let program = try PipedProgram(
            Built.convo, ["bench", "--seconds", "60", "-c", "1"],
            environment: home.environment.merging(["TMPDIR": place]) { $1 })
        func socket() throws -> String? {
            try left(place).map { "\(place)/\($0)/s.sock" }.first { try Files.status($0) != nil }
        }
        try soon("its daemon listens") { try socket() != nil }
        try program.signal(Signals.kill)
        #expect(try program.ended() == .signalled(Signals.kill))
        try soon("its daemon has ended") { try socket() == nil }
    }

    @Test func `refuses what it cannot do`() throws {
        let home = try Home(Home.echo)
        for words in [
            ["--mix", "delete"], ["--mix", "append=0"], ["-c", "0"], ["--seconds", "x"], ["--rate", "0"],
            ["--database", "x.db"], ["--config", "c.json5"], ["--socket", "s.sock"],
        ] {
            let told = try Built.run(Built.convo, ["bench"] + words, environment: home.environment)
            #expect(told.code == 2, "\(words): \(told)")
        }
    }
}
