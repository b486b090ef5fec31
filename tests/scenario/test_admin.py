# SPDX-License-Identifier: Apache-2.0
"""The administration of a served authority: by HTTP and JSON with curl, and by the program's own
verbs from another directory, whose output is the same as beside the authority."""
import fcntl
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import sqlite3
import subprocess
import threading

import pytest
from admin import API, Administered
from gateway import starting
from net import until


@pytest.fixture(scope="module")
def place(mutual, tmp_path_factory):
    """One authority for the module: each test makes names of its own."""
    directory = tmp_path_factory.mktemp("admin")
    with starting(mutual, directory) as start:
        yield Administered(mutual, start, directory)


def csr_of(tmp_path, name="key"):
    done = subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", tmp_path / f"{name}.pem", "-subj", "/"], capture_output=True, text=True,
        check=True, timeout=60)
    return done.stdout


def issue(served, tmp_path, name, **more):
    reply = served.api("POST", "/certificates", {"csr": csr_of(tmp_path, name), "name": name,
                                                "profile": "client", **more}, who="operator")
    assert reply.status == 201, reply.body
    return reply.json()


# -- with curl, which nobody here wrote -----------------------------------------------------------


def curl(place, path, who, *options):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    pair = place.people[who]
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--include", "--cacert", place.root, "--cert",
         pair / "tls.crt", "--key", pair / "tls.key", *options, place.url(API + path)],
        capture_output=True, text=True, check=True, timeout=60)
    head, _, body = done.stdout.partition("\n\n")  # text mode
    return int(head.split()[1]), head.lower(), body


def test_curl_reads_issues_and_revokes(place, tmp_path):
    status, _, body = curl(place, "/certificates", "auditor")
    assert status == 200 and json.loads(body)["next"] is None
    wish = json.dumps({"name": "by-curl", "profile": "client", "csr": csr_of(tmp_path)})
    status, head, body = curl(place, "/certificates", "operator", "--json", wish)
    assert status == 201, body
    made = json.loads(body)
    assert f"location: /api/v1/certificates/{made['serial']}" in head
    (tmp_path / "chain").write_text(made["chain"])
    subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", place.root, "-untrusted",
                    tmp_path / "chain", tmp_path / "chain"], check=True, capture_output=True)
    path = f"/certificates/{made['serial']}"
    status, head, body = curl(place, path, "auditor")
    tag = head.split("etag: ")[1].split("\n")[0]
    assert status == 200 and json.loads(body)["state"] == "valid"
    status, head, pem = curl(place, path, "auditor", "-H", "Accept: application/pem-certificate-chain")
    assert "application/pem-certificate-chain" in head and pem == made["chain"]
    status, _, body = curl(place, path + "/revoke", "operator", "--json",
                           '{"reason":"superseded"}', "-H", f"If-Match: {tag}")
    assert status == 200 and json.loads(body)["reason"] == "superseded", body
    listed = subprocess.run(["openssl", "crl", "-in", place.crl, "-noout", "-text"],
                            capture_output=True, text=True, check=True).stdout
    assert made["serial"].upper() in listed
    assert json.loads(curl(place, path, "auditor")[2])["state"] == "revoked"


# -- resources ------------------------------------------------------------------------------------


def test_the_list_comes_in_pages_that_hold_everything_once(place, tmp_path):
    for i in range(5):
        issue(place, tmp_path, f"page-{i}", owner="pages")
    found, cursor = [], None
    while True:
        page = place.get("/certificates?owner=pages&limit=2" + (f"&cursor={cursor}" if cursor else ""))
        assert 0 < len(page["certificates"]) <= 2
        found += [one["name"] for one in page["certificates"]]
        cursor = page["next"]
        if cursor is None:
            break
        if len(found) == 2:  # what comes meanwhile makes nobody miss a row
            issue(place, tmp_path, "page-5", owner="pages")
    assert sorted(found) == [f"page-{i}" for i in range(6)] and len(found) == 6


