#include "syncd/update.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/update_draft.h"

/* One on its way. A refusal is an rcode, with its reason in result->error. */
struct update {
    struct update_result *result;
    const struct zone *zone;
    const uint8_t *wire;
    size_t len;
    struct msg_layout layout;
    struct draft draft;
    struct buf rdata; /* of the record that is looked at, uncompressed */
    update_may_fn *may;
    void *ctx;
};

void update_result_done(struct update_result *r)
{
    zone_unref(r->next);
    changeset_free(r->changes);
    *r = (struct update_result){.next = NULL};
}

static bool no(struct update *u, uint16_t rcode, const struct msg_rr *rr, const char *why)
{
    char owner[NAME_TEXT_MAX];
    char type[TYPE_TEXT_MAX];

    u->result->rcode = rcode;
    if (!rr) {
        (void)err_set(ERR_DENIED, &u->result->error, "%s", why);
        return false;
    }
    (void)name_to_text(owner, rr->owner);
    type_to_text(type, rr->type);
    (void)err_set(ERR_DENIED, &u->result->error, "%.700s %s: %s", owner, type, why);
    return false;
}

/* Calls f for each record of a section until one says no; u->rdata holds its RDATA, where it has
 * any. */
typedef bool record_fn(struct update *u, const struct msg_rr *rr);

static bool each_record(struct update *u, enum section section, record_fn *f)
{
    struct reader r = msg_section(&u->layout, u->wire, u->len, section);
    struct msg_rr rr;

    for (unsigned n = u->layout.header.counts[section]; n > 0; n--) {
        if (!msg_read_rr(&rr, &r))
            return no(u, RCODE_FORMERR, NULL, "a record is broken");
        if (!name_within(rr.owner, zone_apex(u->zone)))
            return no(u, RCODE_NOTZONE, &rr, "it is outside the zone");
        u->rdata.len = 0;
        if ((rr.rdlen > 0 || rr.rclass == CLASS_IN) &&
            rdata_read(&u->rdata, &rr.rdata, rr.type, rr.rdlen, NULL) != OK)
            return no(u, RCODE_FORMERR, &rr, "its data is broken");
        if (!f(u, &rr))
            return false;
    }
    return true;
}

/* ---- Prerequisites (RFC 2136 3.2) ---- */

static bool is_at_apex(const struct update *u, const uint8_t *owner)
{
    return name_eq(owner, zone_apex(u->zone));
}

/* A record that must be there; that its RRset has no other is seen at the end. */
static bool value_required(struct update *u, const struct msg_rr *rr)
{
    const struct draft_node *n = draft_node(&u->draft, rr->owner);

    if (!type_is_data(rr->type))
        return no(u, RCODE_FORMERR, rr, "a prerequisite of this type");
    return draft_has(n, rr->type, u->rdata.data, u->rdata.len) ||
           no(u, RCODE_NXRRSET, rr, "a record that is required is not there");
}

static bool prerequisite(struct update *u, const struct msg_rr *rr)
{
    const struct draft_node *n = draft_node(&u->draft, rr->owner);
    bool there = rr->type == RR_ANY ? n->n > 0 : draft_count(n, rr->type) > 0;

    if (rr->ttl != 0)
        return no(u, RCODE_FORMERR, rr, "a prerequisite with a TTL");
    if (rr->rclass == CLASS_IN)
        return value_required(u, rr);
    if (rr->rdlen != 0 || (rr->rclass != CLASS_ANY && rr->rclass != CLASS_NONE))
        return no(u, RCODE_FORMERR, rr, "a prerequisite of no kind");
    if (rr->rclass == CLASS_ANY && !there)
        return no(u, rr->type == RR_ANY ? RCODE_NXDOMAIN : RCODE_NXRRSET, rr,
                  "what is required is not there");
    if (rr->rclass == CLASS_NONE && there)
        return no(u, rr->type == RR_ANY ? RCODE_YXDOMAIN : RCODE_YXRRSET, rr,
                  "what must not be there is there");
    return true;
}

/* The records that the message requires of each RRset, to be counted. */
static bool require(struct update *u, const struct msg_rr *rr)
{
    struct draft *wanted = u->ctx;
    struct draft_rr own = {.type = rr->type, .len = (uint16_t)u->rdata.len, .rdata = u->rdata.data};
    struct draft_node *n;

    if (rr->rclass != CLASS_IN)
        return true;
    n = draft_node(wanted, rr->owner);
    draft_add(wanted, n, &own);
    return true;
}

