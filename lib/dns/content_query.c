#include "lib/dns/content_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/rr.h"

#define LABEL_OCTETS 12

static const uint8_t label[LABEL_OCTETS] = {11,  '_', 'c', 'o', 'n', 't',
                                            'e', 'n', 't', '-', 'i', 'd'};

bool content_query_is(const struct query *q)
{
    return q->qclass == CLASS_CH && q->qtype == RR_TXT &&
           memcmp(q->qname, label, LABEL_OCTETS) == 0;
}

bool content_query_name(uint8_t out[NAME_MAX_OCTETS], const uint8_t *zone)
{
    size_t n = name_len(zone);

    if (n + LABEL_OCTETS > NAME_MAX_OCTETS)
        return false;
    memcpy(out, label, LABEL_OCTETS);
    memcpy(out + LABEL_OCTETS, zone, n);
    return true;
}

static void put_string(struct buf *rdata, const char *text)
{
    buf_u8(rdata, (uint8_t)strlen(text));
    buf_str(rdata, text);
}

void content_answer_put(struct buf *rdata, const struct content_answer *a)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "serial=%u", a->serial.v);
    put_string(rdata, text);
    (void)snprintf(text, sizeof(text), "version=%llu", (unsigned long long)a->version);
    put_string(rdata, text);
    (void)snprintf(text, sizeof(text), "content-id=%s", a->id);
    put_string(rdata, text);
}

/* The value of the next character-string, if it is key=value; *pos is behind it then. */
static bool take(char *value, size_t cap, const char *key, const uint8_t **pos, const uint8_t *end)
{
    size_t key_len = strlen(key);
    const uint8_t *p = *pos;
    size_t n = p < end ? *p++ : 0;

    if (n <= key_len || n > (size_t)(end - p) || memcmp(p, key, key_len) != 0 || n - key_len >= cap)
        return false;
    memcpy(value, p + key_len, n - key_len);
    value[n - key_len] = 0;
    *pos = p + n;
    return true;
}

static bool is_number(const char *text)
{
    return text[0] && strlen(text) <= 19 && strspn(text, "0123456789") == strlen(text);
}

bool content_answer_read(struct content_answer *out, const uint8_t *rdata, size_t len)
{
    const uint8_t *end = rdata + len;
    char serial[24], version[24];
    unsigned long long n;

    if (!take(serial, sizeof(serial), "serial=", &rdata, end) ||
        !take(version, sizeof(version), "version=", &rdata, end) ||
        !take(out->id, sizeof(out->id), "content-id=", &rdata, end) || rdata != end ||
        !is_number(serial) || !is_number(version) || strlen(out->id) != CONTENT_ID_HEX_MAX - 1 ||
        strspn(out->id, "0123456789abcdef") != CONTENT_ID_HEX_MAX - 1)
        return false;
    n = strtoull(serial, NULL, 10);
    out->serial.v = (uint32_t)n;
    out->version = strtoull(version, NULL, 10);
    return n <= UINT32_MAX;
}
