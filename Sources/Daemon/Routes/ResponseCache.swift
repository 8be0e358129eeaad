internal import Archive
internal import Conversation
internal import Crypto
internal import EventLoop
internal import JSON
internal import Store
internal import Upstream

/// Whole answers to requests that were asked before, byte for byte the same, by the same user; off by default.
final class ResponseCache {
    /// Bytes that an answer may have to be kept: the loop reads it at once.
    static let most = 1 << 20
    /// Looks between two sweeps.
    private static let sweep = 64

    private let archives: Archives
    private let configuration: CurrentConfiguration
    private let clocks: Clocks
    private var looks = 0

    init(_ archives: Archives, _ configuration: CurrentConfiguration, _ clocks: Clocks) {
        self.archives = archives
        self.configuration = configuration
        self.clocks = clocks
    }

    private var settings: Configuration.Cache { configuration.cache }

    /// The key of a request: over who asks, where it goes and all that is sent; nil when nothing is to be kept.
    func key(_ request: ModelRequest, _ candidate: Candidate, owner: UserID) -> [UInt8]? {
        guard settings.isOn, let url = candidate.upstream.url(for: candidate.model) else { return nil }
        var digest = SHA256Digest()
        digest.update(Array("\(owner)\n\(candidate.upstream.kind)\n\(url)\n".utf8))
        // A question is the same in another conversation.
        var request = request
        request.cacheKey = nil
        digest.update(candidate.upstream.body(for: request))
        return digest.finish()
    }

    /// Looks for the answer under a key; nil when there is none that is young enough.
    func response(_ key: [UInt8], _ then: @escaping (KeptResponse?) -> Void) {
        looks += 1
        if looks % ResponseCache.sweep == 0 {
            let prune = PruneResponses(before: clocks.now() - Int64(settings.age), most: settings.entries)
            // What stays is too old to be used, and goes next time.
            archives.write(prune, isEphemeral: false) { _ in }
        }
        let now = clocks.now(), age = Int64(settings.age)
        archives.read(KeptAnswer(key)) { result in
            // One that cannot be read is asked for: that costs money, and no answer is wrong.
            guard case .success(let found?) = result, now - found.createdAt < age else { return then(nil) }
            then(found)
        }
    }
}

/// Gives a kept answer as if it came from an upstream.
final class KeptCall: UpstreamCall {
    private var receive: ((UpstreamEvent) -> Void)?

    init(_ kept: KeptResponse, loop: EventLoop, _ receive: @escaping (UpstreamEvent) -> Void) {
        self.receive = receive
        loop.after(milliseconds: 0) { [weak self] in self?.give(kept) }
    }

    func cancel() { receive = nil }
    func pause() {}  // one answer, in memory already
    func resume() {}

    private func give(_ kept: KeptResponse) {
        let message = Message(
            id: MessageID(high: 0, low: 0), seq: 0, role: .assistant, createdAt: 0, tokens: 0,
            content: kept.content)
        receive?(.pieces(message.pieces.filter { !$0.bytes.isEmpty }))
        let receive = receive
        self.receive = nil
        receive?(.finished(Turn.Finish(reason: kept.finish, usage: kept.usage, isCached: true)))
    }
}
