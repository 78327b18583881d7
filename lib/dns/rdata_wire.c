/* RDATA in wire form: reading it from a message and checking it. One walker over the table's fields
 * does all: it reads a field, checks it, and hands names to whoever asks. */
#include "lib/dns/rr_internal.h"

/* What a walk does with what it reads. */
struct walk {
    struct reader r; /* bounded to the RDATA; knows the message */
    bool compressed; /* names may be compressed where the type allows it */
    struct buf *out; /* expanded RDATA goes here, or NULL */
    rdata_name_fn *on_name;
    void *ctx;
    size_t start;      /* of the RDATA, in r.msg */
    const char *fault; /* set with a failure */
};

static void put(struct walk *w, const uint8_t *p, size_t n)
{
    if (w->out && p)
        buf_put(w->out, p, n);
}

static bool fail(struct walk *w, const char *why)
{
    w->fault = why;
    return false;
}

static bool walk_octets(struct walk *w, size_t n)
{
    const uint8_t *p = read_bytes(&w->r, n);

    put(w, p, n);
    return p ? true : fail(w, "it is too short");
}

static bool walk_name(struct walk *w, enum rr_field f)
{
    uint8_t name[NAME_MAX_OCTETS];
    size_t at = w->r.pos - w->start;
    bool expand = w->compressed && (f == F_NAME_COMP || f == F_NAME_EXPAND);

    if (!(expand ? read_name(&w->r, name) : read_name_plain(&w->r, name)))
        return fail(w, expand ? "a name in it is malformed"
                              : "a name in it is malformed, or compressed where it must not be");
    put(w, name, name_len(name));
    if (w->on_name)
        w->on_name(w->ctx, at, w->r.msg + w->start + at, f == F_NAME_COMP);
    return true;
}

static bool walk_string(struct walk *w)
{
    uint8_t n = read_u8(&w->r);

    put(w, &n, 1);
    return walk_octets(w, n);
}

static bool walk_strings(struct walk *w)
{
    do {
        if (!walk_string(w))
            return false;
    } while (reader_left(&w->r) > 0);
    return true;
}

