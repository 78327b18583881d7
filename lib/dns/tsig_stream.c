/* Responses of many messages, RFC 8945 5.3.1: the first is signed as any response, each later MAC
 * covers the MAC before it, all messages since, and the timers. So none can be altered,
 * dropped, replayed or moved without the next MAC telling.
 */
#include "lib/dns/tsig_internal.h"

#include "lib/base/bytes.h"
#include "lib/dns/message.h"

/* The digest since the last MAC, taken out of *t. */
static EVP_MAC_CTX *take_running(struct tsig *t)
{
    EVP_MAC_CTX *c = t->running;

    t->running = NULL;
    if (!c) {
        c = mac_begin(t->key);
        mac_put_mac(c, t->mac, t->mac_len);
    }
    return c;
}

bool tsig_sign_stream(struct tsig *t, uint8_t *buf, size_t *len, size_t cap, struct wall now)
{
    struct tsig_vars v;
    uint8_t mac[TSIG_MAC_MAX];
    size_t mac_len;
    EVP_MAC_CTX *c;

    if (!t->started || !t->key)
        return tsig_sign_response(t, buf, len, cap, now);
    v = (struct tsig_vars){.key_name = t->key->name,
                           .alg_name = tsig_alg_name(t->key->alg),
                           .time_s = tsig_wire_time(now),
                           .fudge_s = TSIG_FUDGE_S};
    c = take_running(t);
    mac_put_message(c, buf, *len, get_u16(buf), false);
    mac_put_timers(c, v.time_s, v.fudge_s);
    mac_len = mac_end(c, mac);
    if (!tsig_append(buf, len, cap, &v, mac, mac_len))
        return false;
    tsig_keep_mac(t, mac, mac_len);
    return true;
}

/* An unsigned message goes into the digest as it is. */
static enum tsig_outcome stream_unsigned(struct tsig *t, const uint8_t *wire, size_t len)
{
    if (t->unsigned_count >= TSIG_UNSIGNED_MAX)
        return TSIG_MISSING;
    t->unsigned_count++;
    t->running = take_running(t);
    mac_put(t->running, wire, len);
    return TSIG_OK;
}

static enum tsig_outcome stream_signed(struct tsig *t, const uint8_t *wire, size_t len, size_t at,
                                       struct wall now)
{
    struct tsig_rr rr;
    EVP_MAC_CTX *c;
    enum tsig_outcome o;

    if (!tsig_read(&rr, wire, len, at))
        return TSIG_FORMERR;
    if (!tsig_key_matches(t->key, &rr))
        return TSIG_BADKEY;
    if (!tsig_mac_len_legal(t->key, rr.mac_len))
        return TSIG_FORMERR;
    c = take_running(t);
    mac_put_message(c, wire, at, rr.original_id, true);
    mac_put_timers(c, rr.time_s, rr.fudge_s);
    if (!mac_end_matches(c, rr.mac, rr.mac_len))
        return TSIG_BADSIG;
    if ((o = tsig_check_policy(t->key, &rr, now)) != TSIG_OK)
        return o;
    if (rr.error != 0) { /* which this MAC does not cover */
        t->peer_error = rr.error;
        t->peer_authentic = false;
        return TSIG_PEER;
    }
    tsig_keep_mac(t, rr.mac, rr.mac_len);
    t->unsigned_count = 0;
    return TSIG_OK;
}

enum tsig_outcome tsig_verify_stream(struct tsig *t, const uint8_t *wire, size_t len, size_t at,
                                     struct wall now)
{
    enum tsig_outcome o;

    if (!t->key || t->over)
        return TSIG_BADSIG;
    if (!t->started)
        o = tsig_verify_response(t, wire, len, at, now);
    else if (at == 0)
        o = stream_unsigned(t, wire, len);
    else
        o = stream_signed(t, wire, len, at, now);
    t->over = o != TSIG_OK;
    return o;
}

enum tsig_outcome tsig_verify_stream_end(const struct tsig *t)
{
    return t->key && t->started && !t->over && t->unsigned_count == 0 ? TSIG_OK : TSIG_MISSING;
}
