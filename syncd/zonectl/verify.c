/* zonectl verify: does all that we keep agree, with itself and with a remote? */
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static void print_faults(const struct call *c, const json_t *faults)
{
    static const char *const titles[] = {"ZONE", "WHAT", "FAULT"};
    struct table t = {.titles = titles, .columns = 3};
    const json_t *f;
    size_t i;

    if (!json_array_size(faults))
        return;
    json_array_foreach(faults, i, f)
    {
        bool lost = strcmp(verb_text(f, "level"), "lost") == 0;

        table_add(&t, verb_text(f, "zone"), TINT_NONE);
        table_add(&t, verb_text(f, "level"), lost ? TINT_BAD : TINT_WARN);
        table_add(&t, verb_text(f, "text"), TINT_NONE);
    }
    table_print(&t, c->opt);
}

static long long number(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

/* "; 3 signatures hold", unless it is none. */
static void print_count(const json_t *report, const char *key, const char *what)
{
    if (number(report, key))
        (void)printf("; %lld %s", number(report, key), what);
}

static void print_report(const struct call *c, const json_t *report)
{
    const json_t *faults = json_object_get(report, "faults");

    print_faults(c, faults);
    (void)printf("%lld zones and %lld versions checked; %zu faults", number(report, "zones"),
                 number(report, "versions"), json_array_size(faults));
    print_count(report, "signatures", "signatures hold");
    print_count(report, "checkpoints", "checkpoints hold");
    print_count(report, "unvouched", "versions not yet vouched for");
    print_count(report, "unjournaled", "changes are on their way into the journal");
    (void)putchar('\n');
}

static void print_remote(const struct call *c, const json_t *report)
{
    const json_t *faults = json_object_get(report, "faults");

    print_faults(c, faults);
    (void)printf("remote %s: %lld refs; %lld zones are there whole, %lld in part; %zu faults\n",
                 verb_text(report, "remote"), number(report, "refs"), number(report, "same"),
                 number(report, "behind"), json_array_size(faults));
}

/* What is worse of both; the remote's report goes into *all. */
static int ask_remote(const struct call *c, json_t *all, int code)
{
    json_t *body = json_pack("{s:s}", "remote", c->opt->remote);
    struct reply r = {0};
    int asked = verb_request(&r, c, "POST", xstrdup("/remotes/verify"), body);

    if (asked == EXIT_DONE) {
        asked = (int)number(r.json, "exit");
        (void)json_object_set(all, "remote", r.json);
        if (!c->opt->json)
            print_remote(c, r.json);
    }
    reply_free(&r);
    return asked > code ? asked : code;
}

int run_verify(const struct call *c)
{
    json_t *body = c->opt->since ? json_pack("{s:s}", "since", c->opt->since) : NULL;
    struct reply r = {0};
    int code = verb_request(&r, c, "POST", xstrdup("/verify"), body);

    if (code == EXIT_DONE) {
        code = (int)number(r.json, "exit");
        if (!c->opt->json)
            print_report(c, r.json);
        if (c->opt->remote)
            code = ask_remote(c, r.json, code);
        (void)verb_print_json(c, &r);
    }
    reply_free(&r);
    return code;
}
