# SPDX-License-Identifier: Apache-2.0
"""The store in PostgreSQL: what must hold for SQLite holds here too, on a real server, and what only
a server can do to us (end, come back, be shared) is told and survived."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import threading

import pytest
from peers import need, run
from postgres import Postgres

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ["store_store", "store_migrate", "store_postgres", "inventory_copy", "inventory_event", "inventory_inventory",
         "inventory_issuer", "inventory_list", "inventory_record", "inventory_select", "inventory_tally",
         "inventory_token",
         "acme_account", "acme_authz", "acme_binding", "acme_nonce", "acme_order", "acme_revoke", "acme_rows",
         "acme_serve", "acme_given", "inventory_replay", "admin_bindings",
         "admin_certificates", "admin_events", "admin_page", "admin_replay", "admin_tokens"]


@pytest.fixture(scope="module")
def postgres():
    need("psql")
    with Postgres() as server:
        yield server


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_tests_hold_on_postgresql(mutual, postgres, unit):
    """The very programs that ./dev test runs on SQLite."""
    room = unit.partition("_")[0]
    program = pathlib.Path(mutual).parent / "tests" / "unit" / room / f"test_{unit}"
    if not program.exists():
        pytest.skip(f"not built: {program.name}")
    where = postgres.create(unit)
    done = run("env", f"MUTUAL_TEST_STORE={where}", "CMOCKA_MESSAGE_OUTPUT=tap", program)
    assert "not ok" not in done.stdout and "ok 1" in done.stdout, done.stdout


class Authority:
    def __init__(self, mutual, directory):
        self.mutual, self.dir = mutual, pathlib.Path(directory)

    def __call__(self, *words, status=0):
        return run(self.mutual, *words, "--dir", self.dir, status=status)

    def json(self, *words, status=0):
        return json.loads(self(*words, "--json", status=status).stdout)

    def start(self, *words):
        return subprocess.Popen([self.mutual, *words, "--dir", str(self.dir)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def serials(self):
        return [one["serial"] for one in self.json("list")["certificates"]]


@pytest.fixture
def authority(mutual, postgres, tmp_path, request):
    where = postgres.create("d" + str(abs(hash(request.node.name))))
    one = Authority(mutual, tmp_path / "a")
    one.where = where
    one("init", "example.org", "--store", where)
    return one


def test_an_authority_lives_on_postgresql(authority):
    assert not (authority.dir / "authority" / "ca.db").exists()
    authority("issue", "web")
    authority("issue", "alice", "--profile", "client")
    authority("renew", "web")
    authority("revoke", "alice", "--reason", "key-compromise")
    shown = authority.json("store", "show")
    assert shown["certificates"] == 5 and shown["store"].startswith("postgres://henry@127.0.0.1")
    listed = {one["name"]: one for one in authority.json("list")["certificates"]}
    assert "revoked_at" in json.dumps(listed["alice"]), listed["alice"]
    audit = [line["action"] for line in authority.json("audit")]
    assert audit[:3] == ["init", "issue", "issue"] and "revoke" in audit
    serial = listed["alice"]["serial"].replace(":", "").upper()
    crl = run("openssl", "crl", "-in", authority.dir / "authority" / "issuer.crl", "-noout",
              "-text").stdout
    assert serial in crl
    found = authority("show", listed["alice"]["serial"][:10])
    assert "alice" in found.stdout  # by the first bytes of its serial


def test_a_second_init_does_not_take_over_a_store(authority, tmp_path):
    other = Authority(authority.mutual, tmp_path / "other")
    said = other("init", "example.net", "--store", authority.where, status=73)
    assert "holds an authority already" in said.stderr and not (other.dir / "authority").exists()
    authority("issue", "still-there")


def test_a_store_moves_from_sqlite_and_back_into_a_backup(mutual, postgres, tmp_path):
    one = Authority(mutual, tmp_path / "a")
    one("init", "example.org")
    for name in ("web", "db", "cache"):
        one("issue", name)
    one("revoke", "db", "--reason", "superseded")
    before = one.json("list")
    where = postgres.create("moved")
    moved = one.json("store", "migrate", where)
    assert moved["certificates"] == 5 and moved["store"].startswith("postgres://")
    assert one.json("list") == before
    assert (one.dir / "authority" / "ca.db.moved").exists()
    assert "holds an authority already" in one("store", "migrate", where, status=73).stderr
    one("issue", "after")
    assert int(postgres.sql("SELECT count(*) FROM certificate", "moved").stdout) == 6
    counts = one.json("store", "backup", str(tmp_path / "backup.db"))
    assert counts["certificates"] == 6
    # the directory again on a file of its own
    (one.dir / "authority" / "store").unlink()
    assert one.json("store", "restore", str(tmp_path / "backup.db"))["certificates"] == 6
    one("issue", "on-the-file-again")
    assert len(one.serials()) == len(set(one.serials()))


def test_two_authorities_share_a_store(authority, tmp_path):
    """Two directories, one database: no serial twice, no certificate lost, one sequence of lists."""
    other = Authority(authority.mutual, tmp_path / "b")
    shutil.copytree(authority.dir, other.dir)
    failures = []

    def work(one, letter):
        for i in range(6):
            try:
                one("issue", f"{letter}{i}")
                if i % 3 == 2:
                    one("revoke", f"{letter}{i}", "--reason", "superseded")
            except AssertionError as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=pair)
               for pair in ((authority, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    serials = authority.serials()
    assert len(serials) == len(set(serials)) and serials == other.serials()
    names = {one["name"] for one in authority.json("list")["certificates"]}
    assert {f"{letter}{i}" for letter in "ab" for i in range(6)} <= names
    numbers = [int(re.search(r"crlNumber=(?:0x)?([0-9A-Fa-f]+)|CRL Number:\s*(\d+)",
                             run("openssl", "crl", "-in",
                                 one.dir / "authority" / "issuer.crl", "-noout",
                                 "-crlnumber").stdout).group(1), 16)
               for one in (authority, other)]
    assert numbers[0] != numbers[1] and max(numbers) == 5  # the first, and one for each revocation


def test_an_authority_that_is_killed_holds_nobody_up(authority, tmp_path):
    other = Authority(authority.mutual, tmp_path / "b")
    shutil.copytree(authority.dir, other.dir)
    for i, delay in enumerate((0.005, 0.02, 0.04, 0.06)):
        victim = authority.start("issue", f"victim{i}x")
        try:
            victim.wait(delay)
        except subprocess.TimeoutExpired:
            victim.kill()
        victim.wait()
        victim.stderr.close()
        other("issue", f"after{i}x")
    authority("issue", "last")  # tidies up behind the killed
    serials = authority.serials()
    assert len(serials) == len(set(serials))


def test_a_server_that_crashes_loses_nothing_that_was_acknowledged(mutual, tmp_path):
    with Postgres("-c", "fsync=on", "-c", "synchronous_commit=off") as server:  # we ask for more
        one = Authority(mutual, tmp_path / "a")
        one("init", "example.org", "--store", server.where())
        acknowledged = []
        for i in range(3):
            acknowledged.append(one.json("issue", f"n{i}")["serial"])
        server.stop(signal.SIGQUIT)
        said = one("issue", "nobody-is-there", status=75)
        assert "STORE_UNREACHABLE" in said.stderr and "Check that it runs" in said.stderr
        server.start()
        assert set(acknowledged) <= set(one.serials())
        one("issue", "again")


def test_a_server_must_prove_itself_unless_the_address_says_otherwise(mutual, postgres, tmp_path):
    """No fallback to the clear: this server has no TLS, and the address does not waive it."""
    one = Authority(mutual, tmp_path / "a")
    where = f"postgres://henry@127.0.0.1:{postgres.port}/postgres"
    said = one("init", "example.org", "--store", where, status=75)
    assert "STORE_UNREACHABLE" in said.stderr and "certificate" in said.stderr, said.stderr
