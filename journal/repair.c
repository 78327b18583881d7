#include "journal/repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/check.h"
#include "journal/salvage.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define FLUSH_BYTES ((size_t)64 << 20)
#define FLUSH_OBJECTS 4096
#define SAVED_END                                                                                  \
    ".saved" /* beside a pack that was put aside: its good objects are in another one */

/* ---- Damaged packs ---- */

static char *bad_dir(const struct journal *j)
{
    return xasprintf("%s/bad", j->pack_dir);
}

/* The stem of a pack that was put aside and not saved from yet. */
static bool is_unsaved(const char *dir, const char *file, char stem[PACK_NAME_MAX])
{
    size_t n = strlen(file);
    char *saved;
    bool yes;

    if (n < 6 || n - 5 >= PACK_NAME_MAX || strcmp(file + n - 5, ".pack") != 0)
        return false;
    (void)snprintf(stem, PACK_NAME_MAX, "%.*s", (int)(n - 5), file);
    saved = xasprintf("%s/%s" SAVED_END, dir, stem);
    yes = access(saved, F_OK) != 0;
    free(saved);
    return yes;
}

bool journal_salvage_wanted(struct journal *j)
{
    char *path = bad_dir(j);
    char stem[PACK_NAME_MAX];
    DIR *d = opendir(path);
    const struct dirent *ent;
    bool yes = false;

    while (d && !yes && (ent = readdir(d)))
        yes = is_unsaved(path, ent->d_name, stem);
    if (d)
        (void)closedir(d);
    free(path);
    return yes;
}

struct saving {
    struct journal_check *c;
    struct packer p;
    struct journal_salvage *out;
};

static enum err flush(struct packer *p, struct journal *j, struct errinfo *e)
{
    enum err rc = packer_install(p, e);

    packer_done(p);
    packer_init(p, j, false);
    return rc;
}

static enum err save(void *ctx, const struct journal_oid *oid, enum obj_type type, const void *data,
                     size_t len, struct errinfo *e)
{
    struct saving *s = ctx;
    struct journal_oid again;
    size_t before = s->p.n;
    enum err rc;

    if (!data) {
        s->out->lost += !odb_has(s->c->j, oid);
        return OK;
    }
    if ((rc = packer_put(&s->p, type, data, len, &again, e)))
        return rc;
    s->out->saved += s->p.n - before;
    if (s->p.pack.len < FLUSH_BYTES)
        return OK;
    return flush(&s->p, s->c->j, e);
}

static enum err mark_saved(const char *dir, const char *stem, struct errinfo *e)
{
    char *path = xasprintf("%s/%s" SAVED_END, dir, stem);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    enum err rc = fd < 0 ? err_file(errno, e, "creating", path) : dir_sync(dir, e);

    if (fd >= 0)
        (void)close(fd);
    free(path);
    return rc;
}

static enum err save_from(struct saving *s, const char *dir, const char *stem, struct errinfo *e)
{
    char *path = xasprintf("%s/%s", dir, stem);
    uint64_t saved = s->out->saved, lost = s->out->lost;
    enum err rc = pack_salvage(path, save, s, e);

    if (rc == OK && (rc = flush(&s->p, s->c->j, e)) == OK && (rc = mark_saved(dir, stem, e)) == OK)
        log_warning(say("journal: good objects of a damaged pack were saved"), kv_str("pack", path),
                    kv_u64("saved", s->out->saved - saved), kv_u64("lost", s->out->lost - lost));
    free(path);
    return rc;
}

static enum err save_all(struct saving *s, struct errinfo *e)
{
    char *path = bad_dir(s->c->j);
    char stem[PACK_NAME_MAX];
    DIR *d = opendir(path);
    const struct dirent *ent;
    enum err rc = OK;

    while (d && rc == OK && (ent = readdir(d))) {
        if (is_unsaved(path, ent->d_name, stem))
            rc = save_from(s, path, stem, e);
    }
    if (d)
        (void)closedir(d);
    free(path);
    return rc;
}

enum err journal_salvage(struct journal_check *c, struct journal_salvage *out, struct errinfo *e)
{
    struct saving s = {.c = c, .out = out};
    bool damage = false;
    enum err rc = OK;

    *out = (struct journal_salvage){.packs = 0};
    for (size_t i = 0; i < c->damaged_count && rc == OK; i++) {
        rc = pack_aside(c->j->pack_dir, c->damaged[i], e);
        out->packs++;
    }
    c->damaged_count = 0;
    c->j->bad = NULL; /* what is left is good */
    oidmap_done(&c->bad);
    if (rc == OK && (rc = packs_heal(c->j->pack_dir, &damage, e)) == OK &&
        (rc = odb_refresh(c->j, e)) == OK) {
        packer_init(&s.p, c->j, false);
        rc = save_all(&s, e);
        packer_done(&s.p);
    }
    c->j->vanished_told = c->j->vanished; /* and this is the look at it */
    return rc ? err_wrap(rc, e, "journal") : OK;
}

/* ---- Versions made again ---- */

struct journal_again {
    struct journal_check *c;
    struct packer p;
    bool dry_run;
    const struct journal_key *key;
};

struct journal_again *journal_again_new(struct journal_check *c, bool dry_run,
                                        const struct journal_key *key)
{
    struct journal_again *a = xcalloc(1, sizeof(*a));

    a->c = c;
    a->dry_run = dry_run;
    a->key = key;
    packer_init(&a->p, c->j, false);
    c->p = &a->p;
    return a;
}

void journal_again_free(struct journal_again *a)
{
    if (!a)
        return;
    a->c->p = NULL;
    packer_done(&a->p);
    free(a);
}

