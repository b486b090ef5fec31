# SPDX-License-Identifier: Apache-2.0
"""Nothing that a served authority acknowledged is lost, at whichever call its process is killed and
whichever write of it fails; and it serves on.

What test_crashes.py does to commands is done here to the process that answers, in its sandbox, while real
clients ask: it is killed on entering each call by which a request changes a file or is answered, and the
parent replaces it; or that call fails once, and it goes on. By default a sample of the points is tried;
MUTUAL_CRASH=all tries all of them."""
import contextlib
import http.client
import itertools
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import time

import crash
import pytest
from acme_client import b64, csr_for
from acme_place import Place
from crash import CALLS, SENDS, Attached
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.ocsp import OCSPCertStatus
from ledger import PATIENCE, Est, Ledger, Said
from net import TlsClient, free_port, until
from served import Served

FAILURES = ("error=ENOSPC", "error=EIO", "error=EROFS")
FILES = ("pwrite64", "write", "fsync", "fdatasync", "rename", "ftruncate")
HOUSE = ("DISK_FULL", "STORE_FAILED", "FILE_UNWRITABLE")  # whose fault it is


@pytest.fixture(autouse=True)
def strace():
    crash.need_strace()


@pytest.fixture
def place(mutual, gateway, tmp_path):
    one = Place(mutual, gateway, tmp_path, accounts="open")
    one.served.mode = "request"  # a renewal shows a certificate
    one.served.gateway.write(one.served.config())
    assert one.served.gateway.reload()
    yield one
    one.close()


@pytest.fixture
def ledger(mutual, gateway, tmp_path, request):
    """Of an authority with ACME only where that is what is tried."""
    kind = request.node.callspec.params.get("kind") if hasattr(request.node, "callspec") else None
    place = request.getfixturevalue("place") if kind in ("acme", "revocation") else None
    served = place.served if place else Served(mutual, gateway, tmp_path,
                                                        authority={"grace-after-expiry": "1h"})
    if place is None:
        served.serve()
    one = Ledger(served, Est(tmp_path / "est"))
    one.place = place
    return one


# -- what is asked for ------------------------------------------------------------------------------


class Tokens:
    """Whoever asks again with the same key has one certificate for one token, whatever became of the
    first request; and nobody else has any."""

    def __init__(self, ledger):
        self.ledger, self.est = ledger, ledger.est
        self.mine, self.other = self.est.request("mine"), self.est.request("other")

    def prepare(self, name):
        self.name, self.token = name, self.ledger.token(name)

    def ask(self):
        return self.est.ask(self.ledger.served, "simpleenroll", self.mine, token=self.token)

    def settle(self, first):
        served = self.ledger.served
        again = self.est.persist(served, "simpleenroll", self.mine, token=self.token)
        assert again.status == 200, again.body
        assert first.status != 200 or first.cert() == again.cert()
        thief = self.est.persist(served, "simpleenroll", self.other, token=self.token)
        assert (thief.status, thief.json()["code"]) == (403, "TOKEN_USED")
        self.ledger.acknowledge(again.cert(), self.name)
        self.ledger.only(self.name, again.cert())


class Renewals:
    """Of one certificate, each asked for with the last that was acknowledged: the same key has the same
    successor, however often it asks."""

    def __init__(self, ledger):
        self.ledger, self.est = ledger, ledger.est
        self.pem = self.est.dir / "renewed.crt"
        self.request = self.est.request("renewed", "/O=example.org/CN=renewed")
        self.keep(ledger.enrol("renewed", self.request, "--profile", "client"))

    def keep(self, cert):
        self.pem.write_bytes(cert.public_bytes(Encoding.PEM) + self.ledger.issuer_pem())
        self.ledger.acknowledge(cert, "renewed")
        self.cert = cert

    def prepare(self, name):
        pass

    def ask(self, how="ask"):
        return getattr(self.est, how)(self.ledger.served, "simplereenroll", self.request,
                                      pair=(self.pem, self.est.dir / "renewed.key"))

    def settle(self, first):
        again = self.ask("persist")
        assert again.status == 200, again.body
        assert first.status != 200 or first.cert() == again.cert()
        assert again.cert().serial_number != self.cert.serial_number
        self.keep(again.cert())


