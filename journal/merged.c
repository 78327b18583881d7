/* A pack made of several. What the old ones have is copied as it is, deltas and all; only what is
 * whole there, and is the version after another object of the new pack, is made a delta of it. So
 * merging costs little more than copying, and a pack that is merged again and again isn't searched
 * again and again.
 *
 * Which object comes after which is read from the history: the parts of a commit's tree and, at the
 * same places, those of its parent's.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"

#define MERGED_DEPTH_MAX 50 /* as git's own default */

struct merging {
    struct journal *j;
    struct packset *s;
    struct packer *out;
    journal_stop_fn *stop; /* NULL: never */
    void *stop_ctx;
};

static bool must_stop(const struct merging *m)
{
    return m->stop && m->stop(m->stop_ctx);
}

static enum err stopped(struct errinfo *e)
{
    return err_set(ERR_CLOSED, e, "stopped before the end");
}

/* ---- What comes after what ---- */

/* What it will be a delta of, or is; NO_OBJECT if it is whole. */
static uint32_t base_of(const struct packset *s, uint32_t i)
{
    return s->objects[i].base != NO_OBJECT ? s->objects[i].base : s->objects[i].after;
}

/* How many deltas up to the whole object, counting what is planned; false if `i` is among them. */
static bool chain_of(const struct packset *s, uint32_t from, uint32_t i, uint32_t *depth)
{
    *depth = 0;
    for (uint32_t at = from; at != NO_OBJECT; at = base_of(s, at), ++*depth)
        if (at == i || *depth > MERGED_DEPTH_MAX)
            return false;
    return true;
}

/* Heights as they are after `i` hangs below `from`. */
static void raise_heights(struct packset *s, uint32_t i, uint32_t from)
{
    uint32_t height = s->objects[i].height + 1;

    for (uint32_t at = from; at != NO_OBJECT; at = base_of(s, at), height++)
        if (s->objects[at].height < height)
            s->objects[at].height = height;
}

static void plan_delta(struct merging *m, const struct journal_oid *before, uint32_t i)
{
    struct pack_object *o = &m->s->objects[i];
    uint32_t from = packset_find(m->s, before);
    uint32_t depth = 0;

    if (from == NO_OBJECT || m->s->objects[from].gone || base_of(m->s, i) != NO_OBJECT ||
        m->s->objects[from].type != o->type || !chain_of(m->s, from, i, &depth) ||
        depth + o->height > MERGED_DEPTH_MAX)
        return;
    o->after = from;
    raise_heights(m->s, i, from);
}

static enum err children_of(struct merging *m, const struct journal_oid *tree,
                            struct part children[16], struct errinfo *e)
{
    struct object o = {0};
    enum err rc = object_get(m->j, NULL, tree, OBJ_TREE, &o, e);

    if (rc == OK)
        rc = part_children(children, &o, e);
    object_done(&o);
    return rc;
}

/* `is` takes the place of `was`. Only what is in the old packs is looked at, and once. */
static enum err plan_part(struct merging *m, const struct part *was, const struct part *is,
                          struct errinfo *e)
{
    struct part old[16], new[16];
    uint32_t i;
    enum err rc;

    if (is->kind == PART_NONE || was->kind != is->kind || oid_eq(&was->oid, &is->oid) ||
        (i = packset_find(m->s, &is->oid)) == NO_OBJECT || m->s->objects[i].walked)
        return OK;
    m->s->objects[i].walked = true;
    plan_delta(m, &was->oid, i);
    if (is->kind == PART_BLOB)
        return OK;
    if ((rc = children_of(m, &is->oid, new, e)) || (rc = children_of(m, &was->oid, old, e)))
        return rc;
    for (unsigned k = 0; k < 16 && rc == OK; k++)
        rc = plan_part(m, &old[k], &new[k], e);
    return rc;
}

struct commit_item {
    struct journal_oid oid, parent, tree;
    uint64_t seq;
    uint32_t object;
    uint8_t zone[8]; /* of its name's hash */
};

