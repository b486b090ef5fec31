# SPDX-License-Identifier: Apache-2.0
"""A gateway that cannot start says which thing is wrong and what to do, and ends."""
import json
import os
import socket
import subprocess

import pytest
from gateway import inbound


def start(mutual, directory, config, **more):
    path = directory / "mutual.yaml"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return subprocess.run([mutual, "serve", "-c", str(path), "--control",
                           str(directory / "control.sock")],
                          capture_output=True, text=True, timeout=20, **more)


def file(directory, name, text, mode=0o600):
    path = directory / name
    path.write_text(text)
    path.chmod(mode)
    return path


def with_pair(config, chain, key):
    config["inbound"][0]["certificate"] = {"chain": str(chain), "key": str(key)}
    return config


def unreadable(pki, d):
    """Root reads every file; a directory, not even root."""
    key = d / "sealed.key"
    if os.getuid() == 0:
        key.mkdir()
    else:
        file(d, key.name, pki.server().key.read_text(), 0o000)
    return with_pair(inbound(pki, "127.0.0.1:1"), pki.server().chain, key)


def missing(pki, d):
    return with_pair(inbound(pki, "127.0.0.1:1"), pki.server().chain, d / "absent.key")


def exposed(pki, d):
    return with_pair(inbound(pki, "127.0.0.1:1"), pki.server().chain,
                     file(d, "exposed.key", pki.server().key.read_text(), 0o640))


def mismatched(pki, d):
    return with_pair(inbound(pki, "127.0.0.1:1"), pki.server().chain, pki.client().key)


def garbage_key(pki, d):
    return with_pair(inbound(pki, "127.0.0.1:1"), pki.server().chain,
                     file(d, "garbage.key", "this is no key\n"))


def garbage_chain(pki, d):
    return with_pair(inbound(pki, "127.0.0.1:1"),
                     file(d, "garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                            "-----END CERTIFICATE-----\n"), pki.server().key)


def empty_bundle(pki, d):
    config = inbound(pki, "127.0.0.1:1")
    config["trust"][0]["bundle"] = str(file(d, "empty.pem", "# nothing\n"))
    return config


def expired(pki, d):
    return inbound(pki, "127.0.0.1:1", server=pki.server("expired-server", days=(-20, -1)))


def taken(pki, d):
    config = inbound(pki, "127.0.0.1:1")
    config["inbound"][0]["listen"] = "127.0.0.1:%d" % holder().getsockname()[1]
    return config


def holder():
    if not hasattr(holder, "socket"):
        holder.socket = socket.socket()
        holder.socket.bind(("127.0.0.1", 0))
        holder.socket.listen()
    return holder.socket


def not_ours(pki, d):
    config = inbound(pki, "127.0.0.1:1")
    config["inbound"][0]["listen"] = "192.0.2.1:8443"
    return config


def no_file(pki, d):
    config = inbound(pki, "127.0.0.1:1")
    config["trust"][0]["bundle"] = str(d / "absent.pem")
    return config


def unsafe_listen(pki, d):
    return {"version": 1, "trust": [{"name": "corp", "bundle": str(pki.bundle)}],
            "outbound": [{"name": "out", "listen": "0.0.0.0:0", "connect": "127.0.0.1:1",
                          "trust": "corp", "expect": [{"dns": "localhost"}]}]}


def yaml(pki, d):
    return "version: 1\ninbound:\n  - {name: x\n"


def word(pki, d):
    return {**inbound(pki, "127.0.0.1:1"), "polcy": []}


def no_socket(pki, d):
    config = inbound(pki, "127.0.0.1:1")
    config["inbound"][0]["listen"] = "systemd:absent"
    return config


# What is wrong, the code, the exit status, the thing that is named, and a piece of the remedy.
CASES = [
    (unreadable, ("FILE_UNREADABLE", 74), "sealed.key", "who may read it"),
    (missing, ("FILE_MISSING", 66), "absent.key", "Check the path"),
    (exposed, ("FILE_EXPOSED", 77), "exposed.key", "chmod 600"),
    (mismatched, ("KEY_MISMATCH", 78), "client.key", "Install the pair"),
    (garbage_key, ("PEM_MALFORMED", 65), "garbage.key", "-----BEGIN"),
    (garbage_chain, ("CERT_MALFORMED", 65), "garbage.pem", "from its issuer again"),
    (empty_bundle, ("BUNDLE_EMPTY", 78), "empty.pem", "authorities you trust"),
    (no_file, ("FILE_MISSING", 66), "absent.pem", "Check the path"),
    (taken, ("ADDRESS_IN_USE", 69), "127.0.0.1", "Stop the other program"),
    (not_ours, ("LISTEN_FAILED", 69), "192.0.2.1:8443", "one of this machine"),
    (unsafe_listen, ("LISTEN_UNSAFE", 78), "0.0.0.0", "unsafe-listen: true"),
    (yaml, ("CONFIG_SYNTAX", 78), "mutual.yaml", "end with"),
    (word, ("CONFIG_INVALID", 78), "polcy", 'did you mean "policy"'),
    (no_socket, ("LISTEN_FAILED", 69), "systemd:absent", "socket unit"),
]


@pytest.mark.parametrize("make,told,thing,remedy", CASES, ids=[case[0].__name__ for case in CASES])
def test_it_says_what_is_wrong(mutual, pki, tmp_path, make, told, thing, remedy):
    done = start(mutual, tmp_path, make(pki, tmp_path))
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["code"], done.returncode) == told, done.stderr
    assert last["msg"] == "cannot start"
    assert thing in last["detail"] + (last["where"] or ""), last
    assert remedy in last["hint"], last


def test_an_expired_certificate_is_told_but_served(gateway, pki, backend):
    g = gateway(inbound(pki, backend, server=pki.server("expired-server", days=(-20, -1))))
    assert "expired" in g.text()
    assert g.status()["ok"] is False


def test_no_configuration(mutual, tmp_path):
    done = subprocess.run([mutual, "serve", "-c", str(tmp_path / "none.yaml")],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "none.yaml" in done.stderr
