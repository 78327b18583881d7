#include "syncd/guard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/dns/anchor.h"
#include "lib/zone/zone_digest.h"
#include "lib/zone/zone_dnssec.h"

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

/* ---- DNSSEC ---- */

#define ANCHORS_MAX 16

struct anchors {
    struct zone_dnssec_anchor list[ANCHORS_MAX];
    size_t n;
    struct buf rdata;
};

/* Those of this zone. */
static void take_anchors(struct anchors *a, const struct config_guards *g, const struct zone *z)
{
    size_t at[ANCHORS_MAX + 1] = {0};
    uint8_t owner[NAME_MAX_OCTETS];

    for (size_t i = 0; i < g->anchor_count && a->n < ANCHORS_MAX; i++) {
        struct zone_dnssec_anchor *x = &a->list[a->n];

        if (anchor_from_text(owner, &x->type, &a->rdata, g->anchors[i], NULL) != OK)
            continue; /* config_check has refused it already */
        if (!name_eq(owner, zone_apex(z))) {
            a->rdata.len = at[a->n];
            continue;
        }
        at[++a->n] = a->rdata.len;
    }
    for (size_t i = 0; i < a->n; i++) {
        a->list[i].rdata = a->rdata.data + at[i];
        a->list[i].len = (uint16_t)(at[i + 1] - at[i]);
    }
}

static void say_dnssec(struct guard_verdict *v, const struct config_guards *g,
                       const struct zone *served, const struct anchors *a,
                       const struct zone_dnssec_report *r)
{
    bool required = g->dnssec == CONFIG_DNSSEC_REQUIRED || a->n > 0;

    switch (r->result) {
    case ZONE_DNSSEC_OK:
        v->sound = true;
        v->until = r->until;
        v->whole = r->whole;
        v->rrsets = r->rrsets;
        break;
    case ZONE_DNSSEC_BOGUS:
        find(v, CONFIG_QUARANTINE, "%s", r->reason);
        break;
    case ZONE_DNSSEC_UNCHECKED:
        find(v, required ? CONFIG_QUARANTINE : CONFIG_ALERT, "%s", r->reason);
        break;
    case ZONE_DNSSEC_UNSIGNED:
        if (served && zone_is_signed(served))
            find(v, CONFIG_QUARANTINE, "it is not signed any more");
        else if (required)
            find(v, CONFIG_QUARANTINE, "it is not signed");
        break;
    }
}

static void judge_dnssec(struct guard_verdict *v, const struct guard_spec *s,
                         const struct zone *served, const struct zone *next,
                         const struct changeset *changes)
{
    struct anchors a = {.n = 0};
    struct zone_dnssec_spec spec = {
        .now = s->now, .life_s = s->guards->dnssec_life_s, .threads = s->threads};
    struct zone_dnssec_report r;

    if (s->guards->dnssec == CONFIG_DNSSEC_OFF)
        return;
    take_anchors(&a, s->guards, next);
    spec.anchors = a.list;
    spec.anchor_count = a.n;
    if (served && s->sound)
        zone_dnssec_check_change(&r, served, s->until, next, changes, &spec);
    else
        zone_dnssec_check(&r, next, &spec);
    say_dnssec(v, s->guards, served, &a, &r);
    buf_free(&a.rdata);
}

void guard_judge(struct guard_verdict *out, const struct guard_spec *spec,
                 const struct zone *served, const struct zone *next,
                 const struct changeset *changes)
{
    const struct config_guards *g = spec->guards;

    *out = (struct guard_verdict){.quarantine = false};
    judge_digest(out, g, next);
    judge_dnssec(out, spec, served, next, changes);
    if (!served)
        return;
    judge_size(out, g, served, next);
    judge_serial(out, g, changes);
    if (g->apex_ns != CONFIG_IGNORE &&
        (has_other_ns(&changes->removed, &changes->added, changes->apex) ||
         has_other_ns(&changes->added, &changes->removed, changes->apex)))
        find(out, g->apex_ns, "the NS records of the zone's own name are others");
}
