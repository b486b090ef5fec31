# SPDX-License-Identifier: Apache-2.0
"""The straight path: who may come in does, bytes go both ways, and the log tells it."""
import os
import socket
import ssl
import struct

import pytest
from gateway import inbound
from net import Backend, TlsClient, client_context, refused, say, until


# who encrypts the data after the handshake: both ways must look the same from outside
RECORDS = pytest.mark.parametrize("records", ["own", "library"])


def test_a_granted_client_is_let_through_and_logged(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask(b"over mutual TLS")
    line = g.end(outcome="admitted")
    assert line["listener"] == "db"
    assert line["peer.id"] == "spiffe://example.org/client"
    assert line["rule"] == "all"
    assert line["tls.version"] == "TLS 1.3"
    assert line["bytes_in"] == line["bytes_out"] == 15
    assert line["level"] == "info"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("key", ["ec-p256", "ec-p384", "rsa-2048", "rsa-pss", "ed25519"])
def test_every_key_type_and_version(gateway, pki, backend, key, version):
    # keys restricted to PSS sign for clients only: their handshakes are rare in servers
    server = pki.server(f"server-{key}", key="rsa-2048" if key == "rsa-pss" else key)
    g = gateway(inbound(pki, backend, server=server))
    with TlsClient(g.address(),
                   client_context(pki, pki.client(f"client-{key}", key=key), version)) as client:
        client.ask()
    assert g.end(outcome="admitted")["tls.version"] == \
        {ssl.TLSVersion.TLSv1_2: "TLS 1.2", ssl.TLSVersion.TLSv1_3: "TLS 1.3"}[version]


@RECORDS
def test_much_data_both_ways_at_once(gateway, pki, backend, records):
    g = gateway(inbound(pki, backend, tls={"record-layer": records}))
    data = os.urandom(1 << 20) * 24
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        got = client.exchange(data)
    assert got == data
    line = g.end(outcome="admitted")
    assert line["bytes_in"] == line["bytes_out"] == len(data)


@RECORDS
def test_a_reader_that_stalls_holds_the_writer_back(gateway, pki, records):
    sent = []

    def pour(one):
        one.settimeout(2)
        block = b"x" * 65536
        try:
            while len(sent) < 2000:
                one.sendall(block)
                sent.append(1)
        except socket.timeout:
            pass

    with Backend(pour) as backend:
        g = gateway(inbound(pki, backend, tls={"record-layer": records}))
        with TlsClient(g.address(), client_context(pki, pki.client())) as client:
            assert client.tls.recv(1)
            until(lambda: len(backend.lost) or len(sent) > 5)
            import time
            time.sleep(2.5)
            assert len(sent) < 2000, "124 MiB were taken from the backend for a client that sleeps"


@RECORDS
def test_a_direction_that_ends_leaves_the_other_open(gateway, pki, records):
    def behave(one):
        got = b""
        while data := one.recv(4096):
            got += data
        one.sendall(b"you said " + got)  # after the client's end came through

    with Backend(behave) as backend:
        g = gateway(inbound(pki, backend, tls={"record-layer": records}))
        context = client_context(pki, pki.client())
        raw = socket.create_connection(tuple(g.address().rsplit(":", 1)), timeout=10)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")

        def drive(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    data = raw.recv(65536)
                    incoming.write(data) if data else incoming.write_eof()
                finally:
                    raw.sendall(outgoing.read())

        drive(tls.do_handshake)
        tls.write(b"goodbye")
        raw.sendall(outgoing.read())
        try:
            tls.unwrap()  # sends close_notify; the answer is still to come
        except ssl.SSLError:
            pass
        raw.sendall(outgoing.read())
        # Python's ssl reads nothing after unwrap; that the bytes came is seen in the log
        line = g.end(listener="db")
        assert line["bytes_in"] == len(b"goodbye")
        assert line["bytes_out"] == len(b"you said goodbye")
        raw.close()


@RECORDS
def test_the_backend_may_end_first(gateway, pki, records):
    with Backend(lambda one: one.sendall(b"that is all")) as backend:
        g = gateway(inbound(pki, backend, tls={"record-layer": records}))
        with TlsClient(g.address(), client_context(pki, pki.client())) as client:
            assert client.tls.recv(100) == b"that is all"
            assert client.tls.recv(100) == b""  # close_notify: a clean end
            client.tls.unwrap()
        assert g.end(listener="db")["outcome"] == "admitted"


def test_a_unix_backend(gateway, pki, tmp_path):
    directory = tmp_path / "s"
    directory.mkdir(mode=0o755)
    for parent in [directory, *directory.parents]:
        if str(parent).startswith("/tmp/") and parent.owner() == directory.owner():
            parent.chmod(parent.stat().st_mode | 0o011)
    with Backend(path=directory / "backend.sock") as backend:
        g = gateway(inbound(pki, backend))
        with TlsClient(g.address(), client_context(pki, pki.client())) as client:
            client.ask()


def test_plain_tls_when_nobody_is_asked(gateway, pki, backend):
    config = inbound(pki, backend, clients={"mode": "none"})
    config["policy"] = []
    g = gateway(config)
    with TlsClient(g.address(), client_context(pki)) as client:
        client.ask()
    assert g.end(outcome="admitted")["tls.mutual"] is False


def test_request_lets_anonymous_in_only_by_a_grant(gateway, pki, backend):
    config = inbound(pki, backend, clients={"mode": "request", "trust": "corp"})
    g = gateway(config)
    refused(g.address(), client_context(pki))
    g.end(reason="policy_denied")
    config["policy"].append({"grant": "guests", "to": "db", "anonymous": True,
                             "owner": "tests", "why": "testing"})
    g.write(config)
    # the port is the kernel's choice: it stays over a reload
    assert g.reload()
    with TlsClient(g.address(), client_context(pki)) as client:
        client.ask()
    assert g.end(rule="guests")["peer.id"] is None


def test_resumption_is_judged_and_told(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    context = client_context(pki, pki.client(), ssl.TLSVersion.TLSv1_2)
    with TlsClient(g.address(), context) as client:
        client.ask()
        session = client.tls.session
    with TlsClient(g.address(), context, session=session) as client:
        client.ask()
        assert client.tls.session_reused
    assert g.end(tls_resumed=True)["peer.id"] == "spiffe://example.org/client"
    # the identity loses its grant: a resumed session is no way around it
    config = inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/somebody-else"}])
    g.write(config)
    assert g.reload()
    refused(g.address(), context, session=session)
    assert g.end(reason="policy_denied")


def test_outbound_proves_the_server_and_presents_us(gateway, pki, backend):
    inner = gateway(inbound(pki, backend), name="inner")
    client = pki.client("outbound-client")
    config = {
        "version": 1, "workers": 1,
        "trust": [{"name": "corp", "bundle": str(pki.bundle)}],
        "outbound": [{"name": "to-db", "listen": "127.0.0.1:0", "connect": inner.address(),
                      "server-name": "localhost", "trust": "corp",
                      "certificate": {"chain": str(client.chain), "key": str(client.key)},
                      "expect": [{"dns": "localhost"}]}],
    }
    outer = gateway(config, name="outer")
    host, port = outer.address().rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        plain.sendall(b"in the clear")
        assert plain.recv(100) == b"in the clear"
        plain.shutdown(socket.SHUT_WR)
        assert plain.recv(100) == b""
    assert inner.end(outcome="admitted")["peer.id"] == "spiffe://example.org/outbound-client"
    line = outer.end(outcome="admitted")
    assert line["side"] == "outbound" and line["bytes_in"] == 12

    config["outbound"][0]["expect"] = [{"dns": "elsewhere.example.org"}]
    outer.write(config)
    assert outer.reload()
    assert say(outer.address(), b"hello") == b""
    assert outer.end(reason="name_mismatch")


def test_outbound_is_told_why_the_server_refuses(gateway, pki, backend):
    inner = gateway(inbound(pki, backend, grants=[{"dns": "nobody.example.org"}]), name="inner")
    client = pki.client("outbound-client")
    outer = gateway({
        "version": 1, "workers": 1,
        "trust": [{"name": "corp", "bundle": str(pki.bundle)}],
        "outbound": [{"name": "to-db", "listen": "127.0.0.1:0", "connect": inner.address(),
                      "server-name": "localhost", "trust": "corp",
                      "certificate": {"chain": str(client.chain), "key": str(client.key)},
                      "expect": [{"dns": "localhost"}]}]}, name="outer")
    assert say(outer.address(), b"hello") == b""
    inner.end(reason="policy_denied")
    line = outer.end(listener="to-db")
    assert line["outcome"] != "admitted" and line["reason"]


def test_the_status_tells_services_processes_and_figures(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
        status = g.status()
    assert status["ok"] is True
    service = status["services"][0]
    assert service["listen"] == [g.address()]
    assert service["figures"]["open"] == 1 and service["figures"]["admitted"] == 1
    assert service["certificates"][0]["not_after"].endswith("Z")
    roles = [process["role"] for process in status["processes"]]
    assert roles == ["parent", "keys", "worker"]
    assert all("seccomp" in process["sandbox"] for process in status["processes"][1:])
    assert say_status(g).startswith(b"HTTP/1.1 404")


def say_status(g):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(g.control))
        raw.sendall(b"GET /elsewhere HTTP/1.0\r\n\r\n")
        return raw.recv(4096)


def read_header(one):
    """The PROXY header that precedes the stream: (addresses, {type: value})."""
    def exactly(n):
        got = b""
        while len(got) < n:
            more = one.recv(n - len(got))
            assert more
            got += more
        return got
    head = exactly(16)
    assert head[:12] == b"\r\n\r\n\0\r\nQUIT\n" and head[12] == 0x21 and head[13] == 0x11
    body = exactly(struct.unpack(">H", head[14:])[0])

    def tlvs(data):
        found = {}
        while data:
            kind, length = struct.unpack(">BH", data[:3])
            found[kind] = data[3:3 + length]
            data = data[3 + length:]
        return found
    found = tlvs(body[12:])
    found.update(tlvs(found[0x20][5:]))
    return body[:12], found


@pytest.mark.parametrize("kind", ["v2", "v2-cert"])
def test_the_backend_is_told_who_connects(gateway, pki, kind):
    seen = []

    def behave(one):
        seen.append(read_header(one))
        Backend.echo(one)

    with Backend(behave) as backend:
        g = gateway(inbound(pki, backend, **{"proxy-protocol": kind, "alpn": ["postgresql"]}))
        context = client_context(pki, pki.client())
        context.set_alpn_protocols(["postgresql"])
        with TlsClient(g.address(), context) as client:
            client.ask()
            port = client.tls.getsockname()[1]
        addresses, tlvs = seen[0]
        assert addresses[:8] == bytes([127, 0, 0, 1, 127, 0, 0, 1])
        assert struct.unpack(">H", addresses[8:10])[0] == port
        assert tlvs[0x20][:5] == b"\x07\0\0\0\0"
        assert tlvs[0x01] == b"postgresql" and tlvs[0x02] == b"localhost"
        assert tlvs[0x21] == b"TLSv1.3" and tlvs[0x22] == b"client"
        assert tlvs[0x24] == b"ecdsa-with-SHA256" and tlvs[0x25] == b"EC256"
        assert tlvs[0xE0] == b"spiffe://example.org/client"
        der = ssl.PEM_cert_to_DER_cert(pki.client().pem())
        assert tlvs.get(0x28) == (der if kind == "v2-cert" else None)


def test_several_services_in_one_process(gateway, pki, backend):
    config = inbound(pki, backend)
    config["inbound"].append({**config["inbound"][0], "name": "web", "listen": "127.0.0.1:0"})
    config["workers"] = 2
    g = gateway(config)
    context = client_context(pki, pki.client())
    with TlsClient(g.address("db"), context) as client:
        client.ask()
    refused(g.address("web"), context)
    assert g.end(listener="web")["reason"] == "policy_denied"
