/* The way of a change inside syncd, with the real store and journal in a temporary directory:
 * import, change, rollback, hold, waiting versions, release; each commit found again by its names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "syncd/journaler.h"
#include "syncd/operate.h"
#include "syncd/verify.h"

static const uint8_t zone_name[] = "\3own\7example";

/* Of the operator in the story at hand. */
static enum config_rollback_serial serial_wish = CONFIG_ROLLBACK_EXACT;
static struct hold_rule rule_wish;

struct world {
    char dir[32];
    struct store_readers *readers;
    struct loop *loop;
    struct committer *committer;
    struct journaler *journaler;
    struct commit_job last; /* a copy without what it owned */
    uint64_t hinted;
};

static void on_hint(void *ctx, uint64_t seq, const struct commit_job *jobs)
{
    (void)jobs;
    struct world *w = ctx;

    w->hinted = seq;
    if (w->journaler)
        journaler_wake(w->journaler);
}

static void on_done(void *ctx, struct commit_job *job)
{
    struct world *w = ctx;

    w->last = *job;
    loop_stop(w->loop);
}

static enum err commit(struct world *w, struct commit_job *job)
{
    job->done = on_done;
    job->ctx = w;
    commit_submit(w->committer, job);
    loop_run(w->loop);
    return w->last.rc;
}

static void start(struct world *w)
{
    struct errinfo e = {{0}};

    assert_int_equal(loop_new(&w->loop, clock_real(), 1, &e), OK);
    if (committer_start(&w->committer, w->loop, w->dir, clock_real(), 1u << 20, on_hint, w, &e) ||
        journaler_start(&w->journaler, w->committer, w->dir, "test", NULL, NULL, &e))
        fail_msg("%s", e.text);
}

