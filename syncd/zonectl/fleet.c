/* zonectl rollback of many zones: syncd says what it takes (one request), a person agrees, and then
 * each zone goes by the way of a single one. Nothing is kept between: what is done is not planned
 * again, so the same command goes on where a crash of either side ended it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

#define ROWS_SHOWN 40
#define BAR_CHARS 30
#define PACE_MAX 100000

static long long count_of(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

static bool is_step(const json_t *zone, const char *step)
{
    return strcmp(verb_text(zone, "step"), step) == 0;
}

/* ---- What is wanted ---- */

static int usage(const char *text)
{
    (void)fprintf(stderr, "zonectl: %s\n", text);
    return EXIT_USAGE;
}

/* Zones a second; 0: as it goes. False if it is none. */
static bool take_pace(unsigned long *pace, const char *text)
{
    char *end = NULL;

    *pace = 0;
    if (!text)
        return true;
    *pace = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && *pace >= 1 && *pace <= PACE_MAX;
}

static int check(const struct options *o, unsigned long *pace)
{
    bool some = o->account || o->catalog || o->match;

    if (!o->all && !some)
        return usage("rollback of which zones? ZONE, --all, --account NAME, --catalog NAME or "
                     "--match PATTERN");
    if (o->all && some)
        return usage("--all goes without --account, --catalog and --match");
    if (!o->to)
        return usage("rollback needs --to TIME (2026-05-29T10:00Z, '2h ago')");
    if (!take_pace(pace, o->pace))
        return usage("--pace should be zones a second, 1 to 100000");
    return EXIT_DONE;
}

static void set_text(json_t *body, const char *key, const char *value)
{
    if (value)
        (void)json_object_set_new(body, key, json_string(value));
}

static int ask_plan(struct reply *plan, const struct call *c)
{
    json_t *body = json_pack("{s:b}", "force", (int)c->opt->force);

    set_text(body, "to", c->opt->to);
    set_text(body, "account", c->opt->account);
    set_text(body, "catalog", c->opt->catalog);
    set_text(body, "match", c->opt->match);
    set_text(body, "serial", c->opt->serial);
    return verb_request(plan, c, "POST", xstrdup("/rollback/plan"), body);
}

/* ---- The preview ---- */

static void add_count(struct table *t, const json_t *zone, const char *key, char sign,
                      enum tint tint)
{
    char *text = xasprintf("%c%lld", sign, count_of(zone, key));

    table_add(t, text, tint);
    free(text);
}

static void print_rows(const struct call *c, const json_t *zones, bool cannot)
{
    static const char *const titles[] = {"ZONE", "WHAT", "", "", "WHY"};
    struct table t = {.titles = titles, .columns = cannot ? 5 : 4};
    size_t i, shown = 0, left = 0;
    const json_t *z;

    json_array_foreach(zones, i, z)
    {
        if (is_step(z, "cannot") != cannot)
            continue;
        if (shown++ >= ROWS_SHOWN) {
            left++;
            continue;
        }
        table_add(&t, verb_text(z, "name"), TINT_NONE);
        table_add(&t, verb_text(z, "step"), is_step(z, "rollback") ? TINT_NONE : TINT_WARN);
        add_count(&t, z, "added", '+', TINT_GOOD);
        add_count(&t, z, "removed", '-', TINT_BAD);
        if (cannot)
            table_add(&t, verb_text(z, "why"), TINT_WARN);
    }
    if (shown)
        table_print(&t, c->opt);
    if (left)
        (void)printf("... and %zu more (--json shows all)\n", left);
}

static void print_plan(const struct call *c, const json_t *plan)
{
    const json_t *zones = json_object_get(plan, "zones");

    print_rows(c, zones, false);
    print_rows(c, zones, true);
    (void)printf("To %s: %lld zones back, %lld served again, %lld removed; %lld are as they were, "
                 "%lld cannot.\n",
                 verb_text(plan, "to"), count_of(plan, "rollback"), count_of(plan, "undelete"),
                 count_of(plan, "remove"), count_of(plan, "same"), count_of(plan, "cannot"));
}

static bool is_agreed(const struct call *c)
{
    char line[16] = "";

    if (c->opt->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        (void)fputs("zonectl: nothing was changed; with --yes it is done\n", stderr);
        return false;
    }
    (void)fputs("Do it? Type yes: ", stdout);
    (void)fflush(stdout);
    if (fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0)
        return true;
    (void)puts("Nothing was changed.");
    return false;
}

/* ---- Doing it ---- */

struct run {
    const struct call *call;
    const json_t *plan;
    const char *to; /* the moment, as syncd resolved it */
    unsigned long pace;
    size_t all, done;
    json_t *failed; /* names */
};

