# SPDX-License-Identifier: Apache-2.0
"""The deny list: whoever is on it is refused whatever their issuer says, as client and as server, in
new, resumed and open connections; put there and taken back by hand."""
import concurrent.futures
import contextlib
import json
import socket
import ssl
import subprocess
import time

import denied
import pytest
from gateway import inbound
from net import Backend, TlsClient, client_context, refused, until
from pki import Authority, Pki
from test_gateway_changes import all_gone, all_well, change, close, connect, tally


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("denied"))


@pytest.fixture
def path(tmp_path):
    return denied.write(tmp_path / "deny")


@pytest.fixture
def tool(mutual):
    """mutual VERB ...; yields what it said, on both streams."""
    def run(*args, status=0):
        done = subprocess.run([mutual, *map(str, args)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        assert done.returncode == status, done
        return done.stdout
    return run


def listed(pki, backend, path, **more):
    return {**inbound(pki, backend, **more), "deny": str(path)}


# ---- who is on it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [
    denied.by_serial, denied.by_issuer, denied.by_key,
    lambda pair: f"spiffe=spiffe://example.org/{pair.name}",
    lambda pair: f'cn="{pair.name}"',
    lambda pair: "dns=*.victims.example", lambda pair: "email=@victims.example",
    lambda pair: "ip=192.0.2.0/24",
], ids=["serial", "issuer", "key", "spiffe", "cn", "dns", "email", "ip"])
def test_an_open_connection_by_each_kind(gateway, own, backend, path, entry):
    """Exactly those that it is about, and the newcomers."""
    names = ["URI:spiffe://example.org/victim", "DNS:a.victims.example",
             "email:joe@victims.example", "IP:192.0.2.7"]
    victim = own.client("victim", sans=names)
    g = gateway(listed(own, backend, path))
    gone, stay = connect(g, own, victim, 5), connect(g, own, own.client(), 7)
    denied.write(path, entry(victim))
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    assert change(g) == tally(12, 5, 5)
    until(lambda: [line.get("reason") for line in g.ends()].count("peer_denied") == 5)
    line = g.end(reason="peer_denied")
    assert f"{path}:2 by tests: laptop stolen"[-60:] in line["detail"], line
    assert g.status()["changes"]["last"]["what"] == "deny list"
    refused(g.address(), client_context(own, victim))
    denied.write(path)
    assert g.reload() and change(g, 2) == tally(7, 0, 0)
    close(connect(g, own, victim), gone, stay)


@pytest.mark.parametrize("entry", [denied.by_serial, denied.by_issuer, denied.by_key])
def test_everybody_below_an_authority(gateway, own, backend, path, tmp_path, entry):
    below = Authority(tmp_path, "Below", parent=own.root)
    label = entry.__name__
    victim = own.client(f"below-{label}", issuer=below)
    g = gateway(listed(own, backend, path))
    gone, stay = connect(g, own, victim, 3), connect(g, own, own.client(), 2)
    denied.write(path, entry(below.pair))
    assert g.reload()
    assert all_gone(gone) and all_well(stay) and change(g) == tally(5, 3, 3)
    refused(g.address(), client_context(own, victim))
    denied.write(path, entry(own.root.pair))  # the anchor
    assert g.reload() and all_gone(stay)
    refused(g.address(), client_context(own, own.client()))
    close(gone, stay)


