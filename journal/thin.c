/* The record of versions that were thinned: a tree `<version / 1000>/v<version>` of blobs, each the
 * octets of a commit.
 */
#include "journal/thin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"

#define VERSIONS_IN_DIR 1000
#define NAME_CAP 24

struct entry {
    char name[NAME_CAP];
    struct part part;
};

struct entries {
    struct entry *list;
    size_t n, cap;
};

/* As git sorts: a directory as if its name ended in a slash. */
static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    char p[NAME_CAP + 1], q[NAME_CAP + 1];

    (void)snprintf(p, sizeof(p), "%s%s", x->name, x->part.kind == PART_TREE ? "/" : "");
    (void)snprintf(q, sizeof(q), "%s%s", y->name, y->part.kind == PART_TREE ? "/" : "");
    return strcmp(p, q);
}

static enum err entries_read(struct entries *out, struct journal *j, const struct journal_oid *tree,
                             struct errinfo *e)
{
    struct object o = {0};
    struct reader r;
    enum err rc = object_get(j, NULL, tree, OBJ_TREE, &o, e);

    r = reader_of(o.data, o.len);
    while (rc == OK && reader_left(&r)) {
        struct entry en;

        if (!tree_entry(&r, &en.part, en.name, sizeof(en.name))) {
            rc = err_set(ERR_CORRUPT, e, "a record of thinned versions is damaged");
            break;
        }
        out->list = xgrow(out->list, &out->cap, out->n + 1, sizeof(*out->list));
        out->list[out->n++] = en;
    }
    object_done(&o);
    return rc;
}

static struct entry *entries_find(const struct entries *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->list[i].name, name) == 0)
            return &l->list[i];
    return NULL;
}

static void entries_set(struct entries *l, const char *name, const struct part *part)
{
    struct entry *old = entries_find(l, name);

    if (!old) {
        l->list = xgrow(l->list, &l->cap, l->n + 1, sizeof(*l->list));
        old = &l->list[l->n++];
        (void)snprintf(old->name, sizeof(old->name), "%s", name);
    }
    old->part = *part;
}

static enum err entries_write(struct entries *l, struct packer *p, struct part *out,
                              struct errinfo *e)
{
    struct buf b = BUF_INIT;
    enum err rc;

    if (l->n)
        qsort(l->list, l->n, sizeof(*l->list), entry_cmp);
    for (size_t i = 0; i < l->n; i++)
        tree_entry_put(&b, &l->list[i].part, l->list[i].name);
    out->kind = PART_TREE;
    rc = packer_put(p, OBJ_TREE, b.data, b.len, &out->oid, e);
    buf_free(&b);
    return rc;
}

static void dir_name(char out[NAME_CAP], uint64_t version)
{
    (void)snprintf(out, NAME_CAP, "%" PRIu64, version / VERSIONS_IN_DIR);
}

static void file_name(char out[NAME_CAP], uint64_t version)
{
    (void)snprintf(out, NAME_CAP, "v%" PRIu64, version);
}

/* ---- Writing ---- */

struct record {
    struct journal *j;
    struct packer p;
    struct journal_oid before; /* the record before, or none */
    struct entries dirs;
    uint64_t count; /* of thinned versions, with this record */
};

/* The number behind the name of the trailer at the end of a record. */
static uint64_t count_of(const struct object *o)
{
    static const char trailer[] = "\nThinned: ";
    const uint8_t *at = memmem(o->data, o->len, trailer, sizeof(trailer) - 1);

    return at ? strtoull((const char *)at + sizeof(trailer) - 1, NULL, 10) : 0;
}

static enum err take_before(struct record *r, const uint8_t *zone, struct errinfo *e)
{
    struct object o = {0};
    struct journal_oid tree;
    enum err rc = ref_thinned_get(r->j, zone, &r->before, e);

    if (rc == ERR_NOT_FOUND)
        return OK;
    if (rc == OK && (rc = object_get(r->j, NULL, &r->before, OBJ_COMMIT, &o, e)) == OK &&
        (rc = commit_tree(&tree, o.data, o.len, e)) == OK) {
        r->count = count_of(&o);
        rc = entries_read(&r->dirs, r->j, &tree, e);
    }
    object_done(&o);
    return rc;
}

