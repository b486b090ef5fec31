# SPDX-License-Identifier: Apache-2.0
"""Host names with settings of their own: every way of naming a host, or of naming none, and of carrying
what one host gave to another."""
import socket
import ssl
import struct

import pytest
from gateway import inbound
from net import TIMEOUT, Backend, TlsClient, client_context, refused

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
API, WILD, OPEN = "api.example.org", "v1.part.example.org", "open.example.org"


@pytest.fixture(scope="module")
def house(pki):
    pki.server("house", sans=["DNS:localhost"])
    pki.server("api", sans=[f"DNS:{API}", "DNS:*.part.example.org"])
    pki.server("open", sans=[f"DNS:{OPEN}"])
    return pki


def block(pair):
    return {"chain": str(pair.chain), "key": str(pair.key)}


def config_of(pki, backend, mode="none", **more):
    """A listener of that mode, a host that requires certificates, one that asks for none."""
    config = inbound(pki, backend, server=pki.server("house"),
                     clients={"mode": mode, **({"trust": "corp"} if mode != "none" else {})}, **more)
    config["inbound"][0]["hosts"] = [
        {"name": "api", "names": [API, "*.part.example.org"], "certificate": block(pki.server("api")),
         "clients": {"mode": "require", "trust": "corp"}},
        {"names": OPEN, "certificate": block(pki.server("open")), "clients": {"mode": "none"}},
    ]
    config["policy"][0]["to"] = ["db", "db/api"]
    return config


def context_of(pki, pair=None, version=None):
    context = client_context(pki, pair, version)
    context.check_hostname = False
    return context


def shown(client):
    return dict(entry[0] for entry in client.tls.getpeercert()["subject"])["commonName"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_host_has_its_own_rules(gateway, house, backend, version):
    g = gateway(config_of(house, backend))
    rows = [(API, "api", "db/api"), (API.upper(), "api", "db/api"), (f"{API}.", "api", "db/api"),
            (WILD, "api", "db/api"), (OPEN, "open", f"db/{OPEN}"), ("localhost", "house", "db")]
    for name, certificate, service in rows:
        with TlsClient(g.address(), context_of(house, house.client(), version), name=name) as client:
            client.ask()
            assert shown(client) == certificate
        end = g.end(listener=service)
        assert end["outcome"] == "admitted", end
    for name in (API, WILD):
        refused(g.address(), context_of(house, None, version), name=name)
    assert g.end(reason="no_client_cert")["listener"] == "db/api"
    figures = {service: g.figures(service) for service in ("db", "db/api")}
    assert figures["db/api"]["admitted"] == 4 and figures["db/api"]["refused"] == 2, figures
    assert figures["db"]["accepted"] == len(rows) + 2 and figures["db"]["open"] == 0, figures


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["nobody.example.org", "a.v1.part.example.org", "part.example.org",
                                  "*.part.example.org", None])
def test_a_name_that_nobody_has_is_no_way_round(gateway, house, backend, name, version):
    g = gateway(config_of(house, backend))
    accepted = backend.accepted
    refused(g.address(), context_of(house, house.client(), version), name=name)
    assert g.end(reason="sni_unknown")["listener"] == "db"
    assert backend.accepted == accepted


def test_a_name_that_nobody_has_gets_the_strictest(gateway, house, backend):
    g = gateway(config_of(house, backend, mode="require"))
    for name in (None, "nobody.example.org"):
        with TlsClient(g.address(), context_of(house, house.client()), name=name) as client:
            client.ask()
            assert shown(client) == "house"
        refused(g.address(), context_of(house), name=name)
    assert {end["reason"] for end in g.ends() if end["outcome"] != "admitted"} == {"no_client_cert"}


def hello(name_bytes, split=None):
    """A TLS 1.3 hello that asks for these very bytes; in records of `split` bytes."""
    def extension(number, body):
        return struct.pack("!HH", number, len(body)) + body
    entry = b"\0" + struct.pack("!H", len(name_bytes) & 0xffff) + name_bytes
    extensions = b"".join([
        extension(0, struct.pack("!H", len(entry) & 0xffff) + entry),
        extension(43, b"\2\3\4"), extension(13, b"\0\2\4\3"), extension(10, b"\0\2\0\x1d"),
        extension(51, struct.pack("!HHH", 36, 0x1d, 32) + bytes(range(32)))]) \
        if len(name_bytes) < 60000 else extension(0, (b"\xff" * 65535)[:65535])
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\x01" + b"\1\0" \
        + struct.pack("!H", len(extensions) & 0xffff) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    step = split or 16384
    return [b"\x16\3\1" + struct.pack("!H", len(message[at:at + step])) + message[at:at + step]
            for at in range(0, len(message), step)]