class Late:
    """A device whose certificate has ended asks with its old key, by which alone it is known: it is never
    locked out, and has one successor."""

    def __init__(self, ledger):
        self.ledger, self.est = ledger, ledger.est

    def prepare(self, name):
        self.name = name
        self.request = self.est.request(name, f"/O=example.org/CN={name}")
        self.old = self.ledger.enrol(name, self.request)
        with sqlite3.connect(self.ledger.served.dir / "authority" / "ca.db", timeout=20) as store:
            store.execute("UPDATE certificate SET not_after_s = ? WHERE name = ?", (int(time.time()) - 9, name))

    def ask(self, how="ask"):
        return getattr(self.est, how)(self.ledger.served, "simplereenroll", self.request)

    def settle(self, first):
        again = self.ask("persist")
        assert again.status == 200, again.body
        assert first.status != 200 or first.cert() == again.cert()
        assert again.cert() != self.old
        self.ledger.acknowledge(again.cert(), self.name)
        self.ledger.only(self.name, again.cert())


class Orders:
    """An order gives one certificate. Whoever lost the answer asks how it stands (RFC 8555 section 7.4)
    and finalizes again if it is ready still."""

    def __init__(self, ledger):
        self.ledger, self.place = ledger, ledger.place
        self.client = self.place.client()

    def prepare(self, name):
        self.name = f"{name}.example.org"
        order = self.calm(lambda: self.client.order(self.name))
        challenge = self.calm(lambda: self.client.challenge(order, "http-01"))
        self.place.put_http(self.client, challenge)
        assert self.calm(lambda: self.client.answer(order, challenge)) == "valid"
        self.order, self.csr = order, csr_for(self.name)[1]

    @staticmethod
    def calm(what):
        """Once more where there was no answer; what it asked for is prepared, so asserts nothing."""
        def look():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return what()
            return None
        return until(look, PATIENCE, 0.05)

    def post(self, url, payload):
        try:
            answer = self.client.post(url, payload)
        except (OSError, http.client.HTTPException) as error:
            self.client.nonce = None
            return Said(None, "", str(error))
        return Said(answer.status, answer.fields.get("Retry-After", ""), answer.body)

    def persist(self, url, payload=""):
        def look():
            said = self.post(url, payload)
            return said if said.status not in (None, 503) else None
        return until(look, PATIENCE, 0.05)

    def ask(self):
        return self.post(self.order["finalize"], {"csr": b64(self.csr)})

    def settle(self, first):
        promised = first.status == 200 and first.json()["status"] == "valid"

        def valid():
            status = self.persist(self.order["url"]).json()
            if status["status"] == "ready":
                assert not promised
                self.ask()
            return status if status["status"] == "valid" else None
        found = until(valid, PATIENCE, 0.2)
        self.chain = self.persist(found["certificate"]).body
        self.cert = x509.load_pem_x509_certificate(self.chain)
        self.ledger.acknowledge(self.cert, self.name)
        self.ledger.only(self.name, self.cert)
        assert self.persist(found["certificate"]).body == self.chain


class Revocations:
    """What was acknowledged as revoked is in the list and OCSP says so; what was not is revoked by
    asking again, and had not become half revoked."""

    def __init__(self, ledger):
        self.ledger, self.orders = ledger, Orders(ledger)

    def prepare(self, name):
        self.orders.prepare(name)
        self.orders.settle(self.orders.ask())
        self.cert = self.orders.cert

    def ask(self, how="post"):
        payload = {"certificate": b64(self.cert.public_bytes(Encoding.DER)), "reason": 4}
        return getattr(self.orders, how)(self.orders.client.directory["revokeCert"], payload)

    def settle(self, first):
        if first.status != 200:
            again = self.ask("persist")
            assert again.status == 200 or again.json()["type"].endswith("alreadyRevoked"), again.body
        self.ledger.revoke(self.cert, published=first.status == 200)


SUBJECTS = {"token": Tokens, "renewal": Renewals, "late": Late, "acme": Orders, "revocation": Revocations}


def count(ledger, subject):
    subject.prepare("counted")
    with Attached(ledger.wait(), CALLS + SENDS) as seen:
        first = subject.ask()
    assert first.status == 200, first.body
    subject.settle(first)
    assert seen.counts()["fdatasync"] + seen.counts()["fsync"] >= 4, seen.counts()
    return seen.counts()


def report(what, points, hit):
    print(f"{what}: {len(points)} points, {hit} hit")


