# SPDX-License-Identifier: Apache-2.0
"""docs/monitoring.md and the rules that it speaks of, against what a gateway says."""
import pathlib
import re
import shutil
import subprocess
import urllib.request

import pytest
from gateway import inbound
from net import TlsClient, client_context, free_port
from pki import Pki

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "examples" / "monitoring" / "mutual.rules.yaml"
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
SUFFIXES = ("_count", "_sum")


@pytest.fixture
def page(gateway, backend, tmp_path):
    """One scrape of a gateway that has everything there is to be told but a staple and a URL."""
    pki = Pki(tmp_path)
    crl = tmp_path / "corp.crl"
    pki.issuer.crl(crl)
    port = free_port()
    config = inbound(pki, backend, trust={
        "intermediates": str(pki.issuer.cert),
        "revocation": {"crl": [str(crl)], "scope": "leaf"}})
    config["status"] = f"127.0.0.1:{port}"
    g = gateway(config)
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
    g.end(bytes_in=5)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def told(page):
    """Every family that is announced, as its samples are called."""
    return set(re.findall(r"^# TYPE (\S+) ", page, re.M))


def test_every_metric_of_the_rules_exists(page):
    used = set(re.findall(r"\bmutual_[a-z_]+", RULES.read_text()))
    assert len(used) > 8 and used <= told(page), used - told(page)


def test_the_document_tells_every_metric_and_no_other(page):
    documented = set(re.findall(r"`(mutual_[a-z_]+)`", PAGE))
    documented |= {name for name in re.findall(r"`(mutual_[a-z_]+)`? \(0", PAGE)}
    assert documented == told(page)


def test_the_document_tells_every_alert():
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    assert alerts == set(re.findall(r"`(Mutual\w+)`", PAGE))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_page_and_the_rules(page):
    done = subprocess.run(["promtool", "check", "metrics"], input=page, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    for verb, name in (("check", "mutual.rules.yaml"), ("test", "mutual.rules.test.yaml")):
        subprocess.run(["promtool", verb, "rules", str(RULES.parent / name)], check=True, timeout=60)
