"""An upstream that breaks in every way, at every place, in every dialect: what becomes of the prompt.

    python3 Tests/External/chaos.py .build/debug

A server on raw sockets answers as OpenAI, Anthropic and Gemini do and lets one fault strike a request. Each cell is a
session with one prompt; its outcome, its stored text, its chunks, its attempts, the time it took and the prompt after it
are checked against EXPECTED, once with `attempts: 1, cutStream: "stop"` and once with a fault that strikes only the
first of three attempts under `cutStream: "restart"`. Then lines of 70 MiB, one at a time, with what they cost in memory, and
faults of meaning, each with an upstream of its own: spent accounts, a broken call in the history, a proxy's login, waits
until a date, blanks and halves of characters where none should be. Those that no try mends are tried once, and a route goes on.
Prints a table a pass and `N cells, M failed`; exit code 1 when a check fails.
"""
import concurrent.futures, json, os, socket, struct, sys, threading, time
from daemon import Daemon, Failed

DIALECTS = ["openai", "anthropic", "gemini"]
PLACES = ["before headers", "after headers", "after first chunk", "inside a character", "before end mark", "after end mark"]
P0, P1, P2, P3, P4, P5 = PLACES
PIECES = ["Hello 你好🌍é. ", "naïve 世界🌍 ", "café 你好, ", "end é🌍."]  # the third is torn inside 你
FULL = "".join(PIECES)
KEPT = {P0: "", P1: "", P2: PIECES[0], P3: "".join(PIECES[:2]), P4: FULL, P5: FULL}  # whole characters of whole events
TIMERS = {"connect": "500ms", "firstToken": "700ms", "gap": "500ms"}
PATIENCE = 3.0  # how long a finished answer waits for its usage; with a timer's second, and two more, the longest cell
SLACK = 2.0
DRIP = 1.2  # of comments, more than both timers

# What a prompt must end in, and the state of its turn. Reasoning, from design 2, 5 and 10:
#  - nothing of the answer came: the kind says why. A connection that breaks is `upstream_unavailable`, silence is
#    `upstream_timeout`, a server that answers with what is no answer is `upstream_protocol`; the turn failed;
#  - visible text came and the end mark did not: the turn is interrupted whatever cut it, and what came goes into the next
#    context. The kind is that of what cut it: `interrupted` for a broken connection, `upstream_protocol` for what is no
#    answer, the server's own for an error that it states;
#  - the end mark came: the answer is whole, and what happens to the connection then concerns nobody. Gemini's
#    `finishReason` is no end mark (wire.md A3), so an error event behind it may count;
#  - comments are life: they never cut an answer that began, but do not stand for a first token.
CUT, STATED, BROKEN = {"interrupted"}, {"upstream_unavailable"}, {"interrupted", "upstream_protocol"}
EXPECTED = {  # fault: {place: kinds}; places not named: nothing to strike there
    "reset": {P0: {"upstream_unavailable"}, P1: {"upstream_unavailable"}},
    "close": {P0: {"upstream_unavailable"}, P1: {"upstream_unavailable"}},
    "stall": {P0: {"upstream_timeout"}, P1: {"upstream_timeout"}},
    "garbage": {P0: {"upstream_protocol"}, P1: {"upstream_protocol"}},
    "malformed JSON": {P1: {"upstream_protocol"}},
    "error event": {P1: {"upstream_unavailable"}},
    "short Content-Length": {P1: {"upstream_unavailable", "upstream_protocol"}},
    "HTML page": {P0: {"upstream_protocol"}, P1: {"upstream_protocol"}},
    "empty rest": {P0: {"upstream_protocol"}, P1: {"upstream_protocol"}},
    "drip": {P0: {"upstream_timeout"}, P1: {"upstream_timeout"}, P2: {"end_turn"}, P3: {"end_turn"}, P4: {"end_turn"}},
    "HTTP 429": {P0: {"throttled"}}, "HTTP 500": {P0: {"upstream_unavailable"}},
    "HTTP 503": {P0: {"upstream_unavailable"}}, "HTTP 529": {P0: {"upstream_unavailable"}},
}
for fault, kinds in EXPECTED.items():
    if not fault.startswith("HTTP "):
        for place in PLACES[2:]:
            # A line that was torn before what follows is no answer any more.
            isStated = fault == "error event" and place != P3
            isBroken = fault in ("garbage", "malformed JSON", "HTML page", "error event")
            kinds.setdefault(place, {"end_turn"} if place == P5 else STATED if isStated else BROKEN if isBroken else CUT)
