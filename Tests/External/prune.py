#!/usr/bin/env python3
"""After most of a history was pruned, the file is about as large as a new one of what is left.

    python3 Tests/External/prune.py .build/release [--sessions 2000]

Sessions of 40 messages; 95 % of them go to the trash and are pruned: what the dry run counted must be what went, and the file at
most 1.2 times as large as one of another daemon that is given the rest alone. Both are measured with their logs empty.
"""
import argparse, os, sqlite3, sys, time
from daemon import Daemon
from search import texts


def fill(client, names, source):
    for name in names:
        client.call("_convod/message/append", 60, sessionId=name, ifMissing="create", messages=[
            {"role": "user" if n % 2 == 0 else "assistant", "content": [{"type": "text", "text": source[name][n]}]} for n in range(40)])


def settled(daemon):
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as look:
        while look.execute("SELECT (SELECT max(arrival) FROM message) > mark FROM search_state").fetchone()[0]:
            time.sleep(0.05)
    daemon.stop()
    return os.path.getsize(daemon.database)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--sessions", type=int, default=2000)
    arguments = parser.parse_args()
    words = texts(20)
    names = [f"s{n}" for n in range(arguments.sessions)]
    source = {name: [next(words) for _ in range(40)] for name in names}
    rest = names[::20]
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
    programs = os.path.abspath(arguments.programs)
    with Daemon(programs, config) as daemon:
        client = daemon.client()
        fill(client, names, source)
        with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as look:
            while look.execute("SELECT (SELECT max(arrival) FROM message) > mark FROM search_state").fetchone()[0]:
                time.sleep(0.05)
        before = os.path.getsize(daemon.database)
        for name in set(names) - set(rest):
            client.call("session/delete", sessionId=name)
        would = client.call("_convod/store/prune", 60, dryRun=True)
        start = time.monotonic()
        did = client.call("_convod/store/prune", 300)
        took = time.monotonic() - start
        client.close()
        pruned = settled(daemon)
    with Daemon(programs, config) as daemon:
        client = daemon.client()
        fill(client, rest, source)
        client.close()
        fresh = settled(daemon)
    print(f"{before / 1e6:.1f} MB; {did['sessions']} sessions with {did['messages']} messages pruned in {took:.1f} s: {pruned / 1e6:.2f} MB, "
          f"a new file of the rest {fresh / 1e6:.2f} MB, {pruned / fresh:.2f} times; about {did['fileBytesEstimate'] / 1e6:.1f} MB were expected to go")
    sys.exit(0 if would == did and pruned <= 1.2 * fresh else 1)


if __name__ == "__main__":
    main()
