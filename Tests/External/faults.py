#!/usr/bin/env python3
"""The daemon on a system whose calls fail: writes, syncs, truncations, reads and openings of its database, sending, receiving and
accepting on its socket; once, some times, or until it is over; with an error, or done in part.

    python3 Tests/External/faults.py .build/release [--rounds 300] [--seed N]

In each round clients work while one kind of call fails after a random number of calls. Then: the process lives, each request was
answered, none with `internal`; where a call was only done in part, nobody noticed; when it is over, writing goes on without a
restart; after a kill and a new start everything is there that was acknowledged, and SQLite finds the file whole. Needs a C compiler."""
import argparse, errno, json, mmap, os, random, re, shutil, sqlite3, struct, subprocess, tempfile, threading, time

from daemon import Daemon, Failed

CALLS = ["write", "sync", "truncate", "read", "open", "send", "receive", "accept"]  # in the order of faults.c
ERRORS = {
    "write": [0, errno.EIO, errno.ENOSPC, errno.EINTR, errno.EDQUOT],
    "sync": [errno.EIO, errno.ENOSPC],
    "truncate": [errno.EIO, errno.ENOSPC],
    "read": [errno.EIO, errno.EINTR],
    "open": [errno.EMFILE, errno.EIO, errno.EACCES, errno.ENOSPC],
    "send": [0, errno.EINTR, errno.EAGAIN],
    "receive": [0, errno.EINTR, errno.EAGAIN],
    "accept": [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.EINTR, errno.ENOMEM],
}
HARMLESS = {("write", 0), ("write", errno.EINTR), ("read", errno.EINTR), ("send", 0), ("send", errno.EINTR), ("send", errno.EAGAIN),
            ("receive", 0), ("receive", errno.EINTR), ("receive", errno.EAGAIN), ("accept", errno.EINTR), ("accept", errno.ECONNABORTED)}
TOKEN = re.compile(r"#([\w-]+)#")


class Faults:
    """What faults.c is told: a struct of four numbers for each kind of call."""

    def __init__(self, folder):
        compiler = next((c for c in ("clang", "cc", "gcc") if shutil.which(c)), None)
        if not compiler:
            raise SystemExit("there is no C compiler")
        self.library, self.path = os.path.join(folder, "faults.so"), os.path.join(folder, "faults")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", self.library, source, "-ldl"], check=True)
        with open(self.path, "wb") as f:
            f.write(bytes(16 * len(CALLS)))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16 * len(CALLS))

    def arm(self, call, after, times, error):
        at = CALLS.index(call) * 16
        self.map[at:at + 4], self.map[at + 8:at + 16] = struct.pack("i", after), struct.pack("ii", error, 0)
        self.map[at + 4:at + 8] = struct.pack("i", times)

    def disarm(self):
        """How many calls failed."""
        hits = 0
        for at in range(0, 16 * len(CALLS), 16):
            self.map[at + 4:at + 8] = struct.pack("i", 0)
            hits += struct.unpack("i", self.map[at + 12:at + 16])[0]
            self.map[at + 12:at + 16] = struct.pack("i", 0)
        return hits


class Round:
    """Three clients at work; what was acknowledged, and what went wrong."""

    def __init__(self, daemon, number, some):
        self.daemon, self.number, self.stored, self.errors, self.told, self.wrong, self.answered = daemon, number, [], {}, {}, [], 0
        self.isOver = False
        self.threads = [threading.Thread(target=self.work, args=(n, random.Random(some.random()))) for n in range(3)]
        for thread in self.threads:
            thread.start()

    def join(self):
        self.isOver = True
        for thread in self.threads:
            thread.join()

    def ask(self, client, promise, method, **params):
        try:
            result = client.call(method, 90, **params)
            if promise:
                self.stored.append(promise)
            self.answered += 1
            return result
        except Failed as error:
            self.errors[error.kind] = self.errors.get(error.kind, 0) + 1
            self.told.setdefault(error.kind, f"{method}: {error}")
            if error.kind in (None, "internal"):
                self.wrong.append(f"{method}: {error.error}")
            self.answered += 1
        except TimeoutError:
            self.wrong.append(f"{method} was not answered")
        return None

    def work(self, place, some):
        names, n = [], 0
        try:
            client = self.daemon.client()
            while not self.isOver:
                n += 1
                mark, what = f"{self.number}-{place}-{n}", some.random()
                text = [{"type": "text", "text": f"#{mark}# " + "w " * some.choice([1, 30, 1500])}]
                if not names or what < 0.1:
                    if self.ask(client, None, "session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": f"s{mark}"}}):
                        names.append(f"s{mark}")
                elif what < 0.4:
                    text[0]["text"] += "w " * some.choice([0, 30_000])
                    self.ask(client, mark, "_convod/message/append", sessionId=some.choice(names), messages=[{"role": "user", "content": text}])
                elif what < 0.7:
                    self.ask(client, mark, "session/prompt", sessionId=some.choice(names), prompt=text)
                elif what < 0.8:
                    self.ask(client, None, "_convod/message/list", sessionId=some.choice(names), last=50)
                elif what < 0.85:
                    self.ask(client, None, "_convod/search", query="#" + mark)
                elif what < 0.9:
                    self.ask(client, None, "_convod/session/set", sessionId=some.choice(names), title=mark)
                elif what < 0.92:
                    self.ask(client, None, "_convod/store/check")
                elif what < 0.96:
                    self.ask(client, None, "session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": f"p{mark}"}})
                    self.ask(client, None, "_convod/message/append", sessionId=f"p{mark}", messages=[{"role": "user", "content": text}])
                    self.ask(client, None, "_convod/session/purge", sessionId=f"p{mark}")
                else:
                    client.close()
                    client = self.daemon.client()
            client.close()
        except TimeoutError:
            self.wrong.append("a new connection was not taken")
        except OSError as error:
            self.wrong.append(f"client {place}: {error!r}")


