/* Any octets as a page: what page_parse accepts must be readable to its last record, be found by
 * every owner, and come out of a builder as the same zone.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/zone/catalog.h"
#include "lib/zone/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example\3org";

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct zone *rebuilt(const struct zone *z)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone_build_report report;
    struct zone_rr_iter it;
    struct zone *out = NULL;
    struct rr rr;

    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr))
        must(zone_builder_add(b, &rr, NULL) == OK);
    must(zone_builder_finish(&out, b, &report, NULL) == OK);
    must(report.duplicates == 0 && report.ttls_changed == 0);
    zone_builder_free(b);
    return out;
}

/* Whatever is in the zone: a list that finds its members, or none. */
static void check_catalog(const struct zone *z)
{
    struct catalog *c = NULL;
    struct catalog_member m, found;

    if (catalog_parse(&c, z, NULL) != OK)
        return;
    for (size_t i = 0; i < catalog_count(c); i++) {
        catalog_at(c, i, &m);
        must(catalog_find(c, m.zone, &found) && found.label == m.label);
    }
    catalog_free(c);
}

static void check_owners(const struct zone *z)
{
    struct zone_iter it;
    struct node node;
    struct node found;
    uint8_t owner[NAME_MAX_OCTETS];

    zone_iter_init(&it, z);
    while (zone_next(&it, &node)) {
        bool exact = false;

        (void)node_owner(owner, &node, apex);
        must(zone_find(z, owner, &found) && found.body == node.body);
        must(zone_find_le(z, owner, &found, &exact) && exact && found.body == node.body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct page *p = NULL;
    struct zone *z = NULL;
    struct zone *again;
    struct buf text = BUF_INIT;
    uint8_t a[32];
    uint8_t b[32];
    struct errinfo e;

    if (page_parse(&p, data, size, apex, &e))
        return 0;
    must(zone_from_pages(&z, apex, &p, 1, NULL) == OK);
    check_owners(z);
    check_catalog(z);
    again = rebuilt(z);
    must(zone_records(again) == zone_records(z));
    zone_sha256(a, z);
    zone_sha256(b, again);
    must(memcmp(a, b, sizeof(a)) == 0);
    zone_to_text(&text, z);
    must(zone_check(z, NULL) == zone_check(again, NULL));
    buf_free(&text);
    zone_unref(z);
    zone_unref(again);
    return 0;
}
