"""Names that documents and program must agree on, read from both sides."""

import re

from common import code_text, prose, read, source, table_behind, tracked

# In capitals like a variable, but none of the program's: values of services, and what a user has
# to put into a command that doctor prints.
NOT_VARIABLES = {"ALL_OLD", "UPDATED_NEW", "SYSTEM_DEFINED", "CLOUDWATCH_LOGS",
                 "DEAD_LETTER_QUEUE_ARN"}
# Variables named in documents that something else reads.
OTHERS_VARIABLES = {"LAMBDA_ZIP"}

# Commands that documents name already; take one out when it is there.
PENDING = set()

VARIABLE = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"


def documents():
    return [p for p in tracked() if p.endswith(".md") and (p.startswith("docs/") or "/" not in p)]


def code_in(text):
    """Lines of code: fenced, indented, and in backticks."""
    lines = re.findall(r"(?ms)^```[^\n]*\n(.*?)^```$", text)
    lines += re.findall(r"(?m)^    (.*)$", text)
    lines += re.findall(r"`([^`\n]+)`", prose(text))
    return "\n".join(lines).replace("\\\n", " ").split("\n")


def check_commands(program, results):
    """Every command line in the documents is one the program understands, as far as words go."""
    helps = program.commands()
    everything = "\n".join(read(path) for path in documents())
    all_options = set()
    for command in helps:
        all_options |= program.options(command)
        if command:
            named = "bedrock-metrics %s" % command in everything or "`%s`" % command in everything
            results.check(named, "no document names the command %s" % command)
    for option in sorted(all_options):
        results.check("--" + option in everything, "no document names the option --" + option)
    for path in documents():
        for line in code_in(read(path)):
            for call in re.findall(r"(?:^|[\s/(])bedrock-metrics((?: [^\s|;)]+)+)", line):
                check_call(program, results, path, call.split())


def check_call(program, results, path, words):
    helps = program.commands()
    command = words[0] if not words[0].startswith("-") else ""
    if " ".join(words[:2]) in helps:
        command = " ".join(words[:2])
    elif command == "prices":
        command = "prices list"  # what the name alone means
    if command == "help" or (not re.fullmatch(r"[a-z][a-z-]*", command) and command):
        return  # a file name, a placeholder such as COMMAND, a container's image
    if command in PENDING and command not in helps:
        return
    if not results.check(command in helps, "%s: there is no command %s" % (path, command)):
        return
    for word in words:
        if word.startswith("--") and word != "--help":
            name = re.match(r"--([a-z-]+)", word).group(1)
            results.check(
                name in program.options(command), "%s: %s takes no --%s" % (path, command, name)
            )


def variables_of_program():
    names = set()
    for code in source("src").values():
        names |= set(re.findall(r'"(%s)"' % VARIABLE, code))
        names |= set(re.findall(r'\bgetenv\(\s*"(\w+)"', code))
    return names - NOT_VARIABLES


def table_of_variables(program):
    """Name -> (default or "", help), as the program's own table has them."""
    listed = program.run("help", "variables").stdout.decode()
    rows = re.findall(r"(?m)^  ([A-Z0-9_]+)(?: \(default (.*)\))?\n      (.*)$", listed)
    return {name: (otherwise, text) for name, otherwise, text in rows}


def plain(cell):
    """A cell of markdown as the program says it: without backticks and links."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell).replace("`", "")


def check_targets(results):
    """Every `make TARGET` in the documents' code is a target."""
    rules = "\n".join(read(p) for p in tracked("Makefile", "*.mk"))
    for path in documents():
        for line in code_in(read(path)):
            for words in re.findall(r"(?:^|[\s(;&])make((?: [\w=./-]+)+)", line):
                for word in words.split():
                    if "=" in word or "/" in word:
                        continue
                    exists = re.search(r"(?m)^%s:" % re.escape(word), rules)
                    results.check(exists, "%s: there is no target %s" % (path, word))


