/* Merging packs. Every journal_write makes a pack of whole objects; here small packs become one
 * with deltas. Geometrically: packs are merged until each is at least twice as large as all
 * smaller ones together, so that an object is rewritten only as often as its pack doubles.
 *
 * The new pack is complete and durable, and checked to hold everything, before an old one goes.
 * Making it takes long and is done with a handle of its own, in whatever thread; that the old ones
 * go is the writer's business, so that none of its packs goes while it looks at them. A crash
 * between the two leaves everything twice, which the next merging finds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define GEOMETRIC_FACTOR 2
#define MERGED_BYTES_MAX (UINT64_C(512) * 1024 * 1024) /* a larger pack is left as it is */

/* All ids of the packs to merge, sorted, with what is in the new pack already. */
struct id_set {
    struct journal_oid *ids;
    uint8_t *done;
    size_t n;
};

struct repack {
    struct journal *j;
    struct packfile *old;
    size_t old_count;
    struct id_set set;
    git_packbuilder *pb;
    journal_stop_fn *stop; /* NULL: never */
    void *stop_ctx;
};

/* Made, and not put in the place of the old ones yet. */
struct journal_merge {
    char name[PACK_NAME_MAX];
    char (*old)[PACK_NAME_MAX];
    size_t old_count;
    uint64_t objects, bytes;
};

