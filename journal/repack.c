/* Merging packs. Every journal_write makes a pack; here small ones become one, with more deltas.
 * Geometrically: packs are merged until each is at least twice as large as all smaller ones
 * together, so that an object is rewritten only as often as its pack doubles. A pack of a few
 * megabytes is copied in a moment, and joins sooner: what is new becomes deltas of what is in it.
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
#include "journal/thin.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define GEOMETRIC_FACTOR 2
#define SMALL_PACK_BYTES (UINT64_C(16) * 1024 * 1024)
#define SMALL_PACK_FACTOR 32
#define MERGED_BYTES_MAX (UINT64_C(512) * 1024 * 1024) /* a larger pack is left as it is */

struct repack {
    struct journal *j;
    struct packfile *old; /* the largest first */
    size_t old_count;
    journal_stop_fn *stop; /* NULL: never */
    void *stop_ctx;
    struct thinning *thin; /* NULL: nothing goes */
};

/* Made, and not put in the place of the old ones yet. */
struct journal_merge {
    char name[PACK_NAME_MAX];
    char (*old)[PACK_NAME_MAX];
    size_t old_count;
    size_t gone; /* of the old ones, so far */
    uint64_t objects, bytes;
    struct thinning *thin; /* what has gone in the new pack; NULL: nothing */
};

static int pack_cmp(const void *a, const void *b)
{
    const struct packfile *x = a;
    const struct packfile *y = b;

    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
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

static uint64_t factor_of(uint64_t bytes)
{
    return bytes <= SMALL_PACK_BYTES ? SMALL_PACK_FACTOR : GEOMETRIC_FACTOR;
}

static void reverse(struct packfile *list, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct packfile t = list[i];

        list[i] = list[n - 1 - i];
        list[n - 1 - i] = t;
    }
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
        if (i > 0 && r->old[i].bytes < factor_of(r->old[i].bytes) * sum)
            r->old_count = i + 1;
        sum += r->old[i].bytes;
    }
    reverse(r->old, r->old_count);
}

/* ---- Making it ---- */

/* Every id of the old packs must be in the new one. */
static enum err check_merged(const struct repack *r, const struct packset *s, const char *name,
                             struct errinfo *e)
{
    struct packfile p;
    enum err rc = pack_open(&p, r->j->pack_dir, name, e);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->n && rc == OK; i++)
        if (!s->objects[i].gone && !pack_has(&p, s->objects[i].oid.id))
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

static struct journal_merge *merge_of(const struct repack *r, const struct packer *p,
                                      const char *name)
{
    struct journal_merge *m = xcalloc(1, sizeof(*m));

    m->old = xcalloc(r->old_count, sizeof(*m->old));
    m->objects = p->n;
    m->bytes = p->pack.len;
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
    for (size_t i = 0; i < r->old_count; i++) {
        if (strcmp(r->old[i].name, name) != 0)
            (void)snprintf(m->old[m->old_count++], PACK_NAME_MAX, "%s", r->old[i].name);
    }
    return m;
}

static enum err make(struct journal_merge **out, struct repack *r, struct errinfo *e)
{
    struct packset s = {0};
    struct packer p;
    char name[PACK_NAME_MAX] = "pack-";
    enum err rc;

    packer_init(&p, r->j, false);
    if ((rc = packset_open(&s, r->j->pack_dir, r->old, r->old_count, e)))
        goto out;
    if (r->thin)
        thinning_mark(r->thin, &s);
    if ((rc = merged_write(&p, r->j, &s, r->stop, r->stop_ctx, e)) || (rc = packer_install(&p, e)))
        goto out;
    if (p.n == 0) { /* all of it goes */
        *out = merge_of(r, &p, "");
        goto out;
    }
    hex_write(name + strlen(name), p.pack.data + p.pack.len - JOURNAL_OID_BYTES, JOURNAL_OID_BYTES);
    FAULT("journal:before_check");
    if ((rc = check_merged(r, &s, name, e)) == OK)
        *out = merge_of(r, &p, name);
out:
    packer_done(&p);
    packset_done(&s);
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
    free(r.old);
    return rc ? err_wrap(rc, e, "journal: merging packs") : OK;
}

/* The packs that have something of what goes. */
static void choose_thinned(struct repack *r)
{
    const struct journal *j = r->j;
    uint64_t sum = 0;

    r->old = xmalloc((j->pack_count ? j->pack_count : 1) * sizeof(*r->old));
    for (size_t i = 0; i < j->pack_count; i++) {
        const struct packfile *p = &j->packs[i];

        if (!p->sound || is_kept_by_others(j, p->name) || !thinning_touches(r->thin, p) ||
            (r->old_count && sum + p->bytes > MERGED_BYTES_MAX))
            continue;
        sum += p->bytes;
        r->old[r->old_count++] = *p;
    }
}

