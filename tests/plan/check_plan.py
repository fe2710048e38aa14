#!/usr/bin/env python3
"""`plan` against counts made from `aggregate --output json`, and its bill in decimals.

Usage: check_plan.py BEDROCK_METRICS FOLDER (with simulated logs in FOLDER/logs)
"""
import collections
import gzip
import json
import os
import sys
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from checks import Checks
from support.records import lines, record, text, write

BASE = ["Invocations", "InputTokenCount", "OutputTokenCount", "CacheReadInputTokenCount",
        "CacheWriteInputTokenCount", "TotalTokenCount", "InvocationClientErrors",
        "InvocationServerErrors", "InvocationThrottles"]
COST = ["EstimatedCost", "UnpricedTokens"]
ALL = BASE + COST  # what the function and the worker publish by default
TIERS = ((10_000, "0.30"), (240_000, "0.10"), (750_000, "0.05"), (None, "0.02"))
MONTH = 730


def rows_of(checks, source, names, *options):
    """(hour, values, {metric: amount}) of every row of an hourly report."""
    report = checks.json("aggregate", source, "--by", ",".join(names), "--interval", "1h",
                         "--output", "json", "--quiet", *options)
    return [(row["time"], tuple(row[name] for name in names), row) for row in report["rows"]]


def on(row, metrics):
    return frozenset(metric for metric in metrics if row[metric] > 0)


def metrics_of_series(rows, metrics):
    series = collections.defaultdict(set)
    for _, values, row in rows:
        series[values] |= on(row, metrics)
    return series


def metric_hours(rows, metrics):
    return sum(len(on(row, metrics)) for _, _, row in rows)


def fold(rows, metrics, cap):
    """Hour by hour what the cap keeps: (hour, series, metrics) cells, and what it folds."""
    cells, folded, tokens, hours = [], set(), 0, 0
    by_hour = collections.defaultdict(list)
    for row in rows:
        by_hour[row[0]].append(row)
    for hour, members in by_hour.items():
        members.sort(key=lambda r: (-r[2]["TotalTokenCount"], -r[2]["Invocations"],
                                    [value.encode() for value in r[1]]))
        cells += [(hour, values, on(row, metrics)) for _, values, row in members[:cap]]
        if len(members) > cap:
            rest = members[cap:]
            hours += 1
            folded |= {values for _, values, _ in rest}
            tokens += sum(row["TotalTokenCount"] for _, _, row in rest)
            cells.append((hour, None, frozenset().union(*(on(row, metrics)
                                                          for _, _, row in rest))))
    return cells, folded, tokens, hours


def check_set(checks, source, names, planned, metrics, cap, *options):
    label = ",".join(names)
    rows = rows_of(checks, source, names, *options)
    series = metrics_of_series(rows, metrics)
    checks.expect(f"{label}: dimensions", planned["dimensions"], names)
    checks.expect(f"{label}: series", planned["series"], len(series))
    checks.expect(f"{label}: metrics", planned["metrics"], sum(map(len, series.values())))
    checks.expect(f"{label}: series-hours", planned["seriesHours"], len(rows))
    checks.expect(f"{label}: metric-hours", planned["metricHours"], metric_hours(rows, metrics))
    whole = checks.json("aggregate", source, "--by", label, "--output", "json", "--quiet", *options)
    checks.expect(f"{label}: series against a report over all time", planned["series"],
                  len(whole["rows"]))
    checks.expect(f"{label}: by name", planned["metricsByName"], {
        metric: {"series": sum(metric in names_on for names_on in series.values()),
                 "hours": sum(row[metric] > 0 for _, _, row in rows)} for metric in metrics})

    cells, folded, tokens, hours = fold(rows, metrics, cap)
    kept = collections.defaultdict(set)
    for _, values, names_on in cells:
        kept[values] |= names_on
    checks.expect(f"{label}: cap {cap}", planned["cap"], {
        "maxSeries": cap, "foldedSeries": len(folded), "foldedHours": hours,
        "foldedTokens": tokens, "tokens": whole["totals"]["TotalTokenCount"],
        "series": len(kept), "metrics": sum(map(len, kept.values())),
        "metricHours": sum(len(names_on) for _, _, names_on in cells)})
    check_dimensions(checks, source, names, planned, rows, metrics, options)
    return [(hour, len(names_on)) for hour, _, names_on in cells]


