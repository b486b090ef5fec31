# SPDX-License-Identifier: Apache-2.0
"""From plain TLS to mutual TLS: docs/moving-to-mutual-tls.md gone through command by command, and what
mutual access ready says on the way and must not say."""
import json
import re
import subprocess

import pytest
from conftest import ROOT
from gateway import inbound
from net import TlsClient, client_context, refused, until

PAGE = ROOT / "docs" / "moving-to-mutual-tls.md"


def ready(g, *args, service="db"):
    """Exit status and answer of mutual access ready."""
    done = subprocess.run([g.program, "access", "ready", service, "--control", str(g.control), *args],
                          capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def ready_json(g, *args):
    status, text = ready(g, "--json", *args)
    return status, json.loads(text)


def visit(g, pki, pair=None, name="localhost", **more):
    with TlsClient(g.address(), client_context(pki, pair), name=name, **more) as client:
        client.ask()


def seen(g, count, *args):
    return until(lambda: ready_json(g, *args)[1]["callers"] >= count and ready_json(g, *args))


@pytest.fixture
def observing(gateway, pki, backend, tmp_path):
    def start(state=None, **more):
        config = inbound(pki, backend, clients={"mode": "observe", "trust": "corp"}, **more)
        (tmp_path / "state").mkdir(exist_ok=True)
        return gateway(config, env={"STATE_DIRECTORY": str(tmp_path / "state")}), config
    return start


def test_no_evidence_is_no_yes(observing, pki):
    g, _ = observing()
    status, text = ready(g, "--least", "1s")
    assert status == 1 and "which says nothing" in text, text
    visit(g, pki, pki.client())
    seen(g, 1)
    status, text = ready(g)
    assert status == 1 and "too early to say" in text, text


def test_ready_when_nobody_lacks_anything(observing, pki):
    g, _ = observing()
    visit(g, pki, pki.client())
    seen(g, 1)
    until(lambda: ready(g, "--least", "1s")[0] == 0)
    status, text = ready(g, "--least", "1s")
    assert "nobody would be refused; mode: require is safe (1 caller seen in" in text, text


def test_each_blocker_is_named_with_what_it_lacks(observing, pki):
    g, _ = observing()
    people = {"NO_CLIENT_CERT": None,
              "CHAIN_INCOMPLETE": pki.client("moving-stranger", issuer=pki.stranger),
              "CERT_EXPIRED": pki.client("moving-expired", days=(-9, -1)),
              "POLICY_DENIED": pki.client("moving-eve", sans=["URI:spiffe://example.com/eve"])}
    visit(g, pki, pki.client())
    for pair in people.values():
        visit(g, pki, pair)
    status, answer = seen(g, 5, "--least", "1s")
    assert status == 1 and not answer["ready"], answer
    assert {one["lacks"] for one in answer["blocked"]} == set(people), answer
    by = {one["lacks"]: one for one in answer["blocked"]}
    assert by["POLICY_DENIED"]["caller"] == "spiffe spiffe://example.com/eve"
    assert by["POLICY_DENIED"]["known"] and by["POLICY_DENIED"]["anchor_subject"] == "O=Test,CN=Root"
    assert by["NO_CLIENT_CERT"]["caller"] == "address 127.0.0.1"
    assert by["CERT_EXPIRED"]["caller"] == 'address 127.0.0.1, claims "CN=moving-expired"'
    assert not by["CERT_EXPIRED"]["known"] and by["CERT_EXPIRED"]["anchor"] is None
    status, text = ready(g)
    assert status == 1 and "4 of 5 callers would be refused" in text, text


def test_what_was_seen_outlives_a_restart_and_a_killed_worker(observing, gateway, pki, tmp_path):
    import signal
    import os
    g, config = observing()
    visit(g, pki, None)
    seen(g, 1)
    os.kill(g.pids("worker")[0], signal.SIGKILL)
    assert seen(g, 1)
    g.stop()
    again = gateway(config, env={"STATE_DIRECTORY": str(tmp_path / "state")}, name="again")
    status, answer = ready_json(again)
    assert (status, answer["callers"]) == (1, 1), answer
    assert answer["blocked"][0]["lacks"] == "NO_CLIENT_CERT"


def test_a_damaged_file_is_told_and_moved_aside(observing, pki, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "sightings").write_bytes(b"mutual sightings 1\nrubbish" * 9)
    g, _ = observing()
    assert g.event("sightings_lost")["code"] == "STORE_CORRUPT"
    assert (tmp_path / "state" / "sightings.damaged").exists()


def test_changed_rules_make_what_was_seen_before_unknown(observing, pki):
    g, config = observing()
    visit(g, pki, pki.client())
    seen(g, 1)
    config["policy"][0]["from"] = [{"spiffe": "spiffe://example.org/other"}]
    g.write(config)
    assert g.reload()
    status, answer = ready_json(g, "--least", "1s")
    assert status == 1 and answer["blocked"][0]["lacks"] == "RULES_CHANGED", answer
    visit(g, pki, pki.client())
    until(lambda: ready_json(g, "--least", "1s")[1]["blocked"][0]["lacks"] == "POLICY_DENIED")


def test_a_tried_removal_is_made_ready(gateway, pki, backend):
    config = inbound(pki, backend)
    config["policy"][0]["shadow"] = "remove"
    config["policy"].append({"grant": "narrow", "to": "db", "shadow": "add", "owner": "tests",
                             "why": "least privilege", "from": [{"spiffe": "spiffe://example.org/a"}]})
    g = gateway(config)
    visit(g, pki, pki.client("a"))
    visit(g, pki, pki.client())
    status, answer = seen(g, 2, "--least", "1s")
    assert status == 1 and [one["caller"] for one in answer["blocked"]] \
        == ["spiffe spiffe://example.org/client"], answer


@pytest.mark.parametrize("mode", ["require", "none"])
def test_where_nothing_is_tried_there_is_no_answer(gateway, pki, backend, mode):
    trust = {"trust": "corp"} if mode != "none" else {}
    g = gateway(inbound(pki, backend, clients={"mode": mode, **trust}))
    status, text = ready(g)
    assert status == 1 and "nothing of tomorrow is observed" in text, text
    status, text = ready(g, service="nowhere")
    assert status == 1 and "no inbound service" in text, text


def test_strangers_to_the_control_socket_hear_of_nobody(gateway, pki, backend):
    """The status address tells figures, never callers."""
    from net import say
    config = inbound(pki, backend, clients={"mode": "observe", "trust": "corp"})
    from net import free_port
    port = free_port()
    config["status"] = f"127.0.0.1:{port}"
    gateway(config)
    answer = say(f"127.0.0.1:{port}", b"GET /_sightings?db HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404"), answer


def test_the_page_works_as_written(gateway, mutual, pki, backend, tmp_path):
    """Every command of the page, in its order, against a gateway that goes through its modes."""
    commands = re.findall(r"^    \$ (mutual .*)$", PAGE.read_text(), re.M)
    assert len(commands) >= 5, commands
    config = inbound(pki, backend, clients={"mode": "none"})
    (tmp_path / "state").mkdir()
    g = gateway(config, env={"STATE_DIRECTORY": str(tmp_path / "state")})
    henry = pki.client("henry")

    def run(command):
        words = command.replace("henry.pem", str(henry.chain)).replace("--least 7d", "--least 1s")
        words = words.replace("mutual", mutual, 1).split()
        if words[1:3] == ["access", "ready"] or words[1] == "status":
            words += ["--control", str(g.control)]
        else:
            words += ["-c", str(g.config)]
        return subprocess.run(words, capture_output=True, text=True, timeout=20)

    config["inbound"][0]["clients"] = {"mode": "observe", "trust": "corp"}
    g.write(config)
    assert g.reload()
    visit(g, pki, None)
    seen(g, 1)
    said = {}
    for command in commands:
        out = run(command)
        said.setdefault(" ".join(command.split()[1:3]), []).append(out)
        assert out.returncode in (0, 1) and "usage" not in out.stderr, (command, out.stderr)
    assert "only observes" in said["check"][0].stdout + said["check"][0].stderr
    assert "observe" in said["status"][0].stdout
    assert all(out.returncode == 1 and "NO_CLIENT_CERT" in out.stdout for out in said["access ready"])
    assert "EVERYBODY" in said["check --cert"][0].stdout
    assert "tomorrow yes, by grant" in said["check --cert"][0].stdout
    assert "tomorrow yes, by grant" in said["access test"][0].stdout
    config["inbound"][0]["clients"]["mode"] = "require"
    g.write(config)
    assert g.reload()
    visit(g, pki, henry)
    refused(g.address(), client_context(pki))


def test_questions_know_hosts_and_what_is_tried(mutual, pki, backend, tmp_path):
    config = inbound(pki, backend)
    config["inbound"][0]["hosts"] = [{"name": "api", "names": "localhost"}]
    config["policy"].append({"grant": "api", "to": "db/api", "shadow": "remove", "owner": "tests",
                             "why": "testing", "from": [{"spiffe": "spiffe://example.org/client"}]})
    path = tmp_path / "mutual.yaml"
    path.write_text(json.dumps(config))

    def ask(*words):
        done = subprocess.run([mutual, *words, "-c", str(path)], capture_output=True, text=True,
                              timeout=20)
        return done.returncode, done.stdout + done.stderr
    who = str(pki.client().chain)
    status, text = ask("check", "--cert", who, "--to", "db/api")
    assert status == 0 and 'may reach "db/api"' in text and "tomorrow no" in text, text
    status, text = ask("check", "--cert", str(pki.client("other").chain), "--to", "db/api")
    assert status == 1, text
    status, text = ask("access", "who", "db/api")
    assert status == 0 and 'tried: grant "api"' in text and "removed, and still lets in" in text, text
    status, text = ask("access", "what", "spiffe://example.org/client")
    assert status == 0 and "db/api" in text, text
    status, text = ask("access", "test", "--as", "spiffe://example.org/client", "--to", "db/apo")
    assert status == 1 and "db/api" in text, text
    status, text = ask("config", "show", "--json")
    shown = json.loads(text)["inbound"][0]["hosts"][0]
    assert shown["clients"]["mode"] == "require" and shown["forward"] == backend.address, text
