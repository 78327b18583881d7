/* Zone files (RFC 1035 5; RFC 2308 4 for $TTL; RFC 3597 for unknown types), read and written.
 *
 * Reading streams: each record goes to a callback as soon as its entry is read, in the order of the
 * file; nothing is collected and no memory is taken a record. What is known:
 *   - $ORIGIN, $TTL, $INCLUDE [with origin], and BIND's $GENERATE;
 *   - parentheses over lines, comments, quoted strings, \X and \DDD, `@`, blank owners;
 *   - TTL and class in either order, TTLs with units (1w2d3h4m5s), LF and CRLF;
 *   - every type of the table in rr.h, and RFC 3597 form (\# LEN HEX) for every type there is.
 * A missing TTL is the one of the last $TTL; without any, the last one written out (RFC 1035 5.1);
 * without any, the MINIMUM of the SOA before it (the SOA itself included).
 *
 * The reader checks one entry at a time. What only the zone as a whole can tell (one SOA, records
 * outside the zone, a CNAME's company, different TTLs in one RRset, duplicates) is the caller's.
 * Cost: one pass over the text, which is held in memory whole while it is read.
 * Threads: no state outside the call.
 */
#ifndef ZL_DNS_ZONEFILE_H
#define ZL_DNS_ZONEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"
#include "lib/dns/rr.h"

#define ZONEFILE_INCLUDE_DEPTH 10     /* files below the first, if opts say 0 */
#define ZONEFILE_GENERATE_MAX 1048576 /* records of one $GENERATE, if opts say 0 */
#define ZONEFILE_ERRORS_MAX 100       /* errors told to on_error, if opts say 0 */

/* What is wrong, and where. Lent for the call. */
struct zonefile_error {
    const char *path;
    uint32_t line;   /* from 1 */
    uint32_t column; /* octets, from 1 */
    enum err rc;
    const char *text; /* without the position */
};

typedef void zonefile_error_fn(void *ctx, const struct zonefile_error *error);

/* A record: class IN, owner absolute with its letters in the case of the file (a zone wants them
 * folded: name_fold), RDATA checked and uncompressed, TTL at most 2^31-1. Everything is lent for
 * the call. What it returns other than OK ends the reading, or, if it is ERR_FORMAT or ERR_CHECK,
 * is an error of this entry as any other. */
typedef enum err zonefile_rr_fn(void *ctx, const struct rr *rr, struct errinfo *e);

/* Zeroed is a good start: origin is the root, no default TTL, $INCLUDE refused. */
struct zonefile_opts {
    const uint8_t *origin; /* before the first $ORIGIN; NULL: the root */
    const char *path;      /* read_mem: for messages, and what $INCLUDE is relative to; NULL: "-" */
    bool has_ttl;          /* `ttl` holds as if a $TTL stood before the first line */
    uint32_t ttl;

    bool allow_include;
    const char *include_root; /* an included file must lie below this directory, symbolic links
                                 followed; NULL: anywhere */
    unsigned include_depth;

    uint64_t max_records;  /* ERR_LIMIT for one more; 0: none */
    uint64_t max_bytes;    /* of all files together; 0: none */
    uint64_t generate_max; /* records of one $GENERATE */

    /* If set, an error does not end the reading: it is told here and reading goes on with the next
     * entry, up to error_max errors. ERR_LIMIT and I/O errors of the first file end it anyway. */
    zonefile_error_fn *on_error;
    void *error_ctx;
    unsigned error_max;
};

/* Reads a file, or `len` octets of text (needs no NUL), and calls `f` for each record. An
 * $INCLUDE is relative to the directory of the file it stands in (read_mem: of opts->path); the
 * origin and the owner before it come back after it (RFC 1035 5.1), a $TTL inside stays.
 * Errors: the first one, as "path:line:column: what is wrong"; with on_error too, at the end.
 *   ERR_FORMAT  syntax, values, unknown types, class other than IN, control characters
 *   ERR_LIMIT   records, octets, depth or a $GENERATE above what opts allow
 *   ERR_DENIED  $INCLUDE where it isn't allowed
 *   ERR_NOT_FOUND, ERR_IO  a file
 *   or what `f` returned. Records before an error have been delivered. */
MUST_USE enum err zonefile_read_file(const char *path, const struct zonefile_opts *opts,
                                     zonefile_rr_fn *f, void *ctx, struct errinfo *e);
MUST_USE enum err zonefile_read_mem(const void *text, size_t len, const struct zonefile_opts *opts,
                                    zonefile_rr_fn *f, void *ctx, struct errinfo *e);

/* "3600", "1h30m", "1w2d": 0 to 2^31-1 seconds (RFC 2181 8), units in either case. False if it is
 * anything else. */
bool zonefile_ttl_parse(uint32_t *out, const char *text, size_t len);

struct zonefile_write_opts {
    const uint8_t *origin; /* owners at or below it are written relative ("@", "www"); the caller
                              puts the $ORIGIN in front. NULL: absolute, and then the line is
                              exactly the one of rr_to_text */
};

/* Appends one record as a line, "owner TTL IN TYPE RDATA\n"; names in RDATA are absolute. Reading
 * it gives the same record. `opts` may be NULL. */
void zonefile_write_rr(struct buf *out, const struct rr *rr,
                       const struct zonefile_write_opts *opts);

#endif
