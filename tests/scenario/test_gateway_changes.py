# SPDX-License-Identifier: Apache-2.0
"""A change reaches exactly the open connections that it concerns, whatever they are doing, and says
what it did."""
import contextlib
import os
import signal
import socket
import ssl
import threading
import time

import pytest
from gateway import inbound
from net import Backend, TlsClient, client_context, refused, until
from pki import Authority, Pki


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Authorities that may revoke."""
    return Pki(tmp_path_factory.mktemp("changes"))


def connect(g, pki, who, count=1, service=None):
    context = client_context(pki, who)
    found = [TlsClient(g.address(service), context) for _ in range(count)]
    for one in found:
        one.ask()
    return found


def is_gone(client, seconds=3):
    client.tls.settimeout(seconds)
    try:
        while client.tls.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def all_gone(clients):
    return all(is_gone(one) for one in clients)


def all_well(clients):
    for one in clients:
        one.ask(b"goes on")
    return True


def close(*groups):
    for group in groups:
        for one in group:
            one.tls.close()


def change(g, count=1):
    """The tally of the count-th change."""
    line = g.event("change", count=count)
    return {key: line[key] for key in ("open", "affected", "closed", "kept", "unjudged")}


def tally(open_, affected, closed, kept=0):
    return {"open": open_, "affected": affected, "closed": closed, "kept": kept, "unjudged": 0}


def with_list(pki, backend, path, **more):
    pki.issuer.crl(path)
    return inbound(pki, backend, trust={"intermediates": str(pki.issuer.cert),
                                        "revocation": {"crl": str(path)}}, **more)


# ---- each kind of change --------------------------------------------------------------------------


def test_a_revoked_certificate_and_no_other(gateway, own, backend, tmp_path):
    crl = tmp_path / "issuer.crl"
    g = gateway(with_list(own, backend, crl))
    victim = own.client("revoked-leaf")
    gone, stay = connect(g, own, victim, 7), connect(g, own, own.client(), 12)
    own.issuer.crl(crl)  # a newer list that says the same
    assert g.reload() and change(g) == tally(19, 0, 0)
    own.issuer.revoke(victim)
    own.issuer.crl(crl)
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    assert change(g, 2) == tally(19, 7, 7)
    until(lambda: [line.get("reason") for line in g.ends()].count("revoked") == 7)
    last = g.status()["changes"]
    assert last["last"]["what"] == "revocation" and last["closed"] == 7 and last["count"] == 2
    refused(g.address(), client_context(own, victim))
    close(gone, stay)


def test_a_revoked_intermediate_ends_everybody_below_it(gateway, own, backend, tmp_path):
    below = Authority(tmp_path, "Below", parent=own.root)
    crl = own.root.crl(tmp_path / "root.crl")
    config = inbound(own, backend, trust={"revocation": {"crl": str(crl)}})
    g = gateway(config)
    gone = connect(g, own, own.client("below-1", issuer=below), 3)
    gone += connect(g, own, own.client("below-2", issuer=below), 2)
    stay = connect(g, own, own.client(), 4)
    own.root.revoke(below.pair)
    own.root.crl(crl)
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    assert change(g) == tally(9, 5, 5)
    close(gone, stay)


def test_an_intermediate_that_is_lent_no_more(gateway, own, backend):
    """Whoever relied on the bundle's own intermediates could not come again without them; whoever sends
    them does not need them."""
    config = inbound(own, backend, trust={"intermediates": str(own.issuer.cert)})
    g = gateway(config)
    stay = connect(g, own, own.client(), 3)
    whole = own.client("leaf-only")
    whole.chain.write_text(whole.cert.read_text())
    gone = connect(g, own, whole, 2)
    del config["trust"][0]["intermediates"]
    g.write(config)
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    assert change(g) == tally(5, 2, 2)
    refused(g.address(), client_context(own, whole))
    assert g.end(reason="chain_incomplete")
    close(gone, stay)


def test_lists_that_come_and_are_demanded(gateway, own, backend, tmp_path):
    """A first list, then one that is missing where it is required."""
    victim = own.client("first-list")
    own.issuer.revoke(victim)
    config = inbound(own, backend)
    g = gateway(config)
    gone, stay = connect(g, own, victim, 2), connect(g, own, own.client(), 3)
    g.write(with_list(own, backend, tmp_path / "issuer.crl"))
    assert g.reload() and change(g) == tally(5, 2, 2)
    assert all_gone(gone) and all_well(stay)
    config["trust"][0]["revocation"] = {"required": True}
    g.write(config)
    assert g.reload()
    assert all_gone(stay) and change(g, 2)["closed"] == 3
    close(gone, stay)


def two_grants(pki, backend):
    config = inbound(pki, backend, grants=[{"spiffe": "spiffe://example.org/one"},
                                           {"spiffe": "spiffe://example.org/two"}])
    config["policy"].append({"grant": "others", "to": "db", "owner": "tests", "why": "testing",
                             "from": [{"spiffe": "spiffe://example.org/client"}]})
    return config


def test_a_grant_narrowed_and_removed(gateway, own, backend):
    config = two_grants(own, backend)
    g = gateway(config)
    one, two = connect(g, own, own.client("one"), 4), connect(g, own, own.client("two"), 3)
    stay = connect(g, own, own.client(), 5)
    config["policy"][0]["from"].pop(0)
    g.write(config)
    assert g.reload()
    assert all_gone(one) and all_well(two + stay)
    assert change(g) == tally(12, 7, 4, kept=3)
    config["policy"].pop(0)
    g.write(config)
    assert g.reload()
    assert all_gone(two) and all_well(stay)
    assert change(g, 2) == tally(8, 3, 3)
    config["policy"][0]["why"] = "said in other words"
    g.write(config)
    assert g.reload() and change(g, 3) == tally(5, 0, 0)
    close(one, two, stay)


def test_a_grant_that_moves_keeps_whom_another_one_lets_in(gateway, own, backend):
    config = two_grants(own, backend)
    g = gateway(config)
    stay = connect(g, own, own.client("one"), 3)
    config["policy"][0] = {**config["policy"][0], "grant": "renamed"}
    g.write(config)
    assert g.reload() and change(g) == tally(3, 3, 0, kept=3)
    config["policy"][0]["from"].pop(0)
    g.write(config)
    assert g.reload() and change(g, 2) == tally(3, 3, 3)
    assert all_gone(stay)
    close(stay)


def test_whoever_was_judged_and_handed_on_is_told_by_the_grant_that_let_him_in(gateway, own,
                                                                               backend):
    """The rules that judged last are gone from use when the line is written, not from memory."""
    config = two_grants(own, backend)
    g = gateway(config)
    stay = connect(g, own, own.client(), 3)
    config["policy"][1] = {**config["policy"][1], "grant": "under-another-name"}
    for number in range(4):
        g.write(config)
        assert g.reload()
        assert change(g, number + 1)["affected"] == (0 if number else 3)
        config["inbound"][0]["timeouts"] = {"idle": f"{number + 5}m"}
    close(stay)
    until(lambda: len(g.ends()) == 3)
    assert {line["rule"] for line in g.ends()} == {"under-another-name"}


def test_what_time_ends_is_told_too(gateway, own, backend):
    """A grant's end, and a chain's."""
    config = two_grants(own, backend)
    end = time.time() + 4
    config["policy"][0]["until"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    brief = own.client("brief", days=(-1, 5 / 86400), sans=["URI:spiffe://example.org/client"])
    g = gateway(config)
    gone, stay = connect(g, own, own.client("one"), 6), connect(g, own, own.client(), 2)
    ends = connect(g, own, brief, 2)
    assert all(is_gone(c, 8) for c in gone + ends) and all_well(stay)
    until(lambda: sum(line["closed"] for line in g.events("ended")) == 8)
    until(lambda: len(g.ends()) == 8)
    assert sorted(line["reason"] for line in g.ends()) == 2 * ["expired"] + 6 * ["grant_ended"]
    assert not g.events("change")
    close(gone, stay, ends)


def test_a_bundle_that_shrinks_ends_those_that_hang_on_what_is_gone(gateway, own, backend,
                                                                   tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(own.root.cert.read_text() + own.stranger.cert.read_text())
    config = inbound(own, backend, trust={"bundle": str(own.bundle)})
    g = gateway(config)
    stay = connect(g, own, own.client(), 4)
    config["trust"][0]["bundle"] = str(both)
    g.write(config)
    assert g.reload() and change(g) == tally(4, 0, 0)  # it grew: nobody is worse off
    gone = connect(g, own, own.client("of-a-stranger", issuer=own.stranger), 3)
    config["trust"][0]["bundle"] = str(own.bundle)
    g.write(config)
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    assert change(g, 2) == tally(7, 3, 3)
    close(gone, stay)


def test_connections_of_a_removed_listener_have_its_drain_time(gateway, own, backend, tmp_path):
    crl = tmp_path / "issuer.crl"
    config = with_list(own, backend, crl)
    second = {**config["inbound"][0], "name": "second", "timeouts": {"drain": "4s"}}
    config["inbound"].append(second)
    config["policy"].append({**config["policy"][0], "grant": "second", "to": "second"})
    g = gateway(config)
    victim = own.client("revoked-while-leaving")
    gone = connect(g, own, victim, 2, "second")
    late = connect(g, own, own.client(), 3, "second")
    stay = connect(g, own, own.client(), 2, "db")
    config["inbound"].pop()
    config["policy"].pop()
    g.write(config)
    started = time.monotonic()
    assert g.reload() and change(g) == tally(7, 5, 0, kept=5)
    assert all_well(gone + late + stay)
    own.issuer.revoke(victim)  # reaches even those that are leaving
    own.issuer.crl(crl)
    assert g.reload()
    assert all_gone(gone) and time.monotonic() - started < 4
    assert all_well(late)
    assert all(is_gone(c, 6) for c in late) and time.monotonic() - started >= 4
    assert all_well(stay)
    close(gone, late, stay)


def test_a_listener_that_asks_for_less_judges_all_of_its_own(gateway, own, backend):
    config = inbound(own, backend)
    g = gateway(config)
    clients = connect(g, own, own.client(), 2)
    config["inbound"][0]["clients"]["mode"] = "request"
    g.write(config)
    assert g.reload() and change(g) == tally(2, 2, 0, kept=2)
    assert all_well(clients)
    close(clients)


# ---- whatever they are doing ----------------------------------------------------------------------


def flood(one):
    """Sends as long as somebody takes it."""
    one.recv(65536)
    with contextlib.suppress(OSError):
        while True:
            one.sendall(b"x" * 65536)


def half_closed(one):
    one.sendall(one.recv(65536))
    one.shutdown(socket.SHUT_WR)
    while one.recv(65536):
        pass


@pytest.mark.parametrize("behave", [flood, half_closed])
def test_in_the_middle_of_it(gateway, own, behave):
    with Backend(behave) as backend:
        config = two_grants(own, backend)
        g = gateway(config)
        victim = TlsClient(g.address(), client_context(own, own.client("one")))
        victim.tls.sendall(b"hello")
        assert victim.tls.recv(5)
        config["policy"][0]["from"].pop(0)
        g.write(config)
        assert g.reload() and change(g)["closed"] == 1
        assert is_gone(victim)
        g.end(reason="policy_denied")
        victim.tls.close()


def test_while_it_dials(gateway, own):
    """Admitted already, and the service does not answer: its queue is full."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        config = two_grants(own, f"127.0.0.1:{full.getsockname()[1]}")
        config["inbound"][0]["timeouts"] = {"connect": "60s"}
        g = gateway(config)
        victim = TlsClient(g.address(), client_context(own, own.client("one")))
        until(lambda: g.figures("db")["admitted"] == 1)
        config["policy"][0]["from"].pop(0)
        g.write(config)
        assert g.reload() and change(g) == tally(1, 1, 1)
        assert is_gone(victim)
        victim.tls.close()


