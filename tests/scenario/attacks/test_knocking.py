# SPDX-License-Identifier: Apache-2.0
"""Many knock who are not let in: they hold little, one source cannot take all places, and those who
are in hardly notice. Loopback has sixteen million addresses, so a test can come from many."""
import contextlib
import socket
import ssl
import threading
import time

from gateway import inbound
from net import TlsClient, client_context, until


def knock(address, source="127.0.0.1", say=b""):
    """A connection from there that has said so much, and then nothing."""
    host, port = address.rsplit(":", 1)
    one = socket.socket()
    one.bind((source, 0))
    one.connect((host, int(port)))
    if say:
        one.sendall(say)
    one.setblocking(False)
    return one


def is_open(one):
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def hello(pki):
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(pki, pki.client()).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def start(gateway, pki, backend, **flood):
    return gateway({**inbound(pki, backend), "flood": flood})


def test_one_source_has_its_share_and_no_more(gateway, pki, backend):
    g = start(gateway, pki, backend, waiting=64, **{"per-source": 20})
    crowd = [knock(g.address(), "127.0.0.2") for _ in range(60)]
    until(lambda: g.figures("db")["turned_away"] == 40)
    assert sum(is_open(one) for one in crowd) == 20
    for _ in range(3):  # another source is served at once
        with TlsClient(g.address(), client_context(pki, pki.client()), timeout=5) as client:
            client.ask()
    for one in crowd:
        one.close()
    until(lambda: g.figures("db")["open"] == 0)
    with contextlib.closing(knock(g.address(), "127.0.0.2")) as again:  # the share is free again
        until(lambda: g.figures("db")["open"] == 1)
        assert is_open(again)


def test_the_silent_from_everywhere_give_way(gateway, pki, backend):
    """All places are taken by sources of one connection each: the oldest make room, and their lines
    in the log say why."""
    g = start(gateway, pki, backend, waiting=50)
    crowd = [knock(g.address(), f"127.0.1.{i + 1}") for i in range(150)]
    with TlsClient(g.address(), client_context(pki, pki.client()), timeout=20) as client:
        client.ask(b"served all the same")
    until(lambda: g.figures("db")["crowded_out"] > 0)
    line = g.end(reason="crowded_out")
    assert (line["step"], line["level"]) == ("connect", "info")
    for one in crowd:
        one.close()


def test_handshakes_that_stop_hold_no_more_than_said(gateway, pki, backend):
    """What is held per handshake and per place is bounded; both are measured here."""
    count, handshakes = 1500, 100
    g = start(gateway, pki, backend, waiting=2000, handshakes=handshakes, **{"per-source": 2000})
    worker, first = g.pids("worker")[0], hello(pki)
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
        before = rss_kib(worker)
        crowd = [knock(g.address(), say=first) for _ in range(count)]
        until(lambda: g.figures("db")["open"] == count + 1)
        time.sleep(0.5)
        grown = rss_kib(worker) - before
        assert grown < 80 * handshakes + 4 * count, f"{grown} KiB"
        client.ask(b"undisturbed")
        for one in crowd:
            one.close()


def test_slow_handshakes_do_not_keep_others_out(gateway, pki, backend):
    """All handshakes are under way and stand still, from many sources."""
    g = start(gateway, pki, backend, handshakes=10, waiting=20)
    first = hello(pki)
    crowd = [knock(g.address(), f"127.0.2.{i + 1}", say=first) for i in range(30)]
    with TlsClient(g.address(), client_context(pki, pki.client()), timeout=30) as client:
        client.ask(b"served all the same")
    for one in crowd:
        one.close()


def test_those_who_are_in_go_on_while_everybody_knocks(gateway, pki, backend):
    g = start(gateway, pki, backend, **{"per-source": 4096})
    first, done = hello(pki), threading.Event()

    def flood(source):
        held = []
        while not done.is_set():
            with contextlib.suppress(OSError):
                held.append(knock(g.address(), source, say=first))
            if len(held) > 40:
                held.pop(0).close()
        for one in held:
            one.close()

    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
        threads = [threading.Thread(target=flood, args=(f"127.0.3.{i + 1}",)) for i in range(3)]
        for thread in threads:
            thread.start()
        worst, end = 0.0, time.monotonic() + 2
        while time.monotonic() < end:
            started = time.monotonic()
            client.ask()
            worst = max(worst, time.monotonic() - started)
        done.set()
        for thread in threads:
            thread.join()
        assert worst < 1
        assert g.figures("db")["accepted"] > 100
