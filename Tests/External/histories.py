"""Random histories with everything that has ever gone wrong in one: tools with strange names and IDs, parallel calls, results that are
missing, late, doubled or nobody's, images, sounds, files, thoughts of several issuers, pins, exclusions, edits, blank texts."""
import random

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NAMES = ["get_weather", "get.weather v2", "s", "文件读取", "a" * 90, "mcp__server__tool", "9lives", "Read-File", "get weather v2"]


class Histories:
    def __init__(self, seed, issuers=("openai", "anthropic", "gemini")):
        self.random, self.issuers, self.calls = random.Random(seed), issuers, 0

    def one_in(self, n):
        return self.random.randrange(n) == 0

    def text(self, longest=200):
        words = ["hello", "the", "model's", "你好", "世界", "مرحبا", "x = 1\n\ty", "🙂", "<|endoftext|>", "\"quoted\"", "1234", "é", "\u2028"]
        length = int(2 ** self.random.uniform(0, longest.bit_length()))
        return " ".join(self.random.choice(words) for _ in range(max(1, length // 4)))

    def media(self):
        return self.random.choice([
            {"type": "image", "mimeType": "image/png", "data": PNG}, {"type": "image", "mimeType": "image/jpeg", "uri": "https://example.com/a.jpg"},
            {"type": "image", "mimeType": "image/svg+xml", "data": PNG}, {"type": "audio", "mimeType": "audio/wav", "data": "UklGRgAA"},
            {"type": "audio", "mimeType": "audio/ogg", "data": "T2dnUwAA"},
            {"type": "resource", "resource": {"uri": "file:///a.txt", "mimeType": "text/plain", "text": self.text(40)}},
            {"type": "resource", "resource": {"uri": "file:///a.pdf", "mimeType": "application/pdf", "blob": "JVBERi0="}},
            {"type": "resource", "resource": {"uri": "file:///a.bin", "blob": "AAAA"}},
            {"type": "resource_link", "uri": "file:///b.txt", "name": "b.txt"}])

    def said(self):
        parts = [{"type": "text", "text": self.text() if not self.one_in(12) else self.random.choice(["", " ", "\n"])}]
        return parts + ([self.media()] if self.one_in(8) else [])

    def thought(self):
        issuer = self.random.choice(self.issuers)
        return {"type": "thought", "text": self.text(30), "issuer": issuer, **({} if self.one_in(3) else {"signature": "c2lnbmF0dXJl"})}

    def call(self):
        self.calls += 1
        id = self.random.choice([f"call_{self.calls}", f"call_{self.calls}", "call_0", f"toolu.{self.calls}:x" + "y" * 60])
        return {"type": "tool_call", "id": id, "name": self.random.choice(NAMES), "arguments": self.random.choice([{}, {"q": self.text(20)}, {"n": 1.5}])}

    def result(self, id):
        content = self.random.choice([self.text(60), "", [{"type": "text", "text": self.text(30)}], [self.media(), {"type": "text", "text": "see"}]])
        return {"type": "tool_result", "toolCallId": id, "content": content, **({"isError": True} if self.one_in(5) else {})}

    def messages(self, plain=False):
        """Messages as `_convod/message/append` takes them; `plain` ones have tools and texts alone, whole and in order."""
        found, late = [], []
        if self.one_in(3):
            found.append({"role": "system", "content": [{"type": "text", "text": self.text(60)}]})
        turns = 1 + int(2 ** self.random.uniform(0, 4))
        for _ in range(turns):
            found.append({"role": "user", "content": [{"type": "text", "text": self.text()}] if plain else self.said()})
            for _ in range(self.random.choice([0, 0, 1, 1, 2])):
                calls = [self.call() for _ in range(self.random.randrange(1, 4))]
                if plain:
                    for index, call in enumerate(calls):
                        call["id"] = f"call_{self.calls}_{index}"
                lead = [] if self.one_in(2) else ([{"type": "text", "text": self.text(40)}] if plain or self.one_in(2) else [self.thought()])
                found.append({"role": "assistant", "content": lead + calls})
                results = [self.result(c["id"]) if not plain else {"type": "tool_result", "toolCallId": c["id"], "content": self.text(60)} for c in calls]
                if not plain:
                    results = [r for r in results if not self.one_in(6)]
                    if self.one_in(4):
                        self.random.shuffle(results)
                for result in results:
                    if not plain and self.one_in(8):
                        late.append(result)
                    else:
                        found.append({"role": "tool", "content": [result]})
            if late and self.one_in(2):
                found.append({"role": "tool", "content": [late.pop()]})
            if plain or not self.one_in(4):
                answer = [{"type": "text", "text": self.text()}]
                found.append({"role": "assistant", "content": answer if plain else ([self.thought()] if self.one_in(3) else []) + answer
                              + ([self.media()] if self.one_in(10) else [])})
            if not plain and self.one_in(10):
                found.append(self.random.choice([
                    {"role": "system", "content": [{"type": "text", "text": "a note"}]},
                    {"role": "tool", "content": [self.result("nobody")]},
                    {"role": "assistant", "content": [self.media()]}]))
        if not plain:
            for message in found:
                if self.one_in(12):
                    message["pinned"] = True
        return found
