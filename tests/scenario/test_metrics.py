# SPDX-License-Identifier: Apache-2.0
"""Metrics and health as a monitoring system reads them."""
import calendar
import json
import os
import re
import signal
import socket
import tempfile
import threading
import time

import pytest
from cryptography import x509

from gateway import inbound
from metrics import counters, get, scrape, total, value
from net import TlsClient, client_context, free_port, refused, until
from pki import Pki


@pytest.fixture
def short():
    """A directory whose name leaves room for those of sockets."""
    with tempfile.TemporaryDirectory(prefix="m-", dir="/tmp") as directory:
        yield directory


def with_status(config, port, **more):
    return {**config, "status": {"listen": f"127.0.0.1:{port}", **more}}


def ends(pair):
    return ends_of(pair.chain.read_bytes())


def ends_of(pem):
    return calendar.timegm(x509.load_pem_x509_certificate(pem).not_valid_after.timetuple())


def test_both_parsers_read_it_and_it_says_what_happened(gateway, pki, backend):
    port = free_port()
    server = pki.server()
    g = gateway(with_status(inbound(pki, backend, server=server), port))
    stranger = pki.client(name="from-elsewhere", sans=["URI:spiffe://elsewhere.org/x"])
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask(b"x" * 1000)
        samples = scrape(port)
        assert value(samples, "mutual_connections_open", listener="db") == 1
        assert value(samples, "mutual_bytes_total", listener="db", direction="in") == 1000
        assert value(samples, "mutual_bytes_total", listener="db", direction="out") == 1000
    refused(g.address(), client_context(pki, stranger))
    refused(g.address(), client_context(pki))
    g.end(reason="policy_denied")
    samples = scrape(port)
    assert value(samples, "mutual_handshakes_total", listener="db", result="admitted", reason="ok",
                 version="TLSv1.3", resumed="false") == 1
    assert total(samples, "mutual_handshakes_total", result="refused", reason="policy_denied") == 1
    assert total(samples, "mutual_handshakes_total", result="refused") == 2
    assert value(samples, "mutual_connections_total", listener="db") == 3
    assert value(samples, "mutual_connections_failed_total", listener="db", how="refused") == 2
    assert value(samples, "mutual_handshake_duration_seconds_count", listener="db") == 1
    assert 0 < value(samples, "mutual_handshake_duration_seconds_sum", listener="db") < 10
    assert value(samples, "mutual_key_operations_total", op="tls_server", result="signed") >= 3
    assert value(samples, "mutual_key_operation_duration_seconds_sum", op="tls_server") > 0
    assert value(samples, "mutual_gate_places", state="all") > 0
    assert value(samples, "mutual_process_ready", role="worker") == 1
    assert value(samples, "mutual_config_last_reload_successful") == 1
    assert value(samples, "mutual_build_info") == 1
    # the certificate that is served and the authority that is believed, by their own words
    assert value(samples, "mutual_certificate_not_after_timestamp_seconds", use="inbound",
                 name="db", part="leaf") == ends(server)
    assert value(samples, "mutual_trust_anchor_not_after_timestamp_seconds",
                 trust="corp") == ends_of(pki.bundle.read_bytes())
    # nothing of a peer became a label
    text = get(port, "/metrics")[2]
    assert "stranger" not in text and "elsewhere" not in text and "127.0.0.1" not in text


def test_what_is_told_is_what_is_served_not_what_lies_in_the_file(gateway, pki, backend):
    port = free_port()
    old, new = pki.server(name="old"), pki.server(name="new", days=(-1, 60))
    g = gateway(with_status(inbound(pki, backend, server=old), port))
    def of():
        return value(scrape(port), "mutual_certificate_not_after_timestamp_seconds", part="leaf")
    before = old.chain.read_bytes()
    old.chain.write_bytes(new.chain.read_bytes())
    assert not g.reload(), "the key is the old one's"
    assert of() == ends_of(before)
    samples = scrape(port)
    assert value(samples, "mutual_config_last_reload_successful") == 0
    assert value(samples, "mutual_config_reloads_total", result="refused") == 1
    status, _, text = get(port, "/health/ready")
    assert status == 503 and json.loads(text)["checks"][0]["check"] == "reload"
    old.key.write_bytes(new.key.read_bytes())
    assert g.reload()
    assert of() == ends(new) != ends_of(before)
    assert get(port, "/health/ready")[0] == 200


