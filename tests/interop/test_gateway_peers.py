# SPDX-License-Identifier: Apache-2.0
"""Other people's TLS: every client against our gateway, our outbound against every server."""
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from gateway import inbound
from net import TIMEOUT, TlsClient, client_context, free_port, until

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
KEYS = ["ec-p256", "ec-p384", "rsa-2048", "ed25519"]


def need(*programs):
    for program in programs:
        if shutil.which(program) is None and not os.path.exists(f"/usr/sbin/{program}"):
            pytest.skip(f"{program} is not installed")


def run(*args, data=b"", seconds=TIMEOUT, **more):
    return subprocess.run([str(arg) for arg in args], input=data, capture_output=True,
                          timeout=seconds, **more)


class Http:
    """A backend that answers one request in the simplest way."""
    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nanswer"

    def __call__(self, one):
        got = b""
        while b"\r\n\r\n" not in got:
            more = one.recv(4096)
            if not more:
                return
            got += more
        one.sendall(self.ANSWER)


@pytest.fixture
def http():
    from net import Backend
    with Backend(Http()) as backend:
        yield backend


def pair_of(pki, key):
    server = pki.server(f"interop-server-{key}", key=key)
    return server, pki.client(f"interop-client-{key}", key=key)


# -- clients -------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", KEYS)
def test_curl(gateway, pki, http, key, version):
    need("curl")
    server, client = pair_of(pki, key)
    g = gateway(inbound(pki, http, server=server))
    port = g.address().rsplit(":", 1)[1]
    done = run("curl", "-sS", f"--tlsv{version}", "--tls-max", version, "--cacert", pki.bundle,
               "--cert", client.chain, "--key", client.key, f"https://localhost:{port}/",
               "--resolve", f"localhost:{port}:127.0.0.1")
    assert done.stdout == b"answer", done.stderr
    assert g.end(outcome="admitted")["tls.version"] == f"TLS {version}"


def test_curl_without_certificate_is_told(gateway, pki, http):
    need("curl")
    g = gateway(inbound(pki, http))
    port = g.address().rsplit(":", 1)[1]
    done = run("curl", "-sS", "--cacert", pki.bundle, f"https://localhost:{port}/", "--resolve",
               f"localhost:{port}:127.0.0.1")
    assert done.returncode != 0 and b"alert" in done.stderr
    assert g.end(reason="no_client_cert")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", KEYS)
def test_openssl(gateway, pki, backend, key, version):
    server, client = pair_of(pki, key)
    g = gateway(inbound(pki, backend, server=server))
    done = run("openssl", "s_client", "-connect", g.address(), "-servername", "localhost",
               "-CAfile", pki.bundle, "-verify_return_error", "-quiet", "-no_ign_eof",
               f"-tls{version.replace('.', '_')}", "-cert", client.cert, "-cert_chain",
               pki.issuer.cert, "-key", client.key, data=b"hello\n")
    assert b"Verification error" not in done.stderr, done.stderr
    assert g.end(outcome="admitted")["tls.version"] == f"TLS {version}"


def test_openssl_is_told_which_authorities(gateway, pki, backend):
    g = gateway(inbound(pki, backend))
    done = run("openssl", "s_client", "-connect", g.address(), "-CAfile", pki.bundle, data=b"")
    assert b"Acceptable client certificate CA names" in done.stdout
    assert b"CN = Root" in done.stdout


def test_openssl_resumes(gateway, pki, backend, tmp_path):
    client = pki.client()
    g = gateway(inbound(pki, backend))
    args = ["openssl", "s_client", "-connect", g.address(), "-servername", "localhost", "-CAfile",
            pki.bundle, "-cert", client.cert, "-cert_chain", pki.issuer.cert, "-key", client.key]
    for version in ("-tls1_2", "-tls1_3"):
        session = tmp_path / f"session{version}"
        talk(args + [version, "-sess_out", session], b"first\n")
        out = talk(args + [version, "-sess_in", session], b"second\n")
        assert b"Reused" in out, out
    assert [line["tls.resumed"] for line in until(lambda: len(g.ends()) == 4 and g.ends())] == \
        [False, True, False, True]