static enum err put_commit(struct record *r, struct entries *dir,
                           const struct journal_thin_version *v, struct journal_oid *last,
                           struct errinfo *e)
{
    struct part part = {.kind = PART_BLOB};
    struct object o = {0};
    char name[NAME_CAP];
    enum err rc = object_get(r->j, NULL, &v->commit, OBJ_COMMIT, &o, e);

    file_name(name, v->version);
    if (rc == OK)
        rc = packer_put_after(&r->p, OBJ_BLOB, o.data, o.len, last, &part.oid, e);
    object_done(&o);
    if (rc)
        return rc;
    *last = part.oid;
    r->count += entries_find(dir, name) == NULL;
    entries_set(dir, name, &part);
    return OK;
}

/* Those of one directory; *n is how many. `gone` is in the order of versions. */
static enum err put_dir(struct record *r, const struct journal_thin_version *gone, size_t left,
                        size_t *n, struct journal_oid *last, struct errinfo *e)
{
    struct entries files = {0};
    struct part part;
    char name[NAME_CAP];
    const struct entry *old;
    enum err rc = OK;

    dir_name(name, gone[0].version);
    if ((old = entries_find(&r->dirs, name)))
        rc = entries_read(&files, r->j, &old->part.oid, e);
    for (*n = 0; rc == OK && *n < left &&
                 gone[*n].version / VERSIONS_IN_DIR == gone[0].version / VERSIONS_IN_DIR;
         ++*n)
        rc = put_commit(r, &files, &gone[*n], last, e);
    if (rc == OK && (rc = entries_write(&files, &r->p, &part, e)) == OK)
        entries_set(&r->dirs, name, &part);
    free(files.list);
    return rc;
}

static void put_parent(struct buf *b, const struct journal_oid *oid)
{
    char hex[JOURNAL_HEX_MAX];

    journal_oid_hex(hex, oid);
    buf_printf(b, "parent %s\n", hex);
}

static enum err put_record(struct record *r, const uint8_t *zone,
                           const struct journal_thin_version *kept, size_t kept_count,
                           struct wall at, struct journal_oid *out, struct errinfo *e)
{
    char hex[JOURNAL_HEX_MAX], text[NAME_TEXT_MAX];
    struct buf b = BUF_INIT;
    struct part tree;
    uint8_t folded[NAME_MAX_OCTETS];
    size_t n;
    enum err rc = entries_write(&r->dirs, &r->p, &tree, e);

    if (rc)
        return rc;
    (void)name_fold(folded, zone);
    n = name_to_text(text, folded);
    journal_oid_hex(hex, &tree.oid);
    buf_printf(&b, "tree %s\n", hex);
    if (!journal_oid_is_none(&r->before))
        put_parent(&b, &r->before);
    for (size_t i = 0; i < kept_count; i++)
        put_parent(&b, &kept[i].commit);
    commit_put_ident(&b, "author", r->j->node, "thin", at.s);
    commit_put_ident(&b, "committer", r->j->node, "journal", at.s);
    buf_printf(&b, "\n%.*s: %" PRIu64 " versions thinned\n\nZone: %s\nThinned: %" PRIu64 "\n",
               (int)(n > 1 ? n - 1 : n), text, r->count, text, r->count);
    if (r->j->key)
        rc = commit_sign(&b, r->j->key, e);
    if (rc == OK)
        rc = packer_put(&r->p, OBJ_COMMIT, b.data, b.len, out, e);
    buf_free(&b);
    return rc;
}

enum err journal_thin_record(struct journal *j, const uint8_t *zone,
                             const struct journal_thin_version *gone, size_t gone_count,
                             const struct journal_thin_version *kept, size_t kept_count,
                             struct wall at, struct errinfo *e)
{
    struct record r = {.j = j};
    struct journal_oid last = {{0}}, record;
    size_t n = 0;
    enum err rc;