static void stop(struct world *w)
{
    journaler_stop(w->journaler);
    w->journaler = NULL;
    committer_stop(w->committer);
    loop_free(w->loop);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int make_world(void **state)
{
    serial_wish = CONFIG_ROLLBACK_EXACT;
    rule_wish = (struct hold_rule){.has_serial = false};
    struct world *w = calloc(1, sizeof(*w));

    log_init("test", LOG_ERROR, LOG_TEXT);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/zl-operate-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    w->readers = store_readers_new(w->dir);
    start(w);
    *state = w;
    return 0;
}

static int drop_world(void **state)
{
    struct world *w = *state;

    store_readers_free(w->readers);
    stop(w);
    (void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

/* ---- What an operator does ---- */

static struct operator_act act(const char *reason)
{
    return (struct operator_act){.who = "tester",
                                 .reason = reason,
                                 .serial = serial_wish,
                                 .rule = rule_wish,
                                 .now = clock_wall(clock_real())};
}

static const struct import_wish forward = {.serial = CONFIG_SERIAL_INCREMENT};

static enum err get_row(struct history *h, struct store_zone *row)
{
    enum err rc = store_zone_get(h->store, zone_name, row, NULL);

    if (rc == ERR_NOT_FOUND) {
        *row = (struct store_zone){.kind = ZONE_LOCAL, .source = SOURCE_OPERATOR};
        (void)name_copy(row->name, zone_name);
    }
    return rc;
}

static enum err import(struct world *w, const char *text, struct errinfo *e)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act("because");
    enum err rc;

    assert_int_equal(history_open(&h, w->readers, e), OK);
    (void)get_row(&h, &row);
    rc = operate_import(&job, &h, &row, "own.zone", text, strlen(text), &forward, NULL, &a, e);
    history_close(&h);
    return rc ? rc : commit(w, job);
}

static void import_ok(struct world *w, const char *text)
{
    struct errinfo e = {{0}};

    if (import(w, text, &e) != OK)
        fail_msg("%s%s", e.text, w->last.error.text);
}

static enum err rollback(struct world *w, const char *to, struct errinfo *e)
{
    struct history h;
    struct store_zone row;
    struct store_version target;
    struct commit_job *job = NULL;
    struct operator_act a = act("undo");
    enum err rc;

    assert_int_equal(history_open(&h, w->readers, e), OK);
    assert_int_equal(get_row(&h, &row), OK);
    rc = operate_rollback(&job, &target, &h, &row, to, &a, e);
    history_close(&h);
    return rc ? rc : commit(w, job);
}

/* What a transfer does: new content, served or waiting. */
static void transfer(struct world *w, const char *text, enum commit_kind kind)
{
    struct history h;
    struct store_zone row;
    struct store_zone stored;
    struct commit_job *job = NULL;
    struct operator_act a = act("");
    struct zone *base = NULL;
    struct errinfo e = {{0}};

    assert_int_equal(history_open(&h, w->readers, &e), OK);
    (void)get_row(&h, &row);
    stored = row;
    row.kind = ZONE_LOCAL; /* operate_import parses for us; the kind is put right below */
    if (operate_import(&job, &h, &row, "x", text, strlen(text), &forward, NULL, &a, &e) != OK)
        fail_msg("%s", e.text);
    if (kind == COMMIT_WAITING && store_zone_load_waiting(&base, h.store, &row, &e) == OK) {
        changeset_free(job->changes);
        assert_int_equal(zone_diff(&job->changes, base, job->new_zone, &e), OK);
        zone_unref(base);
    }
    history_close(&h);
    job->kind = kind;
    job->base = stored;
    job->row.kind = ZONE_SECONDARY;
    job->row.source = SOURCE_CONFIG;
    job->row.held = row.held;
    job->origin.kind = ORIGIN_AXFR;
    if (commit(w, job) != OK)
        fail_msg("%s", w->last.error.text);
}

static char *served(struct world *w)
{
    struct history h;
    struct store_zone row;
    struct zone *z = NULL;
    struct buf text = BUF_INIT;

    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    assert_int_equal(get_row(&h, &row), OK);
    assert_int_equal(store_zone_load(&z, h.store, &row, NULL), OK);
    zone_to_text(&text, z);
    (void)buf_cstr(&text);
    zone_unref(z);
    history_close(&h);
    return (char *)text.data;
}

static void assert_served(struct world *w, const char *part)
{
    char *text = served(w);

    if (!strstr(text, part))
        fail_msg("'%s' is not in\n%s", part, text);
    free(text);
}

static void wait_for_journal(struct world *w)
{
    struct store *s = NULL;
    uint64_t n = 1;

    assert_int_equal(store_open_reader(&s, w->dir, NULL), OK);
    for (int i = 0; i < 2000 && n > 0; i++) {
        assert_int_equal(store_unjournaled_count(s, &n, NULL), OK);
        if (n > 0)
            (void)usleep(5000);
    }
    store_close(s);
    assert_int_equal(n, 0);
}

static void assert_verified(struct world *w)
{
    struct history h;
    struct verify_report r = {.faults = NULL};
    struct errinfo e = {{0}};

    wait_for_journal(w);
    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    if (verify_run(&r, &h, &(struct verify_wish){.key_count = 0}, &e) != OK)
        fail_msg("%s", e.text);
    if (r.fault_count)
        fail_msg("%s %s", r.faults[0].zone, r.faults[0].text);
    verify_report_free(&r);
    history_close(&h);
}

#define ZONE(serial, address)                                                                      \
    "$TTL 300\n@ SOA ns host " serial " 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\nwww A "       \
    "" address "\n"

/* ---- Stories ---- */

static void our_own_zone_goes_forward(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};

    import_ok(w, ZONE("10", "192.0.2.10"));
    assert_int_equal(w->last.row.serial.v, 10);
    assert_int_equal(w->hinted, w->last.seq);

    import_ok(w, ZONE("5", "192.0.2.11")); /* an older serial in the file: ours goes forward */
    assert_int_equal(w->last.row.serial.v, 11);
    import_ok(w, ZONE("40", "192.0.2.12")); /* a newer one is taken */
    assert_int_equal(w->last.row.serial.v, 40);
    assert_int_equal(import(w, ZONE("41", "192.0.2.12"), &e), ERR_EXISTS);

    assert_int_equal(rollback(w, "v1", &e), OK);
    assert_int_equal(w->last.row.serial.v, 41);
    assert_false(w->last.row.held);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.10\n");
    assert_int_equal(rollback(w, "10", &e), ERR_EXISTS);
    assert_verified(w);
}

static void a_wrong_file_changes_nothing(void **state)
{
    static const struct {
        const char *text;
        enum err rc;
        const char *says;
    } cases[] = {
        {"@ SOA a b 1 2 3 4 5\n@ 300 NS ns\nwww 300 A 192.0.2.999\n", ERR_FORMAT, "own.zone:3:"},
        {"@ 300 NS ns\n", ERR_CHECK, "SOA"},
        {"@ 300 SOA a b 1 2 3 4 5\n", ERR_CHECK, "NS"},
        {"@ 300 SOA a b 1 2 3 4 5\n@ NS ns\nother.test. A 192.0.2.1\n", ERR_CHECK, "other.test."},
        {"@ 300 SOA a b 1 2 3 4 5\n@ NS ns\nc CNAME d\nc A 192.0.2.1\n", ERR_CHECK, "CNAME"},
        {"", ERR_CHECK, ""},
    };
    struct world *w = *state;

    import_ok(w, ZONE("10", "192.0.2.10"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct errinfo e = {{0}};

        assert_int_equal(import(w, cases[i].text, &e), cases[i].rc);
        if (!strstr(e.text, cases[i].says))
            fail_msg("case %zu: '%s' does not say '%s'", i, e.text, cases[i].says);
    }
    assert_served(w, "192.0.2.10");
    assert_verified(w);
}

static void a_zone_from_a_primary_is_held_until_release(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act("mended");

    transfer(w, ZONE("1", "192.0.2.1"), COMMIT_CHANGE);
    transfer(w, ZONE("2", "192.0.2.2"), COMMIT_CHANGE);
    assert_int_equal(rollback(w, "1", &e), OK);
    assert_true(w->last.row.held);
    assert_int_equal(w->last.row.serial.v, 1);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.1\n");

    transfer(w, ZONE("3", "192.0.2.3"), COMMIT_WAITING);
    transfer(w, ZONE("4", "192.0.2.4"), COMMIT_WAITING);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.1\n");
    assert_verified(w);

    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    assert_int_equal(get_row(&h, &row), OK);
    assert_int_equal(operate_release(&job, &h, &row, &a, &e), OK);
    history_close(&h);
    assert_int_equal(commit(w, job), OK);
    assert_false(w->last.row.held);
    assert_int_equal(w->last.row.serial.v, 4);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.4\n");
    assert_verified(w);
}

static enum err hold(struct world *w, const char *reason, struct errinfo *e)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act(reason);
    enum err rc;

    assert_int_equal(history_open(&h, w->readers, e), OK);
    assert_int_equal(get_row(&h, &row), OK);
    rc = operate_hold(&job, &row, &a, e);
    history_close(&h);
    return rc ? rc : commit(w, job);
}

static enum err release(struct world *w, const struct config_guards *by_rule,
                        struct guard_verdict *verdict, struct errinfo *e)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act("mended");
    enum err rc;

    assert_int_equal(history_open(&h, w->readers, e), OK);
    assert_int_equal(get_row(&h, &row), OK);
    rc = by_rule ? operate_release_by_rule(
                       &job, verdict, &h, &row,
                       &(struct guard_spec){.guards = by_rule, .now = clock_wall(clock_real())},
                       "until noon", e)
                 : operate_release(&job, &h, &row, &a, e);
    history_close(&h);
    return rc ? rc : commit(w, job);
}

