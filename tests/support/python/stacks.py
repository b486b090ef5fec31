# SPDX-License-Identifier: Apache-2.0
"""TLS clients of other makers under one face: each fetches /hello of a web service on localhost and
yields what it said. `version` is "1.2" or "1.3"; `pair` has .chain and .key, for NSS a .p12."""
import pathlib
import ssl
import tempfile

from net import TlsClient, client_context
from peers import need, run

GREETING = "hello from behind"
REQUEST = b"GET /hello HTTP/1.0\r\n\r\n"


class Said:
    """What a client said, and whether it got what it wanted."""

    def __init__(self, text, sessions=1):
        self.text = text
        self.good = text.count(GREETING) >= sessions


class Stack:
    programs = ()
    keys = ("ec-p256", "ec-p384", "rsa-2048", "ed25519")

    def need(self):
        need(*self.programs)

    def __repr__(self):
        return type(self).__name__.lower()


class Curl(Stack):
    programs = ("curl",)
    alert = {"none/1.2": "handshake failure", "none/1.3": "certificate required",
             "namesake": "bad certificate", "stranger": "unknown ca"}
    distrust = "unable to get local issuer certificate"

    def fetch(self, port, version, bundle, pair=None, *, twice=False, alpn=None, name="localhost"):
        url = f"https://{name}:{port}/hello"
        # curl reuses the session when the connection itself may not be reused
        done = run("curl", "-v", "-sS", f"--tlsv{version}", "--tls-max", version, "--cacert",
                   bundle, *(["--cert", pair.chain, "--key", pair.key] if pair else []),
                   "--resolve", f"{name}:{port}:127.0.0.1",
                   *(["--http1.0"] if alpn == "http/1.0" else []),
                   *(["-H", "Connection: close", url] if twice else []), url, status=None)
        return Said(done.stdout + done.stderr, 1 + twice)

    def spoke(self, version):
        return f"SSL connection using TLSv{version}"


class Openssl(Stack):
    programs = ("openssl",)
    alert = Curl.alert
    distrust = "self-signed certificate in certificate chain|unable to get local issuer certificate"

    def fetch(self, port, version, bundle, pair=None, *, twice=False, alpn=None, name="localhost",
              more=()):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name,
                   "-verify_hostname", name, "-verify_return_error", "-CAfile", bundle,
                   "-" + {"1.2": "tls1_2", "1.3": "tls1_3"}[version], "-ign_eof", *more]
        if pair:
            command += ["-cert", pair.chain, "-cert_chain", pair.chain, "-key", pair.key]
        if alpn:
            command += ["-alpn", alpn]
        if not twice:
            done = run(*command, stdin=REQUEST, status=None)
            return Said(done.stdout + done.stderr)
        with tempfile.TemporaryDirectory() as directory:
            kept = pathlib.Path(directory) / "session"
            first = run(*command, "-sess_out", kept, stdin=REQUEST, status=None)
            second = run(*command, "-sess_in", kept, stdin=REQUEST, status=None)
        assert "\nReused, " in second.stdout, second.stdout
        return Said(first.stdout + second.stdout, 2)

    def spoke(self, version):
        return f", TLSv{version}, Cipher is"


class Gnutls(Stack):
    programs = ("gnutls-cli",)
    alert = {"none/1.2": "Handshake failed", "none/1.3": "Certificate is required",
             "namesake": "Certificate is bad", "stranger": "CA is unknown"}
    distrust = "The certificate issuer is unknown"

    def fetch(self, port, version, bundle, pair=None, *, twice=False, alpn=None, name="localhost",
              more=""):
        done = run("gnutls-cli", "--x509cafile", bundle, "--sni-hostname", name,
                   "--verify-hostname", name, "-p", port, "--priority",
                   f"NORMAL:-VERS-ALL:+VERS-TLS{version}{more}",
                   *(["--x509certfile", pair.chain, "--x509keyfile", pair.key] if pair else []),
                   *(["--resume", "--waitresumption"] if twice else []),
                   *(["--alpn", alpn] if alpn else []), "127.0.0.1", stdin=REQUEST, status=None)
        said = Said(done.stdout + done.stderr)
        assert not twice or "This is a resumed session" in said.text, said.text
        return said

    def spoke(self, version):
        return f"Description: (TLS{version}-X.509)"


class Nss(Stack):
    programs = ("tstclnt", "certutil", "pk12util")
    keys = ("ec-p256", "ec-p384", "rsa-2048")  # it knows no Ed25519: tested on its own
    alert = {"none/1.2": "SSL_ERROR_HANDSHAKE_FAILURE_ALERT",
             "none/1.3": "SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT",
             "namesake": "SSL_ERROR_BAD_CERT_ALERT", "stranger": "SSL_ERROR_UNKNOWN_CA_ALERT"}
    distrust = "SEC_ERROR_UNKNOWN_ISSUER"

    def __init__(self):
        self.stores = {}

    def store(self, bundle, pair):
        """A database with the root, and with the person from the PKCS#12 file."""
        key = (bundle, pair and pair.p12)
        if key not in self.stores:
            path = bundle.parent.parent / f"nss-{len(self.stores)}"
            path.mkdir()
            run("certutil", "-N", "-d", f"sql:{path}", "--empty-password")
            run("certutil", "-A", "-d", f"sql:{path}", "-n", "root", "-t", "C,,", "-i", bundle)
            if pair:
                run("pk12util", "-i", pair.p12, "-d", f"sql:{path}", "-w", pair.password)
            self.stores[key] = path
        return self.stores[key]

    def fetch(self, port, version, bundle, pair=None, *, twice=False, alpn=None, name="localhost",
              more=()):
        assert alpn is None
        with tempfile.NamedTemporaryFile() as request:
            request.write(REQUEST)
            request.flush()
            done = run("tstclnt", "-4", "-h", "localhost", "-p", port, "-a", name, "-d",
                       f"sql:{self.store(bundle, pair)}", "-V", f"tls{version}:tls{version}", "-A",
                       request.name, *(["-n", pair.directory.name] if pair else []),
                       *(["-u", "-L", "2"] if twice else []), *more, status=None)
        return Said(done.stdout + done.stderr, 1 + twice)

    def spoke(self, version):
        return ""  # it does not say; the gateway does


class Python(Stack):
    alert = {"none/1.2": "HANDSHAKE_FAILURE", "none/1.3": "CERTIFICATE_REQUIRED",
             "namesake": "BAD_CERTIFICATE", "stranger": "UNKNOWN_CA"}
    distrust = "unable to get local issuer certificate|self-signed certificate"

    @staticmethod
    def context(version, bundle, pair, alpn):
        number = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
        context = client_context(None, pair, number, ca=bundle)
        if alpn:
            context.set_alpn_protocols([alpn])
        return context

    def fetch(self, port, version, bundle, pair=None, *, twice=False, alpn=None, name="localhost"):
        text, session = "", None
        context = self.context(version, bundle, pair, alpn)
        try:
            for _ in range(1 + twice):
                with TlsClient(f"127.0.0.1:{port}", context, name, session=session) as client:
                    client.tls.sendall(REQUEST)
                    while data := client.tls.recv(65536):
                        text += data.decode()
                    text += f"\nspoke {client.tls.version()} {client.tls.session_reused}\n"
                    session = client.tls.session
        except (OSError, EOFError) as error:
            text += repr(error)
        return Said(text, 1 + twice)

    def spoke(self, version):
        return f"spoke TLSv{version}"


CURL, OPENSSL, GNUTLS, NSS, PYTHON = STACKS = (Curl(), Openssl(), Gnutls(), Nss(), Python())
