# SPDX-License-Identifier: Apache-2.0
"""ACME against the real program: a client of our own with the standard's words, real challenge servers
on loopback, and what each of them may try."""
import hashlib
import json
import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import pytest
from acme_client import Client, csr_for
from acme_place import Place
from challenges import Web
from net import until
from served import Served


@pytest.fixture
def place(mutual, gateway, tmp_path):
    made = []

    def make(**more):
        one = Place(mutual, gateway, tmp_path, **more)
        made.append(one)
        return one
    yield make
    for one in made:
        one.close()


def test_http_01_from_key_to_certificate_and_revocation(place):
    here = place()
    client = here.client("web.example.org")
    order = client.order("web.example.org")
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    assert client.answer(order, challenge) == "valid"
    key, csr = csr_for("web.example.org")
    chain = client.finalize(order, csr)
    names = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=chain, text=True,
                           capture_output=True, check=True).stdout
    assert "DNS:web.example.org" in names and "URI" not in names
    (here.served.dir / "chain.pem").write_text(chain)
    subprocess.run(["openssl", "verify", "-CAfile", here.served.root, "-untrusted", here.served.dir / "chain.pem",
                    here.served.dir / "chain.pem"], check=True, capture_output=True)
    listed = here.served.json("list")["certificates"]
    assert [one["owner"] for one in listed if one["name"] == "web.example.org"] == ["web team"]
    assert client.renewal(chain)["suggestedWindow"]
    client.revoke(chain)
    assert [one["name"] for one in here.served.json("list", "--revoked")["certificates"]] == ["web.example.org"]
    here.served.run("audit", "verify")
    assert not here.served.gateway.events("process_died")


def test_dns_01_for_a_wildcard(place):
    here = place()
    client = here.client("*.apps.example.org")
    order = client.order("*.apps.example.org")
    challenge = client.challenge(order, "dns-01")
    here.dns.texts["_acme-challenge.apps.example.org"] = ["something older"]
    here.put_dns(client, challenge, "apps.example.org")
    assert client.answer(order, challenge) == "valid"
    assert "BEGIN CERTIFICATE" in client.finalize(order, csr_for("*.apps.example.org")[1])


def proof_pair(directory, authorization, host, *, san=None, digest=None, critical=True, extra=()):
    """A certificate as RFC 8737 section 3 has it, or nearly."""
    octets = (digest or hashlib.sha256(authorization.encode()).digest()).hex()
    value = f"1.3.6.1.5.5.7.1.31={'critical,' if critical else ''}DER:0420{octets}"
    out = directory / "proof.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-keyout", str(directory / "k.pem"), "-out", str(directory / "c.pem"), "-subj", "/", "-days", "1",
               "-addext", f"subjectAltName=critical,{san or host}"]
    if octets != "00":
        command += ["-addext", value]
    subprocess.run([*command, *extra], check=True, capture_output=True)
    out.write_text((directory / "k.pem").read_text() + (directory / "c.pem").read_text())
    return str(out)


def test_tls_alpn_01_for_a_name_and_an_address(place, tmp_path):
    here = place()
    client = here.client("tls.example.org", "127.0.0.1")
    for kind, host, asked in (("dns", "tls.example.org", "tls.example.org"),
                              ("ip", "127.0.0.1", "1.0.0.127.in-addr.arpa")):
        order = client.order(host, kind=kind)
        challenge = client.challenge(order, "tls-alpn-01")
        san = f"DNS:{host}" if kind == "dns" else f"IP:{host}"
        here.alpn.pair = proof_pair(tmp_path, client.authorization(challenge), host, san=san)
        assert client.answer(order, challenge) == "valid"
        assert asked in here.alpn.names
        assert "BEGIN" in client.finalize(order, csr_for(host, kind=kind)[1])


def test_http_01_for_an_address(place):
    here = place()
    client = here.client("127.0.0.0/8")
    order = client.order("127.0.0.1", kind="ip")
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    assert client.answer(order, challenge) == "valid"


BAD_PROOFS = {
    "another name": {"san": "DNS:other.example.org"},
    "a second name": {"san": "DNS:tls.example.org,DNS:other.example.org"},
    "another digest": {"digest": b"\1" * 32},
    "not critical": {"critical": False},
}


@pytest.mark.parametrize("what", [*BAD_PROOFS, "no protocol"])
def test_certificates_that_prove_nothing(place, tmp_path, what):
    here = place()
    client = here.client("tls.example.org")
    order = client.order("tls.example.org")
    challenge = client.challenge(order, "tls-alpn-01")
    more = {"san": "DNS:tls.example.org", **BAD_PROOFS.get(what, {})}
    here.alpn.pair = proof_pair(tmp_path, client.authorization(challenge), "tls.example.org", **more)
    if what == "no protocol":
        here.alpn.protocols = ["http/1.1"]
    assert client.answer(order, challenge) == "invalid"


def refused(here, client, name, type_, prepare):
    order = client.order(name)
    challenge = client.challenge(order, type_)
    prepare(challenge)
    assert client.answer(order, challenge) == "invalid"
    error = client.post(challenge["url"], "").json()["error"]
    return error["type"].rpartition(":")[2], error["detail"]


