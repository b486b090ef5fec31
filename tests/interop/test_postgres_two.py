# SPDX-License-Identifier: Apache-2.0
"""Two authorities that serve one PostgreSQL at once, each of a machine of its own. Either is killed at any
moment, at each of its sends to the server and receipts from it in turn, and the server itself is restarted
as by a crash: no serial number comes twice, no acknowledged certificate or revocation is lost, both tell one
sequence of lists that only grows, the audit's chain holds, and both serve on."""
import contextlib
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import crash
import pytest
from crash import ALL, Attached
from cryptography.hazmat.primitives import hashes
from ledger import Est, Ledger, number_of
from net import until
from peers import need, run
from postgres import Postgres
from served import Served

CALLS = ("sendto", "recvfrom")
ROLES = ("authority",) * 4 + ("publisher",) * 2 + ("keys", "worker")
SECONDS = 60 if ALL else 5


@pytest.fixture
def postgres():
    need("psql", "curl", "openssl")
    # a crash of the server: what it calls committed is on the disk as far as the kernel knows
    with Postgres("-c", "fsync=off", "-c", "synchronous_commit=off") as server:
        yield server


def elsewhere(name):
    """Another host name, as another machine has one: a prefix for commands, nothing where that is not
    permitted."""
    words = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name]
    probe = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if probe.returncode == 0 else []


class Two:
    """Both, and everything that either acknowledged."""

    def __init__(self, mutual, gateway, postgres, directory):
        self.postgres = postgres
        first = Served(mutual, gateway, directory, "--store", postgres.create("ca"))
        second = Served.__new__(Served)
        second.__dict__.update(first.__dict__)
        second.dir = directory / "second"
        shutil.copytree(first.dir, second.dir)
        second.root = second.dir / "authority" / "ca.crt"
        second.crl = second.dir / "authority" / "issuer.crl"
        first.serve()
        second.serve(name="second", prefix=elsewhere("second"))
        est = Est(directory / "est")
        self.ledgers = [Ledger(one, est) for one in (first, second)]
        for one in self.ledgers[1:]:  # one and the same book
            one.issued, one.revoked, one.lists = (getattr(self.ledgers[0], name)
                                                  for name in ("issued", "revoked", "lists"))

    def check(self):
        """Where either answers now, of what both acknowledged."""
        for one in self.ledgers:
            one.wait()
            one.check()
        serials = self.postgres.sql("SELECT count(*), count(DISTINCT serial) FROM certificate", "ca").stdout
        assert len(set(serials.strip().split("|"))) == 1, serials

    def check_files(self):
        """The list beside each is the last one, whoever published it: who keeps the lists looks in
        its first second, and every minute."""
        for one in self.ledgers:
            one.wait()
            pid = until(lambda: one.pid("publisher"), 20)
            os.kill(pid, signal.SIGKILL)
            until(lambda: not crash.alive(pid))
            until(lambda: one.file_number() == max(one.lists), 40)


@pytest.fixture
def two(mutual, gateway, postgres, tmp_path):
    return Two(mutual, gateway, postgres, tmp_path)


class Work:
    """Enrols and revokes at one of the two until it is told to stop; asks again as clients do."""

    def __init__(self, ledger, letter):
        self.ledger, self.letter = ledger, letter
        self.over, self.error, self.done = threading.Event(), None, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            for i in itertools.count():
                if self.over.is_set():
                    return
                self.one(f"{self.letter}{i}", revoke=i % 3 == 2)
                self.done += 1
        except BaseException as error:  # told by stop
            self.error = error

    def one(self, name, revoke):
        ledger, request = self.ledger, self.ledger.est.request(f"work-{self.letter}")
        token = self.command("token", name, "--url", ledger.served.url(), "--json")
        said = ledger.est.persist(ledger.served, "simpleenroll", request, token=token["token"])
        assert said.status == 200, said.body
        ledger.acknowledge(said.cert(), name)
        if revoke:
            self.command("revoke", name)
            ledger.revoked.add(said.cert().serial_number)

    def command(self, *words):
        """The server may be away just now; what it revoked before it went is revoked."""
        def look():
            done = self.ledger.served.run(*words, status=None)
            if done.returncode == 0:
                return json.loads(done.stdout) if "--json" in words else True
            if "ALREADY_REVOKED" in done.stderr:
                self.ledger.served.run("export", "crl", "--out", "/dev/null", status=None)
                return True
            assert done.returncode in (75, 1), done.stderr
            return None
        return until(look, 60, 0.1)

    def stop(self):
        self.over.set()
        self.thread.join(120)
        if self.error is not None:
            raise self.error
        assert self.done > 0, "nothing was done"


class Poller:
    """Reads the list at both, one after the other: a number never goes back, and is one list."""

    def __init__(self, ledgers):
        self.ledgers, self.over, self.error, self.seen = ledgers, threading.Event(), None, []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        for one in itertools.cycle(self.ledgers):
            if self.over.is_set():
                return
            try:
                with contextlib.suppress(OSError):
                    found = one.list_of(one.served)
                    whole = found.fingerprint(hashes.SHA256())
                    if self.seen:
                        last, before = self.seen[-1]
                        assert number_of(found) >= last, "the sequence of lists went back"
                        assert (number_of(found) == last) == (whole == before), f"two lists have number {last}"
                    self.seen.append((number_of(found), whole))
            except AssertionError as error:
                self.error = error
                return

    def stop(self):
        self.over.set()
        self.thread.join(60)
        if self.error is not None:
            raise self.error
        return len({number for number, _ in self.seen})


