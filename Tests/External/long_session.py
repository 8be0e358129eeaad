#!/usr/bin/env python3
"""A session of 200,000 messages holds up nobody: while one client loads, asks, lists and exports it as fast as it can,
another asks for something short all the time.

    python3 Tests/External/long_session.py [.build/release] [--messages 200000] [--limit-ms 2.0] [--only load,prompt]

The short question is `_convod/server/info`, each millisecond or as soon as the one before is answered, from a process of
its own. A phase repeats what it does until there are enough answers. Fails when the p99 of a phase is above the limit
(where the idle one is above half of it, since the machine is busy: above the limit and the idle one together), and when a
load or an export misses messages, a prompt is not answered, or its receipt says something else than what the window holds.
Then a branch of as many messages is deleted, while another client writes.
"""
import argparse, contextlib, json, math, multiprocessing, os, random, re, sqlite3, sys, time
from daemon import Client, Daemon, Failed

SAMPLES = 3_000  # of a phase at least; of fewer the p99 is what the machine happened to do
A_CALL = 1_000  # messages of one append, as many as there may be
TURNS, BRANCHES, PINS = 1_500, 300, 200
WIDE, ABOVE_PINS = 1_000_000, 8_000
PLAIN, PINNED, LEFT, BESIDE = "plain", "pinned", "left", "beside"
IDS = {"session/load": re.compile(rb'"messageId":"([0-9a-f-]{36})"'),
       "_convod/export": re.compile(rb'"record":\{"type":"message","id":"([0-9a-f-]{36})"')}


class Reader(Client):
    """A client that sends ahead and reads much."""

    def answer(self):
        """The next answer, whichever it is; updates are passed over."""
        while "method" in (line := self.line(time.monotonic() + 120)):
            pass
        return self.result(line)

    def all(self, method, calls, ahead):
        """Makes many calls, so many of them ahead of their answers; gives the results."""
        results, sent = [], 0
        for sent, params in enumerate(calls, 1):
            self.send(method, 120, **params)
            if sent > ahead:
                results.append(self.answer())
        return results + [self.answer() for _ in range(sent - len(results))]

    def stream(self, method, **params):
        """The result of a call that sends much before, and how many messages had a line; reads as fast as it comes."""
        self.send(method, 120, **params)
        end, seen, rest = b'{"jsonrpc":"2.0","id":%d,' % self.number, set(), b""
        while more := self.socket.recv(1 << 20):
            lines, _, rest = (rest + more).rpartition(b"\n")
            seen.update(IDS[method].findall(lines))
            last = lines[lines.rfind(b"\n") + 1:]  # behind the answer nothing comes
            if last.startswith(end):
                return self.result(json.loads(last)), len(seen)
        raise ConnectionError("the daemon closed the connection")


class Probe:
    """Asks for something short all the time, in a process of its own."""

    def __init__(self, path):
        self.count = multiprocessing.Value("q", 0, lock=False)
        self.near, far = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.run, args=(path, far), daemon=True)
        self.process.start()

    def run(self, path, pipe):
        request = b'{"jsonrpc":"2.0","id":1,"method":"_convod/server/info","params":{}}\n'
        with Client(path) as client:
            while pipe.recv():  # a phase begins
                times, isOver = [], False
                while not isOver:
                    start = time.perf_counter()
                    client.socket.sendall(request)
                    answer = b""
                    while not answer.endswith(b"\n"):
                        answer += client.socket.recv(1 << 16)
                    took = time.perf_counter() - start
                    if b'"result"' not in answer[:60]:
                        raise SystemExit(f"the short question failed: {answer[:200]}")
                    times.append(took * 1000)
                    self.count.value = len(times)
                    isOver = pipe.poll(0)
                    time.sleep(max(0, 0.001 - took))
                pipe.recv()
                self.count.value = 0
                pipe.send(times)

    def beside(self, action):
        """Does something at least once and until there are enough answers: the milliseconds of each, and the seconds and
        results of what was done."""
        self.near.send(True)
        done, began = [], time.monotonic()
        while not done or self.count.value < SAMPLES:
            start = time.monotonic()
            result = action()
            done.append((time.monotonic() - start, result))
            if not self.process.is_alive():
                raise SystemExit("the short question is asked no more")
        self.near.send(True)
        if not self.near.poll(60):
            raise SystemExit("the short question has no answer")
        return self.near.recv(), done, time.monotonic() - began

    def end(self):
        self.near.send(False)
        self.process.join(10)


def percentile(times, p):
    return sorted(times)[math.ceil(len(times) * p / 100) - 1]


