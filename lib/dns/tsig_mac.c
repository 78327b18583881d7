/* The record, RFC 8945 4.2, and the octets that are digested, 4.3:
 *
 *   record    key name, u16 TSIG, u16 ANY, u32 0, u16 rdlen; algorithm name, u48 time, u16 fudge,
 *             u16 MAC size, MAC, u16 original ID, u16 error, u16 other len, other
 *   request   message, variables
 *   response  u16 size and MAC of the request, message, variables
 *   later     u16 size and MAC of the previous signed message, messages since then, timers
 *   variables key name, u16 ANY, u32 0, algorithm name, u48 time, u16 fudge, u16 error, u16 other
 *             len, other; names in lower case
 *   timers    u48 time, u16 fudge
 */
#include "lib/dns/tsig_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/dns/message.h"

static void must(int ok)
{
    if (!ok)
        abort();
}

EVP_MAC_CTX *mac_begin(const struct tsig_key *k)
{
    EVP_MAC_CTX *c = EVP_MAC_CTX_dup(k->mac);

    must(c != NULL);
    return c;
}

void mac_put(EVP_MAC_CTX *c, const void *p, size_t n)
{
    if (n > 0)
        must(EVP_MAC_update(c, p, n));
}

void mac_put_mac(EVP_MAC_CTX *c, const uint8_t *mac, size_t n)
{
    uint8_t size[2];

    put_u16(size, (uint16_t)n);
    mac_put(c, size, 2);
    mac_put(c, mac, n);
}

void mac_put_message(EVP_MAC_CTX *c, const uint8_t *wire, size_t end, uint16_t original_id,
                     bool has_tsig)
{
    uint8_t header[MSG_HEADER_OCTETS];

    memcpy(header, wire, sizeof(header));
    put_u16(header, original_id);
    if (has_tsig)
        put_u16(header + 10, (uint16_t)(get_u16(header + 10) - 1));
    mac_put(c, header, sizeof(header));
    mac_put(c, wire + sizeof(header), end - sizeof(header));
}

static void put_time(struct writer *w, uint64_t time_s, uint16_t fudge_s)
{
    write_u48(w, time_s);
    write_u16(w, fudge_s);
}

void mac_put_vars(EVP_MAC_CTX *c, const struct tsig_vars *v)
{
    uint8_t buf[2 * NAME_MAX_OCTETS + 18];
    struct writer w = writer_of(buf, sizeof(buf));
    uint8_t name[NAME_MAX_OCTETS];

    write_bytes(&w, name, name_fold(name, v->key_name));
    write_u16(&w, CLASS_ANY);
    write_u32(&w, 0);
    write_bytes(&w, name, name_fold(name, v->alg_name));
    put_time(&w, v->time_s, v->fudge_s);
    write_u16(&w, v->error);
    write_u16(&w, v->other_len);
    mac_put(c, buf, w.pos);
    mac_put(c, v->other, v->other_len);
}

void mac_put_timers(EVP_MAC_CTX *c, uint64_t time_s, uint16_t fudge_s)
{
    uint8_t buf[8];
    struct writer w = writer_of(buf, sizeof(buf));

    put_time(&w, time_s, fudge_s);
    mac_put(c, buf, sizeof(buf));
}

size_t mac_end(EVP_MAC_CTX *c, uint8_t mac[TSIG_MAC_MAX])
{
    size_t n = 0;

    must(EVP_MAC_final(c, mac, &n, TSIG_MAC_MAX));
    EVP_MAC_CTX_free(c);
    return n;
}

bool mac_end_matches(EVP_MAC_CTX *c, const uint8_t *mac, size_t n)
{
    uint8_t ours[TSIG_MAC_MAX];
    size_t len = mac_end(c, ours);
    bool same = n > 0 && n <= len && CRYPTO_memcmp(ours, mac, n) == 0;

    OPENSSL_cleanse(ours, sizeof(ours)); /* the right MAC of a wrong message is worth something */
    return same;
}

static size_t rdata_octets(const struct tsig_vars *v, size_t mac_len)
{
    return name_len(v->alg_name) + 16 + mac_len + v->other_len;
}

size_t tsig_octets(const struct tsig_vars *v, size_t mac_len)
{
    return name_len(v->key_name) + 10 + rdata_octets(v, mac_len);
}

bool tsig_append(uint8_t *buf, size_t *len, size_t cap, const struct tsig_vars *v,
                 const uint8_t *mac, size_t mac_len)
{
    struct writer w = writer_of(buf, cap > MSG_MAX_OCTETS ? MSG_MAX_OCTETS : cap);

    if (*len > w.cap || tsig_octets(v, mac_len) > w.cap - *len)
        return false;
    w.pos = *len;
    write_bytes(&w, v->key_name, name_len(v->key_name));
    write_u16(&w, RR_TSIG);
    write_u16(&w, CLASS_ANY);
    write_u32(&w, 0);
    write_u16(&w, (uint16_t)rdata_octets(v, mac_len));
    write_bytes(&w, v->alg_name, name_len(v->alg_name));
    put_time(&w, v->time_s, v->fudge_s);
    write_u16(&w, (uint16_t)mac_len);
    write_bytes(&w, mac, mac_len);
    write_u16(&w, get_u16(buf)); /* the original ID */
    write_u16(&w, v->error);
    write_u16(&w, v->other_len);
    write_bytes(&w, v->other, v->other_len);
    put_u16(buf + 10, (uint16_t)(get_u16(buf + 10) + 1));
    *len = w.pos;
    return true;
}

bool tsig_read(struct tsig_rr *out, const uint8_t *wire, size_t len, size_t at)
{
    struct reader r = reader_of(wire, len);
    struct tsig_rr t = {.mac = NULL};
    uint16_t type;
    uint16_t rclass;
    uint32_t ttl;
    struct reader rd;

    if (at < MSG_HEADER_OCTETS || !read_bytes(&r, at) || !read_name(&r, t.key_name))
        return false;
    type = read_u16(&r);
    rclass = read_u16(&r);
    ttl = read_u32(&r);
    rd = read_part(&r, read_u16(&r));
    if (r.failed || reader_left(&r) != 0 || type != RR_TSIG || rclass != CLASS_ANY || ttl != 0 ||
        !read_name_plain(&rd, t.alg_name))
        return false;
    t.time_s = read_u48(&rd);
    t.fudge_s = read_u16(&rd);
    t.mac_len = read_u16(&rd);
    t.mac = read_bytes(&rd, t.mac_len);
    t.original_id = read_u16(&rd);
    t.error = read_u16(&rd);
    t.other_len = read_u16(&rd);
    t.other = read_bytes(&rd, t.other_len);
    if (rd.failed || reader_left(&rd) != 0)
        return false;
    (void)name_fold(t.key_name, t.key_name);
    (void)name_fold(t.alg_name, t.alg_name);
    *out = t;
    return true;
}
