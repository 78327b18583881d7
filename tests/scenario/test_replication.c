/* Weeks of replication with scripted peers and scripted time. Nothing here sleeps, and nothing
 * opens a socket: probes, transfers and commits are events in a list, in order of time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/config_zones.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "syncd/replicate.h"
#include "tests/tools/config_fixture.h"
#include "tests/tools/journal_fixture.h"

#define S INT64_C(1000)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define PEERS 3
#define COMMIT_MS 3
#define STAGED_MAX 4096

/* ---- The world ---- */

struct peer {
    bool dead;       /* answers nothing */
    bool refuses;    /* transfers only */
    bool disowns;    /* says that it does not serve the zone */
    bool broken;     /* its content does not pass the checks */
    uint32_t serial; /* of all its zones */
    uint32_t refresh_s, retry_s, expire_s;
    int64_t latency_ms;
    int64_t transfer_ms;

    unsigned probes, transfers;                /* begun */
    unsigned running, most;                    /* transfers at the same time */
    unsigned most_in_a_second, in_this_second; /* probes */
    int64_t second;
};

enum event_kind { EVENT_PROBE, EVENT_TRANSFER, EVENT_COMMIT, EVENT_PUBLISH };

struct event {
    enum event_kind kind;
    int64_t at;
    uint64_t order;
    struct event *next;

    unsigned peer;
    uint8_t zone[NAME_MAX_OCTETS];
    probe_done_fn *probed;
    struct xfrin_events transfer;
    bool any_serial, has_newest, stage;
    struct serial newest;
    struct publish_spec publish;
    publish_done_fn *published;
    void *arg;
    struct commit_job *job;
};

struct stored {
    struct store_zone row;
    uint32_t fetched; /* serial of the transfer that waits for its commit */
};

struct world {
    int64_t ms;      /* monotonic */
    int64_t wall_ms; /* difference to the wall clock */
    int64_t alarm;   /* -1: none */
    uint64_t order;
    struct event *events; /* by time */

    struct peer peers[PEERS];
    struct stored *zones; /* the store */
    size_t zone_count, zone_cap;
    uint64_t commits[COMMIT_WRITE + 1];     /* by kind */
    bool full;                              /* the store's disk: nothing is taken */
    struct store_staged staged[STAGED_MAX]; /* of the only zone; by serial when they came: */
    size_t staged_count;
    int64_t came[STAGED_MAX], published[STAGED_MAX];

    unsigned probes_total;
    unsigned most_in_a_second, in_this_second;
    int64_t second;

    struct config *config;
    struct keyring *keys;
    struct replicator_ops ops;
    struct replicator *r;
};

static struct mono world_mono(void *ctx)
{
    return (struct mono){((struct world *)ctx)->ms};
}

static struct wall world_wall(void *ctx)
{
    struct world *w = ctx;

    return (struct wall){1700000000 + (w->ms + w->wall_ms) / S};
}

static void world_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 5, n);
}

static void event_put(struct world *w, struct event *e)
{
    struct event **at = &w->events;

    e->order = w->order++;
    while (*at && (*at)->at <= e->at)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
}

static void event_drop(struct world *w, struct event *e)
{
    struct event **at = &w->events;

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    free(e);
}

static struct stored *find_stored(struct world *w, const uint8_t *zone)
{
    for (size_t i = 0; i < w->zone_count; i++) {
        if (name_eq(w->zones[i].row.name, zone))
            return &w->zones[i];
    }
    return NULL;
}

/* Peers are 192.0.2.1, .2, .3. */
static unsigned peer_of(const struct addr *a)
{
    assert_in_range(a->ip[3], 1, PEERS);
    return a->ip[3] - 1u;
}

static void count_in_second(int64_t ms, int64_t *second, unsigned *n, unsigned *most)
{
    if (ms / S != *second) {
        *second = ms / S;
        *n = 0;
    }
    if (++*n > *most)
        *most = *n;
}

static void *world_probe(void *ctx, const struct probe_spec *spec, probe_done_fn *done, void *arg)
{
    struct world *w = ctx;
    struct event *e = xcalloc(1, sizeof(*e));
    struct peer *p;

    e->kind = EVENT_PROBE;
    e->peer = peer_of(&spec->address);
    p = &w->peers[e->peer];
    e->at = w->ms + (p->dead ? 3 * spec->timeout_ms : p->latency_ms);
    e->probed = done;
    e->arg = arg;
    p->probes++;
    w->probes_total++;
    count_in_second(w->ms, &w->second, &w->in_this_second, &w->most_in_a_second);
    count_in_second(w->ms, &p->second, &p->in_this_second, &p->most_in_a_second);
    event_put(w, e);
    return e;
}

static void *world_transfer(void *ctx, const struct xfrin_spec *spec,
                            const struct xfrin_events *events, void *arg)
{
    struct world *w = ctx;
    struct event *e = xcalloc(1, sizeof(*e));
    struct peer *p;

    e->kind = EVENT_TRANSFER;
    e->peer = peer_of(&spec->address);
    p = &w->peers[e->peer];
    e->at = w->ms + (p->dead ? spec->connect_ms : p->latency_ms + p->transfer_ms);
    (void)name_copy(e->zone, spec->zone);
    e->transfer = *events;
    e->any_serial = spec->any_serial;
    e->has_newest = spec->has_newest;
    e->newest = spec->newest;
    e->stage = spec->stage;
    e->arg = arg;
    p->transfers++;
    if (++p->running > p->most)
        p->most = p->running;
    event_put(w, e);
    return e;
}

static void world_cancel(void *ctx, void *handle)
{
    struct world *w = ctx;
    struct event *e = handle;

    if (e->kind == EVENT_TRANSFER)
        w->peers[e->peer].running--;
    event_drop(w, e);
}

static void world_commit(void *ctx, struct commit_job *job)
{
    struct world *w = ctx;
    struct event *e = xcalloc(1, sizeof(*e));

    e->kind = EVENT_COMMIT;
    e->at = w->ms + COMMIT_MS;
    e->job = job;
    event_put(w, e);
}

static void world_alarm(void *ctx, struct mono at)
{
    ((struct world *)ctx)->alarm = at.ms;
}

static enum err world_rows(void *ctx, store_zone_fn *f, void *arg, struct errinfo *e)
{
    struct world *w = ctx;
    enum err rc = OK;

    for (size_t i = 0; i < w->zone_count && rc == OK; i++)
        rc = f(arg, &w->zones[i].row, e);
    return rc;
}

static enum err world_fetched(void *ctx, const struct store_zone *row,
                              struct replicator_fetched *out, struct errinfo *e)
{
    struct stored *z = find_stored(ctx, row->name);

    if (!z || !z->fetched)
        return err_set(ERR_NOT_FOUND, e, "nothing was fetched");
    *out = (struct replicator_fetched){.serial = {z->fetched}};
    return OK;
}

static enum err world_staged(void *ctx, const struct store_zone *row, store_staged_fn *f, void *arg,
                             struct errinfo *e)
{
    struct world *w = ctx;

    (void)e;
    for (size_t i = 0; i < w->staged_count; i++) {
        if (w->staged[i].version > row->version)
            f(arg, &w->staged[i]);
    }
    return OK;
}

static void world_publish(void *ctx, const struct publish_spec *spec, publish_done_fn *done,
                          void *arg)
{
    struct world *w = ctx;
    struct event *e = xcalloc(1, sizeof(*e));

    e->kind = EVENT_PUBLISH;
    e->at = w->ms + 1;
    e->publish = *spec;
    e->published = done;
    e->arg = arg;
    event_put(w, e);
}

/* ---- What happens ---- */

static struct serial staged_serial(const struct world *w, uint64_t version)
{
    for (size_t i = 0; i < w->staged_count; i++) {
        if (w->staged[i].version == version)
            return w->staged[i].serial;
    }
    fail_msg("version %llu is not staged", (unsigned long long)version);
    return (struct serial){0};
}

static void happen_publish(struct world *w, struct event *e)
{
    struct publication p = {.rc = OK};
    struct serial serial = staged_serial(w, e->publish.version);

    p.job = commit_job_new(COMMIT_CHANGE, &e->publish.row);
    p.job->origin.kind = ORIGIN_RELEASE;
    (void)snprintf(p.job->origin.source, sizeof(p.job->origin.source), "%u", (unsigned)serial.v);
    if (e->publish.newest != e->publish.version) {
        struct line_set l = {0};

        line_set_add(&l, "example. 60 IN SOA ns.example. h.example. %u 2 3 4 5",
                     (unsigned)staged_serial(w, e->publish.newest).v);
        line_set_add(&l, "example. 60 IN NS ns.example.");
        p.rest = zone_of_lines("example.", &l);
        line_set_free(&l);
    }
    e->published(e->arg, &p);
    publication_done(&p);
}

