/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual demo: an authority, a service, a gateway, and everybody who knocks. What runs is this
 * program's own commands, the ones a reader would type; what the table says was seen by a client,
 * and why is what the gateway wrote into its log.
 */
#include "cli/cli.h"
#include "demo/demo.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct demo_options {
    const char *dir;
    bool check;
    bool clean;
};

static const struct cli_option options[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = offsetof(struct demo_options, dir),
     .value = "DIR",
     .help = "where everything is made; it must be new or an earlier demo's",
     .dflt = "demo"},
    {.name = "check",
     .kind = CLI_FLAG,
     .offset = offsetof(struct demo_options, check),
     .help = "end by itself, remove everything, exit 1 if any answer is not the right one"},
    {.name = "clean",
     .kind = CLI_FLAG,
     .offset = offsetof(struct demo_options, clean),
     .help = "remove what an earlier demo left, and do nothing else"},
    {0},
};

#define PATH_TEXT 768

struct story {
    struct cli *cli;
    char self[PATH_MAX];
    char dir[512]; /* absolute */
    char log[PATH_TEXT];
    char ca[PATH_TEXT];
    size_t log_offset;
    uint16_t service_port;
    uint16_t port;
    pid_t service;
    pid_t gateway;
    struct mutual_cache *cache;
    int64_t revoked_ns; /* when the command to revoke had returned */
    bool wrong;         /* some answer was not the right one */
    bool first_row;
    struct mu_json json;
    struct mu_buf json_text;
};

/* ---- the directory --------------------------------------------------------------------------- */

#define MARK ".mutual-demo"

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static bool is_ours(const char *dir)
{
    char mark[PATH_TEXT];
    snprintf(mark, sizeof mark, "%s/" MARK, dir);
    return access(mark, F_OK) == 0;
}

/* Removes a directory, but only one that a demo has made. */
static bool remove_demo(const char *dir, struct mutual_error *err)
{
    if (access(dir, F_OK) == -1) {
        return true;
    }
    if (!is_ours(dir)) {
        (void)mu_fail(err, MUTUAL_E_FILE_EXISTS, "\"%s\" exists and is not a demo's directory",
                      dir);
        return mu_error_hint(err, "Choose another directory with --dir.");
    }
    if (nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not remove \"%s\"", dir);
    }
    return true;
}

static bool make_directory(struct story *story, const char *dir, struct mutual_error *err)
{
    char real[PATH_MAX];
    char mark[PATH_TEXT];
    if (!remove_demo(dir, err)) {
        return false;
    }
    /* Open to pass through: the gateway's workers give up root, yet read nothing here. */
    if (mkdir(dir, 0755) == -1 || realpath(dir, real) == NULL) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not make \"%s\"", dir);
    }
    if (strlen(real) >= sizeof story->dir) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the path \"%.100s\" is too long", real);
    }
    memcpy(story->dir, real, strlen(real) + 1);
    snprintf(mark, sizeof mark, "%s/" MARK, story->dir);
    snprintf(story->log, sizeof story->log, "%s/gateway.log", story->dir);
    snprintf(story->ca, sizeof story->ca, "%s/corp/authority/ca.crt", story->dir);
    return mu_file_write(mark, MU_SLICE_LIT("made by mutual demo\n"), 0644, err);
}

/* ---- our own commands ------------------------------------------------------------------------ */

#define WORDS_MAX 14

/* Runs "mutual WORDS... --dir DIR/WHERE". */
static bool run(const struct story *story, const char *where, const char *const *words,
                struct mutual_error *err)
{
    const char *argv[WORDS_MAX + 4];
    char dir[PATH_TEXT];
    size_t n = 0;
    argv[n++] = story->self;
    for (; words[n - 1] != NULL; n++) {
        mu_assert(n < WORDS_MAX);
        argv[n] = words[n - 1];
    }
    snprintf(dir, sizeof dir, "%s/%s", story->dir, where);
    argv[n++] = "--dir";
    argv[n++] = dir;
    argv[n] = NULL;
    MU_AUTO(buf) struct mu_buf output;
    mu_buf_init(&output, 1u << 16);
    return demo_run(argv, &output, err);
}

