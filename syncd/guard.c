#include "syncd/guard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/zone/zone_digest.h"

static void __attribute__((format(printf, 3, 4)))
find(struct guard_verdict *v, enum config_guard what, const char *fmt, ...)
{
    size_t n = strlen(v->reason);
    va_list ap;

    if (what == CONFIG_IGNORE)
        return;
    v->quarantine = v->quarantine || what == CONFIG_QUARANTINE;
    v->alert = v->alert || what == CONFIG_ALERT;
    if (n > 0 && n + 2 < sizeof(v->reason))
        n += (size_t)snprintf(v->reason + n, sizeof(v->reason) - n, "; ");
    va_start(ap, fmt);
    (void)vsnprintf(v->reason + n, sizeof(v->reason) - n, fmt, ap);
    va_end(ap);
}

/* More than all limits that are given; false if none is. */
static bool is_beyond(uint64_t step, uint64_t of, uint32_t percent, uint32_t records)
{
    if (!percent && !records)
        return false;
    return (!percent || step * 100 > of * percent) && (!records || step > records);
}

static void judge_size(struct guard_verdict *v, const struct config_guards *g,
                       const struct zone *served, const struct zone *next)
{
    uint64_t was = zone_records(served), is = zone_records(next);

    if (is < was && is_beyond(was - is, was, g->shrink_percent, g->shrink_records))
        find(v, CONFIG_QUARANTINE, "it has %" PRIu64 " of %" PRIu64 " records left", is, was);
    if (is > was && is_beyond(is - was, was, g->growth_percent, g->growth_records))
        find(v, CONFIG_QUARANTINE, "it grew from %" PRIu64 " to %" PRIu64 " records", was, is);
}

static bool is_apex_ns(const struct rr *rr, const uint8_t *apex)
{
    return rr->type == RR_NS && name_eq(rr->owner, apex);
}

/* A record of one list that the other has not: the TTL does not count. */
static bool has_other_ns(const struct rr_list *list, const struct rr_list *other,
                         const uint8_t *apex)
{
    for (size_t i = 0; i < list->n; i++) {
        bool found = false;

        if (!is_apex_ns(&list->rrs[i], apex))
            continue;
        for (size_t k = 0; k < other->n && !found; k++)
            found = is_apex_ns(&other->rrs[k], apex) &&
                    name_eq(other->rrs[k].rdata, list->rrs[i].rdata);
        if (!found)
            return true;
    }
    return false;
}

static void judge_serial(struct guard_verdict *v, const struct config_guards *g,
                         const struct changeset *changes)
{
    uint32_t step = changes->to.v - changes->from.v; /* RFC 1982: modulo 2^32 */

    if (g->serial_jump && changes->has_from &&
        serial_cmp(changes->to, changes->from) == SERIAL_NEWER && step > g->serial_jump)
        find(v, CONFIG_QUARANTINE, "its serial is %" PRIu32 " ahead", step);
}

static void judge_digest(struct guard_verdict *v, const struct config_guards *g,
                         const struct zone *next)
{
    char why[ZONE_DIGEST_REASON_MAX];
    enum zone_digest_result found;

    if (g->zonemd == CONFIG_ZONEMD_OFF)
        return;
    found = zone_digest_verify(next, why);
    if (found == ZONE_DIGEST_OK ||
        (g->zonemd == CONFIG_ZONEMD_IF_PRESENT &&
         (found == ZONE_DIGEST_NONE || found == ZONE_DIGEST_UNSUPPORTED)))
        return;
    find(v, CONFIG_QUARANTINE, "%s", why);
}

void guard_judge(struct guard_verdict *out, const struct config_guards *g,
                 const struct zone *served, const struct zone *next,
                 const struct changeset *changes)
{
    *out = (struct guard_verdict){.quarantine = false};
    judge_digest(out, g, next);
    if (!served)
        return;
    judge_size(out, g, served, next);
    judge_serial(out, g, changes);
    if (g->apex_ns != CONFIG_IGNORE &&
        (has_other_ns(&changes->removed, &changes->added, changes->apex) ||
         has_other_ns(&changes->added, &changes->removed, changes->apex)))
        find(out, g->apex_ns, "the NS records of the zone's own name are others");
}
