# SPDX-License-Identifier: Apache-2.0
"""Rules that only observe, and shadow grants: they let in whom plain TLS or today's policy lets in and
say what tomorrow's would; nobody gets a name or a way in by them."""
import ssl

import pytest
from gateway import inbound
from net import Backend, TlsClient, client_context, refused
from pki import Pair, Pki, openssl

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def people(pki):
    """Whom require would refuse, and why."""
    return {
        "nobody": (None, "no_client_cert"),
        "stranger": (pki.client("observed-stranger", issuer=pki.stranger), "chain_incomplete"),
        "expired": (pki.client("observed-expired", days=(-9, -1)), "expired"),
        "server": (pki.server("observed-server"), "eku_missing"),
        "ungranted": (pki.client("observed-ungranted", sans=["URI:spiffe://example.com/eve"]),
                      "policy_denied"),
    }


def observing(pki, backend, **more):
    return inbound(pki, backend, clients={"mode": "observe", "trust": "corp"}, **more)


def reasons(g):
    return {end["shadow"] for end in g.ends()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", ["nobody", "stranger", "expired", "server", "ungranted"])
def test_everybody_passes_and_the_log_says_what_require_would(gateway, pki, backend, people, who,
                                                              version):
    pair, code = people[who]
    g = gateway(observing(pki, backend))
    with TlsClient(g.address(), client_context(pki, pair, version)) as client:
        client.ask()
    end = g.end(outcome="admitted")
    assert end["shadow"] == code, end
    assert end["rule"] is None
    known = who == "ungranted"
    assert (end["peer.id"] is not None) == known, end
    assert (end["peer.fingerprint"] is not None) == known and end["tls.mutual"] == known, end
    assert (end["peer.claimed"] is not None) == (who not in ("nobody", "ungranted")), end


def test_whom_require_would_let_in_is_known(gateway, pki, backend):
    g = gateway(observing(pki, backend))
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
    end = g.end(outcome="admitted")
    assert (end["shadow"], end["shadow.rule"], end["rule"]) == ("allowed", "all", None), end
    assert end["peer.id"] == "spiffe://example.org/client"


def test_it_is_loud(gateway, mutual, pki, backend):
    config = observing(pki, backend)
    g = gateway(config)
    warned = [line for line in g.events("configuration") if "only observes" in line["msg"]]
    assert warned and warned[0]["level"] == "warning"
    assert g.status()["services"][0]["mode"] == "observe"
    assert g.reload()
    again = [line for line in g.events("configuration") if "only observes" in line["msg"]]
    assert len(again) == 2


@pytest.mark.parametrize("who", ["stranger", "expired", "nobody"])
def test_the_service_behind_hears_no_name(gateway, pki, people, who):
    """The PROXY header of somebody who was not believed is that of somebody without a certificate."""
    heard = []

    def behave(one):
        heard.append(one.recv(65536))
        one.sendall(b"hello")

    with Backend(behave) as backend:
        g = gateway(observing(pki, backend, **{"proxy_protocol": "v2-cert"}))
        pair = people[who][0]
        with TlsClient(g.address(), client_context(pki, pair)) as client:
            client.tls.sendall(b"x")
            client.tls.recv(5)
    assert heard and heard[0].startswith(b"\r\n\r\n\0\r\nQUIT\n")
    assert b"spiffe://" not in heard[0] and b"observed" not in heard[0]
    der = None if pair is None else openssl("x509", "-in", pair.cert, "-outform", "DER")
    assert der is None or der[:64] not in heard[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", ["stranger", "expired", "nobody", "ungranted"])
def test_a_session_of_observing_rules_opens_nothing_afterwards(gateway, pki, backend, people, who,
                                                               version):
    config = observing(pki, backend)
    g = gateway(config)
    context = client_context(pki, people[who][0], version)
    with TlsClient(g.address(), context) as client:
        client.ask()
        session = client.tls.session
    config["inbound"][0]["clients"]["mode"] = "require"
    g.write(config)
    assert g.reload()
    accepted = backend.accepted
    refused(g.address(), context, session=session)
    end = g.end(outcome="refused")
    assert end["tls.resumed"] is False and backend.accepted == accepted, end


@pytest.mark.parametrize("who", ["stranger", "expired", "nobody", "ungranted"])
def test_an_open_connection_ends_when_observing_ends(gateway, pki, backend, people, who):
    pair, code = people[who]
    config = observing(pki, backend)
    g = gateway(config)
    with TlsClient(g.address(), client_context(pki, pair)) as bad, \
            TlsClient(g.address(), client_context(pki, pki.client())) as good:
        bad.ask()
        good.ask()
        config["inbound"][0]["clients"]["mode"] = "require"
        g.write(config)
        assert g.reload()
        end = g.end(outcome="refused")
        assert end["reason"] == code, end
        good.ask()


@pytest.mark.parametrize("version", VERSIONS)
def test_who_was_believed_and_is_revoked_is_nobody(gateway, tmp_path, backend, version):
    pki = Pki(tmp_path)
    pair = pki.client("soon-revoked")
    crl = pki.issuer.crl(tmp_path / "issuer.crl")
    config = observing(pki, backend, trust={"intermediates": str(pki.issuer.cert),
                                            "revocation": {"crl": str(crl)}})
    g = gateway(config)
    context = client_context(pki, pair, version)
    with TlsClient(g.address(), context) as client:
        client.ask()
        session = client.tls.session
    assert g.end(outcome="admitted")["peer.id"] == "spiffe://example.org/soon-revoked"
    pki.issuer.revoke(pair)
    pki.issuer.crl(crl)
    assert g.reload()
    with TlsClient(g.address(), context, session=session) as client:
        client.ask()
        assert not client.tls.session_reused
    end = g.end(shadow="revoked")
    assert end["peer.id"] is None and end["outcome"] == "admitted", end


def stolen(pki, directory, shown, held):
    """A pair of somebody else's certificate and a key that says it is its own: the public half is the
    certificate's, the secret is another's. OpenSSL compares only the public half, and signs."""
    public = openssl("pkey", "-pubin", "-outform", "DER",
                     input=openssl("x509", "-in", shown.cert, "-noout", "-pubkey"))[-65:]
    sec1 = openssl("ec", "-in", held.key, "-outform", "DER")
    secret = sec1[sec1.index(b"\4\x20") + 2:][:32]
    body = b"\2\1\1\4\x20" + secret + bytes.fromhex("a00a06082a8648ce3d030107") \
        + b"\xa1\x44\3\x42\0" + public
    key = directory / "stolen.key"
    key.write_bytes(openssl("base64", input=b"\x30" + bytes([len(body)]) + body))
    key.write_text("-----BEGIN EC PRIVATE KEY-----\n" + key.read_text()
                   + "-----END EC PRIVATE KEY-----\n")
    pair = Pair(directory, "stolen")
    pair.chain, pair.key = shown.chain, key
    return pair


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("whose", ["client", "observed-stranger"])
def test_a_certificate_without_its_key_passes_nowhere(gateway, pki, people, backend, tmp_path, whose,
                                                      version):
    assert people
    pair = stolen(pki, tmp_path, pki.client(whose), pki.client("thief"))
    g = gateway(observing(pki, backend))
    accepted = backend.accepted
    refused(g.address(), client_context(pki, pair, version))
    end = g.end(outcome="refused")
    assert end["peer.id"] is None and end["step"] == "client_check", end
    assert backend.accepted == accepted


def with_grant(config, **grant):
    config["policy"].append({"to": "db", "owner": "tests", "why": "testing", **grant})
    return config


def test_a_grant_of_tomorrow_lets_nobody_in(gateway, pki, backend, people):
    config = with_grant(inbound(pki, backend), grant="later", shadow="add",
                        **{"from": [{"spiffe": "spiffe://example.com/eve"}]})
    g = gateway(config)
    accepted = backend.accepted
    refused(g.address(), client_context(pki, people["ungranted"][0]))
    end = g.end(outcome="refused")
    assert (end["reason"], end["rule"]) == ("policy_denied", None), end
    assert (end["shadow"], end["shadow.rule"]) == ("allowed", "later"), end
    assert backend.accepted == accepted


def test_a_grant_without_tomorrow_still_lets_in(gateway, pki, backend):
    config = inbound(pki, backend)
    config["policy"][0]["shadow"] = "remove"
    g = gateway(config)
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
    end = g.end(outcome="admitted")
    assert (end["rule"], end["shadow"], end["shadow.rule"]) == ("all", "policy_denied", None), end
