#!/usr/bin/env python3
"""seeds.py FOLDER: a first corpus for every fuzz target, from the differential test's generator."""
import gzip
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "oracle"))

import generate  # noqa: E402

COUNT = 300


def store(folder, target, number, data):
    path = os.path.join(folder, target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "seed-%04d" % number), "wb") as file:
        file.write(data)


def main():
    folder = sys.argv[1]
    for seed in range(COUNT):
        key, data = generate.Generator(seed).object()
        store(folder, "fuzz_object", seed, data[:20000])
        try:
            plain = gzip.decompress(data)
        except (OSError, EOFError, ValueError):
            plain = data
        store(folder, "fuzz_scan", seed, bytes([seed % 256]) + plain[:8000])
        store(folder, "fuzz_model_id", COUNT + seed, key.encode("utf-8", "surrogateescape"))
    ids = ["%s.%s" % (g, m) for g in generate.GEOGRAPHIES for m in generate.VENDOR_MODELS]
    ids += ["arn:%s:bedrock:us-east-1:123456789012:%s" % (p, r) for p in generate.PARTITIONS
            for r in generate.RESOURCES + ["inference-profile/" + i for i in generate.PROFILE_IDS]]
    ids += generate.BARE_IDS + generate.ARNS + ["ModelId,Metadata:team,Principal"]
    for number, text in enumerate(ids):
        store(folder, "fuzz_model_id", 2 * COUNT + number, text.encode())
    with open(os.path.join(HERE, "..", "..", "data", "bedrock-prices.json"), "rb") as file:
        store(folder, "fuzz_prices", 0, file.read()[:4000])


if __name__ == "__main__":
    main()
