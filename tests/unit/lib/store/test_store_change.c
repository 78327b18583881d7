/* Content changes: versions made, read back, undone; what fails and what it leaves behind. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

static const uint8_t example[] = "\7example\3com";
static const uint8_t other[] = "\5other\3org";
static struct errinfo e;

#define HOSTS 500 /* several pages */

struct setup {
    char *dir;
    struct store *s;
    struct store_zone z;
    struct zone *v[12]; /* v[i] has serial i, and host i at address i */
};

static int setup(void **state)
{
    struct setup *t = xcalloc(1, sizeof(*t));

    t->dir = temp_dir_new();
    t->s = must_open_writer(t->dir);
    t->z = plain_row(example);
    for (uint32_t i = 1; i < 12; i++)
        t->v[i] = plain_zone_but(example, i, HOSTS, i, i);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct setup *t = *state;

    for (size_t i = 1; i < 12; i++)
        zone_unref(t->v[i]);
    assert_int_equal(verify_faults(t->s, NULL), 0);
    store_close(t->s);
    temp_dir_free(t->dir);
    free(t);
    return 0;
}

static void put_versions(struct setup *t, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++)
        (void)must_commit(t->s, &t->z, i > 1 ? t->v[i - 1] : NULL, t->v[i], 1000 + i);
}

static void assert_served(struct store *s, const uint8_t *name, const struct zone *want)
{
    struct store_zone z;
    struct zone *got = NULL;

    assert_int_equal(store_read_begin(s, &e), OK);
    assert_int_equal(store_zone_get(s, name, &z, &e), OK);
    assert_int_equal(store_zone_load(&got, s, &z, &e), OK);
    store_read_end(s);
    assert_true(same_content(got, want));
    assert_int_equal(z.serial.v, zone_serial(want).v);
    assert_int_equal(z.records, zone_records(want));
    zone_unref(got);
}

/* ---- Changes and the log ---- */

static enum err look_at(void *ctx, const struct store_change *c, struct errinfo *err)
{
    uint64_t *next = ctx;

    (void)err;
    assert_int_equal(c->seq, *next);
    assert_memory_equal(c->zone, example, sizeof(example));
    assert_int_equal(c->kind, c->seq == 1 ? CHANGE_INITIAL : CHANGE_DELTA);
    assert_int_equal(c->has_from, c->seq > 1);
    assert_int_equal(c->from.v, c->seq - 1);
    assert_int_equal(c->to.v, c->seq);
    assert_int_equal(c->version, c->seq);
    assert_int_equal(c->at.s, 1000 + (int64_t)c->seq);
    assert_int_equal(c->origin.kind, ORIGIN_AXFR);
    assert_string_equal(c->origin.who, "192.0.2.1@53");
    assert_string_equal(c->origin.source, "ns1.example.net.");
    assert_string_equal(c->origin.key, "transfer-key.");
    assert_string_equal(c->origin.transport, "tcp");
    assert_string_equal(c->origin.reason, "because");
    assert_false(c->waiting || c->journaled);
    if (c->seq == 1) {
        assert_null(c->changes);
        assert_int_equal(c->added, HOSTS + 2);
    } else {
        /* SOA, the host before back to its address, this one to its own */
        assert_int_equal(c->changes->added.n, 3);
        assert_int_equal(c->added, 3);
        assert_int_equal(c->removed, 3);
        assert_int_equal(c->changes->from.v, c->from.v);
    }
    ++*next;
    return OK;
}

static void test_change_log(void **state)
{
    struct setup *t = *state;
    uint64_t next = 1, last = 9, first = 9, n = 0;

    assert_int_equal(store_seq(t->s, &last, &first, &e), OK);
    assert_true(last == 0 && first == 1);
    put_versions(t, 1, 5);
    assert_int_equal(t->z.version, 5);
    assert_int_equal(t->z.last_version, 5);
    assert_int_equal(t->z.seq, 5);
    assert_int_equal(t->z.records, HOSTS + 2);
    assert_served(t->s, example, t->v[5]);
    assert_int_equal(store_change_each(t->s, 0, 3, look_at, &next, &e), OK);
    assert_int_equal(next, 4);
    assert_int_equal(store_change_each(t->s, 3, 100, look_at, &next, &e), OK);
    assert_int_equal(next, 6);
    assert_int_equal(store_seq(t->s, &last, &first, &e), OK);
    assert_true(last == 5 && first == 1);
    assert_int_equal(store_unjournaled_count(t->s, &n, &e), OK);
    assert_int_equal(n, 5);
}

