# SPDX-License-Identifier: Apache-2.0
"""The authority as a whole program: init, issue, renew, revoke, list, show, export, audit; what
OpenSSL, GnuTLS and NSS make of what it makes; and what happens when two commands run at once. What
is left when it is killed, or when the disk is full, is told by test_crashes.py."""
import fcntl
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time

import pytest

MUTUAL = os.environ.get("MUTUAL", str(pathlib.Path(__file__).parents[2] / "build" / "mutual"))
BASE_ENV = {**os.environ, "LC_ALL": "C"}
BASE_ENV.pop("MUTUAL_CONFIG", None)


def run(*command, status=0, stdin=None):
    """Runs a command, checks its exit status (None: any), yields the finished process."""
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True,
                          env=BASE_ENV, timeout=60, check=False)
    if status is not None:
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def need(*programs):
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


class Authority:
    """One authority in a directory."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.part = self.dir / "authority"
        self.root = self.part / "ca.crt"
        self.issuer = self.part / "issuer" / "issuer.crt"
        self.crl = self.part / "issuer.crl"

    def __call__(self, *arguments, status=0, stdin=None):
        return run(MUTUAL, *arguments, "--dir", self.dir, status=status, stdin=stdin)

    def json(self, *arguments, status=0):
        return json.loads(self(*arguments, "--json", status=status).stdout)

    def issue(self, name, *options):
        return self.json("issue", name, *options)

    def listed(self, *options):
        return self.json("list", *options)["certificates"]

    def tls(self, name):
        return self.dir / "tls" / name

    def verify(self, name, *options, status=0):
        return run("openssl", "verify", "-x509_strict", "-CAfile", self.root, "-untrusted",
                   self.issuer, *options, self.tls(name) / "tls.crt", status=status)


def init(directory, *options):
    authority = Authority(directory)
    authority.made = authority.json("init", "example.org", *options)
    return authority


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return init(tmp_path_factory.mktemp("ca") / "d", "--dns", "localhost", "--ip", "127.0.0.0/8")


def pair_matches(directory):
    public = run("openssl", "x509", "-in", directory / "tls.crt", "-noout", "-pubkey").stdout
    private = run("openssl", "pkey", "-in", directory / "tls.key", "-pubout").stdout
    return public == private


# -- making ---------------------------------------------------------------------------------------


def test_init_prints_every_default_and_asks_nothing(tmp_path):
    done = run(MUTUAL, "init", "example.org", "--dir", tmp_path / "a", stdin="")
    for word in ("passphrase", "made   root", "made   issuer", "DNS:example.org", "EC P-384",
                 "EC P-256", "mutual.yaml", "owner", "place", "root fingerprint  SHA256:", "next"):
        assert word in done.stdout, word
    assert done.stderr == ""


def test_the_directory_is_private_and_the_root_key_encrypted(ca):
    assert ca.dir.stat().st_mode & 0o777 == 0o700
    for path in (ca.part, ca.part / "root", ca.part / "issuer"):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in (ca.part / "ca.db", ca.part / "root" / "root.key", ca.part / "issuer" / "issuer.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    key = ca.part / "root" / "root.key"
    run("openssl", "pkey", "-in", key, "-noout", "-passin", f"pass:{ca.made['passphrase']}")
    assert run("openssl", "pkey", "-in", key, "-noout", "-passin", "pass:x", status=None).returncode


def test_root_and_issuer_are_what_they_should_be(ca):
    root = run("openssl", "x509", "-in", ca.root, "-noout", "-text").stdout
    assert "CA:TRUE, pathlen:1" in root and "Certificate Sign, CRL Sign" in root
    issuer = run("openssl", "x509", "-in", ca.issuer, "-noout", "-text").stdout
    assert "CA:TRUE, pathlen:0" in issuer and "X509v3 Name Constraints: critical" in issuer
    for permitted in ("DNS:example.org", "DNS:localhost", "URI:example.org", "email:example.org",
                      "IP:127.0.0.0/255.0.0.0"):
        assert permitted in issuer
    assert "Excluded" in issuer


def test_other_verifiers_keep_the_issuer_within_its_names(ca, tmp_path):
    """Whoever steals the issuer's key can still not certify other names."""
    need("certtool")
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", tmp_path / "k", "-out", tmp_path / "csr", "-subj", "/O=example.org/CN=x")
    for name, good in (("DNS:a.example.org", True), ("DNS:a.example.com", False),
                       ("IP:127.0.0.1", True), ("IP:192.0.2.1", False), ("IP:2001:db8::1", False),
                       ("email:a@example.com", False), ("URI:spiffe://example.com/a", False)):
        (tmp_path / "ext").write_text(f"subjectAltName={name}\nextendedKeyUsage=serverAuth\n")
        run("openssl", "x509", "-req", "-in", tmp_path / "csr", "-CA", ca.issuer, "-CAkey",
            ca.part / "issuer" / "issuer.key", "-days", "5", "-extfile", tmp_path / "ext", "-out",
            tmp_path / "crt")
        done = run("openssl", "verify", "-CAfile", ca.root, "-untrusted", ca.issuer,
                   tmp_path / "crt", status=None)
        assert (done.returncode == 0) == good, f"openssl on {name}: {done.stderr}"


