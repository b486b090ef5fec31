/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of the authority when somebody asks how it is: counted here as it happens, or read
 * from the store, which knows also what commands and other machines did.
 */
#include <stdio.h>

#include "authority/authority_internal.h"

void book_init(struct book *book, struct ca *ca, const struct keys_client *keys, bool tells_store)
{
    *book = (struct book){.ca = ca, .keys = keys, .tells_store = tells_store};
}

void book_done(struct book *book)
{
    ledger_done(&book->counted);
    ledger_done(&book->stored);
}

/* ---- counted -------------------------------------------------------------------------------- */

void book_count(void *context, enum api_event event, const char *const *words)
{
    static const enum ledger_figure figures[API_EVENT_COUNT_] = {
        [API_ENROLLED] = LEDGER_ENROLMENT,
        [API_VALIDATED] = LEDGER_VALIDATION,
        [API_TOLD] = LEDGER_OCSP,
    };
    struct book *book = context;
    ledger_count(&book->counted, figures[event], words, 1, 0);
}

void book_list_made(void *context, const char *issuer, const char *kind, int64_t took_ns)
{
    struct book *book = context;
    ledger_count(&book->counted, LEDGER_LIST, LEDGER_LABELLED(issuer, kind), 1, took_ns);
}

/* A caller may write any method. */
static const char *method_word(struct mu_slice method)
{
    static const char *const words[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < MU_COUNT(words); i++) {
        if (mu_slice_equal_text(method, words[i])) {
            return words[i];
        }
    }
    return "other";
}

void book_request(struct book *book, const char *listener, struct mu_slice method, unsigned status,
                  int64_t took_ns)
{
    char code[16];
    (void)snprintf(code, sizeof code, "%u", status);
    ledger_count(&book->counted, LEDGER_REQUEST,
                 LEDGER_LABELLED(listener, method_word(method), code), 1, took_ns);
}

void book_no_keys(struct book *book)
{
    ledger_count(&book->counted, LEDGER_SIGNATURE, LEDGER_LABELLED("unavailable"), 1, 0);
}

/* ---- read off others' counters ----------------------------------------------------------------
 */

static void put_keys(struct book *book)
{
    struct keys_client_figures keys;
    keys_client_figures(book->keys, &keys);
    ledger_put(&book->counted, LEDGER_SIGNATURE, LEDGER_LABELLED("signed"), (int64_t)keys.made);
    ledger_put(&book->counted, LEDGER_SIGNATURE, LEDGER_LABELLED("refused"), (int64_t)keys.refused);
    ledger_put(&book->counted, LEDGER_SIGNATURE, LEDGER_LABELLED("lost"), (int64_t)keys.lost);
}

static void put_store(struct book *book)
{
    const struct store *store = inventory_store(ca_inventory(book->ca));
    const struct store_figures *figures = store_figures(store);
    ledger_put(&book->counted, LEDGER_QUESTION, NULL, (int64_t)figures->asked);
    for (int i = 0; i < STORE_FAILURE_COUNT_; i++) {
        ledger_put(&book->counted, LEDGER_STORE_FAILURE,
                   LEDGER_LABELLED(store_failure_word((enum store_failure)i)),
                   (int64_t)figures->failed[i]);
    }
}

/* ---- asked of the store ------------------------------------------------------------------------
 */

static void put_tally(void *context, enum inventory_tally tally, const char *issuer,
                      const char *word, int64_t count)
{
    struct ledger *ledger = context;
    uint64_t reason = 0;
    if (tally == INVENTORY_ISSUED) {
        ledger_put(ledger, LEDGER_ISSUED, LEDGER_LABELLED(issuer, word), count);
    } else if (tally == INVENTORY_TOKEN_USED) {
        ledger_put(ledger, LEDGER_TOKEN_USED, LEDGER_LABELLED(issuer), count);
    } else if (mu_text_uint(word, UINT8_MAX, &reason)) {
        ledger_put(ledger, LEDGER_REVOKED,
                   LEDGER_LABELLED(issuer, mu_reason_word((enum mu_reason)reason)), count);
    }
}

static bool put_counts(struct ledger *ledger, struct inventory *inventory, int64_t now_s,
                       struct mutual_error *err)
{
    struct inventory_counts counts;
    struct inventory_token_counts tokens;
    struct inventory_head head = {0};
    if (!inventory_count(inventory, now_s, &counts, err) ||
        !inventory_token_count(inventory, now_s, &tokens, err) ||
        !inventory_head(inventory, &head, err)) {
        return false;
    }
    ledger_put(ledger, LEDGER_CERTIFICATES, LEDGER_LABELLED("valid"), counts.valid);
    ledger_put(ledger, LEDGER_CERTIFICATES, LEDGER_LABELLED("expired"), counts.expired);
    ledger_put(ledger, LEDGER_CERTIFICATES, LEDGER_LABELLED("revoked"), counts.revoked);
    ledger_put(ledger, LEDGER_CERTIFICATES, LEDGER_LABELLED("interrupted"), counts.interrupted);
    ledger_put(ledger, LEDGER_TOKENS, LEDGER_LABELLED("open"), tokens.open);
    ledger_put(ledger, LEDGER_TOKENS, LEDGER_LABELLED("waiting"), tokens.waiting);
    ledger_put(ledger, LEDGER_TOKENS, LEDGER_LABELLED("expired"), tokens.expired);
    ledger_put(ledger, LEDGER_AUDIT, NULL, head.id);
    return true;
}

