/* SPDX-License-Identifier: Apache-2.0
 *
 * A world from a configuration text and files made by the test, all in memory, at PKI_NOW_S.
 */
#ifndef WORLD_SUPPORT_H
#define WORLD_SUPPORT_H

#include "unit.h"

#include "pki.h"
#include "world/world.h"

struct scene {
    struct config_snapshot *snapshot;
    struct config_findings findings;
    const struct world *world;
};

static inline void scene_add_bytes(struct scene *s, const char *name, struct mu_slice bytes)
{
    struct mutual_error err = {0};
    if (s->snapshot == NULL) {
        config_findings_init(&s->findings);
        s->snapshot = config_snapshot_new();
        assert_non_null(s->snapshot);
    }
    assert_ok(config_snapshot_add(s->snapshot, name, bytes, &err), &err);
}

static inline void scene_add(struct scene *s, const char *name, const char *text)
{
    scene_add_bytes(s, name, mu_slice_text(text));
}

static inline void scene_build(struct scene *s)
{
    bool built = world_build(s->snapshot, PKI_NOW_S, &s->findings, &s->world);
    assert_int_equal(built, s->world != NULL);
    assert_int_equal(built, s->findings.errors == 0);
    config_findings_sort(&s->findings);
}

static inline void scene_show(const struct scene *s)
{
    MU_AUTO(buf) struct mu_buf all;
    mu_buf_init(&all, 65536);
    config_findings_text(&s->findings, "m", false, &all);
    fail_msg("the findings were:\n%s", mu_buf_str(&all));
}

static inline void scene_done(struct scene *s)
{
    world_unref(s->world);
    config_snapshot_free(s->snapshot);
    config_findings_done(&s->findings);
}

/* There is a finding of that severity and code whose text holds `part`. */
static inline void assert_found(const struct scene *s, enum config_severity severity,
                                enum mutual_code code, const char *part)
{
    for (size_t i = 0; i < s->findings.count; i++) {
        const struct config_finding *f = &s->findings.items[i];
        if (f->severity == severity && f->code == code && strstr(f->text, part) != NULL) {
            return;
        }
    }
    scene_show(s);
}

/* One root, a leaf for server and client below it, as "ca.pem" and "tls/tls.crt". */
static inline struct scene scene_of(const char *config)
{
    static struct pki *root;
    static struct pki *leaf;
    if (root == NULL) {
        root = pki_root("Root");
        leaf = pki_issue(root, (struct pki_leaf){.cn = "web", .dns = "web.example.org"});
    }
    struct scene s = {0};
    scene_add(&s, "m", config);
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", pki_chain_pem(leaf));
    return s;
}

#define TRUST "version: 1\ntrust:\n  - {name: corp, bundle: ca.pem}\n"
#define INBOUND                                                                              \
    "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', certificate: tls, " \
    "clients: {trust: corp}}\n"
#define OUTBOUND                                                                          \
    "outbound:\n  - {name: up, listen: '127.0.0.1:2', connect: 'h:1', certificate: tls, " \
    "trust: corp, expect: [{dns: h.example.org}, {spiffe: 'spiffe://example.org/h'}]}\n"
#define GRANT(name_, rest_) "  - {grant: " name_ ", owner: o, why: w, " rest_ "}\n"

#endif
