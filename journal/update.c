/* A zone's tree from the tree before and a change set. Only the parts that the changes touch are
 * read and written, and the result is the tree that the new content has on its own: a blob that
 * grew too big is split, a tree that shrank is merged.
 */
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"

#define DIGITS 16

struct edit {
    uint8_t address[32];
    const struct rr *rr;
    bool add;
};

struct update {
    struct packer *p;
    struct line_rr tmp; /* scratch for comparing */
};

static int edit_cmp_address(const void *a, const void *b)
{
    return memcmp(((const struct edit *)a)->address, ((const struct edit *)b)->address, 32);
}

/* Canonical order; what goes before what comes. */
static int edit_cmp_record(const void *a, const void *b)
{
    const struct edit *x = a;
    const struct edit *y = b;
    int c = rr_cmp(x->rr, y->rr);

    return c ? c : (int)x->add - (int)y->add;
}

/* ---- A text ---- */

struct lines {
    struct line *list;
    size_t n;
    size_t cap;
};

static void lines_of(struct lines *out, const struct object *blob)
{
    const char *pos = (const char *)blob->data;
    const char *end = pos + blob->len;
    struct line l;

    while (line_next(&l, &pos, end)) {
        out->list = xgrow(out->list, &out->cap, out->n + 1, sizeof(*out->list));
        out->list[out->n++] = l;
    }
}

/* Where the record is, or where it would be, at `from` or behind it. By strides that double, so
 * that many edits near each other cost as little as a merge. */
static enum err lines_find(struct update *u, const struct lines *s, size_t from,
                           const struct rr *rr, size_t *at, bool *found, struct errinfo *e)
{
    size_t lo = from;
    size_t hi = from;
    size_t step = 1;
    bool strides = true;

    *found = false;
    while (strides ? hi < s->n : lo < hi) {
        size_t look = strides ? hi : lo + (hi - lo) / 2;
        int order = 0;
        enum err rc = line_cmp(&order, rr, &s->list[look], &u->tmp, e);

        if (rc)
            return rc;
        if (order == 0) {
            *at = look;
            *found = true;
            return OK;
        }
        if (order < 0) {
            hi = look;
            strides = false;
            continue;
        }
        lo = look + 1;
        if (!strides)
            continue;
        hi = lo + step;
        step *= 2;
        if (hi >= s->n) {
            hi = s->n;
            strides = false;
        }
    }
    *at = lo;
    return OK;
}

static enum err conflict(const struct rr *rr, const char *what, struct errinfo *e)
{
    char owner[NAME_TEXT_MAX];
    char type[TYPE_TEXT_MAX];

    (void)name_to_text(owner, rr->owner);
    type_to_text(type, rr->type);
    return err_set(ERR_CONFLICT, e, "the change set %s: %s %s", what, owner, type);
}

static void put_lines(struct buf *out, const struct line *from, const struct line *to)
{
    for (; from < to; from++) {
        buf_put(out, from->text, from->len);
        buf_u8(out, '\n');
    }
}

/* `edits` in canonical order. */
static enum err text_edit(struct update *u, struct buf *out, const struct lines *s,
                          const struct edit *edits, size_t n, struct errinfo *e)
{
    size_t done = 0; /* lines that are copied or removed */

    for (size_t i = 0; i < n; i++) {
        const struct rr *rr = edits[i].rr;
        size_t at = 0;
        bool found = false;
        enum err rc = lines_find(u, s, done, rr, &at, &found, e);

        if (rc)
            return rc;
        if (edits[i].add && found)
            return conflict(rr, "adds a record that is there", e);
        if (!edits[i].add && (!found || u->tmp.rr.ttl != rr->ttl))
            return conflict(rr, "removes a record that isn't there", e);
        if (at > done) {
            put_lines(out, s->list + done, s->list + at);
            done = at;
        }
        if (edits[i].add)
            rr_to_text(out, rr);
        else
            done = at + 1;
    }
    put_lines(out, s->list + done, s->list + s->n);
    return OK;
}

static enum err build_from_text(struct update *u, const struct buf *text, unsigned depth,
                                struct part *out, struct errinfo *e)
{
    struct run_list l = {0};
    enum err rc = runs_of_text(&l, (const char *)text->data, text->len, e);

