# SPDX-License-Identifier: Apache-2.0
"""What an authority tells everybody over plain HTTP: issuers' certificates, revocation lists whole,
in parts and as deltas, and OCSP; asked by OpenSSL, GnuTLS and curl, and by our own gateway."""
import base64
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import urllib.parse

import pytest
from net import free_port, until
from postgres import Postgres
from publishing import Publishing, need, pem, point_of, run, text_of, verify
from served import ENV


@pytest.fixture
def served(mutual, gateway, tmp_path):
    need("curl")
    one = Publishing(mutual, gateway, tmp_path)
    one.serve()
    until(lambda: (one.dir / "authority" / "issuer" / "ocsp.crt").exists())
    return one


def test_certificates_name_where_to_ask_and_it_is_there(served, tmp_path):
    alice = served.issue("alice", "--profile", "client")
    text = text_of(alice / "tls.crt")
    assert f"OCSP - URI:{served.at}/ocsp" in text
    assert f"CA Issuers - URI:{served.at}/issuer/issuer.cer" in text
    issuer = tmp_path / "issuer.cer"
    issuer.write_bytes(served.curl("/issuer/issuer.cer"))
    assert run("openssl", "x509", "-inform", "DER", "-in", issuer) == \
        run("openssl", "x509", "-in", served.issuer)
    point = point_of(alice / "tls.crt")
    assert point.startswith(served.at + "/crl/issuer.")
    part = tmp_path / "part.crl"
    part.write_bytes(served.curl(point))
    shown = run("openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", part)
    assert "Only User Certificates" in shown and point in shown and "No Revoked" in shown


def test_openssl_asks_and_is_answered(served):
    alice, bob = (served.issue(n, "--profile", "client") for n in ("alice", "bob"))
    for digest in ("-sha1", "-sha256"):
        for nonce in ("-no_nonce", "-nonce"):
            told = served.ocsp(None, digest, "-cert", alice / "tls.crt", nonce)
            assert "Response verify OK" in told and "tls.crt: good" in told
            assert "WARNING: no nonce" not in told if nonce == "-nonce" else True
    both = served.ocsp(alice, "-cert", bob / "tls.crt")
    assert both.count(": good") == 2
    served.run("revoke", "alice", "--reason", "key-compromise")
    told = served.ocsp(alice, "-no_nonce")
    assert "tls.crt: revoked" in told and "Reason: keyCompromise" in told
    assert "0x1234: unknown" in served.ocsp(None, "-serial", "0x1234")
    assert "tls.crt: good" in served.ocsp(bob)
    for serial in ("0x1", "0x1234"):  # of an issuer for whom nobody here answers (RFC 5019 section 2.2.3)
        told = run("openssl", "ocsp", "-url", served.at + "/ocsp", "-issuer", served.root, "-serial", serial, status=1)
        assert "unauthorized" in told


def is_delegated(served, cert, issuer=None):
    """Another nonce each time, so that each answer is a new one."""
    told = run("openssl", "ocsp", "-url", served.at + "/ocsp", "-issuer", issuer or served.issuer, "-cert",
               cert / "tls.crt", "-CAfile", served.root, "-verify_other", issuer or served.issuer, "-resp_text",
               status=None)
    if "unauthorized" in told:  # the issuer is not known yet to whom answers
        return False
    assert "Response verify OK" in told and "tls.crt: good" in told
    return "OCSP Signing" in told and "OCSP No Check" in told


def test_the_responder_is_delegated_once_its_key_is_loaded(served):
    """Until then the issuer answers itself, which is as good; nobody has to begin anything anew."""
    alice = served.issue("alice", "--profile", "client")
    until(lambda: is_delegated(served, alice))
    served.gateway.stop()
    (served.dir / "authority" / "issuer" / "ocsp.crt").rename(served.dir / "away")
    served.serve(name="third")
    assert "tls.crt: good" in served.ocsp(alice)


