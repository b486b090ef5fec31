# SPDX-License-Identifier: Apache-2.0
"""Services of other makers behind our inbound: nginx and HAProxy, which are told by the PROXY
protocol who connects, and PostgreSQL, which psql reaches through an outbound and an inbound."""
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import tempfile

import pytest
from gateway import Gateway
from net import Backend, TlsClient, client_context, free_port
from peers import ENV, House, haproxy, listens, need, nginx, run, running
from postgres import Postgres

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
# what HAProxy 2.6 can show of the header
SHOWN = "%[src]:%[src_port] %[dst_port] %[fc_rcvd_proxy] %[fc_pp_authority]"


@pytest.fixture(scope="module")
def house(mutual, tmp_path_factory):
    return House(mutual, tmp_path_factory.mktemp("house") / "d")


@pytest.fixture
def serve(mutual, house, tmp_path):
    """Starts a gateway with these inbounds and outbounds, everybody granted."""
    started = []

    def start(inbound, outbound=(), name="gateway"):
        server = house.server("front")
        one = Gateway(mutual, tmp_path, {
            "version": 1, "workers": 1,
            "trust": [{"name": "corp", "bundle": str(house.bundle)}],
            "inbound": [{"name": "db", "listen": "127.0.0.1:0",
                         "certificate": str(server.directory),
                         "clients": {"mode": "require", "trust": "corp"}, **more}
                        for more in inbound],
            "outbound": list(outbound),
            "policy": [{"grant": "all", "to": "*", "from": [{"spiffe": "spiffe://example.org/*"}],
                        "owner": "tests", "why": "testing"}]}, name=name)
        started.append(one)
        one.start()
        return one

    yield start
    for one in reversed(started):
        one.stop()


def fetch(house, address, data=REQUEST, who="alice", alpn=None):
    """What the service answers, and the client's own port."""
    context = client_context(None, house.client(who), ca=house.bundle)
    if alpn:
        context.set_alpn_protocols([alpn])
    with TlsClient(address, context) as client:
        client.tls.sendall(data)
        got = b""
        while more := client.tls.recv(65536):
            got += more
        return got.decode(errors="replace"), client.tls.getsockname()[1]


@pytest.fixture
def open_directory():
    """A short path that everybody can pass, for sockets and for servers that drop their rights."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mutual-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


# -- nginx and HAProxy ----------------------------------------------------------------------------


def test_nginx_behind_a_unix_socket_and_tcp(serve, house, tmp_path, open_directory):
    need("nginx")
    port, path = free_port(), open_directory / "nginx.sock"
    (tmp_path / "big").write_bytes(os.urandom(1 << 20) * 6)
    tmp_path.chmod(0o755)
    with nginx(tmp_path / "nginx", port, f"""
    server {{
        listen 127.0.0.1:{port}; listen unix:{path};
        location / {{ return 200 "nginx $server_protocol\\n"; }}
        location = /echo {{ client_body_in_single_buffer on; client_body_buffer_size 8m;
                            proxy_pass http://127.0.0.1:{port}/sink;
                            proxy_set_header Size $content_length; }}
        location = /sink {{ return 200 "took $http_size\\n"; }}
    }}"""):
        g = serve([{"forward": f"127.0.0.1:{port}", "name": "tcp"},
                   {"forward": f"unix:{path}", "name": "unix"}])
        for name in ("tcp", "unix"):
            got, _ = fetch(house, g.address(name))
            assert got.startswith("HTTP/1.1 200 OK") and got.endswith("nginx HTTP/1.0\n"), got
            body = (tmp_path / "big").read_bytes()
            head = f"POST /echo HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            got, _ = fetch(house, g.address(name), head + body)
            assert got.endswith(f"took {len(body)}\n"), got
            assert g.end(listener=name, bytes_in=len(head + body))["outcome"] == "admitted"


def test_nginx_reads_the_proxy_header(serve, house, tmp_path):
    need("nginx")
    port = free_port()
    with nginx(tmp_path / "nginx", port, f"""
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
        set $client "$proxy_protocol_addr:$proxy_protocol_port";
        location / {{ return 200 "$client $remote_addr:$remote_port $proxy_protocol_server_port"; }}
    }}"""):
        for kind in ("v2", "v2-cert"):
            g = serve([{"forward": f"127.0.0.1:{port}", "proxy-protocol": kind}], name=kind)
            got, ours = fetch(house, g.address())
            client, real, server = got.split("\r\n\r\n")[1].split()
            assert client == real == f"127.0.0.1:{ours}"
            assert g.address().endswith(f":{server}")


def nginx_version():
    if shutil.which("nginx", path=ENV["PATH"]) is None:
        return (0,)
    text = run("nginx", "-v").stderr
    return tuple(int(part) for part in text.split("/")[1].split()[0].split("."))


@pytest.mark.skipif(nginx_version() < (1, 23, 2), reason="this nginx is older than its variables "
                    "for the TLVs of the PROXY protocol (1.23.2); the tests' own reader sees them")
def test_nginx_shows_the_facts_of_the_proxy_header(serve, house, tmp_path):
    port = free_port()
    with nginx(tmp_path / "nginx", port, f"""
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        set $ssl "$proxy_protocol_tlv_ssl_version $proxy_protocol_tlv_ssl_cn";
        set $more "$proxy_protocol_tlv_ssl_verify $proxy_protocol_tlv_authority";
        location / {{ return 200 "$ssl $more"; }}
    }}"""):
        g = serve([{"forward": f"127.0.0.1:{port}", "proxy-protocol": "v2"}])
        got, _ = fetch(house, g.address())
        assert got.split("\r\n\r\n")[1].split() == ["TLSv1.3", "alice", "0", "localhost"]


@pytest.mark.parametrize("kind", ["v2", "v2-cert"])
def test_haproxy_reads_the_proxy_header(serve, house, tmp_path, kind):
    """It checks the CRC-32C itself and drops a connection whose header has another."""
    need("haproxy")
    port = free_port()
    with haproxy(tmp_path / "haproxy", port, f"""
