# SPDX-License-Identifier: Apache-2.0
"""mutual explain HOST:PORT against servers of other makers: what they ask for, whom they refuse."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

MUTUAL = os.environ.get("MUTUAL", str(pathlib.Path(__file__).parents[2] / "build" / "mutual"))
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
HAPROXY = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")


# ---- certificates ------------------------------------------------------------------------------


def openssl(*args, **kwargs):
    subprocess.run(["openssl", *args], check=True, capture_output=True, **kwargs)


class Authority:
    """A private authority of openssl's making."""

    def __init__(self, directory, name):
        self.directory = directory
        self.name = name
        self.cert = directory / f"{name}.crt"
        self.key = directory / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-days", "30", "-keyout", self.key, "-out", self.cert,
                "-addext", "basicConstraints=critical,CA:true", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, usage, days=10, san=None):
        """Returns (certificate, key, both in one file)."""
        key = self.directory / f"{name}.key"
        cert = self.directory / f"{name}.crt"
        request = self.directory / f"{name}.csr"
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(
            "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
            f"extendedKeyUsage={usage}\nsubjectAltName={san or 'DNS:' + name + '.test'}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/CN={name}", "-keyout", key, "-out", request)
        key.chmod(0o600)
        index = self.directory / f"{name}.index"
        if days > 0:
            openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                    "-set_serial", str(time.time_ns()), "-days", str(days), "-extfile", extensions,
                    "-out", cert)
        else:
            index.write_text("")
            config = self.directory / f"{name}.cnf"
            config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\nrand_serial=yes\n"
                              "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            openssl("ca", "-batch", "-config", config, "-in", request, "-cert", self.cert,
                    "-keyfile", self.key, "-startdate", "20200101000000Z", "-enddate",
                    "20200201000000Z", "-notext", "-extfile", extensions, "-outdir",
                    self.directory, "-out", cert)
        both = self.directory / f"{name}.pem"
        both.write_text(cert.read_text() + key.read_text())
        both.chmod(0o600)
        return cert, key, both


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki")

    class Pki:
        pass

    made = Pki()
    made.directory = directory
    made.ca = Authority(directory, "Interop-CA")
    made.other = Authority(directory, "Stranger-CA")
    localhost = "DNS:localhost,IP:127.0.0.1"
    made.server = made.ca.issue("server", "serverAuth", san=localhost)
    made.server_expired = made.ca.issue("server-expired", "serverAuth", days=0, san=localhost)
    made.server_else = made.ca.issue("server-else", "serverAuth", san="DNS:elsewhere.test")
    made.alice = made.ca.issue("alice", "clientAuth")
    made.alice_expired = made.ca.issue("alice-expired", "clientAuth", days=0)
    made.wrong_use = made.ca.issue("wrong-use", "serverAuth")
    made.eve = made.other.issue("eve", "clientAuth")
    return made


# ---- servers -----------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended at once"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


@contextlib.contextmanager
def running(command, port, cwd):
    process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        process.stdin.close()


MODES = ("require", "optional", "none")


def s_server(pki, mode, cert, versions):
    port = free_port()
    flags = {"require": ["-Verify", "3", "-verify_return_error"],
             "optional": ["-verify", "3", "-verify_return_error"], "none": []}[mode]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert[0], "-key",
               cert[1], "-CAfile", pki.ca.cert, "-quiet", *flags, *versions]
    return running(command, port, pki.directory)


def gnutls_serv(pki, mode, cert, priority):
    port = free_port()
    flags = {"require": ["--require-client-cert", "--verify-client-cert"],
             "optional": ["--verify-client-cert"], "none": ["--disable-client-cert"]}[mode]
    command = ["gnutls-serv", "-p", port, "--x509certfile", cert[0], "--x509keyfile", cert[1],
               "--x509cafile", pki.ca.cert, "--echo", *flags, *priority]
    return running(command, port, pki.directory)


