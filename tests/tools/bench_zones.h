/* For measurements: zones of any size, and one-record changes to them, from numbers alone. */
#ifndef ZL_TESTS_TOOLS_BENCH_ZONES_H
#define ZL_TESTS_TOOLS_BENCH_ZONES_H

#include "lib/zone/changeset.h"
#include "lib/zone/zone.h"

/* Prints and exits unless rc is OK. */
void bench_must(enum err rc, const struct errinfo *e);

/* "zNNNNNNN.test." */
void bench_zone_name(uint8_t out[NAME_MAX_OCTETS], unsigned i);

/* SOA (serial 1), NS, and hosts with two addresses each, `records` in all; passes zone_check. */
struct zone *bench_zone(const uint8_t *apex, uint64_t records);

/* The change from serial v to v + 1: an address more at a random host (the same one for the same
 * v), and the SOA. */
struct changeset *bench_change(const uint8_t *apex, uint32_t v, uint64_t records);

/* Percentile of n samples, which get sorted; 0 if there are none. `of_1000` 500: the median. */
uint64_t bench_percentile(uint64_t *samples, size_t n, unsigned of_1000);

double bench_seconds(void);     /* monotonic */
double bench_cpu_seconds(void); /* user and system, of this process */

#endif
