/* The sockets that clients reach. Each worker has its own for each address (SO_REUSEPORT), so the
 * kernel spreads the clients. */
#ifndef ZL_AUTHD_LISTEN_H
#define ZL_AUTHD_LISTEN_H

#include <stdbool.h>

#include "lib/base/addr.h"
#include "lib/base/err.h"

/* Fails if somebody else, another authd included, has the address: SO_REUSEPORT alone would let the
 * two share it in silence. TCP always, UDP if it is wanted too. */
MUST_USE enum err listen_probe(const struct addr *a, bool udp, struct errinfo *e);

/* A bound, non-blocking UDP socket that tells where each datagram was sent to. */
MUST_USE enum err listen_udp(int *fd, const struct addr *a, struct errinfo *e);
/* A bound and listening, non-blocking TCP socket; its connections send at once what they have. */
MUST_USE enum err listen_tcp(int *fd, const struct addr *a, struct errinfo *e);

#endif
