# SPDX-License-Identifier: Apache-2.0
"""Stapled OCSP responses, made by `openssl ocsp`: taken from servers of other makers by our
outbound, and sent by our inbound to clients of other makers."""
import contextlib
import json
import re

import pytest
from gateway import Gateway, inbound
from net import Backend, free_port, say, until
from peers import answer, listens, need, nginx, run, running
from pki import Pki, openssl

VERSIONS = ("1.2", "1.3")
REQUEST = b"GET /hello HTTP/1.0\r\n\r\n"
MUST = "tlsfeature=status_request"


class Responder:
    """`openssl ocsp` speaking for an authority, itself or by a delegate."""

    def __init__(self, authority, signer=None):
        self.authority = authority
        self.signer = signer or authority.pair

    def about(self, pair, path, *, minutes=60, more=()):
        """The response about a certificate, good for so long."""
        request = path.with_suffix(".req")
        openssl("ocsp", "-issuer", self.authority.cert, "-cert", pair.cert, "-no_nonce", "-reqout",
                request)
        openssl("ocsp", "-index", self.authority.directory / "index.txt", "-CA",
                self.authority.cert, "-rsigner", self.signer.cert, "-rkey", self.signer.key,
                "-reqin", request, "-respout", path, *(["-nmin", minutes] if minutes else []),
                *more)
        return path


class World:
    def __init__(self, directory):
        self.directory = directory
        self.pki = Pki(directory)
        self.extensions = ["basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature",
                           "authorityKeyIdentifier=keyid", "extendedKeyUsage=serverAuth",
                           "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        self.delegate = self.pki.pair("responder", sans=[], extensions=[
            "basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature",
            "authorityKeyIdentifier=keyid", "extendedKeyUsage=OCSPSigning", "noCheck=ignored"])
        self.plain = self.server("plain")
        self.must = self.server("must", MUST)
        self.revoked = self.server("revoked")
        self.client = self.pki.client()
        self.pki.issuer.revoke(self.revoked)
        self.responder = Responder(self.pki.issuer, self.delegate)
        self.good = self.responder.about(self.plain, directory / "good.ocsp")
        self.good_must = self.responder.about(self.must, directory / "good-must.ocsp")
        self.by_issuer = Responder(self.pki.issuer).about(self.plain, directory / "issuer.ocsp")
        self.bad = self.responder.about(self.revoked, directory / "revoked.ocsp")
        self.endless = self.responder.about(self.plain, directory / "endless.ocsp", minutes=None)
        self.stolen = Responder(self.pki.issuer, self.client).about(
            self.plain, directory / "stolen.ocsp")

    def server(self, name, *more):
        return self.pki.pair(name, extensions=self.extensions + list(more), cn=name)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("staples"))


# -- our outbound, and servers that staple


def s_server(home, port, version, pair, staple):
    home.mkdir()
    return running(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pair.chain,
                    "-cert_chain", pair.chain, "-key", pair.key, "-www",
                    "-" + {"1.2": "tls1_2", "1.3": "tls1_3"}[version],
                    *(["-status_file", staple] if staple else [])], listens(port),
                   log=home / "output")


def gnutls_serv(home, port, version, pair, staple):
    home.mkdir()
    return running(["gnutls-serv", "-p", port, "--x509certfile", pair.chain, "--x509keyfile",
                    pair.key, "--http", "--disable-client-cert", "--priority",
                    f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                    *(["--ocsp-response", staple, "--ignore-ocsp-response-errors"] if staple
                      else [])], listens(port), log=home / "output")


def nginx_server(home, port, version, pair, staple):
    stapling = f"ssl_stapling on; ssl_stapling_file {staple};" if staple else ""
    return nginx(home, port, f"""
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pair.chain}; ssl_certificate_key {pair.key};
        ssl_protocols TLSv{version}; {stapling}
        location / {{ return 200 "hello\\n"; }}
    }}""")


SERVERS = {"openssl": s_server, "gnutls-serv": gnutls_serv, "nginx": nginx_server}