static bool make_authorities(const struct story *story, struct mutual_error *err)
{
    static const struct {
        const char *where;
        const char *words[WORDS_MAX];
    } commands[] = {
        {"corp", {"init", "demo.test", "--dns", "localhost", NULL}},
        {"corp", {"issue", "gateway", "--profile", "server", "--dns", "localhost", NULL}},
        {"corp", {"issue", "alice", "--profile", "user", NULL}},
        {"corp", {"issue", "bob", "--profile", "user", NULL}},
        {"stranger", {"init", "stranger.test", NULL}},
        {"stranger", {"issue", "mallory", "--profile", "user", NULL}},
    };
    for (size_t i = 0; i < MU_COUNT(commands); i++) {
        if (!run(story, commands[i].where, commands[i].words, err)) {
            return false;
        }
    }
    return true;
}

static bool write_configuration(const struct story *story, char *path, size_t size,
                                struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 16);
    mu_buf_printf(&text,
                  "version: 1\n"
                  "workers: 1\n"
                  "log: {format: json}\n"
                  "trust:\n"
                  "  - name: corp\n"
                  "    bundle: %s\n"
                  "    intermediates: %s/corp/authority/issuer/issuer.crt\n"
                  "    revocation: {crl: %s/corp/authority/issuer.crl}\n"
                  "inbound:\n"
                  "  - name: hello\n"
                  "    listen: 127.0.0.1:%u\n"
                  "    forward: 127.0.0.1:%u\n"
                  "    certificate: %s/corp/tls/gateway\n"
                  "    clients: {mode: require, trust: corp}\n"
                  "policy:\n"
                  "  - grant: alice-greets\n"
                  "    to: hello\n"
                  "    from: [{spiffe: \"spiffe://demo.test/user/alice\"}]\n"
                  "    owner: the demo\n"
                  "    why: somebody has to get in\n",
                  story->ca, story->dir, story->dir, story->port, story->service_port, story->dir);
    snprintf(path, size, "%s/mutual.yaml", story->dir);
    return text.failed ? mu_fail_memory(err) : mu_file_write(path, mu_buf_slice(&text), 0644, err);
}

static bool start_gateway(struct story *story, struct mutual_error *err)
{
    char config[PATH_TEXT];
    if (!demo_service_start(&story->service_port, &story->service, err) ||
        !demo_port_free(&story->port, err) ||
        !write_configuration(story, config, sizeof config, err)) {
        return false;
    }
    const char *const argv[] = {story->self, "serve", "-c", config, NULL};
    return demo_start(argv, story->dir, story->log, &story->gateway, err);
}

/* ---- who knocks ------------------------------------------------------------------------------ */

static const struct knock {
    const char *who;
    bool tls;
    const char *certificate; /* below the demo's directory */
    bool resumes;            /* offers the session of the visit before */
    const char *reason;      /* the right one in the log; "" lets in   */
} knocks[] = {
    {"plain HTTP", false, NULL, false, "not_tls"},
    {"TLS, no client certificate", true, NULL, false, "no_client_cert"},
    {"TLS, a stranger's certificate", true, "stranger/tls/mallory", false, "unknown_issuer"},
    {"mutual TLS as bob", true, "corp/tls/bob", false, "policy_denied"},
    {"mutual TLS as alice", true, "corp/tls/alice", true, ""},
    {"alice again, resumed", true, "corp/tls/alice", true, ""},
};
static const struct knock after_revocation = {"alice knocks again", true, "corp/tls/alice", true,
                                              "revoked"};

static const char *lapse(int64_t ns, char text[32])
{
    snprintf(text, 32, "%.1f ms", (double)ns / (double)MU_NS_PER_MS);
    return text;
}

/* One row of the table: who, the answer, and why. */
static void tell(struct story *story, const char *who, const char *answer, const char *why,
                 bool let_in, bool right)
{
    story->wrong = story->wrong || !right;
    if (story->cli->json) {
        mu_json_open(&story->json, NULL, '{');
        mu_json_string(&story->json, "who", who);
        mu_json_string(&story->json, "answer", answer);
        mu_json_string(&story->json, "why", why);
        mu_json_bool(&story->json, "right", right);
        mu_json_close(&story->json, '}');
        return;
    }
    cli_print(story->cli, "  %-31s %s%-8s%s  %s%s\n", who,
              cli_ink(story->cli, let_in ? CLI_GOOD : CLI_BAD), answer,
              cli_ink(story->cli, CLI_PLAIN), why, right ? "" : "   <- this is not right");
    (void)fflush(story->cli->out);
}

static void say_why(const struct demo_record *record, const struct demo_answer *answer, char *text,
                    size_t size)
{
    char took[32];
    if (record->reason[0] != '\0') {
        snprintf(text, size, "%s: %s", record->reason, record->detail);
    } else {
        snprintf(text, size, "grant \"%s\"; %s, %s%s, %s", record->rule,
                 answer->tls.version == NULL ? "?" : answer->tls.version,
                 answer->tls.group == NULL ? "?" : answer->tls.group,
                 answer->tls.resumed ? ", resumed" : "", lapse(answer->took_ns, took));
    }
}

