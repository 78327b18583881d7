#include "syncd/audit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define NUMBERS_AT_ONCE 256

/* ---- Numbers of versions that may matter, newest first ---- */

struct candidate {
    uint64_t version;
    bool sure;
};

struct candidates {
    struct candidate list[NUMBERS_AT_ONCE];
    size_t n;
};

static enum err on_touched(void *ctx, uint64_t version, bool sure, struct errinfo *e)
{
    struct candidates *c = ctx;

    (void)e;
    c->list[c->n++] = (struct candidate){version, sure};
    return OK;
}

static enum err on_any(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct candidates *c = ctx;

    (void)e;
    c->list[c->n++] = (struct candidate){v->version, true};
    return OK;
}

/* Of an owner those that the index has, otherwise all. */
static enum err next_candidates(struct candidates *c, struct history *h, const struct store_zone *z,
                                const uint8_t *owner, uint64_t before, struct errinfo *e)
{
    c->n = 0;
    if (owner)
        return store_touched_each(h->store, z->id, owner, before, NUMBERS_AT_ONCE, on_touched, c,
                                  e);
    return store_version_each(h->store, z->id, before, NUMBERS_AT_ONCE, on_any, c, e);
}

/* ---- Versions of a name ---- */

static bool is_meant(const struct audit_name *name, const struct rr *rr)
{
    return (!name->owner || name_eq(rr->owner, name->owner)) &&
           (!name->type || rr->type == name->type);
}

static bool list_has(const struct rr_list *l, const struct audit_name *name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (is_meant(name, &l->rrs[i]) && (name->type || l->rrs[i].type != RR_SOA))
            return true;
    }
    return false;
}

/* What the version added to the one before it, and took away; a first version added all. */
static enum err change_of(struct changeset **out, struct store_version *before, bool *has_before,
                          struct history *h, const struct store_zone *z,
                          const struct store_version *v, struct errinfo *e)
{
    struct zone *first = NULL;
    enum err rc = history_before(before, h, z, v, e);

    *has_before = rc == OK;
    if (rc == OK)
        return history_diff(out, h, z, before, v, e);
    if (rc != ERR_NOT_FOUND || (rc = history_content(&first, h, z, v, e)))
        return rc;
    rc = zone_diff(out, NULL, first, e);
    zone_unref(first);
    return rc;
}

/* A change that cannot be read any more may have been one. */
bool audit_touches(struct history *h, const struct store_zone *z, const struct store_version *v,
                   const struct audit_name *name)
{
    struct changeset *cs = NULL;
    struct store_version before;
    bool has_before, found = true;

    if (change_of(&cs, &before, &has_before, h, z, v, NULL) == OK)
        found = list_has(&cs->added, name) || list_has(&cs->removed, name);
    changeset_free(cs);
    return found;
}

enum err audit_versions(struct history *h, const struct store_zone *z,
                        const struct audit_name *name, uint64_t before, audit_version_fn *f,
                        void *ctx, struct errinfo *e)
{
    /* The index does not count the SOA: each version has another one. */
    const uint8_t *indexed = name->type == RR_SOA ? NULL : name->owner;
    struct candidates c;

    do {
        enum err rc = next_candidates(&c, h, z, indexed, before, e);

        for (size_t i = 0; i < c.n && rc == OK; i++) {
            struct store_version v;
            bool sure = c.list[i].sure && !name->type;

            before = c.list[i].version;
            if ((rc = store_version_get(h->store, z->id, before, &v, e)) == OK &&
                (sure || audit_touches(h, z, &v, name)) && !f(ctx, &v))
                return OK;
        }
        if (rc)
            return rc;
    } while (c.n == NUMBERS_AT_ONCE);
    return OK;
}

/* ---- Blame ---- */

struct blame {
    struct blame_line *lines; /* in canonical order */
    size_t n, cap, left;      /* left: of which the version is not known yet */
};

