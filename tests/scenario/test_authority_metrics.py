# SPDX-License-Identifier: Apache-2.0
"""What a monitoring system reads of an authority: each counter moves by what was done, and red comes before
something of the authority ends."""
import base64
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from acme_client import csr_for
from acme_place import Place
from metrics import counters, get, scrape, total, value
from net import free_port, until
from postgres import Postgres
from publishing import Publishing, need
from served import Served


class Watched:
    """A served authority, what it says, and what changed since it was asked last."""

    def __init__(self, served, port):
        self.served, self.port = served, port
        self.before = scrape(port)

    def moved(self):
        """{(name, labels): by how much} of the counters."""
        now = scrape(self.port)
        change = {key: v - self.before.get(key, 0) for key, v in counters(now).items()}
        self.before = now
        assert min(change.values()) >= 0, change
        return {key: by for key, by in change.items() if by}

    def by(self, action, metric, **labels):
        """By how much the action moved it; a second is how long the store's figures are kept."""
        time.sleep(1.1)
        self.moved()
        action()
        time.sleep(1.1)
        moved = self.moved()
        self.last = moved
        return total(moved, metric, **labels)

    def also(self, metric, **labels):
        return total(self.last, metric, **labels)

    def is_now(self, metric, expected, **labels):
        until(lambda: value(scrape(self.port), metric, **labels) == expected, 20)


@pytest.fixture
def watched(mutual, gateway, tmp_path):
    port = free_port()
    place = Place(mutual, gateway, tmp_path, kind=Publishing, mode="request", authority={"server-keygen": True},
                  more={"status": {"listen": f"127.0.0.1:{port}"}})
    until(lambda: (place.served.dir / "authority" / "issuer" / "ocsp.crt").exists())
    one = Watched(place.served, port)
    one.place = place
    yield one
    place.close()


def csr(tmp_path, name="r", subject="/CN=x"):
    key = tmp_path / f"{name}.key"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
                   check=True, capture_output=True)
    der = subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", subject, "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return base64.encodebytes(der)


def est(served, operation, body, status, **how):
    reply = served.call("POST", f"/.well-known/est/{operation}", body,
                        fields={"Content-Type": "application/pkcs10"}, **how)
    assert reply.status == status, (reply.status, reply.body)
    return reply


