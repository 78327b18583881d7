#include "syncd/xfrin_apply.h"

#include "lib/zone/catalog.h"
#include "lib/zone/changeset.h"
#include "syncd/series.h"

static void set_timers(struct transfer_report *out, const struct soa *soa)
{
    out->has_soa = true;
    out->serial = soa->serial;
    out->timers = (struct refresh_timers){
        .refresh_s = soa->refresh_s, .retry_s = soa->retry_s, .expire_s = soa->expire_s};
}

/* A catalog zone that is none is refused, so that what is stored always is one. */
static enum err check_catalog(struct xfrin_result *out, const struct xfrin_spec *spec)
{
    struct catalog *list = NULL;
    enum err rc;

    if (!spec->catalog)
        return OK;
    if ((rc = catalog_parse(&list, out->new_zone, &out->error)) == OK)
        catalog_free(list);
    return rc;
}

/* The new version, if it may be served at all. */
static enum err build(struct xfrin_result *out, const struct xfrin_spec *spec,
                      struct zone_builder *builder)
{
    struct zone_build_report built = {0};
    struct rr rr;
    struct soa soa;
    enum err rc;

    if ((rc = zone_builder_finish(&out->new_zone, builder, &built, &out->error)))
        return rc;
    if (zone_soa(out->new_zone, &rr, &soa))
        set_timers(&out->report, &soa);
    if ((rc = zone_check(out->new_zone, &out->error)) || (rc = check_catalog(out, spec)))
        return rc;
    out->records = zone_records(out->new_zone);
    out->duplicates = built.duplicates;
    out->ttls_changed = built.ttls_changed;
    return OK;
}

/* The row, and the content that a new version is compared with: what is served, as the primaries
 * have it, or the newest version that waits, since the zone is held or
 * for its time. *waits: it is that one. */
static enum err load_row(struct xfrin_result *out, const struct xfrin_spec *spec, bool *waits,
                         struct errinfo *e)
{
    struct store *s = NULL;
    enum err rc;

    *waits = false;
    if ((rc = store_readers_take(spec->readers, &s, e)))
        return rc;
    if ((rc = store_read_begin(s, e)))
        goto out;
    rc = store_zone_get(s, spec->zone, &out->row, e);
    if (rc == OK && out->row.has_content) {
        if (out->row.held) {
            rc = store_zone_load_waiting(&out->old_zone, s, &out->row, e);
            *waits = rc == OK;
        } else if (store_zone_is_staged(&out->row)) {
            rc = store_zone_load_version(&out->old_zone, s, &out->row, out->row.staged_version, e);
            *waits = rc == OK;
        } else if (spec->cache) {
            out->old_zone = zone_cache_get(spec->cache, spec->zone, out->row.seq);
        }
        if (rc == ERR_NOT_FOUND || (rc == OK && !out->old_zone))
            rc = store_zone_load(&out->old_zone, s, &out->row, e);
    }
    store_read_end(s);
out:
    store_readers_give(spec->readers, s, rc);
    return rc;
}

/* The same; out->served stays NULL unless it is under a serial of our own. */
static enum err load(struct xfrin_result *out, const struct xfrin_spec *spec, struct errinfo *e)
{
    bool waits;
    enum err rc = load_row(out, spec, &waits, e);

    if (rc || !out->row.ours || !out->old_zone || waits)
        return rc;
    out->served = out->old_zone;
    out->old_zone = NULL;
    return series_theirs(&out->old_zone, &out->row, out->served, e);
}

/* All that was compared and judged was so by the serials of the primaries; what is stored follows
 * what is served. */
static enum err follow(struct xfrin_result *out, const struct xfrin_spec *spec, struct errinfo *e)
{
    struct store_zone row = out->row;
    struct changeset *changes = NULL;
    struct zone *next = NULL;
    bool new = out->report.outcome == TRANSFER_NEW;
    bool forward = spec->guards.serial_back == CONFIG_BACK_ACCEPT;
    enum err rc = OK;

    if ((!new && !out->quarantine) || !out->old_zone)
        return OK;
    if (new && !out->judged && xfrin_wants_command(out, spec))
        return OK; /* when that has said what it thinks */
    if (new && !out->row.held && !out->staged)
        rc = series_follow(&next, &row, out->new_zone, forward, &out->forward_ended, e);
    else
        next = zone_ref(out->new_zone); /* is not served */
    if (rc == OK && (out->served || next != out->new_zone))
        rc = zone_diff(&changes, out->served ? out->served : out->old_zone, next, e);
    if (rc == OK && changes) {
        changeset_free(out->changes);
        out->changes = changes;
    }
    if (rc == OK && out->served) {
        zone_unref(out->old_zone);
        out->old_zone = zone_ref(out->served);
    }
    if (rc == OK) {
        zone_unref(out->new_zone);
        out->new_zone = zone_ref(next);
        out->ours = row.ours;
        out->theirs = row.theirs;
    }
    zone_unref(next);
    return rc;
}

