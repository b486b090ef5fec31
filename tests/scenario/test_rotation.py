# SPDX-License-Identifier: Apache-2.0
"""A root replaced while everything is in use: mutual trust, step by step, with callers and a called
server that move at their own pace, and every step that must be refused."""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest
import sightings
from conftest import ROOT
from gateway import inbound
from net import TlsClient, client_context, refused, until
from pki import Authority, Pki

PAGE = ROOT / "docs" / "rotating-a-root.md"
MONTH = 31 * 86400


class Rotation:
    """A gateway whose bundle is a file of its own, with peers below an old and a new root."""

    def __init__(self, start, pki, backend, directory, **more):
        self.start_gateway, self.pki, self.directory = start, pki, directory
        self.bundle = directory / "corp.pem"
        self.state = directory / "state"
        self.state.mkdir()
        self.new = Authority(directory, "New")
        self.new_issuer = Authority(directory, "NewIssuer", parent=self.new)
        self.bundle.write_text("# whom we believe\n" + pki.root.cert.read_text())
        self.config = inbound(pki, backend, trust={"bundle": str(self.bundle)}, **more)
        self.config["watch"] = True
        self.g = None
        self.starts = 0

    def start(self):
        self.starts += 1
        self.g = self.start_gateway(self.config, env={"STATE_DIRECTORY": str(self.state)},
                                    name=f"gateway{self.starts}")

    def restart_later(self, peers=True, seconds=MONTH):
        """As if so much time went by while it was running."""
        self.g.process.terminate()
        self.g.process.wait(20)
        sightings.age(self.state / "sightings", seconds, peers)
        self.start()

    def mutual(self, *args, prefix=()):
        done = subprocess.run([*prefix, self.g.program, "trust", *map(str, args), "-c", str(self.g.config),
                               "--control", str(self.g.control), "--dir", str(self.directory / "none")],
                              capture_output=True, text=True, timeout=60)
        self.stdout = done.stdout
        return done.returncode, done.stdout + done.stderr

    def ask(self, *args):
        status, _ = self.mutual(*args, "--json")
        return status, json.loads(self.stdout)

    def anchors(self):
        return {a["subject"].rsplit("=", 1)[1]: a for a in self.ask("show", "corp")[1]["trust"][0]["anchors"]}

    def visit(self, pair):
        with TlsClient(self.g.address("db"), client_context(self.pki, pair)) as client:
            client.ask()

    def old_client(self, name):
        return self.pki.client(name)

    def new_client(self, name):
        return self.pki.client(f"{name}-new", issuer=self.new_issuer,
                               sans=[f"URI:spiffe://example.org/{name}"])


@pytest.fixture
def rotation(gateway, backend, tmp_path):
    own = tmp_path / "pki"
    own.mkdir()
    return lambda **more: Rotation(gateway, Pki(own), backend, tmp_path, **more)


def fingerprint(authority):
    from pki import openssl
    text = openssl("x509", "-in", authority.cert, "-noout", "-fingerprint", "-sha256").decode()
    return text.strip().split("=")[1]


def test_the_whole_way(rotation):
    r = rotation()
    r.start()
    for name in ("ann", "ben"):
        r.visit(r.old_client(name))
    status, text = r.mutual("rotate", "corp")
    assert status == 0 and "no rotation is under way" in text, text
    status, said = r.ask("rotate", "corp", "--add", r.new.cert)
    assert status == 0 and said["gateway"] == "served" and said["changed"], said
    assert "# whom we believe" in r.bundle.read_text()
    status, said = r.ask("rotate", "corp", "--add", r.new.cert)
    assert status == 0 and not said["changed"], "the same step again is no mistake"

    status, text = r.mutual("rotate", "corp", "--drop", fingerprint(r.pki.root))
    assert status == 1 and "2 certificates of the last 30 days chain to" in text, text
    r.visit(r.new_client("ann"))
    until(lambda: r.anchors()["New"]["peers"] == 1)
    status, text = r.mutual("rotate", "corp")
    assert status == 1 and "ben" in text and "STILL NEEDS IT" in text, text
    r.restart_later()
    r.visit(r.old_client("ben"))
    status, text = r.mutual("rotate", "corp", "--drop", "O=Test,CN=Root")
    assert status == 1 and 'spiffe://example.org/ben' in text and "serial" in text, text

    r.restart_later()
    r.visit(r.new_client("ann"))
    r.visit(r.new_client("ben"))
    status, said = r.ask("rotate", "corp")
    assert status == 0 and said["trust"][0]["anchors"][0]["may_be_dropped"], said
    status, said = r.ask("rotate", "corp", "--drop", fingerprint(r.pki.root)[:20])
    assert status == 0 and said["gateway"] == "served", said
    refused(r.g.address("db"), client_context(r.pki, r.old_client("ben")))
    r.visit(r.new_client("ben"))
    status, text = r.mutual("rotate", "corp", "--drop", fingerprint(r.pki.root)[:20])
    assert status == 0 and "not in" in text, text
    status, text = r.mutual("rotate", "corp", "--drop", "O=Test,CN=New")
    assert status != 0 and "holds no authority" in text, text
    history = (r.directory / "corp.pem.history").read_text().splitlines()
    assert [line.split()[1] for line in history] == ["add", "drop"], history
    assert "# whom we believe" in r.bundle.read_text()


