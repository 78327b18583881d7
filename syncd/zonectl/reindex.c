/* zonectl journal reindex: slice after slice of each zone's history. Nothing is kept between: the
 * same again does what a crash of either side left.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static const char *const counts[] = {"versions", "versions_missing", "versions_wrong",
                                     "rows",     "rows_missing",     "rows_surplus"};
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

static long long count_of(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

static void show_progress(const struct call *c, const char *zone, const json_t *sum)
{
    if (!c->opt->json && isatty(STDOUT_FILENO)) {
        (void)printf("\r%s: %lld versions", zone, count_of(sum, "versions"));
        (void)fflush(stdout);
    }
}

static void add_slice(json_t *sum, const json_t *slice)
{
    for (size_t i = 0; i < COUNTS; i++)
        (void)json_object_set_new(
            sum, counts[i], json_integer(count_of(sum, counts[i]) + count_of(slice, counts[i])));
    if (!json_is_string(json_object_get(sum, "first")))
        (void)json_object_set(sum, "first", json_object_get(slice, "first"));
}

static int do_zone(const struct call *c, const char *zone, json_t *sum)
{
    char *at = xstrdup("");
    int code;

    do {
        struct reply r = {0};

        code = verb_request(&r, c, "POST", verb_path("zones", zone, "/reindex"),
                            json_pack("{s:s, s:b}", "at", at, "check", (int)c->opt->dry_run));
        free(at);
        at = xstrdup(code == EXIT_DONE ? verb_text(r.json, "next") : "");
        if (code == EXIT_DONE) {
            add_slice(sum, r.json);
            show_progress(c, zone, sum);
        }
        reply_free(&r);
    } while (code == EXIT_DONE && at[0]);
    free(at);
    return code;
}

static bool differs(const json_t *sum)
{
    return json_is_string(json_object_get(sum, "first"));
}

static void print_zone(const struct call *c, const char *zone, const json_t *sum)
{
    if (c->opt->json)
        return;
    (void)printf("%s%s: %lld versions, %lld rows", isatty(STDOUT_FILENO) ? "\r" : "", zone,
                 count_of(sum, "versions"), count_of(sum, "rows"));
    if (differs(sum))
        (void)printf("; %s: %lld versions missing, %lld wrong, %lld rows missing, %lld too many "
                     "(first: %s)\n",
                     c->opt->dry_run ? "differs" : "mended", count_of(sum, "versions_missing"),
                     count_of(sum, "versions_wrong"), count_of(sum, "rows_missing"),
                     count_of(sum, "rows_surplus"), verb_text(sum, "first"));
    else
        (void)puts("; as the history says");
}

/* Names of the zones that have a history, unless some were given. */
static int all_zones(json_t **names, const struct call *c)
{
    struct reply r = {0};
    int code = EXIT_DONE;
    const json_t *z;
    size_t i;

    *names = json_array();
    for (int k = 0; k < c->arg_count; k++)
        (void)json_array_append_new(*names, json_string(c->args[k]));
    if (c->arg_count)
        return EXIT_DONE;
    code = verb_request(&r, c, "GET", xstrdup("/zones"), NULL);
    json_array_foreach(r.json, i, z)
    {
        if (count_of(z, "version"))
            (void)json_array_append(*names, json_object_get(z, "name"));
    }
    reply_free(&r);
    return code;
}

int run_journal_reindex(const struct call *c)
{
    json_t *names = NULL, *sums = json_array();
    int code = all_zones(&names, c), worst = code;
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        json_t *sum = json_pack("{s:O, s:n}", "zone", name, "first");

        if (code == EXIT_UNREACHABLE)
            break;
        code = do_zone(c, json_string_value(name), sum);
        if (code == EXIT_DONE)
            print_zone(c, json_string_value(name), sum);
        if (code == EXIT_DONE && c->opt->dry_run && differs(sum))
            worst = worst ? worst : EXIT_REFUSED;
        worst = code > worst ? code : worst;
        (void)json_array_append_new(sums, sum);
    }
    if (c->opt->json) {
        (void)json_dumpf(sums, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    }
    json_decref(names);
    json_decref(sums);
    return worst;
}
