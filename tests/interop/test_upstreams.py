# SPDX-License-Identifier: Apache-2.0
"""Servers of other makers at the far end of our outbound: OpenSSL, GnuTLS, NSS, nginx and HAProxy,
in both versions of TLS and with every type of key. A local program speaks in the clear; who we are
is what the server says it saw."""
import contextlib
import re

import pytest
from gateway import Gateway
from net import free_port, say, until
from peers import House, haproxy, listens, need, nginx, run, running

VERSIONS = ("1.2", "1.3")
KEYS = ("ec-p256", "ec-p384", "rsa-2048", "ed25519")
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


class Server:
    """A kind of server; `start` runs one that wants certificates of `believed`, or none."""
    programs = ()
    keys = KEYS

    def __repr__(self):
        return type(self).__name__.lower()


class Openssl(Server):
    programs = ("openssl",)
    saw = "CN={}"

    def start(self, home, port, version, pair, believed):
        home.mkdir()
        wants = ["-Verify", "3", "-verify_return_error", "-CAfile", believed] if believed else []
        return running(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pair.chain,
                        "-cert_chain", pair.chain, "-key", pair.key, "-www",
                        "-" + {"1.2": "tls1_2", "1.3": "tls1_3"}[version], *wants], listens(port),
                       log=home / "output")


class Gnutls(Server):
    programs = ("gnutls-serv",)
    saw = "CN={}"

    def start(self, home, port, version, pair, believed):
        home.mkdir()
        wants = ["--require-client-cert", "--verify-client-cert", "--x509cafile", believed] \
            if believed else ["--disable-client-cert"]
        return running(["gnutls-serv", "-p", port, "--x509certfile", pair.chain, "--x509keyfile",
                        pair.key, "--http", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                        *wants], listens(port), log=home / "output")


class Nss(Server):
    programs = ("selfserv", "certutil", "pk12util", "openssl")
    keys = ("ec-p256", "ec-p384", "rsa-2048")  # it knows no Ed25519
    saw = None  # it tells its log instead

    def start(self, home, port, version, pair, believed):
        home.mkdir()
        store, p12, name = f"sql:{home}", home / "pair.p12", pair.directory.name
        run("certutil", "-N", "-d", store, "--empty-password")
        if believed:
            run("certutil", "-A", "-d", store, "-n", "root", "-t", "CT,,", "-i", believed)
        run("openssl", "pkcs12", "-export", "-in", pair.chain, "-inkey", pair.key, "-out", p12,
            "-passout", "pass:x", "-name", name)
        run("pk12util", "-i", p12, "-d", store, "-W", "x")
        key = ["-e", name] if pair.directory.name.count("-ec-") else ["-n", name]
        return running(["selfserv", "-p", port, "-d", store, *key, "-v", "-V",
                        f"tls{version}:tls{version}", *(["-rr"] if believed else [])],
                       listens(port), log=home / "output")


class Nginx(Server):
    programs = ("nginx",)
    saw = "CN={}"

    def start(self, home, port, version, pair, believed):
        wants = f"ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate {believed};" \
            if believed else ""
        return nginx(home, port, f"""
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pair.chain}; ssl_certificate_key {pair.key};
        ssl_protocols TLSv{version}; {wants}
        location / {{ return 200 "$ssl_protocol saw $ssl_client_verify $ssl_client_s_dn\\n"; }}
    }}""")


class Haproxy(Server):
    programs = ("haproxy",)
    saw = "CN={}"

    def start(self, home, port, version, pair, believed):
        both = home.with_suffix(".pem")
        both.write_text(pair.chain.read_text() + pair.key.read_text())
        wants = f"verify required ca-file {believed}" if believed else ""
        return haproxy(home, port, f"""
frontend tls
    bind 127.0.0.1:{port} ssl crt {both} ssl-min-ver TLSv{version} ssl-max-ver TLSv{version} {wants}
    http-request return status 200 content-type text/plain lf-string "saw CN=%[ssl_c_s_dn(cn)]"
""")


SERVERS = (Openssl(), Gnutls(), Nss(), Nginx(), Haproxy())
EVERY = [pytest.param(server, version, id=f"{server}-{version}")
         for server in SERVERS for version in VERSIONS]


