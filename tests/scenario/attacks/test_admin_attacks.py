# SPDX-License-Identifier: Apache-2.0
"""Attacks on the administration of a served authority: who is nobody, who was somebody, what is no
request, and two at once."""
import json
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
