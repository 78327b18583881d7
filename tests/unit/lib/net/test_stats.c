/* Counters written by one process and read by another; files that are no such thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/dns/name.h"
#include "lib/dns/rr.h"
#include "lib/net/stats.h"

#define ROUNDS 50000

static void what_is_counted_is_read(void **state)
{
    struct stats *w = NULL;
    struct stats *r = NULL;

    (void)state;
    assert_int_equal(stats_create(&w, 2, 0, clock_real(), NULL), OK);
    assert_int_equal(stats_open(&r, dup(stats_fd(w)), NULL), OK);
    assert_int_equal(stats_workers(r), 2);
    assert_int_equal(stats_started(r).s, stats_started(w).s);
    count_one(&stats_counters(w, 0)->queries[WAY_TCP]);
    count_many(&stats_counters(w, 1)->queries[WAY_TCP], 5);
    assert_int_equal(stats_sum(r, offsetof(struct counters, queries[WAY_TCP])), 6);
    assert_int_equal(stats_sum(r, offsetof(struct counters, queries[WAY_UDP4])), 0);
    assert_false(stats_counts_zones(r));
    assert_int_equal(stats_zone_slot(w, (const uint8_t *)"\1a"), STATS_NO_ZONE);
    assert_int_equal(stats_zone_find(r, (const uint8_t *)"\1a"), STATS_NO_ZONE);
    stats_free(w);
    assert_int_equal(stats_sum(r, offsetof(struct counters, queries[WAY_TCP])), 6);
    stats_free(r);
    stats_free(NULL);
}

static void answers_go_into_their_buckets(void **state)
{
    static const struct {
        size_t octets, bucket;
    } sizes[] = {{12, 0},   {64, 0},   {65, 1},   {128, 1},   {129, 2},
                 {1232, 5}, {4096, 6}, {4097, 7}, {32768, 9}, {65535, 10}};
    static const struct {
        uint64_t ns;
        size_t bucket;
    } times[] = {{0, 0},    {1024, 0},     {1025, 1},     {2048, 1},
                 {2049, 2}, {1048576, 10}, {1048577, 11}, {UINT64_C(1) << 50, COUNTED_TIMES - 1}};
    static struct counters c;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(&c, 0, sizeof(c));
        count_answer(&c, WAY_UDP6, 3, sizes[i].octets);
        assert_int_equal(c.sizes[0][sizes[i].bucket], 1);
        assert_int_equal(c.octets[0], sizes[i].octets);
        assert_int_equal(c.answers[WAY_UDP6][3], 1);
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        memset(&c, 0, sizeof(c));
        count_time(&c, times[i].ns, 7);
        assert_int_equal(c.times[times[i].bucket], 7);
    }
    memset(&c, 0, sizeof(c));
    count_answer(&c, WAY_TLS, 4095, 100);
    assert_int_equal(c.answers[WAY_TLS][COUNTED_RCODES - 1], 1);
    assert_int_equal(c.sizes[1][1], 1);
}

/* The places that counted_type gives and the labels are of one mind. */
static void types_have_their_labels(void **state)
{
    char label[STATS_LABEL_MAX], text[TYPE_TEXT_MAX];
    unsigned known = 0;

    (void)state;
    for (unsigned t = 0; t < 65536; t++) {
        size_t i = counted_type((uint16_t)t);

        assert_in_range(i, 0, COUNTED_TYPES - 1);
        if (i == COUNTED_TYPES - 1)
            continue;
        stats_label(label, AXIS_TYPE, i);
        type_to_text(text, (uint16_t)t);
        assert_string_equal(label, text);
        known++;
    }
    assert_int_equal(known, COUNTED_TYPES - 1);
}

/* Every number of struct counters stands in exactly one row, as a value or as a histogram's sum. */
static void rows_cover_everything_once(void **state)
{
    static uint8_t seen[sizeof(struct counters) / 8];
    const size_t used = (offsetof(struct counters, proxy_refused) + 8) / 8;
    char label[STATS_LABEL_MAX];
    size_t n;
    const struct stats_row *rows = stats_rows(&n);

    (void)state;
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < stats_axis_length(rows[k].outer); i++) {
            for (size_t j = 0; j < stats_axis_length(rows[k].inner); j++) {
                stats_label(label, rows[k].inner, j);
                seen[stats_at(&rows[k], i, j) / 8]++;
            }
            if (rows[k].sum)
                seen[rows[k].sum / 8 + i]++;
        }
    }
    for (size_t i = 0; i < used; i++)
        assert_int_equal(seen[i], 1);
}

static void zones_have_slots(void **state)
{
    struct stats *w = NULL;
    struct stats *r = NULL;
    uint8_t name[NAME_MAX_OCTETS];
    char text[32];

    (void)state;
    assert_int_equal(stats_create(&w, 2, 64, clock_real(), NULL), OK);
    assert_int_equal(stats_open(&r, dup(stats_fd(w)), NULL), OK);
    assert_true(stats_counts_zones(r));
    for (uint32_t i = 0; i < 70; i++) {
        int n = snprintf(text, sizeof(text), "z%u.test", (unsigned)i);

        assert_int_equal(name_from_text(name, text, (size_t)n, NULL, NULL), OK);
        assert_int_equal(stats_zone_find(r, name), STATS_NO_ZONE);
        assert_int_equal(stats_zone_slot(w, name), i < 64 ? i : STATS_NO_ZONE); /* full */
        assert_int_equal(stats_zone_slot(w, name), i < 64 ? i : STATS_NO_ZONE);
        assert_int_equal(stats_zone_find(r, name), i < 64 ? i : STATS_NO_ZONE);
    }
    count_many(&stats_zone(w, 1, 63)->octets, 9);
    assert_int_equal(stats_zone(r, 1, 63)->octets, 9);
    assert_int_equal(stats_zone(r, 0, 63)->octets, 0);
    assert_null(stats_zone(r, 0, 64));
    assert_null(stats_zone(r, 0, STATS_NO_ZONE));
    stats_free(r);
    stats_free(w);
}

