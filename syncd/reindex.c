#include "syncd/reindex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/thin.h"
#include "lib/store/store_restore.h"
#include "syncd/commit_version.h"

#define SLICE_VERSIONS 2000
#define SLICE_ROWS 8000
#define HEX_CHARS (2 * JOURNAL_OID_BYTES)

enum fix_kind { FIX_VERSION, FIX_ROW_PUT, FIX_ROW_DELETE };

struct reindex_fix {
    enum fix_kind kind;
    struct touched_row row;              /* owner in the arena */
    const struct store_version *version; /* likewise */
};

struct slice {
    struct reindex *x;
    struct history *h;
    const struct store_zone *z;
    struct journal *journal;
    struct store_version *versions; /* as their commits tell them */
    size_t n, cap, blurred;         /* blurred: that were compared without their rows */
    uint64_t child;                 /* the version above the next one; 0: it is the tip */
    struct touched_row *rows;       /* that should be there */
    size_t row_count, row_cap;
    size_t row_at;                   /* while stored rows pass by, in the same order */
    struct journal_thinned *thinned; /* NULL: none, or not asked for yet */
};

/* ---- What was found ---- */

static void note_first(struct slice *s, const char *what, uint64_t version)
{
    if (!s->x->first[0])
        (void)snprintf(s->x->first, sizeof(s->x->first), "version %" PRIu64 ": %s", version, what);
}

static void add_fix(struct slice *s, const struct reindex_fix *fix)
{
    struct reindex *x = s->x;
    struct reindex_fix f = *fix;

    if (f.kind == FIX_ROW_DELETE) /* the others lie in the arena already */
        f.row.owner = arena_dup(&x->arena, f.row.owner, f.row.owner_len);
    x->fixes = xgrow(x->fixes, &x->fix_cap, x->fix_count + 1, sizeof(*x->fixes));
    x->fixes[x->fix_count++] = f;
}

static int by_kind(const void *a, const void *b)
{
    return (int)((const struct reindex_fix *)a)->kind - (int)((const struct reindex_fix *)b)->kind;
}

/* ---- Versions ---- */

static bool same_text(const char *stored, const char *told)
{
    return strcmp(stored, told) == 0 || (!stored[0] && strcmp(told, "unknown") == 0);
}

static bool same_version(const struct store_version *a, const struct store_version *b)
{
    return a->seq == b->seq && a->has_from == b->has_from &&
           (!a->has_from || serial_eq(a->from, b->from)) && serial_eq(a->serial, b->serial) &&
           a->at.s == b->at.s && a->origin.kind == b->origin.kind &&
           same_text(a->origin.who, b->origin.who) &&
           same_text(a->origin.source, b->origin.source) &&
           same_text(a->origin.key, b->origin.key) &&
           same_text(a->origin.transport, b->origin.transport) &&
           same_text(a->origin.reason, b->origin.reason) && a->added == b->added &&
           a->removed == b->removed && a->records == b->records && a->waiting == b->waiting &&
           a->quarantined == b->quarantined && (a->thinned || !b->thinned) && a->journaled &&
           memcmp(a->oid, b->oid, sizeof(a->oid)) == 0 &&
           memcmp(a->content_oid, b->content_oid, sizeof(a->content_oid)) == 0;
}

static enum err compare_version(struct slice *s, const struct store_version *told,
                                struct errinfo *e)
{
    struct reindex_fix fix = {.kind = FIX_VERSION};
    struct store_version stored;
    enum err rc = store_version_get(s->h->store, s->z->id, told->version, &stored, e);

    if (rc != OK && rc != ERR_NOT_FOUND && rc != ERR_CORRUPT)
        return rc;
    if (rc == OK && same_version(&stored, told))
        return OK;
    s->x->versions_wrong += rc != ERR_NOT_FOUND;
    s->x->versions_missing += rc == ERR_NOT_FOUND;
    note_first(s, rc == ERR_NOT_FOUND ? "it was not in the store" : "the store had it otherwise",
               told->version);
    fix.version = arena_dup(&s->x->arena, told, sizeof(*told));
    add_fix(s, &fix);
    return OK;
}

/* ---- Rows that should be there ---- */

static enum err on_should(void *ctx, const struct touched_row *row, struct errinfo *e)
{
    struct slice *s = ctx;
    struct touched_row r = *row;

    (void)e;
    r.owner = arena_dup(&s->x->arena, row->owner, row->owner_len);
    s->rows = xgrow(s->rows, &s->row_cap, s->row_count + 1, sizeof(*s->rows));
    s->rows[s->row_count++] = r;
    return OK;
}

