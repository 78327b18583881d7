/* The two serials of a zone that comes from primaries.
 *
 * Mostly there is one: content is served under the serial that it has at its primaries. Secondaries
 * behind us only ever go forward (RFC 1982), so an old version that is put back, or that a primary
 * began anew with, is not taken by them under its old serial. An operator, or the configuration,
 * may therefore have it served under a serial of our own: the next one behind everything that was
 * served. From then on the zone has two, until the series join again:
 *
 *    row.serial   of our series: in the SOA that is served, in our pages, in change sets and IXFR
 *    row.theirs   of the primaries' series: what that content has there (row.ours is true)
 *
 *    theirs   10    11    12  │ (rollback to 10) │  13    14   ...   30
 *    served   10    11    12  │        13        │  14    15   ...   30    and one series again
 *
 * Primaries are asked, compared and changed (IXFR) by theirs: the served content with that serial
 * in its SOA is, octet for octet, what they have. What waits while a zone is held, or is kept aside
 * by a guard, was never served, and carries theirs. The series join as soon as a version has a
 * serial at the primaries that is newer than the last that was served here: that one is served as
 * it came.
 *
 * A signature over the SOA, or a digest of the zone (ZONEMD), would not hold under another serial:
 * such a zone is served as it is at the primaries, or not at all; if one comes while the series is
 * ours, it ends our series, and who follows us must fetch the whole zone.
 *
 * Pure functions but for series_last; any thread.
 */
#ifndef ZL_SYNCD_SERIES_H
#define ZL_SYNCD_SERIES_H

#include "lib/store/store.h"

/* ERR_CHECK if the content is signed, or has a digest. */
MUST_USE enum err series_bears(const struct zone *content, struct errinfo *e);

/* The newest serial that secondaries may have seen: the served one, or, if that went back by
 * exact rollbacks, the one before these. */
MUST_USE enum err series_last(struct serial *out, struct store *s, const struct store_zone *row,
                              struct errinfo *e);

/* `content` as it is to be served behind `last`, and what the row says of it (ours, theirs); at the
 * primaries it has the serial `theirs`. */
MUST_USE enum err series_ahead(struct zone **out, struct store_zone *row, struct zone *content,
                               struct serial theirs, struct serial last, struct errinfo *e);

/* The served content as the primaries have it. */
MUST_USE enum err series_theirs(struct zone **out, const struct store_zone *row,
                                struct zone *served, struct errinfo *e);

/* What came from a primary, as it is to be served behind what is served now (`row`, which gets ours
 * and theirs of it). `forward`: also where the series is not ours yet and the serial went back.
 * *ended (may be NULL): the serial had to go back, since the content cannot bear ours. */
MUST_USE enum err series_follow(struct zone **out, struct store_zone *row, struct zone *content,
                                bool forward, bool *ended, struct errinfo *e);

#endif
