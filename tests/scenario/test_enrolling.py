# SPDX-License-Identifier: Apache-2.0
"""The authority as a service: its process, who calls, and what happens when a part of it dies."""
import os
import signal
import sqlite3
import struct

import pytest
from net import until
from served import Served, read_reply


@pytest.fixture
def served(mutual, gateway, tmp_path):
    one = Served(mutual, gateway, tmp_path)
    one.serve()
    return one


def pid_of(served, role):
    return served.gateway.pids(role)[0]


def test_it_answers_over_every_channel(served):
    joe = served.issue("joe", "--profile", "client")
    assert served.call("GET", "/livez").status == 200
    assert served.call("GET", "/livez", pair=joe).status == 200
    assert served.call("GET", "/livez", listener="publish").status == 200
    lost = served.call("GET", "/nothing")
    assert (lost.status, lost.json()["code"]) == (404, "NOT_FOUND")
    assert served.call("PUT", "/livez").status == 405
    line = served.gateway.end(listener="enroll", peer_id="spiffe://example.org/joe")
    assert line["upstream"] == "authority" and line["tls.mutual"] and not line["tls.resumed"]
    assert served.gateway.end(listener="publish")["plaintext"] is True


def test_tls_on_the_plain_listener_is_a_bad_request(served):
    with served.connect(listener="publish") as one:
        one.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
        assert b"400 Bad Request" in one.recv(4096)


def test_commands_work_beside_it(served):
    for name in ("a", "b", "c"):
        served.issue(name, "--profile", "client")
        assert served.call("GET", "/livez").status == 200
    served.run("revoke", "b")
    assert served.json("list")["certificates"]


def frame(channel, leaf=b""):
    """Who was proved, as a worker writes it."""
    body = bytes([1, channel])
    for text in (b"enroll", b"192.0.2.1:1", leaf):
        body += struct.pack(">I", len(text)) + text
    return b"MUEV" + struct.pack(">I", len(body)) + body


def test_a_client_cannot_say_who_was_proved(served):
    """Attack: the first bytes of a client are a frame that makes him somebody."""
    joe = served.issue("joe", "--profile", "client")
    pem = (joe / "tls.crt").read_text()
    import ssl
    leaf = ssl.PEM_cert_to_DER_cert(pem[:pem.index("-----END") + 26])
    for listener in ("enroll", "publish"):
        with served.connect(listener=listener) as one:
            one.sendall(frame(2, leaf) + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            reply = read_reply(one.makefile("rb"))
            assert reply.status == 400, "the frame of a client was taken for one"


def test_a_revoked_caller_loses_his_open_connection(served):
    joe = served.issue("joe", "--profile", "client")
    with served.connect(joe) as one:
        assert served.call("GET", "/livez", on=one).status == 200
        served.run("revoke", "joe")
        assert served.gateway.reload()
        line = served.gateway.end(peer_id="spiffe://example.org/joe")
        assert line["reason"] == "revoked"
        one.settimeout(10)
        with pytest.raises((OSError, AssertionError)):
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(1024) == b"", "a revoked caller was answered"
            raise AssertionError


@pytest.mark.parametrize("role", ["authority", "worker", "keys"])
def test_whatever_dies_is_replaced_and_it_serves_again(served, role):
    assert served.call("GET", "/livez").status == 200
    before = pid_of(served, role)
    os.kill(before, signal.SIGKILL)
    served.gateway.event("process_died")
    until(lambda: [pid for pid in served.gateway.pids(role) if pid != before])

    def answers():
        try:
            return served.call("GET", "/livez").status == 200
        except (OSError, AttributeError):
            return False
    until(answers, 20)


def make_list_due(served):
    with sqlite3.connect(served.dir / "authority" / "ca.db") as store:
        store.execute("UPDATE issuer SET crl_due = 1 WHERE root = 0")


def test_what_it_signs_is_signed_in_the_key_process(served):
    """A list that is due is published by the process itself, after the key process was replaced."""
    before = served.crl.read_bytes()
    make_list_due(served)
    os.kill(pid_of(served, "keys"), signal.SIGKILL)
    until(lambda: served.crl.read_bytes() != before, 20)
    used = served.gateway.event("key_used")
    assert used["msg"].startswith("authority 1: revocation list")
    served.run("audit", "verify")


def test_a_changed_directory_is_served_after_a_reload(served, mutual, tmp_path, gateway):
    other = Served(mutual, gateway, tmp_path, name="other")
    old = pid_of(served, "authority")
    config = served.config()
    config["authority"]["directory"] = str(other.dir)
    served.gateway.write(config)
    assert served.gateway.reload()
    served.gateway.event("authority_ready", count=2)
    until(lambda: old not in served.gateway.pids("authority"))
    assert not served.gateway.events("process_died")
    assert served.call("GET", "/livez").status == 200


def test_an_application_needs_an_authority(mutual, gateway, tmp_path):
    one = Served(mutual, gateway, tmp_path)
    config = one.config()
    del config["authority"]
    refused = gateway(config, expect_failure=True)
    assert refused.status == 78
    assert "no directory of one is named" in refused.text()


def test_a_directory_without_an_authority_is_refused(mutual, gateway, tmp_path):
    one = Served(mutual, gateway, tmp_path, authority={"directory": str(tmp_path / "nothing")})
    refused = gateway(one.config(), expect_failure=True)
    assert "there is no authority in" in refused.text()