static enum err look_at_big(void *ctx, const struct store_change *c, struct errinfo *err)
{
    bool *seen = ctx;

    (void)err;
    if (c->kind != CHANGE_DELTA)
        return OK;
    assert_int_equal(c->big, c->version == 2);
    assert_int_equal(c->changes == NULL, c->version == 2);
    *seen |= c->version == 2;
    return OK;
}

/* The readers of the log are spared what is more work than the content; the way back is not. */
static void test_big_change(void **state)
{
    struct setup *t = *state;
    struct zone *grown = plain_zone(example, 2, 11000, 7);
    struct zone *more = plain_zone_but(example, 3, 11000, 9, 8);
    struct zone *got = NULL;
    bool seen = false;

    put_versions(t, 1, 1);
    (void)must_commit(t->s, &t->z, t->v[1], grown, 1);
    (void)must_commit(t->s, &t->z, grown, more, 2);
    assert_int_equal(store_change_each(t->s, 0, 100, look_at_big, &seen, &e), OK);
    assert_true(seen);
    seen = false;
    assert_int_equal(store_unjournaled_each(t->s, 100, look_at_big, &seen, &e), OK);
    assert_true(seen);
    assert_served(t->s, example, more);
    assert_int_equal(store_zone_load_version(&got, t->s, &t->z, 1, &e), OK);
    assert_true(same_content(got, t->v[1]));
    zone_unref(got);
    zone_unref(grown);
    zone_unref(more);
}

