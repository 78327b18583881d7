/* One zone's rows from its commits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/repair.h"
#include "journal/thin.h"
#include "lib/base/mem.h"
#include "lib/store/store_restore.h"
#include "syncd/commit_version.h"
#include "syncd/restore.h"

struct one {
    struct restore *r;
    struct store_zone row;
    struct journal_oid tip;
    struct zone *content;
    struct store_version served, newest;
    uint64_t count;
    bool kind_known, held_known;
    struct journal_thinned *thinned; /* NULL: none */
};

static enum err commit_of(struct one *z, const struct journal_oid *oid, struct journal_commit *c,
                          struct errinfo *e)
{
    uint8_t zone[NAME_MAX_OCTETS];
    enum err rc = journal_commit_zone(z->r->journal, oid, c, zone, e);

    if (rc == ERR_NOT_FOUND)
        rc = ERR_CORRUPT;
    if (rc == OK && !name_eq(zone, z->row.name))
        rc = err_set(ERR_CORRUPT, e, "version %llu belongs to another zone",
                     (unsigned long long)c->version);
    return rc;
}

static enum err put_version(struct one *z, const struct store_version *v, struct errinfo *e)
{
    enum err rc = store_restore_version(z->r->store, z->row.id, v, e);

    if (rc)
        return rc;
    if (v->version > z->newest.version)
        z->newest = *v;
    if (v->seq > z->r->report.last_seq)
        z->r->report.last_seq = v->seq;
    z->count++;
    z->r->report.versions++;
    return OK;
}

/* ---- What the zone is, from who changed it ---- */

static void learn_kind(struct one *z, const struct store_version *v)
{
    switch (v->origin.kind) {
    case ORIGIN_AXFR:
    case ORIGIN_IXFR:
        z->row.kind = ZONE_SECONDARY;
        z->kind_known = true;
        break;
    case ORIGIN_CATALOG: /* that we made */
        (void)name_copy(z->row.catalog, z->row.name);
        z->row.kind = ZONE_LOCAL;
        z->kind_known = true;
        break;
    case ORIGIN_IMPORT:
    case ORIGIN_UPDATE:
    case ORIGIN_API:
        z->row.kind = ZONE_LOCAL;
        z->kind_known = true;
        break;
    case ORIGIN_ROLLBACK:
    case ORIGIN_RELEASE:
    case ORIGIN_REMOVE:
    case ORIGIN_UNDELETE:
        break;
    }
}

/* The newest act that was not about serving it at all says whether it is held. */
static void learn_hold(struct one *z, const struct store_version *v)
{
    const char *source = v->origin.source; /* "v12" */
    unsigned long long target;
    char *end = NULL;

    if (v->origin.kind == ORIGIN_REMOVE || v->origin.kind == ORIGIN_UNDELETE)
        return;
    z->held_known = true;
    if (v->origin.kind != ORIGIN_ROLLBACK || source[0] != 'v')
        return;
    target = strtoull(source + 1, &end, 10);
    if (end == source + 1 || *end)
        return;
    z->row.held = true;
    z->row.held_version = target;
    z->row.held_at = v->at;
    (void)snprintf(z->row.held_by, sizeof(z->row.held_by), "%.63s", v->origin.who);
    (void)snprintf(z->row.held_reason, sizeof(z->row.held_reason), "%.255s", v->origin.reason);
}

static void learn(struct one *z, const struct store_version *v)
{
    if (z->count == 0)
        z->row.removed = v->origin.kind == ORIGIN_REMOVE;
    if (!z->kind_known)
        learn_kind(z, v);
    if (!z->held_known)
        learn_hold(z, v);
}

/* Whose it is: the configuration's; or a catalog's, which takes what it lists; or an operator's. */
static void settle(struct one *z)
{
    struct rr soa;
    struct soa fields;
    bool configured = namemap_get(&z->r->sections, z->row.name);

    if (!z->kind_known)
        z->row.kind = configured ? ZONE_SECONDARY : ZONE_LOCAL;
    if (z->row.kind == ZONE_LOCAL) {
        z->row.source = SOURCE_OPERATOR;
        z->row.held = false; /* a zone of our own has nothing to wait for */
        z->row.held_version = 0;
        z->row.held_at.s = 0;
        z->row.held_by[0] = z->row.held_reason[0] = 0;
        return;
    }
    z->row.source = configured                        ? SOURCE_CONFIG
                    : z->r->config->catalog_count > 0 ? SOURCE_CATALOG
                                                      : SOURCE_OPERATOR;
    if (zone_soa(z->content, &soa, &fields))
        z->row.expires_at.s = z->r->now.s + fields.expire_s;
    z->row.last_success = z->r->now;
}

/* ---- The served line, from its tip back ---- */

