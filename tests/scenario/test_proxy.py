# SPDX-License-Identifier: Apache-2.0
"""mutual proxy server|client: one tunnel with ghostunnel's option names."""
import json
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from net import TlsClient, client_context, free_port, refused, say, until


@pytest.fixture
def proxy(gateway):
    def start(*args, **more):
        return gateway(None, args=["proxy", *map(str, args)], **more)
    return start


def server_args(pki, backend, *more):
    pair = pki.server()
    return ["server", "--listen", "127.0.0.1:0", "--target", backend.address, "--cert", pair.chain,
            "--key", pair.key, "--cacert", pki.bundle, "--workers", "1", *more]


@pytest.mark.parametrize("allow", [["--allow-cn", "client"], ["--allow-all"],
                                   ["--allow-uri", "spiffe://example.org/*"],
                                   ["--allow-dns", "nobody", "--allow-uri",
                                    "spiffe://example.org/client"]])
def test_who_is_allowed_comes_in(proxy, pki, backend, allow):
    g = proxy(*server_args(pki, backend, *allow))
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
    assert g.end(outcome="admitted")["rule"] == "allow"


@pytest.mark.parametrize("allow", [["--allow-cn", "other"], ["--allow-dns", "client"],
                                   ["--allow-uri", "spiffe://example.org/*/*"]])
def test_who_is_not_stays_out(proxy, pki, backend, allow):
    g = proxy(*server_args(pki, backend, *allow))
    refused(g.address(), client_context(pki, pki.client()))
    assert g.end(reason="policy_denied")


def test_nobody_is_asked_when_authentication_is_disabled(proxy, pki, backend):
    pair = pki.server()
    g = proxy("server", "--listen", "127.0.0.1:0", "--target", backend.address, "--cert",
              pair.chain, "--key", pair.key, "--disable-authentication")
    with TlsClient(g.address(), client_context(pki)) as client:
        client.ask()


def test_a_keystore_holds_both(proxy, pki, backend, tmp_path):
    pair = pki.server()
    store = tmp_path / "store.pem"
    store.write_text(pair.chain.read_text() + pair.key.read_text())
    store.chmod(0o600)
    g = proxy("server", "--listen", "127.0.0.1:0", "--target", backend.address, "--keystore", store,
              "--cacert", pki.bundle, "--allow-all")
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()


def test_both_ends(proxy, pki, backend):
    inner = proxy(*server_args(pki, backend, "--allow-cn", "client"), name="server")
    pair = pki.client()
    outer = proxy("client", "--listen", "127.0.0.1:0", "--target", inner.address(), "--cert",
                  pair.chain, "--key", pair.key, "--cacert", pki.bundle, "--override-server-name",
                  "localhost", name="client")
    with socket.create_connection(tuple(outer.address().rsplit(":", 1)), timeout=10) as plain:
        plain.sendall(b"hello")
        assert plain.recv(100) == b"hello"
    assert inner.end(outcome="admitted")["peer.id"] == "client"  # by the name that was allowed


@pytest.mark.parametrize("verify,good", [([], True), (["--verify-ip", "127.0.0.1"], True),
                                         (["--verify-dns", "localhost"], True),
                                         (["--verify-dns", "elsewhere"], False),
                                         (["--verify-uri", "spiffe://example.org/x"], False),
                                         (["--verify-cn", "server"], True)])
def test_the_server_is_verified(proxy, pki, backend, verify, good):
    inner = proxy(*server_args(pki, backend, "--allow-all"), name="server")
    pair = pki.client()
    outer = proxy("client", "--listen", "127.0.0.1:0", "--target", inner.address(), "--cert",
                  pair.chain, "--key", pair.key, "--cacert", pki.bundle, *verify, name="client")
    if good:
        with socket.create_connection(tuple(outer.address().rsplit(":", 1)), timeout=10) as plain:
            plain.sendall(b"hello")
            assert plain.recv(100) == b"hello"
    else:
        assert say(outer.address(), b"hello") == b""
        assert outer.end(reason="name_mismatch")


def test_status_over_http(proxy, pki, backend):
    port = free_port()
    proxy(*server_args(pki, backend, "--allow-all", "--status", f"127.0.0.1:{port}"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_status", timeout=5) as answer:
        status = json.load(answer)
    assert status["ok"] is True and status["services"][0]["name"] == "server"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        assert answer.read() == b"ok\n"


def test_limits(proxy, pki, backend):
    g = proxy(*server_args(pki, backend, "--allow-all", "--max-conn-lifetime", "1s",
                           "--max-concurrent-conns", "1", "--shutdown-timeout", "1s"))
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        with pytest.raises((OSError, EOFError)):
            for _ in range(60):
                client.ask()
                time.sleep(0.05)
    assert g.end(reason="lifetime")
    g.signal(signal.SIGTERM)
    assert g.process.wait(5) == 0


BAD = {
    "no-cacert": ["server", "--listen", "127.0.0.1:0", "--target", "127.0.0.1:1", "--cert", "c",
                  "--key", "k", "--allow-all"],
    "nobody": ["server", "--listen", "127.0.0.1:0", "--target", "127.0.0.1:1", "--cert", "c",
               "--key", "k", "--cacert", "a"],
    "key-missing": ["server", "--listen", "127.0.0.1:0", "--target", "127.0.0.1:1", "--cert", "c",
                    "--cacert", "a", "--allow-all"],
    "nothing-to-present": ["client", "--listen", "127.0.0.1:0", "--target", "localhost:1",
                           "--cacert", "a"],
    "unknown": ["server", "--listen", "127.0.0.1:0", "--target", "127.0.0.1:1", "--cert", "c",
                "--key", "k", "--cacert", "a", "--allow-ou", "ops"],
    "no-target": ["client", "--listen", "127.0.0.1:0", "--cacert", "a"],
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused(mutual, what):
    done = subprocess.run([mutual, "proxy", *BAD[what]], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize("args,word", [
    (["client", "--listen", "0.0.0.0:0", "--target", "localhost:1"], "unsafe-listen"),
    (["server", "--listen", "127.0.0.1:0", "--target", "192.0.2.1:1", "--allow-all"],
     "unsafe-forward"),
])
def test_plaintext_beyond_this_machine_must_be_said(mutual, pki, args, word):
    pair = pki.client() if args[0] == "client" else pki.server()
    done = subprocess.run([mutual, "proxy", *args, "--cert", pair.chain, "--key", pair.key,
                           "--cacert", pki.bundle], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and word in done.stderr, done.stderr
    assert "unsafe" in done.stderr


def test_timed_reload_takes_a_renewed_certificate(proxy, pki, backend, tmp_path):
    first, second = pki.server("proxy-first"), pki.server("proxy-second")
    live = [tmp_path / "live.pem", tmp_path / "live.key"]

    def install(pair):
        for source, target in zip((pair.chain, pair.key), live):
            fresh = target.with_suffix(".new")
            fresh.write_bytes(source.read_bytes())
            fresh.chmod(0o600)
            fresh.rename(target)

    install(first)
    g = proxy("server", "--listen", "127.0.0.1:0", "--target", backend.address, "--cert", live[0],
              "--key", live[1], "--cacert", pki.bundle, "--allow-all", "--timed-reload", "200ms")
    install(second)

    def seen():
        with TlsClient(g.address(), client_context(pki, pki.client())) as client:
            return client.tls.getpeercert()["subject"][0][0][1] == "proxy-second"
    until(seen)
