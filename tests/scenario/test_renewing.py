# SPDX-License-Identifier: Apache-2.0
"""Renewal from outside: what an authority may answer, what must not be put in place, what is run."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from cryptography import x509
from est import Est
from gateway import inbound
from net import TlsClient, client_context, free_port, until
from pki import Pki


@pytest.fixture
def pki(tmp_path):
    """Of its own, because it issues."""
    return Pki(tmp_path / "pki")


@pytest.fixture(autouse=True)
def place(tmp_path):
    (tmp_path / "pki").mkdir()


def triple(tmp_path, pki, name="web", **more):
    """DIRECTORY/web with tls.crt, tls.key, ca.crt."""
    pair = pki.pair(name, eku="serverAuth,clientAuth", sans=["DNS:localhost", "IP:127.0.0.1"],
                    **more)
    directory = tmp_path / "tls" / name
    directory.mkdir(parents=True)
    shutil.copy(pair.chain, directory / "tls.crt")
    shutil.copy(pair.key, directory / "tls.key")
    shutil.copy(pki.bundle, directory / "ca.crt")
    (directory / "tls.key").chmod(0o600)
    return directory


def enroll(mutual, directory, *more):
    return subprocess.run([mutual, "enroll", "--renew", str(directory), *more],
                          capture_output=True, text=True, timeout=120)


def leaf(directory):
    return x509.load_pem_x509_certificate((directory / "tls.crt").read_bytes())


def matches(directory):
    key = subprocess.run(["openssl", "pkey", "-in", directory / "tls.key", "-pubout"], check=True,
                         capture_output=True).stdout
    cert = subprocess.run(["openssl", "x509", "-in", directory / "tls.crt", "-noout", "-pubkey"],
                          check=True, capture_output=True).stdout
    return key == cert


def left_over(directory):
    return [name for name in os.listdir(directory.parent) if name.endswith(".new")]


def test_a_certificate_is_renewed_when_it_is_time_and_not_before(mutual, pki, tmp_path):
    young = triple(tmp_path, pki, "young", days=(-1, 30))
    old = triple(tmp_path, pki, "old", days=(-29, 2))
    before = leaf(old)
    (old / "tls.crt").chmod(0o640)
    with Est(pki) as est:
        done = enroll(mutual, young, "--url", est.url)
        assert done.returncode == 0 and "not due" in done.stdout and not est.asked
        done = enroll(mutual, old, "--url", est.url)
        assert done.returncode == 0 and "renewed" in done.stdout, done.stderr
        path, client = est.asked[0]
        assert path == "/.well-known/est/simplereenroll"
        assert client["subjectAltName"] == (("DNS", "localhost"), ("IP Address", "127.0.0.1"))
        after = leaf(old)
        assert after.serial_number != before.serial_number
        assert after.subject == before.subject and matches(old)
        assert after.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == \
            before.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert after.public_key().public_numbers() != before.public_key().public_numbers()
        assert (old / "tls.key").stat().st_mode & 0o777 == 0o600
        assert (old / "tls.crt").stat().st_mode & 0o777 == 0o640
        assert (old / "ca.crt").read_bytes() == pki.bundle.read_bytes()
        assert not left_over(old)
        # the authority is remembered; nothing is due now
        done = enroll(mutual, old, "--json")
        assert json.loads(done.stdout)["renewed"] is False and len(est.asked) == 1


def refuse(status, **fields):
    def answer(handler, _):
        handler.say(status, **fields)
        return True
    return answer


def issue(est, **more):
    def answer(handler, csr):
        est.answer(handler, csr, **more)
        return True
    return answer


def raw(body):
    def answer(handler, _):
        handler.say(200, body, Content_Type="application/pkcs7-mime")
        return True
    return answer


BAD = [
    ("a status", lambda est: refuse(500), "HTTP_STATUS"),
    ("not decided", lambda est: refuse(202, Retry_After="120"), "ENROLL_WAITS"),
    ("not authorized", lambda est: refuse(403), "HTTP_STATUS"),
    ("no base64", lambda est: raw(b"!!!!"), None),
    ("no PKCS#7", lambda est: raw(b"MAMCAQE="), "CERT_MALFORMED"),
    ("nothing", lambda est: raw(b""), None),
    ("other names", lambda est: issue(est, names="DNS:other.example.org"), "RENEWAL_UNFIT"),
    ("a name more", lambda est: issue(est, names="DNS:localhost,IP:127.0.0.1,DNS:more.example.org"),
     "RENEWAL_UNFIT"),
    ("an end before the old one", lambda est: issue(est, days=1), "RENEWAL_UNFIT"),
    ("another purpose", lambda est: issue(est, eku="serverAuth"), "RENEWAL_UNFIT"),
    ("an authority that nobody believes", lambda est: issue(est, issuer=est.pki.stranger),
     "CHAIN_INCOMPLETE"),
]


@pytest.mark.parametrize("name,answer,code", BAD, ids=[row[0] for row in BAD])
def test_what_may_not_take_the_old_ones_place(mutual, pki, tmp_path, name, answer, code):
    old = triple(tmp_path, pki, days=(-29, 2))
    before = {file: (old / file).read_bytes() for file in ("tls.crt", "tls.key", "ca.crt")}
    with Est(pki) as est:
        est.answers.append(answer(est))
        done = enroll(mutual, old, "--url", est.url, "--run", f"/usr/bin/touch {tmp_path}/ran")
        assert done.returncode != 0 and (code is None or f"[{code}]" in done.stderr), done.stderr
        assert "the old certificate is in place" in done.stderr
        assert before == {file: (old / file).read_bytes() for file in before}
        assert not (tmp_path / "ran").exists() and not left_over(old)
        # a failure is remembered: the next command does not ask again at once
        asked = len(est.asked)
        done = enroll(mutual, old, "--url", est.url)
        assert done.returncode == 0 and "not due" in done.stdout and len(est.asked) == asked
        done = enroll(mutual, old, "--url", est.url, "--force")
        assert done.returncode == 0 and "renewed" in done.stdout, done.stderr


def test_a_request_for_somebody_elses_key_is_refused(mutual, pki, tmp_path):
    old = triple(tmp_path, pki, days=(-29, 2))
    with Est(pki) as est:
        def other(handler, _):
            csr = subprocess.run(
                ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=web",
                 "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-outform", "DER"],
                check=True, capture_output=True).stdout
            est.answer(handler, csr)
            return True
        est.answers.append(other)
        done = enroll(mutual, old, "--url", est.url)
        assert done.returncode != 0 and "[KEY_MISMATCH]" in done.stderr


def test_an_authority_that_is_not_there_or_not_the_one(mutual, pki, tmp_path):
    old = triple(tmp_path, pki, days=(-29, 2))
    done = enroll(mutual, old, "--url", f"https://localhost:{free_port()}")
    assert done.returncode != 0 and "next try" in done.stderr
    stranger = pki.pair("stranger-est", sans=["DNS:localhost"], eku="serverAuth",
                        issuer=pki.stranger)
    with Est(pki, server=stranger) as est:
        done = enroll(mutual, old, "--url", est.url, "--force")
        assert done.returncode != 0 and "[CHAIN_INCOMPLETE]" in done.stderr and not est.asked
    done = enroll(mutual, old, "--url", "http://localhost:1", "--force")
    assert done.returncode != 0 and "[HTTP_URL_INVALID]" in done.stderr


def test_what_is_run_has_to_succeed_or_the_old_files_come_back(mutual, pki, tmp_path):
    old = triple(tmp_path, pki, days=(-29, 2))
    before = (old / "tls.crt").read_bytes()
    script = tmp_path / "hook"
    script.write_text("#!/bin/sh\n"
                      f"echo \"$MUTUAL_RENEWAL $1 $MUTUAL_DIRECTORY\" >> {tmp_path}/said\n"
                      f"env | sort > {tmp_path}/env\n"
                      "test \"$MUTUAL_RENEWAL\" = undone || test ! -e \"$2\"\n")
    script.chmod(0o755)
    veto = tmp_path / "veto"
    veto.touch()
    with Est(pki) as est:
        run = ("--run", f"{script} $(touch${{IFS}}{tmp_path}/expanded) {veto}")
        done = enroll(mutual, old, "--url", est.url, *run)
        assert done.returncode != 0 and "[HOOK_FAILED]" in done.stderr, done.stderr
        assert "the renewal was undone" in done.stderr
        assert (old / "tls.crt").read_bytes() == before and matches(old) and not left_over(old)
        said = (tmp_path / "said").read_text().splitlines()
        assert [line.split()[0] for line in said] == ["renewed", "undone"]
        assert said[0].endswith(str(old)) and "$(touch" in said[0]
        assert not (tmp_path / "expanded").exists(), "there is no shell"
        names = {line.split("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
        assert names <= {"MUTUAL_DIRECTORY", "MUTUAL_RENEWAL", "PATH", "PWD", "SHLVL", "_",
                         "OLDPWD"}, names
        veto.unlink()
        done = enroll(mutual, old, "--url", est.url, "--force", *run)
        assert done.returncode == 0 and (old / "tls.crt").read_bytes() != before
        for wrong in ("touch x", "", "/nonexistent/program"):
            est.days += 1
            done = enroll(mutual, old, "--url", est.url, "--force", "--run", wrong)
            assert done.returncode != 0 and not left_over(old) and matches(old)


def test_a_signal_instead_of_a_command(mutual, pki, tmp_path):
    old = triple(tmp_path, pki, days=(-29, 2))
    heard = tmp_path / "heard"
    child = subprocess.Popen(["/bin/sh", "-c", f"trap 'echo heard > {heard}; exit' HUP; echo ready;"
                              "while :; do sleep 0.05; done"], stdout=subprocess.PIPE,
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))  # for nohup
    assert child.stdout.readline() == b"ready\n"
    pid = tmp_path / "pid"
    pid.write_text(f"{child.pid}\n")
    try:
        with Est(pki) as est:
            done = enroll(mutual, old, "--url", est.url, "--hup", pid)
            assert done.returncode == 0, done.stderr
            until(heard.exists)
            pid.write_text("1\n")
            est.days += 1
            done = enroll(mutual, old, "--url", est.url, "--force", "--hup", pid)
            assert done.returncode != 0 and "[HOOK_FAILED]" in done.stderr
    finally:
        child.kill()
        child.wait()


def test_two_at_once_and_one_that_was_killed(mutual, pki, tmp_path):
    old = triple(tmp_path, pki, days=(-29, 2))
    with Est(pki) as est:
        def slow(handler, csr):
            time.sleep(1.5)
            est.answer(handler, csr)
            return True
        est.answers.append(slow)
        first = subprocess.Popen([mutual, "enroll", "--renew", old, "--url", est.url],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: est.asked)
        second = enroll(mutual, old, "--url", est.url, "--force")
        assert second.returncode != 0 and "[RENEWAL_BUSY]" in second.stderr
        assert "renewed" in first.communicate(timeout=30)[0]
        # what a killed one left aside goes away with the next
        aside = old.parent / ".web.0123456789abcdef.new"
        aside.mkdir()
        (aside / "tls.key").write_text("half")
        other = old.parent / ".web.notes.new"
        other.mkdir()
        est.days += 1
        done = enroll(mutual, old, "--url", est.url, "--force")
        assert done.returncode == 0 and not aside.exists() and other.exists()


def test_readers_of_the_directory_never_see_a_mixed_pair(mutual, pki, tmp_path):
    """Read from one open directory, as `mutual` itself does, while it is exchanged again and again."""
    old = triple(tmp_path, pki, days=(-29, 2))
    stop = tmp_path / "stop"
    reader = subprocess.Popen(["python3", "-c", f"""
