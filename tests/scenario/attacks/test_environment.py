# SPDX-License-Identifier: Apache-2.0
"""What the environment may not do to a gateway."""
from gateway import inbound
from net import TlsClient, client_context


def test_the_environment_reaches_no_child_and_no_secret_leaves(gateway, pki, backend, tmp_path):
    conf = tmp_path / "openssl.cnf"
    conf.write_text("openssl_conf = i\n[i]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\n"
                    "MinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n")
    secrets = tmp_path / "keylog"
    g = gateway(inbound(pki, backend), env={
        "SSLKEYLOGFILE": str(secrets), "OPENSSL_CONF": str(conf), "OPENSSL_MODULES": str(tmp_path),
        "LD_DEBUG_OUTPUT": str(tmp_path / "ld"), "SECRET": "of the operator"})
    with TlsClient(g.address(), client_context(pki, pki.client())) as client:
        client.ask()
    assert not secrets.exists()
    for role in ("worker", "keys"):
        with open(f"/proc/{g.pids(role)[0]}/environ", "rb") as environ:
            assert environ.read().rstrip(b"\0") == b"TZ=UTC0", role
