# SPDX-License-Identifier: Apache-2.0
"""Clients of other makers at our inbound: curl, OpenSSL, GnuTLS, NSS and Python's ssl, each with
certificates of our authority, in both versions of TLS and with every type of key. What the client
says is checked, and what the gateway logs."""
import re

import pytest
from gateway import Gateway
from net import Backend, until
from peers import House, answer, need, run
from stacks import CURL, GNUTLS, NSS, OPENSSL, REQUEST, STACKS

VERSIONS = ("1.2", "1.3")
KEYS = ("ec-p256", "ec-p384", "rsa-2048", "ed25519")
EVERYBODY = [pytest.param(stack, version, id=f"{stack}-{version}")
             for stack in STACKS for version in VERSIONS]


class Field:
    """One gateway for all: a listener for each type of key, and one for each other manner."""

    def __init__(self, mutual, directory, backend):
        self.house = House(mutual, directory / "house")
        self.namesake = House(mutual, directory / "namesake")  # all names the same, other keys
        self.stranger = House(mutual, directory / "stranger", "example.com")
        self.seen = 0
        inbound = [self.listener(backend, key, self.house.server(f"gw-{key}", key)) for key in KEYS]
        inbound.append(self.listener(backend, "rsa-pss", self.house.pss(
            "gw-rsa-pss", "--dns", "localhost", "--ip", "127.0.0.1")))
        inbound.append(self.listener(backend, "plain", self.house.server("gw-ec-p256"),
                                     clients={"mode": "none"}))
        inbound.append(self.listener(backend, "either", self.house.server("gw-ed25519"),
                                     self.house.server("gw-rsa-2048")))
        inbound.append(self.listener(backend, "strict", self.house.server("gw-ec-p256"),
                                     tls={"strict-sni": True}))
        self.gateway = Gateway(mutual, directory, {
            "version": 1, "workers": 1,
            "trust": [{"name": "corp", "bundle": str(self.house.bundle)}],
            "inbound": inbound,
            "policy": [{"grant": grant, "to": "*", "from": [{"spiffe": pattern}], "owner": "tests",
                        "why": "testing"} for grant, pattern in
                       (("programs", "spiffe://example.org/*"),
                        ("people", "spiffe://example.org/user/*"))]})

    @staticmethod
    def listener(backend, name, *certificates, **more):
        return {"name": name, "listen": "127.0.0.1:0", "forward": backend.address,
                "certificate": [{"chain": str(one.chain), "key": str(one.key)}
                                for one in certificates],
                "clients": {"mode": "require", "trust": "corp"}, "alpn": ["http/1.1"], **more}

    def port(self, listener):
        return self.gateway.address(listener).rsplit(":", 1)[1]

    def who(self, stack, key="ec-p256", house=None, **more):
        """Somebody with a key of that type, in the form that this client wants; the identity."""
        house = house or self.house
        if stack is NSS:
            return house.person(f"person-{key}", key, **more), \
                f"spiffe://{house.domain}/user/person-{key}"
        return house.client(f"client-{key}", key), f"spiffe://{house.domain}/client-{key}"

    def tell(self, count=1):
        """The lines of the connections since the last call."""
        lines = until(lambda: self.gateway.ends()[self.seen:][count - 1:] and
                      self.gateway.ends()[self.seen:])
        self.seen += len(lines)
        assert len(lines) == count, lines
        return lines

    def fetch(self, stack, listener, version, pair=None, bundle=None, **more):
        """What the client said, and the line of its connection."""
        stack.need()
        said = stack.fetch(self.port(listener), version, bundle or self.house.bundle, pair, **more)
        return said, self.tell(2 if more.get("twice") else 1)[-1]


@pytest.fixture(scope="module")
def field(mutual, tmp_path_factory):
    with Backend(answer) as backend:
        field = Field(mutual, tmp_path_factory.mktemp("field"), backend)
        field.gateway.start()
        yield field
        field.gateway.stop()


