#include "syncd/verify_checkpoints.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "syncd/checkpoint.h"

struct checks {
    struct verify_report *report;
    struct history *history;
    struct journal *journal;
    const struct verify_wish *wish;
    const struct journal_signer *signers;
    struct vouched *out;
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
    verify_fault_add(c->report, zone, level, text);
}

/* ---- The line of checkpoints ---- */

static bool key_was_good(const struct signing_key *k, struct wall at)
{
    char text[WALL_TEXT_MAX];

    wall_to_text(text, at);
    return !k->until[0] || strcmp(text, k->until) <= 0;
}

static bool signature_holds(struct checks *c, const struct journal_checkpoint *cp)
{
    enum journal_signature found = SIGNATURE_NONE;
    unsigned long long n = cp->number;
    size_t which = 0;
    struct errinfo why = {0};

    if (journal_signature_check(c->journal, &cp->commit, c->signers, c->wish->key_count, &found,
                                &which, &why) != OK) {
        fault(c, NULL, VERIFY_LOST, "checkpoint %llu: %s", n, why.text);
        return false;
    }
    switch (found) {
    case SIGNATURE_GOOD:
        if (key_was_good(&c->wish->keys[which], cp->at))
            return true;
        fault(c, NULL, VERIFY_LOST, "checkpoint %llu is signed by a key that was replaced before",
              n);
        return false;
    case SIGNATURE_NONE:
        fault(c, NULL, VERIFY_LOST, "checkpoint %llu is not signed", n);
        return false;
    case SIGNATURE_BAD:
        fault(c, NULL, VERIFY_LOST, "checkpoint %llu: its signature does not hold", n);
        return false;
    case SIGNATURE_UNKNOWN:
        fault(c, NULL, VERIFY_LOST,
              "checkpoint %llu is signed by a key that is none of this node's", n);
        return false;
    }
    return false;
}

static bool follows(struct checks *c, const struct journal_checkpoint *child,
                    const struct journal_checkpoint *cp)
{
    if (child->number == cp->number + 1 && child->seq > cp->seq)
        return true;
    fault(c, NULL, VERIFY_LOST, "checkpoint %llu does not follow the one that it names, %llu",
          (unsigned long long)child->number, (unsigned long long)cp->number);
    return false;
}

/* Newest first; the first that holds is the one to go by. */
static void walk_line(struct checks *c, const struct journal_oid *tip)
{
    struct journal_checkpoint cp, child = {.number = 0};
    struct journal_oid at = *tip;
    struct errinfo why = {0};

    while (!journal_oid_is_none(&at)) {
        if (journal_checkpoint_get(&cp, c->journal, &at, &why) != OK) {
            fault(c, NULL, VERIFY_LOST, "%s", why.text);
            return;
        }
        if (child.number) {
            if (cp.at.s < c->wish->since.s || !follows(c, &child, &cp))
                return;
        }
        if (signature_holds(c, &cp)) {
            c->report->checkpoints++;
            if (!c->out->has) {
                c->out->has = true;
                c->out->newest = cp;
            }
        }
        child = cp;
        at = cp.parent;
    }
    if (child.number > 1)
        fault(c, NULL, VERIFY_LOST, "checkpoint %llu names none before it: the first ones are gone",
              (unsigned long long)child.number);
}

/* ---- What the newest lists ---- */

static enum err check_tip(void *ctx, const struct journal_tip *tip, struct errinfo *e)
{
    struct checks *c = ctx;
    struct store_version v;
    struct store_zone z;
    unsigned long long n = c->out->newest.number, version = tip->version;
    char hex[JOURNAL_HEX_MAX];
    enum err rc = store_zone_get(c->history->store, tip->zone, &z, e);

    if (rc == OK)
        rc = store_version_get(c->history->store, z.id, tip->version, &v, e);
    journal_oid_hex(hex, &tip->commit);
    if (rc == ERR_NOT_FOUND)
        fault(
            c, tip->zone, VERIFY_LOST,
            "checkpoint %llu vouches for version %llu (commit %s), which the store does not have: "
            "the history was cut short",
            n, version, hex);
    else if (rc == OK && (!v.journaled || memcmp(v.oid, tip->commit.id, sizeof(v.oid)) != 0))
        fault(c, tip->zone, VERIFY_LOST,
              "checkpoint %llu vouches for version %llu as commit %s, the store has another one: "
              "the history was rewritten",
              n, version, hex);
    return rc == ERR_NOT_FOUND ? OK : rc;
}

/* ---- Where the line begins ---- */

static bool ref_is_at(struct checks *c, const struct journal_oid *known)
{
    struct journal_checkpoint at, want;
    struct journal_oid ref;

    if (journal_checkpoint_tip(c->journal, &ref, NULL) != OK)
        return false;
    if (memcmp(ref.id, known->id, sizeof(ref.id)) == 0)
        return true;
    return journal_checkpoint_get(&want, c->journal, known, NULL) == OK &&
           journal_checkpoint_get(&at, c->journal, &ref, NULL) == OK && at.number > want.number;
}

/* The ref is set just behind the store, so a wrong one is looked at again for a moment. */
static void check_known(struct checks *c)
{
    static const struct timespec pause = {.tv_nsec = 50000000};
    struct buf hex = BUF_INIT;
    struct journal_oid known;
    bool right = true, there;

    if (store_meta_get(c->history->store, CHECKPOINT_META, &hex, NULL) == OK &&
        journal_oid_read(&known, buf_cstr(&hex))) {
        for (int i = 0; i < 40 && !(right = ref_is_at(c, &known)); i++)
            (void)nanosleep(&pause, NULL);
        there = journal_has(c->journal, &known);
        if (!right)
            fault(c, NULL, there ? VERIFY_REPAIRABLE : VERIFY_LOST,
                  "the branch of checkpoints does not lead to the newest one, %s%s", buf_cstr(&hex),
                  there ? "; a restart sets it again" : ", which is missing");
    }
    buf_free(&hex);
}

enum err verify_checkpoints(struct vouched *out, struct verify_report *r, struct history *h,
                            struct journal *j, const struct verify_wish *wish,
                            const struct journal_signer *signers, const struct journal_oid *tip,
                            struct errinfo *e)
{
    struct checks c = {
        .report = r, .history = h, .journal = j, .wish = wish, .signers = signers, .out = out};

    *out = (struct vouched){.has = false};
    check_known(&c);
    walk_line(&c, tip);
    if (!out->has)
        return OK;
    return journal_checkpoint_each(j, &out->newest, check_tip, &c, e);
}

uint64_t vouched_version(const struct vouched *v, struct journal *j, const uint8_t *zone)
{
    struct journal_tip tip;

    if (!v->has || journal_checkpoint_find(&tip, j, &v->newest, zone, NULL) != OK)
        return 0;
    return tip.version;
}
