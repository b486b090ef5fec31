# SPDX-License-Identifier: Apache-2.0
"""Revocation lists by URL: fetched, used, kept, asked for again, and told of."""
import json
import shutil
import subprocess

import pytest
from gateway import inbound
from lists import Scripted, der, files, respond
from net import TlsClient, client_context, free_port, refused, until
from pki import Pki


@pytest.fixture
def own(tmp_path):
    """Authorities of this test's own, for it revokes."""
    (tmp_path / "pki").mkdir()
    return Pki(tmp_path / "pki")


def config(own, backend, url, tmp_path, **fetch):
    every = fetch.pop("every", "1h")
    sources = [{"url": one, "every": every} for one in ([url] if isinstance(url, str) else url)]
    return {
        **inbound(own, backend, trust={"intermediates": str(own.issuer.cert),
                                       "revocation": {"fetch": sources}}),
        "fetch": {"directory": str(tmp_path / "kept"), "private": ["127.0.0.1"], **fetch},
    }


def ask(g, own, name="client"):
    with TlsClient(g.address(), client_context(own, own.client(name))) as client:
        client.ask()


def fetched(g):
    return g.status()["fetched"][0]


def test_a_list_is_fetched_used_and_told_of(gateway, own, backend, tmp_path, mutual):
    good, bad = own.client("good"), own.client("bad")
    own.issuer.revoke(bad)
    (tmp_path / "www").mkdir()
    der(own.issuer, tmp_path / "www" / "list.crl")
    with files(tmp_path / "www") as base:
        g = gateway(config(own, backend, f"{base}/list.crl", tmp_path))
        g.event("reloaded")
        ask(g, own, good.name)
        refused(g.address(), client_context(own, bad))
        assert g.end(reason="revoked")
    told = fetched(g)
    assert told["url"].endswith("/list.crl") and told["trust"] == "corp" and told["code"] is None
    assert told["fetched"] == 1 and told["failed"] == 0 and told["bytes"] > 100
    assert told["last_success"] and told["next_attempt"] and told["next_update"]
    text = subprocess.run([mutual, "status", "--control", str(g.control)], capture_output=True,
                          text=True, timeout=20).stdout
    assert "FETCHED" in text and told["url"] in text and told["next_update"] in text
    process = next(p for p in g.status()["processes"] if p["role"] == "fetch")
    assert "seccomp" in process["sandbox"]


def test_until_a_list_is_there_nobody_is_let_in_for_want_of_it(gateway, own, backend, tmp_path):
    port = free_port()
    g = gateway(config(own, backend, f"http://127.0.0.1:{port}/list.crl", tmp_path))
    assert g.event("fetch_failed")["code"] == "CONNECT_FAILED"
    refused(g.address(), client_context(own, own.client()))
    assert g.end(reason="crl_missing")
    with Scripted(respond(der(own.issuer, tmp_path / "list")), port=port):
        g.event("reloaded")
        ask(g, own)
    assert fetched(g)["code"] is None and fetched(g)["failed"] >= 1


def test_a_start_without_the_network_begins_with_what_was_kept(gateway, own, backend, tmp_path):
    bad = own.client("bad")
    own.issuer.revoke(bad)
    with Scripted(respond(der(own.issuer, tmp_path / "list"), fields='ETag: "one"\r\n')) as server:
        settings = config(own, backend, server.url, tmp_path)
        g = gateway(settings)
        g.event("reloaded")
        g.stop()
    g = gateway(settings, name="again")
    g.event("fetch_failed")
    ask(g, own)
    refused(g.address(), client_context(own, bad))
    assert g.end(reason="revoked")
    assert fetched(g)["last_success"] and fetched(g)["next_update"]


def test_what_is_had_is_asked_for_by_its_validators(gateway, own, backend, tmp_path):
    first = respond(der(own.issuer, tmp_path / "one"),
                    fields='ETag: "one"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n')
    with Scripted(first) as server:
        g = gateway(config(own, backend, server.url, tmp_path, every="1s"))
        assert b"If-None-Match" not in server.asked()
        g.event("reloaded")
        server.answer = b"HTTP/1.1 304 Not Modified\r\n\r\n"
        asked = server.asked(len(server.requests) + 2)
        assert b'\r\nIf-None-Match: "one"\r\n' in asked
        assert b"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in asked
        until(lambda: fetched(g)["unchanged"] >= 1)
        server.answer = respond(der(own.issuer, tmp_path / "two"), fields='ETag: "two"\r\n')
        g.event("reloaded", count=2)
        assert b'\r\nIf-None-Match: "two"\r\n' in server.asked(len(server.requests) + 2)


