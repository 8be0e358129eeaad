"""Exports to Markdown of texts that try to reach out of their message, read back by a parser of CommonMark.

    python3 Tests/External/markdown.py .build/debug [--rounds 40] [--seed N]

Needs `markdown-it-py` (PyPI). Each round is a session of messages made of fences, headings, lists, quotes, HTML and underlines at random;
the parser must find one heading of the second level a message, in order, one of the first for the session, and no other of either level
outside of lists and quotes. Exit code 1 when one round fails; the seed is printed.
"""
import argparse, os, random, sys
from markdown_it import MarkdownIt
from daemon import Daemon

PIECES = ["```", "````python", "~~~", "   ```", "  ~~~~", "    ```", "\t```", "# one", "## User · 2026-11-26T00:00:00.000Z", "   ## two",
          "#", "##\ttab", "###### six", "#hash", "words", "more words", "", "", "===", "---", "-", "- item", "  - nested", "1. first",
          "   10) deep", "- ```", "  ```", "> quote", "> ```", "> ## in a quote", "<!-- open", "-->", "<pre>", "</pre>", "<script>", "<?php",
          "<![CDATA[", "<div>", "</div>", "    indented", "* * *", "-  ", "+", "text <!-- inline", "`code", "```js `x`", "\\", "[a]: b",
          "<!DOCTYPE", "     ## far", "- - - x", "-\t# tab item", "2. ## in an item", "| a | b |", "|---|---|", "\r", "## cr\r", "~~~ `x", "x\r## lone",
          "a\r```", "\r\r# two", "y\r---"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    print("seed", asked.seed)
    judge, failed = MarkdownIt("commonmark"), 0
    with Daemon(os.path.abspath(asked.programs), {"upstreams": {"echo": {"kind": "echo"}}}) as daemon, daemon.client() as client:
        for number in range(asked.rounds):
            name, texts = f"m{number}", []
            client.new(name)
            for k in range(25):
                texts.append("\n".join(chance.choice(PIECES) for _ in range(chance.randint(1, 9))))
            messages = [{"role": ["user", "assistant"][k % 2], "content": [{"type": "text", "text": t}]} for k, t in enumerate(texts)]
            client.call("_convod/message/append", sessionId=name, messages=messages)
            done = daemon.convo("export", "-s", name, "-f", "markdown")
            tokens = judge.parse(done.stdout.decode())
            found = [(t.tag, tokens[i + 1].content) for i, t in enumerate(tokens)
                     if t.type == "heading_open" and t.level == 0 and t.tag in ("h1", "h2")]
            wanted = ["h1"] + ["h2"] * len(texts)
            roles = [c.split(" ")[0] for t, c in found[1:]]
            if [t for t, _ in found] != wanted or roles != [["User", "Assistant"][k % 2] for k in range(len(texts))]:
                failed += 1
                for k, text in enumerate(texts):  # the first that breaks it alone
                    client.new(f"{name}-{k}")
                    client.call("_convod/message/append", sessionId=f"{name}-{k}", messages=[
                        {"role": "assistant", "content": [{"type": "text", "text": text}]}, {"role": "user", "content": [{"type": "text", "text": "next"}]}])
                    out = daemon.convo("export", "-s", f"{name}-{k}", "-f", "markdown").stdout.decode()
                    parts = judge.parse(out)
                    if sum(t.type == "heading_open" and t.level == 0 and t.tag in ("h1", "h2") for t in parts) != 3:
                        print("FAIL", repr(text), "\n", out)
                        break
    print(f"{asked.rounds} sessions of 25 messages, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
