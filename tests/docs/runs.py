"""The tables of docs/models.md that say what the program answers, row by row."""

import json
import os
import tempfile

from common import code_text, read, table_behind
from support import records

EVIDENCE = {"inferenceRegion": "us-west-2"}


def record(**changes):
    changes = {"modelId": "amazon.nova-lite-v1:0", "inferenceRegion": None, "identity": None, **changes}
    return records.text(records.record(tokens=(3, 4), **changes))


def answer(program, text, *options):
    done = program.run("aggregate", "-", "--output", "json", *options, data=text.encode())
    return json.loads(done.stdout) if done.returncode == 0 else None


def reasons(document):
    skipped = document["records"]["skipped"]
    return ", ".join("`%s` %d" % item for item in skipped.items())


def check_texts(program, results, rows, build):
    for row in rows:
        content = build(code_text(row[0]))
        got = answer(program, content)
        numbers = [str(got["records"]["found"]), str(got["records"]["counted"]), reasons(got)]
        results.same(numbers, row[1:], "models.md, texts, %s" % row[0])


def check_keys(program, results, rows):
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, code_text(row[0]))
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="ascii") as file:
                file.write(record())
            done = program.run("aggregate", folder, "--output", "json")
            objects = json.loads(done.stdout)["objects"]
        got = "counted" if objects["counted"] else "`%s`" % "".join(objects["skipped"])
        results.same(got, row[1], "models.md, keys, %s" % row[0])


def one_row(program, text, by):
    """The only row of a document, or the reason why there is none."""
    got = answer(program, text, "--by", by, "--interval", "1m")
    if got["records"]["counted"] == 1:
        return got["rows"][0]
    return "`%s`" % "".join(got["records"]["skipped"])


def check_values(program, results, name, rows, build, columns):
    """Rows of a value and what it becomes in some columns of the result."""
    by = [c for c in columns if c not in ("time", "InputTokenCount")] or ["ModelId"]
    for row in rows:
        got = one_row(program, build(code_text(row[0])), ",".join(by))
        if isinstance(got, dict):
            got = [str(got[c]) for c in columns]
        else:
            got = [got]
        wanted = [w if w.startswith("`") and got[0] == w else code_text(w) for w in row[1:]]
        results.same(got, wanted, "models.md, %s, %s" % (name, row[0]))


def check_evidence(program, results, rows):
    """Unknown becomes CrossRegion where the Regions differ, and nothing else changes."""
    for row in rows:
        text = record(modelId=code_text(row[0]), **EVIDENCE)
        wanted = "CrossRegion" if row[1] == "Unknown" else row[1]
        got = one_row(program, text, "InferenceProfileType")["InferenceProfileType"]
        results.same(got, wanted, "models.md, classify with inferenceRegion, %s" % row[0])


def check_openmetrics(program, results, text):
    rows = table_behind(text, "Sums over the records of a cell, exact at any size.\n")
    metrics = [code_text(row[0]) for row in rows]
    env = {"METRIC_LATENCY": "true", "METRICS": ",".join(metrics)}
    by = "InferenceProfileType,InferenceProfile,ModelId,SourceRegion,InferenceRegion,AccountId,"
    by += "Operation,Principal,Metadata:team,Tag:team"
    words = ("aggregate", "-", "--output", "openmetrics", "--by", by)
    done = program.run(*words, data=record().encode(), env=env).stdout.decode()
    written = {}
    for row in table_behind(text, "OpenMetrics** (`--output openmetrics`) has one gauge family a "
                                  "metric, and one label a dimension:\n"):
        written[code_text(row[0])] = code_text(row[1])
        if row[2]:
            results.check('%s="' % code_text(row[3]) in done, "OpenMetrics label %s" % row[3])
    families = [line.split()[2:] for line in done.splitlines() if line.startswith("# TYPE ")]
    results.same(sorted(families), sorted([n, "gauge"] for n in written.values()), "OpenMetrics")


def check_totals(program, results):
    """Totals do not depend on dimensions, interval or folding (docs/architecture.md)."""
    models = ("amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-6", "newvendor.x")
    lines = [record(modelId=m, accountId=a) for m in models for a in ("1", "2", "3")]
    lines.append(record(timestamp="2026-11-03T00:00:00Z", errorCode="ValidationException"))
    text = "\n".join(lines)
    wanted = answer(program, text)["totals"]
    results.check(wanted["Invocations"] == 9 and wanted["EstimatedCost"] > 0, "totals")
    for words in (
        ["--by", "AccountId"],
        ["--by", "ModelId,AccountId,Operation"],
        ["--interval", "1m"],
        ["--by", "ModelId,AccountId", "--top", "2", "--interval", "1d"],
    ):
        results.same(answer(program, text, *words)["totals"], wanted, "totals, %s" % words)


def check(program, results):
    text = read("docs/models.md")
    check_totals(program, results)

    def rows(name):
        found = table_behind(text, "<!-- run: %s -->" % name)
        results.check(len(found) > 0, "models.md has no table %s" % name)
        return found

    check_keys(program, results, rows("keys"))
    check_texts(
        program,
        results,
        rows("texts"),
        lambda cell: cell.replace("R", record()).replace("\\n", "\n"),
    )
    check_texts(program, results, rows("members"), lambda cell: record()[:-1] + cell + "}")
    number = '"inputTokenCount":3'
    check_values(
        program,
        results,
        "counts",
        rows("counts"),
        lambda cell: record().replace(number, number[:-1] + cell),
        ["InputTokenCount"],
    )
    check_values(
        program,
        results,
        "timestamps",
        rows("timestamps"),
        lambda cell: record(timestamp=cell),
        ["time"],
    )
    classify = rows("classify")
    check_values(
        program,
        results,
        "classify",
        classify,
        lambda cell: record(modelId=cell),
        ["InferenceProfileType", "ModelId", "InferenceProfile"],
    )
    check_evidence(program, results, classify)
    check_values(
        program,
        results,
        "principals",
        rows("principals"),
        lambda cell: record(identity={"arn": cell}),
        ["Principal"],
    )
    check_openmetrics(program, results, text)
