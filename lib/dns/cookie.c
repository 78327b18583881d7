#include "lib/dns/cookie.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/base/hash.h"

#define COOKIE_VERSION 1
#define VERSION_AT 8
#define TIME_AT 12
#define HASH_AT 16
#define SERVER_MIN_OCTETS 8 /* RFC 7873 4.2, here and below */
#define SERVER_MAX_OCTETS 32

/* Of the sixteen octets in front of the hash, and the address. */
static uint64_t cookie_hash(const uint8_t *secret, const uint8_t *cookie, const struct addr *client)
{
    uint8_t text[HASH_AT + 16];
    size_t ip = client->family == 6 ? 16 : 4;

    memcpy(text, cookie, HASH_AT);
    memcpy(text + HASH_AT, client->ip, ip);
    return siphash_2_4(secret, text, HASH_AT + ip);
}

/* SipHash's octets come with the lowest first, whatever the machine. */
static void put_hash(uint8_t *p, uint64_t hash)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(hash >> (8 * i));
}

static uint64_t get_hash(const uint8_t *p)
{
    uint64_t hash = 0;

    for (int i = 0; i < 8; i++)
        hash |= (uint64_t)p[i] << (8 * i);
    return hash;
}

static void make(uint8_t cookie[COOKIE_OCTETS], const struct cookie_secrets *s,
                 const struct addr *client, struct wall now)
{
    put_u32(cookie + VERSION_AT, (uint32_t)COOKIE_VERSION << 24);
    put_u32(cookie + TIME_AT, (uint32_t)now.s);
    put_hash(cookie + HASH_AT, cookie_hash(s->secret[0], cookie, client));
}

/* In seconds; negative: from the future. Time wraps as serial numbers do (RFC 9018 4.3). */
static int32_t age_of(const uint8_t *cookie, struct wall now)
{
    return (int32_t)((uint32_t)now.s - get_u32(cookie + TIME_AT));
}

/* *which is the secret that made it. What stands in the reserved octets does not matter, as long as
 * it was there when the hash was made (RFC 9018 4.2). */
static bool is_ours(size_t *which, const uint8_t *cookie, const struct cookie_secrets *s,
                    const struct addr *client, struct wall now)
{
    uint64_t hash = get_hash(cookie + HASH_AT);
    int32_t age = age_of(cookie, now);

    if (cookie[VERSION_AT] != COOKIE_VERSION || age > COOKIE_LIFE_S || age < -COOKIE_FUTURE_S)
        return false;
    for (*which = 0; *which < s->count; ++*which) {
        if (cookie_hash(s->secret[*which], cookie, client) == hash)
            return true;
    }
    return false;
}

enum cookie_state cookie_check(uint8_t reply[COOKIE_OCTETS], const struct cookie_secrets *secrets,
                               const uint8_t *option, size_t len, const struct addr *client,
                               struct wall now)
{
    enum cookie_state state = COOKIE_CLIENT;
    size_t which = 0;

    if (len != COOKIE_CLIENT_OCTETS && (len < COOKIE_CLIENT_OCTETS + SERVER_MIN_OCTETS ||
                                        len > COOKIE_CLIENT_OCTETS + SERVER_MAX_OCTETS))
        return COOKIE_MALFORMED;
    if (len > COOKIE_CLIENT_OCTETS) {
        state = len == COOKIE_OCTETS && is_ours(&which, option, secrets, client, now) ? COOKIE_GOOD
                                                                                      : COOKIE_BAD;
    }
    if (state == COOKIE_GOOD && which == 0 && age_of(option, now) <= COOKIE_RENEW_S) {
        memcpy(reply, option, COOKIE_OCTETS);
        return state;
    }
    memcpy(reply, option, COOKIE_CLIENT_OCTETS);
    make(reply, secrets, client, now);
    return state;
}
