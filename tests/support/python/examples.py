#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The example programs of the library, started and talked to. As a program: examples.py CLIENT SERVER
lets one reach the other, which is a test of the build tree."""
import os
import pathlib
import subprocess
import sys
import tempfile

import pki as pki_module

PATTERN = "spiffe://example.org/*"


class ExampleServer:
    """The example server on a free port; `text` is what it has printed."""

    def __init__(self, program, world, pair, env=None):
        self.process = subprocess.Popen(
            [program, "0", pair.chain, pair.key, world.bundle, PATTERN], text=True, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        first = self.process.stdout.readline()
        assert first.startswith("listening on 127.0.0.1:"), first
        self.port = first.strip().rsplit(":", 1)[1]

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def run_client(program, world, pair, port, text="hello\n", env=None):
    return subprocess.run([program, "localhost", str(port), pair.chain, pair.key, world.bundle],
                          input=text, capture_output=True, text=True, timeout=30, env=env)


def main():
    client, server = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        world = pki_module.Pki(pathlib.Path(directory))
        with ExampleServer(server, world, world.server(), env=dict(os.environ)) as end:
            done = run_client(client, world, world.client("alice"), end.port)
            assert done.stdout == "server: localhost\nyou said: hello\n", done
            assert end.line() == 'client: spiffe://example.org/alice (grant "callers")'
    print("the client and the server proved who they are")


if __name__ == "__main__":
    main()