def check_variables(program, results):
    table = table_of_variables(program)
    results.check(len(table) > 30, "`help variables` lists the variables")
    there = variables_of_program() | set(table)
    written = set()
    for path in documents():
        for name in re.findall(r"`([A-Z][A-Z0-9_]*[A-Z0-9])(?:=[^`]*)?`", read(path)):
            written.add(name)
            if not re.fullmatch(VARIABLE, name):
                continue
            known = name in there | OTHERS_VARIABLES
            if path == "docs/deployment.md":
                deployed = "".join(read(p) for p in tracked("deploy", "template.yaml"))
                known = known or name in deployed
            results.check(known, "%s: nothing reads %s" % (path, name))
    for name in sorted(there):
        results.check(name in written, "no document names the variable %s" % name)
    # The README's table is the program's: the same names, defaults, and what they do.
    shown = set()
    for row in table_behind(read("README.md"), "<!-- variables -->"):
        name = code_text(row[0])
        shown.add(name)
        if results.check(name in table, "README: the program has no variable %s" % name):
            otherwise, text = table[name]
            same = not otherwise or plain(row[1]).split(" (")[0] == otherwise
            results.check(same, "README: the default of %s is %s" % (name, otherwise))
            found = plain(row[2])
            results.check(text in found, "README: %s is %r, the program says %r" % (name, found, text))
    for name in sorted(set(table) - shown):
        results.check(False, "README: no row for %s" % name)


def quoted(path, pattern):
    return re.findall(pattern, read(path))


