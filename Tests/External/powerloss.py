#!/usr/bin/env python3
"""What was acknowledged is there after a loss of power, wherever it comes.

    python3 Tests/External/powerloss.py .build/release [--cuts 10000] [--seed N]

Runs the daemon under strace while clients append, prompt, rename, fork, delete and purge, records every write, truncation and sync
of its files and every answer that left its socket, and then makes the disk as it may be after the power went at any point of that
record: what was synced is there; of what was written since, any part, in any order, each write whole, torn at sectors of 512 bytes
or not at all; a file that was made or removed since its directory was synced is there or not. On each such disk SQLite must find
the database whole and everything in it whose answer had left before the cut; some are opened by the daemon itself, which must find
nothing to repair. Last, the syncs are taken as not done, and losses must be seen: the check itself can fail.

Assumed of the file system: a synced file keeps its name (ext4, XFS and Btrfs do, fsync(2) does not promise it), and a sector is
written whole. Needs strace."""
import argparse, json, os, random, re, shutil, signal, sqlite3, subprocess, sys, tempfile, threading, time
from concurrent.futures import ProcessPoolExecutor

from daemon import Client, Daemon, Failed

CALLS = "openat,pwrite64,ftruncate,fallocate,fsync,fdatasync,unlink,rename,sendto,read"
CONFIG = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
SECTOR = 512
TOKEN = re.compile(r"#(\d+)#")


# What clients do while it is recorded.

