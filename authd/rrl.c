#include "authd/rrl.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/name.h"

#define SET_BUCKETS 8
#define SETS_MIN 64
#define LOG_SLOTS 1024

#define TIME_BITS 40
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define SLIP_MASK UINT64_C(15)
#define TAG_SHIFT (TIME_BITS + 4)
#define UNITS_A_SECOND INT64_C(15625000) /* of 64 ns */
/* A second, and that workers look at the clock once a batch, so that one may be behind another. */
#define TOO_FAR (2 * UNITS_A_SECOND)

struct set {
    _Alignas(64) _Atomic(uint64_t) buckets[SET_BUCKETS];
};

_Static_assert(sizeof(struct set) == 64, "one cache line");

struct rrl {
    uint8_t key[16];
    struct set *sets;
    uint64_t mask;

    _Atomic(uint64_t) logged[LOG_SLOTS]; /* units, or 0: never */
};

struct rrl *rrl_new(uint64_t buckets, const struct clock *clock)
{
    struct rrl *r = xcalloc(1, sizeof(*r));
    uint64_t sets = SETS_MIN;

    while (sets * SET_BUCKETS < buckets)
        sets *= 2;
    r->mask = sets - 1;
    r->sets = xcalloc_aligned(sizeof(struct set), sets * sizeof(struct set));
    clock_random(clock, r->key, sizeof(r->key));
    return r;
}

void rrl_free(struct rrl *r)
{
    if (!r)
        return;
    free(r->sets);
    free(r);
}

/* ---- Which bucket ---- */

/* What a bucket is for, beside the name. */
struct head {
    uint8_t net[8];
    uint8_t family, kind;
};

/* The first eight octets of an address without what is behind the prefix: no network is narrower
 * than an IPv6 /64, and IPv4 has but four. */
static void put_net(uint8_t net[8], const struct addr *a, uint32_t bits)
{
    uint64_t v;

    memcpy(&v, a->ip, sizeof(v));
    v = htobe64(be64toh(v) & UINT64_MAX << (64 - bits));
    memcpy(net, &v, sizeof(v));
}

static void head_of(struct head *out, const struct config *c, const struct rrl_answer *a)
{
    /* No type and no name are one bucket: both are for the asking in any number. */
    enum answer_kind kind = a->kind == ANSWER_NO_TYPE ? ANSWER_NO_NAME : a->kind;

    *out = (struct head){.family = a->source->family, .kind = (uint8_t)kind};
    put_net(out->net, a->source, a->source->family == 4 ? c->rrl_ipv4_prefix : c->rrl_ipv6_prefix);
}

/* The name's hash under a key of this network and kind. Not a copy of both in one piece of memory:
 * that costs twice as much. Nobody sees a hash, so that the keys are alike tells nobody anything.
 */
static uint64_t hash_of(const struct rrl *r, const struct head *h, const uint8_t *name)
{
    uint8_t key[16];

    memcpy(key, r->key, sizeof(key));
    for (size_t i = 0; i < sizeof(h->net); i++)
        key[i] ^= h->net[i];
    key[8] ^= h->family;
    key[9] ^= h->kind;
    return siphash_1_3(key, name, name ? name_len(name) : 0);
}

/* ---- The bucket ---- */

/* Units until the bucket is full; 0: it is. */
static int64_t level(uint64_t bucket, uint64_t now)
{
    uint64_t ahead = (bucket - now) & TIME_MASK;

    return ahead > (uint64_t)TOO_FAR ? 0 : (int64_t)ahead;
}

/* The bucket with this tag, or the one to take for it: one that is full, or the fullest. */
static _Atomic(uint64_t) *set_find(struct set *s, uint64_t tag, uint64_t now)
{
    size_t fullest = 0;
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < SET_BUCKETS; i++) {
        if (atomic_load_explicit(&s->buckets[i], memory_order_relaxed) >> TAG_SHIFT == tag)
            return &s->buckets[i];
    }
    for (size_t i = 0; i < SET_BUCKETS && least > 0; i++) {
        int64_t l = level(atomic_load_explicit(&s->buckets[i], memory_order_relaxed), now);

        if (l < least) {
            least = l;
            fullest = i;
        }
    }
    return &s->buckets[fullest];
}

static uint64_t bucket_of(uint64_t tag, uint64_t slips, uint64_t now, int64_t ahead)
{
    return tag << TAG_SHIFT | slips << TIME_BITS | ((now + (uint64_t)ahead) & TIME_MASK);
}

