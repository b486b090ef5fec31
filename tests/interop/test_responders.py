# SPDX-License-Identifier: Apache-2.0
"""OCSP responses that the gateway fetches by itself, from `openssl ocsp` as the responder, and staples
for clients of other makers."""
import contextlib
import datetime
import pathlib
import re
import subprocess
import time

import pytest
from gateway import Gateway, inbound
from lists import Scripted, respond
from net import Backend, free_port, until
from peers import answer, listens, need, run, running
from pki import Pki, openssl

REQUEST = b"GET /hello HTTP/1.0\r\n\r\n"
SERVER = ["basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature",
          "authorityKeyIdentifier=keyid", "extendedKeyUsage=serverAuth",
          "subjectAltName=DNS:localhost,IP:127.0.0.1"]
MUST = "tlsfeature=status_request"


class World:
    """An authority whose certificates name the responder on a port of this machine."""

    def __init__(self, directory, mutual):
        self.directory = directory
        self.mutual = mutual
        self.pki = Pki(directory)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.names_it = f"authorityInfoAccess=OCSP;URI:{self.url}"
        self.plain = self.server("plain")
        self.aware = self.server("aware", self.names_it)
        self.must = self.server("must", MUST, self.names_it)
        self.client = self.pki.client()
        self.homes = self.kept = 0

    def server(self, name, *more):
        return self.pki.pair(name, extensions=SERVER + list(more), cn=name)

    @contextlib.contextmanager
    def responder(self, *more, minutes=60):
        self.homes += 1
        issuer = self.pki.issuer
        with running(["openssl", "ocsp", "-port", str(self.port), "-index",
                      issuer.directory / "index.txt", "-CA", issuer.cert, "-rsigner", issuer.cert,
                      "-rkey", issuer.pair.key, *(["-nmin", str(minutes)] if minutes else []),
                      *more],
                     listens(self.port), log=self.directory / f"responder-{self.homes}"):
            yield

    def config(self, backend, pair, staple, **fetch):
        config = inbound(self.pki, backend, certificate={
            "chain": str(pair.chain), "key": str(pair.key), "staple": staple})
        self.kept += 1
        config["fetch"] = {"directory": str(self.directory / f"kept-{self.kept}"),
                           "private": ["127.0.0.1"], **fetch}
        return config


@pytest.fixture
def world(tmp_path, mutual):
    return World(tmp_path, mutual)


@pytest.fixture
def behind():
    with Backend(answer) as backend:
        yield backend


def s_client(g, world, version="1.3"):
    port = g.address().rsplit(":", 1)[1]
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
               "-status", "-CAfile", world.pki.bundle, "-cert", world.client.chain, "-cert_chain",
               world.client.chain, "-key", world.client.key, "-ign_eof",
               "-" + {"1.2": "tls1_2", "1.3": "tls1_3"}[version], stdin=REQUEST,
               status=None).stdout


def is_stapled(g, world, version="1.3"):
    said = s_client(g, world, version)
    good = "OCSP Response Status: successful" in said and "Cert Status: good" in said
    assert good or "no response sent" in said, said
    assert "hello from behind" in said
    return good


def staple(g):
    return g.status()["services"][0]["certificates"][0]["staple"]


def check(world, g):
    return subprocess.run([world.mutual, "check", str(g.config)], capture_output=True, text=True,
                          timeout=30)


