/* zonectl log, blame. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static void add_number(struct table *t, const json_t *j, const char *key, enum tint tint)
{
    const json_t *v = json_object_get(j, key);
    char *text =
        json_is_integer(v) ? xasprintf("%lld", (long long)json_integer_value(v)) : xstrdup("-");

    table_add(t, text, tint);
    free(text);
}

static void print_versions(const struct call *c, const json_t *versions, bool with_zone)
{
    static const char *const titles[] = {"ZONE",   "VERSION", "SERIAL", "WHEN", "CHANGE",
                                         "ORIGIN", "WHO",     "COMMIT", "NOTE"};
    struct table t = {.titles = with_zone ? titles : titles + 1, .columns = with_zone ? 9 : 8};
    const json_t *v;
    size_t i;

    json_array_foreach(versions, i, v)
    {
        bool current = json_is_true(json_object_get(v, "current"));
        bool waiting = json_is_true(json_object_get(v, "waiting"));
        bool lost;
        bool thinned = json_is_true(json_object_get(v, "thinned"));
        char *text =
            xasprintf("v%lld", (long long)json_integer_value(json_object_get(v, "version")));

        if (with_zone)
            table_add(&t, verb_text(v, "zone"), TINT_NONE);
        table_add(&t, text, current ? TINT_BOLD : TINT_NONE);
        free(text);
        add_number(&t, v, "serial", current ? TINT_BOLD : TINT_NONE);
        table_add(&t, verb_text(v, "at"), TINT_DIM);
        text = xasprintf("+%lld -%lld", (long long)json_integer_value(json_object_get(v, "added")),
                         (long long)json_integer_value(json_object_get(v, "removed")));
        table_add(&t, text, TINT_NONE);
        free(text);
        table_add(&t, verb_text(v, "origin"),
                  strcmp(verb_text(v, "origin"), "rollback") == 0 ? TINT_WARN : TINT_NONE);
        table_add(&t, verb_text(v, "who"), TINT_NONE);
        text = xasprintf("%.10s", verb_text(v, "commit"));
        table_add(&t, text, TINT_DIM);
        free(text);
        lost = json_is_true(json_object_get(v, "lost"));
        text = xasprintf("%s%s%s%s",
                         current   ? "served"
                         : waiting ? "waiting"
                         : thinned ? "thinned"
                                   : "",
                         lost ? (current || waiting ? ", lost" : "lost") : "",
                         (current || waiting || lost || thinned) && *verb_text(v, "reason") ? ", "
                                                                                            : "",
                         verb_text(v, "reason"));
        table_add(&t, text, lost ? TINT_BAD : current ? TINT_GOOD : TINT_NONE);
        free(text);
    }
    table_print(&t, c->opt);
}

static void print_actions(const struct call *c, const json_t *actions)
{
    static const char *const titles[] = {"WHEN", "WHO",     "ACTION", "ZONE",
                                         "WITH", "VERSION", "REASON"};
    struct table t = {.titles = titles, .columns = 7};
    const json_t *a;
    size_t i;

    json_array_foreach(actions, i, a)
    {
        table_add(&t, verb_text(a, "at"), TINT_DIM);
        table_add(&t, verb_text(a, "who"), TINT_NONE);
        table_add(&t, verb_text(a, "action"), TINT_NONE);
        table_add(&t, verb_text(a, "zone"), TINT_NONE);
        table_add(&t, verb_text(a, "detail"), TINT_NONE);
        add_number(&t, a, "version", TINT_NONE);
        table_add(&t, verb_text(a, "reason"), TINT_NONE);
    }
    table_print(&t, c->opt);
}

static int run_actions(const struct call *c)
{
    const struct options *o = c->opt;
    struct reply r = {0};
    char *path = xstrdup("/actions");
    int code;

    verb_query_add(&path, "zone", c->arg_count > 0 ? c->args[0] : NULL);
    verb_query_add(&path, "action", o->action);
    verb_query_add(&path, "limit", o->limit);
    verb_query_add(&path, "before", o->before);
    verb_query_add(&path, "since", o->since);
    verb_query_add(&path, "until", o->until);
    verb_query_add(&path, "user", o->user);
    code = verb_request(&r, c, "GET", path, NULL);
    if (code == EXIT_DONE && !verb_print_json(c, &r))
        print_actions(c, r.json);
    reply_free(&r);
    return code;
}

int run_log(const struct call *c)
{
    const struct options *o = c->opt;
    bool one = c->arg_count > 0;
    struct reply r = {0};
    char *path;
    int code;

    if (o->actions)
        return run_actions(c);
    path = one ? verb_path("zones", c->args[0], "/log") : xstrdup("/log");
    if (one && o->account) {
        (void)fputs("zonectl: --account goes without a zone\n", stderr);
        free(path);
        return EXIT_USAGE;
    }
    verb_query_add(&path, "limit", o->limit);
    verb_query_add(&path, "before", o->before);
    verb_query_add(&path, "since", o->since);
    verb_query_add(&path, "until", o->until);
    verb_query_add(&path, "origin", o->origin);
    verb_query_add(&path, "key", o->key);
    verb_query_add(&path, "user", o->user);
    verb_query_add(&path, "account", o->account);
    verb_query_add(&path, "name", o->name);
    verb_query_add(&path, "type", o->type);
    code = verb_request(&r, c, "GET", path, NULL);
    if (code == EXIT_DONE && !verb_print_json(c, &r))
        print_versions(c, r.json, !one);
    reply_free(&r);
    return code;
}

static void add_version(struct table *t, const json_t *v)
{
    char *text =
        json_is_object(v)
            ? xasprintf("v%lld", (long long)json_integer_value(json_object_get(v, "version")))
            : NULL;

    table_add(t, text, TINT_NONE);
    free(text);
}

/* It may have come with one of those that were thinned before that version. */
static void add_since(struct table *t, const json_t *line)
{
    long long since =
        (long long)json_integer_value(json_object_get(json_object_get(line, "since"), "version"));
    long long before =
        (long long)json_integer_value(json_object_get(json_object_get(line, "before"), "version"));
    char *text;

    if (!json_is_true(json_object_get(line, "thinned"))) {
        add_version(t, json_object_get(line, "since"));
        return;
    }
    text = xasprintf("v%lld..v%lld", before + 1, since);
    table_add(t, text, TINT_NONE);
    free(text);
}