LONG = {P1: {"upstream_protocol"}, P2: {"upstream_protocol"}}


def expected(fault, place, dialect):
    kinds = (LONG if fault == "70 MiB line" else EXPECTED[fault])[place]
    if dialect == "gemini" and place == P5 and fault in ("error event", "malformed JSON"):
        return kinds | (STATED if fault == "error event" else BROKEN)
    return kinds


def event(dialect, data, name=None):
    text = json.dumps(data, ensure_ascii=False)
    end = "\r\n\r\n" if dialect == "gemini" else "\n\n"
    return ((f"event: {name or data['type']}\n" if dialect == "anthropic" else "") + f"data: {text}{end}").encode()


def text_event(dialect, text):
    return event(dialect, {
        "openai": {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
        "anthropic": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        "gemini": {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}]}}[dialect])


def opening(dialect):
    if dialect != "anthropic":
        return b""
    return event(dialect, {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
                           "stop_reason": None, "usage": {"input_tokens": 5, "output_tokens": 1}}}) + \
        event(dialect, {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})


def finish(dialect):
    """The reason, and the end mark behind it."""
    if dialect == "openai":
        return event(dialect, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), b"data: [DONE]\n\n"
    if dialect == "anthropic":
        return event(dialect, {"type": "content_block_stop", "index": 0}) + \
            event(dialect, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}), \
            event(dialect, {"type": "message_stop"})
    return event(dialect, {"candidates": [{"content": {"parts": [], "role": "model"}, "finishReason": "STOP", "index": 0}],
                           "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 9, "totalTokenCount": 14}}), b""


ERRORS = {"openai": {"error": {"message": "The server is overloaded.", "type": "server_error", "code": None}},
          "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
          "gemini": {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}}
BODIES = {"429": {"openai": {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}},
                  "anthropic": {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}},
                  "gemini": {"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}}},
          "5": {"openai": {"error": {"message": "The server had an error", "type": "server_error"}},
                "anthropic": {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}},
                "gemini": {"error": {"code": 503, "message": "unavailable", "status": "UNAVAILABLE"}}}}
GARBAGE = b"\xff\xfe\x00\x80\xc3(\xf0\x9f\x1b]junk}\x00{\"\n\n\xe4\xbd garbage\n\n"
HTML = b"<!DOCTYPE html>\n<html><head><title>502: Bad Gateway</title></head>\n\n<body style=\"color: red\">error: no</body></html>\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


class Gone(Exception):
    """The daemon closed the connection."""


class Server:
    """One thread a connection; `seen` counts the requests of a cell, `bodies` keeps its last one."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.lock, self.seen, self.bodies, self.problems = threading.Lock(), {}, {}, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection:
                while self.exchange(connection):
                    pass
        except (Gone, OSError):
            pass

    def exchange(self, connection):
        """Answers one request; whether the connection may be used again."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        path = head.split(b" ")[1].decode()
        dialect = "openai" if "chat/completions" in path else "anthropic" if "/messages" in path else "gemini"
        cell = last_prompt(dialect, json.loads(body))
        with self.lock:
            self.seen[cell] = self.seen.get(cell, 0) + 1
            count = self.seen[cell]
            self.bodies[cell] = body.decode()
        words = cell.split("|")
        if words[0] == "good" or words[3] == "once" and count > 1:
            return self.good(Chunked(connection), dialect)
        return Strike(connection, dialect, words[0], words[1]).run()

    def good(self, out, dialect):
        out.send(opening(dialect) + b"".join(text_event(dialect, p) for p in PIECES) + b"".join(finish(dialect)))
        out.end()
        return True


class Chunked:
    """A body in chunks, so that its end shows."""

    def __init__(self, connection, isLong=False, head=True):
        self.connection, self.isLong = connection, isLong
        if head:
            connection.sendall(HEAD + (b"Content-Length: 100000\r\n\r\n" if isLong else b"Transfer-Encoding: chunked\r\n\r\n"))

    def send(self, data):
        if data:
            self.connection.sendall(data if self.isLong else b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.connection.sendall(b"0\r\n\r\n")


class Strike:
    """One answer up to its place, then the fault."""

    def __init__(self, connection, dialect, fault, place):
        self.connection, self.dialect, self.fault, self.place = connection, dialect, fault, place

    def run(self):
        if self.place == P0:
            return self.beforeHead()
        self.out = Chunked(self.connection, self.fault == "short Content-Length")
        rest = self.parts()
        self.out.send(rest.pop(0))
        # The daemon must have read this much before a reset throws it away.
        time.sleep(0.05)
        getattr(self, "do_" + {"70 MiB line": "long"}.get(self.fault, self.fault.split()[0].replace("-", "_").lower()))(rest)
        return False

    def parts(self):
        """What comes before the fault, and what would come after it."""
        pieces = [text_event(self.dialect, p) for p in PIECES]
        reason, mark = finish(self.dialect)
        begin, tail = opening(self.dialect), reason + mark
        if self.place == P1:
            return [begin, b"".join(pieces) + tail]
        if self.place == P2:
            return [begin + pieces[0], b"".join(pieces[1:]) + tail]
        if self.place == P3:
            cut = pieces[2].index("你".encode()) + 1
            return [begin + b"".join(pieces[:2]) + pieces[2][:cut], pieces[2][cut:], pieces[3] + tail]
        if self.place == P4:
            return [begin + b"".join(pieces), tail]
        # A drip after the end mark: some servers leave the mark away and keep the connection (wire.md C2).
        return [begin + b"".join(pieces) + (reason if self.fault == "drip" else tail), b""]

    def beforeHead(self):
        send = self.connection.sendall
        if self.fault.startswith("HTTP "):
            status = self.fault[5:]
            body = json.dumps(BODIES.get(status, BODIES["5"])[self.dialect]).encode()
            send(b"HTTP/1.1 %s Oh\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body))
            return True
        if self.fault == "HTML page":
            send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(HTML), HTML))
            return True
        if self.fault == "empty rest":
            send(HEAD + b"Content-Length: 0\r\n\r\n")
            return True
        if self.fault == "garbage":
            send(GARBAGE * 4)
        if self.fault == "drip":
            send(HEAD)
            self.slowly(lambda: send(b"X-Pad: 0\r\n"), 8)
        if self.fault == "stall":
            self.silence(8)
        if self.fault == "reset":
            self.do_reset([])
        return False

    def silence(self, seconds):
        self.connection.settimeout(seconds)
        try:
            if not self.connection.recv(1):
                raise Gone
        except TimeoutError:
            pass

    def slowly(self, act, seconds):
        for _ in range(int(seconds / 0.15)):
            act()
            self.silence(0.15)

    def do_reset(self, _):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def do_close(self, _):
        pass

    def do_stall(self, _):
        self.silence(8)

    def do_garbage(self, _):
        self.out.send(GARBAGE)
        self.out.end()

    def do_malformed(self, rest):
        line = text_event(self.dialect, "x").rstrip()[:-4]
        self.out.send(line + b"\n\n" + rest[-1])
        self.out.end()

    def do_error(self, _):
        self.out.send((b"\n\n" if self.place == P3 else b"") + event(self.dialect, ERRORS[self.dialect], "error"))
        self.out.end()

    def do_short(self, _):
        pass

    def do_html(self, _):
        self.out.send(HTML)
        self.out.end()

    def do_empty(self, _):
        self.out.end()

    def do_drip(self, rest):
        ping = event("anthropic", {"type": "ping"}) if self.dialect == "anthropic" else b": PROCESSING\n\n"
        if self.place == P3:  # no comment fits inside a line, so its bytes come one by one
            for byte in rest[0]:
                self.out.send(bytes([byte]))
                time.sleep(0.02)
        else:
            self.slowly(lambda: self.out.send(ping), 8 if self.place in (P1, P5) else DRIP)
        self.out.send(rest[-1])
        self.out.end()

    def do_long(self, _):
        block = b"a" * (1 << 20)
        self.out.send(b"data: ")
        for _ in range(70):
            self.out.send(block)
        self.out.end()


def last_prompt(dialect, body):
    if dialect == "gemini":
        return [c for c in body["contents"] if c["role"] == "user"][-1]["parts"][-1]["text"]
    content = [m for m in body["messages"] if m["role"] == "user"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


class Chunks:
    """The answer's chunks out of a client's updates, by message."""

    def __init__(self, updates):
        self.texts, self.replaces, self.order, self.problems = {}, {}, [], []
        for _, line in updates:
            update = line["params"]["update"]
            if update["sessionUpdate"] != "agent_message_chunk":
                continue
            message, extra = update["messageId"], update["_meta"]["convod"]
            if message not in self.texts:
                self.order.append(message)
                self.texts[message] = ""
            if extra["offset"] != len(self.texts[message].encode()):
                self.problems.append(f"a chunk at {extra['offset']} after {len(self.texts[message].encode())} bytes")
            if "replaces" in extra:
                self.replaces[message] = extra["replaces"]
            self.texts[message] += update["content"]["text"]


def text_of(message):
    return "".join(p.get("text", "") for p in message["content"] if p["type"] == "text")


class Cell:
    """One fault at one place in one dialect, and what is wrong with what came of it."""

    def __init__(self, daemon, server, fault, place, dialect, mode, turn="a"):
        self.daemon, self.server, self.fault, self.place, self.dialect, self.mode = daemon, server, fault, place, dialect, mode
        self.name = f"{fault}|{place}|{dialect}|{mode}|{turn}"
        self.session = f"{turn}-{dialect}-{mode}-{fault}-{PLACES.index(place)}".replace(" ", ".")
        self.bad, self.outcome = [], "?"

    def check(self, holds, words):
        if not holds:
            self.bad.append(words)

    def run(self):
        try:
            with self.daemon.client() as client:
                self.client = client
                client.new(self.session, upstream=self.dialect)
                self.prompt()
                self.after()
        except (Failed, TimeoutError, ConnectionError, KeyError, IndexError) as error:
            self.bad.append(f"{type(error).__name__}: {error}")
        return self

    def prompt(self):
        began = time.monotonic()
        limit = 20 if self.fault == "70 MiB line" or self.mode == "always" else PATIENCE + 1 + SLACK
        turn = None
        try:
            result = self.client.prompt(self.session, self.name, limit + 15)
            self.outcome, turn = result["stopReason"], result["_meta"]["convod"]["turnId"]
        except Failed as error:
            self.outcome, turn, self.error = error.kind, error.error["data"].get("turnId"), error.error["message"]
        took = time.monotonic() - began
        slowest = {"stall": 0.7, "drip": PATIENCE if self.place == P5 else 0.7 if self.place in (P0, P1) else DRIP + 1.3}
        slow = slowest.get(self.fault, 6 if self.fault == "70 MiB line" else 0.3) * (3 if self.mode == "always" else 1)
        self.check(took < slow + SLACK, f"took {took:.1f} s")
        self.turn(turn)

    def turn(self, turn):
        client, isOnce = self.client, self.mode == "once"
        kinds = expected(self.fault, self.place, self.dialect)
        if isOnce:
            kinds = {"end_turn"}
        self.check(self.outcome in kinds, f"ends in {self.outcome}, not {' or '.join(sorted(kinds))}"
                   + (f" ({self.error})" if hasattr(self, "error") else ""))
        if turn is None:
            return self.bad.append("no turn ID in the error")
        details = client.call("_convod/turn/get", turnId=turn)
        seen = self.server.seen.get(self.name, 0)
        attempts = details["attempts"]
        # A connection that was used before and breaks without a byte is taken for an idle one that ran out: libcurl
        # sends the request once more by itself, and no attempt tells of it.
        isStale = self.fault in ("reset", "close") and self.place == P0
        self.check(len(attempts) == seen or isStale and len(attempts) < seen,
                   f"{len(attempts)} attempts, the server saw {seen}: {[a['outcome'] for a in attempts]}")
        if self.mode == "always" and self.outcome != "end_turn":
            self.check(len(attempts) == 3, f"{len(attempts)} attempts")
        self.check([a["number"] for a in attempts] == list(range(1, len(attempts) + 1)), f"attempts {[a['number'] for a in attempts]}")
        isWhole = self.outcome == "end_turn"
        if attempts:
            self.check(attempts[-1]["outcome"] == ("complete" if isWhole else self.outcome), f"last attempt {attempts[-1]['outcome']}")
        partial = KEPT[self.place]
        state = "complete" if isWhole else "interrupted" if partial else "failed"
        self.check(details["state"] == state, f"turn is {details['state']}, not {state}")
        self.texts(details, FULL if isWhole else partial, [partial] * (len(attempts) - 1))

    def texts(self, details, right, before):
        messages = self.client.call("_convod/message/list", sessionId=self.session)["messages"]
        answers = [m for m in messages if m["role"] == "assistant"]
        stored = "".join(map(text_of, answers))
        self.check(FULL.encode().startswith(stored.encode()), f"stored is no prefix of what was sent: {stored!r}")
        self.check(stored == right, f"stored {stored!r}, not {right!r}")
        self.check(len(answers) == (1 if right else 0), f"{len(answers)} answers on the path")
        self.check(len(messages) - len(answers) == (1 if right else 0), f"{len(messages) - len(answers)} prompts on the path")
        chunks = Chunks(self.client.updates)
        self.bad += chunks.problems
        streamed = [chunks.texts[m] for m in chunks.order]
        wanted = [text for text in before + [right] if text]
        self.check(streamed == wanted, f"streamed {streamed}, not {wanted}")
        if answers and chunks.order:
            self.check(answers[-1]["id"] == chunks.order[-1] == details["messageId"], "chunks and message have different IDs")
        links = dict(zip(chunks.order[1:], chunks.order))
        self.check(chunks.replaces == links, f"replaces {chunks.replaces}, not {links}")

    def after(self):
        """The session takes a good prompt, whose context holds what was kept, once."""
        name = "good|" + self.name
        try:
            result = self.client.prompt(self.session, name)
        except Failed as error:
            return self.bad.append(f"the prompt after it fails: {error.kind}: {error}")
        self.check(result["stopReason"] == "end_turn", f"the prompt after it ends in {result['stopReason']}")
        answers = [m for m in self.client.call("_convod/message/list", sessionId=self.session)["messages"] if m["role"] == "assistant"]
        self.check(text_of(answers[-1]) == FULL, "the answer after it is another")
        count = self.server.bodies.get(name, "").count(PIECES[0])
        isKept = self.outcome == "end_turn" or KEPT[self.place]
        self.check(count == (1 if isKept else 0), f"the answer is {count} times in the next context")

    @property
    def word(self):
        return self.outcome.removeprefix("upstream_") + (" !" if self.bad else "")


TITLES = {"stop": 'attempts: 1, cutStream: "stop"', "once": 'attempts: 3, cutStream: "restart", the fault strikes once',
          "always": 'attempts: 3, cutStream: "restart", the fault strikes each time'}


def configuration(server, mode):
    base = f"http://127.0.0.1:{server.port}"
    retry = {"attempts": 1, "cutStream": "stop"} if mode == "stop" else {"attempts": 3, "base": "5ms", "cutStream": "restart"}
    # A breaker would let one cell decide on another.
    return {"upstreams": {d: {"kind": d, "baseURL": base, "model": "m", "timeouts": TIMERS, "breaker": {"failures": 1000000}} for d in DIALECTS},
            "routes": {"default": ["openai"]}, "retry": retry}


def run_all(daemon, server, mode, turn, workers=16):
    cells = [Cell(daemon, server, f, p, d, mode, turn) for f, places in EXPECTED.items() for p in PLACES if p in places for d in DIALECTS]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(Cell.run, cells))
    return cells


def print_table(cells, title):
    print(f"\n{title}\n{'':22}{'':20}" + "".join(f"{d:16}" for d in DIALECTS))
    words = {}
    for c in cells:
        key = (c.fault, c.place, c.dialect)
        words[key] = max(words.get(key, ""), c.word, key=len)
    last = None
    for fault, place in dict.fromkeys((c.fault, c.place) for c in cells):
        print(f"{fault if fault != last else '':22}{place:20}" + "".join(f"{words.get((fault, place, d), '-'):16}" for d in DIALECTS))
        last = fault


def warm_up(daemon):
    with daemon.client() as client:
        for dialect in DIALECTS:
            client.new("warm-" + dialect, upstream=dialect)
            for k in range(5):
                client.prompt("warm-" + dialect, f"good|{dialect}|{k}")


def long_lines(programs):
    """One at a time: what a line without end costs while it is read, and what stays."""
    cells, server = [], Server()
    config = configuration(server, "stop")
    for upstream in config["upstreams"].values():
        upstream["timeouts"] = {"firstToken": "20s", "gap": "5s"}  # the line is long, not late
    print()
    with Daemon(programs, config) as daemon:
        warm_up(daemon)
        for place in LONG:
            for dialect in DIALECTS:
                before, began = daemon.memory(), time.monotonic()
                cells.append(Cell(daemon, server, "70 MiB line", place, dialect, "stop").run())
                print(f"70 MiB line, {place}, {dialect}: {cells[-1].word}, {time.monotonic() - began:.1f} s, resident {before} KiB "
                      f"before, {daemon.memory()} after, {daemon.memory('VmHWM')} at most")
    return cells


def run_mode(programs, mode, bad):
    """The matrix twice in one daemon, so that the second pass shows what the first one left behind."""
    server, began = Server(), time.monotonic()
    with Daemon(programs, configuration(server, mode)) as daemon:
        warm_up(daemon)
        memory, cells = [daemon.memory()], []
        for turn in ("a",) if mode == "always" else ("a", "b"):
            cells += run_all(daemon, server, mode, turn)
            memory.append(daemon.memory())
        print_table(cells, TITLES[mode])
        print(f"resident: {memory[0]} KiB at the start, then {memory[1:]} after each pass; {time.monotonic() - began:.0f} s")
        if memory[-1] - memory[1] > 16 << 10:
            bad.append(f"resident memory grew by {memory[-1] - memory[1]} KiB in the second pass")
        if daemon.process.poll() is not None:
            bad.append("the daemon is gone")
    return cells


SPENT = {"openai": {"error": {"message": "Billing hard limit has been reached", "type": "billing_limit_user_error",
                              "code": "billing_hard_limit_reached"}},
         "anthropic": {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}},
         "gemini": {"error": {"code": 429, "message": "Your prepayment credits are depleted.", "status": "RESOURCE_EXHAUSTED"}}}