def test_a_server_is_refused_as_a_client_is(gateway, own, tmp_path, path):
    """An outbound's open connections end, and new ones are not made; the server learns nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = own.server("denied-server", sans=["DNS:db.example.org"])
    context.load_cert_chain(server.chain, server.key)
    alerts = []

    def serve(one):
        try:
            with context.wrap_socket(one, server_side=True) as tls:
                while data := tls.recv(4096):
                    tls.sendall(data)
        except ssl.SSLError as error:
            alerts.append(str(error))

    def ask(address):
        host, port = address.rsplit(":", 1)
        one = socket.create_connection((host, int(port)), timeout=10)
        with contextlib.suppress(ConnectionResetError):
            one.sendall(b"hello")
            return one, one.recv(5)
        return one, b""

    with Backend(serve) as backend:
        g = gateway({"version": 1, "workers": 1, "watch": False, "deny": str(path),
                     "trust": [{"name": "corp", "bundle": str(own.bundle)}],
                     "outbound": [{"name": "out", "listen": "127.0.0.1:0", "trust": "corp",
                                   "connect": backend.address, "server-name": "db.example.org",
                                   "expect": {"dns": "db.example.org"}}]})
        one, answer = ask(g.address())
        assert answer == b"hello"
        denied.write(path, "dns=db.example.org")
        assert g.reload()
        one.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(1) == b""
        assert change(g) == tally(1, 1, 1)
        two, answer = ask(g.address())
        assert answer == b""
        ends = until(lambda: g.ends() if len(g.ends()) == 2 else None)
        assert [line["reason"] for line in ends] == ["peer_denied"] * 2
        assert ends[1]["decision"] == "refused"
        until(lambda: alerts)
        assert "denied" not in alerts[0] and "unknown" in alerts[0], alerts
        one.close()
        two.close()
        assert g.figures("out")["refused"] == 1


def test_a_removed_listener_that_drains(gateway, own, backend, path):
    """Connections of a service that is gone are still judged by the newest list."""
    config = listed(own, backend, path)
    second = inbound(own, backend, name="stays")
    config["inbound"].append(second["inbound"][0])
    config["policy"].append({**second["policy"][0], "grant": "stays"})
    config["inbound"][0]["timeouts"] = {"drain": "60s"}
    g = gateway(config)
    victim = own.client("draining")
    gone, stay = connect(g, own, victim, 2, "db"), connect(g, own, own.client(), 2, "db")
    config["inbound"].pop(0)
    config["policy"].pop(0)
    g.write(config)
    assert g.reload() and all_well(gone + stay)
    denied.write(path, denied.by_key(victim))
    assert g.reload()
    assert all_gone(gone) and all_well(stay)
    close(gone, stay)


@pytest.mark.parametrize("mode", ["request", "observe"])
def test_where_certificates_are_only_asked_for(gateway, own, backend, path, mode):
    """Whoever shows a denied certificate is not anonymous; where everybody is let in, it is told."""
    victim = own.client("asked")
    denied.write(path, denied.by_serial(victim))
    config = listed(own, backend, path)
    config["inbound"][0]["clients"]["mode"] = mode
    config["policy"].append({"grant": "guests", "to": "db", "anonymous": True, "owner": "tests",
                             "why": "testing"})
    g = gateway(config)
    if mode == "request":
        refused(g.address(), client_context(own, victim))
        assert g.end(reason="peer_denied")
    else:
        close(connect(g, own, victim))
        assert g.end(shadow="peer_denied")["decision"] == "allowed"


# ---- the file -----------------------------------------------------------------------------------------

BAD = {
    "garbage": b"\0\xff\x01garbage\n",
    "empty": b"",
    "another head": b"mutual-deny 2\n",
    "cut": b"mutual-deny 1\nserial=0a",
    "one line of garbage": b"mutual-deny 1\nserial=zz " + denied.RECORD.encode() + b"\n",
    "no reason": b"mutual-deny 1\nserial=0a time=2027-01-31 owner=x\n",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_list_that_is_none(gateway, own, backend, path, text):
    """At the start nothing is served; at a reload the last good one stays in force, and it is an alarm
    until there is a good one."""
    victim = own.client("always-denied")
    denied.write(path, denied.by_serial(victim))
    g = gateway(listed(own, backend, path))
    refused(g.address(), client_context(own, victim))
    path.write_bytes(text)
    assert not g.reload()
    assert g.status()["alarm"]["code"] == "DENY_INVALID"
    refused(g.address(), client_context(own, victim))
    close(connect(g, own, own.client()))
    never = gateway(listed(own, backend, path), name="never", expect_failure=True)
    assert never.status == 78 and "DENY_INVALID" in never.text()
    path.unlink()
    assert not g.reload() and g.status()["alarm"]["code"] == "FILE_MISSING"
    refused(g.address(), client_context(own, victim))
    denied.write(path)
    assert g.reload() and g.status()["alarm"] is None
    close(connect(g, own, victim))


# ---- by hand ----------------------------------------------------------------------------------------------


def test_by_hand_and_by_itself(gateway, own, backend, path, tool):
    """mutual revoke of another's certificate reaches its open connections without a reload by hand, and
    --undo lets it in again."""
    victim = own.client("by-hand")
    config = {**listed(own, backend, path), "watch": True}
    g = gateway(config)
    with_config = ("-c", g.config)
    gone, stay = connect(g, own, victim, 2), connect(g, own, own.client(), 2)
    began = time.monotonic()
    said = tool(*with_config, "revoke", victim.cert, "--dir", path.parent / "none",
                "--reason", 'laptop "stolen"', "--owner", "ops")
    assert f"serial {denied.serial(victim).lower()} of" in said
    assert all_gone(gone) and all_well(stay)
    assert time.monotonic() - began < 5
    line = g.end(reason="peer_denied")
    assert 'by ops: laptop' in line["detail"]
    assert g.status()["deny"] == {"file": str(path), "entries": 1}
    assert f"1 denied by {path}" in tool("status", "--control", g.control)
    refused(g.address(), client_context(own, victim))

    assert "ALREADY_REVOKED" in tool(*with_config, "revoke", "--serial", denied.serial(victim),
                                     "--issuer", denied.issuer(victim).swapcase(), "-r", "again",
                                     status=1)
    shown = json.loads(tool(*with_config, "--json", "list", "--denied"))
    assert [(one["kind"], one["owner"], one["reason"], one["line"]) for one in shown["denied"]] == [
        ("serial", "ops", 'laptop "stolen"', 2)]
    assert "ops" in tool(*with_config, "list", "--denied")
    said = tool(*with_config, "check", "--cert", victim.chain, "--to", "db", status=1)
    assert "is denied at" in said and "PEER_DENIED" in said

    said = tool(*with_config, "revoke", "--undo", victim.cert)
    assert "undone" in said
    until(lambda: g.status()["deny"]["entries"] == 0)
    close(connect(g, own, victim), gone, stay)
    assert "# taken back" in path.read_text()
    assert "NOT_FOUND" in tool(*with_config, "revoke", "--undo", victim.cert, status=1)


def test_questions_know_it(own, backend, path, tool, tmp_path):
    victim = own.client("asked-about")
    config = tmp_path / "m.yaml"
    config.write_text(json.dumps(listed(own, backend, path)))
    who = "spiffe://example.org/asked-about"
    tool("-c", config, "access", "test", "--as", who, "--to", "db")
    tool("-c", config, "revoke", "--identity", who, "-r", "left", "--owner", "hr")
    for question in (("access", "test", "--as", who, "--to", "db"),
                     ("check", "--cert", victim.chain, "--to", "db")):
        said = tool("-c", config, *question, status=1)
        assert "PEER_DENIED" in said and f"denied at {path}:2 by hr: left"[-40:] in said, said
    said = tool("-c", config, "access", "what", who, status=1)
    assert "denied at" in said and "may reach no service" in said
    what = json.loads(tool("-c", config, "--json", "access", "what", who, status=1))
    assert what["denied"]["owner"] == "hr" and what["reaches"] == []


def test_many_at_once(own, backend, path, tool, tmp_path):
    """No entry is lost, and what is read meanwhile is a whole list."""
    config = tmp_path / "m.yaml"
    config.write_text(json.dumps(listed(own, backend, path)))
    path.chmod(0o604)

    def deny(number):
        tool("-c", config, "revoke", "--serial", f"{number:04x}", "-r", "many")
        tool("-c", config, "list", "--denied")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(deny, range(24)))
    shown = json.loads(tool("-c", config, "--json", "list", "--denied"))["denied"]
    assert sorted(one["value"] for one in shown) == [f"{number:04x}" for number in range(24)]
    assert path.stat().st_mode & 0o777 == 0o604
    assert [one.name for one in tmp_path.glob("deny*")] != [] and not list(tmp_path.glob("*.new"))


def test_what_a_command_refuses(own, backend, path, tool, tmp_path):
    config = tmp_path / "m.yaml"
    config.write_text(json.dumps(listed(own, backend, path)))
    before = path.read_text()
    victim = own.client("refused-command")
    here = ("-c", config, "revoke")
    for args, status, word in (
            ((), 2, "USAGE"),
            ((victim.cert, "--serial", "0a", "-r", "x"), 2, "USAGE"),
            (("--serial", "0a"), 2, "USAGE"),
            (("--issuer", "CN=x", "--key", "0" * 64, "-r", "x"), 2, "USAGE"),
            (("--serial", "xyz", "-r", "x"), 78, "DENY_INVALID"),
            (("--serial", "0a", "--issuer", "Issuer", "-r", "x"), 65, "NAME_MALFORMED"),
            (("--key", "0a", "-r", "x"), 78, "DENY_INVALID"),
            (("--identity", "dns:*", "-r", "x"), 65, "NAME_MALFORMED"),
            (("--identity", "a.test", "-r", "two\nlines"), 78, "DENY_INVALID"),
            (("--identity", "a.test", "-r", "x" * 1025), 78, "DENY_INVALID"),
            (("nobody", "--undo"), 2, "USAGE"),
            (("--identity", "a.test", "--undo"), 1, "NOT_FOUND")):
        assert word in tool(*here, *args, status=status), args
    assert path.read_text() == before
    bare = tmp_path / "bare.yaml"
    bare.write_text("version: 1\n")
    assert "names no deny list" in tool("-c", bare, "revoke", "--serial", "0a", "-r", "x", status=78)
    assert "no authority" in tool("-c", bare, "revoke", victim.cert, "--dir", tmp_path / "none",
                                  "-r", "x", status=66)
    other = tmp_path / "new-list"
    tool("-c", bare, "revoke", "--identity", "a.test", "-r", "x", "--list", other)
    assert other.read_text().startswith(denied.HEAD + "dns=") and other.stat().st_mode & 0o7 == 0
    path.write_text(before + "garbage\n")
    assert "DENY_INVALID" in tool(*here, "--serial", "0a", "-r", "x", status=78)
    assert path.read_text() == before + "garbage\n"
