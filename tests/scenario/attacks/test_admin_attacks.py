# SPDX-License-Identifier: Apache-2.0
"""Attacks on the administration of a served authority: who is nobody, who was somebody, what is no
request, and two at once."""
import json
import os
import pathlib
import socket
import subprocess
import threading

import denied
import pytest
from admin import API, Administered
from net import until


@pytest.fixture
def place(mutual, gateway, tmp_path):
    return Administered(mutual, gateway, tmp_path)


def csr():
    return subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "/dev/null", "-subj", "/"], capture_output=True, text=True, check=True,
        timeout=60).stdout


def answered(place, one=None):
    """The status; None: nothing was answered."""
    try:
        reply = place.api("GET", "/counts", on=one)
    except OSError:
        return None
    return reply.status if reply is not None else None


def closed_or_refused(place, one):
    """On a connection that is not allowed any more nothing is answered but a refusal."""
    return answered(place, one) in (None, 403)


def test_who_is_nobody_gets_nothing(place):
    place.refused(403, "NO_CLIENT_CERT", place.api("GET", "/counts", who=None))
    place.refused(403, "NO_CLIENT_CERT", place.call("GET", API + "/counts", listener="publish"))
    place.refused(403, "ROLE_MISSING", place.api("GET", "/counts", who="nobody"))
    for fields in ({"X-Role": "admin"}, {"Client-Cert": ":AAAA:"},
                   {"X-Forwarded-Client-Cert": "URI=spiffe://example.org/user/admin"},
                   {"X-Forwarded-For": "127.0.0.1"}, {"Authorization": "Basic YWRtaW46YWRtaW4="}):
        place.refused(403, "ROLE_MISSING", place.api("GET", "/counts", who="nobody", fields=fields))
    for path in ("/tokens", "/certificates"):
        place.refused(403, "ROLE_MISSING", place.api("POST", path, {"name": "x"}, who="auditor"))
    place.refused(403, "ROLE_MISSING", place.api("POST", "/bindings", {}, who="operator"))


def test_a_name_that_only_looks_like_an_admins(place):
    """Patterns are of a type: a DNS name, a common name or a longer path is not the SPIFFE ID."""
    for name, options in (("admin2", ["--profile", "user"]),
                          ("lookalike", ["--profile", "client", "--spiffe",
                                         "spiffe://example.org/user/admin/x"]),
                          ("other", ["--profile", "client", "--spiffe",
                                     "spiffe://example.org/user/ADMIN"])):
        place.people["fake"] = place.issue(name, *options)
        place.refused(403, "ROLE_MISSING", place.api("GET", "/counts", who="fake"))


def test_an_operator_makes_himself_no_admin(place):
    """Neither by issuing nor by a token: a name with a greater role is given by who has it."""
    wish = {"csr": csr(), "name": "admin", "profile": "user"}
    place.refused(403, "ROLE_MISSING", place.api("POST", "/certificates", wish, who="operator"))
    wish = {"csr": csr(), "name": "x", "profile": "client",
            "names": ["spiffe://example.org/user/admin"]}
    place.refused(403, "ROLE_MISSING", place.api("POST", "/certificates", wish, who="operator"))
    place.refused(403, "ROLE_MISSING", place.api(
        "POST", "/tokens", {"name": "admin", "profile": "user"}, who="operator"))
    assert place.api("POST", "/certificates", wish).status == 201