class Run:
    def __init__(self, daemon, arguments):
        self.daemon, self.asked, self.bad = daemon, arguments, []
        self.client, self.probe = Reader(daemon.socket), Probe(daemon.socket)
        self.random, self.step = random.Random(1), max(1, arguments.messages // PINS)
        self.words = ["".join(self.random.choices("etaoinshrdlucmfw", k=self.random.randint(2, 9))) for _ in range(2_000)]

    def check(self, holds, words):
        if not holds:
            self.bad.append(words)

    def text(self):
        return " ".join(self.random.choices(self.words, k=220))[:1024].ljust(1024, ".")

    def fill(self, session, isPinned=lambda seq: False):
        start, total = time.monotonic(), self.asked.messages
        # Pins are measured as they come.
        self.client.new(session, ifExists="resume", window={"maxTokens": 1_000_000_000, "pinTokens": 1_000_000_000})
        calls = (dict(sessionId=session, ifMissing="create", messages=[
            {"role": "user" if n % 2 == 0 else "assistant", "content": [{"type": "text", "text": self.text()}], "pinned": isPinned(n)}
            for n in range(first, min(total, first + A_CALL))]) for first in range(0, total, A_CALL))
        ids = [i for result in self.client.all("_convod/message/append", calls, 8) for i in result["messageIds"]]
        self.client.call("_convod/session/set", sessionId=session, window=None)
        took = time.monotonic() - start
        self.check(len(set(ids)) == total, f"{len(set(ids))} of {total} messages of '{session}' were taken")
        print(f"'{session}': {total} messages in {took:.1f} s, {total / took:.0f} a second", flush=True)
        return ids

    def prepare(self):
        start = time.monotonic()
        self.client.new(PLAIN)
        self.client.all("session/prompt", (dict(sessionId=PLAIN, prompt=[{"type": "text", "text": f"turn {n}"}]) for n in range(TURNS)), 64)
        print(f"{TURNS} turns in {time.monotonic() - start:.1f} s", flush=True)
        ids = self.fill(PLAIN)
        self.fill(PINNED, lambda n: n % self.step == 0)
        session = self.client.call("_convod/session/get", sessionId=PINNED)
        self.pins = len(range(0, session["messageCount"], self.step))
        # All messages cost much the same; words of no language cost a window some times what is stored with them, by what the server counted.
        self.pinTokens = 4 * self.pins * session["tokens"] // session["messageCount"]
        start = time.monotonic()
        main = self.client.call("_convod/branch/list", sessionId=PLAIN)["branches"][0]["branch"]
        for n in range(1, BRANCHES):  # each leaves the first one, from its end to its beginning
            self.client.call("_convod/message/set", sessionId=PLAIN, messageId=ids[-1 - n * (len(ids) // BRANCHES)],
                             content=[{"type": "text", "text": f"edit {n}"}])
            self.client.call("_convod/branch/switch", sessionId=PLAIN, branch=main)
        print(f"{BRANCHES} branches in {time.monotonic() - start:.1f} s; the daemon holds {self.daemon.memory() >> 10} MiB", flush=True)

    def load(self):
        result, count = self.client.stream("session/load", sessionId=PLAIN, cwd="/tmp", mcpServers=[])
        stored = result["_meta"]["convod"]["messageCount"]
        self.check(count == stored >= self.asked.messages, f"a load brought {count} of {stored} messages")
        return f"{count} messages"

    def prompt(self, session, tokens, pins, most):
        result = self.client.call("session/prompt", 60, sessionId=session, prompt=[{"type": "text", "text": "and now?"}],
                                  _meta={"convod": {"window": {"maxTokens": tokens}}})
        receipt = result["_meta"]["convod"]["receipt"]
        self.check(result["stopReason"] == "end_turn", f"a prompt ended as {result['stopReason']}")
        # No turn of ours is larger than two messages of at most 600 tokens.
        full = tokens - 1_200 < receipt["estimate"] <= tokens if receipt["leftOutMessages"] else receipt["estimate"] <= tokens
        self.check(full and receipt["pinnedMessages"] == pins and 0 < receipt["sentMessages"] <= most, f"a receipt of '{session}' says {receipt}")
        return f"{receipt['sentMessages']} messages in the window, {receipt['estimate']} tokens, {receipt['pinnedMessages']} pins"

    def pinned(self):
        return self.prompt(PINNED, self.pinTokens + ABOVE_PINS, self.pins, self.pins + ABOVE_PINS)

    def pages(self, method, field, most=None, **params):
        """The rows of a list, or of so many pages of it at most."""
        rows, cursor, count = [], None, 0
        while count == 0 or cursor and count != most:
            page = self.client.call(method, 60, sessionId=PLAIN, cursor=cursor, **params)
            rows, cursor, count = rows + page[field], page.get("nextCursor"), count + 1
        return rows, count

    def turns(self):
        rows, count = self.pages("_convod/turn/list", "turns")
        self.check(len({r["turnId"] for r in rows}) == len(rows) >= TURNS, f"a list has {len(rows)} turns")
        return f"{len(rows)} turns, {count} pages"

    def branches(self):
        count = len(self.pages("_convod/branch/list", "branches")[0])
        self.check(count == BRANCHES, f"a list has {count} branches")
        return f"{count} branches"

    def newest(self):
        rows, count = self.pages("_convod/message/list", "messages", 5, order="desc", limit=1_000)
        seqs = [r["seq"] for r in rows]
        self.check(seqs == list(range(seqs[0], seqs[0] - len(seqs), -1)), "a list of messages has gaps")
        return f"{len(rows)} messages, {count} pages"

    def export(self):
        result, count = self.client.stream("_convod/export", sessionId=PLAIN)
        stored = self.client.call("_convod/session/get", sessionId=PLAIN)["messageCount"]
        # The other records: the session, its turns, where a branch leaves another, the end.
        self.check(count >= stored and result["count"] >= count + TURNS + BRANCHES, f"an export brought {count} of {stored} messages, and says {result['count']} records")
        return f"{count} messages"

    def deletion(self):
        """Deletes a branch of that many messages, and measures what others wait for their own commits while it goes."""
        text = [{"type": "text", "text": self.text()}]
        message = {"role": "user", "content": text}
        first = self.client.call("_convod/message/append", sessionId=LEFT, ifMissing="create", messages=[message])["messageIds"][0]
        branch = self.client.call("_convod/message/set", sessionId=LEFT, messageId=first, content=text)["branch"]
        for _ in range(self.asked.messages // A_CALL):
            self.client.call("_convod/message/append", sessionId=LEFT, messages=[message] * A_CALL)
        main = self.client.call("_convod/branch/list", sessionId=LEFT)["branches"][0]["branch"]
        self.client.call("_convod/branch/switch", sessionId=LEFT, branch=main)

        def milliseconds(method, **params):
            start = time.perf_counter()
            return self.client.call(method, 60, **params), 1_000 * (time.perf_counter() - start)

        result, took = milliseconds("_convod/branch/delete", sessionId=LEFT, branch=branch)
        self.check(result["deletedMessages"] == 1 + self.asked.messages // A_CALL * A_CALL, f"a deletion says {result}")
        times, start = [], time.monotonic()
        with contextlib.closing(sqlite3.connect(self.daemon.database)) as database:
            while database.execute("SELECT count(*) FROM branch WHERE deleted_at IS NOT NULL").fetchone()[0]:
                times += [milliseconds("_convod/message/append", sessionId=BESIDE, ifMissing="create", messages=[message])[1] for _ in range(100)]
                if time.monotonic() - start > 60:
                    return self.check(False, "a deleted branch is not gone after a minute")
        p99 = percentile(times or [0], 99)
        self.check(took < 50 and p99 < 10, f"a deletion took {took:.0f} ms, others' commits {p99:.1f} ms at p99")
        print(f"a branch of {self.asked.messages} messages is deleted in {took:.1f} ms, and gone after {time.monotonic() - start:.1f} s;"
              f" {len(times)} commits of others meanwhile: p50 {percentile(times or [0], 50):.2f} ms, p99 {p99:.2f}")

    def phases(self):
        print(f"{'phase':10}{'seconds':>8}{'times':>6}{'each s':>8}{'samples':>9}{'p50 ms':>8}{'p99':>7}{'max':>7}")
        actions = {"idle": lambda: time.sleep(0.5), "load": self.load, "prompt": lambda: self.prompt(PLAIN, WIDE, 0, WIDE), "pinned": self.pinned,
                   "turns": self.turns, "branches": self.branches, "newest": self.newest, "export": self.export}
        limit, chosen = self.asked.limit_ms, ["idle", *self.asked.only.split(",")] if self.asked.only else list(actions)
        for name in chosen:
            times, done, seconds = self.probe.beside(actions[name])
            p99 = percentile(times, 99)
            isSlow = name != "idle" and p99 > limit
            self.check(not isSlow, f"{name}: p99 is {p99:.2f} ms, {limit:.2f} were allowed")
            print(f"{name:10}{seconds:8.1f}{len(done):6}{min(t for t, _ in done):8.3f}{len(times):9}{percentile(times, 50):8.2f}{p99:7.2f}"
                  f"{max(times):7.2f}  {'FAIL ' if isSlow else ''}{done[-1][1] or ''}", flush=True)
            if name == "idle" and p99 > limit / 2:
                limit += p99
                print(f"the machine is busy: the idle p99 is {p99:.2f} ms, so that the others may have {limit:.2f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--limit-ms", type=float, default=2.0)
    parser.add_argument("--only", help="phases beside idle")
    asked = parser.parse_args()
    with Daemon(os.path.abspath(asked.programs), {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}) as daemon:
        run = Run(daemon, asked)
        run.prepare()
        run.phases()
        run.probe.end()
        run.deletion()
        print(f"the daemon holds {daemon.memory() >> 10} MiB, {daemon.memory('VmHWM') >> 10} MiB at the most")
    for line in run.bad:
        print("FAIL", line)
    print(f"{len(run.bad)} checks failed")
    return 1 if run.bad else 0


if __name__ == "__main__":
    sys.exit(main())
