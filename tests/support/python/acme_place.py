# SPDX-License-Identifier: Apache-2.0
"""A served authority that speaks ACME, and on loopback whatever answers its challenges."""
import base64
import hashlib

from acme_client import Client
from challenges import Alpn, Dns, Web
from net import free_port
from served import Served


class Place:
    """A served authority with ACME, and whatever answers challenges."""

    def __init__(self, mutual, gateway, tmp_path, accounts="bound", private=True, init=(), kind=Served,
                 mode="none", authority=None, more=None, **acme):
        self.web_directory = tmp_path / "web"
        self.dns, self.web = Dns(), Web(self.web_directory)
        self.alpn = Alpn()
        self.port = free_port()
        self.served = kind(
            mutual, gateway, tmp_path, *init,
            authority={"url": f"https://localhost:{self.port}",
                       "acme": {"accounts": accounts, "resolver": self.dns.address, "http-port": self.web.port,
                                "tls-port": self.alpn.port, **acme}, **(authority or {})},
            inbound={"listen": f"127.0.0.1:{self.port}"}, mode=mode,
            more={**({"fetch": {"private": ["127.0.0.0/8"]}} if private else {}), **(more or {})})
        self.served.serve()
        self.directory = f"https://localhost:{self.port}/acme/directory"

    def key(self, *names, profile="server"):
        done = self.served.json("bind", "web team", "--profile", profile,
                                *[word for name in names for word in ("--names", name)])
        return done["kid"], done["hmac_key"]

    def client(self, *names, **more):
        client = Client(self.directory, self.served.root)
        client.register(self.key(*names, **more) if names else None)
        return client

    def close(self):
        for one in (self.dns, self.web, self.alpn):
            one.close()

    # -- answering challenges

    def put_http(self, client, challenge):
        directory = self.web_directory / ".well-known" / "acme-challenge"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / challenge["token"]).write_text(client.authorization(challenge) + "\n")

    def put_dns(self, client, challenge, name):
        digest = hashlib.sha256(client.authorization(challenge).encode()).digest()
        text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self.dns.texts.setdefault(f"_acme-challenge.{name}", []).append(text)
