/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory with a whole configuration, certificates and all, in which questions are asked at
 * PKI_NOW_S, "2027-01-15T08:00:00Z". Henry's grant ends with the month.
 */
#ifndef QUESTION_SUPPORT_H
#define QUESTION_SUPPORT_H

#include "cli_support.h"

#include "golden.h"
#include "pki.h"

#include <unistd.h>

#define AT "2027-01-15T08:00:00Z"

static const char question_config[] =
    "version: 1\n"
    "trust:\n"
    "  - {name: corp, bundle: ca.pem, revocation: {crl: ca.crl}}\n"
    "inbound:\n"
    "  - {name: customer-db, listen: '127.0.0.1:1', forward: 'unix:/x', certificate: {chain: "
    "tls.crt, key: tls.key}, clients: {trust: corp}}\n"
    "  - {name: public, listen: '127.0.0.1:2', forward: 'unix:/x', certificate: {chain: "
    "tls.crt, key: tls.key}, clients: {mode: none}}\n"
    "  - {name: guests, listen: '127.0.0.1:3', forward: 'unix:/x', certificate: {chain: "
    "tls.crt, key: tls.key}, clients: {mode: request, trust: corp}}\n"
    "outbound:\n"
    "  - {name: ledger, listen: '127.0.0.1:4', connect: 'h:1', trust: corp, expect: [{dns: "
    "h.example.org}]}\n"
    "policy:\n"
    "  - grant: henry-hr\n"
    "    to: customer-db\n"
    "    from: [{spiffe: 'spiffe://example.org/hr/henry'}, {email: henry@example.org}]\n"
    "    until: 2027-02-01\n"
    "    owner: HR\n"
    "    why: reads the payroll\n"
    "  - {grant: audit, to: customer-db, from: {dns: audit.example.org}, until: 2026-12-01, "
    "owner: Finance, why: the yearly audit}\n"
    "  - {grant: hugo, to: customer-db, from: {dns: hugo.example.org}, since: 2027-03-01, owner: "
    "HR, why: begins in March}\n"
    "  - {grant: visitors, to: guests, anonymous: true, anyone: true, owner: IT, why: the "
    "canteen's "
    "menu}\n";

static inline void question_write(const char *path, const char *text)
{
    struct mutual_error err = {0};
    assert_ok(mu_file_write(path, mu_slice_text(text), 0600, &err), &err);
}

/* Makes the directory and goes there; everything in it stays for the run. */
static inline int question_setup(void **state)
{
    static char directory[] = "/tmp/test_question.XXXXXX";
    struct mutual_error err = {0};
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *web = pki_issue(root, (struct pki_leaf){.cn = "web", .dns = "web.example.org"});
    question_write("mutual.yaml", question_config);
    question_write("ca.pem", pki_pem(root));
    assert_ok(mu_file_write("ca.crl", pki_crl(root, NULL), 0600, &err), &err);
    question_write("tls.crt", pki_pem(web));
    question_write("tls.key", pki_key_pem(web));
    question_write("henry.pem", pki_chain_pem(pki_issue(
                                    sub, (struct pki_leaf){.cn = "Henry",
                                                           .uri = "spiffe://example.org/hr/henry",
                                                           .client = true})));
    question_write(
        "audit.pem",
        pki_pem(pki_issue(root, (struct pki_leaf){.cn = "audit",
                                                  .dns = "audit.example.org",
                                                  .not_before = PKI_NOW_S - 90 * PKI_DAY_S})));
    question_write("stranger.pem", pki_pem(pki_stranger("Henry")));
    return 0;
}

static inline int question_teardown(void **state)
{
    static const char *const files[] = {"mutual.yaml", "ca.pem",    "ca.crl",    "tls.crt",
                                        "tls.key",     "henry.pem", "audit.pem", "stranger.pem"};
    char here[512];
    (void)state;
    for (size_t i = 0; i < MU_COUNT(files); i++) {
        (void)unlink(files[i]);
    }
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir("/"), 0);
    return rmdir(here);
}

/* It ended so and said this to stdout, to the letter. */
static inline void assert_told(struct ran ran, int status, const char *golden)
{
    if (ran.status != status) {
        fail_msg("status %d, out:\n%s\nerr:\n%s", ran.status, ran.out, ran.err);
    }
    assert_golden(golden, mu_slice_text(ran.out));
    ran_done(&ran);
}

#endif
