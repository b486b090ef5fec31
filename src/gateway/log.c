/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines for the log.
 */
#include "gateway/log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TORN_MS = 100 };

static const char *const level_words[] = {
    [CONFIG_LOG_ERROR] = "error",
    [CONFIG_LOG_WARNING] = "warning",
    [CONFIG_LOG_INFO] = "info",
    [CONFIG_LOG_DEBUG] = "debug",
};

bool log_is_wanted(enum config_log_level level, enum config_log_level least)
{
    return level <= least;
}

enum config_log_level log_level_of(const char *word)
{
    for (size_t i = 0; i < MU_COUNT(level_words); i++) {
        if (strcmp(level_words[i], word) == 0) {
            return (enum config_log_level)i;
        }
    }
    return CONFIG_LOG_ERROR;
}

static const char *entry_text(const struct log_entry *entry)
{
    return entry->text != NULL ? entry->text : entry->error != NULL ? entry->error->reason : "";
}

static void format_json(const struct log_entry *entry, struct mu_buf *out)
{
    char time[MU_TIME_TEXT];
    const struct mutual_error *error = entry->error;
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "time", mu_time_format(entry->time_s, time));
    mu_json_string(&json, "level", level_words[entry->level]);
    mu_json_string(&json, "event", entry->event);
    mu_json_string(&json, "msg", entry_text(entry));
    mu_json_string(&json, "listener", entry->listener);
    for (size_t i = 0; i < entry->figure_count; i++) {
        mu_json_int(&json, entry->figures[i].name, entry->figures[i].value);
    }
    if (error != NULL) {
        mu_json_string(&json, "code", mutual_code_name(error->code));
        mu_json_string(&json, "detail", error->reason);
        mu_json_string(&json, "where", error->context[0] != '\0' ? error->context : NULL);
        mu_json_string(&json, "hint", error->hint);
    }
    mu_json_close(&json, '}');
}

static void format_human(const struct log_entry *entry, struct mu_buf *out)
{
    char time[MU_TIME_TEXT];
    const struct mutual_error *error = entry->error;
    (void)mu_buf_printf(out, "%s %s: ", mu_time_format(entry->time_s, time),
                        level_words[entry->level]);
    if (entry->listener != NULL) {
        mu_escape(out, mu_slice_text(entry->listener));
        (void)mu_buf_text(out, ": ");
    }
    (void)mu_buf_text(out, entry_text(entry));
    if (error == NULL) {
        return;
    }
    if (entry->text != NULL) {
        (void)mu_buf_printf(out, ": %s", error->reason);
    }
    if (error->context[0] != '\0') {
        (void)mu_buf_printf(out, " (%s)", error->context);
    }
    (void)mu_buf_printf(out, " [%s] %s", mutual_code_name(error->code), error->hint);
}

void log_format(const struct log_entry *entry, bool json, struct mu_buf *out)
{
    if (json) {
        format_json(entry, out);
    } else {
        format_human(entry, out);
    }
    (void)mu_buf_byte(out, '\n');
}

bool log_wants_json(const struct config_log *config, int fd)
{
    return config->format == CONFIG_LOG_JSON ||
           (config->format == CONFIG_LOG_AUTO && isatty(fd) != 1);
}

void log_adopt(int fd)
{
    struct stat info;
    char path[64];
    if (fstat(fd, &info) == -1 || !S_ISFIFO(info.st_mode)) {
        return;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (own != -1) {
        (void)dup2(own, fd);
        (void)close(own);
    }
}

static bool is_ready(int fd, int patience_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    return poll(&ready, 1, patience_ms) == 1 && (ready.revents & POLLOUT) != 0;
}

/* A file takes what it is given, and never says that it is not ready. What has a place to be at is
 * one; a worker may ask no more. */
static bool is_file(int fd)
{
    return lseek(fd, 0, SEEK_CUR) != -1;
}

/* Readiness is asked for terminals, whose writes cannot be told not to wait; between the
 * question and a write others may have filled a pipe or socket, which then say so. */
static ssize_t put(int fd, bool file, const uint8_t *data, size_t len)
{
    if (file) {
        return write(fd, data, len);
    }
    ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n == -1 && errno == ENOTSOCK ? write(fd, data, len) : n;
}

bool log_write(int fd, struct mu_slice line)
{
    size_t put_len = 0;
    bool file = is_file(fd);
    bool ready = file || is_ready(fd, 0);
    while (ready && put_len < line.len) {
        ssize_t n = put(fd, file, line.data + put_len, line.len - put_len);
        if (n > 0) {
            put_len += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            break;
        }
        /* longer than a pipe takes at once: whoever began a line ends it, if anybody reads */
        ready = file || put_len == line.len || put_len == 0 || is_ready(fd, TORN_MS);
    }
    return put_len == line.len;
}