@pytest.mark.parametrize("source", ["url", "certificate"])
def test_a_response_is_fetched_and_sent(gateway, world, behind, source):
    pair = world.plain if source == "url" else world.aware
    with world.responder():
        g = gateway(world.config(behind, pair,
                                 world.url if source == "url" else {"from": "certificate"}))
        g.event("reloaded")
        assert is_stapled(g, world, "1.3") and is_stapled(g, world, "1.2")
        if need_gnutls():
            port = g.address().rsplit(":", 1)[1]
            done = run("gnutls-cli", "--ocsp", "--x509cafile", world.pki.bundle, "--sni-hostname",
                       "localhost", "--verify-hostname", "localhost", "-p", port,
                       "--x509certfile", world.client.chain, "--x509keyfile", world.client.key,
                       "127.0.0.1", stdin=REQUEST, status=None)
            assert "hello from behind" in done.stdout, done.stdout + done.stderr
            assert re.search("OCSP [Rr]esponse|OCSP status", done.stdout), done.stdout
    told = staple(g)
    assert told["source"] == "fetched" and told["url"] == world.url and told["good"] is True
    assert told["produced"] and told["next_update"] and told["code"] is None
    assert told["must_staple"] is False
    text = run(world.mutual, "status", "--control", g.control).stdout
    assert "STAPLE FROM" in text and world.url in text and "sent" in text
    assert g.status()["fetched"][0]["chain"] == str(pair.chain)
    # a certificate that was tried is not tried again for the sake of its staple
    assert not g.events("fetch_failed") and not g.events("certificate_warning")


def need_gnutls():
    try:
        need("gnutls-cli")
        return True
    except pytest.skip.Exception:
        return False


def test_must_staple_is_told_loudly_and_mended(gateway, world, behind):
    g = gateway(world.config(behind, world.must, {"from": "certificate", "every": "2s"}))
    line = g.event("staple_missing")
    assert line["level"] == "error" and line["code"] == "OCSP_MISSING"
    assert str(world.must.chain) in line["detail"]
    assert any("demands a stapled" in one["msg"] for one in g.events("configuration"))
    checked = check(world, g)
    assert "must-staple" in checked.stderr and checked.returncode == 0
    told = staple(g)
    assert told["must_staple"] is True and told["good"] is False
    assert told["code"] == "CONNECT_FAILED"
    assert "demanded" in run(world.mutual, "status", "--control", g.control).stdout
    with world.responder():
        g.event("reloaded", seconds=20)
        assert is_stapled(g, world)
    assert staple(g)["good"] is True
    assert check(world, g).stderr == ""


def test_the_last_good_one_is_kept_over_failures_and_restarts(gateway, world, behind):
    settings = world.config(behind, world.plain, {"url": world.url, "every": "2s"})
    with world.responder():
        g = gateway(settings)
        g.event("reloaded")
    g.event("fetch_failed")
    assert is_stapled(g, world)
    until(lambda: staple(g)["code"] == "CONNECT_FAILED")
    assert staple(g)["good"] is True
    g.stop()
    again = gateway(settings, name="again")
    assert is_stapled(again, world)
    assert staple(again)["good"] is True and staple(again)["produced"]
    again.stop()
    # as long as it holds it is not asked for again at a start
    settings["inbound"][0]["certificate"]["staple"] = world.url
    quiet = gateway(settings, name="quiet")
    assert is_stapled(quiet, world)
    assert not quiet.events("fetch_failed")


def test_it_is_renewed_long_before_its_end(gateway, world, behind):
    with world.responder():
        g = gateway(world.config(behind, world.plain, {"url": world.url, "every": "2s"}))
        g.event("reloaded")
        before = staple(g)["produced"]
        until(lambda: staple(g)["produced"] != before, 20)
        assert is_stapled(g, world)
    # an hour's response is asked for again when half of it is over, and not all at one moment
    settings = world.config(behind, world.plain, world.url)
    with world.responder():
        other = gateway(settings, name="half")
        other.event("reloaded")
        said = other.status()["fetched"][0]
    ahead = seconds_between(said["last_success"], said["next_attempt"])
    assert 1400 <= ahead <= 1801, said


def seconds_between(a, b):
    form = "%Y-%m-%dT%H:%M:%SZ"
    return (datetime.datetime.strptime(b, form) - datetime.datetime.strptime(a, form)).seconds