static bool walk_tag(struct walk *w)
{
    struct reader peek = w->r;
    uint8_t n = read_u8(&peek);
    const uint8_t *p = read_bytes(&peek, n);

    if (!p || n == 0)
        return fail(w, "the tag is empty or too short");
    for (uint8_t i = 0; i < n; i++) {
        bool letter = (p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z';
        if (!letter && !(p[i] >= '0' && p[i] <= '9'))
            return fail(w, "the tag has other octets than letters and digits");
    }
    return walk_string(w);
}

static bool walk_rest(struct walk *w, bool may_be_empty)
{
    size_t n = reader_left(&w->r);

    if (n == 0)
        return may_be_empty ? true : fail(w, "it is too short");
    return walk_octets(w, n);
}

/* RFC 4034 4.1.2: windows rising, 1 to 32 octets each, no trailing zero octet. */
static bool walk_bitmap(struct walk *w)
{
    int last = -1;

    while (reader_left(&w->r) > 0) {
        struct reader peek = w->r;
        uint8_t window = read_u8(&peek);
        uint8_t n = read_u8(&peek);
        const uint8_t *bits = read_bytes(&peek, n);

        if (!bits || n == 0 || n > 32 || window <= last || bits[n - 1] == 0)
            return fail(w, "the type bitmap is malformed");
        last = window;
        (void)walk_octets(w, 2u + n);
    }
    return true;
}

/* RFC 3123 4: family, prefix, negation and length, address without trailing zero octets. */
static bool walk_apl(struct walk *w)
{
    while (reader_left(&w->r) > 0) {
        struct reader peek = w->r;
        uint16_t family = read_u16(&peek);
        uint8_t prefix = read_u8(&peek);
        uint8_t n = read_u8(&peek) & 0x7f;
        const uint8_t *p = read_bytes(&peek, n);

        if (!p || (family == 1 && (prefix > 32 || n > 4)) ||
            (family == 2 && (prefix > 128 || n > 16)) || (n > 0 && p[n - 1] == 0))
            return fail(w, "an address prefix is malformed");
        (void)walk_octets(w, 4u + n);
    }
    return true;
}

/* RFC 1876 2: version 0; sizes as mantissa and exponent of 0 to 9 each. */
static bool walk_loc(struct walk *w)
{
    struct reader peek = w->r;
    const uint8_t *p = read_bytes(&peek, 16);

    if (!p)
        return fail(w, "it is too short");
    if (p[0] != 0)
        return fail(w, "the version of LOC is not 0");
    for (int i = 1; i <= 3; i++) {
        if (p[i] >> 4 > 9 || (p[i] & 15) > 9)
            return fail(w, "a size or precision is malformed");
    }
    return walk_octets(w, 16);
}

/* The parts of a SvcParamValue that have a shape (RFC 9460 7, RFC 9461 5, RFC 9540 4). */
static bool svc_value_ok(uint16_t key, struct reader v)
{
    size_t n = reader_left(&v);

    switch (key) {
    case 1: /* alpn: strings, none empty */
        if (n == 0)
            return false;
        while (reader_left(&v) > 0) {
            uint8_t len = read_u8(&v);
            if (len == 0 || !read_bytes(&v, len))
                return false;
        }
        return true;
    case 2: /* no-default-alpn */
    case 8: /* ohttp */
        return n == 0;
    case 3: /* port */
        return n == 2;
    case 4: /* ipv4hint */
        return n > 0 && n % 4 == 0;
    case 5: /* ech */
    case 7: /* dohpath */
        return n > 0;
    case 6: /* ipv6hint */
        return n > 0 && n % 16 == 0;
    default:
        return key != 65535; /* reserved as "invalid key" */
    }
}

/* RFC 9460 8: the keys that `mandatory` lists rise strictly, are not `mandatory`, and are there.
 * Both lists rise (walk_svcparams sees to the second), so one pass over both is enough. */
static bool svc_mandatory_ok(struct reader list, struct reader params)
{
    int last = 0;
    int key = -1;

    if (reader_left(&list) == 0 || reader_left(&list) % 2)
        return false;
    while (reader_left(&list) > 0) {
        uint16_t want = read_u16(&list);

        if (want <= last)
            return false;
        last = want;
        while (key < want && reader_left(&params) > 0) {
            key = read_u16(&params);
            (void)read_part(&params, read_u16(&params));
        }
        if (key != want)
            return false;
    }
    return true;
}

static bool walk_svcparams(struct walk *w)
{
    struct reader all = w->r;
    int last = -1;
    bool has_alpn = false;

    while (reader_left(&w->r) > 0) {
        struct reader peek = w->r;
        uint16_t key = read_u16(&peek);
        uint16_t n = read_u16(&peek);
        struct reader value = read_part(&peek, n);

        if (value.failed)
            return fail(w, "a SvcParam is too short");
        if (key <= last)
            return fail(w, "the SvcParams are not in order, or one stands twice");
        if (key == 0 ? !svc_mandatory_ok(value, all) : !svc_value_ok(key, value))
            return fail(w, "a SvcParam's value is malformed");
        if (key == 2 && !has_alpn)
            return fail(w, "no-default-alpn without alpn");
        has_alpn = has_alpn || key == 1;
        last = key;
        (void)walk_octets(w, 4u + n);
    }
    return true;
}

static bool walk_gateway_of(struct walk *w, uint8_t type)
{
    switch (type) {
    case 0:
        return true;
    case 1:
        return walk_octets(w, 4);
    case 2:
        return walk_octets(w, 16);
    case 3:
        return walk_name(w, F_NAME);
    default:
        return fail(w, "the gateway's type is unknown");
    }
}

static bool walk_gateway(struct walk *w)
{
    struct reader peek = w->r;
    uint8_t type = read_u8(&peek);

    return walk_octets(w, 2) && walk_gateway_of(w, type);
}

static bool walk_amtrelay(struct walk *w)
{
    struct reader peek = w->r;
    uint8_t type = read_u8(&peek) & 0x7f;

    return walk_octets(w, 1) && walk_gateway_of(w, type);
}

static bool walk_hip(struct walk *w)
{
    struct reader peek = w->r;
    uint8_t hit = read_u8(&peek);
    uint16_t key;

    (void)read_u8(&peek);
    key = read_u16(&peek);
    if (hit == 0 || key == 0)
        return fail(w, "HIT or key is empty");
    return walk_octets(w, 4u + hit + key);
}

static bool walk_names(struct walk *w)
{
    while (reader_left(&w->r) > 0) {
        if (!walk_name(w, F_NAME))
            return false;
    }
    return true;
}

static bool walk_a6(struct walk *w)
{
    struct reader peek = w->r;
    uint8_t prefix = read_u8(&peek);

    if (prefix > 128)
        return fail(w, "the prefix length is above 128");
    if (!walk_octets(w, 1u + (128u - prefix + 7) / 8))
        return false;
    return prefix == 0 ? true : walk_name(w, F_NAME_FOLD);
}

static bool walk_nxt(struct walk *w)
{
    size_t n = reader_left(&w->r);
    struct reader peek = w->r;
    const uint8_t *p = read_bytes(&peek, n);

    if (!p || n == 0 || n > 16 || (p[0] & 0x80) || p[n - 1] == 0)
        return fail(w, "the type bitmap is malformed");
    return walk_octets(w, n);
}

static bool walk_wks(struct walk *w)
{
    if (reader_left(&w->r) > 1u + 8192u)
        return fail(w, "the bitmap is longer than there are ports");
    return walk_octets(w, 1) && walk_rest(w, true);
}

static bool walk_field(struct walk *w, enum rr_field f)
{
    switch (f) {
    case F_U8:
    case F_U16:
    case F_U32:
    case F_PERIOD:
    case F_TIME:
    case F_TYPE:
    case F_CERT_TYPE:
    case F_ALGORITHM:
    case F_SCHEME:
    case F_IPV4:
    case F_IPV6:
    case F_EUI48:
    case F_EUI64:
    case F_NODE64:
        return walk_octets(w, field_size(f));
    case F_NAME_COMP:
    case F_NAME_EXPAND:
    case F_NAME_FOLD:
    case F_NAME:
        return walk_name(w, f);
    case F_STRING:
    case F_SALT:
        return walk_string(w);
    case F_HASH32:
        if (reader_left(&w->r) > 0 && w->r.msg[w->r.pos] == 0)
            return fail(w, "the hash is empty");
        return walk_string(w);
    case F_STRINGS:
        return walk_strings(w);
    case F_STRING0:
        return reader_left(&w->r) == 0 || walk_string(w);
    case F_TAG:
        return walk_tag(w);
    case F_HEX:
    case F_BASE64:
    case F_NSAP:
        return walk_rest(w, false);
    case F_TEXT:
    case F_BASE64_0:
    case F_BASE64_DASH:
    case F_ANY:
        return walk_rest(w, true);
    case F_ATMA:
        return walk_octets(w, 1) && walk_rest(w, false);
    case F_BITMAP:
        return walk_bitmap(w);
    case F_APL:
        return walk_apl(w);
    case F_LOC:
        return walk_loc(w);
    case F_SVCPARAMS:
        return walk_svcparams(w);
    case F_GATEWAY:
        return walk_gateway(w);
    case F_AMTRELAY:
        return walk_amtrelay(w);
    case F_HIP:
        return walk_hip(w);
    case F_NAMES:
        return walk_names(w);
    case F_A6:
        return walk_a6(w);
    case F_WKS:
        return walk_wks(w);
    case F_NXT:
        return walk_nxt(w);
    case F_END:
        return true;
    }
    return false;
}

/* Walks all of it; false with w->fault set, and *field the number of the bad field from 1. */
static bool walk_all(struct walk *w, uint16_t type, unsigned *field)
{
    const struct rr_desc *d = rr_desc_of(type);

    w->start = w->r.pos;
    *field = 0;
    if (!d)
        return walk_rest(w, true);
    for (const enum rr_field *f = d->fields; *f != F_END; f++) {
        (*field)++;
        if (!walk_field(w, *f))
            return false;
    }
    if (reader_left(&w->r) > 0)
        return fail(w, "octets are left over behind it");
    return true;
}

static enum err walk_error(const struct walk *w, uint16_t type, unsigned field, struct errinfo *e)
{
    char text[TYPE_TEXT_MAX];

    type_to_text(text, type);
    return err_set(ERR_FORMAT, e, "%s record: field %u: %s", text, field,
                   w->fault ? w->fault : "it is malformed");
}

enum err rdata_read(struct buf *out, struct reader *r, uint16_t type, uint16_t rdlen,
                    struct errinfo *e)
{
    struct walk w = {.r = read_part(r, rdlen), .compressed = true, .out = out};
    size_t was = out->len;
    unsigned field = 0;

    if (r->failed)
        return err_set(ERR_FORMAT, e, "RDATA of %u octets is cut off", rdlen);
    if (!walk_all(&w, type, &field)) {
        out->len = was;
        reader_fail(r);
        return walk_error(&w, type, field, e);
    }
    if (out->len - was > UINT16_MAX) {
        out->len = was;
        reader_fail(r);
        return err_set(ERR_FORMAT, e, "RDATA is longer than 65535 octets when expanded");
    }
    return OK;
}

enum err rdata_check(uint16_t type, const uint8_t *rdata, size_t len, struct errinfo *e)
{
    struct walk w = {.r = reader_of(rdata, len)};
    unsigned field = 0;

    if (len > UINT16_MAX)
        return err_set(ERR_FORMAT, e, "RDATA is longer than 65535 octets");
    return walk_all(&w, type, &field) ? OK : walk_error(&w, type, field, e);
}

void rdata_each_name(uint16_t type, const uint8_t *rdata, size_t len, rdata_name_fn *f, void *ctx)
{
    struct walk w = {.r = reader_of(rdata, len), .on_name = f, .ctx = ctx};
    unsigned field = 0;

    (void)walk_all(&w, type, &field);
}