enum err journal_thin_make(struct journal_merge **out, struct journal *j,
                           const struct journal_oid *gone, size_t gone_count, journal_stop_fn *stop,
                           void *ctx, struct errinfo *e)
{
    struct repack r = {.j = j, .stop = stop, .stop_ctx = ctx};
    enum err rc = odb_refresh(j, e);

    *out = NULL;
    if (rc == OK && (rc = thinning_find(&r.thin, j, gone, gone_count, stop, ctx, e)) == OK &&
        r.thin) {
        choose_thinned(&r);
        if (r.old_count)
            rc = make(out, &r, e);
    }
    if (*out) {
        (*out)->thin = r.thin;
        r.thin = NULL;
    }
    thinning_free(r.thin);
    free(r.old);
    return rc ? err_wrap(rc, e, "journal: thinning packs") : OK;
}

/* ---- New for old ---- */

/* The pack before its index: an index without a pack is swept, while a pack without an index would
 * come back. A multi-pack index (by a `git gc` by hand) would name packs that are gone. */
static enum err drop_some(const struct journal *j, struct journal_merge *m, size_t max,
                          struct errinfo *e)
{
    static const char *const ends[] = {".pack", ".idx", ".keep", ".rev", ".bitmap"};
    size_t last = max < m->old_count - m->gone ? m->gone + max : m->old_count;
    enum err rc;

    FAULT("journal:before_drop");
    rc = drop_file(j->pack_dir, "multi-pack-index", "", e);
    while (m->gone < last && rc == OK) {
        for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]) && rc == OK; k++) {
            rc = drop_file(j->pack_dir, m->old[m->gone], ends[k], e);
            FAULT("journal:after_drop");
        }
        m->gone++;
    }
    return rc;
}

static void expect_to_go(struct journal *j, const struct journal_merge *m)
{
    for (size_t i = 0; i < j->pack_count; i++) {
        for (size_t k = 0; k < m->old_count; k++)
            j->packs[i].going |= strcmp(j->packs[i].name, m->old[k]) == 0;
    }
}

static bool is_in_use(const struct journal *j, const char *name)
{
    for (size_t i = 0; i < j->pack_count; i++) {
        if (j->packs[i].sound && strcmp(j->packs[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum err some(struct journal *j, struct journal_merge *m, size_t max, bool *done,
                     struct errinfo *e)
{
    enum err rc = OK;

    *done = false;
    if (m->gone == 0 && (rc = odb_refresh(j, e)))
        return rc;
    expect_to_go(j, m);
    if (m->name[0] && !is_in_use(j, m->name)) /* somebody took it away meanwhile: nothing may go */
        return err_set(ERR_NOT_FOUND, e, "the merged pack %s is not there", m->name);
    if (m->thin) { /* nothing may be written between the look and the last of them */
        max = SIZE_MAX;
        if ((rc = thinning_check(m->thin, j, m->name, e)))
            return rc;
    }
    if ((rc = drop_some(j, m, max, e)) || m->gone < m->old_count)
        return rc;
    if ((rc = dir_sync(j->pack_dir, e)) || (rc = odb_refresh(j, e)))
        return rc;
    log_debug(say("journal: packs are merged"), kv_u64("packs", m->old_count),
              kv_u64("objects", m->objects), kv_u64("bytes", m->bytes));
    *done = true;
    return OK;
}

enum err journal_merge_some(struct journal *j, struct journal_merge *m, size_t max, bool *done,
                            struct errinfo *e)
{
    enum err rc = some(j, m, max, done, e);

    return rc ? err_wrap(rc, e, "journal: merging packs") : OK;
}

enum err journal_merge_finish(struct journal *j, struct journal_merge *m, struct errinfo *e)
{
    bool done = false;
    enum err rc = journal_merge_some(j, m, SIZE_MAX, &done, e);

    journal_merge_free(m);
    return rc;
}

bool journal_merge_thins(const struct journal_merge *m)
{
    return m->thin;
}

void journal_merge_free(struct journal_merge *m)
{
    if (!m)
        return;
    thinning_free(m->thin);
    free(m->old);
    free(m);
}

enum err journal_repack(struct journal *j, struct errinfo *e)
{
    struct journal_merge *m = NULL;
    enum err rc = journal_merge_make(&m, j, NULL, NULL, e);

    return rc == OK && m ? journal_merge_finish(j, m, e) : rc;
}
