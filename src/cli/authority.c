/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of the authority share.
 */
#include "cli/authority_internal.h"
#include "config/config.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const authority_key_words[] = {"ec-p256",  "ec-p384", "rsa-2048", "rsa-3072",
                                           "rsa-4096", "ed25519", NULL};
const char *const authority_p12_words[] = {"apple", "windows", "android", "modern", NULL};

/* ---- where and who --------------------------------------------------------------------------- */

static bool beside_config(const struct cli *cli, struct mu_buf *out)
{
    const char *slash = strrchr(cli->config_path, '/');
    if (!cli->config_given || slash == NULL) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf part;
    mu_buf_init(&part, 8192);
    mu_buf_printf(&part, "%.*s/authority", (int)(slash - cli->config_path), cli->config_path);
    struct stat info;
    if (part.failed || stat(mu_buf_str(&part), &info) == -1 || !S_ISDIR(info.st_mode)) {
        return false;
    }
    return mu_buf_append(out, cli->config_path, (size_t)(slash - cli->config_path));
}

bool authority_dir(const struct cli *cli, const char *given, struct mu_buf *out,
                   struct mutual_error *err)
{
    if (given != NULL) {
        mu_buf_text(out, given);
        return out->failed ? mu_fail_memory(err) : true;
    }
    if (beside_config(cli, out) || ca_default_dir(out)) {
        return true;
    }
    return mu_fail(err, MUTUAL_E_USAGE, "there is no home directory to keep an authority in") ||
           mu_error_hint(err, "Name one: --dir DIRECTORY.");
}

/* All that is wrong with the authority's own profiles, when that is what it is. */
static void say_profiles(const struct cli *cli, const char *dir)
{
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(buf) struct mu_buf text;
    config_findings_init(&findings);
    mu_buf_init(&text, 1u << 20);
    ca_profiles_check(dir, &findings);
    if (findings.errors > 0) {
        config_findings_sort(&findings);
        config_findings_text(&findings, "profiles.yaml", cli->colour_err, &text);
        cli_say(cli, "%s", mu_buf_str(&text));
    }
}

bool authority_open(const struct cli *cli, const char *given_dir, enum ca_access access,
                    struct ca **ret_ca, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf dir;
    MU_AUTO(buf) struct mu_buf notes;
    mu_buf_init(&dir, 4096);
    mu_buf_init(&notes, 1u << 20);
    if (!authority_dir(cli, given_dir, &dir, err)) {
        return false;
    }
    if (!ca_open(mu_buf_str(&dir), access, authority_who(), mu_clock_wall_s(), &notes, ret_ca,
                 err)) {
        say_profiles(cli, mu_buf_str(&dir));
        return false;
    }
    if (notes.len > 0) {
        cli_say(cli, "mutual: an earlier command was interrupted:\n%s", mu_buf_str(&notes));
    }
    return true;
}

static const char *user_name(uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);
    return entry != NULL ? entry->pw_name : "uid";
}

const char *authority_owner(void)
{
    static char name[128];
    const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    bool useful = sudo != NULL && sudo[0] != '\0' && strlen(sudo) < 64;
    (void)snprintf(name, sizeof name, "%s", useful ? sudo : user_name(getuid()));
    return name;
}

const char *authority_who(void)
{
    static char who[192];
    bool other = strcmp(authority_owner(), user_name(getuid())) != 0;
    if (other) {
        (void)snprintf(who, sizeof who, "%s as %s (%u)", authority_owner(), user_name(getuid()),
                       (unsigned)getuid());
    } else {
        (void)snprintf(who, sizeof who, "%s (%u)", authority_owner(), (unsigned)getuid());
    }
    return who;
}

const char *authority_place(void)
{
    return ca_machine();
}

