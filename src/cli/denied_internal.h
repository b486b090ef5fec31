/* SPDX-License-Identifier: Apache-2.0
 *
 * The deny list of a configuration, by hand: entries added, taken back, shown.
 */
#ifndef CLI_DENIED_INTERNAL_H
#define CLI_DENIED_INTERNAL_H

#include "cli/cli.h"
#include "x509/x509.h"

/* Who is meant: a certificate, or one of the others. */
struct denied_who {
    const struct mu_cert *cert;
    bool by_key; /* deny every certificate of its key, not only this one */
    const char *serial, *issuer;
    const char *key;
    const char *identity; /* "spiffe://e.org/a", "dns:*.e.org", as for mutual access */
};
struct denied_edit {
    const char *file; /* the list; NULL: the configuration's */
    struct denied_who who;
    const char *owner, *reason;
    int64_t now_s;
};

/* Puts an entry into the list, and tells it. ALREADY_REVOKED when it is there. */
bool denied_add(const struct cli *cli, const struct denied_edit *edit, struct mutual_error *err);
/* Takes every entry about just that back, leaving a remark in its place, and tells them. A
 * certificate's are those of its serial number and of its key. NOT_FOUND. */
bool denied_undo(const struct cli *cli, const struct denied_edit *edit, struct mutual_error *err);
/* Tells the list of the configuration. */
bool denied_list(const struct cli *cli, struct mutual_error *err);
/* Does the configuration name a list? */
bool denied_is_configured(const struct cli *cli);

#endif