/* The version is in the store, and waits. */
static void stage_put(struct world *w, struct commit_job *job, uint32_t fetched)
{
    struct serial serial = {job->new_zone ? zone_serial(job->new_zone).v : fetched};

    assert_true(w->staged_count < STAGED_MAX && serial.v < STAGED_MAX);
    job->row.staged_version = job->row.last_version;
    job->row.staged_rejected = false;
    w->staged[w->staged_count++] =
        (struct store_staged){job->row.last_version, serial, job->staged_since};
    if (!w->came[serial.v])
        w->came[serial.v] = w->ms;
}

static void happen_probe(struct world *w, struct event *e)
{
    struct peer *p = &w->peers[e->peer];
    struct probe_report report = {.outcome = p->dead ? PROBE_TIMEOUT : PROBE_SOA,
                                  .serial = {p->serial},
                                  .refresh_s = p->refresh_s,
                                  .retry_s = p->retry_s,
                                  .expire_s = p->expire_s,
                                  .transport = "udp"};

    if (p->dead)
        (void)err_set(ERR_TIMEOUT, &report.error, "no answer");
    else if (p->disowns)
        report = (struct probe_report){.outcome = PROBE_REFUSED, .error = {"it answers REFUSED"}};
    e->probed(e->arg, &report);
}

static enum transfer_outcome outcome_of(const struct peer *p, const struct event *e,
                                        const struct stored *z)
{
    if (p->dead || p->refuses || p->disowns)
        return TRANSFER_FAILED;
    if (p->broken)
        return TRANSFER_REFUSED;
    if (z->row.has_content && !z->row.held && z->row.serial.v == p->serial)
        return TRANSFER_SAME;
    if (!e->any_serial && e->has_newest &&
        serial_cmp((struct serial){p->serial}, e->newest) != SERIAL_NEWER)
        return TRANSFER_OLDER;
    return TRANSFER_NEW;
}

static void happen_transfer(struct world *w, struct event *e)
{
    struct peer *p = &w->peers[e->peer];
    struct stored *z = find_stored(w, e->zone);
    struct xfrin_result result = {.octets = 1000};
    bool whole = !p->dead && !p->refuses && !p->disowns;

    p->running--;
    result.row = z->row;
    result.staged = z->row.has_content && (e->stage || store_zone_is_staged(&z->row));
    result.report = (struct transfer_report){
        .outcome = outcome_of(p, e, z),
        .unserved = !p->dead && p->disowns,
        .has_soa = whole,
        .serial = {p->serial},
        .timers = {.refresh_s = p->refresh_s, .retry_s = p->retry_s, .expire_s = p->expire_s}};
    if (result.report.outcome == TRANSFER_NEW)
        z->fetched = p->serial;
    else
        (void)err_set(ERR_CLOSED, &result.error, "a scripted failure");
    if (whole)
        e->transfer.received(e->arg);
    e->transfer.done(e->arg, &result);
    xfrin_result_done(&result);
}

/* The store, as commit.c uses it. */
static void happen_commit(struct world *w, struct event *e)
{
    struct commit_job *job = e->job;
    size_t id = (size_t)job->row.id;
    struct stored *z =
        id && id <= w->zone_count ? &w->zones[id - 1] : find_stored(w, job->row.name);

    w->commits[job->kind]++;
    if (w->full) {
        job->rc = err_set(ERR_LIMIT, &job->error, "the disk is full");
    } else if (!z) {
        w->zones = xgrow(w->zones, &w->zone_cap, w->zone_count + 1, sizeof(*w->zones));
        z = &w->zones[w->zone_count++];
        *z = (struct stored){.row = job->row};
        z->row.id = job->row.id = (int64_t)w->zone_count;
    } else if (job->kind == COMMIT_STATE) {
        commit_copy_state(&z->row, &job->row);
    } else if (z->row.version != job->base.version || z->row.held != job->base.held ||
               z->row.expired != job->base.expired || z->row.removed != job->base.removed) {
        job->rc = err_set(ERR_CONFLICT, &job->error, "changed meanwhile");
    } else {
        if (job->kind == COMMIT_CHANGE) {
            job->row.version = ++job->row.last_version;
            job->row.serial.v = z->fetched;
            if (job->origin.kind == ORIGIN_RELEASE) {
                job->row.serial.v = (uint32_t)strtoul(job->origin.source, NULL, 10);
                w->published[job->row.serial.v] = w->ms;
            }
            job->row.has_content = true;
            job->row.expired = false;
        }
        if (job->kind == COMMIT_WAITING)
            job->row.last_version++;
        if (job->stage == COMMIT_STAGE_PUT)
            stage_put(w, job, z->fetched);
        z->row = job->row;
    }
    job->done(job->ctx, job);
    commit_job_free(job);
}

static void run_until(struct world *w, int64_t end)
{
    unsigned stuck = 0;

    for (;;) {
        struct event *e = w->events;
        int64_t before = w->ms;

        if (w->alarm >= 0 && (!e || w->alarm <= e->at)) {
            if (w->alarm > end)
                break;
            if (w->alarm > w->ms)
                w->ms = w->alarm;
            w->alarm = -1;
            replicator_run(w->r);
        } else if (e && e->at <= end) {
            w->ms = e->at > w->ms ? e->at : w->ms;
            w->events = e->next;
            switch (e->kind) {
            case EVENT_PROBE:
                happen_probe(w, e);
                break;
            case EVENT_TRANSFER:
                happen_transfer(w, e);
                break;
            case EVENT_COMMIT:
                happen_commit(w, e);
                break;
            case EVENT_PUBLISH:
                happen_publish(w, e);
                break;
            }
            free(e);
        } else {
            break;
        }
        stuck = w->ms == before ? stuck + 1 : 0;
        assert_true(stuck < 200000); /* time goes on */
    }
    if (w->ms < end)
        w->ms = end;
}

static void run_for(struct world *w, int64_t ms)
{
    run_until(w, w->ms + ms);
}

/* ---- Setting up ---- */

static struct config *make_config(const char *zones, const char *syncd)
{
    struct buf text = BUF_INIT;
    struct config *c;

    buf_printf(&text, "node = \"test\"\nsyncd { %s }\n", syncd);
    for (int i = 1; i <= PEERS; i++)
        buf_printf(&text, "primary p%d { address = \"192.0.2.%d\" }\n", i, i);
    buf_str(&text, zones);
    c = text_config(buf_cstr(&text));
    buf_free(&text);
    return c;
}

static void start(struct world *w)
{
    struct errinfo e;

    w->alarm = -1;
    w->ops.ctx = w;
    assert_int_equal(replicator_new(&w->r, &w->ops, w->config, w->keys, &e), OK);
}

/* `clock` must outlive the world. */
static void world_init(struct world *w, struct clock *clock, const char *zones, const char *syncd)
{
    *w = (struct world){.ms = 1000000, .alarm = -1};
    *clock =
        (struct clock){.mono = world_mono, .wall = world_wall, .random = world_random, .ctx = w};
    for (int i = 0; i < PEERS; i++)
        w->peers[i] = (struct peer){.serial = 100,
                                    .refresh_s = 3600,
                                    .retry_s = 600,
                                    .expire_s = 7 * 86400,
                                    .latency_ms = 20,
                                    .transfer_ms = 50};
    w->ops = (struct replicator_ops){.ctx = w,
                                     .clock = clock,
                                     .probe = world_probe,
                                     .probe_cancel = world_cancel,
                                     .transfer = world_transfer,
                                     .transfer_cancel = world_cancel,
                                     .commit = world_commit,
                                     .alarm = world_alarm,
                                     .rows = world_rows,
                                     .staged = world_staged,
                                     .publish = world_publish,
                                     .fetched = world_fetched};
    w->config = make_config(zones, syncd);
    assert_int_equal(keyring_load(&w->keys, w->config, NULL), OK);
    start(w);
}

