# SPDX-License-Identifier: Apache-2.0
"""What tests with other makers' programs share: an authority made by `mutual init`, programs that
are run and bounded, and a small web service to stand behind the gateway."""
import contextlib
import os
import re
import shutil
import subprocess

import pytest
from net import until

ENV = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
BOUND = 30


def need(*programs):
    missing = [p for p in programs if shutil.which(p, path=ENV["PATH"]) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*command, stdin=b"", status=0, **more):
    """Runs a command to its end; its output and what it complained about are text."""
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True,
                          timeout=BOUND, env=ENV, **more)
    done.stdout = done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    if status is not None:
        assert done.returncode == status, (done.args, done.returncode, done.stdout, done.stderr)
    return done


class Issued:
    """What `mutual issue` wrote."""

    def __init__(self, directory, key=None, password=None):
        self.directory = directory
        self.chain = directory / "tls.crt"
        self.key = key or directory / "tls.key"
        self.p12 = directory / f"{directory.name}.p12"  # for people; there is no .key then
        self.password = password


class House:
    """An authority made by `mutual init`."""

    def __init__(self, program, directory, domain="example.org"):
        self.program = program
        self.domain = domain
        self.directory = directory
        self.issued = {}
        run(program, "init", domain, "--dir", directory, "--dns", "localhost", "--ip",
            "127.0.0.0/8")
        self.bundle = directory / "authority" / "ca.crt"
        self.issuer = directory / "authority" / "issuer" / "issuer.crt"
        self.password = directory / "password"
        self.password.write_text("correct horse\n")
        self.password.chmod(0o600)

    def issue(self, name, *options, key=None):
        if name not in self.issued:
            run(self.program, "issue", name, "--dir", self.directory, *options)
            self.issued[name] = Issued(self.directory / "tls" / name, key, self.password)
        return self.issued[name]

    def server(self, name="gateway", key="ec-p256"):
        return self.issue(name, "--dns", "localhost", "--ip", "127.0.0.1", "--key", key)

    def client(self, name, key="ec-p256", profile="client"):
        return self.issue(name, "--profile", profile, "--key", key)

    def person(self, name, key="ec-p256", consumer="modern"):
        """A user's certificate in a PKCS#12 file."""
        return self.issue(name, "--profile", "user", "--key", key, "--p12", "--for", consumer,
                          "--password-file", self.password)

    def pss(self, name, *options):
        """A key that signs with PSS only, which others make and we certify."""
        key = self.directory / f"{name}.key"
        request = self.directory / f"{name}.csr"
        if name not in self.issued:
            run("openssl", "genpkey", "-quiet", "-algorithm", "RSA-PSS", "-pkeyopt",
                "rsa_keygen_bits:2048", "-out", key)
            key.chmod(0o600)
            run("openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", request)
        return self.issue(name, "--csr", request, *options, key=key)


def answer(one):
    """A web service: /hello greets, /size/N yields N bytes, all else is not found. One request per
    connection, or as many as the client likes when it says nothing else."""
    stream = one.makefile("rb")
    while request := stream.readline():
        closing = False
        while (header := stream.readline()).strip():
            closing |= header.lower().startswith(b"connection: close")
        path = request.split()[1].decode()
        closing |= request.rstrip().endswith(b"HTTP/1.0")
        size = re.fullmatch(r"/size/(\d+)", path)
        body = b"x" * int(size[1]) if size else b"hello from behind\n"
        status = b"200 OK" if size or path == "/hello" else b"404 Not Found"
        one.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain\r\nContent-Length: " +
                    str(len(body)).encode() + b"\r\n" +
                    (b"Connection: close\r\n" if closing else b"") + b"\r\n" + body)
        if closing:
            return


@contextlib.contextmanager
def running(command, ready, *, log, **more):
    """A server of somebody else's for as long as the block lasts; `ready` says when it is. Its
    output goes to the file `log`."""
    with open(log, "ab") as out:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                   stdout=out, stderr=out, env=ENV, **more)

    def look():
        assert process.poll() is None, f"{command} ended: {log.read_text(errors='replace')}"
        return ready()

    try:
        until(look, BOUND)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()


def listens(port):
    """Asks the kernel's table, so that the server does not see a visitor."""
    wanted = f"0100007F:{int(port):04X}"
    anywhere = (wanted, f"00000000:{int(port):04X}", f"{'0' * 32}:{int(port):04X}")

    def look():
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table, encoding="ascii") as lines:
                for line in lines:
                    words = line.split()
                    if words[1] in anywhere and words[3] == "0A":
                        return True
        return False
    return look


NGINX_HEAD = """
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
    uwsgi_temp_path {home}/d; scgi_temp_path {home}/e; client_max_body_size 100m;
"""


def nginx(home, port, text):
    """nginx with these http settings."""
    home.mkdir()
    config = home / "nginx.conf"
    config.write_text(NGINX_HEAD.format(home=home) + text + "\n}\n")
    return running(["nginx", "-p", home, "-c", config, "-e", home / "error.log"], listens(port),
                   log=home / "output")


def haproxy(home, port, text):
    """HAProxy with these sections."""
    home.mkdir()
    config = home / "haproxy.cfg"
    config.write_text("defaults\n mode http\n timeout connect 10s\n timeout client 10s\n"
                      " timeout server 10s\n" + text)
    return running(["haproxy", "-db", "-f", config], listens(port), log=home / "output")