def test_a_certificate_that_was_renewed_is_asked_about_at_once(gateway, world, behind):
    first, second = world.server("first"), world.server("second")
    live = world.directory / "live"
    live.mkdir()

    def install(pair):
        for name, source in (("tls.crt", pair.chain), ("tls.key", pair.key)):
            (live / name).write_bytes(source.read_bytes())
            (live / name).chmod(0o600)
    install(first)
    config = world.config(behind, first, world.url)
    config["inbound"][0]["certificate"] = {"directory": str(live), "staple": world.url}
    with world.responder():
        g = gateway(config)
        g.event("reloaded")
        assert is_stapled(g, world)
        install(second)
        assert g.reload()
        until(lambda: is_stapled(g, world), 20)
        serial = openssl("x509", "-in", second.cert, "-noout", "-serial").decode()
        serial = serial.strip().split("=")[1]
        assert serial in s_client(g, world).upper()
    assert not g.events("fetch_failed")


def test_a_revoked_certificate_is_told(gateway, world, behind):
    settings = world.config(behind, world.plain, {"url": world.url, "every": "2s"})
    with world.responder():
        g = gateway(settings)
        g.event("reloaded")
    world.pki.issuer.revoke(world.plain)
    with world.responder():
        line = until(lambda: [e for e in g.events("fetch_failed") if e["code"] == "CERT_REVOKED"],
                     20)[0]
        assert "keyCompromise" in line["detail"]
        assert is_stapled(g, world)  # until its end
        assert staple(g)["code"] == "CERT_REVOKED"


OTHERS = {
    "garbage": (b"\x30\x03\x0a\x01\x63", "OCSP_MALFORMED"),
    "try-later": (b"\x30\x03\x0a\x01\x03", "OCSP_UNSUCCESSFUL"),
    "unauthorized": (b"\x30\x03\x0a\x01\x06", "OCSP_UNSUCCESSFUL"),
    "empty": (b"", "OCSP_MALFORMED"),
    "endless": (None, "OCSP_STALE"),
    "another": (None, "OCSP_OTHER_CERT"),
    "stranger": (None, "OCSP_OTHER_CERT"),
    "large": (b"\x30" * 40000, "HTTP_"),
}


def about(world, pair, path, signer, minutes):
    openssl("ocsp", "-issuer", signer.cert, "-cert", pair.cert, "-no_nonce", "-reqout",
            path.with_suffix(".req"))
    openssl("ocsp", "-index", signer.directory / "index.txt", "-CA", signer.cert, "-rsigner",
            signer.cert, "-rkey", signer.pair.key, "-reqin", path.with_suffix(".req"), "-respout",
            path, *(["-nmin", minutes] if minutes else []))
    return path.read_bytes()


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_good_is_neither_kept_nor_sent(gateway, world, behind, what):
    """Each in place of a good one, which stays."""
    content, code = OTHERS[what]
    made = world.directory / "made.ocsp"
    if what == "endless":
        content = about(world, world.plain, made, world.pki.issuer, None)
    elif what == "another":
        content = about(world, world.aware, made, world.pki.issuer, 60)
    elif what == "stranger":
        content = about(world, world.plain, made, world.pki.stranger, 60)
    good = about(world, world.plain, world.directory / "good.ocsp", world.pki.issuer, 60)
    with Scripted(respond(good)) as server:
        settings = world.config(behind, world.plain, {"url": server.url, "every": "2s"})
        g = gateway(settings)
        asked = server.asked()
        assert asked.startswith(b"POST ") and b"Content-Type: application/ocsp-request\r\n" in asked
        g.event("reloaded")
        server.answer = respond(content)
        line = g.event("fetch_failed", seconds=20)
        assert line["code"].startswith(code), line
        assert is_stapled(g, world)
        assert staple(g)["good"] is True
    kept = [p for p in pathlib.Path(settings["fetch"]["directory"]).iterdir()
            if p.suffix != ".meta"]
    assert [p.read_bytes() for p in kept] == [good]