static int pack_cmp(const void *a, const void *b)
{
    const struct packfile *x = a;
    const struct packfile *y = b;

    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int oid_cmp(const void *a, const void *b)
{
    return memcmp(a, b, JOURNAL_OID_BYTES);
}

/* ---- Which ---- */

/* Packs that somebody else marked with a .keep of their own stay. */
static bool is_kept_by_others(const struct journal *j, const char *name)
{
    char *path = xasprintf("%s/%s.keep", j->pack_dir, name);
    char text[32] = "";
    FILE *f = fopen(path, "re");
    bool others = f && (!fgets(text, sizeof(text), f) || strcmp(text, KEEP_TEXT) != 0);

    if (f)
        (void)fclose(f);
    free(path);
    return others;
}

static void choose(struct repack *r)
{
    const struct journal *j = r->j;
    uint64_t sum = 0;
    size_t n = 0;

    r->old = xmalloc(j->pack_count * sizeof(*r->old));
    for (size_t i = 0; i < j->pack_count; i++)
        if (j->packs[i].sound && j->packs[i].bytes <= MERGED_BYTES_MAX &&
            !is_kept_by_others(j, j->packs[i].name))
            r->old[n++] = j->packs[i];
    qsort(r->old, n, sizeof(*r->old), pack_cmp);
    for (size_t i = 0; i < n && sum + r->old[i].bytes <= MERGED_BYTES_MAX; i++) {
        if (i > 0 && r->old[i].bytes < GEOMETRIC_FACTOR * sum)
            r->old_count = i + 1;
        sum += r->old[i].bytes;
    }
}

static void collect_ids(struct repack *r)
{
    struct id_set *s = &r->set;
    size_t cap = 0;
    size_t unique = 0;

    for (size_t i = 0; i < r->old_count; i++) {
        size_t n = r->old[i].objects;

        s->ids = xgrow(s->ids, &cap, s->n + n, sizeof(*s->ids));
        memcpy(s->ids + s->n, pack_ids(&r->old[i]), n * sizeof(*s->ids));
        s->n += n;
    }
    qsort(s->ids, s->n, sizeof(*s->ids), oid_cmp);
    for (size_t i = 0; i < s->n; i++)
        if (i == 0 || !oid_eq(&s->ids[i], &s->ids[unique - 1]))
            s->ids[unique++] = s->ids[i];
    s->n = unique;
    s->done = xcalloc(unique, 1);
}

/* ---- In which order, and under which names ---- */

/* True if the object belongs into the new pack and isn't there yet. */
static bool is_wanted(const struct repack *r, const struct journal_oid *oid)
{
    const struct journal_oid *at = bsearch(oid, r->set.ids, r->set.n, sizeof(*r->set.ids), oid_cmp);

    return at && !r->set.done[at - r->set.ids];
}

static bool must_stop(const struct repack *r)
{
    return r->stop && r->stop(r->stop_ctx);
}

static enum err stopped(struct errinfo *e)
{
    return err_set(ERR_CLOSED, e, "stopped before the end");
}

static enum err insert(struct repack *r, const struct journal_oid *oid, const char *name,
                       struct errinfo *e)
{
    const struct journal_oid *at = bsearch(oid, r->set.ids, r->set.n, sizeof(*r->set.ids), oid_cmp);
    git_oid id;
    int g;

    if (must_stop(r))
        return stopped(e);

    memcpy(id.id, oid->id, sizeof(id.id));
    if ((g = git_packbuilder_insert(r->pb, &id, name)) < 0)
        return err_git(g, e, "merging packs");
    r->set.done[at - r->set.ids] = 1;
    return OK;
}

/* `name` tells the delta search which objects are versions of the same part: the zone and the
 * digits of the part. What is not in the packs to merge is not entered. */
static enum err insert_part(struct repack *r, const struct part *part, char *name, size_t len,
                            struct errinfo *e)
{
    struct object o = {0};
    struct part children[16];
    enum err rc;

    if (part->kind == PART_NONE || !is_wanted(r, &part->oid))
        return OK;
    if ((rc = insert(r, &part->oid, name, e)) || part->kind == PART_BLOB)
        return rc;
    if ((rc = object_get(r->j, NULL, &part->oid, OBJ_TREE, &o, e)) == OK)
        rc = part_children(children, &o, e);
    object_done(&o);
    for (unsigned i = 0; i < 16 && rc == OK; i++) {
        name[len] = "0123456789abcdef"[i];
        name[len + 1] = 0;
        rc = insert_part(r, &children[i], name, len + 1, e);
        name[len] = 0;
    }
    return rc;
}

struct commit_item {
    struct journal_oid oid;
    struct journal_oid tree;
    uint64_t seq;
    uint8_t zone_hash[4];
};

static int commit_cmp(const void *a, const void *b)
{
    const struct commit_item *x = a;
    const struct commit_item *y = b;

    return (x->seq < y->seq) - (x->seq > y->seq);
}

static enum err insert_commit(struct repack *r, const struct commit_item *c, struct errinfo *e)
{
    char name[9 + 64 + 1];
    struct part part;
    enum err rc;

    hex_write(name, c->zone_hash, sizeof(c->zone_hash));
    if ((rc = insert(r, &c->oid, NULL, e)))
        return rc;
    if (!is_wanted(r, &c->tree))
        return OK;
    if ((rc = insert(r, &c->tree, name, e)) || (rc = top_get(r->j, NULL, &c->tree, &part, e)))
        return rc;
    return insert_part(r, &part, name, strlen(name), e);
}

/* The commits of ours among the ids, newest first. */
static enum err find_commits(struct repack *r, struct commit_item **out, size_t *count,
                             struct errinfo *e)
{
    struct commit_item *list = NULL;
    size_t cap = 0;
    size_t n = 0;

    for (size_t i = 0; i < r->set.n; i++) {
        struct journal_commit c;
        struct object o = {0};
        uint8_t zone[NAME_MAX_OCTETS];
        uint8_t hash[32];
        git_object_t type;
        git_oid id;
        size_t len;
        int g;

        memcpy(id.id, r->set.ids[i].id, sizeof(id.id));
        if ((g = git_odb_read_header(&len, &type, r->j->odb, &id)) < 0) {
            free(list);
            return err_git(g, e, "merging packs");
        }
        if (type != GIT_OBJECT_COMMIT || object_get(r->j, NULL, &r->set.ids[i], OBJ_COMMIT, &o, e))
            continue;
        if (commit_decode(&c, zone, o.data, o.len, NULL) == OK) {
            list = xgrow(list, &cap, n + 1, sizeof(*list));
            list[n] = (struct commit_item){r->set.ids[i], c.content_id, c.seq, {0}};
            sha256_bytes(hash, zone, name_len(zone));
            memcpy(list[n++].zone_hash, hash, sizeof(list->zone_hash));
        }
        object_done(&o);
    }
    if (list)
        qsort(list, n, sizeof(*list), commit_cmp);
    *out = list;
    *count = n;
    return OK;
}

static enum err insert_all(struct repack *r, struct errinfo *e)
{
    struct commit_item *commits = NULL;
    size_t n = 0;
    enum err rc = find_commits(r, &commits, &n, e);

    for (size_t i = 0; i < n && rc == OK; i++)
        rc = insert_commit(r, &commits[i], e);
    for (size_t i = 0; i < r->set.n && rc == OK; i++)
        if (!r->set.done[i])
            rc = insert(r, &r->set.ids[i], NULL, e);
    free(commits);
    return rc;
}

/* ---- The new pack ---- */

static int gather(void *data, size_t len, void *ctx)
{
    buf_put(ctx, data, len);
    return 0;
}

static enum err write_merged(struct repack *r, struct buf *pack, struct errinfo *e)
{
    int g;
    enum err rc;

    if ((g = git_packbuilder_new(&r->pb, r->j->repo)) < 0)
        return err_git(g, e, "merging packs");
    (void)git_packbuilder_set_threads(r->pb, 1);
    if ((rc = insert_all(r, e)))
        return rc;
    if ((g = git_packbuilder_foreach(r->pb, gather, pack)) < 0)
        return err_git(g, e, "merging packs");
    if (must_stop(r))
        return stopped(e);
    return pack_install(r->j, pack->data, pack->len, e);
}

/* Every id of the old packs must be in the new one. */
static enum err check_merged(struct repack *r, const char *name, struct errinfo *e)
{
    struct packfile p;
    enum err rc = pack_open(&p, r->j->pack_dir, name, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < r->set.n && rc == OK; i++)
        if (!pack_has(&p, r->set.ids[i].id))
            rc = err_set(ERR_CORRUPT, e, "the merged pack lacks an object");
    pack_close(&p);
    return rc;
}

static enum err drop_file(const char *dir, const char *stem, const char *end, struct errinfo *e)
{
    char *path = xasprintf("%s/%s%s", dir, stem, end);
    enum err rc = OK;

    if (unlink(path) < 0 && errno != ENOENT)
        rc = err_sys(errno, e, "removing %s", path);
    free(path);
    return rc;
}

/* ---- Making it ---- */

static struct journal_merge *merge_of(const struct repack *r, const struct buf *pack,
                                      const char *name)
{
    struct journal_merge *m = xcalloc(1, sizeof(*m));

    m->old = xcalloc(r->old_count, sizeof(*m->old));
    m->objects = r->set.n;
    m->bytes = pack->len;
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
    for (size_t i = 0; i < r->old_count; i++) {
        if (strcmp(r->old[i].name, name) != 0)
            (void)snprintf(m->old[m->old_count++], PACK_NAME_MAX, "%s", r->old[i].name);
    }
    return m;
}

static enum err make(struct journal_merge **out, struct repack *r, struct errinfo *e)
{
    struct buf pack = BUF_INIT;
    char name[PACK_NAME_MAX] = "pack-";
    enum err rc;

    collect_ids(r);
    if ((rc = write_merged(r, &pack, e)))
        goto out;
    hex_write(name + strlen(name), pack.data + pack.len - JOURNAL_OID_BYTES, JOURNAL_OID_BYTES);
    FAULT("journal:before_check");
    if ((rc = check_merged(r, name, e)) == OK)
        *out = merge_of(r, &pack, name);
out:
    buf_free(&pack);
    return rc;
}

enum err journal_merge_make(struct journal_merge **out, struct journal *j, journal_stop_fn *stop,
                            void *ctx, struct errinfo *e)
{
    struct repack r = {.j = j, .stop = stop, .stop_ctx = ctx};
    enum err rc = odb_refresh(j, e);

    *out = NULL;
    if (rc == OK) {
        choose(&r);
        if (r.old_count > 1)
            rc = make(out, &r, e);
    }
    git_packbuilder_free(r.pb);
    free(r.old);
    free(r.set.ids);
    free(r.set.done);
    return rc ? err_wrap(rc, e, "journal: merging packs") : OK;
}

/* ---- New for old ---- */

/* The pack before its index: an index without a pack is swept, while a pack without an index would
 * come back. A multi-pack index (by a `git gc` by hand) would name packs that are gone. */
static enum err drop_old(const struct journal *j, const struct journal_merge *m, struct errinfo *e)
{
    static const char *const ends[] = {".pack", ".idx", ".keep", ".rev", ".bitmap"};
    enum err rc;

    FAULT("journal:before_drop");
    rc = drop_file(j->pack_dir, "multi-pack-index", "", e);
    for (size_t i = 0; i < m->old_count && rc == OK; i++) {
        for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]) && rc == OK; k++) {
            rc = drop_file(j->pack_dir, m->old[i], ends[k], e);
            FAULT("journal:after_drop");
        }
    }
    return rc ? rc : dir_sync(j->pack_dir, e);
}

