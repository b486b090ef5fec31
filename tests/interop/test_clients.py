# SPDX-License-Identifier: Apache-2.0
"""Clients of other makers at our inbound: curl, OpenSSL, GnuTLS, NSS and Python's ssl, each with
certificates of our authority, in both versions of TLS and with every type of key."""
import pytest
from gateway import Gateway
from net import Backend
from peers import House, answer, need, run


@pytest.fixture(scope="module")
def house(mutual, tmp_path_factory):
    return House(mutual, tmp_path_factory.mktemp("house") / "d")


def test_curl_as_the_user_types_it(mutual, house, tmp_path):
    need("curl")
    server, henry = house.server(), house.client("henry")
    with Backend(answer) as backend:
        gateway = Gateway(mutual, tmp_path, f"""
version: 1
workers: 1
trust:
  - {{name: corp, bundle: {house.bundle}}}
inbound:
  - name: web
    listen: 127.0.0.1:0
    forward: {backend.address}
    certificate: {server.directory}
    clients: {{mode: require, trust: corp}}
policy:
  - grant: henry-reads
    to: web
    from: {{spiffe: "spiffe://example.org/henry"}}
    owner: tests
    why: testing
""")
        gateway.start()
        try:
            port = gateway.address().rsplit(":", 1)[1]
            done = run("curl", "-sS", "--cacert", house.bundle, "--cert", henry.chain, "--key",
                       henry.key, f"https://localhost:{port}/hello")
            assert done.stdout == "hello from behind\n"
            line = gateway.end(outcome="admitted")
            assert line["peer.id"] == "spiffe://example.org/henry"
            assert line["rule"] == "henry-reads" and line["tls.version"] == "TLS 1.3"
        finally:
            gateway.stop()
