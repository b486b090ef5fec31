# SPDX-License-Identifier: Apache-2.0
"""Fetching under attack: servers that lie, lead elsewhere, stall or flood; and nobody but the
configuration starts a fetch."""
import os
import pathlib
import signal
import time

import pytest
from gateway import inbound
from lists import Scripted, der, drip, respond
from net import Backend, TlsClient, client_context, refused, until
from pki import Pki


@pytest.fixture
def own(tmp_path):
    (tmp_path / "pki").mkdir()
    return Pki(tmp_path / "pki")


def config(own, backend, url, tmp_path, every="1s", **fetch):
    return {
        **inbound(own, backend, trust={"intermediates": str(own.issuer.cert),
                                       "revocation": {"fetch": [{"url": url, "every": every}]}}),
        "fetch": {"directory": str(tmp_path / "kept"), "private": ["127.0.0.1"], **fetch},
    }


def ask(g, own):
    with TlsClient(g.address(), client_context(own, own.client())) as client:
        client.ask()


def fetched(g):
    return g.status()["fetched"][0]


def moved(to):
    return f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n".encode()


def endless(one):
    one.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    for _ in range(10240):
        one.sendall(piece)


def test_bad_answers_change_nothing(gateway, own, backend, tmp_path):
    """The last good list stays in use, whatever the server says after it; each answer is told by its
    own code."""
    first = der(own.issuer, tmp_path / "first")
    second = der(own.issuer, tmp_path / "second")
    other = der(own.root, tmp_path / "other")
    foreign = der(own.stranger, tmp_path / "foreign")
    with Backend() as elsewhere, Scripted(respond(second)) as server:
        bad = [
            (moved(f"http://localhost:{server.port}/list.crl"), "FETCH_FORBIDDEN"),
            (moved(f"http://{elsewhere.address}/list.crl"), "FETCH_FORBIDDEN"),
            (moved("file:///etc/passwd"), "FETCH_FORBIDDEN"),
            (moved("/list.crl"), "HTTP_STATUS"),
            (respond(first), "CRL_ROLLBACK"),
            (respond(other), "CRL_FOREIGN"),
            (respond(foreign), "CRL_SIGNATURE"),
            (respond(b"<html>not here</html>"), "CRL_MALFORMED"),
            (respond(second[:-9]), "CRL_MALFORMED"),
            (respond(second)[:-9], "HTTP_TRUNCATED"),
            (respond(b"", status="500 Oh"), "HTTP_STATUS"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", "HTTP_LIMIT"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", "HTTP_LIMIT"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n", "HTTP_MALFORMED"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP_UNSUPPORTED"),
            (respond(b"\x1f\x8b" + b"x" * 99, fields="Content-Encoding: gzip\r\n"),
             "HTTP_UNSUPPORTED"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
             "HTTP_MALFORMED"),
            (b"HTTP/1.1 200 OK\n\nx", "HTTP_MALFORMED"),
            (b"SSH-2.0-x\r\n\r\n", "HTTP_MALFORMED"),
            (b"", "HTTP_TRUNCATED"),
        ]
        g = gateway(config(own, backend, server.url, tmp_path))
        g.event("reloaded")
        kept = next(one for one in (tmp_path / "kept").iterdir() if one.suffix != ".meta")
        for answer, code in bad:
            server.answer = answer
            before = len(g.events("fetch_failed"))
            assert g.reload()  # which asks anew
            event = g.event("fetch_failed", 10, before + 1)
            if event["code"] != code:  # an answer may have been under way already
                event = g.event("fetch_failed", 10, before + 2)
            assert event["code"] == code, (answer[:80], event)
            assert fetched(g)["code"] == code and fetched(g)["last_success"]
            assert kept.read_bytes() == second
        ask(g, own)
        assert elsewhere.accepted == 0 and len(g.events("fetched")) == 1
        assert g.status()["deaths"] == 0


def test_a_list_that_has_run_out_is_not_taken(gateway, own, backend, tmp_path):
    old = der(own.issuer, tmp_path / "old", seconds=1)
    time.sleep(1.1)
    with Scripted(respond(old)) as server:
        g = gateway(config(own, backend, server.url, tmp_path))
        assert g.event("fetch_failed")["code"] == "CRL_STALE"
        assert not list(pathlib.Path(tmp_path / "kept").glob("*"))


def test_a_body_that_drips_ends_at_its_time(gateway, own, backend, tmp_path):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    with Scripted(drip(head, 30)) as server:
        g = gateway(config(own, backend, server.url, tmp_path, timeout="1s"))
        begun = time.monotonic()
        assert g.event("fetch_failed")["code"] == "HTTP_TIMEOUT"
        assert time.monotonic() - begun < 5


