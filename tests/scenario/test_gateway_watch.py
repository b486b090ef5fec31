# SPDX-License-Identifier: Apache-2.0
"""Files that change are noticed by the gateway itself, however they are written; what is half
written, or wrong, changes nothing and is an alarm until it is right."""
import json
import os
import shutil
import subprocess
import time

import pytest
from gateway import inbound
from net import TlsClient, client_context, refused, until
from pki import Pki


@pytest.fixture
def own(tmp_path):
    return Pki(tmp_path)


def count(g):
    return len(g.events("reloaded"))


def reloads(g, before, seconds=10):
    until(lambda: count(g) > before, seconds)


def rename(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(path)


def in_place(path, text):
    """In two pieces, each of them flushed."""
    with open(path, "r+", encoding="utf-8") as file:
        file.truncate(0)
        file.write(text[:len(text) // 2])
        file.flush()
        time.sleep(0.05)
        file.write(text[len(text) // 2:])


def remove_and_write(path, text):
    path.unlink()
    time.sleep(0.05)
    path.write_text(text)


@pytest.mark.parametrize("write", [rename, in_place, remove_and_write])
def test_every_way_of_writing(gateway, own, backend, tmp_path, write):
    """A list, a bundle, a certificate with its key, the configuration, a file of conf.d."""
    crl, bundle = tmp_path / "issuer.crl", tmp_path / "bundle.pem"
    own.issuer.crl(crl)
    bundle.write_text(own.root.cert.read_text())
    live = tmp_path / "live"
    live.mkdir()
    (tmp_path / "conf.d").mkdir()
    for end in ("pem", "key"):
        shutil.copy(getattr(own.server(), "chain" if end == "pem" else "key"), live / f"s.{end}")
    config = inbound(own, backend, trust={"bundle": str(bundle),
                                          "intermediates": str(own.issuer.cert),
                                          "revocation": {"crl": str(crl)}})
    config["inbound"][0]["certificate"] = {"chain": str(live / "s.pem"), "key": str(live / "s.key")}
    config["include"] = str(tmp_path / "conf.d" / "*.yaml")
    config["watch"] = True
    g = gateway(config)
    time.sleep(0.6)
    assert count(g) == 0

    victim = own.client("victim")
    own.issuer.revoke(victim)
    own.issuer.crl(tmp_path / "next.crl")
    write(crl, (tmp_path / "next.crl").read_text())
    reloads(g, 0)
    refused(g.address(), client_context(own, victim))

    write(bundle, own.root.cert.read_text() + own.stranger.cert.read_text())
    reloads(g, 1)
    with TlsClient(g.address(),
                   client_context(own, own.client("of-a-stranger", issuer=own.stranger))) as client:
        client.ask()

    fresh = own.server("server-fresh")
    write(live / "s.key", fresh.key.read_text())
    (live / "s.key").chmod(0o600)
    write(live / "s.pem", fresh.chain.read_text())
    until(lambda: g.status()["ok"] and g.status()["services"][0]["certificates"][0]["subject"]
          == "CN=server-fresh")

    before = count(g)
    (tmp_path / "conf.d" / "more.yaml").write_text(
        "policy:\n  - {grant: more, to: db, from: [{dns: more.example}], owner: tests, why: x}\n")
    reloads(g, before)
    config["policy"][0]["from"] = [{"spiffe": "spiffe://example.org/nobody"}]
    before = count(g)
    write(g.config, json.dumps(config))
    reloads(g, before)
    refused(g.address(), client_context(own, own.client()))


def test_a_link_that_is_turned(gateway, own, backend, tmp_path):
    """As Kubernetes does: files are links into ..data, which is a link to a directory."""
    mount = tmp_path / "mount"
    (mount / "..1").mkdir(parents=True)
    (mount / "..1" / "ca.pem").write_text(own.root.cert.read_text())
    (mount / "..data").symlink_to("..1")
    (mount / "ca.pem").symlink_to("..data/ca.pem")
    config = {**inbound(own, backend, trust={"bundle": str(mount / "ca.pem")}), "watch": True}
    g = gateway(config)
    stranger = client_context(own, own.client("of-a-stranger", issuer=own.stranger))
    refused(g.address(), stranger)
    for number in (2, 3):
        (mount / f"..{number}").mkdir()
        text = own.root.cert.read_text() + (own.stranger.cert.read_text() if number == 2 else "")
        (mount / f"..{number}" / "ca.pem").write_text(text)
        (mount / "..tmp").symlink_to(f"..{number}")
        (mount / "..tmp").rename(mount / "..data")
        shutil.rmtree(mount / f"..{number - 1}")
        reloads(g, number - 2)
        if number == 2:
            with TlsClient(g.address(), stranger) as client:
                client.ask()
    refused(g.address(), stranger)


def test_a_directory_that_goes_and_comes_back(gateway, own, backend, tmp_path):
    place = tmp_path / "place" / "deep"
    place.mkdir(parents=True)
    (place / "ca.pem").write_text(own.root.cert.read_text())
    g = gateway({**inbound(own, backend, trust={"bundle": str(place / "ca.pem")}), "watch": True})
    (tmp_path / "place").rename(tmp_path / "elsewhere")
    g.event("reload_refused")
    time.sleep(0.4)
    (tmp_path / "place").mkdir()
    time.sleep(0.4)
    place.mkdir()
    time.sleep(0.4)
    (place / "ca.pem").write_text(own.root.cert.read_text() + own.stranger.cert.read_text())
    reloads(g, 0)
    with TlsClient(g.address(),
                   client_context(own, own.client("of-a-stranger", issuer=own.stranger))) as client:
        client.ask()


def test_a_key_that_is_written_over(gateway, own, backend):
    """Into the very file: the old key goes on serving, and the alarm is raised until the pair is whole."""
    server, context = own.server("over"), client_context(own, own.client())
    g = gateway({**inbound(own, backend, server=server), "watch": True})
    good = server.key.read_text()
    server.key.write_text(own.server("another").key.read_text())
    assert "KEY_MISMATCH" in g.event("reload_refused")["detail"]
    with TlsClient(g.address(), context) as client:
        client.ask()
    server.key.write_text(good)
    reloads(g, 0)
    with TlsClient(g.address(), context) as client:
        client.ask()


def test_what_is_wrong_is_an_alarm_until_it_is_right(gateway, mutual, own, backend, tmp_path):
    config = {**inbound(own, backend), "watch": True}
    g = gateway(config)
    good = g.config.read_text()
    half = good[:len(good) // 2]
    g.config.write_text(half)
    g.event("reload_refused")
    for _ in range(8):  # a writer that takes his time is no storm
        half += " "
        g.config.write_text(half)
        time.sleep(0.3)
    assert len(g.events("reload_refused")) == 1
    with TlsClient(g.address(), client_context(own, own.client())) as client:
        client.ask()
    status = g.status()
    assert status["ok"] is False and status["status"] == "serving"
    assert status["alarm"]["code"] == g.status()["reload"]["code"]
    shown = subprocess.run([mutual, "status", "--control", str(g.control)], capture_output=True,
                           text=True, timeout=20, check=False)
    assert shown.returncode == 1 and "the last reload was refused" in shown.stdout
    g.event("reload_still_refused", 14)  # and it is told again
    g.config.write_text(good)  # as it was, which is good
    until(lambda: g.status()["ok"])
    assert g.status()["alarm"] is None
    assert count(g) == 1
    shown = subprocess.run([mutual, "status", "--control", str(g.control)], capture_output=True,
                           timeout=20, check=False)
    assert shown.returncode == 0


def test_touching_changes_nothing_and_off_is_off(gateway, own, backend, tmp_path):
    config = {**inbound(own, backend), "watch": True}
    g = gateway(config)
    os.utime(g.config)
    os.utime(own.bundle)
    (tmp_path / "another").write_text("of no concern")
    time.sleep(1)
    assert count(g) == 0
    config["watch"] = False
    g.write(config)
    reloads(g, 0)
    config["policy"][0]["why"] = "nobody looks"
    g.write(config)
    time.sleep(1)
    assert count(g) == 1
    assert g.reload()


def test_many_changes_at_once_are_few_reloads(gateway, own, backend):
    config = {**inbound(own, backend), "watch": True}
    g = gateway(config)
    for number in range(100):
        config["policy"][0]["why"] = f"reason {number}"
        g.write(config)
        time.sleep(0.01)
    until(lambda: count(g) > 0)
    time.sleep(1)
    assert count(g) <= 4
