# SPDX-License-Identifier: Apache-2.0
"""The self-test of a configuration before it is used: certificates that work, that work for nobody,
and processes that end in the middle of it."""
import os
import shutil
import signal
import subprocess
import time

from gateway import inbound
from net import TlsClient, client_context, until
from pki import KEYS

# parameters that are no signature scheme of TLS: a good key by every other measure
KEYS.setdefault("rsa-pss-224", ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048",
                                "-pkeyopt", "rsa_pss_keygen_md:sha224", "-pkeyopt",
                                "rsa_pss_keygen_mgf1_md:sha224"])
KEYS.setdefault("ec-p521", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"])


def ask(g, pki, **more):
    with TlsClient(g.address(), client_context(pki, pki.client(), **more)) as client:
        client.ask()
        return client.tls.version()


def presenting(pki, backend, pair, **more):
    return inbound(pki, backend, server=pair, **more)


def directory(path, pki, pair, ca=None):
    """As Kubernetes has it."""
    path.mkdir()
    shutil.copy(pair.chain, path / "tls.crt")
    shutil.copy(pair.key, path / "tls.key")
    if ca is not None:
        shutil.copy(ca.cert, path / "ca.crt")
    return str(path)


def refuses(g, mutual, pki, config, code, *words):
    """The reload is refused, the old world goes on, status and check say the same. `code` is
    check's, who has the key."""
    before = len(g.events("reload_refused"))
    g.write(config)
    checked = subprocess.run([mutual, "check", str(g.config)], capture_output=True, text=True,
                             timeout=30)
    assert checked.returncode != 0 and code in checked.stderr, checked.stderr
    assert not g.reload()
    line = g.events("reload_refused")[before]
    status = g.status()
    assert status["reload"]["ok"] is False and status["alarm"]
    for word in words:
        assert word in checked.stderr, checked.stderr
        assert word in str(line) or word in g.text(), g.text()
    assert line["hint"]
    ask(g, pki)
    return line


def test_every_kind_of_key_that_works(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    for kind in ("rsa-2048", "rsa-pss", "ed25519", "ec-p384", "ec-p521"):
        pair = pki.server("key-" + kind, key=kind)
        g.write(presenting(pki, backend, pair))
        assert g.reload(), g.text()
        assert ask(g, pki) == "TLSv1.3"
        # OpenSSL's own client: Python's takes no Ed25519 by its list for 1.2
        host, port = g.address().rsplit(":", 1)
        out = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2",
                              "-CAfile", pki.bundle, "-cert", pki.client().chain, "-cert_chain",
                              pki.client().chain, "-key", pki.client().key, "-verify_return_error"],
                             input=b"", capture_output=True, timeout=20).stdout.decode()
        assert "Verify return code: 0 (ok)" in out and "TLSv1.2" in out, out
    assert not g.events("certificate_warning") and not g.events("reload_refused")


def test_a_key_that_no_peer_can_verify(gateway, mutual, pki, backend):
    g = gateway(inbound(pki, backend))
    pair = pki.server("useless", key="rsa-pss-224", digest="sha224")
    line = refuses(g, mutual, pki, presenting(pki, backend, pair), "NO_SHARED_SIGNATURE",
                   "self-test", str(pair.chain), '"db"', "TLS 1.3")
    assert "KEY_UNSUPPORTED" in line["detail"] and "db" in line["where"]
    assert ", in step " in line["where"]
    g.write(inbound(pki, backend))
    assert g.reload()
    assert not g.status()["alarm"]
    for more in ({}, {"tls": {"min": "1.3"}}):
        config = presenting(pki, backend, pair, **more)
        dead = gateway(config, name="never", expect_failure=True)
        assert dead.status == 65 and "KEY_UNSUPPORTED" in dead.text()
        os.unlink(dead.log_path)


def test_an_outbound_key_that_no_peer_can_verify(gateway, mutual, pki, backend):
    config = inbound(pki, backend)
    g = gateway(config)
    pair = pki.client("useless-client", key="rsa-pss-224", digest="sha224")
    config["outbound"] = [{"name": "up", "listen": "127.0.0.1:0", "connect": "127.0.0.1:9",
                           "trust": "corp", "expect": [{"dns": "localhost"}],
                           "certificate": {"chain": str(pair.chain), "key": str(pair.key)}}]
    refuses(g, mutual, pki, config, "self-test", str(pair.chain), '"up"')
    good = pki.client("useful-client", key="ed25519")
    config["outbound"][0]["certificate"] = {"chain": str(good.chain), "key": str(good.key)}
    g.write(config)
    assert g.reload(), g.text()


USAGE = ["basicConstraints=CA:FALSE", "authorityKeyIdentifier=keyid",
         "extendedKeyUsage=serverAuth", "subjectAltName=DNS:localhost,IP:127.0.0.1"]