def test_an_endless_body_ends_at_its_limit(gateway, own, backend, tmp_path):
    with Scripted(endless) as server:
        g = gateway(config(own, backend, server.url, tmp_path, every="1h"))
        assert g.event("fetch_failed", 60)["code"] == "HTTP_LIMIT"
        assert g.status()["deaths"] == 0


def test_changing_tags_change_nothing(gateway, own, backend, tmp_path):
    content = der(own.issuer, tmp_path / "list")
    count = iter(range(1000))
    with Scripted(lambda one: one.sendall(
            respond(content, fields=f'ETag: "{next(count)}"\r\n'))) as server:
        g = gateway(config(own, backend, server.url, tmp_path))
        g.event("fetch_unchanged", 10, 3)
        assert len(g.events("reloaded")) == 1


@pytest.mark.parametrize("url, private, code", [
    ("http://127.0.0.1:{port}/x", [], "FETCH_FORBIDDEN"),
    ("http://localhost:{port}/x", [], "FETCH_FORBIDDEN"),       # a name that leads to loopback
    ("http://localhost:{port}/x", ["10.0.0.0/8"], "FETCH_FORBIDDEN"),
    ("http://0.0.0.0:{port}/x", ["127.0.0.1"], "FETCH_FORBIDDEN"),
    ("http://[::ffff:127.0.0.1]:{port}/x", [], "FETCH_FORBIDDEN"),
    ("http://[::1]:{port}/x", ["127.0.0.1"], "FETCH_FORBIDDEN"),
])
def test_no_url_leads_to_what_is_near(gateway, own, backend, tmp_path, url, private, code):
    with Backend() as near:
        g = gateway(config(own, backend, url.format(port=near.port), tmp_path, private=private))
        assert g.event("fetch_failed")["code"] == code
        assert near.accepted == 0


def test_a_fetch_process_that_is_killed_is_replaced_and_asks_again(gateway, own, backend,
                                                                   tmp_path):
    content = der(own.issuer, tmp_path / "list")
    half = respond(content)[:-100]
    with Scripted(drip(half, 30)) as server:
        g = gateway(config(own, backend, server.url, tmp_path))
        server.asked()
        (pid,) = g.pids("fetch")
        server.answer = respond(content)
        os.kill(pid, signal.SIGKILL)
        g.event("reloaded")
        ask(g, own)
        assert g.pids("fetch") != [pid]
        assert g.event("fetch_failed")["code"] == "PROCESS_DIED"


def test_a_certificate_starts_no_fetch(gateway, own, tmp_path, backend):
    """Addresses in certificates, believed or not, lead nowhere: nobody connects to them."""
    content = der(own.issuer, tmp_path / "list")
    with Backend() as bait, Scripted(respond(content)) as server:
        extensions = [
            "basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature",
            "extendedKeyUsage=clientAuth", "subjectAltName=URI:spiffe://example.org/lure",
            f"crlDistributionPoints=URI:http://{bait.address}/x.crl",
            f"authorityInfoAccess=OCSP;URI:http://{bait.address}/,"
            f"caIssuers;URI:http://{bait.address}/ca.crt"]
        known = own.client("lure", extensions=extensions)
        unknown = own.client("stranger-lure", extensions=extensions, issuer=own.stranger)
        g = gateway(config(own, backend, server.url, tmp_path, every="1h"))
        g.event("reloaded")
        asked = len(server.requests)
        for _ in range(3):
            refused(g.address(), client_context(own, unknown))
            with TlsClient(g.address(), client_context(own, known)) as client:
                client.ask()
        assert g.end(reason="chain_incomplete")
        assert g.reload()
        time.sleep(1)
        assert bait.accepted == 0
        assert len(server.requests) <= asked + 1  # the reload's own


def test_many_lists_are_fetched_a_few_at_a_time(gateway, own, backend, tmp_path):
    content = der(own.issuer, tmp_path / "list")
    state = {"open": 0, "most": 0}

    def slowly(one):
        state["open"] += 1
        state["most"] = max(state["most"], state["open"])
        time.sleep(0.2)
        state["open"] -= 1
        one.sendall(respond(content))

    with Scripted(slowly) as server:
        settings = config(own, backend, server.url, tmp_path)
        settings["trust"][0]["revocation"]["fetch"] = [
            {"url": f"{server.url}?{number}"} for number in range(24)]
        g = gateway(settings)
        until(lambda: all(one["fetched"] >= 1 for one in g.status()["fetched"]), 20)
        assert state["most"] <= 4
        ask(g, own)
