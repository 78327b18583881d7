#include "lib/net/proxy.h"

#include <string.h>

#include "lib/base/bytes.h"

#define FIXED_OCTETS 16

enum { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_INET = 1, FAMILY_INET6 = 2 };
enum { PROTOCOL_STREAM = 1, PROTOCOL_DATAGRAM = 2 };

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* IPv4-mapped addresses fold to IPv4 here as everywhere, so that a rule sees one form. */
static struct addr read_addr(struct reader *r, unsigned family)
{
    struct addr a = {.family = 0};

    if (family == FAMILY_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        const uint8_t *ip = read_bytes(r, 4);

        if (ip)
            memcpy(&in.sin_addr, ip, 4);
        (void)addr_from_sockaddr(&a, (struct sockaddr *)&in);
    } else {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6};
        const uint8_t *ip = read_bytes(r, 16);

        if (ip)
            memcpy(&in.sin6_addr, ip, 16);
        (void)addr_from_sockaddr(&a, (struct sockaddr *)&in);
    }
    return a;
}

static bool read_addresses(struct proxy_header *h, struct reader *r, uint8_t what)
{
    unsigned family = what >> 4;
    unsigned protocol = what & 15;

    if ((family != FAMILY_INET && family != FAMILY_INET6) ||
        (protocol != PROTOCOL_STREAM && protocol != PROTOCOL_DATAGRAM))
        return false;
    h->source = read_addr(r, family);
    h->destination = read_addr(r, family);
    h->source.port = read_u16(r);
    h->destination.port = read_u16(r);
    return !r->failed;
}

enum proxy_verdict proxy_parse(struct proxy_header *out, const uint8_t *p, size_t n)
{
    struct proxy_header h = {.len = 0};
    struct reader r = reader_of(p, n);
    struct reader body;
    uint8_t version;
    uint8_t what;
    size_t len;

    if (n > 0 && memcmp(p, signature, n < sizeof(signature) ? n : sizeof(signature)) != 0)
        return PROXY_BAD;
    if (n < FIXED_OCTETS)
        return PROXY_MORE;
    (void)read_bytes(&r, sizeof(signature));
    version = read_u8(&r);
    what = read_u8(&r);
    len = read_u16(&r);
    if (version >> 4 != 2 || (version & 15) > COMMAND_PROXY ||
        FIXED_OCTETS + len > PROXY_HEADER_MAX)
        return PROXY_BAD;
    if (reader_left(&r) < len)
        return PROXY_MORE;
    body = read_part(&r, len);
    h.local = (version & 15) == COMMAND_LOCAL;
    h.len = FIXED_OCTETS + len;
    if (!h.local && !read_addresses(&h, &body, what))
        return PROXY_BAD;
    *out = h;
    return PROXY_WHOLE;
}

size_t proxy_missing(const uint8_t *p, size_t n)
{
    return n < FIXED_OCTETS ? FIXED_OCTETS - n : FIXED_OCTETS + (size_t)get_u16(p + 14) - n;
}
