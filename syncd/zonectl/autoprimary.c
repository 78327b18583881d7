/* Who may bring zones: add, list, remove, and why one would be refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static bool put_number(json_t *body, const char *name, const char *option, const char *text)
{
    char *end = NULL;
    long long n;

    if (!text)
        return true;
    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno || end == text || *end) {
        (void)fprintf(stderr, "zonectl: %s: '", option);
        print_safe(stderr, text);
        (void)fputs("' is no number\n", stderr);
        return false;
    }
    (void)json_object_set_new(body, name, json_integer(n));
    return true;
}

int run_autoprimary_add(const struct call *c)
{
    const struct options *o = c->opt;
    json_t *body = json_pack("{s:s, s:s, s:s}", "ip", c->args[0], "nameserver", c->args[1],
                             "account", o->account ? o->account : "");
    struct reply r;
    int code;

    if (!body || !put_number(body, "zones_max", "--zones-max", o->zones_max) ||
        !put_number(body, "zones_per_hour", "--zones-per-hour", o->zones_per_hour)) {
        json_decref(body);
        return EXIT_USAGE;
    }
    if (o->key)
        (void)json_object_set_new(body, "key", json_string(o->key));
    if (o->suffix_count) {
        json_t *list = json_array();

        for (size_t i = 0; i < o->suffix_count; i++)
            (void)json_array_append_new(list, json_string(o->suffixes[i]));
        (void)json_object_set_new(body, "suffixes", list);
    }
    code = verb_request(&r, c, "POST", xstrdup("/autoprimaries"), body);
    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r))
        (void)printf("%s may bring zones that name %s%s\n", verb_text(r.json, "ip"),
                     verb_text(r.json, "nameserver"),
                     o->key ? "" : "; no key is asked for, its address alone decides");
    reply_free(&r);
    return EXIT_DONE;
}

int run_autoprimary_remove(const struct call *c)
{
    struct buf path = BUF_INIT;
    struct reply r;
    int code;

    buf_str(&path, "/autoprimaries/");
    client_escape(&path, c->args[0]);
    buf_str(&path, "/");
    client_escape(&path, c->args[1]);
    (void)buf_cstr(&path);
    code = verb_request(&r, c, "DELETE", (char *)path.data, NULL);
    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r))
        (void)printf("%s brings no zones any more; it stays a primary of those that it brought\n",
                     c->args[0]);
    reply_free(&r);
    return EXIT_DONE;
}

static void add_limits(struct table *t, const json_t *a)
{
    char *text =
        xasprintf("%lld of %lld", (long long)json_integer_value(json_object_get(a, "zones")),
                  (long long)json_integer_value(json_object_get(a, "zones_max")));

    table_add(t, text, TINT_NONE);
    free(text);
    text = xasprintf("%lld of %lld",
                     (long long)json_integer_value(json_object_get(a, "zones_in_hour")),
                     (long long)json_integer_value(json_object_get(a, "zones_per_hour")));
    table_add(t, text, TINT_NONE);
    free(text);
}

static void add_suffixes(struct table *t, const json_t *a)
{
    struct buf text = BUF_INIT;
    const json_t *j;
    size_t i;

    json_array_foreach(json_object_get(a, "suffixes"), i, j)
    {
        buf_str(&text, i ? " " : "");
        buf_str(&text, json_string_value(j));
    }
    table_add(t, text.len ? buf_cstr(&text) : "any", TINT_NONE);
    buf_free(&text);
}

int run_autoprimary_list(const struct call *c)
{
    static const char *const titles[] = {"ADDRESS", "NAMESERVER", "ACCOUNT",      "KEY",
                                         "SOURCE",  "ZONES",      "IN THIS HOUR", "SUFFIXES"};
    struct table t = {.titles = titles, .columns = 8};
    struct reply r;
    int code = verb_request(&r, c, "GET", xstrdup("/autoprimaries"), NULL);
    const json_t *a;
    size_t i;

    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r)) {
        json_array_foreach(r.json, i, a)
        {
            bool has_key = json_is_string(json_object_get(a, "key"));

            table_add(&t, verb_text(a, "ip"), TINT_NONE);
            table_add(&t, verb_text(a, "nameserver"), TINT_NONE);
            table_add(&t, verb_text(a, "account"), TINT_NONE);
            table_add(&t, has_key ? verb_text(a, "key") : "none", has_key ? TINT_NONE : TINT_WARN);
            table_add(&t, verb_text(a, "source"), TINT_NONE);
            add_limits(&t, a);
            add_suffixes(&t, a);
        }
        table_print(&t, c->opt);
    }
    reply_free(&r);
    return EXIT_DONE;
}

static int print_why(const struct call *c, const struct reply *r)
{
    static const char *const titles[] = {"RULE", "WHAT", "RESULT", "WHY"};
    struct table t = {.titles = titles, .columns = 4};
    const char *verdict = verb_text(r->json, "verdict");
    const json_t *s;
    size_t i;

    json_array_foreach(json_object_get(r->json, "steps"), i, s)
    {
        bool passed = json_is_true(json_object_get(s, "passed"));

        table_add(&t, verb_text(s, "rule"), TINT_NONE);
        table_add(&t, verb_text(s, "what"), TINT_NONE);
        table_add(&t, passed ? "passed" : "REFUSED", passed ? TINT_GOOD : TINT_BAD);
        table_add(&t, verb_text(s, "text"), TINT_NONE);
    }
    table_print(&t, c->opt);
    (void)printf("A NOTIFY for %s from %s%s%s would %s.\n", c->args[0], c->args[1],
                 c->opt->key ? ", signed with " : "", c->opt->key ? c->opt->key : "",
                 strcmp(verdict, "provision") == 0 ? "make the zone appear"
                 : strcmp(verdict, "refresh") == 0 ? "have the zone refreshed"
                                                   : "be refused");
    return strcmp(verdict, "refused") == 0 ? EXIT_REFUSED : EXIT_DONE;
}

int run_autoprimary_why(const struct call *c)
{
    struct buf b = BUF_INIT;
    char *path;
    struct reply r;
    int code;

    buf_str(&b, "/zones/");
    client_escape(&b, c->args[0]);
    buf_str(&b, "/autoprimary");
    (void)buf_cstr(&b);
    path = (char *)b.data;
    verb_query_add(&path, "address", c->args[1]);
    verb_query_add(&path, "key", c->opt->key);
    code = verb_request(&r, c, "GET", path, NULL);
    if (code != EXIT_DONE)
        return code;
    code = strcmp(verb_text(r.json, "verdict"), "refused") == 0 ? EXIT_REFUSED : EXIT_DONE;
    if (!verb_print_json(c, &r))
        code = print_why(c, &r);
    reply_free(&r);
    return code;
}
