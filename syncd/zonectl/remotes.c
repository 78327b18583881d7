/* zonectl journal remotes, journal push; and what status says of remotes. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static long long count_of(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

static enum tint state_tint(const char *state)
{
    if (strcmp(state, "ok") == 0)
        return TINT_GOOD;
    return strcmp(state, "starting") == 0 ? TINT_DIM : TINT_BAD;
}

static void add_text(struct table *t, char *text, enum tint tint)
{
    table_add(t, text, tint);
    free(text);
}

static void add_row(struct table *t, const json_t *m)
{
    long long backlog = count_of(m, "backlog");
    const char *state = verb_text(m, "state");
    bool pushing = json_is_true(json_object_get(m, "pushing"));

    table_add(t, verb_text(m, "name"), TINT_NONE);
    add_text(t, xasprintf("%s%s", state, pushing ? ", pushing" : ""), state_tint(state));
    add_text(t, xasprintf("%lld", backlog), backlog ? TINT_WARN : TINT_NONE);
    add_text(t, xasprintf("%lld s", count_of(m, "lag_s")), TINT_NONE);
    table_add(t, json_string_value(json_object_get(m, "last_push")), TINT_DIM);
    add_text(t, xasprintf("%lld (%lld failed)", count_of(m, "pushes"), count_of(m, "failures")),
             TINT_NONE);
    table_add(t, verb_text(m, "url"), TINT_NONE);
    table_add(t, verb_text(m, "error"), TINT_WARN);
}

static void print_remotes(const struct call *c, const json_t *list)
{
    static const char *const titles[] = {"REMOTE",    "STATE",  "BACKLOG", "LAG",
                                         "LAST PUSH", "PUSHES", "URL",     "ERROR"};
    struct table t = {.titles = titles, .columns = 8};
    const json_t *m;
    size_t i;

    json_array_foreach(list, i, m)
    {
        add_row(&t, m);
    }
    table_print(&t, c->opt);
}

static int show(const struct call *c, struct reply *r, int code)
{
    if (code == EXIT_DONE && !verb_print_json(c, r))
        print_remotes(c, r->json);
    reply_free(r);
    return code;
}

int run_journal_remotes(const struct call *c)
{
    struct reply r = {0};

    return show(c, &r, verb_request(&r, c, "GET", xstrdup("/remotes"), NULL));
}

int run_journal_push(const struct call *c)
{
    struct reply r = {0};
    json_t *body = c->arg_count ? json_pack("{s:s}", "remote", c->args[0]) : json_object();

    return show(c, &r, verb_request(&r, c, "POST", xstrdup("/remotes/push"), body));
}

void print_remotes_short(const struct call *c, const json_t *list)
{
    const json_t *m;
    size_t i;

    json_array_foreach(list, i, m)
    {
        const char *state = verb_text(m, "state");

        (void)printf("%-14s %s: ", i ? "" : "remotes", verb_text(m, "name"));
        print_tinted(c->opt, state_tint(state), state);
        (void)printf(", %lld behind", count_of(m, "backlog"));
        if (count_of(m, "lag_s"))
            (void)printf(" for %lld s", count_of(m, "lag_s"));
        if (verb_text(m, "error")[0]) {
            (void)fputs(": ", stdout);
            print_safe(stdout, verb_text(m, "error"));
        }
        (void)fputs("\n", stdout);
    }
}