/* Each is in its RRset, as was seen; now, whether the RRset has no more than these. */
static bool values_complete(struct update *u)
{
    void *ctx = u->ctx;
    struct draft wanted;
    bool ok;

    draft_init(&wanted, NULL);
    u->ctx = &wanted;
    ok = each_record(u, SECTION_ANSWER, require);
    u->ctx = ctx;
    for (const struct draft_node *n = wanted.first; n && ok; n = n->next) {
        const struct draft_node *here = draft_node(&u->draft, n->owner);

        for (size_t i = 0; i < n->n && ok; i++) {
            if (draft_count(here, n->rrs[i].type) != draft_count(n, n->rrs[i].type))
                ok = no(u, RCODE_NXRRSET, NULL, "an RRset has other records than are required");
        }
    }
    draft_done(&wanted);
    return ok;
}

/* ---- Permission and form (RFC 2136 3.3, 3.4.1) ---- */

static bool is_meta(uint16_t type)
{
    return type != RR_ANY && !type_is_data(type);
}

/* What is never taken away as a whole: what a zone cannot be without. */
static bool is_kept(const struct update *u, const uint8_t *owner, uint16_t type)
{
    return type == RR_SOA || (type == RR_NS && is_at_apex(u, owner));
}

/* Who wants all of an owner's types gone must be allowed each. */
static bool may_change(struct update *u, const struct msg_rr *rr)
{
    const struct draft_node *n;

    if (rr->type != RR_ANY)
        return u->may(u->ctx, rr->owner, rr->type);
    n = draft_node(&u->draft, rr->owner);
    for (size_t i = 0; i < n->n; i++) {
        if (!is_kept(u, rr->owner, n->rrs[i].type) && !u->may(u->ctx, rr->owner, n->rrs[i].type))
            return false;
    }
    return true;
}

static bool prescan(struct update *u, const struct msg_rr *rr)
{
    bool good = false;

    switch (rr->rclass) {
    case CLASS_IN:
        good = type_is_data(rr->type);
        break;
    case CLASS_ANY:
        good = rr->ttl == 0 && rr->rdlen == 0 && !is_meta(rr->type);
        break;
    case CLASS_NONE:
        good = rr->ttl == 0 && type_is_data(rr->type);
        break;
    default:
        break;
    }
    if (!good)
        return no(u, RCODE_FORMERR, rr, "an update of no kind");
    return may_change(u, rr) ||
           no(u, RCODE_REFUSED, rr, "no policy of the zone lets this client change it");
}

/* ---- Changes (RFC 2136 3.4.2) ---- */

static bool stands_beside_cname(uint16_t type)
{
    return type == RR_RRSIG || type == RR_NSEC || type == RR_KEY;
}

/* True if the owner has a record that no CNAME may stand beside. */
static bool has_other_than_cname(const struct draft_node *n)
{
    for (size_t i = 0; i < n->n; i++) {
        if (n->rrs[i].type != RR_CNAME && !stands_beside_cname(n->rrs[i].type))
            return true;
    }
    return false;
}

static bool soa_is_newer(const struct update *u, const struct msg_rr *rr)
{
    struct soa soa;

    return is_at_apex(u, rr->owner) && soa_parse(&soa, u->rdata.data, u->rdata.len) &&
           serial_cmp(soa.serial, zone_serial(u->zone)) == SERIAL_NEWER;
}

static void add(struct update *u, struct draft_node *n, const struct msg_rr *rr)
{
    struct draft_rr own = {
        .type = rr->type, .len = (uint16_t)u->rdata.len, .ttl = rr->ttl, .rdata = u->rdata.data};

    if (rr->type == RR_SOA && !soa_is_newer(u, rr))
        return;
    if (rr->type == RR_CNAME ? has_other_than_cname(n)
                             : draft_count(n, RR_CNAME) > 0 && !stands_beside_cname(rr->type))
        return;
    if (type_is_singleton(rr->type)) /* a new one takes its place */
        draft_remove_type(n, rr->type);
    draft_add(&u->draft, n, &own);
}

