#include "lib/dns/rr_internal.h"

/* A row stands at its type's number; the few types far above have a list of their own. */
static const struct rr_desc table[] = {
    [RR_A] = {RR_A, "A", {F_IPV4}},
    [RR_NS] = {RR_NS, "NS", {F_NAME_COMP}},
    [RR_MD] = {RR_MD, "MD", {F_NAME_COMP}},
    [RR_MF] = {RR_MF, "MF", {F_NAME_COMP}},
    [RR_CNAME] = {RR_CNAME, "CNAME", {F_NAME_COMP}},
    [RR_SOA] = {RR_SOA,
                "SOA",
                {F_NAME_COMP, F_NAME_COMP, F_U32, F_PERIOD, F_PERIOD, F_PERIOD, F_PERIOD}},
    [RR_MB] = {RR_MB, "MB", {F_NAME_COMP}},
    [RR_MG] = {RR_MG, "MG", {F_NAME_COMP}},
    [RR_MR] = {RR_MR, "MR", {F_NAME_COMP}},
    [RR_NULL] = {RR_NULL, "NULL", {F_ANY}},
    [RR_WKS] = {RR_WKS, "WKS", {F_IPV4, F_WKS}},
    [RR_PTR] = {RR_PTR, "PTR", {F_NAME_COMP}},
    [RR_HINFO] = {RR_HINFO, "HINFO", {F_STRING, F_STRING}},
    [RR_MINFO] = {RR_MINFO, "MINFO", {F_NAME_COMP, F_NAME_COMP}},
    [RR_MX] = {RR_MX, "MX", {F_U16, F_NAME_COMP}},
    [RR_TXT] = {RR_TXT, "TXT", {F_STRINGS}},
    [RR_RP] = {RR_RP, "RP", {F_NAME_EXPAND, F_NAME_EXPAND}},
    [RR_AFSDB] = {RR_AFSDB, "AFSDB", {F_U16, F_NAME_EXPAND}},
    [RR_X25] = {RR_X25, "X25", {F_STRING}},
    [RR_ISDN] = {RR_ISDN, "ISDN", {F_STRING, F_STRING0}},
    [RR_RT] = {RR_RT, "RT", {F_U16, F_NAME_EXPAND}},
    [RR_NSAP] = {RR_NSAP, "NSAP", {F_NSAP}},
    [RR_NSAP_PTR] = {RR_NSAP_PTR, "NSAP-PTR", {F_NAME}},
    [RR_SIG] = {RR_SIG,
                "SIG",
                {F_TYPE, F_ALGORITHM, F_U8, F_U32, F_TIME, F_TIME, F_U16, F_NAME_EXPAND,
                 F_BASE64_0}},
    [RR_KEY] = {RR_KEY, "KEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64_0}},
    [RR_PX] = {RR_PX, "PX", {F_U16, F_NAME_EXPAND, F_NAME_EXPAND}},
    [RR_GPOS] = {RR_GPOS, "GPOS", {F_STRING, F_STRING, F_STRING}},
    [RR_AAAA] = {RR_AAAA, "AAAA", {F_IPV6}},
    [RR_LOC] = {RR_LOC, "LOC", {F_LOC}},
    [RR_NXT] = {RR_NXT, "NXT", {F_NAME_EXPAND, F_NXT}},
    [RR_EID] = {RR_EID, "EID", {F_HEX}},
    [RR_NIMLOC] = {RR_NIMLOC, "NIMLOC", {F_HEX}},
    [RR_SRV] = {RR_SRV, "SRV", {F_U16, F_U16, F_U16, F_NAME_EXPAND}},
    [RR_ATMA] = {RR_ATMA, "ATMA", {F_ATMA}},
    [RR_NAPTR] = {RR_NAPTR, "NAPTR", {F_U16, F_U16, F_STRING, F_STRING, F_STRING, F_NAME_EXPAND}},
    [RR_KX] = {RR_KX, "KX", {F_U16, F_NAME_FOLD}},
    [RR_CERT] = {RR_CERT, "CERT", {F_CERT_TYPE, F_U16, F_ALGORITHM, F_BASE64}},
    [RR_A6] = {RR_A6, "A6", {F_A6}},
    [RR_DNAME] = {RR_DNAME, "DNAME", {F_NAME_FOLD}},
    [RR_SINK] = {RR_SINK, "SINK", {F_U8, F_U8, F_U8, F_BASE64_0}},
    [RR_APL] = {RR_APL, "APL", {F_APL}},
    [RR_DS] = {RR_DS, "DS", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
    [RR_SSHFP] = {RR_SSHFP, "SSHFP", {F_U8, F_U8, F_HEX}},
    [RR_IPSECKEY] = {RR_IPSECKEY, "IPSECKEY", {F_U8, F_GATEWAY, F_BASE64_0}},
    [RR_RRSIG] = {RR_RRSIG,
                  "RRSIG",
                  {F_TYPE, F_ALGORITHM, F_U8, F_U32, F_TIME, F_TIME, F_U16, F_NAME_FOLD, F_BASE64}},
    [RR_NSEC] = {RR_NSEC, "NSEC", {F_NAME, F_BITMAP}},
    [RR_DNSKEY] = {RR_DNSKEY, "DNSKEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64_0}},
    [RR_DHCID] = {RR_DHCID, "DHCID", {F_BASE64}},
    [RR_NSEC3] = {RR_NSEC3, "NSEC3", {F_U8, F_U8, F_U16, F_SALT, F_HASH32, F_BITMAP}},
    [RR_NSEC3PARAM] = {RR_NSEC3PARAM, "NSEC3PARAM", {F_U8, F_U8, F_U16, F_SALT}},
    [RR_TLSA] = {RR_TLSA, "TLSA", {F_U8, F_U8, F_U8, F_HEX}},
    [RR_SMIMEA] = {RR_SMIMEA, "SMIMEA", {F_U8, F_U8, F_U8, F_HEX}},
    [RR_HIP] = {RR_HIP, "HIP", {F_HIP, F_NAMES}},
    [RR_NINFO] = {RR_NINFO, "NINFO", {F_STRINGS}},
    [RR_RKEY] = {RR_RKEY, "RKEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64}},
    [RR_TALINK] = {RR_TALINK, "TALINK", {F_NAME, F_NAME}},
    [RR_CDS] = {RR_CDS, "CDS", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
    [RR_CDNSKEY] = {RR_CDNSKEY, "CDNSKEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64}},
    [RR_OPENPGPKEY] = {RR_OPENPGPKEY, "OPENPGPKEY", {F_BASE64}},
    [RR_CSYNC] = {RR_CSYNC, "CSYNC", {F_U32, F_U16, F_BITMAP}},
    [RR_ZONEMD] = {RR_ZONEMD, "ZONEMD", {F_U32, F_U8, F_U8, F_HEX}},
    [RR_SVCB] = {RR_SVCB, "SVCB", {F_U16, F_NAME, F_SVCPARAMS}},
    [RR_HTTPS] = {RR_HTTPS, "HTTPS", {F_U16, F_NAME, F_SVCPARAMS}},
    [RR_DSYNC] = {RR_DSYNC, "DSYNC", {F_TYPE, F_SCHEME, F_U16, F_NAME}},
    [RR_SPF] = {RR_SPF, "SPF", {F_STRINGS}},
    [RR_NID] = {RR_NID, "NID", {F_U16, F_NODE64}},
    [RR_L32] = {RR_L32, "L32", {F_U16, F_IPV4}},
    [RR_L64] = {RR_L64, "L64", {F_U16, F_NODE64}},
    [RR_LP] = {RR_LP, "LP", {F_U16, F_NAME}},
    [RR_EUI48] = {RR_EUI48, "EUI48", {F_EUI48}},
    [RR_EUI64] = {RR_EUI64, "EUI64", {F_EUI64}},
    [RR_URI] = {RR_URI, "URI", {F_U16, F_U16, F_TEXT}},
    [RR_CAA] = {RR_CAA, "CAA", {F_U8, F_TAG, F_TEXT}},
    [RR_AVC] = {RR_AVC, "AVC", {F_STRINGS}},
    [RR_DOA] = {RR_DOA, "DOA", {F_U32, F_U32, F_U8, F_STRING, F_BASE64_DASH}},
    [RR_AMTRELAY] = {RR_AMTRELAY, "AMTRELAY", {F_U8, F_AMTRELAY}},
    [RR_RESINFO] = {RR_RESINFO, "RESINFO", {F_STRINGS}},
    [RR_WALLET] = {RR_WALLET, "WALLET", {F_STRINGS}},
};

static const struct rr_desc high[] = {
    {RR_TA, "TA", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
    {RR_DLV, "DLV", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
};

#define COUNT (sizeof(table) / sizeof(table[0]))
#define HIGH_COUNT (sizeof(high) / sizeof(high[0]))

const struct rr_desc *rr_desc_of(uint16_t type)
{
    if (type < COUNT)
        return table[type].name ? &table[type] : NULL;
    for (size_t i = 0; i < HIGH_COUNT; i++) {
        if (high[i].type == type)
            return &high[i];
    }
    return NULL;
}

bool word_same(const char *name, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char a = name[i];
        char b = text[i];

        if (a == 0)
            return false;
        if (a != b && ((a ^ b) != 0x20 || (a | 0x20) < 'a' || (a | 0x20) > 'z'))
            return false;
    }
    return name[len] == 0;
}

/* What zones are full of, and type bitmaps: looked at before the rest. */
static const uint16_t frequent[] = {RR_A,  RR_NS,    RR_RRSIG, RR_NSEC, RR_AAAA,   RR_NSEC3,
                                    RR_DS, RR_CNAME, RR_TXT,   RR_MX,   RR_DNSKEY, RR_SOA};

static bool is_named(const struct rr_desc *d, const char *name, size_t len)
{
    return d->name && ((d->name[0] ^ name[0]) & ~0x20) == 0 && word_same(d->name, name, len);
}

const struct rr_desc *rr_desc_by_name(const char *name, size_t len)
{
    if (len == 0)
        return NULL;
    for (size_t i = 0; i < sizeof(frequent) / sizeof(frequent[0]); i++) {
        if (is_named(&table[frequent[i]], name, len))
            return &table[frequent[i]];
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (is_named(&table[i], name, len))
            return &table[i];
    }
    for (size_t i = 0; i < HIGH_COUNT; i++) {
        if (is_named(&high[i], name, len))
            return &high[i];
    }
    return NULL;
}

size_t field_size(enum rr_field f)
{
    switch (f) {
    case F_U8:
    case F_ALGORITHM:
    case F_SCHEME:
        return 1;
    case F_U16:
    case F_TYPE:
    case F_CERT_TYPE:
        return 2;
    case F_U32:
    case F_PERIOD:
    case F_TIME:
    case F_IPV4:
        return 4;
    case F_EUI48:
        return 6;
    case F_EUI64:
    case F_NODE64:
        return 8;
    case F_IPV6:
    case F_LOC:
        return 16;
    case F_END:
    case F_NAME_COMP:
    case F_NAME_EXPAND:
    case F_NAME_FOLD:
    case F_NAME:
    case F_STRING:
    case F_STRINGS:
    case F_STRING0:
    case F_TAG:
    case F_TEXT:
    case F_HEX:
    case F_BASE64:
    case F_BASE64_0:
    case F_BASE64_DASH:
    case F_SALT:
    case F_HASH32:
    case F_BITMAP:
    case F_APL:
    case F_SVCPARAMS:
    case F_GATEWAY:
    case F_AMTRELAY:
    case F_HIP:
    case F_NAMES:
    case F_A6:
    case F_NSAP:
    case F_WKS:
    case F_NXT:
    case F_ATMA:
    case F_ANY:
        return 0;
    }
    return 0;
}
