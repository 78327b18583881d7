/* The counters of authd (counters.h) where syncd can read them: a memory file that authd makes at
 * start and passes with the first frame on its updater's hand-over connection. It is gone when both
 * have closed it; there is no path, no stale file, nothing to clean up.
 *
 *   octet 0     magic, version and sizes; when authd started; a hash key   (struct header, stats.c)
 *   4096        struct counters for each worker
 *   then, if zones are counted, for zones_max of them (the file is sparse: what is not used takes
 *   no memory)
 *               u32 index[2 * zones_max]: slot + 1 of the zone whose hash leads there, 0: none
 *               names[zones_max], 256 octets each: the zone's name as on the wire, lower case
 *               struct zone_counters[zones_max] for each worker
 *
 * The file can't shrink (sealed; the reader insists), and the reader believes the sizes it has
 * checked at first, so a broken authd can tell lies there, but do no harm. Slots are given once and
 * kept until authd ends.
 *
 * Threads: counters belong to their worker, slots are given by one thread (authd's updater), and
 * anybody reads.
 */
#ifndef ZL_NET_STATS_H
#define ZL_NET_STATS_H

#include <stdbool.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/net/counters.h"

#define STATS_WORKERS_MAX 1024
#define STATS_ZONES_MAX (UINT32_C(1) << 20)
#define STATS_NO_ZONE UINT32_MAX

struct stats;

/* A new, empty file. zones_max 0: no zone has counters of its own; else a power of two. */
MUST_USE enum err stats_create(struct stats **out, size_t workers, uint32_t zones_max,
                               const struct clock *clock, struct errinfo *e);
/* Maps the file for reading. Takes the descriptor, also on error. ERR_FORMAT if it is not such a
 * file, or of another version. */
MUST_USE enum err stats_open(struct stats **out, int fd, struct errinfo *e);
void stats_free(struct stats *s); /* NULL is fine */

/* To pass to somebody else; stays ours. */
int stats_fd(const struct stats *s);

size_t stats_workers(const struct stats *s);
struct wall stats_started(const struct stats *s);

/* Lent; the writer's worker writes them. */
struct counters *stats_counters(const struct stats *s, size_t worker);

/* ---- Zones ---- */

/* The slot of a zone (lower case); a new one if it has none yet. STATS_NO_ZONE if zones are not
 * counted, or there is no more room. One thread. */
uint32_t stats_zone_slot(struct stats *s, const uint8_t *name);
/* NULL for STATS_NO_ZONE. */
struct zone_counters *stats_zone(const struct stats *s, size_t worker, uint32_t slot);

bool stats_counts_zones(const struct stats *s);
/* The slot of a zone that has one, or STATS_NO_ZONE. Any thread. */
uint32_t stats_zone_find(const struct stats *s, const uint8_t *name);

/* ---- What is in a struct counters (stats_rows.c) ---- */

enum stats_axis {
    AXIS_NONE,
    AXIS_WAY,    /* udp4, udp6, tcp, tls */
    AXIS_STREAM, /* udp, stream */
    AXIS_RCODE,
    AXIS_TYPE,
    AXIS_KIND,
    AXIS_SIZE, /* a histogram, by octets */
    AXIS_TIME, /* a histogram, by seconds */
};

struct stats_row {
    const char *name;
    enum stats_axis outer, inner; /* inner AXIS_NONE: one number for each of outer */
    size_t at;                    /* in struct counters */
    size_t sum;                   /* of a histogram: where its sum is (for each of outer) */
    const char *help;
};

const struct stats_row *stats_rows(size_t *n);
size_t stats_axis_length(enum stats_axis axis);    /* 1 for AXIS_NONE */
const char *stats_axis_name(enum stats_axis axis); /* "transport", "rcode" ... */
#define STATS_LABEL_MAX 32
/* "udp4", "NXDOMAIN"; for a histogram the bucket's upper bound ("64", "0.000001024", "+Inf"). */
void stats_label(char out[STATS_LABEL_MAX], enum stats_axis axis, size_t i);

/* The value at an offset into struct counters, over all workers. */
uint64_t stats_sum(const struct stats *s, size_t at);
/* Offset of the value (i, j) of a row. */
size_t stats_at(const struct stats_row *row, size_t i, size_t j);

#endif
