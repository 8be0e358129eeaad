#!/usr/bin/env python3
"""Copies of the database while 8 clients write: each is whole, and holds what was acknowledged before it began.

    python3 Tests/External/backup.py .build/release [--copies 5] [--messages 60000]
"""
import argparse, os, sqlite3, statistics, sys, threading, time
from daemon import Daemon
from search import texts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument("--messages", type=int, default=60_000)
    arguments = parser.parse_args()
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
    source, bad = texts(3), 0
    message = lambda text: {"role": "user", "content": [{"type": "text", "text": text}]}
    with Daemon(os.path.abspath(arguments.programs), config) as daemon, daemon.client() as client:
        for n in range(arguments.messages // 100):
            client.call("_convod/message/append", 60, sessionId=f"s{n}", ifMissing="create", messages=[message(next(source)) for _ in range(100)])
        stop, written, times = threading.Event(), [0] * 8, [[] for _ in range(8)]

        busy = [threading.Event() for _ in range(8)]

        def write(k):
            with daemon.client() as other:
                while not stop.is_set():
                    at = time.perf_counter()
                    other.call("_convod/message/append", 60, sessionId=f"w{k}", ifMissing="create", messages=[message(f"number {written[k]}")])
                    times[k].append((time.perf_counter() - at) * 1000)
                    written[k] += 1
                    if written[k] == 50:
                        busy[k].set()

        threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for event in busy:
            assert event.wait(30), "a client did not write"
        for n in range(arguments.copies):
            path, before = os.path.join(daemon.home, f"copy{n}.db"), list(written)
            start = time.monotonic()
            told = client.call("_convod/store/backup", 300, path=path)
            took = time.monotonic() - start
            with sqlite3.connect(path) as look:
                whole = look.execute("PRAGMA integrity_check").fetchone()[0]
                there = [look.execute("SELECT count(*) FROM message m JOIN branch b ON b.id = m.key >> 32 JOIN session s ON s.id = b.session WHERE s.name = ?", (f"w{k}",)).fetchone()[0] for k in range(8)]
            lost = sum(max(0, b - t) for b, t in zip(before, there))
            if whole != "ok" or lost or told["bytes"] != os.path.getsize(path) and not os.path.exists(path + "-wal"):
                bad += 1
                print(f"copy {n}: {whole}, {lost} messages lost")
            print(f"copy {n}: {told['bytes'] / 1e6:.1f} MB in {took:.2f} s, {sum(written) - sum(before)} messages written meanwhile")
        stop.set()
        for t in threads:
            t.join()
        all_ = sorted(t for own in times for t in own)
        print(f"append p50 {statistics.median(all_):.2f} ms, p99 {all_[int(len(all_) * 0.99)]:.2f} ms; {bad} faults")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