def admitted(line, version, identity, rule):
    assert line["outcome"] == "admitted" and line["decision"] == "allowed", line
    assert line["tls.version"] == f"TLS {version}"
    assert line["tls.mutual"] is True
    assert line["peer.id"] == identity
    assert line["rule"] == rule and line["step"] == "data"
    assert line["bytes_in"] >= len(REQUEST) and line["bytes_out"] > len("hello from behind")


def refused(line, version, reason):
    assert line["outcome"] == "refused" and line["reason"] == reason, line
    assert line["tls.version"] == f"TLS {version}"
    assert line["bytes_in"] == 0 and line["bytes_out"] == 0
    assert line["detail"]


# -- who may come in ------------------------------------------------------------------------------


@pytest.mark.parametrize("key,stack,version", [
    pytest.param(key, stack, version, id=f"{stack}-{version}-{key}")
    for stack in STACKS for version in VERSIONS for key in stack.keys])
def test_every_client_version_and_type_of_key(field, stack, version, key):
    need(*stack.programs)
    pair, identity = field.who(stack, key)
    said, line = field.fetch(stack, key, version, pair)
    assert said.good, said.text
    assert stack.spoke(version) in said.text
    admitted(line, version, identity, "people" if "/user/" in identity else "programs")
    assert line["tls.sni"] == "localhost" and line["tls.resumed"] is False
    if version == "1.2":
        assert ("ECDHE_RSA" if key == "rsa-2048" else "ECDHE_ECDSA") in line["tls.cipher"]


def test_curl_as_the_user_types_it(mutual, field, tmp_path):
    """The README's configuration, the certificate's directory, and curl without further options."""
    need("curl")
    server, henry = field.house.server("gw-ec-p256"), field.house.client("henry", profile="user")
    with Backend(answer) as backend:
        gateway = Gateway(mutual, tmp_path, f"""
version: 1
trust:
  - {{name: corp, bundle: {field.house.bundle}}}
inbound:
  - name: customer-db
    listen: 127.0.0.1:0
    forward: {backend.address}
    certificate: {server.directory}
    clients: {{mode: require, trust: corp}}
policy:
  - grant: hr-reads
    to: customer-db
    from: [{{spiffe: "spiffe://example.org/user/henry"}}]
    until: 2099-01-01
    owner: hr-platform
    why: HR-1234
""")
        gateway.start()
        try:
            port = gateway.address().rsplit(":", 1)[1]
            done = run("curl", "-sS", "--cacert", henry.directory / "ca.crt", "--cert", henry.chain,
                       "--key", henry.key, f"https://localhost:{port}/hello")
            assert done.stdout == "hello from behind\n"
            admitted(gateway.end(outcome="admitted"), "1.3", "spiffe://example.org/user/henry",
                     "hr-reads")
        finally:
            gateway.stop()


def test_curl_fetches_much_and_reuses_its_connection(field):
    need("curl")
    pair, _ = field.who(CURL)
    url = f"https://localhost:{field.port('ec-p256')}/size/5000000"
    done = run("curl", "-sS", "--cacert", field.house.bundle, "--cert", pair.chain, "--key",
               pair.key, "-w", "%{num_connects} %{size_download}\n", "-o", "/dev/null", url, "-o",
               "/dev/null", url)
    assert done.stdout == "1 5000000\n0 5000000\n"
    assert field.tell()[0]["bytes_out"] > 10_000_000


@pytest.mark.parametrize("consumer", ["modern", "apple", "windows", "android"])
def test_nss_imports_the_pkcs12_file(field, consumer):
    person = field.house.person(f"person-for-{consumer}", consumer=consumer)
    said, line = field.fetch(NSS, "ec-p256", "1.3", person)
    assert said.good, said.text
    admitted(line, "1.3", f"spiffe://example.org/user/person-for-{consumer}", "people")