def check_dimensions(checks, source, names, planned, rows, metrics, options):
    label = ",".join(names)
    found = {d["name"]: d for d in planned["dimensionsByCost"]}
    without = [d["metricHoursWithout"] for d in planned["dimensionsByCost"]]
    checks.expect(f"{label}: every dimension once", sorted(found), sorted(names))
    checks.expect(f"{label}: most expensive dimension first", without, sorted(without))
    for at, name in enumerate(names):
        values = collections.defaultdict(lambda: [0, set(), 0])
        for _, members, row in rows:
            value = values[members[at]]
            value[0] += len(on(row, metrics))
            value[1].add(members)
            value[2] += row["TotalTokenCount"]
        checks.expect(f"{label}: values of {name}", found[name]["values"], len(values))
        order = sorted(values, key=lambda v: (-values[v][0], -len(values[v][1]), v.encode()))
        checks.expect(f"{label}: largest values of {name}", found[name]["top"], [
            {"value": v, "series": len(values[v][1]), "metricHours": values[v][0],
             "tokens": values[v][2]} for v in order[:3]])
        if len(names) > 1:
            rest = [n for n in names if n != name]
            fewer = rows_of(checks, source, rest, *options)
            checks.expect(f"{label}: series without {name}", found[name]["seriesWithout"],
                          len({members for _, members, _ in fewer}))
            checks.expect(f"{label}: metric-hours without {name}",
                          found[name]["metricHoursWithout"], metric_hours(fewer, metrics))


def money(amount):
    return amount.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def bill(metrics, tiers=TIERS):
    """[(metrics, price, cost)] of so many metric-months."""
    parts, left = [], metrics
    for size, price in tiers:
        if left == 0:
            break
        taken = left if size is None else min(left, Decimal(size))
        parts.append((taken, Decimal(price), taken * Decimal(price)))
        left -= taken
    return parts


