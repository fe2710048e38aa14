#!/usr/bin/env python3
"""Write the dashboard that the program prints to where the templates read it.

usage: tools/dashboard.py [BEDROCK_METRICS]     (build/release/bedrock-metrics)

Writes deploy/dashboard.json, which the CDK stack reads, and the same text into template.yaml.
tests/deploy checks that both match the output of the program.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?<=\n      DashboardBody: !Sub \|\n)(?:        .*\n)+")


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bedrock-metrics"
    body = subprocess.run([program, "dashboard", "--cloudformation"], cwd="/", env={}, check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    template = ROOT / "template.yaml"
    indented = "".join("        %s\n" % line for line in body.splitlines())
    text, replaced = BLOCK.subn(lambda _: indented, template.read_text())
    if replaced != 1:
        sys.exit("template.yaml: no DashboardBody to replace")
    template.write_text(text)
    (ROOT / "deploy/dashboard.json").write_text(body)


if __name__ == "__main__":
    main()
