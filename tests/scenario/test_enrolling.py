# SPDX-License-Identifier: Apache-2.0
"""The authority as a service: its process, who calls, and what happens when a part of it dies."""
import base64
import ctypes.util
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import threading
import time

import pytest
from net import free_port, until
from postgres import Postgres
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


# -- tokens ------------------------------------------------------------------------------------

def token(served, name, *options):
    return served.json("token", name, "--url", served.url(), *options)["token"]


def enroll(served, text, out, *options, status=0):
    return served.run("enroll", text, "--out", out, *options, status=status, dir=False)


def key_of(directory):
    return subprocess.run(["openssl", "pkey", "-in", directory / "tls.key", "-pubout"],
                          capture_output=True, check=True).stdout


def test_a_token_is_all_that_one_needs(served, tmp_path):
    text = token(served, "web")
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    out = tmp_path / "web"
    done = enroll(served, text, out, "--json")
    assert json.loads(done.stdout)["path"] == str(out)
    assert (out / "tls.key").stat().st_mode & 0o777 == 0o600
    assert subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", out / "ca.crt",
                           "-untrusted", out / "tls.crt", out / "tls.crt"],
                          capture_output=True, check=False).returncode == 0
    public = subprocess.run(["openssl", "x509", "-in", out / "tls.crt", "-noout", "-pubkey"],
                            capture_output=True, check=True).stdout
    assert public == key_of(out)
    origin = json.loads((out / "enroll.json").read_text())
    assert origin["url"] == served.url() and len(origin["root"]) == 64
    refused = enroll(served, text, tmp_path / "again", status=1)
    assert "TOKEN_USED" in refused.stderr
    assert not (tmp_path / "again").exists()
    exists = enroll(served, text, out, status=73)
    assert "FILE_EXISTS" in exists.stderr
    store = (served.dir / "authority" / "ca.db").read_bytes()
    secret = base64.urlsafe_b64decode(text[len("mutual-"):] + "===")[1:21]
    assert secret not in store, "the secret is kept"


def test_a_lost_answer_is_no_lost_token(served, tmp_path):
    """The same key gets the same certificate: as after a kill between the answer and the files."""
    text = token(served, "web")
    out = tmp_path / "web"
    enroll(served, text, out)
    aside = tmp_path / "web.enrolling"
    out.rename(aside)
    (aside / "tls.crt").unlink()
    enroll(served, text, out)
    assert len([c for c in served.json("list", "web")["certificates"]]) == 1


def test_tokens_that_are_not_good_are_refused(served, tmp_path):
    text = token(served, "short", "--ttl", "1s")
    time.sleep(1.2)
    assert "TOKEN_EXPIRED" in enroll(served, text, tmp_path / "a", status=1).stderr
    text = token(served, "back")
    served.run("token", "back", "--withdraw")
    assert "TOKEN_UNKNOWN" in enroll(served, text, tmp_path / "b", status=1).stderr
    served.run("token", "back", "--withdraw", status=1)
    assert "TOKEN_MALFORMED" in enroll(served, text[:-3], tmp_path / "c", status=65).stderr
    assert "TOKEN_MALFORMED" in enroll(served, "x", tmp_path / "e", status=65).stderr
    assert not [name for name in "abc" if (tmp_path / name).exists()]


def test_only_the_root_of_the_token_is_believed(served, mutual, gateway, tmp_path):
    """Attack: another authority answers at the address; nothing is sent to it."""
    other = Served(mutual, gateway, tmp_path, name="other")
    other.serve(name="other-gateway")
    text = other.json("token", "web", "--url", served.url())["token"]
    refused = enroll(served, text, tmp_path / "a", status=1)
    assert "ROOT_MISMATCH" in refused.stderr
    assert not [e for e in served.gateway.events("key_used") if "subject web" in e["msg"]]


def test_a_request_waits_for_a_person(served, tmp_path):
    text = token(served, "sensor", "--profile", "device", "--approval")
    waits = enroll(served, text, tmp_path / "sensor", status=75)
    assert "ENROLL_WAITS" in waits.stderr
    pending = served.json("list", "--pending")["tokens"]
    assert [(one["name"], one["asked"]) for one in pending] == [("sensor", True)]
    served.run("approve", pending[0]["id"])
    enroll(served, text, tmp_path / "sensor")
    assert served.json("list", "--pending")["tokens"] == []
    text = token(served, "intruder", "--profile", "device", "--approval")
    enroll(served, text, tmp_path / "intruder", status=75)
    pending = served.json("list", "--pending")["tokens"]
    served.run("approve", pending[0]["id"], "--deny")
    assert "REQUEST_DENIED" in enroll(served, text, tmp_path / "intruder", status=1).stderr