def test_enrolments_move_what_they_are(watched, tmp_path):
    served = watched.served

    def token(name, *options):
        return served.json("token", name, "--url", served.url(), *options)["token"]
    enroll = "mutual_enroll_requests_total"
    watched.is_now("mutual_tokens", 0, state="open")
    first = token("device1", "--profile", "device")
    watched.is_now("mutual_tokens", 1, state="open")
    body = csr(tmp_path, "one", "/CN=device1")
    assert watched.by(lambda: est(served, "simpleenroll", body, 200, token=first), enroll,
                      protocol="simpleenroll", by="token", result="issued") == 1
    assert watched.also(enroll) == 1
    assert watched.also("mutual_issued_total", issuer="issuer", profile="device") == 1
    assert watched.also("mutual_issued_total") == 1
    assert watched.also("mutual_tokens_used_total", issuer="issuer") == 1
    assert watched.also("mutual_audit_entries_total") >= 1
    assert watched.also("mutual_authority_signatures_total", result="signed") == 1
    assert watched.also("mutual_http_requests_total", listener="enroll", method="POST", code="200") == 1
    assert watched.also("mutual_http_requests_total") == 1
    assert watched.also("mutual_http_request_duration_seconds_count", listener="enroll", code="200") == 1
    assert 0 < watched.also("mutual_http_request_duration_seconds_sum", listener="enroll") < 60
    assert watched.also("mutual_store_questions_total") > 0
    watched.is_now("mutual_tokens", 0, state="open")
    # the same token for another key
    other = csr(tmp_path, "two", "/CN=device1")
    assert watched.by(lambda: est(served, "simpleenroll", other, 403, token=first), enroll,
                      protocol="simpleenroll", by="token", result="refused") == 1
    assert watched.also("mutual_issued_total") == 0
    assert watched.by(lambda: est(served, "simpleenroll", other, 401), enroll, by="nobody",
                      result="refused") == 1
    # by a certificate
    pair = tmp_path / "pair"
    served.run("enroll", token("device2", "--profile", "device"), "--out", pair, dir=False)
    again = csr(tmp_path, "again", "/O=example.org/CN=device2")
    assert watched.by(lambda: est(served, "simplereenroll", again, 200, pair=pair), enroll,
                      protocol="simplereenroll", by="certificate", result="issued") == 1
    # a key made by the authority
    third = token("device3", "--profile", "device")
    assert watched.by(lambda: est(served, "serverkeygen", csr(tmp_path, "three", "/CN=device3"), 200, token=third), enroll,
                      protocol="serverkeygen", by="token", result="issued") == 1
    # one that waits for a person
    fourth = token("device4", "--profile", "device", "--approval")
    body = csr(tmp_path, "four", "/CN=device4")
    assert watched.by(lambda: est(served, "simpleenroll", body, 202, token=fourth), enroll,
                      protocol="simpleenroll", result="waits") == 1
    watched.is_now("mutual_tokens", 1, state="waiting")
    shown = served.run("status", "--control", served.gateway.control, dir=False).stdout
    assert re.search(r"^authority: \d+ certificates issued, .* 1 request waits \(mutual list --pending\)$", shown, re.M)
    assert re.search(r"^issuer +\S+ +\d+ +\S+Z", shown, re.M), shown
    served.run("approve", str(served.json("list", "--pending")["tokens"][0]["id"]))
    watched.is_now("mutual_tokens", 0, state="waiting")
    assert watched.by(lambda: est(served, "simpleenroll", body, 200, token=fourth), enroll, result="issued") == 1
    # one that is over
    token("device5", "--ttl", "1s")
    watched.is_now("mutual_tokens", 1, state="expired")
    # none of them is told by name
    text = get(watched.port, "/metrics")[2]
    assert not re.search(r"device\d|127\.0\.0\.1", text)


def test_acme_moves_its_own(watched):
    place, served = watched.place, watched.served
    client = place.client("one.example.org", "two.example.org")
    chains = []

    def good():
        order = client.order("one.example.org")
        challenge = client.challenge(order, "http-01")
        place.put_http(client, challenge)
        assert client.answer(order, challenge) == "valid"
        chains.append(client.finalize(order, csr_for("one.example.org")[1]))

    def bad():
        order = client.order("two.example.org")
        assert client.answer(order, client.challenge(order, "http-01")) == "invalid"
        assert client.post(order["finalize"], {"csr": "x"}).status >= 400
    valid = {"type": "http-01", "result": "valid"}
    assert watched.by(good, "mutual_acme_validations_total", **valid) == 1
    assert watched.also("mutual_acme_validations_total") == 1
    assert watched.also("mutual_enroll_requests_total", protocol="acme", by="account", result="issued") == 1
    assert watched.also("mutual_issued_total", profile="server") == 1
    assert watched.by(bad, "mutual_acme_validations_total", type="http-01", result="invalid") == 1
    assert watched.also("mutual_enroll_requests_total", protocol="acme", result="refused") == 1
    number = value(scrape(watched.port), "mutual_issuer_crl_number", issuer="issuer")
    assert watched.by(lambda: client.revoke(chains[0]), "mutual_revocations_total", issuer="issuer",
                      reason="superseded") == 1
    assert watched.also("mutual_crl_build_duration_seconds_count", issuer="issuer", kind="complete") == 1
    assert watched.also("mutual_crl_build_duration_seconds_count", issuer="issuer", kind="part") == 1
    assert watched.also("mutual_crl_build_duration_seconds_sum", kind="complete") > 0
    samples = scrape(watched.port)
    assert value(samples, "mutual_issuer_crl_number", issuer="issuer") == number + 1
    assert value(samples, "mutual_issuer_crl_due", issuer="issuer") == 0
    assert value(samples, "mutual_certificates", state="revoked") == 1
    assert served.json("list", "--revoked")["revoked"] == 1