static void read_end(struct book_issuer *issuer)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (mu_cert_from_der(issuer->row->certificate, &cert, NULL)) {
        issuer->begin_s = mu_cert_facts(cert)->not_before_s;
        issuer->end_s = mu_cert_facts(cert)->not_after_s;
    }
}

void book_choose(struct book_issuer *issuers, size_t count, int64_t now_s)
{
    bool goes_on = false;
    for (size_t i = 0; i < count; i++) {
        goes_on = goes_on || (!issuers[i].row->root && now_s <= issuers[i].end_s);
    }
    for (size_t i = 0; i < count; i++) {
        struct book_issuer *one = &issuers[i];
        one->told = !one->row->root && (!goes_on || now_s <= one->end_s);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; issuers[i].row->root && k < count; k++) {
            issuers[i].told = issuers[i].told || (!issuers[k].row->root && issuers[k].told &&
                                                  issuers[k].row->parent_id == issuers[i].row->id);
        }
    }
}

static void put_issuer(struct ledger *ledger, const struct book_issuer *issuer)
{
    const struct inventory_issuer *row = issuer->row;
    const char *const *labels = LEDGER_LABELLED(row->word);
    ledger_put(ledger, LEDGER_ISSUER_BEGIN, labels, issuer->begin_s);
    ledger_put(ledger, LEDGER_ISSUER_END, labels, issuer->end_s);
    if (row->crl_next_update_s != 0) {
        ledger_put(ledger, LEDGER_CRL_NUMBER, labels, (int64_t)row->crl_number);
        ledger_put(ledger, LEDGER_CRL_THIS_UPDATE, labels, row->crl_this_update_s);
        ledger_put(ledger, LEDGER_CRL_NEXT_UPDATE, labels, row->crl_next_update_s);
        ledger_put(ledger, LEDGER_CRL_DUE, labels, row->crl_due ? 1 : 0);
    }
}

static bool put_issuers(struct ledger *ledger, struct inventory *inventory, int64_t now_s,
                        struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers rows = {0};
    if (!inventory_issuers_get(inventory, &rows, err)) {
        return false;
    }
    struct book_issuer *issuers = mu_alloc(rows.count + 1, sizeof *issuers);
    if (issuers == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < rows.count; i++) {
        issuers[i].row = &rows.items[i];
        read_end(&issuers[i]);
    }
    book_choose(issuers, rows.count, now_s);
    for (size_t i = 0; i < rows.count; i++) {
        if (issuers[i].told) {
            put_issuer(ledger, &issuers[i]);
        }
    }
    mu_free(issuers);
    return true;
}

/* What cannot be read is told as it was. */
static void read_store(struct book *book, int64_t now_s)
{
    struct inventory *inventory = ca_inventory(book->ca);
    MU_AUTO(ledger) struct ledger said = {0};
    struct mutual_error lost = {0};
    int64_t now_ns = mu_clock_mono_ns();
    bool fresh = book->read_ns != 0 && now_ns - book->read_ns < MU_NS_PER_S;
    if (!fresh && put_counts(&said, inventory, now_s, &lost) &&
        put_issuers(&said, inventory, now_s, &lost) &&
        inventory_tallies(inventory, put_tally, &said, &lost)) {
        ledger_done(&book->stored);
        book->stored = said;
        said = (struct ledger){0};
        book->read_ns = now_ns;
    }
    ledger_put(&book->stored, LEDGER_STORE_CONNECTED, NULL,
               store_is_lost(inventory_store(inventory)) ? 0 : 1);
}

/* ---- told -------------------------------------------------------------------------------------
 */

bool book_tell(struct book *book, struct ipc_channel *parent, uint32_t number, int64_t now_s,
               struct mutual_error *err)
{
    MU_AUTO(ledger) struct ledger all = {0};
    size_t next = 0;
    if (book->tells_store) {
        read_store(book, now_s);
    }
    put_store(book);
    put_keys(book);
    ledger_add(&all, &book->counted);
    ledger_add(&all, &book->stored);
    for (bool last = false; !last;) {
        MU_AUTO(buf) struct mu_buf payload;
        mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
        ipc_put_u32(&payload, number);
        ipc_put_u8(&payload, 0);
        ipc_put_u8(&payload, next == 0 ? 1 : 0);
        ledger_write(&all, &next, &payload);
        last = next == all.count;
        if (payload.failed) {
            return mu_fail_memory(err);
        }
        payload.data[4] = last ? 1 : 0;
        if (!ipc_send(parent, IPC_MSG_STATUS, mu_buf_slice(&payload), NULL, 0, err)) {
            return false;
        }
    }
    return true;
}
