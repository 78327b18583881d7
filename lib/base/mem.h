/* Memory: plain allocation that aborts when the machine has none left (a crash must be survivable
 * anyway), and arenas, one for each unit of work: a message, a transfer, a parse, a zone version.
 *
 * What a peer can make grow has a budget of its own, and passing it is ERR_LIMIT: see arena_limit.
 */
#ifndef ZL_BASE_MEM_H
#define ZL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc_aligned(size_t align, size_t n) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((returns_nonnull));

/* printf into heap memory; the caller frees. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Grows `*cap` (elements of `size` octets) so that `need` fit; returns the moved array. */
void *xgrow(void *p, size_t *cap, size_t need, size_t size) __attribute__((returns_nonnull));

/* Gives free memory back to the system, where the allocator keeps it: after a large piece of work.
 * Cost: some milliseconds. Threads: any. */
void mem_give_back(void);

/* For who allocates in one thread mostly: all threads share one heap, which grows in large steps.
 * Before any thread is started. */
void mem_one_heap(void);

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    uint8_t *pos;
    uint8_t *end;

    size_t used;  /* octets handed out, for budgets and metrics */
    size_t limit; /* 0: none; arena_over() tells when `used` passed it */
};

/* A zeroed struct arena is ready for use. Built with -DARENA_MALLOC every allocation is a chunk of
 * its own, so that AddressSanitizer sees each one. Threads: one owner. */
void arena_init(struct arena *a, size_t limit_bytes);
void arena_done(struct arena *a); /* frees everything; the arena is empty and usable again */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull)); /* 8-aligned */
void *arena_zalloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
void *arena_dup(struct arena *a, const void *p, size_t n) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
uint8_t *arena_bytes(struct arena *a, size_t n) __attribute__((returns_nonnull)); /* unaligned */

static inline bool arena_over(const struct arena *a)
{
    return a->limit != 0 && a->used > a->limit;
}

#endif
