/* TSIG: the first octet says what the rest is.
 *
 *   even   a message as it comes, verified as a request, a response and in a stream
 *   odd    u16 fudge, u16 error, u8 length and other data, then a message: a TSIG of these is put
 *          on it with the right MAC, so that what follows the MAC check is reached too; the message
 *          must be accepted exactly if its time and MAC allow, and be refused with a bit flipped
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/dns/message.h"
#include "lib/dns/tsig_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wall now = {1700000000};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct tsig_key *the_key(void)
{
    static struct tsig_key *key;
    static const char secret[] = "em9uZWxlZGdlciB0ZXN0IHNlY3JldCAwMTIzNDU2Nzg5";

    if (!key)
        must(tsig_key_new(&key, (const uint8_t *)"\3key\7example", TSIG_HMAC_SHA256, secret,
                          sizeof(secret) - 1, NULL) == OK);
    return key;
}

static void verify_all_ways(const uint8_t *wire, size_t len)
{
    uint8_t request[300] = {0x12, 0x34};
    size_t request_len = MSG_HEADER_OCTETS;
    uint8_t reply[1024] = {0x12, 0x34, 0x80};
    size_t reply_len = MSG_HEADER_OCTETS;
    struct tsig t = {.key = NULL};
    struct msg_layout l;

    if (!msg_layout_read(&l, wire, len))
        return;
    must(tsig_verify_request(&t, the_key(), wire, len, l.tsig, now) != TSIG_OK || l.tsig != 0);
    must(tsig_sign_response(&t, reply, &reply_len, sizeof(reply), now));
    must(tsig_sign_request(&t, the_key(), request, &request_len, sizeof(request), now));
    must(tsig_verify_response(&t, wire, len, l.tsig, now) != TSIG_OK);
    must(tsig_verify_stream(&t, wire, len, l.tsig, now) != TSIG_OK);
    must(tsig_verify_stream_end(&t) != TSIG_OK);
    tsig_done(&t);
}

/* Puts a TSIG with the right MAC on the message. */
static bool sign(uint8_t *wire, size_t *len, size_t cap, struct tsig_vars *v)
{
    uint8_t mac[TSIG_MAC_MAX];
    EVP_MAC_CTX *c = mac_begin(the_key());
    size_t n;

    v->key_name = tsig_key_name(the_key());
    v->alg_name = tsig_alg_name(TSIG_HMAC_SHA256);
    v->time_s = (uint64_t)now.s + 100;
    mac_put_message(c, wire, *len, get_u16(wire), false);
    mac_put_vars(c, v);
    n = mac_end(c, mac);
    return tsig_append(wire, len, cap, v, mac, n);
}

static void sign_and_verify(struct reader *r)
{
    static uint8_t wire[MSG_MAX_OCTETS];
    static uint8_t reply[MSG_MAX_OCTETS];
    struct tsig server = {.key = NULL};
    struct tsig_vars v = {.fudge_s = read_u16(r), .error = read_u16(r), .other_len = read_u8(r)};
    size_t len;
    struct msg_layout l;
    enum tsig_outcome o;

    v.other = read_bytes(r, v.other_len);
    len = reader_left(r);
    if (r->failed || len < MSG_HEADER_OCTETS || len > sizeof(wire))
        return;
    memcpy(wire, read_bytes(r, len), len);
    memcpy(reply, wire, len);
    if (!msg_layout_read(&l, wire, len) || l.tsig || !sign(wire, &len, sizeof(wire), &v))
        return;
    must(msg_layout_read(&l, wire, len) && l.tsig != 0);
    o = tsig_verify_request(&server, the_key(), wire, len, l.tsig, now);
    must(o == (v.fudge_s < 100 ? TSIG_BADTIME : TSIG_OK));
    len = l.tsig;
    must(tsig_sign_response(&server, reply, &len, sizeof(reply), now) || len == l.tsig);
    wire[3] ^= 0x10; /* CD: the frame stays what it was, but not what was signed */
    len = l.tsig + tsig_octets(&v, tsig_alg_octets(TSIG_HMAC_SHA256));
    must(tsig_verify_request(&server, the_key(), wire, len, l.tsig, now) == TSIG_BADSIG);
    tsig_done(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(data, size);
    bool raw = size > 0 && read_u8(&r) % 2 == 0;

    if (size == 0)
        return 0;
    if (raw)
        verify_all_ways(data + 1, size - 1);
    else
        sign_and_verify(&r);
    return 0;
}
