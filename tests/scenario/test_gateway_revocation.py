# SPDX-License-Identifier: Apache-2.0
"""Revocation lists in a running gateway: read and verified once, aside, and shared by all."""
import os
import pathlib
import re

import pytest
from gateway import inbound
from net import TlsClient, client_context, refused, until
from pki import Authority, Pki, openssl

LISTS = "memfd:mutual-lists"


@pytest.fixture
def pki(tmp_path):
    """An authority of the test's own, because it revokes."""
    own = Pki(tmp_path)
    own.client("bad")
    return own


def with_lists(pki, backend, *files, workers=1, **more):
    trust = {"intermediates": str(pki.issuer.cert),
             "revocation": {"crl": [str(f) for f in files], "scope": "leaf", **more}}
    return {**inbound(pki, backend, trust=trust), "workers": workers}


def connect(g, pki, name="client"):
    return TlsClient(g.address(), client_context(pki, pki.client(name)))


def mappings(pid):
    """Inodes of the tables that a process has mapped, and whether any could be written."""
    found = set()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        if LISTS in line:
            _, access, _, _, inode, _ = line.split(None, 5)
            assert access.startswith("r--"), line
            found.add(inode)
    return found


def test_who_is_listed_is_refused_and_after_a_reload_whoever_was_added(gateway, pki, backend,
                                                                       tmp_path):
    pki.issuer.revoke(pki.client("bad"))
    crl = pki.issuer.crl(tmp_path / "a.crl")
    g = gateway(with_lists(pki, backend, crl, workers=2))
    with connect(g, pki, "good") as client:
        client.ask()
        refused(g.address(), client_context(pki, pki.client("bad")))
        assert g.end(reason="revoked")
        pki.issuer.revoke(pki.client("good"))
        pki.issuer.crl(crl)
        assert g.reload()
        assert g.end(reason="revoked", peer_id="spiffe://example.org/good")
    refused(g.address(), client_context(pki, pki.client("good")))


def test_the_table_is_there_once_and_an_unchanged_list_keeps_it(gateway, pki, backend, tmp_path):
    crl = pki.issuer.crl(tmp_path / "a.crl")
    g = gateway(with_lists(pki, backend, crl, workers=2))
    processes = [*g.pids("parent"), *g.pids("worker")]
    first = [mappings(pid) for pid in processes]
    assert len(first[0]) == 1 and first == [first[0]] * 3
    g.write({**with_lists(pki, backend, crl, workers=2), "log": {"level": "debug"}})
    assert g.reload()
    until(lambda: [mappings(pid) for pid in processes] == first)
    pki.issuer.crl(crl)  # another number, so another list
    assert g.reload()
    until(lambda: all(mappings(pid).isdisjoint(first[0]) for pid in processes))
    second = [mappings(pid) for pid in processes]
    assert len(second[0]) == 1 and second == [second[0]] * 3


def test_a_worker_that_is_replaced_gets_the_table(gateway, pki, backend, tmp_path):
    pki.issuer.revoke(pki.client("bad"))
    g = gateway(with_lists(pki, backend, pki.issuer.crl(tmp_path / "a.crl")))
    old = g.pids("worker")[0]
    table = mappings(old)
    os.kill(old, 9)
    until(lambda: g.pids("worker") not in ([], [old]) and g.status()["ok"])
    until(lambda: mappings(g.pids("worker")[0]) == table)
    refused(g.address(), client_context(pki, pki.client("bad")))


def test_many_files_come_through(gateway, pki, backend, tmp_path):
    """More files than one message has room for descriptors."""
    pki.issuer.revoke(pki.client("bad"))
    files = []
    for i in range(70):
        other = tmp_path / f"{i}.crl"
        files.append(other)
        other.write_bytes(files[0].read_bytes() if i else
                          pki.issuer.crl(tmp_path / "x.crl").read_bytes())
    g = gateway(with_lists(pki, backend, *files))
    refused(g.address(), client_context(pki, pki.client("bad")))
    with connect(g, pki) as client:
        client.ask()


def garbage(pki, path):
    path.write_text("no list at all\n")
    return "PEM_MALFORMED"


def cut(pki, path):
    whole = pki.issuer.crl(path).read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    return "PEM_MALFORMED"


def wrong_key(pki, path):
    pki.stranger.crl(path)
    return "CRL_SIGNATURE"