@pytest.mark.parametrize("how", ["revoked", "denied"])
def test_an_admin_of_yesterday_on_an_open_connection(place, how, tmp_path):
    denied.write(tmp_path / "deny")
    place.gateway.write({**place.config(), "deny": str(tmp_path / "deny")})
    assert place.gateway.reload()
    one = place.connect(place.people["admin"])
    assert place.api("GET", "/counts", on=one).status == 200
    if how == "revoked":
        place.run("revoke", "admin", "--reason", "key-compromise")
    else:
        done = subprocess.run(
            [place.mutual, "revoke", "--identity", "spiffe:spiffe://example.org/user/admin",
             "--list", str(tmp_path / "deny"), "--reason", "gone", "--owner", "tests"],
            capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert place.gateway.reload()
    until(lambda: closed_or_refused(place, one), 10)

    until(lambda: closed_or_refused(place, None), 10)
    assert place.api("GET", "/counts", who="operator").status == 200


def test_an_admin_of_yesterday_where_the_listener_has_no_list(place):
    """The authority knows whom it has revoked, whatever its gateway was told."""
    config = place.config()
    del config["trust"][0]["revocation"]
    place.gateway.write(config)
    assert place.gateway.reload()
    one = place.connect(place.people["admin"])
    assert place.api("GET", "/counts", on=one).status == 200
    place.run("revoke", "admin", "--reason", "key-compromise")
    place.refused(403, "CERT_REVOKED", place.api("GET", "/counts", on=one))
    place.refused(403, "CERT_REVOKED", place.api("POST", "/tokens", {"name": "x"}))
    assert place.api("GET", "/counts", who="operator").status == 200


def test_a_role_that_was_taken_back(place):
    one = place.connect(place.people["admin"])
    assert place.api("GET", "/counts", on=one).status == 200
    config = place.config()
    config["authority"]["admins"] = config["authority"]["admins"][:2]
    place.gateway.write(config)
    assert place.gateway.reload()
    until(lambda: closed_or_refused(place, one), 10)

    until(lambda: answered(place) == 403, 20)


BODIES = [b"", b"null", b"[]", b"{", b'{"name":"a","name":"b"}', b'{"name":"a\\u0000b"}',
          b'{"name":"a\x00b"}', b'{"name":"a"}{"name":"b"}', b'{"name":"a","role":"admin"}',
          b"[" * 60000, b'{"a":' * 10000, b'{"name":"\xff"}', b'{"name":1e999}',
          b"\xef\xbb\xbf{}", b'{"name":"' + b"a" * 65000 + b'"}']


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_none(place, body):
    reply = place.api("POST", "/tokens", raw=body, fields={"Content-Type": "application/json"})
    assert reply.status == 400 and reply.json()["code"] == "JSON_MALFORMED"
    assert place.get("/tokens")["tokens"] == []


def test_methods_types_and_sizes(place):
    assert place.api("PUT", "/tokens", {}).status == 405
    assert place.api("TRACE", "/tokens").status in (405, 501)
    assert place.api("POST", "/tokens", {"name": "x"}, fields={"Content-Type": "text/xml"}).status == 415
    reply = place.api("POST", "/tokens", raw=b"x" * 70000)
    assert reply.status == 413
    assert place.get("/tokens")["tokens"] == []


@pytest.mark.parametrize("path", [
    "/certificates/../../../etc/passwd", "/certificates/..%2f..%2fca.db", "/certificates/%00",
    "/certificates/' OR 1=1", "/certificates/00;DROP", "/certificates//", "/tokens/1/../2",
    "/profiles/..", "/profiles/%2e%2e", "//certificates", "/certificates/" + "a" * 4000])
def test_a_path_that_leads_elsewhere(place, path):
    reply = place.call("GET", API + path.replace(" ", "%20"), pair=place.people["admin"])
    assert reply.status == 404, reply.body
    assert b"root:" not in reply.body


def test_a_file_of_the_authority_is_not_read_by_a_name(place):
    """The local verbs take a file for a certificate; what comes from afar names no file."""
    file = place.people["admin"] / "tls.crt"
    place.refused(404, "NOT_FOUND", place.api("GET", f"/certificates?match={file}"))


@pytest.mark.parametrize("fields", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"}, {"Origin": "null"}], ids=str)
def test_a_page_elsewhere_has_a_browser_approve(place, fields):
    """The browser of an operator shows his certificate for whoever has it send something."""
    made = place.api("POST", "/tokens", {"name": "waits", "approval": True, "url": place.url()}).json()
    for method, path in (("POST", f"/requests/{made['id']}/approve"), ("DELETE", f"/tokens/{made['id']}")):
        place.refused(403, "POLICY_DENIED", place.api(method, path, who="operator", fields=fields))
    assert [one["id"] for one in place.get("/tokens")["tokens"]] == [made["id"]]
    own = {"Sec-Fetch-Site": "none"}
    assert place.api("DELETE", f"/tokens/{made['id']}", who="operator", fields=own).status < 300


def test_two_admins_revoke_the_same_at_once(place):
    made = place.api("POST", "/certificates", {"csr": csr(), "name": "target", "profile": "client"}).json()
    replies, barrier = [], threading.Barrier(2)

    def revoke(who):
        one = place.connect(place.people[who])
        barrier.wait(10)
        replies.append(place.api("POST", f"/certificates/{made['serial']}/revoke", {}, on=one))

    both = [threading.Thread(target=revoke, args=[who]) for who in ("admin", "operator")]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert sorted(reply.status for reply in replies) == [200, 409]
    events = [one for one in place.get("/events?limit=1000")["events"] if one["action"] == "revoke"]
    assert len(events) == 1
    assert place.run("audit", "verify").stdout.startswith("whole")


def test_the_same_key_sent_by_ten_at_once_is_done_once(place):
    wish, fields = {"csr": csr(), "name": "once", "profile": "client"}, {"Idempotency-Key": "k-1"}
    replies = []

    def ask():
        replies.append(place.api("POST", "/certificates", wish, fields=fields))

    all_of_them = [threading.Thread(target=ask) for _ in range(10)]
    for one in all_of_them:
        one.start()
    for one in all_of_them:
        one.join(30)
    assert {reply.status for reply in replies} == {201}
    assert len({reply.json()["serial"] for reply in replies}) == 1
    assert len(place.get("/certificates?name=once")["certificates"]) == 1
    place.refused(409, "REPEATED", place.api("POST", "/certificates", {**wish, "name": "twice"},
                                             fields=fields))


def test_an_event_that_was_altered_is_found_from_afar(place):
    import sqlite3
    place.api("POST", "/tokens", {"name": "web"})
    with sqlite3.connect(place.dir / "authority" / "ca.db") as store:
        store.execute("UPDATE event SET who = 'somebody else' WHERE action = 'token'")
    reply = place.api("GET", "/events/verification")
    assert reply.status == 500 and reply.json()["code"] == "AUDIT_BROKEN"
    done = place.run("audit", "verify", status=1)
    assert "AUDIT_BROKEN" in done.stderr


def test_answers_tell_no_place_of_this_house(place):
    """Of failures of the machine a stranger is told the kind, and the log the rest."""
    (place.dir / "authority" / "audit.head").unlink()
    (place.dir / "authority" / "audit.head").mkdir()
    reply = place.api("GET", "/events/verification")
    assert reply.status >= 500 and str(place.dir).encode() not in reply.body, reply.body
    assert json.loads(reply.body)["code"]


# -- the socket on the machine itself -------------------------------------------------------------


def ask_at(path, *prefix):
    return subprocess.run(
        [*prefix, "curl", "--silent", "--show-error", "--max-time", "20", "--unix-socket", path,
         f"http://localhost{API}/counts"], capture_output=True, text=True, timeout=60, check=False)


def test_another_user_of_the_machine(place, tmp_path):
    """The file keeps him out; and when somebody opens the file to all, the kernel says who comes."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    path = pathlib.Path(f"{place.gateway.control}.authority")
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for parent in (tmp_path, *tmp_path.parents):
        if parent != pathlib.Path("/") and parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    assert ask_at(path, *other).returncode != 0
    path.chmod(0o666)
    done = ask_at(path, *other)
    assert done.returncode != 0 and "valid" not in done.stdout
    place.gateway.event("local_refused")
    assert json.loads(ask_at(path).stdout)["valid"] > 0


def test_bytes_at_the_socket_say_nothing_of_who_comes(place):
    """A frame of a worker is no HTTP here, and a header makes nobody another."""
    path = f"{place.gateway.control}.authority"
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
        one.sendall(b"MUEV\x00\x00\x00\x10" + b"\x00" * 16 + b"\r\n\r\n")
        assert b"400" in one.recv(4096)
    done = subprocess.run(
        ["curl", "--silent", "--unix-socket", path, "-H", "X-User: somebody", "--json",
         '{"name":"web"}', f"http://localhost{API}/tokens"], capture_output=True, text=True,
        timeout=60, check=True)
    assert json.loads(done.stdout)["id"]
    assert place.get("/events?limit=1000")["events"][-1]["who"].endswith(f"({os.geteuid()})")


def test_the_authority_dies_and_comes_back_at_the_socket(place):
    path = f"{place.gateway.control}.authority"
    assert ask_at(path).returncode == 0
    before = place.gateway.pids("authority")
    os.kill(before[0], 9)
    until(lambda: place.gateway.pids("authority") not in ([], before), 20)
    until(lambda: ask_at(path).returncode == 0, 20)


def test_a_socket_of_a_long_path_is_not_another(place, tmp_path):
    """A path that does not fit is not cut: at the shorter one somebody else listens."""
    long = str(tmp_path) + "/" + "a" * 120
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(long[:107])
        other.listen(1)
        other.setblocking(False)
        done = subprocess.run([place.mutual, "list", "--server", f"unix:{long}"], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 2 and "OPTION_VALUE" in done.stderr and str(len(long)) in done.stderr
        with pytest.raises(BlockingIOError):
            other.accept()


def test_without_an_authority_there_is_no_socket(place):
    path = pathlib.Path(f"{place.gateway.control}.authority")
    assert path.exists()
    config = place.config()
    del config["authority"]
    config["inbound"], config["policy"] = [], []
    place.gateway.write({**config, "inbound": [
        {"name": "x", "listen": "127.0.0.1:0", "forward": "127.0.0.1:1",
         "certificate": str(place.dir / "tls" / "enroll"), "clients": {"trust": "own"}}]})
    assert place.gateway.reload()
    until(lambda: not path.exists(), 10)
