/* SPDX-License-Identifier: Apache-2.0
 *
 * One case put to the judge: names, lists, authorities that are none.
 */
#include "pki.h"
#include "unit.h"
#include "verify/verify.h"

#include <string.h>

struct setup {
    struct pki *root, *sub, *leaf;
    struct verify_text anchor, list;
    struct mutual_der sent[2];
    struct verify_case given;
};

static void setup_make(struct setup *s)
{
    s->root = pki_root("Root");
    s->sub = pki_ca(s->root, "Issuing");
    s->leaf = pki_issue(
        s->sub, (struct pki_leaf){.cn = "web", .dns = "*.example.org", .email = "a@example.org"});
    s->anchor = (struct verify_text){mu_slice_text(pki_pem(s->root)), "root"};
    s->sent[0] = (struct mutual_der){pki_der(s->leaf).data, pki_der(s->leaf).len};
    s->sent[1] = (struct mutual_der){pki_der(s->sub).data, pki_der(s->sub).len};
    s->given = (struct verify_case){.anchors = {&s->anchor, 1},
                                    .sent = s->sent,
                                    .sent_count = 2,
                                    .purpose = MUTUAL_PURPOSE_SERVER,
                                    .now_s = PKI_NOW_S};
}

static bool judge(const struct setup *s, struct mutual_error *err)
{
    struct mutual_chain *chain = NULL;
    bool ok = verify_judge(&s->given, &chain, err);
    mutual_chain_unref(chain);
    return ok;
}

static void case_names(void **state)
{
    (void)state;
    static const struct {
        struct verify_name name;
        enum mutual_code code;
    } rows[] = {
        {{MUTUAL_NAME_DNS, "a.example.org"}, MUTUAL_OK},
        {{MUTUAL_NAME_DNS, "example.org"}, MUTUAL_E_NAME_MISMATCH},
        {{MUTUAL_NAME_DNS, "no host!"}, MUTUAL_E_NAME_MISMATCH},
        {{MUTUAL_NAME_IP, "10.0.0.1"}, MUTUAL_E_NAME_MISMATCH},
        {{MUTUAL_NAME_EMAIL, "a@example.org"}, MUTUAL_OK},
        {{MUTUAL_NAME_CN, "web"}, MUTUAL_OK},
        {{MUTUAL_NAME_SPIFFE, "web"}, MUTUAL_E_SPIFFE_MALFORMED},
    };
    struct setup s;
    setup_make(&s);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        s.given.names = &rows[i].name;
        s.given.name_count = 1;
        if (rows[i].code == MUTUAL_OK) {
            assert_ok(judge(&s, &err), &err);
        } else {
            assert_fails(judge(&s, &err), &err, rows[i].code);
        }
    }
}

static void case_bundle(void **state)
{
    (void)state;
    struct setup s;
    struct mutual_error err = {0};
    setup_make(&s);
    s.anchor.bytes = mu_slice_text(pki_pem(s.sub));
    assert_fails(judge(&s, &err), &err, MUTUAL_E_BUNDLE_UNUSABLE);
    s.given.allow_intermediate_anchors = true;
    assert_ok(judge(&s, &err), &err);
    s.given.anchors.count = 0;
    assert_fails(judge(&s, &err), &err, MUTUAL_E_BUNDLE_EMPTY);
}

static void case_depth(void **state)
{
    (void)state;
    struct setup s;
    struct mutual_error err = {0};
    setup_make(&s);
    s.given.depth_limited = true;
    assert_false(judge(&s, &err));
    s.given.depth = 1;
    err = (struct mutual_error){0};
    assert_ok(judge(&s, &err), &err);
}

/* A list that cannot be used fails the case; where one is demanded it is left aside instead. */
static void case_lists(void **state)
{
    (void)state;
    struct setup s;
    struct mutual_error err = {0};
    setup_make(&s);
    s.given.lists = (struct verify_texts){&s.list, 1};
    s.list = (struct verify_text){pki_crl(s.root, s.sub, NULL), "list"};
    assert_fails(judge(&s, &err), &err, MUTUAL_E_CERT_REVOKED);
    s.list.bytes = pki_crl(pki_root("Stranger"), s.leaf, NULL);
    assert_fails(judge(&s, &err), &err, MUTUAL_E_CRL_SIGNATURE);
    assert_non_null(strstr(err.context, "\"list\""));
    s.given.lists_required = true;
    assert_fails(judge(&s, &err), &err, MUTUAL_E_CRL_MISSING);
}

UNIT_MAIN(UNIT_CASE(case_names), UNIT_CASE(case_bundle), UNIT_CASE(case_depth),
          UNIT_CASE(case_lists))