@pytest.mark.parametrize("kind", SUBJECTS)
def test_killed_at_every_call(ledger, kind):
    subject = SUBJECTS[kind](ledger)
    points = crash.points(count(ledger, subject), 6, CALLS + SENDS)
    for call, when in points:
        subject.prepare(f"{call}-{when}")
        pid = ledger.wait()
        with Attached(pid, [call], when, "signal=KILL") as hit:
            first = subject.ask()
        assert hit.killed or first.status == 200, (call, when, first.body)
        if hit.killed:
            ledger.replaced(pid)
        subject.settle(first)
        ledger.check()
    report(kind, points, ledger.kills)
    assert ledger.kills >= len(points) // 2


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_write_that_fails_is_told_and_the_next_works(ledger, kind):
    """503 and when to come again, with our word for it; the log has the rest; the process stays."""
    subject = SUBJECTS[kind](ledger)
    points = crash.points(count(ledger, subject), 6, FILES)
    pid = ledger.wait()
    told = 0
    for (call, when), how in zip(points, itertools.cycle(FAILURES)):
        subject.prepare(f"{call}-{when}")
        with Attached(pid, [call], when, how) as hit:
            first = subject.ask()
        assert not hit.killed
        if first.status != 200:
            told += 1
            check_problem(ledger, first, (call, when, how))
        subject.settle(first)
        ledger.check()
    report(kind, points, told)
    assert told >= 2 and ledger.pid() == pid


def check_problem(ledger, said, where):
    """What EST and ACME have for it, and in the log what, why and what to do."""
    assert said.status == 503 and int(said.retry_after) > 0, (where, said.status, said.body)
    problem = said.json()
    if problem["type"].startswith("urn:"):
        assert problem["type"].endswith(":serverInternal"), problem
    else:
        assert problem["code"] in HOUSE, problem
    assert str(ledger.served.dir) not in json.dumps(problem), "a stranger is told where things are"
    until(lambda: any(f"error[{code}]" in ledger.served.gateway.text() for code in HOUSE))


# -- what the process does by itself ---------------------------------------------------------------


def list_is_due(ledger):
    with sqlite3.connect(ledger.served.dir / "authority" / "ca.db", timeout=20) as store:
        store.execute("UPDATE issuer SET crl_due = 1 WHERE root = 0")


def publisher(ledger):
    """The process that keeps the lists; nobody asks it anything."""
    return until(lambda: ledger.pid("publisher"), PATIENCE)


def begin_anew(ledger):
    """A process looks for what is due in its first second."""
    pid = publisher(ledger)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not crash.alive(pid))
    ledger.replaced(pid)
    return publisher(ledger)


def test_killed_while_a_list_is_published(ledger):
    """Its number never comes twice, the file is whole, and the next process publishes it."""
    good = ledger.enrol("good")
    ledger.check_list()

    def published(before):
        ledger.check_list()
        return max(ledger.lists) > before

    def one(call=None, when=None):
        before = max(ledger.lists)
        list_is_due(ledger)
        pid = begin_anew(ledger)
        with Attached(pid, [call] if call else CALLS + SENDS, when, call and "signal=KILL") as seen:
            until(lambda: not crash.alive(pid) or works(lambda: published(before)), PATIENCE)
        if seen.killed:
            ledger.replaced(pid)
        assert ledger.status(good) == OCSPCertStatus.GOOD
        until(lambda: published(before), PATIENCE)
        ledger.check()
        assert ledger.file_number() == max(ledger.lists)
        return seen
    one()  # the first one makes all the parts of the list as well
    points = crash.points(one().counts(), 3, CALLS + SENDS)
    hit = sum(one(*point).killed for point in points)
    report("list", points, hit)
    assert hit >= len(points) // 2


def works(what):
    with contextlib.suppress(OSError):
        return what()
    return False


# -- commands beside it ----------------------------------------------------------------------------


def test_a_command_that_is_killed_holds_the_authority_up_for_nothing(ledger):
    """mutual revoke on the directory that is served: what it printed holds, the rest is as it was, and
    the very next enrolment works."""
    served = ledger.served
    command = lambda name: [served.mutual, "revoke", name, "--dir", str(served.dir)]
    ledger.enrol("counted")
    done, counts = crash.count(command("counted"))
    points, kills = crash.points(counts, 4), 0
    for call, when in points:
        name = f"{call}-{when}"
        cert = ledger.enrol(name)
        done, killed = crash.disturb(command(name), call, when, "signal=KILL")
        kills += killed
        promised = done.returncode == 0
        ledger.check()
        if not promised and ledger.state(cert) != "revoked":
            assert ledger.status(cert) == OCSPCertStatus.GOOD
            served.run("revoke", name)
            promised = True
        ledger.revoke(cert, published=promised)
        ledger.check_list()
    report("command", points, kills)
    assert kills >= len(points) // 2