const char *authority_day(int64_t time_s, char text[MU_TIME_TEXT])
{
    (void)mu_time_format(time_s, text);
    char *t = strchr(text, 'T');
    if (t != NULL) {
        *t = '\0';
    }
    return text;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool authority_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool authority_read(const char *path, size_t max, struct mu_buf *ret_bytes,
                    struct mutual_error *err)
{
    return strcmp(path, "-") == 0 ? mu_fd_read(STDIN_FILENO, "standard input", max, ret_bytes, err)
                                  : mu_file_read(path, max, ret_bytes, err);
}

#define SECRET_MAX 1024u

bool authority_secret_read(const char *path, char **ret_text, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes = {0};
    struct stat info;
    if (strcmp(path, "-") != 0 && stat(path, &info) == 0 && (info.st_mode & 077) != 0) {
        return mu_fail(err, MUTUAL_E_FILE_EXPOSED, "\"%s\" can be read by others (mode %04o)", path,
                       (unsigned)(info.st_mode & 07777)) ||
               mu_error_hint(err, "Run: chmod 600 %s", path);
    }
    if (!authority_read(path, SECRET_MAX, &bytes, err)) {
        return false;
    }
    size_t len = 0;
    while (len < bytes.len && bytes.data[len] != '\n' && bytes.data[len] != '\r') {
        len++;
    }
    char *text = len == 0 ? NULL : mu_secret_alloc(len + 1);
    if (text != NULL) {
        memcpy(text, bytes.data, len);
        text[len] = '\0';
    }
    mu_wipe(bytes.data, bytes.len);
    if (len == 0) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "\"%s\" begins with an empty line, not with a "
                       "secret",
                       path);
    }
    if (text == NULL) {
        return mu_fail_memory(err);
    }
    *ret_text = text;
    return true;
}

void mu_authority_secret_auto(char **text)
{
    mu_secret_free(*text);
}

bool authority_csr_read(const char *path, struct mu_csr **ret_csr, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes = {0};
    if (!authority_read(path, MU_LIMIT_KEY_BYTES, &bytes, err)) {
        return false;
    }
    bool der = bytes.len > 0 && bytes.data[0] == 0x30;
    return der ? mu_csr_from_der(mu_buf_slice(&bytes), ret_csr, err)
               : mu_csr_from_pem(mu_buf_slice(&bytes), path, ret_csr, err);
}

/* ---- issuing --------------------------------------------------------------------------------- */

#define GOOD_PASSWORD 16u /* what 3DES-era key derivation needs at the very least */

bool authority_p12_request(const struct cli *cli, const struct authority_p12 *options,
                           struct ca_request *request, char **ret_secret, struct mutual_error *err)
{
    request->p12 = options->wanted || options->password_file != NULL;
    request->preset = (enum mu_p12_preset)options->preset;
    if (options->password_file == NULL) {
        return true;
    }
    if (!authority_secret_read(options->password_file, ret_secret, err)) {
        return false;
    }
    request->password = *ret_secret;
    if (strlen(request->password) < GOOD_PASSWORD) {
        cli_say(cli,
                "mutual: warning: a password of %zu characters is all that protects the key in "
                "the .p12;\n  leave --password-file out and a good one is made.\n",
                strlen(request->password));
    }
    return true;
}

static void issued_json(const struct ca_request *request, const struct ca_issued *issued,
                        struct mu_buf *out)
{
    const struct mu_cert_facts *facts = mu_cert_facts(issued->cert);
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    char time[MU_TIME_TEXT];
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "name", request->name);
    mu_json_string(&json, "profile", request->profile->name);
    mu_hex(&text, facts->serial);
    mu_json_string(&json, "serial", mu_buf_str(&text));
    mu_buf_clear(&text);
    mu_hex(&text, mu_slice_of(facts->fingerprint, 32));
    mu_json_string(&json, "fingerprint", mu_buf_str(&text));
    mu_json_string(&json, "not_before", mu_time_format(facts->not_before_s, time));
    mu_json_string(&json, "not_after", mu_time_format(facts->not_after_s, time));
    mu_json_open(&json, "names", '[');
    for (size_t i = 0; i < facts->name_count; i++) {
        mu_buf_clear(&text);
        mu_gname_text(&text, &facts->names[i]);
        mu_json_string(&json, NULL, mu_buf_str(&text));
    }
    mu_json_close(&json, ']');
    mu_json_string(&json, "owner", request->owner);
    mu_json_string(&json, "place", request->place);
    mu_json_string(&json, "purpose",
                   request->purpose != NULL ? request->purpose : request->profile->text);
    mu_json_string(&json, "path", issued->path);
    if (issued->password[0] != '\0') {
        mu_json_string(&json, "password", issued->password);
    }
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

