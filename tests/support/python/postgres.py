# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the test's own, on TCP and on a UNIX socket."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest
from net import free_port, until
from peers import listens, run


def tool(name):
    """initdb and postgres are kept apart from the other programs, by version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or \
        [path for path in [shutil.which(name)] if path]
    if not found:
        pytest.skip(f"not installed: {name}")
    return str(found[-1])


def other_user():
    """PostgreSQL does not run as root: who it runs as then."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    return pytest.skip("PostgreSQL does not run as root, and there is no other user")


class Postgres:
    """`settings` are options of the server; without any it does not wait for the disk."""

    def __init__(self, *settings):
        self.settings = settings or ("-F",)
        self.server, self.user = tool("postgres"), other_user()
        self.port = free_port()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mutual-pg-"))
        self.data = self.directory / "data"
        self.process = None

    def __enter__(self):
        try:
            self.directory.chmod(0o755)
            if self.user:
                os.chown(self.directory, self.user["user"], self.user["group"])
            run(tool("initdb"), "-D", self.data, "-A", "trust", "-U", "henry", "--no-sync",
                "--no-locale", "-E", "UTF8", cwd="/", **self.user)
            self.start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGINT)
        shutil.rmtree(self.directory)

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.server, "-D", self.data, *self.settings, "-k", self.directory, "-h",
                 "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self.user)
        until(listens(self.port), 30)
        until(self.answers, 30)

    def answers(self):
        """It listens before it has recovered from a crash."""
        return run("psql", "-X", "-At", "-d", self.where(), "-c", "SELECT 1",
                   status=None).returncode == 0

    def stop(self, how):
        """INT ends it in order, QUIT as a crash does."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def where(self, database="postgres"):
        """The address of a store."""
        return f"postgres://henry@127.0.0.1:{self.port}/{database}?sslmode=disable&gssencmode=disable"

    def sql(self, text, database="postgres"):
        return run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.where(database), "-c",
                   text)

    def create(self, database):
        self.sql(f"CREATE DATABASE {database}")
        return self.where(database)
