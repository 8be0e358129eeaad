internal import EventLoop
internal import Testing
internal import Upstream

/// An upstream behind HTTP, in the dialect of its kind.
func httpUpstream(_ settings: UpstreamSettings, environment: [String: String], _ loop: EventLoop) throws
    -> HTTPUpstream
{
    HTTPUpstream(
        settings, try #require(settings.dialect), environment: environment,
        client: HTTPClient(loop: loop, environment: environment), loop: loop, clock: { 0 })
}
