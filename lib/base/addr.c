#include "lib/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An IPv4-mapped address (RFC 4291 2.5.5.2) is the IPv4 one. */
static void addr_set_v6(struct addr *a, const struct in6_addr *in)
{
    if (IN6_IS_ADDR_V4MAPPED(in)) {
        a->family = 4;
        memcpy(a->ip, in->s6_addr + 12, 4);
    } else {
        a->family = 6;
        memcpy(a->ip, in->s6_addr, 16);
    }
}

static bool port_from_text(uint16_t *out, const char *text)
{
    unsigned v = 0;

    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (unsigned)(*text - '0');
    }
    *out = (uint16_t)v;
    return v <= 65535;
}

enum err addr_from_text(struct addr *out, const char *text, uint16_t port, struct errinfo *e)
{
    struct addr a = {.port = port};
    const char *at = strchr(text, '@');
    size_t n = at ? (size_t)(at - text) : strlen(text);
    char host[INET6_ADDRSTRLEN];
    struct in_addr in4;
    struct in6_addr in6;

    if (n >= sizeof(host))
        return err_set(ERR_FORMAT, e, "'%s' is not an IP address", text);
    memcpy(host, text, n);
    host[n] = 0;
    if (at && !port_from_text(&a.port, at + 1))
        return err_set(ERR_FORMAT, e, "'%s' has no valid port behind the '@'", text);
    if (inet_pton(AF_INET, host, &in4) == 1) {
        a.family = 4;
        memcpy(a.ip, &in4, 4);
    } else if (inet_pton(AF_INET6, host, &in6) == 1) {
        addr_set_v6(&a, &in6);
    } else {
        return err_set(ERR_FORMAT, e, "'%s' is not an IP address (with '@PORT' if need be)", text);
    }
    *out = a;
    return OK;
}

void addr_ip_to_text(char out[ADDR_TEXT_MAX], const struct addr *a)
{
    if (a->family == 0 ||
        !inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, out, ADDR_TEXT_MAX))
        (void)snprintf(out, ADDR_TEXT_MAX, "-");
}

void addr_to_text(char out[ADDR_TEXT_MAX], const struct addr *a)
{
    size_t n;

    addr_ip_to_text(out, a);
    n = strlen(out);
    if (a->family != 0 && a->port != 0)
        (void)snprintf(out + n, ADDR_TEXT_MAX - n, "@%u", (unsigned)a->port);
}

bool addr_from_sockaddr(struct addr *out, const struct sockaddr *sa)
{
    struct addr a = {0};

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        a.family = 4;
        a.port = ntohs(in.sin_port);
        memcpy(a.ip, &in.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof(in));
        a.port = ntohs(in.sin6_port);
        addr_set_v6(&a, &in.sin6_addr);
    } else {
        return false;
    }
    *out = a;
    return true;
}

socklen_t addr_to_sockaddr(struct sockaddr_storage *out, const struct addr *a)
{
    memset(out, 0, sizeof(*out));
    if (a->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    if (a->family == 6) {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        memcpy(&in.sin6_addr, a->ip, 16);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    return 0;
}

bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return addr_ip_eq(a, b) && a->port == b->port;
}

/* ---- Networks ---- */

static bool bits_from_text(unsigned *out, const char *text, unsigned max)
{
    unsigned v = 0;

    if (!*text || strlen(text) > 3)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (unsigned)(*text - '0');
    }
    *out = v;
    return v <= max;
}

/* Octet i of the mask. */
static uint8_t mask_octet(unsigned bits, size_t i)
{
    size_t first = i * 8;

    unsigned mask = 0;

    if (bits >= first + 8)
        mask = 0xff;
    else if (bits > first)
        mask = 0xff00u >> (bits - first);
    return (uint8_t)mask;
}

enum err addr_prefix_from_text(struct addr_prefix *out, const char *text, struct errinfo *e)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    char host[INET6_ADDRSTRLEN];
    struct addr_prefix p = {.bits = 0};
    unsigned bits;
    bool six = memchr(text, ':', n) != NULL;

    if (n >= sizeof(host) || memchr(text, '@', n))
        return err_set(ERR_FORMAT, e, "'%s' is not a network such as 192.0.2.0/24", text);
    memcpy(host, text, n);
    host[n] = 0;
    if (addr_from_text(&p.net, host, 0, NULL) != OK)
        return err_set(ERR_FORMAT, e, "'%s' is not a network such as 192.0.2.0/24", text);
    bits = six ? 128 : 32;
    if (slash && !bits_from_text(&bits, slash + 1, bits))
        return err_set(ERR_FORMAT, e, "'%s' has no valid length behind the '/'", text);
    if (six && p.net.family == 4) { /* IPv4-mapped: folded, and so its length */
        if (bits < 96)
            return err_set(ERR_FORMAT, e, "'%s' is wider than all IPv4 addresses", text);
        bits -= 96;
    }
    p.bits = (uint8_t)bits;
    for (size_t i = 0; i < sizeof(p.net.ip); i++) {
        if (p.net.ip[i] & ~mask_octet(bits, i) & 0xff)
            return err_set(ERR_FORMAT, e, "'%s' has bits set behind its length", text);
    }
    *out = p;
    return OK;
}

bool addr_in_prefix(const struct addr *a, const struct addr_prefix *p)
{
    if (a->family != p->net.family)
        return false;
    for (size_t i = 0; i * 8 < p->bits; i++) {
        if ((a->ip[i] & mask_octet(p->bits, i)) != p->net.ip[i])
            return false;
    }
    return true;
}

bool addr_in_prefixes(const struct addr *a, const struct addr_prefix *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (addr_in_prefix(a, &list[i]))
            return true;
    }
    return false;
}
