#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the inventory's questions cost while it grows, on SQLite and on PostgreSQL: runs bench_store on both
and prints the two tables of docs/performance.md.

    tests/bench/store.py [ROWS]"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support" / "python"))
from postgres import Postgres  # noqa: E402

PROGRAM = HERE.parents[1] / "build" / "tests" / "bench" / "bench_store"
WHAT = [("list", "a page of all, by their end"), ("owner", "a page of one owner's"),
        ("owner_valid", "... the valid of them"), ("place", "a page of one place's"),
        ("profile", "a page of a profile that all have"), ("issuer", "a page of the issuer of nearly all"),
        ("small_issuer", "all of an issuer of ten"), ("revoked", "a page of the revoked"),
        ("next", "the next 50 to end"), ("expiring", "a page of those that end within 30 days"),
        ("name", "by a certified name"), ("serial", "by the first digits of a serial number"),
        ("count", "how many, valid, expired, revoked"), ("issue", "issuing one (three commits)"),
        ("crl", "the list of the revoked, 1 in 100, signed")]


def measure(address, rows):
    done = subprocess.run(["nice", "-n", "10", PROGRAM, address, str(rows)], check=True, capture_output=True,
                          text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(name, runs):
    print(f"\n{name}, milliseconds:\n")
    print("| certificates | " + " | ".join(f"{run['rows']:,}" for run in runs) + " |")
    print("|---|" + "---:|" * len(runs))
    for key, words in WHAT:
        print(f"| {words} | " + " | ".join(f"{run[key + '_us'] / 1000:.2f}" for run in runs) + " |")


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    with tempfile.TemporaryDirectory(prefix="mutual-bench-") as directory:
        table("SQLite", measure(f"{directory}/ca.db", rows))
    with Postgres("-c", "shared_buffers=128MB") as server:
        table("PostgreSQL", measure(server.create("bench"), rows))


main()
