#!/usr/bin/env python3
"""What a window costs in long sessions: the tail that it needs is all that is read.

    python3 Tests/External/long_window.py .build/release [--most 1000000] [--bound 1]

Sessions of 1,000 messages and ten times as many up to a million, each asked 400 times, in turns, for a preview of a window of 8,000
tokens with one more prompt. Fails when the median in the longest is over the bound in milliseconds, or more than 1.5 times that in the shortest.
A preview is a round trip over the socket; what of it is the daemon's alone is told by its processor time.
"""
import argparse, os, sys, time
from daemon import Daemon

TEXT = "This is message %d of a conversation that goes on and on, about one thing and another, as they do. "


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--bound", type=float, default=1.0, help="milliseconds of the longest's median; a machine that does other work needs more")
    arguments = parser.parse_args()
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= arguments.most]
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}, "window": {"maxTokens": 8_000, "strategy": "slide"}}
    with Daemon(os.path.abspath(arguments.programs), config) as daemon, daemon.client() as client:
        for size in sizes:
            for start in range(0, size, 1_000):
                client.call("_convod/message/append", 60, sessionId=f"s{size}", ifMissing="create", messages=[
                    {"role": "user" if n % 2 == 0 else "assistant", "content": [{"type": "text", "text": TEXT % n * 3}]}
                    for n in range(start, start + 1_000)])
        times, processor = {n: [] for n in sizes}, {n: 0.0 for n in sizes}
        ticks = os.sysconf("SC_CLK_TCK")

        def used():
            with open(f"/proc/{daemon.process.pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / ticks

        for block in range(8):
            for size in sizes:
                before = used()
                for _ in range(50):
                    start = time.perf_counter()
                    answer = client.call("_convod/context/preview", sessionId=f"s{size}", prompt=[{"type": "text", "text": "and now?"}])
                    times[size].append((time.perf_counter() - start) * 1000)
                processor[size] += used() - before
        sent = answer["receipt"]["sentMessages"]
        at = lambda n, p: sorted(times[n])[int(len(times[n]) * p / 100)]
        for n in sizes:
            print(f"{n:9} messages: p50 {at(n, 50):.3f} ms, p99 {at(n, 99):.3f} ms, processor {processor[n] / len(times[n]) * 1000:.2f} ms ({sent} messages sent)")
        isBad = at(sizes[-1], 50) > arguments.bound or at(sizes[-1], 50) > 1.5 * at(sizes[0], 50)
        sys.exit(1 if isBad else 0)


if __name__ == "__main__":
    main()
