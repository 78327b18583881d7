/* Types whose text has a grammar of its own. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/base/encode.h"
#include "lib/dns/rdata_text_in.h"

/* ---- LOC, RFC 1876 3 ---- */

/* "12", "12.345", "-3.5": thousandths or hundredths, as `places` says; an "m" behind it is fine. */
static bool decimal(const struct word *w, unsigned places, bool unit, int64_t *out)
{
    const char *p = w->p;
    const char *end = p + w->len;
    bool negative = false;
    unsigned fraction = 0;
    bool dot = false;
    bool digits = false;
    int64_t v = 0;

    if (unit && w->len > 1 && (end[-1] == 'm' || end[-1] == 'M'))
        end--;
    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    for (; p < end; p++) {
        if (*p == '.' && !dot) {
            dot = true;
        } else if (*p >= '0' && *p <= '9' && v < INT64_C(100000000000)) {
            if (dot && fraction++ >= places)
                return false;
            v = v * 10 + (*p - '0');
            digits = true;
        } else {
            return false;
        }
    }
    for (; fraction < places; fraction++)
        v *= 10;
    *out = negative ? -v : v;
    return digits;
}

/* d [m [s]] and the direction's letter, of "N\0S" or "E\0W"; 2^31 is the equator or Greenwich. */
static bool text_angle(struct text_in *t, const char *letters, int64_t max_degrees, uint32_t *out)
{
    static const int64_t factors[] = {3600000, 60000, 1};
    int64_t sum = 0;

    for (unsigned i = 0; i < 4; i++) {
        struct word w;
        int64_t v = 0;

        if (!text_word(t, &w))
            return false;
        if (i > 0 && (word_is(&w, letters) || word_is(&w, letters + 2))) {
            if (sum > max_degrees * 3600000)
                return text_fail(t, "an angle is beyond %lld degrees", (long long)max_degrees);
            if (word_is(&w, letters + 2))
                sum = -sum;
            *out = (uint32_t)(sum + (INT64_C(1) << 31));
            return true;
        }
        if (i == 3 || !decimal(&w, i == 2 ? 3 : 0, false, &v) || v < 0 || (i == 1 && v > 59) ||
            (i == 2 && v > 59999))
            break;
        sum += v * factors[i];
    }
    return text_fail(t, "an angle should be degrees, minutes, seconds and %c or %c", letters[0],
                     letters[2]);
}

/* Centimetres as mantissa and exponent; what does not fit is cut. */
static bool text_size(struct text_in *t, uint8_t def, uint8_t *out)
{
    struct word w;
    int64_t cm = 0;
    uint8_t exponent = 0;

    *out = def;
    if (text_at_end(t))
        return true;
    if (!text_word(t, &w) || !decimal(&w, 2, true, &cm) || cm < 0 || cm > INT64_C(9000000000))
        return text_fail(t, "a size should be metres, 0 to 90000000.00");
    for (; cm > 9; cm /= 10)
        exponent++;
    *out = (uint8_t)((uint8_t)cm << 4 | exponent);
    return true;
}

bool text_loc(struct text_in *t)
{
    uint32_t latitude = 0;
    uint32_t longitude = 0;
    int64_t altitude = 0;
    uint8_t sizes[3];
    struct word w;

    if (!text_angle(t, "N\0S", 90, &latitude) || !text_angle(t, "E\0W", 180, &longitude) ||
        !text_word(t, &w))
        return false;
    if (!decimal(&w, 2, true, &altitude) || altitude < -10000000 || altitude > INT64_C(4284967295))
        return text_fail(t, "the altitude should be metres, -100000.00 to 42849672.95");
    if (!text_size(t, 0x12, &sizes[0]) || !text_size(t, 0x16, &sizes[1]) ||
        !text_size(t, 0x13, &sizes[2]))
        return false;
    buf_u8(t->out, 0);
    buf_put(t->out, sizes, 3);
    buf_u32(t->out, latitude);
    buf_u32(t->out, longitude);
    buf_u32(t->out, (uint32_t)(altitude + 10000000));
    return true;
}

/* ---- APL, RFC 3123 5 ---- */

