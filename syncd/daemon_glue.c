/* Who hears of what: the parts do not know each other, so what one of them asks of another, or
 * tells it, goes through here. */
#include "syncd/daemon_internal.h"
#include "syncd/private_query.h"

const struct config_zone *daemon_section(void *ctx, const uint8_t *zone)
{
    struct syncd *s = ctx;

    return replicator_section(s->replicator, zone);
}

/* That of a new zone, of which the replicator does not know yet, is its directory's. */
static const struct config_zone *section_of_row(struct syncd *s, const struct store_zone *row)
{
    const struct config_zone *c = replicator_section(s->replicator, row->name);
    const struct config_directory *d =
        !c && row->file[0] ? config_directory_of(s->config, row->file) : NULL;

    return d ? &d->zone : c;
}

/* Our secondaries hear of a new version. */
static void tell_secondaries(struct syncd *s, const struct commit_job *job)
{
    struct soa fields;
    struct rr soa;

    if (job->rc == OK && job->kind == COMMIT_MARK && !job->row.removed && job->row.has_content)
        notify_out_zone(s->notify, job->row.name, section_of_row(s, &job->row), NULL,
                        job->row.serial, job->seq);
    if (job->rc != OK || job->kind != COMMIT_CHANGE || !zone_soa(job->new_zone, &soa, &fields))
        return;
    notify_out_zone(s->notify, job->row.name, section_of_row(s, &job->row), &soa, fields.serial,
                    job->seq);
}

void daemon_committed(void *ctx, uint64_t seq, const struct commit_job *jobs)
{
    struct syncd *s = ctx;

    if (s->front)
        front_hint(s->front, seq);
    for (const struct commit_job *j = jobs; j && s->notify; j = j->next)
        tell_secondaries(s, j);
    if (s->producer)
        producer_committed(s->producer, jobs);
    if (s->ends)
        signature_ends_committed(s->ends, jobs);
    if (s->hold_rules)
        hold_rules_committed(s->hold_rules, jobs);
    if (s->journaler)
        journaler_wake(s->journaler);
}

static bool is_update(const struct ho_frame *m)
{
    return m->wire_len >= MSG_HEADER_OCTETS &&
           (get_u16(m->wire + 2) & MSG_OPCODE_MASK) == OPCODE_UPDATE << 11;
}

static void on_message(void *ctx, const struct ho_frame *message, struct buf *reply)
{
    struct syncd *s = ctx;
    struct private_query_env env = {.config = s->config,
                                    .keys = s->keys,
                                    .now = clock_wall(loop_clock(s->loop)),
                                    .section = daemon_section,
                                    .ctx = s};

    if (is_update(message))
        updates_message(s->updates, message, reply);
    else if (!content_query(&s->content_queries, &env, message, reply) &&
             !private_query(&env, message, reply) && !xfrout_datagram(s->xfrout, message, reply))
        replicator_message(s->replicator, message, reply);
}

/* ---- Updates ---- */

static void submit_commit(void *ctx, struct commit_job *job)
{
    struct syncd *s = ctx;

    commit_submit(s->committer, job);
}

struct front_later *daemon_answer_later(void *ctx)
{
    struct syncd *s = ctx;

    return front_later(s->front);
}

static bool known_row(void *ctx, const uint8_t *zone, struct store_zone *out)
{
    struct syncd *s = ctx;

    return replicator_row(s->replicator, zone, out, NULL) == OK;
}

static void row_changed(void *ctx, const struct store_zone *row)
{
    struct syncd *s = ctx;

    replicator_row_changed(s->replicator, row);
}

struct updates *daemon_updates(struct syncd *s)
{
    struct updates_ops ops = {.ctx = s,
                              .loop = s->loop,
                              .cache = s->cache,
                              .readers = s->readers,
                              .commit = submit_commit,
                              .later = daemon_answer_later,
                              .row = known_row,
                              .section = daemon_section,
                              .changed = row_changed};

    return updates_new(&ops, s->config, s->keys);
}

/* ---- Catalogs that we make ---- */

static bool producer_zone(void *ctx, const uint8_t *zone, struct replicator_zone *out)
{
    struct syncd *s = ctx;

    return replicator_zone(s->replicator, zone, out);
}

static void producer_each_zone(void *ctx, replicator_zone_fn *f, void *arg)
{
    struct syncd *s = ctx;

    replicator_each_zone(s->replicator, f, arg);
}

void daemon_section_changed(void *ctx, const uint8_t *zone)
{
    struct syncd *s = ctx;

    if (s->producer)
        producer_touch(s->producer, zone);
}

struct producer *daemon_producer(struct syncd *s)
{
    struct producer_ops ops = {.ctx = s,
                               .loop = s->loop,
                               .cache = s->cache,
                               .readers = s->readers,
                               .commit = submit_commit,
                               .zone = producer_zone,
                               .each_zone = producer_each_zone,
                               .changed = row_changed};

    return producer_new(&ops, s->config);
}

/* ---- Holds that end by themselves ---- */

static struct config *config_in_force(void *ctx)
{
    struct syncd *s = ctx;

    return s->config;
}

struct hold_rules *daemon_hold_rules(struct syncd *s)
{
    struct hold_rules_ops ops = {.ctx = s,
                                 .loop = s->loop,
                                 .readers = s->readers,
                                 .cache = s->cache,
                                 .commands = s->guards,
                                 .commit = submit_commit,
                                 .config = config_in_force,
                                 .section = daemon_section,
                                 .changed = row_changed};

    return hold_rules_new(&ops);
}

/* ---- Directories of zone files ---- */

static void explain_directory(void *ctx, const char *path, struct errinfo *e)
{
    struct syncd *s = ctx;

    (void)!cage_explain(ERR_IO, &s->cage, path, e);
}

struct watch *daemon_watch(struct syncd *s)
{
    struct watch_ops ops = {.ctx = s,
                            .loop = s->loop,
                            .cache = s->cache,
                            .readers = s->readers,
                            .commit = submit_commit,
                            .section = daemon_section,
                            .row = known_row,
                            .explain = explain_directory,
                            .changed = row_changed};

    return watch_new(&ops, s->config);
}

void daemon_watch_row(void *ctx, const struct replicator_status *status)
{
    struct syncd *s = ctx;

    watch_known(s->watch, &status->row);
}

static void on_served(void *ctx, uint64_t seq)
{
    struct syncd *s = ctx;

    notify_out_served(s->notify, seq);
}

static void on_stream(void *ctx, const struct ho_frame *stream, int fd)
{
    struct syncd *s = ctx;

    xfrout_take(s->xfrout, stream, fd);
}

const struct front_events daemon_front_events = {on_message, on_stream, on_served};

void daemon_tell_of_row(void *ctx, const struct replicator_status *status)
{
    struct syncd *s = ctx;
    const struct store_zone *row = &status->row;

    if (row->has_content && !row->removed && !row->expired)
        notify_out_zone(s->notify, row->name, replicator_section(s->replicator, row->name), NULL,
                        row->serial, 0);
}