def test_a_second_init_is_refused_and_changes_nothing(ca):
    before = (ca.part / "ca.db").read_bytes()
    done = ca("init", "other.org", status=73)
    assert "ALREADY_EXISTS" in done.stderr and "example.org" in done.stderr
    assert (ca.part / "ca.db").read_bytes() == before


def test_a_passphrase_of_ones_own(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery\n")
    secret.chmod(0o644)
    done = run(MUTUAL, "init", "--dir", tmp_path / "a", "--passphrase-file", secret, status=77)
    assert "FILE_EXPOSED" in done.stderr and "chmod 600" in done.stderr
    secret.chmod(0o600)
    done = run(MUTUAL, "init", "--dir", tmp_path / "a", "--passphrase-file", secret)
    assert not done.stdout.startswith("passphrase") and "mutual.internal" in done.stdout
    run("openssl", "pkey", "-noout", "-in", tmp_path / "a/authority/root/root.key", "-passin",
        "pass:correct horse battery")
    for options, code in ((["bad name"], "NAME_MALFORMED"), (["a.org", "--ip", "x/99"],
                                                            "OPTION_VALUE")):
        done = run(MUTUAL, "init", *options, "--dir", tmp_path / "b", status=None)
        assert code in done.stderr and done.returncode != 0


def test_nothing_is_made_when_the_passphrase_cannot_be_shown(tmp_path):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([MUTUAL, "init", "example.org", "--dir", tmp_path / "a"], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=BASE_ENV, check=False)
    assert done.returncode != 0 and "passphrase" in done.stderr
    assert not (tmp_path / "a" / "authority").exists()


def test_without_an_authority_it_says_how_to_make_one(tmp_path):
    done = run(MUTUAL, "list", "--dir", tmp_path, status=66)
    assert "FILE_MISSING" in done.stderr and "mutual init" in done.stderr


# -- issuing --------------------------------------------------------------------------------------

KEYS = {"ec-p256": "256 bit", "ec-p384": "384 bit", "rsa-2048": "2048 bit", "rsa-3072": "3072 bit",
        "ed25519": "ED25519"}


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_key(ca, key):
    name = f"key-{key}"
    ca.issue(name, "--key", key)
    assert KEYS[key] in run("openssl", "x509", "-in", ca.tls(name) / "tls.crt", "-noout",
                            "-text").stdout
    assert pair_matches(ca.tls(name))
    ca.verify(name, "-purpose", "sslserver")


@pytest.mark.parametrize("profile,good,bad", [("server", "sslserver", "sslclient"),
                                              ("client", "sslclient", "sslserver"),
                                              ("device", "sslclient", "sslserver"),
                                              ("user", "sslclient", "sslserver")])
def test_a_certificate_is_for_its_purpose_only(ca, profile, good, bad):
    ca.issue(f"for-{profile}", "--profile", profile)
    ca.verify(f"for-{profile}", "-purpose", good)
    ca.verify(f"for-{profile}", "-purpose", bad, status=2)


def test_gnutls_agrees(ca, tmp_path):
    need("certtool")
    ca.issue("gnutls", "--ip", "127.0.0.1", "--dns", "localhost")
    done = run("certtool", "--verify", "--load-ca-certificate", ca.root, "--infile",
               ca.tls("gnutls") / "tls.crt", "--verify-profile", "medium")
    assert "The certificate is trusted" in done.stdout
    ca("export", "crl", "--out", tmp_path / "crl")
    done = run("certtool", "--verify-crl", "--load-ca-certificate", ca.issuer, "--infile",
               tmp_path / "crl")
    assert "Verified" in done.stdout


def test_names_are_made_and_given(ca):
    made = ca.issue("names", "--san", "127.0.0.1", "--san", "Alt.Example.org")
    assert sorted(made["names"]) == ["DNS:alt.example.org", "IP:127.0.0.1",
                                     "URI:spiffe://example.org/names"]
    made = ca.issue("carol@example.org", "-p", "user")
    assert sorted(made["names"]) == ["URI:spiffe://example.org/user/carol",
                                     "email:carol@example.org"]
    made = ca.issue("ident", "-p", "client", "--spiffe", "spiffe://example.org/ns/prod/sa/web")
    assert made["names"] == ["URI:spiffe://example.org/ns/prod/sa/web"]


@pytest.mark.parametrize("options,code,status", [
    (["evil.com"], "ISSUER_CONSTRAINT", 77),
    (["a", "--ip", "8.8.8.8"], "ISSUER_CONSTRAINT", 77),
    (["a", "--email", "a@example.org"], "PROFILE_DENIED", 77),
    (["a", "--life", "3000d"], "PROFILE_DENIED", 77),
    (["a", "-p", "sever"], "OPTION_VALUE", 2),
    (["a", "--spiffe", "spiffe://Example.org/a"], "SPIFFE_MALFORMED", 65),
    (["../a"], "NAME_MALFORMED", 65),
    (["a", "--owner", "x\ny"], "OPTION_VALUE", 2),
    (["a", "--key", "rsa-1024"], "OPTION_VALUE", 2),
    (["a", "--out", "-"], "USAGE", 2),
])
def test_what_may_not_be_is_refused_and_nothing_is_left(ca, options, code, status):
    before = ca.json("list")
    done = ca("issue", *options, status=status)
    assert code in done.stderr and "hint:" in done.stderr
    assert ca.json("list")["total"] == before["total"]
    assert not ca.tls("a").exists()


def test_serials_are_long_random_and_never_twice(ca):
    serials = [c["serial"] for c in ca.listed()]
    assert len(set(serials)) == len(serials)
    assert all(len(s) == 40 for s in serials)


def make_csr(path, subject="/CN=ignored", extension=None, key=None):
    command = ["openssl", "req", "-new", "-nodes", "-keyout", path.with_suffix(".key"), "-out", path,
               "-subj", subject]
    command += key or ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    if extension:
        command += ["-addext", extension]
    run(*command)
    return path


def test_a_request_gets_its_certificate(ca, tmp_path):
    csr = make_csr(tmp_path / "a.csr", extension="subjectAltName=DNS:csr.example.org")
    ca.issue("by-request", "--csr", csr)
    files = sorted(p.name for p in ca.tls("by-request").iterdir())
    assert files == ["ca.crt", "tls.crt"]
    text = run("openssl", "x509", "-in", ca.tls("by-request") / "tls.crt", "-noout", "-text").stdout
    assert "DNS:csr.example.org" in text and "CN = by-request" in text
    printed = ca("issue", "by-request-2", "--csr", "-", "--out", "-", stdin=csr.read_text()).stdout
    assert printed.count("BEGIN CERTIFICATE") == 2
    assert not ca.tls("by-request-2").exists()
    assert ca("show", "by-request-2", "--pem").stdout == printed


@pytest.mark.parametrize("extension,key,code", [
    ("subjectAltName=DNS:evil.com", None, "ISSUER_CONSTRAINT"),
    ("subjectAltName=URI:https://example.org/", None, "SPIFFE_MALFORMED"),
    ("subjectAltName=otherName:1.2.3.4;UTF8:x", None, "PROFILE_DENIED"),
    ("basicConstraints=critical,CA:TRUE", None, "PROFILE_DENIED"),
    (None, ["-newkey", "rsa:1024"], "WEAK_KEY"),
])
def test_a_request_that_asks_too_much(ca, tmp_path, extension, key, code):
    csr = make_csr(tmp_path / "a.csr", extension=extension, key=key)
    done = ca("issue", "greedy", "--csr", csr, status=None)
    assert code in done.stderr and done.returncode != 0
    assert not ca.tls("greedy").exists()


def test_a_request_that_is_damaged(ca, tmp_path):
    csr = make_csr(tmp_path / "a.csr")
    der = bytearray(subprocess.run(["openssl", "req", "-in", csr, "-outform", "DER"],
                                   capture_output=True, check=True).stdout)
    der[-1] ^= 1
    (tmp_path / "bad").write_bytes(der)
    assert "CSR_SIGNATURE" in ca("issue", "bad", "--csr", tmp_path / "bad", status=None).stderr
    (tmp_path / "bad").write_bytes(der[:-9])
    assert "CSR_MALFORMED" in ca("issue", "bad", "--csr", tmp_path / "bad", status=None).stderr


@pytest.mark.parametrize("preset", ["apple", "windows", "android", "modern"])
def test_pkcs12_opens_in_openssl_and_nss(ca, tmp_path, preset):
    need("pk12util", "certutil")
    name = f"p12-{preset}"
    made = ca.issue(name, "-p", "user", "--p12", "--for", preset)
    directory = ca.tls(name)
    assert sorted(p.name for p in directory.iterdir()) == ["ca.crt", f"{name}.p12", "tls.crt"]
    p12 = directory / f"{name}.p12"
    assert p12.stat().st_mode & 0o777 == 0o600
    assert len(made["password"]) >= 20
    text = run("openssl", "pkcs12", "-in", p12, "-passin", f"pass:{made['password']}", "-nodes").stdout
    assert "PRIVATE KEY" in text and text.count("BEGIN CERTIFICATE") == 3
    assert run("openssl", "pkcs12", "-in", p12, "-passin", "pass:no", "-noout",
               status=None).returncode != 0
    nss = tmp_path / "nss"
    nss.mkdir()
    run("certutil", "-N", "-d", f"sql:{nss}", "--empty-password")
    run("pk12util", "-i", p12, "-d", f"sql:{nss}", "-W", made["password"], "-K", "")
    assert name in run("certutil", "-L", "-d", f"sql:{nss}").stdout
    assert name in run("certutil", "-K", "-d", f"sql:{nss}").stdout
    secret = tmp_path / "secret"
    secret.write_text(made["password"] + "\n")
    secret.chmod(0o600)
    shown = run(MUTUAL, "show", p12, "--password-file", secret).stdout
    assert "private key" in shown and "prove a client" in shown
    assert "KEY_PASSPHRASE" in run(MUTUAL, "show", p12, status=77).stderr


def test_a_short_password_is_warned_of(ca, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("short\n")
    secret.chmod(0o600)
    done = ca("issue", "short-password", "-p", "user", "--password-file", secret)
    assert "warning" in done.stderr and "short" not in done.stdout.replace("short-password", "")


# -- renewing and revoking ------------------------------------------------------------------------


def fingerprint(path):
    return run("openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256").stdout


def test_renewing(ca, tmp_path):
    ca.issue("renewed", "--owner", "web team", "--place", "rack 4", "--purpose", "the shop",
             "--dns", "shop.example.org", "--life", "10d", "--key", "ec-p384")
    directory = ca.tls("renewed")
    old, old_key = fingerprint(directory / "tls.crt"), (directory / "tls.key").read_bytes()
    made = ca.json("renew", "renewed")
    assert made["owner"] == "web team" and made["purpose"] == "the shop"
    assert "DNS:shop.example.org" in made["names"]
    assert fingerprint(directory / "tls.crt") != old
    assert (directory / "tls.key").read_bytes() != old_key
    assert pair_matches(directory) and "384 bit" in run(
        "openssl", "x509", "-in", directory / "tls.crt", "-noout", "-text").stdout
    key = (directory / "tls.key").read_bytes()
    ca("renew", directory / "tls.crt", "--keep-key")
    assert (directory / "tls.key").read_bytes() != b"" and pair_matches(directory)
    assert run("openssl", "pkey", "-in", directory / "tls.key", "-pubout").stdout == run(
        "openssl", "pkey", "-pubout", stdin=key.decode()).stdout
    states = [c["replaced"] for c in ca.listed("renewed")]
    assert sorted(states) == [False, True, True]
    (directory / "dhparam.pem").write_text("theirs")
    assert "FILE_EXISTS" in ca("renew", "renewed", status=73).stderr
    assert (directory / "dhparam.pem").read_text() == "theirs" and pair_matches(directory)
    (directory / "dhparam.pem").unlink()
    csr = make_csr(tmp_path / "a.csr")
    ca.issue("renewed-csr", "--csr", csr)
    assert "USAGE" in ca("renew", "renewed-csr", status=2).stderr
    ca("renew", "renewed-csr", "--csr", csr)


def crl_text(ca):
    return run("openssl", "crl", "-in", ca.crl, "-noout", "-text", "-CAfile", ca.issuer).stdout


def crl_number(ca):
    lines = crl_text(ca).splitlines()
    at = [i for i, line in enumerate(lines) if "X509v3 CRL Number" in line][0]
    return int(lines[at + 1].strip(), 0)


def test_revoking(ca):
    first = crl_number(ca)
    by_name = ca.issue("revoked-name")
    by_serial = ca.issue("revoked-serial")
    by_file = ca.issue("revoked-file")
    by_print = ca.issue("revoked-print")
    ca.verify("revoked-name", "-crl_check", "-CRLfile", ca.crl)
    ca("revoke", "revoked-name", "--reason", "key-compromise")
    ca("revoke", by_serial["serial"].upper(), "-r", "superseded")
    ca("revoke", ca.tls("revoked-file") / "tls.crt")
    ca("revoke", "SHA256:" + by_print["fingerprint"])
    text = crl_text(ca)
    for made in (by_name, by_serial, by_file, by_print):
        assert made["serial"].upper() in text
    assert "Key Compromise" in text and "Superseded" in text
    assert crl_number(ca) == first + 4
    done = ca.verify("revoked-name", "-crl_check", "-CRLfile", ca.crl, status=2)
    assert "certificate revoked" in done.stderr
    done = ca("revoke", "revoked-name", status=1)
    assert "ALREADY_REVOKED" in done.stderr and "keyCompromise" in done.stderr
    assert "ALREADY_REVOKED" in ca("renew", "revoked-name", status=1).stderr
    assert "rm -r" in ca("issue", "revoked-name", status=73).stderr
    assert "NOT_FOUND" in ca("revoke", "nobody", status=1).stderr
    ca("list", "nobody", status=1)
    assert "OPTION_VALUE" in ca("revoke", "gnutls", "-r", "boredom", status=2).stderr
    assert {c["name"] for c in ca.listed("--revoked")} >= {"revoked-name", "revoked-file"}
    assert crl_number(ca) == first + 4


def test_an_ambiguous_name_lists_the_choices(ca):
    ca.issue("twice")
    ca("renew", "twice")
    serials = [c["serial"] for c in ca.listed("twice")]
    done = ca("revoke", "twice", status=2)
    assert "AMBIGUOUS" in done.stderr and all(s in done.stderr for s in serials)
    ca("revoke", serials[0][:16])
    ca("revoke", "twice")
    assert "ALREADY_REVOKED" in ca("revoke", "twice", status=1).stderr


def test_authorities_are_not_revoked_by_their_own_key(ca):
    assert "PROFILE_DENIED" in ca("revoke", "example.org issuer", status=77).stderr


def test_a_certificate_of_somebody_else_is_not_ours(ca, tmp_path):
    other = init(tmp_path / "other")
    other.issue("web")
    done = ca("revoke", other.tls("web") / "tls.crt", status=1)
    assert "NOT_FOUND" in done.stderr and "not issued here" in done.stderr


def test_the_list_for_others(ca, tmp_path):
    before = crl_number(ca)
    ca("export", "crl", "--out", tmp_path / "list.der", "--der")
    text = run("openssl", "crl", "-inform", "DER", "-in", tmp_path / "list.der", "-noout", "-text",
               "-CAfile", ca.issuer).stdout
    assert "Next Update" in text and crl_number(ca) == before + 1
    assert ca("export", "root").stdout == ca.root.read_text()
    assert "BEGIN CERTIFICATE" in ca("export", "issuer").stdout


# -- telling --------------------------------------------------------------------------------------


def test_list_answers_how_many_where_who_and_when(tmp_path):
    ca = init(tmp_path / "d")
    ca.issue("a", "--owner", "red", "--place", "here", "--purpose", "shop", "--life", "5d")
    ca.issue("b", "--owner", "blue", "--place", "there", "--purpose", "mail", "-p", "client")
    ca.issue("alice", "-p", "client", "--owner", "blue")
    ca.issue("web")
    ca("revoke", "b")
    names = lambda *o: {c["name"] for c in ca.listed(*o)}
    assert names("--owner", "red") == {"a"} and names("--place", "there") == {"b"}
    assert names("--purpose", "shop") == {"a"} and names("--profile", "client") == {"b", "alice"}
    assert names("--expiring", "14d") == {"a"} and names("--revoked") == {"b"}
    assert names("spiffe://example.org/alice") == {"alice"}
    assert names("--limit", "1") == {"a"} and names("--expiring", "999d", "--limit", "1") == {"a"}
    told = ca.json("list")
    assert (told["total"], told["valid"], told["revoked"], told["interrupted"]) == (6, 5, 1, 0)
    for c in told["certificates"]:
        assert c["owner"] and c["place"] and c["purpose"] and c["not_after"]
    text = ca("list").stdout
    assert "6 certificates in all: 5 valid, 0 expired, 1 revoked; the next expires in " in text
    # With the configuration: who may use them.
    told = json.loads(run(MUTUAL, "list", "--json", "-c", ca.dir / "mutual.yaml").stdout)
    by_name = {c["name"]: c for c in told["certificates"]}
    assert by_name["alice"]["may_reach"] == [{"service": "web", "grant": "alice-web"}]
    assert by_name["web"]["reached_by"] == [{"service": "web",
                                            "from": "spiffe://example.org/alice"}]
    assert by_name["a"]["may_reach"] == []


def test_show_reads_anything(ca, tmp_path):
    ca.issue("shown")
    directory = ca.tls("shown")
    text = run(MUTUAL, "show", directory / "tls.crt").stdout
    assert "may          prove a server to its clients" in text and "may not" in text
    assert "only names" in text  # the issuer behind it
    der = tmp_path / "c.der"
    run("openssl", "x509", "-in", directory / "tls.crt", "-outform", "DER", "-out", der)
    assert "certificate  shown" in run(MUTUAL, "show", der).stdout
    key = run(MUTUAL, "show", directory / "tls.key").stdout
    assert "private key  EC P-256" in key and "BEGIN" not in key
    assert "request" in run(MUTUAL, "show", make_csr(tmp_path / "r.csr")).stdout
    assert "revocation list" in run(MUTUAL, "show", ca.crl).stdout
    facts = json.loads(run(MUTUAL, "show", directory / "tls.crt", "--json").stdout)
    assert [f["name"] for f in facts] == ["shown", "example.org issuer"]
    assert "owner" in ca("show", "shown").stdout
    profile = ca.json("show", "profile", "user")
    assert profile["name"] == "user" and profile["issuer"] == "issuer"
    assert "example.org" in profile["names"]["email"]["permitted"]
    assert len(ca.json("show", "profile")) == 5
    (tmp_path / "junk").write_text("hello")
    assert "PEM_MALFORMED" in run(MUTUAL, "show", tmp_path / "junk", status=65).stderr
    (tmp_path / "junk").write_bytes(b"\x30\x82\x01\x00garbage")
    assert "CERT_MALFORMED" in run(MUTUAL, "show", tmp_path / "junk", status=65).stderr


def test_the_audit_names_who_did_what(ca):
    events = ca.json("audit")
    assert events[0]["action"] == "init"
    assert {"issue", "renew", "revoke"} <= {e["action"] for e in events}
    assert all(e["who"] and e["at"] for e in events)


# -- neighbours ----------------------------------------------------------------------------------


def test_two_at_once_wait_for_each_other(ca):
    with open(ca.part / "ca.db.lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = time.monotonic()
        waiting = subprocess.Popen([MUTUAL, "issue", "busy", "--dir", ca.dir], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=BASE_ENV)
        assert ca.listed()  # reading does not wait
        _, err = waiting.communicate(timeout=30)
        assert waiting.returncode == 75 and "STORE_BUSY" in err
        assert 4 < time.monotonic() - begun < 15
    assert not ca.tls("busy").exists()
    several = [subprocess.Popen([MUTUAL, "issue", f"parallel-{i}", "--json", "--dir", ca.dir],
                                stdout=subprocess.PIPE, env=BASE_ENV) for i in range(6)]
    serials = {json.loads(p.communicate(timeout=60)[0])["serial"] for p in several}
    assert len(serials) == 6


def test_a_damaged_store_is_named(tmp_path):
    ca = init(tmp_path / "d")
    with open(ca.part / "ca.db", "r+b") as db:
        db.seek(100)
        db.write(b"\xa5" * 3000)
    assert "STORE_CORRUPT" in ca("list", status=65).stderr
    (ca.part / "ca.db").write_bytes(b"not a database at all, for sure" * 40)
    assert "STORE_CORRUPT" in ca("issue", "a", status=65).stderr


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    ca = init(tmp_path / "d")
    key = ca.part / "issuer" / "issuer.key"
    key.chmod(0o644)
    done = ca("issue", "a", status=77)
    assert "FILE_EXPOSED" in done.stderr and "chmod 600" in done.stderr
    key.chmod(0o600)
    key.rename(key.with_suffix(".away"))
    assert "FILE_MISSING" in ca("issue", "a", status=66).stderr
    key.with_suffix(".away").rename(key)
    ca.issue("a")
    assert ca.json("list")["interrupted"] == 0


def test_the_root_can_be_taken_away(tmp_path):
    ca = init(tmp_path / "d")
    shutil.move(ca.part / "root", tmp_path / "safe")
    ca.issue("web")
    ca.verify("web")


# -- the audit ------------------------------------------------------------------------------------


def test_the_audit_tells_when_it_was_tampered_with(tmp_path):
    one = init(tmp_path / "d")
    one("issue", "web")
    first = one.json("audit", "verify")
    assert first["events"] == 2 and first["unchained"] == 0
    one("issue", "db")
    one("revoke", "web", "--reason", "superseded")
    assert "whole  4 events" in one("audit", "verify", "--head", first["head"]).stdout
    other = first["head"].replace(first["head"][-4:], "0000")
    assert "AUDIT_BROKEN" in one("audit", "verify", "--head", other, status=1).stderr
    kept = tmp_path / "kept.db"
    shutil.copy(one.part / "ca.db", kept)
    for attack, told in (("UPDATE event SET who = 'nobody' WHERE action = 'revoke'", "breaks at"),
                         ("DELETE FROM event WHERE action = 'issue'", "breaks at"),
                         ("DELETE FROM event WHERE action = 'revoke'", "cut off the end")):
        with sqlite3.connect(one.part / "ca.db") as db:
            db.execute(attack)
        db.close()
        said = one("audit", "verify", status=1).stderr
        assert "AUDIT_BROKEN" in said and told in said, said
        shutil.copy(kept, one.part / "ca.db")
    one("audit", "verify")