static bool take_apl(struct text_in *t, struct word w)
{
    bool not_in = w.len && w.p[0] == '!';
    const char *p = w.p + not_in;
    size_t len = w.len - not_in;
    const char *slash = memchr(p, '/', len);
    bool v4 = len > 2 && p[0] == '1' && p[1] == ':';
    struct word ip;
    struct word bits;
    uint8_t octets[16] = {0};
    uint32_t prefix = 0;
    uint8_t n = v4 ? 4 : 16;

    if (!slash || slash < p + 2 || (!v4 && !(p[0] == '2' && p[1] == ':')))
        return text_fail(t, "'%.*s' should be [!]1:ADDRESS/PREFIX or [!]2:ADDRESS/PREFIX",
                         word_cut(&w), w.p);
    ip = (struct word){p + 2, (size_t)(slash - p - 2), false};
    bits = (struct word){slash + 1, (size_t)(w.p + w.len - slash - 1), false};
    if (!text_ip(t, &ip, v4 ? AF_INET : AF_INET6, octets))
        return false;
    if (!word_number(&bits, v4 ? 32 : 128, &prefix))
        return text_fail(t, "'%.*s' is not a prefix length", word_cut(&bits), bits.p);
    while (n > 0 && octets[n - 1] == 0)
        n--;
    buf_u16(t->out, v4 ? 1 : 2);
    buf_u8(t->out, (uint8_t)prefix);
    buf_u8(t->out, (uint8_t)(n | (not_in ? 0x80 : 0)));
    buf_put(t->out, octets, n);
    return true;
}

bool text_apl(struct text_in *t)
{
    struct word w;

    while (!text_at_end(t)) {
        if (!text_word(t, &w) || !take_apl(t, w))
            return false;
    }
    return true;
}

/* ---- HIP, IPSECKEY, AMTRELAY ---- */

bool text_names(struct text_in *t)
{
    while (!text_at_end(t)) {
        if (!text_name(t))
            return false;
    }
    return true;
}

bool text_hip(struct text_in *t)
{
    size_t at;
    size_t hit;
    uint32_t algorithm = 0;
    struct word w;

    if (!text_number(t, UINT8_MAX, &algorithm) || !text_word(t, &w))
        return false;
    at = t->out->len;
    buf_u8(t->out, 0);
    buf_u8(t->out, (uint8_t)algorithm);
    buf_u16(t->out, 0);
    if (!hex_decode(t->out, w.p, w.len))
        return text_fail(t, "the HIT is not valid hex");
    hit = t->out->len - at - 4;
    if (!text_word(t, &w))
        return false;
    if (hit > 255 || !base64_decode(t->out, w.p, w.len))
        return text_fail(t, "HIT too long, or the key is not valid base64");
    if (t->out->len - at - 4 - hit > UINT16_MAX)
        return text_fail(t, "the key is too long");
    t->out->data[at] = (uint8_t)hit;
    put_u16(t->out->data + at + 2, (uint16_t)(t->out->len - at - 4 - hit));
    return true;
}

static bool text_gateway_of(struct text_in *t, uint32_t type)
{
    struct word w;
    uint8_t ip[16];

    if (type == 3)
        return text_name(t);
    if (!text_word(t, &w))
        return false;
    if (type == 0)
        return w.len == 1 && w.p[0] == '.' ? true : text_fail(t, "a gateway of type 0 is '.'");
    if (!text_ip(t, &w, type == 1 ? AF_INET : AF_INET6, ip))
        return false;
    buf_put(t->out, ip, type == 1 ? 4 : 16);
    return true;
}

bool text_gateway(struct text_in *t)
{
    uint32_t type = 0;
    uint32_t algorithm = 0;

    if (!text_number(t, 3, &type) || !text_number(t, UINT8_MAX, &algorithm))
        return false;
    buf_u8(t->out, (uint8_t)type);
    buf_u8(t->out, (uint8_t)algorithm);
    return text_gateway_of(t, type);
}

bool text_amtrelay(struct text_in *t)
{
    uint32_t discovery = 0;
    uint32_t type = 0;

    if (!text_number(t, 1, &discovery) || !text_number(t, 3, &type))
        return false;
    buf_u8(t->out, (uint8_t)(discovery << 7 | type));
    return text_gateway_of(t, type);
}

/* ---- A6, NSAP, ATMA, WKS, NXT ---- */

bool text_a6(struct text_in *t)
{
    uint32_t prefix = 0;
    uint8_t ip[16];
    struct word w;
    size_t n;

    if (!text_number(t, 128, &prefix))
        return false;
    buf_u8(t->out, (uint8_t)prefix);
    n = (128 - prefix + 7) / 8;
    if (n > 0) {
        if (!text_word(t, &w) || !text_ip(t, &w, AF_INET6, ip))
            return false;
        if (prefix % 8)
            ip[16 - n] &= (uint8_t)(0xff >> prefix % 8); /* the prefix's bits are zero */
        buf_put(t->out, ip + 16 - n, n);
    }
    return prefix == 0 ? true : text_name(t);
}

/* Hex digits; dots may stand between them (RFC 1706 7). */
static bool dotted_hex(struct text_in *t, const char *p, const char *end)
{
    size_t was = t->out->len;
    char two[2];
    unsigned n = 0;

    for (; p < end; p++) {
        if (*p == '.')
            continue;
        two[n++] = *p;
        if (n < 2)
            continue;
        n = 0;
        if (!hex_decode(t->out, two, 2))
            return text_fail(t, "it is not valid hex");
    }
    if (n > 0)
        return text_fail(t, "it has an odd number of hex digits");
    return t->out->len > was ? true : text_fail(t, "it is empty");
}