@pytest.mark.parametrize("how", ["signal=KILL", "error=ENOSPC"])
def test_the_client_may_be_killed_as_well(ledger, tmp_path, how):
    """mutual enroll at each of its own writes: the same command again has the certificate, of which
    there is one."""
    served = ledger.served

    def command(name):
        return [served.mutual, "enroll", ledger.tokens[name], "--out", str(tmp_path / name)]
    ledger.tokens = {"counted": ledger.token("counted")}
    done, counts = crash.count(command("counted"))
    calls = CALLS + SENDS if how == "signal=KILL" else FILES + ("mkdir",)
    points, hit = crash.points(counts, 5, calls), 0
    for call, when in points:
        name = f"{call}-{when}"
        ledger.tokens[name] = ledger.token(name)
        done, killed = crash.disturb(command(name), call, when, how)
        hit += done.returncode != 0
        if done.returncode == 0 or (tmp_path / name).exists():
            check_pair(tmp_path / name)
        if done.returncode != 0:
            again = subprocess.run(command(name), capture_output=True, text=True, timeout=60, check=False)
            assert again.returncode == 0 or "FILE_EXISTS" in again.stderr, (call, when, again.stderr)
        ledger.acknowledge(check_pair(tmp_path / name), name)
        ledger.only(name, check_pair(tmp_path / name))
        assert not [p for p in tmp_path.iterdir() if p.name.startswith(name + ".")], "left over"
    ledger.check()
    report("client", points, hit)
    assert hit >= len(points) // 2


def check_pair(directory):
    """Whole, or it would not be there."""
    assert sorted(p.name for p in directory.iterdir()) == ["ca.crt", "enroll.json", "tls.crt", "tls.key"]
    cert = x509.load_pem_x509_certificate((directory / "tls.crt").read_bytes())
    public = Est.openssl("pkey", "-in", directory / "tls.key", "-pubout", "-outform", "DER")
    assert cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public
    return cert


# -- real disks -------------------------------------------------------------------------------------


@pytest.fixture
def space():
    one = crash.Namespace()
    yield one
    one.close()


class Disk:
    """A small disk with the authority's directory on it, in a mount namespace of its own; the gateway
    and every command run in there. Its other service forwards, and has nothing to do with the disk."""

    def __init__(self, mutual, start, space, tmp_path, backend):
        self.space, self.disk = space, tmp_path / "disk"
        self.disk.mkdir()
        space("mount", "-t", "tmpfs", "-o", "size=3m,mode=0755", "none", self.disk)
        inside = tmp_path / "inside"
        inside.write_text(f'#!/bin/sh\nexec {" ".join(space.words())} {mutual} "$@"\n')
        inside.chmod(0o755)
        self.served = Served(str(inside), start, self.disk)
        self.served.root, root = tmp_path / "root.crt", self.served.root
        self.served.root.write_text(self.read(root))
        self.issuer = self.read(self.served.dir / "authority" / "issuer" / "issuer.crt").encode()
        self.served.issue("joe", "--profile", "client")
        self.pair = tmp_path / "joe"
        self.pair.mkdir()
        for name in ("tls.crt", "tls.key"):
            (self.pair / name).write_text(self.read(self.served.dir / "tls" / "joe" / name))
        self.config(root, backend)
        self.served.serve(prefix=space.words())

    def config(self, root, backend):
        made = self.served.config()
        made["trust"][0]["bundle"] = str(root)
        made["inbound"].append({**made["inbound"][0], "name": "data", "forward": backend.address,
                                "clients": {"mode": "require", "trust": "own"}})
        del made["inbound"][-1]["application"]
        made["policy"].append({"grant": "joe", "to": "data", "from": [{"spiffe": "spiffe://example.org/joe"}],
                               "owner": "tests", "why": "testing"})
        self.status = f"127.0.0.1:{free_port()}"
        made["status"] = {"listen": self.status}
        self.served.config = lambda: made

    def read(self, path):
        return self.space("cat", path).stdout

    def data_flows(self):
        context = ssl.create_default_context(cafile=str(self.served.root))
        context.load_cert_chain(self.pair / "tls.crt", self.pair / "tls.key")
        with TlsClient(self.served.gateway.address("data"), context) as one:
            one.ask()

    def health(self):
        """What monitoring is told."""
        done = subprocess.run(["curl", "-s", "-H", "Accept: text/plain", "-w", "\n%{http_code}",
                               f"http://{self.status}/health/ready"],
                              capture_output=True, text=True, timeout=30, check=True)
        text, _, code = done.stdout.rpartition("\n")
        return int(code), text.strip()

    def fill(self):
        self.space("sh", "-c", f"cat /dev/zero > {self.disk}/filler", status=1)

    def free(self):
        self.space("rm", self.disk / "filler")

    def read_only(self):
        """A second, read-only view over it: what is opened from now on is refused by the kernel."""
        self.space("mount", "--bind", self.disk, self.disk)
        self.space("mount", "-o", "remount,bind,ro", self.disk)

    def writable(self):
        self.space("umount", "-l", self.disk)


