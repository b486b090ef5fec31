# SPDX-License-Identifier: Apache-2.0
"""Henry from HR reaches the customer database: the answers of `mutual access` and `mutual check
--cert` are those of the gateway, before, during and after his grant; and a policy of a hundred
thousand grants is asked in a moment."""
import datetime
import json
import subprocess
import time

import pytest

from gateway import inbound
from net import TlsClient, client_context, refused


def run(mutual, *words, status=None):
    done = subprocess.run([mutual, *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False)
    if status is not None:
        assert done.returncode == status, (words, done.stdout, done.stderr)
    return done


def ask(mutual, *words, status=None):
    return json.loads(run(mutual, *words, "--json", status=status).stdout)


def day(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def henry_config(pki, backend, grants):
    config = inbound(pki, backend, name="customer-db")
    config["policy"] = grants
    return config


def grant(**more):
    return {"grant": "henry-hr", "to": "customer-db",
            "from": [{"spiffe": "spiffe://example.org/hr/henry"}], "owner": "HR",
            "why": "reads the payroll", **more}


@pytest.fixture
def henry(pki):
    return pki.client("henry", sans=["URI:spiffe://example.org/hr/henry"])


@pytest.mark.parametrize("since,until,code", [
    (None, None, None), (None, 10, None), (-10, 10, None),
    (None, -1, "GRANT_ENDED"), (1, 10, "GRANT_NOT_BEGUN"), ("none", None, "POLICY_DENIED")])
def test_the_answer_is_the_gateways(mutual, gateway, pki, backend, henry, since, until, code):
    grants = [grant(**({"since": day(since)} if since not in (None, "none") else {}),
                    **({"until": day(until)} if until is not None else {}))]
    if since == "none":
        grants[0]["from"] = [{"spiffe": "spiffe://example.org/hr/heidi"}]
    one = gateway(henry_config(pki, backend, grants))
    answer = ask(mutual, "access", "test", "-c", one.config, "--as",
                 "spiffe://example.org/hr/henry", "--to", "customer-db", status=int(bool(code)))
    cert = ask(mutual, "check", "-c", one.config, "--cert", henry.chain, "--to", "customer-db",
               status=int(bool(code)))
    context = client_context(pki, henry)
    if code is None:
        with TlsClient(one.address(), context) as client:
            client.ask()
    else:
        refused(one.address(), context)
    end = one.end()
    assert end["outcome"] == ("refused" if code else "admitted"), end
    assert code is None or end["reason"] == code.lower()
    for told in (answer, cert):
        assert told["allowed"] == (code is None)
        assert told.get("error", {}).get("code") == code
    if code == "POLICY_DENIED":
        assert answer["nearest"]["pattern"] == "spiffe://example.org/hr/heidi"
        assert 'from: [{spiffe: "spiffe://example.org/hr/henry"}]' in answer["error"]["hint"]
    else:
        assert answer["grant"]["name"] == "henry-hr"
        assert answer["grant"]["line"] > 0


def test_what_would_change_it(mutual, pki, backend, henry, tmp_path):
    config = tmp_path / "mutual.yaml"
    config.write_text(json.dumps(henry_config(pki, backend, [grant(until=day(10))]), indent=1))
    told = ask(mutual, "check", "-c", config, "--cert", henry.chain, "--to", "customer-db",
               status=0)
    assert [link["role"] for link in told["path"]] == ["certificate", "intermediate", "authority"]
    assert "henry-hr" in told["changes"][0]["what"], told["changes"]
    assert told["until"] == told["changes"][0]["at"]
    assert not told["without_authority"]["allowed"]
    # At each of those dates the answer does change.
    after = ask(mutual, "check", "-c", config, "--cert", henry.chain, "--to", "customer-db", "--at",
                told["until"], status=1)
    assert after["error"]["code"] == "GRANT_ENDED"
    assert after["other_time"] == told["until"]
    late = ask(mutual, "check", "-c", config, "--cert", henry.chain, "--to", "customer-db", "--at",
               day(40), status=1)
    assert late["error"]["code"] == "CERT_EXPIRED"


def test_somebody_elses_certificate(mutual, pki, backend, tmp_path):
    config = tmp_path / "mutual.yaml"
    config.write_text(json.dumps(henry_config(pki, backend, [grant()]), indent=1))
    forged = pki.client("forged-henry", sans=["URI:spiffe://example.org/hr/henry"],
                        issuer=pki.stranger)
    told = ask(mutual, "check", "-c", config, "--cert", forged.chain, "--to", "customer-db",
               status=1)
    assert told["error"]["code"] in ("UNKNOWN_ISSUER", "CHAIN_INCOMPLETE")
    server = pki.server()
    told = ask(mutual, "check", "-c", config, "--cert", server.chain, "--to", "customer-db",
               status=1)
    assert told["error"]["code"] == "PURPOSE_WRONG"


def test_a_broken_configuration_is_told(mutual, tmp_path):
    config = tmp_path / "mutual.yaml"
    config.write_text("version: 1\nlgo: {}\n")
    done = run(mutual, "access", "who", "db", "-c", config, status=78)
    assert 'unknown setting "lgo"' in done.stderr
    assert done.stdout == ""


def test_a_hundred_thousand_grants(mutual, pki, backend, tmp_path):
    config = tmp_path / "mutual.yaml"
    base = henry_config(pki, backend, [{"grant": "last", "to": "*", "owner": "o", "why": "w",
                                        "from": [{"dns": "last.example.org"}]}])
    base["include"] = [f"grants-{part}.yaml" for part in range(2)]
    config.write_text(json.dumps(base))
    for part in range(2):
        (tmp_path / f"grants-{part}.yaml").write_text("policy:\n" + "".join(
            f"- {{grant: g{i}, to: customer-db, from: {{dns: c{i}.x}}, owner: o, why: w}}\n"
            for i in range(part * 50000, (part + 1) * 50000)))
    begin = time.monotonic()
    told = ask(mutual, "access", "test", "-c", config, "--as", "c99999.x", "--to", "customer-db",
               status=0)
    tested_s = time.monotonic() - begin
    assert told["grant"]["name"] == "g99999"
    assert told["grant"]["line"] == 50001
    assert told["grant"]["file"].endswith("grants-1.yaml")
    begin = time.monotonic()
    who = ask(mutual, "access", "who", "customer-db", "-c", config, status=0)
    assert len(who["grants"]) == 100001
    print(f"test {tested_s:.1f} s, who {time.monotonic() - begin:.1f} s")
    assert tested_s < 15, "a busy machine takes a few seconds"


def test_services_and_their_hosts_are_completed(mutual, pki, backend, tmp_path):
    """In bash: a host is LISTENER/HOST, and names hold slashes."""
    config = inbound(pki, backend)
    config["inbound"][0]["hosts"] = [{"name": "api", "names": "api.test"}, {"names": "open.test"}]
    path = tmp_path / "m.yaml"
    path.write_text(json.dumps(config))
    assert run(mutual, "-c", path, "completion", "services", status=0).stdout.split() == [
        "db", "db/api", "db/open.test"]
    assert run(mutual, "-c", tmp_path / "none", "completion", "services", status=1).stdout == ""
    for words, want in ((["access", "who", "-c", path, ""], {"db", "db/api", "db/open.test"}),
                        (["access", "who", "-c", path, "db/a"], {"db/api"}),
                        (["access", "test", "-c", path, "--to", "db/o"], {"db/open.test"}),
                        (["check", "-c", path, "--to", "x"], set())):
        typed = " ".join(f"'{word}'" for word in ["mutual", *map(str, words)])
        script = (f'mutual() {{ "{mutual}" "$@"; }}\n{run(mutual, "completion", "bash").stdout}\n'
                  f'COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _mutual\n'
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                              timeout=60, check=False, cwd=tmp_path)
        found = {one for one in done.stdout.split() if not one.startswith("-")} - {"m.yaml"}
        assert found == want, (words, done)