def nginx(pki, mode, cert, protocols):
    port = free_port()
    home = pki.directory / f"nginx-{port}"
    home.mkdir()
    verify = {"require": "on", "optional": "optional", "none": "off"}[mode]
    (home / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
    uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert[0]}; ssl_certificate_key {cert[1]};
        ssl_protocols {protocols}; ssl_verify_client {verify}; ssl_client_certificate {pki.ca.cert};
        location / {{ return 200 "ok\\n"; }}
    }}
}}
""")
    return running([NGINX, "-p", home, "-c", home / "nginx.conf", "-e", home / "error.log"], port,
                   home)


def haproxy(pki, mode, cert, versions):
    port = free_port()
    home = pki.directory / f"haproxy-{port}"
    home.mkdir()
    verify = {"require": f"verify required ca-file {pki.ca.cert}",
              "optional": f"verify optional ca-file {pki.ca.cert}", "none": ""}[mode]
    (home / "haproxy.cfg").write_text(f"""
global
    ssl-default-bind-options {versions}
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend tls
    bind 127.0.0.1:{port} ssl crt {cert[2]} {verify}
    http-request return status 200 content-type text/plain string ok
""")
    return running([HAPROXY, "-db", "-f", home / "haproxy.cfg"], port, home)


# How each kind of server is told to speak one version only.
PEERS = {
    "openssl": (s_server, {"1.2": ["-tls1_2"], "1.3": ["-tls1_3"]}),
    "gnutls": (gnutls_serv, {"1.2": ["--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2"],
                             "1.3": ["--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3"]}),
    "nginx": (nginx, {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}),
    "haproxy": (haproxy, {"1.2": "ssl-max-ver TLSv1.2", "1.3": "ssl-min-ver TLSv1.3"}),
}
each_peer = pytest.mark.parametrize("peer", PEERS)
each_version = pytest.mark.parametrize("version", ["1.2", "1.3"])


def serve(peer, pki, mode, version="1.3", cert=None):
    start, versions = PEERS[peer]
    if peer == "nginx" and NGINX is None or peer == "haproxy" and HAPROXY is None:
        pytest.skip(f"{peer} is not installed")
    return start(pki, mode, cert or pki.server, versions[version])


# ---- asking ------------------------------------------------------------------------------------


class Shown:
    """The story as text for people; asked for only when somebody looks at it."""

    def __init__(self, command, status):
        self.command = command
        self.status = status
        self.text = None

    def __str__(self):
        if self.text is None:
            done = subprocess.run(self.command, capture_output=True, text=True, timeout=40)
            assert done.returncode == self.status, done.stdout + done.stderr
            self.text = done.stdout
        return self.text

    def __contains__(self, words):
        return words in str(self)


def explain(port, *args, show=False):
    """Returns (exit status, the story as JSON, the story as text; show: while the server lives)."""
    command = [MUTUAL, "explain", f"127.0.0.1:{port}", "--timeout", "5s",
               *[str(word) for word in args]]
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=40)
    assert told.stdout, told.stderr
    text = Shown(command, told.returncode)
    if show:
        str(text)
    return told.returncode, json.loads(told.stdout), text


def identity(cert):
    return ["--cert", cert[0], "--key", cert[1]]


def outcome(story, step):
    return story["steps"][step - 1]["outcome"]


@each_peer
@each_version
def test_right_certificate_is_accepted(pki, peer, version):
    with serve(peer, pki, "require", version) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert, *identity(pki.alice), show=True)
    assert status == 0, str(story)
    assert story["outcome"] == "admitted"
    assert story["tls"]["version"] == f"TLS {version}"
    assert story["tls"]["mutual"] is True
    assert story["observed"]["certificate_requested"] is True
    assert [outcome(story, step) for step in (1, 2, 3, 4)] == ["done"] * 4
    assert str(text).startswith("ADMITTED: mutual TLS\n")
    assert "CN=server" in text and "Interop-CA" in text


@each_peer
@each_version
def test_missing_certificate_is_explained(pki, peer, version):
    with serve(peer, pki, "require", version) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert, show=True)
    assert status == 1, str(story)
    assert story["error"]["code"] == "PEER_WANTS_CERT", str(story)
    assert story["step"] == "client_cert", str(story)
    assert "REFUSED" in text and "WHY" in text and "FIX" in text


@each_peer
@each_version
def test_certificate_of_a_stranger_is_explained(pki, peer, version):
    with serve(peer, pki, "require", version) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert, *identity(pki.eve), show=True)
    assert status == 1, str(story)
    assert story["outcome"] == "refused"
    assert story["error"]["code"] == "PEER_REFUSED_US", str(story)
    assert outcome(story, 5) == "failed"
    assert "Stranger-CA" in text
    assert "CN=Interop-CA" in story["observed"]["authorities"]
    assert 'accepts only "CN=Interop-CA"' in story["error"]["reason"]


@each_peer
@each_version
def test_expired_client_certificate_is_explained(pki, peer, version):
    with serve(peer, pki, "require", version) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert, *identity(pki.alice_expired))
    assert status == 1, str(story)
    assert story["error"]["code"] == "PEER_REFUSED_US", str(story)
    assert "ended at 2020-02-01" in story["error"]["reason"]


@pytest.mark.parametrize("peer", ["openssl", "nginx", "haproxy"])
def test_certificate_of_the_wrong_purpose_is_explained(pki, peer):
    with serve(peer, pki, "require") as port:
        status, story, text = explain(port, "--ca", pki.ca.cert, *identity(pki.wrong_use))
    assert status == 1, str(story)
    assert "clientAuth" in story["error"]["reason"], str(story)


@each_peer
def test_optional_is_told_apart(pki, peer):
    with serve(peer, pki, "optional") as port:
        status, story, text = explain(port, "--ca", pki.ca.cert)
        assert status == 0, str(story)
        assert story["tls"]["mutual"] is False
        assert story["observed"]["certificate_requested"] is True
        assert "goes on without one" in text
        status, story, text = explain(port, "--ca", pki.ca.cert, *identity(pki.alice))
        assert status == 0, str(story)
        assert story["tls"]["mutual"] is True


@each_peer
@each_version
def test_plain_tls_is_told_apart(pki, peer, version):
    with serve(peer, pki, "none", version) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert, *identity(pki.alice), show=True)
    assert status == 0, str(story)
    assert story["tls"]["mutual"] is False
    assert story["observed"]["certificate_requested"] is False
    assert outcome(story, 4) == "skipped" and outcome(story, 5) == "skipped"
    assert "ADMITTED: plain TLS" in text
    assert "did not ask for our certificate: this is plain TLS" in text


@each_peer
def test_untrusted_server_is_refused_by_us(pki, peer):
    with serve(peer, pki, "none") as port:
        status, story, text = explain(port, "--ca", pki.other.cert)
    assert status == 1, str(story)
    assert story["error"]["code"] == "UNKNOWN_ISSUER", str(story)
    assert story["step"] == "server_check"
    assert story["observed"]["presented"][0]["subject"] == "CN=server"
    assert story["tls"]["alert_sent"]["name"] == "unknown_ca"


def test_expired_server_is_refused_by_us(pki):
    with serve("openssl", pki, "none", cert=pki.server_expired) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert)
    assert status == 1, str(story)
    assert story["error"]["code"] == "CERT_EXPIRED"
    assert story["step"] == "server_check"


def test_wrong_name_is_refused_by_us_and_can_be_expected(pki):
    with serve("openssl", pki, "none", cert=pki.server_else) as port:
        status, story, text = explain(port, "--ca", pki.ca.cert)
        assert status == 1, str(story)
        assert story["error"]["code"] == "NAME_MISMATCH"
        assert "127.0.0.1" in story["error"]["reason"]
        assert "elsewhere.test" in story["error"]["reason"]
        assert explain(port, "--ca", pki.ca.cert, "--expect", "dns:elsewhere.test")[0] == 0
        assert explain(port, "--ca", pki.ca.cert, "--sni", "elsewhere.test")[0] == 0


@each_peer
def test_without_authorities_it_looks_and_says_so(pki, peer):
    with serve(peer, pki, "optional", cert=pki.server_expired) as port:
        status, story, text = explain(port, show=True)
    assert status == 0, str(story)
    assert story["peer_checked"] is False
    assert outcome(story, 3) == "skipped"
    assert story["observed"]["certificate_requested"] is True
    assert story["observed"]["presented"][0]["subject"] == "CN=server-expired"
    assert "nobody checked the server" in text


def test_without_authorities_the_late_refusal_is_heard(pki):
    with serve("openssl", pki, "require") as port:
        status, story, text = explain(port, *identity(pki.eve))
    assert status == 1, str(story)
    assert story["error"]["code"] == "PEER_REFUSED_US"
    assert story["tls"]["alert_received"]["name"] == "unknown_ca"


def test_http_answer_is_noted(pki):
    with serve("nginx", pki, "none") as port:
        _, story, text = explain(port, "--ca", pki.ca.cert)
    assert any("HTTP/1.1 200 OK" in note for note in story["notes"]), str(story)


def test_old_tls_only(pki):
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pki.server[0],
               "-key", pki.server[1], "-quiet", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    with running(command, port, pki.directory):
        status, story, text = explain(port)
    assert status == 1, str(story)
    assert story["error"]["code"] == "PROTOCOL_OLD", str(story)
    assert outcome(story, 1) == "failed"


@contextlib.contextmanager
def saying(first, answer):
    """A server that speaks no TLS: says `first` at once, `answer` when it was spoken to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20)
        over = threading.Event()

        def run():
            with contextlib.suppress(OSError):
                while not over.is_set():
                    peer = listener.accept()[0]
                    with peer:
                        peer.settimeout(5)
                        peer.sendall(first)
                        peer.recv(4096)
                        peer.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.mark.parametrize("first, answer, words", [
    (b"SSH-2.0-OpenSSH_9.2\r\n", b"", "SSH server"),
    (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", "plain HTTP server"),
    (b"220 mail.test ESMTP\r\n", b"500 what?\r\n", "mail or FTP server"),
])
def test_other_protocols_are_named(first, answer, words):
    with saying(first, answer) as port:
        status, story, text = explain(port)
    assert status == 1, str(story)
    assert story["error"]["code"] == "NOT_TLS"
    assert words in story["error"]["fix"]


def test_a_server_that_only_closes():
    with saying(b"", b"") as port:
        status, story, text = explain(port)
    assert status == 1, str(story)
    assert story["error"]["code"] == "PEER_CLOSED"


def test_nobody_listens():
    status, story, text = explain(free_port())
    assert status == 69, str(story)
    assert story["error"]["code"] == "CONNECT_FAILED"
    assert outcome(story, 1) == "failed"


def test_a_server_that_closes_after_the_handshake_may_refuse_by_policy(pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server[0], pki.server[1])
    context.load_verify_locations(pki.ca.cert)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20)

        def run():
            with contextlib.suppress(OSError):
                while True:
                    peer = context.wrap_socket(listener.accept()[0], server_side=True)
                    peer.settimeout(5)
                    with contextlib.suppress(OSError):
                        peer.unwrap()
                    peer.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        status, story, text = explain(listener.getsockname()[1], "--ca", pki.ca.cert,
                                      *identity(pki.alice))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert status == 1, str(story)
    assert story["error"]["code"] == "PEER_CLOSED"
    assert story["step"] == "access"
    assert "policy" in story["error"]["fix"]


def test_the_key_must_be_private(pki):
    exposed = pki.directory / "exposed.key"
    exposed.write_text(pki.alice[1].read_text())
    exposed.chmod(0o644)
    done = subprocess.run([MUTUAL, "explain", "127.0.0.1:1", "--cert", pki.alice[0], "--key",
                           exposed], capture_output=True, text=True, timeout=20)
    assert done.returncode == 77
    assert "FILE_EXPOSED" in done.stderr and "chmod 600" in done.stderr


@pytest.mark.parametrize("arguments, status", [
    (["127.0.0.1:1", "--key", "x"], 2),
    (["127.0.0.1:1", "--expect", "somebody"], 2),
    (["127.0.0.1:70000"], 78),
    (["127.0.0.1:1", "--ca", "/nonexistent"], 66),
])
def test_wrong_calls(arguments, status):
    done = subprocess.run([MUTUAL, "explain", *arguments], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == status, done.stderr


def test_reason_words_of_the_log_have_pages():
    done = subprocess.run([MUTUAL, "explain", "eku_missing"], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0
    assert "PURPOSE_WRONG" in done.stdout
