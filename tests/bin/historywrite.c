/* historywrite DIR ZONE RECORDS VERSIONS SECONDS: a data directory with a long history of one zone,
 * as syncd would have left it: store and journal, each version journaled, the change log pruned.
 *
 * Each version changes one address, those of h0000002, h0000003 ... in turn, and each RARE-th
 * version that of `rare` instead; each one but the first also changes a text at `busy`, which has
 * an address that nobody changes. Versions are SECONDS apart; the newest is made now.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "lib/base/mem.h"
#include "lib/store/store.h"

#define BATCH 512
#define RARE 1000
#define REPACK_BATCHES 64
#define LOG_BYTES (UINT64_C(4) << 20)

static void must(enum err rc, const struct errinfo *e)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "historywrite: %s: %s\n", err_name(rc), e->text);
    exit(1);
}

struct history {
    struct store *store;
    struct journal *journal;
    struct store_zone row;
    struct zone *now;
    uint32_t records;
    uint64_t versions;
    int64_t seconds, end;
    struct journal_oid tip;

    struct journal_entry entries[BATCH];
    struct changeset *changes[BATCH];
    struct zone *first;
    size_t n;
};

/* ---- Records ---- */

static void owner_of(uint8_t out[NAME_MAX_OCTETS], const char *label, const uint8_t *apex)
{
    size_t n = strlen(label);

    out[0] = (uint8_t)n;
    memcpy(out + 1, label, n);
    (void)name_copy(out + 1 + n, apex);
}

static struct rr rr_of(const uint8_t *owner, uint16_t type, const void *rdata, size_t len)
{
    return (struct rr){.owner = owner,
                       .rdata = rdata,
                       .rdata_len = (uint16_t)len,
                       .ttl = 3600,
                       .type = type,
                       .rclass = CLASS_IN};
}

static struct rr soa_of(const uint8_t *apex, uint8_t rdata[64], uint32_t serial)
{
    static const uint8_t names[] = "\2ns\7example\3net\0\4host\7example\3net";

    memcpy(rdata, names, sizeof(names));
    put_u32(rdata + sizeof(names), serial);
    for (size_t k = 1; k < 5; k++)
        put_u32(rdata + sizeof(names) + 4 * k, k == 3 ? 1209600 : 7200);
    return rr_of(apex, RR_SOA, rdata, sizeof(names) + 20);
}

static struct rr address_of(const uint8_t *owner, uint8_t rdata[4], uint64_t n)
{
    put_u32(rdata, 0x0a000000u + (uint32_t)(n & 0xffffff));
    return rr_of(owner, RR_A, rdata, 4);
}

static struct rr text_of(const uint8_t *owner, char rdata[32], uint64_t n)
{
    int len = snprintf(rdata + 1, 31, "%" PRIu64, n);

    rdata[0] = (char)len;
    return rr_of(owner, RR_TXT, rdata, (size_t)len + 1);
}

/* The host that version v changes; NULL: rare. */
static const char *host_of(char out[16], const struct history *h, uint64_t v)
{
    (void)snprintf(out, 16, "h%07u", (unsigned)(v % h->records));
    return v % RARE ? out : "rare";
}

/* The newest version up to v that changed what v changes, or 0. */
static uint64_t value_before(const struct history *h, uint64_t v)
{
    if (v % RARE == 0)
        return v > RARE ? v - RARE : 0;
    for (uint64_t w = v; w > h->records;) {
        w -= h->records;
        if (w % RARE && w > 1)
            return w;
    }
    return 0;
}

static struct zone *first_zone(const struct history *h)
{
    static const uint8_t ns[] = "\2ns\7example\3net";
    const uint8_t *apex = h->row.name;
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone_build_report report;
    uint8_t owner[NAME_MAX_OCTETS], rdata[64];
    struct errinfo e = {0};
    struct zone *z = NULL;
    char label[16];
    struct rr rr = soa_of(apex, rdata, 1);

    must(zone_builder_add(b, &rr, &e), &e);
    rr = rr_of(apex, RR_NS, ns, sizeof(ns));
    must(zone_builder_add(b, &rr, &e), &e);
    for (uint32_t i = 0; i < h->records + 2; i++) {
        (void)snprintf(label, sizeof(label), "h%07u", (unsigned)i);
        owner_of(owner, i < h->records ? label : i == h->records ? "rare" : "busy", apex);
        rr = address_of(owner, rdata, 0);
        must(zone_builder_add(b, &rr, &e), &e);
    }
    rr = text_of(owner, (char *)rdata, 1);
    must(zone_builder_add(b, &rr, &e), &e);
    must(zone_builder_finish(&z, b, &report, &e), &e);
    zone_builder_free(b);
    return z;
}

static struct changeset *change_of(const struct history *h, uint64_t v)
{
    const uint8_t *apex = h->row.name;
    struct changeset *cs = changeset_new(apex);
    uint8_t owner[NAME_MAX_OCTETS], busy[NAME_MAX_OCTETS], rdata[64];
    struct errinfo e = {0};
    char label[16];
    struct rr rr;

