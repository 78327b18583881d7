/* Options of the answer's OPT record. Those that depend on the client alone are made first, and
 * have their room reserved, as EXPIRE and ZONEVERSION have; what the answer's end decides (an
 * extended error, padding) takes what is left. So an answer that is complete without options is not
 * cut for the sake of one that nobody has to have.
 *
 * Of a query with a later version of EDNS no options are known (edns_read), so none are answered.
 */
#include <string.h>

#include "authd/answer_internal.h"

#define KEEPALIVE_OCTETS 2
#define EXPIRE_OCTETS 4
#define ERROR_OCTETS 2
#define ZONEVERSION_OCTETS 6
#define ZONEVERSION_SOA_SERIAL 0
#define OPTION_HEAD_OCTETS 4

/* ---- The query's ---- */

void options_read(struct answerer *a, const struct answer_client *client, const uint8_t *query)
{
    const struct edns_option *cookie = &a->query.edns.cookie;

    a->stream = client->transport != HO_UDP;
    a->tls = client->transport == HO_TLS;
    a->now = client->mono;
    a->cookie = COOKIE_NONE;
    if (cookie->present && client->cookies)
        a->cookie = cookie_check(a->cookie_reply, client->cookies, query + cookie->at, cookie->len,
                                 client->source, client->wall);
}

bool options_rcode(uint16_t *rcode, const struct answerer *a)
{
    if (a->cookie == COOKIE_MALFORMED)
        *rcode = RCODE_FORMERR;
    else if (a->cookie != COOKIE_NONE && a->query.only_edns)
        *rcode = a->cookie == COOKIE_BAD ? RCODE_BADCOOKIE : RCODE_NOERROR;
    else
        return false;
    return true;
}

/* ---- The answer's ---- */

static bool has_cookie(const struct answerer *a)
{
    return a->cookie == COOKIE_CLIENT || a->cookie == COOKIE_BAD || a->cookie == COOKIE_GOOD;
}

/* In units of 100 ms (RFC 7828 3.1); never by UDP. */
static void put_keepalive(struct writer *w, const struct config *c)
{
    uint32_t idle = c->tcp_idle_ms / 100;
    uint8_t data[KEEPALIVE_OCTETS];

    put_u16(data, (uint16_t)(idle < UINT16_MAX ? idle : UINT16_MAX));
    edns_put_option(w, OPTION_TCP_KEEPALIVE, data, sizeof(data));
}

static void put_nsid(struct writer *w, const struct config *c)
{
    size_t n = strnlen(c->server_id, ANSWER_NSID_MAX);

    if (n > 0)
        edns_put_option(w, OPTION_NSID, c->server_id, (uint16_t)n);
}

/* Room for what is known only when the answer is. */
static size_t later_octets(const struct edns *e)
{
    size_t n = 0;

    if (e->expire.present)
        n += OPTION_HEAD_OCTETS + EXPIRE_OCTETS;
    if (e->zoneversion.present)
        n += OPTION_HEAD_OCTETS + ZONEVERSION_OCTETS;
    return n;
}

/* Keeps room for OPT with what is written by now, and for so many octets more. */
static bool keep_room(struct answerer *a, size_t later)
{
    size_t room = EDNS_OPT_OCTETS + a->options_writer.pos + later;
    bool ok = msgw_reserve(&a->w, room);

    a->options_room = ok ? room : 0;
    return ok;
}

void options_begin(struct answerer *a, const struct config *c)
{
    const struct edns *e = &a->query.edns;
    struct writer *w = &a->options_writer;
    size_t without;

    *w = writer_of(a->options, sizeof(a->options));
    if (e->options_len == 0) {
        (void)keep_room(a, 0);
        return;
    }
    if (has_cookie(a))
        edns_put_option(w, OPTION_COOKIE, a->cookie_reply, COOKIE_OCTETS);
    if (e->tcp_keepalive.present && a->stream)
        put_keepalive(w, c);
    without = w->pos;
    if (e->nsid.present)
        put_nsid(w, c);
    if (keep_room(a, later_octets(e)))
        return;
    w->pos = without; /* a long name and a long identity in 512 octets */
    (void)keep_room(a, later_octets(e));
}

