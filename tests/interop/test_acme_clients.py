# SPDX-License-Identifier: Apache-2.0
"""ACME clients of others, each through its own whole flow: registered (bound where it can be), ordered,
challenged, finalized, downloaded, renewed, revoked, against the real program."""
import os
import pathlib
import shlex
import shutil
import subprocess

import crash
import pytest
from acme_place import Place
from cryptography import x509
from ledger import Est, Ledger
from peers import need

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture
def place(mutual, gateway, tmp_path):
    made = []

    def make(**more):
        made.append(Place(mutual, gateway, tmp_path, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def run(here, tmp_path, *command, status=0, env=None):
    """In an environment that believes the authority's root and nothing else."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    root = str(here.served.root)
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "HOME": str(home), "SSL_CERT_FILE": root, "REQUESTS_CA_BUNDLE": root,
                               "CURL_CA_BUNDLE": root, "LC_ALL": "C", **(env or {})})
    if status is not None:
        assert done.returncode == status, f"{command}: {done.stdout}\n{done.stderr}"
    return done


def serial_of(path):
    text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", str(path)], capture_output=True, text=True,
                          check=True).stdout
    return text.strip().partition("=")[2].lower()


def verified(here, path, name):
    """The chain leads to the root and is for the name."""
    subprocess.run(["openssl", "verify", "-CAfile", str(here.served.root), "-untrusted", str(path), "-verify_hostname",
                    name, str(path)], check=True, capture_output=True)
    return serial_of(path)


def revoked(here):
    return {one["serial"] for one in here.served.json("list", "--revoked")["certificates"]}


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_certbot(place, tmp_path):
    need("certbot", "openssl")
    here = place()
    kid, secret = here.key("bot.example.org", "bot2.example.org")
    common = ["--config-dir", tmp_path / "c", "--work-dir", tmp_path / "w", "--logs-dir", tmp_path / "l",
              "--server", here.directory, "-n"]
    run(here, tmp_path, "certbot", "register", *common, "--agree-tos", "-m", "a@example.org", "--no-eff-email",
        "--eab-kid", kid, "--eab-hmac-key", secret)
    web = ["--webroot", "-w", here.web_directory]
    run(here, tmp_path, "certbot", "certonly", *common, *web, "-d", "bot.example.org", "-d", "bot2.example.org")
    live = tmp_path / "c" / "live" / "bot.example.org" / "fullchain.pem"
    first = verified(here, live, "bot2.example.org")
    run(here, tmp_path, "certbot", "renew", *common, "--force-renewal", "--no-random-sleep-on-renew")
    second = verified(here, live, "bot.example.org")
    assert first != second
    run(here, tmp_path, "certbot", "revoke", *common, "--cert-path", live, "--reason", "superseded",
        "--no-delete-after-revoke")
    assert revoked(here) == {second}
    done = run(here, tmp_path, "certbot", "certonly", *common, *web, "-d", "other.example.org", status=1)
    assert "rejectedIdentifier" in done.stdout + done.stderr + (tmp_path / "l" / "letsencrypt.log").read_text()
    run(here, tmp_path, "certbot", "unregister", *common)


def trusting(here, command):
    """In a mount namespace of its own the root takes the place of the machine's bundle: for programs
    that can be told in no other way whom to believe."""
    if not pathlib.Path(BUNDLE).exists() or \
            subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mount namespaces are not permitted, or there is no bundle to mount over")
    words = " ".join(shlex.quote(str(word)) for word in command)
    return ["unshare", "--mount", "sh", "-c", f"mount --bind {here.served.root} {BUNDLE} && exec {words}"]


def uacme_at(here, tmp_path):
    """With an account: the command, and its hook."""
    kid, secret = here.key("uacme.example.org")
    web = here.web_directory / ".well-known" / "acme-challenge"
    web.mkdir(parents=True)
    hook = script(tmp_path / "hook", f"""
[ "$2" = http-01 ] || exit 1
case "$1" in
begin) printf '%s' "$5" > {web}/"$4" ;;
done|failed) rm -f {web}/"$4" ;;
esac
""")
    common = ["uacme", "-a", here.directory, "-c", tmp_path / "u", "-y"]
    run(here, tmp_path, *trusting(here, [*common, "-e", f"{kid}:{secret}", "new", "a@example.org"]))
    return common, hook


def test_uacme(place, tmp_path):
    need("uacme", "unshare", "openssl")
    here = place()
    common, hook = uacme_at(here, tmp_path)
    issue = [*common, "-h", hook, "issue", "uacme.example.org"]
    run(here, tmp_path, *trusting(here, issue))
    path = tmp_path / "u" / "uacme.example.org" / "cert.pem"
    first = verified(here, path, "uacme.example.org")
    run(here, tmp_path, *trusting(here, [*common, "-h", hook, "-f", "issue", "uacme.example.org"]))
    assert verified(here, path, "uacme.example.org") != first
    second = serial_of(path)
    run(here, tmp_path, *trusting(here, [*common, "revoke", path]))
    assert revoked(here) == {second}
    run(here, tmp_path, *trusting(here, [*common, "deactivate"]))


def test_uacme_when_the_authority_is_killed_in_between(place, tmp_path):
    """Anywhere between the nonce and the certificate: the same command again has one, and what it had is
    not lost."""
    need("uacme", "unshare", "openssl", "curl")
    crash.need_strace()
    here = place()
    common, hook = uacme_at(here, tmp_path)
    issue = trusting(here, [*common, "-h", hook, "-f", "issue", "uacme.example.org"])
    path = tmp_path / "u" / "uacme.example.org" / "cert.pem"
    ledger = Ledger(here.served, Est(tmp_path / "est"))
    calls = ("fdatasync", "sendto")
    with crash.Attached(ledger.wait(), calls) as seen:
        run(here, tmp_path, *issue)
    points = crash.points(seen.counts(), 2, calls)
    for call, when in points:
        pid = ledger.wait()
        with crash.Attached(pid, [call], when, "signal=KILL") as hit:
            done = run(here, tmp_path, *issue, status=None)
        if hit.killed:
            ledger.replaced(pid)
        assert hit.killed or done.returncode == 0, done.stderr
        if done.returncode != 0:
            run(here, tmp_path, *issue)
        verified(here, path, "uacme.example.org")
        ledger.acknowledge(x509.load_pem_x509_certificate(path.read_bytes()), "uacme.example.org")
        ledger.check()
    print(f"uacme: {len(points)} points, {ledger.kills} hit")
    assert ledger.kills >= len(points) // 2


def dehydrated_at(here, tmp_path, kid, secret, **more):
    base = tmp_path / "dehydrated"
    base.mkdir(exist_ok=True)
    config = base / "config"
    words = {"CA": here.directory, "BASEDIR": base, "WELLKNOWN": here.web_directory / ".well-known/acme-challenge",
             "EAB_KID": kid, "EAB_HMAC_KEY": secret, "KEY_ALGO": "prime256v1", "CONTACT_EMAIL": "a@example.org",
             "OCSP_FETCH": "no", **more}
    config.write_text("".join(f"{name}={shlex.quote(str(value))}\n" for name, value in words.items()))
    return ["dehydrated", "-f", config]


def test_dehydrated(place, tmp_path):
    need("dehydrated", "curl", "openssl")
    here = place()
    kid, secret = here.key("hydra.example.org", "*.hydra.example.org")
    (here.web_directory / ".well-known/acme-challenge").mkdir(parents=True)
    common = dehydrated_at(here, tmp_path, kid, secret)
    run(here, tmp_path, *common, "--register", "--accept-terms")
    run(here, tmp_path, *common, "-c", "-d", "hydra.example.org")
    path = tmp_path / "dehydrated" / "certs" / "hydra.example.org" / "fullchain.pem"
    first = verified(here, path, "hydra.example.org")
    run(here, tmp_path, *common, "-c", "-x", "-d", "hydra.example.org")
    assert verified(here, path, "hydra.example.org") != first
    second = serial_of(path)
    run(here, tmp_path, *common, "-r", path)
    assert revoked(here) == {second}


def test_dehydrated_by_tls_alpn(place, tmp_path):
    """The certificate that proves is the client's own make."""
    need("dehydrated", "curl", "openssl")
    here = place()
    kid, secret = here.key("alpn.example.org")
    certs = tmp_path / "alpn"
    certs.mkdir()
    common = dehydrated_at(here, tmp_path, kid, secret, CHALLENGETYPE="tls-alpn-01", ALPNCERTDIR=certs)
    run(here, tmp_path, *common, "--register", "--accept-terms")
    hook = script(tmp_path / "alpn-hook", f"""
[ "$1" = deploy_challenge ] || exit 0
cat {certs}/"$2".crt.pem {certs}/"$2".key.pem > {tmp_path}/pair.pem
""")
    here.alpn.pair = str(tmp_path / "pair.pem")
    run(here, tmp_path, *common, "-c", "-d", "alpn.example.org", "-k", hook)
    verified(here, tmp_path / "dehydrated" / "certs" / "alpn.example.org" / "fullchain.pem", "alpn.example.org")


