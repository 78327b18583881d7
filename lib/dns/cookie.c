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

/* ---- Secrets as text ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* *len becomes that of the line at `text` without what does not count: blanks at its end, comments.
 * Returns how many octets the whole line has. */
static size_t line_of(size_t *len, const char *text, size_t left)
{
    const char *end = memchr(text, '\n', left);
    size_t whole = end ? (size_t)(end - text) + 1 : left;
    size_t n = end ? whole - 1 : whole;
    const char *comment = memchr(text, '#', n);

    if (comment)
        n = (size_t)(comment - text);
    while (n > 0 && is_blank(text[n - 1]))
        n--;
    *len = n;
    return whole;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_secret(uint8_t secret[COOKIE_SECRET_OCTETS], const char *text, size_t len)
{
    if (len != 2 * (size_t)COOKIE_SECRET_OCTETS)
        return false;
    for (size_t i = 0; i < COOKIE_SECRET_OCTETS; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        secret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum err add_secret(struct cookie_secrets *s, const char *text, size_t len, unsigned line,
                           struct errinfo *e)
{
    if (s->count == COOKIE_SECRETS_MAX)
        return err_set(ERR_FORMAT, e, "line %u: there are more than %d secrets", line,
                       COOKIE_SECRETS_MAX);
    if (!read_secret(s->secret[s->count], text, len))
        return err_set(ERR_FORMAT, e, "line %u: a secret has %d hex digits", line,
                       2 * COOKIE_SECRET_OCTETS);
    for (size_t i = 0; i < s->count; i++) {
        if (memcmp(s->secret[i], s->secret[s->count], COOKIE_SECRET_OCTETS) == 0)
            return err_set(ERR_FORMAT, e, "line %u: the secret stands there twice", line);
    }
    s->count++;
    return OK;
}

enum err cookie_secrets_read(struct cookie_secrets *out, const char *text, size_t len,
                             struct errinfo *e)
{
    unsigned line = 0;
    enum err rc = OK;

    out->count = 0;
    for (size_t pos = 0; pos < len && rc == OK;) {
        size_t n = 0;
        size_t whole = line_of(&n, text + pos, len - pos);
        const char *p = text + pos;

        line++;
        for (; n > 0 && is_blank(*p); n--)
            p++;
        if (n > 0)
            rc = add_secret(out, p, n, line, e);
        pos += whole;
    }
    if (rc == OK && out->count == 0)
        rc = err_set(ERR_FORMAT, e, "there is no secret in it");
    return rc;
}
