#!/usr/bin/env python3
"""The tables of the form in which text is searched, out of Python's `unicodedata`, and samples that the tests compare.

    python3 Tests/External/fold_tables.py --write     writes Sources/Search/FoldTables.swift and the samples
    python3 Tests/External/fold_tables.py --check     says whether both are what this Python would write

The form: canonical decomposition, then each scalar's width folded (`<wide>` and `<narrow>` decompositions) and its case (full case
folding), decomposed again, then canonical composition. Variation selectors are left out; white space and control characters become one space a run.
"""
import argparse, hashlib, os, random, sys, unicodedata as u

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TABLES = os.path.join(TOP, "Sources", "Search", "FoldTables.swift")
SAMPLES = os.path.join(TOP, "Tests", "SearchTests", "Fixtures", "normal-forms.txt")
SCALARS = [chr(n) for n in range(0x110000) if not 0xD800 <= n <= 0xDFFF]


def width(c):
    kind = u.decomposition(c).split()
    return "".join(chr(int(n, 16)) for n in kind[1:]) if kind and kind[0] in ("<wide>", "<narrow>") else c


def fold(text):
    """Until nothing changes any more."""
    while True:
        text = u.normalize("NFD", text)
        after = u.normalize("NFD", "".join(width(c).casefold() for c in text))
        if after == text:
            return text
        text = after


def kept(c):
    """What stands for one scalar in the table: an iota below stays a mark until the marks are in order, and is folded then."""
    d = fold(u.normalize("NFD", c).replace("\u0345", ""))
    return d + "\u0345" * u.normalize("NFD", c).count("\u0345")


def is_space(c):
    return c.isspace() or u.category(c) == "Cc"


def form(text):
    spaced = []
    for c in u.normalize("NFC", fold(text)):
        if 0xFE00 <= ord(c) <= 0xFE0F:
            continue
        if is_space(c):
            if not spaced or spaced[-1] != " ":
                spaced.append(" ")
        else:
            spaced.append(c)
    return "".join(spaced)


def is_hangul(c):
    return 0xAC00 <= ord(c) <= 0xD7A3


def tables():
    folds = [(c, kept(c)) for c in SCALARS if not is_hangul(c) and ord(c) >= 0x80]
    folds = [(c, f) for c, f in folds if f != c]
    classes = [(c, u.combining(c)) for c in SCALARS if u.combining(c)]
    pairs = []
    for c in SCALARS:
        d = u.normalize("NFD", c)
        if is_hangul(c) or len(d) < 2 or u.normalize("NFC", c) != c or fold(d) != d:
            continue
        first, last = u.normalize("NFC", d[:-1]), d[-1]
        assert len(first) == 1 and u.normalize("NFC", first + last) == c, hex(ord(c))
        pairs.append((first, last, c))
    return folds, classes, pairs


def lines(items, wide=118):
    out, row = [], ""
    for item in items:
        if row and len(row) + len(item) + 1 > wide:
            out.append(row)
            row = ""
        row += (" " if row else "") + item
    return out + [row]


def swift():
    folds, classes, pairs = tables()
    x = lambda t: format(ord(t), "x")
    def delta(items):
        at = 0
        for c, rest in items:
            yield format(ord(c) - at, "x") + rest
            at = ord(c)
    ranges = []
    for c, k in classes:
        if ranges and ord(ranges[-1][0]) + ranges[-1][1] == ord(c) and ranges[-1][2] == k:
            ranges[-1][1] += 1
        else:
            ranges.append([c, 1, k])
    body = [
        "// Written by Tests/External/fold_tables.py out of Unicode %s; not to be changed by hand." % u.unidata_version,
        "",
        "// swift-format-ignore-file",
        "",
        "/// The tables of the form in which text is searched, as hexadecimal numbers.",
        "enum FoldTables {",
        "    /// Scalars that stand for others when their width and case are folded: how far each is behind the one before it, `>`, and",
        "    /// what it stands for, decomposed.",
        '    static let folds: StaticString = """',
        *("        " + l for l in lines(delta((c, ">" + ",".join(x(t) for t in f)) for c, f in folds))),
        '        """',
        "",
        "    /// Canonical combining classes that are not 0: how far behind the one before it, `+` how many, `=` the class.",
        '    static let classes: StaticString = """',
        *("        " + l for l in lines(delta((c, "+%x=%x" % (n, k)) for c, n, k in ranges))),
        '        """',
        "",
        "    /// Two scalars and what they are composed to.",
        '    static let pairs: StaticString = """',
        *("        " + l for l in lines("%s,%s>%s" % (x(a), x(b), x(c)) for a, b, c in pairs)),
        '        """',
        "}",
        "",
    ]
    return "\n".join(body)


def samples():
    """Each scalar's form by one digest, and a few thousand strings of what combines, folds and composes."""
    whole = hashlib.sha256()
    for c in SCALARS:
        whole.update(form(c).encode() + b"\n")
    folds, classes, pairs = tables()
    some = random.Random(16)
    marks = [c for c, _ in classes]
    bases = [c for c, _ in folds] + [a for a, _, _ in pairs] + list("aZ 9_-'%\"中国あガﾀﾞ각") + [chr(0x1100 + n) for n in range(19)]
    tails = [b for _, b, _ in pairs] + [chr(0x1161 + n) for n in range(21)] + [chr(0x11A8 + n) for n in range(27)] + list("\u3099\uff9e\u00a0\n\t ")
    out = [whole.hexdigest()]
    for n in range(4000):
        text = "".join(some.choice(some.choice([bases, tails, marks])) for _ in range(some.randint(1, 6)))
        out.append(" ".join(format(ord(c), "x") for c in text) + ">" + " ".join(format(ord(c), "x") for c in form(text)))
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    isSame = True
    for path, text in ((TABLES, swift()), (SAMPLES, samples())):
        if arguments.write:
            open(path, "w", encoding="utf-8").write(text)
        elif open(path, encoding="utf-8").read() != text:
            isSame = False
            print(f"{os.path.relpath(path, TOP)} is not what this Python would write (Unicode {u.unidata_version})")
    if isSame:
        print("folds, classes, pairs:", *(len(t) for t in tables()))
    sys.exit(0 if isSame else 1)


if __name__ == "__main__":
    main()
