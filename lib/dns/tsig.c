#include "lib/dns/tsig_internal.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/dns/message.h"

const char *tsig_outcome_text(enum tsig_outcome o)
{
    switch (o) {
    case TSIG_OK:
        return "OK";
    case TSIG_MISSING:
        return "MISSING";
    case TSIG_FORMERR:
        return "FORMERR";
    case TSIG_BADKEY:
        return "BADKEY";
    case TSIG_BADSIG:
        return "BADSIG";
    case TSIG_BADTIME:
        return "BADTIME";
    case TSIG_BADTRUNC:
        return "BADTRUNC";
    case TSIG_PEER:
        return "REFUSED-BY-PEER";
    }
    return "?";
}

uint16_t tsig_rcode(enum tsig_outcome o)
{
    switch (o) {
    case TSIG_OK:
    case TSIG_MISSING:
        return RCODE_NOERROR;
    case TSIG_FORMERR:
    case TSIG_PEER:
        return RCODE_FORMERR;
    case TSIG_BADKEY:
    case TSIG_BADSIG:
    case TSIG_BADTIME:
    case TSIG_BADTRUNC:
        break;
    }
    return RCODE_NOTAUTH;
}

void tsig_done(struct tsig *t)
{
    tsig_key_unref(t->key);
    EVP_MAC_CTX_free(t->running);
    OPENSSL_cleanse(t, sizeof(*t));
    *t = (struct tsig){.key = NULL};
}

uint64_t tsig_wire_time(struct wall t)
{
    return t.s < 0 ? 0 : (uint64_t)t.s & 0xffffffffffffu;
}

void tsig_keep_mac(struct tsig *t, const uint8_t *mac, size_t mac_len)
{
    memcpy(t->mac, mac, mac_len);
    t->mac_len = (uint16_t)mac_len;
}

bool tsig_mac_len_legal(const struct tsig_key *k, size_t mac_len)
{
    size_t full = tsig_alg_octets(k->alg);
    size_t least = full / 2 > 10 ? full / 2 : 10;

    return mac_len >= least && mac_len <= full;
}

enum tsig_outcome tsig_check_policy(const struct tsig_key *k, const struct tsig_rr *rr,
                                    struct wall now)
{
    uint64_t ours = tsig_wire_time(now);
    uint64_t off = ours > rr->time_s ? ours - rr->time_s : rr->time_s - ours;

    if (off > rr->fudge_s)
        return TSIG_BADTIME;
    if (rr->mac_len < tsig_alg_octets(k->alg) && !k->truncated_ok)
        return TSIG_BADTRUNC;
    return TSIG_OK;
}

static struct tsig_vars vars_of_key(const struct tsig_key *k, uint64_t time_s)
{
    return (struct tsig_vars){.key_name = k->name,
                              .alg_name = tsig_alg_name(k->alg),
                              .time_s = time_s,
                              .fudge_s = TSIG_FUDGE_S};
}

static struct tsig_vars vars_of_rr(const struct tsig_rr *rr)
{
    return (struct tsig_vars){.key_name = rr->key_name,
                              .alg_name = rr->alg_name,
                              .time_s = rr->time_s,
                              .fudge_s = rr->fudge_s,
                              .error = rr->error,
                              .other_len = rr->other_len,
                              .other = rr->other};
}

bool tsig_sign_request(struct tsig *t, struct tsig_key *key, uint8_t *buf, size_t *len, size_t cap,
                       struct wall now)
{
    struct tsig_vars v = vars_of_key(key, tsig_wire_time(now));
    EVP_MAC_CTX *c = mac_begin(key);

    assert(*len >= MSG_HEADER_OCTETS);
    tsig_done(t);
    mac_put_message(c, buf, *len, get_u16(buf), false);
    mac_put_vars(c, &v);
    t->mac_len = (uint16_t)mac_end(c, t->mac);
    if (!tsig_append(buf, len, cap, &v, t->mac, t->mac_len)) {
        tsig_done(t);
        return false;
    }
    t->key = tsig_key_ref(key);
    return true;
}

/* The MAC over a request or a single response; the latter begins with the request's. */
static bool mac_is_right(const struct tsig *chained, const struct tsig_key *k,
                         const struct tsig_rr *rr, const uint8_t *wire, size_t at)
{
    struct tsig_vars v = vars_of_rr(rr);
    EVP_MAC_CTX *c = mac_begin(k);

    if (chained)
        mac_put_mac(c, chained->mac, chained->mac_len);
    mac_put_message(c, wire, at, rr->original_id, true);
    mac_put_vars(c, &v);
    return mac_end_matches(c, rr->mac, rr->mac_len);
}

