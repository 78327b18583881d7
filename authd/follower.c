#include "authd/follower.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "authd/follower_internal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define CHANGES_AT_ONCE 1000

struct follower *follower_new(struct zonedb *db, const char *data_dir, const struct clock *clock)
{
    struct follower *f = xcalloc(1, sizeof(*f));

    f->db = db;
    f->data_dir = data_dir;
    f->clock = clock;
    f->store_path = xasprintf("%s/zoneledger.db", data_dir);
    expiry_init(&f->expiry, db, clock);
    namemap_init(&f->work, clock);
    return f;
}

void follower_free(struct follower *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < WORK_PLACES; i++) {
        while (f->lists[i].first)
            work_free(f, f->lists[i].first);
    }
    namemap_done(&f->work);
    store_close(f->store);
    free(f->store_path);
    free(f);
}

void follower_syncd(struct follower *f, bool there)
{
    expiry_syncd(&f->expiry, there);
}

uint64_t follower_seq(const struct follower *f)
{
    return f->seq;
}

/* Says what is the matter with the store, when that is something new. */
static void complain(struct follower *f, const char *sentence, const struct errinfo *e)
{
    if (strcmp(f->complaint, e->text) == 0)
        return;
    (void)memcpy(f->complaint, e->text, sizeof(f->complaint));
    log_warning(say(sentence), kv_err(e), kv_u64("zones", zonedb_count(f->db)));
}

/* ---- All zones ---- */

struct survey {
    struct follower *f;
    bool force;              /* what is served may be from another store */
    struct namemap *present; /* NULL: nothing is served yet */
    uint64_t renewal;        /* the last one */
};

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct survey *s = ctx;
    const struct served_zone *served = zonedb_get(s->f->db, z->name);
    struct work *w;

    (void)e;
    if (z->renewal > s->renewal)
        s->renewal = z->renewal;
    if (z->removed || !z->has_content)
        return OK;
    if (s->present && served)
        namemap_put(s->present, zone_apex(served->zone), s);
    if (!s->force && served && served->seq == z->seq && served->version == z->version &&
        served->expired_stored == z->expired) {
        expiry_learn(&s->f->expiry, z);
        return OK;
    }
    w = work_get(s->f, z->name);
    zone_unref(w->zone);
    w->zone = NULL;
    w->load = true;
    work_move(s->f, w, WORK_LOADS);
    return OK;
}

static void remove_absent(void *ctx, const struct served_zone *z)
{
    struct survey *s = ctx;
    char name[NAME_TEXT_MAX];

    if (namemap_get(s->present, zone_apex(z->zone)))
        return;
    (void)name_to_text(name, zone_apex(z->zone));
    log_info(say("zone is not in the store and not served any more"), kv_str("zone", name));
    (void)zonedb_remove(s->f->db, zone_apex(z->zone));
}

/* Takes the present position, and makes work of each zone that isn't served as it is stored. */
static enum err survey_all(struct follower *f, bool force, struct errinfo *e)
{
    struct namemap present;
    struct survey s = {.f = f, .force = force, .present = &present};
    uint64_t last = 0, first = 0;
    enum err rc;

    namemap_init(&present, f->clock);
    if ((rc = store_read_begin(f->store, e)))
        goto out;
    if ((rc = store_seq(f->store, &last, &first, e)) == OK)
        rc = store_zone_each(f->store, on_zone, &s, e);
    store_read_end(f->store);
    if (rc)
        goto out;
    zonedb_each(f->db, remove_absent, &s);
    f->seq = last;
    f->renewal = s.renewal;
    f->has_position = true;
    f->starting = true;
    f->start = clock_mono(f->clock);
    f->start_failures = 0;
out:
    namemap_done(&present);
    return rc;
}

static void start_done(struct follower *f)
{
    f->starting = false;
    zonedb_set_whole(f->db);
    log_info(say("all zones of the store are served"), kv_u64("zones", zonedb_count(f->db)),
             kv_u64("failed", f->start_failures), kv_u64("seq", f->seq),
             kv_i64("ms", clock_mono(f->clock).ms - f->start.ms));
}

