/* Autoprimaries: list, add, remove (in PowerDNS' shape), and why a NOTIFY would be refused. */
#include "syncd/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "syncd/autoprimary.h"
#include "syncd/autoprimary_rows.h"

#define ACCOUNT_MAX 40 /* octets, as PowerDNS has it */

/* ---- List ---- */

/* As PowerDNS shows it: the port only where it is not 53. */
static void ip_to_text(char out[ADDR_TEXT_MAX], const struct addr *a)
{
    char *at;

    addr_to_text(out, a);
    if ((at = strrchr(out, '@')) && strcmp(at, "@53") == 0)
        *at = 0;
}

static json_t *json_texts(char *const *texts, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, api_json_text(texts[i]));
    return list;
}

static json_t *json_nameserver(const char *text)
{
    uint8_t name[NAME_MAX_OCTETS];

    return name_from_text(name, text, strlen(text), NULL, NULL) == OK ? api_json_name(name)
                                                                      : api_json_text(text);
}

static json_t *json_autoprimary(const struct config *c, const struct config_autoprimary *a,
                                const struct config_primary *p, const char *nameserver)
{
    char ip[ADDR_TEXT_MAX];

    ip_to_text(ip, &p->address);
    return json_pack("{s:s, s:o, s:o, s:s, s:o, s:I, s:I, s:o}", "ip", ip, "nameserver",
                     json_nameserver(nameserver), "account", api_json_text(a->account), "source",
                     a->added ? "operator" : "config", "key",
                     p->key < 0 ? json_null() : api_json_text(c->keys[p->key].name), "zones_max",
                     (json_int_t)a->zones_max, "zones_per_hour", (json_int_t)a->zones_per_hour,
                     "suffixes", json_texts(a->suffixes, a->suffix_count));
}

static void on_section(void *ctx, const struct config *c, const struct config_autoprimary *a,
                       uint32_t zones, uint32_t in_hour)
{
    json_t *list = ctx;

    for (size_t i = 0; i < a->speaker_count; i++) {
        for (size_t k = 0; k < a->nameserver_count; k++) {
            const struct config_primary *p = &c->primaries[a->zone.primaries[i]];
            json_t *j = json_autoprimary(c, a, p, a->nameservers[k]);

            (void)json_object_set_new(j, "zones", json_integer(zones));
            (void)json_object_set_new(j, "zones_in_hour", json_integer(in_hour));
            (void)json_array_append_new(list, j);
        }
    }
}

void api_get_autoprimaries(struct api_request *r)
{
    r->result = json_array();
    replicator_autoprimaries(r->api->env.replicator, on_section, r->result);
}

/* ---- Add and remove ---- */

/* A row on its way to the store, or out of it. */
struct row_job {
    struct api_request *request;
    struct store_autoprimary row;
    bool remove;
};

static enum err row_write(void *ctx, struct store *s, struct errinfo *e)
{
    const struct row_job *j = ctx;

    return j->remove ? store_autoprimary_remove(s, j->row.ip, j->row.nameserver, e)
                     : store_autoprimary_put(s, &j->row, e);
}

static void log_done(const struct row_job *j)
{
    char nameserver[NAME_TEXT_MAX];

    (void)name_to_text(nameserver, j->row.nameserver);
    log_info(
        say(j->remove ? "an operator removed an autoprimary" : "an operator added an autoprimary"),
        kv_str("address", j->row.ip), kv_str("nameserver", nameserver),
        kv_str("account", j->row.account), kv_str("key", j->row.key),
        kv_str("who", j->request->who), kv_str("reason", api_arg(j->request, "reason")));
}

static void on_written(void *ctx, struct commit_job *job)
{
    struct row_job *j = ctx;
    struct api_request *r = j->request;
    struct api_env *env = &r->api->env;

    r->rc = job->rc;
    r->error = job->error;
    if (r->rc == OK && !r->api->stopped) {
        log_done(j);
        r->rc = env->autoprimaries_changed(env->ctx, &r->error);
    }
    free(j);
    api_answer(r);
}

static void submit_row(struct api_request *r, const struct store_autoprimary *row, bool remove)
{
    static const struct store_zone none;
    struct row_job *j = xcalloc(1, sizeof(*j));
    struct commit_job *job = commit_job_new(COMMIT_WRITE, &none);

    *j = (struct row_job){.request = r, .row = *row, .remove = remove};
    job->write = row_write;
    job->act = api_act_new(r);
    job->write_ctx = j;
    job->done = on_written;
    job->ctx = j;
    commit_submit(r->api->env.committer, job);
}

static enum err take_ip(struct store_autoprimary *row, const char *text, struct errinfo *e)
{
    char ip[ADDR_TEXT_MAX];
    struct addr a;

