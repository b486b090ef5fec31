# SPDX-License-Identifier: Apache-2.0
"""Ways around admission, tried from outside: data sent before the verdict, and bytes that come one by
one. Sessions carried to where they were not made are in attack_table.py."""
import contextlib
import socket
import ssl

import pytest
from gateway import inbound
from net import TIMEOUT, Backend, TlsClient, client_context, until

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_reaches_the_service_before_the_verdict(gateway, pki, version):
    """A TLS 1.3 client may send before it hears that it is refused."""
    heard = []

    def listen(one):
        while data := one.recv(4096):
            heard.append(data)

    with Backend(listen) as backend:
        config = inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/nobody"}])
        g = gateway(config)
        with contextlib.suppress(OSError, ssl.SSLError):
            with TlsClient(g.address(), client_context(pki, pki.client(), version)) as client:
                client.tls.sendall(b"drop table" * 1000)
                client.tls.recv(1)
        assert g.end(outcome="refused")["reason"] == "policy_denied"
        assert backend.accepted == 0 and not heard


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_that_come_one_by_one(gateway, pki, backend, version):
    g = gateway(inbound(pki, backend))
    host, port = g.address().rsplit(":", 1)
    arrived, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = client_context(pki, pki.client(), version)
    tls = context.wrap_bio(arrived, to_send, server_hostname="localhost")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def pump(step):
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                for byte in to_send.read():
                    raw.sendall(bytes([byte]))
                if result is not None:
                    return result
                more = raw.recv(1)
                assert more, "the gateway ended the connection"
                arrived.write(more)

        pump(lambda: tls.do_handshake() or True)
        pump(lambda: tls.write(b"slowly"))
        got = b""
        while got != b"slowly":
            got += pump(lambda: tls.read(64))
    until(lambda: g.ends())
