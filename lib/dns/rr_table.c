#include "lib/dns/rr_internal.h"

#include <string.h>
#include <strings.h>

/* By type number. */
static const struct rr_desc table[] = {
    {RR_A, "A", {F_IPV4}},
    {RR_NS, "NS", {F_NAME_COMP}},
    {RR_MD, "MD", {F_NAME_COMP}},
    {RR_MF, "MF", {F_NAME_COMP}},
    {RR_CNAME, "CNAME", {F_NAME_COMP}},
    {RR_SOA, "SOA", {F_NAME_COMP, F_NAME_COMP, F_U32, F_U32, F_U32, F_U32, F_U32}},
    {RR_MB, "MB", {F_NAME_COMP}},
    {RR_MG, "MG", {F_NAME_COMP}},
    {RR_MR, "MR", {F_NAME_COMP}},
    {RR_NULL, "NULL", {F_ANY}},
    {RR_WKS, "WKS", {F_IPV4, F_WKS}},
    {RR_PTR, "PTR", {F_NAME_COMP}},
    {RR_HINFO, "HINFO", {F_STRING, F_STRING}},
    {RR_MINFO, "MINFO", {F_NAME_COMP, F_NAME_COMP}},
    {RR_MX, "MX", {F_U16, F_NAME_COMP}},
    {RR_TXT, "TXT", {F_STRINGS}},
    {RR_RP, "RP", {F_NAME_EXPAND, F_NAME_EXPAND}},
    {RR_AFSDB, "AFSDB", {F_U16, F_NAME_EXPAND}},
    {RR_X25, "X25", {F_STRING}},
    {RR_ISDN, "ISDN", {F_STRING, F_STRINGS0}},
    {RR_RT, "RT", {F_U16, F_NAME_EXPAND}},
    {RR_NSAP, "NSAP", {F_NSAP}},
    {RR_NSAP_PTR, "NSAP-PTR", {F_NAME}},
    {RR_SIG,
     "SIG",
     {F_TYPE, F_ALGORITHM, F_U8, F_U32, F_TIME, F_TIME, F_U16, F_NAME_EXPAND, F_BASE64_0}},
    {RR_KEY, "KEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64_0}},
    {RR_PX, "PX", {F_U16, F_NAME_EXPAND, F_NAME_EXPAND}},
    {RR_GPOS, "GPOS", {F_STRING, F_STRING, F_STRING}},
    {RR_AAAA, "AAAA", {F_IPV6}},
    {RR_LOC, "LOC", {F_LOC}},
    {RR_NXT, "NXT", {F_NAME_EXPAND, F_NXT}},
    {RR_EID, "EID", {F_HEX}},
    {RR_NIMLOC, "NIMLOC", {F_HEX}},
    {RR_SRV, "SRV", {F_U16, F_U16, F_U16, F_NAME_EXPAND}},
    {RR_ATMA, "ATMA", {F_ATMA}},
    {RR_NAPTR, "NAPTR", {F_U16, F_U16, F_STRING, F_STRING, F_STRING, F_NAME_EXPAND}},
    {RR_KX, "KX", {F_U16, F_NAME_FOLD}},
    {RR_CERT, "CERT", {F_CERT_TYPE, F_U16, F_ALGORITHM, F_BASE64}},
    {RR_A6, "A6", {F_A6}},
    {RR_DNAME, "DNAME", {F_NAME_FOLD}},
    {RR_SINK, "SINK", {F_U8, F_U8, F_U8, F_BASE64_0}},
    {RR_APL, "APL", {F_APL}},
    {RR_DS, "DS", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
    {RR_SSHFP, "SSHFP", {F_U8, F_U8, F_HEX}},
    {RR_IPSECKEY, "IPSECKEY", {F_U8, F_GATEWAY, F_BASE64_0}},
    {RR_RRSIG,
     "RRSIG",
     {F_TYPE, F_ALGORITHM, F_U8, F_U32, F_TIME, F_TIME, F_U16, F_NAME_FOLD, F_BASE64}},
    {RR_NSEC, "NSEC", {F_NAME, F_BITMAP}},
    {RR_DNSKEY, "DNSKEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64_0}},
    {RR_DHCID, "DHCID", {F_BASE64}},
    {RR_NSEC3, "NSEC3", {F_U8, F_U8, F_U16, F_SALT, F_HASH32, F_BITMAP}},
    {RR_NSEC3PARAM, "NSEC3PARAM", {F_U8, F_U8, F_U16, F_SALT}},
    {RR_TLSA, "TLSA", {F_U8, F_U8, F_U8, F_HEX}},
    {RR_SMIMEA, "SMIMEA", {F_U8, F_U8, F_U8, F_HEX}},
    {RR_HIP, "HIP", {F_HIP, F_NAMES}},
    {RR_NINFO, "NINFO", {F_STRINGS}},
    {RR_RKEY, "RKEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64}},
    {RR_TALINK, "TALINK", {F_NAME, F_NAME}},
    {RR_CDS, "CDS", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
    {RR_CDNSKEY, "CDNSKEY", {F_U16, F_U8, F_ALGORITHM, F_BASE64}},
    {RR_OPENPGPKEY, "OPENPGPKEY", {F_BASE64}},
    {RR_CSYNC, "CSYNC", {F_U32, F_U16, F_BITMAP}},
    {RR_ZONEMD, "ZONEMD", {F_U32, F_U8, F_U8, F_HEX}},
    {RR_SVCB, "SVCB", {F_U16, F_NAME, F_SVCPARAMS}},
    {RR_HTTPS, "HTTPS", {F_U16, F_NAME, F_SVCPARAMS}},
    {RR_DSYNC, "DSYNC", {F_TYPE, F_U8, F_U16, F_NAME}},
    {RR_SPF, "SPF", {F_STRINGS}},
    {RR_NID, "NID", {F_U16, F_NODE64}},
    {RR_L32, "L32", {F_U16, F_IPV4}},
    {RR_L64, "L64", {F_U16, F_NODE64}},
    {RR_LP, "LP", {F_U16, F_NAME}},
    {RR_EUI48, "EUI48", {F_EUI48}},
    {RR_EUI64, "EUI64", {F_EUI64}},
    {RR_URI, "URI", {F_U16, F_U16, F_TEXT}},
    {RR_CAA, "CAA", {F_U8, F_TAG, F_TEXT}},
    {RR_AVC, "AVC", {F_STRINGS}},
    {RR_DOA, "DOA", {F_U32, F_U32, F_U8, F_STRING, F_BASE64_0}},
    {RR_AMTRELAY, "AMTRELAY", {F_U8, F_AMTRELAY}},
    {RR_RESINFO, "RESINFO", {F_STRINGS}},
    {RR_WALLET, "WALLET", {F_STRINGS}},
    {RR_TA, "TA", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
    {RR_DLV, "DLV", {F_U16, F_ALGORITHM, F_U8, F_HEX}},
};

#define COUNT (sizeof(table) / sizeof(table[0]))

const struct rr_desc *rr_descs(size_t *n)
{
    *n = COUNT;
    return table;
}

const struct rr_desc *rr_desc_of(uint16_t type)
{
    size_t lo = 0;
    size_t hi = COUNT;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (table[mid].type == type)
            return &table[mid];
        if (table[mid].type < type)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct rr_desc *rr_desc_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT && len > 0; i++) {
        if ((table[i].name[0] ^ name[0]) & ~0x20) /* nearly all are told apart here */
            continue;
        if (strncasecmp(table[i].name, name, len) == 0 && table[i].name[len] == 0)
            return &table[i];
    }
    return NULL;
}

size_t field_size(enum rr_field f)
{
    switch (f) {
    case F_U8:
    case F_ALGORITHM:
        return 1;
    case F_U16:
    case F_TYPE:
    case F_CERT_TYPE:
        return 2;
    case F_U32:
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
    case F_STRINGS0:
    case F_TAG:
    case F_TEXT:
    case F_HEX:
    case F_HEX0:
    case F_BASE64:
    case F_BASE64_0:
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
