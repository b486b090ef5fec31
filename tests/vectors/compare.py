#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py MUTUAL KNOWN.txt SUITE.json.xz [--all]: puts a suite to `mutual verify --limbo` and
compares the verdicts with what the suite expects and with the list of known disagreements. Fails
for every new disagreement, and for every known one that is none any more. With --all, tells the
verdict and reason of every case."""
import json
import lzma
import subprocess
import sys

UNDATED = "2026-06-01T00:00:00Z"  # for cases that say "now": never the machine's clock


def read_known(path):
    lines = (line.split("#")[0].split() for line in open(path))
    return {line[0] for line in lines if line}


def main():
    mutual, known_path, suite_path = sys.argv[1:4]
    tell_all = "--all" in sys.argv[4:]
    text = lzma.open(suite_path).read()
    answer = subprocess.run([mutual, "verify", "--limbo", "--at", UNDATED], input=text,
                            stdout=subprocess.PIPE, check=True).stdout
    results = {r["id"]: r for r in json.loads(answer)["results"]}
    known = read_known(known_path)
    counts = dict.fromkeys(["cases", "agree", "accepted", "refused", "surprises"], 0)
    for case in json.loads(text)["testcases"]:
        result = results[case["id"]]
        expected, actual = case["expected_result"], result["actual_result"]
        agrees = expected == actual
        surprise = agrees == (case["id"] in known)
        counts["cases"] += 1
        counts["agree"] += agrees
        counts["accepted"] += not agrees and actual == "SUCCESS"
        counts["refused"] += not agrees and actual == "FAILURE"
        counts["surprises"] += surprise
        if tell_all or surprise:
            print(f"{case['id']}: {'SURPRISE' if surprise else 'agrees' if agrees else 'known'}: "
                  f"expected {expected}, got {actual}: {result['context'] or ''}")
    print("{cases} cases, {agree} agree, {accepted} accepted that should not be, {refused} refused "
          "that should not be, {surprises} surprises".format(**counts))
    return 1 if counts["surprises"] or not counts["cases"] else 0


if __name__ == "__main__":
    sys.exit(main())
