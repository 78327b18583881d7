/* zonectl primary list. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static json_int_t count_of(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

/* "12", "12 (3 failed)", or "12 (3 failed, 2 fell back)": those whose increments were of no use */
static void add_counts(struct table *t, const json_t *p, const char *all, const char *bad,
                       const char *worse)
{
    json_int_t n = count_of(p, all), failed = count_of(p, bad), back = count_of(p, worse);
    char *text;

    if (back)
        text = xasprintf("%lld (%lld failed, %lld fell back)", (long long)n, (long long)failed,
                         (long long)back);
    else if (failed)
        text = xasprintf("%lld (%lld failed)", (long long)n, (long long)failed);
    else
        text = xasprintf("%lld", (long long)n);
    table_add(t, text, failed ? TINT_WARN : TINT_NONE);
    free(text);
}

static void add_row(struct table *t, const json_t *p)
{
    char *zones = xasprintf("%lld", (long long)count_of(p, "zones"));
    char *ms = xasprintf("%lld", (long long)count_of(p, "last_ms"));
    const char *state = verb_text(p, "state");

    table_add(t, verb_text(p, "name"), TINT_NONE);
    table_add(t, verb_text(p, "address"), TINT_NONE);
    table_add(t, verb_text(p, "transport"), TINT_NONE);
    table_add(t, state,
              strcmp(state, "ok") == 0        ? TINT_GOOD
              : strcmp(state, "failing") == 0 ? TINT_BAD
                                              : TINT_DIM);
    table_add(t, zones, TINT_NONE);
    add_counts(t, p, "probes", "probes_failed", "");
    add_counts(t, p, "transfers", "transfers_failed", "fallbacks");
    table_add(t, ms, TINT_NONE);
    table_add(t, verb_text(p, "last_answer"), TINT_DIM);
    table_add(t, verb_text(p, "failing_since"), TINT_BAD);
    table_add(t, verb_text(p, "last_error"), TINT_WARN);
    free(zones);
    free(ms);
}

int run_primary_list(const struct call *c)
{
    static const char *const titles[] = {"PRIMARY",     "ADDRESS",       "BY",        "STATE",
                                         "ZONES",       "PROBES",        "TRANSFERS", "MS",
                                         "LAST ANSWER", "FAILING SINCE", "LAST ERROR"};
    struct table t = {.titles = titles, .columns = 11};
    struct reply r = {0};
    const json_t *p;
    size_t i;
    int code = verb_request(&r, c, "GET", xstrdup("/primaries"), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r)) {
        json_array_foreach(r.json, i, p)
        {
            add_row(&t, p);
        }
        table_print(&t, c->opt);
    }
    reply_free(&r);
    return code;
}
