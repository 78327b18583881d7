#include "authd/answer_internal.h"

/* Remembers what was said, so that the additional section does not say it again. Beyond the table's
 * size an address may stand twice, which is harmless. */
static void remember(struct answerer *a, const uint8_t *owner, uint16_t type)
{
    if (a->owner_count < ANSWER_OWNERS_MAX)
        a->owners[a->owner_count++] = (struct answer_owner){.name = owner, .type = type};
}

/* The signatures that cover `type`: they stand together, as the type covered is the first field of
 * their RDATA and the RRset is in canonical order. */
static bool sigs_of(struct rrset *out, const struct node *node, uint16_t type)
{
    struct rrset all;
    struct rrset_iter it;
    const uint8_t *rdata;
    uint16_t len;

    if (!node_rrset(node, RR_RRSIG, &all))
        return false;
    *out = (struct rrset){.type = RR_RRSIG};
    rrset_iter_init(&it, &all);
    for (const uint8_t *start = it.pos; rrset_next(&it, &rdata, &len); start = it.pos) {
        if (len < 2 || get_u16(rdata) != type)
            continue;
        if (out->count++ == 0)
            out->rdatas = start;
        out->rdatas_len = (uint32_t)(it.pos - out->rdatas);
    }
    return out->count > 0;
}

static bool put_with_ttl(struct answerer *a, enum section section, const uint8_t *owner,
                         const struct node *node, const struct rrset *s, uint32_t ttl)
{
    struct msgw_mark mark = msgw_mark(&a->w);
    struct msg_rrset m = {.owner = owner,
                          .rdatas = s->rdatas,
                          .rdatas_len = s->rdatas_len,
                          .ttl = ttl,
                          .type = s->type,
                          .rclass = CLASS_IN};
    struct rrset sigs;

    if (!msgw_rrset(&a->w, section, &m))
        return false;
    if (a->dnssec && s->type != RR_RRSIG && sigs_of(&sigs, node, s->type)) {
        m.rdatas = sigs.rdatas;
        m.rdatas_len = sigs.rdatas_len;
        m.type = RR_RRSIG;
        if (!msgw_rrset(&a->w, section, &m)) {
            msgw_rollback(&a->w, &mark);
            return false;
        }
    }
    remember(a, owner, s->type);
    return true;
}

bool put_rrset(struct answerer *a, enum section section, const uint8_t *owner,
               const struct node *node, const struct rrset *s)
{
    return put_with_ttl(a, section, owner, node, s, s->ttl);
}

bool put_required(struct answerer *a, enum section section, const uint8_t *owner,
                  const struct node *node, const struct rrset *s)
{
    if (put_rrset(a, section, owner, node, s))
        return true;
    a->truncated = true;
    return false;
}

void put_negative_soa(struct answerer *a, const struct zone *z)
{
    struct node apex;
    struct rrset s;
    struct rr rr;
    struct soa soa;

    if (!zone_soa(z, &rr, &soa) || !zone_find(z, zone_apex(z), &apex) ||
        !node_rrset(&apex, RR_SOA, &s)) {
        a->rcode = RCODE_SERVFAIL; /* a zone without SOA is never stored: belt and braces */
        return;
    }
    if (!put_with_ttl(a, SECTION_AUTHORITY, zone_apex(z), &apex, &s,
                      s.ttl < soa.minimum_s ? s.ttl : soa.minimum_s))
        a->truncated = true;
}
