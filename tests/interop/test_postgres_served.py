# SPDX-License-Identifier: Apache-2.0
"""All that an authority keeps, while it is served from PostgreSQL: several issuers, one-time tokens, EST, an ACME
client with its binding, lists whole, in parts and as deltas, and OCSP; and the same authority after it moved
there from its file, after a backup and after a restore."""
import base64
import re
import sqlite3
import subprocess

import pytest
from acme_client import csr_for
from acme_place import Place
from net import until
from peers import need
from postgres import Postgres
from publishing import Publishing, pem, point_of, run, verify

TABLES = ["issuer", "certificate", "certified_name", "event", "shard", "list", "acme_binding", "acme_binding_name",
          "acme_account", "acme_order", "acme_authz", "acme_challenge", "enrolment_token", "ending", "tally"]


@pytest.fixture(scope="module")
def postgres():
    need("psql", "curl", "openssl")
    with Postgres() as server:
        yield server


class Life:
    """An authority and what became of it: who was issued by which door, who is revoked."""

    def __init__(self, mutual, gateway, tmp_path, *init):
        self.tmp = tmp_path
        secret = tmp_path / "passphrase"
        secret.write_text("correct horse battery staple\n")
        secret.chmod(0o600)
        self.secret = secret
        self.place = Place(mutual, gateway, tmp_path, kind=Publishing, mode="request",
                           init=("--passphrase-file", secret, *init))
        self.served = self.place.served
        until(lambda: (self.served.dir / "authority" / "issuer" / "ocsp.crt").exists())
        self.acme, self.chains, self.pairs, self.revoked = None, {}, {}, []

    def close(self):
        self.place.close()

    # -- each door once

    def issuer(self):
        self.served.run("issuer", "add", "iot", "--passphrase-file", self.secret, "--permit", "dns:iot.example.org",
                        "--permit", "uri:iot.example.org", "--permit", "dir:O=example.org")
        self.pairs["sensor"] = self.served.issue("sensor", "--issuer", "iot", "--dns", "a.iot.example.org")

    def token(self, name, *options):
        return self.served.json("token", name, "--url", self.served.url(), *options)["token"]

    def est(self, name):
        """By a token, and again by the certificate that came of it."""
        out = self.tmp / f"est-{name}"
        self.served.run("enroll", self.token(name, "--profile", "device"), "--out", out, dir=False)
        request = run("openssl", "x509", "-in", out / "tls.crt", "-signkey", out / "tls.key", "-x509toreq",
                      "-copy_extensions", "copyall")
        body = re.search(r"-----BEGIN CERTIFICATE REQUEST-----\n(.*)-----END", request, re.S).group(1).encode()
        again = self.served.call("POST", "/.well-known/est/simplereenroll", body, pair=out,
                                 fields={"Content-Type": "application/pkcs10"})
        assert again.status == 200, again.body
        self.pairs[name] = out

    def acme_order(self, name):
        if self.acme is None:
            self.acme = self.place.client("one.example.org", "two.example.org")
        order = self.acme.order(name)
        challenge = self.acme.challenge(order, "http-01")
        self.place.put_http(self.acme, challenge)
        assert self.acme.answer(order, challenge) == "valid"
        self.chains[name] = self.acme.finalize(order, csr_for(name)[1])

    def revoke(self, name):
        self.served.run("revoke", self.pairs[name] / "tls.crt")
        self.revoked.append(name)

    # -- what others see

    def check(self, tag):
        """OCSP says it, the list says it, the part that the certificate names says it, and the delta."""
        served = self.served
        whole, delta = (pem(served, f"/crl/issuer.{kind}", self.tmp / f"{tag}-{kind}")
                        for kind in ("crl", "delta.crl"))
        for name, pair in self.pairs.items():
            if name == "sensor":
                continue  # of another issuer
            gone = name in self.revoked
            told = served.ocsp(pair)
            assert "Response verify OK" in told and f"tls.crt: {'revoked' if gone else 'good'}" in told, told
            part = pem(served, point_of(pair / "tls.crt"), self.tmp / f"{tag}-part")
            status = 2 if gone else 0
            verify(served, pair, "-CRLfile", whole, status=status)
            verify(served, pair, "-CRLfile", part, "-extended_crl", status=status)
            verify(served, pair, "-CRLfile", whole, "-CRLfile", delta, "-extended_crl", "-use_deltas", status=status)
        run("openssl", "verify", "-x509_strict", "-CAfile", served.root, "-untrusted",
            self.pairs["sensor"] / "tls.crt", self.pairs["sensor"] / "tls.crt")
        served.run("audit", "verify")

    def live(self):
        """One life through every door."""
        self.issuer()
        self.est("web")
        self.est("db")
        self.acme_order("one.example.org")
        self.token("waits")
        self.token("asks", "--approval")
        self.pairs["alice"] = self.served.issue("alice", "--profile", "client")
        self.revoke("db")
        self.revoke("alice")
        self.acme.revoke(self.chains["one.example.org"])
        self.check("first")

    def live_on(self, tag):
        """All that was begun goes on: the account, the certificates, the tokens."""
        self.acme_order("two.example.org")
        assert self.acme.revoke(self.chains["one.example.org"], status=400) is not None
        self.est(f"late-{tag}")
        self.revoke(f"late-{tag}")
        assert {one["name"] for one in self.served.json("list", "--tokens")["tokens"]} == {"waits", "asks"}
        self.check(tag)