@pytest.mark.parametrize("consumer", ["modern", "windows"])
def test_curl_takes_the_pkcs12_file(field, consumer):
    """Those for Apple and Android have a form that OpenSSL 3 opens by its legacy provider only."""
    need("curl")
    person = field.house.person(f"person-for-{consumer}", consumer=consumer)
    done = run("curl", "-sS", "--cacert", field.house.bundle, "--cert-type", "P12", "--cert",
               f"{person.p12}:{person.password.read_text().strip()}",
               f"https://localhost:{field.port('ec-p256')}/hello")
    assert done.stdout == "hello from behind\n"
    admitted(field.tell()[0], "1.3", f"spiffe://example.org/user/person-for-{consumer}", "people")


# -- signatures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm,word", [("rsa_pss_rsae_sha256", "RSA-PSS"),
                                            ("RSA+SHA256", "RSA")])
def test_an_rsa_key_signs_in_tls_12_as_the_client_asks(field, algorithm, word):
    pair, identity = field.who(OPENSSL, "rsa-2048")
    said, line = field.fetch(OPENSSL, "rsa-2048", "1.2", pair, more=["-sigalgs", algorithm])
    assert said.good and f"Peer signature type: {word}\n" in said.text, said.text
    admitted(line, "1.2", identity, "programs")


def test_an_rsa_key_signs_with_pss_for_gnutls_and_nss(field):
    stack = GNUTLS
    pair, identity = field.who(stack, "rsa-2048")
    for version in VERSIONS:
        said, line = field.fetch(stack, "rsa-2048", version, pair,
                                 more=":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SHA256"
                                      ":+SIGN-ECDSA-SHA384")
        assert said.good and "(RSA-PSS-RSAE-SHA256)" in said.text, said.text
        admitted(line, version, identity, "programs")
    stack = NSS
    pair, identity = field.who(stack, "rsa-2048")
    said, line = field.fetch(stack, "rsa-2048", "1.2", pair,
                             more=["-J", "rsa_pss_rsae_sha256,ecdsa_secp256r1_sha256"])
    assert said.good, said.text
    admitted(line, "1.2", identity, "people")


@pytest.mark.parametrize("stack,version", [case for case in EVERYBODY
                                           if case.values[0] is not NSS])
def test_clients_whose_keys_are_restricted_to_pss(field, stack, version):
    pair = field.house.pss("client-pss", "--profile", "client")
    said, line = field.fetch(stack, "rsa-2048", version, pair)
    assert said.good, said.text
    admitted(line, version, "spiffe://example.org/client-pss", "programs")


@pytest.mark.parametrize("stack,version", [case for case in EVERYBODY
                                           if case.values[0] is not NSS])
def test_a_server_whose_key_is_restricted_to_pss(field, stack, version):
    """The key process makes the signatures of such a key, too."""
    pair, identity = field.who(stack)
    said, line = field.fetch(stack, "rsa-pss", version, pair)
    assert said.good and stack.spoke(version) in said.text, said.text
    admitted(line, version, identity, "programs")


def test_nss_knows_no_ed25519_and_is_served_with_another_key(field):
    stack = NSS
    stack.need()
    pair, identity = field.who(stack, "ec-p256")
    said, line = field.fetch(stack, "ed25519", "1.3", pair)
    assert "SSL_ERROR_NO_CYPHER_OVERLAP" in said.text
    refused({**line, "tls.version": "TLS 1.3"}, "1.3", "no_shared_signature")
    said, line = field.fetch(stack, "either", "1.3", pair)
    assert said.good and "CN=gw-rsa-2048" in said.text, said.text
    admitted(line, "1.3", identity, "people")
    said, line = field.fetch(OPENSSL, "either", "1.3", field.who(OPENSSL)[0])
    assert said.good and "Server public key is 256 bit" in said.text, said.text


