/* SPDX-License-Identifier: Apache-2.0
 *
 * The gateway: services listen, every peer is proved and admitted, bytes are relayed. Below this
 * door: the parent (configuration, sockets, supervision, reload, status) and the workers.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/base.h"
#include "config/config.h"
#include "process/process.h"

/* For src/cli/roles.c, beside keys_role. */
extern const struct role gateway_worker_role;

struct gateway_options {
    /* Reads the configuration, at the start and at every reload; as config_snapshot_load. */
    bool (*load)(void *owner, struct config_findings *findings,
                 struct config_snapshot **ret_snapshot);
    void *owner;
    const struct role *authority; /* the role that serves an authority; NULL: none is served here */
    const struct role *publisher; /* the one that keeps its lists; where there is the first */
    const char *config_name;  /* for messages: the path of the main file, or what stands for it  */
    const char *control_path; /* UNIX socket for `mutual status`; NULL: the usual place          */
    const char *state_path;   /* directory for what outlives a restart; NULL: $STATE_DIRECTORY    */
    int64_t reload_every_ns;  /* look for changes so often by ourselves; 0: only when told       */
    int64_t drain_ns;         /* how long TERM waits for connections; 0: as configured           */
    bool colour;              /* findings at the start, for a terminal                           */
};

/* Serves until it is told to end; returns the exit status. Everything it has to say goes to
 * standard error. SIGHUP and SIGUSR1 reload, SIGTERM and SIGINT drain and end, a second one ends
 * at once. The program's main must begin with process_child_main. */
int gateway_serve(const struct gateway_options *options);

/* Where `mutual status` finds the gateway: $MUTUAL_CONTROL, else below $RUNTIME_DIRECTORY, else
 * /run/mutual/control.sock for root, else below $XDG_RUNTIME_DIR; false: there is no such place. */
#define GATEWAY_PATH_MAX 108
bool gateway_control_path(char path[GATEWAY_PATH_MAX]);
/* Where the authority that it serves is administered: CONTROL.authority. False: too long. */
bool gateway_authority_path(const char *control, char path[GATEWAY_PATH_MAX]);
#define GATEWAY_ANSWER_MAX (32u << 20)
/* Whom the running gateway saw at a service, as JSON; NULL: at all of them. Fails with
 * CONNECT_FAILED, and USAGE for what cannot be a service's name. */
bool gateway_sightings_read(const char *path, const char *service, struct mu_buf *out,
                            struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Which certificates the running gateway saw, of callers and of servers, each with the anchor that
 * its chain ended in, and since when it saw all there were; as JSON. Fails with CONNECT_FAILED. */
bool gateway_certificates_read(const char *path, struct mu_buf *out,
                               struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Asks the running gateway; appends its JSON. Fails with CONNECT_FAILED. */
bool gateway_status_read(const char *path, struct mu_buf *out,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
