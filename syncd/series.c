#include "syncd/series.h"

enum err series_bears(const struct zone *content, struct errinfo *e)
{
    struct node apex;
    struct rrset set;

    if (!zone_find(content, zone_apex(content), &apex))
        return OK;
    if (node_rrset(&apex, RR_RRSIG, &set))
        return err_set(ERR_CHECK, e,
                       "the zone is signed: under a serial of our own the signature of its SOA "
                       "would be wrong");
    if (node_rrset(&apex, RR_ZONEMD, &set))
        return err_set(ERR_CHECK, e,
                       "the zone has a digest (ZONEMD), which would be wrong under a serial of our "
                       "own");
    return OK;
}

/* ---- The newest serial that was served ---- */

#define VERSIONS_AT_ONCE 16

struct looking {
    struct serial newest;
    uint64_t last; /* number of the version looked at last */
    uint32_t seen;
    bool over;
};

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct looking *l = ctx;

    (void)e;
    l->seen++;
    l->last = v->version;
    if (l->over || v->waiting)
        return OK;
    if (serial_cmp(v->serial, l->newest) == SERIAL_NEWER)
        l->newest = v->serial;
    l->over = v->origin.kind != ORIGIN_ROLLBACK && v->origin.kind != ORIGIN_REMOVE &&
              v->origin.kind != ORIGIN_UNDELETE;
    return OK;
}

enum err series_last(struct serial *out, struct store *s, const struct store_zone *row,
                     struct errinfo *e)
{
    struct looking l = {.newest = row->serial};
    enum err rc;

    do {
        l.seen = 0;
        if ((rc = store_version_each(s, row->id, l.last, VERSIONS_AT_ONCE, on_version, &l, e)))
            return rc;
    } while (!l.over && l.seen == VERSIONS_AT_ONCE);
    *out = l.newest;
    return OK;
}

/* ---- From one series to the other ---- */

static enum err with_serial(struct zone **out, struct zone *content, struct serial serial,
                            struct errinfo *e)
{
    if (!serial_eq(zone_serial(content), serial))
        return zone_with_serial(out, content, serial, e);
    *out = zone_ref(content);
    return OK;
}

enum err series_ahead(struct zone **out, struct store_zone *row, struct zone *content,
                      struct serial theirs, struct serial last, struct errinfo *e)
{
    row->ours = serial_cmp(theirs, last) != SERIAL_NEWER;
    row->theirs = theirs;
    return with_serial(out, content, row->ours ? serial_next(last) : theirs, e);
}

enum err series_theirs(struct zone **out, const struct store_zone *row, struct zone *served,
                       struct errinfo *e)
{
    return with_serial(out, served, store_zone_theirs(row), e);
}

enum err series_follow(struct zone **out, struct store_zone *row, struct zone *content,
                       bool forward, bool *ended, struct errinfo *e)
{
    struct serial theirs = zone_serial(content);
    bool back = row->has_content && serial_cmp(theirs, row->serial) != SERIAL_NEWER;
    bool wanted = row->ours || (forward && back && !serial_eq(theirs, row->serial));

    if (ended)
        *ended = false;
    if (wanted && series_bears(content, NULL) == OK)
        return series_ahead(out, row, content, theirs, row->serial, e);
    if (ended)
        *ended = wanted && back;
    row->ours = false;
    *out = zone_ref(content);
    return OK;
}
