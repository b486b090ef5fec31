# SPDX-License-Identifier: Apache-2.0
"""The gateway's file of sightings, made older than it is: a month cannot be waited for."""
import hashlib
import struct

HEAD = b"mutual sightings 2\n"


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.raw(struct.calcsize(">" + form)))[0]

    def text(self):
        return self.raw(self.number("I"))


def text(value):
    return struct.pack(">I", len(value)) + value


def age(path, seconds, peers=True):
    """Everything in it happened so much earlier; with `peers` False only its beginning did."""
    data = path.read_bytes()
    assert data.startswith(HEAD) and hashlib.sha256(data[:-32]).digest() == data[-32:]
    reader = Reader(data[len(HEAD):-32])
    out = HEAD + struct.pack(">Q", reader.number("Q")) + reader.raw(1)
    out += struct.pack(">Q", reader.number("Q") - seconds) + text(reader.text())
    back = seconds if peers else 0
    while reader.at < len(reader.data):
        out += text(reader.text()) + text(reader.text())
        out += struct.pack(">Q", reader.number("Q") - back) + struct.pack(">Q", reader.number("Q") - back)
        out += reader.raw(8 + 8 + 1 + 1) + text(reader.text()) + text(reader.text())
        out += reader.raw(32) + text(reader.text()) + text(reader.text()) + text(reader.text())
        out += reader.raw(8)
    path.write_bytes(out + hashlib.sha256(out).digest())
