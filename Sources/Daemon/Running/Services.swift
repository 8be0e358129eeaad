internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Protocol
internal import Upstream

/// What every handler needs: the loop, the archives, the configuration in force, clocks and IDs.
final class Services {
    let loop: EventLoop
    let archives: Archives
    let channels = Channels()
    let log: Log
    let environment: [String: String]
    /// Milliseconds since 1970.
    let clock: () -> Int64
    /// Milliseconds that never go back, for waits and limits.
    let steady: () -> Int64
    let upstreams: UpstreamTable
    let cache: ResponseCache
    let calibrations: Calibrations
    var configuration: Configuration
    private let random: () -> UInt64
    private var ids = IDMaker()

    init(
        loop: EventLoop, archives: Archives, configuration: Configuration, log: Log,
        environment: [String: String], clock: @escaping () -> Int64,
        steady: @escaping () -> Int64, random: @escaping () -> UInt64
    ) {
        self.loop = loop
        self.archives = archives
        self.configuration = configuration
        self.log = log
        self.environment = environment
        self.clock = clock
        self.steady = steady
        self.random = random
        upstreams = UpstreamTable(
            configuration, loop: loop, environment: environment, clock: clock, steady: steady)
        cache = ResponseCache(archives, clock: clock)
        calibrations = Calibrations()
        cache.settings = configuration.cache
    }

    /// A new ID, greater than those before.
    func newID<Kind>() -> ID<Kind> { ids.next(milliseconds: clock(), random: random()) }

    /// A number from 0 to 1.
    func chance() -> Double { Double(random() >> 11) / Double(1 << 53) }

    /// Milliseconds until freed memory is given back, so that a busy daemon does so now and then only.
    private static let trimPause = 2_000
    private var isTrimDue = false

    /// Much memory was let go of: a little later it is given back to the system.
    func freed() {
        if isTrimDue { return }
        isTrimDue = true
        loop.after(milliseconds: Services.trimPause) { [weak self] in
            self?.isTrimDue = false
            Process.giveBackFreeMemory()
        }
    }

    /// Puts another configuration in force; running calls keep what they began with.
    func adopt(_ configuration: Configuration) {
        self.configuration = configuration
        cache.settings = configuration.cache
        upstreams.rebuild(configuration)
    }
}

extension TurnError {
    /// Why a turn fails, as its clients are told.
    init(_ error: WireError) { self.init(kind: error.kind.rawValue, message: error.message) }

    /// The same by an upstream; `retryAfter` is said only where no other try follows.
    init(_ failure: UpstreamFailure, retryAfter: Int? = nil) {
        self.init(kind: failure.kind.rawValue, message: failure.message, retryAfter: retryAfter)
    }
}

extension WireError {
    /// An upstream's failure as clients see it.
    init(_ failure: UpstreamFailure) {
        self.init(
            ErrorKind(rawValue: failure.kind.rawValue) ?? .internalError, failure.message,
            retryAfterMs: failure.retryAfter)
    }

    /// A store's failure as clients see it; the store's own words hold no content.
    init(_ error: ArchiveError) {
        switch error.code {
        case .full:
            self.init(
                .diskFull,
                "the disk is full, nothing was stored: \(error.description); free some space and try again")
        case .readOnly:
            self.init(
                .storeFailed,
                "the database cannot be written: \(error.description); check the file's rights and where it is mounted"
            )
        case .disk:
            self.init(
                .storeFailed,
                "the disk failed, nothing was stored: \(error.description); check it, and restore a backup if it is broken"
            )
        case .gone:
            self.init(
                .storeFailed,
                "nothing more is stored: \(error.description), while the daemon runs; put it back, or export what you need, which can still be read, and run 'convo restart'"
            )
        case .corrupt: self.init(.storeFailed, "the store is damaged: \(error.description)")
        case .busy:
            self.init(
                .storeFailed,
                "another process holds the database: \(error.description); close it and try again")
        default:
            self.init(.storeFailed, "the store failed: \(error.description); run 'convo logs' to see more")
        }
    }

    /// A session that is not there, or belongs to somebody else.
    static func noSession(_ id: SessionID) -> WireError {
        WireError(
            .notFound, "there is no session '\(id.text)'; 'session/list' or 'convo ls' shows those there are")
    }
}
