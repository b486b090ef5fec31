# SPDX-License-Identifier: Apache-2.0
"""Reload: whole or not at all; what changed reaches connections that are open."""
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from gateway import inbound
from net import Backend, TlsClient, client_context, refused, until
from pki import Pki


def connect(g, pki, pair=None):
    return TlsClient(g.address(), client_context(pki, pair or pki.client()))


def test_a_new_certificate_is_used_and_open_connections_go_on(gateway, pki, backend):
    config = inbound(pki, backend)
    g = gateway(config)
    with connect(g, pki) as old:
        old.ask()
        fresh = pki.server("server-fresh")
        config["inbound"][0]["certificate"] = {"chain": str(fresh.chain), "key": str(fresh.key)}
        g.write(config)
        assert g.reload()
        old.ask(b"goes on")
        with connect(g, pki) as new:
            new.ask()
            names = new.tls.getpeercert()["subject"]
            assert names == ((("commonName", "server-fresh"),),)


BROKEN = {
    "syntax": (lambda c, p, d: "version: 1\ninbound: [", "CONFIG"),
    "unknown-setting": (lambda c, p, d: {**c, "inbuond": []}, "inbuond"),
    "missing-file": (lambda c, p, d: certificate(c, d / "none.pem", d / "none.key"), "none.pem"),
    "mismatched-key": (lambda c, p, d: certificate(c, p.server().chain, p.client().key),
                       "KEY_MISMATCH"),
    "garbage-key": (lambda c, p, d: certificate(c, p.server().chain, garbage(d)), "garbage.key"),
    "port-taken": (lambda c, p, d: taken(c), "ADDRESS_IN_USE"),
    "empty-bundle": (lambda c, p, d: bundle(c, d), "empty.pem"),
}


def certificate(config, chain, key):
    config["inbound"][0]["certificate"] = {"chain": str(chain), "key": str(key)}
    return config


def garbage(directory):
    path = directory / "garbage.key"
    path.write_text("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
    path.chmod(0o600)
    return path


def bundle(config, directory):
    (directory / "empty.pem").write_text("")
    config["trust"][0]["bundle"] = str(directory / "empty.pem")
    return config


holder = socket.socket()


def taken(config):
    if holder.getsockname()[1] == 0:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
    config["inbound"][0]["listen"] = ["127.0.0.1:0", f"127.0.0.1:{holder.getsockname()[1]}"]
    return config


@pytest.mark.parametrize("what", BROKEN)
def test_a_bad_reload_changes_nothing_and_says_why(gateway, pki, backend, tmp_path, what):
    g = gateway(inbound(pki, backend))
    change, word = BROKEN[what]
    with connect(g, pki) as old:
        old.ask()
        g.write(change(inbound(pki, backend), pki, tmp_path))
        assert not g.reload()
        old.ask(b"goes on")
        with connect(g, pki) as new:
            new.ask()
    line = g.events("reload_refused")[0]
    assert line["code"] == "RELOAD_REFUSED"
    assert word in g.text().split("RELOAD_REFUSED")[0][-4000:] or word in str(line)
    assert g.status()["reload"]["ok"] is False
    g.write(inbound(pki, backend))
    assert g.reload()
    assert g.status()["reload"]["ok"] is True


def test_a_grant_that_is_taken_back_ends_open_connections(gateway, pki, backend):
    config = inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/client"},
                                           {"spiffe": "spiffe://example.org/other"}])
    g = gateway(config)
    with connect(g, pki) as client, connect(g, pki, pki.client("other")) as other:
        client.ask(), other.ask()
        config["policy"][0]["from"].pop(0)
        g.write(config)
        assert g.reload()
        started = time.monotonic()
        with pytest.raises((OSError, EOFError)):
            if not client.tls.recv(1):
                raise EOFError
        assert time.monotonic() - started < 1
        other.ask(b"goes on")
    assert g.end(reason="policy_denied")["peer.id"] == "spiffe://example.org/client"


def test_revocation_reaches_open_connections(gateway, tmp_path, backend):
    pki = Pki(tmp_path)
    crl = pki.issuer.crl(tmp_path / "issuer.crl")
    g = gateway(inbound(pki, backend, trust={"intermediates": str(pki.issuer.cert),
                                              "revocation": {"crl": str(crl)}}))
    victim = pki.client("victim")
    with connect(g, pki, victim) as client, connect(g, pki) as other:
        client.ask(), other.ask()
        pki.issuer.revoke(victim)
        pki.issuer.crl(crl)
        assert g.reload()
        with pytest.raises((OSError, EOFError)):
            if not client.tls.recv(1):
                raise EOFError
        other.ask(b"goes on")
    assert g.end(reason="revoked")["peer.id"] == "spiffe://example.org/victim"
    refused(g.address(), client_context(pki, victim))