static int do_zone(const struct run *run, const json_t *zone)
{
    const struct options *o = run->call->opt;
    char *reason = o->reason ? xstrdup(o->reason) : xasprintf("fleet rollback to %s", run->to);
    const char *name = verb_text(zone, "name");
    struct reply r = {0};
    json_t *body;
    char *path;
    int code;

    if (is_step(zone, "remove")) {
        path = verb_path("zones", name, "");
        verb_query_add(&path, "reason", reason);
        code = verb_request(&r, run->call, "DELETE", path, NULL);
    } else {
        path = verb_path("zones", name, is_step(zone, "undelete") ? "/undelete" : "/rollback");
        body =
            json_pack("{s:s, s:s, s:b}", "to", run->to, "reason", reason, "force", (int)o->force);
        set_text(body, "serial", o->serial);
        code = verb_request(&r, run->call, "POST", path, body);
    }
    reply_free(&r);
    free(reason);
    return code;
}

static void show_progress(const struct run *run, const json_t *zone, bool good)
{
    size_t full = run->all ? run->done * BAR_CHARS / run->all : BAR_CHARS;
    char bar[BAR_CHARS + 1];

    if (run->call->opt->json)
        return;
    if (!isatty(STDOUT_FILENO)) {
        (void)printf("%zu/%zu %s: %s%s\n", run->done, run->all, verb_text(zone, "name"),
                     good ? "" : "failed: ", verb_text(zone, "step"));
        (void)fflush(stdout);
        return;
    }
    memset(bar, ' ', BAR_CHARS);
    memset(bar, '#', full);
    bar[BAR_CHARS] = 0;
    (void)printf("\r[%s] %zu/%zu", bar, run->done, run->all);
    if (run->done == run->all)
        (void)putchar('\n');
    (void)fflush(stdout);
}

static void wait_turn(unsigned long pace)
{
    struct timespec ts = {.tv_sec = pace == 1, .tv_nsec = pace > 1 ? 1000000000L / (long)pace : 0};

    if (pace)
        (void)nanosleep(&ts, NULL);
}

/* Until syncd is away. */
static int do_all(struct run *run)
{
    const json_t *zone;
    size_t i;

    json_array_foreach(json_object_get(run->plan, "zones"), i, zone)
    {
        int code;

        if (is_step(zone, "cannot"))
            continue;
        if (run->done)
            wait_turn(run->pace);
        code = do_zone(run, zone);
        if (code == EXIT_UNREACHABLE)
            return code;
        run->done++;
        if (code != EXIT_DONE)
            (void)json_array_append_new(run->failed, json_string(verb_text(zone, "name")));
        show_progress(run, zone, code == EXIT_DONE);
    }
    return json_array_size(run->failed) ? EXIT_REFUSED : EXIT_DONE;
}

static void print_end(const struct run *run, int code)
{
    if (run->call->opt->json) {
        json_t *end = json_pack("{s:O, s:I, s:O}", "plan", run->plan, "done", (json_int_t)run->done,
                                "failed", run->failed);

        (void)json_dumpf(end, stdout, JSON_INDENT(2));
        (void)putchar('\n');
        json_decref(end);
    } else if (code != EXIT_UNREACHABLE) {
        (void)printf("%zu zones done, %zu failed.\n", run->done - json_array_size(run->failed),
                     json_array_size(run->failed));
    }
    if (code != EXIT_DONE)
        (void)fprintf(stderr,
                      "zonectl: %zu of %zu zones were reached; the same again with --to %s does "
                      "the rest\n",
                      run->done, run->all, run->to);
}

static int run_plan(const struct call *c, const json_t *plan, unsigned long pace)
{
    struct run run = {
        .call = c, .plan = plan, .to = verb_text(plan, "to"), .pace = pace, .failed = json_array()};
    int code;

    run.all = (size_t)(count_of(plan, "rollback") + count_of(plan, "undelete") +
                       count_of(plan, "remove"));
    code = do_all(&run);
    print_end(&run, code);
    json_decref(run.failed);
    return code;
}

int run_fleet_rollback(const struct call *c)
{
    struct reply plan = {0};
    unsigned long pace;
    int code = check(c->opt, &pace);
    bool nothing;

    if (code != EXIT_DONE || (code = ask_plan(&plan, c)) != EXIT_DONE)
        return code;
    nothing = !count_of(plan.json, "rollback") && !count_of(plan.json, "undelete") &&
              !count_of(plan.json, "remove");
    if (c->opt->dry_run && verb_print_json(c, &plan))
        goto out;
    if (!c->opt->json)
        print_plan(c, plan.json);
    if (c->opt->dry_run)
        (void)puts("Dry run: nothing was changed.");
    else if (nothing && !c->opt->json)
        (void)puts("There is nothing to do.");
    else
        code = is_agreed(c) ? run_plan(c, plan.json, pace) : EXIT_REFUSED;
out:
    reply_free(&plan);
    return code;
}