/* The first version of all, and one that changed nothing but the SOA, are the same to the journal
 * and to the store: see store_touched.c. */
static enum err take_rows(struct slice *s, const struct journal_commit *c, struct errinfo *e)
{
    struct changeset *cs = NULL;
    enum err rc;

    if (c->added + c->removed == 0)
        return OK;
    if (journal_oid_is_none(&c->parent))
        return store_touched_of(NULL, c->version, on_should, s, e);
    rc = journal_diff(&cs, s->journal, s->z->name, &c->parent, &c->commit, e);
    if (rc == OK)
        rc = store_touched_of(cs, c->version, on_should, s, e);
    changeset_free(cs);
    return rc;
}

static enum err take_commit(struct slice *s, const struct journal_commit *c, bool waiting,
                            uint64_t records, struct errinfo *e)
{
    struct store_version v;
    enum err rc;

    version_of_commit(&v, c);
    v.waiting = v.waiting && waiting;
    v.quarantined = v.quarantined && waiting;
    v.records = records;
    if ((rc = compare_version(s, &v, e)) || (rc = take_rows(s, c, e)))
        return rc;
    s->versions = xgrow(s->versions, &s->cap, s->n + 1, sizeof(*s->versions));
    s->versions[s->n++] = v;
    s->x->versions++;
    return OK;
}

static enum err commit_get(struct slice *s, const struct journal_oid *at, struct journal_commit *c,
                           struct errinfo *e)
{
    uint8_t zone[NAME_MAX_OCTETS];
    enum err rc = journal_commit_zone(s->journal, at, c, zone, e);

    if (rc == OK && !name_eq(zone, s->z->name))
        rc = err_set(ERR_CORRUPT, e, "version %" PRIu64 " belongs to another zone", c->version);
    return rc;
}

/* ---- Which versions ---- */

static uint64_t less_changes(uint64_t records, const struct journal_commit *c)
{
    records += c->removed;
    return records > c->added ? records - c->added : 0;
}

static struct journal_thinned *record_of(struct slice *s)
{
    if (!s->thinned && journal_thinned_open(&s->thinned, s->journal, s->z->name, NULL) != OK)
        s->thinned = NULL;
    return s->thinned;
}

/* What a thinned version changed, and one whose parent was thinned, the journal does not know any
 * more: its rows stay as they are. */
static bool parent_is_thinned(struct slice *s, const struct journal_commit *c)
{
    struct journal_commit parent;

    return !journal_oid_is_none(&c->parent) && !journal_has(s->journal, &c->parent) &&
           record_of(s) &&
           journal_thinned_before(s->thinned, c->version, &c->parent, &parent, NULL) == OK;
}

static enum err take_blurred(struct slice *s, const struct journal_commit *c, bool thinned,
                             uint64_t records, struct errinfo *e)
{
    struct store_version v;

    version_of_commit(&v, c);
    v.waiting = v.quarantined = false;
    v.thinned = thinned;
    v.records = records;
    s->x->versions++;
    s->blurred++;
    return compare_version(s, &v, e);
}

static enum err take_served(struct slice *s, const struct journal_oid *at, uint64_t child,
                            uint64_t records, struct journal_commit *c, struct errinfo *e)
{
    enum err rc = commit_get(s, at, c, e);

    if (rc == ERR_NOT_FOUND && child && record_of(s) &&
        journal_thinned_before(s->thinned, child, at, c, NULL) == OK)
        return take_blurred(s, c, true, records, e);
    if (rc == OK && parent_is_thinned(s, c))
        return take_blurred(s, c, false, records, e);
    return rc ? rc : take_commit(s, c, false, records, e);
}

/* The served line, down from `at`; *at is none at its end. */
static enum err walk_served(struct slice *s, struct journal_oid *at, uint64_t *records,
                            struct errinfo *e)
{
    while (!journal_oid_is_none(at) && s->n + s->blurred < SLICE_VERSIONS &&
           s->row_count < SLICE_ROWS) {
        struct journal_commit c;
        enum err rc = take_served(s, at, s->child, *records, &c, e);

        if (rc)
            return rc;
        *records = less_changes(*records, &c);
        *at = c.parent;
        s->child = c.version;
    }
    return OK;
}

struct chain {
    struct journal_commit *list; /* newest first */
    size_t n, cap;
};

static bool is_taken(const struct slice *s, uint64_t version)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->versions[i].version == version)
            return true;
    return false;
}

/* A line of waiting versions, to where it leaves the served one (or another such line). */
static enum err walk_waiting(struct slice *s, struct journal_oid at, struct errinfo *e)
{
    struct chain l = {.n = 0};
    struct store_version base;
    uint64_t records;
    enum err rc;

