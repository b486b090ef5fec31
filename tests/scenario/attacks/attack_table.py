# SPDX-License-Identifier: Apache-2.0
"""The list of attacks: each row names one, the known failure of other programs that it repeats, and
the word by which it must be refused. test_attacks.py tries them all. ELSEWHERE names the attacks
that are tried by tests of their own."""
from attack_acts import *  # noqa: F403

# The mistakes that let people in elsewhere, in our words.
RESUMES = "resumption skips the check"
CARRIES = "a session counts where it was not made"
OLD = "a session carries an old verdict"
SWITCH = "a switch leaves a path around the proof"
FALLS = "an unknown or broken name falls back to weaker rules"
EMPTY = "nothing to verify against means no verification"
KEEPS = "half a reload is taken"
TYPES = "names lose their type between certificate and rule"
CUTS = "a name is cut, folded or unescaped on its way"
CLAIMS = "a claim counts without the proof of its key"
SKIPS = "a message left out skips a check"
CHAINS = "the chain is not checked as a whole"
BOUNDS = "the authority's own limits are not kept"
COSTS = "a stranger's chain costs more than it may"
REVOKED = "revocation is asked for, but not heeded"
EXEMPT = "an exemption for one purpose reaches the service"
PERMITS = "being known counts as being permitted"
SERVER = "the other end is not who it should be"
OPENS = "a failure of a part opens the door"
SPEAKS = "a stranger's bytes speak where they are shown or looked up"
UNJUDGED = "data pass before the verdict"
LURES = "an address that somebody else chose is gone to"
OLDER = "a fetched list counts because it was fetched"
READS = "what is malformed, replayed or late is read as something"

BOTH = ("1.2", "1.3")
ROWS = []


def row(lesson, name, reason, act):
    ROWS.append((lesson, name, reason, act))


# -- resumption ---------------------------------------------------------------------------------------

for v in BOTH:
    row(RESUMES, f"a session at a listener without a grant, {v}", "policy_denied",
        resume("db", "ledger", v))
    row(RESUMES, f"a session of an anonymous client where one must prove itself, {v}",
        "no_client_cert", resume("lax", "db", v))
    row(RESUMES, f"a session of plain TLS where one must prove itself, {v}", "no_client_cert",
        resume("plain", "db", v))
    row(CARRIES, f"a session at a listener that trusts others, {v}", "chain_incomplete",
        resume("db", "other", v))
    row(CARRIES, f"a session of one host at a name that is not served, {v}", "sni_unknown",
        resume("hosts", "hosts", v, name="a.test", other="c.test"))
    row(CARRIES, f"a session of another listener at a name that is not served, {v}", "sni_unknown",
        resume("db", "hosts", v))
    row(SWITCH, f"a session where sessions are off, {v}", "policy_denied", resume("db", "off", v))
    row(OLD, f"a session after the grant was withdrawn, {v}", "policy_denied",
        resume_after(withdraw, v))
    row(OLD, f"a session after the grant ended, {v}", "grant_ended", resume_after(end_grant, v))
    row(OLD, f"a session after the bundle was replaced, {v}", "chain_incomplete",
        resume_after(replace_bundle, v))
    row(OLD, f"a session from before a certificate was demanded, {v}", "no_client_cert",
        resume_after(demand, v, made="lax", who=None))
    row(OLD, f"a session after its certificate was revoked, {v}", "revoked",
        resume_revoked("leaf", v))
    row(OLD, f"a session after its issuer was revoked, {v}", "revoked", resume_revoked("above", v))
    row(OLD, f"a session after its certificate came onto the deny list, {v}", "peer_denied",
        resume_denied(own_serial, v))
    row(OLD, f"a session after its key came onto the deny list, {v}", "peer_denied",
        resume_denied(own_key, v))
    row(OLD, f"a session after its issuer came onto the deny list, {v}", "peer_denied",
        resume_denied(issuer_of, v))
    row(OLD, f"a session after its certificate expired, {v}", "expired", resume_expired(v))
    row(OLD, f"a session after a restart by stricter rules, {v}", "policy_denied",
        resume_restarted(v))

# -- host names of one listener that believe different authorities ------------------------------------------

