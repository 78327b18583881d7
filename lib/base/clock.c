#include "lib/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static struct mono real_mono(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (struct mono){(int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000};
}

static uint64_t real_mono_ns(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int64_t wall_offset(void)
{
#ifdef CLOCK_OFFSET_FILE
    const char *path = getenv("ZL_CLOCK_OFFSET_FILE");
    FILE *f = path ? fopen(path, "re") : NULL;
    char line[32] = "";

    if (!f)
        return 0;
    if (!fgets(line, sizeof(line), f))
        line[0] = 0;
    (void)fclose(f);
    return strtoll(line, NULL, 10);
#else
    return 0;
#endif
}

static struct wall real_wall(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (struct wall){(int64_t)ts.tv_sec + wall_offset()};
}

static void real_random(void *ctx, void *out, size_t n)
{
    uint8_t *p = out;

    (void)ctx;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* no randomness: no query id and no key is safe */
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

const struct clock *clock_real(void)
{
    static const struct clock c = {real_mono, real_mono_ns, real_wall, real_random, NULL};

    return &c;
}

void wall_to_text(char out[WALL_TEXT_MAX], struct wall t)
{
    struct tm tm;
    time_t s = (time_t)t.s;

    if (!gmtime_r(&s, &tm) || !strftime(out, WALL_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        (void)snprintf(out, WALL_TEXT_MAX, "@%lld", (long long)t.s);
}
