# SPDX-License-Identifier: Apache-2.0
"""What the attacks of attack_table.py do. Each function here makes an act: a function of the field
that tries it and returns the gateway's own word for why it was refused."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import time

import denied
import handmade
from attack_field import ANYBODY, Impostor, der_san, plainly
from gateway import Gateway
from handmade import Client12, Client13, Refused
from net import TlsClient, refused, say, until
from pki import Pki

# -- sessions carried to where they do not belong ---------------------------------------------------


def resume(made, used, version, *, name="localhost", other=None):
    """A session of one listener is shown to another."""
    def act(field):
        who = None if made in ("lax", "plain") else field.client("client")
        context = field.context(who, version)
        session = field.session(field.still, made, context, name)
        return field.refuse(field.still, used, context, session=session,
                            name=other or "localhost")["reason"]
    return act


def resume_after(change, version, *, made="db", who="client"):
    """A session is shown again after the rules changed."""
    def act(field):
        context = field.context(field.client(who) if who else None, version)
        session = field.session(field.changing, made, context)
        with field.rules(lambda config: change(field, config)) as gateway:
            return field.refuse(gateway, made, context, session=session)["reason"]
    return act


def listener_of(config, name):
    return next(one for one in config["inbound"] if one["name"] == name)


def withdraw(field, config):
    config["policy"][0]["from"] = [{"spiffe": "spiffe://example.org/somebody-else"}]


def end_grant(field, config):
    config["policy"][0]["until"] = "2020-01-01"


def replace_bundle(field, config):
    config["trust"][0]["bundle"] = str(field.pki.stranger.cert)


def demand(field, config):
    listener_of(config, "lax")["clients"]["mode"] = "require"


def resume_revoked(listed, version):
    def act(field):
        name = f"client-{listed}-{version}"
        issuer = field.authority(f"Later{version}", days=(-1, 30)) if listed == "above" else None
        pair = field.client(name, issuer=issuer)
        context = field.context(pair, version)
        session = field.session(field.changing, "db", context)
        authority, victim = (field.pki.root, issuer.pair) if issuer else (field.pki.issuer, pair)
        authority.revoke(victim)
        path = authority.crl(field.directory / f"{name}.crl")

        def change(config):
            config["trust"][0]["revocation"] = {"crl": str(path)}
        with field.rules(change) as gateway:
            return field.refuse(gateway, "db", context, session=session)["reason"]
    return act


def resume_expired(version):
    """The certificate ends between the two connections."""
    def act(field):
        pair = field.client(f"brief-{version}", days=(-1, 3 / 86400))
        context = field.context(pair, version)
        session = field.session(field.still, "db", context)
        until(lambda: time.time() > pair.cert.stat().st_mtime + 4)
        return field.refuse(field.still, "db", context, session=session)["reason"]
    return act


def resume_restarted(version):
    """The gateway starts anew by stricter rules; nothing that it gave out before counts."""
    def act(field):
        context = field.context(field.client("client"), version)
        config = field.config()
        one = Gateway(field.mutual, field.directory, config, name=f"restarted-{version}")
        one.start()
        session = field.session(one, "db", context)
        one.stop()
        withdraw(field, config)
        one.write(config)
        one.log_path.unlink()
        one.start()
        try:
            return field.refuse(one, "db", context, session=session)["reason"]
        finally:
            one.stop()
    return act


# -- host names of one listener that believe different authorities -----------------------------------

TENANTS = "tenants"


def at_tenant(field, gateway, tenant, context, **more):
    """A refusal that the rules of that host of the listener give."""
    where = gateway.address(TENANTS)
    with field.watch(gateway, f"{TENANTS}/{tenant}" if tenant else TENANTS) as line:
        refused(where, context, **more)
    return line["reason"]


def visit_tenant(tenant, name, version="1.3", *, who="client", issuer=None):
    """Somebody with a certificate of ours, or of `issuer`, asks for that name."""
    def act(field):
        pair = who and field.client(who if issuer is None else f"{who}-of-another",
                                    issuer=issuer and issuer(field))
        return at_tenant(field, field.still, tenant, field.context(pair, version), name=name)
    return act


def carry_to_tenant(tenant, name, version, *, made="corp.test", who="client"):
    """A session of one host is shown at another."""
    def act(field):
        context = field.context(who and field.client(who), version)
        session = field.session(field.still, TENANTS, context, made)
        return at_tenant(field, field.still, tenant, context, name=name, session=session)
    return act


def tenant_changes(change, tenant, version):
    """A session of a host is shown there after that host changed."""
    def act(field):
        context = field.context(field.client("client"), version)
        session = field.session(field.changing, TENANTS, context, "corp.test")
        with field.rules(change) as gateway:
            return at_tenant(field, gateway, tenant, context, name="corp.test", session=session)
    return act


def hosts_of(config):
    return listener_of(config, TENANTS)["hosts"]


def believe_others(config):
    hosts_of(config)[0]["clients"]["trust"] = "strangers"


def take_away(config):
    hosts_of(config).pop(0)
    config["policy"] = [rule for rule in config["policy"] if rule["grant"] != TENANTS]


def rename_tenant(config):
    """Its name goes to the host that believes others."""
    hosts = hosts_of(config)
    hosts[1]["names"].append(hosts[0]["names"].pop())
    hosts[0]["names"].append("renamed.test")


def the_stranger(field):
    return field.pki.stranger


def included(make):
    """Rules of a file that the configuration includes are not what they should be: at the start the
    gateway does not start, at a reload what was goes on."""
    def act(field):
        path = field.directory / "included.yaml"
        make(path)

        def place(config, _):
            config["include"] = str(path)
        try:
            return bad_file(place, lambda _: None)(field)
        finally:
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
    return act


# -- the deny list -------------------------------------------------------------------------------


def with_deny_list(field, *lines):
    """A change of rules: the list has these entries."""
    path = denied.write(field.directory / "deny", *lines)

    def change(config):
        config["deny"] = str(path)
    return change


def resume_denied(entry, version):
    """A session is shown after its certificate, or its issuer's, came onto the deny list."""
    def act(field):
        issuer = field.authority(f"Denied{version}") if entry is issuer_of else None
        pair = field.client(f"denied-{entry.__name__}-{version}", issuer=issuer)
        context = field.context(pair, version)
        session = field.session(field.changing, "db", context)
        line = entry(field, pair)
        with field.rules(with_deny_list(field, line)) as gateway:
            return field.refuse(gateway, "db", context, session=session)["reason"]
    return act