    if (rc == OK)
        rc = part_build(u->p, NULL, l.runs, l.n, depth, out, e);
    free(l.runs);
    return rc;
}

static size_t count_records(const struct buf *text)
{
    size_t n = 0;

    for (const uint8_t *p = text->data, *end = p + text->len; p < end; n++)
        p = (const uint8_t *)memchr(p, '\n', (size_t)(end - p)) + 1;
    return n;
}

/* `part` is what it was before; most of the time the text is a blob again. */
static enum err put_text(struct update *u, const struct buf *text, unsigned depth,
                         struct part *part, struct errinfo *e)
{
    struct journal_oid before = part->oid;
    size_t n = count_records(text);
    enum err rc;

    if (n == 0 || n > PART_RECORDS_MAX)
        return build_from_text(u, text, depth, part, e);
    rc = packer_put_after(u->p, OBJ_BLOB, text->data, text->len,
                          part->kind == PART_BLOB ? &before : NULL, &part->oid, e);
    if (rc == OK)
        part->kind = PART_BLOB;
    return rc;
}

static enum err update_blob(struct update *u, struct part *part, struct edit *edits, size_t n,
                            unsigned depth, struct errinfo *e)
{
    struct object blob = {0};
    struct lines s = {0};
    struct buf text = BUF_INIT;
    enum err rc = OK;

    if (part->kind == PART_BLOB)
        rc = object_get(u->p->j, u->p, &part->oid, OBJ_BLOB, &blob, e);
    if (rc)
        return rc;
    lines_of(&s, &blob);
    qsort(edits, n, sizeof(*edits), edit_cmp_record);
    buf_reserve(&text, blob.len + 256 * n);
    if ((rc = text_edit(u, &text, &s, edits, n, e)) == OK)
        rc = put_text(u, &text, depth, part, e);
    buf_free(&text);
    free(s.list);
    object_done(&blob);
    return rc;
}

/* ---- A tree ---- */

struct merge_run {
    uint8_t owner[NAME_MAX_OCTETS];
    struct run run;
};

static int merge_run_cmp(const void *a, const void *b)
{
    return name_cmp(((const struct merge_run *)a)->owner, ((const struct merge_run *)b)->owner);
}

/* One text of several, canonical order of owners. They have no owner in common. */
static enum err merge_texts(struct buf *out, const struct object *blobs, size_t n,
                            struct errinfo *e)
{
    struct run_list l = {0};
    struct merge_run *m = NULL;
    enum err rc = OK;

    for (size_t i = 0; i < n && rc == OK; i++)
        rc = runs_of_text(&l, (const char *)blobs[i].data, blobs[i].len, e);
    if (rc)
        goto out;
    m = xmalloc(l.n * sizeof(*m));
    for (size_t i = 0; i < l.n; i++) {
        struct line first = {l.runs[i].text, l.runs[i].len};

        m[i].run = l.runs[i];
        if ((rc = line_owner(m[i].owner, &first, e)))
            goto out;
    }
    qsort(m, l.n, sizeof(*m), merge_run_cmp);
    for (size_t i = 0; i < l.n; i++)
        buf_put(out, m[i].run.text, m[i].run.len);
out:
    free(m);
    free(l.runs);
    return rc;
}

static uint64_t count_lines(const struct object *blob)
{
    const char *pos = (const char *)blob->data;
    const char *end = pos + blob->len;
    struct line l;
    uint64_t n = 0;

    while (line_next(&l, &pos, end))
        n++;
    return n;
}

/* Children that are blobs all: makes one blob of them if they are small enough together. Reads no
 * more of them than it takes to know. */
static enum err try_merge(struct update *u, const struct part children[DIGITS], bool *merged,
                          struct part *out, struct errinfo *e)
{
    struct object blobs[DIGITS] = {0};
    struct buf text = BUF_INIT;
    uint64_t records = 0;
    size_t n = 0;
    enum err rc = OK;

