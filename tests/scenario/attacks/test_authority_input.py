# SPDX-License-Identifier: Apache-2.0
"""What strangers send to an authority that is served, through its listener: requests for certificates, base64,
JSON, signed requests, OCSP, HTTP. Each row is refused with the standard's own error and our reason, nothing of
it is kept, and who comes next is served."""
import base64
import json
import threading
import time

import pytest
from acme_client import Client, b64
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from gateway import Gateway
from net import free_port, until
from served import Served, read_reply

ISSUES = "test_a_token_is_used_once_by_whoever_and_refusals_used_none"
ENROLL = "/.well-known/est/simpleenroll"


# -- DER by hand ---------------------------------------------------------------------------------------


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([40 * first + second])
    for arc in rest:
        digits = [arc & 0x7f]
        while arc > 0x7f:
            arc >>= 7
            digits.append(arc & 0x7f | 0x80)
        out += bytes(reversed(digits))
    return tlv(0x06, out)


SEQ, SET, OCTETS, INT, BITS = 0x30, 0x31, 0x04, 0x02, 0x03
ECDSA_SHA256, RSA_SHA256 = tlv(SEQ, oid("1.2.840.10045.4.3.2")), tlv(SEQ, oid("1.2.840.113549.1.1.11"), b"\x05\x00")
DNS, URI, IP, EMAIL = 0x82, 0x86, 0x87, 0x81
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
WEB = [(DNS, b"web.example.org")]


def extension(number, value, critical=False):
    return tlv(SEQ, oid(number), b"\x01\x01\xff" if critical else b"", tlv(OCTETS, value))


def names(*list_of):
    return extension("2.5.29.17", tlv(SEQ, *[tlv(tag, value) for tag, value in list_of]))


def attributes(*extensions):
    return tlv(0xa0, tlv(SEQ, oid("1.2.840.113549.1.9.14"), tlv(SET, tlv(SEQ, *extensions))))


def common_name(value, tag=0x0c):
    return tlv(SEQ, tlv(SET, tlv(SEQ, oid("2.5.4.3"), tlv(tag, value))))


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key, data):
    if isinstance(key, rsa.RSAPrivateKey):
        return RSA_SHA256, key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return ECDSA_SHA256, key.sign(data, ec.ECDSA(hashes.SHA256()))


def csr(attrs=None, subject=common_name(b"web"), version=b"\x00", key=KEY, signer=None, tail=b"", flip=False):
    body = tlv(SEQ, tlv(INT, version), subject, spki(key), attributes(names(*WEB)) if attrs is None else attrs)
    algorithm, signature = sign(signer or key, body)
    if flip:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    return tlv(SEQ, body, algorithm, tlv(BITS, b"\x00", signature)) + tail


def asking(*list_of):
    return csr(attributes(names(*list_of)))


BASIC_CA = tlv(SEQ, b"\x01\x01\xff")
MALFORMED, NAMES, ODD, DENIED = (400, "CSR_MALFORMED"), (403, "REQUEST_NAMES"), (400, "NAME_MALFORMED"), \
    (403, "PROFILE_DENIED")