/* ---- Guards ---- */

/* The newest version that was kept aside, if it is newer than what is served. */
static enum err load_aside(struct zone **out, const struct xfrin_result *result,
                           const struct xfrin_spec *spec, struct errinfo *e)
{
    struct store *s = NULL;
    enum err rc;

    if (result->row.last_version <= result->row.version)
        return OK;
    if ((rc = store_readers_take(spec->readers, &s, e)))
        return rc;
    if ((rc = store_read_begin(s, e)) == OK) {
        rc = store_zone_load_waiting(out, s, &result->row, e);
        store_read_end(s);
    }
    store_readers_give(spec->readers, s, rc);
    return rc == ERR_NOT_FOUND ? OK : rc;
}

/* What is stored of it then is the change from `aside`. */
static enum err stand_behind(struct xfrin_result *out, struct zone *aside, struct errinfo *e)
{
    struct changeset *changes = NULL;
    enum err rc = zone_diff(&changes, aside, out->new_zone, e);

    if (rc)
        return rc;
    changeset_free(out->changes);
    zone_unref(out->old_zone);
    out->changes = changes;
    out->old_zone = zone_ref(aside);
    zone_unref(out->served);
    out->served = NULL;
    return OK;
}

/* Not served; kept aside unless it is there already, compared with what it stands behind there. */
static enum err set_aside(struct xfrin_result *out, const struct xfrin_spec *spec,
                          struct errinfo *e)
{
    struct zone *aside = NULL;
    enum err rc;

    if ((rc = load_aside(&aside, out, spec, e)))
        return rc;
    out->quarantine = true;
    if (!aside)
        return OK;
    if ((rc = stand_behind(out, aside, e)) == OK)
        out->quarantine = out->changes->added.n + out->changes->removed.n > 0;
    zone_unref(aside);
    return rc;
}

static enum err refuse(struct xfrin_result *out, const struct xfrin_spec *spec, struct errinfo *e)
{
    out->report.outcome = TRANSFER_REFUSED;
    out->fault = XFRIN_FAULT_GUARD;
    (void)err_set(ERR_CHECK, &out->error, "%s%s", out->old_zone ? "quarantined: " : "",
                  out->guard.reason);
    return out->old_zone ? set_aside(out, spec, e) : OK; /* what is set aside stands behind it */
}

/* It passed everything: to be served, or, behind what waits already, to wait for its time. */
static enum err stage(struct xfrin_result *out, const struct xfrin_spec *spec, struct errinfo *e)
{
    struct zone *aside = NULL;
    enum err rc = OK;

    if (out->report.outcome != TRANSFER_NEW || out->row.held || !out->old_zone ||
        (!spec->stage && !store_zone_is_staged(&out->row)))
        return OK;
    out->staged = true;
    if (store_zone_is_staged(&out->row) && out->row.staged_version == out->row.last_version)
        return OK; /* old_zone is the end of the line */
    if ((rc = load_aside(&aside, out, spec, e)) == OK && aside)
        rc = stand_behind(out, aside, e);
    zone_unref(aside);
    return rc;
}

/* While the zone is held, each version waits for an operator anyway. */
static enum err guard(struct xfrin_result *out, const struct xfrin_spec *spec, struct errinfo *e)
{
    struct guard_spec g = {.guards = &spec->guards,
                           .now = spec->now,
                           .threads = spec->guard_threads,
                           .sound = spec->sound.seq && spec->sound.seq == out->row.seq &&
                                    !store_zone_is_staged(&out->row),
                           .until = spec->sound.until};

    if (out->report.outcome != TRANSFER_NEW || out->row.held)
        return OK;
    guard_judge(&out->guard, &g, out->old_zone, out->new_zone, out->changes);
    if (out->guard.quarantine)
        return refuse(out, spec, e);
    return xfrin_wants_command(out, spec) ? OK : stage(out, spec, e);
}

/* Our own store is in trouble, or the zone was taken away meanwhile. */
static void fail_store(struct xfrin_result *out, enum err rc, const char *what)
{
    out->report.outcome = rc == ERR_NOT_FOUND ? TRANSFER_CONFLICT : TRANSFER_FAILED;
    out->fault = XFRIN_FAULT_STORE;
    out->quarantine = false;
    (void)err_wrap(rc, &out->error, "%s", what);
}

bool xfrin_wants_command(const struct xfrin_result *result, const struct xfrin_spec *spec)
{
    return spec->command && spec->commands && result->report.outcome == TRANSFER_NEW &&
           !result->row.held;
}

void xfrin_apply_verdict(struct xfrin_result *out, const struct xfrin_spec *spec)
{
    enum err rc =
        out->guard.quarantine ? refuse(out, spec, &out->error) : stage(out, spec, &out->error);

    out->judged = true;
    if (rc || (rc = follow(out, spec, &out->error)))
        fail_store(out, rc, "comparing with what is stored");
}

