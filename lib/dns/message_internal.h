/* What the readers of whole messages share: message.c, query.c. */
#ifndef ZL_DNS_MESSAGE_INTERNAL_H
#define ZL_DNS_MESSAGE_INTERNAL_H

#include "lib/dns/message.h"

/* The part of msg_layout_read behind the question: m->header is set, m is zero otherwise, r stands
 * at the answer section. On failure m->opt and m->edns may be set already. */
bool msg_layout_records(struct msg_layout *m, struct reader *r);

#endif