static enum tsig_outcome server_error(struct tsig *t, enum tsig_outcome o)
{
    switch (o) {
    case TSIG_BADKEY:
        t->error = RCODE_BADKEY;
        break;
    case TSIG_BADSIG:
        t->error = RCODE_BADSIG;
        break;
    case TSIG_BADTIME:
        t->error = RCODE_BADTIME;
        break;
    case TSIG_BADTRUNC:
        t->error = RCODE_BADTRUNC;
        break;
    case TSIG_OK:
    case TSIG_MISSING:
    case TSIG_FORMERR:
    case TSIG_PEER:
        break;
    }
    return o;
}

enum tsig_outcome tsig_verify_request(struct tsig *t, struct tsig_key *key, const uint8_t *wire,
                                      size_t len, size_t at, struct wall now)
{
    struct tsig_rr rr;

    tsig_done(t);
    if (at == 0)
        return TSIG_MISSING;
    if (!tsig_read(&rr, wire, len, at))
        return TSIG_FORMERR;
    t->request_time_s = rr.time_s;
    (void)name_copy(t->bad_key, rr.key_name);
    (void)name_copy(t->bad_alg, rr.alg_name);
    if (!key || !tsig_key_matches(key, &rr))
        return server_error(t, TSIG_BADKEY);
    if (!tsig_mac_len_legal(key, rr.mac_len))
        return TSIG_FORMERR;
    if (!mac_is_right(NULL, key, &rr, wire, at))
        return server_error(t, TSIG_BADSIG);
    t->key = tsig_key_ref(key);
    tsig_keep_mac(t, rr.mac, rr.mac_len);
    return server_error(t, tsig_check_policy(key, &rr, now));
}

/* RFC 8945 5.3.2: no MAC, since there is no key, or none that the peer has proven. */
static bool append_unsigned(const struct tsig *t, uint8_t *buf, size_t *len, size_t cap,
                            struct wall now)
{
    struct tsig_vars v = {.key_name = t->bad_key,
                          .alg_name = t->bad_alg,
                          .time_s = tsig_wire_time(now),
                          .fudge_s = TSIG_FUDGE_S,
                          .error = t->error};

    return tsig_append(buf, len, cap, &v, NULL, 0);
}

bool tsig_sign_response(struct tsig *t, uint8_t *buf, size_t *len, size_t cap, struct wall now)
{
    uint8_t server_time[6];
    uint8_t mac[TSIG_MAC_MAX];
    struct writer w = writer_of(server_time, sizeof(server_time));
    struct tsig_vars v;
    EVP_MAC_CTX *c;
    size_t mac_len;

    if (!t->key)
        return t->error == 0 || append_unsigned(t, buf, len, cap, now);
    v = vars_of_key(t->key, tsig_wire_time(now));
    v.error = t->error;
    if (t->error == RCODE_BADTIME) { /* in the client's time, so that it can verify (5.2.3) */
        write_u48(&w, v.time_s);
        v.other = server_time;
        v.other_len = sizeof(server_time);
        v.time_s = t->request_time_s;
    }
    c = mac_begin(t->key);
    mac_put_mac(c, t->mac, t->mac_len);
    mac_put_message(c, buf, *len, get_u16(buf), false);
    mac_put_vars(c, &v);
    mac_len = mac_end(c, mac);
    if (!tsig_append(buf, len, cap, &v, mac, mac_len))
        return false;
    tsig_keep_mac(t, mac, mac_len);
    t->started = true;
    return true;
}

/* A response that says our request was refused. BADTIME tells the server's clock. */
static enum tsig_outcome refused_by_peer(struct tsig *t, const struct tsig_rr *rr, bool authentic)
{
    struct reader r = reader_of(rr->other, rr->other_len);

    t->peer_error = rr->error;
    t->peer_authentic = authentic;
    t->peer_time = (struct wall){0};
    if (rr->error == RCODE_BADTIME && rr->other_len == 6)
        t->peer_time.s = (int64_t)read_u48(&r);
    return TSIG_PEER;
}

enum tsig_outcome tsig_verify_response(struct tsig *t, const uint8_t *wire, size_t len, size_t at,
                                       struct wall now)
{
    struct tsig_rr rr;
    enum tsig_outcome o;

    if (!t->key || t->over)
        return TSIG_BADKEY;
    if (at == 0)
        return TSIG_MISSING;
    if (!tsig_read(&rr, wire, len, at))
        return TSIG_FORMERR;
    if (!tsig_key_matches(t->key, &rr))
        return TSIG_BADKEY;
    if (rr.mac_len == 0 && (rr.error == RCODE_BADKEY || rr.error == RCODE_BADSIG))
        return refused_by_peer(t, &rr, false);
    if (!tsig_mac_len_legal(t->key, rr.mac_len))
        return TSIG_FORMERR;
    if (!mac_is_right(t, t->key, &rr, wire, at))
        return TSIG_BADSIG;
    if ((o = tsig_check_policy(t->key, &rr, now)) != TSIG_OK)
        return o;
    if (rr.error != 0)
        return refused_by_peer(t, &rr, true);
    tsig_keep_mac(t, rr.mac, rr.mac_len);
    t->started = true;
    return TSIG_OK;
}
