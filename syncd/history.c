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

/* "2h ago" */
static bool parse_ago(const char *s, struct wall now, struct wall *out)
{
    static const char units[] = "smhdw";
    static const int64_t factors[] = {1, 60, 3600, 86400, 604800};
    int64_t n = 0;
    const char *p = s;
    const char *unit;

    for (; isdigit((unsigned char)*p) && n < 100000000; p++)
        n = n * 10 + (*p - '0');
    if (p == s || !*p || !(unit = strchr(units, *p)) || strcmp(p + 1, " ago") != 0)
        return false;
    out->s = now.s - n * factors[unit - units];
    return true;
}

bool history_time(struct wall *out, const char *s, struct wall now)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                          "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};

    if (parse_ago(s, now, out))
        return true;
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
    if ((rc = history_journal(&j, h, e)))
        return rc;
    return journal_zone_load(out, j, z->name, &commit, e);
}

struct base_search {
    bool waiting, found; /* waiting: any will do; otherwise only a served one */
    struct store_version version;
};

static enum err on_earlier(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct base_search *s = ctx;

    (void)e;
    if (!s->found && (s->waiting || !v->waiting)) {
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
    enum err rc = history_journal(&j, h, e);

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