/* ---- The store's file ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static enum err open_store(struct follower *f, struct errinfo *e)
{
    struct stat before = {0};
    struct store *s = NULL;
    bool replaced;
    enum err rc;

    if (stat(f->store_path, &before) != 0)
        return errno == ENOENT ? err_set(ERR_NOT_FOUND, e, "%s is not there yet", f->store_path)
                               : err_sys(errno, e, "%s", f->store_path);
    if ((rc = store_open_reader(&s, f->data_dir, e)))
        return rc;
    replaced = f->has_position && !same_file(&before, &f->store_file);
    f->store = s;
    f->store_file = before;
    f->complaint[0] = '\0';
    log_info(say("store is open"), kv_str("path", f->store_path), kv_bool("replaced", replaced));
    if (f->has_position && !replaced)
        return OK;
    if ((rc = survey_all(f, replaced, e))) {
        store_close(f->store);
        f->store = NULL;
        memset(&f->store_file, 0, sizeof(f->store_file));
    }
    return rc;
}

/* The file that we have open may have been taken away, or another put in its place. */
static void check_file(struct follower *f)
{
    struct stat st;

    if (stat(f->store_path, &st) != 0) {
        if (!f->gone)
            log_warning(say("the store's file is gone, what was read of it stays served"),
                        kv_str("path", f->store_path));
        f->gone = true;
        return;
    }
    f->gone = false;
    if (same_file(&st, &f->store_file))
        return;
    log_warning(say("the store's file was replaced"), kv_str("path", f->store_path));
    store_close(f->store);
    f->store = NULL;
}

/* ---- The change log ---- */

struct reading {
    struct follower *f;
    struct mono until;
    uint32_t n;
};

static enum err on_change(void *ctx, const struct store_change *c, struct errinfo *e)
{
    struct reading *r = ctx;

    work_change(r->f, c);
    r->f->seq = c->seq;
    r->n++;
    if (mono_cmp(clock_mono(r->f->clock), r->until) >= 0)
        return err_set(ERR_BUSY, e, "time for others");
    return OK;
}

/* What the log has to say to somebody at our position. */
enum log_state {
    LOG_FOLLOWS, /* what comes next, if anything, is there */
    LOG_PRUNED,  /* what came next is not there any more */
    LOG_BACK,    /* it ends before us: a store that was put back */
    LOG_DAMAGED, /* a change cannot be read */
};

static enum log_state log_state(uint64_t seq, uint64_t last, uint64_t first)
{
    if (last < seq)
        return LOG_BACK;
    return last == seq || first <= seq + 1 ? LOG_FOLLOWS : LOG_PRUNED;
}

/* Reads changes behind our position, inside a read transaction; *more if there may be further ones.
 */
static enum err read_log(struct follower *f, struct mono until, enum log_state *state, bool *more,
                         struct errinfo *e)
{
    struct reading r = {.f = f, .until = until};
    uint64_t last = 0, first = 0;
    enum err rc = store_seq(f->store, &last, &first, e);

    if (rc)
        return rc;
    *state = log_state(f->seq, last, first);
    if (*state != LOG_FOLLOWS || last == f->seq)
        return OK;
    rc = store_change_each(f->store, f->seq, CHANGES_AT_ONCE, on_change, &r, e);
    *more = f->seq < last;
    if (rc == ERR_CORRUPT)
        *state = LOG_DAMAGED;
    return rc == ERR_CORRUPT || (rc == ERR_BUSY && r.n > 0) ? OK : rc;
}

static enum err on_renewal(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct follower *f = ctx;

    (void)e;
    expiry_learn(&f->expiry, z); /* if it isn't served yet: when it is read, settle_row does it */
    f->renewal = z->renewal;
    return OK;
}

/* Deadlines that were renewed, once the log is read to its end. */
static enum err read_renewals(struct follower *f, bool *more, struct errinfo *e)
{
    uint64_t before = f->renewal;
    enum err rc;

    if (*more)
        return OK;
    rc = store_renewal_each(f->store, before, CHANGES_AT_ONCE, on_renewal, f, e);
    *more = f->renewal >= before + CHANGES_AT_ONCE; /* perhaps: their numbers may have gaps */
    return rc;
}

