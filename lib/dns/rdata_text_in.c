/* RDATA from presentation form (RFC 1035 5.1, RFC 3597 5), field by field as the table says. */
#include "lib/dns/rdata_text_in.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/encode.h"
#include "lib/dns/rdata_time.h"

static void put_uint(struct text_in *t, uint32_t v, size_t octets)
{
    if (octets == 1)
        buf_u8(t->out, (uint8_t)v);
    else if (octets == 2)
        buf_u16(t->out, (uint16_t)v);
    else
        buf_u32(t->out, v);
}

static bool text_uint(struct text_in *t, size_t octets)
{
    uint32_t max = octets == 1 ? UINT8_MAX : octets == 2 ? UINT16_MAX : UINT32_MAX;
    uint32_t v = 0;

    if (!text_number(t, max, &v))
        return false;
    put_uint(t, v, octets);
    return true;
}

/* Seconds, or "1w2d3h4m5s" as zone files have it. */
static bool text_period(struct text_in *t)
{
    static const char units[] = "smhdw";
    static const uint32_t factors[] = {1, 60, 3600, 86400, 604800};
    struct word w;
    uint64_t sum = 0;
    uint64_t v = 0;
    bool digits = false;

    if (!text_word(t, &w))
        return false;
    for (size_t i = 0; i < w.len && v <= UINT32_MAX && sum <= UINT32_MAX; i++) {
        char c = w.p[i];
        const char *unit = c >= 'A' ? strchr(units, c | 0x20) : NULL;

        if (c >= '0' && c <= '9') {
            v = v * 10 + (uint64_t)(c - '0');
            digits = true;
        } else if (unit && digits) {
            sum += v * factors[unit - units];
            v = 0;
            digits = false;
        } else {
            return text_fail(t, "'%.*s' is neither a number nor a time", word_cut(&w), w.p);
        }
    }
    if (w.len == 0 || v > UINT32_MAX || sum + v > UINT32_MAX)
        return text_fail(t, "'%.*s' is no 32-bit number", word_cut(&w), w.p);
    buf_u32(t->out, (uint32_t)(sum + v));
    return true;
}

bool text_name(struct text_in *t)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct word w;

    if (!text_word(t, &w))
        return false;
    if (name_from_text(name, w.p, w.len, t->origin, t->e) != OK)
        return false;
    buf_put(t->out, name, name_len(name));
    return true;
}

bool text_ip(struct text_in *t, const struct word *w, int family, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN];

    if (w->len >= sizeof(text))
        return text_fail(t, "an address is too long");
    memcpy(text, w->p, w->len);
    text[w->len] = 0;
    if (inet_pton(family, text, out) != 1)
        return text_fail(t, "'%s' is not an %s address", text, family == AF_INET ? "IPv4" : "IPv6");
    return true;
}

static bool text_address(struct text_in *t, int family)
{
    uint8_t ip[16];
    struct word w;

    if (!text_word(t, &w) || !text_ip(t, &w, family, ip))
        return false;
    buf_put(t->out, ip, family == AF_INET ? 4 : 16);
    return true;
}

static bool text_string(struct text_in *t)
{
    size_t at = t->out->len;
    struct word w;

    if (!text_word(t, &w))
        return false;
    buf_u8(t->out, 0);
    if (!text_unescape(t, &w, t->out))
        return false;
    if (t->out->len - at - 1 > 255)
        return text_fail(t, "a string is longer than 255 octets");
    t->out->data[at] = (uint8_t)(t->out->len - at - 1);
    return true;
}

static bool text_strings(struct text_in *t)
{
    do {
        if (!text_string(t))
            return false;
    } while (!text_at_end(t));
    return true;
}

static bool text_whole(struct text_in *t)
{
    struct word w;

    return text_word(t, &w) && text_unescape(t, &w, t->out);
}

