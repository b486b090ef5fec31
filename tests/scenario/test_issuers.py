# SPDX-License-Identifier: Apache-2.0
"""Several issuers under one root, profiles of the authority's own, and the rule that both make:
what is printed, what is issued, and what OpenSSL and GnuTLS say of the chains."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

MUTUAL = os.environ.get("MUTUAL", str(pathlib.Path(__file__).parents[2] / "build" / "mutual"))
BASE_ENV = {**os.environ, "LC_ALL": "C"}
BASE_ENV.pop("MUTUAL_CONFIG", None)
PASSPHRASE = "correct horse battery staple\n"

PROFILES = """\
version: 1
profiles:
  - name: printer
    text: proves a printer to the print server
    purposes: client
    life: 30d
    max-life: 60d
    keys: [ed25519, ec-p256]
    names: [dns, spiffe]
    required: dns
    made: spiffe
    only: [{dns: "*.print.iot.example.org"}]
    spiffe-prefix: print/
    owner: print team
"""


def run(*command, status=0, stdin=None):
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True,
                          env=BASE_ENV, timeout=60, check=False)
    if status is not None:
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class Authority:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        secret = self.dir.parent / "passphrase"
        secret.write_text(PASSPHRASE)
        secret.chmod(0o600)
        self.secret = secret
        self("init", "example.org", "--passphrase-file", secret)

    def __call__(self, *arguments, status=0, stdin=None):
        return run(MUTUAL, *arguments, "--dir", self.dir, status=status, stdin=stdin)

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json").stdout)

    def add(self, name, *options, status=0):
        return self("issuer", "add", name, "--passphrase-file", self.secret, *options,
                    status=status)

    def verify(self, name, status=0):
        path = self.dir / "tls" / name / "tls.crt"
        return run("openssl", "verify", "-x509_strict", "-CAfile", self.dir / "authority" / "ca.crt",
                   "-untrusted", path, path, status=status)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("issuers") / "ca")
    authority.add("iot", "--permit", "dns:iot.example.org", "--permit", "uri:iot.example.org",
                  "--permit", "dir:O=example.org", "--exclude", "dns:secret.iot.example.org",
                  "--exclude", "dir:O=example.org,CN=root")
    authority.add("nets", "--permit", "ip:10.0.0.0/8", "--permit", "ip:2001:db8::/32",
                  "--permit", "email:staff@example.org", "--permit", "dns:example.org",
                  "--permit", "uri:example.org", "--exclude", "ip:10.9.0.0/16")
    (authority.dir / "authority" / "profiles.yaml").write_text(PROFILES)
    return authority


def test_issuers_are_shown(ca):
    issuers = {i["name"]: i for i in ca.json("issuer")}
    assert list(issuers) == ["issuer", "iot", "nets"]
    assert issuers["iot"]["permitted"] == ["DNS:iot.example.org", "URI:iot.example.org",
                                           "directory:O=example.org", "email:none.invalid"]
    assert "DNS:secret.iot.example.org" in issuers["iot"]["excluded"]
    assert issuers["iot"]["domain"] == "iot.example.org"


@pytest.mark.parametrize("issuer,names,good", [
    ("iot", ["--dns", "a.iot.example.org"], True),
    ("iot", ["--dns", "a.example.org"], False),
    ("iot", ["--dns", "a.secret.iot.example.org"], False),
    ("iot", ["--spiffe", "spiffe://example.org/a"], False),
    ("iot", ["--ip", "10.0.0.1"], False),
    ("nets", ["--ip", "10.0.0.1"], True),
    ("nets", ["--ip", "2001:db8::5"], True),
    ("nets", ["--ip", "10.9.0.1"], False),
    ("nets", ["--ip", "192.0.2.1"], False),
    ("issuer", ["--ip", "10.0.0.1"], False),
])
def test_an_issuer_keeps_to_its_names(ca, issuer, names, good, request):
    name = f"n{abs(hash(request.node.name)) % 10**8}"
    done = ca("issue", name, "--issuer", issuer, *names, status=0 if good else None)
    if good:
        ca.verify(name)
    else:
        assert done.returncode not in (0, 2) and "ISSUER_CONSTRAINT" in done.stderr


def test_an_excluded_subject_is_refused(ca):
    assert "ISSUER_CONSTRAINT" in ca("issue", "root", "--issuer", "iot", status=None).stderr


def test_openssl_keeps_the_constraints_too(ca, tmp_path):
    """A certificate that a stolen issuer key makes outside of its constraints is refused by those
    who verify it: the constraints are in the issuer's certificate."""
    part = ca.dir / "authority" / "issuers" / "iot"
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", tmp_path / "k", "-out", tmp_path / "r", "-subj", "/O=example.org/CN=forged")
    for i, (name, good) in enumerate([("DNS:b.iot.example.org", True), ("DNS:example.com", False),
                                      ("DNS:a.secret.iot.example.org", False),
                                      ("IP:10.0.0.1", False), ("email:a@example.org", False),
                                      ("URI:spiffe://example.com/a", False)]):
        extensions = tmp_path / f"e{i}"
        extensions.write_text(f"subjectAltName={name}\n")
        run("openssl", "x509", "-req", "-in", tmp_path / "r", "-CA", part / "issuer.crt", "-CAkey",
            part / "issuer.key", "-CAcreateserial", "-CAserial", tmp_path / "serial", "-days", "1",
            "-extfile", extensions, "-out", tmp_path / f"c{i}")
        done = run("openssl", "verify", "-CAfile", ca.dir / "authority" / "ca.crt", "-untrusted",
                   part / "issuer.crt", tmp_path / f"c{i}", status=None)
        assert (done.returncode == 0) == good, (name, done.stdout, done.stderr)


