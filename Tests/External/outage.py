"""An outage drill: prompts go on while an upstream is down, and find back to it.

    python3 Tests/External/outage.py .build/debug [--seconds 60] [--only 503,refused,429,single]

A route of two upstreams; the first answers 503, or refuses connections, or 429 with `Retry-After: 30`, for a while; a
prompt a second, each in its own session, under the defaults of the configuration. No prompt may fail, the first must be
left alone but for probes, what the second answers must take as long as when it is asked directly (within 20 %, median
and 99th percentile, after the first three prompts), and the first must be used again once it is well. Then one upstream alone: a
prompt into an outage of 2 s must wait where it can be seen, and with five attempts succeed. The drills run side by side, each with a daemon
of its own. Exit code 1 when a check fails.
"""
import argparse, http.server, json, os, statistics, sys, threading, time
from daemon import Daemon, Failed, free_port

LATENCY = 0.05
BASELINE = 30  # prompts to the second alone
ALLOWED = 1.2
RETRY_AFTER = 30


class Server(http.server.ThreadingHTTPServer):
    """Speaks Chat Completions; `mode` is None while it is well."""
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def __init__(self, name, port=0, mode=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.name, self.mode, self.hits = name, mode, []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        mode = self.server.mode
        self.server.hits.append((time.monotonic(), mode))
        if mode:
            body = json.dumps({"error": {"message": "not now", "type": "server_error"}}).encode()
            more = {"Retry-After": str(RETRY_AFTER)} if mode == 429 else {}
            return self.answer(mode, "application/json", body, more)
        time.sleep(LATENCY)
        chunks = [{"delta": {"content": self.server.name}}, {"delta": {}, "finish_reason": "stop"}]
        text = "".join("data: %s\n\n" % json.dumps({"choices": [{"index": 0, **c}]}) for c in chunks) + "data: [DONE]\n\n"
        self.answer(200, "text/event-stream", text.encode(), {})

    def answer(self, status, kind, body, more):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Drill:
    """One outage; `mode` is 503, 429 or "refused"."""

    def __init__(self, programs, mode, seconds):
        self.programs, self.mode, self.seconds, self.name = programs, mode, seconds, str(mode)
        self.lines, self.bad, self.results, self.lock = [], [], [], threading.Lock()

    def say(self, words):
        self.lines.append(f"{self.name}: {words}")

    def check(self, holds, words):
        if not holds:
            self.bad.append(f"{self.name}: {words}")

    def ask(self, session, upstream=None):
        """A prompt in a session of its own; its seconds, who answered, and what the client was told meanwhile."""
        with self.daemon.client() as client:
            client.new(session, **({"upstream": upstream} if upstream else {}))
            began = time.monotonic()
            try:
                result = client.prompt(session, "ping", 150)
                who = result["_meta"]["convod"]["upstream"]
            except Failed as error:
                who = None
                self.check(False, f"{session} fails: {error.kind}: {error}")
            states = [l["params"]["update"].get("_meta", {}).get("convod", {}).get("state") for _, l in client.updates]
            return began, time.monotonic() - began, who, states

    def prompts(self, until, label):
        """A prompt each second until a moment or until `until()` holds."""
        results, threads, k, start = [], [], 0, time.monotonic()
        while not until():
            def one(name=f"{label}-{k}"):
                answer = self.ask(name)
                with self.lock:
                    results.append(answer)
            threads.append(threading.Thread(target=one))
            threads[-1].start()
            k += 1
            time.sleep(max(0, start + k - time.monotonic()))
        for thread in threads:
            thread.join(150)
        return sorted(results)

    def ask_beside(self, began):
        """The second alone, half a second after each prompt: a busy machine slows both."""
        self.beside, k = [], 0
        while k < self.seconds:
            time.sleep(max(0, began + k + 0.5 - time.monotonic()))
            self.beside.append(self.ask(f"beside-{k}", "second")[1])
            k += 1

    def run(self):
        port = free_port()
        second = Server("second")
        primary = None if self.mode == "refused" else Server("primary", port)
        upstreams = {n: {"kind": "openai", "baseURL": f"http://127.0.0.1:{p}/v1", "model": "m"}
                     for n, p in (("primary", port), ("second", second.server_port))}
        config = {"upstreams": upstreams, "routes": {"default": ["primary", "second"]}}
        with Daemon(self.programs, config) as self.daemon:
            self.baseline = [self.ask(f"base-{k}", "second")[1] for k in range(BASELINE)]
            if primary:
                self.check(self.ask("before")[2] == "primary", "the primary is not used while it is well")
                primary.mode = self.mode
            began = time.monotonic()
            beside = threading.Thread(target=self.ask_beside, args=(began,))
            beside.start()
            during = self.prompts(lambda: time.monotonic() - began >= self.seconds, "during")
            beside.join()
            end = time.monotonic()
            if primary:
                primary.mode = None
            else:
                primary = Server("primary", port)
            self.report(during, [t - began for t, mode in primary.hits if mode], end - began)
            self.recover(end)
        return self

    def report(self, during, hits, length):
        self.check(all(who == "second" for _, _, who, _ in during), f"answered by {set(w for _, _, w, _ in during)}")
        if self.mode != "refused":
            self.say(f"{len(hits)} requests touched the primary in {length:.0f} s, at {', '.join('%.1f' % t for t in hits)} s")
        if self.mode == 429:
            early = [t for t in hits[1:] if t - hits[0] < RETRY_AFTER - 0.05]
            self.check(not early, f"requests at {early} s, within Retry-After")
        # Three tries, then a probe each time that the breaker's pause is over: 5, 10, 20, 40, 60, … s.
        allowed, pause, at = (3, 5, 2) if self.mode != 429 else (1, RETRY_AFTER, 0)
        while at + pause < length:
            allowed, at, pause = allowed + 1, at + pause, pause if self.mode == 429 else min(60, 2 * pause)
        self.check(len(hits) <= allowed, f"{len(hits)} requests touched the primary, {allowed} were enough")
        def at(percent, times):
            return statistics.quantiles(times, n=100)[percent - 1]
        took = [t for _, t, _, _ in during[3:]]
        self.say("ms during the outage: p50 %.1f, p99 %.1f; the second asked directly: before p50 %.1f, p99 %.1f; meanwhile p50 %.1f, p99 %.1f"
                 % tuple(1000 * at(p, times) for times in (took, self.baseline, self.beside) for p in (50, 99)))
        for percent in (50, 99):
            mine, its = at(percent, took), max(at(percent, self.baseline), at(percent, self.beside))
            slow = [(round(t0 - during[0][0], 1), round(t, 2)) for t0, t, _, _ in during[3:] if t > ALLOWED * its]
            # One hiccup of the machine makes the 99th percentile of a minute; a fault of the route makes two or more.
            self.check(mine <= ALLOWED * its or percent == 99 and len(slow) < 2, f"p{percent} is {mine / its:.1f} times the second's; slow (at s, took s): {slow}")
        self.say("the first three took %s ms" % ", ".join("%.0f" % (1000 * t) for _, t, _, _ in during[:3]))

    def recover(self, end):
        back = []

        def isBack():
            with self.lock:
                return bool(back) or time.monotonic() - end > 70
        threading.Thread(target=self.watch, args=(back,), daemon=True).start()
        self.prompts(isBack, "after")
        self.check(back, "the primary is not used again within 70 s")
        if back:
            self.say(f"used again {back[0] - end:.1f} s after it was well")
            last = [self.ask(f"last-{k}")[2] for k in range(5)]
            self.check(last == ["primary"] * 5, f"after that: {last}")

    def watch(self, back):
        """Looks who answers, ten times a second, by what the daemon says of the primary."""
        with self.daemon.client() as client:
            for _ in range(800):
                upstream = next(u for u in client.call("_convod/upstream/list")["upstreams"] if u["name"] == "primary")
                if upstream["breaker"] == "closed" and "retryInMs" not in upstream and (upstream.get("lastSuccessAt") or "") > (upstream.get("lastErrorAt") or ""):
                    back.append(time.monotonic())
                    return
                time.sleep(0.1)


class Single(Drill):
    """One upstream without a route, down for 2 s: three tries last at most 1.5 s, so it takes more of them."""

    def run(self):
        self.ask_into_outage("single, attempts 3", {})
        self.ask_into_outage("single, attempts 5", {"retry": {"attempts": 5}})
        return self

    def ask_into_outage(self, name, more):
        self.name = name
        server = Server("only", mode=503)
        config = {"upstreams": {"only": {"kind": "openai", "baseURL": f"http://127.0.0.1:{server.server_port}/v1", "model": "m"}}, **more}
        with Daemon(self.programs, config) as self.daemon:
            threading.Timer(2, lambda: setattr(server, "mode", None)).start()
            began = time.monotonic()
            mayFail, before = not more, len(self.bad)
            _, took, who, states = self.ask("alone")
            if mayFail:
                del self.bad[before:]
            self.say(f"{'answered' if who else 'failed'} after {took:.1f} s, asked at "
                     f"{', '.join('%.1f' % (t - began) for t, _ in server.hits)} s; states {[s for s in states if s]}")
            self.check("retrying" in states, "no update says that it is tried again")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", default="503,refused,429,single")
    asked = parser.parse_args()
    programs, only = os.path.abspath(asked.programs), asked.only.split(",")
    drills = [Drill(programs, m, asked.seconds) for m in (503, "refused", 429) if str(m) in only]
    drills += [Single(programs, None, 0)] if "single" in only else []
    threads = [threading.Thread(target=d.run) for d in drills]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for drill in drills:
        print("\n".join(drill.lines))
    bad = [line for drill in drills for line in drill.bad]
    for line in bad:
        print("FAIL", line)
    print(f"{len(drills)} drills, {len(bad)} checks failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
