internal import Conversation
internal import Protocol
internal import Upstream

/// What a call along a route sends: the request for each upstream of it, and what is left of that when it does not fit.
protocol RouteRequests: AnyObject {
    /// Whose call it is.
    var owner: UserID { get }
    /// About the tokens that an upstream is or would be sent.
    func estimate(for upstream: String) -> Int
    /// Makes the request for an upstream.
    func request(for candidate: Candidate, _ then: @escaping (RouteRequest) -> Void)
    /// The answer has begun: a request is made anew for another try.
    func dropWords()
    /// Makes a smaller request after a provider said that the context is too long; false when that is of no use. `bytes` are
    /// those of the request that was refused.
    func trim(for candidate: Candidate, after failure: UpstreamFailure, bytes: Int?) -> Bool
    /// An upstream is passed over, since what must be sent does not fit it.
    func passOver(_ candidate: Candidate, _ failure: UpstreamFailure, _ problem: RouteProblem?)
    /// Who may hold what does not fit the present upstream.
    func larger(than now: Candidate?, after failure: UpstreamFailure) -> [String]
    /// Nobody needs the request that is being made.
    func cancel()
}

/// Who sends everyone the same neither trims nor waits for anything.
extension RouteRequests {
    func dropWords() {}
    func trim(for candidate: Candidate, after failure: UpstreamFailure, bytes: Int?) -> Bool { false }
    func passOver(_ candidate: Candidate, _ failure: UpstreamFailure, _ problem: RouteProblem?) {}
    func larger(than now: Candidate?, after failure: UpstreamFailure) -> [String] { [] }
    func cancel() {}
}

/// What came of making a request.
enum RouteRequest {
    case request(ModelRequest)
    /// This upstream gets none; another one may.
    case unfit(RouteProblem)
    /// Nobody gets one.
    case failed(WireError)
}

/// Why there is no request for an upstream, as if it had said so itself.
struct RouteProblem {
    let failure: UpstreamFailure
    /// Tokens that must be sent, and that may be, where that is the reason.
    var needed: Int?
    var budget: Int?
}

/// The same request for whoever is asked, as a test of an upstream makes it.
final class FixedRequest: RouteRequests {
    let owner: UserID
    private let request: ModelRequest

    init(_ request: ModelRequest, owner: UserID) {
        self.request = request
        self.owner = owner
    }

    func estimate(for upstream: String) -> Int { request.estimate }
    func request(for candidate: Candidate, _ then: @escaping (RouteRequest) -> Void) {
        then(.request(request))
    }
}
