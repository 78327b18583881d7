/* History and what changes it: log, diff, export, rollback, release, import. */
#include "syncd/api_internal.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/mem.h"

static json_t *json_oid(bool is_there, const uint8_t oid[STORE_OID_BYTES])
{
    struct journal_oid o;
    char hex[JOURNAL_HEX_MAX];

    if (!is_there)
        return json_null();
    for (size_t i = 0; i < sizeof(o.id); i++)
        o.id[i] = oid[i];
    journal_oid_hex(hex, &o);
    return json_string(hex);
}

json_t *api_json_version(const struct store_zone *z, const struct store_version *v)
{
    return json_pack(
        "{s:I, s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:b, s:b, s:b, "
        "s:o, "
        "s:o, s:o}",
        "version", (json_int_t)v->version, "serial", (json_int_t)v->serial.v, "previous_serial",
        v->has_from ? json_integer(v->from.v) : json_null(), "at", api_json_time(v->at), "origin",
        origin_name(v->origin.kind), "who", api_json_text(v->origin.who), "source",
        api_json_text(v->origin.source), "key", api_json_text(v->origin.key), "transport",
        api_json_text(v->origin.transport), "reason", api_json_text(v->origin.reason), "added",
        (json_int_t)v->added, "removed", (json_int_t)v->removed, "records", (json_int_t)v->records,
        "waiting", (int)v->waiting, "lost", (int)v->lost, "thinned", (int)v->thinned, "current",
        (int)(z->has_content && !z->removed && v->version == z->version), "commit",
        json_oid(v->journaled, v->oid), "content_id", json_oid(v->journaled, v->content_oid),
        "theirs", v->ours ? json_integer(v->theirs.v) : json_null());
}

json_t *api_json_records(const struct rr_list *list)
{
    json_t *array = json_array();
    struct buf line = BUF_INIT;

    for (size_t i = 0; i < list->n; i++) {
        line.len = 0;
        rr_to_text(&line, &list->rrs[i]);
        if (line.len && line.data[line.len - 1] == '\n')
            line.len--;
        (void)json_array_append_new(array, json_stringn((const char *)line.data, line.len));
    }
    buf_free(&line);
    return array;
}

static json_t *json_change(const struct changeset *cs)
{
    return json_pack("{s:o, s:o}", "removed", api_json_records(&cs->removed), "added",
                     api_json_records(&cs->added));
}

void api_get_export(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct store_version v;
    struct zone *z = NULL;
    const char *spec = api_arg(r, "version");

    if ((r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = history_find(&v, &h, &row, spec[0] ? spec : "current", r->now, &r->error)) == OK &&
        (r->rc = history_content(&z, &h, &row, &v, &r->error)) == OK)
        zone_to_text(&r->text, z);
    zone_unref(z);
    history_close(&h);
}

static struct operator_act act_of(const struct api_request *r)
{
    return (struct operator_act){.who = r->who,
                                 .remote = r->door->remote != NULL,
                                 .reason = api_arg(r, "reason"),
                                 .force = api_arg_true(r, "force"),
                                 .now = r->now};
}

/* Of a body: until_newer_than, a serial; until, a time to come; for, a span ("2h"). */
static enum err rule_of(struct hold_rule *out, const struct api_request *r, struct errinfo *e)
{
    const char *serial = api_arg(r, "until_newer_than");
    const char *until = api_arg(r, "until");
    const char *span = api_arg(r, "for");
    unsigned long long n = 0;
    char *end = NULL;

    *out = (struct hold_rule){.has_serial = serial[0] != 0};
    if (out->has_serial)
        n = strtoull(serial, &end, 10);
    if (out->has_serial && (serial[0] < '0' || serial[0] > '9' || *end || n > UINT32_MAX))
        return err_set(ERR_FORMAT, e, "until_newer_than: '%s' is no serial", serial);
    out->serial = (struct serial){(uint32_t)n};
    if (until[0] && span[0])
        return err_set(ERR_FORMAT, e, "until and for: one of them");
    if (until[0] && !history_time(&out->until, until, r->now))
        return err_set(ERR_FORMAT, e, "until: '%s' should be a time, such as 2026-05-29T10:00Z",
                       until);
    if (span[0] && !history_span(&out->until, span, r->now))
        return err_set(ERR_FORMAT, e, "for: '%s' should be a time span, such as 90m or 2h", span);
    return OK;
}

/* The body says it, or the zone's section. */
static enum err serial_of(enum config_rollback_serial *out, const struct store_zone *row,
                          const struct api_request *r, struct errinfo *e)
{
    const char *text = api_arg(r, "serial");
    const struct config_zone *cz = api_section(row, r);

    *out = cz ? cz->rollback_serial : CONFIG_ROLLBACK_AUTO;
    if (text[0] && !config_rollback_serial_from_text(out, text))
        return err_set(ERR_FORMAT, e, "serial: '%s' should be auto, exact or local", text);
    return OK;
}

/* With dry_run the job is only shown. */
static void show_job(struct api_request *r, struct commit_job *job)
{
    bool dry = api_arg_true(r, "dry_run");

    if (!r->result)
        r->result = json_object();
    if (job->changes) {
        json_t *change = json_change(job->changes);
        (void)json_object_update(r->result, change);
        json_decref(change);
    }
    (void)json_object_set_new(r->result, "dry_run", json_boolean(dry));
    (void)json_object_set_new(r->result, "hold", json_boolean(job->row.held));
    if (job->new_zone)
        (void)json_object_set_new(r->result, "serial", json_integer(zone_serial(job->new_zone).v));
    if (dry)
        commit_job_free(job);
    else
        r->job = job;
}