static enum err check_order(const struct store_version *child, const struct store_version *v,
                            struct errinfo *e)
{
    if (v->version >= child->version || v->seq >= child->seq)
        return err_set(ERR_CORRUPT, e, "version %llu is no successor of version %llu",
                       (unsigned long long)child->version, (unsigned long long)v->version);
    return OK;
}

/* The parent of version `child`, or the tip; *thinned: only the record has it. */
static enum err served_commit(struct one *z, const struct journal_oid *at, uint64_t child,
                              struct journal_commit *c, bool *thinned, struct errinfo *e)
{
    enum err rc = commit_of(z, at, c, e);

    *thinned = false;
    if (rc != ERR_CORRUPT || child == UINT64_MAX ||
        (!z->thinned &&
         journal_thinned_open(&z->thinned, z->r->journal, z->row.name, NULL) != OK) ||
        journal_thinned_before(z->thinned, child, at, c, NULL) != OK)
        return rc;
    *thinned = true;
    return OK;
}

static enum err restore_served(struct one *z, struct errinfo *e)
{
    struct journal_oid at = z->tip;
    struct journal_oid before = {{0}};
    struct store_version child = {.version = UINT64_MAX, .seq = UINT64_MAX};
    uint64_t records = zone_records(z->content);

    while (!journal_oid_is_none(&at)) {
        struct journal_commit c;
        struct store_version v;
        bool thinned;
        enum err rc = served_commit(z, &at, child.version, &c, &thinned, e);

        if (rc && journal_is_cut(z->r->journal, &before)) {
            if (journal_before_loss_get(z->r->journal, z->row.name, child.version, &at, NULL) != OK)
                return OK; /* nothing older is left */
            rc = commit_of(z, &at, &c, e);
        }
        if (rc)
            return rc;
        version_of_commit(&v, &c);
        v.waiting = v.quarantined = false;
        v.records = records;
        if (z->count == 0)
            z->served = v;
        learn(z, &v);
        if ((rc = check_order(&child, &v, e)) || (rc = put_version(z, &v, e)) ||
            (thinned && (rc = store_thinned_put(z->r->store, z->row.id, v.version, e))))
            return rc;
        records += v.removed;
        records = records > v.added ? records - v.added : 0;
        child = v;
        before = c.commit;
        at = c.parent;
    }
    return OK;
}

/* ---- Waiting lines, from where they leave the served one ---- */

struct line_of {
    struct journal_oid *oids; /* newest first */
    size_t n, cap;
    struct journal_oid base;
    uint64_t base_version;
};

/* Commits that are in the store already end the line: kept lines may share their beginning. */
static enum err walk_line(struct one *z, struct line_of *l, struct journal_oid at,
                          struct errinfo *e)
{
    for (;;) {
        struct journal_commit c;
        struct store_version known;
        enum err rc;

        char hex[JOURNAL_HEX_MAX];

        if (journal_oid_is_none(&at))
            return err_set(ERR_CORRUPT, e, "a line of waiting versions hangs in the air");
        journal_oid_hex(hex, &at);
        if (store_version_by_oid(z->r->store, z->row.id, hex, &known, NULL) == OK &&
            known.thinned) {
            l->base = at;
            l->base_version = known.version;
            return OK;
        }
        if ((rc = commit_of(z, &at, &c, e)))
            return rc;
        if (store_version_get(z->r->store, z->row.id, c.version, &known, NULL) == OK) {
            if (memcmp(known.oid, at.id, sizeof(known.oid)) != 0)
                return err_set(ERR_CORRUPT, e, "there are two commits for version %llu",
                               (unsigned long long)c.version);
            l->base = at;
            l->base_version = c.version;
            return OK;
        }
        l->oids = xgrow(l->oids, &l->cap, l->n + 1, sizeof(*l->oids));
        l->oids[l->n++] = at;
        at = c.parent;
    }
}

/* Only what is newer than the served version is still to come. */
static enum err put_waiting_change(struct one *z, const struct store_version *v,
                                   const struct journal_oid *from, const struct journal_oid *to,
                                   struct errinfo *e)
{
    struct changeset *cs = NULL;
    enum err rc;

    if (v->version < z->served.version)
        return OK;
    if ((rc = journal_diff(&cs, z->r->journal, z->row.name, from, to, e)) == OK)
        rc = store_restore_waiting(z->r->store, z->row.id, v, cs, e);
    changeset_free(cs);
    z->r->report.waiting++;
    return rc;
}

/* Whether an operator had rejected it, the history does not say. */
static void ask_again(struct one *z, const struct store_version *v)
{
    z->row.quarantine_version = v->version;
    z->row.quarantine_at = v->at;
    (void)snprintf(z->row.quarantine_reason, sizeof(z->row.quarantine_reason), "%.*s",
                   (int)sizeof(z->row.quarantine_reason) - 1, v->origin.reason);
}

