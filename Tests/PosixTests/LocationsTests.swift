import Posix
import Testing

private func locations(_ environment: [String: String]) -> Locations {
    Locations(environment: environment, uid: 1000, home: "/home/of/passwd")
}

@Suite struct `A place for files` {
    @Test(
        arguments: [
            (
                [:], "/home/of/passwd/.config/convod/config.json5",
                "/home/of/passwd/.local/share/convod/convod.db",
                "/home/of/passwd/.local/state/convod/convod.log"
            ),
            (
                ["HOME": "/h/"], "/h/.config/convod/config.json5", "/h/.local/share/convod/convod.db",
                "/h/.local/state/convod/convod.log"
            ),
            (
                ["HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"],
                "/c/convod/config.json5", "/d/convod/convod.db",
                "/s/convod/convod.log"
            ),
            (
                ["HOME": "/h", "XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "", "XDG_STATE_HOME": "./s"],
                "/h/.config/convod/config.json5",
                "/h/.local/share/convod/convod.db", "/h/.local/state/convod/convod.log"
            ),
            (
                [
                    "HOME": "/h", "CONFIGURATION_DIRECTORY": "/etc/convod",
                    "STATE_DIRECTORY": "/var/lib/convod",
                ], "/etc/convod/config.json5",
                "/var/lib/convod/convod.db", "/h/.local/state/convod/convod.log"
            ),
        ] as [([String: String], String, String, String)])
    func `follows the environment`(
        _ environment: [String: String], _ configuration: String, _ database: String, _ log: String
    ) {
        let locations = locations(environment)
        #expect(
            [locations.configuration, locations.database, locations.log] == [configuration, database, log])
    }

    @Test(
        arguments: [
            (["XDG_RUNTIME_DIR": "/run/user/7"], true, "/run/user/7/convod/convod.sock"),
            ([:], true, "/run/user/1000/convod/convod.sock"),
            ([:], false, "/tmp/convod-1000/convod.sock"),
            (["XDG_RUNTIME_DIR": "relative"], false, "/tmp/convod-1000/convod.sock"),
            (["RUNTIME_DIRECTORY": "/run/convod", "XDG_RUNTIME_DIR": "/x"], true, "/run/convod/convod.sock"),
        ] as [([String: String], Bool, String)])
    func `is found for the socket without XDG_RUNTIME_DIR too`(
        _ environment: [String: String], _ isUsable: Bool, _ path: String
    ) {
        #expect(locations(environment).socket { $0 == "/run/user/1000" && isUsable } == path)
    }
}