    for (size_t i = 0; i < DIGITS && records <= PART_RECORDS_MAX; i++) {
        if (children[i].kind == PART_NONE)
            continue;
        if ((rc = object_get(u->p->j, u->p, &children[i].oid, OBJ_BLOB, &blobs[n], e)))
            goto out;
        records += count_lines(&blobs[n++]);
    }
    *merged = records <= PART_RECORDS_MAX;
    if (!*merged || (rc = merge_texts(&text, blobs, n, e)))
        goto out;
    if ((rc = packer_put(u->p, OBJ_BLOB, text.data, text.len, &out->oid, e)) == OK)
        out->kind = PART_BLOB;
out:
    for (size_t i = 0; i < n; i++)
        object_done(&blobs[i]);
    buf_free(&text);
    return rc;
}

/* What a tree (*out) with these children is now: nothing, a blob, or a tree. A child that is a tree
 * has more than 256 records and more than one owner, so its parent has too. */
static enum err settle(struct update *u, const struct part children[DIGITS], bool shrank,
                       struct part *out, struct errinfo *e)
{
    const struct journal_oid before = out->oid;
    size_t used = 0;
    size_t only = 0;
    bool has_tree = false;
    bool merged = false;
    enum err rc = OK;

    for (size_t i = 0; i < DIGITS; i++) {
        if (children[i].kind == PART_NONE)
            continue;
        used++;
        only = i;
        has_tree |= children[i].kind == PART_TREE;
    }
    if (used == 0) {
        out->kind = PART_NONE;
        return OK;
    }
    if (used == 1 && !has_tree) { /* at most 256 records, or one owner: the same text */
        *out = children[only];
        return OK;
    }
    if (!has_tree && shrank)
        rc = try_merge(u, children, &merged, out, e);
    return rc || merged ? rc : part_put_tree(u->p, children, &before, out, e);
}

static enum err update_part(struct update *u, struct part *part, struct edit *edits, size_t n,
                            unsigned depth, struct errinfo *e)
{
    struct object tree = {0};
    struct part children[DIGITS];
    size_t added = 0;
    enum err rc;

    if (part->kind != PART_TREE)
        return update_blob(u, part, edits, n, depth, e);
    if (depth >= 64)
        return err_set(ERR_CORRUPT, e, "the tree is deeper than an address is long");
    if ((rc = object_get(u->p->j, u->p, &part->oid, OBJ_TREE, &tree, e)))
        return rc;
    rc = part_children(children, &tree, e);
    object_done(&tree);
    for (size_t i = 0; i < n; i++)
        added += edits[i].add;
    for (size_t i = 0, k; i < n && rc == OK; i = k) {
        unsigned digit = address_digit(edits[i].address, depth);

        for (k = i + 1; k < n && address_digit(edits[k].address, depth) == digit; k++)
            continue;
        rc = update_part(u, &children[digit], edits + i, k - i, depth + 1, e);
    }
    return rc ? rc : settle(u, children, added * 2 < n, part, e);
}

/* ---- The whole ---- */

static void put_edits(struct edit *edits, const struct rr_list *l, bool add)
{
    for (size_t i = 0; i < l->n; i++) {
        uint8_t owner[NAME_MAX_OCTETS];

        edits[i].rr = &l->rrs[i];
        edits[i].add = add;
        if (i > 0 && name_eq(l->rrs[i].owner, l->rrs[i - 1].owner))
            memcpy(edits[i].address, edits[i - 1].address, sizeof(edits[i].address));
        else
            sha256_bytes(edits[i].address, owner, name_fold(owner, l->rrs[i].owner));
    }
}

enum err tree_of_changes(struct packer *p, const struct journal_oid *base,
                         const struct changeset *cs, struct journal_oid *out, struct errinfo *e)
{
    struct update u = {.p = p};
    size_t n = cs->removed.n + cs->added.n;
    struct edit *edits = xmalloc(n * sizeof(*edits));
    struct part part;
    enum err rc;

    put_edits(edits, &cs->removed, false);
    put_edits(edits + cs->removed.n, &cs->added, true);
    qsort(edits, n, sizeof(*edits), edit_cmp_address);
    if ((rc = top_get(p->j, p, base, &part, e)) == OK &&
        (rc = update_part(&u, &part, edits, n, 0, e)) == OK)
        rc = top_put(p, &part, out, e);
    buf_free(&u.tmp.rdata);
    free(edits);
    return rc;
}
