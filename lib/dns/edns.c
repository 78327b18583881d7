/* OPT, RFC 6891 6.1.2: owner root, class = UDP size, TTL = u8 upper rcode, u8 version, u16 flags
 * (DO first); RDATA is a run of u16 code, u16 length, data.
 */
#include "lib/dns/edns.h"

static struct edns_option *known_option(struct edns *e, uint16_t code)
{
    switch (code) {
    case OPTION_NSID:
        return &e->nsid;
    case OPTION_CLIENT_SUBNET:
        return &e->client_subnet;
    case OPTION_EXPIRE:
        return &e->expire;
    case OPTION_COOKIE:
        return &e->cookie;
    case OPTION_TCP_KEEPALIVE:
        return &e->tcp_keepalive;
    case OPTION_PADDING:
        return &e->padding;
    case OPTION_ZONEVERSION:
        return &e->zoneversion;
    default:
        return NULL;
    }
}

static bool read_options(struct edns *e, struct reader *r)
{
    while (reader_left(r) > 0) {
        uint16_t code = read_u16(r);
        uint16_t len = read_u16(r);
        size_t at = r->pos;
        struct edns_option *o = known_option(e, code);

        if (!read_bytes(r, len))
            return false;
        if (o && !o->present)
            *o = (struct edns_option){.present = true, .at = (uint16_t)at, .len = len};
    }
    return true;
}

bool edns_read(struct edns *out, uint16_t rclass, uint32_t ttl, struct reader rdata)
{
    *out = (struct edns){
        .present = true,
        .dnssec_ok = (ttl & EDNS_FLAG_DO) != 0,
        .version = (uint8_t)(ttl >> 16),
        .ext_rcode = (uint8_t)(ttl >> 24),
        .udp_size = rclass,
        .options_at = (uint16_t)rdata.pos,
        .options_len = (uint16_t)reader_left(&rdata),
    };
    /* What a later version puts here is not ours to judge: it gets BADVERS, not FORMERR. */
    if (out->version != 0 || read_options(out, &rdata))
        return true;
    *out = (struct edns){.present = false};
    return false;
}

void edns_put_option(struct writer *w, uint16_t code, const void *data, uint16_t len)
{
    if (w->overflow || w->cap - w->pos < 4u + len) {
        w->overflow = true;
        return;
    }
    write_u16(w, code);
    write_u16(w, len);
    write_bytes(w, data, len);
}