def test_no_counter_goes_back_when_processes_are_replaced(gateway, pki, backend):
    port = free_port()
    g = gateway(with_status(inbound(pki, backend), port))
    context = client_context(pki, pki.client())
    before = {}
    for role in ("worker", "keys", "worker", "keys"):
        with TlsClient(g.address(), context) as client:
            client.ask(b"y" * 100)
        g.end(bytes_in=100)
        now = counters(scrape(port))
        assert all(now.get(key, -1) >= v for key, v in before.items())
        before = now
        dead = g.pids(role)[0]
        os.kill(dead, signal.SIGKILL)
        until(lambda: g.pids(role) and g.pids(role)[0] not in (0, dead) and g.status()["ok"])
        now = counters(scrape(port))
        back = {key: (v, now.get(key)) for key, v in before.items() if now.get(key, -1) < v}
        assert not back
        before = now
    samples = scrape(port)
    assert value(samples, "mutual_connections_total", listener="db") == 4
    assert value(samples, "mutual_handshakes_total", listener="db", result="admitted") == 4
    assert value(samples, "mutual_connections_open", listener="db") == 0
    assert value(samples, "mutual_process_deaths_total", role="worker") == 2
    assert value(samples, "mutual_process_deaths_total", role="keys") == 2
    # tries of its own before a setup is taken sign, too
    assert value(samples, "mutual_key_operations_total", op="tls_server", result="signed") >= 4


def test_lists_are_told_and_go_red_before_they_end(gateway, backend, tmp_path):
    port = free_port()
    pki = Pki(tmp_path)     # of its own, because it revokes
    crl = tmp_path / "corp.crl"
    pki.issuer.revoke(pki.client("gone"))
    pki.issuer.crl(crl, seconds=3600)
    config = inbound(pki, backend, trust={
        "intermediates": str(pki.issuer.cert),
        "revocation": {"crl": [str(crl)], "scope": "leaf"}})
    g = gateway(with_status(config, port))
    samples = scrape(port)
    until_s = value(samples, "mutual_crl_next_update_timestamp_seconds", trust="corp")
    assert value(samples, "mutual_crl_entries", trust="corp") == 1
    assert 3500 < until_s - time.time() <= 3600
    assert value(samples, "mutual_crl_age_seconds", trust="corp") < 120
    assert get(port, "/health/ready")[0] == 200
    g.write(with_status(config, port, **{"expiry-margin": "2h"}))
    assert g.reload()
    status, _, text = get(port, "/health/ready", Accept="text/plain")
    assert status == 503 and re.search(r"^fail crl: the revocation list of .* ends in ", text, re.M)
    assert text.endswith("\nfail\n") and get(port, "/readyz") == (200, "text/plain", "ok\n")
    assert value(scrape(port), "mutual_health") == 2


def test_a_certificate_goes_red_before_it_ends(gateway, pki, backend):
    port = free_port()
    short = pki.server(name="short", days=(-10, 1))
    g = gateway(with_status(inbound(pki, backend, server=short), port))
    status, kind, text = get(port, "/health/ready")
    health = json.loads(text)
    assert status == 503 and kind == "application/json" and health["status"] == "fail"
    assert [one["check"] for one in health["checks"]] == ["certificate"]
    assert 'the certificate of inbound "db"' in health["checks"][0]["why"]
    assert "ends in" in health["checks"][0]["why"]
    assert get(port, "/health/live") == (200, "application/json", '{"status":"pass"}\n')
    # whoever asks whether to send connections here is told yes, for they are served
    assert get(port, "/readyz")[0] == 200 and g.status()["ok"]


def test_a_missing_key_process_is_red(gateway, pki, backend):
    port = free_port()
    g = gateway(with_status(inbound(pki, backend), port))
    seen = []

    def look():
        for pid in g.pids("keys"):
            if pid > 0:
                os.kill(pid, signal.SIGKILL)
        status, _, text = get(port, "/health/ready")
        if status == 503:
            seen.extend(json.loads(text)["checks"])
        return any(one["check"] == "process" and one["why"].startswith("keys 0") for one in seen)
    until(look, 20)
    until(lambda: get(port, "/health/ready")[0] == 200, 20)


# -- who asks badly

def raw(port, data, seconds=15, half_close=False):
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as one:
        one.sendall(data)
        if half_close:
            one.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while more := one.recv(65536):
                got += more
        except ConnectionError:
            pass
    return got


