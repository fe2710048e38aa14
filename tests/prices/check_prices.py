#!/usr/bin/env python3
"""The program's cost of a request against an independent calculation.

Usage: check_prices.py PRICE_TOOL [--list FILE] [--own FILE]

Reads the price list with Python's decimal arithmetic, applies the matching rule of data/README.md
in its own words, and compares row, amount, unpriced and approximate tokens with what PRICE_TOOL
(price_tool.c, the program's own code) says: every model in every spelling, in every geography and
Region, on the days around each price change, with prompts around each length threshold.
"""
import argparse
import datetime
import decimal
import json
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

from support.results import Results  # noqa: E402

LIST = os.path.join(HERE, "..", "..", "data", "bedrock-prices.json")
KNOWN_GEOGRAPHIES = ("global", "us-gov", "us", "eu", "apac", "jp", "au", "ca", "in", "sa")
VERSION = re.compile(r"(?<=.)(?:-v[0-9]+:[0-9]+|-v[0-9]+|:[0-9]+)$")
E12 = decimal.Decimal(10) ** 12
decimal.getcontext().prec = 100


def load(path):
    with open(path, encoding="ascii") as file:
        return json.load(file, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


class Prices:
    def __init__(self, base, own=None):
        rows, self.aliases = {}, {}
        for document in (base, own or {}):
            for row in document.get("prices", []):
                key = (row["model"], row["scope"], row.get("from", ""), int(row.get("over", 0)))
                rows[key] = row
            for alias in document.get("aliases", []):
                self.aliases[alias["id"]] = alias["model"]
        self.by_model = {}
        for (model, scope, day, over), row in sorted(rows.items(), key=lambda item: item[0]):
            scopes = self.by_model.setdefault(model, {})
            scopes.setdefault(scope, {}).setdefault(day, {})[over] = row
        self.vendors = {model.split(".")[0] for model in self.by_model}
        self.vendors |= {row["model"].split(".")[0] for row in base["unit_prices"]}
        self.stems = {}
        for model in self.by_model:
            self.stems.setdefault(VERSION.sub("", model), []).append(model)

    def model_of(self, text, geography):
        """(model or None, geography)"""
        resource = text
        if text.startswith("arn:"):
            parts = text.split(":", 5)
            if len(parts) < 6 or "/" not in parts[5]:
                return self.aliases.get(text), geography
            resource = parts[5]
        if "/" in resource:
            kind, name = resource.split("/", 1)
            if kind not in ("foundation-model", "inference-profile"):
                return self.aliases.get(text, self.aliases.get(resource)), geography
        else:
            name = resource
        labels = name.split(".")
        if not geography and len(labels) > 2 and labels[0] != "" and (
                labels[0] in KNOWN_GEOGRAPHIES
                or (labels[0] not in self.vendors and labels[1] in self.vendors)):
            geography = labels[0]
            name = name[len(labels[0]) + 1:]
        name = re.sub(r":(?:[0-9]+k|mm)$", "", name)
        if name in self.by_model:
            return name, geography
        if name in self.aliases:
            return self.aliases[name], geography
        same = self.stems.get(VERSION.sub("", name), [])
        return (same[0] if len(same) == 1 else None), geography

    def price(self, text, geography, region, day, counts):
        """(model, scope, from, over, amount, unpriced, approximate), all as texts"""
        used, read, write, output = counts
        model, geography = self.model_of(text, geography)
        if not geography and region.startswith("us-gov-"):
            geography = "us-gov"
        if geography == "global":
            order = ["global:" + region, "global", "region:" + region, "default"]
        else:
            order = ["region:" + region] + ([geography] if geography else []) + ["default"]
        scopes = self.by_model.get(model, {})
        scope = next((s for s in order if s in scopes), None)
        if scope is None:
            return ("-", "-", "-", "-", "0", str(sum(counts)), "0")
        inexact = geography == "global" and scope in order[2:]
        days = scopes[scope]
        begun = [d for d in days if d <= day]
        since = max(begun) if begun else min(days)
        gross = re.match(r"openai\.gpt-([0-9]+)(?:\.([0-9]+))?(?:-|$)", model)
        gross = gross and (int(gross[1]), int(gross[2] or 0)) >= (5, 6)
        prompt = used if gross else used + read + write
        over = max([o for o in days[since] if o < prompt] or [0])
        row = days[since][over]
        if gross:
            used = max(0, used - read - write)
        amount, unpriced, approximate = decimal.Decimal(0), 0, 0
        for tokens, member, spare in ((used, "input", None), (read, "cache_read", "input"),
                                      (write, "cache_write_5m", "input"), (output, "output", None)):
            if member in row:
                amount += tokens * row[member] / 1000000
                approximate += tokens if inexact else 0
            elif spare:
                amount += tokens * row[spare] / 1000000
                approximate += tokens
            else:
                unpriced += tokens
        units = amount * E12
        assert units == int(units)
        return (model, scope, since or "-", str(over), str(int(units)), str(unpriced),
                str(approximate))


def spellings(prices):
    """Every id worth asking for, the models' own first."""
    ids = list(prices.by_model)
    for model in prices.by_model:
        stem = VERSION.sub("", model)
        ids += [stem, stem + "-v1", stem + "-v9:7", model + ":0", model + ":300k", model + ":mm",
                model + "x", model[:-1]]
    ids += list(prices.aliases)
    ids += [alias + "-v1:0" for alias in prices.aliases]
    return list(dict.fromkeys(ids))


ODD = [
    "", ".", "a", "us.", "us.anthropic", "global.anthropic.claude", "anthropic.claude",
    "anthropic.claude-opus-4", "anthropic.claude-opus", "anthropic.claude-sonnet-5:200k:0",
    "amazon.nova-pro-v1:0:300k", "us.amazon.nova-pro-v1:0:300k", "mx.anthropic.claude-sonnet-5",
    "us.us.anthropic.claude-sonnet-5", "amazon.anthropic.claude-sonnet-5", "stability.anthropic.claude-sonnet-5",
    "openai.gpt-5.6",
    "openai.gpt-7-sol", "deepseek.v3",
    "us.deepseek.v3.2", "kr.deepseek.r1-v1:0", "ANTHROPIC.CLAUDE-SONNET-5", "-v1", ":0", "-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-5",
    "arn:aws:bedrock:::foundation-model/amazon.nova-pro-v1:0:300k",
    "arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.amazon.nova-pro-v1:0",
    "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/global.anthropic.claude-opus-4-8",
    "inference-profile/global.anthropic.claude-opus-4-8", "foundation-model/zai.glm-5.3",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl",
    "application-inference-profile/abcdefghijkl", "custom-model/anthropic.claude-v2:1/abc",
    "arn:aws:bedrock:us-east-1:1:provisioned-model/abc", "imported-model/abc", "prompt/X:1",
    "arn:aws:sagemaker:us-east-1:1:endpoint/x",
    "arn:aws:bedrock:us-east-1:1:default-prompt-router/x",
    "arn:aws:bedrock", "arn:::::", "arn::::::", "arn:aws:bedrock:us-east-1:1:anthropic.claude-v2",
]


def questions(prices, base):
    """(id, geography, region, day, counts) over the whole list."""
    shuffle = random.Random(20261108)
    regions = sorted({scope.split(":")[1] for scopes in prices.by_model.values()
                      for scope in scopes if ":" in scope} | {"us-gov-west-1", "us-gov-east-1",
                                                              "il-central-1"}) + [""]
    geographies = ("",) + KNOWN_GEOGRAPHIES + ("mx",)
    today = base["as_of"]

    def counts(prompt):
        read = shuffle.randrange(prompt + 1)
        write = shuffle.randrange(prompt - read + 1)
        return prompt - read - write, read, write, shuffle.randrange(100000)

    for model, scopes in prices.by_model.items():
        days = sorted({day for by_day in scopes.values() for day in by_day if day})
        asked = {today, "2023-10-01"} if days else {today}
        for day in days:
            date = datetime.date.fromisoformat(day)
            asked |= {day, str(date - datetime.timedelta(1)), str(date + datetime.timedelta(1))}
        overs = sorted({over for by_day in scopes.values() for rows in by_day.values()
                        for over in rows if over})
        prompts = [shuffle.randrange(1, 90000)]
        for over in overs:
            prompts += [over, over + 1, 3 * over]
        for geography in geographies:
            for region in regions:
                for day in sorted(asked):
                    for prompt in prompts:
                        yield model, geography, region, day, counts(prompt)
                        # input alone at the threshold, cached tokens beside it
                        yield model, geography, region, day, (prompt, 7, 9, 11)
    for name in spellings(prices) + ODD:
        for geography in geographies:
            region = shuffle.choice(regions)
            prefix = geography + "." if geography else ""
            for text in (prefix + name,
                         "arn:aws:bedrock:x:1:inference-profile/" + prefix + name,
                         "arn:aws:bedrock:x::foundation-model/" + name):
                yield text, "", region, today, counts(50000)
            yield name, geography, region, today, (2 ** 53, 2 ** 53, 2 ** 53, 2 ** 53)
            yield name, geography, region, today, (0, 0, 0, 0)
            yield name, geography, region, today, (2 ** 64 - 1,) * 4


OWN = {
    "schema": 1, "currency": "USD", "unit": "per_1M_tokens", "as_of": "2026-11-01",
    "aliases": [
        {"id": "application-inference-profile/abcdefghijkl", "model": "anthropic.claude-sonnet-5"},
        {"id": "arn:aws:sagemaker:us-east-1:1:endpoint/x", "model": "acme.tiny-v1:0"},
        {"id": "anthropic.claude-v1", "model": "anthropic.claude-v2:1"}],
    "prices": [
        {"model": "anthropic.claude-sonnet-5", "scope": "default", "input": 0.000001, "output": 1},
        {"model": "anthropic.claude-sonnet-5", "scope": "eu", "input": 1.999999, "output": 3.3},
        {"model": "anthropic.claude-sonnet-5", "scope": "eu", "over": 5000, "input": 4,
         "output": 6, "cache_read": 0.123456},
        {"model": "anthropic.claude-sonnet-5", "scope": "eu", "from": "2026-10-01", "input": 0,
         "output": 0.07},
        {"model": "openai.gpt-5.6-sol", "scope": "global:eu-west-1", "from": "2026-09-09",
         "input": 3, "output": 19},
        {"model": "acme.tiny-v1:0", "scope": "region:us-east-1", "input": 1000000},
        {"model": "acme.tiny-v1:0", "scope": "global", "input": 999999.999999, "output": 1e-6}]}


def compare(tool, prices, base, extra):
    asked = list(questions(prices, base))
    lines = "".join("\t".join([text, geography, region, day] + [str(n) for n in counts]) + "\n"
                    for text, geography, region, day, counts in asked)
    said = subprocess.run([tool] + extra, input=lines, stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout.splitlines()
    failed = abs(len(said) - len(asked))
    for question, answer in zip(asked, said):
        expected = prices.price(*question)
        if tuple(answer.split("\t")) != expected:
            failed += 1
            if failed <= 10:
                print(f"asked    {question}\nexpected {expected}\n     got {answer}",
                      file=sys.stderr)
    return len(asked) - failed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("tool")
    parser.add_argument("--list", default=LIST, help="the list built into the tool")
    parser.add_argument("--own", help="a user's price file instead of the test's own")
    options = parser.parse_args()
    base = load(options.list)
    results = Results()
    results.passed, results.failed = compare(options.tool, Prices(base), base, [])
    with tempfile.TemporaryDirectory() as folder:
        path = options.own
        if path is None:
            path = os.path.join(folder, "own.json")
            with open(path, "w", encoding="ascii") as file:
                json.dump(OWN, file)
        more, wrong = compare(options.tool, Prices(base, load(path)), base, [path])
    results.passed += more
    results.failed += wrong
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
