/* SPDX-License-Identifier: Apache-2.0
 *
 * What a revocation list costs each chain: bench_crl BUNDLE.pem LIST CHAIN.pem reads the list into
 * a table as the gateway's helper does, and asks the bundle about a hundred thousand chains that
 * differ in the serial number of their leaf, so that no look-up is served from the caches of the
 * one before. Prints JSON: nanoseconds of processor time for a chain, with the list and without
 * any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trust/trust.h"
#include "x509/x509.h"

enum { CHAINS = 100000, ROUNDS = 5 };

static struct mutual_error err;

static void end(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, err.reason);
    exit(1);
}

static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static struct mu_buf read_file(const char *path)
{
    struct mu_buf bytes = {0};
    if (!mu_file_read(path, MU_LIMIT_CRL_BYTES, &bytes, &err)) {
        end(path);
    }
    return bytes;
}

/* `list` empty: no list at all. */
static struct mutual_trust *trust_of(const struct mu_buf *bundle, const struct mu_buf *list,
                                     double *ret_load_s)
{
    struct mutual_trust *trust = mutual_trust_new("bench");
    if (trust == NULL ||
        !mutual_trust_add_pem(trust, (const char *)bundle->data, bundle->len, &err)) {
        end("the bundle");
    }
    if (list != NULL) {
        struct mu_buf table;
        double begin = cpu_ns();
        mu_buf_init(&table, MU_LIMIT_CRL_BYTES);
        if (!mu_trust_table_make(trust, mu_buf_slice(list), &table, &err)) {
            end("the list");
        }
        *ret_load_s = (cpu_ns() - begin) / 1e9;
        struct mu_shared *shared = mu_shared_new(table.data, table.len, false);
        if (shared == NULL || !mu_trust_table_add(trust, shared, &err)) {
            end("the table");
        }
        mu_shared_unref(shared);
    }
    mutual_trust_set_revocation(trust, list != NULL, false, MUTUAL_CRL_STALE_ACCEPT, 0);
    if (!mutual_trust_freeze(trust, &err)) {
        end("the bundle");
    }
    return trust;
}

static struct mutual_chain *validate(const struct mutual_trust *trust, const struct mu_buf *pem,
                                     int64_t now_s)
{
    struct mu_certs certs = {0};
    struct mutual_der ders[MU_LIMIT_CHAIN_SENT];
    struct mutual_chain *chain = NULL;
    if (!mu_certs_from_pem(mu_buf_slice(pem), "the chain", &certs, &err)) {
        end("the chain");
    }
    for (size_t i = 0; i < certs.count; i++) {
        struct mu_slice der = mu_cert_facts(certs.items[i])->der;
        ders[i] = (struct mutual_der){der.data, der.len};
    }
    if (!mutual_trust_validate(trust, ders, certs.count, MUTUAL_PURPOSE_CLIENT, now_s, &chain,
                               &err)) {
        end("the chain");
    }
    return chain;
}

/* The chain with another serial number in its leaf, one that hardly anybody has. */
static struct mutual_chain *vary(const struct mutual_chain *chain, unsigned number)
{
    size_t count = 0;
    struct mutual_link links[MU_LIMIT_CHAIN_DEPTH];
    struct mutual_chain *varied = NULL;
    const struct mutual_link *own = mutual_chain_links(chain, &count);
    memcpy(links, own, count * sizeof links[0]);
    links[0].serial_len = 16;
    for (unsigned i = 0; i < 16; i++) {
        number = number * 1664525u + 1013904223u;
        links[0].serial[i] = (uint8_t)(number >> 24);
    }
    links[0].serial[0] = (uint8_t)(0x40 | (links[0].serial[0] & 0x3f));
    if (!mu_chain_new(links, count, NULL, 0, "bench", "bench", &varied, &err)) {
        end("a chain");
    }
    return varied;
}

static double measure(const struct mutual_trust *trust, struct mutual_chain *const *chains,
                      int64_t now_s, size_t *ret_good)
{
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t good = 0;
        double begin = cpu_ns();
        for (size_t i = 0; i < CHAINS; i++) {
            int64_t until_s = 0;
            good += mu_trust_recheck(trust, chains[i], now_s, &until_s, &err);
        }
        double each = (cpu_ns() - begin) / CHAINS;
        best = round == 0 || each < best ? each : best;
        *ret_good = good;
    }
    return best;
}

int main(int argc, char **argv)
{
    static struct mutual_chain *chains[CHAINS];
    int64_t now_s = mu_clock_wall_s();
    double load_s = 0;
    size_t good[2] = {0, 0};
    if (argc != 4) {
        fprintf(stderr, "usage: bench_crl BUNDLE.pem LIST CHAIN.pem\n");
        return 2;
    }
    struct mu_buf bundle = read_file(argv[1]);
    struct mu_buf list = read_file(argv[2]);
    struct mu_buf pem = read_file(argv[3]);
    struct mutual_trust *with = trust_of(&bundle, &list, &load_s);
    struct mutual_trust *without = trust_of(&bundle, NULL, &load_s);
    struct mutual_chain *chain = validate(with, &pem, now_s);
    struct mu_trust_list about;
    if (!mu_trust_list(with, 0, &about)) {
        end("the list");
    }
    for (unsigned i = 0; i < CHAINS; i++) {
        chains[i] = vary(chain, i + 1);
    }
    double bare = measure(without, chains, now_s, &good[0]);
    double listed = measure(with, chains, now_s, &good[1]);
    if (good[0] != CHAINS || good[1] != CHAINS) {
        fprintf(stderr, "%zu and %zu of %d chains were good\n", good[0], good[1], CHAINS);
        return 1;
    }
    printf("{\"entries\": %zu, \"table_s\": %.2f, \"with_ns\": %.0f, \"without_ns\": %.0f}\n",
           about.entries, load_s, listed, bare);
    return 0;
}