def test_a_grant_that_ends_ends_its_connections(gateway, pki, backend):
    config = inbound(pki, backend)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    config["policy"][0]["until"] = soon
    g = gateway(config)
    with connect(g, pki) as client:
        client.ask()
        with pytest.raises((OSError, EOFError)):
            if not client.tls.recv(1):
                raise EOFError
    assert g.end(reason="grant_ended")


def test_listeners_come_and_go(gateway, pki, backend):
    config = inbound(pki, backend)
    g = gateway(config)
    second = {**config["inbound"][0], "name": "second", "listen": "127.0.0.1:0"}
    config["inbound"].append(second)
    config["policy"][0]["to"] = ["db", "second"]
    g.write(config)
    assert g.reload()
    service = next(s for s in g.status()["services"] if s["name"] == "second")
    context = client_context(pki, pki.client())
    with TlsClient(service["listen"][0], context) as client:
        client.ask()
        config["inbound"].pop()
        config["policy"][0]["to"] = "db"
        g.write(config)
        assert g.reload()
        with pytest.raises((OSError, EOFError)):  # its service is no more
            if not client.tls.recv(1):
                raise EOFError
    with pytest.raises(OSError):
        socket.create_connection(tuple(service["listen"][0].rsplit(":", 1)), timeout=2)
    with connect(g, pki) as client:
        client.ask()


def test_reloads_under_load_lose_nobody(gateway, pki, backend):
    config = inbound(pki, backend)
    g = gateway(config)
    failures, count, stop = [], [0], threading.Event()
    context = client_context(pki, pki.client())

    def knock():
        while not stop.is_set():
            try:
                with TlsClient(g.address(), context) as client:
                    client.ask()
                count[0] += 1
            except (OSError, EOFError, ssl.SSLError) as error:
                failures.append(error)

    threads = [threading.Thread(target=knock) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        assert g.reload()
    until(lambda: failures or count[0] > 20)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_timed_reload_notices_a_change(gateway, mutual, pki, backend, tmp_path):
    config = inbound(pki, backend)
    g = gateway(config, args=["serve", "-c", str(tmp_path / "gateway.yaml"), "--timed-reload",
                              "200ms", "--control", str(tmp_path / "gateway.sock")])
    time.sleep(0.7)
    assert not g.events("reloaded")  # nothing changed, nothing is done
    config["policy"][0]["why"] = "another reason"
    g.write(config)
    g.event("reloaded")


def limit_memory(pid, size):
    """Lets a process have so much memory; as its own user, for only he may."""
    user = subprocess.run(["ps", "-o", "uid=,gid=", "-p", str(pid)], capture_output=True, text=True,
                          check=True).stdout.split()
    change = ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"] \
        if os.getuid() == 0 else []
    subprocess.run([*change, "prlimit", "--pid", str(pid), f"--as={size}:"], check=True)


def test_who_answers_late_does_not_keep_refused_rules(gateway, pki, backend):
    """One worker hangs while another cannot take the new rules: they are refused, and the first, when
    it goes on and takes them, is sent the old ones again (tests/models/reload.pml found this)."""
    config = {**inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/somebody-else"}]),
              "workers": 2}
    g = gateway(config)
    context = client_context(pki, pki.client())
    hanging, poor = g.pids("worker")
    os.kill(hanging, signal.SIGSTOP)
    with open(f"/proc/{poor}/statm", encoding="ascii") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    limit_memory(poor, used + (2 << 20))
    many = {**config["policy"][0], "from": [{"spiffe": "spiffe://example.org/**"}]}
    g.write({**config, "policy": [{**many, "grant": f"g{n}"} for n in range(20000)]})
    assert not g.reload(), "the poor one took them"
    assert "allocate memory" in g.events("reload_refused")[-1]["detail"]
    limit_memory(poor, "unlimited")
    os.kill(hanging, signal.SIGCONT)
    for _ in range(2):
        assert not g.status()["ok"]  # what was refused is an alarm; and each worker answers in its turn: after the rules that it was sent
    for _ in range(16):
        refused(g.address(), context)
    until(lambda: len(g.ends()) == 16)
    assert {line["reason"] for line in g.ends()} == {"policy_denied"}
    assert len({line["worker"] for line in g.ends()}) == 2, "one of them was not asked"