def test_two_with_one_name_are_two(rotation):
    """Whoever is newest of a name says nothing about the other instance, which still needs the old."""
    r = rotation()
    r.start()
    assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
    r.visit(r.old_client("twin"))
    r.visit(r.new_client("twin"))
    until(lambda: r.anchors()["New"]["peers"] == 1)
    root = r.anchors()["Root"]
    assert [b["peer"] for b in root["blockers"]] == ["spiffe spiffe://example.org/twin"], root


def test_an_open_connection_counts_as_seen(rotation):
    """It may have begun long ago: whoever is connected when new rules come is noted again."""
    r = rotation()
    r.start()
    with TlsClient(r.g.address("db"), client_context(r.pki, r.old_client("stays"))) as client:
        client.ask()
        before = until(lambda: r.anchors()["Root"]["blockers"])[0]["last"]
        time.sleep(1.1)
        assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
        until(lambda: r.anchors()["Root"]["blockers"][0]["last"] > before, 8)


def test_called_servers_count(rotation, gateway, backend, tmp_path):
    """An outbound's server below the old root blocks as a caller would."""
    r = rotation()
    inner = gateway(inbound(r.pki, backend), name="inner")
    own = r.pki.client("caller")
    r.config["outbound"] = [{"name": "ledger", "listen": "127.0.0.1:0", "connect": inner.address(),
                             "certificate": {"chain": str(own.chain), "key": str(own.key)},
                             "server-name": "localhost", "trust": "corp",
                             "expect": [{"dns": "localhost"}]}]
    r.start()
    assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
    host, port = r.g.address("ledger").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        plain.sendall(b"in the clear")
        assert plain.recv(100) == b"in the clear"
    status, said = r.ask("rotate", "corp")
    blockers = said["trust"][0]["anchors"][0]["blockers"]
    assert status == 1 and [(b["peer"], b["service"]) for b in blockers] == [("dns localhost", "ledger")], said


def test_no_evidence_is_no_yes(rotation, tmp_path):
    r = rotation()
    r.start()
    r.visit(r.old_client("once"))
    assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
    drop = ["rotate", "corp", "--drop", "Root"]

    def says(words):
        status, text = r.mutual(*drop)
        assert status == 1 and words in text and "ROTATION_UNSAFE" in text, text
    r.restart_later()
    assert r.ask("rotate", "corp")[0] == 0, "nobody came for a month, and that is known"
    os.kill(r.g.pids("worker")[0], signal.SIGKILL)
    until(lambda: r.g.event("process_died"))
    says("a worker died before it had told")
    r.restart_later()
    assert r.ask("rotate", "corp")[0] == 0
    r.g.process.kill()
    r.g.process.wait()
    r.start()
    says("the gateway was killed before it had kept whom it saw")
    r.g.process.terminate()
    r.g.process.wait(20)
    shutil.rmtree(r.state)
    r.state.mkdir()
    r.start()
    says("nothing was kept before")
    r.g.process.terminate()
    r.g.process.wait(20)
    status, text = r.mutual(*drop)
    assert status == 1 and "no gateway says who was seen" in text, text
    status, text = r.mutual("rotate", "corp", "--drop", "Root", "--days", "0")
    assert status == 2, text


def test_unsafe_is_loud_and_written_down(rotation):
    r = rotation()
    r.start()
    r.visit(r.old_client("left-behind"))
    assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
    status, text = r.mutual("rotate", "corp", "--unsafe-drop", "Root")
    assert status == 0 and "UNSAFE" in text and "left-behind" in text, text
    line = (r.directory / "corp.pem.history").read_text().splitlines()[-1]
    assert " unsafe-drop " in line and "left-behind" in line, line
    refused(r.g.address("db"), client_context(r.pki, r.old_client("left-behind")))


