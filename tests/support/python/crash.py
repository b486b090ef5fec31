# SPDX-License-Identifier: Apache-2.0
"""Kills a command at each of its writes in turn, and lets its writes fail one after the other.

A command is run once under strace to count the calls that change a file; then once for each of them,
killed on entering that very call (`-e inject=CALL:signal=KILL:when=K`), or with that call failing
(`error=ENOSPC`). A sample of the points unless MUTUAL_CRASH=all is set. A process that serves is
attached to for one request at a time (`Attached`)."""
import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

# What reaches a disk, or its directory.
COMMITS = ("fsync", "fdatasync", "rename", "renameat2", "link", "mkdir", "unlink", "unlinkat", "rmdir",
           "ftruncate")
WRITES = ("pwrite64", "write")
CALLS = COMMITS + WRITES
SENDS = ("sendmsg", "sendto")  # to other processes, and the answer
ALL = os.environ.get("MUTUAL_CRASH") == "all"


def need_strace():
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "true"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()}")


def count(command, env=None):
    """How often it makes each call, in one undisturbed run."""
    done = subprocess.run(["strace", "-qq", "-o", "/dev/stderr", "-e", "trace=" + ",".join(CALLS), *command],
                          capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    return done, collections.Counter(re.findall(r"^([a-z0-9]+)\(", done.stderr, re.M))


def points(counts, most, calls=CALLS):
    """The (call, number) to try: all of them, or so many, spread over them; the writes of a database
    are many and alike, so they have a third of the places."""
    every = [(call, k) for call in calls for k in range(1, counts[call] + 1)]
    if ALL or len(every) <= most:
        return every
    commits = [point for point in every if point[0] not in WRITES]
    writes = [point for point in every if point[0] in WRITES]
    part = min(len(writes), max(1, most // 3)) if commits else most
    return spread(commits, most - part) + spread(writes, part)


def spread(items, most):
    """The first, the last and some between."""
    if len(items) <= most:
        return items
    if most == 1:
        return items[len(items) // 2:len(items) // 2 + 1]
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def disturb(command, call, when, how, env=None):
    """Runs it with that call disturbed: "signal=KILL", "error=ENOSPC". Yields the finished process and
    whether it was killed."""
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                           f"inject={call}:{how}:when={when}", *command],
                          capture_output=True, text=True, timeout=60, env=env)
    return done, done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


class Attached:
    """A process that runs already, traced while the block lasts. `how` disturbs its `when`-th such call
    from then on ("1+": each one)."""

    def __init__(self, pid, calls, when=None, how=None):
        self.pid, self.told, self.killed = pid, "", False
        # A call that fails is made another one; in a sandbox that must be one that is allowed.
        how = how + ":syscall=getpid" if how and how.startswith("error=") else how
        calls = ",".join(calls)
        inject = ["-e", f"inject={calls}:{how}:when={when}"] if how else []
        self.command = ["strace", "-f", "-s", "0", "-p", str(pid), "-e", "signal=none", "-e", f"trace={calls}", *inject]

    def __enter__(self):
        self.lines = tempfile.NamedTemporaryFile("r")  # a pipe that fills up would stop the process
        self.strace = subprocess.Popen([*self.command, "-o", self.lines.name], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)
        line = self.strace.stderr.readline()
        if "attached" not in line:
            self.strace.wait(10)
            assert "not permitted" in line, line
            pytest.skip(f"strace may not attach here: {line.strip()}")
        return self

    def __exit__(self, *_):
        self.strace.terminate()
        self.strace.wait(30)
        self.strace.stderr.close()
        self.told = self.lines.read()
        self.lines.close()
        self.killed = not alive(self.pid)

    def counts(self):
        return collections.Counter(re.findall(r"^\d+ +([a-z0-9]+)\(", self.told, re.M))


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def inside(request, kind, prepare):
    """Whether this test runs in a namespace of its own (`kind`: "--net"), which `prepare` makes ready; if
    not, it is run there by this, and is over."""
    if os.environ.get("MUTUAL_INSIDE") == kind:
        return True
    words = ["unshare", kind, "sh", "-c", f'{prepare} && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"unshare {kind} is not permitted here")
    done = subprocess.run([*words, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           f"{request.path}::{request.node.name}"], env={**os.environ, "MUTUAL_INSIDE": kind},
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return False


class Namespace:
    """A mount namespace of our own. As root only: whoever is root in a user namespace is, for the program,
    root whose processes have to become somebody else, and there is nobody else in there."""

    def __init__(self):
        if os.geteuid() != 0:
            pytest.skip("mounting needs root")
        probe = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /tmp"], capture_output=True,
                               text=True)
        if probe.returncode != 0:
            pytest.skip(f"mounting is not permitted here: {probe.stderr.strip()}")
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", "echo up; exec sleep 600"],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "up\n"

    def words(self):
        """By which a command runs in there."""
        return ["nsenter", "-t", str(self.holder.pid), "--mount", "--"]

    def __call__(self, *command, status=0):
        done = subprocess.run([*self.words(), *map(str, command)], capture_output=True, text=True, timeout=60)
        if status is not None:
            assert done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
        return done

    def close(self):
        self.holder.kill()
        self.holder.wait()