class Work:
    """Requests of several clients at once; each has a number over all of them, and what it promises once it is answered."""

    def __init__(self, daemon, seed, seconds):
        self.daemon, self.seconds, self.promises, self.gone = daemon, seconds, {}, {}
        threads = [threading.Thread(target=self.client, args=(number, random.Random(seed * 100 + number))) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ask(self, client, promise, method, **params):
        number = client.number + 1
        if promise:
            self.promises[number] = promise
        try:
            return client.call(method, 60, **params)
        except Failed:
            return None

    def client(self, place, some):
        client = self.daemon.client()
        client.number = place * 1_000_000
        end, made, titles = time.monotonic() + self.seconds, [], {}
        words = lambda: f"#{client.number + 1}# " + "word " * some.choice([1, 5, 40, 400, 2000])  # noqa: E731
        while time.monotonic() < end:
            what = some.random()
            if not made or what < 0.06:
                name = f"c{place}-{client.number}"
                if self.ask(client, ("session", name), "session/new", cwd="/tmp", mcpServers=[], _meta={"convod": {"sessionId": name}}):
                    made.append(name)
                continue
            name = some.choice(made)
            if what < 0.45:
                token = client.number + 1
                self.ask(client, ("message", token, name), "_convod/message/append", sessionId=name, messages=[
                    {"role": "user", "content": [{"type": "text", "text": words()}]}])
            elif what < 0.8:
                token = client.number + 1
                self.ask(client, ("prompt", token, name), "session/prompt", sessionId=name,
                         prompt=[{"type": "text", "text": words()}], _meta={"convod": {"requestId": f"r{token}"}})
            elif what < 0.9:
                titles[name] = titles.get(name, 0) + 1
                self.ask(client, ("title", name, titles[name]), "_convod/session/set", sessionId=name, title=f"t{titles[name]}")
            elif what < 0.94:
                fork = f"f{place}-{client.number}"
                self.ask(client, ("session", fork), "_convod/session/fork", sessionId=name, newSessionId=fork)
            elif what < 0.97 and len(made) > 2:
                made.remove(name)
                self.gone[client.number + 1] = name
                self.ask(client, ("trashed", name), "session/delete", sessionId=name)
            elif len(made) > 2:
                made.remove(name)
                self.gone[client.number + 1] = name
                self.ask(client, ("purged", name), "_convod/session/purge", sessionId=name)
            if some.random() < 0.02:
                time.sleep(0.3)  # the daemon moves its log into the database when nothing is asked
        client.close()


# What strace wrote down.

CALL = re.compile(r"(\d+) +(\w+)\((.*)")
RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")


def bytes_of(text):
    return bytes.fromhex(text.replace("\\x", ""))


def path_of(text):
    match = re.match(r"(-?\w+)<([^>]*)>", text)
    return (int(match[1]) if match[1].lstrip("-").isdigit() else -1, bytes_of(match[2]).decode(errors="replace")) if match else (-1, "")


class Recorded:
    """The events of one run, in order: ("write", path, offset, bytes), ("cut", path, length), ("made", path), ("removed", path),
    ("renamed", path, path), ("sync", path, number), ("synced", path, number), ("answered", id), ("asked", id)."""

    def __init__(self, trace, home):
        self.events, self.home, self.made, open_calls, streams = [], home, set(), {}, {}
        with open(trace, errors="replace") as f:
            for line in f:
                if match := RESUMED.match(line):
                    began = open_calls.pop((match[1], match[2]), None)
                    if began is not None:
                        self.ended(match[2], began[0] + match[3], began[1], streams)
                elif match := CALL.match(line):
                    words, at = match[3], len(self.events)
                    if words.rstrip().endswith("<unfinished ...>"):
                        words = words.rstrip()[:-len("<unfinished ...>")]
                        open_calls[match[1], match[2]] = (words, self.begins(match[2], words))
                    else:
                        self.ended(match[2], words, self.begins(match[2], words), streams)
        self.events = [e for e in self.events if e]

    def ours(self, path):
        return path.startswith(self.home + "/c.db") and not path.endswith(("-shm", ".lock")) or path == self.home

    def begins(self, call, words):
        """The event of a call's beginning, whose place it keeps; None where it has none."""
        at = len(self.events)
        if call in ("pwrite64", "ftruncate", "fsync", "fdatasync", "fallocate"):
            _, path = path_of(words)
            if not self.ours(path):
                return None
            if call == "pwrite64":
                match = re.match(r'[^"]*"([^"]*)"(\.*), (\d+), (\d+)', words)
                assert not match[2], "strace cut a write short"
                self.events.append(("write", path, int(match[4]), bytes_of(match[1])))
            elif call == "ftruncate":
                self.events.append(("cut", path, int(words.split(",")[1].split(")")[0])))
            elif call == "fallocate":
                # Blocks that are kept behind a file's end change neither its bytes nor its length.
                if "FALLOC_FL_KEEP_SIZE" not in words:
                    raise SystemExit("the daemon calls fallocate in a way that this does not know yet")
                return None
            else:
                self.events.append(("sync", path, at))
            return at
        if call == "sendto":
            self.events.append(None)
            return at
        return None

    def ended(self, call, words, at, streams):
        result = re.search(r"\) += (-?\d+)", words)
        result = int(result[1]) if result else -1
        if call in ("fsync", "fdatasync") and at is not None:
            assert result == 0, words[:200]
            self.events.append(("synced", self.events[at][1], at))
        elif call in ("pwrite64", "ftruncate") and at is not None:
            assert result >= 0 and (call != "pwrite64" or result == len(self.events[at][3])), words[-200:]
        elif call == "openat" and result >= 0 and "O_CREAT" in words:
            path = bytes_of(HEX.findall(words)[1]).decode(errors="replace")
            if self.ours(path) and path not in self.made:
                self.made.add(path)
                self.events.append(("made", path))
        elif call in ("unlink", "rename") and result == 0:
            paths = [bytes_of(p).decode(errors="replace") for p in HEX.findall(words)]
            if any(self.ours(p) for p in paths):
                self.made.discard(paths[0])
                self.events.append(("removed" if call == "unlink" else "renamed", *paths))
        elif call in ("sendto", "read") and result > 0 and "<\\x73\\x6f\\x63\\x6b" in words:
            number, socket = path_of(words)
            match = re.search(r'"([^"]*)"', words)
            if not match or "." * 3 in words[match.end():match.end() + 3]:
                return
            key = (call, number, socket)
            pending = streams.get(key, b"") + bytes_of(match[1])[:result]
            *lines, streams[key] = pending.split(b"\n")
            found = [int(m[1]) for line in lines for m in [re.search(rb'"id": ?(\d+)', line)]
                     if m and (call == "read" or b'"result":' in line)]
            if call == "sendto":
                self.events[at] = ("answered", found) if found else None
            elif found:
                self.events.append(("asked", found))


# The disk as it may be.

class File:
    def __init__(self):
        self.durable, self.isNamed = bytearray(), False


def put(image, offset, data):
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset:offset + len(data)] = data


