package import Archive
internal import Daemon
internal import JSON
internal import Posix
package import Store
package import Transcripts
package import Upstream

/// A daemon in this process on a thread of its own, with its files in a directory that goes with it.
package final class TestDaemon: Sendable {
    package let directory: TemporaryDirectory
    package let socket: String
    package let database: String
    private let handle: DaemonHandle
    private let thread: Locked<Thread?>
    private let log: Locked<[String]>

    /// What lets a daemon's looks come late; empty unless the whole suite is run so.
    ///
    /// The seed is that of the run, which is printed.
    package static let lateReads: [String: String] = {
        guard let reads = Process.environment["CONVOD_TEST_READS"] else { return [:] }
        return ["CONVOD_TEST_READS": reads, "CONVOD_SEED": String(SeededRandom.runSeed)]
    }()

    /// Starts a daemon; `configuration` is JSON5, by default an echo, nil for none at all.
    ///
    /// Give a directory to start again on old files.
    package init(
        _ configuration: String? = "{ upstreams: { echo: { kind: \"echo\" } } }",
        in directory: TemporaryDirectory? = nil,
        environment: [String: String] = [:], clock: (@Sendable () -> Int64)? = nil,
        steady: (@Sendable () -> Int64)? = nil, readFault: (@Sendable (String) -> ArchiveError?)? = nil,
        gate: LookGate? = nil, kinds: UpstreamKinds = .standard, formats: TranscriptFormats = .standard
    ) throws {
        let directory = try directory ?? TemporaryDirectory()
        self.directory = directory
        let environment = environment.merging(TestDaemon.lateReads) { mine, _ in mine }
        socket = directory.path + "/s.sock"
        database = directory.path + "/convod.db"
        let lines = Locked<[String]>([])
        log = lines
        var options = DaemonOptions(
            configuration: try configuration.map {
                try Configuration(reading: Array($0.utf8), file: "test.json5", kinds: kinds)
            }
                ?? Configuration(implicitIn: environment),
            socket: socket, database: database,
            environment: environment,
            log: Log(environment: [:], write: { line in lines.withLock { $0.append(line) } }))
        options.handlesSignals = false
        options.reload = { [configuration = options.configuration] in configuration }
        options.readFault = readFault
        options.gate = gate
        options.formats = formats
        if let clock { options.clock = clock }
        options.steady = steady ?? clock  // a test's clock never goes back, unless it says so
        let started = options
        let ready = Locked<Result<DaemonHandle, DaemonError>?>(nil)
        let wakeup = try Wakeup(blocking: true)
        let thread = try Thread(named: "test-daemon") {
            let daemon: Daemon
            do throws(DaemonError) { daemon = try Daemon(started) } catch {
                ready.withLock { $0 = .failure(error) }
                return wakeup.signal()
            }
            ready.withLock { $0 = .success(daemon.handle) }
            wakeup.signal()
            do { try daemon.run() } catch { lines.withLock { $0.append("run failed: \(error)") } }
        }
        wakeup.wait()
        guard let result = ready.withLock({ $0 }) else { preconditionFailure("the thread said how it went") }
        self.thread = Locked(consume thread)
        handle = try result.get()
    }

    /// Stops the daemon and waits for its end; its files stay.
    package func stop() {
        guard let thread = thread.withLock({ $0.take() }) else { return }
        handle.stop()
        handle.stop()  // does not wait for running turns
        thread.join()
    }

    /// What it logged so far.
    package var logged: [String] { log.withLock { $0 } }

    /// A new connection.
    package func client() throws -> TestClient { try TestClient(socket) }

    deinit { stop() }
}
