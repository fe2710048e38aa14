#!/usr/bin/env python3
"""Every file of a JSON parsing corpus as an object of its own, through the real binary.

    jsonsuite.py --binary PATH --corpus DIR

y_ files hold no malformed text, n_ files at least one (but for the few below, which are no error
in a sequence of texts), i_ files have the verdict pinned here.  Every count must also be that of
the independent reader.  The stack is limited to 256 KiB: nesting must not cost any.
"""

import argparse
import json
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import process  # noqa: E402
from support.results import Results  # noqa: E402
import reader  # noqa: E402

STACK = 256 * 1024

NO_ERROR_IN_A_SEQUENCE = {
    "n_single_space.json": "no text at all is no error",
    "n_structure_no_data.json": "no text at all is no error",
    "n_structure_UTF8_BOM_no_data.json": "a byte order mark alone is no text",
    "n_structure_double_array.json": "two texts, one after another",
    "n_structure_object_with_trailing_garbage.json": "the garbage is a text of its own",
}

# Numbers of any size, lone surrogates and ill-formed UTF-8 in strings are no errors; UTF-16 is.
MALFORMED_I = {
    "i_string_UTF-16LE_with_BOM.json", "i_string_utf16BE_no_BOM.json",
    "i_string_utf16LE_no_BOM.json",
}


def limit_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK))


def check(binary, path):
    """Lines saying what is wrong with the verdict on one file."""
    name = os.path.basename(path)
    done = process.run([binary, "aggregate", "--output", "json", "--quiet", path], timeout=60,
                       preexec_fn=limit_stack)
    try:
        records = json.loads(done.stdout.decode("utf-8"))["records"]
    except (ValueError, KeyError):
        return ["no JSON document on stdout, exit status %d" % done.returncode]
    out = []
    if done.returncode != 0:
        out.append("exit status %d" % done.returncode)
    malformed = records["skipped"].get("malformed", 0)
    if name.startswith("n_"):
        due = name not in NO_ERROR_IN_A_SEQUENCE
    else:
        due = name in MALFORMED_I
    if bool(malformed) != due:
        out.append("%d malformed texts, expected %s" % (malformed, "some" if due else "none"))
    with open(path, "rb") as file:
        verdicts = [members is False for _, members in reader.texts(file.read())]
    if (len(verdicts), sum(verdicts)) != (records["found"], malformed):
        out.append("%d texts, %d malformed; the independent reader has %d and %d" % (
            records["found"], malformed, len(verdicts), sum(verdicts)))
    return out


def main():
    parser = argparse.ArgumentParser(description="JSON corpus through the real binary")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--corpus", required=True)
    args = parser.parse_args()
    if not os.path.isdir(args.corpus):
        print("skipped: no JSON corpus at %s" % args.corpus)
        return
    results = Results()
    for name in sorted(os.listdir(args.corpus)):
        if not name.startswith(("y_", "n_", "i_")):
            continue
        wrong = check(os.path.abspath(args.binary), os.path.join(args.corpus, name))
        results.check(not wrong, "%s: %s" % (name, "; ".join(wrong)))
    sys.exit(results.end())


if __name__ == "__main__":
    main()
