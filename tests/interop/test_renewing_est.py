# SPDX-License-Identifier: Apache-2.0
"""From a token to a certificate that renews itself, with our own authority served by the gateway."""
import json
import subprocess

from cryptography import x509
from served import Served


def test_a_token_then_renewals(mutual, gateway, tmp_path):
    served = Served(mutual, gateway, tmp_path)
    served.serve()
    token = served.run("token", "agent", "--profile", "service", "--dns", "agent.example.org",
                       "--url", served.url()).stdout.split()[-1]
    place = tmp_path / "agent"
    done = subprocess.run([mutual, "enroll", token, "--out", place], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    first = x509.load_pem_x509_certificate((place / "tls.crt").read_bytes())
    assert json.loads((place / "enroll.json").read_text())["url"] == served.url()
    again = subprocess.run([mutual, "enroll", "--renew", place], capture_output=True, text=True,
                           timeout=60)
    assert again.returncode == 0 and "not due" in again.stdout, again.stderr
    again = subprocess.run([mutual, "enroll", "--renew", place, "--force"], capture_output=True,
                           text=True, timeout=60)
    assert again.returncode == 0 and "renewed" in again.stdout, again.stderr
    second = x509.load_pem_x509_certificate((place / "tls.crt").read_bytes())
    assert second.serial_number != first.serial_number and second.subject == first.subject
    assert (place / "enroll.json").exists()
