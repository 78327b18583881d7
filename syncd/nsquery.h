/* One question for a zone's NS RRset, by TCP or TLS, signed if there is a key. Loop thread only. */
#ifndef ZL_SYNCD_NSQUERY_H
#define ZL_SYNCD_NSQUERY_H

#include "lib/base/addr.h"
#include "lib/dns/tsig.h"
#include "lib/net/tls_peer.h"
#include "syncd/loop.h"

#define NSQUERY_NAMES_MAX 64 /* more are not looked at */

struct nsquery_spec {
    uint8_t zone[NAME_MAX_OCTETS];
    struct addr address, source;
    struct tsig_key *key; /* NULL: unsigned; a reference is taken */
    struct tls_peer *tls; /* NULL: without; a reference is taken */
    uint32_t timeout_ms;
};

struct nsquery_report {
    bool ok;
    uint8_t names[NSQUERY_NAMES_MAX][NAME_MAX_OCTETS];
    size_t count;
    struct errinfo error; /* unless ok */
};

struct nsquery;

/* Called once, never from within nsquery_start; the query is freed behind it. */
typedef void nsquery_done_fn(void *ctx, const struct nsquery_report *report);

struct nsquery *nsquery_start(struct loop *loop, const struct nsquery_spec *spec,
                              nsquery_done_fn *done, void *ctx);
void nsquery_cancel(struct nsquery *q); /* it is not called any more */

#endif
