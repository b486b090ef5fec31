/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs that ask "would it work?" share: the world to ask, and answers in words.
 */
#ifndef CLI_QUESTION_INTERNAL_H
#define CLI_QUESTION_INTERNAL_H

#include "cli/cli.h"
#include "world/world.h"

/* Room for the answers about a hundred thousand grants. */
#define QUESTION_TEXT_MAX ((size_t)256 << 20)

/* The world of the configuration as it would be at now_s, warnings passed over: they are told by
 * `mutual check`. False when it has errors: they are told, *ret_status is what to end with. */
bool question_world(const struct cli *cli, int64_t now_s, const struct world **ret_world,
                    int *ret_status);
/* The time asked about: as given, or now. */
int64_t question_time(int64_t at_s);

/* Whom it is about: names that a certificate is supposed to hold; none: nobody's certificate. */
struct question_names {
    struct mutual_name *items;
    size_t count;
    char *storage;
};
/* "anonymous" alone is a peer without a certificate. */
bool question_names_parse(const char *const *texts, size_t count, struct question_names *ret_names,
                          struct mutual_error *err);
void mu_question_names_auto(struct question_names *names);
/* 'spiffe "spiffe://e.org/a"', 'spiffe "…" and 2 more', 'a peer without a certificate'. */
void question_who(const struct mutual_name *names, size_t count, struct mu_buf *out);

/* "2026-12-31T00:00:00Z, in 40 days", "…, 3 days ago", "no end". */
void question_when(int64_t time_s, int64_t now_s, struct mu_buf *out);
/* "grant \"db\" (mutual.yaml:12)", escaped. */
void question_grant(const struct mutual_grant *grant, struct mu_buf *out);
/* Which pattern of the grant lets the name in: 'spiffe "…"', "anyone with a certificate". */
void question_pattern(const struct mutual_grant *grant, const struct mutual_name *name,
                      struct mu_buf *out);

/* The answer about somebody, to stdout, without what is peculiar to certificates. */
struct question_told {
    const struct world *world;
    const struct world_service *service;
    const struct mutual_name *names;
    size_t name_count;
    int64_t now_s;
    const struct mu_answer *answer;
};
/* Does the service let everybody in, whoever they are: plain TLS, or only observing? */
bool question_admits_all(const struct world_service *service);
void question_text(const struct question_told *told, const struct cli *cli, struct mu_buf *out);
/* The same as members of an open JSON object. */
void question_json(const struct question_told *told, struct mu_json *json);
/* A time as text; 0 and MU_TIME_NEVER_S, which are no times, as null. */
void question_json_time(struct mu_json *json, const char *key, int64_t time_s);
void question_json_grant(struct mu_json *json, const char *key, const struct mutual_grant *grant);

/* The certificates in a file, PEM or one in DER; "-" is standard input. */
struct mu_certs;
bool question_certs(const char *file, struct mu_certs *certs, struct mutual_error *err);
/* mutual check --cert FILE --to SERVICE. Returns the exit status. */
struct question_cert {
    const char *file;
    const char *service;
    const char *staple; /* a file with the OCSP response that it sends along, or NULL */
    int64_t now_s;
};
int question_cert(const struct cli *cli, const struct question_cert *asked);

#endif
