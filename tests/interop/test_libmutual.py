# SPDX-License-Identifier: Apache-2.0
"""The library as its users get it: installed, found by pkg-config, and the examples built with it
facing each other and OpenSSL's own programs."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from examples import ExampleServer, run_client

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("MUTUAL", ROOT / "build" / "mutual")).resolve().parent
KEYS = ["ec-p256", "ec-p384", "rsa-2048", "ed25519"]


class Installed:
    """libmutual under a directory of its own, and the examples compiled against it."""

    def __init__(self, directory):
        self.root = directory / "root"
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", self.root],
                       check=True, capture_output=True)
        pc = next(self.root.rglob("mutual.pc"))
        self.libdir = pc.parent.parent
        self.env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent),
                    "PKG_CONFIG_SYSROOT_DIR": str(self.root), "LD_LIBRARY_PATH": str(self.libdir)}
        self.client = self.compile(directory, "client.c")
        self.server = self.compile(directory, "server.c")

    def flags(self, *what):
        done = subprocess.run(["pkg-config", *what, "mutual"], env=self.env, check=True,
                              capture_output=True, text=True)
        return done.stdout.split()

    def compile(self, directory, source, *more):
        program = directory / pathlib.Path(source).stem
        subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", ROOT / "examples" / source,
                        "-o", program, *more, *self.flags("--cflags", "--libs")],
                       check=True, env=self.env)
        return program


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.mark.parametrize("key", KEYS)
def test_examples_prove_who_they_are(installed, pki, key):
    alice = pki.client(f"alice-{key}", key=key)
    server = pki.server(f"server-{key}", key=key)
    with ExampleServer(installed.server, pki, server, env=installed.env) as end:
        done = run_client(installed.client, pki, alice, end.port, env=installed.env)
        assert done.stdout == "server: localhost\nyou said: hello\n"
        assert end.line() == f'client: spiffe://example.org/alice-{key} (grant "callers")'


def test_the_refused_are_told_why_on_both_sides(installed, pki):
    stranger = pki.client("stranger", issuer=pki.stranger)
    with ExampleServer(installed.server, pki, pki.server(), env=installed.env) as end:
        done = run_client(installed.client, pki, stranger, end.port, env=installed.env)
        assert done.returncode == 1
        assert 'error[PEER_REFUSED_US]: the server refused our certificate "stranger": unknown_ca' \
            in done.stdout
        assert end.line().startswith('error[CHAIN_INCOMPLETE]: certificate "stranger" was issued by')


def test_plain_http_is_told_what_it_is(installed, pki):
    with ExampleServer(installed.server, pki, pki.server(), env=installed.env) as end:
        with socket.create_connection(("127.0.0.1", int(end.port))) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert end.line() == \
            'error[NOT_TLS]: the client\'s first bytes are not TLS: "GET / HTTP/1.1"'


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_as_client(installed, pki, version):
    alice = pki.client("alice")
    with ExampleServer(installed.server, pki, pki.server(), env=installed.env) as end:
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{end.port}", version, "-quiet",
             "-servername", "localhost", "-CAfile", pki.bundle, "-verify_return_error", "-cert",
             alice.cert, "-cert_chain", alice.chain, "-key", alice.key],
            input="hello\n", capture_output=True, text=True, timeout=30)
        assert done.stdout == "you said: hello\n", done.stderr
        assert end.line() == 'client: spiffe://example.org/alice (grant "callers")'


def test_openssl_without_a_certificate(installed, pki):
    with ExampleServer(installed.server, pki, pki.server(), env=installed.env) as end:
        subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{end.port}", "-quiet"],
                       input="hello\n", capture_output=True, text=True, timeout=30)
        assert end.line() == "error[NO_CLIENT_CERT]: the client presented no certificate"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def openssl_server(pki, port, *more):
    server = pki.server()
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", server.cert, "-cert_chain",
         server.chain, "-key", server.key, "-rev", *more], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError("openssl s_server did not start")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_as_server_that_refuses(installed, pki, version):
    port = free_port()
    trusted = pki.stranger.cert
    process = openssl_server(pki, port, version, "-Verify", "3", "-verify_return_error", "-CAfile",
                             trusted)
    try:
        done = run_client(installed.client, pki, pki.client("alice"), port, env=installed.env)
        assert 'error[PEER_REFUSED_US]: the server refused our certificate "alice": unknown_ca' \
            in done.stdout
        assert "not among the authorities that the server names" in done.stdout
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_as_server_that_accepts(installed, pki, version):
    port = free_port()
    process = openssl_server(pki, port, version, "-Verify", "3", "-verify_return_error", "-CAfile",
                             pki.bundle)
    try:
        done = run_client(installed.client, pki, pki.client("alice"), port, env=installed.env)
        assert done.stdout.startswith("server: localhost\n"), done.stdout
        assert "PEER_REFUSED_US" not in done.stdout
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("compiler,flags", [("cc", ["-xc", "-std=c99"]),
                                            ("c++", ["-xc++", "-std=c++17"])])
def test_every_public_header_stands_alone(installed, compiler, flags):
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    for header in sorted((ROOT / "include" / "mutual").glob("*.h")):
        done = subprocess.run(
            [compiler, *flags, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
             *installed.flags("--cflags"), "-"], env=installed.env,
            input=f"#include <mutual/{header.name}>\n", capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