static void our_series_goes_ahead_until_theirs_overtakes_it(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};

    serial_wish = CONFIG_ROLLBACK_AUTO;
    transfer(w, ZONE("1", "192.0.2.1"), COMMIT_CHANGE);
    transfer(w, ZONE("2", "192.0.2.2"), COMMIT_CHANGE);
    assert_int_equal(rollback(w, "v1", &e), OK);
    assert_int_equal(w->last.row.serial.v, 3);
    assert_true(w->last.row.ours && w->last.row.theirs.v == 1);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.1\n");
    assert_int_equal(rollback(w, "1", &e), ERR_EXISTS);
    /* An exact rollback goes back, one under ours goes on behind all that was served. */
    serial_wish = CONFIG_ROLLBACK_EXACT;
    assert_int_equal(rollback(w, "v2", &e), OK);
    assert_true(w->last.row.serial.v == 2 && !w->last.row.ours);
    serial_wish = CONFIG_ROLLBACK_LOCAL;
    assert_int_equal(rollback(w, "v1", &e), OK);
    assert_true(w->last.row.serial.v == 4 && w->last.row.theirs.v == 1);
    assert_verified(w);

    transfer(w, ZONE("5", "192.0.2.5"), COMMIT_WAITING);
    assert_int_equal(release(w, NULL, NULL, &e), OK);
    assert_true(w->last.row.serial.v == 5 && !w->last.row.ours && !w->last.row.held);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.5\n");
    assert_verified(w);
}

