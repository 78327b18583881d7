/* zonectl catalog list, show, approve. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static void add_count(struct table *t, const json_t *j, const char *key, enum tint tint)
{
    json_int_t n = json_integer_value(json_object_get(j, key));
    char *text = xasprintf("%lld", (long long)n);

    table_add(t, text, n ? tint : TINT_NONE);
    free(text);
}

int run_catalog_list(const struct call *c)
{
    static const char *const titles[] = {"CATALOG", "STATE",         "MEMBERS",   "ZONES",
                                         "REFUSED", "WAITING TO GO", "LAST ERROR"};
    struct table t = {.titles = titles, .columns = 7};
    struct reply r = {0};
    const json_t *k;
    size_t i;
    int code = verb_request(&r, c, "GET", xstrdup("/catalogs"), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r)) {
        json_array_foreach(r.json, i, k)
        {
            table_add(&t, verb_text(k, "name"), TINT_NONE);
            table_add(&t, verb_text(k, "state"),
                      strcmp(verb_text(k, "state"), "ok") == 0 ? TINT_GOOD : TINT_WARN);
            add_count(&t, k, "members", TINT_NONE);
            add_count(&t, k, "zones", TINT_NONE);
            add_count(&t, k, "refused", TINT_WARN);
            add_count(&t, k, "waiting_to_go", TINT_WARN);
            table_add(&t, verb_text(k, "last_error"), TINT_WARN);
        }
        table_print(&t, c->opt);
    }
    reply_free(&r);
    return code;
}

int run_catalog_show(const struct call *c)
{
    static const char *const titles[] = {"ZONE", "STATE", "WHY"};
    struct table t = {.titles = titles, .columns = 3};
    struct reply r = {0};
    const json_t *m;
    size_t i;
    int code = verb_request(&r, c, "GET", verb_path("catalogs", c->args[0], ""), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r)) {
        json_array_foreach(json_object_get(r.json, "members"), i, m)
        {
            table_add(&t, verb_text(m, "zone"), TINT_NONE);
            table_add(&t, verb_text(m, "state"),
                      strcmp(verb_text(m, "state"), "served") == 0 ? TINT_GOOD : TINT_WARN);
            table_add(&t, verb_text(m, "why"), TINT_WARN);
        }
        table_print(&t, c->opt);
    }
    reply_free(&r);
    return code;
}

int run_catalog_approve(const struct call *c)
{
    struct reply r = {0};
    int code = verb_request(&r, c, "POST", verb_path("catalogs", c->args[0], "/approve"), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r))
        (void)printf("%lld zones are removed; their history is kept.\n",
                     (long long)json_integer_value(json_object_get(r.json, "removed")));
    reply_free(&r);
    return code;
}