enum err journal_again_flush(struct journal_again *a, bool all, struct errinfo *e)
{
    if (a->dry_run || (!all && a->p.pack.len < FLUSH_BYTES && a->p.n < FLUSH_OBJECTS))
        return OK;
    return flush(&a->p, a->c->j, e);
}

/* The content, if something leads to it. */
static enum err make_tree(struct journal_again *a, const struct journal_entry *entry,
                          struct errinfo *e)
{
    struct journal_oid base, tree;
    struct object parent = {0};
    struct errinfo why = {0};
    enum err rc = ERR_NOT_FOUND;

    if (check_tree(a->c, &entry->content_id, &why) == OK)
        return OK;
    if (entry->changes && !journal_oid_is_none(&entry->parent) &&
        object_get(a->c->j, &a->p, &entry->parent, OBJ_COMMIT, &parent, NULL) == OK &&
        commit_tree(&base, parent.data, parent.len, NULL) == OK &&
        check_tree(a->c, &base, NULL) == OK)
        rc = tree_of_changes(&a->p, &base, entry->changes, &tree, &why);
    object_done(&parent);
    if (rc && entry->content)
        rc = tree_of_zone(&a->p, entry->content, &tree, &why);
    if (rc == ERR_NOT_FOUND || rc == ERR_CORRUPT || rc == ERR_CONFLICT)
        return err_set(ERR_NOT_FOUND, e, "%s", why.text);
    if (rc)
        return err_set(rc, e, "%s", why.text);
    return oid_eq(&tree, &entry->content_id)
               ? check_tree(a->c, &tree, e)
               : err_set(ERR_CONFLICT, e, "what the store has makes another content id");
}

/* One of the four that it may have been: signed by the key of now, or not at all (what an older key
 * signed nobody can make again); a child of the version before, or a root, since that was lost
 * then.
 */
static void encode(struct buf *out, const struct journal_again *a,
                   const struct journal_entry *entry, unsigned which)
{
    static const struct journal_oid none;

    out->len = 0;
    commit_encode(out, entry, a->c->j->node, which & 2 ? &none : &entry->parent,
                  &entry->content_id);
    if (which & 1 && (!a->key || commit_sign(out, a->key, NULL) != OK))
        out->len = 0;
}

static enum err make_commit(struct journal_again *a, const struct journal_entry *entry,
                            struct errinfo *e)
{
    struct buf b = BUF_INIT;
    struct packer hash;
    enum err rc = ERR_CONFLICT;

    packer_init(&hash, NULL, true);
    for (unsigned which = 0; which < 4 && rc == ERR_CONFLICT; which++) {
        struct journal_oid id;

        encode(&b, a, entry, which);
        if (packer_put(&hash, OBJ_COMMIT, b.data, b.len, &id, NULL) == OK &&
            oid_eq(&id, &entry->commit))
            rc = packer_put(&a->p, OBJ_COMMIT, b.data, b.len, &id, e);
    }
    packer_done(&hash);
    buf_free(&b);
    return rc == ERR_CONFLICT
               ? err_set(rc, e, "its commit was made under another node name, or by another key")
               : rc;
}

enum err journal_again_make(struct journal_again *a, const struct journal_entry *entry,
                            struct errinfo *e)
{
    enum err rc = make_tree(a, entry, e);

    if (rc == OK && (rc = make_commit(a, entry, e)) == OK)
        rc = journal_check_commit(a->c, &entry->commit, e);
    return rc;
}

/* ---- ... from elsewhere ---- */

static enum err copy_object(struct journal_again *a, struct journal *from,
                            const struct journal_oid *oid, enum obj_type type, struct object *out,
                            struct errinfo *e)
{
    struct journal_oid again;
    enum err rc = object_get(from, NULL, oid, type, out, e); /* libgit2 compares octets and id */

    if (rc == ERR_CORRUPT)
        rc = ERR_NOT_FOUND;
    if (rc == OK && (rc = packer_put(&a->p, type, out->data, out->len, &again, e)) == OK &&
        !oid_eq(&again, oid))
        rc = err_set(ERR_NOT_FOUND, e, "an object there is not what its id says");
    return rc;
}

static enum err copy_part(struct journal_again *a, struct journal *from, const struct part *part,
                          struct errinfo *e)
{
    enum obj_type type = part->kind == PART_TREE ? OBJ_TREE : OBJ_BLOB;
    struct object o = {0};
    struct part children[16] = {{0}};
    enum err rc;

    if (part->kind == PART_NONE || oidmap_get(&a->c->whole, &part->oid))
        return OK;
    rc = copy_object(a, from, &part->oid, type, &o, e);
    if (rc == OK && type == OBJ_TREE && part_children(children, &o, e) != OK)
        rc = ERR_NOT_FOUND;
    object_done(&o);
    for (size_t i = 0; i < 16 && rc == OK; i++)
        rc = copy_part(a, from, &children[i], e);
    if (rc == OK)
        oidmap_put(&a->c->whole, &part->oid, 1);
    return rc;
}

enum err journal_again_copy(struct journal_again *a, struct journal *from,
                            const struct journal_oid *commit, struct errinfo *e)
{
    struct object c = {0};
    struct object t = {0};
    struct journal_oid tree;
    struct part part;
    enum err rc = copy_object(a, from, commit, OBJ_COMMIT, &c, e);

    if (rc == OK && commit_tree(&tree, c.data, c.len, e) != OK)
        rc = ERR_NOT_FOUND;
    if (rc == OK && (rc = copy_object(a, from, &tree, OBJ_TREE, &t, e)) == OK &&
        (rc = top_get(from, NULL, &tree, &part, e)) == OK)
        rc = copy_part(a, from, &part, e);
    object_done(&t);
    object_done(&c);
    return rc ? rc : journal_check_commit(a->c, commit, e);
}
