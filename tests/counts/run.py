#!/usr/bin/env python3
"""Counts the instructions of what a worker does, and compares them with those that were kept.

    run.py PROGRAM [--write]

Nothing is timed: valgrind counts. The counts of our own code are the same on every machine for one
compiler; those of everything together depend on the cryptographic library too. What is more than TOLERANCE above the count that was kept
fails: make it cheaper, or keep the new count with --write and say why in the commit.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

KEPT = pathlib.Path(__file__).resolve().parent / "kept.json"
# operation: (how often, the worker's part)
COUNTED = {
    "handshake-unknown": (10, "reactor_turn"),
    "handshake-known": (10, "reactor_turn"),
    "handshake-resumed": (10, "reactor_turn"),
    "relay-1-mib": (2, "reactor_turn"),
    "echo-64": (50, "reactor_turn"),
    "decision": (50, "mutual_admit"),
}
# One program's counts repeat within 0.1 %, for most that is random takes constant time; but the relay's
# total has two values 8 % apart, by where the allocator puts the cipher's state, so --write keeps the
# greatest of some runs. The tolerance is for compilers and libraries of the same name.
TOLERANCE = 0.04


def read(path, program):
    """Instructions in all and of the program's own code, from a callgrind file."""
    names, own, total, current, skip = {}, 0, 0, "", False
    for line in path.read_text(encoding="utf-8").splitlines():
        found = re.match(r"(c?)ob=\((\d+)\)(?: (.*))?$", line)
        if found:
            names.setdefault(found[2], found[3])
            current = current if found[1] else names[found[2]]
        elif line.startswith("calls="):
            skip = True  # the next line is what the called function cost
        elif re.match(r"[+\-*\d]", line):
            cost = 0 if skip else int(line.split()[1])
            skip = False
            total += cost
            own += cost if current == program else 0
    return {"all": total, "own": own}


def count(program, name):
    times, part = COUNTED[name]
    with tempfile.TemporaryDirectory(prefix="mutual-counts-") as scratch:
        subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={part}",
                        "--zero-before=counted", "--dump-after=counted",
                        f"--callgrind-out-file={scratch}/out", program, name, str(times)],
                       check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       env={**os.environ, "MALLOC_PERTURB_": "0"})  # meson sets it, and it costs
        dump = min(pathlib.Path(scratch).glob("out.1*"))
        return {key: value // times for key, value in read(dump, program).items()}


def surroundings():
    def first(*command):
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]
    return {"own": first("cc", "--version"), "all": first("openssl", "version").split(" (")[0]}


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    if shutil.which("valgrind") is None:
        print("1..0 # SKIP valgrind is not installed")
        return 0
    runs = [{name: count(program, name) for name in COUNTED} for _ in range(4 if "--write" in sys.argv else 1)]
    found = {name: {kind: max(run[name][kind] for run in runs) for kind in ("own", "all")} for name in COUNTED}
    if "--write" in sys.argv:
        KEPT.write_text(json.dumps({"made_with": surroundings(), "counts": found}, indent=1) + "\n",
                        encoding="utf-8")
        return 0
    kept, here = json.loads(KEPT.read_text(encoding="utf-8")), surroundings()
    print(f"1..{2 * len(found)}")
    bad = 0
    for number, (name, kind) in enumerate(((n, k) for n in found for k in ("own", "all")), 1):
        value, before = found[name][kind], kept["counts"][name][kind]
        text = f"{name}, {kind}: {value:,} instructions, {before:,} kept ({100 * value / before - 100:+.1f} %)"
        if here[kind] != kept["made_with"][kind]:
            print(f"ok {number} - {text} # SKIP kept with {kept['made_with'][kind]}, this is {here[kind]}")
        else:
            good = value <= before * (1 + TOLERANCE)
            bad += not good
            print(f"{'ok' if good else 'not ok'} {number} - {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
