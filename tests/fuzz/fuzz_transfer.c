/* Any octets as the messages of a transfer: first octet even AXFR, odd IXFR from serial 10; then
 * messages, each behind its length as on TCP. What is taken as complete must make a zone or apply.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/dns/message_build.h"
#include "syncd/xfrin_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example\3org";

static void use(struct xfrin_stream *s)
{
    struct zone_builder *b = xfrin_stream_take(s);
    struct ixfr *x = xfrin_stream_take_ixfr(s);
    struct changeset *const *changes;
    struct zone *z = NULL;
    size_t n;

    if (b && zone_builder_finish(&z, b, NULL, NULL) == OK && zone_check(z, NULL) != OK) {
        zone_unref(z);
        z = NULL;
    }
    for (size_t i = 0; x && (changes = ixfr_changes(x, &n)) && i < n; i++) {
        struct zone *next = NULL;

        if (zone_apply(&next, z, changes[i], NULL, NULL) == OK) {
            zone_unref(z);
            z = next;
        }
    }
    zone_unref(z);
    zone_builder_free(b);
    ixfr_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zone_limits limits = {.max_bytes = 1 << 20, .max_records = 10000};
    struct serial have = {10};
    bool increments = size > 0 && data[0] & 1;
    uint8_t query[512];
    struct msg_query_spec q = {
        .qname = apex, .qtype = increments ? RR_IXFR : RR_AXFR, .id = 0x1234};
    size_t len = msg_build_query(query, sizeof(query), &q);
    struct xfrin_stream *s =
        xfrin_stream_new(apex, query, len, NULL, &limits, increments ? &have : NULL);
    enum xfrin_step step = XFRIN_MORE;
    struct reader r = reader_of(data, size);

    (void)read_u8(&r);
    while (step == XFRIN_MORE) {
        size_t n = read_u16(&r);
        const uint8_t *wire = read_bytes(&r, n);

        if (!wire)
            break;
        step = xfrin_stream_feed(s, wire, n, (struct wall){1700000000}, NULL);
    }
    if (step == XFRIN_DONE)
        use(s);
    xfrin_stream_free(s);
    return 0;
}
