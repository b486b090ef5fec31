/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions to the DNS, asked by c-ares in a helper process.
 */
#include "gateway/query_internal.h"

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "gateway/helper_internal.h"
#include "ipc/ipc.h"

enum { PATIENCE_S = 15, TRY_MS = 2000, TRIES = 3, ANSWER_MAX = 8192, TXT_MAX = 1024 };

struct query {
    query_done_fn *done;
    void *owner;
    struct query_question question;
    struct helper_task *task;
};

/* ---- in the helper ----------------------------------------------------------------------------
 */

struct asking {
    const struct query_question *question;
    enum query_answer answer;
    struct targets targets;
    bool over;
};

static enum query_answer answer_of(int status)
{
    return status == ARES_ENOTFOUND || status == ARES_ENODATA ? QUERY_NOTHING : QUERY_TROUBLE;
}

static void on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct asking *asking = context;
    (void)timeouts;
    asking->over = true;
    asking->answer = status == ARES_SUCCESS ? QUERY_NOTHING : answer_of(status);
    if (status != ARES_SUCCESS) {
        return;
    }
    for (const struct ares_addrinfo_node *node = found->nodes;
         node != NULL && asking->targets.count < TARGETS_MAX; node = node->ai_next) {
        struct address *address = &asking->targets.items[asking->targets.count];
        bool known = node->ai_family == AF_INET || node->ai_family == AF_INET6;
        if (known && (size_t)node->ai_addrlen <= sizeof address->socket) {
            memcpy(&address->socket, node->ai_addr, (size_t)node->ai_addrlen);
            address->len = (socklen_t)node->ai_addrlen;
            asking->targets.count++;
            asking->answer = QUERY_FOUND;
        }
    }
    ares_freeaddrinfo(found);
}

/* A record's strings are one text (RFC 8555 section 8.4 needs one of them only). */
static bool holds(const struct ares_txt_ext *first, const char *text)
{
    char whole[TXT_MAX + 1];
    size_t len = 0;
    for (const struct ares_txt_ext *one = first; one != NULL; one = one->next) {
        if (one->record_start) {
            len = 0;
        }
        if (one->length > TXT_MAX - len) {
            len = TXT_MAX; /* too long to be it: nothing of it fits any more */
            continue;
        }
        memcpy(whole + len, one->txt, one->length);
        len += one->length;
        bool last = one->next == NULL || one->next->record_start;
        if (last && len == strlen(text) && memcmp(whole, text, len) == 0) {
            return true;
        }
    }
    return false;
}

static void on_texts(void *context, int status, int timeouts, unsigned char *bytes, int len)
{
    struct asking *asking = context;
    struct ares_txt_ext *found = NULL;
    (void)timeouts;
    asking->over = true;
    if (status == ARES_SUCCESS) {
        status = ares_parse_txt_reply_ext(bytes, len, &found);
    }
    if (status != ARES_SUCCESS) {
        asking->answer = answer_of(status);
    } else if (found == NULL) {
        asking->answer = QUERY_NOTHING;
    } else {
        asking->answer = holds(found, asking->question->text) ? QUERY_FOUND : QUERY_OTHER;
    }
    ares_free_data(found);
}

static void wait_for(ares_channel channel, struct asking *asking)
{
    while (!asking->over) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[ARES_GETSOCK_MAXNUM];
        int bits = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        nfds_t count = 0;
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            short events = (short)((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
                                   (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));
            if (events != 0) {
                fds[count++] = (struct pollfd){.fd = sockets[i], .events = events};
            }
        }
        if (count == 0) {
            return;
        }
        (void)poll(fds, count, TRY_MS / 4);
        for (nfds_t i = 0; i < count; i++) {
            ares_process_fd(channel, (fds[i].revents & ~POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD,
                            (fds[i].revents & POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD);
        }
    }
}

/* A final dot: no search list of the machine is put behind. */
static void ask(ares_channel channel, struct asking *asking)
{
    const struct query_question *question = asking->question;
    char name[300];
    char service[8];
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT,
                                              .ai_family = AF_UNSPEC,
                                              .ai_socktype = SOCK_STREAM};
    (void)snprintf(name, sizeof name, "%.280s.", question->name);
    (void)snprintf(service, sizeof service, "%u", question->port);
    if (question->text != NULL) {
        ares_query(channel, name, 1 /* IN */, 16 /* TXT */, on_texts, asking);
    } else {
        ares_getaddrinfo(channel, name, service, &hints, on_addresses, asking);
    }
    wait_for(channel, asking);
}

void query_ask(const struct query_question *question, struct mu_buf *out)
{
    struct asking asking = {.question = question, .answer = QUERY_TROUBLE};
    char lookups[] = "b"; /* the DNS, not the hosts file */
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES, .lookups = lookups};
    ares_channel channel = NULL;
    if (ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS &&
        ares_init_options(&channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS) == ARES_SUCCESS &&
        (question->resolver == NULL ||
         ares_set_servers_ports_csv(channel, question->resolver) == ARES_SUCCESS)) {
        ask(channel, &asking);
    }
    (void)mu_buf_byte(out, (uint8_t)asking.answer);
    (void)mu_buf_byte(out, (uint8_t)asking.targets.count);
    for (size_t i = 0; i < asking.targets.count; i++) {
        ipc_put_bytes(out,
                      mu_slice_of(&asking.targets.items[i].socket, asking.targets.items[i].len));
    }
    asking.over = true; /* what is still open ends with the channel */
    if (channel != NULL) {
        ares_destroy(channel);
    }
}

static void look(void *context, struct mu_buf *out)
{
    query_ask(context, out);
}

/* ---- in the parent ----------------------------------------------------------------------------
 */

bool query_parse(struct mu_slice bytes, enum query_answer *ret_answer, struct targets *ret_targets)
{
    struct resolve_name name = {0};
    struct resolve_names names = {.items = &name, .count = 1};
    bool changed = false;
    if (bytes.len < 2 || bytes.data[0] >= QUERY_ANSWERS_ ||
        !resolve_parse(mu_slice_of(bytes.data + 1, bytes.len - 1), &names, 1, &changed)) {
        return false;
    }
    *ret_answer = (enum query_answer)bytes.data[0];
    *ret_targets = name.targets;
    return true;
}

static void on_answer(void *owner, struct mu_slice bytes)
{
    struct query *query = owner;
    query_done_fn *done = query->done;
    void *next = query->owner;
    enum query_answer answer = QUERY_TROUBLE;
    struct targets targets = {0};
    if (!query_parse(bytes, &answer, &targets)) {
        answer = QUERY_TROUBLE;
    }
    mu_free(query); /* the task frees itself */
    done(next, answer, &targets);
}

void query_stop(struct query *query)
{
    if (query != NULL) {
        helper_task_stop(query->task);
        mu_free(query);
    }
}

bool query_start(struct reactor *reactor, const struct query_question *question, const char *user,
                 query_done_fn *done, void *owner, struct query **ret_query,
                 struct mutual_error *err)
{
    struct query *query = mu_alloc(1, sizeof *query);
    if (query == NULL) {
        return mu_fail_memory(err);
    }
    query->done = done;
    query->owner = owner;
    query->question = *question;
    const struct helper_work work = {
        .reactor = reactor,
        .user = user,
        .patience_s = PATIENCE_S,
        .answer_max = ANSWER_MAX,
        .look = look,
        .context = &query->question,
        .done = on_answer,
        .owner = query,
    };
    if (!helper_task_start(&work, &query->task, err)) {
        mu_free(query);
        return false;
    }
    *ret_query = query;
    return true;
}
