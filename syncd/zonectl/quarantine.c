/* zonectl quarantine list, show, approve, reject; staged reject. */
#include <stdlib.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static void add_number(struct table *t, const json_t *v, enum tint tint)
{
    char *text =
        json_is_integer(v) ? xasprintf("%lld", (long long)json_integer_value(v)) : xstrdup("-");

    table_add(t, text, tint);
    free(text);
}

static void print_list(const struct call *c, const json_t *zones)
{
    static const char *const titles[] = {"ZONE",
                                         "STATE",
                                         "SERVED",
                                         "QUARANTINED",
                                         "SINCE",
                                         "SERVED AT MOST UNTIL",
                                         "SIGNATURES UNTIL",
                                         "WHY"};
    struct table t = {.titles = titles, .columns = 8};
    const json_t *z;
    size_t i;

    json_array_foreach(zones, i, z)
    {
        const json_t *q = json_object_get(z, "quarantine");
        bool rejected = json_is_true(json_object_get(q, "rejected"));

        table_add(&t, verb_text(z, "name"), TINT_NONE);
        table_add(&t, rejected ? "rejected" : verb_text(z, "state"),
                  rejected ? TINT_DIM : TINT_WARN);
        add_number(&t, json_object_get(z, "serial"), TINT_NONE);
        add_number(&t, json_object_get(z, "primary_serial"), TINT_NONE);
        table_add(&t, verb_text(q, "since"), TINT_DIM);
        table_add(&t, json_string_value(json_object_get(z, "expires_at")), TINT_DIM);
        table_add(&t, json_string_value(json_object_get(z, "signatures_until")), TINT_WARN);
        table_add(&t, verb_text(q, "reason"), TINT_WARN);
    }
    table_print(&t, c->opt);
}

int run_quarantine_list(const struct call *c)
{
    struct reply r = {0};
    int code = verb_request(&r, c, "GET", xstrdup("/quarantine"), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r)) {
        if (json_array_size(r.json))
            print_list(c, r.json);
        else
            (void)puts("No version is quarantined.");
    }
    reply_free(&r);
    return code;
}

int run_quarantine_show(const struct call *c)
{
    struct reply r = {0};
    char *path = verb_path("zones", c->args[0], "/export");
    int code;

    verb_query_add(&path, "version", "quarantined");
    code = verb_request(&r, c, "GET", path, NULL);
    if (code == EXIT_DONE)
        (void)fwrite(r.body.data, 1, r.body.len, stdout);
    reply_free(&r);
    return code;
}

int run_quarantine_approve(const struct call *c)
{
    struct reply r = {0};
    int code = verb_request(&r, c, "POST", verb_path("zones", c->args[0], "/quarantine/approve"),
                            verb_body(c));

    if (code == EXIT_DONE)
        verb_print_done(c, &r, "approved");
    reply_free(&r);
    return code;
}

static int reject(const struct call *c, const char *rest)
{
    struct reply r = {0};
    int code = verb_request(&r, c, "POST", verb_path("zones", c->args[0], rest), verb_body(c));

    if (code == EXIT_DONE && !verb_print_json(c, &r))
        (void)printf("%s: rejected; the old version stays until the primary has another one\n",
                     verb_text(json_object_get(r.json, "zone"), "name"));
    reply_free(&r);
    return code;
}

int run_quarantine_reject(const struct call *c)
{
    return reject(c, "/quarantine/reject");
}

int run_staged_reject(const struct call *c)
{
    return reject(c, "/staged/reject");
}
