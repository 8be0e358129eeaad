internal import Testing
internal import Upstream

private let down = UpstreamFailure(.unavailable, "down", isRetryable: true)

/// A failure that names its wait in milliseconds.
private func slow(_ wait: Int) -> UpstreamFailure {
    UpstreamFailure(.throttled, "slow down", status: 429, isRetryable: true, retryAfter: wait)
}

private func ready(_ name: String) -> Availability { .ready }

@Suite struct `The wait before another try` {
    @Test func `doubles with jitter and is never below what the server names`() {
        let policy = RetryPolicy(attempts: 3, total: 10_000)
        #expect(policy.backoff(after: 1, retryAfter: nil, random: 0) == 300)
        #expect(policy.backoff(after: 1, retryAfter: nil, random: 1) == 500)
        #expect(policy.backoff(after: 2, retryAfter: nil, random: 1) == 1_000)
        #expect(policy.backoff(after: 1, retryAfter: 4_000, random: 0) == 4_000)
        #expect(policy.backoff(after: 60, retryAfter: nil, random: 1) == 8_000)
    }
}

@Suite struct `A route` {
    private let policy = RetryPolicy(attempts: 2, total: 10_000)

    /// A plan whose first upstream was asked.
    private func begun(_ route: [String]) -> RoutePlan {
        var plan = RoutePlan(route: route)
        _ = plan.begin(policy: policy, ready)
        return plan
    }

    @Test func `asks its first upstream at once`() {
        var plan = RoutePlan(route: ["a", "b"])
        #expect(plan.begin(policy: policy, ready) == .ask("a", wait: 0))
        #expect(plan.number == 1)
    }

    @Test func `tries again after a short wait, and goes on when an upstream is used up`() {
        var plan = begun(["a", "b"])
        #expect(
            plan.next(after: down, policy: policy, elapsed: 0, random: 0, ready) == .ask("a", wait: 300))
        #expect(plan.next(after: down, policy: policy, elapsed: 0, random: 0, ready) == .ask("b", wait: 0))
        #expect(plan.number == 3)
    }

    @Test func `ends with the last failure when nobody is left`() {
        var plan = begun(["a"])
        _ = plan.next(after: down, policy: policy, elapsed: 0, random: 0, ready)
        #expect(plan.next(after: down, policy: policy, elapsed: 0, random: 0, ready) == .fail(down))
    }

    @Test func `asks who was not asked yet though all of the time is used up, and nobody twice`() {
        var plan = begun(["a", "b", "c"])
        let late = 60_000
        #expect(plan.next(after: down, policy: policy, elapsed: late, random: 0, ready) == .ask("b", wait: 0))
        #expect(plan.next(after: down, policy: policy, elapsed: late, random: 0, ready) == .ask("c", wait: 0))
        #expect(plan.next(after: down, policy: policy, elapsed: late, random: 0, ready) == .fail(down))
    }

    @Test func `goes to the next at once where the wait is long, as with 46 s`() {
        var plan = begun(["a", "b"])
        #expect(
            plan.next(after: slow(46_720), policy: RetryPolicy(), elapsed: 0, random: 0, ready)
                == .ask("b", wait: 0))
    }

    @Test func `waits for its only upstream, unless the wait is beyond the time that is left`() {
        var plan = begun(["a"])
        #expect(
            plan.next(after: slow(9_000), policy: policy, elapsed: 500, random: 0, ready)
                == .ask("a", wait: 9_000))
        var other = begun(["a"])
        let day = slow(86_400_000)
        #expect(other.next(after: day, policy: policy, elapsed: 0, random: 0, ready) == .fail(day))
    }

    @Test
    func `does not ask another for what was refused or does not fit, but does for a spent quota or a key`() {
        for kind in [UpstreamFailure.Kind.refused, .overflow] {
            var plan = begun(["a", "b"])
            let failure = UpstreamFailure(kind, "no", isRetryable: false)
            #expect(plan.next(after: failure, policy: policy, elapsed: 0, random: 0, ready) == .fail(failure))
        }
        for kind in [UpstreamFailure.Kind.quota, .auth] {
            var plan = begun(["a", "b"])
            let failure = UpstreamFailure(kind, "no", isRetryable: false)
            #expect(
                plan.next(after: failure, policy: policy, elapsed: 0, random: 0, ready) == .ask("b", wait: 0))
        }
    }

    @Test func `asks again at once where the key is another one now, a bounded number of times (N044)`() {
        var plan = begun(["a"])
        var failure = UpstreamFailure(.auth, "no", status: 401, isRetryable: false)
        failure.retriesAtOnce = true
        var steps: [RoutePlan.Step] = []
        repeat {
            steps.append(plan.next(after: failure, policy: policy, elapsed: 0, random: 0, ready))
        } while steps.last == .ask("a", wait: 0) && steps.count < 100
        #expect(steps.count == 9)
        failure.message += "; no more than 9 keys or forms of a request are tried in a row"
        #expect(steps.last == .fail(failure))
    }

    @Test func `passes over an upstream whose breaker is open, and takes it where nobody else is left`() {
        let open: (String) -> Availability = { name in
            name == "a" ? .blocked(milliseconds: 5_000, down, isFirm: false) : .ready
        }
        var plan = RoutePlan(route: ["a", "b"])
        #expect(plan.begin(policy: policy, open) == .ask("b", wait: 0))
        var alone = RoutePlan(route: ["a"])
        #expect(alone.begin(policy: policy, open) == .ask("a", wait: 0))
    }

    @Test func `does not wait for one that is left alone because of others while another is ready`() {
        for isFirm in [true, false] {
            let shut: (String) -> Availability = { name in
                name == "a" ? .blocked(milliseconds: 1_000, slow(1_000), isFirm: isFirm) : .ready
            }
            var plan = RoutePlan(route: ["a", "b"])
            #expect(plan.begin(policy: policy, shut) == .ask("b", wait: 0))
        }
        let gate: (String) -> Availability = { name in
            name == "a" ? .blocked(milliseconds: 1_000, slow(1_000), isFirm: true) : .ready
        }
        var own = begun(["a", "b"])
        let step = own.next(after: slow(1_000), policy: policy, elapsed: 0, random: 0, gate)
        #expect(step == .ask("a", wait: 1_300), "its own short wait comes first")
    }

    @Test func `looks again after a wait, so that a breaker that opened meanwhile holds`() {
        var plan = begun(["a", "b"])
        #expect(
            plan.next(after: down, policy: policy, elapsed: 0, random: 0, ready) == .ask("a", wait: 300))
        var same = plan
        #expect(same.resume(policy: policy, elapsed: 300, ready) == .ask("a", wait: 0))
        let open: (String) -> Availability = { name in
            name == "a" ? .blocked(milliseconds: 4_700, down, isFirm: false) : .ready
        }
        #expect(plan.resume(policy: policy, elapsed: 300, open) == .ask("b", wait: 0))
        #expect(plan.number == 2)
    }

    @Test
    func `waits out what a server asked for where nobody else is left, and says how long when it cannot`() {
        let shut: (String) -> Availability = { _ in
            .blocked(milliseconds: 5_000, slow(5_000), isFirm: true)
        }
        var plan = RoutePlan(route: ["a"])
        #expect(plan.begin(policy: policy, shut) == .ask("a", wait: 5_000))
        var short = RoutePlan(route: ["a"])
        let step = short.begin(policy: RetryPolicy(attempts: 3, total: 1_000), shut)
        #expect(step == .fail(slow(5_000)))
    }
}