def test_gnutls_asks_and_is_answered(served):
    need("ocsptool")
    alice = served.issue("alice", "--profile", "client")
    until(lambda: is_delegated(served, alice))  # GnuTLS wants the signer's certificate
    command = ["ocsptool", "--ask=" + served.at + "/ocsp", "--load-cert", alice / "tls.crt",
               "--load-issuer", served.issuer, "--load-trust", served.issuer]
    assert "Certificate Status: good" in run(*command)
    assert "Certificate Status: good" in run(*command, "--nonce")
    served.run("revoke", "alice")
    assert "Certificate Status: revoked" in run(*command, status=None)


def test_get_is_for_caches(served, tmp_path):
    alice = served.issue("alice", "--profile", "client")
    request = tmp_path / "request"
    run("openssl", "ocsp", "-issuer", served.issuer, "-cert", alice / "tls.crt", "-no_nonce",
        "-reqout", request)
    path = "/ocsp/" + urllib.parse.quote(base64.b64encode(request.read_bytes()), safe="")
    first = served.call("GET", path, listener="publish")
    assert first.status == 200 and first.fields["content-type"] == "application/ocsp-response"
    assert "max-age=" in first.fields["cache-control"] and "public" in first.fields["cache-control"]
    assert {"etag", "expires", "last-modified"} <= set(first.fields)
    assert served.call("GET", path, listener="publish").body == first.body
    same = served.call("GET", path, listener="publish",
                       fields={"If-None-Match": first.fields["etag"]})
    assert (same.status, same.body) == (304, b"")
    response = tmp_path / "response"
    response.write_bytes(first.body)
    told = run("openssl", "ocsp", "-respin", response, "-issuer", served.issuer, "-cert",
               alice / "tls.crt", "-CAfile", served.root)
    assert "Response verify OK" in told and ": good" in told
    served.run("revoke", "alice")
    assert served.call("GET", path, listener="publish").body != first.body


@pytest.mark.parametrize("path,fields,body,status", [
    ("/ocsp", {"Content-Type": "text/plain"}, b"0", 415),
    ("/ocsp", {"Content-Type": "application/ocsp-request"}, b"0" * 40000, 413),
    ("/ocsp", {"Content-Type": "application/ocsp-request"}, b"\x30\x80", 200),
    ("/ocsp", {"Content-Type": "application/ocsp-request"}, b"", 200),
])
def test_bad_requests(served, path, fields, body, status):
    reply = served.call("POST", path, body, listener="publish", fields=fields)
    assert reply.status == status
    if status == 200:
        assert reply.body == b"\x30\x03\x0a\x01\x01"  # malformedRequest


def test_others_take_the_lists(served, tmp_path):
    alice, bob = (served.issue(n, "--profile", "client") for n in ("alice", "bob"))
    point = point_of(alice / "tls.crt")
    other = point_of(bob / "tls.crt")
    verify(served, alice, "-CRLfile", pem(served, point, tmp_path / "p0"), "-extended_crl")
    served.run("revoke", "alice")
    part = pem(served, point, tmp_path / "p1")
    whole = pem(served, "/crl/issuer.crl", tmp_path / "w1")
    delta = pem(served, "/crl/issuer.delta.crl", tmp_path / "d1")
    assert "revoked" in verify(served, alice, "-CRLfile", part, "-extended_crl", status=2)
    assert "revoked" in verify(served, alice, "-CRLfile", whole, status=2)
    verify(served, bob, "-CRLfile", whole)
    verify(served, bob, "-CRLfile", whole, "-CRLfile", delta, "-extended_crl", "-use_deltas")
    verify(served, bob, "-CRLfile", pem(served, other, tmp_path / "p2"), "-extended_crl")
    if other != point:  # somebody else's part says nothing about him
        verify(served, bob, "-CRLfile", part, "-extended_crl", status=2)
    need("certtool")
    for one in (part, whole, delta):
        told = run("certtool", "--verify-crl", "--load-ca-certificate", served.issuer, "--infile",
                   one)
        assert "Verified" in told and "Not verified" not in told


# -- one store, two authorities -------------------------------------------------------------------------