for v in BOTH:
    row(CARRIES, f"a session of a host at one that believes others, {v}", "chain_incomplete",
        carry_to_tenant("partner", "partner.test", v))
    row(CARRIES, f"a session of a host at one that believes the same and grants nothing, {v}",
        "policy_denied", carry_to_tenant("vault", "vault.lax.test", v))
    row(CARRIES, f"a session of a host that asks nobody at one that does, {v}", "no_client_cert",
        carry_to_tenant("corp", "corp.test", v, made="lax.test", who=None))
    row(CARRIES, f"a session of a host at a name that is not served, {v}", "sni_unknown",
        carry_to_tenant(None, "nobody.test", v))
    row(OLD, f"a session of a host that believes others now, {v}", "chain_incomplete",
        tenant_changes(believe_others, "corp", v))
    row(OLD, f"a session of a host that is gone, {v}", "policy_denied",
        tenant_changes(take_away, None, v))
    row(OLD, f"a session of a host whose name went to one that believes others, {v}",
        "chain_incomplete", tenant_changes(rename_tenant, "partner", v))
row(FALLS, "a certificate of one host's authority at another host", "chain_incomplete",
    visit_tenant("corp", "corp.test", issuer=the_stranger))
row(FALLS, "our certificate at a host that believes others", "chain_incomplete",
    visit_tenant("partner", "partner.test"))
row(FALLS, "a strict host below a wildcard that asks nobody", "no_client_cert",
    visit_tenant("vault", "vault.lax.test", who=None))
row(FALLS, "the same in capitals", "no_client_cert",
    visit_tenant("vault", "VAULT.Lax.TEST", who=None))
row(FALLS, "the same with a dot at the end", "no_client_cert",
    visit_tenant("vault", "vault.lax.test.", who=None))
row(FALLS, "no name where a host asks nobody", "no_client_cert", visit_tenant(None, None, who=None))
row(FALLS, "a name two labels below a wildcard", "sni_unknown", visit_tenant(None, "a.b.lax.test"))

# -- the rules that count for a connection ----------------------------------------------------------------

row(FALLS, "a name that no certificate has", "sni_unknown", asks_for("c.test"))
row(FALLS, "a name below one that is served", "sni_unknown", asks_for("x.a.test"))
row(FALLS, "a name with a NUL in it", "sni_unknown",
    by_hand(Client13, good_until_admission, listener="hosts", name=b"a.test\0.evil"))
row(FALLS, "a name of 300 bytes", "sni_unknown",
    by_hand(Client13, good_until_admission, listener="hosts", name=b"a." * 150))
row(FALLS, "an unknown name in a hello of three-byte records", "sni_unknown",
    by_hand(Client13, good_until_admission, listener="hosts", name=b"c.test", pieces=3))
row(FALLS, "a hello of one-byte records, and no certificate, 1.3", "no_client_cert",
    by_hand(Client13, empty_certificate, pieces=1))
row(FALLS, "a hello of seven-byte records, and no certificate, 1.2", "protocol_violation",
    by_hand(Client12, skip_certificate_12, pieces=7))
row(FALLS, "a hello of three-byte records by somebody without a grant", "policy_denied",
    by_hand(Client13, good_until_admission, listener="ledger", pieces=3))
row(FALLS, "another listener's host name", "policy_denied", asks_for("a.test", "ledger"))
row(EXEMPT, "the protocol of an ACME challenge", "no_client_cert",
    by_hand(Client13, empty_certificate, alpn=b"acme-tls/1"))
row(PERMITS, "a good certificate that no grant names", "policy_denied", present("ledger"))
row(PERMITS, "the name of a grant with more behind it", "policy_denied",
    present("ledger", sans=["URI:spiffe://example.org/accountant/assistant"]))
row(PERMITS, "the name of a grant in another letter case", "policy_denied",
    present("ledger", sans=["URI:spiffe://example.org/Accountant"]))
row(PERMITS, "the name of a grant in another trust domain", "policy_denied",
    present("ledger", sans=["URI:spiffe://example.org.evil.test/accountant"]))
row(UNJUDGED, "a whole handshake and data, by somebody without a grant", "policy_denied",
    by_hand(Client13, good_until_admission, listener="ledger"))

# -- nothing to verify against, and half reloads -----------------------------------------------------------