@Suite struct `A breaker` {
    @Test func `opens after failures in a row, lets one probe through, and closes when it succeeds (B157)`() {
        var breaker = Breaker(.init(failures: 2, cooldown: 1_000, longest: 3_000))
        breaker.failed(now: 0)
        #expect(breaker.wait(now: 0) == 0)
        breaker.failed(now: 10)
        #expect(breaker.wait(now: 10) == 1_000 && breaker.name == "open")
        #expect(breaker.wait(now: 1_010) == 0)
        breaker.sent(now: 1_010)
        #expect(breaker.name == "half-open" && breaker.wait(now: 1_010) > 0, "one probe at a time")
        breaker.succeeded()
        #expect(breaker.wait(now: 1_011) == 0 && breaker.name == "closed")
    }

    @Test func `stays open longer after each probe that fails, up to its bound`() {
        var breaker = Breaker(.init(failures: 1, cooldown: 1_000, longest: 3_000))
        breaker.failed(now: 0)
        var now: Int64 = 0, waits: [Int] = []
        for _ in 0..<4 {
            waits.append(breaker.wait(now: now))
            now += Int64(breaker.wait(now: now))
            breaker.sent(now: now)
            breaker.failed(now: now)
        }
        #expect(waits == [1_000, 2_000, 3_000, 3_000])
    }

    @Test func `stays open no longer for requests that went out although it was open`() {
        var breaker = Breaker(.init(failures: 1, cooldown: 1_000, longest: 3_000))
        breaker.failed(now: 0)
        for now in Int64(1)...5 {
            breaker.sent(now: now)
            breaker.failed(now: now)
        }
        #expect(breaker.wait(now: 1_000) == 0)
    }

    @Test func `lets one more probe through when nothing is heard of the last`() {
        var breaker = Breaker(.init(failures: 1, cooldown: 1_000, longest: 3_000))
        breaker.failed(now: 0)
        breaker.sent(now: 1_000)
        #expect(breaker.wait(now: 2_000) == 0)
        breaker.sent(now: 2_000)
        #expect(breaker.wait(now: 2_000) == 1_000)
    }

    @Test func `counts only failures in a row`() {
        var breaker = Breaker(.init(failures: 2, cooldown: 1_000, longest: 3_000))
        breaker.failed(now: 0)
        breaker.succeeded()
        breaker.failed(now: 0)
        #expect(breaker.wait(now: 0) == 0)
    }
}

@Suite struct `A limit of requests and tokens a minute` {
    @Test func `lets a minute's worth through at once and then fills evenly`() {
        var throttle = Throttle(.init(requestsPerMinute: 60), now: 0)
        for _ in 0..<60 {
            #expect(throttle.wait(tokens: 0, now: 0) == 0)
            throttle.take(tokens: 0, now: 0)
        }
        #expect(throttle.wait(tokens: 0, now: 0) == 1_000)
        #expect(throttle.wait(tokens: 0, now: 1_000) == 0)
    }

    @Test
    func `counts tokens, lets a request bigger than the limit wait for a full minute, and takes corrections`()
    {
        var throttle = Throttle(.init(tokensPerMinute: 600), now: 0)
        throttle.take(tokens: 600, now: 0)
        #expect(throttle.wait(tokens: 100, now: 0) == 10_000)
        #expect(throttle.wait(tokens: 100_000, now: 0) == 60_000)
        throttle.correct(tokens: -300, now: 0)
        #expect(throttle.wait(tokens: 100, now: 0) == 0)
    }
}