    if (!text[0])
        return err_set(ERR_FORMAT, e, "'ip' is missing");
    if (addr_from_text(&a, text, 53, e) != OK)
        return err_wrap(ERR_FORMAT, e, "ip");
    ip_to_text(ip, &a);
    (void)snprintf(row->ip, sizeof(row->ip), "%s", ip);
    return OK;
}

static enum err take_nameserver(struct store_autoprimary *row, const char *text, struct errinfo *e)
{
    uint8_t name[NAME_MAX_OCTETS];

    if (!text[0])
        return err_set(ERR_FORMAT, e, "'nameserver' is missing");
    if (name_from_text(name, text, strlen(text), NULL, e) != OK)
        return err_wrap(ERR_FORMAT, e, "nameserver");
    if (name_is_root(name))
        return err_set(ERR_FORMAT, e, "nameserver: the root is none");
    (void)name_fold(row->nameserver, name);
    return OK;
}

static enum err take_account(struct store_autoprimary *row, const char *text, struct errinfo *e)
{
    if (strlen(text) > ACCOUNT_MAX)
        return err_set(ERR_FORMAT, e, "account: at most %d octets", ACCOUNT_MAX);
    for (const char *p = text; *p; p++) {
        if (*p < ' ' || *p > '~')
            return err_set(ERR_FORMAT, e, "account: printable ASCII only");
    }
    (void)snprintf(row->account, sizeof(row->account), "%s", text);
    return OK;
}

static enum err take_key(struct store_autoprimary *row, const struct config *c, const char *text,
                         struct errinfo *e)
{
    int key = text[0] ? autoprimary_rows_key(c, text) : -1;

    if (text[0] && key < 0)
        return err_set(ERR_FORMAT, e, "there is no key '%s' in the configuration", text);
    if (key >= 0 && strlen(c->keys[key].name) >= sizeof(row->key))
        return err_set(ERR_FORMAT, e, "the key's name is too long as it is written there");
    (void)snprintf(row->key, sizeof(row->key), "%s", key < 0 ? "" : c->keys[key].name);
    return OK;
}

static enum err take_number(uint32_t *out, const json_t *body, const char *name, json_int_t min,
                            struct errinfo *e)
{
    const json_t *j = json_object_get(body, name);

    if (!j)
        return OK;
    if (!json_is_integer(j) || json_integer_value(j) < min || json_integer_value(j) > 100000000)
        return err_set(ERR_FORMAT, e, "%s: a number from %d to 100000000", name, (int)min);
    *out = (uint32_t)json_integer_value(j);
    return OK;
}

static enum err take_suffixes(struct store_autoprimary *row, const json_t *list, struct errinfo *e)
{
    size_t used = 0;
    size_t i;
    const json_t *j;

    if (!list)
        return OK;
    if (!json_is_array(list))
        return err_set(ERR_FORMAT, e, "suffixes: a list of names");
    row->suffixes[0] = 0;
    json_array_foreach(list, i, j)
    {
        const char *text = json_is_string(j) ? json_string_value(j) : "";
        uint8_t name[NAME_MAX_OCTETS];
        char out[NAME_TEXT_MAX];

        if (name_from_text(name, text, strlen(text), NULL, e) != OK)
            return err_wrap(ERR_FORMAT, e, "suffix '%s'", text);
        (void)name_to_text(out, name);
        if (used + strlen(out) + 2 > sizeof(row->suffixes))
            return err_set(ERR_FORMAT, e, "suffixes: they are too long together");
        used += (size_t)snprintf(row->suffixes + used, sizeof(row->suffixes) - used, "%s%s",
                                 i ? " " : "", out);
    }
    return OK;
}

static bool section_has(const struct config *c, const struct config_autoprimary *a,
                        const struct store_autoprimary *row)
{
    bool ip = false;
    bool nameserver = false;

    for (size_t i = 0; i < a->speaker_count; i++) {
        char text[ADDR_TEXT_MAX];

        ip_to_text(text, &c->primaries[a->zone.primaries[i]].address);
        ip = ip || strcmp(text, row->ip) == 0;
    }
    for (size_t i = 0; i < a->nameserver_count; i++) {
        uint8_t name[NAME_MAX_OCTETS];

        nameserver = nameserver || (name_from_text(name, a->nameservers[i],
                                                   strlen(a->nameservers[i]), NULL, NULL) == OK &&
                                    name_eq(name, row->nameserver));
    }
    return ip && nameserver;
}

/* The section that has this address and nameserver, or NULL. */
static const struct config_autoprimary *find_section(const struct config *c,
                                                     const struct store_autoprimary *row)
{
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        if (section_has(c, &c->autoprimaries[i], row))
            return &c->autoprimaries[i];
    }
    return NULL;
}