def reply(address, records, apart=False):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for record in records:
            for piece in ([record[i:i + 1] for i in range(len(record))] if apart else [record]):
                try:
                    raw.sendall(piece)
                except ConnectionError:
                    return b""
        try:
            return raw.recv(5 + 128)
        except ConnectionError:
            return b""


SERVER_HELLO, ALERT = b"\x16", b"\x15"


@pytest.mark.parametrize("name", [b"127.0.0.1", b"::1", b"api.example.org\0.evil.org", b"\0", b"..",
                                  b"api.example.org..", b".api.example.org", b"api_example.org",
                                  b"api.example.org:443", b"\xc3\xa4.example.org", b"a" * 256,
                                  b"x" * 65535])
def test_odd_names_are_nobodys(gateway, house, backend, name):
    g = gateway(config_of(house, backend))
    accepted = backend.accepted
    assert reply(g.address(), hello(name))[:1] in (ALERT, b"")
    assert g.end()["listener"] == "db"
    assert backend.accepted == accepted
    with TlsClient(g.address(), context_of(house, house.client()), name=API) as client:
        client.ask()


@pytest.mark.parametrize("split", [1, 7, 40])
@pytest.mark.parametrize("apart", [False, True])
def test_a_hello_in_pieces_chooses_the_same_host(gateway, house, backend, split, apart):
    """Over many records, and these over many packets. The log tells whose rules counted."""
    g = gateway(config_of(house, backend))
    assert reply(g.address(), hello(b"API.example.org", split), apart)[:1] == SERVER_HELLO
    assert g.end()["listener"] == "db/api"
    assert reply(g.address(), hello(b"nobody.example.org", split), apart)[:1] == ALERT
    assert g.end(reason="sni_unknown")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("made,used", [(OPEN, API), (API, OPEN), ("localhost", API),
                                       ("localhost", OPEN), (API, "localhost")])
def test_a_session_of_one_host_opens_no_other(gateway, house, backend, made, used, version):
    """Python's client offers whatever session it is given, under whatever name."""
    g = gateway(config_of(house, backend))
    pair = house.client() if API in (made, used) and made == API else None
    context = context_of(house, pair, version)
    with TlsClient(g.address(), context, name=made) as client:
        client.ask()
        session = client.tls.session
    accepted = backend.accepted
    if used == API:
        refused(g.address(), context, name=used, session=session)
        assert g.end(reason="no_client_cert")["listener"] == "db/api"
        assert backend.accepted == accepted
        return
    with TlsClient(g.address(), context, name=used, session=session) as client:
        client.ask()
        assert not client.tls.session_reused


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_at_its_own_host_until_that_changes(gateway, house, backend, version):
    config = config_of(house, backend)
    g = gateway(config)
    context = context_of(house, house.client(), version)
    with TlsClient(g.address(), context, name=API) as client:
        client.ask()
        session = client.tls.session
    with TlsClient(g.address(), context, name=API, session=session) as client:
        client.ask()
        assert client.tls.session_reused
        session = client.tls.session
    config["inbound"][0]["hosts"][0]["clients"]["mode"] = "request"
    g.write(config)
    assert g.reload()
    with TlsClient(g.address(), context, name=API, session=session) as client:
        client.ask()
        assert not client.tls.session_reused


def test_a_host_forwards_where_it_says_and_nowhere_else(gateway, house, backend):
    with Backend() as other:
        config = config_of(house, backend)
        config["inbound"][0]["hosts"][0]["forward"] = other.address
        g = gateway(config)
        with TlsClient(g.address(), context_of(house, house.client()), name=API) as client:
            client.ask()
        assert (other.accepted, backend.accepted) == (1, 0)
        with TlsClient(g.address(), context_of(house), name=OPEN) as client:
            client.ask()
        assert (other.accepted, backend.accepted) == (1, 1)


def test_a_grant_to_the_listener_is_none_to_its_hosts(gateway, house, backend):
    config = config_of(house, backend)
    config["policy"][0]["to"] = "db"
    config["inbound"][0]["clients"] = {"mode": "request", "trust": "corp"}
    g = gateway(config)
    refused(g.address(), context_of(house, house.client()), name=API)
    assert g.end(reason="policy_denied")["listener"] == "db/api"


def test_a_reload_that_takes_a_host_away_ends_its_connections(gateway, house, backend):
    config = config_of(house, backend)
    config["inbound"][0]["timeouts"] = {**config["inbound"][0].get("timeouts", {}), "drain": "1s"}
    g = gateway(config)
    with TlsClient(g.address(), context_of(house, house.client()), name=API) as api, \
            TlsClient(g.address(), context_of(house), name=OPEN) as other:
        api.ask()
        other.ask()
        del config["inbound"][0]["hosts"][0]
        config["policy"][0]["to"] = "db"
        g.write(config)
        assert g.reload()
        assert g.end(listener="db/api")["reason"] == "rules_changed"
        other.ask()
    assert g.figures("db")["open"] == 0