static bool knock(struct story *story, const struct knock *row, struct mutual_error *err)
{
    char certificate[PATH_TEXT];
    snprintf(certificate, sizeof certificate, "%s/%s", story->dir,
             row->certificate == NULL ? "" : row->certificate);
    const struct demo_visitor visitor = {.port = story->port,
                                         .tls = row->tls,
                                         .ca_path = story->ca,
                                         .certificate =
                                             row->certificate == NULL ? NULL : certificate,
                                         .cache = row->resumes ? story->cache : NULL};
    struct demo_visit *visit = NULL;
    struct demo_answer answer;
    struct demo_record record = {0};
    if (!demo_visit_open(&visitor, &visit, err)) {
        return false;
    }
    demo_visit_ask(visit, &answer);
    char why[512];
    char status[16];
    snprintf(status, sizeof status, "%d", answer.status);
    struct demo_answer told = answer;
    demo_visit_hang_up(visit);
    bool read = demo_record_next(story->log, &story->log_offset, &record, err);
    if (read) {
        bool resumed_right = strstr(row->who, "resumed") == NULL || record.resumed;
        bool let_in = answer.status == 200;
        say_why(&record, &told, why, sizeof why);
        tell(story, row->who, answer.status != 0 ? status : "refused", why, let_in,
             let_in == (row->reason[0] == '\0') && strcmp(record.reason, row->reason) == 0 &&
                 resumed_right);
    }
    demo_visit_free(visit);
    return read;
}

/* Alice is in the middle of a conversation when her certificate is revoked. */
static bool revoke_while_open(struct story *story, struct mutual_error *err)
{
    char certificate[PATH_TEXT];
    snprintf(certificate, sizeof certificate, "%s/corp/tls/alice", story->dir);
    const struct demo_visitor visitor = {
        .port = story->port, .tls = true, .ca_path = story->ca, .certificate = certificate};
    struct demo_visit *visit = NULL;
    struct demo_answer answer;
    static const char *const words[] = {"revoke", "alice", "--reason", "key-compromise", NULL};
    if (!demo_visit_open(&visitor, &visit, err)) {
        return false;
    }
    demo_visit_ask(visit, &answer);
    bool was_in = answer.status == 200;
    if (!run(story, "corp", words, err)) {
        demo_visit_free(visit);
        return false;
    }
    int64_t began = mu_clock_mono_ns();
    (void)kill(story->gateway, SIGHUP);
    bool closed = demo_visit_closed(visit, 5 * MU_NS_PER_S);
    int64_t took = mu_clock_mono_ns() - began;
    demo_visit_free(visit);
    struct demo_record record = {0};
    if (!demo_record_next(story->log, &story->log_offset, &record, err)) {
        return false;
    }
    char who[64];
    char why[400];
    char text[32];
    snprintf(who, sizeof who, "alice, connected, is revoked");
    snprintf(why, sizeof why, "%s: closed %s after the reload", record.reason, lapse(took, text));
    tell(story, who, closed ? "closed" : "open", why, false,
         was_in && closed && strcmp(record.reason, "revoked") == 0);
    return true;
}