row(EMPTY, "a bundle that is missing", "FILE_MISSING", bad_file(set_bundle, absent))
row(EMPTY, "an empty bundle", "BUNDLE_EMPTY", bad_file(set_bundle, holding(b"")))
row(EMPTY, "a bundle of remarks", "BUNDLE_EMPTY", bad_file(set_bundle, holding(b"# nobody\n")))
row(EMPTY, "a bundle of garbage", "BUNDLE_EMPTY", bad_file(set_bundle, holding(b"\0\xff" * 99)))
row(EMPTY, "a bundle that is a directory", "FILE_UNREADABLE", bad_file(set_bundle, directory))
row(EMPTY, "a bundle without an end", "FILE_UNREADABLE", bad_file(set_bundle, endless))
row(EMPTY, "a bundle that holds no authority", "BUNDLE_UNUSABLE", bad_file(set_bundle, leaf))
row(EMPTY, "a bundle with a damaged certificate", "CERT_MALFORMED", bad_file(set_bundle, holding(
    b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")))
row(KEEPS, "intermediates that are missing", "FILE_MISSING", bad_file(set_intermediates, absent))
row(KEEPS, "intermediates of garbage", "BUNDLE_EMPTY",
    bad_file(set_intermediates, holding(b"garbage")))
row(KEEPS, "a revocation list that is missing", "FILE_MISSING", bad_file(set_list, absent))
row(KEEPS, "an empty revocation list", "PEM_MALFORMED", bad_file(set_list, holding(b"")))
row(KEEPS, "a revocation list of garbage", "PEM_MALFORMED", bad_file(set_list, holding(b"x" * 99)))
row(KEEPS, "a revocation list that is a directory", "FILE_UNREADABLE",
    bad_file(set_list, directory))
row(REVOKED, "a revocation list by another key of the same name", "CRL_SIGNATURE",
    bad_file(set_list, stranger_list))
row(KEEPS, "a deny list that is missing", "FILE_MISSING", bad_file(set_deny, absent))
row(KEEPS, "an empty deny list", "DENY_INVALID", bad_file(set_deny, holding(b"")))
row(KEEPS, "a deny list of garbage", "DENY_INVALID", bad_file(set_deny, holding(b"\0\xff" * 99)))
row(KEEPS, "a deny list that was cut in a line", "DENY_INVALID", bad_file(set_deny, holding(
    denied.HEAD.encode() + b"dns=a.test time=2027-01-31 owner=x reas")))
row(KEEPS, "a deny list with a line that nobody understands", "DENY_INVALID", bad_file(
    set_deny, holding((denied.HEAD + f"srial=0a {denied.RECORD}\n").encode())))
row(KEEPS, "a deny list that is a directory", "FILE_UNREADABLE", bad_file(set_deny, directory))
row(KEEPS, "a server's certificate that is missing", "FILE_MISSING",
    bad_file(set_certificate, absent))
row(KEEPS, "a server's certificate of garbage", "PEM_MALFORMED",
    bad_file(set_certificate, holding(b"garbage")))
row(KEEPS, "an empty configuration", "CONFIG_INVALID", bad_rules(lambda config: "\n"))
row(KEEPS, "a configuration of garbage", "CONFIG_SYNTAX", bad_rules(lambda config: "\0{{{"))
row(KEEPS, "an included file that is missing", "FILE_MISSING", included(lambda path: None))
row(KEEPS, "an included file of garbage", "CONFIG_SYNTAX",
    included(lambda path: path.write_bytes(b"\0{{{")))
row(KEEPS, "an included file that is a directory", "CONFIG_INVALID",
    included(lambda path: path.mkdir()))
row(KEEPS, "an included file with half a grant", "CONFIG_INVALID",
    included(lambda path: path.write_text("policy:\n  - grant: half\n    to: db\n")))
row(KEEPS, "a grant to nobody in particular", "CONFIG_INVALID", bad_rules(with_rule()))
row(KEEPS, "a grant to every name", "SPIFFE_MALFORMED",
    bad_rules(with_rule(**{"from": [{"spiffe": "**"}]})))
row(KEEPS, "a grant to what is not served", "GRANT_UNREACHABLE",
    bad_rules(with_rule(to="nothing", **{"from": [{"dns": "a.test"}]})))
row(EMPTY, "a listener that demands certificates and trusts nobody", "CONFIG_INVALID", bad_rules(
    lambda config: (listener_of(config, "db")["clients"].pop("trust"), config)[1]))
row(EMPTY, "a listener that trusts a bundle of another name", "CONFIG_INVALID", bad_rules(
    lambda config: (listener_of(config, "db")["clients"].update(trust="crop"), config)[1]))

# -- the chain --------------------------------------------------------------------------------------------

row(CHAINS, "a stranger's certificate", "unknown_issuer", present(
    issuer=lambda field: field.pki.stranger,
    chain=lambda field, pair: pair.cert.read_text() + field.pki.stranger.cert.read_text()))
row(CHAINS, "our authorities' names on other keys", "bad_signature", present(issuer=namesake))
row(CHAINS, "a certificate issued by one that may not issue", "not_a_ca",
    present(issuer=no_authority))
row(CHAINS, "an authority in the place of a client", "ca_as_peer", present(
    extensions=["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]))
row(CHAINS, "a chain that is deeper than its authority permits", "path_length",
    present(issuer=below_path_length))
row(CHAINS, "an intermediate that has expired", "expired",
    present(issuer=below("Past", days=(-20, -1))))
row(CHAINS, "an intermediate that is not valid yet", "not_yet_valid",
    present(issuer=below("Future", days=(2, 20))))
row(CHAINS, "a chain whose intermediate is left out", "chain_incomplete",
    present(issuer=below("Hidden"), chain=alone))
row(CHAINS, "an expired certificate", "expired", present(days=(-20, -1)))
row(CHAINS, "a certificate of next week", "not_yet_valid", present(days=(7, 20)))
row(CHAINS, "a server's certificate", "eku_missing", present(eku="serverAuth"))
row(CHAINS, "a certificate of an authority for servers only", "eku_missing",
    present(issuer=below("ForServers", "extendedKeyUsage=serverAuth")))
row(CHAINS, "a key that may only encipher", "key_usage_wrong", present(
    extensions=["keyUsage=critical,keyEncipherment", "extendedKeyUsage=clientAuth",
                "subjectAltName=URI:spiffe://example.org/x"]))
row(CHAINS, "a critical extension that nobody knows", "critical_extension", present(
    extensions=["1.2.3.4.5=critical,DER:05:00", "extendedKeyUsage=clientAuth",
                "subjectAltName=URI:spiffe://example.org/x"]))
row(CHAINS, "an RSA key of 1024 bits", "weak_key", present(key="rsa-1024", security=0))
row(CHAINS, "a signature with SHA-1", "weak_signature", present(digest="sha1", security=0))
row(COSTS, "a hundred certificates", "chain_too_long", present(chain=hundred))

# -- what an authority may issue ----------------------------------------------------------------------------

CONSTRAINT = "nameConstraints=critical,"
for what, limit, name in (
        ("a DNS name outside", "permitted;DNS:inside.example.org", "DNS:outside.example.org"),
        ("an excluded DNS name in capitals", "excluded;DNS:out.example.org",
         "DNS:A.OUT.Example.ORG"),
        ("a wildcard over an excluded name", "excluded;DNS:out.example.org", "DNS:*.example.org"),
        ("a mail address of another host", "permitted;email:example.org",
         "email:joe@evil.example.com"),
        ("a SPIFFE ID of another domain", "permitted;URI:example.org", "URI:spiffe://evil.org/x"),
        ("an address of another network", "permitted;IP:10.0.0.0/255.0.0.0", "IP:192.0.2.1")):
    row(BOUNDS, what, "name_constraint",
        present("typed", issuer=below("Limit" + name.replace(":", "-").replace("/", "-")
                                      .replace("*", "any").replace("@", "-"), CONSTRAINT + limit),
                sans=[name]))
row(BOUNDS, "a constraint of a kind that nobody knows", "name_constraint",
    present(issuer=below("LimitOther", CONSTRAINT + "permitted;RID:1.2.3.4"),
            sans=["URI:spiffe://example.org/x", "RID:1.2.3.5"]))

# -- names ---------------------------------------------------------------------------------------------------

for what, kind, text in (
        ("a DNS name where mail is granted", "dns", b"example.org"),
        ("a mail address as a DNS grant's name", "email", b"x@admin.example.org"),
        ("a URI that holds a granted DNS name", "uri", b"https://admin.example.org/"),
        ("a granted URI in capitals", "uri", b"HTTPS://example.org/admin"),
        ("a granted URI with a query", "uri", b"https://example.org/admin?x"),
        ("a wildcard over a granted DNS name", "dns", b"*.example.org"),
        ("the bytes of a granted address in IPv6", "ip",
         b"\0" * 10 + b"\xff\xff" + bytes([192, 0, 2, 1])),
        ("a granted common name in a DNS name", "dns", b"root")):
    row(TYPES, what, "policy_denied", named(kind, text))
row(TYPES, "a granted DNS name as the common name", "policy_denied",
    present("typed", cn="admin.example.org", sans=["DNS:nobody.example.org"]))
row(TYPES, "a granted address as a DNS name", "identity_invalid", named("dns", b"192.0.2.1"))
row(CUTS, "a DNS name with NUL in it", "identity_invalid",
    named("dns", b"admin.example.org\0.evil.test"))
row(CUTS, "a DNS name with a newline", "identity_invalid", named("dns", b"admin.example.org\n"))
row(CUTS, "a DNS name with colours for a terminal", "identity_invalid",
    named("dns", b"\x1b[31madmin.example.org"))
row(CUTS, "a DNS name in UTF-8", "identity_invalid", named("dns", "ädmin.example.org".encode()))
row(CUTS, "a mail address with NUL in it", "identity_invalid",
    named("email", b"admin@example.org\0.evil.test"))
row(CUTS, "a mail address with two hosts", "identity_invalid",
    named("email", b"admin@example.org@evil.test"))
row(CUTS, "a URI with NUL in it", "identity_invalid", named("uri", b"https://example.org/admin\0x"))
row(CUTS, "a SPIFFE ID with NUL in it", "identity_invalid",
    named("uri", b"spiffe://example.org/admin\0x"))
row(CUTS, "an address with a mask", "identity_invalid", named("ip", bytes([192, 0, 2, 1] * 2)))
for what, text in (("the scheme in capitals", b"SPIFFE://example.org/admin"),
                   ("the domain in capitals", b"spiffe://Example.org/admin"),
                   ("a percent-encoded letter", b"spiffe://example.org/%61dmin"),
                   ("a percent-encoded dot", b"spiffe://example%2eorg/admin"),
                   ("a user", b"spiffe://example.org@evil.test/admin"),
                   ("a port", b"spiffe://example.org:443/admin"),
                   ("a query", b"spiffe://example.org/admin?x"),
                   ("a fragment", b"spiffe://example.org/admin#x"),
                   ("a wildcard", b"spiffe://example.org/*"),
                   ("a dot segment", b"spiffe://example.org/x/../admin"),
                   ("an empty segment", b"spiffe://example.org//admin"),
                   ("a slash at the end", b"spiffe://example.org/admin/"),
                   ("no host", b"spiffe:///admin")):
    row(CUTS, f"a SPIFFE ID with {what}", "spiffe_malformed", named("uri", text))
row(TYPES, "two SPIFFE IDs in one certificate", "spiffe_malformed",
    present("typed", sans=["URI:spiffe://example.org/admin", "URI:spiffe://example.org/other"]))

# -- revocation ------------------------------------------------------------------------------------------------

for v in BOTH:
    row(REVOKED, f"a revoked certificate, {v}", "revoked", present("listed", v, name="revoked"))
row(REVOKED, "a certificate of a revoked intermediate", "revoked",
    present("listed", issuer=lambda field: field.revoked_middle))
row(REVOKED, "anybody, when the list is too old", "crl_stale", present("stale"))
row(REVOKED, "anybody, when a list is required and missing", "crl_missing", present("unlisted"))

# -- the proof of the key, and messages left out -----------------------------------------------------------------

for v in BOTH:
    row(CLAIMS, f"no certificate, {v}", "no_client_cert", nobody("db", v))
row(CLAIMS, "somebody's certificate with the attacker's proof", "bad_signature",
    by_hand(Client13, proof_by_another_key))
row(CLAIMS, "a proof from another handshake", "bad_signature",
    by_hand(Client13, proof_of_another_handshake))
row(CLAIMS, "a proof made for a server", "bad_signature", by_hand(Client13, proof_of_a_server))
row(CLAIMS, "an empty Certificate", "no_client_cert", by_hand(Client13, empty_certificate))
row(CLAIMS, "garbage in place of a certificate", "cert_malformed",
    by_hand(Client13, no_certificate_at_all))
row(CLAIMS, "a certificate with more behind it", "cert_malformed",
    by_hand(Client13, certificate_with_a_tail))
row(SKIPS, "neither Certificate nor CertificateVerify, 1.3", "protocol_violation",
    by_hand(Client13, skip_everything))
row(SKIPS, "no CertificateVerify, 1.3", "protocol_violation", by_hand(Client13, skip_proof))
row(SKIPS, "CertificateVerify without Certificate", "protocol_violation",
    by_hand(Client13, proof_without_certificate))
row(SKIPS, "a second Certificate in place of the proof", "protocol_violation",
    by_hand(Client13, certificate_twice))
row(SKIPS, "data in place of the client's messages", "protocol_violation",
    by_hand(Client13, order_first))
row(SKIPS, "a Finished that does not fit", "protocol_violation", by_hand(Client13, wrong_finished))
row(SKIPS, "no Certificate, 1.2", "protocol_violation", by_hand(Client12, skip_certificate_12))
row(SKIPS, "no CertificateVerify, 1.2", "protocol_violation", by_hand(Client12, skip_proof_12))
row(SKIPS, "no ClientKeyExchange, 1.2", "protocol_violation", by_hand(Client12, skip_exchange_12))
row(SKIPS, "plain HTTP", "not_tls", raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
row(SKIPS, "data before the hello", "hello_malformed",
    raw(b"\x17\x03\x03\x00\x05hello" + b"\0" * 40))

# -- the deny list ------------------------------------------------------------------------------------------

row(REVOKED, "a certificate on the deny list", "peer_denied", present_denied(own_serial))
row(REVOKED, "a key on the deny list, in its own certificate", "peer_denied",
    present_denied(own_key))
row(REVOKED, "a key on the deny list, in another certificate", "peer_denied", same_key_again)
row(REVOKED, "somebody whose anchor is on the deny list", "peer_denied", present_denied(the_anchor))
row(REVOKED, "somebody denied where no certificate need be shown", "peer_denied",
    present_denied(own_serial, "lax"))
row(REVOKED, "a second name beside the denied one", "peer_denied", present_denied(
    lambda field, pair: "dns=left.example.org",
    sans=["URI:spiffe://example.org/stays", "DNS:left.example.org"]))
row(CUTS, "a denied DNS name in capitals", "peer_denied", present_denied(
    lambda field, pair: "dns=left.example.org",
    sans=["URI:spiffe://example.org/capitals", "DNS:LEFT.Example.ORG"]))

# -- our side as the client ---------------------------------------------------------------------------------------

for v in BOTH:
    row(SERVER, f"a server of another name, {v}", "name_mismatch",
        impostor(v, sans=["DNS:other.example.org"]))
    row(SERVER, f"a server on the deny list, {v}", "peer_denied",
        impostor(v, deny=denied.by_key))
row(SERVER, "a server whose wildcard stands for a denied host", "peer_denied",
    impostor(sans=["DNS:*.example.org"], deny=lambda pair: "dns=other.example.org"))
row(SERVER, "a server whose name is only its common name", "name_mismatch",
    impostor(cn="db.example.org", sans=["DNS:other.example.org"]))
row(SERVER, "a server with the name as a URI", "name_mismatch",
    impostor(sans=["URI:https://db.example.org/"]))
row(SERVER, "a server with a client's certificate", "eku_missing", impostor(eku="clientAuth"))
row(SERVER, "a server of a stranger's", "chain_incomplete",
    impostor(issuer=lambda field: field.pki.stranger))
row(SERVER, "a server of our authority's namesake", "bad_signature", impostor(issuer=namesake))
row(SERVER, "a server whose certificate has expired", "expired", impostor(days=(-9, -1)))

# -- parts that fail ------------------------------------------------------------------------------------------------

row(OPENS, "a key process that does not answer", "timeout", without_keys)

# Attacks with a test of their own: lesson, what, file, test.
ELSEWHERE = [
    (READS, "requests for certificates that are damaged, forged or ask for too much",
     "tests/scenario/attacks/test_authority_input.py",
     "test_requests_that_are_refused"),
    (READS, "base64 that two could read differently (RFC 8951)",
     "tests/scenario/attacks/test_authority_input.py",
     "test_base64"),
    (READS, "heads and bodies of HTTP that two could read differently",
     "tests/scenario/attacks/test_authority_input.py",
     "test_http"),
    (READS, "content types that a route does not take",
     "tests/scenario/attacks/test_authority_input.py",
     "test_wrong_content_types"),
    (READS, "methods and paths that are not there",
     "tests/scenario/attacks/test_authority_input.py",
     "test_methods_and_paths_that_are_not_there"),
    (READS, "tokens that are none, altered, withdrawn",
     "tests/scenario/attacks/test_authority_input.py",
     "test_tokens_that_are_none"),
    (READS, "a token that was used, after refusals that used none",
     "tests/scenario/attacks/test_authority_input.py",
     "test_a_token_is_used_once_by_whoever_and_refusals_used_none"),
    (READS, "signed requests and JSON that are none",
     "tests/scenario/attacks/test_authority_input.py",
     "test_signed_requests"),
    (READS, "a nonce that was used",
     "tests/scenario/attacks/test_authority_input.py",
     "test_a_nonce_serves_once"),
    (READS, "identifiers that are no names",
     "tests/scenario/attacks/test_authority_input.py",
     "test_identifiers_that_are_none"),
    (READS, "OCSP requests that are none",
     "tests/scenario/attacks/test_authority_input.py",
     "test_ocsp_requests"),
    (READS, "heads and bodies that come a byte a second",
     "tests/scenario/attacks/test_authority_input.py",
     "test_a_slow_head_and_a_slow_body_end_while_others_are_served"),
    (READS, "a clock that is set a year ahead and back", "tests/scenario/attacks/test_clock.py",
     "test_a_year_ahead_and_back"),
    (READS, "a clock that is set to before the authority began", "tests/scenario/attacks/test_clock.py",
     "test_a_year_behind"),
    (REVOKED, "a list before, altered in the store, to be made use of for the next", "tests/unit/ca/test_lists.c",
     "an_altered_list_is_not_made_use_of"),
    (LURES, "addresses of lists and responders in a certificate",
     "tests/scenario/attacks/test_fetch_attacks.py", "test_a_certificate_starts_no_fetch"),
    (LURES, "a redirect to another host, to a file, to loopback",
     "tests/unit/http/test_client.c", "no_other_redirect_is_followed"),
    (LURES, "a name that resolves to loopback",
     "tests/scenario/attacks/test_fetch_attacks.py", "test_no_url_leads_to_what_is_near"),
    (OLDER, "a list that is older, another's, a stranger's, cut or no list",
     "tests/scenario/attacks/test_fetch_attacks.py", "test_bad_answers_change_nothing"),
    (OLDER, "a list that has run out",
     "tests/scenario/attacks/test_fetch_attacks.py", "test_a_list_that_has_run_out_is_not_taken"),
    (FALLS, "no list could be fetched yet", "tests/scenario/test_fetch.py",
     "test_until_a_list_is_there_nobody_is_let_in_for_want_of_it"),
    (COSTS, "an endless answer to a fetch", "tests/scenario/attacks/test_fetch_attacks.py",
     "test_an_endless_body_ends_at_its_limit"),
    (UNJUDGED, "data sent with the handshake by somebody without a grant",
     "tests/scenario/attacks/test_admission.py",
     "test_data_sent_with_the_handshake_of_somebody_without_grant_reach_nobody"),
    (OLD, "a grant withdrawn while the service is dialled",
     "tests/scenario/attacks/test_admission.py",
     "test_a_grant_that_is_withdrawn_while_the_service_is_dialled"),
    (OLD, "an open connection after revocation", "tests/scenario/test_gateway_reload.py",
     "test_revocation_reaches_open_connections"),
    (FALLS, "a hello byte by byte", "tests/scenario/attacks/test_around_admission.py",
     "test_bytes_that_come_one_by_one"),
    (FALLS, "a second hello that names another host", "tests/unit/session/test_attacks.c",
     "the_second_hello_names_the_host"),
    (FALLS, "a second hello that names a host of other rules", "tests/unit/session/test_tenants.c",
     "the_second_hello_names_the_same_host"),
    (FALLS, "odd bytes where a host name belongs", "tests/scenario/attacks/test_hosts.py",
     "test_odd_names_are_nobodys"),
    (FALLS, "a hello over many records and packets", "tests/scenario/attacks/test_hosts.py",
     "test_a_hello_in_pieces_chooses_the_same_host"),
    (OLD, "an open connection of a host that is taken away", "tests/scenario/attacks/test_hosts.py",
     "test_a_reload_that_takes_a_host_away_ends_its_connections"),
    (OLD, "an open connection that lived by an intermediate which is lent no more",
     "tests/scenario/test_gateway_changes.py", "test_an_intermediate_that_is_lent_no_more"),
    (OLD, "an open connection of somebody who is denied now", "tests/scenario/test_denied.py",
     "test_an_open_connection_by_each_kind"),
    (OLD, "an open connection to a server that is denied now", "tests/scenario/test_denied.py",
     "test_a_server_is_refused_as_a_client_is"),
    (OLD, "a connection of a removed listener that drains, of somebody who is denied now",
     "tests/scenario/test_denied.py", "test_a_removed_listener_that_drains"),
    (OLD, "a peer's earlier connection, hidden by one that another grant let in meanwhile",
     "tests/unit/gateway/test_live.c", "who_comes_meanwhile_hides_nobody"),
    (KEEPS, "an older revocation list in place of the one in use",
     "tests/scenario/test_gateway_revocation.py",
     "test_a_list_does_not_go_back_unless_that_is_said"),
    (EXEMPT, "health checks, which are told and are no attack",
     "tests/scenario/test_gateway_refusals.py", "test_health_checks_are_no_attack"),
    (CARRIES, "a session seen on the wire", "tests/unit/session/test_attacks.c",
     "a_session_seen_on_the_wire_opens_nothing"),
    (CARRIES, "a client's session for another server", "tests/unit/session/test_attacks.c",
     "a_session_keeps_its_owner"),
    (SKIPS, "a renegotiation", "tests/unit/session/test_failure.c",
     "a_renegotiation_is_refused"),
    (COSTS, "a flood of key updates", "tests/unit/session/test_attacks.c",
     "a_flood_of_key_updates_is_bounded"),
    (COSTS, "a huge certificate", "tests/unit/session/test_failure.c",
     "a_huge_certificate_is_refused"),
    (OPENS, "memory that runs out", "tests/unit/session/test_attacks.c",
     "running_out_of_memory_lets_nobody_in"),
    (OPENS, "a worker that asks for what its key is not for", "tests/unit/keys/test_serve.c",
     "who_asks_for_what_is_refused_again_and_again_is_expelled"),
    (REVOKED, "a revoked certificate that is tidied off its list", "tests/unit/ca/test_revoke.c",
     "an_entry_leaves_only_after_the_certificates_end"),
    (REVOKED, "a clock that jumps back behind a revocation", "tests/unit/ca/test_revoke.c",
     "a_clock_that_was_ahead_brings_nobody_back"),
    (BOUNDS, "a request for a certificate that asks too much", "tests/scenario/test_authority.py",
     "test_a_request_that_asks_too_much"),
    (SPEAKS, "a name for the authority that is SQL",
     "tests/scenario/attacks/test_authority_attacks.py", "test_nobody_is_found_by_sql"),
    (SPEAKS, "a name for the authority that is a path",
     "tests/scenario/attacks/test_authority_attacks.py", "test_a_name_that_is_no_name"),
    (SPEAKS, "lines and colours in what a stranger sends", "tests/scenario/attacks/test_log.py",
     "test_bytes_of_a_stranger_stay_in_their_line"),
    (SWITCH, "a configuration of OpenSSL's in the environment",
     "tests/scenario/attacks/test_authority_attacks.py",
     "test_a_configuration_of_openssls_changes_nothing"),
]