static enum err follow(struct follower *f, struct mono until, bool *more, struct errinfo *e)
{
    enum log_state state = LOG_FOLLOWS;
    enum err rc = store_read_begin(f->store, e);

    if (rc)
        return rc;
    rc = read_log(f, until, &state, more, e);
    if (rc == OK && state == LOG_FOLLOWS)
        rc = read_renewals(f, more, e);
    store_read_end(f->store);
    if (rc)
        return rc;
    switch (state) {
    case LOG_FOLLOWS:
        return OK;
    case LOG_PRUNED:
        log_warning(say("the change log does not reach back to us, all zones are looked at"),
                    kv_u64("seq", f->seq));
        return survey_all(f, false, e);
    case LOG_DAMAGED:
        log_error(say("a change cannot be read, all zones are looked at"),
                  kv_u64("seq", f->seq + 1), kv_err(e));
        return survey_all(f, false, e);
    case LOG_BACK:
        log_warning(say("the store is older than what is served, all zones are read anew"),
                    kv_u64("seq", f->seq));
        return survey_all(f, true, e);
    }
    return OK;
}

/* ---- A step ---- */

static void settle_touched(struct follower *f)
{
    while (f->lists[WORK_TOUCHED].first)
        work_settle(f, f->lists[WORK_TOUCHED].first);
}

static void wake_waiting(struct follower *f)
{
    struct mono now = clock_mono(f->clock);
    struct work *next;

    for (struct work *w = f->lists[WORK_WAITING].first; w; w = next) {
        next = w->next;
        if (mono_cmp(w->due, now) <= 0)
            work_move(f, w, WORK_LOADS);
    }
}

/* In one read transaction, which costs as much as a small zone; if there is none to be had, each
 * zone finds out for itself what is wrong. */
static void settle_loads(struct follower *f, struct mono until)
{
    bool reading = f->lists[WORK_LOADS].first && store_read_begin(f->store, NULL) == OK;

    while (f->lists[WORK_LOADS].first) {
        work_settle(f, f->lists[WORK_LOADS].first);
        if (mono_cmp(clock_mono(f->clock), until) >= 0)
            break;
    }
    if (reading)
        store_read_end(f->store);
    if (f->starting && !f->lists[WORK_LOADS].first)
        start_done(f);
}

/* What the store has that is new. */
static bool step_store(struct follower *f, int64_t budget_ms)
{
    struct mono until = mono_add_ms(clock_mono(f->clock), budget_ms);
    struct errinfo e = {0};
    bool more = false;
    enum err rc = OK;

    if (f->store)
        check_file(f);
    if (!f->store)
        rc = open_store(f, &e);
    if (rc) {
        complain(f,
                 rc == ERR_NOT_FOUND ? "waiting for syncd to make the store"
                                     : "the store cannot be opened, trying again",
                 &e);
        return false;
    }
    rc = follow(f, until, &more, &e);
    if (rc && rc != ERR_BUSY) {
        complain(f, "the store cannot be read, trying again", &e);
        store_close(f->store);
        f->store = NULL;
        return false;
    }
    settle_touched(f);
    wake_waiting(f);
    settle_loads(f, until);
    return more || f->lists[WORK_LOADS].first;
}

bool follower_step(struct follower *f, int64_t budget_ms)
{
    bool more = step_store(f, budget_ms);

    expiry_run(&f->expiry); /* also when the store is away */
    zonedb_reclaim(f->db);
    return more;
}

void follower_tell(const struct follower *f, const uint8_t *zone, struct ho_frame *out)
{
    const struct served_zone *z = zonedb_get(f->db, zone);

    *out = (struct ho_frame){.type = HO_TELL, .seq = f->seq, .state = HO_ABSENT};
    if (!z)
        return;
    out->state = z->expired ? HO_EXPIRED : HO_SERVED;
    out->serial = zone_serial(z->zone);
    out->version = z->version;
    out->records = zone_records(z->zone);
    zone_sha256(out->sha256, z->zone);
}
