#include "lib/net/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/base/mem.h"
#include "lib/dns/name.h"

#define MAGIC UINT64_C(0x7374617473006c7a)
#define VERSION 2
#define PAGE 4096
#define NAME_OCTETS 256
#define PROBES_MAX 256 /* a table half full at most needs a few */

struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t counters_octets; /* sizeof(struct counters): it is the format */
    uint32_t workers;
    uint32_t zones_max;
    int64_t started;
    uint8_t key[16];

    _Atomic(uint32_t) zones; /* slots that are given */
};

_Static_assert(sizeof(struct header) <= PAGE, "one page");
_Static_assert(sizeof(struct counters) % 64 == 0, "workers share no cache line");

struct stats {
    int fd;
    uint8_t *base;
    size_t octets;
    uint32_t workers; /* as they were checked; the file may say other things later */
    uint32_t zones_max;
    struct wall started;
    uint8_t key[16];

    size_t index_at, names_at, zones_at;
};

static size_t whole_pages(size_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* Where everything is, by the number of workers and zones. */
static void lay_out(struct stats *s)
{
    size_t zones = s->zones_max;

    s->index_at = whole_pages(PAGE + s->workers * sizeof(struct counters));
    s->names_at = whole_pages(s->index_at + 2 * zones * sizeof(uint32_t));
    s->zones_at = s->names_at + zones * NAME_OCTETS;
    s->octets = s->zones_at + s->workers * zones * sizeof(struct zone_counters);
}

static struct header *header_of(const struct stats *s)
{
    return (struct header *)(void *)s->base;
}

/* Nobody makes it smaller under a reader; where the kernel can, nobody else writes to it either. */
static enum err seal(int fd, struct errinfo *e)
{
    int size = F_SEAL_SHRINK | F_SEAL_GROW;

    if (fcntl(fd, F_ADD_SEALS, size | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0 ||
        fcntl(fd, F_ADD_SEALS, size | F_SEAL_SEAL) == 0)
        return OK;
    return err_sys(errno, e, "memory file for counters");
}

static enum err make_file(struct stats *s, struct errinfo *e)
{
    s->fd = memfd_create("authd.stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->fd < 0 || ftruncate(s->fd, (off_t)s->octets) != 0)
        return err_sys(errno, e, "memory file for counters");
    s->base = mmap(NULL, s->octets, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (s->base == MAP_FAILED) {
        s->base = NULL;
        return err_sys(errno, e, "memory file for counters");
    }
    return seal(s->fd, e);
}

enum err stats_create(struct stats **out, size_t workers, uint32_t zones_max,
                      const struct clock *clock, struct errinfo *e)
{
    struct stats *s = xcalloc(1, sizeof(*s));
    enum err rc;

    s->workers = (uint32_t)workers;
    s->zones_max = zones_max;
    s->started = clock_wall(clock);
    clock_random(clock, s->key, sizeof(s->key));
    lay_out(s);
    if ((rc = make_file(s, e))) {
        stats_free(s);
        return rc;
    }
    *header_of(s) = (struct header){.magic = MAGIC,
                                    .version = VERSION,
                                    .counters_octets = sizeof(struct counters),
                                    .workers = s->workers,
                                    .zones_max = zones_max,
                                    .started = s->started.s};
    memcpy(header_of(s)->key, s->key, sizeof(s->key));
    *out = s;
    return OK;
}

/* ---- Reading ---- */

static enum err check_header(struct stats *s, const struct header *h, size_t octets,
                             struct errinfo *e)
{
    if (h->magic != MAGIC || h->version != VERSION || h->counters_octets != sizeof(struct counters))
        return err_set(ERR_FORMAT, e, "counters of another version of authd");
    if (h->workers == 0 || h->workers > STATS_WORKERS_MAX || h->zones_max > STATS_ZONES_MAX ||
        (h->zones_max & (h->zones_max - 1)) != 0)
        return err_set(ERR_FORMAT, e, "counters with a damaged header");
    s->workers = h->workers;
    s->zones_max = h->zones_max;
    s->started.s = h->started;
    memcpy(s->key, h->key, sizeof(s->key));
    lay_out(s);
    return s->octets == octets ? OK : err_set(ERR_FORMAT, e, "counters of a wrong size");
}

enum err stats_open(struct stats **out, int fd, struct errinfo *e)
{
    struct stats *s = xcalloc(1, sizeof(*s));
    struct header h;
    struct stat st;
    enum err rc;
    int seals = fcntl(fd, F_GET_SEALS);

    s->fd = fd;
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) != 0)
        rc = err_set(ERR_FORMAT, e, "counters that are not in a sealed memory file");
    else if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
        rc = err_set(ERR_FORMAT, e, "counters without a header");
    else
        rc = check_header(s, &h, (size_t)st.st_size, e);
    if (rc == OK) {
        s->base = mmap(NULL, s->octets, PROT_READ, MAP_SHARED, fd, 0);
        if (s->base == MAP_FAILED) {
            s->base = NULL;
            rc = err_sys(errno, e, "counters");
        }
    }
    if (rc) {
        stats_free(s);
        return rc;
    }
    *out = s;
    return OK;
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    if (s->base)
        (void)munmap(s->base, s->octets);
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
}

int stats_fd(const struct stats *s)
{
    return s->fd;
}

size_t stats_workers(const struct stats *s)
{
    return s->workers;
}

struct wall stats_started(const struct stats *s)
{
    return s->started;
}

struct counters *stats_counters(const struct stats *s, size_t worker)
{
    return (struct counters *)(void *)(s->base + PAGE + worker * sizeof(struct counters));
}

uint64_t stats_sum(const struct stats *s, size_t at)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < s->workers; i++) {
        uint8_t *c = (uint8_t *)stats_counters(s, i) + at;

        sum += atomic_load_explicit((_Atomic(uint64_t) *)(void *)c, memory_order_relaxed);
    }
    return sum;
}

