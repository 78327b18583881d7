#include "syncd/history.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/mem.h"

enum err history_open(struct history *h, struct store_readers *readers, struct errinfo *e)
{
    *h = (struct history){.readers = readers};
    return store_readers_take(readers, &h->store, e);
}

void history_close(struct history *h)
{
    if (h->store)
        store_readers_give(h->readers, h->store, OK);
    journal_close(h->journal);
    *h = (struct history){.store = NULL};
}

enum err history_journal(struct journal **out, struct history *h, struct errinfo *e)
{
    enum err rc = OK;

    if (!h->journal) {
        char *path = xasprintf("%s/journal.git", store_readers_dir(h->readers));

        rc = journal_open(&h->journal, path, "reader", false, e);
        free(path);
    }
    if (rc == OK)
        *out = h->journal;
    return rc;
}

/* ---- Naming a version ---- */

static bool all_of(const char *s, int (*is)(int))
{
    if (!*s)
        return false;
    for (; *s; s++) {
        if (!is((unsigned char)*s))
            return false;
    }
    return true;
}

/* "2h", and what must follow it. */
static bool parse_span(int64_t *seconds, const char *s, const char *behind)
{
    static const char units[] = "smhdw";
    static const int64_t factors[] = {1, 60, 3600, 86400, 604800};
    int64_t n = 0;
    const char *p = s;
    const char *unit;

    for (; isdigit((unsigned char)*p) && n < 100000000; p++)
        n = n * 10 + (*p - '0');
    if (p == s || !*p || !(unit = strchr(units, *p)) || strcmp(p + 1, behind) != 0)
        return false;
    *seconds = n * factors[unit - units];
    return true;
}

bool history_span(struct wall *out, const char *spec, struct wall now)
{
    int64_t seconds;

    if (!parse_span(&seconds, spec, ""))
        return false;
    out->s = now.s + seconds;
    return true;
}

bool history_time(struct wall *out, const char *s, struct wall now)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                          "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};

    int64_t ago;

    if (parse_span(&ago, s, " ago")) {
        out->s = now.s - ago;
        return true;
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm tm = {.tm_isdst = 0};
        const char *end = strptime(s, formats[i], &tm);

        if (end && (*end == 0 || strcmp(end, "Z") == 0)) {
            out->s = (int64_t)timegm(&tm);
            return true;
        }
    }
    return false;
}

struct newest_waiting {
    bool found;
    struct store_version version;
};

static enum err on_newest(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct newest_waiting *w = ctx;

    (void)e;
    w->found = v->waiting;
    w->version = *v;
    return OK;
}

static enum err find_waiting(struct store_version *out, struct history *h,
                             const struct store_zone *z, struct errinfo *e)
{
    struct newest_waiting w = {.found = false};
    enum err rc;

    if (!z->held && store_zone_is_staged(z))
        return store_version_get(h->store, z->id, z->staged_version, out, e);
    rc = store_version_each(h->store, z->id, 0, 1, on_newest, &w, e);

    if (rc)
        return rc;
    if (!z->held || !w.found)
        return err_set(ERR_NOT_FOUND, e, "no version is waiting");
    *out = w.version;
    return OK;
}

static enum err find_quarantined(struct store_version *out, struct history *h,
                                 const struct store_zone *z, struct errinfo *e)
{
    if (z->quarantine_version <= z->version)
        return err_set(ERR_NOT_FOUND, e, "no version is quarantined");
    return store_version_get(h->store, z->id, z->quarantine_version, out, e);
}

static enum err find_number(struct store_version *out, struct history *h,
                            const struct store_zone *z, const char *digits, bool serial,
                            struct errinfo *e)
{
    char *end = NULL;
    unsigned long long n = strtoull(digits, &end, 10);
    enum err rc;

