#!/usr/bin/env python3
"""Search beside SQLite's own trigram index asked by hand, and beside `llm logs -q`, over the same texts in one run.

    python3 -m pip install llm; python3 Tests/External/search_beside.py .build/release [--messages 100000]

By hand: a table of texts with an external-content FTS5 index (trigram, full detail), asked for the newest 20 with a snippet; what has
fewer than three characters is looked for with LIKE, as the trigram index cannot. `llm` reads its own database, filled as its legacy
table of responses has it. Programs are timed whole (`convo search`, `sqlite3`, `llm logs`), and convod and SQLite without a start too.
"""
import argparse, os, sqlite3, statistics, subprocess, sys, tempfile, time
from daemon import Daemon
from search import HAN, texts

ROUNDS = 7


def timed(do, rounds=ROUNDS):
    times = []
    for _ in range(rounds):
        at = time.perf_counter()
        found = do()
        times.append((time.perf_counter() - at) * 1000)
    return statistics.median(times), found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--messages", type=int, default=100_000)
    arguments = parser.parse_args()
    source = texts(16)
    lines = [next(source) for _ in range(arguments.messages)]
    lines[len(lines) // 3] += " xylophonist 鱻麤"
    size = sum(len(l.encode()) for l in lines)
    common = lines[0].split()[0]
    config = {"upstreams": {"echo": {"kind": "echo"}}, "routes": {"default": ["echo"]}}
    with tempfile.TemporaryDirectory() as folder, Daemon(os.path.abspath(arguments.programs), config) as daemon, daemon.client() as client:
        for n in range(0, len(lines), 100):
            client.call("_convod/message/append", 60, sessionId=f"s{n}", ifMissing="create", messages=[
                {"role": "user" if k % 2 == 0 else "assistant", "content": [{"type": "text", "text": t}]} for k, t in enumerate(lines[n:n + 100])])
        with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as look:
            while look.execute("SELECT (SELECT max(arrival) FROM message) > mark FROM search_state").fetchone()[0]:
                time.sleep(0.05)
        hand = os.path.join(folder, "hand.db")
        db = sqlite3.connect(hand)
        db.executescript("CREATE TABLE m (id INTEGER PRIMARY KEY, text TEXT); CREATE VIRTUAL TABLE f USING fts5(text, content='m', content_rowid='id', tokenize='trigram');")
        at = time.perf_counter()
        db.executemany("INSERT INTO m (text) VALUES (?)", [(l,) for l in lines])
        db.execute("INSERT INTO f (rowid, text) SELECT id, text FROM m")
        db.commit()
        built = time.perf_counter() - at
        llm, logs = None, os.path.join(folder, "logs.db")
        try:
            import sqlite_utils
            from llm.migrations import migrate
            peer = sqlite_utils.Database(logs)
            migrate(peer)
            peer["conversations"].insert({"id": "c", "name": "c", "model": "m"})
            peer["responses"].insert_all(
                ({"id": f"{n:08d}", "model": "m", "prompt": lines[n], "response": lines[n + 1], "conversation_id": "c", "datetime_utc": "2026-11-29T00:00:00"}
                 for n in range(0, len(lines) - 1, 2)), batch_size=5000)
            llm = os.path.join(os.path.dirname(sys.executable), "llm")
        except ImportError:
            print("llm is not installed; left out")
        sizes = {"convod": os.path.getsize(daemon.database), "by hand": os.path.getsize(hand), "llm": os.path.getsize(logs) if llm else 0}
        print(f"{len(lines)} texts, {size / 1e6:.1f} MB; bytes a byte of text: " + ", ".join(f"{k} {v / size:.2f}" for k, v in sizes.items() if v) + f"; by hand built in {built:.1f} s")
        print(f"{'':26}{'convod':>10}{'by hand':>10}{'convo':>10}{'sqlite3':>10}{'llm logs':>10}   ms; found by each")
        for name, word in (("a rare word", "xylophonist"), ("a common word", common), ("nowhere", "qqqzzzqqq"), ("two Han, rare", "鱻麤"), ("two Han, common", HAN[0] + HAN[1]),
                           ("one Han, rare", "鱻"), ("one Han, common", HAN[0]), ("two letters", "zq")):
            def own():
                return len(client.call("_convod/search", query=word)["hits"])

            if len(word) >= 3:
                sql = f"SELECT rowid, snippet(f, 0, '[', ']', '…', 12) FROM f WHERE f MATCH '\"{word}\"' ORDER BY rowid DESC LIMIT 20"
            else:
                sql = f"SELECT id, substr(text, max(1, instr(text, '{word}') - 40), 80) FROM m WHERE text LIKE '%{word}%' ORDER BY id DESC LIMIT 20"
            by_hand = lambda: len(db.execute(sql).fetchall())
            program = lambda: daemon.convo("search", "-q", word).stdout.count(b"\n")
            shell = lambda: subprocess.run(["sqlite3", hand, sql], capture_output=True).stdout.count(b"\n")
            peer_ = lambda: subprocess.run([llm, "logs", "-q", word, "-n", "20", "--json", "-d", logs], capture_output=True, env={"HOME": folder, "PATH": "/usr/bin:/bin", "LLM_USER_PATH": folder}).stdout.count(b'"conversation_id"')
            results = [timed(own), timed(by_hand), timed(program), timed(shell), timed(peer_, 3) if llm else (0, 0)]
            print(f"{name:26}" + "".join(f"{ms:10.2f}" for ms, _ in results) + "   " + " ".join(str(n) for _, n in results))


if __name__ == "__main__":
    main()