def test_in_the_handshake(gateway, own, backend):
    """Nobody is judged by the rules that held when the handshake began."""
    config = two_grants(own, backend)
    g = gateway(config)
    context = client_context(own, own.client("one"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    host, port = g.address().rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        raw.sendall(outgoing.read())
        incoming.write(raw.recv(65536))
        tls.do_handshake()
        config["policy"][0]["from"].pop(0)
        g.write(config)
        assert g.reload() and change(g) == tally(0, 0, 0)
        raw.sendall(outgoing.read())
        with contextlib.suppress(OSError):
            while raw.recv(65536):
                pass
    g.end(reason="policy_denied")


def test_outbound(gateway, own, tmp_path):
    """A server is revoked, and another one is expected, while we are connected to it."""
    remote = own.server("remote", sans=["DNS:remote.example", "IP:127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(remote.chain, remote.key)
    crl = own.issuer.crl(tmp_path / "issuer.crl")

    def behave(one):
        with context.wrap_socket(one, server_side=True) as tls:
            while data := tls.recv(65536):
                tls.sendall(data)

    def plain(g, service):
        host, port = g.address(service).rsplit(":", 1)
        one = socket.create_connection((host, int(port)), timeout=5)
        one.sendall(b"hello")
        assert one.recv(5) == b"hello"
        return one

    def over(one):
        one.settimeout(3)
        try:
            return one.recv(1) == b""
        except ConnectionError:
            return True

    with Backend(behave) as server:
        def outbound(name, trust, expect):
            return {"name": name, "listen": "127.0.0.1:0", "connect": server.address,
                    "trust": trust, "expect": [{"dns": expect}]}
        config = {"version": 1, "workers": 1, "watch": False,
                  "trust": [{"name": "listed", "bundle": str(own.bundle),
                             "intermediates": str(own.issuer.cert),
                             "revocation": {"crl": str(crl)}},
                            {"name": "plain", "bundle": str(own.bundle)}],
                  "outbound": [outbound("a", "listed", "remote.example"),
                               outbound("b", "plain", "remote.example")]}
        g = gateway(config)
        a, b = plain(g, "a"), plain(g, "b")
        own.issuer.revoke(remote)
        own.issuer.crl(crl)
        assert g.reload() and change(g) == tally(2, 1, 1)
        assert over(a)
        b.sendall(b"still"), b.recv(5)
        config["outbound"][1]["expect"] = [{"dns": "other.example"}]
        g.write(config)
        assert g.reload() and change(g, 2)["closed"] == 1
        assert over(b)
        a.close(), b.close()


# ---- attacks --------------------------------------------------------------------------------------


def test_a_change_during_the_sweep_of_an_earlier_one(gateway, own, backend):
    """Whoever lost the first grant is closed, whatever came next."""
    config = two_grants(own, backend)
    g = gateway(config)
    one, two = connect(g, own, own.client("one"), 60), connect(g, own, own.client("two"), 60)
    stay = connect(g, own, own.client(), 60)
    config["policy"][0]["from"] = [{"spiffe": "spiffe://example.org/two"}]
    g.write(config)
    g.signal(signal.SIGHUP)
    until(lambda: len(g.events("reloaded")) == 1, step=0.0005)
    config["policy"].pop(0)
    g.write(config)
    g.signal(signal.SIGHUP)
    until(lambda: len(g.events("change")) == 2)
    assert all_gone(one + two) and all_well(stay)
    assert sum(line["closed"] for line in g.events("change")) == 120
    close(one, two, stay)


def test_what_was_taken_back_and_given_again_at_once(gateway, own, backend):
    """A storm of reloads, with a grant that comes and goes: at the end the last word holds."""
    config = two_grants(own, backend)
    without = two_grants(own, backend)
    without["policy"][0]["from"].pop(0)
    g = gateway(config)
    stay = connect(g, own, own.client(), 5)
    for number in range(100):
        g.write(without if number % 2 else config)
        g.signal(signal.SIGHUP)
        time.sleep(0.005)
    g.write(without)
    assert g.reload()
    time.sleep(0.2)
    g.write(without)
    assert g.reload()
    refused(g.address(), client_context(own, own.client("one")))
    assert all_well(stay)
    assert g.status()["ok"] and not g.events("process_died")
    close(stay)


def test_a_worker_killed_in_the_middle_does_not_hold_up_the_change(gateway, own, backend):
    config = two_grants(own, backend)
    config["workers"] = 2
    g = gateway(config)
    clients = connect(g, own, own.client("one"), 40)
    config["policy"][0]["from"].pop(0)
    g.write(config)
    victim = g.pids("worker")[0]
    g.signal(signal.SIGHUP)
    time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)
    g.event("change")
    assert all_gone(clients)
    until(lambda: g.status()["ok"])
    refused(g.address(), client_context(own, own.client("one")))
    close(clients)


def test_nobody_slips_in_beside_the_swap(gateway, own, backend):
    """Clients knock without a pause while their grant goes: who was let in before is closed, who
    comes after is refused, and none is left."""
    config = two_grants(own, backend)
    g = gateway(config)
    context = client_context(own, own.client("one"))
    let_in, stop = [], threading.Event()

    def knock():
        while not stop.is_set():
            with contextlib.suppress(OSError, EOFError):
                client = TlsClient(g.address(), context)
                let_in.append(client)
                client.ask()

    threads = [threading.Thread(target=knock) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(let_in) > 20)
    config["policy"][0]["from"].pop(0)
    g.write(config)
    assert g.reload()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert all_gone(let_in)
    until(lambda: g.figures("db")["open"] == 0)
    close(let_in)


def test_a_tenth_of_three_hundred(gateway, own, backend, tmp_path):
    """The bench's little sister: all that are affected, and only they, in both workers."""
    crl = tmp_path / "issuer.crl"
    config = with_list(own, backend, crl)
    config["workers"] = 2
    g = gateway(config)
    victims = [own.client(f"tenth-{n}") for n in range(3)]
    gone = [client for victim in victims for client in connect(g, own, victim, 10)]
    stay = connect(g, own, own.client(), 270)
    for victim in victims:
        own.issuer.revoke(victim)
    own.issuer.crl(crl)
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    assert change(g) == tally(300, 30, 30)
    close(gone, stay)
