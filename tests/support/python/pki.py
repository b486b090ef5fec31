# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made with the openssl command so that nothing of ours judges itself."""
import datetime
import pathlib
import subprocess

ROOT_EXT = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
            "subjectKeyIdentifier=hash"]
KEYS = {
    "ec-p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ec-p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "rsa-1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    "rsa-2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa-pss": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ed25519": ["-algorithm", "ED25519"],
}


def openssl(*args, **more):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, timeout=60, **more)
    assert done.returncode == 0, (args, done.stderr.decode())
    return done.stdout


def stamp(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Pair:
    """A certificate with its key: `chain` is what is presented."""

    def __init__(self, directory, name):
        self.name = name
        self.cert = directory / f"{name}.crt"
        self.key = directory / f"{name}.key"
        self.chain = directory / f"{name}.pem"

    def pem(self):
        return self.cert.read_text()


class Authority:
    """One authority; `openssl ca` is used because it alone takes any dates."""

    def __init__(self, directory, name, parent=None, key="ec-p256", ext=(), days=(-30, 3650)):
        self.directory = pathlib.Path(directory) / f"ca-{name}"
        self.directory.mkdir()
        self.name = name
        self.parent = parent
        (self.directory / "index.txt").touch()
        (self.directory / "crlnumber").write_text("01\n")
        self.config = self.directory / "ca.cnf"
        self.config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.directory}/index.txt\n"
            f"new_certs_dir={self.directory}\nrand_serial=yes\ndefault_md=sha256\n"
            f"crlnumber={self.directory}/crlnumber\nunique_subject=no\npolicy=p\n"
            "copy_extensions=none\n[p]\ncommonName=optional\norganizationName=optional\n")
        self.pair = Pair(self.directory, "authority")
        issuer = parent if parent is not None else self
        make_key(self.pair.key, key)
        issuer.sign(self.pair, f"/O=Test/CN={name}", [*ROOT_EXT, *ext], days,
                    self_signed=parent is None)

    @property
    def cert(self):
        return self.pair.cert

    def sign(self, pair, subject, extensions, days, self_signed=False, digest="sha256"):
        csr = pair.cert.with_suffix(".csr")
        ext = pair.cert.with_suffix(".ext")
        openssl("req", "-new", "-key", pair.key, "-subj", subject, "-out", csr, "-config",
                self.config)
        ext.write_text("\n".join(extensions) + "\n")
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", csr, "-out", pair.cert,
                "-keyfile", self.pair.key, "-extfile", ext, "-startdate", stamp(days[0]),
                "-enddate", stamp(days[1]), "-md", digest,
                *(["-selfsign"] if self_signed else ["-cert", self.cert]))
        chain = [pair.cert.read_text()]
        above = None if self_signed else self
        while above is not None and above.parent is not None:
            chain.append(above.cert.read_text())
            above = above.parent
        pair.chain.write_text("".join(chain))

    def revoke(self, pair, reason="keyCompromise"):
        openssl("ca", "-config", self.config, "-cert", self.cert, "-keyfile", self.pair.key,
                "-revoke", pair.cert, "-crl_reason", reason)

    def crl(self, path, seconds=7 * 86400):
        openssl("ca", "-config", self.config, "-cert", self.cert, "-keyfile", self.pair.key,
                "-gencrl", "-crlsec", seconds, "-out", path)
        return path


def make_key(path, kind):
    openssl("genpkey", *KEYS[kind], "-out", path)
    path.chmod(0o600)


class Pki:
    """A root, an issuer below it, and a stranger; pairs are made when first asked for."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.root = Authority(self.directory, "Root")
        self.issuer = Authority(self.directory, "Issuer", parent=self.root)
        self.stranger = Authority(self.directory, "Stranger")
        self.pairs = {}

    @property
    def bundle(self):
        return self.root.cert

    def pair(self, name, *, sans=None, eku="clientAuth", days=(-1, 30), key="ec-p256",
             issuer=None, cn=None, extensions=None, digest="sha256"):
        if name in self.pairs:
            return self.pairs[name]
        pair = Pair(self.directory, name)
        make_key(pair.key, key)
        sans = sans if sans is not None else [f"URI:spiffe://example.org/{name}"]
        # NSS wants key encipherment of every server with an RSA key, whatever the cipher suite
        usage = "digitalSignature,keyEncipherment" if key.startswith("rsa-2") \
            and eku == "serverAuth" else "digitalSignature"
        ext = ["basicConstraints=CA:FALSE", f"keyUsage=critical,{usage}",
               "authorityKeyIdentifier=keyid"]
        ext += [f"extendedKeyUsage={eku}"] if eku else []
        ext += ["subjectAltName=" + ",".join(sans)] if sans else []
        (issuer or self.issuer).sign(pair, f"/CN={cn or name}",
                                     ext if extensions is None else extensions, days,
                                     digest=digest)
        self.pairs[name] = pair
        return pair

    def server(self, name="server", **more):
        more.setdefault("sans", ["DNS:localhost", "IP:127.0.0.1"])
        return self.pair(name, eku="serverAuth", **more)

    def client(self, name="client", **more):
        return self.pair(name, **more)
