#include "syncd/ixfr.h"

#include <stdlib.h>

#include "lib/base/mem.h"

enum ixfr_state { IXFR_AT_BEGIN, IXFR_AT_REMOVE, IXFR_AT_ADD, IXFR_AT_END };

struct ixfr {
    uint8_t apex[NAME_MAX_OCTETS];
    struct buf goal; /* RDATA of the opening SOA */
    struct serial goal_serial;

    enum ixfr_state state;
    struct serial at; /* the version that what has come so far leads to */
    struct changeset **changes;
    size_t count, cap;
    size_t removed, added; /* records of the sequence at hand, as they came */
};

struct ixfr *ixfr_new(const uint8_t *apex, struct serial have, const struct rr *goal)
{
    struct ixfr *x = xcalloc(1, sizeof(*x));
    struct soa soa;

    (void)name_fold(x->apex, apex);
    x->at = have;
    buf_put(&x->goal, goal->rdata, goal->rdata_len);
    if (soa_parse(&soa, goal->rdata, goal->rdata_len))
        x->goal_serial = soa.serial;
    return x;
}

void ixfr_free(struct ixfr *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->count; i++)
        changeset_free(x->changes[i]);
    free(x->changes);
    buf_free(&x->goal);
    free(x);
}

static enum ixfr_step fault(enum err rc)
{
    (void)rc;
    return IXFR_FAULT;
}

/* ---- Sequences ---- */

static enum ixfr_step sequence_begin(struct ixfr *x, struct serial serial, struct errinfo *e)
{
    if (!serial_eq(serial, x->at))
        return fault(err_set(ERR_SERIAL, e, "a sequence begins at serial %u instead of %u",
                             (unsigned)serial.v, (unsigned)x->at.v));
    if (x->count == IXFR_SEQUENCES_MAX)
        return fault(err_set(ERR_LIMIT, e, "more than %d sequences", IXFR_SEQUENCES_MAX));
    x->changes = xgrow(x->changes, &x->cap, x->count + 1, sizeof(struct changeset *));
    x->changes[x->count++] = changeset_new(x->apex);
    x->removed = x->added = 0;
    x->state = IXFR_AT_REMOVE;
    return IXFR_MORE;
}

static enum ixfr_step sequence_turn(struct ixfr *x, struct serial serial, struct errinfo *e)
{
    if (serial_cmp(serial, x->at) != SERIAL_NEWER)
        return fault(err_set(ERR_SERIAL, e, "a sequence leads from serial %u to %u",
                             (unsigned)x->at.v, (unsigned)serial.v));
    x->at = serial;
    x->state = IXFR_AT_ADD;
    return IXFR_MORE;
}

static enum ixfr_step sequence_end(struct ixfr *x, struct errinfo *e)
{
    struct changeset *cs = x->changes[x->count - 1];

    changeset_finish(cs);
    if (cs->removed.n + cs->kept.n != x->removed || cs->added.n + cs->kept.n != x->added)
        return fault(err_set(ERR_CONFLICT, e, "the sequence to serial %u names a record twice",
                             (unsigned)x->at.v));
    return IXFR_MORE;
}

static enum ixfr_step put(struct ixfr *x, const struct rr *rr, struct errinfo *e)
{
    struct changeset *cs = x->changes[x->count - 1];
    bool removes = x->state == IXFR_AT_REMOVE;
    enum err rc = removes ? changeset_remove(cs, rr, e) : changeset_add(cs, rr, e);

    if (rc)
        return IXFR_FAULT;
    (removes ? &x->removed : &x->added)[0]++;
    return IXFR_MORE;
}

/* ---- Records ---- */

static bool is_goal(const struct ixfr *x, const struct rr *rr)
{
    return rdata_cmp(RR_SOA, rr->rdata, rr->rdata_len, x->goal.data, x->goal.len) == 0;
}

static enum ixfr_step feed_soa(struct ixfr *x, const struct rr *rr, struct errinfo *e)
{
    enum ixfr_step step = IXFR_MORE;
    struct soa soa;

    if (rr->rclass != CLASS_IN || !name_eq(rr->owner, x->apex) ||
        !soa_parse(&soa, rr->rdata, rr->rdata_len))
        return fault(err_set(ERR_FORMAT, e, "a SOA that is not the zone's"));
    switch (x->state) {
    case IXFR_AT_BEGIN:
        step = sequence_begin(x, soa.serial, e);
        break;
    case IXFR_AT_REMOVE:
        step = sequence_turn(x, soa.serial, e);
        if (step == IXFR_MORE && serial_eq(soa.serial, x->goal_serial) && !is_goal(x, rr))
            return fault(err_set(ERR_FORMAT, e, "two SOAs with serial %u that differ",
                                 (unsigned)soa.serial.v));
        break;
    case IXFR_AT_ADD:
        if (sequence_end(x, e) != IXFR_MORE)
            return IXFR_FAULT;
        if (serial_eq(x->at, x->goal_serial)) {
            x->state = IXFR_AT_END;
            return is_goal(x, rr)
                       ? IXFR_DONE
                       : fault(err_set(ERR_FORMAT, e, "the closing SOA is not the opening one"));
        }
        step = sequence_begin(x, soa.serial, e);
        break;
    case IXFR_AT_END:
        return fault(err_set(ERR_FORMAT, e, "a record behind the closing SOA"));
    }
    return step == IXFR_MORE ? put(x, rr, e) : step;
}

enum ixfr_step ixfr_feed(struct ixfr *x, const struct rr *rr, struct errinfo *e)
{
    if (rr->type == RR_SOA)
        return feed_soa(x, rr, e);
    if (x->state == IXFR_AT_END)
        return fault(err_set(ERR_FORMAT, e, "a record behind the closing SOA"));
    if (x->state == IXFR_AT_BEGIN)
        return fault(err_set(ERR_FORMAT, e, "a sequence that does not begin with a SOA"));
    return put(x, rr, e);
}

struct changeset *const *ixfr_changes(const struct ixfr *x, size_t *n)
{
    *n = x->count;
    return x->changes;
}
