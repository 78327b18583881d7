/*   query_parse ─▶ drop | FORMERR, NOTIMP, BADVERS | hand over | a question
 *   question ─▶ CHAOS, REFUSED | zone ─▶ place ─▶ data, referral, NODATA, NXDOMAIN
 *                                  ▲                 │ CNAME, DNAME
 *                                  └─────────────────┘
 */
#include "authd/answer.h"

#include <string.h>

#include "authd/answer_internal.h"
#include "lib/base/mem.h"
#include "lib/dns/content_query.h"

struct answerer *answerer_new(const struct zonedb *db)
{
    struct answerer *a = xcalloc(1, sizeof(*a));

    a->db = db;
    msgw_init(&a->w);
    return a;
}

/* ---- What limits and counters want to know ---- */

/* The first thing said is what the answer is; what is found behind an alias changes nothing. `name`
 * is a part of the question's. */
static void note(struct answerer *a, enum answer_kind kind, const uint8_t *name)
{
    if (a->limit_name)
        return;
    a->kind = kind;
    a->limit_name = a->query.qname + (name - a->query.qname_raw);
}

static void note_negative(struct answerer *a, enum answer_kind kind, const struct zone *z)
{
    if (a->limit_name)
        return;
    a->kind = kind;
    a->limit_name = zone_apex(z);
}

/* ---- What a name in a zone gives ---- */

/* Data of the name that is asked for, or of the wildcard that stands for it. Returns the name to go
 * on with if it was an alias. */
static const uint8_t *put_alias(struct answerer *a, const uint8_t *name, const struct node *node,
                                const struct rrset *cname)
{
    struct rrset_iter it;
    const uint8_t *target;
    uint16_t len;

    rrset_iter_init(&it, cname);
    if (!put_required(a, SECTION_ANSWER, name, node, cname) || !rrset_next(&it, &target, &len))
        return NULL;
    return target;
}

static bool is_proof(uint16_t type)
{
    return type == RR_RRSIG || type == RR_NSEC || type == RR_NSEC3;
}

/* RFC 8482 4.1: a part of what is there. */
static bool pick_any(struct rrset *out, const struct node *node)
{
    for (uint32_t i = 0; i < node->rrsets; i++) {
        node_rrset_at(node, i, out);
        if (!is_proof(out->type))
            return true;
    }
    if (node->rrsets > 0)
        node_rrset_at(node, 0, out);
    return node->rrsets > 0;
}

/* Signatures stand as an RRset for each type they cover. */
static void put_signatures(struct answerer *a, const uint8_t *name, const struct node *node)
{
    struct rrset s;

    for (uint32_t i = 0; i < node->rrsets; i++) {
        node_rrset_at(node, i, &s);
        if (s.type == a->query.qtype && !put_required(a, SECTION_ANSWER, name, node, &s))
            return;
    }
}

/* `encloser` is set if `node` is the wildcard below it. */
static const uint8_t *put_data(struct answerer *a, const struct zone *z, const uint8_t *name,
                               const struct node *node, const uint8_t *encloser)
{
    uint16_t qtype = a->query.qtype;
    struct rrset s;

    if (qtype == RR_ANY ? pick_any(&s, node) : node_rrset(node, qtype, &s)) {
        note(a, ANSWER_DATA, encloser ? encloser : name);
        if (encloser)
            prove_expanded(a, z, name, encloser);
        if (qtype == RR_RRSIG || qtype == RR_SIG)
            put_signatures(a, name, node);
        else if (put_required(a, SECTION_ANSWER, name, node, &s))
            additional_note(a, name, &s);
        return NULL;
    }
    /* What may stand beside a CNAME is not looked for behind it. */
    if (qtype != RR_NSEC && qtype != RR_RRSIG && node_rrset(node, RR_CNAME, &s)) {
        note(a, ANSWER_DATA, encloser ? encloser : name);
        if (encloser)
            prove_expanded(a, z, name, encloser);
        return put_alias(a, name, node, &s);
    }
    note_negative(a, ANSWER_NO_TYPE, z);
    put_negative_soa(a, z);
    if (encloser)
        prove_expanded_no_type(a, z, name, encloser, node);
    else
        prove_no_type(a, z, name, node);
    return NULL;
}