TOO_LARGE = (413, None)
CSRS = {  # what: (request, status and code)
    "a bad signature": (csr(flip=True), (400, "CSR_SIGNATURE")),
    "the signature of another key": (csr(signer=OTHER_KEY), (400, "CSR_SIGNATURE")),
    "RSA with 1024 bits": (csr(key=rsa.generate_private_key(65537, 1024)), (400, "WEAK_KEY")),
    "another version": (csr(version=b"\x01"), MALFORMED),
    "a negative version": (csr(version=b"\xff"), MALFORMED),
    "bytes behind it": (csr(tail=b"\x00"), MALFORMED),
    "two of them": (csr() + csr(), MALFORMED),
    "half of it": (csr()[:100], MALFORMED),
    "an indefinite length": (b"\x30\x80" + csr()[3:] + b"\x00\x00", MALFORMED),
    "a length that is longer than need be": (b"\x30\x83\x00" + csr()[2:], MALFORMED),
    "a list of names twice": (csr(attributes(names(*WEB), names(*WEB))), MALFORMED),
    "another extension twice": (csr(attributes(names(*WEB), extension("1.2.3", b""), extension("1.2.3", b""))),
                                MALFORMED),
    "a critical extension that nobody knows": (
        csr(attributes(names(*WEB), extension("1.2.3.4", b"\x05\x00", True))), DENIED),
    "name constraints of its own": (
        csr(attributes(names(*WEB), extension("2.5.29.30", tlv(SEQ), True))), DENIED),
    "to be an authority": (csr(attributes(names(*WEB), extension("2.5.29.19", BASIC_CA, True))), DENIED),
    "ten thousand names": (asking(*[(DNS, b"a%d.example.org" % i) for i in range(10000)]), TOO_LARGE),
    "two thousand names": (asking(*[(DNS, b"a%d.example.org" % i) for i in range(2000)]), MALFORMED),
    "more names than a certificate holds": (asking(*[(DNS, b"a%d.example.org" % i) for i in range(200)]), MALFORMED),
    "no names in the list of names": (asking(), MALFORMED),
    "NUL in a name": (asking((DNS, b"web.example.org\0.evil.test")), ODD),
    "a newline in a name": (asking((DNS, b"web.example.org\nevil")), ODD),
    "UTF-8 in a name": (asking((DNS, "wéb.example.org".encode())), ODD),
    "invalid UTF-8 in a name": (asking((DNS, b"w\xff\xfe.example.org")), ODD),
    "a wildcard": (asking((DNS, b"*.example.org")), ODD),
    "a wildcard within": (asking((DNS, b"w*b.example.org")), ODD),
    "a name that looks the same (punycode)": (asking((DNS, b"xn--wb-dja.example.org")), NAMES),
    "an address as a host name": (asking((DNS, b"127.0.0.1")), ODD),
    "a path as a host name": (asking((DNS, b"../../etc/passwd")), ODD),
    "another's name": (asking((DNS, b"db.example.org")), NAMES),
    "one of mine and another's": (asking(*WEB, (DNS, b"db.example.org")), NAMES),
    "another's SPIFFE ID": (asking((URI, b"spiffe://example.org/admin")), NAMES),
    "a SPIFFE ID with a path upwards": (asking((URI, b"spiffe://example.org/web/../admin")), (400, "SPIFFE_MALFORMED")),
    "an address of five bytes": (asking((IP, b"\x7f\0\0\1\0")), ODD),
    "somebody's mailbox": (asking((EMAIL, b"root@example.org")), NAMES),
    "another name (UPN)": (csr(attributes(extension("2.5.29.17", tlv(SEQ, tlv(
        0xa0, oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xa0, tlv(0x0c, b"root@example.org"))))))), DENIED),
    "another's name in the subject alone": (csr(tlv(0xa0), common_name(b"db.example.org")), NAMES),
    "another's name in the subject, as BMP text": (csr(tlv(0xa0), common_name("db.example.org".encode("utf-16-be"),
                                                                              0x1e)), NAMES),
    "a subject with NUL": (csr(tlv(0xa0), common_name(b"web\0evil")), ODD),
    "a subject with a newline": (csr(tlv(0xa0), common_name(b"web\nevil")), ODD),
    "a subject of a megabyte": (csr(tlv(0xa0), common_name(b"a" * (1 << 20))), TOO_LARGE),
}


class Place(Served):
    """With every protocol, on a fixed port that clients of ACME sign."""

    def __init__(self, mutual, tmp):
        self.fixed, self.tmp = free_port(), tmp
        super().__init__(mutual, self.begin, tmp, authority={
            "url": f"https://localhost:{self.fixed}", "acme": {"accounts": "open"}},
            inbound={"listen": f"127.0.0.1:{self.fixed}"})
        self.serve()

    def begin(self, config, **_):
        one = Gateway(self.mutual, self.tmp, config)
        one.start()
        return one

    def token(self, name, *options):
        return self.json("token", name, "--url", self.url(), *options)["token"]

    def enroll(self, body, token, fields=None):
        return self.call("POST", ENROLL, body, token=token,
                         fields={"Content-Type": "application/pkcs10", **(fields or {})})

    def issued(self):
        return sorted(one["serial"] for one in self.json("list")["certificates"])


@pytest.fixture(scope="module")
def place(mutual, tmp_path_factory):
    one = Place(mutual, tmp_path_factory.mktemp("input"))
    until(lambda: (one.dir / "authority" / "issuer" / "ocsp.crt").exists())
    yield one
    one.gateway.stop()


@pytest.fixture(scope="module")
def token(place):
    return place.token("web")


