#include "syncd/hold_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/operate.h"

#define MS 1000
#define RETRY_MS 1000 /* after the store could not be read, or somebody else was quicker */
#define TIMER_MAX_MS (3600 * MS)

/* A zone with a rule, as the last look found it. */
struct ruled {
    struct store_zone row;
    bool waits;
    struct store_version waiting; /* the newest one */
};

/* What is remembered of it between looks. */
struct known {
    int64_t id;
    struct wall until; /* of the rule that `deadline` was made from */
    struct mono deadline;
    uint64_t refused; /* number of the version that the guards did not let through; 0: none */
    bool seen;        /* by the look at hand */
};

struct hold_rules {
    struct hold_rules_ops ops;
    struct event *timer;
    struct look *look; /* in the pool; NULL: none */
    bool again;        /* something happened meanwhile */
    struct releasing *releasing;
    struct known *known;
    size_t known_count, known_cap;
};

struct look {
    struct hold_rules *rules; /* NULL: it is gone */
    struct store_readers *readers;
    struct ruled *list;
    size_t n, cap;
    enum err rc;
    struct errinfo error;
};

/* One zone's release, on its way through pool and writer. */
struct releasing {
    struct hold_rules *rules; /* NULL: it is gone */
    struct releasing *next;
    struct store_readers *readers;
    struct zone_cache *cache;
    struct ruled zone;
    struct wall now;
    struct config *config;             /* a reference: */
    const struct config_zone *section; /* is its, or NULL */
    struct guard_check *check;         /* the section's command is being asked */
    char why[HOLD_RULE_WHY_MAX];
    struct guard_verdict verdict;
    struct commit_job *job;
    enum err rc;
    struct errinfo error;
};

bool hold_rule_true(char why[HOLD_RULE_WHY_MAX], const struct store_zone *row,
                    const struct serial *waiting, bool due)
{
    char text[WALL_TEXT_MAX];

    if (row->hold_has_serial && waiting && serial_cmp(*waiting, row->hold_serial) == SERIAL_NEWER) {
        (void)snprintf(why, HOLD_RULE_WHY_MAX, "until newer than %u: %u came",
                       (unsigned)row->hold_serial.v, (unsigned)waiting->v);
        return true;
    }
    if (row->hold_until.s == 0 || !due)
        return false;
    wall_to_text(text, row->hold_until);
    (void)snprintf(why, HOLD_RULE_WHY_MAX, "until %s", text);
    return true;
}

/* ---- What is remembered ---- */

static struct known *remember(struct hold_rules *h, const struct store_zone *row)
{
    const struct clock *clock = loop_clock(h->ops.loop);
    int64_t left = row->hold_until.s - clock_wall(clock).s;
    struct known *k = NULL;

    for (size_t i = 0; i < h->known_count && !k; i++)
        k = h->known[i].id == row->id ? &h->known[i] : NULL;
    if (!k) {
        h->known = xgrow(h->known, &h->known_cap, h->known_count + 1, sizeof(*h->known));
        k = &h->known[h->known_count++];
        *k = (struct known){.id = row->id};
    }
    if (k->until.s != row->hold_until.s) {
        k->until = row->hold_until;
        k->deadline = mono_add_ms(clock_mono(clock), left > 0 ? left * MS : 0);
    }
    k->seen = true;
    return k;
}

static void forget_unseen(struct hold_rules *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->known_count; i++) {
        if (!h->known[i].seen)
            continue;
        h->known[n] = h->known[i];
        h->known[n++].seen = false;
    }
    h->known_count = n;
}

static void wake_in(struct hold_rules *h, int64_t ms)
{
    struct timeval tv;

    if (ms > TIMER_MAX_MS)
        ms = TIMER_MAX_MS;
    tv = (struct timeval){.tv_sec = ms / MS, .tv_usec = (suseconds_t)(ms % MS) * 1000};
    (void)evtimer_add(h->timer, &tv);
}

/* For the next rule that ends by time; one whose time is over waits for another version. */
static void set_timer(struct hold_rules *h)
{
    struct mono now = clock_mono(loop_clock(h->ops.loop));
    int64_t least = -1;

    for (size_t i = 0; i < h->known_count; i++) {
        int64_t left = h->known[i].deadline.ms - now.ms;

        if (h->known[i].until.s != 0 && left > 0 && (least < 0 || left < least))
            least = left;
    }
    if (least >= 0)
        wake_in(h, least + 1);
}

/* ---- Releasing ---- */

static void releasing_free(struct releasing *r)
{
    if (r->config)
        config_unref(r->config);
    free(r);
}