def csr(directory, name="r", subject="/", extra=()):
    """A key and a request in DER, as EST wants it: base64."""
    key = directory / f"{name}.key"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
                   check=True, capture_output=True)
    der = subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", subject, "-outform",
                          "DER", *extra], check=True, capture_output=True).stdout
    return base64.encodebytes(der)


def race(served, tmp_path, count=50):
    """So many clients at once, each with a key of its own; yields how each was answered."""
    text = token(served, "raced")
    bodies = [csr(tmp_path, f"race{i}") for i in range(count)]
    answers = [None] * count
    barrier = threading.Barrier(count)

    def one(i):
        with served.connect() as connected:
            barrier.wait(30)
            answers[i] = served.call("POST", "/.well-known/est/simpleenroll", bodies[i],
                                     token=text, on=connected,
                                     fields={"Content-Type": "application/pkcs10"})
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def check_race(served, tmp_path):
    answers = race(served, tmp_path)
    assert sorted(answer.status for answer in answers) == [200] + [403] * 49
    assert {answer.json()["code"] for answer in answers if answer.status == 403} == {"TOKEN_USED"}
    assert len(served.json("list", "raced")["certificates"]) == 1
    served.run("audit", "verify")


def test_of_fifty_clients_with_one_token_one_wins(served, tmp_path):
    check_race(served, tmp_path)


