#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "journal/repair.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

/* Above a quarter of the zone, reading what is there costs more than writing the whole anew. */
#define BIG_CHANGE_PARTS 4

static enum err zone_context(enum err rc, const uint8_t *zone, struct errinfo *e)
{
    char text[NAME_TEXT_MAX];

    (void)name_to_text(text, zone);
    return err_wrap(rc, e, "journal: zone %s", text);
}

static enum err parent_tree(struct packer *p, const struct journal_oid *parent,
                            struct journal_oid *tree, struct errinfo *e)
{
    struct object commit = {0};
    enum err rc = object_get(p->j, p, parent, OBJ_COMMIT, &commit, e);

    if (rc == OK)
        rc = commit_tree(tree, commit.data, commit.len, e);
    object_done(&commit);
    return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
}

static bool is_big_change(const struct journal_entry *entry)
{
    uint64_t n = (uint64_t)entry->changes->removed.n + entry->changes->added.n;

    return entry->content && n > zone_records(entry->content) / BIG_CHANGE_PARTS;
}

/* *cut: the parent's commit cannot be read, and the content is at hand. Then the commit names its
 * parent as ever, and git is told that history is cut there. */
static enum err entry_tree(struct packer *p, const struct journal_entry *entry,
                           const struct journal_oid *parent, bool *cut, struct journal_oid *out,
                           struct errinfo *e)
{
    struct journal_oid base;
    enum err rc = OK;

    if (!journal_oid_is_none(parent) && (rc = parent_tree(p, parent, &base, e))) {
        if (rc != ERR_CORRUPT || !entry->content)
            return rc;
        log_error(say("journal: the version before is lost; history is cut here"),
                  kv_u64("version", entry->version), kv_err(e));
        *cut = true;
    }
    if (journal_oid_is_none(parent) || *cut || !entry->changes || is_big_change(entry)) {
        if (!entry->content)
            return err_set(ERR_CORRUPT, e, "a version has neither a change set nor content");
        return tree_of_zone(p, entry->content, out, e);
    }
    rc = tree_of_changes(p, &base, entry->changes, out, e);
    if (rc == ERR_NOT_FOUND)
        rc = ERR_CORRUPT;
    if (rc == ERR_CORRUPT && entry->content) {
        log_error(say("journal: the version before is damaged; the new one is written as a whole"),
                  kv_u64("version", entry->version), kv_err(e));
        return tree_of_zone(p, entry->content, out, e);
    }
    return rc;
}

struct written {
    struct journal_oid commit;
    struct journal_oid tree;
    bool cut; /* its parent is not here */
};

static enum err write_entry(struct packer *p, const struct journal_entry *entry,
                            struct journal_oid parent, struct written *out, struct errinfo *e)
{
    struct buf b = BUF_INIT;
    enum err rc = entry_tree(p, entry, &parent, &out->cut, &out->tree, e);

    if (rc == OK) {
        commit_encode(&b, entry, p->j->node, &parent, &out->tree);
        if (p->j->key && (entry->waiting || !p->j->sign_waiting_only))
            rc = commit_sign(&b, p->j->key, e);
    }
    if (rc == OK) {
        rc = packer_put_after(p, OBJ_COMMIT, b.data, b.len, &parent, &out->commit, e);
    }
    buf_free(&b);
    return rc;
}

static enum err tell_cuts(struct journal *j, const struct written *w, size_t n, struct errinfo *e)
{
    struct journal_oid *list = xcalloc(n, sizeof(*list));
    size_t count = 0;
    size_t all;
    enum err rc = OK;

    for (size_t i = 0; i < n; i++) {
        if (w[i].cut)
            list[count++] = w[i].commit;
    }
    if (count)
        rc = journal_cuts_set(j, list, count, &all, e);
    free(list);
    return rc;
}

enum err journal_write(struct journal *j, struct journal_entry *entries, size_t n,
                       struct errinfo *e)
{
    struct written *w = xcalloc(n, sizeof(*w));
    struct packer p;
    enum err rc = OK;

    packer_init(&p, j, false);
    p.keep_bodies = n > 1;
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct journal_oid parent = entries[i].parent;

        if (entries[i].parent_entry >= 0 && (size_t)entries[i].parent_entry < i)
            parent = w[entries[i].parent_entry].commit;
        if ((rc = write_entry(&p, &entries[i], parent, &w[i], e)))
            rc = zone_context(rc, entries[i].zone, e);
    }
    if (rc == OK && (rc = packer_install(&p, e)))
        rc = err_wrap(rc, e, "journal");
    if (rc == OK)
        rc = tell_cuts(j, w, n, e);
    /* Nothing was written by a disk that cannot be written, or to a directory that is gone. */
    if (rc == ERR_IO && access(j->pack_dir, W_OK | X_OK) < 0)
        rc = ERR_BUSY;
    for (size_t i = 0; i < n && rc == OK; i++) {
        entries[i].commit = w[i].commit;
        entries[i].content_id = w[i].tree;
    }
    packer_done(&p);
    free(w);
    return rc;
}

enum err journal_content_id(struct journal_oid *out, const struct zone *z, struct errinfo *e)
{
    struct packer p;
    enum err rc;

    packer_init(&p, NULL, true);
    rc = tree_of_zone(&p, z, out, e);
    packer_done(&p);
    return rc;
}