def asked(served, cert):
    """The very request that a cache would send, and what a client reads from the answer."""
    request = served.dir / f"{cert.name}.request"
    if not request.exists():
        run("openssl", "ocsp", "-issuer", served.issuer, "-sha256", "-cert", cert / "tls.crt", "-no_nonce",
            "-reqout", request)
    path = "/ocsp/" + urllib.parse.quote(base64.b64encode(request.read_bytes()), safe="")
    response = served.dir / f"{cert.name}.response"
    response.write_bytes(served.call("GET", path, listener="publish").body)
    return run("openssl", "ocsp", "-respin", response, "-issuer", served.issuer, "-sha256", "-cert", cert / "tls.crt",
               "-CAfile", served.root, "-verify_other", served.issuer)


def crl_number(path):
    return int(run("openssl", "crl", "-noout", "-crlnumber", "-in", path).strip().partition("=")[2], 16)


def test_what_is_revoked_at_one_is_good_at_neither(mutual, gateway, tmp_path):
    """Both keep the answer, signed: when a revocation has been acknowledged, the next answer tells of it,
    whichever of the two is asked; and both serve the same lists, whoever makes them."""
    with Postgres() as server:
        first = Publishing(mutual, gateway, tmp_path, "--store", server.create("ca"))
        shutil.copytree(first.dir, tmp_path / "second")
        first.serve()
        second = Publishing.__new__(Publishing)
        second.__dict__.update(first.__dict__)
        second.dir = tmp_path / "second"
        second.plain = free_port()
        second.root = second.dir / "authority" / "ca.crt"
        second.crl = second.dir / "authority" / "issuer.crl"
        second.serve(name="second-gateway")
        certs = [first.issue(f"one{i}", "--profile", "client") for i in range(6)]
        for i, cert in enumerate(certs):
            asks = [first, second]
            assert ": good" in asked(first, cert) and ": good" in asked(second, cert)
            asks[i % 2].run("revoke", cert.name)
            for one in (asks if i % 3 else asks[::-1]):
                told = asked(one, cert)
                assert "Response verify OK" in told and ": revoked" in told and ": good" not in told, told
        number = crl_number(first.crl)
        first.run("revoke", first.issue("late", "--profile", "client").name)
        assert crl_number(first.crl) > number
        until(lambda: second.crl.read_bytes() == first.crl.read_bytes(), 90, 0.2)
        for path in ("/crl/issuer.crl", "/crl/issuer.delta.crl"):
            lists = [one.call("GET", path, listener="publish").body for one in (first, second)]
            assert lists[0] == lists[1]
        for one in (first, second):
            whole = pem(one, f"http://127.0.0.1:{one.plain}/crl/issuer.crl", tmp_path / f"{one.plain}.crl")
            for cert in certs:
                assert "revoked" in verify(one, cert, "-CRLfile", whole, status=2)


# -- two processes: one answers, one keeps the lists ---------------------------------------------------


def children(served):
    """Their pids by role."""
    pid = served.gateway.process.pid
    found = {}
    for one in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        line = pathlib.Path(f"/proc/{one}/cmdline").read_bytes().decode(errors="replace")
        for role in ("authority", "publisher", "keys"):
            if role in line.split("\0")[0]:
                found[role] = int(one)
    return found


def test_nobody_waits_for_lists_that_are_in_the_making(served):
    """As if they took for ever: the process that makes them stands still. Answers come, certificates are
    made and revoked, and the delta of the one who revokes tells of it."""
    alice = served.issue("alice", "--profile", "client")
    until(lambda: is_delegated(served, alice))
    pids = children(served)
    os.kill(pids["publisher"], signal.SIGSTOP)
    try:
        assert "tls.crt: good" in served.ocsp(alice)
        served.issue("bob", "--profile", "client")
        token = served.json("token", "carol", "--profile", "client", "--url", served.url())["token"]
        key, request = served.dir / "carol.key", served.dir / "carol.csr"
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            key, "-subj", "/CN=carol", "-outform", "DER", "-out", request)
        reply = served.call("POST", "/.well-known/est/simpleenroll", base64.b64encode(request.read_bytes()),
                            token=token, fields={"Content-Type": "application/pkcs10"})
        assert reply.status == 200, reply.body
        served.run("revoke", "alice")
        assert "tls.crt: revoked" in served.ocsp(alice)
    finally:
        os.kill(pids["publisher"], signal.SIGCONT)


