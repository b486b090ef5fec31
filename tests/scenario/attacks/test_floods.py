# SPDX-License-Identifier: Apache-2.0
"""One peer takes what belongs to all: the worker's time, its buffers, its memory."""
import contextlib
import socket
import threading
import time

import pytest
from gateway import inbound
from hostile import KEY_UPDATE_NOT_REQUESTED, KEY_UPDATE_REQUESTED, RawClient
from net import Backend, TlsClient, client_context, until


def connect(g, pki, **more):
    return TlsClient(g.address(), client_context(pki, pki.client()), **more)


@pytest.mark.parametrize("kind", [KEY_UPDATE_NOT_REQUESTED, KEY_UPDATE_REQUESTED],
                         ids=["alone", "and-answer"])
def test_a_peer_that_only_changes_its_keys(gateway, pki, backend, kind):
    """Each costs it 27 bytes and us two key derivations; others must hardly notice."""
    g = gateway(inbound(pki, backend))
    sent = 0
    with connect(g, pki) as other, RawClient(g.address(), pki.client()) as attacker:
        other.ask()
        assert attacker.write(b"hello")
        worst, done = 0.0, threading.Event()

        def watch():
            nonlocal worst
            while not done.is_set():
                started = time.monotonic()
                other.ask()
                worst = max(worst, time.monotonic() - started)

        watcher = threading.Thread(target=watch)
        watcher.start()
        while sent < 200000 and attacker.update_key(kind):
            sent += 1
        done.set()
        watcher.join()
        assert "messages without data" in g.end(reason="protocol_violation")["detail"]
        assert worst < 1
        other.ask(b"undisturbed")


def test_a_peer_that_changes_its_keys_now_and_then(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    with RawClient(g.address(), pki.client()) as client:
        for _ in range(100):
            assert client.write(b"x" * 16000) and client.update_key(KEY_UPDATE_NOT_REQUESTED)
        before = g.ends()
    assert before == []


def small_buffers(one):
    """The kernel's memory is not what is tried here, and others need it."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


class Deaf(Backend):
    """Pours and never reads."""

    def __init__(self):
        super().__init__(self.pour)
        small_buffers(self.socket)

    @staticmethod
    def pour(one):
        while True:
            one.sendall(b"x" * 262144)


def deaf_client(address, context):
    """Never reads."""
    host, port = address.rsplit(":", 1)
    raw = socket.socket()
    small_buffers(raw)
    raw.connect((host, int(port)))
    tls = context.wrap_socket(raw, server_hostname="localhost")
    tls.settimeout(0)
    return tls


def press(clients):
    """Writes what their sockets take."""
    for one in clients:
        with contextlib.suppress(OSError):
            while True:
                one.send(b"y" * 16384)


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_peers_that_never_read_take_every_buffer(gateway, pki, backend):
    """Each holds a block in both directions until there is none; everybody else goes on."""
    with Deaf() as service:
        config = inbound(pki, service, name="big")
        good = inbound(pki, backend)
        config["inbound"] += good["inbound"]
        config["policy"] += [{**good["policy"][0], "grant": "others"}]
        g = gateway(config)
        worker = g.pids("worker")[0]
        context = client_context(pki, pki.client())
        with TlsClient(g.address("db"), context) as other:
            other.ask()
            before = rss_kib(worker)
            held = [deaf_client(g.address("big"), context) for _ in range(600)]
            until(lambda: press(held) or rss_kib(worker) - before > 60000, step=0.2)
            time.sleep(0.3)
            assert rss_kib(worker) - before < 200000
            started = time.monotonic()
            for _ in range(20):
                other.ask(b"z" * 50000)
            with TlsClient(g.address("db"), context) as late:
                late.ask(b"late, and served")
            assert time.monotonic() - started < 3
            for one in held:
                one.close()
            other.ask(b"undisturbed")