static void stop(struct world *w)
{
    replicator_free(w->r);
    w->r = NULL;
    while (w->events) { /* what was submitted is still committed */
        struct event *e = w->events;

        w->events = e->next;
        if (e->kind == EVENT_PUBLISH) {
            happen_publish(w, e);
        } else {
            assert_int_equal(e->kind, EVENT_COMMIT);
            happen_commit(w, e);
        }
        free(e);
    }
}

static void world_done(struct world *w)
{
    stop(w);
    config_unref(w->config);
    keyring_unref(w->keys);
    free(w->zones);
}

static const uint8_t example[] = "\7example";
#define ONE "zone example { primaries = {p1} }\n"
#define TWO "zone example { primaries = {p1, p2} }\n"
#define THREE "zone example { primaries = {p1, p2, p3} }\n"

static struct store_zone *row(struct world *w)
{
    struct stored *z = find_stored(w, example);

    assert_non_null(z);
    return &z->row;
}

/* A NOTIFY from peer i; its rcode. */
static uint8_t notify(struct world *w, unsigned i, const uint8_t *zone, uint32_t serial)
{
    uint8_t rdata[22] = {0};
    uint8_t wire[512];
    struct buf reply = BUF_INIT;
    struct ho_frame m = {.transport = HO_UDP,
                         .source = {.ip = {192, 0, 2, (uint8_t)(i + 1)}, .port = 5353, .family = 4},
                         .wire = wire};
    uint8_t rcode = 255; /* dropped */

    put_u32(rdata + 2, serial);
    m.wire_len = (uint32_t)msg_build_notify(wire, sizeof(wire), 9, zone, serial ? rdata : NULL,
                                            sizeof(rdata), 0);
    replicator_message(w->r, &m, &reply);
    if (reply.len)
        rcode = reply.data[3] & 15;
    buf_free(&reply);
    return rcode;
}

/* ---- Stories ---- */

static void test_a_month_of_quiet(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, 10 * S);
    assert_true(row(&w)->has_content);
    assert_int_equal(row(&w)->serial.v, 100);
    assert_int_equal(w.peers[0].transfers, 1);
    run_for(&w, 30 * DAY);
    /* Every hour, up to a tenth earlier. */
    assert_in_range(w.peers[0].probes, 30 * 24 - 1, 30 * 24 * 10 / 9 + 1);
    assert_int_equal(w.peers[0].transfers, 1);
    assert_int_equal(w.commits[COMMIT_CHANGE], 1);
    assert_int_equal(row(&w)->failures, 0);

    w.peers[0].serial = 101; /* without a NOTIFY it takes a refresh */
    run_for(&w, HOUR);
    assert_int_equal(row(&w)->serial.v, 101);
    world_done(&w);
}

static void assert_next(const struct world *w, const char *want)
{
    char text[640];

    replicator_next(w->r, example, text, sizeof(text));
    assert_string_equal(text, want);
}

/* What comes next, in words, at each step of the way. */
static void test_next_in_words(void **state)
{
    struct world w;
    struct clock clock;
    struct errinfo e;
    int64_t due;
    char want[100], text[640];

    (void)state;
    world_init(&w, &clock, TWO, "");
    run_for(&w, 2 * COMMIT_MS);
    assert_next(&w, "transfer from p1, 192.0.2.1@53 is under way");
    run_for(&w, w.peers[0].latency_ms + w.peers[0].transfer_ms - COMMIT_MS);
    assert_next(&w, "a new version is being stored");
    run_for(&w, 2 * S);
    due = (row(&w)->next_check.s - world_wall(&w).s);
    assert_in_range(due, 3600 * 9 / 10 - 2, 3600);
    run_for(&w, (due - 200) * S);
    due = w.alarm - w.ms;
    (void)snprintf(want, sizeof(want), "SOA query to p1, 192.0.2.1@53 in 3 min %lld s",
                   (long long)((due + S - 1) / S - 180));
    assert_next(&w, want);
    w.peers[0].dead = w.peers[1].dead = true;
    assert_int_equal(replicator_refresh(w.r, example, &e), OK);
    assert_next(&w, "SOA query to p1, 192.0.2.1@53 is under way");
    run_for(&w, 5 * MINUTE);
    assert_int_equal(w.peers[1].probes, 1); /* both have failed */
    run_for(&w, 8 * DAY);
    assert_true(row(&w)->expired);
    assert_int_equal(replicator_retransfer(w.r, (const uint8_t *)"\5other", &e), ERR_NOT_FOUND);
    while (w.events)
        run_for(&w, S);
    replicator_next(w.r, example, text, sizeof(text));
    assert_non_null(strstr(text, "transfer from p"));
    assert_non_null(strstr(text, " in "));
    replicator_next(w.r, (const uint8_t *)"\5other", text, sizeof(text));
    assert_string_equal(text, "");
    world_done(&w);
}

static void test_notify_brings_a_change_at_once(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, 10 * MINUTE);
    for (uint32_t serial = 101; serial < 150; serial++) {
        w.peers[0].serial = serial;
        assert_int_equal(notify(&w, 0, example, serial), RCODE_NOERROR);
        run_for(&w, 200);
        assert_int_equal(row(&w)->serial.v, serial);
    }
    w.peers[0].serial = 150;
    assert_int_equal(notify(&w, 0, example, 0), RCODE_NOERROR); /* without a serial */
    run_for(&w, 700);
    assert_int_equal(row(&w)->serial.v, 150);
    assert_int_equal(notify(&w, 1, example, 151), RCODE_REFUSED);
    assert_int_equal(notify(&w, 0, (const uint8_t *)"\5other", 1), RCODE_NOTAUTH);
    world_done(&w);
}

static void test_a_thousand_notifies(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, 10 * MINUTE);
    w.peers[0].probes = w.peers[0].transfers = 0;
    w.peers[0].serial = 101;
    for (int i = 0; i < 1000; i++)
        (void)notify(&w, 0, example, 101);
    run_for(&w, 30 * S);
    assert_in_range(w.peers[0].probes, 1, 2);
    assert_int_equal(w.peers[0].transfers, 1);
    assert_int_equal(row(&w)->serial.v, 101);

    /* The same, spread over the time of a slow transfer. */
    w.peers[0].probes = w.peers[0].transfers = 0;
    w.peers[0].serial = 102;
    w.peers[0].transfer_ms = 2 * MINUTE;
    for (int i = 0; i < 1000; i++) {
        (void)notify(&w, 0, example, 102);
        run_for(&w, 100);
    }
    run_for(&w, 5 * MINUTE);
    assert_in_range(w.peers[0].probes, 1, 2);
    assert_int_equal(w.peers[0].transfers, 1);
    world_done(&w);
}

/* NOTIFY promises what the primary does not have, for an hour. */
static void test_notify_ahead_of_the_serial(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, 10 * MINUTE);
    w.peers[0].probes = w.peers[0].transfers = 0;
    for (int i = 0; i < 36000; i++) {
        (void)notify(&w, 0, example, 5000 + (uint32_t)i);
        run_for(&w, 100);
    }
    assert_int_equal(w.peers[0].transfers, 0);
    assert_in_range(w.peers[0].probes, 100, 3700); /* once a second at most */
    world_done(&w);
}

static void test_primary_down_and_up(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, DAY);
    w.peers[0].dead = true;
    w.peers[0].serial = 101;
    w.peers[0].probes = 0;
    run_for(&w, 2 * DAY);
    /* 600 s, doubled up to the refresh of an hour. */
    assert_in_range(w.peers[0].probes, 45, 58);
    assert_false(row(&w)->expired);
    assert_in_range(row(&w)->failures, 45, 58);
    assert_non_null(strstr(row(&w)->last_error, "p1: no answer"));
    w.peers[0].dead = false;
    run_for(&w, HOUR + S);
    assert_int_equal(row(&w)->serial.v, 101);
    assert_int_equal(row(&w)->failures, 0);
    assert_string_equal(row(&w)->last_error, "");
    world_done(&w);
}

static void test_expiry_and_recovery(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, DAY);
    w.peers[0].dead = true;
    run_for(&w, 7 * DAY - 2 * HOUR);
    assert_false(row(&w)->expired);
    run_for(&w, 3 * HOUR);
    assert_true(row(&w)->expired);
    assert_int_equal(w.commits[COMMIT_SERVED], 2); /* the new row, and this */
    w.peers[0].transfers = 0;
    run_for(&w, 7 * DAY);
    assert_in_range(w.peers[0].transfers, 900, 1200); /* every ten minutes */
    w.peers[0].dead = false;
    w.peers[0].serial = 7; /* set up anew, and began from the start */
    run_for(&w, 11 * MINUTE);
    assert_false(row(&w)->expired);
    assert_int_equal(row(&w)->serial.v, 7);

    /* Again, but it comes back with what it had. */
    w.peers[0].dead = true;
    run_for(&w, 9 * DAY);
    assert_true(row(&w)->expired);
    w.peers[0].dead = false;
    run_for(&w, 11 * MINUTE);
    assert_false(row(&w)->expired);
    run_for(&w, 30 * DAY);
    assert_false(row(&w)->expired);
    world_done(&w);
}