class Field:
    """One gateway with an outbound for each of our keys; all lead to the server of the test."""

    def __init__(self, mutual, directory):
        self.directory = directory
        self.house = House(mutual, directory / "house")
        self.namesake = House(mutual, directory / "namesake")
        self.port = free_port()
        self.homes = 0
        self.gateway = Gateway(mutual, directory, {
            "version": 1, "workers": 1,
            "trust": [{"name": "corp", "bundle": str(self.house.bundle)}],
            "outbound": [*(self.outbound(key, self.house.client(f"client-{key}", key))
                           for key in KEYS),
                         self.outbound("elsewhere", self.house.client("client-ec-p256"),
                                       "elsewhere.example.org")]})

    def outbound(self, name, pair, expect="localhost"):
        return {"name": name, "listen": "127.0.0.1:0", "connect": f"127.0.0.1:{self.port}",
                "server-name": "localhost", "trust": "corp",
                "certificate": {"chain": str(pair.chain), "key": str(pair.key)},
                "expect": [{"dns": expect}]}

    @contextlib.contextmanager
    def serve(self, server, version, pair, believed):
        need(*server.programs)
        self.homes += 1
        home = self.directory / f"{server}-{self.homes}"
        with server.start(home, self.port, version, pair, believed):
            yield home / "output"

    def ask(self, name):
        """What comes back in the clear, and the line of the connection."""
        seen, got = len(self.gateway.ends()), b""
        with contextlib.suppress(ConnectionError):  # a refusal may be faster than our connect
            got = say(self.gateway.address(name), REQUEST, timeout=20)
        return got.decode(errors="replace"), until(lambda: self.gateway.ends()[seen:])[0]


@pytest.fixture(scope="module")
def field(mutual, tmp_path_factory):
    field = Field(mutual, tmp_path_factory.mktemp("far"))
    field.gateway.start()
    yield field
    field.gateway.stop()


def refused(line, got, reason):
    assert got == "" and line["bytes_in"] == 0, "something passed in the clear"
    assert line["side"] == "outbound" and line["outcome"] != "admitted"
    assert line["reason"] == reason, line


@pytest.mark.parametrize("server,version,key", [
    pytest.param(server, version, key, id=f"{server}-{version}-{key}")
    for server in SERVERS for version in VERSIONS for key in server.keys])
def test_every_server_version_and_type_of_key(field, server, version, key):
    with field.serve(server, version, field.house.server(f"far-{key}", key),
                     field.house.bundle) as log:
        got, line = field.ask(key)
    told = got if server.saw else log.read_text(errors="replace")
    assert (server.saw or "subject DN: CN={},").format(f"client-{key}") in told, told
    assert "HTTP/1." in got and "200" in got
    assert line["outcome"] == "admitted" and line["decision"] == "allowed", line
    assert line["side"] == "outbound" and line["listener"] == key
    assert line["tls.version"] == f"TLS {version}" and line["tls.mutual"] is True
    assert line["peer.id"] == "localhost"
    assert line["bytes_in"] == len(REQUEST) and line["bytes_out"] == len(got)


@pytest.mark.parametrize("server,version", EVERY)
def test_a_server_that_asks_for_nothing_is_told_apart(field, server, version):
    with field.serve(server, version, field.house.server("far-ec-p256"), None):
        got, line = field.ask("ec-p256")
    assert "client-ec-p256" not in got and "200" in got
    assert line["outcome"] == "admitted" and line["tls.mutual"] is False


@pytest.mark.parametrize("server,version", EVERY)
def test_a_server_of_a_namesake_is_told_nothing(field, server, version):
    with field.serve(server, version, field.namesake.server("far-ec-p256"), None):
        got, line = field.ask("ec-p256")
    refused(line, got, "bad_signature")
    assert line["step"] == "server_check"


@pytest.mark.parametrize("server,version", EVERY)
def test_a_server_of_another_name_is_told_nothing(field, server, version):
    with field.serve(server, version, field.house.server("far-ec-p256"), field.house.bundle):
        got, line = field.ask("elsewhere")
    refused(line, got, "name_mismatch")


@pytest.mark.parametrize("server,version", EVERY)
def test_a_server_that_does_not_believe_us(field, server, version):
    """In TLS 1.3 its refusal comes after our handshake is over; it is told for what it is."""
    with field.serve(server, version, field.house.server("far-ec-p256"), field.namesake.bundle):
        got, line = field.ask("ec-p256")
    if repr(server) == "nginx":  # it tells by HTTP
        assert "400 Bad Request" in got and "SSL certificate error" in got
        assert line["outcome"] == "admitted"
    else:
        assert got == ""
        assert line["outcome"] != "admitted" and line["reason"] == "peer_refused_us", line
        assert re.search("client-ec-p256|our certificate", line["detail"]), line


def test_nothing_listens_there(field):
    got, line = field.ask("ec-p256")
    refused(line, got, "connect_failed")
    assert f"127.0.0.1:{field.port}" in line["detail"]