def talk(args, data):
    """Sends, waits for the echo (so that session tickets have come), ends."""
    process = subprocess.Popen([str(arg) for arg in args], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.set_blocking(process.stdout.fileno(), False)
    process.stdin.write(data)
    process.stdin.flush()
    got = b""

    def echoed():
        nonlocal got
        got += process.stdout.read() or b""
        return data in got
    try:
        until(echoed)
        time.sleep(0.1)
        process.stdin.close()
        process.wait(TIMEOUT)
        return got + (process.stdout.read() or b"")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", KEYS)
def test_gnutls(gateway, pki, backend, key, version):
    need("gnutls-cli")
    server, client = pair_of(pki, key)
    g = gateway(inbound(pki, backend, server=server))
    port = g.address().rsplit(":", 1)[1]
    out = talk(["gnutls-cli", "--port", port, "--x509cafile", pki.bundle, "--x509certfile",
                client.chain, "--x509keyfile", client.key, "--priority",
                f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "--sni-hostname", "localhost",
                "--verify-hostname", "localhost", "127.0.0.1"], b"hello gnutls\n")
    assert b"Handshake was completed" in out, out
    assert g.end(outcome="admitted")["tls.version"] == f"TLS {version}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["ec-p256", "rsa-2048"])
def test_nss(gateway, pki, backend, tmp_path, key, version):
    need("tstclnt", "certutil", "pk12util")
    server, client = pair_of(pki, key)
    g = gateway(inbound(pki, backend, server=server))
    database = f"sql:{tmp_path}"
    assert run("certutil", "-N", "-d", database, "--empty-password").returncode == 0
    assert run("certutil", "-A", "-d", database, "-n", "root", "-t", "C,,", "-i",
               pki.bundle).returncode == 0
    p12 = tmp_path / "client.p12"
    assert run("openssl", "pkcs12", "-export", "-in", client.chain, "-inkey", client.key, "-out",
               p12, "-passout", "pass:word", "-name", "client").returncode == 0
    done = run("pk12util", "-i", p12, "-d", database, "-W", "word")
    assert done.returncode == 0, done.stderr
    port = g.address().rsplit(":", 1)[1]
    process = subprocess.Popen(["tstclnt", "-h", "127.0.0.1", "-p", port, "-a", "localhost", "-d",
                                database, "-n", "client", "-V",
                                f"tls{version}:tls{version}", "-4"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.stdin.write(b"hello nss\n")
        process.stdin.flush()
        until(lambda: g.figures("db")["admitted"] == 1)
        assert process.stdout.read(10) == b"hello nss\n"
    finally:
        process.kill()
        process.wait()
    assert g.end(listener="db")["tls.version"] == f"TLS {version}"


# -- services behind -----------------------------------------------------------------------------

class Daemon:
    """A program that serves until the test is over."""

    def __init__(self, args, port=None, ready=None, **more):
        self.process = subprocess.Popen([str(arg) for arg in args], stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
        self.port = port
        self.ready = ready

    def __enter__(self):
        try:
            until(self.is_up)
        except BaseException:
            self.__exit__()
            raise
        return self

    def is_up(self):
        assert self.process.poll() is None, self.process.stderr.read()
        if self.ready is not None:
            return self.ready()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def test_nginx_behind(gateway, pki, tmp_path):
    need("nginx", "curl")
    port = free_port()
    (tmp_path / "index.html").write_text("from nginx")
    for path in (tmp_path, *tmp_path.parents):
        if str(path).startswith("/tmp/") and path.stat().st_uid == os.getuid():
            path.chmod(path.stat().st_mode | 0o011)
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/err;\n"
        "events {}\nhttp { access_log off; client_body_temp_path t; proxy_temp_path t; "
        "fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n"
        f"server {{ listen 127.0.0.1:{port} proxy_protocol; root {tmp_path};\n"
        "add_header Seen $proxy_protocol_addr; }}\n")
    with Daemon([shutil.which("nginx") or "/usr/sbin/nginx", "-p", tmp_path, "-c", config], port):
        g = gateway(inbound(pki, f"127.0.0.1:{port}", **{"proxy-protocol": "v2"}))
        client, front = pki.client(), g.address().rsplit(":", 1)[1]
        done = run("curl", "-sSi", "--cacert", pki.bundle, "--cert", client.chain, "--key",
                   client.key, f"https://localhost:{front}/", "--resolve",
                   f"localhost:{front}:127.0.0.1")
    assert b"from nginx" in done.stdout and b"Seen: 127.0.0.1" in done.stdout, done


def test_haproxy_reads_the_header(gateway, pki, tmp_path):
    need("haproxy", "curl")
    port = free_port()
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 5s\n"
        f"frontend f\n bind 127.0.0.1:{port} accept-proxy\n"
        " http-request return status 200 content-type text/plain lf-string "
        "\"src=%[src] alpn=%[fc_pp_authority] id=%[fc_pp_unique_id]\"\n")
    with Daemon([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", config], port):
        g = gateway(inbound(pki, f"127.0.0.1:{port}", **{"proxy-protocol": "v2-cert"}))
        client, front = pki.client(), g.address().rsplit(":", 1)[1]
        done = run("curl", "-sS", "--cacert", pki.bundle, "--cert", client.chain, "--key",
                   client.key, f"https://localhost:{front}/", "--resolve",
                   f"localhost:{front}:127.0.0.1")
    assert b"src=127.0.0.1 alpn=localhost id=" in done.stdout, done
    assert not done.stdout.rstrip().endswith(b"id=")


def postgres_directory():
    for version in sorted(os.listdir("/usr/lib/postgresql"), reverse=True) \
            if os.path.isdir("/usr/lib/postgresql") else []:
        found = f"/usr/lib/postgresql/{version}/bin"
        if os.path.exists(f"{found}/initdb"):
            return found
    pytest.skip("PostgreSQL's server is not installed")


def test_postgresql_behind_both(gateway, pki, tmp_path):
    """psql speaks in the clear to our outbound, that mutual TLS to our inbound, that to the server."""
    need("psql")
    programs = postgres_directory()
    port = free_port()
    data = tmp_path / "pg"
    data.mkdir()
    demote = {}
    if os.getuid() == 0:
        import pwd
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("there is no user postgres, and as root the server does not run")
        for path in (tmp_path, *tmp_path.parents):
            if str(path).startswith("/tmp/") and path.stat().st_uid == 0:
                path.chmod(path.stat().st_mode | 0o011)
        os.chown(data, user.pw_uid, user.pw_gid)
        demote = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": data}
    done = run(f"{programs}/initdb", "-D", data, "-U", "tester", "--auth=trust", "-N", seconds=60,
               **demote)
    assert done.returncode == 0, done.stderr
    with Daemon([f"{programs}/postgres", "-D", data, "-p", port, "-k", data, "-c",
                 "listen_addresses=127.0.0.1", "-c", "fsync=off"], port, **demote):
        inner = gateway(inbound(pki, f"127.0.0.1:{port}"), name="inner")
        pair = pki.client()
        outer = gateway({
            "version": 1, "workers": 1,
            "trust": [{"name": "corp", "bundle": str(pki.bundle)}],
            "outbound": [{"name": "db", "listen": "127.0.0.1:0", "connect": inner.address(),
                          "trust": "corp", "server-name": "localhost",
                          "certificate": {"chain": str(pair.chain), "key": str(pair.key)},
                          "expect": [{"dns": "localhost"}]}]}, name="outer")
        host, front = outer.address().rsplit(":", 1)
        sql = "select sum(length(repeat('x', 1000))) from generate_series(1, 2000)"
        for _ in range(2):
            done = run("psql", "-h", host, "-p", front, "-U", "tester", "-d", "postgres", "-At",
                       "-c", sql, env={**os.environ, "PGSSLMODE": "disable",
                                       "PGGSSENCMODE": "disable"})
            assert done.stdout.strip() == b"2000000", done.stderr
    assert inner.end(outcome="admitted")["peer.id"] == "spiffe://example.org/client"


# -- servers that our outbound meets -------------------------------------------------------------

def outbound(pki, port, client, expect="localhost"):
    return {"version": 1, "workers": 1,
            "trust": [{"name": "corp", "bundle": str(pki.bundle)}],
            "outbound": [{"name": "out", "listen": "127.0.0.1:0", "connect": f"127.0.0.1:{port}",
                          "trust": "corp", "server-name": "localhost",
                          **({"certificate": {"chain": str(client.chain), "key": str(client.key)}}
                             if client else {}),
                          "expect": [{"dns": expect}]}]}


def ask(address, data, want):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as plain:
        plain.sendall(data)
        got = b""
        while want not in got:
            more = plain.recv(65536)
            if not more:
                break
            got += more
        return got


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", KEYS)
def test_out_to_openssl(gateway, pki, key, version):
    server, client = pair_of(pki, key)
    port = free_port()
    with Daemon(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", server.cert,
                 "-cert_chain", pki.issuer.cert, "-key", server.key, "-CAfile", pki.bundle,
                 "-Verify", "5", "-verify_return_error", "-www",
                 f"-tls{version.replace('.', '_')}"], port):
        g = gateway(outbound(pki, port, client))
        got = ask(g.address(), b"GET / HTTP/1.0\r\n\r\n", b"</pre>")
    assert b"CN = interop-client-" in got or b"CN=interop-client-" in got, got[-500:]
    assert g.end(listener="out")["tls.version"] == f"TLS {version}"


def test_out_to_openssl_without_certificate_is_explained(gateway, pki):
    server = pki.server()
    port = free_port()
    with Daemon(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", server.cert,
                 "-cert_chain", pki.issuer.cert, "-key", server.key, "-CAfile", pki.bundle,
                 "-Verify", "5", "-verify_return_error", "-www"], port):
        g = gateway(outbound(pki, port, None))
        with contextlib.suppress(ConnectionError):  # broken off: nothing is to pass for an answer
            assert ask(g.address(), b"GET / HTTP/1.0\r\n\r\n", b"</pre>") == b""
        line = g.end(listener="out")
    assert line["reason"] == "peer_wants_cert", line


@pytest.mark.parametrize("version", VERSIONS)
def test_out_to_gnutls(gateway, pki, version):
    need("gnutls-serv")
    server, client = pair_of(pki, "ec-p256")
    port = free_port()
    with Daemon(["gnutls-serv", "--port", port, "--x509cafile", pki.bundle, "--x509certfile",
                 server.chain, "--x509keyfile", server.key, "--require-client-cert",
                 "--verify-client-cert", "--echo", "--priority",
                 f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "--quiet"], port):
        g = gateway(outbound(pki, port, client))
        assert ask(g.address(), b"hello gnutls\n", b"hello gnutls\n") == b"hello gnutls\n"
    assert g.end(listener="out")["tls.version"] == f"TLS {version}"


def test_out_to_nginx(gateway, pki, tmp_path):
    need("nginx")
    server, client = pair_of(pki, "rsa-2048")
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/err;\n"
        "events {}\nhttp { access_log off; client_body_temp_path t; proxy_temp_path t; "
        "fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n"
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {server.chain}; "
        f"ssl_certificate_key {server.key}; ssl_client_certificate {pki.bundle}; "
        "ssl_verify_client on; ssl_verify_depth 3;\n"
        "location / { return 200 \"you are $ssl_client_s_dn\"; } } }\n")
    with Daemon([shutil.which("nginx") or "/usr/sbin/nginx", "-p", tmp_path, "-c", config], port):
        g = gateway(outbound(pki, port, client))
        got = ask(g.address(), b"GET / HTTP/1.0\r\n\r\n", b"you are")
    assert b"CN=interop-client-rsa-2048" in got, got


@pytest.mark.parametrize("version", VERSIONS)
def test_python(gateway, pki, backend, version):
    g = gateway(inbound(pki, backend))
    with TlsClient(g.address(), client_context(pki, pki.client(), VERSIONS[version])) as client:
        client.ask(b"x" * 100000)
        assert client.tls.version() == f"TLSv{version}"
