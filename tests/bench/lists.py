#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a million revoked certificates cost an authority: how long a revocation takes to be published, how
long the complete list is in the making, how long others wait for their answers meanwhile, and what an OCSP
answer costs. Prints the table of docs/authority.md.

    tests/bench/lists.py [ENTRIES [DIRECTORY]]     DIRECTORY: kept, and used again when it is filled"""
import base64
import hashlib
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support" / "python"))
from gateway import Gateway  # noqa: E402
from net import free_port  # noqa: E402
from served import Served, read_reply  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("MUTUAL", HERE.parents[1] / "build" / "mutual"))
COLUMNS = ("issuer_id", "serial", "state", "form", "profile", "name", "owner", "place", "purpose", "path",
           "aside", "key_text", "key_hash", "requested_s", "not_before_s", "not_after_s", "der",
           "fingerprint", "revoked_s", "reason", "shard", "revoked_list")
ENDING = """DELETE FROM ending; INSERT INTO ending (hour, total, revoked)
 SELECT not_after_s / 3600, count(*), count(revoked_s) FROM certificate
 WHERE state IN ('signed', 'delivered') GROUP BY not_after_s / 3600"""


def serial_of(number):
    return b"\x40" + hashlib.sha256(b"%d" % number).digest()[:15]


def rows(entries, issuer, now):
    for i in range(entries):
        serial = serial_of(i)
        digest = hashlib.sha256(serial).digest()
        yield (issuer, serial, "delivered", "directory", "client", f"device-{i}", "o", "p", "x", "/p", "",
               "EC P-256", digest, now - 86400, now - 86400, now + 172800 + i * 7907 % 31536000, b"0" * 512,
               hashlib.sha256(digest).digest(), now - 3600, i % 6,
               1 + int.from_bytes(serial[-4:], "big") % 64, 1)


def fill(store, entries):
    with sqlite3.connect(store) as base:
        base.execute("PRAGMA synchronous = OFF")
        issuer = base.execute("SELECT id FROM issuer WHERE root = 0").fetchone()[0]
        base.executemany(f"INSERT INTO certificate ({', '.join(COLUMNS)})"
                         f" VALUES ({', '.join('?' * len(COLUMNS))})", rows(entries, issuer, int(time.time())))
        base.executescript(ENDING)


def sql(served, text):
    with sqlite3.connect(served.dir / "authority" / "ca.db", timeout=60) as base:
        return base.execute(text).fetchall()


def number_of(served, delta):
    found = sql(served, f"SELECT number FROM list WHERE shard = 0 AND delta = {delta}")
    return found[0][0] if found else 0


def entries_of(served):
    return sql(served, "SELECT max(entries) FROM list WHERE shard = 0 AND delta = 0")[0][0] or 0


def make_due(served):
    """As if the complete list had been made half an hour ago, and something had been revoked since."""
    sql(served, "UPDATE issuer SET crl_this_update_s = crl_this_update_s - 1800, crl_due = 1 WHERE root = 0")


class Asker(threading.Thread):
    """Asks the same again and again on one connection; the longest wait, and all of them."""

    def __init__(self, served, request, listener):
        super().__init__(daemon=True)
        self.served, self.listener, self.request = served, listener, request
        self.waits, self.ending = [], False
        self.connect()

    def connect(self):
        self.socket = self.served.connect(listener=self.listener)
        self.socket.settimeout(120)
        self.stream = self.socket.makefile("rb")

    def once(self):
        begin = time.monotonic()
        self.socket.sendall(self.request)
        reply = read_reply(self.stream)
        if reply is None:  # a connection has only so many requests
            self.connect()
            return self.once()
        assert reply.status == 200, reply.status
        self.waits.append(time.monotonic() - begin)
        return reply

    def run(self):
        while not self.ending:
            self.once()
            time.sleep(0.005)

    def end(self):
        self.ending = True
        self.join()
        return max(self.waits)


def ocsp_request(served, nonce, *certs):
    path = served.dir / "request"
    subprocess.run(["openssl", "ocsp", "-issuer", served.dir / "authority/issuer/issuer.crt", *certs,
                    "-nonce" if nonce else "-no_nonce", "-reqout", path], check=True, capture_output=True)
    return path.read_bytes()


def as_get(der):
    return (b"GET /ocsp/" + base64.b64encode(der).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")
            + b" HTTP/1.1\r\nHost: x\r\n\r\n")


def as_post(der):
    return (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
            + f"Content-Length: {len(der)}\r\n\r\n".encode() + der)


def askers(served):
    alice = served.dir / "tls/alice/tls.crt"
    return {"ocsp_get": Asker(served, as_get(ocsp_request(served, False, "-cert", alice)), "publish"),
            "ocsp_nonce": Asker(served, as_post(ocsp_request(served, True, "-cert", alice)), "publish"),
            "est": Asker(served, b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n", "enroll"),
            "handshake": Handshaker(served)}


class Handshaker(Asker):
    """A new connection each time."""

    def __init__(self, served):
        super().__init__(served, b"", "enroll")

    def once(self):
        begin = time.monotonic()
        self.served.connect().close()
        self.waits.append(time.monotonic() - begin)


def wait_for(condition, seconds=120):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise SystemExit("the authority did not do what it should in time")
        time.sleep(0.02)
    return time.monotonic() - begin


def revoking(served, name):
    """The command: until the delta is in the store, until all is done."""
    served.issue(name, "--profile", "client")
    before = number_of(served, 1)
    begin = time.monotonic()
    process = subprocess.Popen([served.mutual, "revoke", name, "--dir", served.dir], stdout=subprocess.DEVNULL)
    wait_for(lambda: number_of(served, 1) > before or process.poll() is not None)
    delta = time.monotonic() - begin
    assert process.wait(120) == 0
    return {"delta": delta, "complete": time.monotonic() - begin}


def building(served):
    """The process that serves makes the complete list while others ask."""
    asking = askers(served)
    for one in asking.values():
        one.start()
    time.sleep(2)
    quiet = {name: max(one.waits) for name, one in asking.items()}
    before = number_of(served, 0)
    for one in asking.values():
        one.waits.clear()
    make_due(served)
    took = wait_for(lambda: number_of(served, 0) > before, 200)
    time.sleep(1)
    return took, quiet, {name: one.end() for name, one in asking.items()}


class Filled(Served):
    """An authority with so many revoked certificates; one that was kept is not made again."""

    def __init__(self, place, entries):
        self.kept = (place / "d" / "filled").exists()
        self.port_of_lists = free_port()
        super().__init__(PROGRAM, self.begin, place,
                         authority={"publish-url": f"http://127.0.0.1:{self.port_of_lists}"})
        self.place = place
        if not self.kept:
            self.issue("alice", "--profile", "client")
            fill(self.dir / "authority" / "ca.db", entries)
            (self.dir / "filled").touch()

    def run(self, *arguments, **more):
        made = arguments[0] == "init" or arguments[:2] == ("issue", "enroll")
        return None if self.kept and made else super().run(*arguments, **more)

    def config(self):
        config = super().config()
        config["inbound"][1]["listen"] = f"127.0.0.1:{self.port_of_lists}"
        del config["trust"][0]["revocation"]  # another bench measures the gateway's part
        return config

    def begin(self, config, **_):
        one = Gateway(str(PROGRAM), self.place, config)
        one.log_path.unlink(missing_ok=True)
        one.start()
        return one


def cpu_ms(served):
    """Processor time of all processes of the gateway."""
    total = 0
    for task in pathlib.Path("/proc").glob("[0-9]*/task/*/schedstat"):
        try:
            words = (task.parents[2] / "stat").read_text().rsplit(")", 1)[1].split()
            if served.gateway.process.pid in (int(words[1]), int(task.parents[2].name)):
                total += int(task.read_text().split()[0])
        except OSError:
            continue
    return total / 1e6


def answers(served, requests):
    """So many requests on one connection, one after the other: seconds and processor time for each."""
    one = Asker(served, b"", "publish")
    begin, before = time.monotonic(), cpu_ms(served)
    for request in requests:
        one.request = request
        one.once()
    return len(requests) / (time.monotonic() - begin), (cpu_ms(served) - before) / len(requests)


def asking(served):
    cold = [as_get(ocsp_request(served, False, "-serial", f"0x{serial_of(i).hex()}")) for i in range(300)]
    nonce = as_post(ocsp_request(served, True, "-cert", served.dir / "tls/alice/tls.crt"))
    found = {"cold": answers(served, cold)}
    found["warm"] = answers(served, cold * 20)
    time.sleep(2)
    found["nonce"] = answers(served, [nonce] * 300)
    return found


def main():
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    with tempfile.TemporaryDirectory(prefix="mutual-bench-") as temporary:
        served = Filled(pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else temporary), entries)
        try:
            if not served.kept:
                make_due(served)
            served.serve()
            wait_for(lambda: entries_of(served) >= entries)
            print("OCSP, answers a second and ms of processor time:", asking(served))
            took, quiet, waits = building(served)
            print(f"the complete list was there after {took:.2f} s; longest waits before and meanwhile, ms:")
            for name, wait in waits.items():
                print(f"  {name:12} {1000 * quiet[name]:8.1f} {1000 * wait:8.1f}")
        finally:
            served.gateway.stop()
        for name in ("bob", "dave"):
            found = revoking(served, f"{name}-{int(time.time())}")
            print(f"mutual revoke: delta {found['delta']:.2f} s, complete list {found['complete']:.2f} s")


if __name__ == "__main__":
    main()