static const uint8_t *put_missing(struct answerer *a, const struct zone_path *path,
                                  const uint8_t *name, const struct place *encloser)
{
    const struct zone *z = path->zone;
    struct node node;
    enum zone_has has = zone_look_wildcard(path, encloser->step, &node);

    if (has == ZONE_HAS_NODE)
        return put_data(a, z, name, &node, encloser->name);
    put_negative_soa(a, z);
    if (has == ZONE_HAS_BELOW) { /* the wildcard exists and owns nothing, RFC 4592 2.2.2 */
        note_negative(a, ANSWER_NO_TYPE, z);
        prove_expanded_no_type(a, z, name, encloser->name, NULL);
    } else {
        note_negative(a, ANSWER_NO_NAME, z);
        a->rcode = RCODE_NXDOMAIN;
        prove_no_name(a, z, name, encloser->name);
    }
    return NULL;
}

static void put_referral(struct answerer *a, const struct zone *z, const struct place *cut)
{
    struct rrset ns, ds, sigs;

    note(a, ANSWER_REFERRAL, cut->name);
    if (!node_rrset(&cut->node, RR_NS, &ns) ||
        !put_required(a, SECTION_AUTHORITY, cut->name, &cut->node, &ns))
        return;
    if (!node_rrset(&cut->node, RR_DS, &ds))
        prove_no_type(a, z, cut->name, &cut->node);
    else if (a->dnssec && node_rrsigs(&cut->node, RR_DS, &sigs) &&
             !put_required(a, SECTION_AUTHORITY, cut->name, &cut->node, &ds))
        return;
    proofs_put(a); /* in front of the glue: sections come in order */
    if (!a->truncated)
        additional_put_glue(a, z, cut->name, &ns);
}

/* RFC 6672 2.2: the owner's part of the name replaced by the target; NULL if that is too long. */
static uint8_t *dname_target(struct answerer *a, const uint8_t *name, const uint8_t *owner,
                             const uint8_t *target)
{
    size_t head = (size_t)(owner - name);
    uint8_t *made = a->made_names[a->made_count];

    if (head + name_len(target) > NAME_MAX_OCTETS)
        return NULL;
    memcpy(made, name, head);
    (void)name_copy(made + head, target);
    a->made_count++;
    return made;
}

static const uint8_t *put_dname(struct answerer *a, const uint8_t *name, const struct place *at)
{
    struct rrset s;
    struct rrset_iter it;
    const uint8_t *target;
    uint8_t *made;
    uint16_t len;
    struct rr cname = {.owner = name, .type = RR_CNAME, .rclass = CLASS_IN};

    note(a, ANSWER_DATA, at->name);
    if (!node_rrset(&at->node, RR_DNAME, &s) ||
        !put_required(a, SECTION_ANSWER, at->name, &at->node, &s))
        return NULL;
    rrset_iter_init(&it, &s);
    if (!rrset_next(&it, &target, &len))
        return NULL;
    if (!(made = dname_target(a, name, at->name, target))) {
        a->rcode = RCODE_YXDOMAIN;
        return NULL;
    }
    cname.ttl = s.ttl;
    cname.rdata = made;
    cname.rdata_len = (uint16_t)name_len(made);
    if (!msgw_rr(&a->w, SECTION_ANSWER, &cname)) {
        a->truncated = true;
        return NULL;
    }
    return a->query.qtype == RR_CNAME ? NULL : made;
}

/* The name to go on with, NULL: the answer is complete. */
static const uint8_t *put_in_zone(struct answerer *a, const struct zone *z, const uint8_t *name,
                                  bool first)
{
    struct zone_path path;
    struct place at;

    if (!zone_path_init(&path, z, a->steps))
        return NULL; /* cannot be: the zone was found by the name */
    a->apex = name + path.rel_len;
    place_find(&at, &path, name, a->query.qtype == RR_DS);
    switch (at.kind) {
    case PLACE_NODE:
        return put_data(a, z, name, &at.node, NULL);
    case PLACE_EMPTY:
        note_negative(a, ANSWER_NO_TYPE, z);
        put_negative_soa(a, z);
        prove_no_type(a, z, name, NULL);
        return NULL;
    case PLACE_CUT:
        if (first) /* behind an alias the answer's first owner is ours, RFC 1035 4.1.1 */
            a->authoritative = false;
        put_referral(a, z, &at);
        return NULL;
    case PLACE_DNAME:
        return put_dname(a, name, &at);
    case PLACE_MISSING:
        return put_missing(a, &path, name, &at);
    }
    return NULL;
}