void api_post_rollback(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct store_version target;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);
    const char *to = api_arg(r, "to");

    if (!to[0]) {
        r->rc = err_set(ERR_FORMAT, &r->error, "'to' is missing: to which version?");
        return;
    }
    if ((r->rc = rule_of(&act.rule, r, &r->error)) == OK &&
        (r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = serial_of(&act.serial, &row, r, &r->error)) == OK &&
        (r->rc = operate_rollback(&job, &target, &h, &row, to, &act, &r->error)) == OK) {
        r->result = json_pack("{s:o}", "target", api_json_version(&row, &target));
        show_job(r, job);
    }
    history_close(&h);
}

void api_post_hold(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = rule_of(&act.rule, r, &r->error)) == OK &&
        (r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = operate_hold(&job, &row, &act, &r->error)) == OK)
        show_job(r, job);
    history_close(&h);
}

/* With a rule the hold goes on until that has come true. */
static enum err release_or_rule(struct commit_job **job, struct history *h,
                                const struct store_zone *row, const struct operator_act *act,
                                struct errinfo *e)
{
    bool rule = act->rule.has_serial || act->rule.until.s != 0;

    return rule && row->held ? operate_hold(job, row, act, e)
                             : operate_release(job, h, row, act, e);
}

void api_post_release(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = rule_of(&act.rule, r, &r->error)) == OK &&
        (r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = release_or_rule(&job, &h, &row, &act, &r->error)) == OK)
        show_job(r, job);
    history_close(&h);
}

void api_post_approve_version(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = operate_approve(&job, &h, &row, &act, &r->error)) == OK)
        show_job(r, job);
    history_close(&h);
}

void api_post_reject_version(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = operate_reject(&job, &row, &act, &r->error)) == OK)
        show_job(r, job);
    history_close(&h);
}

void api_post_reject_staged(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = operate_reject_staged(&job, &row, &act, &r->error)) == OK)
        show_job(r, job);
    history_close(&h);
}

static enum err on_quarantined(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct api_request *r = ctx;

    (void)e;
    if (!z->removed && z->quarantine_version > z->version)
        (void)json_array_append_new(r->result, api_json_one_zone(z, r));
    return OK;
}

void api_get_quarantine(struct api_request *r)
{
    struct history h = {0};

    r->result = json_array();
    if ((r->rc = api_history(&h, NULL, r)) == OK)
        r->rc = store_zone_each(h.store, on_quarantined, r, &r->error);
    history_close(&h);
}

static bool is_watched(const struct store_zone *row, const struct api_request *r)
{
    return row->file[0] && !row->removed && config_directory_of(r->config, row->file);
}

static enum err may_import(const struct store_zone *row, struct api_request *r)
{
    return is_watched(row, r) ? err_set(ERR_CONFLICT, &r->error,
                                        "the zone is read from %s: change that file", row->file)
                              : OK;
}

/* The file would bring it back. */
static enum err may_remove(const struct store_zone *row, struct api_request *r)
{
    struct stat st;

    return is_watched(row, r) && lstat(row->file, &st) == 0
               ? err_set(ERR_CONFLICT, &r->error,
                         "the zone is read from %s: delete that file first", row->file)
               : OK;
}

void api_delete_zone(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = api_history(&h, &row, r)) == OK && (r->rc = may_remove(&row, r)) == OK &&
        (r->rc = operate_remove(&job, &row, &act, &r->error)) == OK) {
        if (api_arg_true(r, "dry_run"))
            show_job(r, job);
        else
            r->job = job; /* answered 204 */
    }
    history_close(&h);
}

void api_post_undelete(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);

    if ((r->rc = rule_of(&act.rule, r, &r->error)) == OK &&
        (r->rc = api_history(&h, &row, r)) == OK &&
        (r->rc = serial_of(&act.serial, &row, r, &r->error)) == OK &&
        (r->rc = operate_undelete(&job, &h, &row, api_arg(r, "to"), &act, &r->error)) == OK)
        show_job(r, job);
    history_close(&h);
}

/* Of the query: serial, force. */
static enum err wish_of(struct import_wish *out, struct api_request *r)
{
    const char *serial = api_arg(r, "serial");

    *out = (struct import_wish){.serial = CONFIG_SERIAL_INCREMENT,
                                .force = api_arg_true(r, "force"),
                                .bare = true,
                                .now = r->now};
    if (serial[0] && !config_serial_from_text(&out->serial, serial))
        return err_set(ERR_FORMAT, &r->error, "serial: '%s' should be keep, increment or date",
                       serial);
    return OK;
}

void api_put_import(struct api_request *r)
{
    struct import_wish wish;
    struct history h = {0};
    struct store_zone row;
    struct commit_job *job = NULL;
    struct operator_act act = act_of(r);
    const struct config *c = r->config;
    struct zone_limits limits = {.max_bytes = c->max_zone_bytes,
                                 .max_records = c->max_zone_records,
                                 .max_rrset = c->max_rrset_records,
                                 .max_types = c->max_owner_types};
    const char *file = api_arg(r, "file");

    if ((r->rc = wish_of(&wish, r)))
        return;
    r->rc = api_history(&h, &row, r);
    if (r->rc == ERR_NOT_FOUND && h.store) {
        row = (struct store_zone){.kind = ZONE_LOCAL, .source = SOURCE_OPERATOR};
        (void)name_copy(row.name, r->zone);
        r->rc = OK;
    }
    if (r->rc == OK && (r->rc = may_import(&row, r)) == OK)
        r->rc = operate_import(&job, &h, &row, file[0] ? file : "zone file", (const char *)r->raw,
                               r->raw_len, &wish, &limits, &act, &r->error);
    if (r->rc == OK)
        show_job(r, job);
    history_close(&h);
}