    for (;;) {
        struct journal_commit c;

        if ((rc = commit_get(s, &at, &c, e)))
            goto out;
        if (!c.waiting || is_taken(s, c.version)) {
            rc = store_version_get(s->h->store, s->z->id, c.version, &base, NULL);
            records = rc == OK ? base.records : 0;
            rc = OK;
            break;
        }
        l.list = xgrow(l.list, &l.cap, l.n + 1, sizeof(*l.list));
        l.list[l.n++] = c;
        at = c.parent;
    }
    for (size_t i = l.n; i-- > 0 && rc == OK;) {
        records += l.list[i].added;
        records = records > l.list[i].removed ? records - l.list[i].removed : 0;
        rc = take_commit(s, &l.list[i], true, records, e);
    }
out:
    free(l.list);
    return rc;
}

struct tips {
    struct journal_oid *list;
    size_t n, cap;
};

static enum err on_kept(void *ctx, const char *ref, const struct journal_oid *commit,
                        struct errinfo *e)
{
    struct tips *t = ctx;

    (void)ref;
    (void)e;
    t->list = xgrow(t->list, &t->cap, t->n + 1, sizeof(*t->list));
    t->list[t->n++] = *commit;
    return OK;
}

static enum err walk_all_waiting(struct slice *s, struct errinfo *e)
{
    static const enum journal_line lines[] = {LINE_WAITING, LINE_QUARANTINE};
    struct tips t = {.n = 0};
    char ref[JOURNAL_REF_MAX];
    char *prefix;
    enum err rc;

    journal_ref_name(ref, s->z->name);
    prefix = xasprintf("refs/zoneledger/waiting/%s/", strrchr(ref, '/') + 1);
    rc = journal_ref_each(s->journal, prefix, on_kept, &t, e);
    free(prefix);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && rc == OK; i++) {
        struct journal_oid tip;

        if (journal_ref_get(s->journal, lines[i], s->z->name, &tip, NULL) == OK)
            rc = on_kept(&t, "", &tip, e);
    }
    for (size_t i = 0; i < t.n && rc == OK; i++)
        rc = walk_waiting(s, t.list[i], e);
    free(t.list);
    return rc;
}

/* ---- Against the rows that are there ---- */

static int row_cmp(const struct touched_row *a, const struct touched_row *b)
{
    size_t n = a->owner_len < b->owner_len ? a->owner_len : b->owner_len;
    int c = n ? memcmp(a->owner, b->owner, n) : 0;

    if (c == 0)
        c = (a->owner_len > b->owner_len) - (a->owner_len < b->owner_len);
    if (c == 0)
        c = (a->version > b->version) - (a->version < b->version);
    return c ? c : (a->kind > b->kind) - (a->kind < b->kind);
}

static int by_row(const void *a, const void *b)
{
    return row_cmp(a, b);
}

static int by_number(const void *a, const void *b)
{
    const struct store_version *x = a, *y = b;

    return (x->version > y->version) - (x->version < y->version);
}

static bool is_ours(const struct slice *s, uint64_t version)
{
    const struct store_version key = {.version = version};

    return s->n && bsearch(&key, s->versions, s->n, sizeof(key), by_number);
}

static void add_missing(struct slice *s)
{
    const struct reindex_fix fix = {.kind = FIX_ROW_PUT, .row = s->rows[s->row_at]};

    s->x->rows_missing++;
    note_first(s, "a name that it changed was not in the index", fix.row.version);
    add_fix(s, &fix);
}

static enum err on_stored(void *ctx, const struct touched_row *row, bool known, struct errinfo *e)
{
    const struct reindex_fix surplus = {.kind = FIX_ROW_DELETE, .row = *row};
    struct slice *s = ctx;
    int order = -1;

    (void)e;
    if (known && !is_ours(s, row->version))
        return OK;
    while (s->row_at < s->row_count && (order = row_cmp(&s->rows[s->row_at], row)) < 0) {
        add_missing(s);
        s->row_at++;
    }
    if (s->row_at < s->row_count && order == 0) {
        s->row_at++;
        return OK;
    }
    s->x->rows_surplus++;
    note_first(s, "the index had a name that it did not change", row->version);
    add_fix(s, &surplus);
    return OK;
}

