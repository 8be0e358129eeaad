#!/usr/bin/env python3
"""Thoughts that are bound to what stood before them, over the wire: sessions beside a mock of Anthropic's check (wire-2.md A3, A4, A7).

    python3 Tests/External/prefix.py .build/release [--turns 2000]

Random turns of each strategy, with tools, edits, pins, exclusions, other system prompts and models, outages that another provider
answers through, and restarts between them. The mock refuses a thought that does not stand behind exactly what it was made behind, or
whose predecessor is another one, with the provider's own words. With PyPI's `anthropic` installed bodies are held against its types too. No request may be refused, and of the largest set of thoughts that it
would have taken for the same window at least 0.9 must come, where the budget has room for them: only `slide`, and a tool loop, use it up
with words.
"""
import argparse, hashlib, http.server, json, os, random, sys, threading
from daemon import Daemon, Failed, Replying

try:
    from anthropic.types import message_create_params
    from sdk_types import Typed
    TYPES = Typed(message_create_params.MessageCreateParamsStreaming)
except ImportError:
    TYPES = None

# Who reads whose thoughts: those of others are left out silently (A4).
READS = {"claude-fable-5-1": {"claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5"},
         "claude-mythos-5-1": {"claude-fable-5-1", "claude-mythos-5-1"},
         "claude-opus-5-5": {"claude-opus-5-5"}}
MODELS = sorted(READS)
THINKS = ("thinking", "redacted_thinking")


class Mock(http.server.ThreadingHTTPServer):
    """Anthropic at `/v1/messages`, OpenAI at `/v1/chat/completions`."""

    def __init__(self, source):
        super().__init__(("127.0.0.1", 0), Answering)
        self.source, self.lock, self.isDown = source, threading.Lock(), False
        self.made, self.told = {}, {}  # a thought by its seal; an answer's thoughts by its mark
        self.sent = self.most = self.requests = self.foreign = self.marks = self.full = 0
        self.last = (0, 0)  # thoughts that the last request had, and could have had
        self.refused, self.typed, self.untyped = [], 0, set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # who was killed or asks no more hangs up

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}"


def compared(block):
    """What of a block the check compares: its content, without marks of the cache."""
    return {k: compared(v) if isinstance(v, dict) else [compared(b) for b in v] if isinstance(v, list) and all(isinstance(b, dict) for b in v) else v
            for k, v in block.items() if k != "cache_control"}


def blocks(message):
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Prefixes:
    """For each message of a request, what stands before it."""

    def __init__(self, body):
        self.hash = hashlib.sha256()
        self.add({"system": blocks({"content": body.get("system", [])}), "tools": body.get("tools", [])})
        self.each = []
        for message in body["messages"]:
            self.each.append(self.hash.hexdigest())
            self.add({"role": message["role"], "content": [b for b in blocks(message) if b["type"] not in THINKS]})
        self.whole = self.hash.hexdigest()

    def add(self, value):
        self.hash.update(json.dumps(compared(value), sort_keys=True).encode() + b"\n")


def seal(block):
    return block.get("signature") or block.get("data")


def marks(message):
    """The marks of the answers that a message of the model holds."""
    for block in blocks(message):
        words = block.get("text") or block.get("id") or ""
        for word in words.split():
            if word.startswith("mark_"):
                yield word