static int by_zone(const void *a, const void *b)
{
    const struct commit_item *x = a;
    const struct commit_item *y = b;
    int c = memcmp(x->zone, y->zone, sizeof(x->zone));

    return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static int commit_cmp(const void *a, const void *b)
{
    const struct commit_item *x = a;
    const struct commit_item *y = b;

    return (x->seq > y->seq) - (x->seq < y->seq);
}

static enum err plan_commit(struct merging *m, const struct commit_item *c, struct errinfo *e)
{
    struct object o = {0};
    struct journal_oid tree;
    struct part was, is;
    enum err rc;

    if (packset_find(m->s, &c->parent) == NO_OBJECT)
        return OK;
    if ((rc = object_get(m->j, NULL, &c->parent, OBJ_COMMIT, &o, e)) == OK)
        rc = commit_tree(&tree, o.data, o.len, e);
    object_done(&o);
    if (rc)
        return rc;
    plan_delta(m, &c->parent, c->object);
    if (oid_eq(&tree, &c->tree) || packset_find(m->s, &c->tree) == NO_OBJECT)
        return OK;
    if ((rc = top_get(m->j, NULL, &tree, &was, e)) || (rc = top_get(m->j, NULL, &c->tree, &is, e)))
        return rc;
    return plan_part(m, &was, &is, e);
}

/* The first pack is the largest. If it is larger than the others together, it was merged before,
 * and its history has been looked at. */
static bool is_news(const struct packset *s, const struct pack_object *o)
{
    size_t others = 0;

    if (o->gone || s->thinned)
        return !o->gone;
    for (size_t i = 1; i < s->pack_count; i++)
        others += s->maps[i].len;
    return o->pack > 0 || s->maps[0].len < others;
}

/* The commits of ours that may have something new, oldest first. */
static enum err find_commits(struct merging *m, struct commit_item **out, size_t *count,
                             struct errinfo *e)
{
    struct commit_item *list = NULL;
    size_t cap = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct pack_object *p = &m->s->objects[i];
        struct journal_commit c;
        struct object o = {0};
        uint8_t zone[NAME_MAX_OCTETS];
        enum err rc;

        if (p->type != OBJ_COMMIT || !is_news(m->s, p))
            continue;
        if (must_stop(m)) {
            free(list);
            return stopped(e);
        }
        if ((rc = object_get(m->j, NULL, &p->oid, OBJ_COMMIT, &o, e))) {
            free(list);
            return rc;
        }
        if (commit_decode(&c, zone, o.data, o.len, NULL) == OK) {
            list = xgrow(list, &cap, n + 1, sizeof(*list));
            uint8_t hash[32];

            sha256_bytes(hash, zone, name_len(zone));
            list[n] = (struct commit_item){p->oid, c.parent, c.content_id, c.seq, i, {0}};
            memcpy(list[n++].zone, hash, sizeof(list->zone));
        }
        object_done(&o);
    }
    if (list)
        qsort(list, n, sizeof(*list), commit_cmp);
    *out = list;
    *count = n;
    return OK;
}

/* Versions that stay, and whose parent goes, come after the one of their zone that stays before. */
static void bridge(struct merging *m, struct commit_item *list, size_t n)
{
    if (n == 0 || !m->s->thinned)
        return;
    qsort(list, n, sizeof(*list), by_zone);
    for (size_t i = 1; i < n; i++) {
        uint32_t parent = packset_find(m->s, &list[i].parent);

        if (memcmp(list[i].zone, list[i - 1].zone, sizeof(list->zone)) == 0 &&
            (parent == NO_OBJECT || m->s->objects[parent].gone))
            list[i].parent = list[i - 1].oid;
    }
    qsort(list, n, sizeof(*list), commit_cmp);
}

/* A history with a hole, or a damaged one, is copied as it is. */
static enum err plan(struct merging *m, struct errinfo *e)
{
    struct commit_item *commits = NULL;
    size_t n = 0;
    enum err rc = find_commits(m, &commits, &n, e);

    if (rc == OK)
        bridge(m, commits, n);
    for (size_t i = 0; i < n && rc == OK; i++) {
        rc = must_stop(m) ? stopped(e) : plan_commit(m, &commits[i], e);
        if (rc == ERR_NOT_FOUND || rc == ERR_CORRUPT)
            rc = OK;
    }
    free(commits);
    return rc;
}

/* ---- Writing ---- */