    if (serial && n > UINT32_MAX)
        return err_set(ERR_FORMAT, e, "'%s' is too large for a serial", digits);
    if (serial)
        rc = store_version_by_serial(h->store, z->id, (struct serial){(uint32_t)n}, out, e);
    else
        rc = store_version_get(h->store, z->id, n, out, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(rc, e, "no version with %s %s; 'zonectl log' lists them",
                       serial ? "serial" : "number", digits);
    return rc;
}

enum err history_find(struct store_version *out, struct history *h, const struct store_zone *z,
                      const char *spec, struct wall now, struct errinfo *e)
{
    struct wall at;
    enum err rc;

    if (strcmp(spec, "current") == 0) {
        if (!z->has_content)
            return err_set(ERR_NOT_FOUND, e, "the zone has no content yet");
        return store_version_get(h->store, z->id, z->version, out, e);
    }
    if (strcmp(spec, "waiting") == 0)
        return find_waiting(out, h, z, e);
    if (strcmp(spec, "quarantined") == 0)
        return find_quarantined(out, h, z, e);
    if (spec[0] == 'v' && all_of(spec + 1, isdigit))
        return find_number(out, h, z, spec + 1, false, e);
    if (all_of(spec, isdigit))
        return find_number(out, h, z, spec, true, e);
    if (history_time(&at, spec, now)) {
        rc = store_version_by_time(h->store, z->id, at, out, e);
        return rc == ERR_NOT_FOUND ? err_set(rc, e, "no version is as old as %s", spec) : rc;
    }
    if (strlen(spec) >= 7 && strlen(spec) <= 2 * STORE_OID_BYTES && all_of(spec, isxdigit)) {
        rc = store_version_by_oid(h->store, z->id, spec, out, e);
        return rc == ERR_NOT_FOUND ? err_set(rc, e, "no version has commit %s", spec) : rc;
    }
    return err_set(ERR_FORMAT, e,
                   "'%s' does not name a version: use v12, a serial, a commit id of 7 digits or "
                   "more, a time such as 2026-05-29T10:00Z or '2h ago', current, waiting, or "
                   "quarantined",
                   spec);
}

/* ---- Contents ---- */

static struct journal_oid commit_of(const struct store_version *v)
{
    struct journal_oid oid;

    memcpy(oid.id, v->oid, sizeof(oid.id));
    return oid;
}

static enum err refuse_thinned(struct history *h, const struct store_zone *z,
                               const struct store_version *v, struct errinfo *e)
{
    struct store_version next;

    if (!v->thinned)
        return OK;
    if (store_version_kept_after(h->store, z->id, v->version, &next, NULL) != OK)
        next.version = z->version;
    return err_set(ERR_NOT_FOUND, e,
                   "version %llu was thinned: its content is not kept any more (retention); the "
                   "next one that is kept is v%llu",
                   (unsigned long long)v->version, (unsigned long long)next.version);
}

enum err history_content(struct zone **out, struct history *h, const struct store_zone *z,
                         const struct store_version *v, struct errinfo *e)
{
    struct journal *j = NULL;
    struct journal_oid commit = commit_of(v);
    enum err rc;

    if (z->has_content && v->version == z->version)
        return store_zone_load(out, h->store, z, e);
    if (!v->journaled)
        return store_zone_load_version(out, h->store, z, v->version, e);
    if ((rc = refuse_thinned(h, z, v, e)))
        return rc;
    if ((rc = history_journal(&j, h, e)))
        return rc;
    return journal_zone_load(out, j, z->name, &commit, e);
}

enum err history_current(struct zone **out, struct history *h, const struct store_zone *row,
                         struct errinfo *e)
{
    struct zone *z = h->cache ? zone_cache_get(h->cache, row->name, row->seq) : NULL;
    struct store_zone now;
    enum err rc;

    if (z) {
        *out = z;
        return OK;
    }
    if ((rc = store_read_begin(h->store, e)))
        return rc;
    if ((rc = store_zone_get_id(h->store, row->id, &now, e)) == OK)
        rc = store_zone_load(&z, h->store, &now, e);
    store_read_end(h->store);
    if (rc == OK && now.seq != row->seq) {
        zone_unref(z);
        return err_set(ERR_CONFLICT, e, "the zone was changed at the same moment");
    }
    if (rc == OK && h->cache)
        zone_cache_put(h->cache, z, row->seq);
    if (rc == OK)
        *out = z;
    return rc;
}

/* Steps back that are joined one by one; the journal compares what lies further back. */
#define JOIN_VERSIONS_MAX 64
#define JOIN_BYTES_MAX (64u << 20)

/* What leads from what is served to the version. */
static enum err changes_back(struct changeset **out, struct history *h,
                             const struct store_zone *row, const struct store_version *v,
                             struct errinfo *e)
{
    struct changeset *since = NULL;
    struct store_version served;
    enum err rc = ERR_NOT_FOUND;

