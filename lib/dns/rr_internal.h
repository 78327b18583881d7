/* The table of RR types; shared by the files rr*.c and rdata_*.c only. */
#ifndef ZL_DNS_RR_INTERNAL_H
#define ZL_DNS_RR_INTERNAL_H

#include "lib/dns/rr.h"

#define RR_FIELDS_MAX 12

/* What a field of RDATA is made of. The four kinds of name differ in what RFC 3597 4 and RFC
 * 4034 6.2 say: whether a sender compresses, whether a receiver must expand, whether canonical form
 * folds. */
enum rr_field {
    F_END = 0,
    F_NAME_COMP,   /* compressed out, expanded in, folded: RFC 1035 types */
    F_NAME_EXPAND, /* expanded in, folded: RP AFSDB RT SIG PX NXT NAPTR SRV */
    F_NAME_FOLD,   /* folded only: KX DNAME A6 RRSIG */
    F_NAME,        /* none of it */
    F_U8,
    F_U16,
    F_U32,
    F_PERIOD,    /* u32 seconds; text may say 1w2d3h4m5s */
    F_TIME,      /* u32 seconds since 1970, printed as YYYYMMDDHHmmSS (RFC 4034 3.2) */
    F_TYPE,      /* u16, printed as a type's mnemonic */
    F_CERT_TYPE, /* u16, RFC 4398 2.1 mnemonics */
    F_ALGORITHM, /* u8, DNSSEC algorithm number; mnemonics accepted */
    F_SCHEME,    /* u8, DSYNC's scheme (RFC 9859 2.1); its mnemonic is accepted */
    F_IPV4,
    F_IPV6,
    F_EUI48,
    F_EUI64,
    F_NODE64,      /* 64 bits as four groups of four hex digits: NID, L64 */
    F_STRING,      /* u8 length and octets */
    F_STRINGS,     /* one or more F_STRING, to the end */
    F_STRING0,     /* F_STRING, or nothing at the end */
    F_TAG,         /* F_STRING of letters and digits, not empty, printed bare: CAA (RFC 8659 4.1) */
    F_TEXT,        /* octets to the end, printed as one quoted string: CAA value, URI target */
    F_HEX,         /* octets to the end, in hex; at least one */
    F_BASE64,      /* octets to the end, in base64; at least one */
    F_BASE64_0,    /* octets to the end, in base64; may be none */
    F_BASE64_DASH, /* the same, "-" for none: DOA */
    F_SALT,        /* u8 length and octets in hex, "-" for none: NSEC3 */
    F_HASH32,      /* u8 length (not 0) and octets in base32hex: NSEC3 */
    F_BITMAP,      /* type bitmap, RFC 4034 4.1.2; may be empty */
    F_APL,         /* RFC 3123 */
    F_LOC,         /* RFC 1876 */
    F_SVCPARAMS,   /* RFC 9460 2.2 */
    F_GATEWAY, /* gateway type, algorithm, gateway: IPSECKEY (RFC 4025 2.1) behind the precedence */
    F_AMTRELAY, /* D bit and type, relay: RFC 8777 4 */
    F_HIP,      /* the three lengths, HIT, key: RFC 8005 5; rendezvous servers follow */
    F_NAMES,    /* F_NAME, none or more, to the end */
    F_A6,       /* RFC 2874 3.1: prefix length, suffix, prefix name */
    F_NSAP,     /* octets to the end as 0x and hex: RFC 1706 */
    F_WKS,      /* protocol and bitmap behind the address: RFC 1035 3.4.2 */
    F_NXT,      /* old bitmap of types 0-127: RFC 2535 5.2 */
    F_ATMA,     /* format octet and address */
    F_ANY,      /* octets to the end, RFC 3597 text only */
};

struct rr_desc {
    uint16_t type;
    const char *name;
    enum rr_field fields[RR_FIELDS_MAX]; /* ends with F_END */
};

/* NULL for a type without a row. */
const struct rr_desc *rr_desc_of(uint16_t type);
const struct rr_desc *rr_desc_by_name(const char *name, size_t len); /* any case */

/* Whether text[0..len) is the word `name`, ASCII case ignored. */
bool word_same(const char *name, const char *text, size_t len);

/* Octets that a fixed-size field takes; 0 for others. */
size_t field_size(enum rr_field f);

static inline bool field_is_name(enum rr_field f)
{
    return f == F_NAME_COMP || f == F_NAME_EXPAND || f == F_NAME_FOLD || f == F_NAME;
}

#endif
