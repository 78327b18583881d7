/* What authd has counted: one line a name, its numbers behind it; zeros are left out of those. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

#define NAME_WIDTH 18

/* The numbers of an object that are not zero. */
static void print_numbers(const json_t *j)
{
    const char *label;
    const json_t *v;

    json_object_foreach((json_t *)(uintptr_t)j, label, v)
    {
        if (json_integer_value(v) > 0) {
            print_safe(stdout, "  ");
            print_safe(stdout, label);
            (void)printf(" %lld", (long long)json_integer_value(v));
        }
    }
    (void)putchar('\n');
}

static bool all_zero(const json_t *j)
{
    const char *label;
    const json_t *v;

    json_object_foreach((json_t *)(uintptr_t)j, label, v)
    {
        if (json_is_object(v) ? !all_zero(v) : json_integer_value(v) != 0)
            return false;
    }
    return true;
}

static void print_nested(const char *name, const json_t *j)
{
    const char *label;
    const json_t *v;

    json_object_foreach((json_t *)(uintptr_t)j, label, v)
    {
        char *left;

        if (all_zero(v))
            continue;
        left = xasprintf("%s %s", name, label);
        (void)printf("%-*s", NAME_WIDTH, left);
        print_numbers(v);
        free(left);
    }
}

static void print_row(const char *name, const json_t *j)
{
    if (json_is_object(json_object_iter_value(json_object_iter((json_t *)(uintptr_t)j)))) {
        print_nested(name, j);
    } else if (json_is_object(j)) {
        (void)printf("%-*s", NAME_WIDTH, name);
        print_numbers(j);
    } else if (strcmp(name, "zone") == 0) {
        (void)printf("%-*s  ", NAME_WIDTH, name);
        print_safe(stdout, json_string_value(j));
        (void)putchar('\n');
    } else if (json_is_integer(j)) {
        (void)printf("%-*s  %lld\n", NAME_WIDTH, name, (long long)json_integer_value(j));
    }
}

static void print_started(const json_t *j)
{
    const json_t *started = json_object_get(j, "started");
    const json_t *v;
    size_t i;

    if (!json_is_array(started))
        (void)printf("%-*s  %s\n", NAME_WIDTH, "since", verb_text(j, "started"));
    json_array_foreach(started, i, v)
    {
        (void)printf("%-*s  ", NAME_WIDTH, "since");
        print_safe(stdout, json_string_value(v) ? json_string_value(v) : "-");
        (void)putchar('\n');
    }
}

int run_stats(const struct call *c)
{
    char *path = xstrdup("/stats");
    struct reply r;
    const char *name;
    const json_t *v;
    int code;

    verb_query_add(&path, "zone", c->opt->zone);
    code = verb_request(&r, c, "GET", path, NULL);
    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r)) {
        print_started(r.json);
        json_object_foreach(r.json, name, v)
        {
            print_row(name, v);
        }
    }
    reply_free(&r);
    return EXIT_DONE;
}

int run_metrics(const struct call *c)
{
    char *path = xstrdup("/metrics");
    struct reply r;
    int code;

    verb_query_add(&path, "zones", c->opt->zones ? "true" : NULL);
    code = verb_request(&r, c, "GET", path, NULL);

    if (code != EXIT_DONE)
        return code;
    (void)fwrite(r.body.data, 1, r.body.len, stdout);
    reply_free(&r);
    return EXIT_DONE;
}