class Answering(Replying):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            if self.path.endswith("/messages"):
                return self.message(body)
            self.server.foreign += 1
            self.server.marks += 1
            word = f"foreign_{self.server.marks}"
        chunk = lambda **more: b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": body["model"], **more}).encode() + b"\n\n"
        delta = lambda **more: chunk(choices=[{"index": 0, "delta": more, "finish_reason": None}])
        self.reply(200, "text/event-stream",
                   delta(role="assistant", reasoning_content="hm ") + delta(content=word)
                   + chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]) + b"data: [DONE]\n\n")

    def error(self, status, kind, words):
        self.reply(status, "application/json", json.dumps({"type": "error", "error": {"type": kind, "message": words}}).encode())

    def message(self, body):
        mock = self.server
        if mock.isDown:
            return self.error(503, "api_error", "Service unavailable")
        if "summary" in json.dumps(body.get("system", "")).lower() and not any(marks(m) for m in body["messages"] if m["role"] == "assistant"):
            return self.answer(body, [], [{"type": "text", "text": "the gist of it"}], "end_turn")
        mock.requests += 1
        if TYPES and mock.requests % 4 == 0:
            mock.typed += 1
            mock.untyped.update(TYPES.faults(body))
        prefixes, reads = Prefixes(body), READS[body["model"]]
        before, count, here = None, 0, {}
        for index, message in enumerate(body["messages"]):
            for place, block in enumerate(blocks(message)):
                if block["type"] not in THINKS:
                    continue
                known = mock.made.get(seal(block))
                if known is None or known["prefix"] != prefixes.each[index] or (before is not None and known["before"] != before):
                    why = ("a seal that was never made" if known is None else "another prefix" if known["prefix"] != prefixes.each[index]
                           else f"another predecessor, {before} for {known['before']}")
                    mock.refused.append(f"{seal(block)} in messages.{index}: {why}")
                    return self.error(400, "invalid_request_error",
                                      f"messages.{index}.content.{place}: Invalid `signature` in `thinking` block. The block is bound to a different conversation. "
                                      'Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block". That setting requires the '
                                      "`thinking-binding-controls-2026-08-01` value in the `anthropic-beta` header. "
                                      "Content before this block differs from when it was created, first at `messages.0.content.0`.")
                before = seal(block)
                count += known["model"] in reads
            for mark in marks(message) if message["role"] == "assistant" else []:
                here.update({s: index for s in mock.told.get(mark, [])})
        mock.last = (count, self.largest(here, prefixes, reads))
        # The answer.
        source = mock.source
        mock.marks += 1
        mark, thoughts = f"mark_{mock.marks}", []
        for _ in range(source.choice([0, 1, 1, 2]) if body.get("thinking", {}).get("type") != "disabled" else 0):
            name = f"U0VBT{len(mock.made):06d}A=="
            mock.made[name] = {"prefix": prefixes.whole, "before": before, "model": body["model"]}
            thoughts.append(name)
            before = name
        mock.told[mark] = thoughts
        if body.get("tools") and source.random() < 0.6:
            said = [{"type": "text", "text": f"let me see {mark}"}] if source.random() < 0.5 else []
            said += [{"type": "tool_use", "id": mark if not n and not said else f"toolu_{mock.marks}_{n}", "name": "look"} for n in range(source.choice([1, 1, 2]))]
            return self.answer(body, thoughts, said, "tool_use")
        self.answer(body, thoughts, [{"type": "text", "text": f"answer {mark} " + "word " * source.choice([10, 100, 400])}], "end_turn")

    def largest(self, here, prefixes, reads):
        """The longest unbroken run of thoughts that could have come; those that this model cannot read count for nothing."""
        made, best = self.server.made, {}
        for name in sorted(here, key=lambda s: int(s[5:11])):
            known = made[name]
            if known["prefix"] == prefixes.each[here[name]]:
                best[name] = best.get(known["before"], 0) + (known["model"] in reads)
        return max(best.values(), default=0)

    def answer(self, body, thoughts, said, stop):
        out = []
        event = lambda kind, **more: out.append(b"event: " + kind.encode() + b"\ndata: " + json.dumps({"type": kind, **more}).encode() + b"\n\n")
        event("message_start", message={"id": "m", "model": body["model"], "usage": {"input_tokens": len(json.dumps(body)) // 4, "output_tokens": 1}})
        number = 0
        for name in thoughts:
            isRedacted = self.server.source.random() < 0.1
            event("content_block_start", index=number,
                  content_block={"type": "redacted_thinking", "data": name} if isRedacted else {"type": "thinking", "thinking": "", "signature": ""})
            if not isRedacted:
                event("content_block_delta", index=number, delta={"type": "signature_delta", "signature": name})
            event("content_block_stop", index=number)
            number += 1
        for block in said:
            isText = block["type"] == "text"
            event("content_block_start", index=number, content_block={"type": "text", "text": ""} if isText else {**block, "input": {}})
            event("content_block_delta", index=number,
                  delta={"type": "text_delta", "text": block["text"]} if isText else {"type": "input_json_delta", "partial_json": '{"q": 1.0}'})
            event("content_block_stop", index=number)
            number += 1
        event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 20})
        event("message_stop")
        self.reply(200, "text/event-stream", b"".join(out))


TOOLS = [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"q": {"type": "number"}}}}}]


