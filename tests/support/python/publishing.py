# SPDX-License-Identifier: Apache-2.0
"""An authority that publishes: issuers' certificates, revocation lists and OCSP over plain HTTP at a port
that its certificates name; and what OpenSSL and curl make of them."""
import shutil
import subprocess

import pytest
from net import free_port
from served import ENV, Served


def run(*command, status=0):
    done = subprocess.run([str(c) for c in command], capture_output=True, env=ENV, timeout=60,
                          check=False)
    if status is not None:
        assert done.returncode == status, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def need(*programs):
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


class Publishing(Served):
    """With a fixed port, which certificates name."""

    def __init__(self, *arguments, authority=None, **more):
        self.plain = free_port()
        self.at = f"http://127.0.0.1:{self.plain}"
        super().__init__(*arguments, authority={"publish-url": self.at, **(authority or {})}, **more)
        self.issuer = self.dir / "authority" / "issuer" / "issuer.crt"

    def config(self):
        config = super().config()
        config["inbound"][1]["listen"] = f"127.0.0.1:{self.plain}"
        return config

    def curl(self, path, *options, status=0):
        done = subprocess.run(["curl", "-sS", "--fail", "--max-time", "20", *options,
                               path if "://" in path else self.at + path],
                              capture_output=True, env=ENV, timeout=60, check=False)
        assert status is None or done.returncode == status, done.stderr
        return done.stdout

    def ocsp(self, cert, *options, status=0):
        return run("openssl", "ocsp", "-url", self.at + "/ocsp", "-issuer", self.issuer,
                   *(["-cert", cert / "tls.crt"] if cert else []), "-CAfile", self.root,
                   "-verify_other", self.issuer, *options, status=status)


def text_of(path):
    return run("openssl", "x509", "-noout", "-text", "-in", path)


def point_of(path):
    return run("openssl", "x509", "-noout", "-ext", "crlDistributionPoints", "-in",
               path).split("URI:")[1].split()[0]


def pem(served, target, path):
    path.with_suffix(".der").write_bytes(served.curl(target))
    run("openssl", "crl", "-inform", "DER", "-in", path.with_suffix(".der"), "-out", path)
    return path


def verify(served, cert, *options, status=0):
    return run("openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", served.root,
               "-untrusted", served.issuer, *options, cert / "tls.crt", status=status)
