# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: closed, a line that names the thing and the remedy, and nobody else notices."""
import contextlib
import os
import socket
import ssl
import struct
import subprocess

import pytest
from gateway import inbound
from net import TlsClient, client_context, refused, say, until
from pki import Authority


@pytest.fixture(scope="module")
def running(mutual, pki, tmp_path_factory):
    """One gateway for the whole list, with a good connection that has to survive it."""
    from gateway import Gateway
    from net import Backend
    with Backend() as backend:
        revoked = pki.client("revoked")
        pki.issuer.revoke(revoked)
        crl = pki.issuer.crl(pki.directory / "issuer.crl")
        g = Gateway(mutual, tmp_path_factory.mktemp("refusals"),
                    inbound(pki, backend, trust={"intermediates": str(pki.issuer.cert),
                                              "revocation": {"crl": str(crl)}},
                            timeouts={"handshake": "2s"}))
        g.start()
        with TlsClient(g.address(), client_context(pki, pki.client())) as good:
            good.ask()
            yield g, good
            good.ask(b"still here")
        g.stop()


@pytest.fixture
def story(running):
    """(address, function that yields the new connection's line); the good one goes on."""
    g, good = running
    before = len(g.ends())

    def line():
        return until(lambda: len(g.ends()) > before and g.ends()[-1])

    yield g.address(), line
    good.ask(b"undisturbed")
    last = line()
    assert last["outcome"] == ("left" if last["reason"] == "peer_silent" else "refused"), last
    assert last["reason"] and last["detail"] and last["msg"], last
    assert len(last["hint"]) > 15, "it says what to do"
    assert last["listener"] == "db" and last["peer.addr"].startswith("127.0.0.1:")


# -- not TLS, or no good TLS ---------------------------------------------------------------------

