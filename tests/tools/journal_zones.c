#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

static _Noreturn void fail_now(const char *what)
{
    (void)fprintf(stderr, "zone of a test: %s\n", what);
    abort();
}

void line_set_add(struct line_set *s, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        fail_now("memory");
    va_end(ap);
    s->lines = xgrow(s->lines, &s->cap, s->n + 1, sizeof(*s->lines));
    s->lines[s->n++] = text;
}

void line_set_drop(struct line_set *s, size_t i)
{
    free(s->lines[i]);
    s->lines[i] = s->lines[--s->n];
}

void line_set_free(struct line_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->lines[i]);
    free(s->lines);
    *s = (struct line_set){0};
}

void line_set_soa(struct line_set *s, const char *apex, uint32_t serial)
{
    char *soa =
        xasprintf("%s 3600 IN SOA ns.%s host.%s %u 7200 3600 1209600 300", apex,
                  strcmp(apex, ".") == 0 ? "" : apex, strcmp(apex, ".") == 0 ? "" : apex, serial);

    if (s->n == 0) {
        line_set_add(s, "%s", soa);
        free(soa);
        return;
    }
    free(s->lines[0]);
    s->lines[0] = soa;
}

static void add_line(struct zone_builder *b, const char *line)
{
    char owner[NAME_TEXT_MAX] = "";
    char type[TYPE_TEXT_MAX] = "";
    uint8_t name[NAME_MAX_OCTETS];
    struct buf rdata = BUF_INIT;
    struct rr rr = {.owner = name, .rclass = CLASS_IN};
    struct errinfo e = {0};
    int at = 0;

    if (sscanf(line, "%1023s %u IN %15s %n", owner, &rr.ttl, type, &at) != 3 || at == 0 ||
        !type_from_text(&rr.type, type, strlen(type)))
        fail_now(line);
    name_of(name, owner);
    if (rdata_from_text(&rdata, rr.type, line + at, strlen(line + at), NULL, &e))
        fail_now(e.text);
    rr.rdata = rdata.data;
    rr.rdata_len = (uint16_t)rdata.len;
    if (zone_builder_add(b, &rr, &e))
        fail_now(e.text);
    buf_free(&rdata);
}

struct zone *zone_of_lines(const char *apex, const struct line_set *s)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct zone_build_report report;
    struct zone_builder *b;
    struct zone *z = NULL;
    struct errinfo e = {0};

    name_of(name, apex);
    b = zone_builder_new(name, NULL);
    for (size_t i = 0; i < s->n; i++)
        add_line(b, s->lines[i]);
    if (zone_builder_finish(&z, b, &report, &e))
        fail_now(e.text);
    zone_builder_free(b);
    return z;
}

struct journal_entry entry_of(const struct zone *z, uint64_t version)
{
    return (struct journal_entry){
        .zone = zone_apex(z),
        .parent_entry = -1,
        .content = z,
        .to = zone_serial(z),
        .seq = version,
        .version = version,
        .at = {INT64_C(1790000000) + (int64_t)version},
        .origin = "axfr",
        .who = "192.0.2.1@53",
        .source = "primary.example.",
        .key = "",
        .transport = "tcp",
        .reason = "",
    };
}