/* ---- Zones ---- */

static uint8_t *slot_name(const struct stats *s, uint32_t slot)
{
    return s->base + s->names_at + (size_t)slot * NAME_OCTETS;
}

/* The place in the index that holds the zone, or the free one where its search ends; NULL if there
 * is neither. What another process wrote there is believed only within bounds. */
static _Atomic(uint32_t) *index_find(const struct stats *s, const uint8_t *name)
{
    size_t len = name_len(name);
    size_t mask = 2 * (size_t)s->zones_max - 1;
    size_t at = (size_t)siphash_1_3(s->key, name, len) & mask;
    _Atomic(uint32_t) *index = (_Atomic(uint32_t) *)(void *)(s->base + s->index_at);

    if (s->zones_max == 0)
        return NULL;
    for (unsigned i = 0; i < PROBES_MAX; i++, at = (at + 1) & mask) {
        uint32_t slot = atomic_load_explicit(&index[at], memory_order_acquire);

        if (slot == 0 || (slot <= s->zones_max && memcmp(slot_name(s, slot - 1), name, len) == 0))
            return &index[at];
    }
    return NULL;
}

uint32_t stats_zone_find(const struct stats *s, const uint8_t *name)
{
    _Atomic(uint32_t) *at = index_find(s, name);
    uint32_t slot = at ? atomic_load_explicit(at, memory_order_acquire) : 0;

    return slot > 0 && slot <= s->zones_max ? slot - 1 : STATS_NO_ZONE;
}

uint32_t stats_zone_slot(struct stats *s, const uint8_t *name)
{
    _Atomic(uint32_t) *at = index_find(s, name);
    uint32_t slot = at ? atomic_load_explicit(at, memory_order_relaxed) : 0;
    uint32_t used;

    if (slot > 0)
        return slot - 1;
    used = at ? atomic_load_explicit(&header_of(s)->zones, memory_order_relaxed) : 0;
    if (!at || used >= s->zones_max)
        return STATS_NO_ZONE;
    memcpy(slot_name(s, used), name, name_len(name));
    atomic_store_explicit(&header_of(s)->zones, used + 1, memory_order_relaxed);
    atomic_store_explicit(at, used + 1, memory_order_release);
    return used;
}

struct zone_counters *stats_zone(const struct stats *s, size_t worker, uint32_t slot)
{
    size_t i = worker * s->zones_max + slot;

    if (slot >= s->zones_max)
        return NULL;
    return (struct zone_counters *)(void *)(s->base + s->zones_at +
                                            i * sizeof(struct zone_counters));
}

bool stats_counts_zones(const struct stats *s)
{
    return s->zones_max > 0;
}
