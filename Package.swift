// swift-tools-version: 6.2
import PackageDescription

/// The settings of every Swift target: strict concurrency, strict memory safety, no warning passes.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// A library target; each may depend only on those listed above it.
func house(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A test target for one library target, on top of the shared test support.
func checks(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "convod",
    products: [
        .executable(name: "convod", targets: ["convod"]),
        .executable(name: "convo", targets: ["convo"]),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CEdit", pkgConfig: "libedit", providers: [.apt(["libedit-dev"])]),
        .systemLibrary(name: "CMarkdown", pkgConfig: "md4c", providers: [.apt(["libmd4c-dev"])]),
        .systemLibrary(
            name: "CMarkdownHTML", pkgConfig: "md4c-html", providers: [.apt(["libmd4c-html0-dev"])]),
        .target(
            name: "Schema", path: "schema",
            exclude: [
                "README.md", "configuration.md", "failures.json", "google.md", "migrations", "protocol.json",
                "session.svg",
                "transcript.json", "views.sql", "window.md",
            ],
            sources: ["schema.c"], publicHeadersPath: "include"),

        house("Posix", ["CLinux"]),
        house("EventLoop", ["Posix", "CLinux"]),
        house("Crypto", ["CCrypto"]),
        house("JSON"),
        house("Conversation", ["JSON"]),
        house("Search", ["Conversation", "JSON"]),
        house("Archive", ["Search", "Conversation"]),
        house("Protocol", ["Conversation", "JSON"]),
        house("Sessions", ["Protocol", "Archive", "Conversation"]),
        house("ContextWindow", ["Conversation", "JSON"]),
        house("Transcripts", ["Conversation", "JSON"]),
        house(
            "Upstream", ["ContextWindow", "Conversation", "JSON", "Crypto", "EventLoop", "Posix", "CCurl"]),
        house(
            "Store",
            ["Archive", "Search", "Conversation", "JSON", "EventLoop", "Posix", "Schema", "CSQLite"]),
        house("ConvoClient", ["Protocol", "JSON", "Posix"]),
        house("LineEditor", ["Posix", "CEdit"]),
        house("Typesetting", ["CMarkdown", "CMarkdownHTML"]),
        house(
            "Commands",
            [
                "LineEditor", "Typesetting", "ConvoClient", "Crypto", "Transcripts", "Search",
                "Conversation", "Protocol", "JSON", "Posix", "Schema",
            ]),
        house(
            "Daemon",
            [
                "Store", "Archive", "Search", "Upstream", "Transcripts", "ContextWindow", "Sessions",
                "Conversation", "Protocol", "JSON", "Crypto",
                "EventLoop", "Posix", "Schema",
            ]),
        .executableTarget(name: "convod", dependencies: ["Daemon", "Posix"], swiftSettings: strict),
        .executableTarget(name: "convo", dependencies: ["Commands", "Posix"], swiftSettings: strict),

        .target(
            name: "TestSupport",
            dependencies: [
                "Daemon", "Upstream", "Transcripts", "Store", "Archive", "ConvoClient", "Protocol", "JSON",
                "EventLoop",
                "Posix", "Schema",
            ],
            path: "Tests/TestSupport", swiftSettings: strict),
        .target(
            name: "WindowCases", dependencies: ["ContextWindow", "Upstream", "Conversation"],
            path: "Tests/WindowCases", swiftSettings: strict),
        .executableTarget(
            name: "window-walk", dependencies: ["WindowCases", "Conversation", "Posix"],
            path: "Tests/WindowWalk", swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Daemon", "Upstream", "Transcripts", "Typesetting", "Search", "Protocol", "Conversation",
                "JSON",
            ],
            path: "Tests/FuzzTargets", swiftSettings: strict),
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets", "Posix"], path: "Tests/Fuzz", exclude: ["Corpus"],
            swiftSettings: strict),
        checks("FuzzTests", ["FuzzTargets", "Posix"]),
        checks("PosixTests", ["Posix"]),
        checks("EventLoopTests", ["EventLoop", "Posix"]),
        checks("CryptoTests", ["Crypto"]),
        checks("JSONTests", ["JSON", "Posix"], exclude: ["Fixtures"]),
        checks("ProtocolTests", ["Protocol", "Conversation", "JSON"]),
        checks("SessionsTests", ["Sessions", "Protocol", "Archive", "Conversation"]),
        checks("ConversationTests", ["Conversation", "JSON"]),
        checks("SearchTests", ["Search", "Crypto", "Conversation", "JSON", "Posix"], exclude: ["Fixtures"]),
        checks("ContextWindowTests", ["ContextWindow", "WindowCases", "Conversation", "JSON"]),
        checks("TypesettingTests", ["Typesetting"]),
        checks("TranscriptsTests", ["Transcripts", "Conversation", "JSON", "Posix"]),
        checks("StoreTests", ["Store", "Archive", "Search", "Conversation", "EventLoop", "Posix"]),
        checks(
            "UpstreamTests",
            ["Upstream", "ContextWindow", "Conversation", "JSON", "Crypto", "EventLoop", "Posix"],
            exclude: ["Fixtures"]),
        checks(
            "DaemonTests",
            [
                "Daemon", "Sessions", "Upstream", "ContextWindow", "Transcripts", "Store", "Archive",
                "ConvoClient",
                "Protocol",
                "Conversation", "Crypto", "JSON", "Posix",
            ]),
        checks(
            "EndToEndTests", ["ConvoClient", "Daemon", "Protocol", "JSON", "Posix"], exclude: ["Screens"]),
        checks(
            "TidyTests",
            ["Protocol", "Posix", "JSON", "Schema", "Upstream", "ContextWindow", "Transcripts"]),
    ],
    cLanguageStandard: .c2x
)