static uint64_t octets_kept(struct store *s)
{
    sqlite3_stmt *st = NULL;
    uint64_t n;

    assert_int_equal(
        sqlite3_prepare_v2(s->db, "SELECT sum(length(data)) FROM change", -1, &st, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = (uint64_t)sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

/* The content is in the pages, and what was before in the journal. */
static void test_replaced(void **state)
{
    struct setup *t = *state;
    struct zone *grown = plain_zone(example, 2, 11000, 7);
    struct zone *more = plain_zone_but(example, 3, 11000, 9, 8);
    struct zone *again = plain_zone(example, 4, 30000, 7);
    struct changeset *cs = NULL;
    struct zone *got = NULL;
    uint64_t octets;
    bool seen = false;

    put_versions(t, 1, 1);
    must_journal(t->s, 1);
    (void)must_commit(t->s, &t->z, t->v[1], grown, 1);
    assert_int_equal(octets_kept(t->s), 0);
    (void)must_commit(t->s, &t->z, grown, more, 2);
    assert_served(t->s, example, more);
    assert_int_equal(store_change_each(t->s, 0, 100, look_at_big, &seen, &e), OK);
    assert_true(seen);
    seen = false;
    assert_int_equal(store_unjournaled_each(t->s, 100, look_at_big, &seen, &e), OK);
    assert_true(seen);
    assert_int_equal(store_zone_load_version(&got, t->s, &t->z, 2, &e), OK);
    assert_true(same_content(got, grown));
    zone_unref(got);
    assert_int_equal(store_zone_load_version(&got, t->s, &t->z, 1, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "its change set is not kept"));
    assert_int_equal(store_changes_since(&cs, t->s, &t->z, 1, 1u << 30, &e), ERR_NOT_FOUND);
    /* The journal needs these to make version 2. */
    octets = octets_kept(t->s);
    (void)must_commit(t->s, &t->z, more, again, 3);
    assert_true(octets_kept(t->s) > octets + 100000);
    assert_int_equal(store_zone_load_version(&got, t->s, &t->z, 2, &e), OK);
    assert_true(same_content(got, grown));
    zone_unref(got);
    zone_unref(grown);
    zone_unref(more);
    zone_unref(again);
}

/* A change of one record costs one page, not the zone. */
static void test_writes_only_what_changed(void **state)
{
    struct setup *t = *state;
    int before;

    put_versions(t, 1, 1);
    assert_true(zone_page_count(t->v[1]) >= 3);
    before = sqlite3_total_changes(t->s->db);
    (void)must_commit(t->s, &t->z, t->v[1], t->v[2], 1);
    /* log, version, change, zone twice; the apex page, which also has the two hosts; the index of
     * owners */
    assert_true(sqlite3_total_changes(t->s->db) - before <= 5 + 2 + 2);
    assert_served(t->s, example, t->v[2]);
}

/* Pages come and go, and move their borders. */
static void test_grow_and_shrink(void **state)
{
    static const uint32_t hosts[] = {0, 2000, 1, 700, 701, 30, 0, 500};
    struct setup *t = *state;
    struct zone *old = NULL;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct zone *next = plain_zone(example, (uint32_t)i + 1, hosts[i], (uint32_t)i);

        (void)must_commit(t->s, &t->z, old, next, 1);
        assert_served(t->s, example, next);
        zone_unref(old);
        old = next;
    }
    zone_unref(old);
}

static enum err state_row(void *ctx, const struct store_change *c, struct errinfo *err)
{
    (void)err;
    assert_int_equal(c->kind, CHANGE_STATE);
    assert_int_equal(c->version, 0);
    assert_int_equal(c->to.v, 1);
    assert_null(c->changes);
    ++*(int *)ctx;
    return OK;
}

static void test_state_change(void **state)
{
    struct setup *t = *state;
    uint64_t seq = 0, n = 9;
    int rows = 0;

    put_versions(t, 1, 1);
    must_journal(t->s, 1);
    t->z.expired = true;
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_zone_put_served(t->s, &t->z, (struct wall){5}, &seq, &e), OK);
    assert_int_equal(store_commit(t->s, &e), OK);
    assert_int_equal(seq, 2);
    assert_true(t->z.expired);
    assert_int_equal(store_change_each(t->s, 1, 10, state_row, &rows, &e), OK);
    assert_int_equal(rows, 1);
    assert_int_equal(store_unjournaled_count(t->s, &n, &e), OK);
    assert_int_equal(n, 0);
    (void)must_commit(t->s, &t->z, t->v[1], t->v[2], 6);
    assert_false(t->z.expired); /* a new version revives it */
    assert_int_equal(t->z.seq, 3);
}

/* ---- Taken away and brought back ---- */

static uint64_t last_seq(struct store *s)
{
    uint64_t last = 0, first = 0;

    assert_int_equal(store_seq(s, &last, &first, &e), OK);
    return last;
}

static void mark(struct setup *t, enum origin_kind kind, int64_t at)
{
    const struct origin origin = {.kind = kind, .who = "alice", .reason = "moved"};
    uint64_t seq = 0;

    t->z.removed = kind == ORIGIN_REMOVE;
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_mark_put(t->s, &t->z, &origin, (struct wall){at}, &seq, &e), OK);
    assert_int_equal(store_commit(t->s, &e), OK);
    assert_int_equal(seq, last_seq(t->s));
}

/* The row is told of before the version: who has read only so far must not serve it. */
static enum err mark_row(void *ctx, const struct store_change *c, struct errinfo *err)
{
    int *rows = ctx;

    (void)err;
    assert_int_equal(c->kind, *rows % 2 ? CHANGE_DELTA : CHANGE_STATE);
    if (c->changes)
        assert_int_equal(c->changes->added.n + c->changes->removed.n, 0);
    ++*rows;
    return OK;
}