#define SIGNATURE                                                                                  \
    "@ RRSIG SOA 13 2 300 20400101000000 20200101000000 1 @ "                                      \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
#define DIGEST                                                                                     \
    "@ ZONEMD 1 1 1 "                                                                              \
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"   \
    "000000\n"

static void what_bears_no_other_serial_goes_back_as_it_was(void **state)
{
    static const char *const records[] = {SIGNATURE, DIGEST};
    struct world *w = *state;
    struct errinfo e = {{0}};
    char text[1024];

    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof(text), "%s%s",
                       i ? ZONE("20", "192.0.2.1") : ZONE("10", "192.0.2.1"), records[i]);
        transfer(w, text, COMMIT_CHANGE);
        transfer(w, i ? ZONE("21", "192.0.2.2") : ZONE("11", "192.0.2.2"), COMMIT_CHANGE);
        serial_wish = CONFIG_ROLLBACK_LOCAL;
        assert_int_equal(rollback(w, i ? "20" : "10", &e), ERR_CHECK);
        assert_non_null(strstr(e.text, i ? "digest" : "signed"));
        serial_wish = CONFIG_ROLLBACK_AUTO;
        assert_int_equal(rollback(w, i ? "20" : "10", &e), OK);
        assert_int_equal(w->last.row.serial.v, i ? 20 : 10);
        assert_false(w->last.row.ours);
        assert_int_equal(release(w, NULL, NULL, &e), OK);
    }
    assert_verified(w);
}