# -- who is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_without_a_certificate(field, stack, version):
    said, line = field.fetch(stack, "ec-p256", version)
    assert not said.good
    assert re.search(stack.alert[f"none/{version}"], said.text, re.I), said.text
    refused(line, version, "no_client_cert")
    assert line["peer.id"] is None and line["step"] == "client_cert"


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_a_namesake_of_our_authority(field, stack, version):
    """Every name is right; only the signature is not."""
    stack.need()
    pair, _ = field.who(stack, house=field.namesake)
    said, line = field.fetch(stack, "ec-p256", version, pair)
    assert not said.good
    assert re.search(stack.alert["namesake"], said.text, re.I), said.text
    refused(line, version, "bad_signature")


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_a_certificate_of_a_stranger(field, stack, version):
    stack.need()
    pair, _ = field.who(stack, house=field.stranger)
    said, line = field.fetch(stack, "ec-p256", version, pair)
    assert not said.good
    assert re.search(stack.alert["stranger"], said.text, re.I), said.text
    refused(line, version, "unknown_issuer")


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_an_identity_without_a_grant(field, stack, version):
    stack.need()
    if stack is NSS:
        pair = field.house.issue("lorry", "--profile", "device", "--p12", "--password-file",
                                 field.house.password)
    else:
        pair = field.house.client("van", profile="device")
    said, line = field.fetch(stack, "ec-p256", version, pair)
    assert not said.good and "HTTP/1.1 200" not in said.text
    refused(line, version, "policy_denied")
    assert line["peer.id"] == f"spiffe://example.org/device/{pair.directory.name}"
    assert line["rule"] is None


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_a_client_that_does_not_believe_us(field, stack, version):
    """The log tells that it was the client who refused, and with which words."""
    said, line = field.fetch(stack, "ec-p256", version, bundle=field.stranger.bundle)
    assert not said.good
    assert re.search(stack.distrust, said.text), said.text
    refused(line, version, "peer_alert")
    assert line["step"] == "server_check"
    assert re.search('"gw-ec-p256": (unknown_ca|bad_certificate)', line["detail"])


# -- what is agreed on ----------------------------------------------------------------------------


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_plain_tls_is_told_apart(field, stack, version):
    said, line = field.fetch(stack, "plain", version)
    assert said.good, said.text
    assert line["outcome"] == "admitted" and line["tls.mutual"] is False
    assert line["peer.id"] is None and line["rule"] is None


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_sessions_are_resumed(field, stack, version):
    stack.need()
    pair, identity = field.who(stack)
    said, line = field.fetch(stack, "ec-p256", version, pair, twice=True)
    assert said.good, said.text
    assert line["tls.resumed"] is True
    admitted(line, version, identity, "people" if "/user/" in identity else "programs")


@pytest.mark.parametrize("stack,version", [case for case in EVERYBODY
                                           if case.values[0] is not NSS])
def test_application_protocols(field, stack, version):
    """tstclnt offers none; curl offers what it speaks."""
    stack.need()
    pair, _ = field.who(stack)
    more = {} if stack is CURL else {"alpn": "http/1.1"}
    said, line = field.fetch(stack, "ec-p256", version, pair, **more)
    assert said.good and line["tls.alpn"] == "http/1.1"
    other = "http/1.0" if stack is CURL else "irc"
    said, line = field.fetch(stack, "ec-p256", version, pair, alpn=other)
    assert not said.good
    assert re.search("no.(supported )?application.protocol", said.text, re.I), said.text
    assert line["reason"] == "alpn_mismatch" and f'"{other}"' in line["detail"]


@pytest.mark.parametrize("stack,version", EVERYBODY)
def test_names_that_are_not_ours(field, stack, version):
    """A strict listener refuses; others present what they have, and the client refuses."""
    stack.need()
    pair, _ = field.who(stack)
    said, line = field.fetch(stack, "strict", version, pair, name="elsewhere.example.org")
    assert not said.good
    assert re.search("unrecognized.name|not recognized", said.text, re.I), said.text
    assert line["outcome"] == "refused" and line["tls.sni"] == "elsewhere.example.org"
    if stack is not NSS:  # tstclnt checks its -h, not its -a
        said, line = field.fetch(stack, "ec-p256", version, pair, name="elsewhere.example.org")
        assert not said.good and line["tls.sni"] == "elsewhere.example.org"
        assert re.search("elsewhere|mismatch|does not match", said.text, re.I), said.text