static void on_submitted(void *ctx, struct commit_job *job)
{
    struct releasing *r = ctx;
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, job->row.name);
    if (job->rc == OK)
        log_info(say("a hold has ended by its rule"), kv_str("zone", zone), kv_str("rule", r->why),
                 kv_str("set_by", r->zone.row.held_by), kv_u64("serial", job->row.serial.v),
                 kv_u64("version", job->row.version));
    else if (job->rc != ERR_CONFLICT)
        log_error(say("a hold should have ended by its rule"), kv_str("zone", zone),
                  kv_err(&job->error));
    if (r->rules && job->rc == OK)
        r->rules->ops.changed(r->rules->ops.ctx, &job->row);
    else if (r->rules)
        wake_in(r->rules, RETRY_MS);
    releasing_free(r);
}

static void log_kept(const struct releasing *r)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, r->zone.row.name);
    log_warning(say("a hold should end by its rule, but a guard does not let the waiting version "
                    "through: the zone stays held; zonectl release serves it all the same"),
                kv_str("zone", zone), kv_str("rule", r->why), kv_str("guard", r->verdict.reason),
                kv_u64("version", r->zone.waiting.version));
}

static void log_alert(const struct releasing *r)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, r->zone.row.name);
    log_warning(say("a version that looks odd is taken"), kv_str("zone", zone),
                kv_str("what", r->verdict.reason), kv_u64("to", r->zone.waiting.serial.v));
}

static void release_next(struct hold_rules *h);

/* The guards have let it through. */
static void submit(struct releasing *r)
{
    struct commit_job *job = r->job;

    if (r->verdict.alert)
        log_alert(r);
    r->job = NULL;
    r->next = NULL;
    job->done = on_submitted;
    job->ctx = r;
    r->rules->ops.commit(r->rules->ops.ctx, job);
}

static void keep(struct releasing *r)
{
    log_kept(r);
    remember(r->rules, &r->zone.row)->refused = r->zone.waiting.version;
    commit_job_free(r->job);
    releasing_free(r);
}

static void on_checked(void *ctx, const struct guard_answer *answer)
{
    struct releasing *r = ctx;
    struct hold_rules *h = r->rules;

    r->check = NULL;
    h->releasing = r->next;
    guard_command_judge(&r->verdict, &r->section->command, answer);
    if (r->verdict.quarantine)
        keep(r);
    else
        submit(r);
    release_next(h);
}

static void ask_command(struct releasing *r)
{
    struct guard_check_spec spec = {.command = &r->section->command,
                                    .old_zone = r->job->old_zone,
                                    .new_zone = r->job->new_zone};

    (void)name_copy(spec.zone, r->zone.row.name);
    r->check = guard_check_start(r->rules->ops.commands, &spec, on_checked, r);
}

static void on_made(void *ctx)
{
    struct releasing *r = ctx;
    struct hold_rules *h = r->rules;

    if (!h) {
        commit_job_free(r->job);
        releasing_free(r);
        return;
    }
    if (r->rc == OK && r->job->new_zone && r->section && r->section->command.arg_count > 0 &&
        h->ops.commands) {
        ask_command(r);
        return;
    }
    h->releasing = r->next;
    if (r->rc == OK) {
        submit(r);
    } else if (r->rc == ERR_CHECK && r->verdict.quarantine) {
        keep(r);
    } else {
        if (r->rc != ERR_CONFLICT)
            log_error(say("a hold should have ended by its rule"), kv_err(&r->error));
        wake_in(h, RETRY_MS);
        releasing_free(r);
    }
    release_next(h);
}

static void make_job(void *ctx)
{
    struct releasing *r = ctx;
    static const struct config_guards none;
    struct guard_spec guards = {.guards = r->section ? &r->section->guards : &none,
                                .now = r->now,
                                .threads = r->config->pool_threads};
    struct history history = {0};

    if ((r->rc = history_open(&history, r->readers, &r->error)) == OK) {
        history.cache = r->cache;
        r->rc = operate_release_by_rule(&r->job, &r->verdict, &history, &r->zone.row, &guards,
                                        r->why, &r->error);
    }
    history_close(&history);
}

static void release_next(struct hold_rules *h)
{
    if (h->releasing) {
        loop_work(h->ops.loop, make_job, on_made, h->releasing);
    } else if (h->again) {
        hold_rules_look(h);
    } else {
        set_timer(h);
    }
}

