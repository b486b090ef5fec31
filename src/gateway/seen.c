/* SPDX-License-Identifier: Apache-2.0
 *
 * Sightings in the parent: what workers tell is added up, kept in a file over restarts, and told to
 * whoever asks on the control socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/parent_internal.h"
#include "gateway/sighting_internal.h"

enum { SAVE_S = 60 };

/* The directory that the command or systemd names; without one nothing is kept over a restart. */
static bool find_path(const struct gateway_options *options, struct mu_buf *path)
{
    const char *directory = options->state_path;
    if (directory == NULL) {
        directory = secure_getenv("STATE_DIRECTORY");
    }
    mu_buf_init(path, 4096);
    return directory != NULL && directory[0] != '\0' && strchr(directory, ':') == NULL &&
           mu_buf_printf(path, "%s/sightings", directory);
}

static void save(struct parent *parent, bool ended)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf path;
    int64_t now_s = mu_clock_wall_s();
    bool kept = find_path(parent->options, &path);
    sightings_clock(parent->sightings, now_s, mu_clock_mono_ns());
    sightings_forget(parent->sightings, now_s - SIGHTINGS_KEPT_S, now_s);
    if (kept && parent->seen_news) {
        parent->seen_why = (struct mutual_error){.code = MUTUAL_OK};
        if (!sightings_save(parent->sightings, mu_buf_str(&path), ended, now_s, &err)) {
            parent->seen_why = err;
            parent_log(parent, CONFIG_LOG_WARNING, "sightings_unsaved",
                       "could not keep who was seen over a restart", &err);
        }
    }
    parent->seen_news = false;
}

static void on_save_time(void *owner)
{
    struct parent *parent = owner;
    save(parent, false);
    reactor_arm_in(parent->reactor, &parent->seen_timer, SAVE_S * MU_NS_PER_S, on_save_time,
                   parent);
}

/* Two gateways with one file would write over each other what they saw, and what is not seen counts
 * as evidence. The lock is the process's own: helpers that we fork do not hold it when we are gone.
 */
static bool lock(struct parent *parent, const char *path, struct mutual_error *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, 4096);
    (void)mu_buf_printf(&name, "%s.lock", path);
    parent->seen_lock = open(mu_buf_str(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (parent->seen_lock == -1) {
        (void)mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not open \"%s\"",
                            mu_buf_str(&name));
        return mu_error_hint(err, "Name a directory for the gateway's state that exists and is its "
                                  "own: --state DIRECTORY.");
    }
    if (fcntl(parent->seen_lock, F_SETLK, &whole) == 0) {
        return true;
    }
    (void)fcntl(parent->seen_lock, F_GETLK, &whole);
    (void)mu_fail(err, MUTUAL_E_STORE_BUSY, "another gateway (process %d) keeps \"%s\"",
                  (int)whole.l_pid, path);
    return mu_error_hint(err, "Give each gateway a state directory of its own: --state DIRECTORY.");
}

/* A file that cannot be read is moved out of the way rather than written over: it is evidence. */
bool seen_open(struct parent *parent, struct mutual_error *err)
{
    struct mutual_error why = {0};
    MU_AUTO(buf) struct mu_buf path;
    MU_AUTO(buf) struct mu_buf aside;
    mu_buf_init(&aside, 4096);
    bool kept = find_path(parent->options, &path);
    if (kept && !lock(parent, mu_buf_str(&path), err)) {
        return false;
    }
    parent->sightings = sightings_new(SIGHTINGS_MAX, SIGHTINGS_SERVICE_MAX);
    if (parent->sightings == NULL) {
        return mu_fail_memory(err);
    }
    if (kept && !sightings_load(parent->sightings, mu_buf_str(&path), &why)) {
        (void)mu_buf_printf(&aside, "%s.damaged", mu_buf_str(&path));
        (void)rename(mu_buf_str(&path), mu_buf_str(&aside));
        parent_log(parent, CONFIG_LOG_WARNING, "sightings_lost",
                   "who was seen before is not known; the file was moved aside", &why);
        sightings_free(parent->sightings);
        parent->sightings = sightings_new(SIGHTINGS_MAX, SIGHTINGS_SERVICE_MAX);
        if (parent->sightings == NULL) {
            return mu_fail_memory(err);
        }
    }
    sightings_resume(parent->sightings, mu_clock_wall_s());
    reactor_arm_in(parent->reactor, &parent->seen_timer, SAVE_S * MU_NS_PER_S, on_save_time,
                   parent);
    return true;
}

