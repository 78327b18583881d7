#include "lib/dns/rr.h"

#include <stdio.h>
#include <string.h>

#include "lib/dns/rdata_text_out.h"

/* ---- Types and classes as text ---- */

struct name_of {
    uint16_t number;
    const char *name;
};

/* Types that are never in a zone but are asked for or printed. */
static const struct name_of query_types[] = {
    {RR_OPT, "OPT"},   {RR_TKEY, "TKEY"},   {RR_TSIG, "TSIG"},   {RR_IXFR, "IXFR"},
    {RR_AXFR, "AXFR"}, {RR_MAILB, "MAILB"}, {RR_MAILA, "MAILA"}, {RR_ANY, "ANY"}};

static const struct name_of classes[] = {
    {CLASS_IN, "IN"}, {CLASS_CH, "CH"}, {4, "HS"}, {CLASS_NONE, "NONE"}, {CLASS_ANY, "ANY"}};

/* "TYPE123", "CLASS123" */
static bool generic_from_text(uint16_t *out, const char *prefix, const char *text, size_t len)
{
    size_t n = strlen(prefix);
    unsigned v = 0;

    if (len <= n || len > n + 5 || !word_same(prefix, text, n))
        return false;
    for (size_t i = n; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    if (v > UINT16_MAX)
        return false;
    *out = (uint16_t)v;
    return true;
}

void type_to_text(char out[TYPE_TEXT_MAX], uint16_t type)
{
    const struct rr_desc *d = rr_desc_of(type);

    if (d) {
        memcpy(out, d->name, strlen(d->name) + 1);
        return;
    }
    for (size_t i = 0; i < sizeof(query_types) / sizeof(query_types[0]); i++) {
        if (query_types[i].number == type) {
            memcpy(out, query_types[i].name, strlen(query_types[i].name) + 1);
            return;
        }
    }
    (void)snprintf(out, TYPE_TEXT_MAX, "TYPE%u", type);
}

bool type_from_text(uint16_t *out, const char *text, size_t len)
{
    const struct rr_desc *d = rr_desc_by_name(text, len);

    if (d) {
        *out = d->type;
        return true;
    }
    for (size_t i = 0; i < sizeof(query_types) / sizeof(query_types[0]); i++) {
        if (word_same(query_types[i].name, text, len)) {
            *out = query_types[i].number;
            return true;
        }
    }
    return generic_from_text(out, "TYPE", text, len);
}

void class_to_text(char out[TYPE_TEXT_MAX], uint16_t rclass)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (classes[i].number == rclass) {
            (void)snprintf(out, TYPE_TEXT_MAX, "%s", classes[i].name);
            return;
        }
    }
    (void)snprintf(out, TYPE_TEXT_MAX, "CLASS%u", rclass);
}

bool class_from_text(uint16_t *out, const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (word_same(classes[i].name, text, len)) {
            *out = classes[i].number;
            return true;
        }
    }
    return generic_from_text(out, "CLASS", text, len);
}

/* RFC 6895 3.1: 128 to 255 are query and meta types; 0 is reserved; OPT is none of a zone's. */
bool type_is_data(uint16_t type)
{
    return type != 0 && type != RR_OPT && !(type >= 128 && type <= 255);
}

bool type_is_singleton(uint16_t type)
{
    return type == RR_SOA || type == RR_CNAME || type == RR_DNAME;
}

/* ---- SOA ---- */

#define SOA_NUMBERS 20 /* octets behind the two names */

bool soa_parse(struct soa *out, const uint8_t *rdata, size_t len)
{
    struct soa s;
    struct reader r;

    if (rdata_check(RR_SOA, rdata, len, NULL) != OK)
        return false;
    s.mname = rdata;
    s.rname = rdata + name_len(rdata);
    r = reader_of(rdata + len - SOA_NUMBERS, SOA_NUMBERS);
    s.serial.v = read_u32(&r);
    s.refresh_s = read_u32(&r);
    s.retry_s = read_u32(&r);
    s.expire_s = read_u32(&r);
    s.minimum_s = read_u32(&r);
    *out = s;
    return true;
}

void soa_set_serial(uint8_t *rdata, size_t len, struct serial serial)
{
    if (len >= SOA_NUMBERS + 2)
        put_u32(rdata + len - SOA_NUMBERS, serial.v);
}

/* ---- Records ---- */

int rr_cmp(const struct rr *a, const struct rr *b)
{
    int d = a->owner == b->owner ? 0 : name_cmp(a->owner, b->owner);

    if (d)
        return d;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return rdata_cmp(a->type, a->rdata, a->rdata_len, b->rdata, b->rdata_len);
}

void rr_to_text(struct buf *out, const struct rr *rr)
{
    char owner[NAME_TEXT_MAX];
    char type[TYPE_TEXT_MAX];

    buf_put(out, owner, name_to_text(owner, rr->owner));
    buf_u8(out, ' ');
    out_number(out, rr->ttl);
    type_to_text(type, rr->type);
    buf_put(out, " IN ", 4);
    buf_str(out, type);
    buf_u8(out, ' ');
    rdata_to_text(out, rr->type, rr->rdata, rr->rdata_len);
    buf_u8(out, '\n');
}
