/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of a frozen policy: how grants are laid out so that few look-ups find all that match.
 *
 * Grants are ranked: the one that ends last has rank 0, ties go to the first written. Every way in
 * which a pattern can match is turned into a key of one map, and every key holds the ranks of its
 * grants in rising order, so that the first that is in force is the answer:
 *
 *   exact name          type, text
 *   dns "*.x"           the text behind the first label
 *   email "@host"       the text from the at sign on
 *   ip "a.b.c.d/n"      n and the first n bits; one look-up for each n in use
 *   spiffe with "*"     a tree of path segments; its edges are keys (node, segment)
 */
#ifndef MU_POLICY_INDEX_INTERNAL_H
#define MU_POLICY_INDEX_INTERNAL_H

#include "policy/policy_internal.h"

#define MU_RANK_NONE     UINT32_MAX
#define MU_SPIFFE_SCHEME "spiffe://"

/* The first byte of a key. Exact names have their type here. */
enum mu_index_kind {
    MU_INDEX_DNS_BELOW = MUTUAL_NAME_COUNT_,
    MU_INDEX_EMAIL_HOST,
    MU_INDEX_NETWORK,
    MU_INDEX_EDGE,
};

/* Kind, number of the service or node, then the text. */
#define MU_INDEX_HEAD 5u
struct mu_index_key {
    size_t len;
    uint8_t bytes[MU_INDEX_HEAD + MU_LIMIT_NAME_BYTES];
};

struct mu_entry {
    struct mu_entry *next; /* of higher rank */
    uint32_t rank;
};

/* What a key leads to. */
struct mu_entries {
    struct mu_entry *first;
};

/* A place in the tree of SPIFFE segments; the first level is the trust domain. */
struct mu_node {
    uint32_t id;
    uint32_t best;           /* the lowest rank in and under this node */
    uint32_t edges;          /* children by segment                    */
    struct mu_entries here;  /* patterns that end here          */
    struct mu_entries below; /* ... in "**" behind this segment */
    struct mu_node *any;     /* the child for "*"               */
};

struct mu_service {
    uint32_t id;
    uint32_t kinds;       /* bits of 1u << kind of key in use, to skip vain look-ups */
    uint64_t lengths[4];  /* bits of the network lengths in use: IPv4 in the first,
                             IPv6 in the others                                      */
    struct mu_node *root; /* NULL: no SPIFFE pattern with a wildcard                 */
    struct mu_entries anonymous;
    struct mu_entries anyone;
};

/* An address and how many of its bits count. */
struct mu_network {
    bool v6;
    unsigned length;
    uint8_t bytes[16];
};

struct mu_index {
    struct mu_map *services; /* name -> struct mu_service        */
    struct mu_map *keys;     /* key -> struct mu_entries or node */
    struct mu_arena *arena;
    const struct mutual_grant **by_rank;
    size_t count;
    uint32_t next_id;
};

/* False: the text is too long to be anybody's. */
bool mu_index_key_set(struct mu_index_key *key, unsigned kind, uint32_t id, struct mu_slice text);
/* Reads "10.0.0.0/8" or an address alone. */
bool mu_network_parse(const char *text, size_t len, struct mu_network *ret_network);
/* The key text of the network's first `length` bits. */
struct mu_slice mu_network_text(const struct mu_network *network, unsigned length,
                                uint8_t text[18]);
/* Takes the next "/"-separated segment off *text; false at the end (data NULL). */
bool mu_segment_take(struct mu_slice *text, struct mu_slice *ret_segment);

#endif