static enum err restore_line(struct one *z, const struct journal_oid *tip, struct errinfo *e)
{
    struct line_of l = {.n = 0};
    struct store_version before;
    struct journal_oid from;
    enum err rc;

    if ((rc = walk_line(z, &l, *tip, e)) ||
        (rc = store_version_get(z->r->store, z->row.id, l.base_version, &before, e)))
        goto out;
    from = l.base;
    for (size_t i = l.n; i-- > 0 && rc == OK;) {
        struct journal_commit c;
        struct store_version v;

        if ((rc = commit_of(z, &l.oids[i], &c, e)))
            break;
        version_of_commit(&v, &c);
        v.waiting = true;
        v.records = before.records + v.added;
        v.records = v.records > v.removed ? v.records - v.removed : 0;
        if ((rc = check_order(&v, &before, e)) || (rc = put_version(z, &v, e)) ||
            (rc = put_waiting_change(z, &v, &from, &l.oids[i], e)))
            break;
        if (v.quarantined && v.version > z->served.version)
            ask_again(z, &v);
        before = v;
        from = l.oids[i];
    }
out:
    free(l.oids);
    return rc;
}

static int by_prefix(const void *key, const void *element)
{
    const char *prefix = key;

    return strncmp(prefix, ((const struct restore_ref *)element)->ref, strlen(prefix));
}

/* Lines of earlier holds first: the present one may have begun where another did. */
static enum err restore_lines(struct one *z, const char *escaped, struct errinfo *e)
{
    struct restore *r = z->r;
    char *prefix = xasprintf("refs/zoneledger/waiting/%s/", escaped);
    const struct restore_ref *k =
        r->kept_count ? bsearch(prefix, r->kept, r->kept_count, sizeof(*r->kept), by_prefix) : NULL;
    struct journal_oid tip;
    enum err rc = OK;

    while (k && k > r->kept && by_prefix(prefix, k - 1) == 0)
        k--;
    for (; k && rc == OK && k < r->kept + r->kept_count && by_prefix(prefix, k) == 0; k++)
        rc = restore_line(z, &k->commit, e);
    free(prefix);
    if (rc == OK && journal_ref_get(r->journal, LINE_WAITING, z->row.name, &tip, NULL) == OK)
        rc = restore_line(z, &tip, e);
    if (rc == OK && journal_ref_get(r->journal, LINE_QUARANTINE, z->row.name, &tip, NULL) == OK)
        rc = restore_line(z, &tip, e);
    return rc;
}

/* ---- All of it ---- */

static enum err check_content(const struct one *z, struct errinfo *e)
{
    enum err rc = zone_check(z->content, e);

    if (rc == OK && !serial_eq(zone_serial(z->content), z->served.serial))
        rc = err_set(ERR_CORRUPT, e, "its newest version says serial %u, its SOA %u",
                     z->served.serial.v, zone_serial(z->content).v);
    return rc;
}

static enum err restore_rows(struct one *z, const char *escaped, struct errinfo *e)
{
    struct restore *r = z->r;
    enum err rc;

    if ((rc = journal_zone_load(&z->content, r->journal, z->row.name, &z->tip, e)) ||
        (rc = store_zone_put(r->store, &z->row, e)) || (rc = restore_served(z, e)) ||
        (rc = check_content(z, e)) || (rc = restore_lines(z, escaped, e)))
        return rc;
    settle(z);
    if ((rc = store_restore_content(r->store, z->row.id, z->content, &z->served, &z->newest, e)) ||
        (rc = store_zone_put(r->store, &z->row, e)))
        return rc;
    r->report.zones++;
    r->report.removed += z->row.removed;
    r->report.held += z->row.held;
    r->report.missing += z->newest.version - z->count;
    return OK;
}

enum err restore_zone(struct restore *r, const char *ref, const struct journal_oid *tip,
                      struct errinfo *e)
{
    struct one z = {.r = r, .tip = *tip};
    struct journal_commit c;
    char again[JOURNAL_REF_MAX];
    enum err rc;

    z.row.kind = ZONE_LOCAL;
    z.row.source = SOURCE_OPERATOR;
    if ((rc = journal_commit_zone(r->journal, tip, &c, z.row.name, e)))
        return err_wrap(rc, e, "%s", ref);
    journal_ref_name(again, z.row.name);
    if (strcmp(again, ref) != 0)
        return err_set(ERR_CORRUPT, e, "%s: its newest version is of the zone of %s", ref, again);
    rc = restore_rows(&z, strrchr(again, '/') + 1, e);
    journal_thinned_close(z.thinned);
    zone_unref(z.content);
    return rc ? err_wrap(rc, e, "%s", ref) : OK;
}