static void sort_rows(struct slice *s)
{
    size_t n = 0;

    if (s->n)
        qsort(s->versions, s->n, sizeof(*s->versions), by_number);
    if (s->row_count)
        qsort(s->rows, s->row_count, sizeof(*s->rows), by_row);
    for (size_t i = 0; i < s->row_count; i++)
        if (i == 0 || row_cmp(&s->rows[i], &s->rows[n - 1]) != 0)
            s->rows[n++] = s->rows[i];
    s->row_count = n;
    s->x->rows = n;
}

/* Rows of versions that do not exist are found in the slice around them; above all and below all,
 * in the first and the last one. */
static enum err compare_rows(struct slice *s, bool first, bool last, struct errinfo *e)
{
    uint64_t from, to;
    enum err rc;

    sort_rows(s);
    if (!s->n && !first)
        return OK;
    from = last || !s->n ? 0 : s->versions[0].version;
    to = first || !s->n ? UINT64_MAX : s->versions[s->n - 1].version;
    rc = store_touched_rows(s->h->store, s->z->id, from, to, on_stored, s, e);
    for (; rc == OK && s->row_at < s->row_count; s->row_at++)
        add_missing(s);
    return rc;
}

/* ---- One slice ---- */

/* Where to begin: HEX/RECORDS/CHILD, or the tip. */
static enum err cursor_read(struct journal_oid *at, uint64_t *records, struct slice *s,
                            const char *cursor, struct errinfo *e)
{
    struct zone *content = NULL;
    char hex[JOURNAL_HEX_MAX];
    char *end = NULL;
    enum err rc;

    if (cursor[0]) {
        (void)snprintf(hex, sizeof(hex), "%s", cursor);
        if (strlen(cursor) < HEX_CHARS + 2 || cursor[HEX_CHARS] != '/' ||
            !journal_oid_read(at, hex))
            return err_set(ERR_FORMAT, e, "'%s' is not where a slice ended", cursor);
        *records = strtoull(cursor + HEX_CHARS + 1, &end, 10);
        if (*end == '/')
            s->child = strtoull(end + 1, &end, 10);
        return *end ? err_set(ERR_FORMAT, e, "'%s' is not where a slice ended", cursor) : OK;
    }
    if ((rc = journal_ref_get(s->journal, LINE_SERVED, s->z->name, at, e)) ||
        (rc = journal_zone_load(&content, s->journal, s->z->name, at, e)))
        return rc;
    *records = zone_records(content);
    zone_unref(content);
    return OK;
}

enum err reindex_slice(struct reindex *out, struct history *h, const struct store_zone *z,
                       const char *cursor, struct errinfo *e)
{
    struct slice s = {.x = out, .h = h, .z = z};
    struct journal_oid at = {{0}};
    uint64_t records = 0;
    bool last = false;
    enum err rc;

    *out = (struct reindex){.zone_id = z->id};
    arena_init(&out->arena, 0);
    if ((rc = history_journal(&s.journal, h, e)) ||
        (rc = cursor_read(&at, &records, &s, cursor, e)))
        goto out;
    rc = walk_served(&s, &at, &records, e);
    last = journal_oid_is_none(&at);
    if (rc == OK && last)
        rc = walk_all_waiting(&s, e);
    if (rc == OK)
        rc = compare_rows(&s, !cursor[0], last, e);
    if (out->fix_count)
        qsort(out->fixes, out->fix_count, sizeof(*out->fixes), by_kind);
    if (rc == OK && !last) {
        journal_oid_hex(out->next, &at);
        (void)snprintf(out->next + HEX_CHARS, sizeof(out->next) - HEX_CHARS,
                       "/%" PRIu64 "/%" PRIu64, records, s.child);
    }
out:
    journal_thinned_close(s.thinned);
    free(s.versions);
    free(s.rows);
    return rc;
}

void reindex_done(struct reindex *x)
{
    free(x->fixes);
    arena_done(&x->arena);
    x->fixes = NULL;
}

enum err reindex_write(struct reindex *x, struct store *s, struct errinfo *e)
{
    enum err rc = OK;

    for (size_t n = 0; n < REINDEX_WRITES_MAX && reindex_has_writes(x) && rc == OK; n++) {
        const struct reindex_fix *f = &x->fixes[x->written++];

        switch (f->kind) {
        case FIX_VERSION:
            rc = store_restore_version_again(s, x->zone_id, f->version, e);
            if (rc == OK && f->version->thinned)
                rc = store_thinned_put(s, x->zone_id, f->version->version, e);
            break;
        case FIX_ROW_PUT:
            rc = store_touched_put(s, x->zone_id, &f->row, e);
            break;
        case FIX_ROW_DELETE:
            rc = store_touched_delete(s, x->zone_id, &f->row, e);
            break;
        }
    }
    return rc;
}