@pytest.fixture(autouse=True)
def all_is_as_before(place, request):
    """Nothing was issued, nobody died, and who comes next is served."""
    before = place.issued()
    yield
    assert place.call("GET", "/livez").status == 200
    assert not place.gateway.events("process_died")
    if request.node.name != ISSUES:
        assert place.issued() == before


def refused(reply, status, code):
    """A problem document (RFC 9457) with our code and reason; without a code, HTTP refused it unread."""
    assert reply.status == status, (reply.status, reply.body)
    if code is not None:
        assert reply.fields["content-type"] == "application/problem+json"
        assert reply.json()["code"] == code and reply.json()["detail"], reply.body
        assert b"\n" not in reply.body and b"\x1b" not in reply.body


@pytest.mark.parametrize("what", CSRS)
def test_requests_that_are_refused(place, token, what):
    der, expected = CSRS[what]
    refused(place.enroll(base64.b64encode(der), token), *expected)


# -- base64 (RFC 8951) ---------------------------------------------------------------------------------

DER = csr() if len(csr()) % 3 else csr(subject=common_name(b"web1"))
PLAIN = base64.b64encode(DER)
NO_TOKEN, NOT_BASE64 = (401, "NO_CLIENT_CERT"), (400, "ENCODING_MALFORMED")
ENCODED = {  # what: (body, further fields, as it is answered to somebody without a token)
    "in one line": (PLAIN, {}, NO_TOKEN),
    "in lines": (base64.encodebytes(DER), {}, NO_TOKEN),
    "in lines with CR LF": (base64.encodebytes(DER).replace(b"\n", b"\r\n"), {}, NO_TOKEN),
    "said to be base64": (PLAIN, {"Content-Transfer-Encoding": "base64"}, NO_TOKEN),
    "said to be binary, which is passed over": (PLAIN, {"Content-Transfer-Encoding": "binary"}, NO_TOKEN),
    "as DER": (DER, {}, NOT_BASE64),
    "as PEM": (b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(DER)
               + b"-----END CERTIFICATE REQUEST-----\n", {}, NOT_BASE64),
    "in the alphabet of URLs": (b"-_" + PLAIN[2:], {}, NOT_BASE64),
    "without padding": (PLAIN.rstrip(b"=") if PLAIN.endswith(b"=") else PLAIN[:-1], {}, NOT_BASE64),
    "with padding within": (PLAIN[:40] + b"====" + PLAIN[40:], {}, NOT_BASE64),
    "with three pads": (PLAIN.rstrip(b"=") + b"===", {}, NOT_BASE64),
    "with bits behind the end": (b"TR==", {}, NOT_BASE64),
    "with NUL": (PLAIN[:40] + b"\0\0\0\0" + PLAIN[40:], {}, NOT_BASE64),
    "with a vertical tab": (PLAIN[:40] + b"\v" + PLAIN[40:], {}, NOT_BASE64),
    "with a letter above ASCII": (PLAIN[:40] + "éé".encode() + PLAIN[40:], {}, NOT_BASE64),
    "nothing": (b"", {}, NOT_BASE64),
    "white space": (b" \r\n\t ", {}, NOT_BASE64),
}


@pytest.mark.parametrize("what", ENCODED)
def test_base64(place, what):
    body, fields, expected = ENCODED[what]
    refused(place.call("POST", ENROLL, body, fields={"Content-Type": "application/pkcs10", **fields}), *expected)


# -- HTTP -----------------------------------------------------------------------------------------------