def snake(name):
    """InputTokenCount as input_token_count, Tag:team as tag_team."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace(":", "_").lower()


def check_metrics(results):
    metrics = quoted("src/aggregate/metric.h", r'X\(\w+, "(\w+)", "(\w+)"')
    results.check(len(metrics) > 14, "the metrics of src/aggregate/metric.h are found")
    models = read("docs/models.md")
    rows = table_behind(models, "Sums over the records of a cell, exact at any size.\n")
    results.same(
        [(code_text(row[0]), row[1].split()[0]) for row in rows], metrics, "models.md, metrics"
    )
    dimensions = quoted("src/aggregate/dimension.h", r'X\(\w+, "(\w+)"')
    results.check(len(dimensions) > 7, "the dimensions of src/aggregate/dimension.h are found")
    rows = table_behind(
        models,
        "Any of these can be chosen (`--by`), up to 30 at a time. A value is never empty.\n",
    )
    results.same(
        [code_text(row[0]) for row in rows],
        dimensions + ["Metadata:<key>", "Tag:<key>"],
        "models.md, dimensions",
    )
    names = [name for name, _unit in metrics]
    rows = table_behind(models, "has one gauge family a metric, and one label a dimension:\n")
    results.same(
        [(code_text(row[0]), code_text(row[1])) for row in rows],
        [(name, "bedrock_" + snake(name)) for name in names],
        "models.md, families of OpenMetrics",
    )
    results.same(
        [(code_text(row[2]), code_text(row[3])) for row in rows if row[2]],
        [(name, snake(name)) for name in dimensions + ["Metadata:team", "Tag:team"]],
        "models.md, labels of OpenMetrics",
    )
    monitoring = read("docs/monitoring.md")
    rows = table_behind(monitoring, "<!-- metrics -->")
    results.same(sorted(code_text(row[0]) for row in rows), sorted(names), "monitoring.md, metrics")
    rows = table_behind(monitoring, "<!-- dimensions -->")
    results.same(
        [code_text(row[0]) for row in rows],
        dimensions + ["Metadata:<key>", "Tag:<key>"],
        "monitoring.md, dimensions",
    )


def calls(code, name):
    """The arguments of each call, as text, up to its closing bracket."""
    for found in re.finditer(r"\b%s\(" % name, code):
        depth, at, in_string = 1, found.end(), False
        while depth > 0 and at < len(code):
            char = code[at]
            if char == "\\" and in_string:
                at += 1
            elif char == '"':
                in_string = not in_string
            elif not in_string:
                depth += (char == "(") - (char == ")")
            at += 1
        yield code[found.end() : at - 1]


def arguments(call):
    """The arguments of a call, split at the commas between them."""
    parts, depth, start, in_string = [], 0, 0, False
    for at, char in enumerate(call):
        if char == '"' and call[at - 1] != "\\":
            in_string = not in_string
        elif not in_string and char in "([{":
            depth += 1
        elif not in_string and char in ")]}":
            depth -= 1
        elif not in_string and char == "," and depth == 0:
            parts.append(call[start:at].strip())
            start = at + 1
    return parts + [call[start:].strip()]


# What every JSON line has; a detail of the same name would hide it from readers of JSON.
ALWAYS = {"timestamp", "level", "code", "message", "requestId"}
REPEATED = []


def log_lines_of_program():
    """(level, message) -> (keys, codes) over all places that write the same line."""
    found = {}
    for path, code in source("src").items():
        if path == "src/base/log.h":
            continue
        texts = dict(re.findall(r'static const char (\w+)\[\] =\s+("(?:[^"\\]|\\.)*");', code))
        for name in ("LOG_EVENT", "LOG_FAULT", "LOG_FAULT_MESSAGE"):
            for call in calls(code, name):
                call = re.sub(r"\b\w+\b", lambda word: texts.get(word.group(), word.group()), call)
                parts = arguments(call)
                level, why = parts[0], "" if name == "LOG_EVENT" else parts.pop(1)
                message = re.sub(r'"\s*"', "", parts[1])  # a long text in pieces
                levels = re.findall(r"\bLOG_([A-Z]+)\b", level)
                messages = re.findall(r'"((?:[^"\\]|\\.)*)"', message)
                codes = re.findall(r"\bE_([A-Z]\d{3})\b", why)
                if len(messages) > 1 and len(levels) in (1, len(messages)):
                    lines = zip(levels * (len(messages) // len(levels)), messages)
                else:
                    lines = [(level, message) for level in levels for message in messages]
                names = re.findall(r'\blog_[a-z0-9]+\(\s*"(\w+)"', call)
                repeated = [key for key in names if names.count(key) > 1 or key in ALWAYS]
                for at, line in enumerate(lines):
                    if repeated:
                        REPEATED.append((path, line[1], repeated))
                    keys, its = found.setdefault(line, (set(), set()))
                    keys.update(re.findall(r'\blog_[a-z0-9]+\(\s*"(\w+)"', call))
                    if name != "LOG_EVENT":
                        its.add((codes[at] if 1 < len(messages) == len(codes) else "".join(codes[:1]), "(" in why))
    return found


def check_log_lines(results):
    there = log_lines_of_program()
    for path, message, keys in REPEATED:
        results.check(False, "%s: the log line %s has a key twice: %s" % (path, message, keys))
    written = {}
    for row in table_behind(read("docs/monitoring.md"), "<!-- log lines -->"):
        written[(row[0], row[2].strip("`").strip())] = set(re.findall(r"`(\w+)`", row[3]))
    for line in sorted(set(there) | set(written)):
        if results.check(line in there, "monitoring.md: the program never logs %s %s" % line):
            results.check(line in written, "monitoring.md does not have the line %s %s" % line)
        if line in there and line in written:
            results.same(there[line][0], written[line], "keys of the log line %s %s" % line)


def check_worker_metrics(results):
    """The families of the worker's /metrics."""
    code = read("src/deliver/worker_metrics.c")
    there = re.findall(r'\b(?:COUNTER|GAUGE)\("(\w+)",', code)
    rows = table_behind(read("docs/monitoring.md"), "<!-- worker metrics -->")
    written = [code_text(row[0]) for row in rows]
    results.same(["bedrock_metrics_" + name for name in there], written, "worker's metrics")


def check_reasons(results):
    models = read("docs/models.md")
    skips = quoted("src/objects/object_key.c", r'case OBJECT_\w+: return "(\w+)"')
    skips += quoted("src/count/tally.c", r'\{"(\w+)", E_\w+\}')
    for name in skips:
        results.check("| `%s` |" % name in models, "models.md has no row for reason %s" % name)
    statuses = quoted("src/base/status.c", r'case ST_\w+: return "(\w+)"')
    results.check(len(statuses) > 8, "statuses of src/base/status.c are found")
    table = table_behind(
        read("docs/architecture.md"),
        "A function that can fail returns a status that says what the caller can do, not where "
        "the fault was:\n",
    )
    written = {code_text(row[0]) for row in table}
    results.same(written, set(statuses) - {"ok", "end"}, "architecture.md, statuses")


def check(program, results):
    check_commands(program, results)
    check_targets(results)
    check_variables(program, results)
    check_metrics(results)
    check_log_lines(results)
    check_worker_metrics(results)
    check_reasons(results)
