#!/usr/bin/env python3
"""What the search index costs those who write: turns of one user and one assistant message, appended durably over 32 connections,
with the index on and off in turns.

    python3 Tests/External/index_cost.py .build/release --load LOAD --workload DIRECTORY [--rounds 5] [--seconds 5]

LOAD is the load generator of the shared bench, made of its `c/load.c`; DIRECTORY has its `workload.py`.
"""
import argparse, json, os, sqlite3, statistics, subprocess, sys, tempfile, time
from daemon import Daemon


def requests(directory):
    sys.path.insert(0, directory)
    import workload
    text = lambda t: [{"type": "text", "text": t}]
    lines = []
    for n, (user, assistant) in enumerate(workload.turns(4000)):
        lines.append(json.dumps({"jsonrpc": "2.0", "id": n, "method": "_convod/message/append", "params": {
            "sessionId": f"s{n % 64}", "ifMissing": "create", "messages": [
                {"role": "user", "content": text(user)}, {"role": "assistant", "content": text(assistant)}]}}, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--load", required=True)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    rates = {True: [], False: []}
    with tempfile.NamedTemporaryFile("w", suffix=".lines") as file:
        file.write(requests(arguments.workload))
        file.flush()
        for number in range(arguments.rounds * 2):
            isOn = number % 2 == 0
            config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}, "database": {"index": isOn}}
            with Daemon(os.path.abspath(arguments.programs), config) as daemon:
                out = json.loads(subprocess.run(
                    [arguments.load, "-u", daemon.socket, "-f", file.name, "-m", '"result":', "-c", "32", "-s", str(arguments.seconds)],
                    capture_output=True, text=True, check=True).stdout)
                rate = out["n"] / arguments.seconds
                rates[isOn].append(rate)
                line = f"index {'on ' if isOn else 'off'} {rate:8.0f} turns/s, p50 {out.get('p50_us')} us, p99 {out.get('p99_us')} us"
                if isOn:
                    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as look:
                        behind = lambda: look.execute("SELECT (SELECT max(arrival) FROM message) - mark FROM search_state").fetchone()[0]
                        left, start = behind(), time.monotonic()
                        while behind() > 0:
                            time.sleep(0.02)
                        line += f"; {left} messages not indexed at the end, {time.monotonic() - start:.1f} s later all were"
                print(line, flush=True)
    on, off = (statistics.median(rates[k]) for k in (True, False))
    print(f"medians: {off:.0f} without, {on:.0f} with: {off / on:.2f} times the cost")


if __name__ == "__main__":
    main()
