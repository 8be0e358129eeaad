#!/usr/bin/env python3
"""What lists, resuming and appending cost does not grow with what is stored: from 1,000 sessions to 1,000,000, and with 10,000,000
messages beside them.

    python3 Tests/External/large.py .build/release [--sessions 1000000] [--messages 10000000] [--times 300]

Makes sessions of one turn each up to a power of ten, and long sessions at the end; at each step it takes the time of the newest 50
sessions, a page from the middle, the last 20 messages of a session, resuming it, one turn appended durably and one prompt on the echo
upstream, each so many times, on different sessions. Fails when the median at the end is above 1.5 times that at the beginning and 0.3
ms more. Takes some minutes and about 8 GB."""
import argparse, json, os, random, shutil, statistics, sys, threading, time

from daemon import Client, Daemon

CONFIG = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
WORDS = ("the quick brown fox jumps over a lazy dog while somebody asks what a window is and why it was cut there ").split()


def text(some, count):
    return [{"type": "text", "text": " ".join(some.choices(WORDS, k=count))}]


def ahead(daemon, calls, depth=64):
    """Makes calls, so many of them under way at once."""
    with daemon.client() as client:
        open_ = 0
        for method, params in calls:
            client.send(method, 60, **params)
            open_ += 1
            if open_ == depth:
                client.result(client.line(time.monotonic() + 60))
                open_ -= 1
        for _ in range(open_):
            client.result(client.line(time.monotonic() + 60))


def turns(some, names):
    for name in names:
        yield "_convod/message/append", {"sessionId": name, "ifMissing": "create", "messages": [
            {"role": "user", "content": text(some, 12)}, {"role": "assistant", "content": text(some, 40)}]}


def measure(daemon, names, times, some):
    """Medians in milliseconds."""
    found = {}
    with daemon.client() as client:
        def take(what, call):
            samples = []
            for _ in range(times):
                begin = time.perf_counter()
                call(some.choice(names))
                samples.append((time.perf_counter() - begin) * 1000)
            found[what] = statistics.median(samples)

        middle = client.call("_convod/session/find", limit=50)
        cursor = middle.get("nextCursor")
        take("newest 50", lambda _: client.call("_convod/session/find", limit=50))
        take("next 50", lambda _: client.call("_convod/session/find", limit=50, **({"cursor": cursor} if cursor else {})))
        take("last 20", lambda name: client.call("_convod/message/list", sessionId=name, last=20))
        take("resume", lambda name: client.call("session/resume", sessionId=name, cwd="/tmp"))
        take("append", lambda name: client.call("_convod/message/append", sessionId=name, messages=[
            {"role": "user", "content": text(some, 12)}, {"role": "assistant", "content": text(some, 40)}]))
        take("prompt", lambda name: client.prompt(name, "hello"))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    some, made, rows = random.Random(arguments.seed), 0, []
    print(f"seed {arguments.seed}", flush=True)
    with Daemon(os.path.abspath(arguments.programs), CONFIG) as daemon:
        def row(words):
            names = [f"s{some.randrange(made)}" for _ in range(200)]
            rows.append(measure(daemon, names, arguments.times, some))
            size = os.path.getsize(daemon.database) >> 20
            print(f"{words:44}", ", ".join(f"{k} {v:.3f} ms" for k, v in rows[-1].items()),
                  f"; file {size:,} MiB, {daemon.memory() >> 10} MiB resident", flush=True)

        step = 1_000
        while made < arguments.sessions:
            goal, begin = min(step, arguments.sessions), time.monotonic()
            parts = [range(made + n, goal, 4) for n in range(4)]
            threads = [threading.Thread(target=ahead, args=(daemon, turns(random.Random(some.random()), (f"s{n}" for n in part)))) for part in parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate, made, step = (goal - made) / (time.monotonic() - begin), goal, step * 10
            row(f"{made:,} sessions ({rate:,.0f} turns a second)")
        messages, begin = 2 * made, time.monotonic()
        left = arguments.messages - messages
        if left > 0:
            few = [{"role": "assistant" if n % 2 else "user", "content": text(some, 20)} for n in range(1000)]
            ahead(daemon, (("_convod/message/append", {"sessionId": f"long{n % 10}", "ifMissing": "create", "messages": few})
                           for n in range(-(-left // 1000))), 4)
            rate, messages = left / (time.monotonic() - begin), messages + left
            row(f"{messages:,} messages ({rate:,.0f} a second)")
            found = measure(daemon, [f"long{n}" for n in range(10)], arguments.times, some)
            print(f"{'in sessions of ' + format(left // 10, ','):44}", ", ".join(f"{k} {v:.3f} ms" for k, v in found.items()), flush=True)
            rows.append(found)
    grown = [what for what, first in rows[0].items() for last in (rows[-1], rows[-2]) if last[what] > 1.5 * first + 0.3]
    if grown:
        raise SystemExit(f"grew: {', '.join(sorted(set(grown)))}")
    print("nothing grew")


if __name__ == "__main__":
    main()