def test_a_new_list_reaches_open_connections(gateway, own, backend, tmp_path):
    client = own.client("later")
    with Scripted(respond(der(own.issuer, tmp_path / "one"))) as server:
        g = gateway(config(own, backend, server.url, tmp_path, every="1s"))
        g.event("reloaded")
        with TlsClient(g.address(), client_context(own, client)) as open_one:
            open_one.ask()
            own.issuer.revoke(client)
            server.answer = respond(der(own.issuer, tmp_path / "two"))
            g.event("reloaded", count=2)
            assert g.end(reason="revoked")


def test_lists_come_by_https_from_whom_the_configuration_believes(gateway, own, backend, tmp_path):
    (tmp_path / "www").mkdir()
    der(own.issuer, tmp_path / "www" / "list.crl")
    with files(tmp_path / "www", own.server("web")) as base:
        g = gateway({**config(own, backend, f"{base}/list.crl", tmp_path, trust="corp")})
        g.event("reloaded")
        ask(g, own)
    stranger = own.server("strange", issuer=own.stranger)
    shutil.rmtree(tmp_path / "kept")
    with files(tmp_path / "www", stranger) as base:
        g = gateway(config(own, backend, f"{base}/list.crl", tmp_path, trust="corp"), name="other")
        assert g.event("fetch_failed")["code"] == "CHAIN_INCOMPLETE"
        refused(g.address(), client_context(own, own.client()))
    wrong = own.server("elsewhere", sans=["DNS:elsewhere.example"])
    with files(tmp_path / "www", wrong) as base:
        g = gateway(config(own, backend, f"{base}/list.crl", tmp_path, trust="corp"), name="name")
        assert g.event("fetch_failed")["code"] == "NAME_MISMATCH"


def test_nginx_is_understood(gateway, own, backend, tmp_path):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("there is no nginx")
    port = free_port()
    (tmp_path / "www").mkdir()
    der(own.issuer, tmp_path / "www" / "list.crl")
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log stderr;\n"
        "events {}\nhttp { access_log off; client_body_temp_path " f"{tmp_path}; "
        f"proxy_temp_path {tmp_path}; fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path}; "
        f"scgi_temp_path {tmp_path}; server {{ listen 127.0.0.1:{port}; root {tmp_path}/www; "
        f"location = /old.crl {{ return 301 /list.crl; }} }} }}\n")
    server = subprocess.Popen([nginx, "-c", str(conf), "-p", str(tmp_path)],
                              stderr=subprocess.DEVNULL)
    try:
        g = gateway(config(own, backend, f"http://127.0.0.1:{port}/old.crl", tmp_path, every="1s"))
        g.event("reloaded", 20)
        ask(g, own)
        until(lambda: fetched(g)["unchanged"] >= 1)
        assert fetched(g)["fetched"] == 1
    finally:
        server.terminate()
        server.wait(10)


def test_a_reload_adds_and_removes_what_is_fetched(gateway, own, backend, tmp_path):
    with Scripted(respond(der(own.issuer, tmp_path / "list"))) as server:
        settings = config(own, backend, server.url, tmp_path)
        without = inbound(own, backend, trust={"intermediates": str(own.issuer.cert)})
        g = gateway(without)
        assert g.status()["fetched"] == [] and not g.pids("fetch")
        g.write(settings)
        assert g.reload()
        g.event("reloaded", count=2)
        assert g.pids("fetch") and fetched(g)["fetched"] == 1
        g.write(without)
        assert g.reload()
        until(lambda: not g.pids("fetch"))
        assert g.status()["fetched"] == []


def test_what_cannot_be_fetched_is_told_by_check(mutual, own, backend, tmp_path):
    def check(url, **fetch):
        path = tmp_path / "check.yaml"
        path.write_text(json.dumps(config(own, backend, url, tmp_path, **fetch)))
        done = subprocess.run([mutual, "check", "-c", str(path)], capture_output=True, text=True,
                              timeout=20)
        return done.returncode, done.stdout + done.stderr

    status, said = check("http://127.0.0.1/list.crl")
    assert status == 0 and "no list was fetched" in said
    for url in ("ftp://a.example/x", "file:///etc/passwd", "http://u@a.example/", "a.example"):
        status, said = check(url)
        assert status != 0 and url in said, said
    status, said = check("https://a.example/x")
    assert status != 0 and "fetch: {trust: NAME}" in said
    status, said = check("http://a.example/x", private=["10.0.0.1/8"])
    assert status != 0 and "is no network" in said
    for allow in ("a.example", "*.example"):
        status, said = check("http://a.example/x", allow=allow)
        assert status == 0, said
    for allow in ("b.example", "*.a.example", ["b.example", "example"]):
        status, said = check("http://a.example/x", allow=allow)
        assert status != 0 and "FETCH_FORBIDDEN" in said and "fetch.allow" in said, said
