# SPDX-License-Identifier: Apache-2.0
"""An authority that is served while its clock is set: a year ahead, back again, and a year behind. What was
promised for a time ends by the wall clock, what waits goes by the monotonic one, and nothing that a wrong clock
made outlives it."""
import base64
import datetime
import mmap
import pathlib
import struct
import time

import pytest
from acme_client import Client, csr_for
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from net import free_port, until
from served import Served

YEAR = 365 * 86400
ENROLL = "/.well-known/est/simpleenroll"


class Clock:
    """Of all processes of the gateway."""

    def __init__(self, mutual, tmp):
        self.library = pathlib.Path(mutual).parent / "tests" / "support" / "clock_shift.so"
        if not self.library.exists():
            pytest.skip("clock_shift.so is not built")
        self.path = tmp / "clock"
        self.path.write_bytes(bytes(8))
        self.path.chmod(0o644)
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 8)
        self.env = {"LD_PRELOAD": str(self.library), "CLOCK_SHIFT": str(self.path)}

    def set(self, seconds):
        self.map[:] = struct.pack("<q", seconds)
        self.shift = seconds

    def now(self):
        return time.time() + self.shift


class Place(Served):
    def __init__(self, mutual, gateway, tmp_path):
        self.fixed, self.clock = free_port(), Clock(mutual, tmp_path)
        super().__init__(mutual, gateway, tmp_path, authority={
            "url": f"https://localhost:{self.fixed}", "publish-url": "http://localhost:1",
            "acme": {"accounts": "open"}}, inbound={"listen": f"127.0.0.1:{self.fixed}"}, mode="none")
        self.clock.set(0)
        self.serve(env=self.clock.env)
        self.issuer = x509.load_pem_x509_certificate((self.dir / "authority/issuer/issuer.crt").read_bytes())
        until(lambda: (self.dir / "authority" / "issuer" / "ocsp.crt").exists())

    def list(self, name="issuer"):
        return x509.load_der_x509_crl(self.call("GET", f"/crl/{name}.crl").body)

    def fresh(self, name="issuer"):
        """The list is of now, by the clock as it is set."""
        return abs(utc(self.list(name).last_update) - self.clock.now()) < 600

    def status(self, name):
        cert = x509.load_pem_x509_certificate((self.dir / "tls" / name / "tls.crt").read_bytes())
        request = ocsp.OCSPRequestBuilder().add_certificate(cert, self.issuer, hashes.SHA256()).build()
        reply = self.call("POST", "/ocsp", request.public_bytes(serialization.Encoding.DER),
                          fields={"Content-Type": "application/ocsp-request"})
        return ocsp.load_der_ocsp_response(reply.body)

    def enroll(self, token):
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        return self.call("POST", ENROLL, base64.b64encode(csr.public_bytes(serialization.Encoding.DER)), token=token,
                         fields={"Content-Type": "application/pkcs10"})

    def token(self, name):
        return self.json("token", name, "--profile", "client", "--url", self.url())["token"]

    def acme(self):
        client = Client(f"https://localhost:{self.fixed}/acme/directory", self.root)
        client.register(None)
        return client


@pytest.fixture
def place(mutual, gateway, tmp_path):
    return Place(mutual, gateway, tmp_path)


def utc(when):
    return when.replace(tzinfo=datetime.timezone.utc).timestamp()


def part_of(place, name):
    """The part of the list that the certificate names."""
    cert = x509.load_pem_x509_certificate((place.dir / "tls" / name / "tls.crt").read_bytes())
    points = cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return points[0].full_name[0].value.rpartition("/crl/")[2].removesuffix(".crl")


def test_a_year_ahead_and_back(place):
    alice = "alice"
    place.issue(alice, "--profile", "client")
    part = part_of(place, alice)
    token, kept = place.token("bob"), place.token("carol")
    client = place.acme()
    order = client.order("web.example.org")
    client.send(client.directory["newNonce"], method="HEAD")
    old_nonce = client.nonce
    until(lambda: place.fresh() and place.fresh("issuer.delta"))
    good = place.status(alice)
    assert good.certificate_status == ocsp.OCSPCertStatus.GOOD

    place.clock.set(YEAR)
    refused = place.enroll(token)
    assert refused.status == 403 and refused.json()["code"] == "TOKEN_EXPIRED", refused.body
    client.nonce = old_nonce
    answer = client.send(client.directory["newOrder"], client.signed(client.directory["newOrder"], {"identifiers": []}))
    assert answer.status == 400 and answer.json()["type"].endswith("badNonce"), answer.body
    gone = client.post(order["url"], "")
    assert gone.status == 404 or gone.json()["status"] == "invalid", gone.body
    key, csr = csr_for("web.example.org")
    assert client.post(order["finalize"], {"csr": base64.urlsafe_b64encode(csr).decode().rstrip("=")}).status in (403, 404)
    until(lambda: place.fresh() and place.fresh("issuer.delta") and place.fresh(part), 90, 0.2)
    told = place.status(alice)
    assert abs(utc(told.this_update) - place.clock.now()) < 600, "an answer of a year ago was given again"

    place.clock.set(0)
    until(lambda: place.fresh() and place.fresh("issuer.delta") and place.fresh(part), 90, 0.2)
    told = place.status(alice)
    assert abs(utc(told.this_update) - place.clock.now()) < 600, "an answer of the future was given"
    assert place.enroll(kept).status == 200, "a token that was good before is not any more"
    client.order("db.example.org")
    place.run("revoke", alice)
    assert place.status(alice).certificate_status == ocsp.OCSPCertStatus.REVOKED
    assert not place.gateway.events("process_died")
    place.run("audit", "verify")


def test_a_year_behind(place):
    """Before the issuer began: nothing is certified for a time in which it does not hold, and all is well when the
    clock is right again."""
    token = place.token("bob")
    place.clock.set(-YEAR)
    refused = place.enroll(token)
    assert refused.status == 500 and refused.json()["code"] == "CLOCK", refused.body
    assert place.call("GET", "/livez").status == 200
    place.clock.set(0)
    assert place.enroll(token).status == 200
    until(lambda: place.fresh() and place.fresh("issuer.delta"), 90, 0.2)
    assert not place.gateway.events("process_died")


def test_waiting_goes_by_another_clock(place):
    """A request that is under way when the clock is set is neither cut off nor waited for for ever."""
    with place.connect() as one:
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        place.clock.set(YEAR)
        one.sendall(b"X: a\r\n")
        place.clock.set(-YEAR)
        one.sendall(b"\r\n")
        assert b" 200 " in one.recv(4096)
        place.clock.set(YEAR)
        began = time.monotonic()
        one.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        one.settimeout(60)
        assert b" 408 " in one.recv(4096) and 9 <= time.monotonic() - began < 50