HOST = b"Host: localhost\r\n"
POST = b"POST " + ENROLL.encode() + b" HTTP/1.1\r\n"
TYPE = b"Content-Type: application/pkcs10\r\n"
HEADS = {  # what: (bytes, statuses; the connection ends after each)
    "two lengths that differ": (POST + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", (400,)),
    "two lengths in one field": (POST + HOST + b"Content-Length: 4, 5\r\n\r\nabcde", (400,)),
    "a length and chunks": (POST + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    "chunks that are not last": (POST + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", (400, 501)),
    "chunks twice": (POST + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", (400, 501)),
    "an encoding that is none": (POST + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", (400, 501)),
    "chunks with HTTP/1.0": (POST.replace(b"1.1", b"1.0") + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    "a chunk of a size that overflows": (POST + HOST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
                                         b"10000000000000004\r\nabcd\r\n0\r\n\r\n", (400, 413)),
    "a chunk with a sign": (POST + HOST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n", (400,)),
    "a chunk that ends in LF": (POST + HOST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n4\nabcd\n0\n\n", (400,)),
    "a negative length": (POST + HOST + b"Content-Length: -4\r\n\r\nabcd", (400,)),
    "a length with a sign": (POST + HOST + b"Content-Length: +4\r\n\r\nabcd", (400,)),
    "a length in hexadecimal": (POST + HOST + b"Content-Length: 0x4\r\n\r\nabcd", (400,)),
    "a length of twenty digits": (POST + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", (400, 413)),
    "a folded field": (POST + HOST + b"X: a\r\n b\r\n\r\n", (400,)),
    "a field that begins with a blank": (POST + b" Host: localhost\r\n\r\n", (400,)),
    "a blank before the colon": (POST + HOST + b"Content-Length : 4\r\n\r\nabcd", (400,)),
    "an underscore for a hyphen": (POST + HOST + b"Content_Length: 4\r\nContent-Length: 0\r\n\r\n", (400,)),
    "a bare CR in a field": (POST + HOST + b"X: a\rY: b\r\n\r\n", (400,)),
    "NUL in a field": (POST + HOST + b"X: a\0b\r\n\r\n", (400,)),
    "lines that end in LF": (b"GET /livez HTTP/1.1\nHost: localhost\n\n", (400,)),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", (400,)),
    "two hosts": (b"GET /livez HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n", (400,)),
    "a host that is none": (b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n", (400,)),
    "another host in the target": (b"GET http://other/livez HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    "a path that goes up": (b"GET /crl/../livez HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    "a path with NUL": (b"GET /livez%00 HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    "a method in small letters": (b"get /livez HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501)),
    "a version that is none": (b"GET /livez HTTP/3.0\r\n" + HOST + b"\r\n", (400, 505)),
    "no version": (b"GET /livez\r\n\r\n", (400,)),
    "HTTP/2 by its preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "an upgrade with a body": (POST + HOST + TYPE + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n!!!!",
                               (400,)),
    "a line of 10 KB": (b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (400, 414, 431)),
    "a hundred KB of fields": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 7000 + b"\r\n" +
                               b"".join(b"X%d: %s\r\n" % (i, b"a" * 7000) for i in range(14)) + b"\r\n", (431,)),
    "two hundred fields": (b"GET /livez HTTP/1.1\r\n" + HOST + b"".join(b"X%d: a\r\n" % i for i in range(200)) + b"\r\n",
                           (400, 431)),
    "a length beyond what is taken": (POST + HOST + TYPE + b"Content-Length: 100000000\r\n\r\n", (413,)),
    "TLS within TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100 + b"\r\n\r\n", (400,)),
}
SMUGGLED = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
ONLY_WRONG = {"a path that goes up", "a path with NUL", "a method in small letters", "an upgrade with a body"}


@pytest.mark.parametrize("what", HEADS)
def test_http(place, what):
    """And what stands behind it on the connection is answered by nobody, but where the first was whole."""
    head, statuses = HEADS[what]
    with place.connect() as one:
        one.sendall(head + SMUGGLED)
        stream = one.makefile("rb")
        reply = read_reply(stream)
        assert reply is not None and reply.status in statuses, reply and (reply.status, reply.body)
        if what not in ONLY_WRONG:
            assert read_reply(stream) is None, "the request behind it was answered"


TYPES = {  # content type: what the route takes
    "application/x-www-form-urlencoded": ENROLL, "text/plain": ENROLL, "application/pkcs7-mime": ENROLL,
    "application/json": "/acme/new-account", "application/jose": "/acme/new-account",
    "application/ocsp-response": "/ocsp", "application/octet-stream": "/ocsp", "": ENROLL}


@pytest.mark.parametrize("content_type", TYPES)
def test_wrong_content_types(place, content_type):
    fields = {"Content-Type": content_type} if content_type else {}
    assert place.call("POST", TYPES[content_type], b"AAAA", fields=fields).status == 415


@pytest.mark.parametrize("method,path,status", [
    ("GET", ENROLL, 405), ("PUT", ENROLL, 405), ("DELETE", "/acme/new-order", 405), ("GET", "/acme/new-order", 405),
    ("POST", "/.well-known/est/cacerts", 405), ("POST", "/.well-known/est/fullcmc", 404),
    ("POST", "/.well-known/est/../est/simpleenroll", 404), ("GET", "/.well-known/est//cacerts", 404),
    ("GET", "/crl/nobody.crl", 404), ("GET", "/crl/issuer.0.crl", 404), ("GET", "/crl/issuer.00017.crl", 404),
    ("GET", "/crl/%2e%2e%2fca.db", 404), ("GET", "/issuer/..%2f..%2fissuer.key", 404), ("GET", "/nothing", 404)])
def test_methods_and_paths_that_are_not_there(place, method, path, status):
    fields = {"Content-Type": "application/pkcs10"} if "est" in path and method == "POST" else {}
    assert place.call(method, path, PLAIN if method in ("POST", "PUT") else b"", fields=fields).status in (status, 400)


# -- tokens ----------------------------------------------------------------------------------------------


def test_tokens_that_are_none(place, token):
    """Unknown, altered, of another authority, withdrawn; and what is no token at all."""
    body = base64.b64encode(csr())
    flipped = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for text in ("", "x", token[:-1], token + "A", flipped, token.upper(), "mutual-" + "A" * 100, "mutual-" + "A" * 5000):
        reply = place.enroll(body, text)
        assert reply.status == 401 and reply.json()["code"] in ("TOKEN_UNKNOWN", "TOKEN_MALFORMED", "NO_CLIENT_CERT"), \
            (text[:30], reply.status, reply.body)
    for basic in ("Basic", "Basic !!!!", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer " + token,
                  "Basic " + base64.b64encode(b"a:" + b"\xff" * 40).decode()):
        reply = place.call("POST", ENROLL, body, fields={"Content-Type": "application/pkcs10", "Authorization": basic})
        assert reply.status in (400, 401), (basic[:30], reply.status, reply.body)
    gone = place.token("gone")
    place.run("token", "gone", "--withdraw")
    assert place.enroll(body, gone).json()["code"] == "TOKEN_UNKNOWN"


def test_a_token_is_used_once_by_whoever_and_refusals_used_none(place, token):
    """After all the refusals above; what looks odd and asks for no more than it may is taken."""
    first = place.enroll(base64.b64encode(csr(tlv(0xa0), tlv(SEQ))), token)
    assert first.status == 200, first.body
    assert place.enroll(base64.b64encode(csr(key=OTHER_KEY)), token).json()["code"] == "TOKEN_USED"


# -- ACME: JSON and signed requests (RFC 8555, RFC 7515) ---------------------------------------------------


def jws(client, url, payload, header=None, drop=(), **more):
    full = {"alg": "ES256", "nonce": client.nonce, "url": url, "jwk": client.jwk, **(header or {})}
    client.nonce = None
    body = client.sign({name: value for name, value in full.items() if name not in drop}, payload)
    return json.dumps({**body, **more}).encode()


ACME = {  # what: (client, url -> body, status, type of problem)
    "no JSON": (lambda c, u: b"no", 400, "malformed"),
    "nothing": (lambda c, u: b"", 400, "malformed"),
    "an array": (lambda c, u: b"[]", 400, "malformed"),
    "a member twice": (lambda c, u: jws(c, u, {}).replace(b'"payload"', b'"protected": "e30", "payload"'), 400, "malformed"),
    "bytes behind it": (lambda c, u: jws(c, u, {}) + b"{}", 400, "malformed"),
    "UTF-8 that is none": (lambda c, u: jws(c, u, {})[:-1] + b', "x": "\xff\xfe"}', 400, "malformed"),
    "NUL in a text": (lambda c, u: jws(c, u, {})[:-1] + b', "x": "\\u0000"}', 400, "malformed"),
    "JSON ten thousand deep": (lambda c, u: jws(c, u, {})[:-1] + b', "x": ' + b"[" * 10000 + b"]" * 10000 + b"}", 400,
                               "malformed"),
    "a payload ten thousand deep": (lambda c, u: jws(c, u, "[" * 10000 + "]" * 10000), 400, "malformed"),
    "unprotected fields": (lambda c, u: jws(c, u, {})[:-1] + b', "header": {"alg": "ES256"}}', 400, "malformed"),
    "several signatures": (lambda c, u: jws(c, u, {}, **{"signatures": []}), 400, "malformed"),
    "base64 with padding": (lambda c, u: jws(c, u, {}).replace(b'"payload": "e30"', b'"payload": "e30="'), 400, "malformed"),
    "base64 of the other alphabet": (lambda c, u: jws(c, u, {}).replace(b'"payload": "e30"', b'"payload": "e3+/"'), 400,
                                     "malformed"),
    "no algorithm": (lambda c, u: jws(c, u, {}, {"alg": "none"}), 400, "badSignatureAlgorithm"),
    "a MAC's algorithm": (lambda c, u: jws(c, u, {}, {"alg": "HS256"}), 400, "badSignatureAlgorithm"),
    "the algorithm of another key": (lambda c, u: jws(c, u, {}, {"alg": "RS256"}), 400, None),
    "no alg at all": (lambda c, u: jws(c, u, {}, drop=["alg"]), 400, "malformed"),
    "an extension that must be understood": (lambda c, u: jws(c, u, {}, {"crit": ["x"], "x": 1}), 400, "malformed"),
    "payload not in base64 (RFC 7797)": (lambda c, u: jws(c, u, {}, {"b64": False, "crit": ["b64"]}), 400, "malformed"),
    "a key and a key's name": (lambda c, u: jws(c, u, {}, {"kid": u + "/1"}), 400, "malformed"),
    "no key": (lambda c, u: jws(c, u, {}, drop=["jwk"]), 400, "malformed"),
    "a key that is secret": (lambda c, u: jws(c, u, {}, {"jwk": {**c.jwk, "d": "AAAA"}}), 400, "badPublicKey"),
    "a point that is not on the curve": (lambda c, u: jws(c, u, {}, {"jwk": {**c.jwk, "y": b64(b"\1" * 32)}}), 400,
                                         "badPublicKey"),
    "a curve that is not taken": (lambda c, u: jws(c, u, {}, {"jwk": {**c.jwk, "crv": "secp256k1"}}), 400, "badPublicKey"),
    "another url": (lambda c, u: jws(c, u.replace("new-account", "new-order"), {}), 403, "unauthorized"),
    "no nonce": (lambda c, u: jws(c, u, {}, drop=["nonce"]), 400, "badNonce"),
    "a nonce of one's own": (lambda c, u: jws(c, u, {}, {"nonce": b64(b"a" * 40)}), 400, "badNonce"),
    "a nonce with a bit changed": (lambda c, u: jws(c, u, {}, {"nonce": c.nonce[:-1] + ("A" if c.nonce[-1] != "A" else "E")}),
                                   400, "badNonce"),
    "a nonce that is a number": (lambda c, u: jws(c, u, {}, {"nonce": 17}), 400, None),
    "a signature with a bit changed": (lambda c, u: (lambda b: b[:-4] + (b"AA" if b[-4:-2] != b"AA" else b"BB") + b[-2:])(
        jws(c, u, {})), 400, None),
    "a signature in DER": (lambda c, u: jws(c, u, {}, **{"signature": b64(c.key.sign(b"x", ec.ECDSA(hashes.SHA256())))}),
                           400, None),
    "an empty signature": (lambda c, u: jws(c, u, {}, **{"signature": ""}), 400, None),
    "a contact with a newline": (lambda c, u: jws(c, u, {"contact": ["mailto:a@example.org\r\nBcc: b@example.org"]}), 400,
                                 "invalidContact"),
    "a contact that is no mailbox": (lambda c, u: jws(c, u, {"contact": ["https://example.org"]}), 400, "unsupportedContact"),
    "a contact that is no text": (lambda c, u: jws(c, u, {"contact": [17]}), 400, None),
}


@pytest.fixture(scope="module")
def client(place):
    return Client(f"https://localhost:{place.fixed}/acme/directory", place.root)


def acme_refused(answer, status, kind):
    assert answer.status == status, (answer.status, answer.body)
    assert answer.fields["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["type"].startswith("urn:ietf:params:acme:error:") and told["detail"], told
    assert '\\"' not in told["detail"] or "no JSON" in told["detail"], told
    if kind is not None:
        assert told["type"].endswith(":" + kind), told
    assert answer.fields.get("Replay-Nonce") if status != 415 else True


@pytest.mark.parametrize("what", ACME)
def test_signed_requests(place, client, what):
    make, status, kind = ACME[what]
    client.send(client.directory["newNonce"], method="HEAD")
    url = client.directory["newAccount"]
    acme_refused(client.send(url, make(client, url)), status, kind)


def test_a_nonce_serves_once(client):
    client.send(client.directory["newNonce"], method="HEAD")
    url, nonce = client.directory["newAccount"], client.nonce
    first = client.send(url, jws(client, url, {"onlyReturnExisting": True}, {"nonce": nonce}))
    assert first.json()["type"].endswith("accountDoesNotExist")
    acme_refused(client.send(url, jws(client, url, {"onlyReturnExisting": True}, {"nonce": nonce})), 400, "badNonce")


def test_a_signed_request_that_is_too_large(client):
    client.send(client.directory["newNonce"], method="HEAD")
    url = client.directory["newAccount"]
    assert client.send(url, jws(client, url, {"contact": ["mailto:" + "a" * 100000 + "@example.org"]})).status == 413


IDENTIFIERS = {
    "NUL": "web.example.org\0.evil.test", "a newline": "web.example.org\n", "a path": "../../etc",
    "capitals of another alphabet": "ＷＥＢ.example.org", "not in punycode": "wéb.example.org",
    "an address as a name": "127.0.0.1", "two wildcards": "*.*.example.org", "a wildcard within": "w*b.example.org",
    "an empty label": "a..example.org", "the root": ".", "nothing": "", "a label of 64": "a" * 64 + ".example.org",
    "300 letters": ".".join(["a" * 50] * 6), "a port": "web.example.org:443", "somebody's mailbox": "a@example.org",
    "a number": 17, "an object": {"value": "web.example.org"}}


@pytest.mark.parametrize("what", IDENTIFIERS)
def test_identifiers_that_are_none(place, what):
    one = Client(f"https://localhost:{place.fixed}/acme/directory", place.root)
    one.register(None)
    answer = one.post(one.directory["newOrder"], {"identifiers": [{"type": "dns", "value": IDENTIFIERS[what]}]})
    assert answer.status in (400, 403), answer.body
    assert answer.json()["type"].rsplit(":", 1)[1] in ("malformed", "rejectedIdentifier", "unsupportedIdentifier"), answer.body


# -- OCSP --------------------------------------------------------------------------------------------------

OCSP = {"nothing": b"", "no DER": b"no", "an indefinite length": b"\x30\x80\x00\x00", "an empty sequence": b"\x30\x00",
        "a request cut short": b"\x30\x54\x30\x52", "no certificate asked about": tlv(SEQ, tlv(SEQ, tlv(SEQ))),
        "ten thousand certificates": tlv(SEQ, tlv(SEQ, tlv(SEQ, *[tlv(SEQ, tlv(SEQ))] * 7000)))}


@pytest.mark.parametrize("what", OCSP)
def test_ocsp_requests(place, what):
    """malformedRequest (RFC 6960 section 4.2.1), by POST and by GET."""
    reply = place.call("POST", "/ocsp", OCSP[what], fields={"Content-Type": "application/ocsp-request"})
    assert (reply.status, reply.body) == (200, b"\x30\x03\x0a\x01\x01")
    path = base64.b64encode(OCSP[what]).replace(b"/", b"%2F").decode()
    reply = place.call("GET", "/ocsp/" + path)
    assert (reply.status, reply.body) == (200, b"\x30\x03\x0a\x01\x01") or reply.status in (400, 404, 414, 431)
    assert place.call("POST", "/ocsp", b"0" * 100000, fields={"Content-Type": "application/ocsp-request"}).status == 413


# -- time -------------------------------------------------------------------------------------------------


def test_a_slow_head_and_a_slow_body_end_while_others_are_served(place):
    """A byte a second does not prolong anything: a head has ten seconds, a body a minute."""
    began = time.monotonic()
    head, body = place.connect(), place.connect()
    head.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ")
    body.sendall(POST + HOST + TYPE + b"Content-Length: 4000\r\n\r\n")
    ended = {}

    def drip(name, one):
        one.settimeout(1)
        stream = b""
        while time.monotonic() - began < 100:
            try:
                one.sendall(b"a")
                got = one.recv(4096)
                stream += got
                if not got:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        ended[name] = (time.monotonic() - began, stream.split(b"\r\n")[0])

    threads = [threading.Thread(target=drip, args=pair) for pair in (("head", head), ("body", body))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        begin = time.monotonic()
        assert place.call("GET", "/livez").status == 200
        assert time.monotonic() - begin < 20
        time.sleep(0.2)
    assert 9 <= ended["head"][0] < 40 and b"408" in ended["head"][1], ended
    assert 55 <= ended["body"][0] < 95 and b"408" in ended["body"][1], ended