def present_denied(entry, listener="db", **more):
    """Somebody on the deny list comes with a certificate that is good in everything else."""
    def act(field):
        pair = field.client(f"listed-{len(field.pki.pairs)}", **more)
        with field.rules(with_deny_list(field, entry(field, pair))) as gateway:
            return field.refuse(gateway, listener, field.context(pair, "1.3"))["reason"]
    return act


def own_serial(field, pair):
    return denied.by_issuer(pair)


def own_key(field, pair):
    return denied.by_key(pair)


def issuer_of(field, pair):
    version = pair.name.rsplit("-", 1)[1]
    return denied.by_serial(field.authorities[f"Denied{version}"].pair)


def the_anchor(field, pair):
    return denied.by_key(field.pki.root.pair)


def same_key_again(field):
    """The denied key comes back in a certificate of another serial number and name."""
    first = field.client("denied-key-first")
    again = field.client("denied-key-again")
    context = field.context(None, "1.3", ca=str(field.pki.bundle))
    shutil.copy(first.key, again.key)
    field.pki.issuer.sign(again, "/CN=denied-key-again",
                          ["basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature",
                           "extendedKeyUsage=clientAuth",
                           "subjectAltName=URI:spiffe://example.org/somebody-new"], (-1, 30))
    context.load_cert_chain(again.chain, again.key)
    context.check_hostname = False
    with field.rules(with_deny_list(field, denied.by_key(first))) as gateway:
        return field.refuse(gateway, "db", context)["reason"]


def set_deny(config, path):
    config["deny"] = str(path)


# -- certificates --------------------------------------------------------------------------------


def present(listener="db", version=None, *, issuer=None, chain=None, security=None, name=None,
            **more):
    """Somebody shows a certificate of this kind. `issuer`: a function of the field. `chain`: a
    function of field and pair that yields what is sent."""
    def act(field):
        above = issuer(field) if issuer else None
        label = name or f"attacker-{len(field.pki.pairs)}"
        pair = field.client(label, issuer=above, **more)
        if chain is not None:
            pair.chain = field.directory / f"{label}.sent.pem"
            pair.chain.write_text(chain(field, pair))
        context = field.context(pair, version, security=security)
        return field.refuse(field.still, listener, context)["reason"]
    return act


