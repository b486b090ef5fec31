# SPDX-License-Identifier: Apache-2.0
"""An admitted client that sends broken records: whoever has the records, ours or OpenSSL, ends the
connection, says why, and the service behind hears nothing that is not authentic."""
import socket
import ssl

import pytest
from gateway import inbound
from net import client_context

HEAD = 5


class Hand:
    """A client whose records pass through our hands before they go out."""

    def __init__(self, address, context):
        self.raw = socket.create_connection(tuple(address.rsplit(":", 1)), timeout=10)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.drive(self.tls.do_handshake)
        assert self.ask(b"hello") == b"hello"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def drive(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                data = self.raw.recv(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
            finally:
                self.raw.sendall(self.outgoing.read())

    def ask(self, data):
        self.tls.write(data)
        return self.drive(lambda: self.tls.read(65536))

    def seal(self, data):
        self.tls.write(data)
        return bytearray(self.outgoing.read())

    def refused(self, alert):
        """Reads on; the server must have sent this alert."""
        with pytest.raises(ssl.SSLError) as error:
            self.drive(lambda: self.tls.read(1))
        assert alert.replace("_", " ") in str(error.value).lower().replace("_", " ")


def flip(hand):
    record = hand.seal(b"changed on the way")
    record[HEAD + 3] ^= 1
    hand.raw.sendall(record)


def replay(hand):
    record = hand.seal(b"once")
    hand.raw.sendall(record + record)


def swap(hand):
    first, second = hand.seal(b"first"), hand.seal(b"second")
    hand.raw.sendall(second + first)


def overlong(hand):
    hand.raw.sendall(b"\x17\x03\x03" + (16384 + 257).to_bytes(2, "big"))


def plain_alert(hand):
    hand.raw.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


def change_cipher(hand):
    hand.raw.sendall(b"\x14\x03\x03\x00\x01\x01")


def plain_data(hand):
    hand.raw.sendall(b"\x17\x03\x03\x00\x10" + b"not encrypted..!")


RECORDS = pytest.mark.parametrize("records", ["own", "library"])
ATTACKS = [(flip, "bad_record_mac", 5), (replay, "bad_record_mac", 9), (swap, "bad_record_mac", 5),
           (overlong, "record_overflow", 5), (plain_alert, "unexpected_message", 5),
           (change_cipher, "unexpected_message", 5), (plain_data, "bad_record_mac", 5)]


@RECORDS
def test_broken_records_end_the_connection(gateway, pki, backend, records):
    g = gateway(inbound(pki, backend, tls={"record-layer": records}))
    context = client_context(pki, pki.client())
    for number, (attack, alert, heard) in enumerate(ATTACKS):
        with Hand(g.address(), context) as hand:
            attack(hand)
            hand.refused(alert)
        line = g.end(conn=number + 1)
        assert line["bytes_in"] == heard, attack.__name__
        assert line["reason"] == ("bad_record" if alert == "bad_record_mac" else "protocol_violation")
    with Hand(g.address(), context) as hand:
        assert hand.ask(b"all is well") == b"all is well"


@RECORDS
def test_a_record_in_single_bytes_is_whole(gateway, pki, backend, records):
    g = gateway(inbound(pki, backend, tls={"record-layer": records}))
    with Hand(g.address(), client_context(pki, pki.client())) as hand:
        hand.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in hand.seal(b"byte by byte"):
            hand.raw.sendall(bytes([byte]))
        assert hand.drive(lambda: hand.tls.read(100)) == b"byte by byte"


@RECORDS
@pytest.mark.parametrize("left", [0, 3, 20])
def test_a_cut_connection_is_told_as_cut(gateway, pki, backend, records, left):
    g = gateway(inbound(pki, backend, tls={"record-layer": records}))
    with Hand(g.address(), client_context(pki, pki.client())) as hand:
        hand.raw.sendall(hand.seal(b"never whole")[:left])
        hand.raw.shutdown(socket.SHUT_WR)
        assert g.end(reason="truncated")["bytes_in"] == 5
