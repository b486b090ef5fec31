# SPDX-License-Identifier: Apache-2.0
"""TLS clients made by hand, for what no library's client would do: leave messages out, sign what is
not theirs, cut a hello to pieces. TLS 1.3 (RFC 8446) with X25519 and AES-128-GCM; of TLS 1.2 the
part that is not encrypted (RFC 5246, RFC 8422)."""
import hashlib
import hmac
import os
import socket
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import load_pem_x509_certificate

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
CLIENT_HELLO, CERTIFICATE, CLIENT_KEY_EXCHANGE, CERTIFICATE_VERIFY, FINISHED = 1, 11, 16, 15, 20
SERVER_HELLO, SERVER_HELLO_DONE = 2, 14


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def message(kind, body):
    return bytes([kind]) + vector(3, body)


def extension(kind, body):
    return struct.pack(">H", kind) + vector(2, body)


def hello(version, name=b"localhost", share=None, alpn=None):
    """A ClientHello as a handshake message."""
    suites = b"\x13\x01" if version == "1.3" else b"\xc0\x2b\xc0\x2f"
    body = [extension(0, vector(2, b"\0" + vector(2, name))) if name is not None else b"",
            extension(10, vector(2, b"\x00\x1d\x00\x17")),
            extension(13, vector(2, b"\x04\x03\x08\x04\x08\x05\x08\x06\x04\x01")),
            extension(11, vector(1, b"\0"))]
    if version == "1.3":
        body += [extension(43, vector(1, b"\x03\x04")),
                 extension(51, vector(2, b"\x00\x1d" + vector(2, share)))]
    if alpn is not None:
        body.append(extension(16, vector(2, vector(1, alpn))))
    return message(CLIENT_HELLO, b"\x03\x03" + os.urandom(32) + vector(1, b"") +
                   vector(2, suites) + vector(1, b"\0") + vector(2, b"".join(body)))


class Refused(Exception):
    """The server ended it; the alert's number, if it sent one that could be read."""

    def __init__(self, alert=None):
        super().__init__(f"alert {alert}")
        self.alert = alert


