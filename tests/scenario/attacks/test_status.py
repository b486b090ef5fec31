# SPDX-License-Identifier: Apache-2.0
"""The status listeners: who may ask, what odd askers do to the parent."""
import json
import os
import socket
import stat
import time

from gateway import inbound
from net import TlsClient, client_context


def ask(path, data, half_close=False):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(str(path))
        one.sendall(data)
        if half_close:
            one.shutdown(socket.SHUT_WR)
        got = b""
        while more := one.recv(65536):
            got += more
    return got


def body(answer):
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return json.loads(rest)


def test_only_our_user_may_open_the_control_socket(gateway, pki, backend):
    before = os.umask(0)
    try:
        g = gateway(inbound(pki, backend))
    finally:
        os.umask(before)
    assert stat.S_IMODE(g.control.stat().st_mode) == 0o600


def test_a_request_with_more_behind_it_and_one_that_is_closed(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    request = b"GET /_status HTTP/1.0\r\n\r\n"
    assert body(ask(g.control, request + b"x" * 2000))["ok"]
    assert body(ask(g.control, request, half_close=True))["ok"]


def test_askers_that_say_nothing_are_dropped_and_others_answered(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    held = []
    for _ in range(40):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(g.control))
        held.append(one)
    time.sleep(2.2)
    assert body(ask(g.control, b"GET /_status HTTP/1.0\r\n\r\n"))["ok"]
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
    for one in held:
        one.close()


def test_what_no_asker_should_send(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    assert b" 404 " in ask(g.control, b"GET /../../etc/passwd HTTP/1.0\r\n\r\n")
    assert b" 405 " in ask(g.control, b"POST /_status HTTP/1.0\r\n\r\n")
    for junk in (b"\0" * 5000, b"GET " + b"/" * 5000, b"\x16\x03\x01" * 2000):
        try:
            assert b"200" not in ask(g.control, junk)
        except ConnectionError:
            pass
    assert g.status()["ok"]


def test_a_status_listener_for_everybody_must_be_asked_for(gateway, pki, backend):
    config = {**inbound(pki, backend), "status": {"listen": "0.0.0.0:0"}}
    g = gateway(config, name="unsafe", expect_failure=True)
    assert g.status != 0 and "LISTEN_UNSAFE" in g.text()
    config["status"]["unsafe-listen"] = True
    g = gateway(config, name="asked-for")
    assert g.events("status_unavailable") == []