static void a_hold_needs_no_rollback_and_ends_by_its_rule(void **state)
{
    struct config_guards strict = {.shrink_percent = 10, .shrink_records = 1};
    struct world *w = *state;
    struct guard_verdict verdict;
    struct errinfo e = {{0}};

    transfer(w, ZONE("1", "192.0.2.1") "a A 192.0.2.7\nb A 192.0.2.8\n", COMMIT_CHANGE);
    rule_wish = (struct hold_rule){.has_serial = true, .serial = {2}};
    assert_int_equal(hold(w, "let us see", &e), OK);
    assert_true(w->last.row.held && w->last.row.held_version == 1);
    assert_true(w->last.row.hold_has_serial && w->last.row.hold_serial.v == 2);
    assert_int_equal(hold(w, "", &e), ERR_EXISTS);
    rule_wish = (struct hold_rule){.until = {clock_wall(clock_real()).s - 1}};
    assert_int_equal(hold(w, "", &e), ERR_FORMAT);
    rule_wish.until.s += 3600;
    assert_int_equal(hold(w, "", &e), OK);
    assert_true(!w->last.row.hold_has_serial && w->last.row.hold_until.s == rule_wish.until.s);
    assert_string_equal(w->last.row.held_reason, "let us see");

    transfer(w, ZONE("2", "192.0.2.2"), COMMIT_WAITING);
    assert_int_equal(release(w, &strict, &verdict, &e), ERR_CHECK);
    assert_true(verdict.quarantine && strstr(e.text, "records left"));
    assert_served(w, "192.0.2.7");
    transfer(w, ZONE("3", "192.0.2.3") "a A 192.0.2.7\nb A 192.0.2.8\n", COMMIT_WAITING);
    assert_int_equal(release(w, &strict, &verdict, &e), OK);
    assert_true(w->last.row.serial.v == 3 && !w->last.row.held && w->last.row.hold_until.s == 0);
    assert_string_equal(w->last.origin.who, "tester");
    assert_string_equal(w->last.origin.reason, "by rule, until noon; held: let us see");
    assert_verified(w);
}

static void versions_have_many_names(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};
    struct history h;
    struct store_zone row;
    struct store_version v;
    struct wall now = clock_wall(clock_real());
    char hex[9];
    static const char *const bad[] = {"",           "x",       "v",       "v9",         "77",
                                      "4294967296", "abcdef0", "waiting", "1999-01-01", "3x ago",
                                      "HEAD",       "..",      "v1 "};

    import_ok(w, ZONE("10", "192.0.2.10"));
    import_ok(w, ZONE("11", "192.0.2.11"));
    wait_for_journal(w);
    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    assert_int_equal(get_row(&h, &row), OK);
    assert_int_equal(history_find(&v, &h, &row, "v1", now, &e), OK);
    assert_int_equal(v.serial.v, 10);
    (void)snprintf(hex, sizeof(hex), "%02x%02x%02x%02x", v.oid[0], v.oid[1], v.oid[2], v.oid[3]);
    if (strspn(hex, "0123456789") < 8) { /* all digits would be a serial */
        assert_int_equal(history_find(&v, &h, &row, hex, now, &e), OK);
        assert_int_equal(v.version, 1);
    }
    assert_int_equal(history_find(&v, &h, &row, "11", now, &e), OK);
    assert_int_equal(v.version, 2);
    assert_int_equal(history_find(&v, &h, &row, "current", now, &e), OK);
    assert_int_equal(v.version, 2);
    now.s += 3600;
    assert_int_equal(history_find(&v, &h, &row, "30m ago", now, &e), OK);
    assert_int_equal(v.version, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        e.text[0] = 0;
        if (history_find(&v, &h, &row, bad[i], now, &e) == OK)
            fail_msg("'%s' names version %llu", bad[i], (unsigned long long)v.version);
        assert_true(e.text[0] != 0);
    }
    history_close(&h);
}

static void the_journal_catches_up_after_a_restart(void **state)
{
    struct world *w = *state;

    journaler_stop(w->journaler);
    w->journaler = NULL;
    import_ok(w, ZONE("1", "192.0.2.1"));
    import_ok(w, ZONE("2", "192.0.2.2"));
    import_ok(w, ZONE("3", "192.0.2.3"));
    committer_stop(w->committer);
    loop_free(w->loop);
    start(w);
    assert_verified(w);
    stop(w);
    start(w); /* and once more, with nothing to do */
    assert_verified(w);
}

