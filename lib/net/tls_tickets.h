/* The keys with which session tickets are sealed (RFC 5077, RFC 8446 4.6.1): a client that comes
 * back shows its ticket, and the costly part of the handshake is left out, whichever worker it
 * meets. We keep nothing about it.
 *
 * A new key takes over every TLS_TICKET_KEY_MS; the one before still opens tickets for as long
 * again, so that a ticket lives at least that long and a stolen key opens little. Keys are made
 * here, are nowhere else, and outlive a change of the certificate.
 *
 * Threads: any. A mutex guards the keys; it is taken once or twice in a handshake, and nothing is
 * locked inside.
 */
#ifndef ZL_NET_TLS_TICKETS_H
#define ZL_NET_TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"

#define TLS_TICKET_KEY_MS 3600000
#define TLS_TICKET_NAME_OCTETS 16

struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME_OCTETS]; /* stands in the ticket, in the clear */
    uint8_t cipher[32];                   /* AES-256 */
    uint8_t mac[32];                      /* HMAC-SHA-256 */
};

struct tls_tickets;

/* `clock` is lent. */
struct tls_tickets *tls_tickets_new(const struct clock *clock);
void tls_tickets_free(struct tls_tickets *t); /* wipes the keys; NULL is fine */

/* The key to seal a new ticket with. The caller wipes its copy. */
void tls_tickets_newest(struct tls_tickets *t, struct tls_ticket_key *out);
/* The key that a ticket names; false if we have it no more. *old: a new ticket should follow. */
bool tls_tickets_find(struct tls_tickets *t, const uint8_t name[TLS_TICKET_NAME_OCTETS],
                      struct tls_ticket_key *out, bool *old);

#endif