static enum err take_records(struct blame *b, struct arena *arena, const struct zone *content,
                             const struct audit_name *name)
{
    struct zone_rr_iter it;
    struct rr rr;

    zone_rr_iter_init(&it, content);
    while (zone_rr_next(&it, &rr)) {
        if (!is_meant(name, &rr))
            continue;
        rr.owner = arena_dup(arena, rr.owner, name_len(rr.owner));
        b->lines = xgrow(b->lines, &b->cap, b->n + 1, sizeof(*b->lines));
        b->lines[b->n++] = (struct blame_line){.rr = rr};
    }
    b->left = b->n;
    return b->n ? OK : ERR_NOT_FOUND;
}

static int by_record(const void *key, const void *element)
{
    return rr_cmp(key, &((const struct blame_line *)element)->rr);
}

static enum err blame_version(struct blame *b, struct history *h, const struct store_zone *z,
                              const struct store_version *v, struct errinfo *e)
{
    struct changeset *cs = NULL;
    struct store_version before;
    bool has_before = false;
    enum err rc = change_of(&cs, &before, &has_before, h, z, v, e);

    for (size_t i = 0; rc == OK && i < cs->added.n; i++) {
        struct blame_line *l =
            bsearch(&cs->added.rrs[i], b->lines, b->n, sizeof(*b->lines), by_record);

        if (!l || l->known)
            continue;
        l->known = true;
        l->since = *v;
        l->has_before = has_before;
        l->before = has_before ? before : l->before;
        b->left--;
    }
    changeset_free(cs);
    return rc;
}

/* Through what was served, back from the newest, until each record has its version. */
static enum err blame_all(struct blame *b, struct history *h, const struct store_zone *z,
                          const uint8_t *owner, uint32_t versions_max, struct errinfo *e)
{
    uint64_t before = z->version + 1;
    struct candidates c;

    do {
        enum err rc = next_candidates(&c, h, z, owner, before, e);

        for (size_t i = 0; i < c.n && rc == OK && b->left && versions_max; i++) {
            struct store_version v;

            before = c.list[i].version;
            rc = store_version_get(h->store, z->id, before, &v, e);
            if (rc || v.waiting)
                continue;
            versions_max--;
            rc = blame_version(b, h, z, &v, e);
        }
        if (rc)
            return rc;
    } while (c.n == NUMBERS_AT_ONCE && b->left && versions_max);
    return OK;
}

static enum err load_part(struct zone **out, struct history *h, const struct store_zone *z,
                          const struct audit_name *name, struct errinfo *e)
{
    enum err rc;

    if (!z->has_content)
        return err_set(ERR_NOT_FOUND, e, "the zone has no content yet");
    rc = name->owner ? store_zone_part(out, h->store, z, name->owner, e)
                     : store_zone_load(out, h->store, z, e);
    return rc;
}

enum err audit_blame(struct history *h, const struct store_zone *z, const struct audit_name *name,
                     uint32_t versions_max, blame_fn *f, void *ctx, struct errinfo *e)
{
    /* The SOA is in no index; it came with the newest version. */
    bool soa =
        name->type == RR_SOA || (name->owner && !name->type && name_eq(name->owner, z->name));
    struct blame b = {.n = 0};
    struct zone *content = NULL;
    struct arena arena;
    enum err rc;

    arena_init(&arena, 0);
    if ((rc = load_part(&content, h, z, name, e)))
        goto out;
    if (take_records(&b, &arena, content, name)) {
        rc = err_set(ERR_NOT_FOUND, e,
                     "no such record is served; 'zonectl log' with --name shows "
                     "which versions had to do with it");
        goto out;
    }
    if (soa)
        rc = blame_all(&b, h, z, NULL, 1, e);
    if (rc == OK)
        rc = blame_all(&b, h, z, name->owner, versions_max, e);
    for (size_t i = 0; rc == OK && i < b.n; i++)
        f(ctx, &b.lines[i]);
out:
    free(b.lines);
    zone_unref(content);
    arena_done(&arena);
    return rc;
}