def look(daemon, stored):
    wrong = []
    with sqlite3.connect(daemon.database) as database:
        if (said := database.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            wrong.append(f"integrity_check: {said[:2]}")
        found = {t for (content,) in database.execute("SELECT content FROM message") for t in TOKEN.findall(content)[:1]}
    return wrong + [f"{mark} was acknowledged and is gone" for mark in stored if mark not in found]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    some, table, bad, stored, last = random.Random(arguments.seed), {}, 0, [], 0
    print(f"seed {arguments.seed}", flush=True)
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(folder)
        with Daemon(os.path.abspath(arguments.programs), config, {"LD_PRELOAD": faults.library, "FAULTS": faults.path}) as daemon:
            for number in range(arguments.rounds):
                call = CALLS[number % len(CALLS)]
                error, times = some.choice(ERRORS[call]), some.choice([1, 1, 3, 20, -1])
                if (call, error) in {("write", errno.EINTR), ("read", errno.EINTR), ("send", errno.EINTR), ("receive", errno.EINTR)}:
                    times = abs(times)  # a call that is interrupted for ever is tried for ever
                if call in ("send", "receive") and error == errno.EAGAIN:
                    times = min(abs(times), 3)
                faults.arm(call, some.choice([0, 1, 5, 30, 100]), times, error)
                round_ = Round(daemon, number, some)
                before, seconds = cpu(daemon), some.choice([0.2, 0.5, 1])
                threading.Event().wait(seconds)  # clients work
                spent, isDeaf = cpu(daemon) - before, round_.answered == 0
                hits = faults.disarm()
                round_.join()
                wrong = round_.wrong
                if daemon.process.poll() is not None:
                    raise SystemExit(f"round {number}, {call} {errno.errorcode.get(error, 'in part')}: the daemon died\n{open(daemon.log).read()[-2000:]}")
                if (call, error) in HARMLESS and any(k not in ("busy", "rate_limited") for k in round_.errors):
                    wrong.append(f"somebody noticed: {round_.told}")
                if isDeaf and call == "accept" and spent > 0.5 * seconds:
                    wrong.append(f"it spins: {spent:.2f} s of {seconds} s")
                try:
                    with daemon.client() as client:  # and it goes on
                        client.call("session/new", 20, cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": f"after{number}"}})
                        client.call("session/prompt", 20, sessionId=f"after{number}", prompt=[{"type": "text", "text": f"#after-{number}#"}])
                        round_.stored.append(f"after-{number}")
                except (Failed, OSError) as error_:
                    wrong.append(f"it does not go on: {error_!r}")
                stored += round_.stored
                if number % 10 == 9 or wrong:
                    daemon.process.kill()
                    daemon.process.wait()
                    daemon.restart()
                    wrong += look(daemon, stored[last:] if not wrong else stored)
                    last = len(stored)
                bad += bool(wrong)
                row = table.setdefault((call, errno.errorcode.get(error, "in part")), [0, 0, 0, {}])
                row[0], row[1], row[2] = row[0] + 1, row[1] + hits, row[2] + round_.answered
                for kind, n in round_.errors.items():
                    row[3][kind] = row[3].get(kind, 0) + n
                if wrong:
                    print(f"round {number}, {call} {errno.errorcode.get(error, 'in part')} x{times}: {wrong[:4]}", flush=True)
            starts, refused = arguments.rounds // 5, 0
            for number in range(starts):
                call = ["write", "sync", "truncate", "read", "open"][number % 5]
                error, times, after = some.choice([e for e in ERRORS[call] if e != errno.EINTR]), some.choice([1, -1]), some.randrange(12)
                daemon.process.kill()
                daemon.process.wait()
                faults.arm(call, after, times, error)
                said = begin(daemon)
                faults.disarm()
                refused += said is not None
                if said is not None and (daemon.process.returncode < 0 or not said.strip()):
                    bad += 1
                    print(f"a start while {call} fails with {errno.errorcode.get(error)} ended with {daemon.process.returncode}: {said[-500:]}")
                if said is not None:
                    daemon.restart()
            daemon.process.kill()
            daemon.process.wait()
            daemon.restart()
            lost = look(daemon, stored)
    print(f"{'call':9} {'fails with':13} {'rounds':>6} {'failed':>7} {'answered':>9}  errors told")
    for (call, name), (rounds, hits, answered, errors) in sorted(table.items()):
        print(f"{call:9} {name:13} {rounds:6} {hits:7} {answered:9}  {json.dumps(errors) if errors else ''}")
    print(f"{len(stored):,} acknowledged messages, {len(lost)} lost; {bad} rounds with something wrong")
    print(f"{starts} starts while calls failed: {refused} ended with a sentence, the others went on")
    idle = [call for call in CALLS if arguments.rounds >= 100 and not sum(r[1] for (c, _), r in table.items() if c == call)]
    if idle:
        print(f"never failed: {', '.join(idle)}")
    if bad or lost or idle:
        raise SystemExit(1)


def begin(daemon):
    """Starts it: None when it listens, else what it said before it ended."""
    with open(daemon.log, "ab") as log:
        begun = log.tell()
        daemon.process = subprocess.Popen([os.path.join(daemon.programs, "convod")], env=daemon.env, stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL, cwd="/")
    while daemon.process.poll() is None:
        try:
            daemon.client().close()
            return None
        except OSError:
            threading.Event().wait(0.02)
    with open(daemon.log) as log:
        log.seek(begun)
        return log.read()


def cpu(daemon):
    with open(f"/proc/{daemon.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