static void test_mark(void **state)
{
    struct setup *t = *state;
    struct store_version v;
    struct changeset *cs = NULL;
    struct zone *got = NULL;
    int rows = 0;

    put_versions(t, 1, 2);
    t->z.expired = true; /* stays as the row has it */
    mark(t, ORIGIN_REMOVE, 3);
    assert_true(t->z.removed && t->z.expired);
    assert_int_equal(t->z.version, 3);
    assert_int_equal(t->z.serial.v, 2);
    assert_int_equal(store_version_get(t->s, t->z.id, 3, &v, &e), OK);
    assert_int_equal(v.origin.kind, ORIGIN_REMOVE);
    assert_string_equal(v.origin.reason, "moved");
    assert_int_equal(v.records, HOSTS + 2);
    t->z.expired = false;
    mark(t, ORIGIN_UNDELETE, 4);
    assert_false(t->z.removed || t->z.expired);
    assert_int_equal(store_version_get(t->s, t->z.id, 4, &v, &e), OK);
    assert_int_equal(v.origin.kind, ORIGIN_UNDELETE);
    assert_int_equal(store_change_each(t->s, 2, 10, mark_row, &rows, &e), OK);
    assert_int_equal(rows, 4);
    must_commit(t->s, &t->z, t->v[2], t->v[3], 5);
    for (uint64_t i = 1; i <= 5; i++) { /* each content is found, across the marks */
        assert_int_equal(store_zone_load_version(&got, t->s, &t->z, i, &e), OK);
        assert_true(same_content(got, t->v[i == 1 ? 1 : i == 5 ? 3 : 2]));
        zone_unref(got);
    }
    assert_int_equal(store_changes_since(&cs, t->s, &t->z, 1, 1 << 20, &e), OK);
    assert_int_equal(cs->from.v, 1);
    assert_int_equal(cs->to.v, 3);
    changeset_free(cs);
}

/* A zone that never came has no version to be removed with. */
static void test_mark_without_content(void **state)
{
    struct setup *t = *state;
    uint64_t n = 9;

    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_zone_put(t->s, &t->z, &e), OK);
    assert_int_equal(store_commit(t->s, &e), OK);
    mark(t, ORIGIN_REMOVE, 3);
    assert_true(t->z.removed);
    assert_int_equal(t->z.version, 0);
    assert_int_equal(store_unjournaled_count(t->s, &n, &e), OK);
    assert_int_equal(n, 0);
}

static void test_mark_conflicts(void **state)
{
    const struct origin origin = {.kind = ORIGIN_REMOVE};
    struct setup *t = *state;
    struct store_zone old;
    uint64_t seq = 0;

    put_versions(t, 1, 1);
    old = t->z;
    (void)must_commit(t->s, &t->z, t->v[1], t->v[2], 2);
    old.removed = true;
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_mark_put(t->s, &old, &origin, (struct wall){5}, &seq, &e), ERR_CONFLICT);
    store_rollback(t->s);
}

/* ---- Refused and failed changes ---- */

static void test_conflicts(void **state)
{
    struct setup *t = *state;
    struct store_zone old;
    uint64_t seq = 0, last = 0, first = 0;

    put_versions(t, 1, 1);
    old = t->z;
    put_versions(t, 2, 2);
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(put_change(t->s, &old, t->v[1], t->v[3], 1, &seq, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "made for version 1"));
    assert_int_equal(put_change(t->s, &t->z, t->v[1], t->v[3], 1, &seq, &e), ERR_CONFLICT);
    assert_int_equal(put_change(t->s, &t->z, NULL, t->v[3], 1, &seq, &e), ERR_CONFLICT);
    old.id = 77;
    assert_int_equal(put_change(t->s, &old, t->v[1], t->v[3], 1, &seq, &e), ERR_NOT_FOUND);
    assert_int_equal(store_commit(t->s, &e), OK);
    assert_int_equal(store_seq(t->s, &last, &first, &e), OK);
    assert_int_equal(last, 2);
    assert_served(t->s, example, t->v[2]);
}

