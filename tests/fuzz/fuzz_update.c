/* Any octets as an UPDATE of a small zone: whatever comes of it, what would be served passes
 * zone_check, leads from the zone by its change set, and has a newer serial.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "syncd/update.h"
#include "tests/tools/answer_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *zone;

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Everything but one name. */
static bool may(void *ctx, const uint8_t *owner, uint16_t type)
{
    (void)ctx;
    (void)type;
    return !name_eq(owner, (const uint8_t *)"\6locked\7example");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zone_limits limits = {.max_rrset = 50, .max_types = 10};
    struct update_result r;

    if (!zone)
        zone = text_zone("example.", "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\n@ NS ns2\n"
                                     "ns1 A 192.0.2.1\nns2 A 192.0.2.2\nwww A 192.0.2.3\n"
                                     "www A 192.0.2.4\nwww TXT x\nalias CNAME www\nd DNAME other.\n"
                                     "sub NS ns.sub\nns.sub A 192.0.2.5\na.b.c MX 1 www\n"
                                     "locked A 192.0.2.6\n");
    update_apply(&r, zone, data, size, &limits, may, NULL);
    must(r.rcode == RCODE_NOERROR || (!r.next && r.error.text[0]));
    must(!r.next == !r.changes);
    if (r.next) {
        struct zone *again = NULL;

        must(zone_check(r.next, NULL) == OK);
        must(serial_cmp(zone_serial(r.next), zone_serial(zone)) == SERIAL_NEWER);
        must(zone_apply(&again, zone, r.changes, &limits, NULL) == OK);
        zone_unref(again);
    }
    update_result_done(&r);
    return 0;
}
