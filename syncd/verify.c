#include "syncd/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal/repair.h"
#include "journal/thin.h"
#include "lib/base/mem.h"
#include "syncd/verify_checkpoints.h"

#define FAULTS_MAX 10000 /* more say nothing new */

struct verify {
    struct verify_report *report;
    struct history *history;
    struct journal *journal;
    struct journal_check *check;
    const struct verify_wish *wish;
    struct journal_signer *signers; /* of its keys, in the same order */
    struct vouched vouched;
};

/* Walks the versions of one zone, newest first. */
struct version_walk {
    struct verify *v;
    const struct store_zone *zone;
    uint64_t next_expected;           /* version number that must come now */
    bool has_child_served;            /* the served version seen before this one */
    struct journal_oid parent_wanted; /* commit that the child named as its parent */
    struct store_version tip_served, tip_waiting, tip_quarantined;
    bool has_tip_served, has_tip_waiting, has_tip_quarantined;
    uint64_t vouched;                /* a checkpoint covers served versions up to this one */
    bool has_signed;                 /* a served version newer than this one has a good signature */
    struct journal_thinned *thinned; /* the zone's record, once it is needed */
};

void verify_report_free(struct verify_report *r)
{
    free(r->faults);
    free(r->zones);
    *r = (struct verify_report){.faults = NULL};
}

void verify_fault_add(struct verify_report *r, const uint8_t *zone, enum verify_level level,
                      const char *text)
{
    struct verify_fault *f;

    if (r->fault_count >= FAULTS_MAX)
        return;
    r->faults = xgrow(r->faults, &r->fault_cap, r->fault_count + 1, sizeof(*r->faults));
    f = &r->faults[r->fault_count++];
    f->zone[0] = 0;
    if (zone)
        (void)name_to_text(f->zone, zone);
    f->level = level;
    (void)snprintf(f->text, sizeof(f->text), "%s", text);
}