/* Group commit: a part that fails leaves nothing behind, not even a gap in seq. */
static void test_part_fails(void **state)
{
    struct setup *t = *state;
    struct store_zone y = plain_row(other), copy;
    struct zone *b = plain_zone(other, 1, 10, 1);
    uint64_t seq = 0;

    put_versions(t, 1, 1);
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(store_part_begin(t->s, &e), OK);
    assert_int_equal(put_change(t->s, &t->z, t->v[1], t->v[2], 1, &seq, &e), OK);
    assert_int_equal(store_part_end(t->s, true, &e), OK);
    assert_int_equal(seq, 2);

    assert_int_equal(store_part_begin(t->s, &e), OK);
    copy = t->z;
    assert_int_equal(put_change(t->s, &copy, t->v[2], t->v[3], 1, &seq, &e), OK);
    assert_int_equal(seq, 3);
    assert_int_equal(put_change(t->s, &t->z, t->v[2], t->v[4], 1, &seq, &e), ERR_CONFLICT);
    assert_int_equal(store_part_end(t->s, false, &e), OK);

    assert_int_equal(store_part_begin(t->s, &e), OK);
    assert_int_equal(put_change(t->s, &y, NULL, b, 1, &seq, &e), OK);
    assert_int_equal(store_part_end(t->s, true, &e), OK);
    assert_int_equal(seq, 3);
    assert_int_equal(store_commit(t->s, &e), OK);
    assert_served(t->s, example, t->v[2]);
    assert_served(t->s, other, b);
    zone_unref(b);
}

static void test_rollback(void **state)
{
    struct setup *t = *state;
    struct store_zone copy;
    uint64_t seq = 0;

    put_versions(t, 1, 2);
    copy = t->z;
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(put_change(t->s, &copy, t->v[2], t->v[3], 1, &seq, &e), OK);
    store_rollback(t->s);
    store_rollback(t->s); /* nothing runs: fine */
    assert_served(t->s, example, t->v[2]);
    put_versions(t, 3, 3);
    assert_int_equal(t->z.seq, 3);
}

static void test_disk_full(void **state)
{
    struct setup *t = *state;
    struct zone *large = plain_zone(example, 3, 20000, 1);
    struct store_zone copy;
    uint64_t seq = 0;
    enum err rc;

    put_versions(t, 1, 2);
    assert_int_equal(sql_exec(t->s, "PRAGMA max_page_count = 60", &e), OK);
    copy = t->z;
    assert_int_equal(store_begin(t->s, &e), OK);
    if (!(rc = put_change(t->s, &copy, t->v[2], large, 1, &seq, &e)))
        rc = store_commit(t->s, &e);
    assert_int_equal(rc, ERR_LIMIT);
    store_rollback(t->s);
    assert_served(t->s, example, t->v[2]);
    /* Room again: it goes on without a restart. */
    assert_int_equal(sql_exec(t->s, "PRAGMA max_page_count = 1000000", &e), OK);
    (void)must_commit(t->s, &t->z, t->v[2], large, 1);
    assert_int_equal(t->z.seq, 3);
    assert_served(t->s, example, large);
    zone_unref(large);
}

/* The kernel refuses a write in the middle (here by a limit on file sizes): ERR_IO, and from then
 * on nothing is written until the store is opened again. */
static void child_io_error(void *ctx)
{
    struct setup *t = ctx;
    struct rlimit small = {200000, RLIM_INFINITY};
    struct zone *large = plain_zone(example, 3, 20000, 1);
    struct store *s = must_open_writer(t->dir);
    uint64_t seq = 0;
    enum err rc;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0 || store_begin(s, &e))
        _exit(2);
    if (!(rc = put_change(s, &t->z, t->v[2], large, 1, &seq, &e)))
        rc = store_commit(s, &e);
    if (rc != ERR_IO)
        _exit(3);
    store_rollback(s);
    small.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &small) != 0 || store_begin(s, &e) != ERR_IO)
        _exit(4);
    if (store_checkpoint(s, &e) != ERR_IO)
        _exit(5);
    store_close(s);
    zone_unref(large);
}

static void test_io_error(void **state)
{
    struct setup *t = *state;
    int status;

    put_versions(t, 1, 2);
    store_close(t->s);
    status = in_child(child_io_error, t);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    t->s = must_open_writer(t->dir);
    assert_served(t->s, example, t->v[2]);
    put_versions(t, 3, 3);
}

/* ---- Snapshots ---- */