def named(kind, text):
    """A certificate whose only name is of this type and of just these bytes."""
    return present("typed", extensions=[
        "basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=clientAuth", der_san(kind, text)])


def below(name, *extensions, **more):
    """Certificates of an authority with these extensions."""
    return lambda field: field.authority(name, ext=list(extensions), **more)


def namesake(field):
    """All names are those of our authorities, the keys are others."""
    if not hasattr(field, "namesake"):
        directory = field.directory / "namesake"
        directory.mkdir()
        field.namesake = Pki(directory)
    return field.namesake.issuer


def no_authority(field):
    """Somebody with a good certificate, who issues others with it."""
    if "no-authority" not in field.authorities:
        maker = field.authority("NoAuthority", ext=["basicConstraints=critical,CA:FALSE"])
        field.authorities["no-authority"] = maker
    return field.authorities["no-authority"]


def below_path_length(field):
    above = field.authority("Shortest", ext=["basicConstraints=critical,CA:TRUE,pathlen:0"])
    return field.authority("TooDeep", parent=above)


def hundred(field, pair):
    return pair.cert.read_text() + field.pki.issuer.cert.read_text() * 99


def alone(field, pair):
    return pair.cert.read_text()


def nobody(listener="db", version="1.3"):
    """No certificate; in TLS the client says so by an empty message."""
    def act(field):
        return field.refuse(field.still, listener, field.context(None, version))["reason"]
    return act


# -- handshakes that no library does ----------------------------------------------------------------


def by_hand(client, moves, *, listener="db", pieces=None, name=b"localhost", alpn=None):
    """`moves`: what is done after the server's last message, as a function of client and field."""
    def act(field):
        with field.watch(field.still, listener) as line, contextlib.suppress(Refused):
            more = {} if alpn is None else {"alpn": alpn}
            with client(field.still.address(listener), name, pieces, **more) as one:
                moves(one, field)
        return line["reason"]
    return act


def skip_everything(one, field):
    one.finish()
    one.order()