bool text_nsap(struct text_in *t)
{
    struct word w;

    if (!text_word(t, &w))
        return false;
    if (w.len < 2 || w.p[0] != '0' || (w.p[1] | 0x20) != 'x')
        return text_fail(t, "it should be 0x and hex digits");
    return dotted_hex(t, w.p + 2, w.p + w.len);
}

/* AF-SAA-0069.000: an address in hex, or + and decimal digits; dots may stand between. */
bool text_atma(struct text_in *t)
{
    size_t was;
    struct word w;

    if (!text_word(t, &w))
        return false;
    if (w.len == 0 || w.p[0] != '+') {
        buf_u8(t->out, 0);
        return dotted_hex(t, w.p, w.p + w.len);
    }
    buf_u8(t->out, 1);
    was = t->out->len;
    for (size_t i = 1; i < w.len; i++) {
        if (w.p[i] >= '0' && w.p[i] <= '9')
            buf_u8(t->out, (uint8_t)w.p[i]);
        else if (w.p[i] != '.')
            return text_fail(t, "behind the + there are digits only");
    }
    return t->out->len > was ? true : text_fail(t, "it is empty");
}

/* A zone must mean the same on every machine, so these names are ours and not /etc/services'. */
static const struct {
    const char *name;
    uint16_t port;
} services[] = {{"echo", 7},        {"discard", 9},   {"systat", 11},     {"daytime", 13},
                {"netstat", 15},    {"qotd", 17},     {"chargen", 19},    {"ftp-data", 20},
                {"ftp", 21},        {"ssh", 22},      {"telnet", 23},     {"smtp", 25},
                {"time", 37},       {"rlp", 39},      {"nameserver", 42}, {"whois", 43},
                {"nicname", 43},    {"tacacs", 49},   {"domain", 53},     {"bootps", 67},
                {"bootpc", 68},     {"tftp", 69},     {"gopher", 70},     {"finger", 79},
                {"http", 80},       {"kerberos", 88}, {"hostname", 101},  {"hostnames", 101},
                {"iso-tsap", 102},  {"pop2", 109},    {"pop3", 110},      {"sunrpc", 111},
                {"auth", 113},      {"sftp", 115},    {"uucp-path", 117}, {"nntp", 119},
                {"ntp", 123},       {"imap", 143},    {"imap2", 143},     {"snmp", 161},
                {"snmp-trap", 162}, {"bgp", 179},     {"irc", 194},       {"imap3", 220},
                {"ldap", 389},      {"https", 443}};

static bool wks_port(struct text_in *t, uint32_t *out)
{
    struct word w;

    if (!text_word(t, &w))
        return false;
    if (word_number(&w, UINT16_MAX, out))
        return true;
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (word_is(&w, services[i].name)) {
            *out = services[i].port;
            return true;
        }
    }
    return text_fail(t, "'%.*s' is not a port", word_cut(&w), w.p);
}

static bool wks_protocol(struct text_in *t, uint32_t *out)
{
    struct word w;

    if (!text_word(t, &w))
        return false;
    if (word_is(&w, "tcp"))
        *out = 6;
    else if (word_is(&w, "udp"))
        *out = 17;
    else if (!word_number(&w, UINT8_MAX, out))
        return text_fail(t, "'%.*s' is not a protocol", word_cut(&w), w.p);
    return true;
}

bool text_wks(struct text_in *t)
{
    uint8_t bits[8192] = {0};
    uint32_t protocol = 0;
    size_t n = 0;

    if (!wks_protocol(t, &protocol))
        return false;
    while (!text_at_end(t)) {
        uint32_t port = 0;

        if (!wks_port(t, &port))
            return false;
        bits[port / 8] |= (uint8_t)(0x80 >> port % 8);
        if (port / 8 + 1 > n)
            n = port / 8 + 1;
    }
    buf_u8(t->out, (uint8_t)protocol);
    buf_put(t->out, bits, n);
    return true;
}

bool text_nxt(struct text_in *t)
{
    uint8_t bits[16] = {0};
    size_t n = 16;
    struct word w;

    while (!text_at_end(t)) {
        uint16_t type = 0;
        uint32_t number = 0; /* named-compilezone prints types that it doesn't know bare */

        if (!text_word(t, &w))
            return false;
        if (word_number(&w, 127, &number))
            type = (uint16_t)number;
        else if (!type_from_text(&type, w.p, w.len))
            type = 0;
        if (type == 0 || type > 127)
            return text_fail(t, "'%.*s' is not a type from 1 to 127", word_cut(&w), w.p);
        bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
    }
    while (n > 0 && bits[n - 1] == 0)
        n--;
    buf_put(t->out, bits, n);
    return true;
}