void seen_close(struct parent *parent)
{
    if (parent->sightings != NULL) {
        parent->seen_news = true;
        save(parent, true);
        sightings_free(parent->sightings);
    }
    if (parent->seen_lock != -1) {
        (void)close(parent->seen_lock);
    }
}

void seen_serving(struct parent *parent)
{
    const struct world *world = parent->current->world;
    for (size_t i = 0; i < world->service_count; i++) {
        const struct world_service *service = &world->services[i];
        if (service->inbound != NULL && service->rules.mode != MUTUAL_MODE_NONE) {
            sightings_rules(parent->sightings, service->name, sighting_rules(service),
                            mu_clock_wall_s());
        }
    }
    parent->seen_news = true;
    save(parent, false);
}

/* A worker tells of services that there are, or tells nothing. */
static void note_known(void *context, const struct sighting *seen)
{
    struct parent *parent = context;
    if (seen->service[0] == '\0') {
        sightings_gap(parent->sightings, mu_clock_wall_s(),
                      "a worker could not tell whom it had seen");
    } else if (parent->current != NULL &&
               world_service_find(parent->current->world, seen->service)) {
        sightings_note(parent->sightings, seen);
        parent->seen_news = true;
    }
}

bool seen_message(struct parent *parent, const struct ipc_message *message,
                  struct mutual_error *err)
{
    struct sightings *told = sightings_new(SIGHTINGS_WORKER_MAX, SIGHTINGS_WORKER_MAX);
    if (told == NULL) {
        return mu_fail_memory(err);
    }
    bool sound = sightings_read(told, message->payload, err);
    if (sound) {
        sightings_each(told, note_known, parent);
    }
    sightings_free(told);
    return sound;
}

void seen_worker_died(struct parent *parent)
{
    if (parent->sightings != NULL) {
        sightings_gap(parent->sightings, mu_clock_wall_s(),
                      "a worker died before it had told whom it saw");
        parent->seen_news = true;
    }
}

static void put_services(const struct parent *parent, struct mu_json *json)
{
    const struct world *world = parent->current == NULL ? NULL : parent->current->world;
    mu_json_open(json, "services", '[');
    for (size_t i = 0; world != NULL && i < world->service_count; i++) {
        const struct world_service *service = &world->services[i];
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "service", service->name);
        mu_json_string(json, "kind", service->inbound != NULL ? "inbound" : "outbound");
        mu_json_string(json, "trust", service->trust != NULL ? service->trust->config->name : NULL);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

void seen_certificates_json(const struct parent *parent, struct mu_buf *out)
{
    struct mu_json json;
    MU_AUTO(buf) struct mu_buf path;
    const struct sightings_since *since = sightings_since(parent->sightings);
    bool kept = find_path(parent->options, &path);
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "kept_in", kept ? mu_buf_str(&path) : NULL);
    mu_json_int(&json, "now_s", mu_clock_wall_s());
    mu_json_int(&json, "since_s", since->at_s);
    mu_json_string(&json, "since_why", since->why);
    put_services(parent, &json);
    sightings_certificates_json(parent->sightings, &json);
    mu_json_close(&json, '}');
    (void)mu_buf_byte(out, '\n');
}

void seen_json(const struct parent *parent, const char *service, struct mu_buf *out)
{
    struct mu_json json;
    MU_AUTO(buf) struct mu_buf path;
    bool kept = find_path(parent->options, &path);
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "kept_in", kept ? mu_buf_str(&path) : NULL);
    mu_json_int(&json, "now_s", mu_clock_wall_s());
    const struct world_service *facts = parent->current == NULL || service == NULL
                                            ? NULL
                                            : world_service_find(parent->current->world, service);
    bool inbound = facts != NULL && facts->inbound != NULL;
    mu_json_string(&json, "mode", inbound ? config_mode_word(facts->inbound->clients.mode) : NULL);
    mu_json_bool(&json, "shadow_policy", inbound && facts->rules.shadow_policy != NULL);
    sightings_json(parent->sightings, service, &json);
    mu_json_close(&json, '}');
    (void)mu_buf_byte(out, '\n');
}
