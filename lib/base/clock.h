/* Time and randomness as small structs of functions, so that tests own them. Nothing else in the
 * project calls time(), clock_gettime(), rand() or getrandom().
 */
#ifndef ZL_BASE_CLOCK_H
#define ZL_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic time: for deadlines and intervals while the process lives. */
struct mono {
    int64_t ms;
};

/* Wall time in seconds since 1970: for what outlives the process. */
struct wall {
    int64_t s;
};

struct clock {
    struct mono (*mono)(void *ctx);
    uint64_t (*mono_ns)(void *ctx); /* may be NULL where nobody asks for it */
    struct wall (*wall)(void *ctx);
    void (*random)(void *ctx, void *out, size_t n); /* cryptographic in clock_real() */
    void *ctx;
};

/* The system's clocks and getrandom(2). Threads: any. A build for tests (-DCLOCK_OFFSET_FILE) adds
 * the seconds in the file named by ZL_CLOCK_OFFSET_FILE to the wall clock. */
const struct clock *clock_real(void);

static inline struct mono clock_mono(const struct clock *c)
{
    return c->mono(c->ctx);
}

/* The same clock in nanoseconds, for what is short. */
static inline uint64_t clock_mono_ns(const struct clock *c)
{
    return c->mono_ns(c->ctx);
}

static inline struct wall clock_wall(const struct clock *c)
{
    return c->wall(c->ctx);
}

static inline void clock_random(const struct clock *c, void *out, size_t n)
{
    c->random(c->ctx, out, n);
}

static inline int mono_cmp(struct mono a, struct mono b)
{
    return (a.ms > b.ms) - (a.ms < b.ms);
}

static inline struct mono mono_add_ms(struct mono a, int64_t ms)
{
    return (struct mono){a.ms + ms};
}

/* "2026-11-23T14:05:40Z" into out (at least 21 octets). */
#define WALL_TEXT_MAX 40
void wall_to_text(char out[WALL_TEXT_MAX], struct wall t);

#endif