class Outbound:
    """One gateway with an outbound for each way of looking at staples; all lead to one port."""

    def __init__(self, mutual, world):
        self.world = world
        self.port = free_port()
        self.homes = 0
        self.gateway = Gateway(mutual, world.directory, {
            "version": 1, "workers": 1,
            "trust": [{"name": mode, "bundle": str(world.pki.bundle),
                       "revocation": {"staple": mode}} for mode in ("prefer", "require", "ignore")],
            "outbound": [{"name": mode, "listen": "127.0.0.1:0",
                          "connect": f"127.0.0.1:{self.port}", "server-name": "localhost",
                          "trust": mode, "expect": [{"dns": "localhost"}],
                          "certificate": {"chain": str(world.client.chain),
                                          "key": str(world.client.key)}}
                         for mode in ("prefer", "require", "ignore")]}, name="outbound")

    def ask(self, kind, version, pair, staple, mode="prefer"):
        """The line of a connection to a server of that kind that sends this staple."""
        need(kind)
        self.homes += 1
        with SERVERS[kind](self.world.directory / f"far-{self.homes}", self.port, version, pair,
                           staple):
            seen, got = len(self.gateway.ends()), b""
            with contextlib.suppress(ConnectionError):
                got = say(self.gateway.address(mode), REQUEST, timeout=20)
            line = until(lambda: self.gateway.ends()[seen:])[0]
        assert (b"200" in got) == (line["outcome"] == "admitted"), (got, line)
        return line


@pytest.fixture(scope="module")
def outbound(mutual, world):
    field = Outbound(mutual, world)
    field.gateway.start()
    yield field
    field.gateway.stop()


EVERY = [pytest.param(kind, version, id=f"{kind}-{version}")
         for kind in SERVERS for version in VERSIONS]


@pytest.mark.parametrize("kind,version", EVERY)
def test_a_good_staple_satisfies_must_staple(outbound, world, kind, version):
    line = outbound.ask(kind, version, world.must, world.good_must, "require")
    assert line["outcome"] == "admitted", line
    assert line["tls.ocsp"] == "good" and line["tls.version"] == f"TLS {version}"


@pytest.mark.parametrize("kind,version", EVERY)
def test_must_staple_without_a_staple(outbound, world, kind, version):
    for mode in ("prefer", "ignore"):
        line = outbound.ask(kind, version, world.must, None, mode)
        assert line["reason"] == "ocsp_missing" and line["step"] == "server_check", line


@pytest.mark.parametrize("kind,version", EVERY)
def test_a_revoked_server(outbound, world, kind, version):
    line = outbound.ask(kind, version, world.revoked, world.bad)
    assert line["reason"] == "revoked", line
    assert "OCSP response" in line["detail"] and "keyCompromise" in line["detail"]


@pytest.mark.parametrize("staple,mode,outcome", [
    ("good", "prefer", "good"), ("by_issuer", "prefer", "good"), (None, "prefer", "none"),
    ("stolen", "prefer", "ocsp_signer"), ("endless", "prefer", "ocsp_stale"),
    ("good_must", "prefer", "ocsp_other_cert"), (None, "require", "ocsp_missing"),
    ("stolen", "ignore", "none")])
def test_what_a_staple_decides(outbound, world, staple, mode, outcome):
    for version in VERSIONS:
        line = outbound.ask("openssl", version, world.plain,
                            staple and getattr(world, staple), mode)
        admitted = outcome in ("good", "none")
        assert (line["outcome"] == "admitted") == admitted, line
        assert (line["tls.ocsp"] if admitted else line["reason"]) == outcome, line


# -- our inbound, and clients that ask


@pytest.fixture(scope="module")
def served(mutual, world):
    """A listener that demands to be stapled, its directory as Kubernetes would write it."""
    home = world.directory / "tls"
    home.mkdir()
    for name, source in (("tls.crt", world.must.chain), ("tls.key", world.must.key),
                         ("tls.ocsp", world.good_must)):
        (home / name).write_bytes(source.read_bytes())
        (home / name).chmod(0o600)
    with Backend(answer) as backend:
        gateway = Gateway(mutual, world.directory,
                          inbound(world.pki, backend, certificate=str(home)), name="inbound")
        gateway.start()
        yield gateway, home
        gateway.stop()


def restore(gateway, home, world):
    (home / "tls.ocsp").write_bytes(world.good_must.read_bytes())
    assert gateway.reload()


def s_client(gateway, world, version):
    port = gateway.address().rsplit(":", 1)[1]
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
               "-status", "-CAfile", world.pki.bundle, "-cert", world.client.chain, "-cert_chain",
               world.client.chain, "-key", world.client.key, "-ign_eof",
               "-" + {"1.2": "tls1_2", "1.3": "tls1_3"}[version], stdin=REQUEST,
               status=None).stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_is_sent_ours(served, world, version):
    gateway, _ = served
    said = s_client(gateway, world, version)
    assert "OCSP Response Status: successful" in said and "Cert Status: good" in said, said
    assert "hello from behind" in said


@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls_is_sent_ours(served, world, version):
    need("gnutls-cli")
    gateway, _ = served
    port = gateway.address().rsplit(":", 1)[1]
    done = run("gnutls-cli", "--ocsp", "--x509cafile", world.pki.bundle, "--sni-hostname",
               "localhost", "--verify-hostname", "localhost", "-p", port, "--x509certfile",
               world.client.chain, "--x509keyfile", world.client.key, "--priority",
               f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "127.0.0.1", stdin=REQUEST, status=None)
    assert "hello from behind" in done.stdout, done.stdout + done.stderr
    assert re.search("OCSP [Rr]esponse|OCSP status", done.stdout), done.stdout