def test_plain_http(story):
    address, line = story
    say(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert line()["reason"] == "not_tls"


def test_garbage(story):
    address, line = story
    say(address, os.urandom(7).replace(b"\x16", b"\0") * 100)
    assert line()["reason"] == "not_tls"


def test_ssl_2(story):
    address, line = story
    say(address, bytes([0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10]) + b"\0" * 37)
    assert line()["reason"] == "protocol_version"


def hello(version, body_version=None, ciphers=b"\xc0\x2f\x00\x9c", extensions=b""):
    body = (struct.pack(">H", body_version or version) + b"\1" * 32 + b"\0" +
            struct.pack(">H", len(ciphers)) + ciphers + b"\1\0")
    if extensions:
        body += struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16" + struct.pack(">HH", version, len(handshake)) + handshake


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_old_versions(story, version):
    address, line = story
    assert say(address, hello(version))[:1] in (b"\x15", b"")
    assert line()["reason"] == "protocol_version"


def test_truncated_hello(story):
    address, line = story
    with socket.create_connection(tuple(address.rsplit(":", 1))) as raw:
        raw.sendall(hello(0x0303)[:20])
        raw.shutdown(socket.SHUT_WR)
        raw.recv(100)
    assert line()["reason"] == "hello_malformed"


def test_oversized_hello(story):
    address, line = story
    say(address, b"\x16\x03\x01\x40\x00\x01\x00\xff\xfc\x03\x03" + b"\0" * 70000)
    assert line()["reason"] == "hello_malformed"


def test_nothing_is_said(story):
    address, line = story
    assert say(address, b"") == b""
    assert line()["reason"] == "timeout"


@pytest.mark.parametrize("how", ["close", "reset"])
def test_health_checks_are_no_attack(story, how):
    """Who connects and leaves, politely or not, is told, but warns and refuses nobody."""
    address, line = story
    with socket.create_connection(tuple(address.rsplit(":", 1))) as raw:
        if how == "reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert line()["reason"] == "peer_silent" and line()["level"] == "info"


def test_no_shared_cipher(story, pki):
    address, line = story
    context = client_context(pki, pki.client(), ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA")
    refused(address, context)
    assert line()["reason"] == "no_shared_cipher"


# -- who is not let in ---------------------------------------------------------------------------

def present(story, pki, pair, context=None):
    address, line = story
    refused(address, context or client_context(pki, pair))
    return line()


def test_no_certificate(story, pki):
    assert present(story, pki, None)["reason"] == "no_client_cert"


def test_stranger(story, pki):
    pair = pki.client("a-stranger", issuer=pki.stranger)
    chain = pki.directory / "a-stranger.whole.pem"
    chain.write_text(pair.pem() + pki.stranger.cert.read_text())
    context = client_context(pki)
    context.load_cert_chain(chain, pair.key)
    assert present(story, pki, pair, context)["reason"] == "unknown_issuer"


def test_expired(story, pki):
    line = present(story, pki, pki.client("expired", days=(-20, -1)))
    assert line["reason"] == "expired" and "expired" in line["detail"]


def test_not_yet_valid(story, pki):
    assert "not_yet_valid" in present(story, pki, pki.client("early", days=(2, 20)))["reason"]


def test_revoked(story, pki):
    line = present(story, pki, pki.client("revoked"))
    assert line["reason"] == "revoked"


def test_wrong_purpose(story, pki):
    line = present(story, pki, pki.pair("a-server", eku="serverAuth"))
    assert line["reason"] == "eku_missing"


def test_bad_name(story, pki):
    line = present(story, pki, pki.client("bad-name", sans=["URI:spiffe://Example.org/x"]))
    assert line["reason"] == "spiffe_malformed"


def test_weak_key(story, pki):
    pair = pki.client("weak", key="rsa-1024")
    context = client_context(pki)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(pair.chain, pair.key)
    assert present(story, pki, pair, context)["reason"] == "weak_key"


def test_missing_intermediate(story, pki):
    middle = Authority(pki.directory, f"Middle{os.getpid()}", parent=pki.root)
    pair = pki.client("no-chain", issuer=middle)
    context = client_context(pki)
    context.load_cert_chain(pair.cert, pair.key)
    line = present(story, pki, pair, context)
    assert line["reason"] == "chain_incomplete" and "Middle" in line["detail"]


def test_hundred_certificates(story, pki):
    pair = pki.client("hundred")
    chain = pki.directory / "hundred.long.pem"
    chain.write_text(pair.cert.read_text() + pki.issuer.cert.read_text() * 99)
    context = client_context(pki)
    context.load_cert_chain(chain, pair.key)
    line = present(story, pki, pair, context)
    assert line["reason"] == "chain_too_long" and "100" in line["detail"]


def test_an_authority_as_client(story, pki):
    context = client_context(pki)
    chain = pki.directory / "authority.pem"
    chain.write_text(pki.issuer.cert.read_text() + pki.issuer.pair.key.read_text())
    context.load_cert_chain(chain)
    line = present(story, pki, None, context)
    assert line["reason"] == "ca_as_peer"


def test_no_grant(story, pki):
    line = present(story, pki, pki.client("no-grant", sans=["DNS:other.example.org"]))
    assert line["reason"] == "policy_denied" and "other.example.org" in line["detail"]


def test_constraint_of_the_issuer(story, pki):
    narrow = Authority(pki.directory, f"Narrow{os.getpid()}", parent=pki.root,
                       ext=["nameConstraints=critical,permitted;DNS:inside.example.org"])
    line = present(story, pki, pki.client("outside", issuer=narrow,
                                          sans=["DNS:outside.example.org"]))
    assert line["reason"] == "name_constraint"


def test_the_peer_learns_only_the_alert(running, pki):
    g, _ = running
    error = refused(g.address(), client_context(pki, pki.client("expired", days=(-20, -1))))
    assert "policy" not in str(error) and "db" not in str(error)


# -- what is behind is not there -----------------------------------------------------------------

def test_backend_down(gateway, pki):
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        g = gateway(inbound(pki, f"127.0.0.1:{taken.getsockname()[1]}"))
        context = client_context(pki, pki.client())
        refused(g.address(), context)
        line = g.end(reason="upstream_down")
        assert str(taken.getsockname()[1]) in line["detail"]


def test_backend_is_down_then_up(gateway, pki, backend):
    g = gateway(inbound(pki, "127.0.0.1:1"))
    context = client_context(pki, pki.client())
    refused(g.address(), context)
    g.write(inbound(pki, backend))
    assert g.reload()
    with TlsClient(g.address(), context) as client:
        client.ask()


def test_a_full_disk_under_the_log(gateway, pki, backend):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "wb") as full:
        config = inbound(pki, backend)
        from net import free_port
        port = free_port()
        config["inbound"][0]["listen"] = f"127.0.0.1:{port}"
        g = gateway(config, stderr=full)

        def up():
            with contextlib.suppress(OSError, AssertionError):
                with TlsClient(f"127.0.0.1:{port}", client_context(pki, pki.client())) as client:
                    client.ask()
                    return True
        until(up)
        assert g.process.poll() is None and up()
