/* The journal is somebody else's to break: a disk's, an operator's. Here it is opened, looked at,
 * and mended without hands, or as an operator asks.
 */
#include <stdlib.h>

#include "lib/base/log.h"
#include "syncd/journaler_internal.h"
#include "syncd/tips.h"

#define HEAL_SECONDS 60 /* between repairs that nobody asked for */

static enum err on_any_ref(void *ctx, const char *ref, const struct journal_oid *commit,
                           struct errinfo *e)
{
    (void)commit;
    *(bool *)ctx = true;
    return err_set(ERR_EXISTS, e, "%s", ref);
}

/* A store without any change beside a journal with history is one that was lost. Beginning anew
 * would put other versions in the place of those that are there. */
static enum err check_store(struct journaler *j, struct errinfo *e)
{
    uint64_t last = 0, first = 0;
    bool history = false;
    enum err rc = store_seq(j->store, &last, &first, e);

    if (rc || last)
        return rc;
    rc = journal_ref_each(j->journal, "refs/heads/", on_any_ref, &history, e);
    if (!history)
        return rc == ERR_IO || rc == ERR_CORRUPT ? OK : rc; /* it is looked at again */
    return err_set(ERR_EXISTS, e,
                   "the store is empty, but %s has history: 'zonectl journal restore' makes the "
                   "store of it; to begin anew, move it aside",
                   j->path);
}

/* A journal that cannot be opened is no reason not to replicate: it is tried again. But two must
 * never write to one. */
enum err journaler_open(struct journaler *j, struct errinfo *e)
{
    enum err rc = journal_open(&j->journal, j->path, j->node, true, e);

    j->refs_owed = true;
    if (rc == OK)
        return check_store(j, e);
    if (rc == ERR_BUSY)
        return rc;
    log_error(say("the journal cannot be opened; changes stay in the store until it can"),
              kv_err(e));
    return OK;
}

static enum err reopen(struct journaler *j, struct errinfo *e)
{
    enum err rc;

    (void)!checkpointer_journal(j->checkpoints, NULL, NULL);
    journal_close(j->journal); /* and its lock with it */
    j->journal = NULL;
    if ((rc = journal_open(&j->journal, j->path, j->node, true, e)) ||
        (rc = checkpointer_journal(j->checkpoints, j->journal, e)))
        return rc == ERR_IO ? ERR_BUSY : rc;
    j->refs_owed = true;
    j->has_healed = false; /* before anything is written to it */
    return OK;
}

static void refs_are_set(struct journaler *j)
{
    j->refs_owed = false;
    journaler_settling(j, 0);
}

static enum err run_repair(struct journaler *j, const struct repair_wish *wish,
                           struct repair_report *out, struct errinfo *e)
{
    struct repair_env env = {.journal = j->journal,
                             .store = j->store,
                             .committer = j->committer,
                             .key = j->signing ? signing_current(j->signing) : NULL};

    enum err rc;

    if (!j->journal)
        return err_set(ERR_BUSY, e, "the journal cannot be opened");
    checkpointer_prepare(j->checkpoints);
    packmerge_hold(j->merge);
    rc = repair_run(out, &env, wish, e);
    packmerge_release(j->merge);
    return rc;
}

/* What has been noticed is mended without being asked, but not again and again: if it does not
 * help, the status says what is wrong, and history goes on with what is new. */
static enum err heal_damage(struct journaler *j, struct errinfo *e)
{
    const struct repair_wish all = {.zone = NULL};
    struct mono now = clock_mono(clock_real());
    struct repair_report report = {.damaged = NULL};
    enum err rc;

    if (j->has_healed && mono_cmp(now, mono_add_ms(j->healed, HEAL_SECONDS * 1000)) < 0)
        return OK;
    j->has_healed = true;
    j->healed = now;
    j->damaged = false;
    rc = run_repair(j, &all, &report, e);
    if (rc == OK)
        refs_are_set(j);
    else
        j->damaged = true;
    repair_report_free(&report);
    return rc;
}

enum err journaler_heal_refs(struct journaler *j, struct errinfo *e)
{
    struct tips_report tips = {.mended = 0};
    enum err rc = tips_mend(&tips, j->journal, j->store, NULL, false, e);

    if (rc)
        return rc == ERR_IO ? ERR_BUSY : rc;
    refs_are_set(j);
    j->damaged = j->damaged || tips.missing || journal_salvage_wanted(j->journal);
    return OK;
}

enum err journaler_heal(struct journaler *j, struct errinfo *e)
{
    enum journal_look look = j->journal ? journal_look(j->journal) : JOURNAL_GONE;
    enum err rc;

    if (look == JOURNAL_GONE && j->journal)
        log_error(say("journal: it is gone, or in pieces; a new one is made and filled from the "
                      "store"),
                  kv_str("path", j->path));
    if (look == JOURNAL_GONE && (rc = reopen(j, e)))
        return rc;
    if (look == JOURNAL_CHANGED)
        j->damaged = true;
    if (j->refs_owed && (rc = journaler_heal_refs(j, e)))
        return rc;
    return j->damaged ? heal_damage(j, e) : OK;
}

static struct journaler_repair *take_asked(struct journaler *j)
{
    struct journaler_repair *q;

    pthread_mutex_lock(&j->lock);
    q = j->asked;
    if (q)
        j->asked = q->next;
    pthread_mutex_unlock(&j->lock);
    return q;
}

void journaler_answer(struct journaler *j, bool stopping)
{
    struct journaler_repair *q;

    while ((q = take_asked(j))) {
        q->rc = stopping ? err_set(ERR_CLOSED, &q->error, "syncd stops")
                         : run_repair(j, &q->wish, &q->report, &q->error);
        q->done(q);
    }
}

void journaler_repair(struct journaler *j, struct journaler_repair *q)
{
    struct journaler_repair **at = &j->asked;

    q->next = NULL;
    pthread_mutex_lock(&j->lock);
    while (*at)
        at = &(*at)->next;
    *at = q;
    j->awake = true;
    pthread_cond_signal(&j->there);
    pthread_mutex_unlock(&j->lock);
}