def test_answers_that_prove_nothing(place):
    """Attack: whatever can be answered but the right thing."""
    here = place()
    client = here.client("web.example.org", "nowhere.example.org", "far.example.org")

    def nothing(_challenge):
        pass

    def body(text):
        def put(challenge):
            here.web.body = text(challenge) if callable(text) else text
        return put
    assert refused(here, client, "web.example.org", "http-01", nothing)[0] == "incorrectResponse"
    for text in (b"", b"x" * 5000, lambda one: one["token"].encode(),
                 lambda one: client.authorization(one).encode() + b"x",
                 lambda one: b" " + client.authorization(one).encode()):
        assert refused(here, client, "web.example.org", "http-01", body(text))[0] == "incorrectResponse"
    here.web.body = None
    assert refused(here, client, "web.example.org", "dns-01", nothing)[0] == "dns"
    here.dns.texts["_acme-challenge.web.example.org"] = ["", "x"]
    assert refused(here, client, "web.example.org", "dns-01", nothing)[0] == "incorrectResponse"
    assert refused(here, client, "nowhere.example.org", "http-01", nothing)[0] == "dns"
    assert not here.served.gateway.events("process_died")


def test_nobody_is_sent_where_the_configuration_sends_nobody(place):
    """Attack: a name that leads inside, and answers that lead away from it."""
    here = place()
    client = here.client("web.example.org", "inside.example.org")
    here.dns.elsewhere["inside.example.org"] = "10.0.0.1"
    kind, detail = refused(here, client, "inside.example.org", "http-01", lambda _one: None)
    assert kind == "connection" and "fetch.private" in detail
    other = socket.create_server(("127.0.0.1", 0))
    other.settimeout(0.2)
    for where in (f"http://other.example.org:{here.web.port}/", "http://127.0.0.1:1/", "https://web.example.org/",
                  f"http://web.example.org:{other.getsockname()[1]}/"):
        here.web.redirect = where
        assert refused(here, client, "web.example.org", "http-01", lambda _one: None)[0] == "connection"
    with pytest.raises(TimeoutError):
        other.accept()
    other.close()


def test_loopback_is_private_unless_it_is_named(place):
    here = place(private=False)
    client = here.client("web.example.org")
    assert refused(here, client, "web.example.org", "http-01", lambda _one: None)[0] == "connection"


def test_an_account_has_the_names_of_its_key(place):
    here = place()
    client = here.client("web.example.org")
    for name in ("db.example.org", "*.example.org", "a.web.example.org"):
        assert client.order(name, status=403)["type"].endswith("rejectedIdentifier")
    stranger = Client(here.directory, here.served.root)
    assert stranger.register(None, status=403)["type"].endswith("externalAccountRequired")


def test_a_key_is_taken_back_before_and_after_it_has_bound(place):
    """By a command beside the process that serves, which asks the store each time."""
    here = place()
    client = here.client("web.example.org")
    order = client.order("web.example.org")
    used = here.served.json("bind", "--list")["keys"][0]
    assert used["state"] == "bound" and used["names"] == ["web.example.org"]
    unused = here.key("db.example.org")
    assert "account" not in here.served.json("bind", unused[0], "--withdraw")
    late = Client(here.directory, here.served.root)
    assert late.register(unused, status=403)["type"].endswith("unauthorized")
    assert here.served.json("bind", used["kid"], "--withdraw")["account"] == used["account"]
    assert client.order("web.example.org", status=401)["type"].endswith("unauthorized")
    assert client.post(order["authorizations"][0], "").status == 401
    assert [one["state"] for one in here.served.json("bind", "--list")["keys"]] == ["deactivated"]
    here.served.run("audit", "verify")


def test_open_accounts_have_what_the_issuer_may_certify(place):
    here = place(accounts="open")
    client = here.client()
    assert client.order("www.example.com", status=403)["type"].endswith("rejectedIdentifier")
    order = client.order("any.example.org")
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    assert client.answer(order, challenge) == "valid"


@pytest.mark.parametrize("role", ["authority", "fetch"])
def test_whoever_dies_meanwhile_the_challenge_is_settled(place, role):
    """The process that looks dies while it looks, or the one that asked: the store remembers."""
    here = place()
    client = here.client("web.example.org")
    slow = socket.create_server(("127.0.0.1", 0))
    port = here.web.port
    order = client.order("web.example.org")
    challenge = client.challenge(order, "http-01")
    here.put_http(client, challenge)
    here.web.close()
    slow.close()
    hole = socket.create_server(("127.0.0.1", port))     # takes connections and says nothing
    client.post(challenge["url"], {})
    until(lambda: client.post(challenge["url"], "").json()["status"] == "processing")
    hole.settimeout(10)
    held, _ = hole.accept()
    # The answer is there for whoever looks again, and comes to who looks now when one of the two is dead.
    token = pathlib.Path(here.web_directory, ".well-known", "acme-challenge", challenge["token"])
    body = token.read_bytes()
    hole.close()
    here.web = Web(here.web_directory, port)
    os.kill(here.served.gateway.pids(role)[0], signal.SIGKILL)
    here.served.gateway.event("process_died")
    with contextlib.suppress(OSError):
        held.recv(4096)
        held.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def settled():
        try:
            return client.post(challenge["url"], "").json()["status"] == "valid"
        except (OSError, AssertionError, KeyError):
            return False
    until(settled, 90)
    held.close()


def test_acme_needs_the_url_that_clients_sign(mutual, gateway, tmp_path):
    one = Served(mutual, gateway, tmp_path)
    config = one.config()
    config["authority"]["acme"] = {"accounts": "bound"}
    del config["authority"]["url"]
    refused_start = gateway(config, expect_failure=True)
    assert "authority.url" in refused_start.text()


def test_without_the_setting_nothing_is_served(mutual, gateway, tmp_path):
    one = Served(mutual, gateway, tmp_path)
    one.serve()
    reply = one.call("GET", "/acme/directory")
    assert reply.status == 503 and json.loads(reply.body)["type"].endswith("serverInternal")