static void say_files(const struct ca_request *request, const struct ca_issued *issued,
                      struct mu_buf *out)
{
    mu_buf_printf(out, "wrote   %s/", issued->path);
    if (request->p12) {
        mu_buf_printf(out, "{%s.p12,tls.crt,ca.crt}   made for: %s\n", request->name,
                      mu_p12_word(request->preset));
    } else {
        mu_buf_text(out,
                    request->csr != NULL ? "{tls.crt,ca.crt}\n" : "{tls.crt,tls.key,ca.crt}\n");
    }
    if (issued->password[0] != '\0') {
        mu_buf_printf(out, "password  %s   opens the .p12; shown once, kept nowhere\n",
                      issued->password);
    }
}

static void issued_text(const struct ca_request *request, const struct ca_issued *issued,
                        struct mu_buf *out)
{
    const struct mu_cert_facts *facts = mu_cert_facts(issued->cert);
    char day[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    mu_buf_printf(out, "%s  %s   %s, %s", request->replaces != NULL ? "renewed" : "issued ",
                  request->name, request->profile->name, facts->key.text);
    mu_buf_printf(out, ", valid to %s (%s)%s\n", authority_day(facts->not_after_s, day),
                  mu_duration_words(facts->not_after_s - request->now_s, words),
                  issued->life_cut ? ", when its issuer ends" : "");
    mu_buf_text(out, "names   ");
    for (size_t i = 0; i < facts->name_count; i++) {
        mu_buf_text(out, i == 0 ? "" : ", ");
        mu_gname_text(out, &facts->names[i]);
    }
    mu_buf_text(out, "\nserial  ");
    mu_hex(out, facts->serial);
    mu_buf_printf(out, "\nfacts   owner %s, place %s, purpose: %s\n", request->owner,
                  request->place,
                  request->purpose != NULL ? request->purpose : request->profile->text);
    if (issued->path != NULL) {
        say_files(request, issued, out);
    }
}

bool authority_tell_issued(const struct cli *cli, const struct ca_request *request,
                           const struct ca_issued *issued, const struct mu_buf *chain,
                           struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    if (cli->json) {
        issued_json(request, issued, &out);
    } else if (request->print_only) {
        mu_buf_append(&out, chain->data, chain->len);
    } else {
        issued_text(request, issued, &out);
    }
    bool told = cli_write(cli, &out, err);
    mu_wipe(out.data, out.len);
    return told;
}

bool authority_issue(const struct cli *cli, struct ca *ca, const struct ca_request *request,
                     struct mutual_error *err)
{
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(buf) struct mu_buf chain;
    mu_buf_init(&chain, 1u << 20);
    struct ca_signer signer;
    ca_signer_init_process(&signer);
    if (!ca_issue(ca, request, &signer, &issued, err)) {
        return false;
    }
    ca_chain_pem(ca, issued.cert, &chain);
    bool told = authority_tell_issued(cli, request, &issued, &chain, err);
    struct mutual_error why = {0};
    if (told && !ca_crl_refresh(ca, &signer, request->now_s, &why)) {
        cli_say(cli, "mutual: warning: the revocation list could not be renewed: %s\n", why.reason);
    }
    return told;
}