static void test_snapshot(void **state)
{
    struct setup *t = *state;
    struct store *r = must_open_reader(t->dir);
    struct store_zone z;
    struct zone *got = NULL;
    uint64_t last = 0, first = 0;

    put_versions(t, 1, 2);
    assert_int_equal(store_read_begin(r, &e), OK);
    put_versions(t, 3, 5);
    assert_int_equal(store_checkpoint(t->s, &e), OK);
    put_versions(t, 6, 6);
    assert_int_equal(store_read_begin(r, &e), OK); /* nested */
    assert_int_equal(store_zone_get(r, example, &z, &e), OK);
    assert_int_equal(z.serial.v, 2);
    store_read_end(r);
    assert_int_equal(store_zone_load(&got, r, &z, &e), OK);
    assert_true(same_content(got, t->v[2]));
    zone_unref(got);
    assert_int_equal(store_seq(r, &last, &first, &e), OK);
    assert_int_equal(last, 2);
    store_read_end(r);
    assert_served(r, example, t->v[6]);
    store_close(r);
}

static void test_soa(void **state)
{
    struct setup *t = *state;
    struct buf rdata = BUF_INIT;
    struct soa fields;
    uint32_t ttl = 0;
    struct rr soa;

    put_versions(t, 1, 3);
    assert_int_equal(store_zone_soa(&rdata, &ttl, t->s, &t->z, &e), OK);
    assert_true(zone_soa(t->v[3], &soa, &fields));
    assert_int_equal(rdata.len, soa.rdata_len);
    assert_memory_equal(rdata.data, soa.rdata, soa.rdata_len);
    assert_int_equal(ttl, soa.ttl);
    buf_free(&rdata);
}

/* Each owner is found in the one page that it is in. */
static void test_part(void **state)
{
    struct setup *t = *state;
    static const uint8_t absent[] = "\3zzz\7example";
    struct zone_iter it;
    struct node n;

    put_versions(t, 1, 3);
    zone_iter_init(&it, t->v[3]);
    while (zone_next(&it, &n)) {
        uint8_t owner[NAME_MAX_OCTETS];
        struct zone *part = NULL;
        struct node found;

        (void)node_owner(owner, &n, zone_apex(t->v[3]));
        assert_int_equal(store_zone_part(&part, t->s, &t->z, owner, &e), OK);
        assert_true(zone_find(part, owner, &found));
        assert_int_equal(found.rrsets, n.rrsets);
        assert_true(zone_records(part) <= zone_records(t->v[3]));
        assert_false(zone_find(part, absent, &found));
        zone_unref(part);
    }
}

/* ---- Older and waiting versions ---- */

/* One change set from any version that was served, as long as the log reaches back. */
static void test_changes_since(void **state)
{
    struct setup *t = *state;
    struct changeset *cs = NULL;

    put_versions(t, 1, 11);
    for (uint32_t i = 1; i <= 11; i++) {
        struct zone *got = NULL;

        assert_int_equal(store_changes_since(&cs, t->s, &t->z, i, 1 << 20, &e), OK);
        assert_int_equal(cs->from.v, i);
        assert_int_equal(cs->to.v, 11);
        if (i < 11) {
            assert_int_equal(zone_apply(&got, t->v[i], cs, NULL, &e), OK);
            assert_true(same_content(got, t->v[11]));
        } else {
            assert_int_equal(cs->added.n + cs->removed.n, 0);
        }
        zone_unref(got);
        changeset_free(cs);
    }
    assert_int_equal(store_changes_since(&cs, t->s, &t->z, 1, 100, &e), ERR_NOT_FOUND);
    assert_int_equal(store_changes_since(&cs, t->s, &t->z, 12, 1 << 20, &e), ERR_NOT_FOUND);
}

static void test_load_version(void **state)
{
    struct setup *t = *state;
    struct store_zone before;
    struct zone *got = NULL;

    put_versions(t, 1, 4);
    before = t->z;
    put_versions(t, 5, 11);
    for (uint32_t i = 1; i <= 11; i++) {
        /* The row may be older than what is served by now. */
        assert_int_equal(store_zone_load_version(&got, t->s, &before, i, &e), OK);
        assert_true(same_content(got, t->v[i]));
        zone_unref(got);
    }
    assert_int_equal(store_zone_load_version(&got, t->s, &before, 12, &e), ERR_NOT_FOUND);
    assert_int_equal(store_zone_load_version(&got, t->s, &before, 0, &e), ERR_NOT_FOUND);
}