def test_filters_are_those_of_the_verb(place, tmp_path):
    made = issue(place, tmp_path, "filtered", owner="team", place="attic", purpose="nothing")
    for query in ("owner=team", "place=attic", "purpose=nothing", "name=filtered",
                  f"match={made['serial']}", f"match={made['serial'][:8]}",
                  f"match=SHA256:{made['fingerprint']}", "match=filtered",
                  "owner=team&ends_before=2099-01-01"):
        names = [one["name"] for one in place.get(f"/certificates?{query}")["certificates"]]
        assert names == ["filtered"], query
    assert place.get("/certificates?owner=team&revoked=true")["certificates"] == []
    with_der = place.get("/certificates?owner=team&include=certificate")["certificates"][0]
    assert with_der["certificate"].startswith("MII")
    place.refused(404, "NOT_FOUND", place.api("GET", "/certificates?match=nobody-of-that-name"))


def test_tokens_are_made_used_and_taken_back(place, mutual, tmp_path):
    made = place.api("POST", "/tokens", {"name": "laptop", "profile": "client", "ttl": 600,
                                         "url": place.url()}, who="operator").json()
    listed = place.get("/tokens")["tokens"]
    assert made["id"] in [one["id"] for one in listed]
    assert all("token" not in one for one in listed)
    done = subprocess.run([mutual, "enroll", made["token"], "--out", tmp_path / "tls"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    again = place.api("POST", "/tokens", {"name": "laptop2", "url": place.url()}, who="operator").json()
    assert place.get(f"/tokens/{again['id']}")["used"] is False
    gone = place.api("DELETE", f"/tokens/{again['id']}", who="operator")
    assert gone.status == 200 and gone.json()["decision"] == "withdrawn"
    place.refused(404, "NOT_FOUND", place.api("DELETE", f"/tokens/{again['id']}", who="operator"))
    place.refused(404, "NOT_FOUND", place.api("DELETE", f"/tokens/{made['id']}", who="operator"))


@pytest.mark.parametrize("word, decision", [("approve", "approved"), ("refuse", "denied")])
def test_requests_wait_for_somebody(place, mutual, tmp_path, word, decision):
    made = place.api("POST", "/tokens", {"name": f"waits-{word}", "profile": "client",
                                         "approval": True, "url": place.url()}, who="operator").json()
    enroll = [mutual, "enroll", made["token"], "--out", str(tmp_path / "tls")]
    assert subprocess.run(enroll, capture_output=True, timeout=60, check=False).returncode != 0
    waiting = [one for one in place.get("/requests")["tokens"] if one["id"] == made["id"]]
    assert len(waiting) == 1 and len(waiting[0]["key"]) == 64
    reply = place.api("POST", f"/requests/{made['id']}/{word}", who="operator")
    assert reply.json() == {"id": made["id"], "decision": decision}
    done = subprocess.run(enroll, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) == (word == "approve"), done.stderr


def test_bindings_are_made_and_listed_without_their_secrets(place):
    made = place.api("POST", "/bindings", {"name": "cluster", "names": ["*.k8s.example.org"]}).json()
    mine = [one for one in place.get("/bindings")["bindings"] if one["kid"] == made["kid"]]
    assert mine[0]["names"] == ["*.k8s.example.org"] and mine[0]["state"] == "open"
    assert made["hmac_key"] not in json.dumps(mine)
    place.refused(403, "ROLE_MISSING", place.api("DELETE", f"/bindings/{made['kid']}", who="operator"))
    assert place.api("DELETE", f"/bindings/{made['kid']}").json() == {"withdrawn": made["kid"]}
    assert made["kid"] not in [one["kid"] for one in place.get("/bindings")["bindings"]]


def test_counts_issuers_profiles(place):
    counts = place.get("/counts")
    assert counts["valid"] > 3 and counts["next_expiry"]
    assert [one["name"] for one in place.get("/issuers")["issuers"]] == ["issuer"]
    rules = {one["name"]: one for one in place.get("/profiles")["profiles"]}
    assert rules["server"]["eku"] == ["server"]
    assert place.get("/profiles/user") == rules["user"]
    place.refused(404, "NOT_FOUND", place.api("GET", "/profiles/none"))


# -- the document ---------------------------------------------------------------------------------


def test_the_document_is_one_of_openapi(place):
    """By the validator that others use, where it is; Debian 12 has none for OpenAPI 3.1."""
    validator = pytest.importorskip("openapi_spec_validator", reason="not in Debian 12")
    validator.validate(place.get("/openapi.json"))


def test_what_is_answered_is_what_the_document_says(place, tmp_path):
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
    document = place.get("/openapi.json")
    assert document["openapi"].startswith("3.1.")
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    resolver = jsonschema.RefResolver("", document)

    def check(schema, value):
        jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)

    def answer(method, path, operation, status):
        return operation["responses"][status]["content"]["application/json"]["schema"]

    made = issue(place, tmp_path, "documented")
    token = place.api("POST", "/tokens", {"name": "documented", "url": place.url()}).json()
    binding = place.api("POST", "/bindings", {"name": "d", "names": ["d.example.org"]}).json()
    paths = document["paths"]
    check(answer("post", "", paths[API + "/certificates"]["post"], "201"), made)
    check(answer("post", "", paths[API + "/tokens"]["post"], "201"), token)
    check(answer("post", "", paths[API + "/bindings"]["post"], "201"), binding)
    fill = {"{serial}": made["serial"], "{id}": str(token["id"]), "{name}": "server"}
    asked = 0
    for path, operations in paths.items():
        if "get" not in operations:
            continue
        for name, value in fill.items():
            path = path.replace(name, value)
        check(answer("get", path, operations["get"], "200"), place.get(path.removeprefix(API)))
        asked += 1
    assert asked >= 12
    problem = place.api("GET", "/certificates?nosuch=1").json()
    check(schemas["Problem"], problem)
    with pytest.raises(jsonschema.ValidationError):  # and it is no document that takes everything
        check(schemas["Certificate"], problem)
    with pytest.raises(jsonschema.ValidationError):
        check(schemas["TokenRequest"], {"name": "web", "more": 1})


# -- what is issued is what the rules allow -------------------------------------------------------


@pytest.mark.parametrize("wish, code", [
    ({"names": ["dns:www.example.com"]}, "ISSUER_CONSTRAINT"),
    ({"profile": "user", "names": ["dns:a.example.org"]}, "PROFILE_DENIED"),
    ({"life": 300000000}, "PROFILE_DENIED"),
    ({"profile": "no-such"}, "OPTION_VALUE"),
    ({"issuer": "no-such"}, "NOT_FOUND"),
    ({"csr": "no request at all"}, "PEM_MALFORMED"),
    ({"name": "../../evil"}, "NAME_MALFORMED"),
    ({"owner": "two\nlines"}, "JSON_MALFORMED"),
], ids=lambda value: value if isinstance(value, str) else "-".join(value))
def test_the_rules_are_those_of_the_local_verb(place, tmp_path, wish, code):
    before = place.get("/counts")["total"]
    reply = place.api("POST", "/certificates", {"csr": csr_of(tmp_path), "name": "ruled",
                                                "profile": "server", **wish}, who="operator")
    assert reply.status in (400, 403, 404) and reply.json()["code"] == code, reply.body
    assert place.get("/counts")["total"] == before


# -- the audit ------------------------------------------------------------------------------------


def test_every_change_says_who_in_the_audit(place, tmp_path):
    made = issue(place, tmp_path, "audited")
    place.api("POST", f"/certificates/{made['serial']}/revoke", {}, who="operator")
    place.api("POST", "/tokens", {"name": "audited", "url": place.url()}, who="operator")
    place.api("POST", "/bindings", {"name": "audited", "names": ["a.example.org"]})
    events = place.get("/events?limit=1000")["events"]
    mine = {one["action"]: one["who"] for one in events if "audited" in one["detail"]}
    assert set(mine) == {"issue", "revoke", "token", "acme_key"}
    for action, who in mine.items():
        role = "admin" if action == "acme_key" else "operator"
        assert re.match(rf"spiffe://example\.org/user/{role} serial [0-9a-f]+ \(enroll 127\.0\.0\.1", who), who
    whole = place.get("/events/verification")
    assert whole["events"] == events[-1]["id"]
    assert place.run("audit", "verify").stdout.startswith("whole")
    assert place.get(f"/events/verification?head={whole['head']}")["head"] == whole["head"]


# -- the program's own verbs ----------------------------------------------------------------------


def run(place, arguments, status, cwd=None, env=None):
    """Whatever other gateway runs on this machine is not asked."""
    done = subprocess.run(
        [place.mutual, *map(str, arguments)], capture_output=True, text=True, timeout=60,
        check=False, cwd=cwd, env={**os.environ, "MUTUAL_CONTROL": "/nowhere", **env})
    assert status is None or done.returncode == status, (arguments, done.stdout, done.stderr)
    return done


def far(place, who, *arguments, status=0, cwd=None, env=None):
    env = {"MUTUAL_SERVER": place.url(), "MUTUAL_CREDENTIALS": str(place.people[who]), **(env or {})}
    return run(place, arguments, status, cwd, env)


def still(text):
    """Without how long ago, which goes on."""
    return re.sub(r"\d+ (second|minute|hour|day)s?", "N", text)


def test_reading_verbs_print_the_same_from_afar(place, tmp_path):
    issue(place, tmp_path, "both")
    place.api("POST", "/tokens", {"name": "both", "url": place.url()}, who="operator")
    for verb in (["list"], ["list", "both"], ["list", "--expiring", "400d"], ["list", "--limit", "2"],
                 ["list", "--tokens"], ["list", "--pending"], ["show", "both"],
                 ["show", "both", "--pem"], ["show", place.people["admin"] / "tls.crt"],
                 ["show", "profile", "server"], ["show", "profile"], ["issuer"], ["audit"],
                 ["audit", "verify"]):
        for form in ([], ["--json"]):
            def same(verb=verb, form=form):
                """Sooner or later: the authority makes certificates of its own meanwhile."""
                here = run(place, [*verb, *form, "--dir", place.dir], 0, env={})
                there = far(place, "auditor", *verb, *form)
                return still(there.stdout) == still(here.stdout) and there.stderr == here.stderr
            until(same, 20)


def test_a_list_of_many_pages_from_afar(mutual, gateway, tmp_path):
    """More than a page holds, by count and by bytes: each is told once, whatever ends together."""
    place = Administered(mutual, gateway, tmp_path)
    with sqlite3.connect(place.dir / "authority" / "ca.db") as store:
        columns = [one[1] for one in store.execute("PRAGMA table_info(certificate)")]
        row = dict(zip(columns, store.execute(
            "SELECT * FROM certificate WHERE name = 'enroll'").fetchone()))
        for i in range(3300):
            row.update(id=1000 + i, serial=os.urandom(20), fingerprint=os.urandom(32),
                       name=f"many-{i}", owner="x" * (900 if i < 1500 else 3),
                       not_after_s=row["not_after_s"] + (i % 500 == 0))
            store.execute(f"INSERT INTO certificate VALUES ({','.join('?' * len(row))})",
                          list(row.values()))
    listed = json.loads(far(place, "auditor", "list", "--profile", "server", "--json").stdout)["certificates"]
    names = [one["name"] for one in listed if one["name"].startswith("many-")]
    assert len(names) == 3300 and len(set(names)) == 3300
    some = json.loads(far(place, "auditor", "list", "--profile", "server", "--json", "--limit", "2345").stdout)
    assert [one["serial"] for one in some["certificates"]] == [one["serial"] for one in listed[:2345]]


def test_options_and_the_environment_say_where_the_authority_is(place, tmp_path):
    pair = place.people["auditor"]
    plain = {"MUTUAL_SERVER": "", "MUTUAL_CREDENTIALS": ""}
    far(place, "auditor", "list", "--server", place.url(), "--credentials", pair, env=plain)
    far(place, "auditor", "list", "--server", place.url() + "/", "--credentials", pair, "--ca",
        place.root, env=plain)
    done = far(place, "auditor", "list", "--dir", tmp_path, status=66)
    assert "there is no authority in" in done.stderr  # a directory goes before the environment
    done = far(place, "auditor", "list", "--server", place.url(), env=plain, status=2)
    assert "--credentials DIRECTORY" in done.stderr
    far(place, "auditor", "list", "--dir", place.dir, "--server", place.url(), status=2)
    far(place, "auditor", "list", "--credentials", pair, env=plain, status=2)
    far(place, "auditor", "list", "--server", "http://localhost:1", status=2)


def test_changing_verbs_from_afar(place, tmp_path):
    said = far(place, "operator", "issue", "afar", "--profile", "server", "--dns",
               "afar.example.org", cwd=tmp_path).stdout
    directory = tmp_path / "tls" / "afar"
    assert f"wrote   {directory}/{{tls.crt,tls.key,ca.crt}}" in said
    assert sorted(one.name for one in directory.iterdir()) == ["ca.crt", "tls.crt", "tls.key"]
    assert (directory / "tls.key").stat().st_mode & 0o777 == 0o600
    subprocess.run(["openssl", "verify", "-CAfile", directory / "ca.crt", "-untrusted",
                    directory / "tls.crt", directory / "tls.crt"], check=True, capture_output=True)
    done = far(place, "operator", "issue", "afar", cwd=tmp_path, status=73)
    assert "FILE_EXISTS" in done.stderr
    said = far(place, "operator", "revoke", directory / "tls.crt", "--reason", "superseded").stdout
    assert said.startswith("revoked  afar") and "superseded" in said
    done = far(place, "operator", "revoke", "afar", status=1)
    assert "ALREADY_REVOKED" in done.stderr
    token = far(place, "operator", "token", "other", "--url", place.url()).stdout.strip()
    assert token.startswith("mutual-")
    assert far(place, "operator", "token", "other", "--withdraw").stdout == "withdrawn  1\n"
    kid = json.loads(far(place, "admin", "bind", "team", "--names", "x.example.org", "--json").stdout)
    assert kid["names"] == ["x.example.org"]


def test_a_p12_and_a_request_from_afar(place, tmp_path):
    made = json.loads(far(place, "operator", "issue", "joe", "--profile", "user", "--p12", "--json",
                          cwd=tmp_path).stdout)
    subprocess.run(["openssl", "pkcs12", "-in", tmp_path / "tls/joe/joe.p12", "-nokeys", "-passin",
                    f"pass:{made['password']}"], check=True, capture_output=True)
    assert not (tmp_path / "tls/joe/tls.key").exists()
    (tmp_path / "csr").write_text(csr_of(tmp_path))
    pem = far(place, "operator", "issue", "req", "--csr", tmp_path / "csr", "--out", "-").stdout
    assert pem.count("BEGIN CERTIFICATE") == 2


def test_approving_from_afar(place, mutual, tmp_path):
    token = far(place, "operator", "token", "slow", "--approval", "--url", place.url(),
                "--json").stdout
    made = json.loads(token)
    subprocess.run([mutual, "enroll", made["token"], "--out", tmp_path / "tls"], timeout=60,
                   capture_output=True, check=False)
    assert "slow" in far(place, "auditor", "list", "--pending").stdout
    assert far(place, "operator", "approve", made["id"]).stdout == f"approved  {made['id']}\n"


def test_a_missing_role_is_told_to_the_caller_and_the_log(place):
    done = far(place, "auditor", "revoke", "enroll", status=77)
    assert "ROLE_MISSING" in done.stderr and "the role operator" in done.stderr
    assert "status 403" in done.stderr
    done = far(place, "nobody", "list", status=77)
    assert "the role auditor" in done.stderr
    assert "error[ROLE_MISSING]: the role operator is missing" in place.gateway.text()


def test_another_server_is_not_believed(place, pki):
    """Whoever stands in the way with a certificate of another authority learns nothing."""
    done = far(place, "auditor", "list", "--ca", pki.bundle, status=None)
    assert done.returncode != 0 and "UNKNOWN_ISSUER" in done.stderr


# -- on the machine itself ------------------------------------------------------------------------


def control(place, *arguments, status=0, cwd=None):
    return run(place, [*arguments, "--server", f"unix:{place.gateway.control}.authority"], status,
               cwd, {})


def test_verbs_go_through_the_gateway_of_this_machine(place, tmp_path):
    """No certificate, no permission on the directory: the kernel says who asks."""
    path = pathlib.Path(f"{place.gateway.control}.authority")
    assert path.stat().st_mode & 0o777 == 0o600
    control(place, "issue", "at-home", "--profile", "client", cwd=tmp_path)
    assert (tmp_path / "tls/at-home/tls.key").exists()
    assert "at-home" in control(place, "list").stdout
    control(place, "revoke", "at-home")
    json.loads(control(place, "bind", "at home", "--names", "h.example.org", "--json").stdout)
    events = json.loads(control(place, "audit", "--json").stdout)
    mine = [one for one in events if "at-home" in one["detail"]]
    assert [one["action"] for one in mine] == ["issue", "revoke"]
    who = f"{pwd.getpwuid(os.geteuid()).pw_name} ({os.geteuid()})"
    assert {one["who"] for one in mine} == {who}
    assert control(place, "audit", "verify").stdout == place.run("audit", "verify").stdout
    usual = run(place, ["list", "--server", "control"], 0,
                env={"MUTUAL_CONTROL": str(place.gateway.control)})
    assert usual.stdout.splitlines()[0] == control(place, "list").stdout.splitlines()[0]


def test_curl_asks_at_the_socket(place):
    done = subprocess.run(
        ["curl", "--silent", "--unix-socket", f"{place.gateway.control}.authority",
         f"http://localhost{API}/counts"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["valid"] > 0
    done = subprocess.run(
        ["curl", "--silent", "--unix-socket", f"{place.gateway.control}.authority",
         "http://localhost/acme/directory"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["status"] in (403, 404)  # enrolment is for callers from elsewhere


def test_without_a_gateway_it_says_so(place, tmp_path):
    done = run(place, ["list", "--server", f"unix:{tmp_path}/none"], None, env={})
    assert done.returncode == 69 and "CONNECT_FAILED" in done.stderr


def lose_an_answer(listener, upstream, lost):
    """Between a command and the authority: the first POST arrives, and its answer does not."""
    while True:
        try:
            one, _ = listener.accept()
        except OSError:
            return
        with one, socket.socket(socket.AF_UNIX) as there:
            request = b""
            while b"\r\n\r\n" not in request:
                request += one.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while len(body) < int(length[1] if length else 0):
                body += one.recv(65536)
            there.connect(upstream)
            there.sendall(head + b"\r\n\r\n" + body)
            answer = b"".join(iter(lambda there=there: there.recv(65536), b""))
            if head.startswith(b"POST"):
                lost.append(re.search(rb"(?i)idempotency-key: (\S+)", head)[1])
            if not head.startswith(b"POST") or len(lost) > 1:
                one.sendall(answer)


def test_an_answer_that_is_lost_costs_no_certificate(place, tmp_path):
    """The command asks again for what it asked: one certificate, and its key is there."""
    lost, path = [], str(tmp_path / "lossy")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)
        between = threading.Thread(
            target=lose_an_answer, args=[listener, f"{place.gateway.control}.authority", lost])
        between.start()
        try:
            run(place, ["issue", "lossy", "--profile", "client", "--server", f"unix:{path}"], 0, tmp_path, {})
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            between.join(30)
    assert len(lost) == 2 and lost[0] == lost[1]
    assert (tmp_path / "tls/lossy/tls.key").exists()
    assert len(place.get("/certificates?name=lossy")["certificates"]) == 1


def test_two_commands_do_not_take_each_others_key(place, tmp_path):
    other = tmp_path / "tls/.twice.issuing"
    other.mkdir(parents=True)
    (other / "tls.key").write_text("of another command")
    holder = os.open(other, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        done = control(place, "issue", "twice", "--profile", "client", status=None, cwd=tmp_path)
        assert done.returncode != 0 and "FILE_EXISTS" in done.stderr
        assert (other / "tls.key").read_text() == "of another command"
        assert place.get("/certificates?name=twice")["certificates"] == []
    finally:
        os.close(holder)
    control(place, "issue", "twice", "--profile", "client", cwd=tmp_path)  # a killed one holds nothing
    assert not other.exists() and "PRIVATE KEY" in (tmp_path / "tls/twice/tls.key").read_text()
