/* Keys and signatures of a zone, RFC 4035 5.2 and 5.3. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_dnssec_internal.h"

#define KEYS_MAX 64
#define SIGNATURES_MAX                                                                             \
    16               /* of one RRset that are looked at; with the next this bounds the work        \
                      */
#define TRIES_MAX 16 /* of the cryptography for one RRset: key tags may collide */

/* What is wrong with a signature, the more telling the later. */
enum wrong {
    WRONG_NOTHING,
    WRONG_UNKNOWN, /* an algorithm */
    WRONG_SHAPE,
    WRONG_KEY,
    WRONG_EARLY,
    WRONG_LATE,
    WRONG_SIGNATURE,
};

struct candidate {
    struct rrsig sig;
    struct wall inception, expiration;
};

/* Seconds modulo 2^32, of the moment that lies next to `now` (RFC 4034 3.1.5). */
static struct wall nearest(uint32_t s, struct wall now)
{
    return (struct wall){now.s + (int32_t)(s - (uint32_t)now.s)};
}

static int later_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->expiration.s < y->expiration.s) - (x->expiration.s > y->expiration.s);
}

static size_t read_candidates(struct candidate out[SIGNATURES_MAX], const struct rrset *sigs,
                              struct wall now)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    uint16_t len;
    size_t n = 0;

    rrset_iter_init(&it, sigs);
    while (n < SIGNATURES_MAX && rrset_next(&it, &rdata, &len)) {
        if (!rrsig_read(&out[n].sig, rdata, len))
            continue;
        out[n].inception = nearest(out[n].sig.inception, now);
        out[n].expiration = nearest(out[n].sig.expiration, now);
        n++;
    }
    qsort(out, n, sizeof(*out), later_first);
    return n;
}

/* An expanded wildcard has fewer labels, and has no place in a zone (RFC 4034 3.1.3). */
static bool has_shape(const struct check *c, const struct rrsig *sig, const uint8_t *owner)
{
    return name_eq(sig->signer, zone_apex(c->z)) &&
           sig->labels + (name_is_wildcard(owner) ? 1u : 0u) == name_labels(owner);
}

struct question {
    const struct check *c;
    struct tally *t;
    const uint8_t *owner;
    const struct rrset *set;
    bool trusted; /* by trusted keys alone */
    unsigned tries;
};

/* Whether a key of the zone made it. */
static enum wrong try_keys(struct question *q, const struct rrsig *sig)
{
    enum wrong found = WRONG_KEY;

    for (size_t i = 0; i < q->c->key_count; i++) {
        const struct key *k = &q->c->keys[i];

        if (k->dnskey.tag != sig->key_tag || k->dnskey.algorithm != sig->algorithm ||
            (q->trusted && !k->trusted))
            continue;
        found = WRONG_SIGNATURE;
        if (q->tries++ < TRIES_MAX && dnssec_verify(&q->t->verifier, &k->dnskey, sig, q->owner,
                                                    q->set->rdatas, q->set->rdatas_len))
            return WRONG_NOTHING;
    }
    return found;
}

static enum wrong try_signature(struct question *q, const struct candidate *x)
{
    struct wall now = q->c->spec->now;

    if (!dnssec_algorithm_is_known(x->sig.algorithm))
        return WRONG_UNKNOWN;
    if (!has_shape(q->c, &x->sig, q->owner))
        return WRONG_SHAPE;
    if (x->expiration.s < now.s)
        return WRONG_LATE;
    if (x->inception.s > now.s)
        return WRONG_EARLY;
    return try_keys(q, &x->sig);
}

static void say_wrong(struct tally *t, const uint8_t *owner, uint16_t type, enum wrong w,
                      const struct candidate *x)
{
    char when[WALL_TEXT_MAX];

    switch (w) {
    case WRONG_NOTHING:
        fault(t, owner, type, "its RRSIG can't be read");
        break;
    case WRONG_UNKNOWN:
        fault(t, owner, type, "it is signed with algorithm %u alone, which is not known here",
              x->sig.algorithm);
        break;
    case WRONG_SHAPE:
        fault(t, owner, type, "its RRSIG is for another zone or another name");
        break;
    case WRONG_KEY:
        fault(t, owner, type, "its RRSIG is by key %u, which %s", x->sig.key_tag,
              type == RR_DNSKEY ? "nothing vouches for" : "the zone has not");
        break;
    case WRONG_EARLY:
        wall_to_text(when, x->inception);
        fault(t, owner, type, "its RRSIG is not in force before %s", when);
        break;
    case WRONG_LATE:
        wall_to_text(when, x->expiration);
        fault(t, owner, type, "its RRSIG expired at %s", when);
        break;
    case WRONG_SIGNATURE:
        fault(t, owner, type, "its RRSIG by key %u does not fit", x->sig.key_tag);
        break;
    }
}

static void note_end(struct question *q, struct wall end)
{
    const struct zone_dnssec_spec *spec = q->c->spec;
    char when[WALL_TEXT_MAX];

    if (end.s < q->t->until.s)
        q->t->until = end;
    if (end.s - spec->now.s >= spec->life_s)
        return;
    wall_to_text(when, end);
    fault(q->t, q->owner, q->set->type, "its RRSIG is good until %s, for less than %" PRIu32 " s",
          when, spec->life_s);
}