class Disk:
    """What is certainly on the disk, and what may be: `pending` in the order in which it was asked for."""

    def __init__(self, home, isLying):
        self.home, self.isLying, self.files, self.pending, self.begun = home, isLying, {}, [], {}

    def file(self, path):
        return self.files.setdefault(path, File())

    def take(self, event):
        kind = event[0]
        if kind in ("write", "cut", "made", "removed", "renamed"):
            self.pending.append(event)
        elif kind == "sync":
            self.begun[event[2]] = list(self.pending)
        elif kind == "synced":
            began = self.begun.pop(event[2])
            if self.isLying:
                return
            path = event[1]
            done = {id(e) for e in began if path == self.home and e[0] in ("made", "removed", "renamed") or e[1] == path and e[0] != "removed"}
            for e in self.pending:
                if id(e) in done:
                    self.apply(self.files, e)
            self.pending = [e for e in self.pending if id(e) not in done]

    def apply(self, files, event):
        kind, path = event[0], event[1]
        if kind == "renamed":
            files[event[2]] = files.pop(path, File())
            return
        file = files.setdefault(path, File())
        if kind == "write":
            put(file.durable, event[2], event[3])
        elif kind == "cut":
            if len(file.durable) > event[2]:
                del file.durable[event[2]:]
            else:
                file.durable.extend(bytes(event[2] - len(file.durable)))
        elif kind == "made":
            file.isNamed = True
        elif kind == "removed":
            file.isNamed, file.durable = False, bytearray()

    def after_cut(self, some):
        """The files after the power went: by path their bytes, and how it was made."""
        files = {}
        for path, file in self.files.items():
            copy = File()
            copy.durable, copy.isNamed = bytearray(file.durable), file.isNamed
            files[path] = copy
        way = some.choice(["none", "all", "prefix", "subset", "subset", "sectors", "suffix", "one missing"])
        pending, part = self.pending, some.choice([0.05, 0.3, 0.5, 0.7, 0.95])
        if way == "none":
            kept = []
        elif way == "all":
            kept = pending
        elif way == "prefix":
            kept = pending[:some.randint(0, len(pending))]
            if kept and kept[-1][0] == "write":
                kept = kept[:-1] + self.torn(kept[-1], some, 0.5)
        elif way == "suffix":
            kept = pending[some.randint(0, len(pending)):]
        elif way == "one missing":
            without = some.randrange(len(pending)) if pending else 0
            kept = pending[:without] + pending[without + 1:]
        else:
            kept = []
            for event in pending:
                if event[0] == "write" and (way == "sectors" or some.random() < 0.2):
                    kept += self.torn(event, some, part)
                elif some.random() < part:
                    kept.append(event)
        for event in kept:
            self.apply(files, event)
        return {path: bytes(file.durable) for path, file in files.items() if file.isNamed}, way

    @staticmethod
    def torn(event, some, part):
        """Those sectors of a write that came to the disk."""
        _, path, offset, data = event
        kept, at = [], 0
        while at < len(data):
            end = min(len(data), (offset + at) // SECTOR * SECTOR + SECTOR - offset)
            if some.random() < part:
                kept.append(("write", path, offset + at, data[at:end]))
            at = end
        return kept


# What must be found.

class Promised:
    def __init__(self, work):
        self.promises, self.gone = work["promises"], work["gone"]
        self.messages, self.prompts, self.sessions, self.titles, self.away, self.leaving = {}, {}, set(), {}, {}, set()

    def take(self, event):
        if event[0] == "answered":
            for number in event[1]:
                match self.promises.get(number):
                    case ("message", token, name):
                        self.messages[token] = name
                    case ("prompt", token, name):
                        self.messages[token] = name
                        self.prompts[token] = name
                    case ("session", name):
                        self.sessions.add(name)
                    case ("title", name, n):
                        self.titles[name] = n
                    case ("trashed" | "purged" as how, name):
                        self.away[name] = how
        elif event[0] == "asked":
            self.leaving |= {self.gone[number] for number in event[1] if number in self.gone}

    def missing(self, path):
        """What is wrong in the database at `path`, in sentences."""
        wrong = []
        database = sqlite3.connect(path, timeout=1)
        try:
            tables = database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'session'").fetchone()[0]
            if not tables:
                return ["there is no table of sessions"] if self.sessions else []
            whole = database.execute("PRAGMA integrity_check").fetchall()
            if whole != [("ok",)]:
                wrong.append(f"integrity_check: {whole[:3]}")
            sessions = {name: (title, trashed) for name, title, trashed in database.execute("SELECT name, title, trashed_at FROM session WHERE owner >= 0")}
            contents = [content for (content,) in database.execute("SELECT content FROM message")]
            if not all(isinstance(content, str) for content in contents):
                wrong.append("a message has no content")  # a row of which a part is not there
            found = {int(t) for content in contents if isinstance(content, str) for t in TOKEN.findall(content)[:1]}
            ended = {r for (r,) in database.execute("SELECT request_id FROM turn WHERE state = 2 AND request_id IS NOT NULL")}
        except sqlite3.Error as error:
            return [f"SQLite: {error}"]
        finally:
            database.close()
        for name in self.sessions - self.leaving:
            if name not in sessions:
                wrong.append(f"the session '{name}' is not there")
        for token, name in self.messages.items():
            if name not in self.leaving and token not in found:
                wrong.append(f"the message {token} of '{name}' is not there")
        for token, name in self.prompts.items():
            if name not in self.leaving and f"r{token}" not in ended:
                wrong.append(f"the turn of prompt {token} of '{name}' did not end")
        for name, n in self.titles.items():
            title = sessions.get(name, (None, None))[0]
            if name not in self.leaving and (not title or not title.startswith("t") or int(title[1:]) < n):
                wrong.append(f"the title of '{name}' is {title!r}, and 't{n}' was acknowledged")
        for name, how in self.away.items():
            if how == "trashed" and name in sessions and sessions[name][1] is None:
                wrong.append(f"'{name}' is not in the trash")
            if how == "purged" and name in sessions and sessions[name][1] is None:
                wrong.append(f"'{name}' is back after its purge")
        return wrong


def look_by_daemon(programs, folder, promised, some):
    """What the daemon itself says of the database, in sentences."""
    env = {"HOME": folder, "PATH": "/usr/bin:/bin", "CONVOD_SOCKET": folder + "/s.sock", "CONVOD_DATABASE": folder + "/c.db",
           "CONVOD_CONFIG": folder + "/config.json5"}
    Daemon.write(env["CONVOD_CONFIG"], json.dumps(CONFIG))
    process = subprocess.Popen([os.path.join(programs, "convod")], env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/")
    try:
        for _ in range(1000):
            try:
                client = Client(env["CONVOD_SOCKET"])
                break
            except OSError:
                if process.poll() is not None:
                    return [f"the daemon does not start: {process.stderr.read().decode()[-500:]}"]
                threading.Event().wait(0.01)
        else:
            return ["the daemon does not listen"]
        with client:
            wrong = [f"check: {json.dumps(p)[:300]}" for p in client.call("_convod/store/check", 60)["findings"]]
            alive = [n for n in promised.sessions if n not in promised.leaving]
            for name in some.sample(alive, min(3, len(alive))):
                texts = json.dumps(client.call("_convod/message/list", 60, sessionId=name, last=1000)["messages"])
                there = {int(t) for t in TOKEN.findall(texts)}
                wrong += [f"the daemon does not list {t} of '{name}'" for t, n in promised.messages.items() if n == name and t not in there]
                client.prompt(name, "and it goes on", 60)
            return wrong
    except (Failed, OSError) as error:
        return [f"the daemon: {error}"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stderr.close()


def record(programs, out, seed, seconds):
    trace = os.path.join(out, "trace")
    daemon = Daemon(programs, CONFIG, under=lambda _: ["strace", "-D", "-f", "-y", "-qq", "-xx", "-s", "20000000", "-e", "signal=none",
                                                       "-e", "trace=" + CALLS, "-o", trace])
    work = Work(daemon, seed, seconds)
    daemon.process.terminate()  # a stop moves the log and removes it
    daemon.process.wait(60)
    threading.Event().wait(0.5)  # strace ends a moment after the daemon
    home = daemon.home
    daemon.directory.cleanup()
    return trace, home, {"promises": work.promises, "gone": work.gone}


def run(programs, seed, cuts, seconds, every):
    """One record and its cuts: what was seen, as counts, and the first faults in sentences."""
    some, out = random.Random(seed), tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    seen = {"cuts": 0, "looked up": 0, "by the daemon": 0, "events": 0, "syncs": 0, "lost": 0, "ways": {}, "seen by lies": 0}
    faults = []
    try:
        trace, home, work = record(programs, out, seed, seconds)
        events = Recorded(trace, home).events
        os.remove(trace)
        syncs = [i for i, e in enumerate(events) if e[0] in ("sync", "synced", "answered")]
        seen["events"], seen["syncs"] = len(events), sum(e[0] == "synced" for e in events)
        at_syncs = some.sample(syncs, min(len(syncs), cuts // 2))
        points = sorted(at_syncs + [some.randrange(len(events)) for _ in range(cuts - len(at_syncs))])
        for isLying, places in [(False, points), (True, points[::max(1, len(points) // 40)])]:
            disk, promised, position = Disk(home, isLying), Promised(work), 0
            for n, point in enumerate(places):
                while position <= point:
                    disk.take(events[position])
                    promised.take(events[position])
                    position += 1
                files, way = disk.after_cut(some)
                folder = os.path.join(out, "disk")
                shutil.rmtree(folder, ignore_errors=True)
                os.mkdir(folder, 0o700)
                for path, data in files.items():
                    Daemon.write(os.path.join(folder, os.path.basename(path)), "")
                    with open(os.path.join(folder, os.path.basename(path)), "wb") as f:
                        f.write(data)
                if not isLying and n % every == 0:
                    wrong = look_by_daemon(programs, folder, promised, some)
                    seen["by the daemon"] += 1
                elif os.path.exists(folder + "/c.db"):
                    wrong = promised.missing(folder + "/c.db")
                else:
                    wrong = ["there is no database"] if promised.sessions else []
                if isLying:
                    seen["seen by lies"] += bool(wrong)
                    continue
                seen["cuts"] += 1
                seen["ways"][way] = seen["ways"].get(way, 0) + 1
                seen["looked up"] += len(promised.messages) + len(promised.sessions) + len(promised.titles) + len(promised.prompts)
                if wrong:
                    seen["lost"] += 1
                    faults.append(f"seed {seed}, cut at event {point} of {len(events)}, {way}: {wrong[:3]}")
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return seen, faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--cuts", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=500, help="cuts of one record")
    parser.add_argument("--seconds", type=float, default=4, help="how long each record is")
    parser.add_argument("--every", type=int, default=50, help="each so manieth is opened by the daemon")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    programs, records = os.path.abspath(arguments.programs), -(-arguments.cuts // arguments.each)
    print(f"seed {arguments.seed}", flush=True)
    total, faults = {}, []
    with ProcessPoolExecutor(2) as pool:
        for seen, wrong in pool.map(run, *zip(*[(programs, arguments.seed + n, arguments.each, arguments.seconds, arguments.every)
                                                for n in range(records)])):
            faults += wrong
            for key, value in seen.items():
                if isinstance(value, dict):
                    for way, n in value.items():
                        total.setdefault(key, {})[way] = total.setdefault(key, {}).get(way, 0) + n
                else:
                    total[key] = total.get(key, 0) + value
            print(f"{total['cuts']:,} cuts in {total['events']:,} events with {total['syncs']:,} syncs; {total['looked up']:,} look-ups, "
                  f"{total['by the daemon']} by the daemon itself; {total['lost']} with something lost", flush=True)
    print("ways:", ", ".join(f"{way} {n}" for way, n in sorted(total["ways"].items())))
    print(f"where syncs are lies, {total['seen by lies']} cuts show a loss")
    for fault in faults[:10]:
        print(fault)
    if faults or not total["seen by lies"] or total["looked up"] < total["cuts"] * 10:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
