#include "authd/answer_internal.h"

/* Remembers what was said, so that the additional section does not say it again. Beyond the table's
 * size an address may stand twice, which is harmless. */
static void remember(struct answerer *a, const uint8_t *owner, uint16_t type)
{
    if (a->owner_count < ANSWER_OWNERS_MAX)
        a->owners[a->owner_count++] = (struct answer_owner){.name = owner, .type = type};
}

/* Where in the message a part of QNAME stands; 0: `owner` is none, or the root, which is as short
 * by itself. */
static uint16_t place_in_question(const struct answerer *a, const uint8_t *owner)
{
    size_t at = (size_t)((uintptr_t)owner - (uintptr_t)a->query.qname_raw);

    return at + 1 < a->query.qname_len ? (uint16_t)(MSG_HEADER_OCTETS + at) : 0;
}

bool put_signed(struct answerer *a, enum section section, const uint8_t *owner,
                const struct node *node, const struct rrset *s, uint32_t ttl)
{
    struct msgw_mark mark = msgw_mark(&a->w);
    struct msg_rrset m = {.owner = owner,
                          .rdatas = s->rdatas,
                          .rdatas_len = s->rdatas_len,
                          .ttl = ttl,
                          .type = s->type,
                          .rclass = CLASS_IN,
                          .owner_at = place_in_question(a, owner)};
    struct rrset sigs;

    if (!msgw_rrset(&a->w, section, &m))
        return false;
    if (a->dnssec && s->type != RR_RRSIG && node_rrsigs(node, s->type, &sigs)) {
        m.rdatas = sigs.rdatas;
        m.rdatas_len = sigs.rdatas_len;
        m.type = RR_RRSIG;
        if (!msgw_rrset(&a->w, section, &m)) {
            msgw_rollback(&a->w, &mark);
            return false;
        }
    }
    return true;
}

bool put_rrset(struct answerer *a, enum section section, const uint8_t *owner,
               const struct node *node, const struct rrset *s)
{
    if (!put_signed(a, section, owner, node, s, s->ttl))
        return false;
    remember(a, owner, s->type);
    return true;
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
    uint32_t ttl = 0;
    const struct rrset *soa = zone_negative_soa(z, &ttl);

    if (!soa) /* a zone without SOA is never stored: belt and braces */
        a->rcode = RCODE_SERVFAIL;
    else if (!put_signed(a, SECTION_AUTHORITY, a->apex, zone_apex_node(z), soa, ttl))
        a->truncated = true;
}
