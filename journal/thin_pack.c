/* Which objects go when versions are thinned: their commits, and what of their trees no version
 * that stays has. Everything else that the packs hold stays, whoever put it there.
 *
 * The look takes long and is done beside the writer, who may meanwhile write a version that uses an
 * object that is to go (a change that is taken back). So the writer looks once more, at the packs
 * that have come since, before the old ones go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "journal/thin.h"
#include "lib/base/mem.h"

#define TREE_NAME_MAX 256

struct thinning {
    struct journal_oid *gone; /* sorted: of all kinds */
    size_t gone_count, gone_cap;
    struct journal_oid *shallow; /* commits that stay, and whose parents go or went */
    size_t shallow_count, shallow_cap;
    char (*seen)[PACK_NAME_MAX]; /* the packs that were looked through */
    size_t seen_count;
};

struct look {
    struct journal *j;
    struct packset s;
    const struct journal_oid *versions; /* thinned, sorted */
    size_t version_count;
    struct thinning *t;
    journal_stop_fn *stop;
    void *stop_ctx;
};

static int oid_cmp(const void *a, const void *b)
{
    return memcmp(a, b, JOURNAL_OID_BYTES);
}

static bool is_in(const struct journal_oid *list, size_t n, const struct journal_oid *oid)
{
    return n && bsearch(oid, list, n, sizeof(*list), oid_cmp);
}

static void add_oid(struct journal_oid **list, size_t *n, size_t *cap,
                    const struct journal_oid *oid)
{
    *list = xgrow(*list, cap, *n + 1, sizeof(**list));
    (*list)[(*n)++] = *oid;
}

/* ---- What a tree and a commit name ---- */

typedef enum err named_fn(void *ctx, const struct part *part, struct errinfo *e);

static enum err tree_each(struct journal *j, const struct journal_oid *tree, named_fn *f, void *ctx,
                          struct errinfo *e)
{
    struct object o = {0};
    struct reader r;
    enum err rc = object_get(j, NULL, tree, OBJ_TREE, &o, e);

    r = reader_of(o.data, o.len);
    while (rc == OK && reader_left(&r)) {
        char name[TREE_NAME_MAX];
        struct part part;

        if (!tree_entry(&r, &part, name, sizeof(name)))
            rc = err_set(ERR_CORRUPT, e, "a tree has a strange entry");
        else
            rc = f(ctx, &part, e);
    }
    object_done(&o);
    return rc;
}

bool commit_parent(struct journal_oid *out, const struct object *commit, size_t n)
{
    const char *pos = (const char *)commit->data;
    const char *end = pos + commit->len;
    struct line l;

    while (line_next(&l, &pos, end) && l.len) {
        if (l.len == 7 + OID_HEX_CHARS && memcmp(l.text, "parent ", 7) == 0 && n-- == 0)
            return oid_from_hex(out, l.text + 7, OID_HEX_CHARS);
    }
    return false;
}

/* ---- Looking through ---- */

static bool must_stop(const struct look *l)
{
    return l->stop && l->stop(l->stop_ctx);
}

static enum err reach(void *ctx, const struct part *part, struct errinfo *e)
{
    struct look *l = ctx;
    uint32_t i = packset_find(&l->s, &part->oid);

    if (i == NO_OBJECT || l->s.objects[i].reached)
        return OK;
    l->s.objects[i].reached = true;
    return part->kind == PART_TREE ? tree_each(l->j, &part->oid, reach, l, e) : OK;
}

static enum err keep(void *ctx, const struct part *part, struct errinfo *e)
{
    struct look *l = ctx;
    uint32_t i = packset_find(&l->s, &part->oid);

    if (i == NO_OBJECT || l->s.objects[i].kept)
        return OK;
    l->s.objects[i].kept = true;
    return part->kind == PART_TREE ? tree_each(l->j, &part->oid, keep, l, e) : OK;
}

static enum err look_at_commit(struct look *l, struct pack_object *p, struct errinfo *e)
{
    struct part tree = {.kind = PART_TREE};
    struct journal_oid parent;
    struct object o = {0};
    bool cut = false;
    enum err rc = object_get(l->j, NULL, &p->oid, OBJ_COMMIT, &o, e);

    if (rc == OK)
        rc = commit_tree(&tree.oid, o.data, o.len, e);
    p->reached = is_in(l->versions, l->version_count, &p->oid);
    for (size_t n = 0; rc == OK && !p->reached && !cut && commit_parent(&parent, &o, n); n++)
        cut = is_in(l->versions, l->version_count, &parent);
    if (cut)
        add_oid(&l->t->shallow, &l->t->shallow_count, &l->t->shallow_cap, &p->oid);
    object_done(&o);
    if (rc)
        return rc;
    return p->reached ? reach(l, &tree, e) : keep(l, &tree, e);
}

static enum err look_at_all(struct look *l, struct errinfo *e)
{
    enum err rc = OK;

    for (uint32_t i = 0; i < l->s.n && rc == OK; i++) {
        if (must_stop(l))
            return err_set(ERR_CLOSED, e, "stopped before the end");
        if (l->s.objects[i].type == OBJ_COMMIT)
            rc = look_at_commit(l, &l->s.objects[i], e);
    }
    for (uint32_t i = 0; i < l->s.n && rc == OK; i++) /* sorted, as the set is */
        if (l->s.objects[i].reached && !l->s.objects[i].kept)
            add_oid(&l->t->gone, &l->t->gone_count, &l->t->gone_cap, &l->s.objects[i].oid);
    return rc;
}

/* Before anything is read: the commits go with their trees, so without one there is no work. */
static bool has_work(const struct journal *j, const struct journal_oid *versions, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (odb_has(j, &versions[i]))
            return true;
    return false;
}

