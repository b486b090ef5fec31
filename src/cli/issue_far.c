/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual issue NAME --server URL: the key is made here, its request is certified there, and the
 * same files appear as beside the authority. They are built aside and put in place at once; the key
 * is on disk before anybody is asked to certify it.
 */
#include "cli/issue_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

struct far {
    const struct cli *cli;
    struct reach *reach;
    const struct issue_far *wish;
    json_t *rule;          /* of the profile */
    json_t *issued;        /* the answer     */
    struct mu_certs chain; /* that is in it  */
    struct ca_profile profile;
    struct mu_key *key;
    char *path, *aside; /* "" or NULL: nothing is written */
    int held;           /* the latter, locked; -1: it is not */
    struct ca_issued result;
};

static void far_done(struct far *far)
{
    json_decref(far->rule);
    json_decref(far->issued);
    mu_certs_done(&far->chain);
    mu_key_unref(far->key);
    if (far->aside != NULL) {
        ca_remove_aside(far->aside);
    }
    if (far->held != -1) {
        (void)close(far->held);
    }
    mu_free(far->path);
    mu_free(far->aside);
    ca_issued_done(&far->result);
}

static char *join(const char *directory, const char *before, const char *name, const char *behind)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 2 * PATH_MAX);
    mu_buf_printf(&text, "%s/%s%s%s", directory, before, name, behind);
    return text.failed ? NULL : mu_strdup(mu_buf_str(&text));
}

/* ---- before anybody is asked -------------------------------------------------------------------
 */

static bool learn_profile(struct far *far, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf target;
    mu_buf_init(&target, 8192);
    mu_buf_text(&target, "/profiles/");
    reach_encode(&target, far->wish->profile);
    reach_query(&target, "issuer", far->wish->request->issuer);
    if (!reach_get(far->reach, mu_buf_str(&target), &far->rule, err)) {
        return false;
    }
    far->profile =
        (struct ca_profile){.name = far->wish->profile, .text = reach_text(far->rule, "text")};
    struct ca_request *request = far->wish->request;
    const char *owner = reach_text(far->rule, "owner");
    request->profile = &far->profile;
    if (request->owner == NULL) {
        request->owner = owner[0] != '\0' ? owner : authority_owner();
    }
    return request->key_given || mu_key_spec_find(reach_text(far->rule, "key"), &request->key) ||
           mu_fail(err, MUTUAL_E_JSON_MALFORMED, "the authority names no kind of key that we know");
}

static bool is_it(int fd, const char *path)
{
    struct stat held;
    struct stat named;
    return fstat(fd, &held) == 0 && lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* False: it is not there, or another command is at work in it. */
static bool lock_place(struct far *far, const char *aside)
{
    far->held = open(aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* in between it may have become what it was made for */
    return far->held != -1 && flock(far->held, LOCK_EX | LOCK_NB) == 0 && is_it(far->held, aside);
}

/* Makes the directory, and it is ours for as long as we live. What a killed command left is cleared
 * away; where another one is at work its key stays its own. */
static bool hold(struct far *far, const char *aside, struct mutual_error *err)
{
    bool made = mkdir(aside, 0700) == 0;
    int why = made ? 0 : errno;
    if (why == EEXIST && lock_place(far, aside)) {
        ca_remove_aside(aside);
        (void)close(far->held);
        made = mkdir(aside, 0700) == 0;
    }
    if (made && lock_place(far, aside)) {
        return true;
    }
    if (!made && why != EEXIST) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, why, "could not make \"%s\"", aside);
    }
    return mu_fail(err, MUTUAL_E_FILE_EXISTS, "another command is at work in \"%s\"", aside) ||
           mu_error_hint(err, "Wait for it, then look whether the certificate is there.");
}

/* DIRECTORY/NAME, and the directory that it is built in. */
static bool make_place(struct far *far, struct mutual_error *err)
{
    const struct ca_request *request = far->wish->request;
    const char *out = request->out != NULL ? request->out : "tls";
    char whole[PATH_MAX];
    struct stat info;
    if (request->print_only) {
        return true;
    }
    if ((mkdir(out, 0755) == -1 && errno != EEXIST) || realpath(out, whole) == NULL) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not make \"%s\"", out);
    }
    far->path = join(whole, "", request->name, "");
    MU_AUTO(free) char *aside = join(whole, ".", request->name, ".issuing");
    if (far->path == NULL || aside == NULL) {
        return mu_fail_memory(err);
    }
    if (lstat(far->path, &info) == 0) {
        return mu_fail(err, MUTUAL_E_FILE_EXISTS, "\"%s\" exists already", far->path) ||
               mu_error_hint(err, "Choose another directory with --out, or move it away.");
    }
    if (!hold(far, aside, err)) {
        return false;
    }
    far->aside = MU_TAKE(aside);
    return true;
}

static bool write_part(const struct far *far, const char *name, struct mu_slice bytes, mode_t mode,
                       struct mutual_error *err)
{
    MU_AUTO(free) char *path = join(far->aside, "", name, "");
    return path != NULL ? mu_file_write(path, bytes, mode, err) : mu_fail_memory(err);
}

