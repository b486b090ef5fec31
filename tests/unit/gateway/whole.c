/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole gateway in processes of its own; see whole.h.
 */
#include "whole.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FIRST_S INT64_C(86400)
#define LAST_S  INT64_C(253402300799)

struct whole whole;

void whole_write(const char *name, const char *text, mode_t mode)
{
    struct mutual_error err = {0};
    char path[192];
    (void)snprintf(path, sizeof path, "%s/%s", whole.directory, name);
    assert_ok(mu_file_write(path, mu_slice_text(text), mode, &err), &err);
}

void whole_configure(const char *more)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 20);
    (void)mu_buf_printf(&text,
                        "version: 1\nworkers: 1\ntrust:\n  - {name: corp, bundle: root.pem}\n"
                        "inbound:\n  - name: db\n    listen: unix:%s\n"
                        "    forward: unix:%s/service\n"
                        "    certificate: {chain: server.pem, key: server.key}\n"
                        "    clients: {mode: require, trust: corp}\n%s",
                        whole.listen, whole.directory, more);
    whole_write("mutual.yaml", mu_buf_str(&text), 0600);
}

void whole_init(const char *more)
{
    struct mu_rdn subject = {MU_ATTR_CN, "Root"};
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .not_before_s = FIRST_S,
                                 .not_after_s = LAST_S,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN};
    memset(&whole, 0, sizeof whole);
    (void)snprintf(whole.directory, sizeof whole.directory, "/tmp/mutual-whole-XXXXXX");
    assert_non_null(mkdtemp(whole.directory));
    (void)snprintf(whole.config, sizeof whole.config, "%s/mutual.yaml", whole.directory);
    (void)snprintf(whole.control, sizeof whole.control, "%s/control", whole.directory);
    (void)snprintf(whole.listen, sizeof whole.listen, "%s/listen", whole.directory);
    whole.log = memfd_create("log", MFD_CLOEXEC);
    whole.root = pki_make(NULL, &t, MU_SPEC_EC_P256);
    whole.server = pki_issue(whole.root, (struct pki_leaf){.dns = "localhost",
                                                           .not_before = FIRST_S,
                                                           .not_after = LAST_S,
                                                           .server = true});
    whole_write("root.pem", pki_pem(whole.root), 0644);
    whole_write("server.pem", pki_chain_pem(whole.server), 0644);
    whole_write("server.key", pki_key_pem(whole.server), 0600);
    whole_configure(more);
}

static bool load(void *owner, struct config_findings *findings,
                 struct config_snapshot **ret_snapshot)
{
    return config_snapshot_load(owner, findings, ret_snapshot);
}

void whole_start(const char *event)
{
    const struct gateway_options options = {.load = load,
                                            .owner = whole.config,
                                            .config_name = whole.config,
                                            .control_path = whole.control,
                                            .drain_ns = 500 * MU_NS_PER_MS};
    whole.pid = fork();
    assert_true(whole.pid != -1);
    if (whole.pid == 0) {
        (void)dup2(whole.log, STDERR_FILENO);
        _exit(gateway_serve(&options));
    }
    whole_wait_for(event, 1);
}

const char *whole_log(void)
{
    static char text[1u << 18];
    ssize_t n = pread(whole.log, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int count(const char *text, const char *what)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        found++;
    }
    return found;
}

void whole_wait_for(const char *text, int times)
{
    const struct timespec moment = {.tv_nsec = 5 * MU_NS_PER_MS};
    for (int i = 0; i < 2000; i++) {
        if (count(whole_log(), text) >= times) {
            return;
        }
        (void)nanosleep(&moment, NULL);
    }
    fail_msg("the log does not say \"%s\": %s", text, whole_log());
}

int whole_end(int signo)
{
    int status = 0;
    if (signo != 0) {
        (void)kill(whole.pid, signo);
    }
    assert_int_equal(waitpid(whole.pid, &status, 0), whole.pid);
    whole.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void whole_done(void)
{
    static const char *const names[] = {"mutual.yaml", "root.pem", "server.pem", "server.key",
                                        "other.key",   "control",  "listen",     "second"};
    if (whole.pid > 0) {
        (void)whole_end(SIGTERM);
    }
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        char path[192];
        (void)snprintf(path, sizeof path, "%s/%s", whole.directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(whole.directory);
    (void)close(whole.log);
}

int whole_setup(void **state)
{
    (void)state;
    whole_init("");
    return 0;
}

int whole_teardown(void **state)
{
    (void)state;
    whole_done();
    return 0;
}