static enum err copy(struct merging *m, struct pack_object *o, struct errinfo *e)
{
    const uint8_t *entry = m->s->maps[o->pack].data + o->at;
    size_t n = (size_t)(o->end - o->at);
    struct object whole = {0};
    enum err rc = o->whole ? object_get(m->j, NULL, &o->oid, o->type, &whole, e) : OK;

    if (rc)
        return rc;
    if (o->whole)
        o->new_at = packer_put_whole(m->out, &o->oid, o->type, whole.data, whole.len);
    else if (o->base == NO_OBJECT)
        o->new_at = packer_copy(m->out, &o->oid, entry, n);
    else
        o->new_at = packer_copy_delta(m->out, &o->oid, m->s->objects[o->base].new_at,
                                      (size_t)o->size, entry + o->stream, n - o->stream);
    object_done(&whole);
    return OK;
}

/* As a delta of what it comes after, unless that is no gain. */
static enum err write_after(struct merging *m, struct pack_object *o, struct errinfo *e)
{
    const struct pack_object *base = &m->s->objects[o->after];
    struct object was = {0}, is = {0};
    uint64_t at = 0;
    enum err rc;

    if ((rc = object_get(m->j, NULL, &base->oid, base->type, &was, e)) == OK &&
        (rc = object_get(m->j, NULL, &o->oid, o->type, &is, e)) == OK)
        at = packer_put_delta(m->out, &o->oid, o->type, base->new_at,
                              &(struct delta_text){was.data, was.len},
                              &(struct delta_text){is.data, is.len},
                              o->whole ? is.len / 2 : (size_t)(o->end - o->at));
    object_done(&was);
    object_done(&is);
    if (rc == OK && at)
        o->new_at = at;
    else if (rc == OK)
        rc = copy(m, o, e);
    return rc;
}

/* What it is a delta of comes first. */
static enum err write_object(struct merging *m, uint32_t i, struct errinfo *e)
{
    uint32_t chain[CHAIN_MAX + 1];
    size_t n = 0;
    enum err rc = OK;

    for (; i != NO_OBJECT && !m->s->objects[i].new_at; i = base_of(m->s, i)) {
        assert(n <= CHAIN_MAX); /* packs with longer ones are not merged, and none is made */
        chain[n++] = i;
    }
    while (n-- > 0 && rc == OK) {
        /* cppcheck-suppress uninitvar ; it takes the loop above for one that may not run */
        struct pack_object *o = &m->s->objects[chain[n]];

        if (o->base == NO_OBJECT && o->after != NO_OBJECT)
            rc = write_after(m, o, e);
        else
            rc = copy(m, o, e);
    }
    return rc;
}

struct order {
    uint64_t at;
    uint32_t pack, object;
};

static int order_cmp(const void *a, const void *b)
{
    const struct order *x = a;
    const struct order *y = b;

    if (x->pack != y->pack)
        return x->pack < y->pack ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* In the order of the old packs, so that what was together stays so. */
static enum err write_all(struct merging *m, struct errinfo *e)
{
    struct order *order = xmalloc((m->s->n ? m->s->n : 1) * sizeof(*order));
    enum err rc = OK;

    for (uint32_t i = 0; i < m->s->n; i++)
        order[i] = (struct order){m->s->objects[i].at, m->s->objects[i].pack, i};
    qsort(order, m->s->n, sizeof(*order), order_cmp);
    for (uint32_t i = 0; i < m->s->n && rc == OK; i++)
        if (!m->s->objects[order[i].object].gone)
            rc = must_stop(m) ? stopped(e) : write_object(m, order[i].object, e);
    free(order);
    return rc;
}

enum err merged_write(struct packer *out, struct journal *j, struct packset *s,
                      journal_stop_fn *stop, void *ctx, struct errinfo *e)
{
    struct merging m = {.j = j, .s = s, .out = out, .stop = stop, .stop_ctx = ctx};

    enum err rc;

    for (uint32_t i = 0; i < s->n; i++) {
        struct pack_object *o = &s->objects[i];

        if (!o->gone && o->base != NO_OBJECT && s->objects[o->base].gone) {
            o->base = NO_OBJECT;
            o->whole = true;
        }
    }
    rc = plan(&m, e);
    return rc ? rc : write_all(&m, e);
}