/* ---- the story ------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* From here on Ctrl-C ends the story in an orderly way, so that no program is left behind. */
static void catch_interrupts(void)
{
    const struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void introduce(const struct story *story, int64_t took_ns)
{
    char text[32];
    const struct cli *cli = story->cli;
    cli_print(cli, "Everything below runs on this machine, on loopback. Nothing outside its own "
                   "directory is touched.\n\n");
    cli_print(cli,
              "  authority   made a root and an issuer for demo.test, and four certificates, "
              "in %s\n",
              lapse(took_ns, text));
    cli_print(cli, "  service     plain HTTP on 127.0.0.1:%u, knows nothing about TLS\n",
              story->service_port);
    cli_print(cli,
              "  gateway     https://localhost:%u in front of it; one grant: "
              "spiffe://demo.test/user/alice\n\n",
              story->port);
    cli_print(cli, "  %s%-31s %-8s  %s%s\n", cli_ink(cli, CLI_BOLD), "who knocks", "answer",
              "why, in the gateway's words", cli_ink(cli, CLI_PLAIN));
}

static bool play(struct story *story, struct mutual_error *err)
{
    int64_t began = mu_clock_mono_ns();
    if (!make_authorities(story, err)) {
        return false;
    }
    int64_t took = mu_clock_mono_ns() - began;
    if (!start_gateway(story, err)) {
        return false;
    }
    introduce(story, took);
    for (size_t i = 0; i < MU_COUNT(knocks); i++) {
        if (interrupted) {
            return mu_fail(err, MUTUAL_E_DRAINING, "the demo was interrupted");
        }
        if (!knock(story, &knocks[i], err)) {
            return false;
        }
    }
    return revoke_while_open(story, err) && knock(story, &after_revocation, err);
}

/* Lets the reader try for himself until Ctrl-C. */
static void linger(const struct story *story)
{
    const struct cli *cli = story->cli;
    sigset_t waiting;
    sigset_t before;
    sigemptyset(&waiting);
    sigaddset(&waiting, SIGINT);
    sigaddset(&waiting, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &waiting, &before);
    cli_print(cli,
              "\n  Bob is refused until access is assigned to him. Try it: add his SPIFFE ID "
              "to the grant in\n  %s/mutual.yaml, then: kill -HUP %d\n\n",
              story->dir, (int)story->gateway);
    cli_print(cli,
              "  try         curl --cacert %s --cert %s/corp/tls/bob/tls.crt \\\n"
              "                   --key %s/corp/tls/bob/tls.key https://localhost:%u/\n",
              story->ca, story->dir, story->dir, story->port);
    cli_print(cli, "  ask why     mutual explain localhost:%u --ca %s\n", story->port, story->ca);
    cli_print(cli, "  log         %s\n", story->log);
    cli_print(cli, "  stop        Ctrl-C          clean up    mutual demo --clean\n");
    (void)fflush(cli->out);
    while (!interrupted) {
        (void)sigsuspend(&before);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void finish(struct story *story)
{
    if (story->gateway > 0) {
        demo_stop(story->gateway);
    }
    if (story->service > 0) {
        demo_stop(story->service);
    }
    mutual_cache_unref(story->cache);
}

static bool find_self(struct story *story, struct mutual_error *err)
{
    ssize_t n = readlink("/proc/self/exe", story->self, sizeof story->self - 1);
    if (n <= 0) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not find our own program");
    }
    story->self[n] = '\0';
    story->cache = mutual_cache_new(8);
    return story->cache != NULL || mu_fail_memory(err);
}

static bool perform(struct story *story, const struct demo_options *wanted,
                    struct mutual_error *err)
{
    bool quiet_end = wanted->check || story->cli->json;
    catch_interrupts();
    mu_buf_init(&story->json_text, 1u << 16);
    mu_json_init(&story->json, &story->json_text);
    mu_json_open(&story->json, NULL, '[');
    bool played =
        find_self(story, err) && make_directory(story, wanted->dir, err) && play(story, err);
    mu_json_close(&story->json, ']');
    if (played && !quiet_end) {
        linger(story);
    }
    finish(story);
    if (played && story->cli->json) {
        mu_buf_text(&story->json_text, "\n");
        played = cli_write(story->cli, &story->json_text, err);
    }
    mu_buf_done(&story->json_text);
    if (story->dir[0] != '\0' && wanted->check && played && !story->wrong) {
        return remove_demo(story->dir, err);
    }
    return played;
}

static int run_demo(struct cli *cli, const void *given)
{
    const struct demo_options *wanted = given;
    struct mutual_error err = {0};
    if (wanted->clean) {
        return remove_demo(wanted->dir, &err) ? CLI_YES : cli_fail(cli, &err);
    }
    struct story *story = mu_alloc(1, sizeof *story);
    if (story == NULL) {
        (void)mu_fail_memory(&err);
        return cli_fail(cli, &err);
    }
    story->cli = cli;
    bool played = perform(story, wanted, &err);
    bool wrong = story->wrong;
    if (!played && story->log[0] != '\0') {
        cli_say(cli, "what was made stays in \"%s\"; the gateway's log is in gateway.log there\n",
                story->dir);
    }
    mu_free(story);
    if (!played) {
        return cli_fail(cli, &err);
    }
    return wrong ? CLI_NO : CLI_YES;
}

const struct cli_verb cli_verb_demo = {
    .name = "demo",
    .group = CLI_GROUP_START,
    .help = "show who is let in, who is refused, and why, on this machine",
    .details = "Makes an authority, a plain HTTP service and a gateway in front of it, lets\n"
               "everybody knock, and waits for Ctrl-C so that you can try it yourself.",
    .options = options,
    .options_size = sizeof(struct demo_options),
    .run = run_demo,
};