def test_curl_demands_ours(served, world):
    need("curl")
    gateway, home = served
    port = gateway.address().rsplit(":", 1)[1]

    def fetch(status):
        return run("curl", "-sS", "--cert-status", "--cacert", world.pki.bundle, "--cert",
                   world.client.chain, "--key", world.client.key, "--resolve",
                   f"localhost:{port}:127.0.0.1", f"https://localhost:{port}/hello", status=status)
    assert fetch(0).stdout == "hello from behind\n"
    assert until(lambda: gateway.end(tls_ocsp="sent"))
    (home / "tls.ocsp").unlink()
    assert gateway.reload()
    try:
        assert "No OCSP response received" in fetch(91).stderr
    finally:
        restore(gateway, home, world)


@pytest.mark.parametrize("what", ["other", "garbage", "ended"])
def test_what_is_no_good_is_not_sent(served, world, what):
    """The finding says why; the gateway goes on without."""
    gateway, home = served
    content, reason = {
        "other": (world.good.read_bytes(), "says nothing about certificate"),
        "garbage": (b"\x30\x03\x0a\x01\x63", "is not well-formed"),
        "ended": (world.responder.about(world.must, world.directory / "ended.ocsp",
                                        minutes=None).read_bytes(), "until when it is good"),
    }[what]
    (home / "tls.ocsp").write_bytes(content)
    assert gateway.reload()
    try:
        assert "OCSP response: no response sent" in s_client(gateway, world, "1.3")
        assert any(reason in line["msg"] for line in gateway.events("configuration"))
    finally:
        restore(gateway, home, world)
        assert "Cert Status: good" in s_client(gateway, world, "1.3")


# -- told to people


@pytest.mark.parametrize("version", VERSIONS)
def test_explain_tells_what_a_server_stapled(mutual, world, version):
    def explain(pair, staple, number, *options, status=0):
        port = free_port()
        with s_server(world.directory / f"explained-{version}-{number}", port, version, pair,
                      staple):
            return run(mutual, "explain", f"localhost:{port}", *options, status=status).stdout
    ca = ("--ca", world.pki.bundle)
    assert "stapled an OCSP response: good until" in explain(world.must, world.good_must, 1, *ca)
    unchecked = explain(world.revoked, world.bad, 2)
    assert "revoked at" in unchecked and "it was not checked" in unchecked
    assert "was revoked at" in explain(world.revoked, world.bad, 3, *ca, status=1)
    assert "must-staple" in explain(world.must, None, 4, *ca, status=1)


def test_check_answers_with_what_is_stapled(mutual, outbound, world):
    """The same answers as the handshakes get."""
    def ask(pair, staple, mode, status):
        done = run(mutual, "check", "-c", outbound.gateway.config, "--cert", pair.chain, "--to",
                   mode, *(["--staple", staple] if staple else []), status=status)
        return done.stdout + done.stderr
    assert "OCSP_MISSING" in ask(world.must, None, "prefer", 1)
    assert "--staple FILE" in ask(world.must, None, "ignore", 1)
    said = ask(world.must, world.good_must, "prefer", 0)
    assert "demanded by the certificate (must-staple)" in said and "good, until" in said
    assert "the stapled OCSP response ends" in said
    assert "demanded by the trust block" in ask(world.plain, world.good, "require", 0)
    assert "OCSP_MISSING" in ask(world.plain, None, "require", 1)
    assert "staple" not in ask(world.plain, None, "prefer", 0)
    assert "OCSP_SIGNER" in ask(world.plain, world.stolen, "prefer", 1)
    assert "revoked" in ask(world.revoked, world.bad, "prefer", 1)
    told = json.loads(run(mutual, "check", "-c", outbound.gateway.config, "--json", "--cert",
                          world.must.chain, "--to", "prefer", "--staple", world.good_must).stdout)
    assert told["staple"]["demanded"] is True and told["staple"]["status"] == "good"
    assert told["allowed"] is True and told["staple"]["next_update"]
    done = run(mutual, "check", "-c", outbound.gateway.config, "--staple", world.good, status=2)
    assert "--staple with them" in done.stderr


def test_show_reads_them(mutual, world):
    text = run(mutual, "show", world.bad).stdout
    assert "OCSP response" in text and "keyCompromise" in text
    assert "OCSP request" in run(mutual, "show", world.bad.with_suffix(".req")).stdout
    assert "must-staple" in run(mutual, "show", world.must.cert).stdout
