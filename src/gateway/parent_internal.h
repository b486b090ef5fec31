/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent: reads the configuration, opens files and sockets, keeps the children alive, and never
 * meets a stranger. A setup is one configuration made ready; one is in use, another may be coming.
 */
#ifndef GATEWAY_PARENT_INTERNAL_H
#define GATEWAY_PARENT_INTERNAL_H

#include "event/event.h"
#include "evidence/evidence.h"
#include "gateway/change_internal.h"
#include "gateway/figures_internal.h"
#include "gateway/gateway.h"
#include "gateway/listen_internal.h"
#include "gateway/lists_internal.h"
#include "gateway/meter_internal.h"
#include "gateway/resolve_internal.h"
#include "gateway/sessions_internal.h"
#include "gateway/watch_internal.h"
#include "keys/keys.h"
#include "process/process.h"
#include "world/world.h"

/* One listening address of one service. */
struct setup_listener {
    uint32_t service;
    struct binding *binding;
};

struct setup {
    uint32_t id;
    struct config_snapshot *snapshot;
    bool loaded;                     /* without an error */
    struct config_findings findings; /* of loading, until it is built */
    struct world_lists *lists;       /* NULL: it names none */
    int snapshot_fd;
    const struct world *world; /* NULL: not built yet */
    struct setup_listener *listeners;
    size_t listener_count;
    uint8_t secrets[32]; /* the state of its keys, which are not in the snapshot */
};

/* How far the coming setup is. */
enum phase {
    PHASE_IDLE,    /* nothing is coming                                    */
    PHASE_LISTS,   /* a helper reads and verifies revocation lists         */
    PHASE_KEYS,    /* the key process reads its keys, the resolver answers */
    PHASE_TRIALS,  /* a worker tries its certificates                      */
    PHASE_WORKERS, /* the workers build it                                 */
};

/* The last reload, for `mutual status`. */
struct reload {
    uint64_t count;
    uint64_t count_good;
    int64_t good_s; /* when there was a good one, the start included */
    int64_t at_s;   /* 0: never */
    bool ok;
    struct mutual_error why;
};

/* A refused reload is an alarm until a good one: told again and again, less and less often. */
struct alarm {
    bool raised;
    int64_t since_s;
    int64_t every_ns;
    struct event_timer timer;
};

/* The certificates of the coming setup, and those that were tried and are in use. */
struct trials {
    struct mu_map *known; /* digests of what is in use; NULL: nothing is known */
    struct world_trial *items;
    size_t count;
    size_t pending;  /* the first so many of items are to be tried */
    uint32_t worker; /* who tries them */
    bool running;
    unsigned lost; /* workers that ended meanwhile */
    struct mutual_error why;
    struct event_deferred refuse;
};

#define CHANGE_WORDS 64 /* "policy, trust, revocation, services" */

/* A change whose tally is not complete. */
struct awaited {
    uint32_t id; /* of the setup; 0: none */
    bool in_use;
    bool overtaken;
    bool from[LISTEN_WORKERS_MAX]; /* whose tally is missing */
    uint32_t missing;
    char what[CHANGE_WORDS];
    int64_t started_ns;
    struct change_tally tally;
};

/* What changes of rules did to open connections. */
struct changes {
    struct awaited awaited;
    struct awaited before; /* the one before it, which it overtakes */
    uint64_t count;
    uint64_t affected, closed, kept, unjudged; /* since the start, what time ended included */
    int64_t last_s;
    char last_what[CHANGE_WORDS];
    struct change_tally last;
};

enum { GATEWAY_PARTIES = 5 }; /* parent, keys, worker, authority, fetch: bits of ipc_party */

/* How many streams to the authority a worker was given in this second. */
struct authority_given {
    int64_t second;
    uint32_t count;
};
struct authority_process {
    bool runs;
    uint32_t index;              /* of the latest */
    struct mutual_error trouble; /* why it cannot write; else code MUTUAL_OK */
};
struct authority_served {
    struct authority_process processes[AUTHORITY_PROCESSES];
    uint32_t last;       /* index that was given to any of them */
    struct mu_buf setup; /* what they were begun with */
    struct authority_given given[LISTEN_WORKERS_MAX];
    struct binding *local; /* its socket on this machine, or NULL */
    event_watch watch;
    char user[64]; /* our own name */
};

struct control;
struct figures;
struct log_entry;
struct sightings;
struct fetching;
struct validating;

