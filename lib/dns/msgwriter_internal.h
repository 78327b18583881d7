/* Between msgwriter.c (records) and msgwriter_name.c (names and their compression). */
#ifndef ZL_DNS_MSGWRITER_INTERNAL_H
#define ZL_DNS_MSGWRITER_INTERNAL_H

#include "lib/dns/msgwriter.h"

/* n octets of the message to fill, or NULL (and nothing changed) if they don't fit. */
static inline uint8_t *msgw_space(struct msg_writer *w, size_t n)
{
    if (n > msgw_left(w))
        return NULL;
    w->pos += n;
    return w->buf + w->pos - n;
}

/* Writes a name, as short as the names before it allow, and remembers it. *ref is an offset that
 * a pointer to this name may use, 0 if there is none (the root, or beyond 0x3fff). False if it
 * does not fit; what was remembered must then be rolled back by the caller. */
bool msgw_put_name(struct msg_writer *w, const uint8_t *name, uint16_t *ref);

/* Forgets all slots but the first `keep`. */
void msgw_names_forget(struct msg_writer *w, uint16_t keep);

#endif