def test_two_authorities_on_one_database_serve_one_token(mutual, gateway, tmp_path):
    """The same race over two gateways of one store in PostgreSQL; one authority is killed in
    between and another goes on."""
    with Postgres() as server:
        first = Served(mutual, gateway, tmp_path, "--store", server.create("ca"))
        first.serve()
        shutil.copytree(first.dir, tmp_path / "second")
        second = Served.__new__(Served)
        second.__dict__.update(first.__dict__)
        second.dir = tmp_path / "second"
        second.root = second.dir / "authority" / "ca.crt"
        second.crl = second.dir / "authority" / "issuer.crl"
        second.serve(name="second-gateway")
        text = token(first, "raced")
        bodies = [csr(tmp_path, f"race{i}") for i in range(20)]
        answers = [None] * len(bodies)

        def one(i):
            answers[i] = (first if i % 2 else second).call(
                "POST", "/.well-known/est/simpleenroll", bodies[i], token=text,
                fields={"Content-Type": "application/pkcs10"})
        threads = [threading.Thread(target=one, args=(i,)) for i in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(answer.status for answer in answers) == [200] + [403] * 19
        os.kill(pid_of(first, "authority"), signal.SIGKILL)
        enroll(second, token(second, "other"), tmp_path / "other")
        until(lambda: works(lambda: first.call("GET", "/livez").status == 200), 20)
        enroll(first, token(first, "third"), tmp_path / "third")
        first.run("audit", "verify")


def works(what):
    try:
        return what()
    except (OSError, AttributeError):
        return False


def test_the_database_server_may_be_restarted(mutual, gateway, tmp_path):
    with Postgres() as server:
        served = Served(mutual, gateway, tmp_path, "--store", server.create("ca"))
        served.serve()
        text = token(served, "web")
        server.stop(signal.SIGQUIT)
        body = csr(tmp_path)
        fields = {"Content-Type": "application/pkcs10"}
        assert served.call("POST", "/.well-known/est/simpleenroll", body, token=text,
                           fields=fields).status == 503
        server.start()

        def enrols():
            answer = served.call("POST", "/.well-known/est/simpleenroll", body, token=text,
                                 fields=fields)
            return answer is not None and answer.status == 200
        until(lambda: works(enrols), 30)


# -- EST with other clients --------------------------------------------------------------------

def curl(served, *arguments, status=0):
    done = subprocess.run(["curl", "-sS", "--cacert", served.root, "-w", "\n%{http_code}",
                           *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == status, done.stderr
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def certificates(body, tmp_path):
    der = tmp_path / "reply.p7"
    der.write_bytes(base64.b64decode(body))
    text = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-in", der, "-print_certs"],
                          capture_output=True, text=True, check=True).stdout
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)


def test_curl_and_openssl_enrol_and_renew(served, tmp_path):
    est = served.url("/.well-known/est")
    code, body = curl(served, f"{est}/cacerts")
    assert code == 200 and len(certificates(body, tmp_path)) == 2
    code, body = curl(served, f"{est}/csrattrs")
    parsed = subprocess.run(["openssl", "asn1parse", "-inform", "DER"],
                            input=base64.b64decode(body), capture_output=True, check=True)
    assert b"id-ecPublicKey" in parsed.stdout and b"ecdsa-with-SHA256" in parsed.stdout
    request = tmp_path / "r.b64"
    request.write_bytes(csr(tmp_path, subject="/CN=device7"))
    text = token(served, "device7", "--profile", "device")
    post = ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{request}"]
    code, body = curl(served, *post, f"{est}/simpleenroll")
    assert code == 401
    code, body = curl(served, *post, "-u", f"token:{text}", f"{est}/simpleenroll")
    assert code == 200, body
    pair = tmp_path / "pair"
    pair.mkdir()
    (pair / "tls.crt").write_text(certificates(body, tmp_path)[0])
    shutil.copy(tmp_path / "r.key", pair / "tls.key")
    with open(pair / "tls.crt", "a") as chain:
        chain.write((served.dir / "authority" / "issuer" / "issuer.crt").read_text())
    request.write_bytes(csr(tmp_path, "next", "/O=example.org/CN=device7"))
    shown = ["--cert", pair / "tls.crt", "--key", pair / "tls.key"]
    code, body = curl(served, *post, *shown, f"{est}/simplereenroll")
    assert code == 200, body
    request.write_bytes(csr(tmp_path, "wrong", "/O=example.org/CN=admin"))
    code, body = curl(served, *post, *shown, f"{est}/simplereenroll")
    assert code == 403 and json.loads(body)["code"] == "REQUEST_NAMES"
    served.run("revoke", json_serial(served, "device7"))
    assert served.gateway.reload()
    code, body = curl(served, *post, *shown, f"{est}/simplereenroll", status=56)


def json_serial(served, name):
    """Of the certificate that is replaced: the one that the pair holds."""
    records = served.json("list", name)["certificates"]
    return sorted(records, key=lambda one: one["not_after"])[0]["serial"]


SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("head", [
    b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 4\r\nContent-Length: 40\r\n\r\nabcd",
    b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
    b"Content_Length: 4\r\nContent-Length: 0\r\n\r\n",
    b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
    b"GET http://other/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /livez HTTP/1.1\nHost: localhost\n\n",
])
def test_what_two_could_read_differently_is_refused(served, head):
    with served.connect() as one:
        one.sendall(head + SMUGGLED)
        stream = one.makefile("rb")
        reply = read_reply(stream)
        assert reply.status in (400, 501)
        assert read_reply(stream) is None, "the request behind it was answered"


def test_a_body_that_does_not_come_is_not_waited_for(served):
    with served.connect() as one:
        one.sendall(b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Type: application/pkcs10\r\nContent-Length: 100000000\r\n\r\n")
        assert read_reply(one.makefile("rb")).status == 413


def test_the_document_works_as_it_is_written(mutual, tmp_path):
    text = (pathlib.Path(__file__).parents[2] / "docs" / "enrolling.md").read_text()
    port = str(free_port())
    (tmp_path / "ca.yaml").write_text(
        re.search(r"```yaml\n(.*?)```", text, re.S).group(1).replace("8443", port))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mutual").symlink_to(mutual)
    env = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
           "MUTUAL_CONTROL": str(tmp_path / "sock")}
    env.pop("MUTUAL_CONFIG", None)
    commands = re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    assert len(commands) > 12
    log = open(tmp_path / "log", "w")
    server = None
    try:
        for command in (one.replace("8443", port) for one in commands):
            if command.startswith("mutual serve"):
                server = subprocess.Popen(command.split(), cwd=tmp_path, env=env, stderr=log)
                until(lambda: "authority_ready" in (tmp_path / "log").read_text(), 20)
                continue
            done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, text=True,
                                  capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    finally:
        if server is not None:
            server.terminate()
            server.wait(20)
        log.close()
    for name in ("web/tls.crt", "sensor/tls.key", "meter.crt"):
        assert (tmp_path / name).exists()


def test_a_token_can_be_drawn(served):
    if ctypes.util.find_library("qrencode") is None:
        refused = served.run("token", "web", "--url", served.url(), "--qr", status=66)
        assert "libqrencode4" in refused.stderr
        return
    drawn = served.run("token", "web", "--url", served.url(), "--qr").stdout
    assert "\u2588" in drawn and drawn.splitlines()[-1].startswith("mutual-")
