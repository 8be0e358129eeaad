package import Archive
internal import Posix
package import Store
package import Transcripts

/// What a daemon is started with.
package struct DaemonOptions: Sendable {
    /// What is in force until the next `reload`.
    package var configuration: Configuration
    /// The path to listen at.
    package var socket: String
    /// The path of the database; it is made where there is none.
    package var database: String
    /// Where the configuration lies or would lie; nil when it came from nowhere.
    package var configurationFile: String?
    /// Variables by name, among which keys and what the service manager says are looked for.
    package var environment: [String: String]
    /// A listening socket from the service manager, in place of `socket`.
    package var activated: Int32?
    /// Where events are told.
    package var log: Log
    /// Milliseconds since 1970.
    package var clock: @Sendable () -> Int64
    /// Milliseconds that never go back; nil takes the loop's.
    package var steady: (@Sendable () -> Int64)?
    /// 64 random bits; those of IDs come from here.
    package var random: @Sendable () -> UInt64
    /// The formats of exports.
    package var formats = TranscriptFormats.standard
    /// Reads the configuration anew; nil when there is no file.
    package var reload: (@Sendable () throws(ConfigurationError) -> Configuration)?
    /// Makes reads on the loop fail, by what they do; nil but in tests.
    package var readFault: (@Sendable (String) -> ArchiveError?)?
    /// Holds back the answer of a look; nil but in tests.
    package var gate: LookGate?
    /// Whether the process's signals stop and reload the daemon; off in tests.
    package var handlesSignals: Bool

    /// The rest is as a service has it: the machine's clock and randomness, and no reload.
    package init(
        configuration: Configuration, socket: String, database: String, environment: [String: String],
        log: Log
    ) {
        self.configuration = configuration
        self.socket = socket
        self.database = database
        self.environment = environment
        self.log = log
        activated = nil
        clock = { Machine.milliseconds() }
        let numbers = RandomNumbers()
        random = { numbers.next() }
        reload = nil
        handlesSignals = true
    }
}