static void a_change_made_for_an_older_version_is_refused(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act("");
    const char *text = ZONE("2", "192.0.2.2");

    import_ok(w, ZONE("1", "192.0.2.1"));
    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    assert_int_equal(get_row(&h, &row), OK);
    assert_int_equal(
        operate_import(&job, &h, &row, "f", text, strlen(text), &forward, NULL, &a, &e), OK);
    history_close(&h);
    import_ok(w, ZONE("3", "192.0.2.3"));
    assert_int_equal(commit(w, job), ERR_CONFLICT);
    assert_served(w, "192.0.2.3");
    assert_verified(w);
}

/* A zone from a primary that failed, and was then taken out of the configuration. */
static void remove_failing(struct world *w)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job;

    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    assert_int_equal(get_row(&h, &row), OK);
    history_close(&h);
    job = commit_job_new(COMMIT_SERVED, &row);
    job->row.removed = true;
    job->row.failures = 3;
    job->row.has_primary_serial = true;
    job->row.primary_serial = (struct serial){7};
    job->row.expires_at = job->row.next_check = (struct wall){1000};
    (void)snprintf(job->row.last_error, sizeof(job->row.last_error), "primary: timeout");
    (void)snprintf(job->row.last_primary, sizeof(job->row.last_primary), "primary");
    job->owns_state = true;
    assert_int_equal(commit(w, job), OK);
}

static void an_import_forgets_the_troubles_with_primaries(void **state)
{
    struct world *w = *state;
    const struct store_zone *row = &w->last.row;

    transfer(w, ZONE("1", "192.0.2.1"), COMMIT_CHANGE);
    remove_failing(w);
    assert_int_equal(row->failures, 3);
    import_ok(w, ZONE("2", "192.0.2.2"));
    assert_int_equal(row->kind, ZONE_LOCAL);
    assert_false(row->removed);
    assert_int_equal(row->failures, 0);
    assert_string_equal(row->last_error, "");
    assert_string_equal(row->last_primary, "");
    assert_false(row->has_primary_serial);
    assert_int_equal(row->next_check.s, 0);
    assert_int_equal(row->expires_at.s, 0);
    assert_verified(w);
}

/* Removes (or with a version, or "", brings back) the zone as an operator does; the row must say
 * that it came by itself, if it is from a primary. */
static enum err remove_zone(struct world *w, struct errinfo *e)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act("moved away");
    enum err rc;

    assert_int_equal(history_open(&h, w->readers, e), OK);
    assert_int_equal(get_row(&h, &row), OK);
    history_close(&h);
    rc = operate_remove(&job, &row, &a, e);
    return rc ? rc : commit(w, job);
}

static enum err undelete(struct world *w, const char *to, struct errinfo *e)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act a = act("back again");
    enum err rc;

    assert_int_equal(history_open(&h, w->readers, e), OK);
    assert_int_equal(get_row(&h, &row), OK);
    rc = operate_undelete(&job, &h, &row, to, &a, e);
    history_close(&h);
    return rc ? rc : commit(w, job);
}

static void our_own_zone_goes_and_comes_back(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};

    import_ok(w, ZONE("10", "192.0.2.10"));
    import_ok(w, ZONE("20", "192.0.2.20"));
    assert_int_equal(undelete(w, "", &e), ERR_CONFLICT);
    assert_int_equal(remove_zone(w, &e), OK);
    assert_true(w->last.row.removed);
    assert_int_equal(w->last.row.version, 3); /* a commit of its own */
    assert_int_equal(remove_zone(w, &e), ERR_CONFLICT);
    assert_verified(w);
    assert_int_equal(undelete(w, "", &e), OK);
    assert_false(w->last.row.removed);
    assert_int_equal(w->last.row.serial.v, 20); /* what secondaries have is right still */
    assert_served(w, "192.0.2.20");
    assert_int_equal(remove_zone(w, &e), OK);
    assert_int_equal(undelete(w, "v1", &e), OK);
    assert_int_equal(w->last.row.serial.v, 21); /* other content: they must follow */
    assert_served(w, "www.own.example. 300 IN A 192.0.2.10\n");
    assert_int_equal(remove_zone(w, &e), OK);
    assert_int_equal(undelete(w, "v77", &e), ERR_NOT_FOUND);
    assert_int_equal(undelete(w, "21", &e), OK); /* the last content by name */
    assert_int_equal(w->last.row.serial.v, 21);
    assert_verified(w);
}