def check_bill(checks, what, plan, cells, tiers=TIERS, resolution=60):
    hours = plan["range"]["hours"]
    data = collections.Counter()
    for hour, count in cells:
        data[hour] += count
    total = sum(data.values())
    rounds = sum(60 * int((Decimal(n * max(1, 60 // resolution)) / 1000)
                          .to_integral_value(ROUND_CEILING)) for n in data.values())
    for name, got, months in (("observed", plan["observed"], Decimal(total) / MONTH),
                              ("month", plan["month"]["bill"], Decimal(total) / hours)):
        parts = bill(months, tiers)
        checks.expect(f"{what}: {name}, metric-months", got["metricMonths"], money(months))
        checks.expect(f"{what}: {name}, tiers",
                      [(t["metricMonths"], t["pricePerMetric"], t["usd"]) for t in got["tiers"]],
                      [(money(n), money(price), money(cost)) for n, price, cost in parts])
        checks.expect(f"{what}: {name}, cost", got["metricsUsd"],
                      money(sum((cost for _, _, cost in parts), Decimal(0))))
    month = plan["month"]
    metrics = sum((cost for _, _, cost in bill(Decimal(total) / hours, tiers)), Decimal(0))
    requests = Decimal(rounds) * MONTH / hours
    checks.expect(f"{what}: requests", plan["observed"]["requests"], rounds)
    checks.expect(f"{what}: requests of a month", month["requests"],
                  int(requests.to_integral_value(ROUND_HALF_UP)))
    checks.expect(f"{what}: cost of requests", month["requestsUsd"],
                  money(requests * Decimal("0.01") / 1000))
    checks.expect(f"{what}: total", month["totalUsd"],
                  money(metrics + requests * Decimal("0.01") / 1000))
    share = sum(s["shareOfMonthUsd"] for s in plan["sets"])
    checks.holds(f"{what}: the sets share the bill",
                 abs(share - month["bill"]["metricsUsd"]) < Decimal("0.00001"), str(share))
    return rounds


def check_choice(checks, source, sets, metrics, cap, *options, more=()):
    plan = checks.json("plan", source, "--dimensions", ";".join(map(",".join, sets)),
                       "--max-series", str(cap), "--output", "json", "--quiet", *options, *more)
    checks.expect("metrics that count", plan["metrics"], metrics)
    checks.expect("number of sets", len(plan["sets"]), len(sets))
    cells = []
    for names, planned in zip(sets, plan["sets"]):
        cells += check_set(checks, source, names, planned, metrics, cap, *options)
    check_bill(checks, f"{len(sets)} sets, cap {cap}", plan, cells)
    return plan


def check_simulated(checks):
    default = [["InferenceProfileType"], ["InferenceProfileType", "ModelId"]]
    wide = [["ModelId", "Principal", "SourceRegion"], ["SourceRegion", "InferenceRegion"],
            ["AccountId", "Operation", "InferenceProfile"]]
    plan = check_choice(checks, "logs", default, ALL, 500)
    day = plan["range"]["first"][:10]
    checks.expect("without --dimensions the default sets", plan,
                  checks.json("plan", "logs", "--output", "json", "--quiet"))
    other = checks.json("plan", "logs", "--output", "json", "--quiet",
                        METRIC_DIMENSIONS="ModelId")
    checks.expect("METRIC_DIMENSIONS", [s["dimensions"] for s in other["sets"]], [["ModelId"]])
    check_choice(checks, "logs", wide, ALL, 10)
    check_choice(checks, "logs", wide, ALL, 1)
    check_choice(checks, "logs", default, ALL, 4)  # as many as there are profile types
    check_choice(checks, "logs", [["Principal", "ModelId"]], ALL, 25,
                 "--since", f"{day}T05:00:00Z", "--until", f"{day}T11:30:00Z")
    few = ["InputTokenCount", "InvocationThrottles"]
    check_choice(checks, "logs", default, few, 500, more=("--metrics", ",".join(few)))
    check_choice(checks, "logs", [["ModelId"]], BASE, 500, more=("--metrics", ",".join(BASE)))
    checks.expect("METRICS", checks.json("plan", "logs", "--output", "json", "--quiet",
                                         METRICS="Invocations")["metrics"], ["Invocations"])
    checks.expect("MAX_SERIES_PER_SET",
                  checks.json("plan", "logs", "--output", "json", "--quiet",
                              MAX_SERIES_PER_SET="7")["sets"][1]["cap"]["maxSeries"], 7)
    one = checks.call("plan", "logs", "--output", "json", "--jobs", "1")
    four = checks.call("plan", "logs", "--output", "json", "--jobs", "4")
    checks.expect("the same bytes with one job and four", one[1], four[1])


def check_prices(checks):
    sets = [["InferenceProfileType"], ["InferenceProfileType", "ModelId"]]
    cells = []
    for names in sets:
        cells += [(hour, len(on(row, ALL))) for hour, _, row in rows_of(checks, "logs", names)]
    for price in ("0.3", "0", "1", "0.000001", "12.345678"):
        plan = checks.json("plan", "logs", "--output", "json", "--quiet", "--price-per-metric",
                           price)
        check_bill(checks, f"price {price}", plan, cells, ((None, price),))
        checks.expect(f"price {price}: no date", plan["prices"]["asOf"], None)
    rounds = {}
    for resolution in (1, 5, 10, 30, 60, 300, 3600):
        plan = checks.json("plan", "logs", "--output", "json", "--quiet", "--resolution",
                           str(resolution))
        rounds[resolution] = check_bill(checks, f"resolution {resolution}", plan, cells,
                                        resolution=resolution)
    checks.holds("finer buckets need more requests", rounds[1] > rounds[60] == rounds[3600])


def write_wide_logs(folder):
    """One hour with so many principals that every price tier is reached by several sets."""
    os.makedirs(folder, exist_ok=True)
    with gzip.open(os.path.join(folder, "wide.json.gz"), "wt", compresslevel=1) as out:
        for i in range(26_000):
            one = record(tokens=(i + 1, 3, 1, 2), timestamp=f"2026-11-03T10:{i % 60:02}:00Z",
                         requestId=str(i), modelId="amazon.nova-lite-v1:0",
                         identity={"arn": f"arn:aws:iam::111122223333:user/u{i}"})
            out.write(text(one) + "\n")


def check_tiers(checks):
    write_wide_logs(os.path.join(checks.folder, "wide"))
    others = ["ModelId", "SourceRegion", "AccountId", "Operation", "InferenceProfileType",
              "InferenceRegion", "InferenceProfile"]
    for count, tiers in ((0, 2), (1, 3), (7, 4)):
        sets = ["Principal"] + [f"Principal,{name}" for name in others[:count]]
        plan = checks.json("plan", "wide", "--dimensions", ";".join(sets), "--output", "json",
                           "--quiet", "--max-series", "1000000")
        checks.expect(f"{count + 1} wide sets: hours", plan["range"]["hours"], 1)
        checks.expect(f"{count + 1} wide sets: metrics", [s["metrics"] for s in plan["sets"]],
                      [26_000 * 7] * (count + 1))
        checks.expect(f"{count + 1} wide sets: tiers", len(plan["month"]["bill"]["tiers"]), tiers)
        check_bill(checks, f"{count + 1} wide sets", plan,
                   [("hour", 26_000 * 7)] * (count + 1))
    plan = checks.json("plan", "wide", "--dimensions", "Principal", "--output", "json", "--quiet")
    cap = plan["sets"][0]["cap"]
    checks.expect("the default cap", (cap["maxSeries"], cap["foldedSeries"], cap["series"],
                                      cap["metrics"]), (500, 25_500, 501, 501 * 7))
    # The largest are the last 500: their input counts are 25501..26000, each with 6 more tokens.
    checks.expect("tokens that the cap folds", cap["foldedTokens"],
                  sum(i + 1 + 6 for i in range(25_500)))
    checks.holds("the bill with nothing folded is named",
                 plan["month"]["metricsUsdNothingFolded"] > plan["month"]["bill"]["metricsUsd"])


def check_ties(checks):
    """Series of equal tokens: the cap keeps the one with most invocations."""
    write(os.path.join(checks.folder, "ties.json"), lines(*(
        record(tokens=tokens, modelId=model)
        for model, tokens in (("a", (10, 0)), ("b", (4, 1)), ("b", (4, 1)), ("c", (9, 1))))))
    for cap in (1, 2, 3):
        plan = check_choice(checks, "ties.json", [["ModelId"]], ALL, cap)
        checks.expect(f"ties, cap {cap}: metrics", plan["sets"][0]["cap"]["metrics"],
                      {1: 10, 2: 14, 3: 14}[cap])


def check_text(checks):
    plan = checks.json("plan", "logs", "--output", "json", "--quiet")
    day, hours = plan["range"]["first"][:10], plan["range"]["hours"]
    code, out, err = checks.call("plan", "logs")
    cents = plan["month"]["totalUsd"].quantize(Decimal("0.01"), ROUND_HALF_UP)
    checks.expect("text: status", code, 0)
    for part in (f"together ${cents} a month", f"EXTRAPOLATED to a month of 730 hours like the {hours}",
                 "OBSERVED", "list prices of us-east-1 as of 2026-05", "no free tier",
                 "folds nothing", "x $0.30 a month", "one round a minute",
                 f"InferenceProfileType,ModelId: {plan['sets'][1]['series']} series"):
        checks.holds("text: says", part in out, part)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../docs/monitoring.md"), encoding="utf-8") as source:
        example = source.read().split("it says, with the middle left out:")[1].split("```")[1]
    said = out.splitlines()
    for line in example.strip().splitlines():
        checks.holds("docs/monitoring.md: the example is what is said", line in ["...", *said],
                     line)
    checks.holds("the balance is on standard error", "objects:" in err, err[:100])
    checks.expect("--quiet", checks.call("plan", "logs", "--quiet")[2], "")
    _, out, _ = checks.call("plan", "logs", "--max-series", "5")
    checks.holds("text: what the cap folds", "MAX_SERIES_PER_SET=5 folds" in out)
    _, out, _ = checks.call("plan", "logs", "--since", f"{day}T05:00:00Z", "--until",
                            f"{day}T06:00:00Z")
    checks.holds("text: a short range is named", "Less than a day was observed" in out)
    write(os.path.join(checks.folder, "hostile.json"),
          lines(record(modelId="m\x1b[31m\u202e\"x")))
    for output in ("text", "json"):
        _, out, _ = checks.call("plan", "hostile.json", "--dimensions", "ModelId", "--output",
                                output)
        checks.holds(f"{output}: values cannot drive a terminal",
                     "\x1b" not in out and "\u202e" not in out and "\\u001b" in out)


def check_ends(checks):
    for quoted, arguments in (
            ('SOURCE', ()),
            ('"s3://"', ("s3://",)),
            ('"ModelID"', ("logs", "--dimensions", "ModelID")),
            ('""', ("logs", "--dimensions", "")),
            ('""', ("logs", "--dimensions", "ModelId;")),
            ('"Operation,ModelId"', ("logs", "--dimensions",
                                     "ModelId,Operation;Operation,ModelId")),
            ('more than 16 sets', ("logs", "--dimensions",
                                   ";".join(f"Metadata:k{i % 16},Tag:t{i}" for i in range(17)))),
            ('"ModelId"', ("logs", "--dimensions", "ModelId,ModelId")),
            ('Metadata:\u00fc', ("logs", "--dimensions", "Metadata:\u00fc")),
            ('"Tokens"', ("logs", "--metrics", "Invocations,Tokens")),
            ('"7"', ("logs", "--resolution", "7")),
            ('"0"', ("logs", "--resolution", "0")),
            ('"7200"', ("logs", "--resolution", "7200")),
            ('"0"', ("logs", "--max-series", "0")),
            ('"-1"', ("logs", "--price-per-metric", "-1")),
            ('"1e3"', ("logs", "--price-per-metric", "1e3")),
            ('"0.1234567"', ("logs", "--price-per-metric", "0.1234567")),
            ('"1."', ("logs", "--price-per-metric", "1.")),
            ('"yesterday"', ("logs", "--since", "yesterday")),
            ('not before', ("logs", "--since", "2026-11-02", "--until", "2026-11-01")),
            ('"xml"', ("logs", "--output", "xml")),
            ('"0"', ("logs", "--top", "0")),
            ('"many"', ("logs", "--jobs", "many")),
            ('"absent.json"', ("logs", "--prices", "absent.json", "--metrics", "EstimatedCost")),
            ('"absent.json"', ("logs", "--profiles", "absent.json")),
            ('given twice', ("logs", "--top", "1", "--top", "2")),
            ('--nothing', ("logs", "--nothing"))):
        checks.refuses(quoted, "plan", *arguments)
    for name, value in (("METRIC_DIMENSIONS", "Nothing"), ("METRICS", "Nothing"),
                        ("METRIC_RESOLUTION", "61"), ("MAX_SERIES_PER_SET", "x"),
                        ("METRIC_LATENCY", "perhaps")):
        checks.refuses(f'"{value}"', "plan", "logs", **{name: value})
        code, _, err = checks.call("plan", "logs", **{name: value})
        checks.holds(f"{name} is named", code == 2 and name in err)

    records = checks.json("plan", "logs", "--output", "json", "--quiet")["records"]
    code, out, _ = checks.call("plan", "absent", "--output", "json")
    checks.expect("a source that is missing: status", code, 1)
    with open(os.path.join(checks.folder, "logs.gz"), "wb") as out_file:
        out_file.write(gzip.compress(b"{}\n")[:-6])
    code, out, err = checks.call("plan", "logs", "logs.gz", "--output", "json")
    checks.expect("an object that fails: status", code, 1)
    checks.holds("an object that fails: it is named, the others count",
                 "logs.gz" in err and json.loads(out)["records"] == records)
    os.makedirs(os.path.join(checks.folder, "empty"), exist_ok=True)
    plan = checks.json("plan", "empty", "--output", "json")
    checks.expect("nothing to plan with", (plan["range"], plan["month"], plan["observed"],
                                           [s["series"] for s in plan["sets"]]),
                  (None, None, None, [0, 0]))
    code, out, _ = checks.call("plan", "empty")
    checks.holds("nothing to plan with, text", code == 0 and "nothing to plan with" in out)
    checks.expect("help", checks.call("plan", "--help")[0], 0)
    checks.expect("--out", (checks.call("plan", "logs", "--out", "plan.txt", "--quiet")[:2],
                            os.path.getsize(os.path.join(checks.folder, "plan.txt")) > 1000),
                  ((0, ""), True))
    checks.expect("a full device", checks.call("plan", "logs", "--out", "/dev/full")[0], 1)


def main():
    checks = Checks(sys.argv[1], sys.argv[2])
    check_simulated(checks)
    check_prices(checks)
    check_tiers(checks)
    check_ties(checks)
    check_text(checks)
    check_ends(checks)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