    packer_init(&r.p, j, false);
    r.p.keep_bodies = true;
    rc = take_before(&r, zone, e);
    for (size_t i = 0; i < gone_count && rc == OK; i += n)
        rc = put_dir(&r, &gone[i], gone_count - i, &n, &last, e);
    if (rc == OK && (rc = put_record(&r, zone, kept, kept_count, at, &record, e)) == OK &&
        (rc = packer_install(&r.p, e)) == OK && (rc = odb_refresh(j, e)) == OK)
        rc = ref_thinned_set(j, zone, &record, e);
    packer_done(&r.p);
    free(r.dirs.list);
    return rc ? err_wrap(rc, e, "journal: recording thinned versions") : OK;
}

/* ---- Reading ---- */

struct journal_thinned {
    struct journal *j;
    struct entries dirs, files;
    char dir[NAME_CAP]; /* whose files these are; "": none yet */
};

enum err journal_thinned_open(struct journal_thinned **out, struct journal *j, const uint8_t *zone,
                              struct errinfo *e)
{
    struct journal_thinned *t = xcalloc(1, sizeof(*t));
    struct journal_oid record, tree;
    struct object o = {0};
    enum err rc;

    t->j = j;
    if ((rc = ref_thinned_get(j, zone, &record, e)) == OK &&
        (rc = object_get(j, NULL, &record, OBJ_COMMIT, &o, e)) == OK &&
        (rc = commit_tree(&tree, o.data, o.len, e)) == OK)
        rc = entries_read(&t->dirs, j, &tree, e);
    object_done(&o);
    if (rc)
        journal_thinned_close(t);
    else
        *out = t;
    return rc;
}

void journal_thinned_close(struct journal_thinned *t)
{
    if (!t)
        return;
    free(t->dirs.list);
    free(t->files.list);
    free(t);
}

/* Versions are asked for one after the other, so the last directory stays at hand. */
static enum err blob_get(struct journal_thinned *t, uint64_t version, struct object *out,
                         struct errinfo *e)
{
    char name[NAME_CAP];
    const struct entry *en;
    enum err rc;

    dir_name(name, version);
    if (strcmp(name, t->dir) != 0) {
        t->dir[0] = 0;
        t->files.n = 0;
        if ((en = entries_find(&t->dirs, name))) {
            if ((rc = entries_read(&t->files, t->j, &en->part.oid, e)))
                return rc;
            (void)snprintf(t->dir, sizeof(t->dir), "%s", name);
        }
    }
    file_name(name, version);
    if (!(en = entries_find(&t->files, name)))
        return err_set(ERR_NOT_FOUND, e, "version %" PRIu64 " is not among the thinned ones",
                       version);
    return object_get(t->j, NULL, &en->part.oid, OBJ_BLOB, out, e);
}

enum err journal_thinned_get(struct journal_thinned *t, uint64_t version,
                             struct journal_commit *out, struct errinfo *e)
{
    uint8_t zone[NAME_MAX_OCTETS];
    struct object o = {0};
    git_oid id;
    enum err rc = blob_get(t, version, &o, e);

    if (rc == OK && (rc = commit_decode(out, zone, o.data, o.len, e)) == OK) {
        if (git_odb_hash(&id, o.data, o.len, GIT_OBJECT_COMMIT) < 0)
            rc = err_set(ERR_CORRUPT, e, "version %" PRIu64 ": no commit id", version);
        else
            memcpy(out->commit.id, id.id, sizeof(out->commit.id));
    }
    object_done(&o);
    return rc;
}

enum err journal_thinned_before(struct journal_thinned *t, uint64_t version,
                                const struct journal_oid *commit, struct journal_commit *out,
                                struct errinfo *e)
{
    enum err rc = ERR_NOT_FOUND;

    while (rc == ERR_NOT_FOUND && --version > 0)
        rc = journal_thinned_get(t, version, out, e);
    if (rc == OK && !oid_eq(&out->commit, commit))
        rc = err_set(ERR_NOT_FOUND, e, "a commit is neither there nor among the thinned ones");
    return rc;
}

enum err journal_thinned_signature(struct journal_thinned *t, uint64_t version,
                                   const struct journal_signer *signers, size_t n,
                                   enum journal_signature *out, size_t *which, struct errinfo *e)
{
    struct object o = {0};
    enum err rc = blob_get(t, version, &o, e);

    if (rc == OK)
        *out = signature_judge(&o, signers, n, which);
    object_done(&o);
    return rc;
}