static void set_source(struct world *w, enum zone_source source)
{
    struct history h;
    struct store_zone row;
    struct commit_job *job;

    assert_int_equal(history_open(&h, w->readers, NULL), OK);
    assert_int_equal(get_row(&h, &row), OK);
    history_close(&h);
    job = commit_job_new(COMMIT_SERVED, &row);
    job->row.source = source;
    job->row.expired = true;
    job->row.orphan = true;
    job->row.expires_at.s = 5;
    (void)snprintf(job->row.account, sizeof(job->row.account), "customer");
    job->owns_state = true;
    assert_int_equal(commit(w, job), OK);
}

static void a_zone_that_came_by_itself_goes_and_comes_back(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};
    int64_t now = clock_wall(clock_real()).s;

    transfer(w, ZONE("1", "192.0.2.1"), COMMIT_CHANGE);
    transfer(w, ZONE("2", "192.0.2.2"), COMMIT_CHANGE);
    assert_int_equal(remove_zone(w, &e), ERR_CONFLICT); /* it stands in the configuration */
    set_source(w, SOURCE_CATALOG);
    assert_int_equal(remove_zone(w, &e), ERR_CONFLICT);
    set_source(w, SOURCE_AUTOPRIMARY);
    assert_int_equal(remove_zone(w, &e), OK);
    set_source(w, SOURCE_CATALOG);
    assert_int_equal(undelete(w, "", &e), ERR_CONFLICT); /* it would go again */
    set_source(w, SOURCE_AUTOPRIMARY);
    assert_int_equal(undelete(w, "", &e), OK);
    assert_int_equal(w->last.row.source, SOURCE_AUTOPRIMARY);
    assert_string_equal(w->last.row.account, "customer");
    assert_false(w->last.row.held || w->last.row.expired || w->last.row.orphan);
    assert_true(w->last.row.expires_at.s >= now + 86400); /* time to find its primaries */
    assert_int_equal(w->last.row.serial.v, 2);
    assert_int_equal(remove_zone(w, &e), OK);
    assert_int_equal(undelete(w, "1", &e), OK);
    assert_true(w->last.row.held); /* or the next refresh would bring the newest one */
    assert_int_equal(w->last.row.serial.v, 1);
    assert_served(w, "www.own.example. 300 IN A 192.0.2.1\n");
    assert_verified(w);
}

static void a_removed_zone_is_not_rolled_back(void **state)
{
    struct world *w = *state;
    struct errinfo e = {{0}};

    transfer(w, ZONE("1", "192.0.2.1"), COMMIT_CHANGE);
    transfer(w, ZONE("2", "192.0.2.2"), COMMIT_CHANGE);
    remove_failing(w);
    assert_int_equal(rollback(w, "v1", &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "removed"));
    assert_served(w, "192.0.2.2");
    assert_verified(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(our_own_zone_goes_forward, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_wrong_file_changes_nothing, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_zone_from_a_primary_is_held_until_release, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(our_series_goes_ahead_until_theirs_overtakes_it, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(what_bears_no_other_serial_goes_back_as_it_was, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(a_hold_needs_no_rollback_and_ends_by_its_rule, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(versions_have_many_names, make_world, drop_world),
        cmocka_unit_test_setup_teardown(the_journal_catches_up_after_a_restart, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(a_change_made_for_an_older_version_is_refused, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(an_import_forgets_the_troubles_with_primaries, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(our_own_zone_goes_and_comes_back, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_zone_that_came_by_itself_goes_and_comes_back, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(a_removed_zone_is_not_rolled_back, make_world, drop_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