def test_a_key_usage_that_forbids_to_sign(gateway, mutual, pki, backend):
    g = gateway(inbound(pki, backend))
    pair = pki.server("mute", extensions=[*USAGE, "keyUsage=critical,keyAgreement"])
    refuses(g, mutual, pki, presenting(pki, backend, pair), "KEY_USAGE_WRONG", "digitalSignature")


def test_chains_that_lead_elsewhere(gateway, mutual, pki, backend, tmp_path):
    g = gateway(inbound(pki, backend))
    pair = pki.server()
    # another intermediate behind it, and nobody here knows its issuer
    wrong = pki.stranger.directory / "wrong.pem"
    wrong.write_text(pair.cert.read_text() + pki.stranger.cert.read_text())
    config = presenting(pki, backend, pair)
    config["trust"].append({"name": "others", "bundle": str(pki.stranger.cert)})
    config["inbound"][0]["certificate"]["chain"] = str(wrong)
    refuses(g, mutual, pki, config, "CHAIN_INCOMPLETE", str(wrong), "issued it")
    # the authority beside it is another's
    config = presenting(pki, backend, pair)
    config["inbound"][0]["certificate"] = directory(tmp_path / "mixed", pki, pair, pki.stranger)
    refuses(g, mutual, pki, config, "CHAIN_INCOMPLETE", "mixed/ca.crt", "mixed/tls.crt")
    config["inbound"][0]["certificate"] = directory(tmp_path / "whole", pki, pair, pki.root)
    g.write(config)
    assert g.reload(), g.text()


def test_what_time_will_mend_or_did_end_is_a_warning(gateway, pki, backend):
    """The certificate that serves ends just as well: refusing would change nothing for it, and stop
    every other change."""
    g = gateway(inbound(pki, backend))
    for name, days in (("server-early", (2, 30)), ("server-late", (-9, -1))):
        g.write(presenting(pki, backend, pki.server(name, days=days)))
        assert g.reload(), g.text()
    assert any("CERT_EXPIRED" in str(line) or "expired" in str(line) for line in g.lines())


def test_what_was_tried_is_not_tried_again(gateway, pki, backend):
    """A change of the policy waits for no signature: it goes through with the key process asleep."""
    config = inbound(pki, backend)
    g = gateway(config)
    keys = g.pids("keys")[0]
    os.kill(keys, signal.SIGSTOP)
    try:
        config["policy"][0]["why"] = "another"
        g.write(config)
        assert g.reload()
    finally:
        os.kill(keys, signal.SIGCONT)


def stuck_reload(g, config):
    """A reload that waits for a signature: the settings are others, the key is there already."""
    keys = g.pids("keys")[0]
    os.kill(keys, signal.SIGSTOP)
    config["inbound"][0]["alpn"] = ["h2"]
    g.write(config)
    g.signal(signal.SIGHUP)
    time.sleep(0.7)
    assert not g.events("reloaded") and not g.events("reload_refused")
    return keys


def test_the_key_process_ends_in_the_middle(gateway, pki, backend):
    config = inbound(pki, backend)
    g = gateway(config)
    keys = stuck_reload(g, config)
    os.kill(keys, signal.SIGKILL)
    line = g.event("reload_refused", seconds=5)
    assert "key process ended while the certificates were tried" in str(line)
    until(lambda: all(p.get("ready", True) for p in g.status()["processes"]))
    ask(g, pki)
    assert g.reload(), g.text()  # with its replacement


def test_the_key_process_does_not_answer(gateway, pki, backend):
    config = inbound(pki, backend)
    g = gateway(config)
    keys = stuck_reload(g, config)
    try:
        line = g.event("reload_refused", seconds=20)
        assert "KEY_UNAVAILABLE" in str(line) and str(pki.server().chain) in str(line)
    finally:
        os.kill(keys, signal.SIGCONT)
    ask(g, pki)
    assert g.reload(), g.text()


def test_the_worker_ends_in_the_middle(gateway, pki, backend):
    """Once is nobody's fault, twice may be the certificate's."""
    config = inbound(pki, backend)
    g = gateway(config)
    first = g.pids("worker")
    keys = stuck_reload(g, config)
    try:
        os.kill(first[0], signal.SIGKILL)
        second = until(lambda: [p for p in g.pids("worker") if p not in first and p > 0], 10)
        time.sleep(0.7)
        assert not g.events("reload_refused")
        os.kill(second[0], signal.SIGKILL)
        line = g.event("reload_refused", seconds=10)
        assert "worker ended while the certificates were tried" in str(line)
    finally:
        os.kill(keys, signal.SIGCONT)
    until(lambda: all(p.get("ready", True) for p in g.status()["processes"]))
    ask(g, pki)
    assert g.reload(), g.text()


def test_many_that_share_one(gateway, pki, backend):
    """Three hundred listeners, one certificate: one trial, and what was open goes on meanwhile."""
    config = inbound(pki, backend)
    g = gateway(config)
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
        for i in range(300):
            config["inbound"].append({**config["inbound"][0], "name": f"db{i}"})
        g.write(config)
        assert g.reload()
        client.ask(b"goes on")