OTHERS = [{"error": {"code": "1113", "message": "\u4f59\u989d\u4e0d\u8db3"}}, {"error": {"type": "Arrearage", "code": "Arrearage", "message": "Access denied."}},
          {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "400"}},
          {"error": {"message": "Your account is not active, please check your billing details", "code": "billing_not_active"}}]
CALL = {"error": {"code": 500, "message": "Failed to parse tool call arguments as JSON: unexpected end of input", "type": "server_error"}}


def failing(status, body, more=""):
    data = json.dumps(body).encode()
    return b"HTTP/1.1 %d Oh\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, more.encode(), len(data), data)


def streamed(*events):
    return HEAD + b"Connection: close\r\n\r\n" + b"".join(events)


def whole(dialect):
    return streamed(opening(dialect), *[text_event(dialect, p) for p in PIECES], *finish(dialect))


def dated():
    """A wait of two seconds, told by a server whose clock is two minutes off, in a date with a blank behind it."""
    at = lambda seconds: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
    return failing(429, BODIES["429"]["openai"], f"Date: {at(-120)}\r\nRetry-After: {at(-118)} \r\n")


class Meaning:
    """One fault of meaning: `answers` one after the other, the last for all that follow; what the prompt ends in, and its tries."""

    def __init__(self, name, dialect, answers, outcome, tries, goes_on=None, least=0):
        self.name, self.dialect, self.answers, self.outcome, self.tries = name, dialect, answers, outcome, tries
        self.goes_on, self.least, self.bad, self.count = goes_on, least, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            length = next(int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:"))
            while len(body) < length:
                body += connection.recv(65536)
            answer = self.answers[min(self.count, len(self.answers) - 1)]
            self.count += 1
            connection.sendall(answer() if callable(answer) else answer)
            connection.close()

    @property
    def upstream(self):
        return {"kind": self.dialect, "baseURL": f"http://127.0.0.1:{self.listener.getsockname()[1]}", "model": "m"}

    def ask(self, client, session, upstream):
        began = time.monotonic()
        client.new(session, upstream=upstream)
        try:
            result = client.prompt(session, "hello")
            outcome, turn = result["stopReason"], result["_meta"]["convod"]["turnId"]
        except Failed as error:
            outcome, turn = error.kind, error.error["data"].get("turnId")
        tries = [(a["upstream"], a["outcome"]) for a in client.call("_convod/turn/get", turnId=turn).get("attempts", [])]
        messages = client.call("_convod/message/list", sessionId=session)["messages"]
        return outcome, tries, "".join(text_of(m) for m in messages if m["role"] == "assistant"), time.monotonic() - began

    def run(self, daemon, index):
        with daemon.client() as client:
            outcome, tries, text, took = self.ask(client, f"m{index}", f"u{index}")
            if (outcome, len(tries)) != (self.outcome, self.tries) or took < self.least or outcome == "end_turn" and text != FULL:
                self.bad.append(f"ends in {outcome} after {tries} and {took:.1f} s with {text!r}, not in {self.outcome} after {self.tries}")
            self.count = 0
        return self

    def route(self, daemon, index):
        """Whether the next of a route is asked; in a daemon of its own, where nothing is known of the first."""
        with daemon.client() as client:
            outcome, tries, text, _ = self.ask(client, f"r{index}", f"r{index}")
            if (outcome == "end_turn" and tries[-1][0] == "good") != self.goes_on:
                self.bad.append(f"on a route it ends in {outcome} after {tries}")
        return self


def meanings(programs):
    pieces = [text_event("openai", p) for p in PIECES]
    reason, mark = finish("openai")
    half = lambda text: event("openai", {"choices": [{"index": 0, "delta": {"content": "@"}}]}).replace(b"@", text)
    cases = [Meaning(f"spent {status}", d, [failing(status, SPENT[d])], "quota", 1, True) for status in (400, 402, 403, 429) for d in DIALECTS]
    cases += [Meaning("spent otherwise", "openai", [failing(status, body)], "quota", 1, True) for body, status in zip(OTHERS, (429, 400, 400, 429))]
    cases += [Meaning("broken call", "openai", [failing(500, CALL)], "upstream_refused", 1, False)]
    cases += [Meaning("proxy's login", d, [failing(407, {})], "upstream_unavailable", 1, True) for d in DIALECTS]
    cases += [Meaning("wait until a date", "openai", [dated, whole("openai")], "end_turn", 2, least=1.9)]
    cases += [Meaning("blanks before [DONE]", "openai", [streamed(*pieces, b"data:  [DONE]\n\n")], "end_turn", 1)]
    cases += [Meaning("half a character", "openai", [streamed(
        *[half(json.dumps(p)[1:-1].encode()) for p in PIECES[:2]], half(json.dumps(PIECES[2])[1:-1].encode()),
        half(json.dumps("end \u00e9")[1:-1].encode() + b"\\ud83c"), half(b"\\udf0d."), reason, mark)], "end_turn", 1)]
    good = Meaning("good", "openai", [whole("openai")], "end_turn", 1)
    base = {f"u{i}": c.upstream for i, c in enumerate(cases)}
    retry = {"attempts": 3, "base": "5ms"}
    with Daemon(programs, {"upstreams": base, "retry": retry}) as daemon:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda pair: pair[1].run(daemon, pair[0]), enumerate(cases)))
    routed = [(i, c) for i, c in enumerate(cases) if c.goes_on is not None]
    routes = {f"r{i}": [f"u{i}", "good"] for i, _ in routed}
    with Daemon(programs, {"upstreams": {**base, "good": good.upstream}, "routes": routes, "retry": retry}) as daemon:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda pair: pair[1].route(daemon, pair[0]), routed))
    print("\nfaults of meaning")
    for case in cases:
        print(f"{case.name:22}{case.dialect:12}{case.outcome:22}{case.tries} {'!' if case.bad else ''}")
    return cases


def main(programs):
    bad, cells = [], []
    for mode in TITLES:
        cells += run_mode(programs, mode, bad)
    cells += long_lines(programs)
    cells += meanings(programs)
    for cell in cells:
        for words in cell.bad:
            print(f"FAIL {cell.name}: {words}")
    for words in bad:
        print("FAIL", words)
    failed = sum(1 for c in cells if c.bad) + len(bad)
    print(f"{len(cells)} cells, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
