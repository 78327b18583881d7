/* Lists of records, for the files of lib/zone that make change sets. */
#ifndef ZL_ZONE_CHANGESET_INTERNAL_H
#define ZL_ZONE_CHANGESET_INTERNAL_H

#include "lib/zone/changeset.h"

/* Appends a record that lends from somewhere that lives as long as the list. */
/* Room for n in all. */
void rr_list_reserve(struct rr_list *list, size_t n);
void rr_list_push(struct rr_list *list, const struct rr *rr);

/* Appends a copy in cs's arena, owner folded and shared with the record before if it is the same.
 */
void rr_list_copy(struct changeset *cs, struct rr_list *list, const struct rr *rr);

/* Same TTL and same RDATA, octet by octet. */
bool rr_same_octets(const struct rr *a, const struct rr *b);

/* The serial of the apex SOA in a sorted list; false if it has none. */
bool rr_list_serial(const struct rr_list *list, const uint8_t *apex, struct serial *out);

#endif