def while_working(two, what):
    """Both are asked all the time while `what` happens."""
    poller = Poller(two.ledgers)
    works = [Work(ledger, letter) for ledger, letter in zip(two.ledgers, "ab")]
    try:
        what()
    finally:
        for one in works:
            one.over.set()
        for one in works:
            one.stop()
        numbers = poller.stop()
    two.check()
    two.check_files()
    print(f"enrolled {[one.done for one in works]}, {len(poller.seen)} lists read, {numbers} numbers")
    assert numbers > 1, "no list was published"


def test_either_is_killed_at_random(two):
    chance = random.Random(int(os.environ.get("MUTUAL_SEED", "1")))
    kills = []

    def kill():
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(chance.random())
            victim = chance.choice(two.ledgers)
            with contextlib.suppress(ProcessLookupError):
                if (pid := victim.pid(chance.choice(ROLES))) is not None:
                    os.kill(pid, signal.SIGKILL)
                    kills.append(pid)
    while_working(two, kill)
    print(f"killed {len(set(kills))}")
    assert len(set(kills)) >= 3


def test_the_server_is_restarted_in_the_middle(two):
    def restart():
        for _ in range(6 if ALL else 1):
            time.sleep(1)
            two.postgres.stop(signal.SIGQUIT)  # as pg_ctl restart -m immediate
            two.postgres.start()
        time.sleep(1)
    while_working(two, restart)


def test_killed_at_every_word_with_the_server(two):
    """The commit may have been done or not when it dies; who asks the other one has one certificate."""
    crash.need_strace()
    first, second = two.ledgers
    mine, pid = first.est.request("mine"), first.wait()

    def ask(name, when=None, call=None):
        token = first.token(name)
        with Attached(pid, [call] if call else CALLS, when, call and "signal=KILL") as hit:
            said = first.est.ask(first.served, "simpleenroll", mine, token=token)
        return token, said, hit
    token, said, seen = ask("counted")
    assert said.status == 200, said.body
    points = crash.points(seen.counts(), 5, CALLS)
    for call, when in points:
        name = f"{call}-{when}"
        token, said, hit = ask(name, when, call)
        again = second.est.persist(second.served, "simpleenroll", mine, token=token)
        assert again.status == 200, (call, when, again.body)
        assert said.status != 200 or said.cert() == again.cert()
        second.acknowledge(again.cert(), name)
        second.only(name, again.cert())
        if hit.killed:
            pid = first.replaced(pid)
        two.check()
    print(f"{len(points)} points, {first.kills} hit")
    assert first.kills >= len(points) // 2


def test_a_machine_that_is_gone_without_a_word_is_given_up(mutual, tmp_path, request):
    """It lost its power while it held the store's lock: no word of it reaches the server. In a network of
    the test's own, which is taken down for longer than the server waits."""
    if not ALL:
        pytest.skip("takes a minute: MUTUAL_CRASH=all")
    crash.need_strace()
    if not crash.inside(request, "--net", "ip link set lo up"):
        return
    with Postgres() as server:
        command = lambda *words: [mutual, *words, "--dir", str(tmp_path / "a")]
        run(*command("init", "example.org", "--store", server.create("ca")))
        gone = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e",
                                 "inject=sendto:signal=STOP:when=20", *command("issue", "gone")])
        try:
            until(lambda: "STORE_BUSY" in run(*command("issue", "waits"), status=None).stderr, 30)
            run("ip", "link", "set", "lo", "down")
            time.sleep(40)
            run("ip", "link", "set", "lo", "up")
            run(*command("issue", "goes-on"))
            assert '"interrupted":0' in run(*command("list", "--json")).stdout
        finally:
            left = pathlib.Path(f"/proc/{gone.pid}/task/{gone.pid}/children").read_text().split()
            gone.kill()
            gone.wait()
            for pid in left:  # strace leaves it stopped
                os.kill(int(pid), signal.SIGKILL)


def test_a_database_whose_disk_is_full(mutual, gateway, tmp_path, request, monkeypatch):
    """The server's disk, a real one: clients are told when to come again, and have what they asked for
    when there is space, one certificate for one token."""
    need("psql", "curl", "openssl")
    if not crash.inside(request, "--mount", "true"):
        return
    disk = pathlib.Path("/mnt")  # where the server's user may go as well; and nobody else sees it
    run("mount", "-t", "tmpfs", "-o", "size=110m,mode=0777", "none", disk)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    with Postgres("-c", "fsync=off") as server:
        served = Served(mutual, gateway, tmp_path, "--store", server.create("ca"))
        served.serve()
        ledger = Ledger(served, Est(tmp_path / "est"))
        cert = ledger.enrol("before")
        tokens = [ledger.token(f"t{i}") for i in range(40)]
        filler = disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(bytes(1 << 20)):
                pass
        codes = [(said.status, said.json()["code"]) for said in
                 (ledger.est.ask(served, "simpleenroll", ledger.spare, token=token) for token in tokens)
                 if said.status != 200]
        assert set(codes) == {(503, "DISK_FULL")}, codes
        assert str(ledger.status(cert)).endswith("GOOD")
        assert served.gateway.event("authority_cannot_write")["code"] == "DISK_FULL"
        filler.unlink()
        for i, token in enumerate(tokens):
            said = ledger.est.persist(served, "simpleenroll", ledger.spare, token=token)
            assert said.status == 200, said.body
            ledger.acknowledge(said.cert(), f"t{i}")
            ledger.only(f"t{i}", said.cert())
        ledger.check()