/* A month in which one primary after another is away for two days. */
static void test_expiry_while_the_disk_is_full(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, DAY);
    w.peers[0].dead = true;
    w.full = true;
    run_for(&w, 8 * DAY);
    assert_false(row(&w)->expired); /* it should be, but the store takes nothing */
    w.full = false;
    run_for(&w, HOUR);
    assert_true(row(&w)->expired);
    w.commits[COMMIT_SERVED] = 0;
    run_for(&w, DAY);
    assert_int_equal(w.commits[COMMIT_SERVED], 0); /* once is enough */
    w.peers[0].dead = false;
    run_for(&w, 11 * MINUTE);
    assert_false(row(&w)->expired);
    world_done(&w);
}

static void test_primaries_failing_in_turn(void **state)
{
    struct world w;
    struct clock clock;
    uint32_t serial = 100;

    (void)state;
    world_init(&w, &clock, THREE, "");
    run_for(&w, HOUR);
    for (int turn = 0; turn < 15; turn++) {
        for (int i = 0; i < PEERS; i++)
            w.peers[i].dead = i != turn % PEERS; /* only one is alive */
        serial++;
        for (int i = 0; i < PEERS; i++)
            w.peers[i].serial = serial;
        run_for(&w, 2 * DAY);
        assert_int_equal(row(&w)->serial.v, serial);
        assert_false(row(&w)->expired);
    }
    world_done(&w);
}

static void test_a_primary_that_is_behind(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, TWO, "");
    run_for(&w, HOUR);
    w.peers[0].serial = 99; /* restored from a backup, say */
    w.peers[1].dead = true;
    run_for(&w, 30 * DAY);
    assert_false(row(&w)->expired); /* it answers: RFC 1034 4.3.5 */
    assert_int_equal(row(&w)->serial.v, 100);
    assert_int_equal(w.commits[COMMIT_CHANGE], 1);
    w.peers[1].dead = false;
    w.peers[1].serial = 101;
    run_for(&w, 2 * HOUR);
    assert_int_equal(row(&w)->serial.v, 101);
    /* Nothing flips between them. */
    run_for(&w, 10 * DAY);
    assert_int_equal(row(&w)->serial.v, 101);
    assert_int_equal(w.commits[COMMIT_CHANGE], 2);
    world_done(&w);
}

static void test_content_that_is_refused(void **state)
{
    struct world w;
    struct clock clock;
    struct errinfo e;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, HOUR);
    w.peers[0].serial = 101;
    w.peers[0].broken = true;
    w.peers[0].transfers = 0;
    run_for(&w, 2 * DAY);
    assert_in_range(w.peers[0].transfers, 2, 9); /* its waits double */
    assert_int_equal(row(&w)->serial.v, 100);
    w.peers[0].transfers = 0;
    assert_int_equal(replicator_refresh(w.r, example, &e), OK); /* the operator asks */
    run_for(&w, S);
    assert_int_equal(w.peers[0].transfers, 1);
    w.peers[0].broken = false;
    w.peers[0].serial = 102;
    assert_int_equal(notify(&w, 0, example, 102), RCODE_NOERROR);
    run_for(&w, MINUTE + S);
    assert_int_equal(row(&w)->serial.v, 102);
    world_done(&w);
}

static void test_a_transfer_that_is_refused(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, TWO, "");
    run_for(&w, HOUR);
    w.peers[0].serial = w.peers[1].serial = 101;
    w.peers[0].refuses = true;
    run_for(&w, 2 * HOUR);
    assert_int_equal(row(&w)->serial.v, 101); /* from the other one */
    assert_string_equal(row(&w)->last_primary, "p2");
    world_done(&w);
}

static void test_restart_with_stored_timers(void **state)
{
    struct world w;
    struct clock clock;
    struct wall next;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, HOUR + 30 * MINUTE);
    next = row(&w)->next_check;
    stop(&w);
    w.ms = 50; /* the machine starts anew: monotonic time too */
    w.wall_ms = HOUR + 40 * MINUTE + 1000000;
    w.peers[0].probes = 0;
    start(&w);
    run_for(&w, (next.s - world_wall(&w).s - 5) * S);
    assert_int_equal(w.peers[0].probes, 0);
    run_for(&w, 10 * S);
    assert_int_equal(w.peers[0].probes, 1);
    assert_int_equal(w.peers[0].transfers, 1);
    world_done(&w);
}

/* The clock is ten years ahead at start: nothing expires that can be asked. */
static void test_clock_jumps(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, HOUR);
    w.wall_ms += 3650 * DAY; /* while we run */
    run_for(&w, 2 * HOUR);
    assert_false(row(&w)->expired);
    w.wall_ms -= 7300 * DAY;
    run_for(&w, 2 * HOUR);
    assert_false(row(&w)->expired);

    stop(&w);
    w.wall_ms += 7300 * DAY;
    start(&w);
    run_for(&w, MINUTE);
    assert_false(row(&w)->expired);

    stop(&w);
    w.wall_ms += 3650 * DAY;
    w.peers[0].dead = true; /* now nobody can say otherwise */
    start(&w);
    run_for(&w, S);
    assert_false(row(&w)->expired);
    run_for(&w, MINUTE);
    assert_true(row(&w)->expired);
    w.peers[0].dead = false;
    run_for(&w, 11 * MINUTE);
    assert_false(row(&w)->expired);
    world_done(&w);
}

/* Thousands of zones that expire are thousands of lines; ends with hush(saved). */
static int hush(int saved)
{
    int was = -1;
    int null;

    if (saved >= 0) {
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        assert_int_equal(close(saved), 0);
        return -1;
    }
    was = dup(STDERR_FILENO);
    null = open("/dev/null", O_WRONLY);
    assert_true(was >= 0 && null >= 0);
    assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(null), 0);
    return was;
}

static char *many_zones(unsigned n)
{
    struct buf b = BUF_INIT;

    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "zone z%u.example { primaries = {p%u} }\n", i, i % 2 + 1);
    (void)buf_cstr(&b);
    return (char *)b.data;
}

/* Ten thousand zones, all due at start, and one of two primaries dead. */
static void test_storm_at_start(void **state)
{
    enum { ZONES = 10000 };
    struct world w;
    struct clock clock;
    char *zones = many_zones(ZONES);
    struct sched_counts queues;
    struct errinfo e;
    int64_t asked_at;
    int err;

    (void)state;
    world_init(&w, &clock, "", "probe-rate = 200");
    config_unref(w.config);
    stop(&w);
    w.config = make_config(zones, "probe-rate = 200");
    w.zones = xcalloc(ZONES, sizeof(*w.zones));
    w.zone_count = w.zone_cap = ZONES;
    for (size_t i = 0; i < ZONES; i++) {
        char name[32];
        struct store_zone *z = &w.zones[i].row;

        (void)snprintf(name, sizeof(name), "z%zu.example", i);
        *z = (struct store_zone){.id = (int64_t)i + 1,
                                 .kind = ZONE_SECONDARY,
                                 .source = SOURCE_CONFIG,
                                 .has_content = true,
                                 .serial = {100},
                                 .version = 1,
                                 .last_version = 1,
                                 .next_check = {1},
                                 .expires_at = {1600000000},
                                 .last_success = {1500000000}};
        assert_int_equal(name_from_text(z->name, name, strlen(name), NULL, NULL), OK);
    }
    w.peers[1].dead = true;
    start(&w);
    run_for(&w, 5 * S);

    /* A NOTIFY never waits behind routine. */
    w.peers[0].serial = 101;
    assert_int_equal(notify(&w, 0, w.zones[9998].row.name, 101), RCODE_NOERROR);
    asked_at = w.ms;
    while (w.zones[9998].row.serial.v != 101 && w.ms < asked_at + S)
        run_for(&w, 10);
    assert_in_range(w.ms - asked_at, 1, 300);

    /* And an operator not behind the NOTIFYs of hundreds of zones. */
    for (size_t i = 4000; i < 5000; i += 2)
        (void)notify(&w, 0, w.zones[i].row.name, 101);
    replicator_queues(w.r, &queues);
    assert_true(queues.lanes[WORK_PROBE][LANE_URGENT] > 200);
    asked_at = w.ms;
    assert_int_equal(replicator_refresh(w.r, w.zones[9996].row.name, &e), OK);
    while (w.zones[9996].row.serial.v != 101 && w.ms < asked_at + S)
        run_for(&w, 10);
    assert_in_range(w.ms - asked_at, 1, 400);
    replicator_queues(w.r, &queues);
    assert_true(queues.lanes[WORK_PROBE][LANE_URGENT] > 100);
    w.peers[0].serial = 100;

    err = hush(-1);
    run_for(&w, 10 * MINUTE);
    (void)hush(err);
    assert_in_range(w.most_in_a_second, 1, 200 + 21); /* the rate and what was saved up */
    for (size_t i = 0; i < ZONES; i++)
        assert_int_equal(w.zones[i].row.expired, i % 2); /* those that could not be asked */
    w.peers[1].dead = false;
    run_for(&w, 20 * MINUTE);
    for (size_t i = 0; i < ZONES; i++)
        assert_false(w.zones[i].row.expired);
    assert_in_range(w.peers[1].most, 1, 2); /* transfers at the same time */
    assert_in_range(w.most_in_a_second, 1, 200 + 21);
    free(zones);
    world_done(&w);
}

