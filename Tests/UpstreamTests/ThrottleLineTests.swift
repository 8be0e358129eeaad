internal import Conversation
internal import Testing

@testable internal import Upstream

/// A throttle of 60 requests a minute, those who wait for it, and who is served when.
private final class Counter {
    final class Request {
        let user: UserID
        var due: Int64
        init(_ user: UserID, due: Int64) {
            self.user = user
            self.due = due
        }
        var place: ThrottleLine.Place { .init(user, ObjectIdentifier(self)) }
    }

    var throttle = Throttle(Throttle.Limits(requestsPerMinute: 60), now: 0)
    var line = ThrottleLine()
    var waiting: [Request] = []
    var looks = 0

    init() { for _ in 0..<60 { throttle.take(tokens: 1, now: 0) } }

    func come(_ user: UserID, at now: Int64) -> Request {
        let request = Request(user, due: now)
        waiting.append(request)
        return request
    }

    /// Whoever is due looks; gives who was served until a time.
    func run(until end: Int64) -> [(user: UserID, at: Int64)] {
        var served: [(UserID, Int64)] = []
        while let next = waiting.enumerated().min(by: { $0.element.due < $1.element.due }),
            next.element.due <= end
        {
            let now = next.element.due, place = next.element.place
            looks += 1
            let wait = throttle.wait(tokens: 1, behind: line.before(place, now: now), now: now)
            if wait == 0 {
                line.leave(place, isServed: true)
                throttle.take(tokens: 1, now: now)
                waiting.remove(at: next.offset)
                served.append((next.element.user, now))
            } else {
                line.wait(place, tokens: 1, milliseconds: wait, now: now)
                next.element.due = now + Int64(wait)
            }
        }
        return served
    }
}

@Suite struct `Users who wait for one throttle` {
    private let bob = UserID(1), alice = UserID(2)

    @Test func `are served in turn, however many requests one of them has`() {
        let counter = Counter()
        for number in 0..<250 { _ = counter.come(bob, at: Int64(number)) }
        _ = counter.run(until: 5_500)
        _ = counter.come(alice, at: 5_600)
        _ = counter.come(alice, at: 5_601)
        let served = counter.run(until: 20_000)
        let hers = served.filter { $0.user == alice }
        #expect(hers.count == 2 && (hers.first?.at ?? .max) <= 7_000 && (hers.last?.at ?? .max) <= 9_000)
        // Nothing of what the throttle allows is lost, and nobody looks again and again.
        #expect(served.count >= 13 && counter.looks < 1_500, "\(served.count), \(counter.looks)")
    }

    @Test func `of whom one goes away hold up nobody`() {
        let counter = Counter()
        let first = counter.come(bob, at: 0)
        _ = counter.run(until: 10)
        counter.waiting.removeAll { $0 === first }
        _ = counter.come(alice, at: 20)
        #expect(counter.run(until: 6_000).count == 1)
        // Who says so holds up nobody for a moment.
        let other = Counter(), second = other.come(bob, at: 0)
        _ = other.run(until: 1)
        other.waiting.removeAll { $0 === second }
        other.line.leave(second.place, isServed: false)
        _ = other.come(alice, at: 2)
        #expect(other.run(until: 1_002).count == 1)
    }
}
