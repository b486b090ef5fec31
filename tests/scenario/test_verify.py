# SPDX-License-Identifier: Apache-2.0
"""mutual verify on the files of an authority: the path, or the one check that fails."""
import json
import subprocess

import pytest


@pytest.fixture(scope="module")
def house(mutual, tmp_path_factory):
    """An authority with a good server and a revoked one."""
    place = tmp_path_factory.mktemp("verify")

    def run(*words):
        subprocess.run([mutual, *words], check=True, cwd=place, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    run("init", "example.org", "--dir", "ca")
    run("issue", "web", "--dir", "ca", "--profile", "server", "--out", "tls")
    run("issue", "old", "--dir", "ca", "--profile", "server", "--out", "tls")
    run("revoke", "old", "--dir", "ca", "--reason", "key-compromise")
    return place


def verify(mutual, house, *words, data=None):
    done = subprocess.run([mutual, "verify", *words], cwd=house, input=data, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


WEB = ["tls/web/tls.crt", "--ca", "tls/web/ca.crt", "--purpose", "server"]
OLD = ["tls/old/tls.crt", "--ca", "tls/old/ca.crt", "--purpose", "server"]
LIST = ["--crl", "ca/authority/issuer.crl"]


def test_good(mutual, house):
    status, out, err = verify(mutual, house, *WEB, *LIST, "--name", "dns:web.example.org")
    assert (status, err) == (0, "")
    assert out.startswith("good     web\npath     1  CN=web")
    assert "example.org root,O=example.org (in the bundle)" in out
    assert "nobody on the path is listed" in out
    status, out, _ = verify(mutual, house, *WEB, "--json", "--name", "spiffe://example.org/web")
    answer = json.loads(out)
    assert status == 0 and answer["good"] and len(answer["path"]) == 3


@pytest.mark.parametrize("words, code", [
    (WEB[:3], "PURPOSE_WRONG"),
    (WEB + ["--name", "dns:mail.example.org"], "NAME_MISMATCH"),
    (WEB + ["--at", "2040-01-01"], "CERT_EXPIRED"),
    (WEB + ["--at", "2020-01-01"], "CERT_NOT_YET_VALID"),
    (WEB + ["--require-crl"], "CRL_MISSING"),
    (OLD + LIST, "CERT_REVOKED"),
])
def test_refused(mutual, house, words, code):
    status, out, _ = verify(mutual, house, *words)
    assert status == 1 and out.startswith(f"refused  {code}: ")
    status, out, _ = verify(mutual, house, *words, "--json")
    assert status == 1 and json.loads(out)["code"] == code


def test_standard_input(mutual, house):
    chain = (house / "tls/web/tls.crt").read_text()
    status, out, _ = verify(mutual, house, "-", *WEB[1:], data=chain)
    assert status == 0 and out.startswith("good")


def test_not_a_suite(mutual, house):
    status, _, err = verify(mutual, house, "--limbo", data="{}")
    assert status == 65 and "ENCODING_MALFORMED" in err