/* The limits that the group has, or what they are by default. */
static void limits_before(struct store_autoprimary *row, const struct config *c)
{
    const struct config_autoprimary *a = autoprimary_find(c, row->account, row->nameserver);
    size_t used = 0;

    row->zones_max = a ? a->zones_max : 10000;
    row->zones_per_hour = a ? a->zones_per_hour : 3600;
    for (size_t i = 0; a && i < a->suffix_count && used < sizeof(row->suffixes); i++)
        used += (size_t)snprintf(row->suffixes + used, sizeof(row->suffixes) - used, "%s%s",
                                 i ? " " : "", a->suffixes[i]);
}

void api_post_autoprimary(struct api_request *r)
{
    struct store_autoprimary row = {.added_at = r->now};
    const struct config *c = r->config;
    struct errinfo *e = &r->error;

    (void)snprintf(row.added_by, sizeof(row.added_by), "%s", r->who);
    if ((r->rc = take_ip(&row, api_arg(r, "ip"), e)) ||
        (r->rc = take_nameserver(&row, api_arg(r, "nameserver"), e)) ||
        (r->rc = take_account(&row, api_arg(r, "account"), e)) ||
        (r->rc = take_key(&row, c, api_arg(r, "key"), e)))
        return;
    if (find_section(c, &row)) {
        r->rc = err_set(ERR_EXISTS, e, "there is an autoprimary with this address and nameserver");
        return;
    }
    limits_before(&row, c);
    if ((r->rc = take_number(&row.zones_max, r->body, "zones_max", 0, e)) ||
        (r->rc = take_number(&row.zones_per_hour, r->body, "zones_per_hour", 1, e)) ||
        (r->rc = take_suffixes(&row, json_object_get(r->body, "suffixes"), e)))
        return;
    r->status = 201;
    r->row = xmemdup(&row, sizeof(row));
    r->acts_itself = true;
}

void api_after_post_autoprimary(struct api_request *r)
{
    const struct store_autoprimary *row = r->row;

    r->result = json_pack("{s:s, s:o, s:s}", "ip", row->ip, "nameserver",
                          api_json_name(row->nameserver), "account", row->account);
    submit_row(r, row, false);
}

void api_delete_autoprimary(struct api_request *r)
{
    struct store_autoprimary row = {.zones_max = 0};
    const struct config_autoprimary *a;

    if ((r->rc = take_ip(&row, r->parts[0], &r->error)) ||
        (r->rc = take_nameserver(&row, r->parts[1], &r->error)))
        return;
    a = find_section(r->config, &row);
    if (a && !a->added) {
        r->rc = err_set(ERR_CONFLICT, &r->error,
                        "it stands in the configuration: take it out there, and reload");
        return;
    }
    r->row = xmemdup(&row, sizeof(row));
    r->acts_itself = true;
}

void api_after_delete_autoprimary(struct api_request *r)
{
    submit_row(r, r->row, true);
}

/* ---- Why ---- */

void api_get_why(struct api_request *r)
{
    const char *key = api_arg(r, "key");
    struct addr source;

    if ((r->rc = addr_from_text(&source, api_arg(r, "address"), 53, &r->error)))
        r->rc = err_wrap(ERR_FORMAT, &r->error, "address");
    else if (key[0] && autoprimary_rows_key(r->config, key) < 0)
        r->rc =
            err_set(ERR_FORMAT, &r->error,
                    "there is no key '%s' here: a NOTIFY signed with it is answered NOTAUTH", key);
}

static void on_why(void *ctx, const struct why_report *report)
{
    static const char *const verdicts[] = {"refused", "refresh", "provision"};
    struct api_request *r = ctx;
    json_t *steps = json_array();

    for (size_t i = 0; i < report->count; i++) {
        const struct why_step *s = &report->steps[i];

        (void)json_array_append_new(steps, json_pack("{s:s, s:s, s:b, s:o}", "rule", s->rule,
                                                     "what", s->what, "passed", (int)s->passed,
                                                     "text", api_json_text(s->text)));
    }
    r->result = json_pack("{s:o, s:s, s:o, s:o}", "zone", api_json_name(r->zone), "verdict",
                          verdicts[report->verdict], "account", api_json_text(report->account),
                          "steps", steps);
    api_answer(r);
}

void api_after_why(struct api_request *r)
{
    const char *key = api_arg(r, "key");
    struct addr source;

    if (addr_from_text(&source, api_arg(r, "address"), 53, NULL) == OK) /* as it was before */
        replicator_why(r->api->env.replicator, r->zone, &source,
                       key[0] ? autoprimary_rows_key(r->config, key) : -1, on_why, r);
}