/* The section of the only zone, n times. */
static void config_multiply(struct config *c, unsigned n)
{
    struct config_zone *zones = xcalloc(n, sizeof(*zones));

    for (unsigned i = 0; i < n; i++) {
        zones[i] = (struct config_zone){.name = xasprintf("z%u.example", i),
                                        .primaries = xcalloc(1, sizeof(int)),
                                        .primary_count = 1,
                                        .catalog_group = xstrdup(""),
                                        .refresh_min_s = c->zones[0].refresh_min_s,
                                        .refresh_max_s = c->zones[0].refresh_max_s,
                                        .retry_min_s = c->zones[0].retry_min_s,
                                        .retry_max_s = c->zones[0].retry_max_s};
        zones[i].primaries[0] = (int)(i % PEERS);
    }
    for (size_t i = 0; i < c->zone_count; i++)
        config_zone_done(&c->zones[i]);
    free(c->zones);
    c->zones = zones;
    c->zone_count = n;
}

/* A node with a hundred thousand zones comes back after a day: all are due, none is asked for
 * before its turn, each once, and later rounds are spread. */
static void test_calm_start_of_a_fleet(void **state)
{
    enum { ZONES = 100000, RATE = 500, RATE_EACH = 200 };
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, "", "");
    stop(&w);
    config_unref(w.config);
    w.config = make_config(ONE, "probe-rate = 500\nprobe-rate-per-primary = 200");
    config_multiply(w.config, ZONES);
    w.zones = xcalloc(ZONES, sizeof(*w.zones));
    w.zone_count = w.zone_cap = ZONES;
    for (size_t i = 0; i < ZONES; i++) {
        const char *name = w.config->zones[i].name;
        struct store_zone *z = &w.zones[i].row;
        struct wall now = world_wall(&w);

        *z = (struct store_zone){.id = (int64_t)i + 1,
                                 .kind = ZONE_SECONDARY,
                                 .source = SOURCE_CONFIG,
                                 .has_content = true,
                                 .serial = {100},
                                 .version = 1,
                                 .last_version = 1,
                                 .next_check = {now.s - 86400},
                                 .last_success = {now.s - 90000},
                                 .expires_at = {now.s + 86400}};
        assert_int_equal(name_from_text(z->name, name, strlen(name), NULL, NULL), OK);
    }
    start(&w);
    run_for(&w, ZONES / RATE * S * 9 / 10);
    assert_in_range(w.probes_total, ZONES * 8 / 10, ZONES - 1); /* not before their turn, */
    run_for(&w, ZONES / RATE * S * 3 / 10);
    assert_int_equal(w.probes_total, ZONES); /* and each once */
    assert_in_range(w.most_in_a_second, RATE - 10, RATE + RATE / 10 + 1);
    for (unsigned i = 0; i < PEERS; i++) {
        assert_in_range(w.peers[i].probes, ZONES / PEERS, ZONES / PEERS + 1);
        assert_in_range(w.peers[i].most_in_a_second, 1, RATE_EACH + RATE_EACH / 10 + 1);
        assert_int_equal(w.peers[i].transfers, 0);
    }
    w.most_in_a_second = 0;
    run_for(&w, 2 * HOUR);
    assert_in_range(w.probes_total, 2 * ZONES, 4 * ZONES);
    assert_in_range(w.most_in_a_second, 1, RATE * 9 / 10); /* they have drifted apart */
    for (size_t i = 0; i < ZONES; i++)
        assert_int_equal(w.zones[i].row.failures, 0);
    assert_int_equal(w.commits[COMMIT_CHANGE] + w.commits[COMMIT_SERVED], 0);
    world_done(&w);
}

static void test_first_transfers_of_many(void **state)
{
    enum { ZONES = 2000 };
    struct world w;
    struct clock clock;
    char *zones = many_zones(ZONES);

    (void)state;
    world_init(&w, &clock, zones, "transfers-in = 3\ntransfers-per-primary = 2");
    w.peers[1].transfer_ms = 10;
    run_for(&w, 2 * MINUTE);
    for (size_t i = 0; i < ZONES; i++)
        assert_true(w.zones[i].row.has_content);
    assert_in_range(w.peers[0].most, 1, 2);
    assert_in_range(w.peers[1].most, 1, 2);
    assert_int_equal(w.peers[0].transfers, ZONES / 2);
    assert_int_equal(w.zone_count, ZONES);
    free(zones);
    world_done(&w);
}

static void test_held_zone(void **state)
{
    struct world w;
    struct clock clock;
    struct store_zone held;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, MINUTE);
    w.peers[0].serial = 101;
    run_for(&w, HOUR);
    assert_int_equal(row(&w)->serial.v, 101);

    /* An operator rolls back to version 1 and holds it. */
    held = *row(&w);
    held.version = held.last_version = 3;
    held.serial.v = 100;
    held.held = true;
    held.held_version = 1;
    *row(&w) = held;
    replicator_row_changed(w.r, &held);
    w.peers[0].transfers = 0;
    run_for(&w, DAY);
    assert_int_equal(w.peers[0].transfers, 0); /* 101 is known here already */
    w.peers[0].serial = 102;
    run_for(&w, HOUR);
    assert_int_equal(w.peers[0].transfers, 1);
    assert_int_equal(w.commits[COMMIT_WAITING], 1);
    assert_int_equal(row(&w)->serial.v, 100);
    assert_true(row(&w)->held);
    assert_int_equal(row(&w)->last_version, 4);

    /* It survives a restart: 102 is not fetched again. */
    stop(&w);
    start(&w);
    run_for(&w, 3 * HOUR);
    assert_int_equal(w.peers[0].transfers, 1);
    w.peers[0].dead = true; /* and it does not expire */
    run_for(&w, 30 * DAY);
    assert_false(row(&w)->expired);
    w.peers[0].dead = false;

    /* Released without anything waiting: what the primary has comes at once. */
    held = *row(&w);
    held.held = false;
    *row(&w) = held;
    replicator_row_changed(w.r, &held);
    run_for(&w, S);
    assert_int_equal(row(&w)->serial.v, 102);
    world_done(&w);
}

/* ---- Versions that wait for their time ---- */

#define STAGED                                                                                     \
    "zone example { primaries = {p1} stage-time = 10m refresh-max = 1m refresh-min = 1m }"

static void test_a_version_waits_for_its_time(void **state)
{
    struct world w;
    struct clock clock;
    char next[256];

    (void)state;
    world_init(&w, &clock, STAGED, "");
    run_for(&w, MINUTE);
    assert_int_equal(row(&w)->serial.v, 100); /* the first one has nothing to wait for */
    w.peers[0].serial = 101;
    run_for(&w, 5 * MINUTE);
    assert_true(store_zone_is_staged(row(&w)));
    replicator_next(w.r, example, next, sizeof(next));
    assert_non_null(strstr(next, "version v2 is served at "));
    w.wall_ms += 400 * DAY; /* the wall clock jumps, either way */
    run_for(&w, 2 * MINUTE);
    w.wall_ms -= 800 * DAY;
    run_for(&w, MINUTE);
    assert_int_equal(row(&w)->serial.v, 100);
    stop(&w); /* and its time goes on over a restart */
    start(&w);
    run_for(&w, w.came[101] + 10 * MINUTE - w.ms - S);
    assert_int_equal(row(&w)->serial.v, 100);
    run_for(&w, 2 * S);
    assert_int_equal(row(&w)->serial.v, 101);
    assert_false(store_zone_is_staged(row(&w)));
    assert_int_equal(w.peers[0].transfers, 2);
    world_done(&w);
}