static int file_of(const void *p, size_t n, size_t octets, int seals)
{
    int fd = memfd_create("test", MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    assert_int_equal(ftruncate(fd, (off_t)octets), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Each field of a right header made wrong: refused, or read within the file's bounds. */
static void damaged_files_are_refused(void **state)
{
    struct stats *w = NULL;
    struct stats *r = NULL;
    struct errinfo e;
    uint8_t head[64];
    off_t size;
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(stats_open(&r, fd, &e), ERR_FORMAT);
    assert_int_equal(stats_open(&r, -1, &e), ERR_FORMAT);
    assert_int_equal(stats_create(&w, 3, 64, clock_real(), NULL), OK);
    assert_int_equal(pread(stats_fd(w), head, sizeof(head), 0), sizeof(head));
    size = lseek(stats_fd(w), 0, SEEK_END);
    fd = file_of(head, sizeof(head), (size_t)size, F_SEAL_GROW);
    assert_int_equal(stats_open(&r, fd, &e), ERR_FORMAT); /* could shrink under us */
    fd = file_of(head, sizeof(head), (size_t)size - 1, F_SEAL_SHRINK);
    assert_int_equal(stats_open(&r, fd, &e), ERR_FORMAT);
    fd = file_of(head, 10, 10, F_SEAL_SHRINK);
    assert_int_equal(stats_open(&r, fd, &e), ERR_FORMAT);
    for (size_t i = 0; i < 24; i++) { /* magic, version, sizes */
        head[i] ^= 0x81;
        fd = file_of(head, sizeof(head), (size_t)size, F_SEAL_SHRINK);
        assert_int_equal(stats_open(&r, fd, &e), ERR_FORMAT);
        head[i] ^= 0x81;
    }
    fd = file_of(head, sizeof(head), (size_t)size, F_SEAL_SHRINK);
    assert_int_equal(stats_open(&r, fd, &e), OK);
    stats_free(r);
    /* The file that authd passes can be neither cut nor written through another mapping. */
    assert_int_not_equal(ftruncate(stats_fd(w), 10), 0);
    assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, stats_fd(w), 0), MAP_FAILED);
    stats_free(w);
}

/* What a broken authd writes into the index leads to no place outside. */
static void lies_do_no_harm(void **state)
{
    struct stats *w = NULL;
    struct stats *r = NULL;
    static uint8_t all[1 << 20];
    off_t size;
    int fd;

    (void)state;
    assert_int_equal(stats_create(&w, 1, 64, clock_real(), NULL), OK);
    size = lseek(stats_fd(w), 0, SEEK_END);
    assert_in_range(size, 4096, sizeof(all));
    memset(all, 0xff, sizeof(all));
    assert_int_equal(pread(stats_fd(w), all, 64, 0), 64);
    fd = file_of(all, (size_t)size, (size_t)size, F_SEAL_SHRINK);
    assert_int_equal(stats_open(&r, fd, NULL), OK);
    assert_int_equal(stats_zone_find(r, (const uint8_t *)"\1a"), STATS_NO_ZONE);
    stats_free(r);
    stats_free(w);
}

static void *count(void *ctx)
{
    struct stats *w = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        char text[32];
        uint8_t name[NAME_MAX_OCTETS];
        int n = snprintf(text, sizeof(text), "z%d.test", i % 64);

        count_answer(stats_counters(w, 0), WAY_UDP4, 0, 100);
        if (i % 100 == 0 && name_from_text(name, text, (size_t)n, NULL, NULL) == OK)
            (void)stats_zone_slot(w, name);
    }
    return NULL;
}

/* Reading while it is written: numbers only grow, and names are whole. */
static void readers_run_beside_the_writer(void **state)
{
    struct stats *w = NULL;
    struct stats *r = NULL;
    pthread_t t;
    uint64_t last = 0;
    const size_t at = offsetof(struct counters, answers);

    (void)state;
    assert_int_equal(stats_create(&w, 1, 64, clock_real(), NULL), OK);
    assert_int_equal(stats_open(&r, dup(stats_fd(w)), NULL), OK);
    assert_int_equal(pthread_create(&t, NULL, count, w), 0);
    while (last < ROUNDS) {
        uint64_t n = stats_sum(r, at);

        assert_true(n >= last);
        last = n;
        (void)stats_zone_find(r, (const uint8_t *)"\2z0\4test");
    }
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(stats_zone_find(r, (const uint8_t *)"\2z0\4test"), 0);
    stats_free(r);
    stats_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_counted_is_read), cmocka_unit_test(answers_go_into_their_buckets),
        cmocka_unit_test(types_have_their_labels), cmocka_unit_test(rows_cover_everything_once),
        cmocka_unit_test(zones_have_slots),        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(lies_do_no_harm),         cmocka_unit_test(readers_run_beside_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
