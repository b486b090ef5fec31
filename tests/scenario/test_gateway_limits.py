# SPDX-License-Identifier: Apache-2.0
"""Time and number: nobody may stay for ever, and nobody may take all."""
import signal
import socket
import subprocess
import time

import pytest
from gateway import inbound
from net import Backend, TlsClient, client_context, until


def connect(g, pki, **more):
    return TlsClient(g.address(), client_context(pki, pki.client()), **more)


def test_idle(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"idle": "1s"}))
    with connect(g, pki) as client:
        for _ in range(4):
            client.ask()
            time.sleep(0.4)  # not idle: the time begins anew
        started = time.monotonic()
        with pytest.raises(OSError):
            if not client.tls.recv(1):
                raise OSError("ended")
        assert 0.5 < time.monotonic() - started < 2
    assert g.end(reason="idle_timeout")["detail"]


def test_lifetime(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"lifetime": "1s"}))
    with connect(g, pki) as client, pytest.raises((OSError, EOFError)):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            client.ask()
            time.sleep(0.05)
    assert g.end(reason="lifetime")


def test_a_handshake_that_stalls(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"handshake": "1s"}))
    with socket.create_connection(tuple(g.address().rsplit(":", 1))) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01")
        started = time.monotonic()
        raw.settimeout(5)
        assert raw.recv(1) == b""
        assert time.monotonic() - started < 3
    assert g.end(step="connect")["reason"] == "timeout"


def test_a_backend_that_does_not_answer(gateway, pki):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        held = []
        for _ in range(4):  # its queue is full: whoever comes now waits
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            held.append(one)
        g = gateway(inbound(pki, f"127.0.0.1:{full.getsockname()[1]}", timeouts={"connect": "1s"}))
        with connect(g, pki) as client, pytest.raises((OSError, EOFError)):
            client.ask()
        assert "answer" in g.end(reason="upstream_down")["detail"]
        for one in held:
            one.close()


def test_the_cap_lets_others_wait(gateway, pki, backend):
    g = gateway(inbound(pki, backend, connections={"max": 2}))
    first, second = connect(g, pki), connect(g, pki)
    first.ask(), second.ask()
    third = socket.create_connection(tuple(g.address().rsplit(":", 1)), timeout=10)
    assert "2 connections" in g.event("connection_limit")["msg"]
    before = cpu_ticks(g)
    time.sleep(1)
    assert cpu_ticks(g) - before < 20, "the worker turns in circles while it is full"
    first.tls.close()
    tls = client_context(pki, pki.client()).wrap_socket(third, server_hostname="localhost")
    tls.sendall(b"at last")
    assert tls.recv(100) == b"at last"
    tls.close(), second.tls.close()


def cpu_ticks(g):
    """User and system time of the worker, in hundredths of a second."""
    with open(f"/proc/{g.pids('worker')[0]}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_few_descriptors(gateway, pki, backend):
    g = gateway(inbound(pki, backend), prefix=["prlimit", "--nofile=600:600"])
    context = client_context(pki, pki.client())
    held = []
    for _ in range(200):
        raw = socket.create_connection(tuple(g.address().rsplit(":", 1)), timeout=10)
        held.append(raw)
    # who says nothing gives way to who comes later; where nobody has had his time, others wait
    until(lambda: g.events("connection_limit") or
          any("waited for its place" in (line["detail"] or "") for line in g.ends()))
    for raw in held:
        raw.close()
    with TlsClient(g.address(), context) as client:
        client.ask()


def test_many_slow_readers_do_not_take_all_memory(gateway, pki):
    def pour(one):
        one.settimeout(3)
        try:
            while True:
                one.sendall(b"x" * 65536)
        except OSError:
            pass

    with Backend(pour) as backend:
        g = gateway(inbound(pki, backend))
        clients = [connect(g, pki) for _ in range(40)]
        time.sleep(1)
        with open(f"/proc/{g.pids('worker')[0]}/status", encoding="ascii") as status:
            rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        assert rss < 120 * 1024, f"{rss} KiB for 40 clients that do not read"
        for client in clients:
            client.tls.close()


def test_drain_lets_open_connections_finish(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"drain": "20s"}))
    with connect(g, pki) as client:
        client.ask()
        g.signal(signal.SIGTERM)
        g.event("stopping")
        until(lambda: refuses(g.address()))
        client.ask(b"still served")
        assert g.process.poll() is None
    assert g.process.wait(10) == 0
    assert g.ends()[-1]["outcome"] == "admitted"


def refuses(address):
    try:
        socket.create_connection(tuple(address.rsplit(":", 1)), timeout=1).close()
    except OSError:
        return True
    return False


def test_drain_does_not_wait_for_ever(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"drain": "1s"}))
    with connect(g, pki) as client:
        client.ask()
        g.signal(signal.SIGTERM)
        assert g.process.wait(8) == 0
        with pytest.raises((OSError, EOFError)):
            client.ask()
    assert g.end(reason="draining")


def test_a_second_term_does_not_wait(gateway, pki, backend):
    g = gateway(inbound(pki, backend, timeouts={"drain": "60s"}))
    with connect(g, pki) as client:
        client.ask()
        g.signal(signal.SIGTERM)
        g.event("stopping")
        g.signal(signal.SIGTERM)
        assert g.process.wait(8) == 0


def test_two_programs_do_not_share_a_port_by_accident(gateway, mutual, pki, backend, tmp_path):
    g = gateway(inbound(pki, backend))
    config = inbound(pki, backend)
    config["inbound"][0]["listen"] = g.address()
    (tmp_path / "second.yaml").write_text(__import__("json").dumps(config))
    done = subprocess.run([mutual, "serve", "-c", str(tmp_path / "second.yaml"), "--control",
                           str(tmp_path / "second.sock")], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 69
    assert "ADDRESS_IN_USE" in done.stderr and g.address() in done.stderr
