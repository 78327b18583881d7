/* Writing DNS messages into a buffer with a bound: answers, transfers, queries.
 *
 * Names are compressed (RFC 1035 4.1.4) against everything written before, in any case of letters;
 * the first occurrence keeps its case. In RDATA only names of RFC 1035 types are compressed
 * (RFC 3597 4). A record or RRset that does not fit leaves the message as it was, so it is valid
 * at each moment but for its counts, which msgw_finish writes.
 *
 * Compression is a tree in a small hash table: a slot stands for (offset of the parent name,
 * label) and gives the offset of the longer name. So a name costs one look-up a label from the root
 * down and never compares more than one label. Labels that the name shares with the first name of
 * the message, QNAME mostly, are found without the table, which does not have them. The table
 * forgets by a list of what was entered, so a reset costs what the last message used. It enters
 * nothing beyond offset 0x3fff and nothing once it is three quarters full: then names are merely
 * longer.
 *
 * Memory: none is allocated; a writer is about 4 KiB, keep one a thread. Threads: one owner.
 */
#ifndef ZL_DNS_MSGWRITER_H
#define ZL_DNS_MSGWRITER_H

#include "lib/dns/message.h"

#define MSGW_SLOTS 512 /* power of two */
#define MSGW_UNCOUNTED 255

struct msgw_slot {
    uint16_t at;     /* offset of the name, 0: free */
    uint16_t parent; /* offset of the name without its first label, 0: the root */
    uint16_t tag;    /* upper bits of the hash, to skip others without a look at the message */
};

struct msg_writer {
    uint8_t *buf;
    size_t pos;
    size_t limit;    /* octets the message may have */
    size_t reserved; /* of these, kept free for OPT and TSIG */
    uint16_t counts[4];
    uint16_t used;         /* slots in use, the newest last in `order` */
    uint16_t recent;       /* offset of the first name (QNAME, mostly), 0: none */
    uint8_t recent_labels; /* MSGW_UNCOUNTED: nobody has asked yet */
    uint8_t recent_offsets[NAME_MAX_LABELS + 1]; /* of its labels, from `recent` */

    uint16_t order[MSGW_SLOTS];
    struct msgw_slot slots[MSGW_SLOTS];
};

/* Once for each writer; it holds nothing to free. */
void msgw_init(struct msg_writer *w);

/* Begins a message in `buf`, which the caller keeps until the end. `limit` is the size the message
 * may have, 12 to 65535. The header is written, counts are 0; `flags` is the whole word. */
void msgw_begin(struct msg_writer *w, void *buf, size_t limit, uint16_t id, uint16_t flags);

/* Changes flags (setting and clearing) or rcode (lower 4 bits) later. */
void msgw_set_flags(struct msg_writer *w, uint16_t set, uint16_t clear);
void msgw_set_rcode(struct msg_writer *w, uint16_t rcode);

/* Keeps `n` more octets free at the end, for what must come last; false if they aren't there. */
bool msgw_reserve(struct msg_writer *w, size_t n);
/* Gives up `n` octets of what was reserved. */
void msgw_release(struct msg_writer *w, size_t n);

/* All of these: false if it does not fit; the message is then as before. Sections are
 * written in order (asserted). */
bool msgw_question(struct msg_writer *w, const uint8_t *qname, uint16_t type, uint16_t qclass);
/* The same for a name of a known length, as the first thing in the message. */
bool msgw_question_first(struct msg_writer *w, const uint8_t *qname, size_t len, uint16_t type,
                         uint16_t qclass);
bool msgw_rr(struct msg_writer *w, enum section section, const struct rr *rr);

/* A whole RRset or nothing. `rdatas` holds each record as u16 length and uncompressed RDATA, as a
 * page does (lib/zone/page.h). */
struct msg_rrset {
    const uint8_t *owner;
    const uint8_t *rdatas;
    size_t rdatas_len;
    uint32_t ttl;
    uint16_t type;
    uint16_t rclass;
    uint16_t owner_at; /* where the owner stands in the message already; 0: not known */
};
bool msgw_rrset(struct msg_writer *w, enum section section, const struct msg_rrset *s);

/* The OPT record; `rcode` is the whole one: its upper 8 bits go in here and its lower 4 into the
 * header. What was reserved for it must have been released. */
bool msgw_opt(struct msg_writer *w, const struct edns_reply *o, uint16_t rcode);

/* A point to come back to, for instance the end of the question when an answer must be
 * truncated. Valid for the present message only. */
struct msgw_mark {
    size_t pos;
    uint16_t counts[4];
    uint16_t used;
};
struct msgw_mark msgw_mark(const struct msg_writer *w);
void msgw_rollback(struct msg_writer *w, const struct msgw_mark *m);

/* Octets that may still be written. */
static inline size_t msgw_left(const struct msg_writer *w)
{
    return w->limit - w->reserved - w->pos;
}

/* Writes the counts; returns the length of the message. May be called again after more was
 * written. A TSIG is put behind it with tsig_sign_..., which corrects the count itself. */
size_t msgw_finish(struct msg_writer *w);

#endif
