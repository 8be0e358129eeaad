internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `The service of a user` {
    /// A home whose `systemctl` notes what it is asked, and answers as a running systemd does.
    private struct ServiceHome {
        let home: Home
        let environment: [String: String]

        init(state: String = "running") throws {
            home = try Home(Home.echo)
            let bin = home.directory.file("bin")
            try Files.makeDirectories(bin)
            let script = """
                #!/bin/sh
                echo "$@" >> \(home.directory.file("asked"))
                case "$1 $2" in
                "is-enabled convod.socket") [ -e \(home.directory.file("packaged")) ] && echo enabled || echo not-found ;;
                "is-active convod.socket") echo inactive ;;
                esac
                case "$2" in
                is-system-running) echo \(state) ;;
                is-active) echo active ;;
                is-enabled) echo enabled ;;
                disable) [ ! -e \(home.directory.file("broken")) ] || { echo "no such unit" >&2; exit 5; } ;;
                esac
                """
            try Files.replace(bin + "/systemctl", with: Array(script.utf8))
            try TestSupport.shell("chmod", "+x", bin + "/systemctl")
            environment = home.environment.merging(["PATH": "\(bin):/usr/bin:/bin"]) { $1 }
        }

        func convo(_ words: String..., more: [String: String] = [:]) throws -> (code: Int32, said: String) {
            try Built.run(Built.convo, words, environment: environment.merging(more) { $1 }, input: "")
        }

        func unit(_ name: String) throws -> String {
            text(try Files.read(home.directory.file(".config/systemd/user/\(name)")))
        }

        var asked: [String] {
            get throws {
                text(try Files.read(home.directory.file("asked"))).split(separator: "\n").map(String.init)
                    .filter { !$0.contains("is-") }
            }
        }
    }

    private static let root = Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))

    @Test func `is told apart from the one of the machine`() throws {
        let place = try ServiceHome()
        #expect(try !place.convo("service", "status").said.contains("the machine has"))
        try Files.replace(place.home.directory.file("packaged"), with: [])
        let told = try place.convo("service", "status")
        #expect(
            told.code == 3
                && told.said.contains(
                    "the machine has a service of its own, 'convod.socket': inactive, enabled"),
            "\(told)")
    }

    @Test func `is put in place, seen, and taken away, and the daemon that ran makes room`() throws {
        let place = try ServiceHome()
        #expect(try place.convo("service", "status").code == 3)
        #expect(try place.convo("send", "-q", "--new", "one", "words").code == 0)
        let told = try place.convo("service", "install")
        #expect(told.code == 0 && told.said.contains("the daemon that ran was stopped"), "\(told)")
        #expect(told.said.contains("enable-linger") || told.said.contains("lingers"), "\(told)")
        let fresh = ["--user daemon-reload", "--user enable --now convod.socket"]
        #expect(try place.asked == fresh)
        // A second time what was there is stopped before.
        #expect(try place.convo("service", "install").code == 0)
        #expect(
            try place.asked == fresh + ["--user stop convod.socket", "--user stop convod.service"] + fresh)
        // What somebody wrote into a unit is kept, and said.
        let unit = place.home.directory.file(".config/systemd/user/convod.service")
        let edited = try place.unit("convod.service") + "# mine\n"
        try Files.replace(unit, with: Array(edited.utf8))
        let again = try place.convo("service", "install")
        #expect(again.code == 0 && again.said.contains("convod.service.old' now"), "\(again)")
        #expect(try place.unit("convod.service.old") == edited)
        try Files.remove(unit + ".old")
        for name in ["convod.socket", "convod.service"] {
            let shipped = text(try Files.read("\(Self.root)/systemd/user/\(name)")).split(separator: "\n")
                .filter { !$0.hasPrefix("ExecStart=") && !$0.hasPrefix("ListenStream=") }
            let made = try place.unit(name).split(separator: "\n").filter {
                !$0.hasPrefix("ExecStart=") && !$0.hasPrefix("ListenStream=")
            }
            #expect(made == shipped, "\(name) is as it is shipped")
        }
        #expect(try place.unit("convod.service").contains("\nExecStart=\(Built.convod)\n"))
        let seen = try place.convo("service", "status")
        #expect(seen.code == 0 && seen.said.contains("convod.socket: active, enabled"), "\(seen)")
        let gone = try place.convo("service", "uninstall")
        #expect(gone.code == 0, "\(gone)")
        #expect(
            try place.asked.suffix(3) == [
                "--user disable --now convod.socket", "--user disable --now convod.service",
                "--user daemon-reload",
            ])
        #expect(try Files.names(in: place.home.directory.file(".config/systemd/user")).isEmpty)
        #expect(try place.convo("service", "uninstall").code == 0, "twice is once")
        #expect(try place.convo("ls", "--jsonl").said.contains("\"one\""))
    }

    @Test(arguments: ["install", "uninstall"])
    func `that was put in place by half is put in place or taken away all the same`(word: String) throws {
        let place = try ServiceHome()
        #expect(try place.convo("service", "install").code == 0)
        try Files.remove(place.home.directory.file(".config/systemd/user/convod.service"))
        #expect(try place.convo("service", word).code == 0)
        // systemctl refuses what is not there.
        #expect(try !place.asked.contains { $0.hasPrefix("--user stop") && $0.contains("convod.service") })
        #expect(try !place.asked.contains { $0.contains("disable") && $0.contains("convod.service") })
    }

    @Test func `takes the paths that are named, whatever is in them`() throws {
        let place = try ServiceHome()
        let socket = place.home.directory.file("my %n.sock"),
            database = place.home.directory.file("a \"b\" $c.db")
        let told = try place.convo("--socket", socket, "--database", database, "service", "install")
        #expect(told.code == 0, "\(told)")
        let escaped = database.replacing("$", with: "$$").replacing("\"", with: "\\\"")
        #expect(
            try place.unit("convod.service").contains(
                "\nExecStart=\(Built.convod) --database \"\(escaped)\"\n"))
        #expect(
            try place.unit("convod.socket").contains("\nListenStream=\(socket.replacing("%", with: "%%"))\n"))
        #expect(
            try place.convo("service", "install", more: ["CONVOD_DATABASE": "/tmp/by-name.db"]).code == 0)
        #expect(try place.unit("convod.service").contains(" --database /tmp/by-name.db\n"))
        let usual = place.home.directory.file("run")
        #expect(
            try place.convo(
                "--socket", usual + "/convod/convod.sock", "service", "install",
                more: ["XDG_RUNTIME_DIR": usual]
            ).code == 0)
        #expect(try place.unit("convod.socket").contains("\nListenStream=%t/convod/convod.sock\n"))
        let analyzer = "/usr/bin/systemd-analyze"
        guard Files.isExecutable(analyzer) else { return }
        try Files.makeDirectories(usual)
        let units = place.home.directory.file(".config/systemd/user")
        let (ending, said) = try run(
            analyzer,
            [
                "--user", "verify", "--man=no", "--recursive-errors=no", units + "/convod.service",
                units + "/convod.socket",
            ], environment: place.environment.merging(["XDG_RUNTIME_DIR": usual]) { $1 })
        #expect(ending == .exited(0) && said == "", "\(said)")
    }

    @Test func `is refused in a sentence where no systemd runs, and nothing is written`() throws {
        let place = try ServiceHome(state: "offline")
        let told = try place.convo("service", "install")
        #expect(told.code == 1 && told.said.contains("no systemd of this user's runs here"), "\(told)")
        #expect(try Files.status(place.home.directory.file(".config/systemd/user")) == nil)
        let none = try place.convo("service", "install", more: ["PATH": "/nowhere"])
        #expect(none.code == 1 && none.said.contains("there is no 'systemctl' here"), "\(none)")
        #expect(try place.convo("service", "reinstall").code == 2)
    }

    @Test func `stays where systemd cannot take it away, and says why`() throws {
        let place = try ServiceHome()
        #expect(try place.convo("service", "install").code == 0)
        try Files.replace(place.home.directory.file("broken"), with: [])
        let told = try place.convo("service", "uninstall")
        #expect(told.code == 1 && told.said.contains("failed: no such unit"), "\(told)")
        #expect(try !place.unit("convod.service").isEmpty)
    }
}
