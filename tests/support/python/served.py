# SPDX-License-Identifier: Apache-2.0
"""An authority that is served: made by mutual init, behind a gateway with one listener for
enrolment (certificates asked for) and one in the clear."""
import base64
import json
import os
import pathlib
import socket
import ssl
import subprocess

ENV = {**os.environ, "LC_ALL": "C"}
ENV.pop("MUTUAL_CONFIG", None)


class Reply:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def json(self):
        return json.loads(self.body)


def read_reply(stream):
    """One response of a keep-alive connection; `stream` is a file of the socket."""
    line = stream.readline()
    if not line:
        return None
    status = int(line.split()[1])
    fields = {}
    while (field := stream.readline().strip()):
        name, _, value = field.decode().partition(":")
        fields[name.lower()] = value.strip()
    body = stream.read(int(fields.get("content-length", 0))) if status != 204 else b""
    return Reply(status, fields, body)


class Served:
    """`start` is the fixture `gateway`."""

    def __init__(self, mutual, start, tmp_path, *init, authority=None, inbound=None, mode="request",
                 more=None, name="d"):
        self.mutual, self.start_gateway = mutual, start
        self.dir = pathlib.Path(tmp_path) / name
        self.run("init", "example.org", "--dns", "localhost", "--ip", "127.0.0.0/8", *init)
        self.issue("enroll", "--profile", "server", "--dns", "localhost", "--ip", "127.0.0.1")
        self.root = self.dir / "authority" / "ca.crt"
        self.crl = self.dir / "authority" / "issuer.crl"
        self.authority = authority or {}
        self.inbound = inbound or {}
        self.mode = mode
        self.more = more or {}

    def run(self, *arguments, status=0, stdin=None, dir=True):
        done = subprocess.run(
            [self.mutual, *map(str, arguments), *(["--dir", str(self.dir)] if dir else [])],
            input=stdin, capture_output=True, text=True, env=ENV, timeout=60, check=False)
        if status is not None:
            assert done.returncode == status, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def issue(self, name, *options):
        self.run("issue", name, *options)
        return self.dir / "tls" / name

    def config(self):
        directory = self.dir / "authority"
        return {
            "version": 1, "workers": 1, "watch": False,
            "authority": {"directory": str(self.dir), "url": "https://localhost:0", **self.authority},
            "trust": [{"name": "own", "bundle": str(self.root),
                       "intermediates": str(directory / "issuer" / "issuer.crt"),
                       "revocation": {"crl": str(self.crl)}}],
            "inbound": [
                {"name": "enroll", "listen": "127.0.0.1:0", "application": "authority",
                 "certificate": str(self.dir / "tls" / "enroll"),
                 "clients": {"mode": self.mode, "trust": "own"}, **self.inbound},
                {"name": "publish", "listen": "127.0.0.1:0", "application": "authority",
                 "plain": True}],
            "policy": [{"grant": "all", "to": "enroll", "anyone": True, "anonymous": True,
                        "owner": "tests", "why": "testing"}],
            **self.more,
        }

    def serve(self, **more):
        self.gateway = self.start_gateway(self.config(), **more)
        self.gateway.event("authority_ready")
        return self.gateway

    # -- calling

    def port(self, listener="enroll"):
        return int(self.gateway.address(listener).rsplit(":", 1)[1])

    def url(self, path="", listener="enroll"):
        scheme = "https" if listener == "enroll" else "http"
        return f"{scheme}://localhost:{self.port(listener)}{path}"

    def connect(self, pair=None, listener="enroll"):
        """A connected socket; `pair` is a directory with tls.crt and tls.key."""
        plain = socket.create_connection(("127.0.0.1", self.port(listener)), timeout=10)
        if listener != "enroll":
            return plain
        context = ssl.create_default_context(cafile=str(self.root))
        if pair is not None:
            context.load_cert_chain(pair / "tls.crt", pair / "tls.key")
        return context.wrap_socket(plain, server_hostname="localhost")

    def call(self, method, path, body=b"", pair=None, listener="enroll", fields=None, token=None,
             on=None):
        """One request; `on` is a connected socket that goes on afterwards."""
        one = on or self.connect(pair, listener)
        head = {"Host": f"localhost:{self.port(listener)}", **(fields or {})}
        if body or method == "POST":
            head.setdefault("Content-Length", str(len(body)))
        if token is not None:
            head["Authorization"] = "Basic " + base64.b64encode(f"token:{token}".encode()).decode()
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        one.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        stream = one.makefile("rb")
        reply = read_reply(stream)
        if on is None:
            one.close()
        return reply