frontend behind
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200 content-type text/plain lf-string "{SHOWN}"
"""):
        g = serve([{"forward": f"127.0.0.1:{port}", "proxy-protocol": kind}])
        got, ours = fetch(house, g.address())
        assert got.split("\r\n\r\n")[1].split() == [
            f"127.0.0.1:{ours}", g.address().rsplit(":", 1)[1], "1", "localhost"]
        assert g.end(outcome="admitted")["peer.id"] == "spiffe://example.org/alice"


def test_haproxy_refuses_who_comes_without_a_header(serve, house, tmp_path):
    """So that the test above shows something."""
    need("haproxy")
    port = free_port()
    with haproxy(tmp_path / "haproxy", port, f"""
frontend behind
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200
"""):
        g = serve([{"forward": f"127.0.0.1:{port}"}])
        assert fetch(house, g.address())[0] == ""


# -- a strict reader of the PROXY protocol, written from its specification ------------------------


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def tlvs(data):
    found = {}
    while data:
        assert len(data) >= 3, "a TLV is cut off"
        kind, length = struct.unpack(">BH", data[:3])
        assert len(data) >= 3 + length, f"TLV {kind:#x} is longer than the header"
        assert kind not in found, f"TLV {kind:#x} came twice"
        found[kind] = data[3:3 + length]
        data = data[3 + length:]
    return found


class ProxyHeader:
    """Version 2, read as strictly as the specification allows; the stream follows."""

    def __init__(self, one):
        def exactly(count):
            got = one.recv(count, socket.MSG_WAITALL)
            assert len(got) == count, "the header is cut off"
            return got
        head = exactly(16)
        signature, command, self.family, length = struct.unpack(">12sBBH", head)
        assert signature == b"\r\n\r\n\0\r\nQUIT\n" and command == 0x21
        body = exactly(length)
        size = {0x11: 12, 0x21: 36, 0x31: 216, 0x00: 0}[self.family]
        self.addresses = body[:size]
        self.tlvs = tlvs(body[size:])
        if 0x03 in self.tlvs:
            assert len(self.tlvs[0x03]) == 4
            at = 16 + size
            while (head + body)[at] != 0x03:
                at += 3 + struct.unpack(">H", (head + body)[at + 1:at + 3])[0]
            zeroed = (head + body)[:at + 3] + b"\0\0\0\0" + (head + body)[at + 7:]
            assert struct.unpack(">I", self.tlvs[0x03])[0] == crc32c(zeroed)
        if 0x20 in self.tlvs:
            self.client, self.verify = struct.unpack(">BI", self.tlvs[0x20][:5])
            self.ssl = tlvs(self.tlvs[0x20][5:])


def test_the_checksum_of_the_reader_is_right():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of RFC 3720's polynomial


@pytest.mark.parametrize("key,algorithm", [("ec-p256", b"EC256"), ("ec-p384", b"EC384"),
                                           ("rsa-2048", b"RSA2048"), ("ed25519", b"ED25519")])
@pytest.mark.parametrize("kind", ["v2", "v2-cert"])
def test_a_strict_reader_takes_the_header(serve, house, kind, key, algorithm):
    """The signature and key algorithms are those of the certificate that we present, as the
    specification has it (section 2.2.6); the name and the certificate are the client's."""
    seen = []

    def behave(one):
        seen.append(ProxyHeader(one))
        Backend.echo(one)

    with Backend(behave) as backend:
        g = serve([{"forward": backend.address, "proxy-protocol": kind, "alpn": ["postgresql"],
                    "certificate": str(house.server(f"front-{key}", key).directory)}])
        context = client_context(None, house.client(f"client-{key}", key), ca=house.bundle)
        context.set_alpn_protocols(["postgresql"])
        with TlsClient(g.address(), context) as client:
            client.ask()
            ours = client.tls.getsockname()[1]
            cipher = client.tls.cipher()[0]
    header, = seen
    assert header.family == 0x11
    assert header.addresses == socket.inet_aton("127.0.0.1") * 2 + struct.pack(
        ">HH", ours, int(g.address().rsplit(":", 1)[1]))
    assert 0x03 in header.tlvs, "no CRC-32C"
    assert header.tlvs[0x01] == b"postgresql" and header.tlvs[0x02] == b"localhost"
    # PP2_CLIENT_SSL, CERT_CONN and CERT_SESS; verified: 0
    assert header.client == 0x07 and header.verify == 0
    assert header.ssl[0x21] == b"TLSv1.3" and header.ssl[0x22] == f"client-{key}".encode()
    assert header.ssl[0x23].decode() == cipher
    assert header.ssl[0x24] == b"ecdsa-with-SHA256" and header.ssl[0x25] == algorithm
    whole = ssl.PEM_cert_to_DER_cert(CERTIFICATE.search(
        house.client(f"client-{key}").chain.read_text())[0])
    assert header.ssl.get(0x28) == (whole if kind == "v2-cert" else None)