import os, hashlib, pathlib
from cryptography import x509
from cryptography.hazmat.primitives import serialization as s
seen = set()
while not os.path.exists({str(stop)!r}):
    fd = os.open({str(old)!r}, os.O_RDONLY | os.O_DIRECTORY)
    def get(name):
        one = os.open(name, os.O_RDONLY, dir_fd=fd)
        with os.fdopen(one, 'rb') as f:
            return f.read()
    cert, key = get('tls.crt'), get('tls.key')
    os.close(fd)
    a = x509.load_pem_x509_certificate(cert).public_key()
    b = s.load_pem_private_key(key, None).public_key()
    f = (s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    assert a.public_bytes(*f) == b.public_bytes(*f)
    seen.add(a.public_bytes(*f))
print(len(seen))
"""], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, executable="/usr/bin/python3")
    with Est(pki) as est:
        for _ in range(8):
            est.days += 1
            assert enroll(mutual, old, "--url", est.url, "--force").returncode == 0
    stop.touch()
    out, err = reader.communicate(timeout=30)
    assert reader.returncode == 0 and int(out) >= 2, err


def test_a_gateway_takes_the_new_certificate_and_open_connections_stay(mutual, gateway, pki,
                                                                       backend, tmp_path):
    directory = triple(tmp_path, pki, days=(-29, 2))
    config = inbound(pki, backend)
    config["inbound"][0]["certificate"] = str(directory)
    config["watch"] = True
    g = gateway(config)
    context = client_context(pki, pki.client())
    with TlsClient(g.address(), context) as before, Est(pki) as est:
        before.ask(b"one")
        serial = leaf(directory).serial_number
        done = enroll(mutual, directory, "--url", est.url)
        assert done.returncode == 0, done.stderr
        g.event("reloaded")
        before.ask(b"two")      # the same connection
        with TlsClient(g.address(), context) as after:
            after.ask(b"three")
            shown = x509.load_der_x509_certificate(after.tls.getpeercert(True))
            assert shown.serial_number == leaf(directory).serial_number != serial
        before.ask(b"four")
        assert g.figures("db")["open"] >= 1 and not g.events("reload_refused")
        # and again, now proved against the gateway itself, as somebody with a client certificate
    assert g.end(bytes_in=3 + 3 + 4)


def test_a_named_peer_has_to_take_it_first(mutual, gateway, pki, backend, tmp_path):
    pair = pki.client("agent", days=(-29, 2))
    directory = tmp_path / "tls" / "agent"
    directory.mkdir(parents=True)
    for source, name in ((pair.chain, "tls.crt"), (pair.key, "tls.key"), (pki.bundle, "ca.crt")):
        shutil.copy(source, directory / name)
    before = (directory / "tls.crt").read_bytes()
    g = gateway(inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/somebody-else"}]))
    with Est(pki, extensions={"eku": "clientAuth"}) as est:
        where = g.address().replace("127.0.0.1", "localhost")
        done = enroll(mutual, directory, "--url", est.url, "--prove", where)
        assert done.returncode != 0 and (directory / "tls.crt").read_bytes() == before, done.stderr
        assert g.end(reason="policy_denied")
        g.write(inbound(pki, backend))
        assert g.reload()
        done = enroll(mutual, directory, "--url", est.url, "--prove", where, "--force")
        assert done.returncode == 0 and (directory / "tls.crt").read_bytes() != before, done.stderr


def test_as_a_daemon(mutual, pki, tmp_path):
    directory = triple(tmp_path, pki, days=(-29, 2))
    with Est(pki) as est:
        daemon = subprocess.Popen([mutual, "enroll", "--renew", directory, "--daemon", "--url",
                                   est.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
        try:
            assert "renewed" in daemon.stdout.readline()
            shutil.rmtree(directory)
            again = triple(tmp_path / "x", pki, "old", days=(-29, 2))
            again.rename(directory)
            daemon.send_signal(signal.SIGHUP)     # looks at once
            assert "renewed" in daemon.stdout.readline()
            daemon.terminate()
            assert daemon.wait(10) == 0
        finally:
            daemon.kill()
            daemon.wait()
    assert pathlib.Path(directory / "tls.crt").exists() and matches(directory)
