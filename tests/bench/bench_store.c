/* The store alone: a large zone in and out, and commits of one-record changes in groups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t big[] = "\3big\7example";

static double seconds(void)
{
    return (double)clock_mono(clock_real()).ms / 1000.0;
}

static void large_zone(struct store *s, uint32_t records)
{
    struct store_zone z = plain_row(big);
    struct zone *a = plain_zone(big, 1, records, 1), *got = NULL;
    struct errinfo e = {""};
    double t = seconds();

    (void)must_commit(s, &z, NULL, a, 1);
    printf("store: %u records (%zu pages, %.1f MB): insert and commit %.3f s\n", records,
           zone_page_count(a), (double)zone_bytes(a) / 1e6, seconds() - t);
    t = seconds();
    if (store_checkpoint(s, &e))
        abort();
    printf("store: checkpoint %.3f s\n", seconds() - t);
    t = seconds();
    if (store_zone_load(&got, s, &z, &e))
        abort();
    printf("store: scan, check and load %.3f s\n", seconds() - t);
    zone_unref(got);
    zone_unref(a);
}

static void small_changes(struct store *s, unsigned group)
{
    enum { ZONES = 100, HOSTS = 50, CHANGES = 1000 };
    struct store_zone z[ZONES];
    struct zone *v[ZONES][2];
    struct errinfo e = {""};
    uint64_t seq = 0;
    double t;

    for (unsigned i = 0; i < ZONES; i++) {
        uint8_t name[32];

        (void)snprintf((char *)name, sizeof(name), "%cz%03u%04u", 8, i, group);
        z[i] = plain_row(name);
        v[i][0] = plain_zone(name, 1, HOSTS, 1);
        v[i][1] = plain_zone(name, 2, HOSTS, 2);
        (void)must_commit(s, &z[i], NULL, v[i][0], 1);
    }
    t = seconds();
    for (unsigned n = 0; n < CHANGES; n += group) {
        if (store_begin(s, &e))
            abort();
        for (unsigned k = 0; k < group; k++) {
            unsigned i = (n + k) % ZONES;
            bool odd = z[i].serial.v == 2;

            if (store_part_begin(s, &e) ||
                put_change(s, &z[i], v[i][odd], v[i][!odd], 1, &seq, &e) ||
                store_part_end(s, true, &e))
                abort();
        }
        if (store_commit(s, &e))
            abort();
    }
    t = seconds() - t;
    printf("store: one-record changes, %3u a commit: %.0f changes/s\n", group, CHANGES / t);
    for (unsigned i = 0; i < ZONES; i++) {
        zone_unref(v[i][0]);
        zone_unref(v[i][1]);
    }
}

int main(int argc, char **argv)
{
    uint32_t records = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    char *dir = temp_dir_new();
    struct store *s = must_open_writer(dir);

    large_zone(s, records);
    small_changes(s, 1);
    small_changes(s, 10);
    small_changes(s, 100);
    store_close(s);
    temp_dir_free(dir);
    return 0;
}
