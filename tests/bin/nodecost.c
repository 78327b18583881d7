/* What store and journal cost together: the writer's thread and the journal's thread of syncd, as
 * they are, and changes that come from here.
 *
 *   nodecost DIR ZONES RECORDS CHANGES GROUP RATE
 *
 * Makes so many zones in a new store below DIR, then so many one-record changes, each in the zone
 * whose turn it is, GROUP of them in a transaction, RATE a second (0: as fast as they go). Prints
 * how many a second are durable in the store and in both, how far the journal was behind at most,
 * how long transactions took, and while the journal merged packs. The node that is left can be
 * started.
 */
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/commit.h"
#include "syncd/journaler.h"
#include "tests/tools/bench_zones.h"
#include "tests/tools/config_fixture.h"

#define FILL_GROUP 1000
#define LOG_BYTES (UINT64_C(4) << 30)
#define SAMPLE_NS 5000000

static const struct origin origin = {.kind = ORIGIN_IXFR,
                                     .who = "192.0.2.1@53",
                                     .source = "192.0.2.1@53",
                                     .key = "transfer.example.net.",
                                     .transport = "tcp"};

struct subject {
    struct store_zone row;
    struct zone *zone;
};

struct bench {
    struct subject *zones;
    unsigned zone_count, next;
    uint64_t records;
    struct loop *loop;
    struct committer *committer;
    struct journaler *journaler;

    pthread_mutex_t lock; /* guards those below, up to the next line */
    uint64_t *made_ns;    /* when a change was durable in the store, by its seq less first_seq */
    uint64_t first_seq, last_seq;

    bool ending; /* guarded likewise */
    uint64_t lag_max_ns, behind_max, merges;
};

static uint64_t now_ns(void)
{
    return clock_mono_ns(clock_real());
}

/* ---- Zones ---- */

static void fill(struct bench *n, const char *dir)
{
    struct store *s = NULL;
    struct errinfo e = {0};

    bench_must(store_open_writer(&s, dir, &e), &e);
    for (unsigned i = 0; i < n->zone_count; i++) {
        struct subject *t = &n->zones[i];

        if (i % FILL_GROUP == 0)
            bench_must(store_begin(s, &e), &e);
        t->row = (struct store_zone){.kind = ZONE_SECONDARY, .source = SOURCE_CONFIG};
        bench_zone_name(t->row.name, i);
        t->zone = bench_zone(t->row.name, n->records);
        bench_must(store_zone_put(s, &t->row, &e), &e);
        bench_must(store_change_put(s, &t->row, NULL, t->zone, NULL, &origin,
                                    clock_wall(clock_real()), &n->first_seq, &e),
                   &e);
        if (i % FILL_GROUP == FILL_GROUP - 1 || i == n->zone_count - 1)
            bench_must(store_commit(s, &e), &e);
    }
    bench_must(store_checkpoint(s, &e), &e);
    store_close(s);
}

/* ---- Changes ---- */

struct group {
    struct bench *n;
    unsigned size;
    uint64_t last_seq;
    sem_t done;
};

/* In the writer's thread. */
static enum err group_write(void *ctx, struct store *s, struct errinfo *e)
{
    struct group *g = ctx;
    enum err rc = OK;

    for (unsigned i = 0; i < g->size && rc == OK; i++) {
        struct subject *t = &g->n->zones[g->n->next];
        struct changeset *cs = bench_change(t->row.name, zone_serial(t->zone).v, g->n->records);
        struct zone *next = NULL;

        if ((rc = zone_apply(&next, t->zone, cs, NULL, e)) == OK &&
            (rc = store_zone_get(s, t->row.name, &t->row, e)) == OK &&
            (rc = store_change_put(s, &t->row, t->zone, next, cs, &origin, clock_wall(clock_real()),
                                   &g->last_seq, e)) == OK) {
            zone_unref(t->zone);
            t->zone = next;
        }
        changeset_free(cs);
        g->n->next = (g->n->next + 1) % g->n->zone_count;
    }
    return rc;
}

/* In the loop's thread. */
static void group_done(void *ctx, struct commit_job *job)
{
    struct group *g = ctx;
    uint64_t now = now_ns();

    bench_must(job->rc, &job->error);
    pthread_mutex_lock(&g->n->lock);
    for (uint64_t seq = g->n->last_seq + 1; seq <= g->last_seq; seq++)
        g->n->made_ns[seq - g->n->first_seq] = now;
    g->n->last_seq = g->last_seq;
    pthread_mutex_unlock(&g->n->lock);
    journaler_wake(g->n->journaler);
    (void)sem_post(&g->done);
}

static void group_commit(struct group *g)
{
    struct store_zone none = {.kind = ZONE_SECONDARY};
    struct commit_job *job = commit_job_new(COMMIT_WRITE, &none);

    job->write = group_write;
    job->write_ctx = g;
    job->done = group_done;
    job->ctx = g;
    commit_submit(g->n->committer, job);
    (void)sem_wait(&g->done);
}

/* ---- Watching ---- */

