#include "syncd/verify_remote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/checkpoint.h"
#include "lib/base/mem.h"
#include "syncd/remote_refs.h"

#define HEADS "refs/heads/"
#define WAITING "refs/waiting/"
#define QUARANTINE "refs/quarantine/"
#define KEPT "refs/zoneledger/waiting/"
#define CHECKPOINTS "refs/zoneledger/checkpoints"

struct checks {
    struct remote_report *out;
    struct history *history;
    struct journal *journal;
    uint64_t seq;
    struct remote_refs refs;
};

static void fault(struct checks *c, const uint8_t *zone, enum verify_level level, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

static void fault(struct checks *c, const uint8_t *zone, enum verify_level level, const char *fmt,
                  ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    verify_fault_add(&c->out->report, zone, level, text);
}

/* "refs/heads/example.org" as "refs/waiting/example.org". */
static struct remote_ref *find_ref_at(struct checks *c, const char *where, const char *heads)
{
    char name[JOURNAL_REF_MAX + sizeof(QUARANTINE)];

    (void)snprintf(name, sizeof(name), "%s%s", where, heads + strlen(HEADS));
    return remote_refs_find(&c->refs, name);
}

/* ---- One zone ---- */

static void foreign(struct checks *c, const struct store_zone *z, const struct remote_ref *r)
{
    fault(c, z->name, VERIFY_LOST,
          "the remote has commit %s on %s, which is no version of the zone here: the history was "
          "cut short or rewritten on this node%s, or somebody else wrote to the remote",
          r->hex, r->name,
          journal_has(c->journal, &r->oid) ? " (the journal still has the commit)" : "");
}

/* The version that a ref leads to. False, and told, if it is none of the zone's. */
static enum err version_of(struct store_version *out, bool *is_ours, struct checks *c,
                           const struct store_zone *z, struct remote_ref *r, struct errinfo *e)
{
    enum err rc = store_version_by_oid(c->history->store, z->id, r->hex, out, e);

    r->known = true;
    *is_ours = rc == OK;
    if (rc != ERR_NOT_FOUND)
        return rc;
    foreign(c, z, r);
    return OK;
}

/* The first served version behind `number`; none: its version is 0. */
static enum err served_behind(struct store_version *out, struct checks *c,
                              const struct store_zone *z, uint64_t number, struct errinfo *e)
{
    while (++number <= z->last_version) {
        enum err rc = store_version_get(c->history->store, z->id, number, out, e);

        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (rc == OK && !out->waiting)
            return OK;
    }
    *out = (struct store_version){.version = 0};
    return OK;
}

/* It is behind: what comes next must not have been there before. */
static enum err check_behind(struct checks *c, const struct store_zone *z, uint64_t number,
                             struct errinfo *e)
{
    struct store_version next;
    enum err rc = served_behind(&next, c, z, number, e);

    if (rc)
        return rc;
    if (!next.version)
        c->out->same += number > 0;
    else
        c->out->behind++;
    if (next.version && next.journaled && next.seq <= c->seq)
        fault(c, z->name, VERIFY_REPAIRABLE,
              "the remote lacks version %llu, which was pushed: somebody cut the branch there; a "
              "push brings it again",
              (unsigned long long)next.version);
    return OK;
}

static enum err check_served(struct checks *c, const struct store_zone *z, struct remote_ref *r,
                             struct errinfo *e)
{
    struct store_version v;
    bool is_ours = false;
    enum err rc;

    if (!r)
        return check_behind(c, z, 0, e);
    if ((rc = version_of(&v, &is_ours, c, z, r, e)) || !is_ours)
        return rc;
    return check_behind(c, z, v.version, e);
}

/* Versions that wait come and go; but each that the remote has was one of ours. */
static enum err check_pointer(struct checks *c, const struct store_zone *z, struct remote_ref *r,
                              struct errinfo *e)
{
    struct store_version v;
    bool is_ours;

    return r ? version_of(&v, &is_ours, c, z, r, e) : OK;
}

/* "refs/zoneledger/waiting/example.org/v12" and others of this zone. */
static enum err check_kept(struct checks *c, const struct store_zone *z, const char *heads,
                           struct errinfo *e)
{
    char *prefix = xasprintf(KEPT "%s/", heads + strlen(HEADS));
    size_t at = remote_refs_from(&c->refs, prefix);
    enum err rc = OK;

    for (;
         rc == OK && at < c->refs.n && strncmp(c->refs.list[at].name, prefix, strlen(prefix)) == 0;
         at++)
        rc = check_pointer(c, z, &c->refs.list[at], e);
    free(prefix);
    return rc;
}

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct checks *c = ctx;
    char heads[JOURNAL_REF_MAX];
    enum err rc;

    journal_ref_name(heads, z->name);
    if ((rc = check_served(c, z, remote_refs_find(&c->refs, heads), e)) ||
        (rc = check_pointer(c, z, find_ref_at(c, WAITING, heads), e)) ||
        (rc = check_pointer(c, z, find_ref_at(c, QUARANTINE, heads), e)))
        return rc;
    return check_kept(c, z, heads, e);
}

/* ---- What is left ---- */

/* Is the remote's newest checkpoint in the line of ours? */
static void check_checkpoints(struct checks *c)
{
    struct remote_ref *r = remote_refs_find(&c->refs, CHECKPOINTS);
    struct journal_oid at;

    if (!r)
        return;
    r->known = true;
    if (journal_checkpoint_tip(c->journal, &at, NULL) != OK)
        at = (struct journal_oid){{0}};
    while (!journal_oid_is_none(&at) && memcmp(at.id, r->oid.id, sizeof(at.id)) != 0) {
        struct journal_checkpoint cp = {.number = 0};

        if (journal_checkpoint_get(&cp, c->journal, &at, NULL) != OK)
            break;
        at = cp.parent;
    }
    if (memcmp(at.id, r->oid.id, sizeof(at.id)) != 0)
        fault(c, NULL, VERIFY_LOST,
              "the remote has checkpoint %s, which is none of this node's: checkpoints were taken "
              "back here, or somebody else wrote to the remote",
              r->hex);
}

static void check_unknown(struct checks *c)
{
    static const char *const ours[] = {HEADS, WAITING, QUARANTINE, KEPT};

    for (size_t i = 0; i < c->refs.n; i++) {
        const struct remote_ref *r = &c->refs.list[i];
        bool one = false;

        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            one = one || strncmp(r->name, ours[k], strlen(ours[k])) == 0;
        if (one && !r->known)
            fault(c, NULL, VERIFY_LOST,
                  "the remote has %s, of a zone that this node does not know: its history is lost "
                  "here, or somebody else wrote to the remote",
                  r->name);
    }
}

enum err verify_remote(struct remote_report *out, struct history *h, const struct buf *refs,
                       uint64_t seq, struct errinfo *e)
{
    struct checks c = {.out = out, .history = h, .seq = seq};
    enum err rc;

    remote_refs_read(&c.refs, refs->data, refs->len);
    out->refs = c.refs.n;
    if ((rc = history_journal(&c.journal, h, e)) == OK &&
        (rc = store_read_begin(h->store, e)) == OK) {
        rc = store_zone_each(h->store, on_zone, &c, e);
        store_read_end(h->store);
    }
    if (rc == OK) {
        check_checkpoints(&c);
        check_unknown(&c);
    }
    remote_refs_done(&c.refs);
    return rc;
}