    if (!v->waiting && v->version <= row->version && row->version - v->version <= JOIN_VERSIONS_MAX)
        rc = store_changes_since(&since, h->store, row, v->version, JOIN_BYTES_MAX, e);
    if (rc == OK) {
        rc = changeset_invert(out, since, e);
        changeset_free(since);
        return rc;
    }
    if (!v->journaled || store_version_get(h->store, row->id, row->version, &served, e) != OK)
        return err_set(ERR_NOT_FOUND, e, "the version has to be read as a whole");
    return served.journaled ? history_diff(out, h, row, &served, v, e)
                            : err_set(ERR_NOT_FOUND, e, "what is served is not journaled yet");
}

enum err history_back(struct zone **out, struct history *h, const struct store_zone *row,
                      struct zone *current, const struct store_version *v, struct errinfo *e)
{
    struct changeset *back = NULL;
    struct errinfo why;
    enum err rc;

    if (v->version == row->version) {
        *out = zone_ref(current);
        return OK;
    }
    if ((rc = changes_back(&back, h, row, v, &why)) == OK)
        rc = zone_apply(out, current, back, NULL, &why);
    changeset_free(back);
    /* Whatever is wrong with the short way, the long one reads and checks the version itself. */
    return rc == OK ? OK : history_content(out, h, row, v, e);
}

struct base_search {
    bool waiting, found; /* waiting: any will do; otherwise only a served one */
    struct store_version version;
};

static enum err on_earlier(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct base_search *s = ctx;

    (void)e;
    if (!s->found && (s->waiting || !v->waiting) && !v->thinned) {
        s->version = *v;
        s->found = true;
    }
    return OK;
}

enum err history_before(struct store_version *out, struct history *h, const struct store_zone *z,
                        const struct store_version *v, struct errinfo *e)
{
    struct base_search s = {.waiting = v->waiting};
    uint64_t before = v->version;
    enum err rc;

    while (!s.found && before > 1) {
        uint32_t step = 16;

        if ((rc = store_version_each(h->store, z->id, before, step, on_earlier, &s, e)))
            return rc;
        before = before > step ? before - step : 1;
    }
    if (!s.found)
        return err_set(ERR_NOT_FOUND, e, "version %llu is the first one",
                       (unsigned long long)v->version);
    *out = s.version;
    return OK;
}

enum err history_diff_owner(struct changeset **out, struct history *h, const struct store_zone *z,
                            const uint8_t *owner, const struct store_version *a,
                            const struct store_version *b, struct errinfo *e)
{
    struct journal_oid from = commit_of(a);
    struct journal_oid to = commit_of(b);
    struct journal *j = NULL;
    enum err rc;

    if ((rc = refuse_thinned(h, z, a, e)) || (rc = refuse_thinned(h, z, b, e)))
        return rc;
    rc = history_journal(&j, h, e);
    return rc ? rc : journal_diff_owner(out, j, z->name, owner, &from, &to, e);
}

enum err history_diff(struct changeset **out, struct history *h, const struct store_zone *z,
                      const struct store_version *a, const struct store_version *b,
                      struct errinfo *e)
{
    struct journal *j = NULL;
    struct zone *za = NULL;
    struct zone *zb = NULL;
    enum err rc;

    if (a->journaled && b->journaled) {
        struct journal_oid from = commit_of(a);
        struct journal_oid to = commit_of(b);

        if ((rc = refuse_thinned(h, z, a, e)) || (rc = refuse_thinned(h, z, b, e)))
            return rc;
        rc = history_journal(&j, h, e);
        return rc ? rc : journal_diff(out, j, z->name, &from, &to, e);
    }
    if ((rc = history_content(&za, h, z, a, e)) || (rc = history_content(&zb, h, z, b, e)))
        goto out;
    rc = zone_diff(out, za, zb, e);
out:
    zone_unref(za);
    zone_unref(zb);
    return rc;
}
