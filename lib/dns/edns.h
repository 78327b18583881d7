/* EDNS(0), RFC 6891: the OPT record of a message, read and written.
 *
 * Reading locates the options we know (offset and length in the message); where one stands
 * twice, the first counts (RFC 7873 5.2). Options we don't know are stepped over.
 */
#ifndef ZL_DNS_EDNS_H
#define ZL_DNS_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"

#define EDNS_OPT_OCTETS 11 /* an OPT record without options */
#define EDNS_UDP_DEFAULT 1232
#define EDNS_FLAG_DO 0x8000u

enum {
    OPTION_NSID = 3,
    OPTION_CLIENT_SUBNET = 8,
    OPTION_EXPIRE = 9, /* RFC 7314 */
    OPTION_COOKIE = 10,
    OPTION_TCP_KEEPALIVE = 11,
    OPTION_PADDING = 12,
    OPTION_EDE = 15, /* RFC 8914 */
    OPTION_ZONEVERSION = 19
};

/* Extended errors (RFC 8914 4) that a server of zones has use for. */
enum {
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_INVALID_DATA = 24, /* expired */
    EDE_NONE = 0xffff,     /* ours: there is nothing to say */
};

/* Where an option's data lies in the message. */
struct edns_option {
    bool present;
    uint16_t at;
    uint16_t len;
};

struct edns {
    bool present; /* all else is zero if not */
    bool dnssec_ok;
    uint8_t version;
    uint8_t ext_rcode;    /* upper 8 bits of the rcode */
    uint16_t udp_size;    /* as it came; less than 512 means 512 (RFC 6891 6.2.3) */
    uint16_t options_at;  /* offset of the options in the message */
    uint16_t options_len; /* octets */

    struct edns_option nsid;
    struct edns_option client_subnet;
    struct edns_option expire;
    struct edns_option cookie;
    struct edns_option tcp_keepalive;
    struct edns_option padding;
    struct edns_option zoneversion;
};

/* Reads an OPT record: its class and TTL fields as they came, and its RDATA. False if the options
 * do not fill the RDATA exactly; *out is zero then. */
bool edns_read(struct edns *out, uint16_t rclass, uint32_t ttl, struct reader rdata);

/* An OPT record to write (msgw_opt). Version is 0. */
struct edns_reply {
    uint16_t udp_size;      /* what we can receive */
    bool dnssec_ok;         /* copied from the query (RFC 3225 3) */
    const uint8_t *options; /* made with edns_put_option; NULL if options_len is 0 */
    uint16_t options_len;
};

/* Appends an option (code, length, data) to w. */
void edns_put_option(struct writer *w, uint16_t code, const void *data, uint16_t len);

/* Octets the whole record will take. */
static inline size_t edns_octets(const struct edns_reply *o)
{
    return EDNS_OPT_OCTETS + (size_t)o->options_len;
}

#endif
