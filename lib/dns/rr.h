/* Resource records, and one table that says what each type's RDATA is made of.
 *
 * The table drives everything that depends on a type: reading from a message (and expanding its
 * compressed names), writing to a message (compressing only what RFC 3597 section 4 allows),
 * presentation form in both directions, canonical form (RFC 4034 6.2) and comparison. A type
 * without a row is opaque and printed as RFC 3597 says (\# LEN HEX, TYPEnnn, CLASSnnn).
 *
 * RDATA everywhere outside a message is uncompressed wire form, kept byte for byte as it came.
 */
#ifndef ZL_DNS_RR_H
#define ZL_DNS_RR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"
#include "lib/base/serial.h"
#include "lib/dns/name.h"

enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_NONE = 254, CLASS_ANY = 255 };

enum {
    RR_A = 1,
    RR_NS = 2,
    RR_MD = 3,
    RR_MF = 4,
    RR_CNAME = 5,
    RR_SOA = 6,
    RR_MB = 7,
    RR_MG = 8,
    RR_MR = 9,
    RR_NULL = 10,
    RR_WKS = 11,
    RR_PTR = 12,
    RR_HINFO = 13,
    RR_MINFO = 14,
    RR_MX = 15,
    RR_TXT = 16,
    RR_RP = 17,
    RR_AFSDB = 18,
    RR_X25 = 19,
    RR_ISDN = 20,
    RR_RT = 21,
    RR_NSAP = 22,
    RR_NSAP_PTR = 23,
    RR_SIG = 24,
    RR_KEY = 25,
    RR_PX = 26,
    RR_GPOS = 27,
    RR_AAAA = 28,
    RR_LOC = 29,
    RR_NXT = 30,
    RR_EID = 31,
    RR_NIMLOC = 32,
    RR_SRV = 33,
    RR_ATMA = 34,
    RR_NAPTR = 35,
    RR_KX = 36,
    RR_CERT = 37,
    RR_A6 = 38,
    RR_DNAME = 39,
    RR_SINK = 40,
    RR_OPT = 41,
    RR_APL = 42,
    RR_DS = 43,
    RR_SSHFP = 44,
    RR_IPSECKEY = 45,
    RR_RRSIG = 46,
    RR_NSEC = 47,
    RR_DNSKEY = 48,
    RR_DHCID = 49,
    RR_NSEC3 = 50,
    RR_NSEC3PARAM = 51,
    RR_TLSA = 52,
    RR_SMIMEA = 53,
    RR_HIP = 55,
    RR_NINFO = 56,
    RR_RKEY = 57,
    RR_TALINK = 58,
    RR_CDS = 59,
    RR_CDNSKEY = 60,
    RR_OPENPGPKEY = 61,
    RR_CSYNC = 62,
    RR_ZONEMD = 63,
    RR_SVCB = 64,
    RR_HTTPS = 65,
    RR_DSYNC = 66,
    RR_SPF = 99,
    RR_NID = 104,
    RR_L32 = 105,
    RR_L64 = 106,
    RR_LP = 107,
    RR_EUI48 = 108,
    RR_EUI64 = 109,
    RR_TKEY = 249,
    RR_TSIG = 250,
    RR_IXFR = 251,
    RR_AXFR = 252,
    RR_MAILB = 253,
    RR_MAILA = 254,
    RR_ANY = 255,
    RR_URI = 256,
    RR_CAA = 257,
    RR_AVC = 258,
    RR_DOA = 259,
    RR_AMTRELAY = 260,
    RR_RESINFO = 261,
    RR_WALLET = 262,
    RR_TA = 32768,
    RR_DLV = 32769
};

/* One record, lent: the pointers belong to somebody else (a page, an arena). In a zone the owner
 * is folded to lower case and the class is IN. */
struct rr {
    const uint8_t *owner; /* a valid name, see name.h */
    const uint8_t *rdata; /* uncompressed; may be NULL if rdata_len is 0 */
    uint32_t ttl;         /* seconds; RFC 2181 8: at most 2^31-1 */
    uint16_t type;
    uint16_t rclass;
    uint16_t rdata_len;
};

