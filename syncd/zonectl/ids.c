/* zonectl id: what zones have, in 40 digits. */
#include <stdlib.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static void add_text(struct table *t, char *text, enum tint tint)
{
    table_add(t, text, tint);
    free(text);
}

static long long count_of(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

static void add_row(struct table *t, const json_t *id)
{
    table_add(t, json_string_value(json_object_get(id, "zone")), TINT_NONE);
    add_text(t, xasprintf("%lld", count_of(id, "serial")), TINT_NONE);
    add_text(t, xasprintf("v%lld", count_of(id, "version")), TINT_NONE);
    table_add(t, json_string_value(json_object_get(id, "content_id")), TINT_NONE);
}

/* Adds what one path answers, an id or a list of them, to `all`. */
static int fetch(json_t *all, const struct call *c, char *path)
{
    struct reply r = {0};
    int code;

    verb_query_add(&path, "compute", c->opt->compute ? "true" : NULL);
    if ((code = verb_request(&r, c, "GET", path, NULL)) != EXIT_DONE)
        return code;
    if (json_is_array(r.json))
        (void)json_array_extend(all, r.json);
    else
        (void)json_array_append(all, r.json);
    reply_free(&r);
    return EXIT_DONE;
}

static void print_ids(const struct call *c, const json_t *all)
{
    static const char *const titles[] = {"ZONE", "SERIAL", "VERSION", "CONTENT ID"};
    struct table t = {.titles = titles, .columns = 4};
    const json_t *id;
    size_t i;

    json_array_foreach(all, i, id)
    {
        add_row(&t, id);
    }
    table_print(&t, c->opt);
}

int run_id(const struct call *c)
{
    json_t *all = json_array();
    int code = EXIT_DONE;

    if (c->arg_count == 0)
        code = fetch(all, c, xstrdup("/ids"));
    for (int i = 0; i < c->arg_count && code == EXIT_DONE; i++)
        code = fetch(all, c, verb_path("zones", c->args[i], "/id"));
    if (code == EXIT_DONE && c->opt->json) {
        (void)json_dumpf(all, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else if (code == EXIT_DONE) {
        print_ids(c, all);
    }
    json_decref(all);
    return code;
}