def test_dehydrated_by_dns(place, tmp_path):
    need("dehydrated", "curl", "openssl")
    here = place()
    kid, secret = here.key("*.wild.example.org")
    texts = tmp_path / "texts"
    hook = script(tmp_path / "dns-hook", f"""
case "$1" in
deploy_challenge) printf '%s %s\\n' "$2" "$4" >> {texts} ;;
esac
""")
    here.dns.texts = FileTexts(texts)
    common = dehydrated_at(here, tmp_path, kid, secret, CHALLENGETYPE="dns-01", HOOK=hook)
    run(here, tmp_path, *common, "--register", "--accept-terms")
    run(here, tmp_path, *common, "-c", "-d", "*.wild.example.org", "--alias", "wild")
    verified(here, tmp_path / "dehydrated" / "certs" / "wild" / "fullchain.pem", "any.wild.example.org")


class FileTexts:
    """The TXT records that a hook wrote down."""

    def __init__(self, path):
        self.path = path

    def get(self, name, other):
        lines = [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []
        found = [text for host, text in lines if f"_acme-challenge.{host}" == name]
        return found or other


def test_acme_tiny(place, tmp_path):
    """It cannot be bound: for open accounts."""
    need("acme-tiny", "openssl")
    here = place(accounts="open")
    web = here.web_directory / ".well-known" / "acme-challenge"
    web.mkdir(parents=True)
    for name in ("account", "domain"):
        subprocess.run(["openssl", "genrsa", "-out", tmp_path / f"{name}.key", "2048"], check=True,
                       capture_output=True)
    subprocess.run(["openssl", "req", "-new", "-sha256", "-key", tmp_path / "domain.key", "-subj",
                    "/CN=tiny.example.org", "-out", tmp_path / "domain.csr"], check=True, capture_output=True)
    command = ["acme-tiny", "--account-key", tmp_path / "account.key", "--csr", tmp_path / "domain.csr",
               "--acme-dir", web, "--directory-url", here.directory, "--disable-check"]
    chain = run(here, tmp_path, *command).stdout
    (tmp_path / "chain.pem").write_text(chain)
    first = verified(here, tmp_path / "chain.pem", "tiny.example.org")
    (tmp_path / "chain.pem").write_text(run(here, tmp_path, *command).stdout)
    assert verified(here, tmp_path / "chain.pem", "tiny.example.org") != first
    bound = place_refuses(here, tmp_path, command)
    assert "externalAccountRequired" in bound


def place_refuses(here, tmp_path, command):
    """The same client where accounts must be bound, with a key that no account has."""
    config = here.served.config()
    config["authority"]["acme"]["accounts"] = "bound"
    here.served.gateway.write(config)
    assert here.served.gateway.reload()
    here.served.gateway.event("authority_ready", count=2)
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "account.key", "2048"], check=True, capture_output=True)
    done = run(here, tmp_path, *command, status=None)
    assert done.returncode != 0 and shutil.which("acme-tiny")
    return done.stdout + done.stderr


