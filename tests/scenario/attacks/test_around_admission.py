# SPDX-License-Identifier: Apache-2.0
"""Ways around admission, tried from outside: sessions carried to where they were not made, data sent
before the verdict, and bytes that come one by one."""
import contextlib
import copy
import socket
import ssl

import pytest
from gateway import inbound
from net import TIMEOUT, Backend, TlsClient, client_context, refused, until
from pki import Pki

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def with_second(config, name="ledger", **more):
    """The same listener again under another name, with the same certificate and no grant."""
    second = copy.deepcopy(config["inbound"][0])
    second.update(name=name, **more)
    config["inbound"].append(second)
    return config


def resumable(address, context):
    """A session that the server would resume where it was made."""
    with TlsClient(address, context) as client:
        client.ask()
        session = client.tls.session
    with TlsClient(address, context, session=session) as client:
        client.ask()
        assert client.tls.session_reused
        return client.tls.session


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_one_listener_opens_no_other(gateway, pki, backend, version):
    g = gateway(with_second(inbound(pki, backend)))
    context = client_context(pki, pki.client(), version)
    session = resumable(g.address("db"), context)
    accepted = backend.accepted
    refused(g.address("ledger"), context, session=session)
    end = g.end(listener="ledger")
    assert end["reason"] == "policy_denied" and end["tls.resumed"] is False, end
    assert backend.accepted == accepted


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["none", "request"])
def test_a_session_without_a_certificate_opens_no_door_that_wants_one(gateway, pki, backend, mode,
                                                                       version):
    config = with_second(inbound(pki, backend), "lax", clients={"mode": mode, "trust": "corp"})
    if mode == "none":
        del config["inbound"][1]["clients"]["trust"]
    else:
        config["policy"].append({"grant": "anybody", "to": "lax", "anonymous": True,
                                 "owner": "tests", "why": "testing"})
    g = gateway(config)
    context = client_context(pki, None, version)
    session = resumable(g.address("lax"), context)
    accepted = backend.accepted
    refused(g.address("db"), context, session=session)
    end = g.end(listener="db")
    assert end["reason"] == "no_client_cert" and end["tls.resumed"] is False, end
    assert backend.accepted == accepted


@pytest.mark.parametrize("version", VERSIONS)
def test_the_revoked_resume_nothing(gateway, tmp_path, backend, version):
    pki = Pki(tmp_path)
    pair = pki.client("soon-revoked")
    crl = pki.issuer.crl(tmp_path / "issuer.crl")
    g = gateway(inbound(pki, backend, trust={"intermediates": str(pki.issuer.cert),
                                             "revocation": {"crl": str(crl)}}))
    context = client_context(pki, pair, version)
    session = resumable(g.address(), context)
    pki.issuer.revoke(pair)
    pki.issuer.crl(crl)
    assert g.reload()
    accepted = backend.accepted
    refused(g.address(), context, session=session)
    end = g.end(reason="revoked")
    assert end["tls.resumed"] is False
    assert backend.accepted == accepted


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