static bool make_key(struct far *far, struct mutual_error *err)
{
    const struct ca_request *request = far->wish->request;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
    if (!mu_key_generate(request->key, &far->key, err)) {
        return false;
    }
    bool good = request->p12 || (mu_key_to_pem(far->key, NULL, &pem, err) &&
                                 write_part(far, "tls.key", mu_buf_slice(&pem), 0600, err));
    mu_wipe(pem.data, pem.len);
    return good;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static bool put_csr(struct far *far, json_t *body, struct mutual_error *err)
{
    const struct mu_csr *csr = far->wish->request->csr;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&der, TEXT_MAX);
    mu_buf_init(&pem, TEXT_MAX);
    if (csr != NULL) {
        struct mu_slice given = mu_csr_facts(csr)->der;
        mu_buf_append(&der, given.data, given.len);
    } else if (!mu_csr_build(far->key, NULL, 0, NULL, 0, &der, err)) {
        return false;
    }
    mu_pem_write(&pem, "CERTIFICATE REQUEST", mu_buf_slice(&der));
    reach_put(body, "csr", mu_buf_str(&pem));
    return !pem.failed || mu_fail_memory(err);
}

static bool ask(struct far *far, struct mutual_error *err)
{
    const struct ca_request *request = far->wish->request;
    MU_AUTO(api_json) json_t *body = json_object();
    reach_put(body, "name", request->name);
    reach_put(body, "profile", far->wish->profile);
    reach_put(body, "issuer", request->issuer);
    reach_put(body, "owner", request->owner);
    reach_put(body, "place", request->place);
    reach_put(body, "purpose", request->purpose);
    reach_put_number(body, "life", request->life_s);
    (void)json_object_set_new(body, "must_staple", json_boolean(request->must_staple));
    (void)json_object_set_new(body, "names", reach_names(request->names, request->name_count));
    return put_csr(far, body, err) &&
           reach_post_once(far->reach, "/certificates", body, &far->issued, err);
}

/* What came must be of our key: nothing else is put beside it. */
static bool take_answer(struct far *far, struct mutual_error *err)
{
    if (!mu_certs_from_pem(mu_slice_text(reach_text(far->issued, "chain")), "the answer",
                           &far->chain, err)) {
        return false;
    }
    if (far->key != NULL && !mu_key_matches(far->key, far->chain.items[0], NULL)) {
        return mu_fail(err, MUTUAL_E_KEY_MISMATCH,
                       "the authority's answer holds no certificate of our key");
    }
    far->result.cert = mu_cert_ref(far->chain.items[0]);
    far->result.life_cut = json_is_true(json_object_get(far->issued, "life_cut"));
    return true;
}

/* ---- putting it in place -----------------------------------------------------------------------
 */

static bool write_p12(struct far *far, struct mutual_error *err)
{
    const struct ca_request *request = far->wish->request;
    MU_AUTO(certs) struct mu_certs rest = {0};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf file;
    mu_buf_init(&der, TEXT_MAX);
    mu_buf_init(&file, 256);
    mu_buf_printf(&file, "%s.p12", request->name);
    for (size_t i = 1; i < far->chain.count; i++) { /* the first is its own */
        if (!mu_certs_add(&rest, far->chain.items[i], err)) {
            return false;
        }
    }
    if (!mu_certs_from_pem(mu_slice_text(reach_text(far->issued, "ca")), "the answer", &rest,
                           err) ||
        (request->password == NULL && !ca_passphrase_new(far->result.password, err))) {
        return false;
    }
    const char *password = request->password != NULL ? request->password : far->result.password;
    bool good = mu_p12_build(far->result.cert, far->key, &rest, request->name, password,
                             request->preset, &der, err) &&
                write_part(far, mu_buf_str(&file), mu_buf_slice(&der), 0600, err);
    mu_wipe(der.data, der.len);
    return good;
}

static bool put_in_place(struct far *far, struct mutual_error *err)
{
    struct mu_slice chain = mu_slice_text(reach_text(far->issued, "chain"));
    struct mu_slice roots = mu_slice_text(reach_text(far->issued, "ca"));
    if (far->path == NULL) {
        return true;
    }
    if ((far->wish->request->p12 && !write_p12(far, err)) ||
        !write_part(far, "tls.crt", chain, 0644, err) ||
        !write_part(far, "ca.crt", roots, 0644, err) ||
        !ca_put_in_place(far->aside, far->path, false, err)) {
        return false;
    }
    far->result.path = mu_strdup(far->path);
    return far->result.path != NULL || mu_fail_memory(err);
}

static bool run(struct far *far, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf chain;
    const struct ca_request *request = far->wish->request;
    mu_buf_init(&chain, TEXT_MAX);
    if (!ca_handle_check(request->name, err) || !learn_profile(far, err) || !make_place(far, err) ||
        (request->csr == NULL && !make_key(far, err)) || !ask(far, err) || !take_answer(far, err) ||
        !put_in_place(far, err)) {
        return false;
    }
    mu_buf_text(&chain, reach_text(far->issued, "chain"));
    return authority_tell_issued(far->cli, request, &far->result, &chain, err);
}

bool issue_far(const struct cli *cli, struct reach *reach, const struct issue_far *wish,
               struct mutual_error *err)
{
    struct far far = {.cli = cli, .reach = reach, .wish = wish, .held = -1};
    bool good = run(&far, err);
    far_done(&far);
    return good;
}
