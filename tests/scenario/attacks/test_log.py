# SPDX-License-Identifier: Apache-2.0
"""The log: nobody writes lines of his own into it, keeps himself out of it, or stops us by it."""
import json
import os
import threading

from gateway import inbound
from net import TlsClient, client_context, refused, say, until


NASTY = b'GET /\x1b[2J"}\\ \x00\n{"event":"connection_end","decision":"allowed"}\r\n\r\n'


def test_bytes_of_a_stranger_stay_in_their_line(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    say(g.address(), NASTY)
    g.end(reason="not_tls")
    assert all(json.loads(line) for line in g.text().splitlines())
    assert "allowed" not in [line.get("decision") for line in g.lines()]
    assert "\x1b" not in g.text() and "\x00" not in g.text()


def test_bytes_of_a_stranger_stay_in_their_line_for_people(gateway, pki, backend, tmp_path):
    path = tmp_path / "human.log"
    with open(path, "wb") as log:
        g = gateway({**inbound(pki, backend), "log": {"format": "human"}}, stderr=log)
        line = until(lambda: " listens on " in path.read_text() and path.read_text())
        say(line.split(" listens on ")[1].split()[0], NASTY)
        until(lambda: "not_tls" in path.read_text())
    text = path.read_text()
    assert g.process.poll() is None
    assert not any(line.startswith("{") for line in text.splitlines())
    assert "\x1b" not in text and "\x00" not in text


def test_the_longest_names_do_not_keep_their_holder_out_of_the_log(gateway, pki, backend):
    path = "/".join(["x" * 200] * 9)
    pair = pki.client("long", sans=[f"URI:spiffe://example.org/{path}"])
    other = pki.client("long-other", sans=[f"URI:spiffe://elsewhere.example/{path}"])
    g = gateway(inbound(pki, backend, name="n" * 60))
    with TlsClient(g.address(), client_context(pki, pair)) as client:
        client.ask()
    assert g.end(decision="allowed")["peer.fingerprint"]
    refused(g.address(), client_context(pki, other))
    assert g.end(decision="refused")["peer.fingerprint"]


def test_a_log_that_nobody_reads_stops_no_worker(gateway, pki, backend):
    reading, writing = os.pipe()
    config = {**inbound(pki, backend), "workers": 4}
    log = os.fdopen(writing, "wb")
    g = gateway(config, stderr=log)
    got = b""
    while b'"event":"ready"' not in got:
        got += os.read(reading, 65536)
    address = next(json.loads(line)["msg"].rsplit(" ", 1)[1] for line in got.splitlines()
                   if b"listens on" in line)
    for _ in range(20):  # fill it again and again: the race is for its last place

        def knock():
            for _ in range(10):
                say(address, b"GET / HTTP/1.0\r\n\r\n")

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        stuck = [pid for pid in g.pids("worker") if waits_in_a_write(pid)]
        assert stuck == []
        os.read(reading, 65536)
    for _ in range(8):
        with TlsClient(address, client_context(pki, pki.client())) as client:
            client.ask()
    os.close(reading)
    with TlsClient(address, client_context(pki, pki.client())) as client:
        client.ask()  # nor does one whose reader is gone
    log.close()


def waits_in_a_write(pid):
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        return file.read().split()[:2] == ["1", "0x2"]