/* "20260529010203", or seconds since 1970 (RFC 4034 3.2). */
static bool text_time(struct text_in *t)
{
    struct word w;
    uint32_t v = 0;

    if (!text_word(t, &w))
        return false;
    if (w.len == RDATA_TIME_TEXT ? !rdata_time_get(&v, w.p) : !word_number(&w, UINT32_MAX, &v))
        return text_fail(t, "'%.*s' is not a time such as 20260529010203", word_cut(&w), w.p);
    buf_u32(t->out, v);
    return true;
}

static bool text_type(struct text_in *t)
{
    struct word w;
    uint32_t v = 0;
    uint16_t type;

    if (!text_word(t, &w))
        return false;
    if (type_from_text(&type, w.p, w.len))
        v = type;
    else if (!word_number(&w, UINT16_MAX, &v))
        return text_fail(t, "'%.*s' is not a type", word_cut(&w), w.p);
    buf_u16(t->out, (uint16_t)v);
    return true;
}

struct mnemonic {
    const char *name;
    uint16_t number;
};

/* RFC 4398 2.1 */
static const struct mnemonic cert_types[] = {
    {"PKIX", 1},   {"SPKI", 2},    {"PGP", 3},   {"IPKIX", 4}, {"ISPKI", 5}, {"IPGP", 6},
    {"ACPKIX", 7}, {"IACPKIX", 8}, {"URI", 253}, {"OID", 254}, {NULL, 0}};

/* IANA, DNS security algorithm numbers */
static const struct mnemonic algorithms[] = {{"DELETE", 0},
                                             {"RSAMD5", 1},
                                             {"DH", 2},
                                             {"DSA", 3},
                                             {"ECC", 4},
                                             {"RSASHA1", 5},
                                             {"DSA-NSEC3-SHA1", 6},
                                             {"NSEC3DSA", 6},
                                             {"RSASHA1-NSEC3-SHA1", 7},
                                             {"NSEC3RSASHA1", 7},
                                             {"RSASHA256", 8},
                                             {"RSASHA512", 10},
                                             {"ECC-GOST", 12},
                                             {"ECCGOST", 12},
                                             {"ECDSAP256SHA256", 13},
                                             {"ECDSAP384SHA384", 14},
                                             {"ED25519", 15},
                                             {"ED448", 16},
                                             {"INDIRECT", 252},
                                             {"PRIVATEDNS", 253},
                                             {"PRIVATEOID", 254},
                                             {NULL, 0}};

/* RFC 9859 2.1 */
static const struct mnemonic schemes[] = {{"NOTIFY", 1}, {NULL, 0}};

static bool text_mnemonic(struct text_in *t, const struct mnemonic *list, size_t octets)
{
    struct word w;
    uint32_t v = 0;

    if (!text_word(t, &w))
        return false;
    if (!word_number(&w, octets == 1 ? UINT8_MAX : UINT16_MAX, &v)) {
        while (list->name && !word_is(&w, list->name))
            list++;
        if (!list->name)
            return text_fail(t, "'%.*s' is neither a number nor a known name", word_cut(&w), w.p);
        v = list->number;
    }
    put_uint(t, v, octets);
    return true;
}

typedef bool decode_fn(struct buf *out, const char *text, size_t len);

/* All words to the end, as one. */
static bool text_rest(struct text_in *t, decode_fn *decode, const char *what, bool may_be_empty)
{
    size_t was = t->out->len;

    if (text_at_end(t))
        return may_be_empty ? true : text_fail(t, "it is missing");
    if (!decode(t->out, t->pos, (size_t)(t->end - t->pos)))
        return text_fail(t, "it is not valid %s", what);
    t->pos = t->end;
    return t->out->len > was || may_be_empty ? true : text_fail(t, "it is empty");
}

/* Takes a "-" that ends the text. */
static bool text_dash(struct text_in *t)
{
    if (text_at_end(t) || *t->pos != '-' || t->end - t->pos != 1)
        return false;
    t->pos++;
    return true;
}

