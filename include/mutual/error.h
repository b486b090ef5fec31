/* SPDX-License-Identifier: Apache-2.0
 *
 * The error object: what went wrong, where on the path, the facts and what to do about it.
 *
 * A plain value owned by the caller: no heap, so that running out of memory can be reported and
 * an error can cross a process boundary by copying. Every function of libmutual that can fail
 * takes one as its last parameter (NULL is allowed), leaves it untouched on success, and fills it
 * once, at the origin; callers on the way up only add context. libmutual never prints or logs.
 */
#ifndef MUTUAL_ERROR_H
#define MUTUAL_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MUTUAL_MUST_CHECK           __attribute__((warn_unused_result))
#define MUTUAL_PRINTF(fmt_, first_) __attribute__((format(printf, fmt_, first_)))
#define MUTUAL_API                  __attribute__((visibility("default")))
#else
#define MUTUAL_MUST_CHECK
#define MUTUAL_PRINTF(fmt_, first_)
#define MUTUAL_API
#endif

/* Every way in which something can go wrong; one row each in error.def. Names are stable, numbers
 * are not: store and compare names across versions. */
enum mutual_code {
    MUTUAL_OK = 0,
#define X(name, klass, step, alert, status, text, hint) MUTUAL_E_##name,
#include <mutual/error.def>
#undef X
    MUTUAL_E_COUNT_
};

/* Who has to act. */
enum mutual_class {
    MUTUAL_CLASS_USAGE,  /* the caller or the command line               */
    MUTUAL_CLASS_CONFIG, /* whoever owns our configuration or our files   */
    MUTUAL_CLASS_PEER,   /* the other end of the connection               */
    MUTUAL_CLASS_SYSTEM, /* the machine: disk, memory, network, library   */
    MUTUAL_CLASS_BUG,    /* us                                            */
    MUTUAL_CLASS_COUNT_
};

/* The seven steps of a mutual TLS connection. Plain TLS stops at 3 and goes on with 7. */
enum mutual_step {
    MUTUAL_STEP_NONE = 0,
    MUTUAL_STEP_CONNECT = 1,      /* the client connects and says hello      */
    MUTUAL_STEP_SERVER_CERT = 2,  /* the server presents its certificate     */
    MUTUAL_STEP_SERVER_CHECK = 3, /* the client validates it                 */
    MUTUAL_STEP_CLIENT_CERT = 4,  /* the client presents its certificate     */
    MUTUAL_STEP_CLIENT_CHECK = 5, /* the server validates it                 */
    MUTUAL_STEP_ACCESS = 6,       /* access is granted or refused by policy  */
    MUTUAL_STEP_DATA = 7,         /* data flows, encrypted                   */
    MUTUAL_STEP_COUNT_
};

struct mutual_error {
    enum mutual_code code; /* what is wrong; MUTUAL_OK in an untouched object                 */
    enum mutual_step step; /* where on the path, or MUTUAL_STEP_NONE                          */
    int sys;               /* errno at the origin, else 0                                     */
    unsigned long ossl;    /* first entry of OpenSSL's error queue at the origin, else 0      */
    const char *file;      /* origin in our source, for developers; NULL after crossing ipc   */
    int line;
    char reason[224];  /* one line, lower case: what was attempted, on which object, why not  */
    char hint[192];    /* a full sentence: what to do                                         */
    char context[224]; /* the enclosing objects, inner to outer                               */
};

/* The name of a code without its prefix, such as "CERT_EXPIRED". Never NULL; constant. */
MUTUAL_API const char *mutual_code_name(enum mutual_code code);
/* The code of that name (exact, upper case), or MUTUAL_OK when there is none. */
MUTUAL_API enum mutual_code mutual_code_find(const char *name);
/* One constant sentence saying what the code means. */
MUTUAL_API const char *mutual_code_text(enum mutual_code code);
/* The usual remedy, a constant sentence. */
MUTUAL_API const char *mutual_code_hint(enum mutual_code code);
MUTUAL_API enum mutual_class mutual_code_class(enum mutual_code code);
/* The step a code usually belongs to; an error object may say better. */
MUTUAL_API enum mutual_step mutual_code_step(enum mutual_code code);
/* The TLS alert (RFC 8446 section 6) that the peer may see for this code, or -1 for none. */
MUTUAL_API int mutual_code_alert(enum mutual_code code);
/* The exit status a program ends with for this code: 1 for "the answer is no", else sysexits. */
MUTUAL_API int mutual_code_exit(enum mutual_code code);

/* "usage", "configuration", "peer", "system", "bug". */
MUTUAL_API const char *mutual_class_name(enum mutual_class klass);
/* The step in words, such as "the server validates the client's certificate". */
MUTUAL_API const char *mutual_step_text(enum mutual_step step);
/* The step as a stable word for logs and JSON, such as "client_check". */
MUTUAL_API const char *mutual_step_name(enum mutual_step step);

/* Writes "error[CODE]: reason", then the context and the hint on lines of their own, at most
 * `size` bytes with the final NUL; returns the length it would have had, as snprintf does. */
MUTUAL_API size_t mutual_error_format(const struct mutual_error *err, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
