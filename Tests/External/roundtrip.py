#!/usr/bin/env python3
"""Random sessions are written down, read into an empty database and written down again: both files are the same, session by session.

    python3 Tests/External/roundtrip.py .build/release [--sessions 1000] [--seed N]

Sessions with branches, retries, forks that share messages, tools, thoughts, images, pins, exclusions, summaries, edits, every status
that can be made, titles, tags, metadata, windows. Then the file is read in a second time, which must change nothing, and into the
first database, where every session is there already; and a copy whose session IDs are others', which gets IDs of its own.
"""
import argparse, json, os, random, subprocess, sys, tempfile
from daemon import Daemon, Failed, free_port

WORDS = ["plain", "line\nfeed", "\u2028\u0000\"\\", "你好 👩‍👩‍👧", "```", "e\u0301", "{\"a\":1}", "<script>alert(1)</script>", "ﾞ", "\r\n", " "]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def words(some):
    return " ".join(some.choice(WORDS) for _ in range(some.randint(1, 4)))


def parts(some, role, calls):
    kind = some.random()
    if role == "tool":
        return [{"type": "tool_result", "toolCallId": calls.pop() if calls else "none", "content": some.choice([words(some), [{"type": "text", "text": words(some)}], {"k": [1, None]}]),
                 **({"isError": True} if some.random() < 0.2 else {})}]
    if role == "assistant" and kind < 0.3:
        calls.append(f"call-{some.randrange(1 << 30)}")
        return [{"type": "thought", "text": words(some), "issuer": "x", "signature": "sig"}, {"type": "tool_call", "id": calls[-1], "name": "f", "arguments": {"a": words(some), "n": 1.50}}]
    if role == "user" and kind < 0.15:
        return [{"type": "text", "text": words(some)}, {"type": "image", "mimeType": "image/png", "data": PNG}]
    return [{"type": "text", "text": words(some)} for _ in range(some.choice([1, 1, 1, 2]))]


def grow(client, name, some):
    calls = []
    for _ in range(some.randint(1, 3)):
        if some.random() < 0.5:
            messages, roles = [], ["user"]
            for _ in range(some.randint(1, 6)):
                role = "tool" if calls else some.choice(["user", "assistant", "assistant"])
                message = {"role": role, "content": parts(some, role, calls)}
                if some.random() < 0.2:
                    message["metadata"] = {"n": 1.5, "t": words(some)}
                messages.append(message)
            client.call("_convod/message/append", sessionId=name, messages=messages)
        else:
            try:
                client.prompt(name, words(some) + "x")
            except Failed:
                pass  # a turn that failed is what some are for
    listed = client.call("_convod/message/list", sessionId=name)["messages"]
    for message in listed:
        change = some.random()
        try:
            if change < 0.06:
                client.call("_convod/message/set", sessionId=name, messageId=message["id"], pinned=True)
            elif change < 0.12:
                client.call("_convod/message/set", sessionId=name, messageId=message["id"], excluded=True)
            elif change < 0.16:
                client.call("_convod/turn/retry", sessionId=name)
            elif change < 0.20:
                client.call("_convod/branch/rewind", sessionId=name, before=message["id"])
                client.prompt(name, words(some) + "y")
            elif change < 0.23 and message["role"] == "user":
                client.call("_convod/message/set", sessionId=name, messageId=message["id"], content=[{"type": "text", "text": "edited " + words(some)}])
            elif change < 0.24:
                client.call("_convod/message/delete", sessionId=name, messageId=message["id"], everywhere=True)
            elif change < 0.26:
                client.call("_convod/session/compact", sessionId=name)
        except Failed:
            pass  # not every change fits every session
    if some.random() < 0.3:
        client.call("_convod/session/set", sessionId=name, title=words(some) + "t", archived=some.random() < 0.2)
    return [m["id"] for m in client.call("_convod/message/list", sessionId=name)["messages"]]


def make(client, count, some):
    names = []
    for n in range(count):
        name = f"r{n}"
        if names and some.random() < 0.15:
            source = some.choice(names)
            ids = client.call("_convod/message/list", sessionId=source)["messages"]
            if ids:
                client.call("_convod/session/fork", sessionId=source, messageId=some.choice(ids)["id"], newSessionId=name)
                names.append(name)
                if some.random() < 0.7:
                    grow(client, name, some)
                continue
        extras = {"sessionId": name, "upstream": some.choice(["echo", "echo", "echo", "down"])}
        if some.random() < 0.3:
            extras.update(system=words(some), tags=["t" + str(some.randrange(5))], metadata={"x": words(some)}, window={"maxTurns": some.randint(1, 9)})
        client.call("session/new", cwd=some.choice(["/tmp", "/tmp/ä b"]), mcpServers=[], _meta={"convod": extras})
        names.append(name)
        grow(client, name, some)
    return names