def test_a_publisher_that_ends_is_begun_again(served):
    before = children(served)
    os.kill(before["publisher"], signal.SIGKILL)
    until(lambda: children(served).get("publisher", before["publisher"]) != before["publisher"])
    assert children(served)["authority"] == before["authority"]


def test_a_new_issuers_responder_answers_without_a_new_beginning(mutual, gateway, tmp_path):
    """Its key is loaded when the process that keeps the lists has seen it."""
    need("curl")
    pass_file = tmp_path / "pass"
    pass_file.write_text("a passphrase of the root\n")
    pass_file.chmod(0o600)
    served = Publishing(mutual, gateway, tmp_path, "--passphrase-file", pass_file)
    served.serve()
    until(lambda: (served.dir / "authority" / "issuer" / "ocsp.crt").exists())
    served.run("issuer", "add", "iot", "--permit", "dns:iot.example.org", "--passphrase-file", pass_file)
    lamp = served.issue("lamp", "--profile", "server", "--issuer", "iot", "--dns", "lamp.iot.example.org")
    issuer = served.dir / "authority" / "issuers" / "iot" / "issuer.crt"
    until(lambda: is_delegated(served, lamp, issuer), 120, 0.5)


# -- a list that is large: the delta comes first ------------------------------------------------------


def test_a_delta_revokes_before_the_complete_list_does(mutual, gateway, backend, tmp_path):
    """As if a million were revoked: the delta is published first. The complete list cannot be
    written here, so what revokes is the delta alone, for OpenSSL and for our gateway."""
    served = Publishing(mutual, gateway, tmp_path)
    served.serve()
    until(lambda: (served.dir / "authority" / "issuer" / "ocsp.crt").exists())
    alice, bob = (served.issue(n, "--profile", "client") for n in ("alice", "bob"))
    served.run("revoke", served.issue("carol", "--profile", "client") / "tls.crt")
    served.gateway.stop()
    crl, delta = served.crl, served.dir / "authority" / "issuer.delta.crl"
    kept = tmp_path / "kept.crl"
    with sqlite3.connect(served.dir / "authority" / "ca.db") as store:
        store.execute("UPDATE list SET entries = 1000000 WHERE shard = 0 AND delta = 0")
    crl.rename(kept)
    crl.mkdir()
    assert served.run("revoke", "alice", status=None).returncode not in (0, 2)
    crl.rmdir()
    shutil.copy(kept, crl)
    assert "revoked" in verify(served, alice, "-CRLfile", crl, "-CRLfile", delta, "-extended_crl",
                               "-use_deltas", status=2)
    verify(served, alice, "-CRLfile", crl)  # who does not take deltas hears of it later
    verify(served, bob, "-CRLfile", crl, "-CRLfile", delta, "-extended_crl", "-use_deltas")

    config = served.config()
    config["trust"][0]["revocation"] = {"crl": [str(crl), str(delta)]}
    config["inbound"] = [{"name": "web", "listen": "127.0.0.1:0", "forward": backend.address,
                          "certificate": str(served.dir / "tls" / "enroll"),
                          "clients": {"mode": "require", "trust": "own"}}]
    config["policy"][0].update({"to": "web", "anonymous": False})
    del config["authority"]
    g = gateway(config, name="web")

    for name, pair in (("alice", alice), ("bob", bob)):
        subprocess.run(["openssl", "s_client", "-connect", g.address("web"), "-CAfile",
                        str(served.root), "-cert", str(pair / "tls.crt"), "-key",
                        str(pair / "tls.key")], input=b"", capture_output=True, env=ENV, timeout=20,
                       check=False)
    assert g.end(peer_id="spiffe://example.org/bob")["outcome"] != "refused"
    assert "\"alice\" was revoked" in g.end(reason="revoked")["msg"]
    # the next command finishes what was interrupted
    served.run("issue", "dave", "--profile", "client")
    assert "revoked" in verify(served, alice, "-CRLfile", crl, status=2)