def make(directory, name, ext=(), key="ec-p256", days=(-30, 3650), extensions=None):
    return Authority(directory, name, ext=ext, key=key, days=days)


def test_roots_that_are_not_to_be_added(rotation, tmp_path):
    r = rotation()
    r.start()
    r.visit(r.old_client("ann"))
    before = r.bundle.read_bytes()
    cases = {
        "BUNDLE_UNUSABLE": r.pki.issuer.cert, "CERT_EXPIRED": make(tmp_path, "Expired", days=(-30, -1)).cert,
        "WEAK_KEY": make(tmp_path, "Weak", key="rsa-1024").cert,
        "CERT_NOT_YET_VALID": make(tmp_path, "Later", days=(2, 30)).cert,
    }
    for code, path in cases.items():
        status, text = r.mutual("rotate", "corp", "--add", path)
        assert status != 0 and code in text, (code, text)
    status, text = r.mutual("rotate", "corp", "--add", r.old_client("ann").cert)
    assert status != 0 and "is not an authority's" in text, text
    narrow = make(tmp_path, "Narrow", ext=["nameConstraints=critical,permitted;URI:elsewhere.example"])
    status, text = r.mutual("rotate", "corp", "--add", narrow.cert)
    assert status != 0 and "1 of 1 peers that were seen could not move" in text, text
    two = tmp_path / "two.pem"
    two.write_text(r.new.cert.read_text() + narrow.cert.read_text())
    status, text = r.mutual("rotate", "corp", "--add", two)
    assert status != 0 and "holds 2 certificates" in text, text
    assert r.bundle.read_bytes() == before and not (tmp_path / "corp.pem.history").exists()
    status, text = r.mutual("rotate", "corp", "--add", narrow.cert, "--unsafe-constraints")
    assert status == 0, text
    status, text = r.mutual("rotate", "nowhere", "--add", r.new.cert)
    assert status == 1 and "has no trust block" in text, text
    status, text = r.mutual("rotate", "corp", "--add", r.new.cert, "--drop", "Root")
    assert status == 2, text


def test_a_root_without_constraints_among_constrained_ones(rotation, tmp_path):
    r = rotation()
    only = make(tmp_path, "Only", ext=["nameConstraints=critical,permitted;URI:example.org"])
    r.bundle.write_text(only.cert.read_text())
    r.start()
    status, text = r.mutual("rotate", "corp", "--add", r.new.cert)
    assert status != 0 and "it could vouch for any name" in text, text


def test_a_list_that_only_the_old_root_vouches_for_is_met_before(rotation, tmp_path):
    """The gateway would refuse a bundle without the list's signer: nothing is written then."""
    r = rotation()
    r.pki.root.crl(tmp_path / "root.crl")
    r.config["trust"][0]["revocation"] = {"crl": str(tmp_path / "root.crl")}
    r.start()
    assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
    r.restart_later()
    before = r.bundle.read_bytes()
    status, text = r.mutual("rotate", "corp", "--drop", "Root")
    assert status != 0 and "Take that list out of the configuration first" in text, text
    assert r.bundle.read_bytes() == before


def test_a_gateway_in_alarm_and_one_that_does_not_look(rotation):
    r = rotation()
    r.config["watch"] = False
    r.start()
    status, said = r.ask("rotate", "corp", "--add", r.new.cert, "--wait", "1s")
    assert status == 1 and said["gateway"] == "late" and said["changed"], said
    assert r.g.reload()
    status, said = r.ask("rotate", "corp", "--add", r.new.cert, "--wait", "1s")
    assert status == 0 and said["gateway"] == "served" and not said["changed"], said


def test_what_a_killed_one_left_is_cleared_and_others_wait(rotation, tmp_path):
    import fcntl
    r = rotation()
    r.start()
    stray = tmp_path / "corp.pem.0123abcd.new"
    stray.write_text("half")
    other = tmp_path / "corp.pem.mine.new"
    other.write_text("not ours")
    assert r.mutual("rotate", "corp", "--add", r.new.cert)[0] == 0
    assert not stray.exists() and other.exists()
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    status, text = r.mutual("rotate", "corp", "--add", r.new.cert)
    os.close(lock)
    assert status == 75 and "another rotation is at work" in text, text