class Wire:
    """Records over a socket, with or without keys."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread, self.messages = b"", b""
        self.out = self.into = None  # [key, iv, sequence number]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exactly(self, count):
        while len(self.unread) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionError as error:
                raise Refused from error
            if not more:
                raise Refused
            self.unread += more
        head, self.unread = self.unread[:count], self.unread[count:]
        return head

    @staticmethod
    def crypt(keys, seal, data, aad):
        key, iv, number = keys
        keys[2] += 1
        nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
        return (AESGCM(key).encrypt if seal else AESGCM(key).decrypt)(nonce, data, aad)

    def record(self):
        """The next record: its type and content."""
        head = self.exactly(5)
        kind, data = head[0], self.exactly(int.from_bytes(head[3:], "big"))
        if self.into is not None and kind == APPLICATION_DATA:
            data = self.crypt(self.into, False, data, head).rstrip(b"\0")
            kind, data = data[-1], data[:-1]
        if kind == ALERT:
            raise Refused(data[1])
        return kind, data

    def message(self):
        """The next handshake message."""
        while len(self.messages) < 4 or len(self.messages) < 4 + int.from_bytes(
                self.messages[1:4], "big"):
            kind, data = self.record()
            if kind == HANDSHAKE:
                self.messages += data
        end = 4 + int.from_bytes(self.messages[1:4], "big")
        whole, self.messages = self.messages[:end], self.messages[end:]
        return whole

    def send(self, kind, data, pieces=None):
        """As one record, or as records of so many bytes, each in a packet of its own."""
        for at in range(0, len(data), pieces or max(len(data), 1)):
            part = data[at:at + (pieces or len(data))]
            head = bytes([kind]) + b"\x03\x03" + struct.pack(">H", len(part))
            if self.out is not None and kind != CHANGE_CIPHER_SPEC:
                head = b"\x17\x03\x03" + struct.pack(">H", len(part) + 17)
                part = self.crypt(self.out, True, part + bytes([kind]), head)
            try:
                self.socket.sendall(head + part)
            except ConnectionError as error:
                raise Refused from error

    def end(self):
        """Reads until the server ends it; data would mean that somebody was let in."""
        while True:
            kind, data = self.record()
            if kind == APPLICATION_DATA:
                raise AssertionError(f"the service answered: {data!r}")


def ders(pair):
    """The certificates that the pair presents, in DER."""
    mark = b"-----END CERTIFICATE-----\n"
    return [load_pem_x509_certificate(block + mark).public_bytes(serialization.Encoding.DER)
            for block in pair.chain.read_bytes().split(mark)[:-1]]


def private_key(pair):
    return serialization.load_pem_private_key(pair.key.read_bytes(), None)


def certificate(chain):
    return message(CERTIFICATE, vector(1, b"") + vector(3, b"".join(
        vector(3, der) + vector(2, b"") for der in chain)))


class Client13(Wire):
    """Comes as far as the server's Finished; what follows is the attacker's."""

    def __init__(self, address, name=b"localhost", pieces=None, alpn=None):
        super().__init__(address)
        secret = X25519PrivateKey.generate()
        first = hello("1.3", name, secret.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw), alpn)
        self.transcript = first
        self.send(HANDSHAKE, first, pieces)
        second = self.message()
        assert second[0] == SERVER_HELLO
        self.transcript += second
        at = second.index(b"\x00\x33\x00\x24\x00\x1d\x00\x20") + 8
        shared = secret.exchange(X25519PublicKey.from_public_bytes(second[at:at + 32]))
        zero = bytes(32)
        early = hmac.new(zero, zero, hashlib.sha256).digest()
        self.handshake_secret = hmac.new(self.derive(early, "derived", b""), shared,
                                         hashlib.sha256).digest()
        self.client_secret = self.derive(self.handshake_secret, "c hs traffic", self.transcript)
        self.into = self.keys(self.derive(self.handshake_secret, "s hs traffic", self.transcript))
        while True:
            one = self.message()
            self.transcript += one
            if one[0] == FINISHED:
                break
        self.out = self.keys(self.client_secret)
        master = hmac.new(self.derive(self.handshake_secret, "derived", b""), zero,
                          hashlib.sha256).digest()
        self.later, self.into = [self.keys(self.derive(master, f"{side} ap traffic",
                                                       self.transcript)) for side in "cs"]

    @staticmethod
    def expand(secret, label, context, size):
        info = struct.pack(">H", size) + vector(1, b"tls13 " + label.encode()) + vector(1, context)
        return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:size]

    def derive(self, secret, label, transcript):
        return self.expand(secret, label, hashlib.sha256(transcript).digest(), 32)

    def keys(self, secret):
        return [self.expand(secret, "key", b"", 16), self.expand(secret, "iv", b"", 12), 0]

    def say(self, one):
        self.transcript += one
        self.send(HANDSHAKE, one)

    def certificate(self, chain):
        self.say(certificate(chain))

    def verify(self, key, side=b"client", transcript=None):
        """A CertificateVerify by a P-256 key over what was said so far, or over something else."""
        digest = hashlib.sha256(self.transcript if transcript is None else transcript).digest()
        content = b" " * 64 + b"TLS 1.3, " + side + b" CertificateVerify\0" + digest
        signature = key.sign(content, ec.ECDSA(hashes.SHA256()))
        self.say(message(CERTIFICATE_VERIFY, b"\x04\x03" + vector(2, signature)))

    def finish(self, wrong=False):
        """Finished, and the keys for data."""
        key = self.expand(self.client_secret, "finished", b"", 32)
        proof = hmac.new(key, hashlib.sha256(self.transcript).digest(), hashlib.sha256).digest()
        self.say(message(FINISHED, bytes(32) if wrong else proof))
        self.out = self.later

    def order(self):
        """What the attacker is after; returns when the server ends it."""
        self.send(APPLICATION_DATA, b"let me in")
        self.end()


class Client12(Wire):
    """Comes as far as ServerHelloDone; what follows is the attacker's."""

    def __init__(self, address, name=b"localhost", pieces=None):
        super().__init__(address)
        self.send(HANDSHAKE, hello("1.2", name), pieces)
        while self.message()[0] != SERVER_HELLO_DONE:
            pass

    def certificate(self, chain):
        self.send(HANDSHAKE, message(CERTIFICATE, vector(3, b"".join(vector(3, der)
                                                                     for der in chain))))

    def key_exchange(self):
        point = X25519PrivateKey.generate().public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.send(HANDSHAKE, message(CLIENT_KEY_EXCHANGE, vector(1, point)))

    def change(self):
        self.send(CHANGE_CIPHER_SPEC, b"\1")
        self.send(HANDSHAKE, message(FINISHED, bytes(12)) + bytes(24))
