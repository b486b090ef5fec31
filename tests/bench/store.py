#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the inventory's questions cost while it grows, on SQLite and on PostgreSQL: runs bench_store on both
and prints the tables of docs/performance-store.md. On PostgreSQL also what the server took to plan and to run,
which waits for nobody, and how many questions were asked one after the other.

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


def table(name, runs, part="_us", last=None):
    """`last`: a figure that is told once, of the largest store."""
    print(f"\n{name}:\n")
    print("| certificates | " + " | ".join(f"{run['rows']:,}" for run in runs) + (" | asked |" if last else " |"))
    print("|---|" + "---:|" * (len(runs) + bool(last)))
    for key, words in WHAT:
        if key + part in runs[-1]:
            cells = [f"{run[key + part] / 1000:.2f}" for run in runs]
            if last:
                cells.append(str(runs[-1].get(key + last, "")))
            print(f"| {words} | " + " | ".join(cells) + " |")


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    with tempfile.TemporaryDirectory(prefix="mutual-bench-") as directory:
        table("SQLite, milliseconds", measure(f"{directory}/ca.db", rows))
    with Postgres("-c", "shared_buffers=128MB", "-c", "shared_preload_libraries=pg_stat_statements",
                  "-c", "pg_stat_statements.track_planning=on") as server:
        where = server.create("bench")
        server.sql("CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats", "bench")
        runs = measure(where, rows)
    table("PostgreSQL, milliseconds", runs, last="_trips")
    table("Of these, in the server", runs, part="_server_us")


main()