def commands_of_the_page():
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "acme.md").read_text()
    return [shlex.split(line) for block in text.split("```sh\n")[1:]
            for line in block.partition("```")[0].strip().splitlines()]


def test_the_page_holds(place, tmp_path):
    """docs/acme.md, command by command, with this machine's addresses and directories."""
    need("certbot", "openssl")
    here = place()
    bind, register, certonly, withdraw = commands_of_the_page()
    assert bind[:2] == ["mutual", "bind"]
    printed = here.served.run(*bind[1:]).stdout
    words = dict(line.split(None, 1) for line in printed.replace("key id", "kid").replace("hmac key", "key")
                 .splitlines())
    own = {"https://ca.example.org:8443/acme/directory": here.directory, "KID": words["kid"].strip(),
           "KEY": words["key"].strip(), "/var/www/html": here.web_directory}
    places = ["--config-dir", tmp_path / "c", "--work-dir", tmp_path / "w", "--logs-dir", tmp_path / "l"]
    for command in (register, certonly):
        run(here, tmp_path, *[own.get(word, word) for word in command], *places)
    verified(here, tmp_path / "c" / "live" / "web.example.org" / "fullchain.pem", "web.example.org")
    here.served.run(*[own.get(word, word) for word in withdraw[1:]])
    done = run(here, tmp_path, *[own.get(word, word) for word in certonly], "--force-renewal", *places, status=None)
    listed = [one["name"] for one in here.served.json("list")["certificates"]]
    assert done.returncode != 0 and listed.count("web.example.org") == 1