/* Held at 3; 4, 5 and 6 come and wait; then a rollback while held, 8 waits, release. */
static void test_waiting(void **state)
{
    struct setup *t = *state;
    struct zone *got = NULL, *served;
    struct store_version v;
    uint64_t n = 0;

    put_versions(t, 1, 3);
    assert_int_equal(store_zone_load_waiting(&got, t->s, &t->z, &e), ERR_NOT_FOUND);
    t->z.held = true;
    t->z.held_version = 3;
    assert_int_equal(must_commit_waiting(t->s, &t->z, t->v[3], t->v[4], 4), 4);
    assert_int_equal(must_commit_waiting(t->s, &t->z, t->v[4], t->v[5], 5), 5);
    assert_true(t->z.held);
    assert_int_equal(t->z.version, 3);
    assert_int_equal(t->z.last_version, 5);
    assert_int_equal(t->z.serial.v, 3);
    assert_served(t->s, example, t->v[3]);
    assert_int_equal(store_zone_load_waiting(&got, t->s, &t->z, &e), OK);
    assert_true(same_content(got, t->v[5]));
    zone_unref(got);
    assert_int_equal(store_version_get(t->s, t->z.id, 5, &v, &e), OK);
    assert_true(v.waiting);
    assert_int_equal(store_unjournaled_count(t->s, &n, &e), OK);
    assert_int_equal(n, 5);

    /* Back to 1 with the serial moved on: version 6. */
    served = plain_zone_but(example, 7, HOSTS, 1, 1);
    (void)must_commit(t->s, &t->z, t->v[3], served, 6);
    assert_true(t->z.held);
    assert_int_equal(t->z.version, 6);
    assert_int_equal(store_zone_load_waiting(&got, t->s, &t->z, &e), ERR_NOT_FOUND);
    (void)must_commit_waiting(t->s, &t->z, served, t->v[8], 7); /* version 7 */
    assert_int_equal(store_zone_load_waiting(&got, t->s, &t->z, &e), OK);
    assert_true(same_content(got, t->v[8]));
    zone_unref(got);

    t->z.held = false;
    (void)must_commit(t->s, &t->z, served, t->v[8], 8); /* version 8 */
    assert_false(t->z.held);
    assert_int_equal(store_zone_load_waiting(&got, t->s, &t->z, &e), ERR_NOT_FOUND);

    const struct zone *want[] = {t->v[1], t->v[2], t->v[3], t->v[4],
                                 t->v[5], served,  t->v[8], t->v[8]};
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(store_zone_load_version(&got, t->s, &t->z, i + 1, &e), OK);
        assert_true(same_content(got, want[i]));
        zone_unref(got);
    }
    zone_unref(served);
}

static void test_waiting_conflicts(void **state)
{
    struct setup *t = *state;
    struct origin origin = {.kind = ORIGIN_AXFR};
    struct changeset *cs = NULL;
    uint64_t seq = 0;

    put_versions(t, 1, 3);
    (void)must_commit_waiting(t->s, &t->z, t->v[3], t->v[4], 4);
    assert_int_equal(zone_diff(&cs, t->v[3], t->v[5], &e), OK); /* not from what waits */
    assert_int_equal(store_begin(t->s, &e), OK);
    assert_int_equal(
        store_waiting_put(t->s, &t->z, t->v[5], cs, &origin, (struct wall){1}, false, &seq, &e),
        ERR_CONFLICT);
    t->z.version--;
    assert_int_equal(
        store_waiting_put(t->s, &t->z, t->v[5], cs, &origin, (struct wall){1}, false, &seq, &e),
        ERR_CONFLICT);
    store_rollback(t->s);
    changeset_free(cs);
}

/* ---- Pruning ---- */

static uint64_t prune(struct store *s, uint64_t max_bytes)
{
    uint64_t n = 0;

    assert_int_equal(store_begin(s, &e), OK);
    assert_int_equal(store_prune(s, max_bytes, &n, &e), OK);
    assert_int_equal(store_commit(s, &e), OK);
    return n;
}