LINE = b"GET /metrics HTTP/1.1\r\n"
BAD = [
    ("no host", LINE + b"\r\n", b"400"),
    ("two hosts", LINE + b"Host: a\r\nHost: b\r\n\r\n", b"400"),
    ("a bare line feed", b"GET /metrics HTTP/1.1\nHost: a\n\n", b"400"),
    ("a folded field", LINE + b"Host: a\r\nX: 1\r\n 2\r\n\r\n", b"400"),
    ("a blank before the colon", LINE + b"Host : a\r\n\r\n", b"400"),
    ("length and chunks", LINE + b"Host: a\r\nContent-Length: 3\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    ("a length with a sign", LINE + b"Host: a\r\nContent-Length: +3\r\n\r\nabc", b"400"),
    ("a body", LINE + b"Host: a\r\nContent-Length: 3\r\n\r\nabc", b"413"),
    ("a body in chunks", LINE + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     b"413"),
    ("another coding", LINE + b"Host: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
    ("HTTP/0.9", b"GET /metrics\r\n\r\n", b"400"),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, b"400"),
    ("a NUL", b"GET /metrics\x00 HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
    ("a fragment", b"GET /metrics#x HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
    ("a path that climbs", b"GET /../metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
    ("an encoded path", b"GET /%6detrics HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
    ("a longer path", b"GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
    ("who comes, by this way", b"GET /_sightings?db HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
    ("POST", b"POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
    ("a line too long", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
    ("too many fields", LINE + b"Host: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", b"431"),
    ("a head without end", LINE + b"Host: a\r\n" + b"X: " + b"y" * 40000, b"431"),
]


def test_malformed_requests_have_their_answer_and_no_effect(gateway, pki, backend):
    port = free_port()
    g = gateway(with_status(inbound(pki, backend), port))
    for name, request, status in BAD:
        if status in (b"404", b"405"):   # nothing is wrong with these: the connection would stay
            request = request.replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
        got = raw(port, request)
        assert got.startswith(b"HTTP/1.1 " + status + b" "), (name, got[:80])
        assert b"mutual_" not in got, name
    assert raw(port, b"HEAD /metrics HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n")
    # two requests in one go, the second ends the connection
    both = raw(port, b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
                     b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert both.count(b"HTTP/1.1 200 OK") == 2 and b"mutual_build_info" in both
    assert g.status()["ok"] and scrape(port)


def test_slow_and_many_scrapers_hold_nobody_up(gateway, pki, backend):
    port = free_port()
    g = gateway(with_status(inbound(pki, backend), port))
    held = []
    for i in range(60):     # say nothing, half a request, or read no answer
        one = socket.create_connection(("127.0.0.1", port), timeout=5)
        one.sendall([b"", b"GET /metrics HTTP/1.1\r\nHo", LINE + b"Host: a\r\n\r\n"][i % 3])
        held.append(one)
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
        assert value(scrape(port), "mutual_connections_open", listener="db") == 1
    good, wrong = [], []

    def loop():
        had, end = 0, time.monotonic() + 120
        while had < 10 and time.monotonic() < end:
            try:
                status, _, text = get(port, "/metrics")
            except OSError:
                continue     # all places were being answered
            if status != 200 or not text.startswith("# HELP "):
                wrong.append((status, text[:80]))
            had += 1
        good.append(had)
    threads = [threading.Thread(target=loop) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [10] * 30 and not wrong, (good, wrong)
    assert g.status()["ok"]          # the control socket has places of its own
    for one in held:
        one.close()
    # a request whose bytes come one at a time has two seconds in all
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        begun = time.monotonic()
        got = b""
        try:
            for byte in LINE + b"Host: a" + b"a" * 1000:
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
        except ConnectionError:
            pass
        try:
            got = slow.recv(4096)
        except ConnectionError:
            pass
        assert time.monotonic() - begun < 20 and (got == b"" or b" 408 " in got)


def test_many_services_are_all_told(gateway, pki, backend, short):
    """More than one message between worker and parent holds."""
    port = free_port()
    config = inbound(pki, backend)
    one = config["inbound"][0]
    config["inbound"] = [one] + [
        {**one, "name": f"{'s' * 80}-{i}", "listen": f"unix:{short}/{i}"}
        for i in range(600)]
    g = gateway(with_status(config, port))
    with TlsClient(g.address("db"), client_context(pki, pki.client())) as client:
        client.ask()
    g.end(bytes_in=5)
    samples = scrape(port)
    assert value(samples, "mutual_connections_total", listener="db") == 1
    names = {dict(labels)["listener"] for name, labels in samples
             if name == "mutual_connections_total"}
    assert len(names) == 601
    assert len(g.status()["services"]) == 601
