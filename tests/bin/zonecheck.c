/* zonecheck [-s] [-t TIME] [-l LIFE] [-j THREADS] [-a ANCHOR] [-b BASE] ORIGIN FILE...
 *
 * What the checks of a whole zone say, two lines a file: "zonemd RESULT: reason", "dnssec RESULT:
 * reason". TIME in seconds since 1970 (now), LIFE in seconds (0), ANCHOR as "DS 1 13 2 00". With -s
 * the time that DNSSEC takes is printed too; with -b each file is looked at as a change of BASE, if
 * that is sound. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/dns/zonefile.h"
#include "lib/zone/zone.h"
#include "lib/zone/zone_digest.h"
#include "lib/zone/zone_dnssec.h"

static void must(enum err rc, const struct errinfo *e)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "zonecheck: %s\n", e->text);
    exit(2);
}

static enum err add(void *ctx, const struct rr *rr, struct errinfo *e)
{
    return zone_builder_add(ctx, rr, e);
}

static struct zone *zone_of_file(const char *path, const uint8_t *origin)
{
    struct zonefile_opts opts = {.origin = origin};
    struct zone_builder *b = zone_builder_new(origin, NULL);
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    must(zonefile_read_file(path, &opts, add, b, &e), &e);
    must(zone_builder_finish(&z, b, NULL, &e), &e);
    zone_builder_free(b);
    return z;
}

static const char *result_name(enum zone_digest_result r)
{
    static const char *const names[] = {
        [ZONE_DIGEST_NONE] = "none",
        [ZONE_DIGEST_OK] = "ok",
        [ZONE_DIGEST_MISMATCH] = "mismatch",
        [ZONE_DIGEST_SERIAL] = "serial",
        [ZONE_DIGEST_UNSUPPORTED] = "unsupported",
        [ZONE_DIGEST_DUPLICATES] = "duplicates",
    };

    return names[r];
}

static const char *dnssec_name(enum zone_dnssec_result r)
{
    static const char *const names[] = {
        [ZONE_DNSSEC_UNSIGNED] = "unsigned",
        [ZONE_DNSSEC_OK] = "ok",
        [ZONE_DNSSEC_BOGUS] = "bogus",
        [ZONE_DNSSEC_UNCHECKED] = "unchecked",
    };

    return names[r];
}

struct options {
    struct zone_dnssec_spec spec;
    struct zone_dnssec_anchor anchor;
    struct buf anchor_rdata;
    const char *base;
    bool timed;
};

static void take_anchor(struct options *o, const char *text)
{
    size_t n = strcspn(text, " ");
    struct errinfo e = {{0}};

    if (!type_from_text(&o->anchor.type, text, n)) {
        (void)fprintf(stderr, "zonecheck: '%s' is no anchor\n", text);
        exit(2);
    }
    must(rdata_from_text(&o->anchor_rdata, o->anchor.type, text + n, strlen(text + n),
                         (const uint8_t *)"", &e),
         &e);
    o->anchor.rdata = o->anchor_rdata.data;
    o->anchor.len = (uint16_t)o->anchor_rdata.len;
    o->spec.anchors = &o->anchor;
    o->spec.anchor_count = 1;
}

static int take_options(struct options *o, int argc, char **argv)
{
    int c;

    o->spec.now = clock_wall(clock_real());
    o->spec.threads = 1;
    while ((c = getopt(argc, argv, "t:l:j:a:b:s")) != -1) {
        if (c == 't')
            o->spec.now.s = strtoll(optarg, NULL, 10);
        else if (c == 'l')
            o->spec.life_s = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'j')
            o->spec.threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'a')
            take_anchor(o, optarg);
        else if (c == 'b')
            o->base = optarg;
        else if (c == 's')
            o->timed = true;
        else
            return -1;
    }
    return argc - optind < 2 ? -1 : optind;
}

static void check_file(const struct options *o, const char *path, const uint8_t *origin)
{
    struct zone *z = zone_of_file(path, origin);
    char reason[ZONE_DIGEST_REASON_MAX];
    enum zone_digest_result r = zone_digest_verify(z, reason);
    struct zone *base = o->base ? zone_of_file(o->base, origin) : NULL;
    struct changeset *cs = NULL;
    struct errinfo e = {{0}};
    struct zone_dnssec_report report = {.result = ZONE_DNSSEC_BOGUS};
    struct wall until;
    uint64_t started;

    (void)printf("zonemd %s: %s\n", result_name(r), reason);
    if (base) {
        zone_dnssec_check(&report, base, &o->spec);
        must(zone_diff(&cs, base, z, &e), &e);
    }
    until = report.until;
    started = clock_mono_ns(clock_real());
    if (base && report.result == ZONE_DNSSEC_OK)
        zone_dnssec_check_change(&report, base, until, z, cs, &o->spec);
    else
        zone_dnssec_check(&report, z, &o->spec);
    (void)printf("dnssec %s: %s\n", dnssec_name(report.result), report.reason);
    if (o->timed)
        (void)printf("records %llu us %llu%s\n", (unsigned long long)zone_records(z),
                     (unsigned long long)((clock_mono_ns(clock_real()) - started) / 1000),
                     report.whole ? "" : ", by the changes");
    changeset_free(cs);
    zone_unref(base);
    zone_unref(z);
}

int main(int argc, char **argv)
{
    struct options o = {.timed = false};
    int at = take_options(&o, argc, argv);
    uint8_t origin[NAME_MAX_OCTETS];
    struct errinfo e = {{0}};

    if (at < 0) {
        (void)fprintf(stderr, "usage: zonecheck [-s] [-b BASE] [-t TIME] [-l LIFE] [-j THREADS] "
                              "[-a \"DS|DNSKEY RDATA\"] ORIGIN FILE...\n");
        return 2;
    }
    must(name_from_text(origin, argv[at], strlen(argv[at]), NULL, &e), &e);
    for (int i = at + 1; i < argc; i++)
        check_file(&o, argv[i], origin);
    buf_free(&o.anchor_rdata);
    return 0;
}
