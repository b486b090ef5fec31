# SPDX-License-Identifier: Apache-2.0
"""Processes: kept apart, locked down, replaced; and those who start and watch them."""
import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from gateway import inbound
from net import TlsClient, client_context, free_port, refused, until


def connect(g, pki):
    return TlsClient(g.address(), client_context(pki, pki.client()))


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def test_children_are_locked_down(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    for role in ("keys", "worker"):
        status = status_of(g.pids(role)[0])
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", role
        assert status["CapEff"] == "0000000000000000", role
        if os.getuid() == 0:
            assert status["Uid"].split()[0] != "0", role


def test_a_question_to_the_key_process_interrupts_nobody(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    assert os.sched_getscheduler(g.pids("keys")[0]) == os.SCHED_BATCH
    assert os.sched_getscheduler(g.pids("worker")[0]) == os.SCHED_OTHER


def test_a_scheduling_policy_that_somebody_chose_stays(gateway, pki, backend):
    g = gateway(inbound(pki, backend), prefix=["chrt", "--idle", "0"])
    for role in ("keys", "worker"):
        assert os.sched_getscheduler(g.pids(role)[0]) == os.SCHED_IDLE, role


def memory(pid):
    """Everything readable in a process."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        areas = [line.split()[:2] for line in maps]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for area, rights in areas:
            begin, end = (int(part, 16) for part in area.split("-"))
            if "r" in rights:
                with contextlib.suppress(OSError, OverflowError):
                    mem.seek(begin)
                    yield mem.read(end - begin)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may read another process's memory")
@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
def test_no_private_key_is_in_a_workers_memory(gateway, pki, backend, kind):
    server = pki.server(f"memory-{kind}", key=kind)
    g = gateway(inbound(pki, backend, server=server))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with TlsClient(g.address(), client_context(pki, pki.client(), version)) as client:
            client.ask()
    text = subprocess.run(["openssl", "pkey", "-in", server.key, "-text", "-noout"],
                          capture_output=True, text=True, check=True).stdout
    name = "priv" if kind.startswith("ec") else "privateExponent"
    digits = re.search(name + r":\n((?:\s+[0-9a-f:]+\n)+)", text).group(1)
    secret = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
    # as it stands in files, as numbers lie in memory (low words first), and the file's own text
    words = secret[-8 * (len(secret) // 8):]
    swapped = words[::-1]
    base64 = b"".join(server.key.read_bytes().splitlines()[1:-1])[40:100]
    needles = [secret[-24:], swapped[:24], base64]

    def found_in(pid):
        return [n for n in range(len(needles)) if any(needles[n] in part for part in memory(pid))]

    for pid in [*g.pids("worker"), *g.pids("parent")]:
        assert found_in(pid) == []
    assert found_in(g.pids("keys")[0]) != [], "the search itself does not work"


class Load:
    """Clients that come one after another; remembers who failed and when."""

    def __init__(self, g, pki, threads=2):
        self.context = client_context(pki, pki.client())
        self.g, self.good, self.bad, self.stop = g, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stop.is_set():
            try:
                with TlsClient(self.g.address(), self.context) as client:
                    client.ask()
                self.good += 1
            except (OSError, EOFError, ssl.SSLError) as error:
                self.bad.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def test_a_killed_key_process_is_replaced_under_load(gateway, pki, backend):
    g = gateway({**inbound(pki, backend), "workers": 2})
    with connect(g, pki) as steady, Load(g, pki) as load:
        until(lambda: load.good > 10)
        old = g.pids("keys")[0]
        os.kill(old, signal.SIGKILL)
        g.event("process_died")
        steady.ask(b"open connections need no key")
        until(lambda: g.pids("keys")[0] not in (0, old))
        good = load.good
        until(lambda: load.good > good + 10)
        steady.ask()
    assert len(load.bad) <= 2, load.bad
    assert "keys" in g.events("process_died")[0]["msg"]


def test_a_killed_worker_is_replaced_while_the_other_serves(gateway, pki, backend):
    g = gateway({**inbound(pki, backend), "workers": 2})
    with Load(g, pki, threads=4) as load:
        until(lambda: load.good > 10)
        victim = g.pids("worker")[0]
        os.kill(victim, signal.SIGKILL)
        g.event("process_died")
        until(lambda: victim not in g.pids("worker") and 0 not in g.pids("worker"))
        good = load.good
        until(lambda: load.good > good + 10)
    # who was in the killed one's hands is lost, nobody else
    assert len(load.bad) <= 4, load.bad
    assert all(process["ready"] for process in g.status()["processes"][1:])


def visit(g, context, session=None):
    """One connection; the session for the next, and whether this one continued the last."""
    with TlsClient(g.address(), context, session=session) as client:
        client.ask()
        return client.tls.session, client.tls.session_reused


def test_sessions_are_found_by_every_worker_and_survive_them(gateway, pki, backend):
    g = gateway({**inbound(pki, backend), "workers": 2})
    context = client_context(pki, pki.client())
    session, reused = visit(g, context)[0], []
    for _ in range(40):
        session, again = visit(g, context, session)
        reused.append(again)
    assert all(reused), f"{reused.count(False)} of 40 were not resumed"
    # a ticket is used once, whichever worker sees it again
    old, (session, again) = session, visit(g, context, session)
    assert again and not any(visit(g, context, old)[1] for _ in range(4))
    kept = [visit(g, context)[0] for _ in range(10)]
    for victim in g.pids("worker"):
        os.kill(victim, signal.SIGKILL)
        g.event("process_died")
        until(lambda gone=victim: gone not in g.pids("worker") and 0 not in g.pids("worker"))
        until(lambda: all(process["ready"] for process in g.status()["processes"][1:]))
    assert all(visit(g, context, one)[1] for one in kept), "a session died with a worker"
    # and what a reload withdrew is withdrawn at all of them
    kept = [visit(g, context)[0] for _ in range(6)]
    g.write({**inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/somebody"}]),
             "workers": 2})
    assert g.reload()
    for one in kept:
        refused(g.address(), context, session=one)


def test_as_an_ordinary_user(gateway, mutual, tmp_path, pki, backend):
    if os.getuid() != 0:
        pytest.skip("every other test runs as an ordinary user already")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    home = tmp_path / "home"
    home.mkdir()
    config = inbound(pki, backend)
    for block, names in ((config["inbound"][0]["certificate"], ("chain", "key")),
                         (config["trust"][0], ("bundle",))):
        for name in names:
            copy = home / f"{name}.pem"
            shutil.copy(block[name], copy)
            copy.chmod(0o600)
            shutil.chown(copy, 65534, 65534)
            block[name] = str(copy)
    program = home / "mutual"
    shutil.copy(mutual, program)
    for path in (home, *home.parents):
        if path.stat().st_uid == os.getuid() and str(path) not in ("/", "/tmp"):
            path.chmod(path.stat().st_mode | 0o011)
    shutil.chown(home, 65534, 65534)
    from gateway import Gateway
    g = Gateway(str(program), home, config, name="own",
                prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    shutil.chown(g.config, 65534, 65534)
    g.start()
    try:
        with connect(g, pki) as client:
            client.ask()
        for role in ("keys", "worker"):
            status = status_of(g.pids(role)[0])
            assert status["Seccomp"] == "2" and status["Uid"].split()[0] == "65534"
    finally:
        g.stop()


# -- systemd -------------------------------------------------------------------------------------

class Notified:
    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)
        self.words = []

    def has(self, word):
        with contextlib.suppress(socket.timeout):
            while True:
                self.words += self.socket.recv(4096).decode().splitlines()
        return word in self.words


def test_systemd_is_told(gateway, pki, backend, tmp_path):
    notified = Notified(tmp_path / "notify")
    g = gateway(inbound(pki, backend),
                env={"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "400000"})
    until(lambda: notified.has("READY=1"))
    until(lambda: notified.has("WATCHDOG=1"))
    assert g.reload()
    until(lambda: notified.has("RELOADING=1"))
    g.signal(signal.SIGTERM)
    until(lambda: notified.has("STOPPING=1"))
    assert g.process.wait(10) == 0


def test_socket_activation(gateway, pki, backend, tmp_path):
    config = inbound(pki, backend)
    config["inbound"][0]["listen"] = "systemd:web"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = "127.0.0.1:%d" % listening.getsockname()[1]
        # what systemd does: the socket is descriptor 3, LISTEN_PID is whom it starts
        script = (f'exec 3<&{listening.fileno()}; export LISTEN_FDS=1 LISTEN_FDNAMES=web '
                  'LISTEN_PID=$$; exec "$@"')
        g = gateway(config, prefix=["bash", "-c", script, "bash"],
                    pass_fds=(listening.fileno(),))
        assert g.address() == address
        with TlsClient(address, client_context(pki, pki.client())) as client:
            client.ask()
        assert g.reload()
        with TlsClient(address, client_context(pki, pki.client())) as client:
            client.ask()


def test_an_inherited_descriptor(gateway, pki, backend):
    config = inbound(pki, backend)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config["inbound"][0]["listen"] = f"fd:{listening.fileno()}"
        g = gateway(config, pass_fds=(listening.fileno(),))
        with connect(g, pki) as client:
            client.ask()


def test_a_host_name_behind_is_looked_up(gateway, pki, backend):
    g = gateway(inbound(pki, f"localhost:{backend.port}"))
    with connect(g, pki) as client:
        client.ask()


def test_a_host_name_without_address(gateway, pki):
    g = gateway(inbound(pki, f"nowhere.invalid:{free_port()}", **{"unsafe-forward": True}))
    with connect(g, pki) as client, contextlib.suppress(OSError, EOFError):
        client.ask()
    assert g.end(reason="resolve_failed")
    assert "nowhere.invalid" in g.event("resolve_failed")["msg"]
