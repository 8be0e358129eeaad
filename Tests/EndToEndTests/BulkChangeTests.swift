internal import TestSupport
internal import Testing

@Suite struct `Many sessions at once` {
    @Test func `are changed where they are so, and the command that undoes it does`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        for name in ["one", "two", "three"] {
            #expect(try home.convo("send", "-q", "--new", name, "words of \(name)").code == 0)
        }
        _ = try home.convo("tag", "-s", "one", "x")
        _ = try home.convo("tag", "-s", "two", "x")
        func names(_ arguments: String...) throws -> Set<String> {
            Set(
                try Built.run(
                    Built.convo, ["ls", "-q"] + arguments, environment: home.environment, input: ""
                ).said.split(separator: "\n").map { String($0.split(separator: "\t")[0]) })
        }
        let would = try home.convo("rm", "-q", "--where", "tag=x", "--dry-run")
        #expect(would.said.split(separator: "\n").count == 2, "\(would)")
        #expect(try names().count == 3)
        let removed = try home.convo("rm", "-q", "--where", "tag=x", "--where", "title=words").said
        #expect(removed.hasPrefix("convo restore "), "\(removed)")
        #expect(try names() == ["three"])
        let undo = removed.split(separator: " ").dropFirst().map { String($0.filter { $0 != "\n" }) }
        #expect(try Built.run(Built.convo, undo, environment: home.environment, input: "").code == 0)
        #expect(try names() == ["one", "two", "three"])
        #expect(try home.convo("archive", "-q", "--where", "title=three").said == "convo unarchive three\n")
        #expect(try names() == ["one", "two"])
        #expect(try home.convo("unarchive", "-q", "--where", "newer-than=1d").said == "convo archive three\n")
        #expect(try home.convo("untag", "-s", "one", "convo").code == 2)
        for more in [["-s", "one"], ["-c"], ["--json"]] {
            let refused = try Built.run(
                Built.convo, ["tag", "--where", "title=three"] + more + ["z"], environment: home.environment,
                input: "")
            #expect(
                refused.code == 2
                    && refused.said.contains(
                        "leave \(more[0] == "-s" ? "--session" : more[0] == "-c" ? "--continue" : "--json") away"
                    ), "\(refused)")
        }
        #expect(try home.convo("ls", "--tag", "z").said.isEmpty)
        let tagged = try home.convo("tag", "-q", "--where", "older-than=0m", "y").said
        #expect(
            tagged.split(separator: "\n").count == 3 && tagged.contains("convo untag -s one -- y"),
            "\(tagged)")
        #expect(try names("--tag", "y").count == 3)
        #expect(
            try names("--oldest", "-n", "1").count == 1 && names("-n", "1") != names("--oldest", "-n", "1"))
        #expect(try names("--since", "1d").count == 3 && names("--until", "1d").isEmpty)
        #expect(try names("--cwd", "/nowhere").isEmpty && names("-u", "other").isEmpty)
        for wrong in [
            ["rm"], ["rm", "one", "--where", "tag=x"], ["rm", "--where", "colour=red"],
            ["tag", "--where", "tag=x"], ["rm", "one", "--dry-run"],
        ] {
            #expect(
                try Built.run(Built.convo, wrong, environment: home.environment, input: "").code == 2,
                "\(wrong)")
        }
    }
}