def test_gnutls_verifies_the_chain(ca):
    if shutil.which("certtool") is None:
        pytest.skip("not installed: certtool")
    ca("issue", "gnutls", "--issuer", "nets", "--ip", "10.0.0.1")
    run("certtool", "--verify", "--load-ca-certificate", ca.dir / "authority" / "ca.crt",
        "--infile", ca.dir / "tls" / "gnutls" / "tls.crt", "--verify-profile", "medium")


def test_renewing_and_revoking_stay_with_the_issuer(ca):
    first = ca.json("issue", "stays", "--issuer", "iot")
    ca("renew", "stays")
    text = run("openssl", "x509", "-noout", "-issuer", "-in", ca.dir / "tls" / "stays" / "tls.crt")
    assert "example.org iot" in text.stdout
    told = ca.json("revoke", first["serial"])
    assert told["crl"].endswith("issuers/iot.crl")
    lists = {name: run("openssl", "crl", "-noout", "-text", "-in", path).stdout.lower()
             for name, path in (("iot", ca.dir / "authority/issuers/iot.crl"),
                                ("issuer", ca.dir / "authority/issuer.crl"))}
    assert first["serial"] in lists["iot"] and first["serial"] not in lists["issuer"]


def test_a_profile_of_our_own(ca):
    rule = ca.json("show", "profile", "printer", "--issuer", "iot")
    assert rule["keys"] == ["ec-p256", "ed25519"] and rule["key"] == "ed25519"
    assert rule["names"]["dns"]["only"] == ["*.print.iot.example.org"]
    assert rule["names"]["dns"]["permitted"] == ["iot.example.org"]
    made = ca.json("issue", "p1", "--profile", "printer", "--issuer", "iot", "--dns",
                   "p1.print.iot.example.org")
    assert made["owner"] == "print team" and made["profile"] == "printer"
    assert "URI:spiffe://iot.example.org/print/p1" in made["names"]
    ca.verify("p1")
    for options, word in ((["--dns", "p2.iot.example.org"], "PROFILE_DENIED"),
                          ([], "PROFILE_DENIED"),  # no host name at all
                          (["--dns", "p2.print.iot.example.org", "--key", "rsa-2048"],
                           "PROFILE_DENIED"),
                          (["--dns", "p2.print.iot.example.org", "--life", "61d"],
                           "PROFILE_DENIED"),
                          (["--dns", "p2.print.iot.example.org", "--must-staple"],
                           "PROFILE_DENIED")):
        done = ca("issue", "p2", "--profile", "printer", "--issuer", "iot", *options, status=None)
        assert done.returncode not in (0, 2) and word in done.stderr, (options, done.stderr)
    ca("renew", "p1")


def test_every_mistake_in_a_file_of_profiles_is_told_at_once(ca):
    path = ca.dir / "authority" / "profiles.yaml"
    kept = path.read_text()
    try:
        path.write_text(kept.replace("purposes: client", "purposes: clint")
                        .replace("*.print.iot", "a.*.iot").replace("max-life: 60d", "max-life: 9d"))
        done = ca("show", "profile", "server", status=None)
        assert done.returncode not in (0, 1, 2)
        assert 'did you mean "client"' in done.stderr and "profiles.yaml:5:" in done.stderr
        path.write_text(kept.replace("*.print.iot", "a.*.iot"))
        assert "profiles.yaml:12:" in ca("issue", "x", status=None).stderr
        path.unlink()
        path.mkdir()  # something that is in the way is no "there are none"
        assert ca("issue", "x", status=None).returncode not in (0, 1, 2)
        path.rmdir()
    finally:
        path.write_text(kept)


def test_an_issuer_needs_the_roots_key(ca, tmp_path):
    assert "KEY_PASSPHRASE" in ca("issuer", "add", "x", status=None).stderr
    wrong = tmp_path / "wrong"
    wrong.write_text("not the passphrase\n")
    wrong.chmod(0o600)
    assert "KEY_PASSPHRASE" in ca("issuer", "add", "x", "--passphrase-file", wrong,
                                  status=None).stderr
    assert "NAME_MALFORMED" in ca.add("../x", status=None).stderr
    assert "ALREADY_EXISTS" in ca.add("iot", status=None).stderr
    assert "OPTION_VALUE" in ca.add("y", "--permit", "example.org", status=None).stderr
    away = tmp_path / "offline"
    (ca.dir / "authority" / "root").rename(away)
    try:
        assert "FILE_MISSING" in ca.add("y", status=None).stderr
        ca.add("y", "--root", away)
    finally:
        away.rename(ca.dir / "authority" / "root")
    assert "y" in {i["name"] for i in ca.json("issuer")}