/* ---- From zone to zone ---- */

void answer_look_ahead(struct answer_ahead *out, const struct zonedb *db, const uint8_t *query,
                       size_t len)
{
    size_t at = MSG_HEADER_OCTETS;

    out->known = false;
    while (at < len && query[at] != 0 && query[at] <= LABEL_MAX_OCTETS)
        at += query[at] + 1u;
    if (at >= len || query[at] != 0 || at - MSG_HEADER_OCTETS >= NAME_MAX_OCTETS)
        return; /* query_parse will say what is wrong */
    out->known = true;
    name_steps_init(&out->steps, zonedb_key(db), query + MSG_HEADER_OCTETS);
    zonedb_fetch_slots(db, &out->steps);
}

static void fetch_path(struct answer_ahead *x, const struct zonedb *db)
{
    struct zone_path path;

    x->zone = zonedb_find(db, &x->steps, 0);
    x->hint = (struct zone_hint){.view = NULL};
    if (x->zone && zone_path_init(&path, x->zone->zone, &x->steps))
        zone_hint_init(&x->hint, &path);
}

/* Each round reads what the one before has sent for. */
void answer_fetch(struct answer_ahead *list, const size_t *at, size_t n, const struct zonedb *db)
{
    for (size_t k = 0; k < n; k++) {
        struct answer_ahead *x = &list[at[k]];

        x->zone = x->known ? zonedb_fetch_zone(db, &x->steps) : NULL;
    }
    for (size_t k = 0; k < n; k++) {
        if (list[at[k]].zone)
            zone_fetch(list[at[k]].zone->zone);
    }
    for (size_t k = 0; k < n; k++) {
        if (list[at[k]].known)
            fetch_path(&list[at[k]], db);
    }
    for (size_t k = 0; k < n; k++) {
        if (list[at[k]].known)
            zone_hint_next(&list[at[k]].hint);
    }
}

/* Takes the name apart and gives the deepest zone for it, unless that was done ahead. */
static const struct served_zone *deepest_zone(struct answerer *a, const uint8_t *name)
{
    const struct answer_ahead *ahead = a->ahead;

    a->ahead = NULL; /* it is of the question's name */
    if (ahead && ahead->known) {
        a->steps = &ahead->steps;
        return ahead->zone;
    }
    name_steps_init(&a->own_steps, zonedb_key(a->db), name);
    a->steps = &a->own_steps;
    return zonedb_find(a->db, a->steps, 0);
}

/* The deepest zone for a name; but a DS at an apex belongs to the zone above it, if
 * that is ours too (RFC 4035 3.1.4.1). */
static const struct served_zone *zone_for(struct answerer *a, const uint8_t *name)
{
    const struct served_zone *z = deepest_zone(a, name);
    const struct served_zone *above;

    if (!z || a->query.qtype != RR_DS || a->steps->labels == 0 ||
        !name_eq(zone_apex(z->zone), a->steps->name))
        return z;
    above = zonedb_find(a->db, a->steps, 1);
    return above ? above : z;
}

static bool seen(const uint8_t *const *names, unsigned n, const uint8_t *name)
{
    for (unsigned i = 0; i < n; i++) {
        if (name_eq(names[i], name))
            return true;
    }
    return false;
}

static void refuse(struct answerer *a, uint16_t why)
{
    a->rcode = RCODE_REFUSED;
    a->extended_error = why;
}

/* `z` is NULL, or has expired. */
static void not_served(struct answerer *a, const struct served_zone *z)
{
    if (!z) {
        refuse(a, zonedb_is_whole(a->db) ? EDE_NOT_AUTHORITATIVE : EDE_NOT_READY);
        return;
    }
    a->rcode = RCODE_SERVFAIL;
    a->extended_error = EDE_INVALID_DATA;
}