/* The monotonic clock begins anew: nobody knows how long it was, so it waits as long as ever. */
static void test_a_reboot_publishes_nothing_early(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, STAGED, "");
    run_for(&w, MINUTE);
    w.peers[0].serial = 101;
    run_for(&w, 9 * MINUTE);
    stop(&w);
    w.ms = 500;
    start(&w);
    run_for(&w, 10 * MINUTE - S);
    assert_int_equal(row(&w)->serial.v, 100);
    run_for(&w, 2 * S);
    assert_int_equal(row(&w)->serial.v, 101);
    world_done(&w);
}

static void test_a_zone_that_always_changes_is_served_late_but_served(void **state)
{
    struct world w;
    struct clock clock;
    uint32_t served = 0;

    (void)state;
    world_init(&w, &clock, STAGED, "");
    run_for(&w, MINUTE);
    for (uint32_t i = 1; i <= 600; i++) {
        w.peers[0].serial = 100 + i;
        run_for(&w, MINUTE);
        if (i % 100 == 0) { /* nothing of it is lost by restarts */
            stop(&w);
            start(&w);
        }
    }
    for (uint32_t s = 101; s < 701; s++) {
        if (!w.published[s])
            continue;
        served++;
        assert_true(w.published[s] - w.came[s] >= 10 * MINUTE);
        assert_true(w.published[s] - w.came[s] <= 12 * MINUTE);
    }
    assert_in_range(served, 50, 65); /* one in ten minutes: those in between are passed over */
    assert_true(row(&w)->serial.v >= 670);
    run_for(&w, 12 * MINUTE);
    assert_int_equal(row(&w)->serial.v, 700);
    world_done(&w);
}

static void test_a_hold_and_an_expiry_keep_what_waits(void **state)
{
    struct world w;
    struct clock clock;
    struct store_zone held;

    (void)state;
    world_init(&w, &clock, STAGED, "");
    w.peers[0].refresh_s = w.peers[0].retry_s = 60;
    w.peers[0].expire_s = 300;
    w.peers[0].serial = 100;
    run_for(&w, 5 * MINUTE);
    w.peers[0].serial = 101;
    run_for(&w, 2 * MINUTE);
    assert_true(store_zone_is_staged(row(&w)));
    held = *row(&w);
    held.held = true; /* with what it serves */
    *row(&w) = held;
    replicator_row_changed(w.r, &held);
    run_for(&w, HOUR);
    assert_int_equal(row(&w)->serial.v, 100);
    held = *row(&w);
    held.held = false;
    *row(&w) = held;
    replicator_row_changed(w.r, &held);
    run_for(&w, S);
    assert_int_equal(row(&w)->serial.v, 101);

    w.peers[0].serial = 102;
    run_for(&w, 2 * MINUTE);
    w.peers[0].dead = true;
    run_for(&w, HOUR);
    assert_true(row(&w)->expired); /* a version of which no primary says anything is not served */
    assert_int_equal(row(&w)->serial.v, 101);
    world_done(&w);
}

static void test_a_rejected_one_is_not_fetched_again(void **state)
{
    struct world w;
    struct clock clock;
    struct store_zone rejected;

    (void)state;
    world_init(&w, &clock, STAGED, "");
    run_for(&w, MINUTE);
    w.peers[0].serial = 101;
    run_for(&w, 2 * MINUTE);
    rejected = *row(&w);
    rejected.staged_rejected = true;
    *row(&w) = rejected;
    replicator_row_changed(w.r, &rejected);
    run_for(&w, HOUR);
    stop(&w);
    start(&w);
    run_for(&w, HOUR);
    assert_int_equal(row(&w)->serial.v, 100);
    assert_int_equal(w.peers[0].transfers, 2);
    w.peers[0].serial = 102;
    run_for(&w, 12 * MINUTE);
    assert_int_equal(row(&w)->serial.v, 102);
    world_done(&w);
}

static void test_a_shorter_time_holds_at_once(void **state)
{
    struct world w;
    struct clock clock;
    struct config *c;

    (void)state;
    world_init(&w, &clock, STAGED, "");
    run_for(&w, MINUTE);
    w.peers[0].serial = 101;
    run_for(&w, 3 * MINUTE);
    c = make_config("zone example { primaries = {p1} refresh-max = 1m refresh-min = 1m }", "");
    replicator_reload(w.r, c, w.keys);
    config_unref(w.config);
    w.config = c;
    run_for(&w, S);
    assert_int_equal(row(&w)->serial.v, 101);
    world_done(&w);
}

static void test_retransfer_takes_any_serial(void **state)
{
    struct world w;
    struct clock clock;
    struct errinfo e;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, MINUTE);
    w.peers[0].serial = 50;
    run_for(&w, DAY);
    assert_int_equal(row(&w)->serial.v, 100);
    assert_int_equal(replicator_retransfer(w.r, example, &e), OK);
    run_for(&w, S);
    assert_int_equal(row(&w)->serial.v, 50);
    assert_int_equal(replicator_retransfer(w.r, (const uint8_t *)"\4none", &e), ERR_NOT_FOUND);
    world_done(&w);
}

/* The zone is changed in the store between a transfer and its commit. */
static void test_conflict_with_an_operator(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, MINUTE);
    w.peers[0].serial = 101;
    w.peers[0].transfer_ms = 10000;
    assert_int_equal(notify(&w, 0, example, 101), RCODE_NOERROR);
    run_for(&w, 10021); /* received, its commit is on the way */
    row(&w)->held = true;
    run_for(&w, 1);
    replicator_row_changed(w.r, row(&w));
    w.peers[0].transfer_ms = 50;
    run_for(&w, 10 * S);
    assert_true(row(&w)->held);
    assert_int_equal(row(&w)->serial.v, 100);
    assert_int_equal(w.commits[COMMIT_WAITING], 1);
    world_done(&w);
}

static void reload(struct world *w, const char *zones)
{
    struct config *c = make_config(zones, "");

    replicator_reload(w->r, c, w->keys);
    config_unref(w->config);
    w->config = c;
}

#define ONE_OTHERWISE "zone example { primaries = {p1} retry-min = 61s }\n"

/* The schedule begins anew from what the store has, which is not the expiry yet. */
static void test_reload_before_an_expiry_is_stored(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, DAY);
    w.peers[0].dead = true;
    w.full = true;
    run_for(&w, 8 * DAY);
    assert_false(row(&w)->expired);
    reload(&w, ONE_OTHERWISE);
    run_for(&w, DAY);
    reload(&w, ONE);
    w.full = false;
    run_for(&w, HOUR);
    assert_true(row(&w)->expired);
    w.peers[0].dead = false;
    run_for(&w, 11 * MINUTE);
    assert_false(row(&w)->expired);
    world_done(&w);
}

/* The same with the commit on its way: the new schedule hears of it. */
static void test_reload_while_an_expiry_is_stored(void **state)
{
    struct world w;
    struct clock clock;
    const struct event *e = NULL;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, DAY);
    w.peers[0].dead = true;
    run_for(&w, 6 * DAY);
    while (!e) {
        run_for(&w, 1);
        for (e = w.events; e && !(e->kind == EVENT_COMMIT && e->job->row.expired);)
            e = e->next;
    }
    reload(&w, ONE_OTHERWISE);
    assert_false(row(&w)->expired);
    run_for(&w, HOUR);
    assert_true(row(&w)->expired);
    w.peers[0].dead = false;
    run_for(&w, 11 * MINUTE);
    assert_false(row(&w)->expired);
    world_done(&w);
}