static void *watch_main(void *ctx)
{
    struct bench *n = ctx;
    struct timespec wait = {0, SAMPLE_NS};
    uint64_t packs = 0;
    bool ending = false, rising = false;

    while (!ending) {
        struct journaler_status s;

        journaler_status(n->journaler, &s);
        pthread_mutex_lock(&n->lock);
        ending = n->ending;
        if (s.seq >= n->first_seq && s.seq < n->last_seq) {
            uint64_t lag = now_ns() - n->made_ns[s.seq + 1 - n->first_seq];

            n->lag_max_ns = lag > n->lag_max_ns ? lag : n->lag_max_ns;
            n->behind_max =
                n->last_seq - s.seq > n->behind_max ? n->last_seq - s.seq : n->behind_max;
        }
        pthread_mutex_unlock(&n->lock);
        n->merges += rising && s.packs < packs;
        rising = s.packs > packs || (rising && s.packs == packs);
        packs = s.packs;
        (void)nanosleep(&wait, NULL);
    }
    return NULL;
}

static void wait_journaled(struct bench *n, uint64_t seq)
{
    struct timespec wait = {0, SAMPLE_NS};
    struct journaler_status s;

    for (journaler_status(n->journaler, &s); s.seq < seq; journaler_status(n->journaler, &s)) {
        if (s.failing) {
            (void)fprintf(stderr, "nodecost: %s\n", s.last_error);
            exit(1);
        }
        (void)nanosleep(&wait, NULL);
    }
}

static void *loop_main(void *ctx)
{
    loop_run(ctx);
    return NULL;
}

static void wait_until(uint64_t ns)
{
    uint64_t now = now_ns();
    struct timespec wait;

    if (ns <= now)
        return;
    wait = (struct timespec){(time_t)((ns - now) / 1000000000), (long)((ns - now) % 1000000000)};
    (void)nanosleep(&wait, NULL);
}

/* ---- The whole ---- */

static void changes(struct bench *n, unsigned count, unsigned group, unsigned rate)
{
    struct group g = {.n = n, .size = group};
    uint64_t *took = xcalloc(count / group + 1, sizeof(*took));
    double cpu = bench_cpu_seconds();
    uint64_t start = now_ns();
    double store_s, both_s;
    size_t samples = 0;

    (void)sem_init(&g.done, 0, 0);
    for (unsigned i = 0; i + group <= count; i += group) {
        uint64_t begin;

        if (rate)
            wait_until(start + (uint64_t)i * 1000000000 / rate);
        begin = now_ns();
        group_commit(&g);
        took[samples++] = now_ns() - begin;
    }
    store_s = (double)(now_ns() - start) / 1e9;
    wait_journaled(n, n->last_seq);
    both_s = (double)(now_ns() - start) / 1e9;
    (void)printf("changes %u store_s %.3f both_s %.3f per_s %.0f cpu_us %.0f", count, store_s,
                 both_s, count / both_s, (bench_cpu_seconds() - cpu) * 1e6 / count);
    (void)printf(" p50_us %" PRIu64 " p99_us %" PRIu64, bench_percentile(took, samples, 500) / 1000,
                 bench_percentile(took, samples, 990) / 1000);
    (void)printf(" max_us %" PRIu64, bench_percentile(took, samples, 1000) / 1000);
    (void)sem_destroy(&g.done);
    free(took);
}

int main(int argc, char **argv)
{
    unsigned count, group, rate;
    struct config *config = text_config("");
    struct bench n = {0};
    pthread_t loop, watch;
    struct errinfo e = {0};
    double start;

    if (argc != 7 || !(n.zone_count = (unsigned)strtoul(argv[2], NULL, 10)) ||
        !(n.records = strtoull(argv[3], NULL, 10)) ||
        !(count = (unsigned)strtoul(argv[4], NULL, 10)) ||
        !(group = (unsigned)strtoul(argv[5], NULL, 10)))
        return 2;
    rate = (unsigned)strtoul(argv[6], NULL, 10);
    log_init("nodecost", LOG_ERROR, LOG_TEXT);
    n.zones = xcalloc(n.zone_count, sizeof(*n.zones));
    n.made_ns = xcalloc(count + 2, sizeof(*n.made_ns));
    pthread_mutex_init(&n.lock, NULL);
    fill(&n, argv[1]);
    n.last_seq = n.first_seq;
    bench_must(loop_new(&n.loop, clock_real(), 1, &e), &e);
    bench_must(
        committer_start(&n.committer, n.loop, argv[1], clock_real(), LOG_BYTES, NULL, NULL, &e),
        &e);
    start = bench_seconds();
    bench_must(journaler_start(&n.journaler, n.committer, argv[1], "bench", NULL, config, &e), &e);
    wait_journaled(&n, n.first_seq);
    (void)printf("first %u seconds %.3f\n", n.zone_count, bench_seconds() - start);
    if (pthread_create(&loop, NULL, loop_main, n.loop) ||
        pthread_create(&watch, NULL, watch_main, &n))
        return 1;
    changes(&n, count, group, rate);
    pthread_mutex_lock(&n.lock);
    n.ending = true;
    pthread_mutex_unlock(&n.lock);
    pthread_join(watch, NULL);
    (void)printf(" lag_max_ms %" PRIu64 " behind_max %" PRIu64 " merges %" PRIu64 "\n",
                 n.lag_max_ns / 1000000, n.behind_max, n.merges);
    journaler_stop(n.journaler);
    committer_stop(n.committer);
    loop_stop(n.loop);
    pthread_join(loop, NULL);
    loop_free(n.loop);
    config_unref(config);
    for (unsigned i = 0; i < n.zone_count; i++)
        zone_unref(n.zones[i].zone);
    free(n.zones);
    free(n.made_ns);
    pthread_mutex_destroy(&n.lock);
    return 0;
}