def split(path):
    sessions = {}
    for line in open(path, "rb"):
        record = json.loads(line)
        if record["type"] == "session":
            name = record["id"]
            sessions[name] = []
        sessions[name].append(line)
    return sessions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    some = random.Random(arguments.seed)
    programs = os.path.abspath(arguments.programs)
    config = {"upstreams": {"echo": {"kind": "echo"}, "down": {"kind": "openai", "baseURL": f"http://127.0.0.1:{free_port()}/v1", "model": "m"}},
              "routes": {"default": ["echo"]}, "retry": {"attempts": 1, "base": "1ms"}}
    bad = []
    def check(isRight, words):
        if not isRight:
            bad.append(words)
            print("not so:", words, "seed", arguments.seed)

    with tempfile.TemporaryDirectory() as folder, Daemon(programs, config) as first, Daemon(programs, config) as second:
        with first.client() as client:
            names = make(client, arguments.sessions, some)
        def convo(daemon, *words, fails=False):
            done = daemon.convo(*words)
            check(done.returncode == (1 if fails else 0), f"convo {words[0]} ends with {done.returncode}: {done.stderr.decode()[:400]}")
            return done.stdout.decode()
        a, b, c = (os.path.join(folder, n) for n in "abc")
        convo(first, "export", "--all", "-q", "-o", a)
        told = json.loads(convo(second, "import", "--json", a))
        check(told["sessions"] == len(names) and told["problems"] == 0 and told["renamedMessages"] == 0, f"{told} of {len(names)} sessions")
        convo(second, "export", "--all", "-q", "-o", b)
        one, two = split(a), split(b)
        check(set(one) == set(two), f"{len(one)} sessions and {len(two)}")
        same = sum(one[n] == two.get(n) for n in one)
        for name in one:
            if one[name] != two.get(name):
                left, right = next(((x, y) for x, y in zip(one[name], two.get(name, [])) if x != y), (b"", b""))
                check(False, f"{name} differs ({len(one[name])} and {len(two.get(name, []))} records):\n{left[:700]}\n{right[:700]}")
                break
        again = json.loads(convo(second, "import", "--json", a))
        check(again["sessions"] == 0 and again["existing"] == len(names), f"read in again: {again}")
        home = json.loads(convo(first, "import", "--json", a))
        check(home["sessions"] == 0 and home["existing"] == len(names), f"read in where it came from: {home}")
        convo(second, "export", "--all", "-q", "-o", c)
        check(open(b, "rb").read() == open(c, "rb").read(), "a second reading changed something")
        # The same under other names: every ID of a message is taken, in sessions that are others.
        other = os.path.join(folder, "other")
        with open(other, "wb") as file:
            for line in open(a, "rb"):
                record = json.loads(line)
                file.write(line.replace(b'"id":"' + record["id"].encode(), b'"id":"copy-' + record["id"].encode(), 1) if record["type"] == "session" else line)
        refused = json.loads(convo(second, "import", "--json", "--dry-run", other, fails=True))
        check(refused["sessions"] == 0 and refused["problems"] == len(names), f"other records under the same checksum: {refused}")
        copies = json.loads(convo(second, "import", "--json", "--changed", other))
        check(copies["sessions"] == len(names) and copies["problems"] == 0, f"under other names: {copies}")
        kinds = {}
        for lines in one.values():
            for line in lines:
                kind = json.loads(line)["type"]
                kinds[kind] = kinds.get(kind, 0) + 1
        whole = subprocess.run(["sqlite3", second.database, "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT count(*) FROM import"], capture_output=True, text=True).stdout
        check(whole == "ok\n0\n", f"the file is not whole: {whole}")
    print(f"{same} of {len(one)} sessions the same, {kinds}; shared {told['sharedMessages']} messages, under other names {copies['sharedMessages']} shared and {copies['renamedMessages']} renamed; {len(bad)} faults, seed {arguments.seed}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
