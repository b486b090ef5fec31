/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation, secrets, random bytes. The only file that calls malloc and its family.
 */
#define MU_MAY_ALLOCATE
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

static unsigned long fail_countdown; /* test hook; 0 is off */

static bool must_fail(void)
{
    return fail_countdown != 0 && --fail_countdown == 0;
}

void mu_alloc_fail_after(unsigned long n)
{
    fail_countdown = n;
}

void *mu_alloc(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count != 0 ? count : 1, size != 0 ? size : 1);
}

void *mu_realloc(void *old, size_t count, size_t size)
{
    return must_fail() ? NULL : reallocarray(old, count != 0 ? count : 1, size != 0 ? size : 1);
}

void mu_free(void *p)
{
    free(p);
}

void mu_free_auto(void *pp)
{
    void *p;
    memcpy(&p, pp, sizeof p);
    free(p);
}

char *mu_strndup(const char *text, size_t len)
{
    char *copy = mu_alloc(len + 1, 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
    }
    return copy;
}

char *mu_strdup(const char *text)
{
    return mu_strndup(text, strlen(text));
}

bool mu_grow(void **items, size_t *cap, size_t count, size_t item_size, size_t max)
{
    if (count < *cap) {
        return true;
    }
    if (count >= max) {
        return false;
    }
    size_t wanted = *cap == 0 ? 8 : *cap * 2;
    if (wanted > max) {
        wanted = max;
    }
    void *grown = mu_realloc(*items, wanted, item_size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *cap = wanted;
    return true;
}

/* A secret starts one cache line into its own pages; the size of the mapping is kept before it. */
#define SECRET_HEAD 64u

void *mu_secret_alloc(size_t size)
{
    if (must_fail() || size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t total = (size + SECRET_HEAD + page - 1) / page * page;
    uint8_t *pages = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    /* Locking may be over the limit of an ordinary user; a page that can be swapped is still
     * better than none, and the other two protections hold. */
    (void)mlock(pages, total);
    (void)madvise(pages, total, MADV_DONTDUMP);
    (void)madvise(pages, total, MADV_DONTFORK);
    memcpy(pages, &total, sizeof total);
    return pages + SECRET_HEAD;
}

void mu_secret_free(void *p)
{
    if (p == NULL) {
        return;
    }
    uint8_t *pages = (uint8_t *)p - SECRET_HEAD;
    size_t total;
    memcpy(&total, pages, sizeof total);
    mu_wipe(pages, total);
    (void)munmap(pages, total);
}

void mu_wipe(void *p, size_t size)
{
    if (size > 0) {
        explicit_bzero(p, size);
    }
}

bool mu_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    unsigned differs = 0;
    for (size_t i = 0; i < len; i++) {
        differs |= (unsigned)(x[i] ^ y[i]);
    }
    return differs == 0;
}

bool mu_random(void *bytes, size_t len, struct mutual_error *err)
{
    uint8_t *p = bytes;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return mu_fail_errno(err, MUTUAL_E_NO_RANDOM, errno, "could not get random bytes");
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}
