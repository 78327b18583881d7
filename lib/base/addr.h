/* Internet addresses with ports, as operators write them: "192.0.2.1", "192.0.2.1@5353",
 * "2001:db8::1@53". IPv4-mapped IPv6 addresses are folded to IPv4, so that each peer has one form.
 */
#ifndef ZL_BASE_ADDR_H
#define ZL_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/err.h"

struct addr {
    uint8_t ip[16]; /* IPv4 in the first four octets, the rest zero */
    uint16_t port;  /* host order */
    uint8_t family; /* 4, 6, or 0: none */
};

#define ADDR_TEXT_MAX 64

/* ERR_FORMAT with what is wrong. `port` is used when the text has none. */
MUST_USE enum err addr_from_text(struct addr *out, const char *text, uint16_t port,
                                 struct errinfo *e);
/* "192.0.2.1@53"; without a port if it is 0; "-" for none. */
void addr_to_text(char out[ADDR_TEXT_MAX], const struct addr *a);
/* The address alone, without port. */
void addr_ip_to_text(char out[ADDR_TEXT_MAX], const struct addr *a);

bool addr_from_sockaddr(struct addr *out, const struct sockaddr *sa);
socklen_t addr_to_sockaddr(struct sockaddr_storage *out, const struct addr *a);

bool addr_eq(const struct addr *a, const struct addr *b);    /* port too */
bool addr_ip_eq(const struct addr *a, const struct addr *b); /* whatever the port */

/* A network: "192.0.2.0/24", "2001:db8::/32", or an address alone for itself. */
struct addr_prefix {
    struct addr net; /* port 0; zero behind the prefix */
    uint8_t bits;
};

/* ERR_FORMAT with what is wrong, also for bits that are set behind the length. */
MUST_USE enum err addr_prefix_from_text(struct addr_prefix *out, const char *text,
                                        struct errinfo *e);
bool addr_in_prefix(const struct addr *a, const struct addr_prefix *p); /* whatever the port */
/* In one of n of them. */
bool addr_in_prefixes(const struct addr *a, const struct addr_prefix *list, size_t n);

#endif
