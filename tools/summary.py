#!/usr/bin/env python3
"""Adds up JUnit reports and prints the closing line: N passed, N failed, N skipped. The attacks that
were tried are told by name, under the mistake that each of them tries for."""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def tell_attacks(attacks):
    for lesson, names in attacks.items():
        print(f"refused: {lesson}")
        for name in names:
            print(f"  {name}")


def broken_off(suite):
    """Did a program end before all of the tests that it had announced (killed, or out of time)?"""
    plan = re.search(r"^1\.\.(\d+)$", suite.findtext("system-out") or "", re.MULTILINE)
    return plan is not None and int(plan[1]) > len(suite.findall("testcase"))


def main(paths):
    passed = failed = skipped = 0
    attacks = {}
    for path in paths:
        if not pathlib.Path(path).exists():
            continue
        report = ElementTree.parse(path)
        for suite in filter(broken_off, report.iter("testsuite")):
            failed += 1
            print(f"failed: {suite.get('name')} ended before its last test")
        for case in report.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                print(f"failed: {case.get('classname')} {case.get('name')}")
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
                attack = re.fullmatch(r"test_refused\[(.+?): (.+)\]", case.get("name"))
                if attack:
                    attacks.setdefault(attack[1], []).append(attack[2])
    tell_attacks(attacks)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
