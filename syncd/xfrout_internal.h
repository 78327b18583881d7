/* What the two doors of transfers out share: connections (xfrout.c), datagrams (xfrout_datagram.c).
 */
#ifndef ZL_SYNCD_XFROUT_INTERNAL_H
#define ZL_SYNCD_XFROUT_INTERNAL_H

#include "lib/dns/message.h"
#include "syncd/sched.h"
#include "syncd/xfrout.h"
#include "syncd/xfrout_prepare.h"

struct xfrout_conn;
struct datagram;

struct xfrout {
    struct store_readers *readers; /* lent */
    struct loop *loop;
    struct config *config;
    struct keyring *keys;
    xfrout_section_fn *section;
    xfrout_later_fn *later;
    void *ctx;
    struct xfrout_share *share;
    struct xfrout_conn *conns;
    struct datagram *datagrams; /* being prepared */
    unsigned datagram_count;
    struct token_bucket denials;
    unsigned running; /* connections */
    struct xfrout_totals totals;
    uint8_t message[MSG_MAX_OCTETS];
};

/* What was sent to its end: also as datagrams. */
void xfrout_count_sent(struct xfrout *x, enum xfrout_kind kind, uint16_t qtype, uint64_t octets);
/* Those that are being prepared end by themselves. */
void xfrout_datagrams_end(struct xfrout *x);

#endif