static void remove_rrsets(struct update *u, struct draft_node *n, const struct msg_rr *rr)
{
    if (rr->type != RR_ANY) {
        if (!is_kept(u, rr->owner, rr->type))
            draft_remove_type(n, rr->type);
        return;
    }
    for (size_t i = n->n; i-- > 0;) {
        if (i < n->n && !is_kept(u, rr->owner, n->rrs[i].type))
            draft_remove_type(n, n->rrs[i].type);
    }
}

static bool change(struct update *u, const struct msg_rr *rr)
{
    struct draft_node *n = draft_node(&u->draft, rr->owner);

    if (rr->rclass == CLASS_IN)
        add(u, n, rr);
    else if (rr->rclass == CLASS_ANY)
        remove_rrsets(u, n, rr);
    else if (rr->type != RR_SOA && !(is_kept(u, rr->owner, rr->type) && draft_count(n, RR_NS) == 1))
        draft_remove(n, rr->type, u->rdata.data, u->rdata.len);
    return true;
}

/* ---- The next version ---- */

/* The SOA with the next serial, unless the message has set one (RFC 2136 3.6). */
static void advance_serial(struct update *u)
{
    struct draft_node *apex = draft_node(&u->draft, zone_apex(u->zone));
    uint8_t *rdata;
    struct soa soa;
    struct rr rr;
    struct draft_rr own;

    if (!zone_soa(u->zone, &rr, &soa) || !draft_has(apex, RR_SOA, rr.rdata, rr.rdata_len))
        return;
    rdata = arena_dup(&u->draft.arena, rr.rdata, rr.rdata_len);
    put_u32(rdata + rr.rdata_len - 20, serial_next(soa.serial).v);
    own = (struct draft_rr){.type = RR_SOA, .len = rr.rdata_len, .ttl = rr.ttl, .rdata = rdata};
    draft_remove_type(apex, RR_SOA);
    draft_add(&u->draft, apex, &own);
}

static enum err changes_of(struct changeset **out, struct update *u, struct errinfo *e)
{
    struct changeset *cs = changeset_new(zone_apex(u->zone));
    enum err rc = draft_changes(cs, &u->draft, e);

    if (rc) {
        changeset_free(cs);
        return rc;
    }
    changeset_finish(cs);
    *out = cs;
    return OK;
}

static bool finish(struct update *u, const struct zone_limits *limits)
{
    struct update_result *r = u->result;
    struct changeset *cs = NULL;

    if (changes_of(&cs, u, &r->error) != OK)
        goto failed;
    if (cs->added.n == 0 && cs->removed.n == 0) {
        changeset_free(cs);
        return true;
    }
    changeset_free(cs);
    cs = NULL;
    advance_serial(u);
    if (changes_of(&cs, u, &r->error) != OK ||
        zone_apply(&r->next, u->zone, cs, limits, &r->error) != OK ||
        zone_check_change(r->next, cs, &r->error) != OK)
        goto failed;
    r->changes = cs;
    return true;
failed:
    changeset_free(cs);
    r->rcode = RCODE_REFUSED;
    return false;
}

/* Nobody here could sign what changes. */
static bool is_signed(const struct zone *z)
{
    struct node apex;
    struct rrset s;

    return zone_find(z, zone_apex(z), &apex) && node_rrsigs(&apex, RR_SOA, &s);
}

static bool work(struct update *u, const struct zone_limits *limits)
{
    if (!msg_layout_read(&u->layout, u->wire, u->len))
        return no(u, RCODE_FORMERR, NULL, "the message is broken");
    if (is_signed(u->zone))
        return no(u, RCODE_REFUSED, NULL, "the zone is signed, and its keys are not here");
    return each_record(u, SECTION_ANSWER, prerequisite) && values_complete(u) &&
           each_record(u, SECTION_AUTHORITY, prescan) &&
           each_record(u, SECTION_AUTHORITY, change) && finish(u, limits);
}

void update_apply(struct update_result *out, const struct zone *z, const uint8_t *wire, size_t len,
                  const struct zone_limits *limits, update_may_fn *may, void *ctx)
{
    struct update u = {.result = out,
                       .zone = z,
                       .wire = wire,
                       .len = len,
                       .rdata = BUF_INIT,
                       .may = may,
                       .ctx = ctx};

    *out = (struct update_result){.rcode = RCODE_NOERROR};
    draft_init(&u.draft, z);
    if (!work(&u, limits)) {
        zone_unref(out->next);
        out->next = NULL;
    }
    draft_done(&u.draft);
    buf_free(&u.rdata);
}
