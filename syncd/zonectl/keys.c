/* zonectl journal key create, rotate, list, export. */
#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static void print_keys(const struct call *c, const json_t *keys)
{
    static const char *const titles[] = {"KEY", "SIGNS SINCE", "UNTIL", ""};
    struct table t = {.titles = titles, .columns = 4};
    const json_t *k;
    size_t i;

    json_array_foreach(keys, i, k)
    {
        bool current = json_is_true(json_object_get(k, "current"));

        table_add(&t, verb_text(k, "fingerprint"), TINT_NONE);
        table_add(&t, verb_text(k, "since"), TINT_DIM);
        table_add(&t, json_string_value(json_object_get(k, "until")), TINT_DIM);
        table_add(&t, current ? "signs now" : "", TINT_GOOD);
    }
    table_print(&t, c->opt);
}

static void print_checkpoint(const json_t *reply)
{
    const json_t *cp = json_object_get(reply, "checkpoint");

    if (json_is_object(cp))
        (void)printf("Checkpoint %lld of %s vouches for all changes up to %lld.\n",
                     (long long)json_integer_value(json_object_get(cp, "number")),
                     verb_text(cp, "at"),
                     (long long)json_integer_value(json_object_get(cp, "seq")));
    else if (json_is_true(json_object_get(reply, "checkpoints")))
        (void)puts("There is no checkpoint yet.");
}

static int ask(const struct call *c, const char *method, const char *path)
{
    struct reply r = {0};
    int code = verb_request(&r, c, method, xstrdup(path), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r)) {
        if (json_array_size(json_object_get(r.json, "keys"))) {
            print_keys(c, json_object_get(r.json, "keys"));
            print_checkpoint(r.json);
        } else {
            (void)puts("There is no key: the history is not signed. "
                       "zonectl journal key create makes one.");
        }
    }
    reply_free(&r);
    return code;
}

int run_journal_key_list(const struct call *c)
{
    return ask(c, "GET", "/journal/keys");
}

int run_journal_key_create(const struct call *c)
{
    return ask(c, "POST", "/journal/keys");
}

int run_journal_key_rotate(const struct call *c)
{
    return ask(c, "POST", "/journal/keys/rotate");
}

int run_journal_key_export(const struct call *c)
{
    struct reply r = {0};
    int code = verb_request(&r, c, "GET", xstrdup("/journal/keys"), NULL);

    if (code == EXIT_DONE && !verb_print_json(c, &r))
        (void)fputs(verb_text(r.json, "allowed_signers"), stdout);
    reply_free(&r);
    return code;
}
