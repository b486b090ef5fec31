# SPDX-License-Identifier: Apache-2.0
"""A long life at random: certificates are issued and revoked, grants given and taken, rules reloaded or
refused, processes killed, while people connect, resume and stay. A reference of a few lines says who
may be in at any moment; the real program must agree. MUTUAL_SEED=N repeats a life."""
import contextlib
import os
import random
import signal
import ssl
import time

import pytest
from gateway import Gateway
from net import Backend, TlsClient, client_context, until
from peers import House, run

STEPS = 120
SECONDS = 15
OPEN_MAX = 8
LOST = (ConnectionError, EOFError, ssl.SSLError)  # a time-out is no answer, and fails the test


class Reference:
    """Who may be in. What is written counts from the reload on that takes it."""

    def __init__(self):
        self.granted, self.revoked, self.broken = set(), set(), False
        self.in_force = (frozenset(), frozenset())

    def reload(self):
        """Whether the rules are taken."""
        if not self.broken:
            self.in_force = (frozenset(self.granted), frozenset(self.revoked))
        return not self.broken

    def allows(self, who):
        granted, revoked = self.in_force
        return who in granted and who not in revoked


class Life:
    def __init__(self, mutual, directory, backend, seed):
        self.random = random.Random(seed)
        self.house = House(mutual, directory / "house")
        self.backend, self.reference = backend, Reference()
        self.people, self.sessions, self.open = {}, {}, []
        self.server = self.house.server()
        self.gateway = Gateway(mutual, directory, self.config())
        self.told = []

    # -- rules

    def config(self):
        grants = [{"grant": f"to-{who}", "to": "db", "owner": "o", "why": "w",
                   "from": [{"spiffe": f"spiffe://example.org/{who}"}]}
                  for who in sorted(self.reference.granted)]
        authority = self.house.directory / "authority"
        return {
            "version": 1, "workers": 2, "watch": False,  # the reference takes rules when it is told to
            "trust": [{"name": "corp", "bundle": str(self.house.bundle),
                       "intermediates": str(self.house.issuer),
                       "revocation": {"crl": str(authority / "issuer.crl"), "required": False}}],
            "inbound": [{"name": "db", "listen": "127.0.0.1:0", "forward": self.backend.address,
                         "certificate": {"chain": str(self.server.chain),
                                         "key": str(self.server.key)},
                         "clients": {"mode": "require", "trust": "corp"}}],
            "policy": grants,
        }

    def write(self):
        config = self.config()
        if self.reference.broken:
            config["trust"][0]["bundle"] = str(self.house.directory / "absent")
        self.gateway.write(config)

    # -- what may happen

    def issue(self):
        name = f"p{len(self.people)}"
        pair = self.house.client(name)
        version = self.random.choice([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
        self.people[name] = client_context(None, pair, version, ca=self.house.bundle)
        self.reference.granted.add(name)
        self.write()
        return name

    def revoke(self):
        left = sorted(set(self.people) - self.reference.revoked)
        if len(left) < 2:
            return self.issue()
        who = self.random.choice(left)
        run(self.house.program, "revoke", who, "--dir", self.house.directory)
        self.reference.revoked.add(who)
        return who

    def grant(self):
        """Given, or taken back."""
        who = self.random.choice(sorted(self.people))
        self.reference.granted ^= {who}
        self.write()
        return who

    def spoil(self):
        """The rules as they are written cannot be used, or can be again."""
        self.reference.broken = not self.reference.broken
        self.write()

    def reload(self):
        taken = self.gateway.reload()
        assert taken == self.reference.reload(), self.gateway.text()[-2000:]
        for one in list(self.open):
            who, client = one
            if not self.reference.allows(who):
                self.must_be_gone(client, who)
                self.open.remove(one)
        self.look()
        return taken

    def connect(self, session=None, who=None):
        """The verdict of the program is that of the reference."""
        who = who or self.random.choice(sorted(self.people))
        allowed = self.reference.allows(who)
        client = None
        try:
            client = TlsClient(self.gateway.address(), self.people[who], session=session)
            client.ask()
            got = True
        except LOST:
            got = False
        assert got == allowed, f"{who}: let in: {got}, should be: {allowed}"
        if got:
            self.sessions[who] = client.tls.session
            self.open.append((who, client))
        elif client is not None:
            client.tls.close()
        if len(self.open) > OPEN_MAX:
            self.open.pop(self.random.randrange(len(self.open)))[1].tls.close()
        return who

    def resume(self):
        if not self.sessions:
            return self.connect()
        who = self.random.choice(sorted(self.sessions))
        return self.connect(self.sessions[who], who)

    def kill_keys(self):
        """Open connections need no key; new ones are served again when it is replaced."""
        old = self.gateway.pids("keys")[0]
        os.kill(old, signal.SIGKILL)
        self.look()
        until(lambda: self.ready() and old not in self.gateway.pids("keys"))

    def kill_worker(self):
        """What it held is lost, nothing else."""
        old = self.random.choice(self.gateway.pids("worker"))
        os.kill(old, signal.SIGKILL)
        until(lambda: self.ready() and old not in self.gateway.pids("worker"))
        lost = 0
        for one in list(self.open):
            try:
                one[1].ask()
            except LOST:
                self.open.remove(one)
                lost += 1
        return lost

    # -- what is seen

    def ready(self):
        return all(one["ready"] and one["pid"] for one in self.gateway.status()["processes"]
                   if one["role"] != "parent")

    def must_be_gone(self, client, who):
        client.tls.settimeout(3)
        with contextlib.suppress(*LOST):
            assert client.tls.recv(1) == b"", f"{who} hears something"
        client.tls.close()

    def look(self):
        """Whoever is in is so by right, and is served."""
        for who, client in self.open:
            assert self.reference.allows(who), who
            client.ask(b"still here")

    def live(self):
        actions = {self.issue: 2, self.revoke: 2, self.grant: 3, self.spoil: 1, self.reload: 4,
                   self.connect: 8, self.resume: 6, self.kill_keys: 1, self.kill_worker: 1}
        end = time.monotonic() + SECONDS
        for _ in range(3):
            self.issue()
        for _ in range(STEPS):
            if time.monotonic() > end:
                break
            action = self.random.choices(list(actions), list(actions.values()))[0]
            self.told.append(action.__name__)  # first, in case it fails
            self.told[-1] += f" {action()}"
            if self.open:
                self.random.choice(self.open)[1].ask()


def test_a_life_at_random(mutual, tmp_path, record_property):
    seed = int(os.environ.get("MUTUAL_SEED", random.randrange(1 << 32)))
    record_property("seed", seed)
    with Backend() as backend:
        life = Life(mutual, tmp_path, backend, seed)
        life.gateway.start()
        try:
            life.live()
        except BaseException:
            print(f"MUTUAL_SEED={seed}", *life.told, sep="\n")
            raise
        finally:
            for _, client in life.open:
                client.tls.close()
            life.gateway.stop()
        counts = {word: sum(one.startswith(word) for one in life.told)
                  for word in ("reload", "connect", "resume")}
        assert len(life.told) > 20 and all(counts.values()), counts
