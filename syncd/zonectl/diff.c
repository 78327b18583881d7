/* zonectl diff, quarantine diff: as records, as git shows it, or as JSON. */
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static enum tint tint_of(const char *line)
{
    static const struct {
        const char *start;
        enum tint tint;
    } tints[] = {{"diff ", TINT_BOLD}, {"---", TINT_BOLD}, {"+++", TINT_BOLD},
                 {"@@", TINT_DIM},     {"-", TINT_BAD},    {"+", TINT_GOOD}};

    for (size_t i = 0; i < sizeof(tints) / sizeof(tints[0]); i++) {
        if (strncmp(line, tints[i].start, strlen(tints[i].start)) == 0)
            return tints[i].tint;
    }
    return TINT_NONE;
}

static void print_text(const struct call *c, const struct buf *body)
{
    char *text = xmalloc(body->len + 1);
    char *rest = text, *line;

    if (body->len)
        memcpy(text, body->data, body->len);
    text[body->len] = 0;
    while ((line = strsep(&rest, "\n")) && (rest || *line)) {
        print_tinted(c->opt, tint_of(line), line);
        (void)putchar('\n');
    }
    free(text);
}

/* Takes the path. */
static int show(const struct call *c, char *path)
{
    struct reply r = {0};
    int code;

    verb_query_add(&path, "format", c->opt->git ? "git" : NULL);
    code = verb_request(&r, c, "GET", path, NULL);
    if (code == EXIT_DONE && c->opt->git && !c->opt->color)
        (void)fwrite(r.body.len ? (const void *)r.body.data : "", 1, r.body.len, stdout);
    else if (code == EXIT_DONE && c->opt->git)
        print_text(c, &r.body);
    else if (code == EXIT_DONE && !verb_print_json(c, &r))
        verb_print_change(c, r.json);
    reply_free(&r);
    return code;
}

int run_diff(const struct call *c)
{
    char *path = verb_path("zones", c->args[0], "/diff");

    verb_query_add(&path, "from", c->args[1]);
    verb_query_add(&path, "to", c->arg_count > 2 ? c->args[2] : NULL);
    return show(c, path);
}

int run_quarantine_diff(const struct call *c)
{
    char *path = verb_path("zones", c->args[0], "/diff");

    verb_query_add(&path, "from", "current");
    verb_query_add(&path, "to", "quarantined");
    return show(c, path);
}
