/* What verbs are made of: asking, reading replies, printing what most of them print. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

/* ---- Asking ---- */

char *verb_path(const char *kind, const char *name, const char *rest)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "/%s/", kind);
    client_escape(&b, name);
    buf_str(&b, rest);
    (void)buf_cstr(&b);
    return (char *)b.data;
}

void verb_query_add(char **path, const char *name, const char *value)
{
    struct buf b = BUF_INIT;

    if (!value)
        return;
    buf_str(&b, *path);
    buf_str(&b, strchr(*path, '?') ? "&" : "?");
    buf_str(&b, name);
    buf_u8(&b, '=');
    client_escape(&b, value);
    (void)buf_cstr(&b);
    free(*path);
    *path = (char *)b.data;
}

json_t *verb_body(const struct call *c)
{
    json_t *body =
        json_pack("{s:b, s:b}", "dry_run", (int)c->opt->dry_run, "force", (int)c->opt->force);
    const struct {
        const char *key, *value;
    } texts[] = {{"to", c->opt->to},
                 {"reason", c->opt->reason},
                 {"serial", c->opt->serial},
                 {"until", c->opt->until},
                 {"until_newer_than", c->opt->newer_than},
                 {"for", c->opt->span}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].value)
            (void)json_object_set_new(body, texts[i].key, json_string(texts[i].value));
    }
    return body;
}

/* Whatever changes something is told why. */
static void add_reason(const struct call *c, const char *method, char **path, json_t *body)
{
    const char *reason = c->opt->reason;

    if (!reason || strcmp(method, "GET") == 0)
        return;
    if (body)
        (void)json_object_set_new(body, "reason", json_string(reason));
    else if (!strstr(*path, "reason="))
        verb_query_add(path, "reason", reason);
}

int verb_request(struct reply *r, const struct call *c, const char *method, char *path,
                 json_t *body)
{
    char *text;
    int code;

    add_reason(c, method, &path, body);
    text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    code = client_request(r, c->opt, method, path, text, text ? strlen(text) : 0);

    json_decref(body);
    free(text);
    free(path);
    return code;
}

/* ---- Replies ---- */

const char *verb_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

bool verb_print_json(const struct call *c, const struct reply *r)
{
    if (!c->opt->json)
        return false;
    if (r->json)
        (void)json_dumpf(r->json, stdout, JSON_INDENT(2));
    else
        (void)fwrite(r->body.data, 1, r->body.len, stdout);
    (void)putchar('\n');
    return true;
}

static void print_line(const struct call *c, enum tint tint, const char *sign, const char *line)
{
    char *text = xasprintf("%s%s", sign, line);

    print_tinted(c->opt, tint, text);
    (void)putchar('\n');
    free(text);
}

void verb_print_change(const struct call *c, const json_t *change)
{
    const json_t *line;
    size_t i;

    json_array_foreach(json_object_get(change, "removed"), i, line)
    {
        print_line(c, TINT_BAD, "-", json_string_value(line));
    }
    json_array_foreach(json_object_get(change, "added"), i, line)
    {
        print_line(c, TINT_GOOD, "+", json_string_value(line));
    }
}

void verb_print_done(const struct call *c, const struct reply *r, const char *what)
{
    const json_t *zone = json_object_get(r->json, "zone");

    if (verb_print_json(c, r))
        return;
    if (c->opt->dry_run || json_array_size(json_object_get(r->json, "added")) +
                                   json_array_size(json_object_get(r->json, "removed")) <=
                               40)
        verb_print_change(c, r->json);
    if (c->opt->dry_run) {
        (void)printf("Dry run: nothing was changed.\n");
        return;
    }
    (void)printf("%s: %s; serial %lld is served as version v%lld\n", verb_text(zone, "name"), what,
                 (long long)json_integer_value(json_object_get(zone, "serial")),
                 (long long)json_integer_value(json_object_get(zone, "version")));
    if (json_is_object(json_object_get(zone, "hold"))) {
        (void)printf("The zone is held: newer versions from its primaries wait until "
                     "'zonectl release %s'",
                     verb_text(zone, "name"));
        verb_print_rule(json_object_get(zone, "hold"));
        (void)printf(".\n");
    }
}

void verb_print_rule(const json_t *hold)
{
    const json_t *serial = json_object_get(hold, "until_newer_than");

    if (json_is_integer(serial))
        (void)printf(", or a version newer than %lld", (long long)json_integer_value(serial));
    if (*verb_text(hold, "until"))
        (void)printf(", or %s", verb_text(hold, "until"));
}