static bool is_in_use(const struct journal *j, const char *name)
{
    for (size_t i = 0; i < j->pack_count; i++) {
        if (j->packs[i].sound && strcmp(j->packs[i].name, name) == 0)
            return true;
    }
    return false;
}

enum err journal_merge_finish(struct journal *j, struct journal_merge *m, struct errinfo *e)
{
    enum err rc = odb_refresh(j, e);

    if (rc == OK && !is_in_use(j, m->name)) /* somebody took it away meanwhile: nothing may go */
        rc = err_set(ERR_NOT_FOUND, e, "the merged pack %s is not there", m->name);
    if (rc == OK && (rc = drop_old(j, m, e)) == OK && (rc = odb_refresh(j, e)) == OK)
        log_debug(say("journal: packs are merged"), kv_u64("packs", m->old_count),
                  kv_u64("objects", m->objects), kv_u64("bytes", m->bytes));
    journal_merge_free(m);
    return rc ? err_wrap(rc, e, "journal: merging packs") : OK;
}

void journal_merge_free(struct journal_merge *m)
{
    if (!m)
        return;
    free(m->old);
    free(m);
}

enum err journal_repack(struct journal *j, struct errinfo *e)
{
    struct journal_merge *m = NULL;
    enum err rc = journal_merge_make(&m, j, NULL, NULL, e);

    return rc == OK && m ? journal_merge_finish(j, m, e) : rc;
}