class Walk:
    """One session and what is done with it."""

    def __init__(self, daemon, mock, source, name, strategy, isLoud):
        self.daemon, self.mock, self.source, self.name, self.isLoud = daemon, mock, source, name, isLoud
        self.lost = self.turns = 0
        self.client = daemon.client()
        self.client.new(name, system="You are patient.", window={"strategy": strategy, "maxTokens": source.choice([6_000, 12_000, 24_000])})

    def again(self):
        """After a restart of the daemon."""
        self.client = self.daemon.client()
        self.client.call("session/resume", sessionId=self.name, cwd="/tmp", mcpServers=[])

    def call(self, method, **params):
        self.mock.last = (0, 0)
        try:
            answer = self.client.call(method, 60, sessionId=self.name, **params)
        finally:
            self.client.updates.clear()
        self.count(answer.get("_meta", {}).get("convod", answer).get("receipt") or {})
        return answer

    def count(self, receipt):
        """Counts the thoughts of the request that was made, but where its budget is used up: there the oldest stay out."""
        (sent, most), self.mock.last = self.mock.last, (0, 0)
        isFull = receipt.get("thoughts", {}).get("reason") in ("full", "both") and receipt["estimate"] > 0.9 * receipt["budget"]
        if isFull and sent < most:
            self.mock.full += 1
        else:
            self.mock.sent += sent
            self.mock.most += most

    def messages(self, last=40):
        return self.call("_convod/message/list", last=last)["messages"]

    def open_calls(self):
        """The IDs of the calls of the newest answer."""
        last = self.messages(2)[-1]
        return [p["id"] for p in last["content"] if p["type"] == "tool_call"] if last["role"] == "assistant" else []

    def change(self):
        """Something that changes what stands before some thoughts."""
        source = self.source
        kind = source.choice(["edit", "pin", "exclude", "system", "model", "rewind"])
        if self.isLoud:
            print(self.name, self.turns, kind)
        try:
            if kind == "system":
                self.call("_convod/session/set", system=f"You are patient. {source.randrange(3)}")
            elif kind == "model":
                self.call("_convod/session/set", model=source.choice(MODELS))
            else:
                found = self.messages()
                if not found:
                    return
                one = source.choice(found)
                if kind == "pin":
                    self.call("_convod/message/set", messageId=one["id"], pinned=not one.get("pinned", False))
                elif kind == "exclude":
                    self.call("_convod/message/set", messageId=one["id"], excluded=not one.get("excluded", False))
                elif kind == "edit" and one["role"] == "user":
                    self.call("_convod/message/set", messageId=one["id"], content=[{"type": "text", "text": f"edited {source.randrange(1000)}"}])
                elif kind == "rewind" and one["role"] == "user":
                    self.call("_convod/turn/retry", messageId=one["id"], params={"thinking": 2_048, "tools": TOOLS})
        except Failed as error:
            if self.isLoud:
                print(self.name, kind, error)

    def turn(self):
        source, words = self.source, "question " + "word " * self.source.choice([10, 100, 600])
        if source.random() < 0.1:
            self.change()
        self.mock.isDown = source.random() < 0.06
        params = {"thinking": 2_048, "tools": TOOLS}
        self.turns += 1
        try:
            self.call("session/prompt", prompt=[{"type": "text", "text": words}], _meta={"convod": {"params": params}})
            rounds = 0
            while (calls := self.open_calls()) and rounds < 4:
                rounds += 1
                if source.random() < 0.04:
                    break  # nobody answers them
                results = [{"role": "tool", "content": [{"type": "tool_result", "toolCallId": c, "content": f"seen {source.randrange(9)}"}]} for c in calls]
                self.call("_convod/message/append", messages=results)
                self.mock.isDown = source.random() < 0.03
                self.call("_convod/turn/start", params=params)
        except Failed as error:
            print(f"{self.name}, turn {self.turns}: {error}")
            self.lost += 1
        self.mock.isDown = False


def run(programs, strategy, turns, seed, isLoud):
    source = random.Random(f"{strategy} {seed}")
    mock = Mock(random.Random(f"{strategy} {seed} mock"))
    config = {"upstreams": {"claude": {"kind": "anthropic", "baseURL": mock.base, "model": MODELS[0], "contextLength": 200_000,
                                       "breaker": {"failures": 1_000_000}},
                            "other": {"kind": "openai", "baseURL": mock.base + "/v1", "model": "m", "contextLength": 200_000}},
              "routes": {"default": ["claude", "other"]}, "retry": {"attempts": 1, "base": "10ms"}}
    with Daemon(programs, config) as daemon:
        walks = [Walk(daemon, mock, source, f"s{n}", strategy, isLoud) for n in range(20)]
        for number in range(turns):
            source.choice(walks).turn()
            if number % 400 == 399:
                daemon.process.kill()
                daemon.process.wait()
                daemon.restart()
                for walk in walks:
                    walk.again()
        lost = sum(walk.lost for walk in walks)
    mock.shutdown()
    return mock, lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--loud", action="store_true", help="say each change")
    arguments = parser.parse_args()
    print(f"{arguments.turns} turns of each strategy in 20 sessions, seed {arguments.seed}")
    faults = 0
    for strategy in ("slide", "sawtooth", "summarize", "auto"):
        mock, lost = run(os.path.abspath(arguments.programs), strategy, arguments.turns, arguments.seed, arguments.loud)
        isBad = lost > 0 or mock.refused or mock.untyped or mock.sent < 0.9 * mock.most or mock.most < arguments.turns // 4
        faults += bool(isBad)
        print(f"{'FAIL' if isBad else 'ok':5}{strategy:10}{mock.requests} requests, {mock.foreign} answered by another, {lost} lost, {len(mock.refused)} refused, "
              f"{mock.sent} thoughts came of {mock.most} that would have been taken; {mock.full} requests had no room for more", flush=True)
        if TYPES:
            print(f"     {mock.typed} bodies by Anthropic's types")
        for words in mock.refused[:5] + sorted(mock.untyped)[:5]:
            print(f"     {words}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