    owner_of(owner, host_of(label, h, v), apex);
    owner_of(busy, "busy", apex);
    for (unsigned add = 0; add < 2; add++) {
        enum err (*put)(struct changeset *, const struct rr *, struct errinfo *) =
            add ? changeset_add : changeset_remove;

        rr = soa_of(apex, rdata, (uint32_t)(add ? v : v - 1));
        must(put(cs, &rr, &e), &e);
        rr = address_of(owner, rdata, add ? v : value_before(h, v));
        must(put(cs, &rr, &e), &e);
        rr = text_of(busy, (char *)rdata, add ? v : v - 1);
        must(put(cs, &rr, &e), &e);
    }
    changeset_finish(cs);
    return cs;
}

/* ---- Versions ---- */

static const struct origin origin = {
    .kind = ORIGIN_IXFR, .who = "192.0.2.1@53", .source = "historywrite", .transport = "tcp"};

static void put_version(struct history *h, uint64_t v)
{
    struct zone *next = NULL;
    struct changeset *cs = v > 1 ? change_of(h, v) : NULL;
    struct wall at = {h->end - (int64_t)(h->versions - v) * h->seconds};
    struct journal_entry *en = &h->entries[h->n];
    struct errinfo e = {0};
    uint64_t seq = 0;

    if (cs)
        must(zone_apply(&next, h->now, cs, NULL, &e), &e);
    else
        next = h->first = first_zone(h);
    must(store_change_put(h->store, &h->row, h->now, next, cs, &origin, at, &seq, &e), &e);
    if (h->now != h->first)
        zone_unref(h->now);
    h->now = next;
    *en = (struct journal_entry){.zone = h->row.name,
                                 .parent = h->tip,
                                 .parent_entry = h->n ? (int)h->n - 1 : -1,
                                 .changes = cs,
                                 .content = cs ? NULL : next,
                                 .has_from = cs,
                                 .from = {(uint32_t)(v - 1)},
                                 .to = {(uint32_t)v},
                                 .seq = seq,
                                 .version = v,
                                 .added = cs ? cs->added.n : zone_records(next),
                                 .removed = cs ? cs->removed.n : 0,
                                 .at = at,
                                 .origin = origin_name(origin.kind),
                                 .who = origin.who,
                                 .source = origin.source,
                                 .key = "",
                                 .transport = origin.transport,
                                 .reason = ""};
    h->changes[h->n++] = cs;
}

static void put_batch(struct history *h)
{
    struct errinfo e = {0};
    uint64_t dropped = 0;

    must(journal_write(h->journal, h->entries, h->n, &e), &e);
    for (size_t i = 0; i < h->n; i++) {
        must(store_journaled_put(h->store, h->entries[i].seq, h->entries[i].commit.id,
                                 h->entries[i].content_id.id, &e),
             &e);
        changeset_free(h->changes[i]);
    }
    h->tip = h->entries[h->n - 1].commit;
    h->n = 0;
    must(store_prune(h->store, LOG_BYTES, &dropped, &e), &e);
    must(store_commit(h->store, &e), &e);
}

static void write_all(struct history *h)
{
    struct errinfo e = {0};
    unsigned batches = 0;

    for (uint64_t v = 1; v <= h->versions; v++) {
        if (h->n == 0)
            must(store_begin(h->store, &e), &e);
        put_version(h, v);
        if (h->n < BATCH && v < h->versions)
            continue;
        put_batch(h);
        if (++batches % REPACK_BATCHES == 0) {
            must(journal_repack(h->journal, &e), &e);
            (void)!store_checkpoint(h->store, &e);
        }
    }
    must(journal_repack(h->journal, &e), &e);
    must(journal_ref_set(h->journal, LINE_SERVED, h->row.name, &h->tip, &e), &e);
}

int main(int argc, char **argv)
{
    struct history *h = xcalloc(1, sizeof(*h));
    struct errinfo e = {0};
    char *path;

    if (argc != 6) {
        (void)fprintf(stderr, "usage: historywrite DIR ZONE RECORDS VERSIONS SECONDS\n");
        return 2;
    }
    h->records = (uint32_t)strtoul(argv[3], NULL, 10);
    h->versions = strtoull(argv[4], NULL, 10);
    h->seconds = (int64_t)strtoll(argv[5], NULL, 10);
    h->end = clock_wall(clock_real()).s;
    h->row.kind = ZONE_LOCAL;
    h->row.source = SOURCE_OPERATOR;
    must(name_from_text(h->row.name, argv[2], strlen(argv[2]), NULL, &e), &e);
    (void)name_fold(h->row.name, h->row.name);
    path = xasprintf("%s/journal.git", argv[1]);
    must(store_open_writer(&h->store, argv[1], &e), &e);
    must(journal_open(&h->journal, path, "historywrite", true, &e), &e);
    must(store_begin(h->store, &e), &e);
    must(store_zone_put(h->store, &h->row, &e), &e);
    must(store_commit(h->store, &e), &e);
    write_all(h);
    if (h->now != h->first)
        zone_unref(h->now);
    zone_unref(h->first);
    journal_close(h->journal);
    store_close(h->store);
    free(path);
    free(h);
    return 0;
}
