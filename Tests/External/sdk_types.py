#!/usr/bin/env python3
"""Request bodies of every dialect over random histories, validated by the types of the official SDKs.

    python3 -m venv /tmp/sdks && /tmp/sdks/bin/pip install openai anthropic google-genai
    /tmp/sdks/bin/python Tests/External/sdk_types.py .build/release [--bodies 2000] [--seed N]

What a type does not know is a fault as what it refuses is, but for what other servers than the SDK's own take.
"""
import argparse, json, os, random, sys, typing
from daemon import Daemon, Failed
from histories import Histories
from pydantic import TypeAdapter, ValidationError

TOOLS = [{"type": "function", "function": {"name": n, "description": "does it", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}}
         for n in ("get_weather", "get.weather v2", "文件读取")]

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def forced(value):
    """What was validated, with what is validated only when it is read."""
    if isinstance(value, dict):
        return {k: forced(v) for k, v in value.items()}
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return value
    return [forced(v) for v in value]


def unknown(given, taken, path="body"):
    """Members that a type passed over."""
    if isinstance(given, dict) and isinstance(taken, dict):
        for key, value in given.items():
            if key not in taken:
                yield f"{path}.{key}"
            else:
                yield from unknown(value, taken[key], f"{path}.{key}")
    elif isinstance(given, list) and isinstance(taken, list):
        for index, (a, b) in enumerate(zip(given, taken)):
            yield from unknown(a, b, f"{path}[]")


class Typed:
    """Validates by a TypedDict of an SDK."""

    def __init__(self, kind, known=()):
        self.adapter, self.known = TypeAdapter(kind), set(known)

    def faults(self, body):
        try:
            taken = forced(self.adapter.validate_python(body))
        except ValidationError as error:
            first = error.errors()[0]
            return [f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}"]
        return [f"{p} is unknown" for p in unknown(body, taken) if p not in self.known]


class Google:
    """Gemini's body by google-genai's models, which forbid what they do not know."""

    def __init__(self):
        from google.genai import types
        self.types = types

    def faults(self, body):
        shapes = {"contents": TypeAdapter(list[self.types.Content]), "systemInstruction": TypeAdapter(self.types.Content),
                  "tools": TypeAdapter(list[self.types.Tool]), "toolConfig": TypeAdapter(self.types.ToolConfig),
                  "generationConfig": TypeAdapter(self.types.GenerationConfig), "safetySettings": TypeAdapter(list[self.types.SafetySetting])}
        found = []
        for key, value in body.items():
            if key not in shapes:
                found.append(f"body.{key} is unknown")
                continue
            try:
                shapes[key].validate_python(value)
            except ValidationError as error:
                first = error.errors()[0]
                found.append(f"{key}.{'.'.join(str(p) for p in first['loc'])}: {first['msg']}")
        return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--bodies", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    from anthropic.types import message_create_params as anthropic
    from openai.types.chat import completion_create_params as openai
    checks = {"openai": Typed(openai.CompletionCreateParamsStreaming), # Its newest version refuses sampling parameters; the one that is asked for takes them (wire.md E1).
              "anthropic": Typed(anthropic.MessageCreateParamsStreaming, ["body.temperature"]), "gemini": Google(),
              "strict": Typed(openai.CompletionCreateParamsStreaming), "compatible": Typed(openai.CompletionCreateParamsStreaming)}
    config = {"upstreams": {
        "openai": {"kind": "openai", "model": "gpt-4o", "keys": [{"env": "K"}], "contextLength": 100_000},
        "anthropic": {"kind": "anthropic", "model": "claude-sonnet-4-5", "keys": [{"env": "K"}], "contextLength": 100_000},
        "gemini": {"kind": "gemini", "model": "gemini-2.5-flash", "keys": [{"env": "K"}], "contextLength": 100_000},
        "strict": {"kind": "openai", "baseURL": "http://127.0.0.1:9/v1", "model": "m", "contextLength": 100_000, "alternate": True},
        "compatible": {"kind": "openai", "baseURL": "http://127.0.0.1:9/v1", "model": "m", "contextLength": 100_000}},
        "routes": {"default": ["openai"]}}
    histories, counts, faults = Histories(arguments.seed), dict.fromkeys(checks, 0), {}
    print(f"seed {arguments.seed}")
    with Daemon(os.path.abspath(arguments.programs), config, {"K": "key"}) as daemon, daemon.client() as client:
        number = 0
        while min(counts.values()) < arguments.bodies:
            number += 1
            name, source = f"s{number}", histories.random
            client.new(name, **({"system": histories.text(60)} if histories.one_in(2) else {}))
            client.call("_convod/message/append", sessionId=name, messages=histories.messages())
            messages = client.call("_convod/message/list", sessionId=name)["messages"]
            for message in messages:
                if histories.one_in(12):
                    client.call("_convod/message/set", sessionId=name, messageId=message["id"], excluded=True)
            for upstream, check in checks.items():
                for _ in range(4):
                    window = source.choice([{}, {"maxTurns": source.randrange(1, 4)}, {"maxTokens": source.randrange(200, 4_000)}, {"maxMessages": source.randrange(1, 9)}])
                    try:
                        body = client.call("_convod/context/preview", sessionId=name, upstream=upstream, window=window,
                                           params={"tools": TOOLS, "maxTokens": 500} if histories.one_in(2) else
                                           {"temperature": 0.5, **({"schema": SCHEMA} if histories.one_in(2) else {})},
                                           prompt=histories.said() or [{"type": "text", "text": "x"}])["request"]
                    except Failed as error:
                        if error.kind in ("context_overflow", "conflict", "invalid_params"):
                            continue  # what must be in does not fit, or nothing is left to answer
                        raise
                    counts[upstream] += 1
                    for fault in check.faults(body):
                        faults.setdefault(f"{upstream}: {fault}", (number, body))
    for fault, (number, body) in list(faults.items())[:20]:
        print(f"FAIL {fault} (session {number})\n     {json.dumps(body, ensure_ascii=False)[:600]}")
    print(", ".join(f"{k} {n}" for k, n in counts.items()) + f" bodies, {len(faults)} kinds of faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