static void queue_release(struct hold_rules *h, const struct ruled *z, const char *why)
{
    struct releasing *r = xcalloc(1, sizeof(*r));

    r->rules = h;
    r->readers = h->ops.readers;
    r->cache = h->ops.cache;
    r->zone = *z;
    r->config = config_ref(h->ops.config(h->ops.ctx));
    r->section = h->ops.section(h->ops.ctx, z->row.name);
    r->now = clock_wall(loop_clock(h->ops.loop));
    (void)snprintf(r->why, sizeof(r->why), "%s", why);
    r->next = h->releasing;
    h->releasing = r;
}

/* ---- Looking ---- */

static void judge(struct hold_rules *h, const struct ruled *z)
{
    struct mono now = clock_mono(loop_clock(h->ops.loop));
    struct known *k = remember(h, &z->row);
    bool due = mono_cmp(k->deadline, now) <= 0;
    char why[HOLD_RULE_WHY_MAX];

    if (k->refused && z->waits && k->refused == z->waiting.version)
        return;
    if (hold_rule_true(why, &z->row, z->waits ? &z->waiting.serial : NULL, due))
        queue_release(h, z, why);
}

static void look_free(struct look *l)
{
    free(l->list);
    free(l);
}

static void on_looked(void *ctx)
{
    struct look *l = ctx;
    struct hold_rules *h = l->rules;

    if (h) {
        h->look = NULL;
        for (size_t i = 0; i < l->n; i++)
            judge(h, &l->list[i]);
        if (l->rc == OK)
            forget_unseen(h);
        release_next(h);
        if (l->rc) {
            log_warning(say("rules of held zones cannot be read, they are looked at again"),
                        kv_err(&l->error));
            wake_in(h, RETRY_MS);
        }
    }
    look_free(l);
}

static enum err on_ruled(void *ctx, const struct store_zone *row, struct errinfo *e)
{
    struct look *l = ctx;

    (void)e;
    l->list = xgrow(l->list, &l->cap, l->n + 1, sizeof(*l->list));
    l->list[l->n++] = (struct ruled){.row = *row};
    return OK;
}

static enum err find_waiting(struct store *s, struct ruled *z, struct errinfo *e)
{
    enum err rc = store_version_newest_waiting(s, &z->row, &z->waiting, e);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    z->waits = rc == OK;
    return OK;
}

static void do_look(void *ctx)
{
    struct look *l = ctx;
    struct store *s = NULL;

    if ((l->rc = store_readers_take(l->readers, &s, &l->error)))
        return;
    if ((l->rc = store_read_begin(s, &l->error)) == OK) {
        l->rc = store_zone_ruled_each(s, on_ruled, l, &l->error);
        for (size_t i = 0; i < l->n && l->rc == OK; i++)
            l->rc = find_waiting(s, &l->list[i], &l->error);
        store_read_end(s);
    }
    if (l->rc)
        l->n = 0;
    store_readers_give(l->readers, s, l->rc);
}

void hold_rules_look(struct hold_rules *h)
{
    h->again = h->look || h->releasing;
    if (h->again)
        return;
    h->look = xcalloc(1, sizeof(*h->look));
    h->look->rules = h;
    h->look->readers = h->ops.readers;
    loop_work(h->ops.loop, do_look, on_looked, h->look);
}

void hold_rules_committed(struct hold_rules *h, const struct commit_job *jobs)
{
    for (const struct commit_job *j = jobs; j; j = j->next) {
        if (j->rc == OK && j->kind != COMMIT_STATE && j->kind != COMMIT_WRITE &&
            store_zone_has_rule(&j->row)) {
            hold_rules_look(h);
            return;
        }
    }
}

/* ---- Begin and end ---- */

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    hold_rules_look(ctx);
}

struct hold_rules *hold_rules_new(const struct hold_rules_ops *ops)
{
    struct hold_rules *h = xcalloc(1, sizeof(*h));

    h->ops = *ops;
    h->timer = evtimer_new(loop_base(ops->loop), on_timer, h);
    if (!h->timer)
        abort(); /* as for want of memory */
    return h;
}

void hold_rules_free(struct hold_rules *h)
{
    struct releasing *r;

    if (!h)
        return;
    if (h->look)
        h->look->rules = NULL;
    r = h->releasing;
    if (r) { /* the first one is under way; the others were not begun */
        struct releasing *waiting = r->next;

        r->rules = NULL;
        r->next = NULL;
        if (r->check) {
            guard_check_cancel(r->check);
            commit_job_free(r->job);
            releasing_free(r);
        }
        while (waiting) {
            struct releasing *next = waiting->next;

            releasing_free(waiting);
            waiting = next;
        }
    }
    event_free(h->timer);
    free(h->known);
    free(h);
}