/* Octets of data that one more option may have; false: not even none. */
static bool option_room(size_t *out, const struct answerer *a)
{
    size_t used = EDNS_OPT_OCTETS + a->options_writer.pos + OPTION_HEAD_OCTETS;

    if (used > msgw_left(&a->w))
        return false;
    *out = msgw_left(&a->w) - used;
    return true;
}

static void put_if_room(struct answerer *a, uint16_t code, const uint8_t *data, uint16_t len)
{
    size_t room;

    if (option_room(&room, a) && len <= room)
        edns_put_option(&a->options_writer, code, data, len);
}

/* RFC 7314 3 and 4: as a secondary what is left of the time; where nothing runs out, the SOA's
 * field, as a primary gives it. */
static void put_expire(struct answerer *a)
{
    const struct served_zone *z = a->served;
    uint8_t data[EXPIRE_OCTETS];
    struct soa soa;
    struct rr rr;
    uint32_t left;

    if (a->query.qtype != RR_SOA || !name_eq(zone_apex(z->zone), a->query.qname))
        return;
    if (!served_expires_in(&left, z, a->now)) {
        if (!zone_soa(z->zone, &rr, &soa))
            return;
        left = soa.expire_s;
    }
    put_u32(data, left);
    put_if_room(a, OPTION_EXPIRE, data, sizeof(data));
}

/* Of the zone that the question fell into, whatever a chain led to and whatever is said of it; with
 * a referral that is the zone above the cut, as the count of its labels tells (RFC 9660 2, 3.2). */
static void put_zoneversion(struct answerer *a)
{
    const struct zone *z = a->served->zone;
    uint8_t data[ZONEVERSION_OCTETS] = {(uint8_t)name_labels(zone_apex(z)), ZONEVERSION_SOA_SERIAL};

    put_u32(data + 2, zone_serial(z).v);
    put_if_room(a, OPTION_ZONEVERSION, data, sizeof(data));
}

static void put_error(struct answerer *a)
{
    uint8_t data[ERROR_OCTETS];

    put_u16(data, a->extended_error);
    put_if_room(a, OPTION_EDE, data, sizeof(data));
}

/* To whom padded, and only where nobody sees more than lengths (RFC 7830 4 and 6). Of a message
 * that syncd will sign, the whole length counts. */
static void put_padding(struct answerer *a)
{
    static const uint8_t zeros[ANSWER_PADDING_BLOCK];
    size_t used = a->w.pos + EDNS_OPT_OCTETS + a->options_writer.pos + OPTION_HEAD_OCTETS;
    size_t beyond = (used + a->signature) % ANSWER_PADDING_BLOCK;
    size_t len = beyond > 0 ? ANSWER_PADDING_BLOCK - beyond : 0;
    size_t room;

    if (option_room(&room, a))
        edns_put_option(&a->options_writer, OPTION_PADDING, zeros,
                        (uint16_t)(len < room ? len : room));
}

void options_finish(struct answerer *a, const struct config *c)
{
    const struct edns *e = &a->query.edns;
    struct edns_reply opt = {
        .udp_size = (uint16_t)c->udp_payload, .dnssec_ok = a->dnssec, .options = a->options};

    msgw_release(&a->w, a->options_room);
    if (e->expire.present && a->authoritative && a->served)
        put_expire(a);
    if (e->zoneversion.present && a->served)
        put_zoneversion(a);
    if (a->extended_error != EDE_NONE)
        put_error(a);
    if (e->padding.present && a->tls)
        put_padding(a);
    opt.options_len = (uint16_t)a->options_writer.pos;
    if (!msgw_opt(&a->w, &opt, a->rcode) && opt.options_len > 0) {
        opt.options_len = 0;
        (void)msgw_opt(&a->w, &opt, a->rcode);
    }
}