def test_an_older_one_does_not_come_back(gateway, world, behind):
    """Good and current, but made before the one that is sent: somebody plays it again."""
    older = about(world, world.plain, world.directory / "older.ocsp", world.pki.issuer, 60)
    time.sleep(1.1)
    newer = about(world, world.plain, world.directory / "newer.ocsp", world.pki.issuer, 60)
    with Scripted(respond(newer)) as server:
        settings = world.config(behind, world.plain, {"url": server.url, "every": "2s"})
        g = gateway(settings)
        g.event("reloaded")
        server.answer = respond(older)
        line = g.event("fetch_failed", seconds=20)
        assert line["code"] == "OCSP_STALE" and "older than the one that is sent" in line["detail"]
        assert is_stapled(g, world)
    kept = [p for p in pathlib.Path(settings["fetch"]["directory"]).iterdir()
            if p.suffix != ".meta"]
    assert [p.read_bytes() for p in kept] == [newer]


def test_only_hosts_that_are_allowed_are_asked(gateway, world, behind):
    config = world.config(behind, world.plain, world.url, allow=["ocsp.example.org"])
    dead = gateway(config, name="dead", expect_failure=True)
    assert dead.status != 0 and "FETCH_FORBIDDEN" in dead.text() and "fetch.allow" in dead.text()
    config = world.config(behind, world.aware, {"from": "certificate"}, allow="*.example.org")
    with world.responder():
        g = gateway(config, name="named")
        assert any("fetch.allow" in one["msg"] for one in g.events("configuration"))
        assert g.status()["fetched"] == [] and not is_stapled(g, world)
        assert "FETCH_FORBIDDEN" in check(world, g).stderr
        config["fetch"]["allow"] = ["ocsp.example.org", "127.0.0.1"]
        g.write(config)
        assert g.reload()
        until(lambda: len(g.events("reloaded")) >= 2, 20)
        assert is_stapled(g, world)
        # allowed by name is not allowed by address
        del config["fetch"]["private"]
        config["fetch"]["directory"] = str(world.directory / "elsewhere")
        near = gateway(config, name="near")
        assert near.event("fetch_failed")["code"] == "FETCH_FORBIDDEN"
        assert not is_stapled(near, world)


def test_what_nobody_can_be_asked_about(gateway, world, behind):
    g = gateway(world.config(behind, world.plain, {"from": "certificate"}))
    assert any("names no OCSP responder" in one["msg"] for one in g.events("configuration"))
    assert g.status()["fetched"] == []
    config = world.config(behind, world.plain, world.url)
    config["inbound"][0]["certificate"]["ocsp"] = "/nowhere"
    assert "not both" in _errors(world, config)
    config = world.config(behind, world.plain, {"url": world.url, "from": "certificate"})
    assert "not both" in _errors(world, config)
    config = world.config(behind, world.plain, "https://127.0.0.1/")
    assert "which authorities to believe" in _errors(world, config)
    config = world.config(behind, world.plain, "ftp://127.0.0.1/")
    assert "HTTP_URL_INVALID" in _errors(world, config)


def _errors(world, config):
    one = Gateway(world.mutual, world.directory, config, name="bad")
    done = check(world, one)
    assert done.returncode != 0
    return done.stderr


def test_the_end_is_told_of_before_it_comes(gateway, world, behind):
    """Nothing answers any more, and what is kept nears its end: by the note beside it, for the
    parent reads no response."""
    settings = world.config(behind, world.must, world.url)
    with world.responder():
        g = gateway(settings)
        g.event("reloaded")
    g.stop()
    note = next(pathlib.Path(settings["fetch"]["directory"]).glob("*.meta"))
    lines = dict(line.split(" ", 1) for line in note.read_text().splitlines())
    lines["this-update"] = str(int(time.time()) - 10000)
    lines["next-update"] = str(int(time.time()) + 100)
    note.write_text("".join(f"{k} {v}\n" for k, v in lines.items()))
    again = gateway(settings, name="again")
    line = again.event("staple_stale_soon")
    assert line["level"] == "warning" and "must-staple" in line["msg"]
    assert str(world.must.chain) in line["msg"]
