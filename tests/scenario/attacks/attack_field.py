# SPDX-License-Identifier: Apache-2.0
"""Where the attacks of attack_table.py take place: authorities, certificates as an attacker would
have them, one gateway with many listeners, and another whose rules are changed under it."""
import contextlib
import copy
import socket
import ssl
import subprocess

from gateway import Gateway
from net import Backend, TlsClient, client_context, refused, until
from pki import Authority, Pki

VERSION = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
ANYBODY = [{"spiffe": "spiffe://example.org/**"}]


def der_san(kind, text):
    """A subjectAltName of one name with just these bytes; kinds by their tag (RFC 5280 4.2.1.6)."""
    tag = {"email": 0x81, "dns": 0x82, "uri": 0x86, "ip": 0x87}[kind]
    name = bytes([tag, len(text)]) + text
    return "subjectAltName=DER:" + (bytes([0x30, len(name)]) + name).hex(":")


class Field:
    def __init__(self, mutual, directory, backend):
        self.mutual, self.directory, self.backend = mutual, directory, backend
        self.pki = Pki(directory)
        self.contexts, self.chains, self.authorities = {}, 0, {}
        self.hosts = [self.pki.server("host-a", sans=["DNS:a.test"]),
                      self.pki.server("host-b", sans=["DNS:b.test"])]
        self.tenants = [self.pki.server(f"tenant-{name}", sans=[f"DNS:{name}.test", *more])
                        for name, more in (("corp", []), ("partner", []), ("lax", ["DNS:*.lax.test"]))]
        self.revoked_middle = self.authority("RevokedMiddle")
        self.pki.root.revoke(self.revoked_middle.pair)
        self.pki.issuer.revoke(self.client("revoked"))
        self.lists = [self.pki.issuer.crl(directory / "issuer.crl"),
                      self.pki.root.crl(directory / "root.crl")]
        self.stale = self.pki.issuer.crl(directory / "stale.crl", seconds=1)
        self.still = Gateway(mutual, directory, self.config(), name="still")
        self.changing = Gateway(mutual, directory, self.config(), name="changing")

    # -- what is attacked

    def listener(self, name, *, server=None, trust="corp", mode="require", **more):
        pairs = server if isinstance(server, list) else [server or self.pki.server()]
        clients = {"mode": mode} if mode == "none" else {"mode": mode, "trust": trust}
        return {"name": name, "listen": "127.0.0.1:0", "forward": self.backend.address,
                "certificate": [{"chain": str(p.chain), "key": str(p.key)} for p in pairs],
                "clients": clients, "timeouts": {"handshake": "2s"}, **more}

    def host(self, name, pair, *, names=None, trust="corp", mode="require"):
        """A host of the listener "tenants"; each believes others."""
        pair = self.tenants[pair]
        return {"name": name, "names": names or [f"{name}.test"],
                "certificate": {"chain": str(pair.chain), "key": str(pair.key)},
                "clients": {"mode": mode} if mode == "none" else {"mode": mode, "trust": trust}}

    def config(self):
        def trust(name, bundle, **more):
            return {"name": name, "bundle": str(bundle),
                    "intermediates": str(self.pki.issuer.cert), **more}

        def grant(name, to, who, **more):
            return {"grant": name, "to": to, "owner": "tests", "why": "testing", "from": who, **more}

        root = self.pki.bundle
        return {
            "version": 1, "workers": 1, "watch": False,
            "trust": [
                trust("corp", root),
                trust("strangers", self.pki.stranger.cert),
                trust("listed", root, revocation={"crl": [str(path) for path in self.lists]}),
                trust("stale", root, revocation={"crl": str(self.stale), "scope": "leaf"}),
                trust("unlisted", root, revocation={"crl": str(self.lists[1]), "required": True}),
            ],
            "inbound": [
                self.listener("db"),
                self.listener("ledger"),
                self.listener("lax", mode="request"),
                self.listener("plain", mode="none"),
                self.listener("other", trust="strangers"),
                self.listener("off", tls={"resumption": False}),
                self.listener("hosts", server=self.hosts, tls={"strict-sni": True}),
                self.listener("listed", trust="listed"),
                self.listener("stale", trust="stale"),
                self.listener("unlisted", trust="unlisted"),
                self.listener("typed"),
                self.listener("tenants", server=self.tenants[0], tls={"strict-sni": True}, hosts=[
                    self.host("corp", 0), self.host("partner", 1, trust="strangers"),
                    self.host("vault", 0, names=["vault.lax.test", "corp.lax.test"]),
                    self.host("lax", 2, names=["lax.test", "*.lax.test"], mode="none")]),
            ],
            "policy": [
                grant("db", ["db", "lax", "hosts", "listed", "stale", "unlisted"], ANYBODY),
                grant("tenants", ["tenants/corp"], ANYBODY),
                grant("partners", "tenants/partner", ANYBODY),
                grant("ledger", ["ledger", "off", "other"],
                      [{"spiffe": "spiffe://example.org/accountant"}]),
                {**grant("anybody", "lax", []), "anonymous": True},
                grant("typed", "typed", [{"dns": "admin.example.org"},
                                         {"email": "admin@example.org"}, {"ip": "192.0.2.1"},
                                         {"uri": "https://example.org/admin"}, {"cn": "root"},
                                         {"spiffe": "spiffe://example.org/admin"}]),
            ],
        }

    # -- who attacks

    def client(self, name, **more):
        """Somebody with a certificate; made once."""
        return self.pki.client(name, **more)

    def authority(self, name, **more):
        if name not in self.authorities:
            self.authorities[name] = Authority(self.directory, name,
                                               **{"parent": self.pki.root, **more})
        return self.authorities[name]

    def context(self, pair, version, *, ca=None, security=None):
        """One client's memory: a session can be used again only with the context it was made in."""
        key = (pair and pair.chain, version, ca, security)
        if key not in self.contexts:
            context = client_context(self.pki, None, version and VERSION[version], ca=ca)
            if security is not None:
                context.set_ciphers(f"DEFAULT:@SECLEVEL={security}")
            if pair is not None:
                context.load_cert_chain(pair.chain, pair.key)
            context.check_hostname = False
            self.contexts[key] = context
        return self.contexts[key]

    def session(self, gateway, listener, context, name="localhost"):
        """A session that is resumed where it was made; else the attack would prove nothing."""
        ours = set()
        with TlsClient(gateway.address(listener), context, name) as client:
            ours.add("%s:%d" % client.tls.getsockname())
            client.ask()
            session = client.tls.session
        with TlsClient(gateway.address(listener), context, name, session=session) as client:
            ours.add("%s:%d" % client.tls.getsockname())
            client.ask()
            assert client.tls.session_reused
            session = client.tls.session
        # their lines are written before the attack's can be
        until(lambda: ours <= {line["peer.addr"] for line in gateway.ends()})
        return session

    # -- what is seen

    @contextlib.contextmanager
    def watch(self, gateway, listener):
        """The line of the attack, once it is over; nobody may have reached the service."""
        seen, accepted, found = len(gateway.ends()), self.backend.accepted, {}
        yield found
        found.update(until(lambda: next((line for line in gateway.ends()[seen:]
                                         if line["listener"] == listener), None)))
        assert found["decision"] == "refused" and found["bytes_in"] == 0, found
        assert found["tls.resumed"] is False, found
        assert self.backend.accepted == accepted, "somebody reached the service"

    def refuse(self, gateway, listener, context, **more):
        with self.watch(gateway, listener) as line:
            refused(gateway.address(listener), context, **more)
        return line

    # -- rules that change

    @contextlib.contextmanager
    def rules(self, change):
        """The changing gateway by other rules for a while: `change` mends a copy of them."""
        before = self.config()
        after = copy.deepcopy(before)
        change(after)
        self.changing.write(after)
        assert self.changing.reload(), self.changing.text()[-2000:]
        yield self.changing
        self.changing.write(before)
        assert self.changing.reload(), self.changing.text()[-2000:]

    def start(self, config):
        """A gateway that must not start: its last words."""
        one = Gateway(self.mutual, self.directory, config, name="never")
        one.log_path.unlink(missing_ok=True)
        done = subprocess.run([self.mutual, "serve", "-c", str(one.config), "--control",
                               str(one.control)], capture_output=True, text=True, timeout=20,
                              check=False)
        assert done.returncode not in (0, 70) and done.returncode > 0, done
        return done.stderr

    def __enter__(self):
        self.still.start()
        self.changing.start()
        return self

    def __exit__(self, *_):
        self.still.stop()
        self.changing.stop()


class Impostor:
    """A server for outbound connections to meet, for the length of a block."""

    def __init__(self, pair, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.chain, pair.key)
        context.minimum_version = context.maximum_version = VERSION[version]
        self.heard = b""

        def serve(one):
            with contextlib.suppress(OSError, ssl.SSLError):
                with context.wrap_socket(one, server_side=True) as tls:
                    while data := tls.recv(4096):
                        self.heard += data
        self.backend = Backend(serve)

    def __enter__(self):
        self.backend.__enter__()
        return self

    def __exit__(self, *_):
        self.backend.__exit__()


def plainly(address, data):
    """A local program that speaks in the clear to an outbound's socket."""
    with socket.create_connection(tuple(address.rsplit(":", 1)), timeout=10) as one, \
            contextlib.suppress(ConnectionError):
        one.sendall(data)
        one.recv(100)
