# SPDX-License-Identifier: Apache-2.0
"""One port for plain TCP, TLS and mutual TLS, by the word unsafe-plain: told apart by the first byte, once,
and no way round anything."""
import socket
import time

import pytest
from gateway import inbound
from net import TIMEOUT, Backend, TlsClient, client_context, refused, until


def mixed(pki, backend, mode="observe", **more):
    trust = {"trust": "corp"} if mode != "none" else {}
    return inbound(pki, backend, clients={"mode": mode, **trust},
                   **{"unsafe-plain": True, "plain-wait": "300ms", **more})


def plain(address, *pieces, pause=0.0, read=None):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            raw.sendall(piece)
            time.sleep(pause)
        got = b""
        try:
            while len(got) < (read if read is not None else len(b"".join(pieces))):
                more = raw.recv(65536)
                if not more:
                    break
                got += more
        except ConnectionError:
            pass
        return got


@pytest.mark.parametrize("mode", ["none", "observe"])
def test_all_three_share_the_port(gateway, pki, backend, mode):
    g = gateway(mixed(pki, backend, mode))
    assert plain(g.address(), b"hello plain") == b"hello plain"
    for pair in (None, pki.client()):
        with TlsClient(g.address(), client_context(pki, pair)) as client:
            client.ask()
    end = g.end(plaintext=True)
    assert end["peer.id"] is None and end["tls.version"] is None and end["outcome"] == "admitted", end
    assert end["shadow"] == ("not_tls" if mode == "observe" else None), end
    assert len([end for end in g.ends() if end["plaintext"]]) == 1


def test_it_is_loud_and_off(gateway, pki, backend):
    config = mixed(pki, backend)
    g = gateway(config)
    assert any("lets in who speaks no TLS" in line["msg"] for line in g.events("configuration"))
    config["inbound"][0]["unsafe-plain"] = False
    g.write(config)
    assert g.reload()
    accepted = backend.accepted
    plain(g.address(), b"GET / HTTP/1.0\r\n\r\n", read=1)
    assert g.end(reason="not_tls") and backend.accepted == accepted


@pytest.mark.parametrize("mode", ["require", "request"])
def test_beside_a_required_certificate_it_cannot_be(gateway, pki, backend, mode):
    config = mixed(pki, backend, mode)
    g = gateway(config, expect_failure=True)
    assert g.status != 0 and "cannot let in who speaks no TLS" in g.text()


def test_an_open_one_ends_with_the_word(gateway, pki, backend):
    """The reload that takes the word back reaches connections that are open."""
    config = mixed(pki, backend)
    g = gateway(config)
    host, port = g.address().rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as raw:
        raw.sendall(b"x")
        assert raw.recv(1) == b"x"
        del config["inbound"][0]["unsafe-plain"], config["inbound"][0]["plain-wait"]
        g.write(config)
        assert g.reload()
        assert g.end(plaintext=True)["reason"] == "not_tls"
        with pytest.raises(ConnectionError):
            for _ in range(50):
                raw.sendall(b"more")
                if raw.recv(4) == b"":
                    raise ConnectionError


@pytest.mark.parametrize("pieces", [[b"\x16"], [b"\x16\3\1"], [b"\x16GET / HTTP/1.0\r\n\r\n"],
                                    [b"\x16\3\1\2\0" + bytes(512)]])
def test_what_looks_like_tls_is_tls_or_nothing(gateway, pki, backend, pieces):
    g = gateway(mixed(pki, backend, timeouts={"handshake": "1s"}))
    accepted = backend.accepted
    plain(g.address(), *pieces, read=1000)
    assert not g.end()["plaintext"] and backend.accepted == accepted


def test_plaintext_before_a_hello_stays_plaintext(gateway, pki):
    """Once plain, always plain: a hello behind it is bytes for the service, never a session of ours."""
    heard = bytearray()

    def behave(one):
        while data := one.recv(65536):
            heard.extend(data)
            one.sendall(b"k" * len(data))

    with Backend(behave) as backend:
        g = gateway(mixed(pki, backend))
        hello = b"\x16\3\1\0\5\1\0\0\1\0"
        assert plain(g.address(), b"STARTTLS\r\n", hello, pause=0.1) == b"k" * 20
        until(lambda: bytes(heard) == b"STARTTLS\r\n" + hello)
        assert g.end()["plaintext"]


def test_a_service_that_speaks_first_is_heard(gateway, pki):
    def behave(one):
        one.sendall(b"220 ready\r\n")
        Backend.echo(one)

    with Backend(behave) as backend:
        g = gateway(mixed(pki, backend))
        began = time.monotonic()
        assert plain(g.address(), read=11) == b"220 ready\r\n"
        assert time.monotonic() - began >= 0.25


def test_a_late_hello_is_no_session(gateway, pki, backend):
    """Who is silent too long is plain; a TLS client that begins then speaks with the service's bytes."""
    g = gateway(mixed(pki, backend))
    host, port = g.address().rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as raw:
        time.sleep(0.6)
        raw.sendall(b"\x16\3\1\0\1\0")
        assert raw.recv(6) == b"\x16\3\1\0\1\0"
    assert g.end()["plaintext"]


def test_the_header_for_the_service_tells_of_no_tls(gateway, pki):
    heard = []

    def behave(one):
        heard.append(one.recv(65536))
        one.sendall(b"hello")

    with Backend(behave) as backend:
        g = gateway(mixed(pki, backend, **{"proxy-protocol": "v2-cert"}))
        plain(g.address(), b"x", read=5)
    assert heard[0].startswith(b"\r\n\r\n\0\r\nQUIT\n") and b"TLS" not in heard[0]


def test_a_broken_one_harms_nobody(gateway, pki, backend):
    g = gateway(mixed(pki, backend))
    host, port = g.address().rsplit(":", 1)
    for how in range(3):
        with socket.create_connection((host, int(port)), timeout=TIMEOUT) as raw:
            if how > 0:
                raw.sendall(b"x")
            if how > 1:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    assert plain(g.address(), b"still here") == b"still here"
    until(lambda: g.figures("db")["open"] == 0)
    assert g.status()["deaths"] == 0