/* authd may be all that is left a moment later: the deadline is stored with the version. */
static void test_deadline_comes_with_the_version(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_init(&w, &clock, ONE, "");
    while (!find_stored(&w, example))
        run_for(&w, 1);
    for (uint32_t serial = 100; serial < 103; serial++) {
        while (row(&w)->serial.v != serial || !row(&w)->has_content) {
            assert_int_equal(row(&w)->version, serial - 100);
            run_for(&w, 1);
        }
        assert_int_equal(row(&w)->expires_at.s, row(&w)->last_success.s + 7 * 86400);
        assert_in_range(row(&w)->last_success.s, world_wall(&w).s - 1, world_wall(&w).s);
        run_for(&w, MINUTE);
        w.peers[0].serial = serial + 1;
        assert_int_equal(notify(&w, 0, example, serial + 1), RCODE_NOERROR);
    }
    world_done(&w);
}

static void test_reload(void **state)
{
    struct world w;
    struct clock clock;
    struct replicator_status status;
    struct errinfo e;
    unsigned probes;

    (void)state;
    world_init(&w, &clock, ONE, "");
    run_for(&w, MINUTE);
    probes = w.peers[0].probes;
    reload(&w, ONE "zone second { primaries = {p2} }\n");
    run_for(&w, MINUTE);
    assert_int_equal(w.peers[0].probes, probes); /* nothing changed for it */
    assert_true(find_stored(&w, (const uint8_t *)"\6second")->row.has_content);

    reload(&w, "zone second { primaries = {p2} }\n");
    run_for(&w, S);
    assert_true(row(&w)->removed);
    assert_int_equal(notify(&w, 0, example, 101), RCODE_NOTAUTH);
    assert_int_equal(replicator_refresh(w.r, example, &e), ERR_NOT_FOUND);
    w.peers[2].serial = 103;
    reload(&w, "zone example { primaries = {p3} }\n");
    run_for(&w, MINUTE);
    assert_false(row(&w)->removed);
    assert_true(find_stored(&w, (const uint8_t *)"\6second")->row.removed);
    assert_int_equal(row(&w)->serial.v, 103); /* new primaries are asked at once */
    assert_int_equal(replicator_status(w.r, example, &status, &e), OK);
    assert_string_equal(status.doing, "waiting");
    assert_true(status.configured);

    /* In the middle of a transfer, of a probe, of a commit, and back and forth. */
    w.peers[2].transfer_ms = 500;
    for (int i = 0; i < 200; i++) {
        w.peers[2].serial++;
        (void)notify(&w, 2, example, w.peers[2].serial);
        run_for(&w, i * 5);
        reload(&w, i % 2 ? ONE : "zone example { primaries = {p3} refresh-min = 31s }\n");
        if (i % 3 == 0)
            reload(&w, "");
        if (i % 4 == 0)
            run_for(&w, 2);
        reload(&w, "zone example { primaries = {p3} }\n");
    }
    w.peers[2].transfer_ms = 50;
    run_for(&w, 2 * HOUR);
    assert_int_equal(row(&w)->serial.v, w.peers[2].serial);
    assert_false(row(&w)->removed);
    world_done(&w);
}

/* A zone that was imported is not taken over. */
static void test_imported_zone(void **state)
{
    struct world w;
    struct clock clock;
    struct errinfo e;

    (void)state;
    world_init(&w, &clock, "", "");
    stop(&w);
    w.zones = xcalloc(1, sizeof(*w.zones));
    w.zone_count = w.zone_cap = 1;
    w.zones[0].row = (struct store_zone){.id = 1,
                                         .name = "\7example",
                                         .kind = ZONE_LOCAL,
                                         .source = SOURCE_OPERATOR,
                                         .has_content = true,
                                         .version = 1,
                                         .last_version = 1};
    config_unref(w.config);
    w.config = make_config(ONE, "");
    start(&w);
    run_for(&w, DAY);
    assert_int_equal(w.probes_total, 0);
    assert_int_equal(w.peers[0].transfers, 0);
    assert_int_equal(row(&w)->kind, ZONE_LOCAL);
    assert_int_equal(replicator_refresh(w.r, example, &e), ERR_CONFLICT);
    world_done(&w);
}

#define SECTIONS                                                                                   \
    "secondary s1 { address = \"192.0.2.9\" }\n"                                                   \
    "zone example { primaries = {p1} secondaries = {s1} }\n"                                       \
    "zone own.test { secondaries = {s1} }\n"                                                       \
    "zone named.auto.test { primaries = {p2} }\n"                                                  \
    "autoprimary customer { primaries = {p1} nameservers = {ns.test} secondaries = {s1} }\n"

/* Which section of the configuration holds for a zone: its own, or that of who brought it. */
static void test_sections(void **state)
{
    static const uint8_t capitals[] = "\7EXAMPLE", own[] = "\3own\4test", none[] = "\4none\4test";
    static const uint8_t other[] = "\3www\7example", brought[] = "\1a\4auto\4test";
    static const uint8_t named[] = "\5named\4auto\4test", lost[] = "\4lost\4auto\4test";
    const uint8_t *const names[] = {brought, named, lost};
    const char *const accounts[] = {"customer", "customer", "nobody"};
    struct world w;
    struct clock clock;
    struct errinfo e;

    (void)state;
    world_init(&w, &clock, "", "");
    stop(&w);
    w.zones = xcalloc(3, sizeof(*w.zones));
    w.zone_count = w.zone_cap = 3;
    for (size_t i = 0; i < 3; i++) {
        struct store_zone *r = &w.zones[i].row;

        *r = (struct store_zone){.id = (int64_t)i + 1,
                                 .kind = ZONE_SECONDARY,
                                 .source = SOURCE_AUTOPRIMARY,
                                 .has_content = true,
                                 .version = 1,
                                 .last_version = 1};
        (void)name_copy(r->name, names[i]);
        (void)snprintf(r->account, sizeof(r->account), "%s", accounts[i]);
    }
    config_unref(w.config);
    w.config = make_config(SECTIONS, "");
    start(&w);
    assert_ptr_equal(replicator_section(w.r, example), &w.config->zones[0]);
    assert_ptr_equal(replicator_section(w.r, capitals), &w.config->zones[0]);
    assert_ptr_equal(replicator_section(w.r, own), &w.config->zones[1]); /* not imported yet */
    assert_ptr_equal(replicator_section(w.r, brought), &w.config->autoprimaries[0].zone);
    assert_ptr_equal(replicator_section(w.r, named), &w.config->zones[2]);
    assert_null(replicator_section(w.r, lost));
    assert_null(replicator_section(w.r, none));
    assert_null(replicator_section(w.r, other));
    assert_int_equal(replicator_refresh(w.r, own, &e), ERR_NOT_FOUND);
    reload(&w, ONE);
    assert_ptr_equal(replicator_section(w.r, example), &w.config->zones[0]);
    assert_null(replicator_section(w.r, own));
    assert_null(replicator_section(w.r, brought));
    world_done(&w);
}

/* Stopped at every moment of a busy minute, with work of all kinds under way. */
/* ---- Zones that came by themselves ---- */

#define BROUGHT "autoprimary a { primaries = {p1, p2} nameservers = {\"ns\"} }\n"
#define ORPHANS "orphan-after = 2d "

/* A zone that an autoprimary brought a while ago, and that has content. */
static void world_with_brought(struct world *w, struct clock *clock, const char *syncd)
{
    struct store_zone z = {.id = 1,
                           .kind = ZONE_SECONDARY,
                           .source = SOURCE_AUTOPRIMARY,
                           .account = "a",
                           .has_content = true,
                           .serial = {100},
                           .version = 1,
                           .last_version = 1};

    world_init(w, clock, BROUGHT, syncd);
    stop(w);
    (void)name_copy(z.name, example);
    w->zones = xgrow(w->zones, &w->zone_cap, 1, sizeof(*w->zones));
    w->zones[0] = (struct stored){.row = z};
    w->zone_count = 1;
    start(w);
    run_for(w, HOUR);
    assert_int_equal(row(w)->failures, 0);
}

static void disown(struct world *w, bool disowns)
{
    w->peers[0].disowns = w->peers[1].disowns = disowns;
}

static void restart(struct world *w)
{
    stop(w);
    w->wall_ms += w->ms;
    w->ms = 1000; /* monotonic time starts anew */
    start(w);
}