struct parent {
    const struct gateway_options *options;
    struct reactor *reactor;
    struct supervisor *supervisor;
    struct keys_loader *loader;
    struct systemd_notify *notify;
    struct systemd_sockets inherited;
    struct resolve_names names;
    struct resolver *resolver;
    struct lists_reader *lists_reader;
    char *user; /* whom children and helpers become, or NULL */
    struct event_timer resolve_timer;
    struct event_timer patience; /* how long a coming setup may take */
    struct event_timer watchdog;
    struct event_timer reload_timer;
    struct event_timer made_timer; /* of a reload for keys that the authority made */
    int64_t made_ns;               /* since when they are counted                     */
    unsigned made;                 /* as many                                         */
    struct event_timer fresh;      /* of revocation lists */
    int64_t fresh_s;               /* until when they were told of */
    struct setup *current;
    struct setup *coming;
    struct config_snapshot
        *refused; /* what was read for the last setup that was refused, or NULL */
    struct watch *watch;
    enum phase phase;
    bool again; /* told to reload while something was coming */
    bool quiet; /* nobody told it to: what is known is not told again */
    bool stopping;
    uint32_t workers;
    uint32_t next_id;
    uint32_t done[LISTEN_WORKERS_MAX]; /* the setup that each worker answered about last; 0: none */
    uint64_t deaths;
    uint64_t deaths_of[GATEWAY_PARTIES]; /* by the bit of their party */
    struct reload reload;
    int64_t reload_began_ns;
    struct alarm alarm;
    struct trials trials;
    struct changes changes;
    struct sightings *sightings;
    struct event_timer seen_timer; /* when they are kept again */
    bool seen_news;                /* since they were kept     */
    struct mutual_error seen_why;  /* why they were not kept the last time; else code MUTUAL_OK */
    int seen_lock;                 /* of their file; -1: none  */
    int64_t started_s;
    bool log_json;
    int exit_status;
    struct control *control;
    struct figures *figures;
    struct fetching *fetching;
    struct validating *validating;
    struct authority_served authority;
    struct sessions sessions; /* that workers share */
};

/* ---- setup.c ------------------------------------------------------------------------------------
 */