static void ask(struct question *q, const struct node *n)
{
    struct candidate list[SIGNATURES_MAX];
    enum wrong worst = WRONG_NOTHING;
    const struct candidate *which = NULL;
    struct rrset sigs;
    size_t count;

    if (!node_rrsigs(n, q->set->type, &sigs)) {
        fault(q->t, q->owner, q->set->type, "it has no RRSIG");
        return;
    }
    if (q->c->blind)
        return;
    q->t->rrsets++;
    count = read_candidates(list, &sigs, q->c->spec->now);
    for (size_t i = 0; i < count; i++) {
        enum wrong w = try_signature(q, &list[i]);

        if (w == WRONG_NOTHING) {
            note_end(q, list[i].expiration);
            return;
        }
        if (w > worst) {
            worst = w;
            which = &list[i];
        }
    }
    say_wrong(q->t, q->owner, q->set->type, worst, which);
}

void check_rrset(const struct check *c, struct tally *t, const struct node *n, const uint8_t *owner,
                 const struct rrset *set)
{
    struct question q = {.c = c, .t = t, .owner = owner, .set = set};

    ask(&q, n);
}

bool must_be_signed(enum standing s, uint16_t type)
{
    switch (s) {
    case STANDS_OWN:
        return type != RR_RRSIG;
    case STANDS_CUT:
        return type == RR_DS || type == RR_NSEC;
    case STANDS_HASH:
        return type == RR_NSEC3;
    case STANDS_OCCLUDED:
        break;
    }
    return false;
}

void check_node(const struct check *c, struct tally *t, const struct node *n, const uint8_t *owner,
                enum standing s)
{
    struct rrset set;

    if (s == STANDS_OCCLUDED) {
        if (node_rrset(n, RR_NSEC, &set))
            fault(t, owner, RR_NSEC, "it stands below a delegation");
        return;
    }
    for (uint32_t i = 0; i < n->rrsets; i++) {
        node_rrset_at(n, i, &set);
        if (n->rel_len == 0 && set.type == RR_DNSKEY)
            continue; /* check_keys has done it */
        if (must_be_signed(s, set.type))
            check_rrset(c, t, n, owner, &set);
    }
}

/* ---- Keys ---- */

static bool is_vouched_for(const struct check *c, const struct dnskey *k)
{
    const struct zone_dnssec_spec *spec = c->spec;

    for (size_t i = 0; i < spec->anchor_count; i++) {
        const struct zone_dnssec_anchor *a = &spec->anchors[i];

        if (a->type == RR_DS && dnskey_fits_ds(k, zone_apex(c->z), a->rdata, a->len))
            return true;
        if (a->type == RR_DNSKEY && a->len == k->len && memcmp(a->rdata, k->rdata, k->len) == 0)
            return true;
    }
    return spec->anchor_count == 0;
}

/* Those that may sign the zone. Returns how many of them are trusted. */
static size_t read_keys(struct check *c, const struct rrset *set)
{
    struct rrset_iter it;
    const uint8_t *rdata;
    size_t trusted = 0;
    uint16_t len;

    c->keys = xcalloc(set->count < KEYS_MAX ? set->count : KEYS_MAX, sizeof(*c->keys));
    rrset_iter_init(&it, set);
    while (c->key_count < KEYS_MAX && rrset_next(&it, &rdata, &len)) {
        struct key *k = &c->keys[c->key_count];

        if (!dnskey_read(&k->dnskey, rdata, len))
            continue;
        if (!dnskey_signs_zones(&k->dnskey)) {
            dnskey_done(&k->dnskey);
            continue;
        }
        k->trusted = is_vouched_for(c, &k->dnskey);
        trusted += k->trusted;
        c->key_count++;
    }
    return trusted;
}

/* All signatures of the keys are of algorithms that are not known here (RFC 4035 5.2). */
static bool is_blind(const struct node *apex)
{
    struct rrset_iter it;
    struct rrset sigs;
    const uint8_t *rdata;
    struct rrsig sig;
    uint16_t len;

    if (!node_rrsigs(apex, RR_DNSKEY, &sigs))
        return false;
    rrset_iter_init(&it, &sigs);
    while (rrset_next(&it, &rdata, &len)) {
        if (!rrsig_read(&sig, rdata, len) || dnssec_algorithm_is_known(sig.algorithm))
            return false;
    }
    return true;
}

void check_keys(struct check *c, struct tally *t)
{
    const struct node *apex = zone_apex_node(c->z);
    const uint8_t *owner = zone_apex(c->z);
    struct rrset set;
    struct question q = {.c = c, .t = t, .owner = owner, .set = &set, .trusted = true};

    if (!node_rrset(apex, RR_DNSKEY, &set)) {
        fault(t, owner, RR_DNSKEY, "the zone has no keys");
        return;
    }
    c->blind = is_blind(apex) && c->spec->anchor_count == 0;
    if (set.count > KEYS_MAX) {
        fault(t, owner, RR_DNSKEY, "there are %u keys", set.count);
        return;
    }
    if (read_keys(c, &set) == 0) {
        fault(t, owner, RR_DNSKEY,
              c->spec->anchor_count > 0 ? "no key is one that guard-dnssec-anchor vouches for"
                                        : "no key may sign the zone");
        return;
    }
    ask(&q, apex);
}