def skip_proof(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.finish()
    one.order()


def empty_certificate(one, field):
    one.certificate([])
    one.finish()
    one.order()


def proof_without_certificate(one, field):
    one.verify(handmade.private_key(field.client("client")))
    one.finish()
    one.order()


def proof_by_another_key(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.verify(handmade.private_key(field.client("attacker")))
    one.finish()
    one.order()


def proof_of_another_handshake(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.verify(handmade.private_key(field.client("client")), transcript=b"an earlier handshake")
    one.finish()
    one.order()


def proof_of_a_server(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.verify(handmade.private_key(field.client("client")), side=b"server")
    one.finish()
    one.order()


def no_certificate_at_all(one, field):
    one.certificate([b"\x30\x82\xff\xff garbage"])
    one.order()


def certificate_with_a_tail(one, field):
    first, *rest = handmade.ders(field.client("client"))
    one.certificate([first + b"tail", *rest])
    one.order()


def wrong_finished(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.verify(handmade.private_key(field.client("client")))
    one.finish(wrong=True)
    one.order()


def order_first(one, field):
    one.order()


def certificate_twice(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.certificate(handmade.ders(field.client("attacker")))
    one.order()


def skip_certificate_12(one, field):
    one.key_exchange()
    one.end()


def skip_proof_12(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.key_exchange()
    one.change()
    one.end()


def skip_exchange_12(one, field):
    one.certificate(handmade.ders(field.client("client")))
    one.change()
    one.end()


def good_until_admission(one, field):
    """A whole and honest handshake; only access is missing."""
    one.certificate(handmade.ders(field.client("client")))
    one.verify(handmade.private_key(field.client("client")))
    one.finish()
    one.order()


def raw(data, listener="db"):
    def act(field):
        with field.watch(field.still, listener) as line:
            say(field.still.address(listener), data)
        return line["reason"]
    return act


def asks_for(name, listener="hosts", version="1.3"):
    def act(field):
        return field.refuse(field.still, listener, field.context(field.client("client"), version),
                            name=name)["reason"]
    return act


# -- files that are not what they should be -----------------------------------------------------------


def set_bundle(config, path):
    config["trust"][0]["bundle"] = str(path)


def set_intermediates(config, path):
    config["trust"][0]["intermediates"] = str(path)


def set_list(config, path):
    config["trust"][0]["revocation"] = {"crl": str(path)}


def set_certificate(config, path):
    config["inbound"][0]["certificate"][0]["chain"] = str(path)


def absent(field):
    return field.directory / "absent"


def holding(text):
    def make(field):
        path = field.directory / "bad-file"
        path.write_bytes(text)
        return path
    return make


def directory(field):
    path = field.directory / "a-directory"
    path.mkdir(exist_ok=True)
    return path


def endless(field):
    return pathlib.Path("/dev/zero")


def leaf(field):
    return field.client("client").cert


def stranger_list(field):
    """Its issuer's name is ours, its key is not."""
    return namesake(field).crl(field.directory / "namesake.crl")


def bad_file(place, make):
    """At the start: the gateway does not start. At a reload: what was goes on, and the changed rules
    let nobody in."""
    def act(field):
        config = field.config()
        place(config, make(field))
        words = json.loads(field.start(config).splitlines()[-1])
        assert words["msg"] == "cannot start", words
        gateway, who = field.changing, field.context(field.client("client"), "1.3")
        # the new rules would let everybody in everywhere, if they were taken
        config["policy"] = [{**rule, "to": "*", "from": ANYBODY} for rule in config["policy"][:1]]
        gateway.write(config)
        assert not gateway.reload()
        assert words["detail"][:60] in gateway.events("reload_refused")[-1]["detail"]
        assert field.refuse(gateway, "ledger", who)["reason"] == "policy_denied"
        with TlsClient(gateway.address("db"), who) as client:
            client.ask()
        gateway.write(field.config())
        assert gateway.reload()
        return words["code"]
    return act


def bad_rules(text):
    """The same with the configuration itself; `text`: a function of the whole configuration."""
    def act(field):
        config = text(field.config())
        words = json.loads(field.start(config).splitlines()[-1])
        gateway, who = field.changing, field.context(field.client("client"), "1.3")
        gateway.write(config)
        assert not gateway.reload()
        assert field.refuse(gateway, "ledger", who)["reason"] == "policy_denied"
        gateway.write(field.config())
        assert gateway.reload()
        return words["code"]
    return act


def with_rule(**more):
    def change(config):
        config["policy"].append({"grant": "more", "to": "db", "owner": "o", "why": "w", **more})
        return config
    return change


# -- servers that are not who they should be ----------------------------------------------------------


def impostor(version="1.3", deny=None, **more):
    """An outbound reaches somebody else's server: our client's bytes stay here. `deny`: a function
    of the pair that yields a line of the deny list."""
    def act(field):
        pair = field.pki.pair(f"impostor-{len(field.pki.pairs)}",
                              **{"eku": "serverAuth", "sans": ["DNS:db.example.org"], **{
                                  key: value(field) if callable(value) else value
                                  for key, value in more.items()}})
        us = field.client("client")
        with Impostor(pair, version) as server:
            config = {"version": 1, "workers": 1,
                      "trust": [{"name": "corp", "bundle": str(field.pki.bundle)}],
                      "outbound": [{"name": "out", "listen": "127.0.0.1:0",
                                    "connect": server.backend.address, "trust": "corp",
                                    "server-name": "db.example.org",
                                    "expect": {"dns": "db.example.org"},
                                    "certificate": {"chain": str(us.chain), "key": str(us.key)}}]}
            if deny is not None:
                with_deny_list(field, deny(pair))(config)
            one = Gateway(field.mutual, field.directory, config, name=f"out-{pair.name}")
            one.start()
            try:
                plainly(one.address(), b"secret order")
                line = one.end(listener="out")
            finally:
                one.stop()
            assert line["decision"] == "refused" and server.heard == b"", line
        return line["reason"]
    return act


# -- what fails under it --------------------------------------------------------------------------------


def without_keys(field):
    """The key process does not answer: nobody is let in, whatever they hold."""
    gateway, who = field.changing, field.context(field.client("client"), "1.3")
    keys = gateway.pids("keys")[0]
    os.kill(keys, signal.SIGSTOP)
    try:
        return field.refuse(gateway, "db", who)["reason"]
    finally:
        os.kill(keys, signal.SIGCONT)
