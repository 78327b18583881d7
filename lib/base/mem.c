#include "lib/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64u * 1024u)

struct arena_chunk {
    struct arena_chunk *next;
    max_align_t data[];
};

static void *must(void *p)
{
    if (!p) {
        static const char text[] = "level=error out of memory\n";
        (void)fwrite(text, 1, sizeof(text) - 1, stderr);
        abort();
    }
    return p;
}

void *xmalloc(size_t n)
{
    return must(malloc(n ? n : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size ? size : 1));
}

/* `align` is a power of two, n a multiple of it. */
void *xcalloc_aligned(size_t align, size_t n)
{
    return memset(must(aligned_alloc(align, n)), 0, n);
}

void *xrealloc(void *p, size_t n)
{
    return must(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s)
{
    return must(strdup(s));
}

void *xmemdup(const void *p, size_t n)
{
    void *q = xmalloc(n);

    if (n)
        memcpy(q, p, n);
    return q;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return must(n < 0 ? NULL : s);
}

void *xgrow(void *p, size_t *cap, size_t need, size_t size)
{
    size_t n = *cap;
    size_t bytes = 0;

    if (need <= n && p)
        return p;
    while (n < need || n == 0) {
        if (__builtin_mul_overflow(n ? n : 8, n ? (size_t)2 : (size_t)1, &n))
            abort();
    }
    if (__builtin_mul_overflow(n, size, &bytes))
        abort();
    *cap = n;
    return xrealloc(p, bytes);
}

void mem_one_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, 1 << 20);
}

void mem_give_back(void)
{
    (void)malloc_trim(0);
}

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){.limit = limit_bytes};
}

void arena_done(struct arena *a)
{
    struct arena_chunk *c = a->chunks;

    while (c) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
    arena_init(a, a->limit);
}

static void arena_chunk_add(struct arena *a, size_t n)
{
    struct arena_chunk *c = xmalloc(sizeof(*c) + n);

    c->next = a->chunks;
    a->chunks = c;
    a->pos = (uint8_t *)c->data;
    a->end = a->pos + n;
}

uint8_t *arena_bytes(struct arena *a, size_t n)
{
    uint8_t *p;

    a->used += n;
#ifdef ARENA_MALLOC
    arena_chunk_add(a, n);
#else
    if (n > (size_t)(a->end - a->pos))
        arena_chunk_add(a, n > CHUNK_BYTES / 4 ? n : CHUNK_BYTES);
#endif
    p = a->pos;
    a->pos += n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t pad = (size_t)(-(uintptr_t)a->pos & 7u);

    n = (n + 7u) & ~(size_t)7u;
#ifndef ARENA_MALLOC
    if (pad <= (size_t)(a->end - a->pos))
        a->pos += pad; /* a fresh chunk is aligned by itself */
#else
    (void)pad;
#endif
    return arena_bytes(a, n);
}

void *arena_zalloc(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
    void *q = arena_alloc(a, n);

    if (n)
        memcpy(q, p, n);
    return q;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_dup(a, s, strlen(s) + 1);
}