enum err thinning_find(struct thinning **out, struct journal *j, const struct journal_oid *gone,
                       size_t gone_count, journal_stop_fn *stop, void *ctx, struct errinfo *e)
{
    struct look l = {
        .j = j, .versions = gone, .version_count = gone_count, .stop = stop, .stop_ctx = ctx};
    struct packfile *packs;
    size_t n = 0;
    enum err rc;

    *out = NULL;
    if (!has_work(j, gone, gone_count))
        return OK;
    packs = xcalloc(j->pack_count, sizeof(*packs));
    l.t = xcalloc(1, sizeof(*l.t));
    l.t->seen = xcalloc(j->pack_count, sizeof(*l.t->seen));
    for (size_t i = 0; i < j->pack_count; i++) {
        if (!j->packs[i].sound)
            continue;
        packs[n++] = j->packs[i];
        (void)snprintf(l.t->seen[l.t->seen_count++], PACK_NAME_MAX, "%s", j->packs[i].name);
    }
    if ((rc = packset_open(&l.s, j->pack_dir, packs, n, e)) == OK)
        rc = look_at_all(&l, e);
    packset_done(&l.s);
    free(packs);
    if (rc == OK && l.t->gone_count)
        *out = l.t;
    else
        thinning_free(l.t);
    return rc;
}

void thinning_free(struct thinning *t)
{
    if (!t)
        return;
    free(t->gone);
    free(t->shallow);
    free(t->seen);
    free(t);
}

bool thinning_touches(const struct thinning *t, const struct packfile *p)
{
    for (size_t i = 0; i < t->gone_count; i++)
        if (pack_has(p, t->gone[i].id))
            return true;
    return false;
}

void thinning_mark(const struct thinning *t, struct packset *s)
{
    s->thinned = true;
    for (uint32_t i = 0; i < s->n; i++)
        s->objects[i].gone = is_in(t->gone, t->gone_count, &s->objects[i].oid);
}

/* ---- The writer's last look ---- */

static bool was_seen(const struct thinning *t, const char *name)
{
    for (size_t i = 0; i < t->seen_count; i++)
        if (strcmp(t->seen[i], name) == 0)
            return true;
    return false;
}

static enum err must_stay(void *ctx, const struct part *part, struct errinfo *e)
{
    const struct thinning *t = ctx;

    return is_in(t->gone, t->gone_count, &part->oid)
               ? err_set(ERR_BUSY, e, "a new version has something of one that was to go")
               : OK;
}

static enum err check_object(const struct thinning *t, struct journal *j,
                             const struct pack_object *p, struct errinfo *e)
{
    struct part part = {.kind = PART_TREE};
    struct object o = {0};
    enum err rc;

    if (p->type == OBJ_TREE)
        return tree_each(j, &p->oid, must_stay, (void *)(uintptr_t)t, e);
    if (p->type != OBJ_COMMIT)
        return OK;
    if ((rc = object_get(j, NULL, &p->oid, OBJ_COMMIT, &o, e)) == OK &&
        (rc = commit_tree(&part.oid, o.data, o.len, e)) == OK)
        rc = must_stay((void *)(uintptr_t)t, &part, e);
    for (size_t n = 0; rc == OK && commit_parent(&part.oid, &o, n); n++)
        rc = must_stay((void *)(uintptr_t)t, &part, e);
    object_done(&o);
    return rc;
}

static enum err check_new_packs(const struct thinning *t, struct journal *j, const char *made,
                                struct errinfo *e)
{
    enum err rc = OK;

    for (size_t i = 0; i < j->pack_count && rc == OK; i++) {
        struct packset s = {0};

        if (!j->packs[i].sound || was_seen(t, j->packs[i].name) ||
            strcmp(j->packs[i].name, made) == 0)
            continue;
        rc = packset_open(&s, j->pack_dir, &j->packs[i], 1, e);
        for (uint32_t k = 0; k < s.n && rc == OK; k++)
            rc = check_object(t, j, &s.objects[k], e);
        packset_done(&s);
    }
    return rc;
}

/* ---- Where histories begin ---- */

/* What stands in the file `shallow` already stays in it as long as the commit does: a journal that
 * was restored from a thinned one has no other sign of where it was cut. */
static void add_old_shallow(struct buf *out, const struct thinning *t, struct journal *j,
                            const char *path)
{
    FILE *f = fopen(path, "re");
    char line[OID_HEX_CHARS + 3];

    while (f && fgets(line, sizeof(line), f)) {
        struct journal_oid oid;

        if (oid_from_hex(&oid, line, strcspn(line, "\n")) && odb_has(j, &oid) &&
            !is_in(t->gone, t->gone_count, &oid) && !is_in(t->shallow, t->shallow_count, &oid))
            buf_str(out, line);
    }
    if (f)
        (void)fclose(f);
}

static enum err write_shallow(const struct thinning *t, struct journal *j, struct errinfo *e)
{
    char *path = xasprintf("%s/shallow", j->path);
    struct buf b = BUF_INIT;
    char hex[JOURNAL_HEX_MAX];
    enum err rc;

    for (size_t i = 0; i < t->shallow_count; i++) {
        journal_oid_hex(hex, &t->shallow[i]);
        buf_printf(&b, "%s\n", hex);
    }
    add_old_shallow(&b, t, j, path);
    rc = file_replace(path, b.data, b.len, 0640, e);
    buf_free(&b);
    free(path);
    return rc;
}

enum err thinning_check(const struct thinning *t, struct journal *j, const char *made,
                        struct errinfo *e)
{
    enum err rc = check_new_packs(t, j, made, e);

    return rc ? rc : write_shallow(t, j, e);
}
