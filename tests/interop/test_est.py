# SPDX-License-Identifier: Apache-2.0
"""EST with a client that somebody else wrote: strongSwan's pki. It reads no certificate whose name
constraints hold networks, so it meets an authority of ours whose issuer was made again without."""
import re
import shutil
import sqlite3
import subprocess

import pytest
from served import Served

pytestmark = pytest.mark.skipif(shutil.which("pki") is None, reason="not installed: strongswan-pki")

# Its own reader of certificates first: the one of its OpenSSL plugin refuses all name constraints.
# Without its plugin for constraints, which takes no URI for a SPIFFE ID's host.
PLUGINS = "pem x509 pkcs1 pkcs7 pkcs8 pubkey random nonce sha1 sha2 hmac gcm aes gmp openssl"


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, **more)


@pytest.fixture
def served(mutual, gateway, tmp_path):
    one = Served.__new__(Served)
    directory = tmp_path / "d"
    one.dir, one.mutual = directory, mutual
    made = one.json("init", "example.org", "--dns", "localhost")
    issuer = directory / "authority" / "issuer" / "issuer.crt"
    extensions = tmp_path / "extensions"
    extensions.write_text("""
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
nameConstraints=critical,permitted;DNS:example.org,permitted;DNS:localhost,permitted;URI:example.org
""")
    request = tmp_path / "issuer.csr"
    run("openssl", "req", "-new", "-key", issuer.with_suffix(".key"), "-subj",
        "/O=example.org/CN=example.org issuer", "-out", request)
    root = directory / "authority" / "root"
    run("openssl", "x509", "-req", "-in", request, "-CA", root / "root.crt", "-CAkey",
        root / "root.key", "-passin", f"pass:{made['passphrase']}", "-days", "1000", "-set_serial",
        "0x6a00112233445566778899aabbccddeeff001122", "-extfile", extensions, "-out", issuer)
    der = run("openssl", "x509", "-in", issuer, "-outform", "DER").stdout
    with sqlite3.connect(directory / "authority" / "ca.db") as store:
        store.execute("UPDATE issuer SET certificate = ? WHERE root = 0", (der,))
    one.start_gateway = gateway
    one.root = directory / "authority" / "ca.crt"
    one.crl = directory / "authority" / "issuer.crl"
    one.authority, one.inbound, one.mode, one.more = {}, {}, "request", {}
    one.issue("enroll", "--profile", "server", "--dns", "localhost")
    one.run("export", "crl")
    one.serve()
    return one


def pki(served, *arguments, output=None):
    done = subprocess.run(["pki", *map(str, arguments)], capture_output=True, timeout=60,
                          env={"PKI_PLUGINS": PLUGINS, "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 0, done.stderr.decode()
    if output is not None:
        output.write_bytes(done.stdout)
    return done


def request(served, directory, name, subject):
    key, req = directory / f"{name}.key", directory / f"{name}.req"
    pki(served, "--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem", output=key)
    pki(served, "--req", "--in", key, "--type", "ecdsa", "--dn", subject, "--outform", "pem",
        output=req)
    return key, req


def test_it_enrols_by_a_token_and_renews_by_the_certificate(served, tmp_path):
    issuer = served.dir / "authority" / "issuer" / "issuer.crt"
    trust = ["--cacert", served.root, "--cacert", issuer]
    pki(served, "--estca", "--url", served.url(), "--cacert", served.root, "--caout",
        tmp_path / "got", "--force")
    assert len(list(tmp_path.glob("got*"))) == 2
    text = served.json("token", "swan", "--profile", "device", "--url", served.url())["token"]
    key, req = request(served, tmp_path, "swan", "CN=swan")
    old = tmp_path / "swan.crt"
    pki(served, "--est", "--url", served.url(), "--in", req, *trust, "--userpass",
        f"token:{text}", "--outform", "pem", output=old)
    shown = run("openssl", "x509", "-in", old, "-noout", "-subject", "-ext", "subjectAltName",
                text=True).stdout
    assert "URI:spiffe://example.org/device/swan" in shown
    _, again = request(served, tmp_path, "next", "O=example.org, CN=swan")
    new = tmp_path / "next.crt"
    pki(served, "--est", "--url", served.url(), "--in", again, *trust, "--cert", old, "--key",
        key, "--outform", "pem", output=new)
    serials = [run("openssl", "x509", "-in", one, "-noout", "-serial", text=True).stdout
               for one in (old, new)]
    assert serials[0] != serials[1]
    assert re.search(r"spiffe://example.org/device/swan", run(
        "openssl", "x509", "-in", new, "-noout", "-ext", "subjectAltName", text=True).stdout)