static void fault(struct verify *v, const uint8_t *zone, enum verify_level level, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

static void fault(struct verify *v, const uint8_t *zone, enum verify_level level, const char *fmt,
                  ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    verify_fault_add(v->report, zone, level, text);
}

static void on_pack_fault(void *ctx, const char *text)
{
    fault(ctx, NULL, VERIFY_REPAIRABLE, "journal: %s; zonectl journal repair saves what is good",
          text);
}

static void on_store_fault(void *ctx, const uint8_t *zone, bool data_lost, const char *text)
{
    struct verify *v = ctx;

    fault(v, zone, data_lost ? VERIFY_LOST : VERIFY_REPAIRABLE, "store: %s", text);
}

/* ---- One version against its commit ---- */

static void check_trailers(struct version_walk *w, const struct store_version *sv,
                           const struct journal_commit *c)
{
    unsigned long long n = sv->version;

    if (memcmp(c->content_id.id, sv->content_oid, sizeof(sv->content_oid)) != 0)
        fault(w->v, w->zone->name, VERIFY_LOST,
              "version %llu: its commit has another content id than the store recorded", n);
    if (!serial_eq(c->to, sv->serial) || c->seq != sv->seq || c->version != sv->version ||
        c->waiting != sv->waiting || c->quarantined != sv->quarantined ||
        strcmp(c->origin, origin_name(sv->origin.kind)) != 0)
        fault(w->v, w->zone->name, VERIFY_LOST,
              "version %llu: its commit's trailers disagree with the store", n);
}

static void check_parent(struct version_walk *w, const struct store_version *sv,
                         const struct journal_commit *c)
{
    struct journal_oid self;

    memcpy(self.id, sv->oid, sizeof(self.id));
    if (!sv->waiting && w->has_child_served &&
        memcmp(self.id, w->parent_wanted.id, sizeof(self.id)) != 0)
        fault(w->v, w->zone->name, VERIFY_LOST,
              "version %llu: the version after it does not follow it in the journal",
              (unsigned long long)sv->version);
    if (!sv->waiting) {
        w->has_child_served = true;
        w->parent_wanted = c->parent;
    }
}

/* Times as text compare as times do. */
static bool is_after(const char *a, const char *b)
{
    return strcmp(a, b) > 0;
}

/* A commit names its parent, so a signature holds for all before; otherwise a checkpoint must do.
 */
static bool is_vouched(struct version_walk *w, const struct store_version *sv)
{
    if (sv->waiting)
        return false;
    if (w->has_signed || sv->version <= w->vouched)
        w->v->report->vouched++;
    else if (w->v->wish->checkpoints)
        w->v->report->unvouched++;
    else
        return false;
    return true;
}

/* From the first key on each version is signed; what was on its way then may not be. */
static void check_unsigned(struct version_walk *w, const struct store_version *sv, const char *at)
{
    const struct verify_wish *wish = w->v->wish;
    const char *end = wish->keys[wish->key_count - 1].until;

    if (is_after(at, wish->keys[0].since) && !(end[0] && is_after(at, end)))
        fault(w->v, w->zone->name, VERIFY_LOST,
              "version %llu (serial %u) is not signed, though there was a key then",
              (unsigned long long)sv->version, sv->serial.v);
}

static enum err signature_of(enum journal_signature *found, size_t *which, struct version_walk *w,
                             const struct store_version *sv, const struct journal_oid *oid)
{
    size_t n = w->v->wish->key_count;

    if (sv->thinned)
        return journal_thinned_signature(w->thinned, sv->version, w->v->signers, n, found, which,
                                         NULL);
    return journal_signature_check(w->v->journal, oid, w->v->signers, n, found, which, NULL);
}

static void check_signature(struct version_walk *w, const struct store_version *sv,
                            const struct journal_oid *oid)
{
    const struct verify_wish *wish = w->v->wish;
    enum journal_signature found = SIGNATURE_NONE;
    unsigned long long n = sv->version;
    char at[WALL_TEXT_MAX];
    size_t which = 0;

    if (!wish->key_count || signature_of(&found, &which, w, sv, oid) != OK)
        return; /* that it cannot be read is said elsewhere */
    wall_to_text(at, sv->at);
    switch (found) {
    case SIGNATURE_NONE:
        if (!is_vouched(w, sv))
            check_unsigned(w, sv, at);
        break;
    case SIGNATURE_GOOD:
        w->v->report->signatures++;
        if (wish->keys[which].until[0] && is_after(at, wish->keys[which].until))
            fault(w->v, w->zone->name, VERIFY_LOST,
                  "version %llu is signed by a key that was replaced before", n);
        else
            w->has_signed = w->has_signed || !sv->waiting;
        break;
    case SIGNATURE_BAD:
        fault(w->v, w->zone->name, VERIFY_LOST, "version %llu: its signature does not hold", n);
        break;
    case SIGNATURE_UNKNOWN:
        fault(w->v, w->zone->name, VERIFY_LOST,
              "version %llu is signed by a key that is none of this node's", n);
        break;
    }
}

/* Of a thinned version the octets that the zone's record has must make the id that the store knows,
 * and then they are as good as the commit. */
static enum err commit_of(struct journal_commit *out, struct version_walk *w,
                          const struct store_version *sv, const struct journal_oid *oid,
                          struct errinfo *e)
{
    struct journal *j = w->v->journal;
    enum err rc;

    if (!sv->thinned) {
        if ((rc = journal_check_commit(w->v->check, oid, e)))
            return rc;
        return journal_commit_get(j, oid, out, e);
    }
    if (!w->thinned && (rc = journal_thinned_open(&w->thinned, j, w->zone->name, e)))
        return rc;
    if ((rc = journal_thinned_get(w->thinned, sv->version, out, e)))
        return rc;
    if (memcmp(out->commit.id, oid->id, sizeof(oid->id)) != 0)
        return err_set(ERR_CORRUPT, e, "the record of thinned versions has another one");
    w->v->report->thinned++;
    return OK;
}

static void check_commit(struct version_walk *w, const struct store_version *sv)
{
    struct journal_commit c;
    struct journal_oid oid;
    struct errinfo why = {0};

    memcpy(oid.id, sv->oid, sizeof(oid.id));
    w->v->report->versions++;
    if (commit_of(&c, w, sv, &oid, &why) != OK) {
        fault(w->v, w->zone->name, VERIFY_LOST, "version %llu (serial %u)%s: %s",
              (unsigned long long)sv->version, sv->serial.v,
              sv->lost ? " is lost" : ": see zonectl journal repair", why.text);
        w->has_child_served = w->has_child_served && sv->waiting;
        return;
    }
    if (sv->lost)
        fault(w->v, w->zone->name, VERIFY_REPAIRABLE,
              "version %llu is marked as lost, but is there: zonectl journal repair",
              (unsigned long long)sv->version);
    check_trailers(w, sv, &c);
    check_parent(w, sv, &c);
    check_signature(w, sv, &oid);
}

static enum err on_version(void *ctx, const struct store_version *sv, struct errinfo *e)
{
    struct version_walk *w = ctx;

    (void)e;
    if (sv->version != w->next_expected)
        fault(w->v, w->zone->name, VERIFY_LOST, "version %llu is not in the store",
              (unsigned long long)w->next_expected);
    w->next_expected = sv->version - 1;
    if (!sv->journaled)
        return OK;
    if (!sv->waiting && !w->has_tip_served) {
        w->tip_served = *sv;
        w->has_tip_served = true;
    }
    if (sv->quarantined && !w->has_tip_quarantined) {
        w->tip_quarantined = *sv;
        w->has_tip_quarantined = true;
    }
    if (sv->waiting && !sv->quarantined && !w->has_tip_waiting) {
        w->tip_waiting = *sv;
        w->has_tip_waiting = true;
    }
    if (sv->at.s >= w->v->wish->since.s)
        check_commit(w, sv);
    else
        w->has_child_served = w->has_child_served && sv->waiting;
    return OK;
}

/* ---- One zone ---- */

/* Is the commit that of a version that was made after we began to read? The store knows it before
 * the ref does; a commit that it never heard of was put there by somebody else. */
static bool is_made_since(struct verify *v, const struct store_zone *z,
                          const struct journal_oid *commit, uint64_t tip)
{
    struct store_version found = {.version = 0};
    struct store *now = NULL;
    char hex[JOURNAL_HEX_MAX];
    enum err rc;

    journal_oid_hex(hex, commit);
    if ((rc = store_readers_take(v->history->readers, &now, NULL)) == OK)
        rc = store_version_by_oid(now, z->id, hex, &found, NULL);
    store_readers_give(v->history->readers, now, rc == ERR_NOT_FOUND ? OK : rc);
    return rc == OK && found.version > tip;
}

/* True if the ref leads to the tip, or to a version that is newer than what we read. */
static bool ref_is_right(struct verify *v, const struct store_zone *z, enum journal_line line,
                         const struct store_version *tip, struct errinfo *why)
{
    struct journal_oid is;
    char hex[JOURNAL_HEX_MAX];

    if (journal_ref_get(v->journal, line, z->name, &is, why) != OK)
        return false;
    if (memcmp(is.id, tip->oid, sizeof(is.id)) == 0 || is_made_since(v, z, &is, tip->version))
        return true;
    journal_oid_hex(hex, &is);
    (void)err_set(OK, why, "it points to %s", hex);
    return false;
}

/* The journal thread sets a ref just behind the commit id in the store, so a wrong one is looked
 * at again for a moment before it is called wrong. */
static void check_ref(struct verify *v, const struct store_zone *z, enum journal_line line,
                      const struct store_version *tip)
{
    static const struct timespec pause = {.tv_nsec = 50000000};
    struct errinfo why = {0};

    for (int i = 0; i < 40; i++) {
        if (ref_is_right(v, z, line, tip, &why))
            return;
        (void)nanosleep(&pause, NULL);
    }
    fault(v, z->name, VERIFY_REPAIRABLE,
          "its ref does not lead to the newest version (%s); a restart, or zonectl journal repair, "
          "sets it again",
          why.text);
}

static void check_content(struct verify *v, const struct store_zone *z, const struct zone *content,
                          const struct store_version *served)
{
    struct journal_oid id;
    struct errinfo why = {0};

    if (!served->journaled || served->version != z->version)
        return;
    if (journal_content_id(&id, content, &why) != OK)
        fault(v, z->name, VERIFY_REPAIRABLE, "content id: %s", why.text);
    else if (memcmp(id.id, served->content_oid, sizeof(id.id)) != 0)
        fault(v, z->name, VERIFY_LOST, "the stored content is not what version %llu recorded",
              (unsigned long long)z->version);
}

static void expect_served(struct verify_report *r, const struct store_zone *z,
                          const struct zone *content)
{
    struct verify_zone *vz;

    r->zones = xgrow(r->zones, &r->zone_cap, r->zone_count + 1, sizeof(*r->zones));
    vz = &r->zones[r->zone_count++];
    *vz = (struct verify_zone){
        .expired = z->expired, .serial = z->serial, .version = z->version, .seq = z->seq};
    (void)name_copy(vz->name, z->name);
    zone_sha256(vz->sha256, content);
}

static enum err walk_versions(struct version_walk *w, struct errinfo *e)
{
    uint64_t before = 0;
    enum err rc;

    while (w->next_expected > 0) {
        uint64_t was = w->next_expected;

        rc = store_version_each(w->v->history->store, w->zone->id, before, 256, on_version, w, e);
        if (rc)
            return rc;
        if (w->next_expected == was) {
            fault(w->v, w->zone->name, VERIFY_LOST, "versions 1 to %llu are not in the store",
                  (unsigned long long)was);
            break;
        }
        before = w->next_expected + 1;
    }
    return OK;
}

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct verify *v = ctx;
    struct version_walk w = {.v = v, .zone = z, .next_expected = z->last_version};
    struct zone *content = NULL;
    struct errinfo why = {0};
    enum err rc;

    w.vouched = vouched_version(&v->vouched, v->journal, z->name);
    rc = walk_versions(&w, e);
    journal_thinned_close(w.thinned);
    if (rc)
        return rc;
    if (w.has_tip_served)
        check_ref(v, z, LINE_SERVED, &w.tip_served);
    if (w.has_tip_quarantined)
        check_ref(v, z, LINE_QUARANTINE, &w.tip_quarantined);
    if (w.has_tip_waiting)
        check_ref(v, z, LINE_WAITING, &w.tip_waiting);
    if (!z->has_content)
        return OK;
    if (store_zone_load(&content, v->history->store, z, &why) != OK) {
        fault(v, z->name, VERIFY_LOST, "its stored content cannot be read: %s", why.text);
        return OK;
    }
    if (w.has_tip_served)
        check_content(v, z, content, &w.tip_served);
    if (!z->removed)
        expect_served(v->report, z, content);
    zone_unref(content);
    return OK;
}

