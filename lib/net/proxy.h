/* The PROXY protocol, version 2: how a load balancer in front of us says whose connection or
 * datagram it passes on. Each connection, and each datagram, begins with
 *
 *   octets 0-11   the signature 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
 *   octet  12     version 2 (high half), command (low half): 0 LOCAL, 1 PROXY
 *   octet  13     family (1 IPv4, 2 IPv6), protocol (1 stream, 2 datagram)
 *   octets 14-15  how many octets follow
 *   IPv4: source 4, destination 4, ports 2 + 2; IPv6: source 16, destination 16, ports 2 + 2;
 *   behind that TLVs, which we skip
 *
 * LOCAL is the balancer speaking for itself (its health checks): the addresses are the socket's
 * own. A PROXY header without internet addresses is refused, though we might use the socket's:
 * nobody shall get the balancer's rights for not being named. Version 1 (text) is refused.
 */
#ifndef ZL_NET_PROXY_H
#define ZL_NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

#define PROXY_HEADER_MAX 1024 /* octets with TLVs; senders may count on 536 */

enum proxy_verdict {
    PROXY_WHOLE, /* the header is all there */
    PROXY_MORE,  /* so far it looks like one */
    PROXY_BAD,   /* it is none, or none for us */
};

struct proxy_header {
    size_t len; /* of the header; what the client sent begins there */
    bool local; /* no addresses */
    struct addr source, destination;
};

/* Looks at the n octets at p; *out is set with PROXY_WHOLE only. */
enum proxy_verdict proxy_parse(struct proxy_header *out, const uint8_t *p, size_t n);
/* How many octets a header that is not whole (PROXY_MORE) lacks at least: on a stream, what follows
 * it may be for somebody else, and is not to be read with it. */
size_t proxy_missing(const uint8_t *p, size_t n);

#endif