static bool text_counted(struct text_in *t, decode_fn *decode, const char *what, bool dash)
{
    size_t at = t->out->len;
    struct word w;

    if (!text_word(t, &w))
        return false;
    buf_u8(t->out, 0);
    if (dash && w.len == 1 && w.p[0] == '-')
        return true;
    if (!decode(t->out, w.p, w.len) || t->out->len == at + 1)
        return text_fail(t, "it is not valid %s", what);
    if (t->out->len - at - 1 > 255)
        return text_fail(t, "it is longer than 255 octets");
    t->out->data[at] = (uint8_t)(t->out->len - at - 1);
    return true;
}

/* Hex groups of `octets` octets with a separator: EUI48, EUI64, NID, L64. */
static bool text_groups(struct text_in *t, size_t groups, size_t octets, char sep)
{
    size_t was = t->out->len;
    struct word w;
    const char *p;

    if (!text_word(t, &w))
        return false;
    p = w.p;
    for (size_t i = 0; i < groups; i++) {
        const char *end = p;
        char digits[5] = "0000";
        size_t n;

        while (end < w.p + w.len && *end != sep)
            end++;
        n = (size_t)(end - p);
        /* Only the 16-bit groups may be shortened (RFC 6742 2.1.2). */
        if (n == 0 || n > 2 * octets || (octets == 1 && n != 2))
            break;
        memcpy(digits + 2 * octets - n, p, n);
        if (!hex_decode(t->out, digits, 2 * octets))
            break;
        p = end < w.p + w.len ? end + 1 : end;
    }
    if (t->out->len - was != groups * octets || p != w.p + w.len)
        return text_fail(t, "'%.*s' is not %zu groups of hex digits", word_cut(&w), w.p, groups);
    return true;
}

static bool text_bitmap(struct text_in *t)
{
    uint8_t bits[256][32];
    uint8_t octets[256] = {0}; /* of each window; its bits are cleared when it gets its first */
    struct word w;

    while (!text_at_end(t)) {
        uint8_t *b;
        uint8_t octet;
        uint16_t type;

        if (!text_word(t, &w))
            return false;
        if (!type_from_text(&type, w.p, w.len))
            return text_fail(t, "'%.*s' is not a type", word_cut(&w), w.p);
        b = bits[type >> 8];
        octet = (uint8_t)((type & 0xff) / 8);
        if (octets[type >> 8] == 0)
            memset(b, 0, sizeof(bits[0]));
        b[octet] |= (uint8_t)(0x80 >> type % 8);
        if (octets[type >> 8] <= octet)
            octets[type >> 8] = (uint8_t)(octet + 1);
    }
    for (unsigned window = 0; window < 256; window++) {
        if (octets[window] == 0)
            continue;
        buf_u8(t->out, (uint8_t)window);
        buf_u8(t->out, octets[window]);
        buf_put(t->out, bits[window], octets[window]);
    }
    return true;
}

