# SPDX-License-Identifier: Apache-2.0
"""A served authority's word, kept: all that it has acknowledged, a real EST client (curl and openssl)
that asks it for more, and what must hold of it whatever happened meanwhile."""
import base64
import contextlib
import json
import re
import subprocess
import urllib.error
import urllib.request

from crash import alive
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp
from net import until

PATIENCE = 30


class Said:
    """What curl was told: the status (None: the connection ended without an answer)."""

    def __init__(self, status, retry_after, body):
        self.status, self.retry_after, self.body = status, retry_after, body

    def cert(self):
        return pkcs7.load_der_pkcs7_certificates(base64.b64decode(self.body))[0]

    def json(self):
        return json.loads(self.body)


class Est:
    """The client: requests made by openssl, sent by curl."""

    def __init__(self, directory):
        self.dir = directory
        directory.mkdir(exist_ok=True)

    def request(self, name, subject="/"):
        key, request = self.dir / f"{name}.key", self.dir / f"{name}.b64"
        if not key.exists():
            self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        der = self.openssl("req", "-new", "-key", key, "-subj", subject, "-outform", "DER")
        request.write_bytes(base64.b64encode(der))
        return request

    @staticmethod
    def openssl(*words):
        return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30).stdout

    def ask(self, served, operation, request, token=None, pair=None):
        shown = ["-u", f"token:{token}"] if token else ["--cert", pair[0], "--key", pair[1]] if pair else []
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "30", "--cacert", served.root, "-H", "Content-Type: application/pkcs10",
             "--data-binary", f"@{request}", *map(str, shown), "-w", "\n%{http_code} %header{retry-after}",
             served.url(f"/.well-known/est/{operation}")], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            return Said(None, "", done.stderr)
        body, _, last = done.stdout.rpartition("\n")
        status, _, retry_after = last.partition(" ")
        return Said(int(status), retry_after, body)

    def persist(self, *what, **more):
        """As a client does: again, as long as there is no answer or 503."""
        def look():
            said = self.ask(*what, **more)
            return said if said.status not in (None, 503) else None
        return until(look, PATIENCE, 0.05)


def number(listed):
    return int(listed["serial"].replace(":", ""), 16)


def number_of(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


class Ledger:
    """Of one authority; `also` are others that serve the same store."""

    def __init__(self, served, est, also=()):
        self.served, self.est, self.also = served, est, also
        self.spare = est.request("spare")
        self.issuer = x509.load_pem_x509_certificate(self.issuer_pem())
        self.issued, self.revoked, self.lists = {}, set(), {}  # serial: name; serials; number: list
        self.kills = self.asked = 0

    def issuer_pem(self):
        return (self.served.dir / "authority" / "issuer" / "issuer.crt").read_bytes()

    # -- what is acknowledged

    def acknowledge(self, cert, name):
        self.issued[cert.serial_number] = name

    def token(self, name, *options):
        return self.served.json("token", name, "--url", self.served.url(), *options)["token"]

    def enrol(self, name, request=None, *options):
        """The next enrolment, which must work; its certificate."""
        said = self.est.persist(self.served, "simpleenroll", request or self.spare, token=self.token(name, *options))
        assert said.status == 200, said.body
        self.acknowledge(said.cert(), name)
        return said.cert()

    def only(self, name, cert):
        """The one certificate under that name that is good."""
        valid = [one for one in self.listed(name) if one["state"] == "valid"]
        assert [number(one) for one in valid] == [cert.serial_number], valid

    def state(self, cert):
        return next(one["state"] for one in self.listed() if number(one) == cert.serial_number)

    def revoke(self, cert, published):
        """It is revoked; `published`: in the list too."""
        assert self.state(cert) == "revoked"
        assert self.status(cert) == ocsp.OCSPCertStatus.REVOKED
        if published:
            self.revoked.add(cert.serial_number)

    # -- the process

    def pid(self, role="authority"):
        """None while there is none; never a number that kill would take for a group."""
        return next((pid for pid in self.served.gateway.pids(role) if pid > 1), None)

    def answers(self):
        with contextlib.suppress(OSError, AttributeError):
            return self.served.call("GET", "/livez").status == 200
        return False

    def wait(self):
        """For the process, or its replacement; its number."""
        until(self.answers, PATIENCE)
        return self.pid()

    def replaced(self, pid):
        """The parent has another one serve, after every third without the delay that deaths in a row
        bring: a setting changes, which makes the row begin anew."""
        assert not alive(pid)
        self.kills += 1
        if self.kills % 3 == 0:
            config = self.served.config()
            config["authority"]["grace-after-expiry"] = f"{3600 + self.kills}s"
            self.served.gateway.write(config)
            assert self.served.gateway.reload()
        return self.wait()

    # -- what must hold

    def list_of(self, served):
        """What everybody is told: the list, whole and never older than the last."""
        with urllib.request.urlopen(served.url("/crl/issuer.crl", listener="publish"), timeout=20) as reply:
            found = x509.load_der_x509_crl(reply.read())
        assert found.is_signature_valid(self.issuer.public_key())
        return found

    def file_number(self):
        """Of the list in the file, which is whole."""
        found = x509.load_pem_x509_crl(self.served.crl.read_bytes())
        assert found.is_signature_valid(self.issuer.public_key())
        return number_of(found)

    def check_list(self):
        found = self.list_of(self.served)
        nth = number_of(found)
        whole = found.public_bytes(serialization.Encoding.DER)
        assert nth >= max(self.lists, default=0), "the sequence of lists went back"
        assert self.lists.setdefault(nth, whole) == whole, f"two lists have number {nth}"
        told = {one.serial_number for one in found}
        assert self.revoked <= told, "an acknowledged revocation is not in the list"

    def status(self, cert):
        """By OCSP."""
        request = ocsp.OCSPRequestBuilder().add_certificate(cert, self.issuer, hashes.SHA1()).build()
        post = urllib.request.Request(self.served.url("/ocsp", listener="publish"),
                                      data=request.public_bytes(serialization.Encoding.DER),
                                      headers={"Content-Type": "application/ocsp-request"})
        with urllib.request.urlopen(post, timeout=20) as reply:
            return ocsp.load_der_ocsp_response(reply.read()).certificate_status

    def listed(self, *words):
        return self.served.json("list", *words)["certificates"]

    def check(self):
        self.asked += 1
        latest = self.enrol(f"next-{self.asked}")
        assert self.status(latest) == ocsp.OCSPCertStatus.GOOD
        self.check_list()
        # the publisher may be at a responder's certificate or a list just now
        told = until(lambda: (told := self.served.json("list"))["interrupted"] == 0 and told)
        serials = [number(one) for one in told["certificates"]]
        assert len(serials) == len(set(serials)), "a serial number was used twice"
        assert set(self.issued) <= set(serials), "an acknowledged certificate is lost"
        assert self.served.json("audit", "verify")["events"] >= len(self.issued)
        until(lambda: not self.unfinished())

    def unfinished(self):
        """Files that are being written, or that nobody will finish."""
        return [p for p in self.served.dir.rglob("*") if p.name.endswith(".new") or p.name.startswith(".")]
