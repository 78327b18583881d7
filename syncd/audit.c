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
    c->list[c->n++] = (struct candidate){v->version, false};
    return OK;
}

/* The index does not count the SOA: each version has another one. */
static bool is_indexed(const struct audit_name *name)
{
    return name->owner && name->type != RR_SOA;
}

/* At most `max`: those that the index has, if it has the name, otherwise all. */
static enum err next_candidates(struct candidates *c, struct history *h, const struct store_zone *z,
                                const struct audit_name *name, uint64_t before, uint32_t max,
                                struct errinfo *e)
{
    c->n = 0;
    if (is_indexed(name))
        return store_touched_each(h->store, z->id, name->owner, name->type, before, max, on_touched,
                                  c, e);
    return store_version_each(h->store, z->id, before, max, on_any, c, e);
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

/* What the version added to the one before it, and took away; a first version added all. With an
 * owner only its records are sure to be there: in the journal no more is read. */
static enum err change_of(struct changeset **out, struct store_version *before, bool *has_before,
                          struct history *h, const struct store_zone *z,
                          const struct store_version *v, const uint8_t *owner, struct errinfo *e)
{
    static const struct store_version none = {.journaled = true};
    struct zone *first = NULL;
    enum err rc = history_before(before, h, z, v, e);

    *has_before = rc == OK;
    if (rc != OK && rc != ERR_NOT_FOUND)
        return rc;
    if (owner && v->journaled && (rc || before->journaled))
        return history_diff_owner(out, h, z, owner, rc ? &none : before, v, e);
    if (rc == OK)
        return history_diff(out, h, z, before, v, e);
    if ((rc = history_content(&first, h, z, v, e)))
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

    if (change_of(&cs, &before, &has_before, h, z, v, name->owner, NULL) == OK)
        found = list_has(&cs->added, name) || list_has(&cs->removed, name);
    changeset_free(cs);
    return found;
}

enum err audit_versions(struct history *h, const struct store_zone *z,
                        const struct audit_name *name, uint64_t before, audit_version_fn *f,
                        void *ctx, struct errinfo *e)
{
    struct candidates c;

    do {
        enum err rc = next_candidates(&c, h, z, name, before, NUMBERS_AT_ONCE, e);

        for (size_t i = 0; i < c.n && rc == OK; i++) {
            struct store_version v;
            bool sure = c.list[i].sure;

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

/* Records of one owner and type, and the newest version below those looked at that may have brought
 * one of them. */
struct cursor {
    struct audit_name name;
    size_t first, n; /* of the lines */
    uint64_t next;   /* 0: there is none */
};

struct blame {
    struct history *h;
    const struct store_zone *z;
    const uint8_t *owner;     /* NULL: of all */
    struct blame_line *lines; /* in canonical order */
    size_t n, cap, left;      /* left: of which the version is not known yet */
    struct cursor *heap;      /* the largest `next` first */
    size_t cursors, cursor_cap;
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

static enum err cursor_move(struct blame *b, struct cursor *c, uint64_t before, struct errinfo *e)
{
    struct candidates found;
    enum err rc = before > 1 ? next_candidates(&found, b->h, b->z, &c->name, before, 1, e) : OK;

    c->next = before > 1 && rc == OK && found.n ? found.list[0].version : 0;
    return rc;
}

static void sift_down(struct blame *b, size_t i)
{
    for (;;) {
        size_t big = i, left = 2 * i + 1;

        for (size_t k = left; k < left + 2 && k < b->cursors; k++)
            big = b->heap[k].next > b->heap[big].next ? k : big;
        if (big == i)
            return;
        struct cursor c = b->heap[i];
        b->heap[i] = b->heap[big];
        b->heap[big] = c;
        i = big;
    }
}

static enum err make_cursors(struct blame *b, struct errinfo *e)
{
    for (size_t i = 0; i < b->n;) {
        const struct rr *rr = &b->lines[i].rr;
        struct cursor c = {.name = {rr->owner, rr->type}, .first = i};
        enum err rc = cursor_move(b, &c, b->z->version + 1, e);

        if (rc)
            return rc;
        while (i < b->n && b->lines[i].rr.type == c.name.type &&
               name_eq(b->lines[i].rr.owner, c.name.owner))
            i++;
        c.n = i - c.first;
        b->heap = xgrow(b->heap, &b->cursor_cap, b->cursors + 1, sizeof(*b->heap));
        b->heap[b->cursors++] = c;
    }
    for (size_t i = b->cursors; i-- > 0;)
        sift_down(b, i);
    return OK;
}

static int by_record(const void *key, const void *element)
{
    return rr_cmp(key, &((const struct blame_line *)element)->rr);
}

struct last {
    bool found, thinned;
};

static enum err on_last(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct last *l = ctx;

    (void)e;
    if (!l->found && !v->waiting)
        *l = (struct last){true, v->thinned};
    return OK;
}

/* Is the version that was served before it thinned? (Among a few: waiting ones are few.) */
static bool follows_thinned(const struct blame *b, uint64_t version)
{
    struct last l = {.found = false};

    return version > 1 &&
           store_version_each(b->h->store, b->z->id, version, 64, on_last, &l, NULL) == OK &&
           l.found && l.thinned;
}

/* *below: what is older than that has not been looked at. */
static enum err blame_version(struct blame *b, const struct store_version *v, uint64_t *below,
                              struct errinfo *e)
{
    struct changeset *cs = NULL;
    struct store_version before;
    bool has_before = false, thinned = follows_thinned(b, v->version);
    enum err rc = change_of(&cs, &before, &has_before, b->h, b->z, v, b->owner, e);

    for (size_t i = 0; rc == OK && i < cs->added.n; i++) {
        struct blame_line *l =
            bsearch(&cs->added.rrs[i], b->lines, b->n, sizeof(*b->lines), by_record);

        if (!l || l->known)
            continue;
        l->known = true;
        l->thinned = thinned;
        l->since = *v;
        l->has_before = has_before;
        l->before = has_before ? before : l->before;
        b->left--;
    }
    changeset_free(cs);
    *below = thinned ? (has_before ? before.version + 1 : 1) : v->version;
    return rc;
}

static bool has_unknown(const struct blame *b, const struct cursor *c)
{
    for (size_t i = c->first; i < c->first + c->n; i++)
        if (!b->lines[i].known)
            return true;
    return false;
}

/* All cursors that stand at `below` or above go on to older ones. */
static enum err leave_version(struct blame *b, uint64_t below, struct errinfo *e)
{
    while (b->heap[0].next >= below && b->heap[0].next) {
        enum err rc = OK;

        if (has_unknown(b, &b->heap[0]))
            rc = cursor_move(b, &b->heap[0], below, e);
        else
            b->heap[0].next = 0;
        if (rc)
            return rc;
        sift_down(b, 0);
    }
    return OK;
}

/* Through what was served, back from the newest, until each record has its version. Of each version
 * the change is read once, and only if it may have brought a record that is still unknown. */
static enum err blame_all(struct blame *b, uint32_t versions_max, struct errinfo *e)
{
    while (b->left && versions_max && b->heap[0].next) {
        uint64_t below = b->heap[0].next;
        struct store_version v;
        enum err rc = store_version_get(b->h->store, b->z->id, below, &v, e);

        if (rc == OK && v.thinned) /* what it changed is in the difference to the next one kept */
            rc = store_version_kept_after(b->h->store, b->z->id, below, &v, e);
        if (rc == OK && !v.waiting) {
            versions_max--;
            rc = blame_version(b, &v, &below, e);
        }
        if (rc || (rc = leave_version(b, below, e)))
            return rc;
    }
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
    struct blame b = {.h = h, .z = z, .owner = name->owner};
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
    if ((rc = make_cursors(&b, e)) == OK)
        rc = blame_all(&b, versions_max, e);
    for (size_t i = 0; rc == OK && i < b.n; i++)
        f(ctx, &b.lines[i]);
out:
    free(b.lines);
    free(b.heap);
    zone_unref(content);
    arena_done(&arena);
    return rc;
}