def test_what_is_published_moves_its_own(watched, tmp_path):
    need("openssl")
    served = watched.served
    alice = served.issue("alice", "--profile", "client")
    told = "mutual_ocsp_responses_total"
    assert watched.by(lambda: served.ocsp(alice), told, status="good") == 1
    assert watched.also("mutual_http_requests_total", listener="publish", method="POST", code="200") == 1
    # a command beside it, which the process is not asked for
    assert watched.by(lambda: served.run("revoke", "alice", "--reason", "key-compromise"),
                      "mutual_revocations_total", reason="keyCompromise") == 1
    assert watched.by(lambda: served.ocsp(alice), told, status="revoked") == 1
    assert watched.by(lambda: served.ocsp(None, "-serial", "0x1234"), told, status="unknown") == 1
    assert watched.by(lambda: served.call("POST", "/ocsp", b"\x30\x80", listener="publish",
                                          fields={"Content-Type": "application/ocsp-request"}),
                      told, status="malformed_request") == 1
    assert watched.by(lambda: served.call("GET", "/nothing", listener="publish"), "mutual_http_requests_total",
                      listener="publish", method="GET", code="404") == 1
    assert watched.by(lambda: served.call("BREW", "/livez", listener="publish"), "mutual_http_requests_total",
                      listener="publish", method="other", code="405") == 1
    samples = scrape(watched.port)
    if shutil.which("promtool"):
        page = get(watched.port, "/metrics")[2]
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True,
                                 timeout=60, check=True)
        assert not checked.stderr, checked.stderr
    now = time.time()
    made = value(samples, "mutual_issuer_crl_this_update_timestamp_seconds", issuer="issuer")
    ends = value(samples, "mutual_issuer_crl_next_update_timestamp_seconds", issuer="issuer")
    assert now - 120 < made <= now + 1 and 29 * 86400 < ends - made <= 30 * 86400
    for issuer in ("issuer", "root"):
        assert value(samples, "mutual_issuer_not_after_timestamp_seconds", issuer=issuer) > now
    assert value(samples, "mutual_store_connected") == 1
    assert value(samples, "mutual_process_ready", role="authority") == 1
    state = served.gateway.status()["authority"]
    assert state["issued"] == total(samples, "mutual_issued_total") and state["revoked"] == 1
    assert state["store_connected"] and {one["name"] for one in state["issuers"]} == {"root", "issuer"}


def test_no_counter_goes_back_when_the_authority_is_killed(watched):
    served = watched.served
    for life in (1, 2):
        assert served.call("GET", "/nothing", listener="publish").status == 404
        before = counters(scrape(watched.port))
        assert total(before, "mutual_http_requests_total", code="404") == life
        dead = served.gateway.pids("authority")[0]
        os.kill(dead, signal.SIGKILL)
        until(lambda: served.gateway.pids("authority") not in ([], [0], [dead]) and served.gateway.status()["ok"], 30)
        now = counters(scrape(watched.port))
        back = {key: (v, now.get(key)) for key, v in before.items() if now.get(key, -1) < v}
        assert not back
        assert value(now, "mutual_process_deaths_total", role="authority") == life


def test_signatures_that_cannot_be_had_are_counted(watched, tmp_path):
    served = watched.served
    alice = served.issue("alice", "--profile", "client")
    failed = "mutual_authority_signatures_total"

    question = tmp_path / "question"
    subprocess.run(["openssl", "ocsp", "-issuer", served.issuer, "-cert", alice / "tls.crt", "-nonce", "-reqout",
                    question], check=True, capture_output=True)

    def kill_and_ask():
        pids = served.gateway.pids("keys")
        with served.connect(listener="publish") as one:
            for pid in filter(None, pids):
                os.kill(pid, signal.SIGKILL)
            # a nonce: it is signed for this caller alone, or is not
            served.call("POST", "/ocsp", question.read_bytes(), listener="publish", on=one,
                        fields={"Content-Type": "application/ocsp-request"})
        samples = scrape(watched.port)
        return value(samples, failed, result="lost") + (value(samples, failed, result="unavailable") or 0)
    until(kill_and_ask, 60)
    until(lambda: value(scrape(watched.port), "mutual_ocsp_responses_total", status="try_later"), 60)
    until(lambda: "tls.crt: good" in served.ocsp(alice, "-nonce", status=None), 30)