def test_a_second_gateway_may_not_share_the_state(rotation, gateway, tmp_path):
    r = rotation()
    r.start()
    second = gateway(r.config, env={"STATE_DIRECTORY": str(r.state)}, name="second",
                     expect_failure=True)
    assert second.status == 75 and "another gateway" in second.text(), second.text()
    r.visit(r.old_client("ann"))


def test_the_page_works_as_written(rotation, mutual, tmp_path):
    """Every command of the page in its order; those for an authority of one's own with one beside."""
    commands = re.findall(r"^    \$ (mutual .*)$", PAGE.read_text(), re.M)
    assert len(commands) == 7, commands
    r = rotation()
    r.start()
    own = Own(mutual, tmp_path / "d")
    r.visit(r.old_client("ben"))
    for command in commands:
        words = shlex.split(command.replace("new-root.pem", str(r.new.cert)))[1:]
        if "new-root" in words:
            own.run(*words)
            continue
        if "--days" in words:
            r.restart_later()
            r.visit(r.new_client("ben"))
        status, text = r.mutual(*words[1:])
        assert status == (1 if words == ["trust", "rotate", "corp"] else 0), (command, text)
    assert own.roots() == 2
    refused(r.g.address("db"), client_context(r.pki, r.old_client("ben")))


def test_the_inventory_says_when_and_where(gateway, mutual, backend, tmp_path):
    """Of certificates of our own, and which of them chain to a root that is to go."""
    d = tmp_path / "d"

    def authority(*words):
        done = subprocess.run([mutual, *words, "--dir", str(d)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout
    authority("init", "example.org", "--dns", "localhost", "--ip", "127.0.0.1")
    authority("issue", "localhost", "--dns", "localhost")
    authority("issue", "ann", "-p", "client")
    authority("issue", "never", "-p", "client")
    g = gateway({"version": 1, "workers": 1, "watch": False,
                 "trust": [{"name": "own", "bundle": str(d / "authority" / "ca.crt")}],
                 "inbound": [{"name": "db", "listen": "127.0.0.1:0", "forward": backend.address,
                              "certificate": str(d / "tls" / "localhost"),
                              "clients": {"mode": "require", "trust": "own"}}],
                 "policy": [{"grant": "all", "to": "db", "owner": "t", "why": "t",
                             "from": [{"spiffe": "spiffe://example.org/**"}]}]})
    context = ssl.create_default_context(cafile=str(d / "authority" / "ca.crt"))
    context.load_cert_chain(str(d / "tls" / "ann" / "tls.crt"), str(d / "tls" / "ann" / "tls.key"))
    with TlsClient(g.address(), context) as client:
        client.ask()
    g.status()
    told = json.loads(authority("list", "--json", "--seen", "--control", str(g.control)))["certificates"]
    seen = {c["name"]: [s["service"] for s in c["seen"]] for c in told}
    assert seen["ann"] == ["db"] and seen["never"] == [], seen
    assert re.search(r"ann .* ago at db", authority("list", "--seen", "--control", str(g.control)))
    assert "ago at db" in authority("show", "ann", "--control", str(g.control))
    assert json.loads(authority("show", "ann", "--json", "--control", str(g.control)))["seen"][0]["service"] == "db"
    assert "last seen" not in authority("show", "ann")
    done = subprocess.run([mutual, "trust", "show", "own", "-c", str(g.config), "--control", str(g.control),
                           "--dir", str(d), "--json"], capture_output=True, text=True, timeout=60)
    own = json.loads(done.stdout)["trust"][0]["anchors"][0]["own"]
    assert {one["name"] for one in own["first"]} == {"localhost", "ann", "never"}, own


class Own:
    """An authority of our own in a directory."""

    def __init__(self, program, directory):
        self.program, self.dir = program, directory
        self.part = directory / "authority"
        self.run("init", "example.org", "--dns", "localhost", "--ip", "127.0.0.1")

    def run(self, *words, status=0):
        done = subprocess.run([self.program, *map(str, words), "--dir", str(self.dir)], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def roots(self, path=None):
        return (path or self.part / "ca.crt").read_text().count("BEGIN CERTIFICATE")

    def verify(self, name, root, chain=None):
        from pki import openssl
        with open(self.dir / "one.pem", "w") as out:
            out.write(root.read_text())
        openssl("verify", "-x509_strict", "-CAfile", self.dir / "one.pem", "-untrusted",
                chain or self.dir / "tls" / name / "tls.crt", self.dir / "tls" / name / "tls.crt")

    def context(self, name, root):
        context = ssl.create_default_context(cafile=str(root))
        context.load_cert_chain(str(self.dir / "tls" / name / "tls.crt"), str(self.dir / "tls" / name / "tls.key"))
        return context


def test_a_new_root_for_an_authority_of_ones_own(gateway, mutual, backend, tmp_path):
    """Made, known to everybody, used, the old one dropped: nobody is issued anything anew, and nobody is
    refused on the way."""
    own = Own(mutual, tmp_path / "d")
    old = tmp_path / "old.crt"
    shutil.copy(own.part / "ca.crt", old)
    for name in ("localhost", "ann"):
        own.run("issue", name, *(["--dns", "localhost"] if name == "localhost" else ["-p", "client"]))
    bundle = tmp_path / "corp.pem"
    shutil.copy(old, bundle)
    state = tmp_path / "state"
    state.mkdir()
    config = {"version": 1, "workers": 1, "watch": True,
              "trust": [{"name": "own", "bundle": str(bundle)}],
              "inbound": [{"name": "db", "listen": "127.0.0.1:0", "forward": backend.address,
                           "certificate": str(own.dir / "tls" / "localhost"),
                           "clients": {"mode": "require", "trust": "own"}}],
              "policy": [{"grant": "all", "to": "db", "owner": "t", "why": "t",
                          "from": [{"spiffe": "spiffe://example.org/**"}]}]}
    g = gateway(config, env={"STATE_DIRECTORY": str(state)})

    def visit(name, root):
        with TlsClient(g.address(), own.context(name, root)) as client:
            client.ask()

    def trust(*words):
        done = subprocess.run([mutual, "trust", *map(str, words), "-c", str(g.config), "--control",
                               str(g.control), "--dir", str(own.dir), "--json"], capture_output=True, text=True,
                              timeout=60)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr
    visit("ann", old)
    assert "there is no new root to use" in own.run("trust", "new-root", "--use", status=1)
    text = own.run("trust", "new-root")
    assert re.search(r"passphrase  (\w{5}-){3}\w{5}", text), text
    assert "is not in use yet" in own.run("trust", "new-root", status=73)
    new = own.part / "root-2" / "root.crt"
    assert own.roots() == 2 and (own.part / "root-2" / "root.key").stat().st_mode & 0o077 == 0
    own.verify("ann", old)
    own.verify("ann", new, own.part / "issuer" / "next.crt")
    own.run("issue", "early", "-p", "client")
    own.verify("early", old)
    assert own.roots(own.dir / "tls" / "early" / "ca.crt") == 2

    assert trust("rotate", "own", "--add", new)[0] == 0
    config["trust"][0]["intermediates"] = str(own.part / "issuer" / "next.crt")
    g.write(config)
    until(lambda: len(g.events("reloaded")) >= 2)
    visit("ann", old)
    status, said, _ = trust("rotate", "own")
    assert said["trust"][0]["anchors"][1]["peers"] == 1, said
    assert said["trust"][0]["anchors"][0]["own"]["count"] == 3, said

    own.run("trust", "new-root", "--use")
    assert "nothing to do" in own.run("trust", "new-root", "--use")
    assert not (own.part / "issuer" / "next.crt").exists() and own.roots() == 2
    own.verify("ann", old)
    config["trust"][0]["intermediates"] = str(own.part / "issuer" / "issuer.crt")
    g.write(config)
    until(lambda: len(g.events("reloaded")) >= 3)
    own.run("issue", "late", "-p", "client")
    own.run("renew", "localhost")
    own.verify("late", new)
    own.verify("localhost", new)
    until(lambda: len(g.events("reloaded")) >= 4)
    visit("late", new)
    visit("ann", new)
    own.run("revoke", "early")
    own.run("audit", "verify")
    names = [c["name"] for c in json.loads(own.run("list", "--json"))["certificates"]]
    assert names.count("example.org root") == 1 and names.count("example.org root 2") == 1
    assert names.count("example.org issuer") == 2, names

    g.process.terminate()
    g.process.wait(20)
    sightings.age(state / "sightings", MONTH)
    g = gateway(config, env={"STATE_DIRECTORY": str(state)}, name="later")
    visit("ann", new)
    status, said, err = trust("rotate", "own", "--drop", "CN=example.org root,O=example.org")
    assert status == 0, (said, err)
    visit("ann", new)
    visit("late", new)
    own.run("store", "backup", tmp_path / "copy.db")
    own.run("trust", "new-root")
    assert own.roots() == 3 and (own.part / "root-3" / "root.crt").exists()
