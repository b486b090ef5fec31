# SPDX-License-Identifier: Apache-2.0
"""A client of ACME (RFC 8555) as small as the standard lets it be, over urllib and cryptography."""
import base64
import hashlib
import hmac
import ipaddress
import json
import ssl
import time
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).decode().rstrip("=")


def csr_for(name, kind="dns"):
    key = ec.generate_private_key(ec.SECP256R1())
    one = x509.DNSName(name) if kind == "dns" else x509.IPAddress(ipaddress.ip_address(name))
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(
        x509.SubjectAlternativeName([one]), False).sign(key, hashes.SHA256())
    return key, csr.public_bytes(serialization.Encoding.DER)


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def json(self):
        return json.loads(self.body)


class Client:
    def __init__(self, directory, root):
        self.context = ssl.create_default_context(cafile=str(root))
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32, "big")),
                    "y": b64(numbers.y.to_bytes(32, "big"))}
        self.kid = self.nonce = None
        self.directory = self.send(directory).json()

    def send(self, url, body=None, method=None):
        request = urllib.request.Request(url, data=body, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/jose+json")
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=20) as reply:
                answer = Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            answer = Answer(error.code, error.headers, error.read())
        self.nonce = answer.fields.get("Replay-Nonce", self.nonce)
        return answer

    def thumbprint(self):
        return b64(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest())

    def authorization(self, challenge):
        return f"{challenge['token']}.{self.thumbprint()}"

    def sign(self, header, payload):
        first, second = b64(json.dumps(header)), b64(payload if isinstance(payload, str) else json.dumps(payload))
        r, s = utils.decode_dss_signature(self.key.sign(f"{first}.{second}".encode(), ec.ECDSA(hashes.SHA256())))
        return {"protected": first, "payload": second,
                "signature": b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}

    def post(self, url, payload, status=None):
        for _ in range(3):
            if self.nonce is None:
                self.send(self.directory["newNonce"], method="HEAD")
            header = {"alg": "ES256", "nonce": self.nonce, "url": url}
            header.update({"kid": self.kid} if self.kid else {"jwk": self.jwk})
            self.nonce = None
            answer = self.send(url, json.dumps(self.sign(header, payload)).encode())
            if answer.status != 400 or not answer.json()["type"].endswith("badNonce"):
                break
        if status is not None:
            assert answer.status == status, f"{answer.status}: {answer.body}"
        return answer

    def register(self, eab, status=201):
        url, payload = self.directory["newAccount"], {}
        if eab is not None:
            first = b64(json.dumps({"alg": "HS256", "kid": eab[0], "url": url}))
            second = b64(json.dumps(self.jwk))
            secret = base64.urlsafe_b64decode(eab[1] + "=" * (-len(eab[1]) % 4))
            mac = hmac.new(secret, f"{first}.{second}".encode(), hashlib.sha256).digest()
            payload["externalAccountBinding"] = {"protected": first, "payload": second, "signature": b64(mac)}
        answer = self.post(url, payload, status)
        self.kid = answer.fields.get("Location")
        return answer.json()

    def order(self, name, kind="dns", status=201):
        answer = self.post(self.directory["newOrder"], {"identifiers": [{"type": kind, "value": name}]}, status)
        return {**answer.json(), "url": answer.fields.get("Location")}

    def challenge(self, order, kind):
        authz = self.post(order["authorizations"][0], "", 200).json()
        return next(one for one in authz["challenges"] if one["type"] == kind)

    def answer(self, order, challenge, patience=40):
        self.post(challenge["url"], {}, 200)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            status = self.post(order["authorizations"][0], "", 200).json()["status"]
            if status != "pending":
                return status
            time.sleep(0.1)
        raise AssertionError("the authorization stays pending")

    def finalize(self, order, csr):
        done = self.post(order["finalize"], {"csr": b64(csr)}, 200).json()
        assert done["status"] == "valid", done
        return self.post(done["certificate"], "", 200).body.decode()

    def certificate(self, chain):
        return x509.load_pem_x509_certificate(chain.encode())

    def renewal(self, chain):
        cert = self.certificate(chain)
        key_id = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        serial = cert.serial_number
        octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        return self.send(f"{self.directory['renewalInfo']}/{b64(key_id)}.{b64(octets)}").json()

    def revoke(self, chain, status=200):
        der = self.certificate(chain).public_bytes(serialization.Encoding.DER)
        return self.post(self.directory["revokeCert"], {"certificate": b64(der), "reason": 4}, status)
