#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/dns/zonefile.h"
#include "lib/zone/zone.h"
#include "syncd/zonectl/zonectl.h"

#define TEXT_MAX ((uint64_t)1 << 31) /* what syncd takes */

static bool read_file(struct buf *out, const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t n;

    if (!f) {
        (void)fprintf(stderr, "zonectl: %s: %s\n", path, strerror(errno));
        return false;
    }
    do {
        buf_reserve(out, 65536);
        n = fread(out->data + out->len, 1, 65536, f);
        out->len += n;
    } while (n > 0);
    n = (size_t)ferror(f);
    if (f != stdin)
        (void)fclose(f);
    if (n)
        (void)fprintf(stderr, "zonectl: %s: cannot be read\n", path);
    return n == 0;
}

/* In a comment or a string too, which does no harm. */
static bool has_include(struct buf *text)
{
    const char *end = buf_cstr(text) + text->len;

    for (const char *p = buf_cstr(text); (p = memchr(p, '$', (size_t)(end - p))); p++) {
        if (strncasecmp(p, "$INCLUDE", 8) == 0)
            return true;
    }
    return false;
}

struct gather {
    struct zone_builder *checks; /* what only names and types tell, so that the line is named */
    struct buf *out;
};

static enum err on_record(void *ctx, const struct rr *rr, struct errinfo *e)
{
    struct gather *g = ctx;
    enum err rc = zone_builder_add(g->checks, rr, e);

    if (rc == OK)
        zonefile_write_rr(g->out, rr, NULL);
    return rc;
}

static enum err flatten(struct buf *out, const struct buf *text, const char *zone, const char *path,
                        struct errinfo *e)
{
    uint8_t apex[NAME_MAX_OCTETS];
    char *copy = xstrdup(path);
    struct zonefile_opts opts = {.origin = apex,
                                 .path = path,
                                 .allow_include = true,
                                 .include_root = strcmp(path, "-") == 0 ? "." : dirname(copy),
                                 .max_bytes = TEXT_MAX};
    struct gather g = {.out = out};
    enum err rc = name_from_text(apex, zone, strlen(zone), NULL, e);

    if (rc == OK) {
        g.checks = zone_builder_new(apex, NULL);
        rc = zonefile_read_mem(text->data, text->len, &opts, on_record, &g, e);
        zone_builder_free(g.checks);
    }
    free(copy);
    return rc;
}

bool zonefile_gather(struct buf *out, const char *zone, const char *path)
{
    struct buf flat = BUF_INIT;
    struct errinfo e = {{0}};

    if (!read_file(out, path))
        return false;
    if (!has_include(out))
        return true;
    if (flatten(&flat, out, zone, path, &e) != OK) {
        (void)fputs("zonectl: ", stderr);
        print_safe(stderr, e.text);
        (void)fputc('\n', stderr);
        buf_free(&flat);
        return false;
    }
    buf_free(out);
    *out = flat;
    return true;
}