static void print_blame(const struct call *c, const json_t *lines)
{
    static const char *const titles[] = {"RECORD", "SINCE", "SERIAL", "WHEN",
                                         "ORIGIN", "WHO",   "BEFORE", "REASON"};
    struct table t = {.titles = titles, .columns = 8};
    const json_t *l;
    size_t i;

    json_array_foreach(lines, i, l)
    {
        const json_t *since = json_object_get(l, "since");

        table_add(&t, verb_text(l, "record"), TINT_NONE);
        add_since(&t, l);
        add_number(&t, since, "serial", TINT_NONE);
        table_add(&t, verb_text(since, "at"), TINT_DIM);
        table_add(&t, verb_text(since, "origin"), TINT_NONE);
        table_add(&t, verb_text(since, "who"), TINT_NONE);
        add_version(&t, json_object_get(l, "before"));
        table_add(&t, verb_text(since, "reason"), TINT_NONE);
    }
    table_print(&t, c->opt);
}

int run_blame(const struct call *c)
{
    struct reply r = {0};
    char *path = verb_path("zones", c->args[0], "/blame");
    int code;

    verb_query_add(&path, "name", c->arg_count > 1 ? c->args[1] : NULL);
    verb_query_add(&path, "type", c->arg_count > 2 ? c->args[2] : NULL);
    code = verb_request(&r, c, "GET", path, NULL);
    if (code == EXIT_DONE && !verb_print_json(c, &r))
        print_blame(c, r.json);
    reply_free(&r);
    return code;
}