static bool text_field(struct text_in *t, enum rr_field f)
{
    switch (f) {
    case F_NAME_COMP:
    case F_NAME_EXPAND:
    case F_NAME_FOLD:
    case F_NAME:
        return text_name(t);
    case F_U8:
        return text_uint(t, 1);
    case F_U16:
        return text_uint(t, 2);
    case F_U32:
        return text_uint(t, 4);
    case F_PERIOD:
        return text_period(t);
    case F_TIME:
        return text_time(t);
    case F_TYPE:
        return text_type(t);
    case F_CERT_TYPE:
        return text_mnemonic(t, cert_types, 2);
    case F_ALGORITHM:
        return text_mnemonic(t, algorithms, 1);
    case F_SCHEME:
        return text_mnemonic(t, schemes, 1);
    case F_IPV4:
        return text_address(t, AF_INET);
    case F_IPV6:
        return text_address(t, AF_INET6);
    case F_EUI48:
        return text_groups(t, 6, 1, '-');
    case F_EUI64:
        return text_groups(t, 8, 1, '-');
    case F_NODE64:
        return text_groups(t, 4, 2, ':');
    case F_STRING:
    case F_TAG:
        return text_string(t);
    case F_STRINGS:
        return text_strings(t);
    case F_STRING0:
        return text_at_end(t) || text_string(t);
    case F_TEXT:
        return text_whole(t);
    case F_HEX:
        return text_rest(t, hex_decode, "hex", false);
    case F_BASE64:
        return text_rest(t, base64_decode, "base64", false);
    case F_BASE64_0:
        return text_rest(t, base64_decode, "base64", true);
    case F_BASE64_DASH:
        return text_dash(t) || text_rest(t, base64_decode, "base64", true);
    case F_SALT:
        return text_counted(t, hex_decode, "hex", true);
    case F_HASH32:
        return text_counted(t, base32hex_decode, "base32hex", false);
    case F_BITMAP:
        return text_bitmap(t);
    case F_APL:
        return text_apl(t);
    case F_LOC:
        return text_loc(t);
    case F_SVCPARAMS:
        return text_svcparams(t);
    case F_GATEWAY:
        return text_gateway(t);
    case F_AMTRELAY:
        return text_amtrelay(t);
    case F_HIP:
        return text_hip(t);
    case F_NAMES:
        return text_names(t);
    case F_A6:
        return text_a6(t);
    case F_NSAP:
        return text_nsap(t);
    case F_WKS:
        return text_wks(t);
    case F_NXT:
        return text_nxt(t);
    case F_ATMA:
        return text_atma(t);
    case F_ANY:
        return text_fail(t, "this type is written as \\# LENGTH HEX");
    case F_END:
        return true;
    }
    return false;
}

/* "\# LEN HEX", RFC 3597 5, for every type. */
static bool text_generic(struct text_in *t)
{
    size_t was = t->out->len;
    uint32_t n = 0;

    if (!text_number(t, UINT16_MAX, &n) || !text_rest(t, hex_decode, "hex", true))
        return false;
    if (t->out->len - was != n)
        return text_fail(t, "the length says %u octets, but there are %zu", n, t->out->len - was);
    return true;
}

static bool is_generic(struct text_in *t)
{
    return !text_at_end(t) && t->end - t->pos >= 2 && t->pos[0] == '\\' && t->pos[1] == '#' &&
           (t->end - t->pos == 2 || text_blank(t->pos[2]));
}

static bool text_record(struct text_in *t, const struct rr_desc *d, unsigned *field)
{
    *field = 0;
    if (is_generic(t)) {
        t->pos += 2;
        return text_generic(t);
    }
    if (!d)
        return text_fail(t, "RDATA of an unknown type is written as \\# LENGTH HEX");
    for (const enum rr_field *f = d->fields; *f != F_END; f++) {
        (*field)++;
        if (!text_field(t, *f))
            return false;
    }
    (*field)++;
    return text_at_end(t) ? true : text_fail(t, "there is more than this type has");
}

enum err rdata_from_text(struct buf *out, uint16_t type, const char *text, size_t text_len,
                         const uint8_t *origin, struct errinfo *e)
{
    struct errinfo own = {{0}};
    struct text_in t = {
        .pos = text, .end = text + text_len, .origin = origin, .out = out, .e = e ? e : &own};
    size_t was = out->len;
    unsigned field = 0;
    char name[TYPE_TEXT_MAX];
    enum err rc = OK;

    type_to_text(name, type);
    if (!text_record(&t, rr_desc_of(type), &field))
        rc = field ? err_wrap(ERR_FORMAT, t.e, "%s field %u", name, field)
                   : err_wrap(ERR_FORMAT, t.e, "%s", name);
    else
        rc = rdata_check(type, out->data ? out->data + was : NULL, out->len - was, t.e);
    if (rc)
        out->len = was;
    return rc;
}
