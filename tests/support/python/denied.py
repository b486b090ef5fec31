# SPDX-License-Identifier: Apache-2.0
"""Deny lists for tests, with what the openssl command says of certificates."""
import hashlib

from pki import openssl

HEAD = "mutual-deny 1\n"
RECORD = 'time=2026-11-28T15:00:00Z owner="tests" reason="laptop stolen"'


def serial(pair):
    return openssl("x509", "-in", pair.cert, "-noout", "-serial").decode().strip().split("=")[1]


def issuer(pair):
    text = openssl("x509", "-in", pair.cert, "-noout", "-issuer", "-nameopt", "RFC2253").decode()
    return text.strip().split("=", 1)[1]


def key(pair):
    spki = openssl("x509", "-in", pair.cert, "-noout", "-pubkey")
    return hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", input=spki)).hexdigest()


def by_serial(pair):
    return f"serial={serial(pair)}"


def by_issuer(pair):
    return f'serial={serial(pair)} issuer="{issuer(pair)}"'


def by_key(pair):
    return f"key={key(pair)}"


def write(path, *lines):
    """As mutual revoke does it: whole, under another name first."""
    new = path.with_name(path.name + ".new")
    new.write_text(HEAD + "".join(f"{line} {RECORD}\n" for line in lines))
    new.rename(path)
    return path