def namesake(pki, path):
    """Of the right name, by another key."""
    (path.parent / "other").mkdir()
    Authority(path.parent / "other", "Issuer").crl(path)
    return "CRL_SIGNATURE"


def altered(pki, path):
    der = bytearray(openssl("crl", "-in", pki.issuer.crl(path), "-outform", "DER"))
    der[-1] ^= 1
    path.write_bytes(bytes(der))
    return "CRL_SIGNATURE"


def numberless(pki, path):
    config = pki.issuer.config.read_text()
    pki.issuer.config.write_text(re.sub("crlnumber=.*\n", "", config))
    pki.issuer.crl(path)
    pki.issuer.config.write_text(config)
    return "CRL_MALFORMED"


def missing(pki, path):
    path.unlink()
    return "FILE_MISSING"


@pytest.mark.parametrize("change", [garbage, cut, wrong_key, namesake, altered, numberless,
                                    missing])
def test_a_bad_list_changes_nothing_and_says_why(gateway, pki, backend, tmp_path, change):
    pki.issuer.revoke(pki.client("bad"))
    crl = pki.issuer.crl(tmp_path / "a.crl")
    g = gateway(with_lists(pki, backend, crl))
    before = mappings(g.pids("worker")[0])
    code = change(pki, crl)
    assert not g.reload()
    assert code in str(g.events("reload_refused")[-1])
    assert mappings(g.pids("worker")[0]) == before
    with connect(g, pki) as client:
        client.ask()
    refused(g.address(), client_context(pki, pki.client("bad")))


def numbered(pki, path, number):
    (pki.issuer.directory / "crlnumber").write_text(number + "\\n")
    return pki.issuer.crl(path)


def test_a_list_does_not_go_back_unless_that_is_said(gateway, pki, backend, tmp_path):
    crl = numbered(pki, tmp_path / "a.crl", "0100")
    old = crl.read_bytes()
    pki.issuer.revoke(pki.client("bad"))
    numbered(pki, crl, "0102")
    g = gateway(with_lists(pki, backend, crl))
    crl.write_bytes(old)
    assert not g.reload()
    assert "CRL_ROLLBACK" in str(g.events("reload_refused")[-1])
    assert "number 256" in g.text() and "number 258" in g.text()
    refused(g.address(), client_context(pki, pki.client("bad")))
    numbered(pki, crl, "0101")  # newer by its date, older by its number
    assert not g.reload()
    numbered(pki, crl, "0103")
    assert g.reload()
    crl.write_bytes(old)
    g.write(with_lists(pki, backend, crl, **{"unsafe-rollback": True}))
    assert g.reload()
    with connect(g, pki, "bad") as client:
        client.ask()


def short_lived(pki, path, seconds):
    openssl("ca", "-config", pki.issuer.config, "-cert", pki.issuer.cert, "-keyfile",
            pki.issuer.pair.key, "-gencrl", "-crlsec", seconds, "-out", path)
    return path


def test_a_list_is_told_of_before_it_is_stale_and_then(gateway, pki, backend, tmp_path):
    crl = short_lived(pki, tmp_path / "a.crl", 8)
    g = gateway(with_lists(pki, backend, crl))
    with connect(g, pki) as client:
        client.ask()
        lists = g.status()["trust"][0]["lists"]
        assert len(lists) == 1 and lists[0]["crl_entries"] == 0 and lists[0]["crl_used"]
        life = lists[0]["crl_next_update_timestamp_seconds"] - \
            lists[0]["crl_this_update_timestamp_seconds"]
        assert life == 8 and not lists[0]["crl_stale"]
        soon = g.event("crl_stale_soon")
        assert "Issuer" in soon["msg"] and "nobody it speaks of is let in" in soon["msg"]
        assert g.events("crl_stale") == []
        assert g.event("crl_stale")
        assert g.status()["trust"][0]["lists"][0]["crl_stale"]
    refused(g.address(), client_context(pki, pki.client()))
    assert g.end(reason="crl_stale")


@pytest.mark.parametrize("change", [garbage, wrong_key])
def test_it_does_not_start_with_a_bad_list(gateway, pki, backend, tmp_path, change):
    crl = tmp_path / "a.crl"
    change(pki, crl)
    g = gateway(with_lists(pki, backend, crl), expect_failure=True)
    assert g.status != 0 and "a.crl" in g.text()
