#!/usr/bin/env python3
"""Searching a large history while others write: how long it takes, how far the index is behind, and what it costs on the disk.

    python3 Tests/External/search.py .build/release [--messages 1000000] [--sessions 10000] [--gate]

Messages of English words and, one in five, of Han, after Zipf's law, go in as clients append them. Then 8 clients go on writing
while each question is asked 30 times; the daemon's own `sqlite3` would do the same by hand: the built-in trigram index over a copy
of the text, asked by its shell. With --gate it fails where a median is over 50 ms or the index more than ten seconds behind.
"""
import argparse, os, random, sqlite3, sys, threading, time
from daemon import Daemon

HAN = [chr(n) for n in range(0x4E00, 0x4E00 + 3500)]


def zipf(items, some):
    weights, sum_ = [], 0
    for n in range(len(items)):
        sum_ += 1 / (n + 2.7)
        weights.append(sum_)
    return lambda count: some.choices(items, cum_weights=weights, k=count)


def texts(seed, share=0.2):
    some = random.Random(seed)
    letters = zipf(list("etaoinshrdlcumwfgypbvkjxqz"), some)
    words = sorted({"".join(letters(some.choice([2, 3, 3, 4, 5, 6, 7, 8, 9]))) for _ in range(60_000)})
    some.shuffle(words)
    latin, han = zipf(words, some), zipf(HAN, some)
    while True:
        if some.random() < share:
            yield "".join(han(some.randint(40, 200)))
        else:
            yield " ".join(latin(some.randint(20, 120)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--han", type=float, default=0.2, help="the share of messages in Han")
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--bound", type=float, default=50, help="milliseconds of a median")
    arguments = parser.parse_args()
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
    source = texts(16, arguments.han)
    bad = []
    with Daemon(os.path.abspath(arguments.programs), config) as daemon, daemon.client() as client:
        path = daemon.database
        each = max(1, arguments.messages // arguments.sessions)
        start, count, text = time.monotonic(), 0, 0
        for n in range(arguments.sessions):
            messages = []
            for k in range(each):
                line = next(source)
                if count == arguments.messages // 3:
                    line += " xylophonist 鱻麤"
                messages.append({"role": "user" if k % 2 == 0 else "assistant", "content": [{"type": "text", "text": line}]})
                count += 1
                text += len(line.encode())
            client.call("_convod/message/append", 60, sessionId=f"s{n}", ifMissing="create", messages=messages)
        wrote = time.monotonic() - start
        print(f"{count} messages in {arguments.sessions} sessions, {text / 1e6:.1f} MB of text, written in {wrote:.1f} s")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as look:
            behind = lambda: look.execute("SELECT (SELECT max(arrival) FROM message) - mark FROM search_state").fetchone()[0]
            print(f"messages not indexed then: {behind()}")
            while behind() > 0:
                time.sleep(0.05)
            print(f"index whole {time.monotonic() - start - wrote:.1f} s later")
            time.sleep(1.5)
            whole = os.path.getsize(path)
            grams = look.execute("SELECT sum(length(block)) FROM search_data").fetchone()[0]
            free = look.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size").fetchone()[0]
            print(f"database {whole / 1e6:.1f} MB, {whole / text:.2f} a byte of text, {free / 1e6:.1f} MB of it free; grams {grams / 1e6:.1f} MB, {grams / text:.2f}")

            stop, written, late = threading.Event(), [0] * 8, [0]

            def write(k):
                mine = texts(100 + k)
                with daemon.client() as other:
                    while not stop.is_set():
                        other.call("_convod/message/append", 60, sessionId=f"w{k}-{written[k] // 100}", ifMissing="create", messages=[
                            {"role": "user", "content": [{"type": "text", "text": next(mine)}]}])
                        written[k] += 1

            threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
            for t in threads:
                t.start()
            common = "".join(next(texts(16)).split()[:1])
            questions = [
                ("newest 50 sessions", "_convod/session/find", dict(limit=50)),
                ("the last 20 of one", "_convod/message/list", dict(sessionId=f"s{arguments.sessions // 2}", last=20)),
                ("a rare word", "_convod/search", dict(query="xylophonist")),
                (f"a common word ({common})", "_convod/search", dict(query=common)),
                ("a rare and a common one", "_convod/search", dict(query=f"xylophonist {common}")),
                ("a word that is nowhere", "_convod/search", dict(query="qqqzzzqqq")),
                ("a phrase", "_convod/search", dict(query='"xylophonist 鱻"')),
                ("one rare Han character", "_convod/search", dict(query="鱻")),
                ("one common one", "_convod/search", dict(query=HAN[0])),
                ("two rare", "_convod/search", dict(query="鱻麤")),
                ("two common", "_convod/search", dict(query=HAN[0] + HAN[1])),
                ("two letters", "_convod/search", dict(query="zq")),
                ("one sign", "_convod/search", dict(query="%")),
                ("a rare word, by rank", "_convod/search", dict(query="xylophonist", order="rank")),
            ]
            times = {name: [] for name, _, _ in questions}
            begun, before = time.monotonic(), sum(written)
            for _ in range(arguments.times):
                late[0] = max(late[0], behind())
                for name, method, params in questions:
                    at = time.perf_counter()
                    answer = client.call(method, 60, **params)
                    times[name].append((time.perf_counter() - at) * 1000)
            took = time.monotonic() - begun
            rate = (sum(written) - before) / took
            stop.set()
            for t in threads:
                t.join()
            for name, all_ in times.items():
                all_.sort()
                p50, p99 = all_[len(all_) // 2], all_[int(len(all_) * 0.99)]
                print(f"{name:28} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms")
                if p50 > arguments.bound:
                    bad.append(name)
            seconds = late[0] / max(1, rate)
            print(f"8 clients wrote {rate:.0f} messages a second meanwhile; at most {late[0]} were not indexed yet: {seconds:.1f} s behind")
            if seconds > 10:
                bad.append("the index is behind")
    if arguments.gate and bad:
        print("too slow:", ", ".join(bad))
        sys.exit(1)


if __name__ == "__main__":
    main()