@pytest.fixture
def life(mutual, gateway, tmp_path):
    made = []

    def make(*init):
        made.append(Life(mutual, gateway, tmp_path, *init))
        return made[-1]
    yield make
    for one in made:
        one.close()


def rows_of(postgres, database):
    return {table: int(postgres.sql(f"SELECT count(*) FROM {table}", database).stdout) for table in TABLES}


def rows_in(path):
    with sqlite3.connect(path) as store:
        return {table: store.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def test_every_door_is_served_from_postgresql(life, postgres):
    one = life("--store", postgres.create("served"))
    one.live()
    one.served.gateway.stop()
    one.served.serve(name="second")  # all of it is in the database and not in a process
    one.live_on("on")
    rows = rows_of(postgres, "served")
    assert all(rows.values()), rows
    assert rows["issuer"] == 3 and rows["enrolment_token"] == 5 and rows["acme_order"] == 2


def test_what_was_served_from_a_file_goes_on_from_postgresql_and_back(life, postgres, tmp_path):
    one = life()
    one.live()
    one.served.gateway.stop()
    before, tokens = one.served.json("list"), one.served.json("list", "--tokens")
    moved = one.served.json("store", "migrate", postgres.create("went"))
    was = rows_in(one.served.dir / "authority" / "ca.db.moved")
    assert rows_of(postgres, "went") == was and all(was.values()), was
    assert (moved["certificates"], moved["names"]) == (was["certificate"], was["certified_name"])
    assert (one.served.json("list"), one.served.json("list", "--tokens")) == (before, tokens)
    one.served.serve(name="moved")
    one.check("moved")  # what was revoked before is revoked still
    one.live_on("on")
    backup = tmp_path / "backup.db"
    one.served.json("store", "backup", backup)
    assert rows_in(backup) == rows_of(postgres, "went")
    one.served.gateway.stop()
    (one.served.dir / "authority" / "store").unlink()  # a file of its own again
    one.served.json("store", "restore", backup)
    now = rows_in(one.served.dir / "authority" / "ca.db")
    assert now == rows_of(postgres, "went")
    one.served.serve(name="restored")
    one.live_on("restored")


def test_certbot_lives_on_postgresql(life, postgres, tmp_path):
    need("certbot")
    one = life("--store", postgres.create("certbot"))
    kid, secret = one.place.key("bot.example.org")
    common = ["--config-dir", tmp_path / "c", "--work-dir", tmp_path / "w", "--logs-dir", tmp_path / "l",
              "--server", one.place.directory, "-n"]
    web = ["--webroot", "-w", one.place.web_directory]

    def certbot(*words):
        done = subprocess.run(["certbot", *map(str, words)], capture_output=True, text=True, timeout=120, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "REQUESTS_CA_BUNDLE":
                                   str(one.served.root), "LC_ALL": "C"})
        assert done.returncode == 0, done.stdout + done.stderr
    certbot("register", *common, "--agree-tos", "-m", "a@example.org", "--no-eff-email", "--eab-kid", kid,
            "--eab-hmac-key", secret)
    certbot("certonly", *common, *web, "-d", "bot.example.org")
    live = tmp_path / "c" / "live" / "bot.example.org"
    pair = tmp_path / "bot"
    pair.mkdir()
    (pair / "tls.crt").write_text((live / "cert.pem").read_text())
    assert "tls.crt: good" in one.served.ocsp(pair)
    certbot("revoke", *common, "--cert-path", live / "fullchain.pem", "--reason", "superseded",
            "--no-delete-after-revoke")
    told = one.served.ocsp(pair)
    assert "tls.crt: revoked" in told and "Reason: superseded" in told
    serial = run("openssl", "x509", "-noout", "-serial", "-in", pair / "tls.crt").strip().partition("=")[2]
    assert serial in run("openssl", "crl", "-noout", "-text", "-in", pem(one.served, "/crl/issuer.crl", tmp_path / "x"))
