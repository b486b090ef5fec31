# SPDX-License-Identifier: Apache-2.0
"""Nothing that was acknowledged is lost, whenever a command is killed and whatever write fails.

Each change is killed on entering each call that changes a file, and run with each of those calls failing
as on a full, broken or read-only disk. After every one of them the same is asked: is all there that was
said to be there, is nothing there twice or half, does the next command work? By default a sample of the
points is tried; MUTUAL_CRASH=all tries all of them (some minutes)."""
import itertools
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess

import crash
import pytest
from admin import Administered
from pki import Authority as Root

MUTUAL = os.environ.get("MUTUAL", str(pathlib.Path(__file__).parents[2] / "build" / "mutual"))
ENV = {**os.environ, "LC_ALL": "C"}
ENV.pop("MUTUAL_CONFIG", None)


@pytest.fixture(autouse=True)
def strace():
    crash.need_strace()


class House:
    """An authority, and all that it has acknowledged."""

    def __init__(self, directory):
        self.dir = directory
        self.part = directory / "authority"
        self.crl = self.part / "issuer.crl"
        self.issued, self.revoked, self.tokens = {}, set(), set()  # serial: name; numbers
        self.checked = set()
        self.number = 0
        done = self("init", "example.org")
        assert done.returncode == 0, done.stderr

    def command(self, *words):
        return [MUTUAL, *map(str, words), "--dir", str(self.dir), "--json"]

    def __call__(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, env=ENV)

    def good(self, *words):
        done = self(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def issue(self, name, *options):
        said = self.good("issue", name, *options)
        self.issued[said["serial"]] = name
        return said["serial"]

    def acknowledged(self, kind, name, done):
        """What it printed is a promise, even where it was killed a moment later."""
        if done.stdout.strip():
            said = json.loads(done.stdout)
            if kind in ("issue", "renew", "p12"):
                self.issued[said["serial"]] = name
            if kind == "token":
                self.tokens.add(said["id"])
        if kind == "revoke" and done.returncode == 0:
            self.revoked |= {s for s, n in self.issued.items() if n == name}

    # -- what must hold

    def check_list(self):
        """The published list is whole at every moment, and never goes back."""
        text = openssl("crl", "-in", self.crl, "-noout", "-text", "-CAfile",
                       self.part / "issuer" / "issuer.crt", "-verify")
        number = int(re.search(r"CRL Number: *\n *(0x[0-9A-Fa-f]+|\d+)", text).group(1), 0)
        assert number >= self.number
        self.number = number
        return text

    def check(self, last=False):
        """After the next command, which must work, nothing is left of the one before. What takes long
        is asked after the last, and of each pair of files once before."""
        self.check_list()
        self.issue(f"next-{len(self.issued)}")
        text = self.check_list().upper()
        for serial in self.revoked:
            assert serial.upper() in text, "an acknowledged revocation is not in the list"
        told = self.good("list")
        assert told["interrupted"] == 0, told
        serials = [c["serial"] for c in told["certificates"]]
        assert len(serials) == len(set(serials)), "a serial number was used twice"
        assert set(self.issued) <= set(serials), "an acknowledged certificate is lost"
        assert self.tokens <= {one["id"] for one in self.good("list", "--tokens")["tokens"]}, "a token is lost"
        left = [p for p in self.dir.rglob("*") if p.name.endswith(".new") or p.name.startswith(".")]
        assert not left, f"left over: {left}"
        for certificate in told["certificates"]:
            fresh = last or certificate["serial"] not in self.checked
            if fresh and certificate["state"] == "valid" and "/tls/" in (certificate["path"] or ""):
                check_directory(pathlib.Path(certificate["path"]), certificate["name"])
                self.checked.add(certificate["serial"])
        if last:
            assert self.good("audit", "verify")["events"] >= len(self.issued)
            self.check_store()

    def check_store(self):
        with sqlite3.connect(f"file:{self.part / 'ca.db'}?mode=ro", uri=True) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            serials = [row[0] for row in db.execute("SELECT serial FROM certificate")]
        assert len(serials) == len(set(serials))


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def check_directory(path, name):
    there = sorted(p.name for p in path.iterdir())
    assert there in (["ca.crt", "tls.crt", "tls.key"], sorted(["ca.crt", "tls.crt", f"{name}.p12"])), there
    if "tls.key" in there:
        assert openssl("x509", "-in", path / "tls.crt", "-noout", "-pubkey") \
            == openssl("pkey", "-in", path / "tls.key", "-pubout"), f"{path} holds no pair"


# What changes something: its kind, what must be there before, and the command.
CHANGES = {
    "issue": (None, lambda name: ("issue", name)),
    "p12": (None, lambda name: ("issue", name, "--p12")),
    "renew": (True, lambda name: ("renew", name)),
    "revoke": (True, lambda name: ("revoke", name)),
    "publish": (None, lambda name: ("export", "crl", "--out", "/dev/null")),
    "token": (None, lambda name: ("token", name, "--url", "https://localhost:8443")),
}


def each(house, kind, how, most, calls=crash.CALLS):
    """Runs the change once for each point, disturbed there; yields the process and whether it was killed."""
    before, words = CHANGES[kind]
    if before:
        house.issue("probe")
    done, counts = crash.count(house.command(*words("probe")), ENV)
    house.acknowledged(kind, "probe", done)
    assert sum(counts[call] for call in ("fsync", "fdatasync")) >= 4, counts
    for call, when in crash.points(counts, most, calls):
        name = f"{call}-{when}"
        if before:
            house.issue(name)
        done, killed = crash.disturb(house.command(*words(name)), call, when, next(how), ENV)
        house.acknowledged(kind, name, done)
        yield done, killed, (call, when)


@pytest.mark.parametrize("kind", CHANGES)
def test_killed_at_every_write(tmp_path, kind):
    house = House(tmp_path / "d")
    kills = 0
    for done, killed, point in each(house, kind, itertools.repeat("signal=KILL"), 6):
        assert killed or done.returncode == 0, (point, done.stderr)
        kills += killed
        house.check()
    house.check(last=True)
    assert kills >= 5, "it was meant to be killed more often"


@pytest.mark.parametrize("kind", ["issue", "revoke"])
def test_a_write_that_fails_is_told(tmp_path, kind):
    """Full, broken and read-only in turn: it says so by its exit status, names the failure and promises
    nothing; and the next command works as if there had been nothing."""
    house = House(tmp_path / "d")
    calls = ("fsync", "fdatasync", "pwrite64", "write", "rename", "mkdir")
    told = 0
    failures = itertools.cycle(["error=ENOSPC", "error=EIO", "error=EROFS"])
    for done, killed, point in each(house, kind, failures, 7, calls):
        assert not killed
        if done.returncode != 0:
            told += 1
            assert done.returncode in (73, 74), (point, done.returncode, done.stderr)
            assert re.search(r"DISK_FULL|FILE_UNWRITABLE|STORE_FAILED|SYSTEM_CALL", done.stderr), done.stderr
        house.check()
    house.check(last=True)
    assert told >= 3, "no failure was told of"


# -- making an authority ----------------------------------------------------------------------------


def test_killed_while_making_an_authority(tmp_path):
    """A second init either makes it, or finds it complete and says so; the passphrase was shown then."""
    command = lambda where: [MUTUAL, "init", "example.org", "--dir", str(where)]
    done, counts = crash.count(command(tmp_path / "probe"), ENV)
    made = found = 0
    for call, when in crash.points(counts, 6):
        where = tmp_path / f"{call}-{when}"
        done, killed = crash.disturb(command(where), call, when, "signal=KILL", ENV)
        assert killed or done.returncode == 0
        again = subprocess.run(command(where), capture_output=True, text=True, env=ENV)
        if again.returncode == 0:
            made += 1
        else:
            assert "ALREADY_EXISTS" in again.stderr and "passphrase" in done.stdout, (call, when, again.stderr)
            found += 1
        assert (where / "mutual.yaml").exists()
        assert not [p for p in where.iterdir() if p.name.startswith(".") or p.name.endswith(".new")]
        issued = subprocess.run([MUTUAL, "issue", "web", "--dir", str(where)], capture_output=True, text=True, env=ENV)
        assert issued.returncode == 0, issued.stderr
    assert made >= 2, (made, found)


# -- a new root -------------------------------------------------------------------------------------


def roots_of(store):
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM issuer WHERE root = 1").fetchone()[0]


@pytest.mark.parametrize("step", [("new-root",), ("new-root", "--use")])
def test_killed_while_a_root_is_made_or_taken_into_use(tmp_path, step):
    """A root that the store knows has its key on disk and its passphrase was shown; the files say what
    the store says as soon as another command has run; and the step can be made again."""
    first = House(tmp_path / "first")
    first.issue("before")
    if "--use" in step:
        first.good("trust", "new-root")
    probe = tmp_path / "probe"
    shutil.copytree(first.dir, probe)
    command = lambda where: [MUTUAL, "trust", *step, "--dir", str(where), "--json"]
    _, counts = crash.count(command(probe), ENV)
    kills = 0
    for call, when in crash.points(counts, 7):
        where = tmp_path / f"{call}-{when}"
        shutil.copytree(first.dir, where)
        done, killed = crash.disturb(command(where), call, when, "signal=KILL", ENV)
        kills += killed
        mutual = lambda *words: subprocess.run([MUTUAL, *words, "--dir", str(where)], capture_output=True,
                                               text=True, env=ENV, timeout=60)
        issued = mutual("issue", "after", "-p", "client")
        assert issued.returncode == 0, issued.stderr
        part = where / "authority"
        count = roots_of(part / "ca.db")
        for path in (part / "ca.crt", where / "tls" / "after" / "ca.crt"):
            assert path.read_text().count("BEGIN CERTIFICATE") == count, (call, when, path)
        if step == ("new-root",) and count == 2:
            openssl("pkey", "-in", part / "root-2" / "root.key", "-passin",
                    "pass:" + json.loads(done.stdout)["passphrase"], "-noout")
        left = [p for p in where.rglob("*") if p.name.endswith(".new") or p.name.startswith(".")]
        assert not left, (call, when, left)
        if step == ("new-root",) and count == 1:
            assert mutual("trust", *step).returncode == 0
        again = mutual("trust", "new-root", "--use")
        assert again.returncode == 0, again.stderr
        root = part / "root-2" / "root.crt"
        assert mutual("issue", "last", "-p", "client").returncode == 0
        last = where / "tls" / "last" / "tls.crt"
        openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", last, last)
        assert mutual("audit", "verify").returncode == 0
    assert kills >= 5, kills


# -- a bundle ---------------------------------------------------------------------------------------


def bundle(directory):
    """A configuration with a bundle of two roots, and a third to be added."""
    roots = [Root(directory, name) for name in ("One", "Two", "Three")]
    path = directory / "corp.pem"
    (directory / "mutual.yaml").write_text(json.dumps({
        "version": 1, "trust": [{"name": "corp", "bundle": str(path)}]}))
    return path, roots


def test_killed_while_a_root_is_added_or_dropped(tmp_path):
    """The file is the old or the new one, never another, and the same command goes on from there."""
    path, roots = bundle(tmp_path)
    old = roots[0].cert.read_text() + roots[1].cert.read_text()
    new = old + roots[2].cert.read_text()
    base = [MUTUAL, "trust", "rotate", "corp", "-c", str(tmp_path / "mutual.yaml"), "--control",
            str(tmp_path / "none.sock"), "--dir", str(tmp_path / "none")]
    kinds = {"add": ([*base, "--add", str(roots[2].cert)], old, new),
             "drop": ([*base, "--unsafe-drop", "O=Test,CN=Three"], new, old)}
    kills = 0
    for kind, (command, before, after) in kinds.items():
        for how in ("signal=KILL", "error=ENOSPC"):
            path.write_text(before)
            _, counts = crash.count(command, ENV)
            assert path.read_text() == after
            for call, when in crash.points(counts, 6):
                path.write_text(before)
                done, killed = crash.disturb(command, call, when, how, ENV)
                kills += killed
                assert path.read_text() in (before, after), (kind, call, when)
                if done.returncode == 0:
                    assert path.read_text() == after, (kind, call, when)
                again = subprocess.run(command, capture_output=True, text=True, env=ENV)
                assert again.returncode == 0, (kind, call, when, again.stderr)
                assert path.read_text() == after
                assert not [p for p in tmp_path.iterdir() if p.name.endswith(".new")]
    assert kills >= 8, kills


# -- real disks -------------------------------------------------------------------------------------


@pytest.fixture
def space():
    one = crash.Namespace()
    yield one
    one.close()


def test_a_disk_that_is_full_and_one_that_is_read_only(space, tmp_path):
    """A small disk that is filled, and a read-only view of it, as they are; no call is made up."""
    disk, view = tmp_path / "disk", tmp_path / "view"
    disk.mkdir()
    view.mkdir()
    space("mount", "-t", "tmpfs", "-o", "size=2m", "none", disk)
    house = [MUTUAL, "init", "example.org", "--dir", disk / "d"]
    space(*house)

    def mutual(*words, at=disk, status=0):
        return space(MUTUAL, *words, "--dir", at / "d", status=status)
    mutual("issue", "before")
    space("sh", "-c", f"cat /dev/zero > {disk}/filler", status=1)
    for command in (("issue", "full"), ("revoke", "before"), ("export", "crl")):
        done = mutual(*command, status=74)
        assert "DISK_FULL" in done.stderr and "Free some space" in done.stderr, done.stderr
    assert "before" in mutual("list").stdout
    space("rm", disk / "filler")
    mutual("issue", "after")
    told = json.loads(mutual("list", "--json").stdout)
    assert told["interrupted"] == 0
    assert {c["name"]: c["state"] for c in told["certificates"]}["before"] in ("valid", "revoked")

    space("mount", "--bind", disk, view)
    space("mount", "-o", "remount,bind,ro", view)
    for command in (("issue", "ro"), ("revoke", "after"), ("renew", "after")):
        done = mutual(*command, at=view, status=74)
        assert "read-only" in done.stderr.lower(), done.stderr
    assert "after" in mutual("list", at=view).stdout and "owner" in mutual("show", "after", at=view).stdout
    mutual("issue", "rw")
    mutual("audit", "verify")
    left = space("find", disk, "-name", "*.new", "-o", "-name", ".*").stdout.split()
    assert not left, left


def test_killed_while_issuing_from_afar(mutual, gateway, tmp_path):
    """The files are there whole or not at all, and the same command works afterwards."""
    place = Administered(mutual, gateway, tmp_path)
    here = tmp_path / "here"
    here.mkdir()

    def command(name):
        return [mutual, "issue", name, "--profile", "client", "--out", str(here), "--server",
                place.url(), "--credentials", str(place.people["operator"])]

    _, counts = crash.count(command("probe"), ENV)
    check_directory(here / "probe", "probe")
    kills = 0
    for call, when in crash.points(counts, 8):
        name = f"{call}-{when}"
        done, killed = crash.disturb(command(name), call, when, "signal=KILL", ENV)
        assert killed or done.returncode == 0, done.stderr
        kills += killed
        if not (here / name).exists():
            done = subprocess.run(command(name), capture_output=True, text=True, timeout=60, env=ENV)
            assert done.returncode == 0, done.stderr
        check_directory(here / name, name)
        assert not [one for one in here.iterdir() if one.name.startswith(".")]
    assert kills >= 6, "it was meant to be killed more often"
    assert place.run("audit", "verify").stdout.startswith("whole")
