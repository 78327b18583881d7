/* Where history is missing: the file `shallow`, a line with the id of each commit whose parents are
 * not here, which every git command heeds; and refs for what stands before the gap.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/check.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct cuts {
    struct journal_oid *list;
    size_t n, cap;
};

static void add(struct cuts *c, const struct journal_oid *oid)
{
    c->list = xgrow(c->list, &c->cap, c->n + 1, sizeof(*c->list));
    c->list[c->n++] = *oid;
}

static char *shallow_path(const struct journal *j)
{
    return xasprintf("%s/shallow", j->path);
}

static void read_cuts(struct cuts *out, struct journal *j)
{
    char *path = shallow_path(j);
    char l[128];
    FILE *f = fopen(path, "re");

    while (f && fgets(l, sizeof(l), f)) {
        struct journal_oid oid;

        l[strcspn(l, "\n")] = 0;
        if (oid_from_hex(&oid, l, strlen(l)))
            add(out, &oid);
    }
    if (f)
        (void)fclose(f);
    free(path);
}

static int oid_order(const void *a, const void *b)
{
    return memcmp(a, b, JOURNAL_OID_BYTES);
}

/* Here, with a parent that is not. */
static bool is_right(struct journal *j, const struct journal_oid *oid)
{
    struct object commit = {0};
    struct journal_oid parent;
    bool cut = false;

    if (object_get(j, NULL, oid, OBJ_COMMIT, &commit, NULL) != OK)
        return false;
    for (size_t n = 0; !cut && commit_parent(&parent, &commit, n); n++) {
        struct object o = {0};

        cut = object_get(j, NULL, &parent, OBJ_COMMIT, &o, NULL) != OK;
        object_done(&o);
    }
    object_done(&commit);
    return cut;
}

static enum err write_cuts(const char *path, const struct cuts *c, struct errinfo *e)
{
    struct buf text = BUF_INIT;
    enum err rc = OK;

    for (size_t i = 0; i < c->n; i++) {
        char hex[JOURNAL_HEX_MAX];

        journal_oid_hex(hex, &c->list[i]);
        buf_printf(&text, "%s\n", hex);
    }
    if (c->n)
        rc = file_replace(path, text.data, text.len, 0644, e);
    else if (unlink(path) < 0 && errno != ENOENT)
        rc = err_file(errno, e, "removing", path);
    buf_free(&text);
    return rc;
}

enum err journal_cuts_set(struct journal *j, const struct journal_oid *commits, size_t count,
                          size_t *n, struct errinfo *e)
{
    struct cuts all = {.list = NULL};
    struct cuts kept = {.list = NULL};
    char *path = shallow_path(j);
    enum err rc;

    read_cuts(&all, j);
    for (size_t i = 0; i < count; i++)
        add(&all, &commits[i]);
    if (all.n)
        qsort(all.list, all.n, sizeof(*all.list), oid_order);
    for (size_t i = 0; i < all.n; i++) {
        if ((i == 0 || !oid_eq(&all.list[i], &all.list[i - 1])) && is_right(j, &all.list[i]))
            add(&kept, &all.list[i]);
    }
    rc = write_cuts(path, &kept, e);
    *n = kept.n;
    free(path);
    free(all.list);
    free(kept.list);
    return rc ? err_wrap(rc, e, "journal") : OK;
}

bool journal_is_cut(struct journal *j, const struct journal_oid *commit)
{
    struct cuts c = {.list = NULL};
    bool found = false;

    read_cuts(&c, j);
    for (size_t i = 0; i < c.n && !found; i++)
        found = oid_eq(&c.list[i], commit);
    free(c.list);
    return found;
}

/* ---- What stands before a gap ---- */

static char *before_prefix(const uint8_t *zone)
{
    char heads[JOURNAL_REF_MAX];

    journal_ref_name(heads, zone);
    return xasprintf("refs/zoneledger/before-loss/%s/v", strrchr(heads, '/') + 1);
}

enum err journal_before_loss_set(struct journal *j, const uint8_t *zone, uint64_t version,
                                 const struct journal_oid *commit, struct errinfo *e)
{
    char *prefix = before_prefix(zone);
    char *name = xasprintf("%s%llu", prefix, (unsigned long long)version);
    git_reference *ref = NULL;
    git_oid id;
    int g;

    memcpy(id.id, commit->id, sizeof(id.id));
    g = git_reference_create(&ref, j->repo, name, &id, 1, NULL);
    git_reference_free(ref);
    free(name);
    free(prefix);
    return g < 0 ? err_git(g, e, "journal: keeping what stands before a loss") : OK;
}

enum err journal_before_loss_drop(struct journal *j, const uint8_t *zone, uint64_t version,
                                  struct errinfo *e)
{
    char *prefix = before_prefix(zone);
    char *name = xasprintf("%s%llu", prefix, (unsigned long long)version);
    int g = git_reference_remove(j->repo, name);

    free(name);
    free(prefix);
    return g < 0 && g != GIT_ENOTFOUND ? err_git(g, e, "journal: dropping a ref") : OK;
}

struct newest {
    size_t prefix_len;
    uint64_t below, version;
    struct journal_oid commit;
};

static enum err on_ref(void *ctx, const char *ref, const struct journal_oid *commit,
                       struct errinfo *e)
{
    struct newest *n = ctx;
    uint64_t version = strtoull(ref + n->prefix_len, NULL, 10);

    (void)e;
    if (version < n->below && version > n->version) {
        n->version = version;
        n->commit = *commit;
    }
    return OK;
}

enum err journal_before_loss_get(struct journal *j, const uint8_t *zone, uint64_t below,
                                 struct journal_oid *out, struct errinfo *e)
{
    char *prefix = before_prefix(zone);
    struct newest n = {.prefix_len = strlen(prefix), .below = below};
    enum err rc = journal_ref_each(j, prefix, on_ref, &n, e);

    free(prefix);
    if (rc == OK && n.version == 0)
        rc = err_set(ERR_NOT_FOUND, e, "nothing stands before the loss");
    if (rc == OK)
        *out = n.commit;
    return rc;
}
