/* DNSSEC of whatever comes. The first octet says what the rest is.
 *
 *   even   u16 length and a DNSKEY's RDATA, the same for an RRSIG's, an owner as text to its NUL,
 * and records of the type covered, each with a u16 length: no signature by chance is right odd    a
 * zone file, or two with a line "----" between. A second one that comes from a first which is sound
 * must get the same verdict by its changes as by a look at all of it; in one thread or three */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/dnssec.h"
#include "lib/dns/zonefile.h"
#include "lib/zone/zone_dnssec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example\4test";
static const struct wall now = {1790100000};

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- One signature ---- */

static const uint8_t *take(struct reader *r, size_t *len)
{
    *len = read_u16(r);
    return read_bytes(r, *len);
}

static bool are_records(uint16_t type, struct reader r)
{
    while (reader_left(&r) > 0) {
        size_t len;
        const uint8_t *rdata = take(&r, &len);

        if (!rdata || rdata_check(type, rdata, len, NULL) != OK)
            return false;
    }
    return true;
}

static void one_signature(struct reader *r)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct dnssec_verifier v;
    struct dnskey k = {.key = NULL};
    struct rrsig sig;
    size_t key_len, sig_len, text_len = 0;
    const uint8_t *key = take(r, &key_len), *rrsig = take(r, &sig_len);
    const uint8_t *text = r->failed ? NULL : r->msg + r->pos;

    while (text && reader_left(r) > 0 && read_u8(r) != 0)
        text_len++;
    if (r->failed || !dnskey_read(&k, key, key_len))
        return;
    dnssec_verifier_init(&v);
    if (rrsig_read(&sig, rrsig, sig_len) && are_records(sig.covered, *r) &&
        name_from_text(owner, (const char *)text, text_len, apex, NULL) == OK) {
        size_t len = reader_left(r);
        const uint8_t *rdatas = read_bytes(r, len);
        bool fits = dnssec_verify(&v, &k, &sig, owner, rdatas, len);

        must(!fits || (k.key && k.algorithm == sig.algorithm && sig.labels <= name_labels(owner)));
    }
    dnssec_verifier_done(&v);
    dnskey_done(&k);
}

/* ---- Zones ---- */

static enum err add(void *ctx, const struct rr *rr, struct errinfo *e)
{
    return zone_builder_add(ctx, rr, e);
}

static struct zone *zone_of_text(const uint8_t *text, size_t len)
{
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zonefile_opts opts = {.origin = apex, .max_records = 2000, .generate_max = 50};
    struct zone *z = NULL;

    if (zonefile_read_mem(text, len, &opts, add, b, NULL) == OK &&
        (zone_builder_finish(&z, b, NULL, NULL) != OK || zone_check(z, NULL) != OK)) {
        zone_unref(z);
        z = NULL;
    }
    zone_builder_free(b);
    return z;
}

static struct zone_dnssec_report whole(const struct zone *z, unsigned threads)
{
    struct zone_dnssec_spec spec = {.now = now, .threads = threads};
    struct zone_dnssec_report r;

    zone_dnssec_check(&r, z, &spec);
    return r;
}

static void changes(const struct zone *was, struct wall until, const struct zone *is)
{
    struct zone_dnssec_spec spec = {.now = now, .threads = 1};
    struct zone_dnssec_report part, all = whole(is, 3);
    struct changeset *cs = NULL;

    must(zone_diff(&cs, was, is, NULL) == OK);
    zone_dnssec_check_change(&part, was, until, is, cs, &spec);
    must(part.result == all.result && part.faults == all.faults);
    must(part.result != ZONE_DNSSEC_OK || part.until.s <= all.until.s);
    changeset_free(cs);
}

static void zones(const uint8_t *data, size_t size)
{
    const uint8_t *line = memmem(data, size, "\n----\n", 6);
    size_t len = line ? (size_t)(line - data) + 1 : size;
    struct zone *was = zone_of_text(data, len), *is = NULL;
    struct zone_dnssec_report r;

    if (!was)
        return;
    r = whole(was, 1);
    must((r.faults > 0) == (r.result == ZONE_DNSSEC_BOGUS));
    if (line && r.result == ZONE_DNSSEC_OK)
        is = zone_of_text(line + 6, size - len - 5);
    if (is)
        changes(was, r.until, is);
    zone_unref(was);
    zone_unref(is);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(data, size);
    bool signature = size > 0 && read_u8(&r) % 2 == 0;

    if (size == 0)
        return 0;
    if (signature)
        one_signature(&r);
    else
        zones(data + 1, size - 1);
    return 0;
}