def test_the_header_of_plain_tls_claims_no_certificate(serve, house):
    seen = []

    def behave(one):
        seen.append(ProxyHeader(one))
        Backend.echo(one)

    with Backend(behave) as backend:
        g = serve([{"forward": backend.address, "proxy-protocol": "v2-cert",
                    "clients": {"mode": "none"}}])
        with TlsClient(g.address(), client_context(None, ca=house.bundle)) as client:
            client.ask()
    assert seen[0].client == 0x01 and seen[0].verify != 0
    assert 0x22 not in seen[0].ssl and 0x28 not in seen[0].ssl


# -- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres():
    need("psql", "pg_dump")
    with Postgres() as server:
        yield server


def database(port, host="127.0.0.1"):
    return f"host={host} port={port} user=henry dbname=postgres sslmode=disable gssencmode=disable"


def psql(where, *words, status=0):
    return run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", where, *words, status=status)


@pytest.mark.parametrize("behind", ["tcp", "unix"])
def test_psql_through_outbound_and_inbound(serve, house, postgres, open_directory, tmp_path,
                                           behind):
    """psql in the clear to a UNIX or TCP socket of ours; mutual TLS between; PostgreSQL behind."""
    forward = {"tcp": f"127.0.0.1:{postgres.port}",
               "unix": f"unix:{postgres.directory}/.s.PGSQL.{postgres.port}"}[behind]
    inner = serve([{"forward": forward, "alpn": ["postgresql"]}], name="inner")
    g = serve([], [{"name": "to-db",
                    "listen": ["127.0.0.1:0", f"unix:{open_directory}/.s.PGSQL.5432"],
                    "connect": inner.address(), "server-name": "localhost", "trust": "corp",
                    "certificate": str(house.client("alice").directory), "alpn": ["postgresql"],
                    "expect": [{"dns": "localhost"}]}], name="outer")
    where = database(next(line["msg"] for line in g.events("listening")
                          if "127.0.0.1:" in line["msg"]).rsplit(":", 1)[1])
    for door in (where, database(5432, open_directory)):
        assert psql(door, "-c", "select 6 * 7").stdout == "42\n"

    rows = tmp_path / "rows"
    rows.write_text("".join(f"{number}\t{number * 2654435761 % 2**32:08x}{'.' * 80}\n"
                            for number in range(80_000)))
    back = tmp_path / "back"
    table = f"rows_{behind}"
    psql(where, "-c", f"create table {table} (number int primary key, text text)",
         "-c", rf"\copy {table} from '{rows}'",
         "-c", rf"\copy (table {table} order by 1) to '{back}'")
    assert back.read_bytes() == rows.read_bytes() and rows.stat().st_size > 7_000_000

    dump = run("pg_dump", "-d", where, "-t", table, "--data-only").stdout
    assert dump.count("\n") > 80_000
    line = inner.end(outcome="admitted", **{"tls_alpn": "postgresql"})
    assert line["peer.id"] == "spiffe://example.org/alice" and line["tls.mutual"] is True
    big = [line for line in inner.ends() if line["bytes_in"] > 7_000_000]
    assert len(big) == 1 and big[0]["bytes_out"] > 7_000_000


def test_a_stranger_does_not_reach_postgresql(serve, house, postgres):
    """The service itself trusts everybody; the gateway does not."""
    inner = serve([{"forward": f"127.0.0.1:{postgres.port}"}], name="inner")
    lorry = house.client("lorry", profile="device")
    g = serve([], [{"name": "to-db", "listen": "127.0.0.1:0", "connect": inner.address(),
                    "server-name": "localhost", "trust": "corp",
                    "certificate": str(lorry.directory), "expect": [{"dns": "localhost"}]}],
              name="outer")
    done = psql(database(g.address().rsplit(":", 1)[1]), "-c", "select 1", status=2)
    assert "server closed the connection unexpectedly" in done.stderr
    line = inner.end(reason="policy_denied")
    assert line["peer.id"] == "spiffe://example.org/device/lorry" and line["bytes_in"] == 0