class DiskLedger(Ledger):
    """Its files are in the other namespace."""

    def __init__(self, disk, est):
        self.disk = disk
        super().__init__(disk.served, est)

    def issuer_pem(self):
        return self.disk.issuer


@pytest.fixture
def disk(mutual, gateway, space, tmp_path, backend):
    return Disk(mutual, gateway, space, tmp_path, backend)


@contextlib.contextmanager
def full(disk, pid):
    disk.fill()
    yield "error[DISK_FULL]", "Free some space"
    disk.free()


@contextlib.contextmanager
def read_only(disk, pid):
    disk.read_only()
    yield "error[STORE_FAILED]", "Read-only file system"
    disk.writable()


@contextlib.contextmanager
def broken(disk, pid):
    """No real one can be had: each of its writes is made to fail."""
    with Attached(pid, FILES, "1+", "error=EIO"):
        yield "error[STORE_FAILED]", "disk I/O error"


@pytest.mark.parametrize("state", [full, read_only, broken])
def test_a_disk_that_cannot_be_written(disk, tmp_path, state):
    """Clients are told when to come again, the log says what to do and health is red; what is only read
    is answered and data flows; and with the disk back all of it works, without a restart."""
    ledger = DiskLedger(disk, Est(tmp_path / "est"))
    before, pid = ledger.enrol("before"), ledger.wait()
    tokens = [ledger.token(f"t{i}") for i in range(6)]
    with state(disk, pid) as (word, remedy):
        def turned_away(token):
            said = ledger.est.ask(ledger.served, "simpleenroll", ledger.spare, token=token)
            check_problem(ledger, said, state)

        def red():
            """It tries by itself, and a page may fit where a certificate does not: a list that was being put
            in place has left one. But whoever is turned away turns it red again."""
            turned_away(tokens[4])
            status, why = disk.health()
            return (status, why.splitlines()[-1]) == (503, "fail") and "the authority cannot write" in why
        for token in tokens[:4]:
            turned_away(token)
        line = next(one["msg"] for one in ledger.served.gateway.lines() if word in one.get("msg", ""))
        assert remedy in line and "ca.db" in line, line
        assert ledger.status(before) == OCSPCertStatus.GOOD
        ledger.check_list()
        disk.data_flows()
        until(red, PATIENCE)
        assert ledger.pid() == pid
    until(lambda: disk.health()[0] == 200, 20)  # it tries by itself
    for i, token in enumerate(tokens):
        said = ledger.est.ask(ledger.served, "simpleenroll", ledger.spare, token=token)
        assert said.status == 200, said.body
        ledger.acknowledge(said.cert(), f"t{i}")
        ledger.only(f"t{i}", said.cert())
    assert ledger.pid() == pid
    disk.data_flows()
    ledger.check()


def test_a_process_that_dies_on_a_full_disk_comes_back_when_there_is_space(disk, tmp_path):
    """Nobody has to start anything."""
    ledger = DiskLedger(disk, Est(tmp_path / "est"))
    token, pid = ledger.token("web"), ledger.wait()
    disk.fill()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not crash.alive(pid))
    until(lambda: "error[DISK_FULL]" in ledger.served.gateway.text())
    assert "Free some space" in ledger.served.gateway.text()
    disk.data_flows()
    assert disk.health()[0] == 503
    disk.free()
    said = ledger.est.persist(ledger.served, "simpleenroll", ledger.spare, token=token)
    assert said.status == 200, said.body
    ledger.check()