static void test_orphan(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_with_brought(&w, &clock, ORPHANS);
    disown(&w, true);
    run_for(&w, 2 * DAY - HOUR);
    assert_false(row(&w)->orphan);
    assert_true(row(&w)->unserved_since.s != 0);
    run_for(&w, 4 * HOUR);
    assert_true(row(&w)->orphan);
    assert_int_equal(replicator_orphans(w.r), 1);
    assert_false(row(&w)->expired || row(&w)->removed); /* it lives as long as its SOA says */
    restart(&w);
    assert_int_equal(replicator_orphans(w.r), 1);
    run_for(&w, 8 * DAY);
    assert_true(row(&w)->expired && row(&w)->orphan && !row(&w)->removed);
    disown(&w, false); /* a good answer ends all of it */
    run_for(&w, HOUR);
    assert_false(row(&w)->expired || row(&w)->orphan);
    assert_int_equal(row(&w)->unserved_since.s, 0);
    assert_int_equal(replicator_orphans(w.r), 0);
    world_done(&w);
}

/* The time counts over restarts; what is away for long counts little, since the clock may lie. */
static void test_orphan_over_restarts(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_with_brought(&w, &clock, ORPHANS);
    disown(&w, true);
    run_for(&w, DAY - HOUR);
    restart(&w);
    run_for(&w, 20 * HOUR);
    assert_false(row(&w)->orphan);
    restart(&w);
    run_for(&w, 10 * HOUR);
    assert_true(row(&w)->orphan);
    disown(&w, false);
    run_for(&w, DAY);
    disown(&w, true);
    run_for(&w, 2 * HOUR);
    stop(&w);
    w.wall_ms += 3650 * DAY;
    start(&w);
    run_for(&w, 8 * HOUR);
    assert_false(row(&w)->orphan);
    run_for(&w, DAY);
    assert_true(row(&w)->orphan);
    world_done(&w);
}

/* Silence is no answer: neither does it begin the time, nor does it end it. All must say so. */
static void test_no_orphan(void **state)
{
    struct world w;
    struct clock clock;

    (void)state;
    world_with_brought(&w, &clock, ORPHANS);
    w.peers[0].expire_s = w.peers[1].expire_s = 90 * 86400;
    run_for(&w, 2 * HOUR);
    w.peers[0].disowns = true;
    run_for(&w, 6 * DAY); /* the other one serves it */
    assert_int_equal(row(&w)->unserved_since.s, 0);
    w.peers[1].dead = true;
    run_for(&w, 5 * DAY); /* is silent */
    assert_int_equal(row(&w)->unserved_since.s, 0);
    w.peers[1].dead = false;
    w.peers[1].disowns = true;
    run_for(&w, 30 * HOUR);
    assert_true(row(&w)->unserved_since.s != 0);
    w.peers[1].dead = true;
    run_for(&w, 30 * HOUR);
    assert_true(row(&w)->unserved_since.s != 0);
    w.peers[1].dead = w.peers[1].disowns = false;
    w.peers[1].refuses = true; /* transfers; it says that the zone is its own */
    w.peers[1].serial = 101;
    run_for(&w, 5 * HOUR);
    assert_int_equal(row(&w)->unserved_since.s, 0);
    assert_false(row(&w)->orphan);
    world_done(&w);

    world_init(&w, &clock, ONE, ORPHANS); /* a zone of the configuration is nobody's orphan */
    run_for(&w, HOUR);
    disown(&w, true);
    run_for(&w, 5 * DAY);
    assert_false(row(&w)->orphan);
    world_done(&w);
}

static void test_orphan_is_removed(void **state)
{
    struct world w;
    struct clock clock;
    uint32_t probes;

    (void)state;
    world_with_brought(&w, &clock, ORPHANS "orphan-remove = 3d");
    disown(&w, true);
    run_for(&w, 5 * DAY - HOUR);
    assert_true(row(&w)->orphan && !row(&w)->removed);
    w.full = true; /* what cannot be stored is tried again */
    run_for(&w, 6 * HOUR);
    assert_false(row(&w)->removed);
    w.full = false;
    run_for(&w, 6 * HOUR);
    assert_true(row(&w)->removed);
    assert_int_equal(w.commits[COMMIT_MARK] >= 2, true);
    assert_int_equal(replicator_orphans(w.r), 0);
    probes = w.probes_total;
    run_for(&w, 5 * DAY);
    assert_int_equal(w.probes_total, probes); /* nobody looks after it any more */
    restart(&w);
    run_for(&w, DAY);
    assert_int_equal(w.probes_total, probes);
    world_done(&w);
}

/* By its catalog, say, while other things happen to the zone. */
static void test_remove(void **state)
{
    const struct origin origin = {.kind = ORIGIN_CATALOG, .who = "cat"};
    struct world w;
    struct clock clock;
    struct errinfo e;

    (void)state;
    world_with_brought(&w, &clock, "");
    assert_int_equal(replicator_remove(w.r, (const uint8_t *)"\4none", &origin, &e), ERR_NOT_FOUND);
    w.peers[0].serial = 101;
    assert_int_equal(notify(&w, 0, example, 101), RCODE_NOERROR);
    while (w.commits[COMMIT_CHANGE] == 0 && !w.events) /* until its transfer's commit is due */
        run_for(&w, 1);
    assert_int_equal(replicator_remove(w.r, example, &origin, &e), OK);
    assert_int_equal(replicator_remove(w.r, example, &origin, &e), OK); /* once is enough */
    run_for(&w, MINUTE);
    assert_true(row(&w)->removed);
    assert_int_equal(replicator_remove(w.r, example, &origin, &e), ERR_NOT_FOUND);
    assert_int_equal(notify(&w, 2, example, 102), RCODE_NOTAUTH);
    world_done(&w);

    world_init(&w, &clock, ONE, "");
    run_for(&w, HOUR);
    assert_int_equal(replicator_remove(w.r, example, &origin, &e), ERR_CONFLICT);
    world_done(&w);
}

static void test_stop_at_any_moment(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 400; at += 7) {
        struct world w;
        struct clock clock;

        world_init(&w, &clock, TWO, "");
        run_for(&w, at);
        w.peers[1].serial = 101;
        if (find_stored(&w, example))
            (void)notify(&w, 1, example, 101);
        run_for(&w, at / 2);
        replicator_free(w.r); /* cancels what runs */
        w.r = NULL;
        while (w.events) {
            struct event *e = w.events;

            assert_int_equal(e->kind, EVENT_COMMIT);
            w.events = e->next;
            happen_commit(&w, e);
            free(e);
        }
        config_unref(w.config);
        keyring_unref(w.keys);
        free(w.zones);
    }
}

static int quiet(void **state)
{
    (void)state;
    log_init("test", getenv("ZL_TEST_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_month_of_quiet),
        cmocka_unit_test(test_next_in_words),
        cmocka_unit_test(test_notify_brings_a_change_at_once),
        cmocka_unit_test(test_a_thousand_notifies),
        cmocka_unit_test(test_notify_ahead_of_the_serial),
        cmocka_unit_test(test_primary_down_and_up),
        cmocka_unit_test(test_expiry_and_recovery),
        cmocka_unit_test(test_expiry_while_the_disk_is_full),
        cmocka_unit_test(test_primaries_failing_in_turn),
        cmocka_unit_test(test_a_primary_that_is_behind),
        cmocka_unit_test(test_content_that_is_refused),
        cmocka_unit_test(test_a_transfer_that_is_refused),
        cmocka_unit_test(test_restart_with_stored_timers),
        cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_storm_at_start),
        cmocka_unit_test(test_calm_start_of_a_fleet),
        cmocka_unit_test(test_first_transfers_of_many),
        cmocka_unit_test(test_held_zone),
        cmocka_unit_test(test_a_version_waits_for_its_time),
        cmocka_unit_test(test_a_reboot_publishes_nothing_early),
        cmocka_unit_test(test_a_zone_that_always_changes_is_served_late_but_served),
        cmocka_unit_test(test_a_hold_and_an_expiry_keep_what_waits),
        cmocka_unit_test(test_a_rejected_one_is_not_fetched_again),
        cmocka_unit_test(test_a_shorter_time_holds_at_once),
        cmocka_unit_test(test_retransfer_takes_any_serial),
        cmocka_unit_test(test_conflict_with_an_operator),
        cmocka_unit_test(test_reload_before_an_expiry_is_stored),
        cmocka_unit_test(test_reload_while_an_expiry_is_stored),
        cmocka_unit_test(test_deadline_comes_with_the_version),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_imported_zone),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_orphan_over_restarts),
        cmocka_unit_test(test_no_orphan),
        cmocka_unit_test(test_orphan_is_removed),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_stop_at_any_moment),
    };

    return cmocka_run_group_tests_name("scenario/replication", tests, quiet, NULL);
}
