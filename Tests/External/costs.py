"""What a turn, a chunk and a look cost the daemon: system calls, allocations and instructions, counted and not timed.

    python3 Tests/External/costs.py .build/release [--gate]

Each piece of work is done FEW times by one daemon and MANY times by another, both on the built-in echo upstream with a
new database; what the second counts more than the first, by the difference in times, is what one costs. What a start
and an end cost falls out, and so does the time that it took. Needs `strace` (system calls, of all threads) and `valgrind`
(memcheck's count of allocations, callgrind's of instructions). A turn is a prompt of two words, in sessions of twenty; a chunk is
a number of "count to N" with one client that hears it; both without the search index, and a turn with it too; a turn that is asked goes
to a server on this machine that answers in one piece; a look is `_convod/session/get`. With --gate the exit code is 1 where one
costs more than its bound: what was counted when the bound was set and a seventh more, or a quarter for system calls, of
which how many threads meet in one wake-up decides.
"""
import json, os, re, shutil, socket, subprocess, sys, tempfile, threading, time
from daemon import Daemon

FEW, MANY = 40, 240
BOUNDS = {
    "turn": {"system calls": 88, "allocations": 860, "instructions": 2_000_000},
    # The same with the search index, which under valgrind takes each turn by itself, in a commit of its own.
    "turn, indexed": {"system calls": 90, "allocations": 940, "instructions": 2_280_000},
    "turn, asked": {"system calls": 94, "allocations": 922, "instructions": 2_080_000},
    "chunk": {"system calls": 21, "allocations": 42, "instructions": 88_000},
    "look": {"system calls": 7, "allocations": 41, "instructions": 94_000},
}
ECHO = {"upstreams": {"echo": {"kind": "echo"}}, "database": {"index": False}}
INDEXED = {"upstreams": {"echo": {"kind": "echo"}}}


class Server:
    """Answers each request of Chat Completions with two words, in one write, on connections that stay."""

    WORDS = [{"role": "assistant", "content": ""}, {"content": "well"}, {"content": " said"}]
    EVENTS = "".join(
        "data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) + "\n\n" for delta in WORDS
    ) + 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    ANSWER = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(EVENTS)}\r\n\r\n{EVENTS}".encode()

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()
        address = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        self.config = {"upstreams": {"mock": {"kind": "openai", "baseURL": address, "model": "m"}}, "database": {"index": False}}

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        pending = b""
        while True:
            more = connection.recv(1 << 16)
            if not more:
                return
            pending += more
            head, end, body = pending.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            if end and len(body) >= int(length[1] if length else 0):
                pending = b""
                connection.sendall(self.ANSWER)


def turns(client, times):
    for number in range(times):
        if number % 20 == 0:
            client.new(f"s{number}")
        client.prompt(f"s{number // 20 * 20}", "hello there", 120)


def chunks(client, times):
    client.prompt("s", f"count to {times}", 240)


def looks(client, times):
    for _ in range(times):
        client.call("_convod/session/get", 120, sessionId="s")


WORK = {"turn": turns, "turn, indexed": turns, "turn, asked": turns, "chunk": chunks, "look": looks}


def system_calls(out):
    end = time.monotonic() + 20
    while True:  # strace ends a moment after the daemon
        rows = [line.split() for line in open(out)] if os.path.exists(out) else []
        if rows and rows[-1][-1:] == ["total"]:
            # "% time, seconds, usecs/call, calls, errors where there are any, syscall"
            return sum(int(row[3]) for row in rows if len(row) > 4 and row[-1] != "total" and row[3].isdigit())
        if time.monotonic() > end:
            raise SystemExit("strace wrote no table")
        threading.Event().wait(0.05)


def allocations(out):
    return int(re.search(r"total heap usage: ([\d,]+) allocs", open(out).read())[1].replace(",", ""))


def instructions(out):
    return int(re.search(r"^(?:summary|totals): (\d+)", open(out).read(), re.M)[1])


TOOLS = {
    # -D: the daemon stays the child that signals reach, and strace stands aside.
    "system calls": (lambda out: ["strace", "-D", "-f", "-c", "-o", out], system_calls),
    "allocations": (lambda out: ["valgrind", "--leak-check=no", "--undef-value-errors=no", f"--log-file={out}"], allocations),
    "instructions": (lambda out: ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"], instructions),
}


def count(programs, tool, work, times):
    under, read = TOOLS[tool]
    config = INDEXED if work.endswith("indexed") else Server().config if work.endswith("asked") else ECHO
    daemon = Daemon(programs, config, under=under)
    with daemon:
        with daemon.client() as client:
            client.new("s")
            WORK[work](client, times)
        daemon.stop()
        return read(daemon.counted)


def works(tool):
    """Whether the machine has what counts this, and lets it; a container may forbid one process to trace another."""
    words = TOOLS[tool][0](os.devnull)
    if shutil.which(words[0]) is None:
        raise SystemExit(f"{tool} are counted with {words[0]}, which this machine lacks: apt-get install {words[0]}")
    tried = subprocess.run([*words, "true"], capture_output=True, text=True)
    if tried.returncode:
        print(f"{tool} are left out, {words[0]} may not do it here: {tried.stderr.strip()}", flush=True)
    return tried.returncode == 0


def main():
    programs, isGate = sys.argv[1], "--gate" in sys.argv[2:]
    tools = [tool for tool in TOOLS if works(tool)]
    with tempfile.TemporaryDirectory() as bare:
        # valgrind gives up over debug information that is newer than it is, and needs none.
        subprocess.run(["strip", "-g", "-o", os.path.join(bare, "convod"), os.path.join(programs, "convod")], check=True)
        over = measure(bare, tools)
    if isGate and over:
        raise SystemExit("\n".join(over))


def measure(programs, tools):
    over = []
    for work in WORK:
        for tool in tools:
            few, many = (count(programs, tool, work, times) for times in (FEW, MANY))
            one, bound = (many - few) / (MANY - FEW), BOUNDS[work][tool]
            print(f"a {work:13} {tool:13} {one:12,.1f}   (at most {bound:,})", flush=True)
            if one > bound:
                over.append(f"a {work} costs {one:,.1f} {tool}, the bound is {bound:,}")
    return over


if __name__ == "__main__":
    main()