static uint64_t first_seq(struct store *s)
{
    uint64_t last = 0, first = 0;

    assert_int_equal(store_seq(s, &last, &first, &e), OK);
    return first;
}

static void test_prune(void **state)
{
    struct setup *t = *state;
    struct zone *got = NULL;
    uint64_t next = 8;

    put_versions(t, 1, 10);
    assert_int_equal(prune(t->s, 0), 0); /* nothing is journaled */
    for (uint64_t i = 1; i <= 7; i++)
        must_journal(t->s, i);
    assert_int_equal(prune(t->s, 1 << 20), 0);
    assert_int_equal(prune(t->s, 0), 7);
    assert_int_equal(first_seq(t->s), 8);
    assert_int_equal(store_change_each(t->s, 0, 100, look_at, &next, &e), OK);
    assert_int_equal(next, 11);
    /* What the log still leads back to: the version before its first change. */
    assert_int_equal(store_zone_load_version(&got, t->s, &t->z, 7, &e), OK);
    assert_true(same_content(got, t->v[7]));
    zone_unref(got);
    assert_int_equal(store_zone_load_version(&got, t->s, &t->z, 6, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "does not reach"));
    /* All of it: the counter goes on. */
    for (uint64_t i = 8; i <= 10; i++)
        must_journal(t->s, i);
    assert_int_equal(prune(t->s, 0), 3);
    assert_int_equal(first_seq(t->s), 11);
    put_versions(t, 11, 11);
    assert_int_equal(t->z.seq, 11);
}

/* Only the oldest go, and only as many as needed. */
static void test_prune_some(void **state)
{
    struct setup *t = *state;
    uint64_t dropped;

    put_versions(t, 1, 10);
    for (uint64_t i = 1; i <= 10; i++)
        must_journal(t->s, i);
    dropped = prune(t->s, 900);
    assert_in_range(dropped, 2, 8);
    assert_int_equal(first_seq(t->s), dropped + 1);
}

/* What a waiting version needs stays, but does not hold up the rest of the log. */
static void test_prune_waiting(void **state)
{
    struct setup *t = *state;
    struct store_zone y = plain_row(other);
    struct zone *a = plain_zone(other, 1, 10, 1), *b = plain_zone(other, 2, 10, 2), *got = NULL;

    put_versions(t, 1, 3);
    (void)must_commit_waiting(t->s, &t->z, t->v[3], t->v[4], 4);
    (void)must_commit_waiting(t->s, &t->z, t->v[4], t->v[5], 5);
    (void)must_commit(t->s, &y, NULL, a, 6);
    (void)must_commit(t->s, &y, a, b, 7);
    for (uint64_t i = 1; i <= 7; i++)
        must_journal(t->s, i);
    assert_int_equal(prune(t->s, 0), 5);
    assert_int_equal(first_seq(t->s), 8);
    assert_int_equal(store_zone_load_waiting(&got, t->s, &t->z, &e), OK);
    assert_true(same_content(got, t->v[5]));
    zone_unref(got);
    assert_int_equal(verify_faults(t->s, NULL), 0);
    (void)must_commit(t->s, &t->z, t->v[3], t->v[5], 8);
    must_journal(t->s, 8);
    assert_int_equal(prune(t->s, 0), 1);
    assert_int_equal(sqlite3_changes(t->s->db) > 0, true);
    zone_unref(a);
    zone_unref(b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_change_log),
        TEST(test_big_change),
        TEST(test_replaced),
        TEST(test_writes_only_what_changed),
        TEST(test_grow_and_shrink),
        TEST(test_state_change),
        TEST(test_conflicts),
        TEST(test_part_fails),
        TEST(test_rollback),
        TEST(test_disk_full),
        TEST(test_io_error),
        TEST(test_snapshot),
        TEST(test_soa),
        TEST(test_part),
        TEST(test_changes_since),
        TEST(test_load_version),
        TEST(test_waiting),
        TEST(test_waiting_conflicts),
        TEST(test_prune),
        TEST(test_prune_some),
        TEST(test_prune_waiting),
        TEST(test_mark),
        TEST(test_mark_without_content),
        TEST(test_mark_conflicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
