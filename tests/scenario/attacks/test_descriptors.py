# SPDX-License-Identifier: Apache-2.0
"""Descriptors that run out, or that nobody closes."""
import os
import resource
import signal
import socket
import time

import pytest
from gateway import inbound
from net import TlsClient, client_context, say, until


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def limit(pid, count):
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, hard))


@pytest.mark.skipif(os.getuid() != 0, reason="only root may limit other users' processes")
def test_a_parent_without_descriptors_makes_nobody_turn_in_circles(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"connect": "20s"}))
    context = client_context(pki, pki.client())
    parent, worker = g.process.pid, g.pids("worker")[0]
    limit(parent, open_files(parent))
    held = []
    before = time.monotonic()
    while time.monotonic() - before < 5:
        client = TlsClient(g.address(), context, timeout=0.5)
        held.append(client)
        client.tls.sendall(b"x")
        try:
            assert client.tls.recv(1) == b"x"
        except TimeoutError:
            break  # it has used up what it had, and waits for a socket
    else:
        raise AssertionError("the worker's sockets never ran out")
    spent = ticks(parent) + ticks(worker)
    time.sleep(1)
    assert ticks(parent) + ticks(worker) - spent < 20
    limit(parent, 4096)
    held[-1].tls.settimeout(5)
    assert held[-1].tls.recv(1) == b"x"
    for client in held:
        client.tls.close()


def test_nothing_is_left_open(gateway, pki, backend):
    """Whatever way connections, reloads and children end."""
    config = inbound(pki, backend, timeouts={"handshake": "1s"})
    g = gateway(config)
    context = client_context(pki, pki.client())
    pids = {"parent": g.process.pid, "keys": g.pids("keys")[0], "worker": g.pids("worker")[0]}

    def disturb():
        with TlsClient(g.address(), context) as client:
            client.ask()
        say(g.address(), b"GET / HTTP/1.0\r\n\r\n")
        reset = socket.create_connection(tuple(g.address().rsplit(":", 1)))
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        reset.sendall(b"\x16\x03\x01\x02\x00")
        reset.close()
        g.write(config)
        assert g.reload()
        g.write("nonsense")
        assert not g.reload()
        g.write(config)
        assert g.reload()  # the alarm is over
        g.status()

    disturb()
    before = {role: open_files(pid) for role, pid in pids.items()}
    for _ in range(5):
        disturb()
    until(lambda: all(open_files(pid) <= before[role] for role, pid in pids.items()))

    os.kill(pids["worker"], signal.SIGKILL)
    until(lambda: g.pids("worker") not in ([0], [pids["worker"]]) and g.status()["ok"])
    os.kill(pids["keys"], signal.SIGKILL)
    until(lambda: g.pids("keys") not in ([0], [pids["keys"]]) and g.status()["ok"])
    until(lambda: open_files(pids["parent"]) <= before["parent"])
    with TlsClient(g.address(), context) as client:
        client.ask()
