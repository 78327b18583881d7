#include "syncd/import.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- From text to a zone ---- */

static enum err on_record(void *ctx, const struct rr *rr, struct errinfo *e)
{
    return zone_builder_add(ctx, rr, e);
}

enum err import_zone(struct zone **out, const char *text, size_t len,
                     const struct zonefile_opts *opts, const struct zone_limits *limits,
                     struct errinfo *e)
{
    struct zone_builder *b = zone_builder_new(opts->origin, limits);
    struct zone *z = NULL;
    enum err rc;

    if ((rc = zonefile_read_mem(text, len, opts, on_record, b, e)))
        goto out;
    if ((rc = zone_builder_finish(&z, b, NULL, e)) || (rc = zone_check(z, e))) {
        (void)err_wrap(rc, e, "%s", opts->path ? opts->path : "-");
        goto out;
    }
    *out = z;
    z = NULL;
out:
    zone_unref(z);
    zone_builder_free(b);
    return rc;
}

/* ---- Serials ---- */

static struct serial newer_of(struct serial a, struct serial b)
{
    return serial_cmp(b, a) == SERIAL_NEWER ? b : a;
}

static struct serial date_serial(struct wall now)
{
    time_t t = (time_t)now.s;
    struct tm tm;

    if (!gmtime_r(&t, &tm))
        return (struct serial){1};
    return (struct serial){
        (uint32_t)(((tm.tm_year + 1900) * 100 + tm.tm_mon + 1) * 100 + tm.tm_mday) * 100u};
}

enum err import_serial(struct serial *out, const struct import_wish *wish,
                       const struct serial *current, struct serial file, struct errinfo *e)
{
    bool newer = !current || serial_cmp(file, *current) == SERIAL_NEWER;
    struct serial today;

    switch (wish->serial) {
    case CONFIG_SERIAL_KEEP:
        if (!newer && !wish->force)
            return err_set(ERR_SERIAL, e,
                           "the content is another one, but its serial %u is not newer than ours, "
                           "%u",
                           (unsigned)file.v, (unsigned)current->v);
        *out = file;
        return OK;
    case CONFIG_SERIAL_INCREMENT:
        *out = newer ? file : serial_next(*current);
        return OK;
    case CONFIG_SERIAL_DATE:
        today = date_serial(wish->now);
        if (current && serial_cmp(today, *current) != SERIAL_NEWER)
            today = serial_next(*current);
        *out = newer_of(today, file);
        return OK;
    }
    return err_set(ERR_UNSUPPORTED, e, "there is no such way of serials");
}

/* ---- The step ---- */

bool import_only_serial(const struct changeset *cs)
{
    struct soa a;
    struct soa b;
    const struct rr *out = cs->removed.rrs;
    const struct rr *in = cs->added.rrs;

    if (cs->removed.n == 0 && cs->added.n == 0)
        return true;
    if (cs->removed.n != 1 || cs->added.n != 1 || out->type != RR_SOA || in->type != RR_SOA ||
        out->ttl != in->ttl || !soa_parse(&a, out->rdata, out->rdata_len) ||
        !soa_parse(&b, in->rdata, in->rdata_len))
        return false;
    return name_eq(a.mname, b.mname) && name_eq(a.rname, b.rname) && a.refresh_s == b.refresh_s &&
           a.retry_s == b.retry_s && a.expire_s == b.expire_s && a.minimum_s == b.minimum_s;
}

void import_step_done(struct import_step *s)
{
    zone_unref(s->next);
    changeset_free(s->changes);
    *s = (struct import_step){.next = NULL};
}

static enum err with_serial(struct zone **out, struct zone *z, struct serial serial,
                            struct errinfo *e)
{
    if (!serial_eq(serial, zone_serial(z)))
        return zone_with_serial(out, z, serial, e);
    *out = zone_ref(z);
    return OK;
}

static bool is_change(const struct changeset *cs, const struct import_wish *wish,
                      struct serial current, struct serial file)
{
    if (!import_only_serial(cs))
        return true;
    return wish->serial == CONFIG_SERIAL_KEEP &&
           ((wish->bare && serial_cmp(file, current) == SERIAL_NEWER) ||
            (wish->force && !serial_eq(file, current)));
}

/* The same content under an older serial: what is served is all there is to it. */
static enum err stay(struct import_step *s, struct zone *current, struct errinfo *e)
{
    import_step_done(s);
    s->next = zone_ref(current);
    return zone_diff(&s->changes, current, current, e);
}

enum err import_step(struct import_step *out, struct zone *current, struct zone *file,
                     const struct import_wish *wish, struct errinfo *e)
{
    struct import_step s = {.next = NULL};
    struct serial from = current ? zone_serial(current) : (struct serial){0};
    struct serial to = zone_serial(file);
    enum err refused = import_serial(&to, wish, current ? &from : NULL, to, e);
    enum err rc;

    if ((rc = with_serial(&s.next, file, to, e)) ||
        (current && (rc = zone_diff(&s.changes, current, s.next, e))))
        goto out;
    s.changed = !current || is_change(s.changes, wish, from, zone_serial(file));
    if (refused && s.changed) {
        rc = refused;
        goto out;
    }
    if (refused && (rc = stay(&s, current, e)))
        goto out;
    *out = s;
    s = (struct import_step){.next = NULL};
out:
    import_step_done(&s);
    return rc;
}

/* Nobody asks primaries about a zone of our own, so nothing would ever end their failures. */
void import_claim(struct commit_job *job, const char *file)
{
    static const struct store_zone none;
    struct store_zone *row = &job->row;

    row->kind = ZONE_LOCAL;
    row->source = SOURCE_OPERATOR;
    memcpy(row->catalog, none.catalog, sizeof(row->catalog));
    memcpy(row->member, none.member, sizeof(row->member));
    memcpy(row->nameserver, none.nameserver, sizeof(row->nameserver));
    (void)snprintf(row->file, sizeof(row->file), "%s", file);
    row->removed = row->held = row->expired = row->ours = false;
    commit_copy_state(row, &none);
    job->owns_state = true;
}
