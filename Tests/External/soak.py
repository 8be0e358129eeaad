#!/usr/bin/env python3
"""An hour of everything at once leaves the daemon as it was: memory, descriptors, threads, timers and the log stay where they are.

    python3 Tests/External/soak.py .build/release [--seconds 3600] [--clients 16] [--seed N]

Clients make sessions, prompt, cancel, leave in the middle of answers and come back with a cursor, search, list, export, fork, edit,
delete and purge, on stored sessions and on ones in memory; what is old is purged, so that the store stays about as large as it is.
Each 20 seconds all of them rest until nothing is left to do, and what the process holds then is written down. Fails when the last
third of these holds more than the first one behind the beginning, when a request is answered with `internal` or not at all, or when
the store is not whole at the end."""
import argparse, json, os, random, re, statistics, threading, time

from daemon import Daemon, Failed

CONFIG = {"upstreams": {"echo": {"kind": "echo", "delay": "1ms"}}, "routes": {"default": ["echo"]}, "cache": {"enabled": True}}


class Crowd:
    def __init__(self, daemon, count, seed):
        self.daemon, self.isOver, self.count, self.answered, self.wrong, self.kinds = daemon, False, count, 0, [], {}
        self.mayGo, self.lock, self.resting = threading.Event(), threading.Lock(), 0
        self.mayGo.set()
        self.threads = [threading.Thread(target=self.live, args=(n, random.Random(seed * 1000 + n))) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def rest(self):
        """Waits until all of them rest, with no connection."""
        self.mayGo.clear()
        end = time.monotonic() + 120
        while self.resting < self.count:
            if time.monotonic() > end:
                raise SystemExit("some clients do not come to rest")
            threading.Event().wait(0.02)

    def live(self, place, some):
        number, sessions = 0, []
        while not self.isOver:
            if not self.mayGo.is_set():
                with self.lock:
                    self.resting += 1
                self.mayGo.wait()
                with self.lock:
                    self.resting -= 1
            try:
                with self.daemon.client() as client:
                    for _ in range(some.randint(1, 30)):
                        if self.isOver or not self.mayGo.is_set():
                            break
                        number += 1
                        if not self.step(client, f"c{place}-{number}", sessions, some):
                            break  # it leaves in the middle of an answer
            except Exception as error:  # noqa: BLE001, each is told
                self.wrong.append(f"client {place}: {error!r}")
                if len(self.wrong) > 20:
                    return

    def ask(self, client, method, **params):
        try:
            return client.call(method, 60, **params)
        except Failed as error:
            self.kinds[error.kind] = self.kinds.get(error.kind, 0) + 1
            if error.kind in (None, "internal"):
                self.wrong.append(f"{method}: {error.error}")
        finally:
            self.answered += 1
        return None

    def step(self, client, mark, sessions, some):
        what, text = some.random(), [{"type": "text", "text": f"{mark} word " * some.choice([1, 5, 60])}]
        if not sessions or what < 0.08:
            if self.ask(client, "session/new", cwd="/tmp", mcpServers=[],
                        _meta={"convod": {"sessionId": mark, "ephemeral": some.random() < 0.2}}):
                sessions.append(mark)
            return self.trim(client, sessions)
        name = some.choice(sessions)
        if what < 0.4:
            self.ask(client, "session/prompt", sessionId=name, prompt=text)
        elif what < 0.5:
            client.send("session/prompt", 60, sessionId=name, prompt=[{"type": "text", "text": "count to 400"}])
            return False
        elif what < 0.55:
            client.send("session/prompt", 60, sessionId=name, prompt=[{"type": "text", "text": "count to 400"}])
            self.ask(client, "_convod/turn/list", sessionId=name)
            client.socket.sendall(json.dumps({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": name}}).encode() + b"\n")
        elif what < 0.65:
            self.ask(client, "session/load", sessionId=name, cwd="/tmp", mcpServers=[])
        elif what < 0.7:
            self.ask(client, "_convod/search", query=some.choice(["word", mark, "wo"]))
        elif what < 0.75:
            self.ask(client, "_convod/session/find", limit=50)
        elif what < 0.8:
            self.ask(client, "_convod/export", sessionId=name)
        elif what < 0.85:
            self.ask(client, "_convod/session/fork", sessionId=name, newSessionId=mark)
            sessions.append(mark)
            return self.trim(client, sessions)
        elif what < 0.9:
            self.ask(client, "_convod/context/preview", sessionId=name, prompt=text)
        elif what < 0.98:
            self.ask(client, "_convod/message/append", sessionId=name, messages=[{"role": "user", "content": text}])
        else:
            self.ask(client, "session/delete", sessionId=name)
            sessions.remove(name)
            self.ask(client, "_convod/session/purge", sessionId=name)
        return True

    def trim(self, client, sessions):
        """Purges the oldest, so that the store stays about as large as it is."""
        while len(sessions) > 12:
            self.ask(client, "_convod/session/purge", sessionId=sessions.pop(0))
        return True

    def end(self):
        self.isOver = True
        self.mayGo.set()
        for thread in self.threads:
            thread.join()


def held(daemon):
    """What the process holds when nothing is asked."""
    with daemon.client() as client:
        metric = lambda name: int(float(re.search(rf"(?m)^{name} (\S+)", client.call("_convod/server/metrics")["text"])[1]))  # noqa: E731
        end = time.monotonic() + 60
        while metric("convod_turns_running") and time.monotonic() < end:
            threading.Event().wait(0.05)
        threading.Event().wait(1.5)  # the log is moved, and memory given back, when nothing comes
        timers = metric("convod_timers")
    process = f"/proc/{daemon.process.pid}"
    return {
        "resident": daemon.memory(), "anonymous": daemon.memory("RssAnon"), "descriptors": len(os.listdir(process + "/fd")),
        "threads": len(os.listdir(process + "/task")), "timers": timers,
        "log": os.path.getsize(daemon.database + "-wal") >> 10, "file": os.path.getsize(daemon.database) >> 10}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    seen = []
    with Daemon(os.path.abspath(arguments.programs), CONFIG) as daemon:
        crowd, end = Crowd(daemon, arguments.clients, arguments.seed), time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            threading.Event().wait(20)
            crowd.rest()
            seen.append(held(daemon))
            if len(seen) % 9 == 1:
                print(f"{crowd.answered:,} requests;", ", ".join(f"{k} {v:,}" for k, v in seen[-1].items()), flush=True)
            crowd.mayGo.set()
        crowd.end()
        with daemon.client() as client:
            findings = client.call("_convod/store/check", 120)["findings"]
    wrong = crowd.wrong + [f"the store: {f}" for f in findings]
    seen = seen[len(seen) // 5:]  # behind the beginning
    third = max(1, len(seen) // 3)
    print(f"{'in KiB, or how many':20} {'first third':>12} {'last third':>12} {'most':>12}")
    for name, spare in [("resident", 3 << 10), ("anonymous", 3 << 10), ("descriptors", 2), ("threads", 0), ("timers", 5), ("log", 4 << 10),
                        ("file", None)]:
        first, last = (statistics.median(s[name] for s in part) for part in (seen[:third], seen[-third:]))
        print(f"{name:20} {first:12,.0f} {last:12,.0f} {max(s[name] for s in seen):12,}")
        if spare is not None and last > first + max(spare, first * 0.05 if spare > 100 else 0):
            wrong.append(f"{name} grew from {first:,.0f} to {last:,.0f}")
    print(f"{crowd.answered:,} requests answered; errors told: {json.dumps(crowd.kinds)}")
    for line in wrong[:10]:
        print(line)
    if wrong or crowd.answered < arguments.seconds * 10:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
