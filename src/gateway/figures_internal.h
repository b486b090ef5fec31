/* SPDX-License-Identifier: Apache-2.0
 *
 * What workers and the key process have counted, kept by the parent: a process that is gone leaves
 * its counters behind, so that no sum goes back when it is replaced.
 */
#ifndef GATEWAY_FIGURES_INTERNAL_H
#define GATEWAY_FIGURES_INTERNAL_H

#include "evidence/evidence.h"
#include "gateway/meter_internal.h"
#include "keys/keys.h"
#include "world/world.h"

struct figures;

/* NULL: out of memory. */
struct figures *figures_new(void);
void figures_free(struct figures *figures);
/* These services there are; of others nothing is kept. Those of before are known still, for their
 * connections may be open. False: out of memory, and some are not known. */
bool figures_know(struct figures *figures, const struct world *world);

/* Reads what a worker, or the key process, says after the number and the byte of STATUS. */
bool figures_read_worker(struct figures *figures, uint32_t worker, struct ipc_reader *reader,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
bool figures_read_keys(struct figures *figures, struct ipc_reader *reader,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The authority has two processes, the one that answers and the publisher. Each has numbers that
 * grow; of one that was replaced nothing is taken any more. */
enum { AUTHORITY_ANSWERS, AUTHORITY_PUBLISHES, AUTHORITY_PROCESSES };
bool figures_read_authority(struct figures *figures, size_t which, uint32_t index,
                            struct ipc_reader *reader, struct mutual_error *err) MUTUAL_MUST_CHECK;
void figures_worker_gone(struct figures *figures, uint32_t worker);
void figures_keys_gone(struct figures *figures);
void figures_authority_gone(struct figures *figures, uint32_t index);
/* There is no authority any more. */
void figures_authority_none(struct figures *figures);

/* Adds up what all workers, those of before included, counted of a service; without memory for a
 * row that row is missing. meter_clear it. */
void figures_sum(const struct figures *figures, const char *service, struct meter *ret_sum);
void figures_workers(const struct figures *figures, uint64_t ret_sums[WORKER_COUNT_]);
/* Adds them up in an empty ledger; ledger_done it. */
void figures_authority(const struct figures *figures, struct ledger *sum);
void figures_keys(const struct figures *figures, struct keys_figures *ret_sum);

#endif
