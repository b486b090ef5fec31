/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the gateway's own log: the demo shows why in the gateway's words, not in its own.
 */
#include "demo/demo.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_NS (5 * MU_NS_PER_S)
#define LOG_BYTES   (16u << 20)

static void copy_field(const json_t *line, const char *field, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(line, field));
    snprintf(text, size, "%s", value == NULL ? "" : value);
}

static bool read_line(const char *text, size_t len, struct demo_record *ret_record)
{
    json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(line, "event"));
    bool ours = event != NULL && strcmp(event, "connection_end") == 0;
    if (ours) {
        copy_field(line, "reason", ret_record->reason, sizeof ret_record->reason);
        copy_field(line, "detail", ret_record->detail, sizeof ret_record->detail);
        copy_field(line, "rule", ret_record->rule, sizeof ret_record->rule);
        copy_field(line, "peer.id", ret_record->peer, sizeof ret_record->peer);
        ret_record->resumed = json_is_true(json_object_get(line, "tls.resumed"));
    }
    json_decref(line);
    return ours;
}

bool demo_record_next(const char *log_path, size_t *offset, struct demo_record *ret_record,
                      struct mutual_error *err)
{
    const struct timespec pause = {.tv_nsec = 10 * (long)MU_NS_PER_MS};
    int64_t end = mu_clock_mono_ns() + PATIENCE_NS;
    do {
        MU_AUTO(buf) struct mu_buf log = {0};
        if (!mu_file_read(log_path, LOG_BYTES, &log, err)) {
            return false;
        }
        const char *text = mu_buf_str(&log);
        for (const char *newline = strchr(text + *offset, '\n'); newline != NULL;
             newline = strchr(text + *offset, '\n')) {
            const char *line = text + *offset;
            *offset = (size_t)(newline - text) + 1;
            if (read_line(line, (size_t)(newline - line), ret_record)) {
                return true;
            }
        }
        (void)nanosleep(&pause, NULL);
    } while (mu_clock_mono_ns() < end);
    return mu_fail(err, MUTUAL_E_NOT_FOUND, "the log \"%s\" tells of no connection", log_path);
}
