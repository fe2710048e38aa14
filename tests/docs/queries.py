"""The queries of docs/monitoring.md ask only for what there is: metrics, sets, log lines, fields.

CloudWatch's own grammar cannot be run here; names can be read.
"""

import json
import re

from common import read, table_behind

DEFAULT_SETS = ["InferenceProfileType", "InferenceProfileType,ModelId"]
NAMESPACE = "Custom/BedrockMetrics"


def section(text, title):
    return text.split("\n## %s\n" % title)[1].split("\n## ")[0]


def statements(text):
    """Indented blocks, each on one line."""
    return [" ".join(block.split()) for block in re.findall(r"(?m)^(?:    .*\n)+", text)]


def metrics(program):
    done = program.run("dashboard", "--region", "us-east-1")
    body = json.dumps(json.loads(done.stdout))
    return set(re.findall(r'MetricName=\\"(\w+)', body)) | {"InDoubtPublishes"}


def sets_of(text):
    """Sets that are published by default, or by a METRIC_DIMENSIONS in the same section."""
    chosen = re.findall(r"METRIC_DIMENSIONS=[\"']?([\w;,:]+)", text)
    lists = DEFAULT_SETS + [part for choice in chosen for part in choice.split(";")]
    return {frozenset(names.split(",")) for names in lists}


def check_metrics_insights(program, results, text):
    known, sets, found = metrics(program), sets_of(text), 0
    for line in statements(text):
        if not line.startswith("SELECT"):
            continue
        match = re.fullmatch(
            r'SELECT (SUM|MAX|AVG)\((\w+)\) FROM SCHEMA\("([^"]+)"((?:, ?\w+)*)\)'
            r'(?: WHERE (\w+) (?:!=|=) \'\w+\')?(?: GROUP BY (\w+(?:, \w+)*))?'
            r"(?: ORDER BY \1\(\) (?:DESC|ASC))?(?: LIMIT \d+)?",
            line,
        )
        found += 1
        if not results.check(match, "no Metrics Insights query: %s" % line):
            continue
        _, metric, space, names, where, group = match.groups()
        names = {name for name in re.split(r", ?", names) if name}
        results.check(metric in known, "%s is not published: %s" % (metric, line))
        results.same(space, NAMESPACE, line)
        results.check(frozenset(names) in sets, "no such set is published: %s" % line)
        used = set((group or "").split(", ")) | {where or ""}
        results.check(used - {""} <= names, "not in its schema: %s" % line)
    results.check(found >= 5, "Metrics Insights queries were found")


def check_searches(program, results, text):
    known, sets = metrics(program), sets_of(text)
    pattern = r"""SEARCH\('\{"([^"]+)",([\w,]+)\} MetricName="(\w+)"', '(\w+)', (\d+)\)"""
    found = re.findall(pattern, text)
    results.same(len(found), text.count("SEARCH("), "every SEARCH was read")
    for space, names, metric, _, _ in found:
        results.check(
            space == NAMESPACE
            and frozenset(names.split(",")) in sets
            and (metric in known or metric == "InvocationLatency"),
            "SEARCH of what is not published: %s by %s" % (metric, names),
        )


def check_logs_insights(results, text):
    lines = {}
    for row in table_behind(read("docs/monitoring.md"), "<!-- log lines -->"):
        lines[row[2].strip("` ")] = set(re.findall(r"`(\w+)`", row[3]))
    queries = [line for line in statements(text) if line.startswith("filter ")]
    results.check(len(queries) >= 3, "Logs Insights queries were found")
    for query in queries:
        match = re.match(r'filter message = "([^"]+)"', query)
        if not results.check(match and match.group(1) in lines, "no such log line: %s" % query):
            continue
        fields = set(re.findall(r"(?:sum|max|avg|min)\((\w+)\)", query))
        by = re.search(r"\bby ([\w, ()]+)", query)
        fields |= {f.strip() for f in by.group(1).split(",") if "(" not in f} if by else set()
        missing = fields - lines[match.group(1)]
        results.check(not missing, "%r has no %s" % (match.group(1), sorted(missing)))


def check(program, results):
    text = section(read("docs/monitoring.md"), "Queries")
    check_metrics_insights(program, results, text)
    check_searches(program, results, text)
    check_logs_insights(results, text)