static void resolve(struct answerer *a)
{
    const uint8_t *names[ANSWER_CHAIN_MAX];
    const uint8_t *name = a->query.qname_raw;

    for (unsigned n = 0; name && n < ANSWER_CHAIN_MAX && !seen(names, n, name); n++) {
        const struct served_zone *z = zone_for(a, name);

        if (n == 0)
            a->served = z;
        if (!z || z->expired || (z->private && n > 0)) {
            if (n == 0)
                not_served(a, z);
            break;
        }
        names[n] = name;
        if (n == 0)
            a->authoritative = true;
        name = put_in_zone(a, z->zone, name, n == 0);
    }
    proofs_put(a);
    if (!a->truncated)
        additional_put(a);
}

static void answer_question(struct answerer *a, const struct config *c)
{
    const struct query *q = &a->query;

    if (q->qclass == CLASS_CH) {
        answer_chaos(a, c);
        if (a->rcode == RCODE_NOERROR)
            note(a, ANSWER_DATA, q->qname_raw);
        return;
    }
    if (q->qclass != CLASS_IN) {
        refuse(a, EDE_NOT_SUPPORTED);
        return;
    }
    switch (q->qtype) {
    case RR_AXFR: /* by datagram there is none */
        refuse(a, EDE_NOT_SUPPORTED);
        break;
    case RR_IXFR: /* by datagram: our SOA, so that who is behind comes by TCP (RFC 1995 2) */
        a->query.qtype = RR_SOA;
        resolve(a);
        break;
    case RR_OPT: /* never stand in a question */
    case RR_TSIG:
        a->rcode = RCODE_FORMERR;
        break;
    case RR_TKEY:
    case RR_MAILA:
    case RR_MAILB:
        a->rcode = RCODE_NOTIMP;
        a->extended_error = EDE_NOT_SUPPORTED;
        break;
    default:
        resolve(a);
    }
}

/* ---- The message around it ---- */

static size_t size_limit(const struct answerer *a, const struct config *c, size_t cap)
{
    const struct edns *e = &a->query.edns;
    size_t limit = cap;

    if (!a->stream) {
        limit = e->present && e->udp_size > MSG_UDP_MIN_OCTETS ? e->udp_size : MSG_UDP_MIN_OCTETS;
        if (limit > c->udp_payload)
            limit = c->udp_payload;
    }
    return limit < cap ? limit : cap;
}

/* Header, question, and room for what must come last. */
static void begin(struct answerer *a, const struct config *c, uint8_t *out, size_t cap)
{
    const struct query *q = &a->query;
    uint16_t copied = q->opcode == OPCODE_QUERY ? MSG_RD | MSG_CD : MSG_RD;

    msgw_begin(&a->w, out, size_limit(a, c, cap), q->id,
               (uint16_t)(MSG_QR | (q->flags & (MSG_OPCODE_MASK | copied))));
    if (q->has_question)
        (void)msgw_question_first(&a->w, q->qname_raw, q->qname_len, q->qtype,
                                  q->qclass); /* 271 octets at most */
    if (q->edns.present)
        options_begin(a, c);
}

static size_t finish(struct answerer *a, const struct config *c)
{
    uint16_t set = (uint16_t)((a->authoritative ? MSG_AA : 0) | (a->truncated ? MSG_TC : 0));

    msgw_set_flags(&a->w, set, 0);
    msgw_set_rcode(&a->w, a->rcode);
    if (a->query.edns.present)
        options_finish(a, c);
    return msgw_finish(&a->w);
}

static void reset(struct answerer *a)
{
    a->dnssec = a->query.edns.present && a->query.edns.dnssec_ok;
    a->rcode = RCODE_NOERROR;
    a->kind = ANSWER_ERROR;
    a->limit_name = NULL;
    a->served = NULL;
    a->authoritative = a->truncated = false;
    a->extended_error = EDE_NONE;
    a->signature = 0;
    a->owner_count = a->source_count = a->proof_count = a->made_count = 0;
}