def test_a_store_that_others_hold_is_counted(watched, tmp_path):
    """Somebody writes for longer than the authority waits."""
    served = watched.served
    token = served.json("token", "device1", "--profile", "device", "--url", served.url())["token"]
    body = csr(tmp_path, "one", "/CN=device1")
    other = sqlite3.connect(served.dir / "authority" / "ca.db", timeout=20, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert est(served, "simpleenroll", body, 503, token=token).fields["retry-after"]
    finally:
        other.execute("ROLLBACK")
        other.close()
    watched.is_now("mutual_enroll_requests_total", 1, protocol="simpleenroll", result="failed")
    assert value(scrape(watched.port), "mutual_store_failures_total", kind="busy") >= 1
    est(served, "simpleenroll", body, 200, token=token)


def test_a_database_that_is_gone_shows(mutual, gateway, tmp_path):
    need("psql")
    port = free_port()
    with Postgres() as server:
        served = Served(mutual, gateway, tmp_path, "--store", server.create("ca"),
                        more={"status": {"listen": f"127.0.0.1:{port}"}})
        served.serve()
        assert value(scrape(port), "mutual_store_connected") == 1
        before = value(scrape(port), "mutual_store_failures_total", kind="unreachable")
        server.stop(signal.SIGQUIT)
        until(lambda: value(scrape(port), "mutual_process_ready", role="authority") == 0 or
              value(scrape(port), "mutual_store_connected") == 0, 30)
        until(lambda: total(scrape(port), "mutual_store_failures_total", kind="unreachable") > before, 30)
        assert get(port, "/health/ready")[0] == 503
        server.start()
        until(lambda: value(scrape(port), "mutual_store_connected") == 1 and
              value(scrape(port), "mutual_process_ready", role="authority") == 1, 60)
        until(lambda: get(port, "/health/ready")[0] == 200, 60)


# -- red before the end

def checks(port):
    status, _, text = get(port, "/health/ready")
    return status, {one["check"]: one["why"] for one in json.loads(text)["checks"]}


def test_an_issuer_and_its_list_go_red_before_they_end(mutual, gateway, tmp_path):
    """The authority keeps its lists young by itself, so the end is brought near, and the next one kept away, by
    hand."""
    port = free_port()
    served = Served(mutual, gateway, tmp_path, "--issuer-life", "300d",
                    more={"status": {"listen": f"127.0.0.1:{port}", "expiry-margin": "10m"}})
    served.serve()
    until(lambda: checks(port) == (200, {}), 20)
    served.gateway.write({**served.config(), "status": {"listen": f"127.0.0.1:{port}", "expiry-margin": "301d"}})
    assert served.gateway.reload()
    status, found = checks(port)
    assert status == 503 and {"issuer", "issuer-crl"} <= set(found)
    assert found["issuer"].startswith("the certificate of the authority's issuer \"issuer\" ends in ")
    assert found["issuer-crl"].startswith("the revocation list of the authority's issuer \"issuer\" ends in ")
    served.gateway.write({**served.config(), "status": {"listen": f"127.0.0.1:{port}", "expiry-margin": "auto"}})
    assert served.gateway.reload()
    until(lambda: checks(port) == (200, {}), 20)
    kept = served.crl.with_suffix(".kept")
    served.crl.rename(kept)
    served.crl.mkdir()  # the next list cannot be written
    now = int(time.time())
    with sqlite3.connect(served.dir / "authority" / "ca.db", timeout=20) as store:
        store.execute("UPDATE issuer SET crl_this_update_s = ?, crl_next_update_s = ? WHERE word = 'issuer'",
                      (now - 10000, now + 900))
    until(lambda: "issuer-crl" in checks(port)[1], 20)
    assert "ends in 1" in checks(port)[1]["issuer-crl"]  # so many minutes
    served.crl.rmdir()
    kept.rename(served.crl)
    os.kill(served.gateway.pids("authority")[0], signal.SIGKILL)  # its replacement looks at the lists at once
    until(lambda: checks(port) == (200, {}), 60)
