/* Content that is not stored as pages: worked out from what is served and the change log. */
#include "lib/store/store_internal.h"

/* Changes are applied one after the other; the chain of versions must have no hole. */
struct walk {
    struct zone *zone;
    uint64_t at; /* the version that `zone` is */
    struct store *s;
    int64_t zone_id;
};

static enum err walk_apply(struct walk *w, const struct changeset *cs, struct errinfo *e)
{
    struct zone *next = NULL;
    enum err rc = zone_apply(&next, w->zone, cs, NULL, e);

    if (rc)
        return err_wrap(ERR_CORRUPT, e, "its change set does not fit");
    zone_unref(w->zone);
    w->zone = next;
    return OK;
}

/* One served version back: c made the version that w->zone is. */
static enum err walk_back(void *ctx, const struct store_change *c, struct errinfo *e)
{
    struct walk *w = ctx;
    struct changeset *inverse = NULL;
    struct store_version before;
    enum err rc = OK;

    if (c->version != w->at || c->kind != CHANGE_DELTA)
        return err_set(ERR_NOT_FOUND, e, "the change log does not reach back to it");
    if (!(rc = version_one(w->s, ST_VERSION_SERVED_BEFORE, w->zone_id, w->at, &before, e)) &&
        !(rc = changeset_invert(&inverse, c->changes, e)))
        rc = walk_apply(w, inverse, e);
    changeset_free(inverse);
    if (rc)
        return err_wrap(rc, e, "change %llu", (unsigned long long)c->seq);
    w->at = before.version;
    return OK;
}

/* Back from the served content to a version that was served. */
static enum err load_served(struct walk *w, const struct store_zone *z, uint64_t version,
                            struct errinfo *e)
{
    enum err rc;

    w->at = z->version;
    if ((rc = store_zone_load(&w->zone, w->s, z, e)) ||
        (rc = changes_of_zone(w->s, ST_CHANGES_BACK, z->id, version, z->version, walk_back, w, e)))
        return rc;
    if (w->at != version)
        return err_set(ERR_NOT_FOUND, e, "the change log does not reach back to it");
    return OK;
}

/* One waiting version forward. */
static enum err walk_forward(void *ctx, const struct store_change *c, struct errinfo *e)
{
    struct walk *w = ctx;
    enum err rc;

    if (c->kind != CHANGE_DELTA || !serial_eq(c->from, zone_serial(w->zone)))
        return err_set(ERR_NOT_FOUND, e, "the change log does not reach to it");
    if ((rc = walk_apply(w, c->changes, e)))
        return err_wrap(rc, e, "change %llu", (unsigned long long)c->seq);
    w->at = c->version;
    return OK;
}

/* From the content of the version that was served when `version` came. */
static enum err load_waiting(struct walk *w, uint64_t version, struct errinfo *e)
{
    enum err rc =
        changes_of_zone(w->s, ST_CHANGES_WAITING, w->zone_id, w->at, version, walk_forward, w, e);

    if (!rc && w->at != version)
        rc = err_set(ERR_NOT_FOUND, e, "the change log does not reach to it");
    return rc;
}

static enum err load_any(struct walk *w, const struct store_zone *z, uint64_t version,
                         struct errinfo *e)
{
    struct store_version v, base;
    enum err rc;

    if ((rc = store_version_get(w->s, z->id, version, &v, e)))
        return rc;
    if (!v.waiting)
        return load_served(w, z, version, e);
    if ((rc = version_one(w->s, ST_VERSION_SERVED_BEFORE, z->id, version, &base, e)) ||
        (rc = load_served(w, z, base.version, e)))
        return rc;
    return load_waiting(w, version, e);
}

/* Gives the walk's zone away, or drops it. */
static enum err walk_end(struct zone **out, struct walk *w, const struct store_zone *z, enum err rc,
                         struct errinfo *e)
{
    char text[NAME_TEXT_MAX];

    store_read_end(w->s);
    if (!rc) {
        *out = w->zone;
        return OK;
    }
    zone_unref(w->zone);
    (void)name_to_text(text, z->name);
    return err_wrap(rc, e, "zone %s", text);
}

enum err store_zone_load_waiting(struct zone **out, struct store *s, const struct store_zone *z,
                                 struct errinfo *e)
{
    struct walk w = {.s = s, .zone_id = z->id};
    struct store_zone row;
    struct store_version newest;
    enum err rc;

    if ((rc = store_read_begin(s, e)))
        return rc;
    if (!(rc = store_zone_get_id(s, z->id, &row, e)) &&
        !(rc = version_one(s, ST_VERSION_NEWEST_WAITING, row.id, row.version, &newest, e)) &&
        !(rc = load_served(&w, &row, row.version, e)))
        rc = load_waiting(&w, newest.version, e);
    return walk_end(out, &w, z, rc, e);
}

enum err store_zone_load_version(struct zone **out, struct store *s, const struct store_zone *z,
                                 uint64_t version, struct errinfo *e)
{
    struct walk w = {.s = s, .zone_id = z->id};
    struct store_zone row;
    enum err rc;

    if ((rc = store_read_begin(s, e)))
        return rc;
    if (!(rc = store_zone_get_id(s, z->id, &row, e)) && (rc = load_any(&w, &row, version, e)))
        rc = err_wrap(rc, e, "version %llu", (unsigned long long)version);
    return walk_end(out, &w, z, rc, e);
}

/* ---- Changes alone ---- */

struct joining {
    struct store *s;
    int64_t zone_id;
    uint64_t at; /* the version that `sum` leads from */
    uint64_t left;
    struct changeset *sum;
};

static uint64_t changeset_weight(const struct changeset *cs)
{
    return (cs->added.n + cs->removed.n) * sizeof(struct rr);
}

/* Joins one change that made the version `at` in front of what is there. */
static enum err join_back(void *ctx, const struct store_change *c, struct errinfo *e)
{
    struct joining *j = ctx;
    struct changeset *sum = NULL;
    struct store_version before;
    enum err rc;

    if (c->version != j->at || c->kind != CHANGE_DELTA)
        return err_set(ERR_NOT_FOUND, e, "the change log does not reach back to it");
    if ((rc = version_one(j->s, ST_VERSION_SERVED_BEFORE, j->zone_id, j->at, &before, e)))
        return rc;
    if (changeset_weight(c->changes) > j->left)
        return err_set(ERR_NOT_FOUND, e, "its changes are too many");
    j->left -= changeset_weight(c->changes);
    if ((rc = changeset_join(&sum, c->changes, j->sum, e)))
        return rc;
    changeset_free(j->sum);
    j->sum = sum;
    j->at = before.version;
    return OK;
}

enum err store_changes_since(struct changeset **out, struct store *s, const struct store_zone *z,
                             uint64_t version, uint64_t max_bytes, struct errinfo *e)
{
    struct joining j = {.s = s, .zone_id = z->id, .at = z->version, .left = max_bytes};
    enum err rc;

    if ((rc = store_read_begin(s, e)))
        return rc;
    j.sum = changeset_new(z->name); /* nothing, from what is served to what is served */
    j.sum->has_from = true;
    j.sum->from = j.sum->to = z->serial;
    rc = changes_of_zone(s, ST_CHANGES_BACK, z->id, version, z->version, join_back, &j, e);
    store_read_end(s);
    if (rc == OK && j.at != version)
        rc = err_set(ERR_NOT_FOUND, e, "the change log does not reach back to it");
    if (rc) {
        changeset_free(j.sum);
        return rc;
    }
    *out = j.sum;
    return OK;
}
