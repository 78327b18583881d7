/* zonecheck ORIGIN FILE...: what the checks of a whole zone say, a line a file:
 *     zonemd RESULT: reason */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/zonefile.h"
#include "lib/zone/zone.h"
#include "lib/zone/zone_digest.h"

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

int main(int argc, char **argv)
{
    uint8_t origin[NAME_MAX_OCTETS];
    struct errinfo e = {{0}};

    if (argc < 3) {
        (void)fprintf(stderr, "usage: zonecheck ORIGIN FILE...\n");
        return 2;
    }
    must(name_from_text(origin, argv[1], strlen(argv[1]), NULL, &e), &e);
    for (int i = 2; i < argc; i++) {
        struct zone *z = zone_of_file(argv[i], origin);
        char reason[ZONE_DIGEST_REASON_MAX];
        enum zone_digest_result r = zone_digest_verify(z, reason);

        (void)printf("zonemd %s: %s\n", result_name(r), reason);
        zone_unref(z);
    }
    return 0;
}