/* ---- Whole ---- */

/* Whether the serial alone decides. */
static bool serial_decides(struct xfrin_result *out, const struct xfrin_spec *spec)
{
    enum serial_order order;

    if (spec->any_serial || !spec->has_newest)
        return false;
    order = serial_cmp(out->report.serial, spec->newest);
    if (order == SERIAL_NEWER)
        return false;
    out->report.outcome = order == SERIAL_EQUAL ? TRANSFER_SAME : TRANSFER_OLDER;
    (void)err_set(ERR_SERIAL, &out->error, "serial %u is not newer than ours, %u",
                  (unsigned)out->report.serial.v, (unsigned)spec->newest.v);
    return true;
}

static enum err compare(struct xfrin_result *out, struct errinfo *e)
{
    enum err rc = zone_diff(&out->changes, out->old_zone, out->new_zone, e);

    if (rc)
        return rc;
    out->report.outcome = TRANSFER_NEW;
    if (!out->old_zone)
        return OK;
    if (out->changes->added.n == 0 && out->changes->removed.n == 0)
        out->report.outcome = TRANSFER_SAME;
    switch (serial_cmp(zone_serial(out->new_zone), zone_serial(out->old_zone))) {
    case SERIAL_NEWER:
        break;
    case SERIAL_EQUAL:
        out->same_serial = out->report.outcome == TRANSFER_NEW;
        break;
    case SERIAL_OLDER:
    case SERIAL_UNDEFINED:
        out->older_serial = true;
        break;
    }
    return OK;
}

void xfrin_apply(struct xfrin_result *out, const struct xfrin_spec *spec,
                 struct zone_builder *builder)
{
    enum err rc;

    if (build(out, spec, builder) != OK) {
        out->report.outcome = TRANSFER_REFUSED;
        out->fault = XFRIN_FAULT_CONTENT;
        return;
    }
    if (serial_decides(out, spec))
        return;
    if ((rc = load(out, spec, &out->error)) || (rc = compare(out, &out->error)) ||
        (rc = guard(out, spec, &out->error)) || (rc = follow(out, spec, &out->error)))
        fail_store(out, rc, "comparing with what is stored");
}

/* ---- Incremental ---- */

/* Applies the sequences one after the other: a record may go and come again. */
static enum err apply_all(struct xfrin_result *out, const struct xfrin_spec *spec,
                          struct changeset *const *changes, size_t n)
{
    struct zone *at = zone_ref(out->old_zone);

    for (size_t i = 0; i < n; i++) {
        struct zone *next = NULL;
        enum err rc = zone_apply(&next, at, changes[i], &spec->limits, &out->error);

        zone_unref(at);
        if (rc)
            return err_wrap(rc, &out->error, "the change to serial %u", (unsigned)changes[i]->to.v);
        at = next;
    }
    out->new_zone = at;
    return OK;
}

static enum err apply_and_check(struct xfrin_result *out, const struct xfrin_spec *spec,
                                const struct ixfr *ixfr)
{
    struct changeset *const *changes;
    struct rr rr;
    struct soa soa;
    size_t n;
    enum err rc;

    changes = ixfr_changes(ixfr, &n);
    out->sequences = n;
    if (!out->old_zone || !serial_eq(zone_serial(out->old_zone), changes[0]->from))
        return err_set(ERR_SERIAL, &out->error, "it changes serial %u, which is not what is stored",
                       (unsigned)changes[0]->from.v);
    if ((rc = apply_all(out, spec, changes, n)))
        return rc;
    if ((rc = zone_diff(&out->changes, out->old_zone, out->new_zone, &out->error)) ||
        (rc = zone_check_change(out->new_zone, out->changes, &out->error)) ||
        (rc = check_catalog(out, spec)))
        return rc;
    if (zone_soa(out->new_zone, &rr, &soa))
        set_timers(&out->report, &soa);
    out->records = zone_records(out->new_zone);
    return OK;
}

void xfrin_apply_ixfr(struct xfrin_result *out, const struct xfrin_spec *spec,
                      const struct ixfr *ixfr)
{
    enum err rc;

    out->incremental = true;
    if ((rc = load(out, spec, &out->error))) {
        fail_store(out, rc, "loading what is stored");
    } else if (apply_and_check(out, spec, ixfr) == OK) {
        out->report.outcome = TRANSFER_NEW;
        if ((rc = guard(out, spec, &out->error)) || (rc = follow(out, spec, &out->error)))
            fail_store(out, rc, "comparing with what is stored");
    } else {
        out->report.outcome = TRANSFER_NOT_INCREMENTAL;
        out->fault = XFRIN_FAULT_CONTENT;
    }
}