#define TYPE_TEXT_MAX 16 /* "TYPE65535", "NSEC3PARAM" ... with NUL */

/* "A", "TYPE1234" into out. */
void type_to_text(char out[TYPE_TEXT_MAX], uint16_t type);
/* Mnemonic in any case, or TYPEnnn; false if it is neither. */
bool type_from_text(uint16_t *out, const char *text, size_t len);
/* "IN", "CH", "HS", "ANY", "NONE", "CLASSnnn". */
void class_to_text(char out[TYPE_TEXT_MAX], uint16_t rclass);
bool class_from_text(uint16_t *out, const char *text, size_t len);

/* True for types that can stand in a zone: not OPT, TSIG, TKEY, and not the query types 128-255
 * (RFC 6895 3.1); type 0 can't either. */
bool type_is_data(uint16_t type);
/* True for types that may appear once only at a name: SOA, CNAME, DNAME. */
bool type_is_singleton(uint16_t type);

/* Reads `rdlen` octets of RDATA of a message at r, checks them against the table (each field in
 * its bounds, RDATA used up exactly, names valid) and appends the uncompressed form to out.
 * Compressed names are accepted where RFC 3597 4 says a receiver must (RFC 1035 types and
 * RP AFSDB RT SIG PX NXT NAPTR SRV), refused elsewhere.
 * Errors: ERR_FORMAT; the text names type and field. `out` is as before on error. */
MUST_USE enum err rdata_read(struct buf *out, struct reader *r, uint16_t type, uint16_t rdlen,
                             struct errinfo *e);

/* Checks uncompressed RDATA against the table; ERR_FORMAT with a text. */
MUST_USE enum err rdata_check(uint16_t type, const uint8_t *rdata, size_t len, struct errinfo *e);

/* Presentation form appended to out; never fails on RDATA that rdata_check accepted, and prints
 * RFC 3597 form for anything else. Names are absolute. */
void rdata_to_text(struct buf *out, uint16_t type, const uint8_t *rdata, size_t len);

/* Parses presentation form (one record's RDATA as text, RFC 3597 \# form too for every type);
 * relative names get `origin`. Appends wire form to out. Errors: ERR_FORMAT with field and cause.
 */
MUST_USE enum err rdata_from_text(struct buf *out, uint16_t type, const char *text, size_t text_len,
                                  const uint8_t *origin, struct errinfo *e);

/* Canonical form, RFC 4034 6.2 with RFC 6840 5.1: names inside RDATA of the listed types folded.
 * Appends to out; the length stays the same. */
void rdata_canonical(struct buf *out, uint16_t type, const uint8_t *rdata, size_t len);

/* Canonical order of RDATA in an RRset (RFC 4034 6.3) on canonical forms, without making them:
 * 0 means it is the same record. */
int rdata_cmp(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

/* Calls `f` for each name inside RDATA, in order, with its offset. For compression and for
 * additional-section work (NS, MX, SRV, SVCB targets). */
typedef void rdata_name_fn(void *ctx, size_t offset, const uint8_t *name, bool compressible);
void rdata_each_name(uint16_t type, const uint8_t *rdata, size_t len, rdata_name_fn *f, void *ctx);

/* The fields of a SOA's RDATA. The names point into rdata. */
struct soa {
    const uint8_t *mname;
    const uint8_t *rname;
    struct serial serial;
    uint32_t refresh_s, retry_s, expire_s, minimum_s;
};
/* false if rdata isn't a SOA's. */
bool soa_parse(struct soa *out, const uint8_t *rdata, size_t len);
/* Writes a serial into uncompressed SOA RDATA in place. */
void soa_set_serial(uint8_t *rdata, size_t len, struct serial serial);

/* Order of records in a zone: canonical owner, then type number, then canonical RDATA. TTL and
 * class are not looked at. */
int rr_cmp(const struct rr *a, const struct rr *b);

/* "owner TTL IN TYPE RDATA\n" with absolute names, one space between: the journal's line. */
void rr_to_text(struct buf *out, const struct rr *rr);

#endif