/* Reads the files; what is wrong is told when it is built. */
bool setup_new(struct parent *parent, struct setup **ret_setup,
               struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Judges what was read, with the tables of the revocation lists in setup->lists, opens its sockets
 * (what `parent->current` has already is kept) and puts its keys into the loader. Findings are told
 * in the log. */
bool setup_build(struct parent *parent, struct setup *setup,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;
void setup_free(struct setup *setup);
/* Frees a setup that is not to be, but for what was read: its files are still watched. */
void setup_refuse(struct parent *parent, struct setup *setup);
/* Opens a private key that nobody else can read. FILE_UNREADABLE, FILE_EXPOSED. */
bool setup_open_key(const char *path, int *ret_fd, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Closes its listening sockets here: nobody is to wait in their queues any more. NULL is allowed.
 */
void setup_deafen(struct setup *setup);
/* Sends the setup to a worker. */
bool setup_send(struct parent *parent, const struct setup *setup, const struct supervised *worker,
                struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Of that only the tables of its revocation lists, which come first. */
bool setup_send_tables(struct parent *parent, const struct setup *setup,
                       const struct supervised *worker, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Sends the addresses of the setup's targets to a worker. */
bool setup_send_addresses(struct parent *parent, const struct setup *setup,
                          const struct supervised *worker,
                          struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Puts the hosts that its targets name into parent->names; false when there is none. */
bool setup_name_targets(struct parent *parent, const struct setup *setup);
/* Do the two consist of the same bytes, keys as far as can be told without reading them? */
bool setup_is_same(const struct setup *a, const struct config_snapshot *b);

/* ---- reload.c -----------------------------------------------------------------------------------
 */

/* Begins with a new setup; when something is coming already, after it. */
void reload_begin(struct parent *parent);
/* Some answer came: goes on if it was the last one waited for. */
void reload_step(struct parent *parent);
/* The coming setup is not to be; the old one stays. */
void reload_refuse(struct parent *parent, const struct mutual_error *why);
/* The certificates of the coming setup were tried, and are good. */
void reload_tried(struct parent *parent);
/* A worker says that it uses a setup, or why not. */
bool reload_worker_done(struct parent *parent, const struct supervised *worker,
                        const struct ipc_message *message,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Files changed, or the time has come to look whether they did: reloads when they are others. */
void reload_look(struct parent *parent);
/* A worker is up, for the first time or again. */
void reload_worker_ready(struct parent *parent, const struct supervised *worker);

/* ---- trials.c: the self-test of the coming setup
 * -------------------------------------------------
 */

/* Finds out what is to be tried; parent->trials.pending says how much. */
bool trials_begin(struct parent *parent, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* How much longer than usual that may take. */
int64_t trials_patience_ns(const struct parent *parent);
/* Gives it to a worker, if one is ready and none has it. */
void trials_give(struct parent *parent);
void trials_worker_died(struct parent *parent, uint32_t worker);
/* Fails closed: a key that ends the key process is not taken into use. */
void trials_keys_died(struct parent *parent);
void trials_kill_silent(struct parent *parent, const struct mutual_error *why);
/* What TRIED says. */
struct trials_answer {
    uint32_t id;
    bool ok;
    struct mutual_error why; /* not ok */
    struct mutual_error warnings[WORLD_TRYOUT_WARNINGS];
    size_t count;
};
bool trials_answer_read(struct mu_slice payload, struct trials_answer *ret_answer,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Reads TRIED. */
bool trials_read(struct parent *parent, const struct supervised *worker,
                 const struct ipc_message *message, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The setup that was tried is in use; nothing is coming any more; the parent ends. */
void trials_in_use(struct parent *parent);
void trials_forget(struct parent *parent);
void trials_done(struct parent *parent);

/* ---- serve.c ------------------------------------------------------------------------------------
 */

void parent_log(struct parent *parent, enum config_log_level level, const char *event,
                const char *text, const struct mutual_error *error);
/* The same of an entry that says more. */
void parent_tell(struct parent *parent, const struct log_entry *entry);

/* Looks up the names of the targets; reload_step is called when it is over. */
void parent_resolve(struct parent *parent);
/* A setup is in use, the first one or another. */
void parent_serving(struct parent *parent, bool first);

/* ---- authority.c: the process of the authority --------------------------------------------------
 */

void authority_init(struct parent *parent);
void authority_done(struct parent *parent);
/* A setup is in use: begins, ends or renews the process as it says. */
void authority_follow(struct parent *parent);
/* One of its processes is locked down. */
void authority_ready(struct parent *parent, const struct supervised *child);
/* What a process of it is begun with, and as whom it runs: the owner of the authority's files. */
bool authority_start(const struct parent *parent, struct mu_buf *setup) MUTUAL_MUST_CHECK;
bool authority_become(const struct parent *parent, struct process_user *ret_user);
/* Puts the keys of the authority that the setup names into the loader. */
bool authority_put_keys(struct parent *parent, const struct setup *setup,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* local.c: its socket on this machine; it is there while an authority is served. */
void local_begin(struct parent *parent);
void local_end(struct parent *parent);
/* Answers STREAMS_WANTED. */
bool authority_streams(struct parent *parent, const struct supervised *worker,
                       const struct ipc_message *message,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;
/* WRITES: health says so from now on. */
bool authority_writes(struct parent *parent, const struct supervised *child,
                      const struct ipc_message *message,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Why a process of it cannot write; NULL: all can. */
const struct mutual_error *authority_trouble(const struct parent *parent);
void authority_died(struct parent *parent, const struct supervised *child);
/* Is there one? */
bool authority_runs(const struct parent *parent);
/* The process that answers; NULL while it cannot be sent anything. */
const struct supervised *authority_answering(const struct parent *parent);
/* Is it the one that answers, or the publisher? */
size_t authority_which(const struct parent *parent, const struct supervised *child);

/* ---- changes.c: what a reload did to open connections -------------------------------------------
 */

/* The coming setup goes to the workers; those that use another one will say what it did. */
void changes_expect(struct parent *parent);
/* The setup that was expected is in use, if one was. */
void changes_in_use(struct parent *parent);
/* It is not to be. */
void changes_refused(struct parent *parent);
void changes_worker_died(struct parent *parent, uint32_t worker);
/* Reads CHANGED. */
bool changes_report(struct parent *parent, const struct supervised *worker,
                    const struct ipc_message *message, struct mutual_error *err) MUTUAL_MUST_CHECK;
void changes_json(const struct changes *changes, struct mu_json *json);

/* ---- seen.c: whom the workers saw ---------------------------------------------------------------
 */

bool seen_open(struct parent *parent, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Keeps what there is to keep, and frees. */
void seen_close(struct parent *parent);
/* A setup is in use: its services have these rules now. */
void seen_serving(struct parent *parent);
/* Reads SIGHTINGS. */
bool seen_message(struct parent *parent, const struct ipc_message *message,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A worker ended otherwise than by itself. */
void seen_worker_died(struct parent *parent);
/* Appends which certificates were seen, and since when all of them are known. */
void seen_certificates_json(const struct parent *parent, struct mu_buf *out);
/* Appends what is known of a service's callers; NULL: of all. */
void seen_json(const struct parent *parent, const char *service, struct mu_buf *out);

/* ---- control.c, status.c: what `mutual status` and probes are told ------------------------------
 */

/* Where its own socket is; false: it has none. */
bool control_path(const struct parent *parent, char path[GATEWAY_PATH_MAX]);
/* Listens where it can; a place that cannot be had is a warning, not an end. */
struct control *control_new(struct parent *parent);
/* The status listener of the configuration in use, after a change of it. */
void control_follow(struct control *control, const struct config_status *status);
void control_free(struct control *control);
/* Reads STATUS and answers whoever waits for the last one. */
bool control_status(struct control *control, const struct supervised *process,
                    const struct ipc_message *message, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A worker or the key process has ended: what it counted is kept, and its answer not waited for. */
void control_process_gone(struct control *control, const struct supervised *process);

/* Appends the whole status as JSON, with the figures that are there. */
void status_json(const struct parent *parent, struct mu_buf *out);
/* Why it is not ready to serve, or NULL when it is. */
const char *status_unready(const struct parent *parent);

#endif