/* What becomes of an answer that costs so many units, and of the bucket. */
static enum rrl_verdict decide(uint64_t *next, uint64_t bucket, uint64_t tag, uint64_t now,
                               int64_t cost, uint32_t slip)
{
    bool ours = bucket >> TAG_SHIFT == tag;
    int64_t ahead = ours ? level(bucket, now) : 0;
    uint64_t slips = ahead > 0 ? bucket >> TIME_BITS & SLIP_MASK : 0;

    if (ahead + cost <= UNITS_A_SECOND) {
        *next = bucket_of(tag, slips, now, ahead + cost);
        return RRL_PASS;
    }
    slips++;
    if (slip > 0 && slips >= slip) {
        *next = bucket_of(tag, 0, now, ahead);
        return RRL_SLIP;
    }
    *next = bucket_of(tag, slips & SLIP_MASK, now, ahead);
    return RRL_DROP;
}

static enum rrl_verdict take(struct rrl *r, uint64_t hash, uint64_t now, uint32_t rate,
                             uint32_t slip)
{
    struct set *s = &r->sets[hash & r->mask];
    uint64_t tag = hash >> TAG_SHIFT;
    enum rrl_verdict v;
    uint64_t old, next;
    _Atomic(uint64_t) *b;

    do {
        b = set_find(s, tag, now);
        old = atomic_load_explicit(b, memory_order_relaxed);
        v = decide(&next, old, tag, now, UNITS_A_SECOND / rate, slip);
    } while (!atomic_compare_exchange_weak_explicit(b, &old, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return v;
}

/* ---- The log ---- */

static const char *kind_text(enum answer_kind kind)
{
    switch (kind) {
    case ANSWER_DATA:
        return "data";
    case ANSWER_NO_TYPE:
    case ANSWER_NO_NAME:
        return "negative";
    case ANSWER_REFERRAL:
        return "referral";
    case ANSWER_ERROR:
    case ANSWER_KINDS:
        break;
    }
    return "error";
}

static void log_limit(const struct config *c, const struct rrl_answer *a, const struct head *h,
                      uint32_t rate)
{
    struct addr net = {.family = h->family};
    char ip[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 8], name[NAME_TEXT_MAX] = "-";

    memcpy(net.ip, h->net, sizeof(h->net));
    addr_ip_to_text(ip, &net);
    (void)snprintf(text, sizeof(text), "%s/%u", ip,
                   (unsigned)(h->family == 4 ? c->rrl_ipv4_prefix : c->rrl_ipv6_prefix));
    if (a->name)
        (void)name_to_text(name, a->name);
    log_warning(say(c->rrl_log_only ? "a network passes the rate limit; its answers are sent"
                                    : "answers to a network are limited"),
                kv_str("network", text), kv_str("kind", kind_text(a->kind)), kv_str("name", name),
                kv_u64("rate", rate));
}

/* Whether it is this network's turn to be in the log. Who shares a place waits for the other. */
static bool log_due(struct rrl *r, const struct head *h, uint64_t now)
{
    uint64_t hash = siphash_1_3(r->key, h->net, sizeof(h->net));
    _Atomic(uint64_t) *at = &r->logged[hash % LOG_SLOTS];
    uint64_t then = atomic_load_explicit(at, memory_order_relaxed);

    if (then != 0 && (int64_t)(now - then) < RRL_LOG_PERIOD_S * UNITS_A_SECOND)
        return false;
    return atomic_compare_exchange_strong_explicit(at, &then, now | 1, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* ---- */

static uint32_t rate_of(const struct config *c, enum answer_kind kind)
{
    switch (kind) {
    case ANSWER_DATA:
        return c->rrl_rate;
    case ANSWER_NO_TYPE:
    case ANSWER_NO_NAME:
        return c->rrl_negative_rate;
    case ANSWER_REFERRAL:
        return c->rrl_referral_rate;
    case ANSWER_ERROR:
    case ANSWER_KINDS:
        break;
    }
    return c->rrl_error_rate;
}

/* Looked at only for what is over the rate: nobody else pays for a long list. */
static bool is_exempt(const struct config *c, const struct addr *source)
{
    return addr_in_prefixes(source, c->rrl_exempt, c->rrl_exempt_count);
}

enum rrl_verdict rrl_check(struct rrl *r, const struct config *c, const struct rrl_answer *a,
                           uint64_t now_ns)
{
    uint32_t rate = c->rrl ? rate_of(c, a->kind) : 0;
    uint64_t now = now_ns >> 6;
    enum rrl_verdict v;
    struct head h;

    if (rate == 0)
        return RRL_PASS;
    head_of(&h, c, a);
    v = take(r, hash_of(r, &h, a->name), now, rate, c->rrl_slip);
    if (v == RRL_PASS || is_exempt(c, a->source))
        return RRL_PASS;
    if (log_due(r, &h, now))
        log_limit(c, a, &h, rate);
    return c->rrl_log_only ? RRL_OVER : v;
}
