/* zonectl journal thin. */
#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static long long count_of(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

int run_journal_thin(const struct call *c)
{
    struct reply r = {0};
    int code = verb_request(&r, c, "POST", xstrdup("/journal/thin"),
                            json_pack("{s:b}", "dry_run", (int)c->opt->dry_run));
    long long sum = 0;
    const json_t *z;
    size_t i;

    if (code == EXIT_DONE && !verb_print_json(c, &r)) {
        json_array_foreach(json_object_get(r.json, "zones"), i, z)
        {
            (void)printf("%s: %lld versions, of v%lld to v%lld\n", verb_text(z, "zone"),
                         count_of(z, "versions"), count_of(z, "oldest"), count_of(z, "newest"));
            sum += count_of(z, "versions");
        }
        if (!count_of(r.json, "zones_with_retention"))
            (void)puts("No zone has a retention: all of the history is kept.");
        else
            (void)printf("%lld versions %s\n", sum,
                         c->opt->dry_run ? "would lose their content."
                                         : "lose their content, in the background.");
    }
    reply_free(&r);
    return code;
}