enum err verify_run(struct verify_report *r, struct history *h, const struct verify_wish *wish,
                    struct errinfo *e)
{
    struct verify v = {.report = r,
                       .history = h,
                       .wish = wish,
                       .signers = xcalloc(wish->key_count, sizeof(*v.signers))};
    struct journal_oid checkpoint = {{0}};
    enum err rc;

    for (size_t i = 0; i < wish->key_count; i++)
        v.signers[i] = wish->keys[i].signer;

    if ((rc = history_journal(&v.journal, h, e)))
        goto out;
    v.check = journal_check_new(v.journal);
    if ((rc = journal_check_packs(v.check, on_pack_fault, &v, e)))
        goto out;
    if (journal_checkpoint_tip(v.journal, &checkpoint, NULL) != OK)
        checkpoint = (struct journal_oid){{0}}; /* none, or verify_checkpoints says why */
    if ((rc = store_read_begin(h->store, e)))
        goto out;
    if (wish->key_count &&
        (rc = verify_checkpoints(&v.vouched, r, h, v.journal, wish, v.signers, &checkpoint, e)))
        goto end;
    if ((rc = store_verify(h->store, on_store_fault, &v, e)) == OK &&
        (rc = store_unjournaled_count(h->store, &r->unjournaled, e)) == OK)
        rc = store_zone_each(h->store, on_zone, &v, e);
end:
    store_read_end(h->store);
out:
    journal_check_free(v.check);
    free(v.signers);
    return rc;
}
