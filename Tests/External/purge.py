#!/usr/bin/env python3
"""Sessions that are purged leave no planted word in any file, also when the daemon is killed in the middle of it.

    python3 Tests/External/purge.py .build/release [--rounds 20] [--seed N]

Each round makes sessions with words of their own in every place that takes text (prompts and streamed answers, appended messages,
tool calls, titles, tags, metadata, system prompts, edits on other branches, summaries, queued prompts), and others beside; purges
half of them and some of those before, in some rounds while another client writes, and in most rounds kills the daemon a random moment
later with SIGKILL and starts it again. When the purge has ended, no byte of the purged words is in the database, its log or its shared
memory, all others are found, and SQLite finds the file whole.
"""
import argparse, json, os, random, sqlite3, sys, threading, time
from daemon import Daemon, Failed


def text(words):
    return [{"type": "text", "text": words}]


def fill(client, name, word, some):
    """A session that has its word everywhere, made in steps: others are made between them, and their rows lie between its own."""
    client.call("session/new", cwd=f"/tmp/{word}-cwd", mcpServers=[], _meta={"convod": {
        "sessionId": name, "system": f"{word}-system", "tags": [f"{word}-tag"], "metadata": {"m": f"{word}-metadata"}}})
    for n in range(some.randint(1, 4)):
        yield
        client.prompt(name, f"{word}-prompt {n} " + "y" * some.randint(0, 9000))
    yield
    client.call("_convod/message/append", sessionId=name, messages=[
        {"role": "user", "content": text(f"{word}-user " + "z" * some.choice([0, 100, 5000, 300_000]))},
        {"role": "assistant", "content": [{"type": "tool_call", "id": f"{word}-call", "name": "f", "arguments": {"a": f"{word}-argument"}}]},
        {"role": "tool", "content": [{"type": "tool_result", "toolCallId": f"{word}-call", "content": f"{word}-result"}],
         "metadata": {"k": f"{word}-inner"}}])
    yield
    client.call("_convod/session/set", sessionId=name, title=f"{word}-title")
    page = client.call("_convod/message/list", sessionId=name)["messages"]
    first = next(m["messageId"] if "messageId" in m else m["id"] for m in page if m["role"] == "user")
    client.call("_convod/branch/rewind", sessionId=name, before=first)
    client.prompt(name, f"{word}-other-branch")


class Beside(threading.Thread):
    """A client that writes while the others purge, and whose daemon may be killed."""

    def __init__(self, daemon):
        super().__init__()
        self.client, self.isEnding = daemon.client(), False
        self.start()

    def run(self):
        try:
            while not self.isEnding:
                self.client.call("_convod/message/append", sessionId="beside", ifMissing="create", messages=[
                    {"role": "user", "content": text("beside " + "b" * 700)}])
        except (OSError, Failed):
            pass

    def end(self):
        self.isEnding = True
        self.join()


def holding(daemon, word):
    return [f for end in ("", "-wal", "-shm") for f in [daemon.database + end]
            if os.path.exists(f) and word.encode() in open(f, "rb").read()]


def phase(daemon):
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True, timeout=20) as look:
        return look.execute("SELECT phase FROM purge_state").fetchone()[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    some = random.Random(arguments.seed)
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}, "cache": {"enabled": True}}
    bad = kills = purged = 0
    with Daemon(os.path.abspath(arguments.programs), config) as daemon:
        client, kept = daemon.client(), []
        for round_ in range(arguments.rounds):
            names = [(f"s{round_}-{n}", f"planted{round_}x{n}word") for n in range(6)]
            steps = [fill(client, name, word, some) for name, word in names]
            while steps:
                step = some.choice(steps)
                if next(step, step) is step:
                    steps.remove(step)
                # What older sessions get lies between their rows, and those beside it move to other pages.
                for name, word in some.sample(kept, min(len(kept), 3)):
                    client.call("_convod/message/append", sessionId=name, messages=[
                        {"role": "user", "content": text(f"{word}-later " + "x" * some.choice([0, 10, 100, 1000]))}])
            if some.random() < 0.5:
                time.sleep(some.random())  # so that some of it is in the index, and some is not
            some.shuffle(names)
            some.shuffle(kept)
            gone, kept = names[:3] + kept[:2], names[3:] + kept[2:]
            purged += len(gone)
            beside = Beside(daemon) if some.random() < 0.5 else None
            isKilled = some.random() < 0.8
            if isKilled:
                other = daemon.client()
                for name, _ in gone:
                    other.send("_convod/session/purge", sessionId=name)
                # The last is marked with the others or not at all: what was not taken up is asked for again.
                time.sleep(some.choice([0, 0.001, 0.003, 0.01, 0.03, 0.1]))
                daemon.process.kill()
                daemon.process.wait()
                kills += 1
                if beside:
                    beside.end()
                daemon.restart()
                client = daemon.client()
            for name, _ in gone:
                try:
                    client.call("_convod/session/purge", 60, sessionId=name)
                except Failed as error:
                    if error.kind != "not_found":
                        raise
            end = time.monotonic() + 60
            while phase(daemon) != 0 and time.monotonic() < end:
                time.sleep(0.02)
            if beside:
                beside.end()
            for name, word in gone:
                found = holding(daemon, word)
                if found:
                    bad += 1
                    print(f"round {round_}: '{word}' of {name} is in {[os.path.basename(f) for f in found]}, seed {arguments.seed}")
            for name, word in kept:
                hits = client.call("_convod/search", query=f"{word}-user", sessionId=name, branches="all")["hits"]
                if len(hits) != 1:
                    bad += 1
                    print(f"round {round_}: {name} has {len(hits)} hits, seed {arguments.seed}")
        with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as look:
            check = [look.execute(f"PRAGMA {p}").fetchone() for p in ("integrity_check", "foreign_key_check", "freelist_count")]
            sessions = look.execute("SELECT count(*) FROM session").fetchone()[0]
            others = look.execute("SELECT count(*) FROM session WHERE name = 'beside'").fetchone()[0]
        if check[0] != ("ok",) or check[1] is not None or sessions - others != len(kept):
            bad += 1
            print("the file is not whole:", check, sessions, len(kept))
        client.close()
    print(f"{arguments.rounds} rounds, {purged} sessions purged, {kills} kills, {len(kept)} kept: {bad} faults, seed {arguments.seed}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