/* Keeps room for the signature that syncd will put behind: as long as the query's, whose key's name
 * may be compressed, plus the time in a BADTIME error (RFC 8945 5.2.3). */
static void reserve_signature(struct answerer *a, const uint8_t *query, size_t len)
{
    struct reader r = reader_of(query, len);
    struct msg_rr tsig;

    (void)read_bytes(&r, a->query.tsig);
    a->signature = len - a->query.tsig;
    if (msg_read_rr(&tsig, &r))
        a->signature = name_len(tsig.owner) + 10 /* type, class, TTL, length */ + tsig.rdlen;
    (void)msgw_reserve(&a->w, a->signature + 6);
}

/* The rcode that needs no look at any zone. */
static bool early_rcode(struct answerer *a, enum query_outcome outcome)
{
    const struct query *q = &a->query;

    switch (outcome) {
    case QUERY_FORMERR:
        a->rcode = RCODE_FORMERR;
        if (q->only_edns)
            (void)options_rcode(&a->rcode, a);
        return true;
    case QUERY_NOTIMP:
        a->rcode = RCODE_NOTIMP;
        return true;
    case QUERY_BADVERS:
        a->rcode = RCODE_BADVERS;
        return true;
    case QUERY_DROP:
    case QUERY_OK:
        break;
    }
    if (options_rcode(&a->rcode, a))
        return true;
    /* Zone work is for class IN alone (CVE-2026-5946). */
    if (q->opcode == OPCODE_QUERY || q->qclass == CLASS_IN)
        return false;
    refuse(a, EDE_NOT_SUPPORTED);
    return true;
}

/* What syncd has to say first. */
static enum answer_action action_for(const struct answerer *a)
{
    const struct query *q = &a->query;

    if (q->opcode == OPCODE_QUERY && q->qclass == CLASS_IN) {
        if (a->stream && (q->qtype == RR_AXFR || q->qtype == RR_IXFR))
            return ANSWER_TRANSFER;
        if (q->qtype == RR_IXFR)
            return ANSWER_HAND_OVER;
    }
    return q->opcode != OPCODE_QUERY || q->tsig ? ANSWER_HAND_OVER : ANSWER_SEND;
}

struct answer_made answer_make(struct answerer *a, const struct config *c,
                               const struct answer_client *client, const uint8_t *query, size_t len,
                               uint8_t *out, size_t cap)
{
    struct answer_made made = {.action = ANSWER_DROP};
    enum query_outcome outcome = query_parse(&a->query, query, len);
    bool early;

    if (outcome == QUERY_DROP)
        return made;
    a->ahead = client->ahead;
    options_read(a, client, query);
    reset(a);
    made.cookie = a->cookie;
    made.action = ANSWER_SEND;
    early = early_rcode(a, outcome);
    if (!early) {
        made.action = action_for(a);
        if (a->query.opcode != OPCODE_QUERY || made.action == ANSWER_TRANSFER)
            return made;
    }
    begin(a, c, out, cap);
    if (made.action == ANSWER_HAND_OVER && a->query.tsig)
        reserve_signature(a, query, len);
    if (!early)
        answer_question(a, c);
    if ((a->served && a->served->private) || (!early && content_query_is(&a->query)))
        made.action = ANSWER_HAND_OVER; /* not for everybody */
    made.len = finish(a, c);
    made.rcode = a->rcode;
    return made;
}

static size_t without_records(struct answerer *a, const struct config *c, uint16_t rcode,
                              bool truncated, uint8_t *out, size_t cap)
{
    reset(a);
    a->rcode = rcode;
    a->truncated = truncated;
    if (rcode == RCODE_SERVFAIL)
        a->extended_error = EDE_NOT_READY;
    begin(a, c, out, cap);
    return finish(a, c);
}

size_t answer_short(struct answerer *a, const struct config *c, uint16_t rcode, uint8_t *out,
                    size_t cap)
{
    return without_records(a, c, rcode, false, out, cap);
}

size_t answer_empty(struct answerer *a, const struct config *c, uint8_t *out, size_t cap)
{
    return without_records(a, c, RCODE_NOERROR, true, out, cap);
}
