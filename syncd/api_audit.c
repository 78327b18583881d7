/* The history, asked as auditors ask: versions of a zone or of all, by time, origin, key, user and
 * name; and who brought each record.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "syncd/api_internal.h"
#include "syncd/audit.h"

#define LOG_LIMIT 50
#define LOG_LIMIT_MAX 10000
#define ROWS_AT_ONCE 1000
#define BLAME_VERSIONS_MAX 100000

struct log_walk {
    struct api_request *request;
    struct history *history;
    struct api_log_filter filter;
    uint64_t limit; /* still to be found */
    uint64_t last;  /* number, or seq, of the last one looked at */
    struct store_zone zone;
    size_t rows; /* of this batch */
    bool past;   /* all that follow are too old */
};

enum err api_arg_number(uint64_t *out, struct api_request *r, const char *name, uint64_t def)
{
    const char *text = api_arg(r, name);
    char *end = NULL;

    *out = def;
    if (!text[0])
        return OK;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end)
        return err_set(ERR_FORMAT, &r->error, "%s: '%s' is not a number", name, text);
    return OK;
}

static enum err arg_time(struct wall *out, bool *has, struct api_request *r, const char *name)
{
    const char *text = api_arg(r, name);

    *has = text[0] != 0;
    if (*has && !history_time(out, text, r->now))
        return err_set(ERR_FORMAT, &r->error,
                       "%s: '%s' is not a time, such as 2026-05-29T10:00Z or '2h ago'", name, text);
    return OK;
}

enum err api_log_filter_take(struct api_log_filter *f, struct api_request *r)
{
    enum err rc;

    *f = (struct api_log_filter){.origin = api_arg(r, "origin"),
                                 .key = api_arg(r, "key"),
                                 .user = api_arg(r, "user"),
                                 .account = api_arg(r, "account")};
    if ((rc = arg_time(&f->since, &f->has_since, r, "since")))
        return rc;
    return arg_time(&f->until, &f->has_until, r, "until");
}

static bool fits(const struct api_log_filter *f, const struct store_version *v)
{
    return !(f->has_since && v->at.s < f->since.s) && !(f->has_until && v->at.s > f->until.s) &&
           (!f->origin[0] || strcmp(f->origin, origin_name(v->origin.kind)) == 0) &&
           (!f->key[0] || strcasecmp(f->key, v->origin.key) == 0) &&
           (!f->user[0] || strcmp(f->user, v->origin.who) == 0);
}

static void add_version(struct log_walk *w, const struct store_version *v, bool with_zone)
{
    json_t *version = api_json_version(&w->zone, v);

    if (with_zone) {
        (void)json_object_set_new(version, "zone", api_json_name(w->zone.name));
        (void)json_object_set_new(version, "seq", json_integer((json_int_t)v->seq));
    }
    (void)json_array_append_new(w->request->result, version);
    w->limit--;
}

/* ---- One zone ---- */

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct log_walk *w = ctx;

    (void)e;
    w->rows++;
    w->last = v->version;
    if (w->limit && fits(&w->filter, v))
        add_version(w, v, false);
    return OK;
}

static bool on_touching(void *ctx, const struct store_version *v)
{
    struct log_walk *w = ctx;

    if (fits(&w->filter, v))
        add_version(w, v, false);
    return w->limit > 0 && !(w->filter.has_since && v->at.s < w->filter.since.s);
}

/* The name and the type in the query; `owner` is where the name goes. */
static enum err take_name(struct audit_name *out, uint8_t owner[NAME_MAX_OCTETS],
                          struct api_request *r)
{
    const char *name = api_arg(r, "name"), *type = api_arg(r, "type");
    enum err rc;

    *out = (struct audit_name){.type = 0};
    if (name[0]) {
        if ((rc = name_from_text(owner, name, strlen(name), NULL, &r->error)))
            return err_wrap(rc, &r->error, "name '%s'", name);
        (void)name_fold(owner, owner);
        if (!name_within(owner, r->zone))
            return err_set(ERR_FORMAT, &r->error, "name '%s' is not in the zone", name);
        out->owner = owner;
    }
    if (type[0] && !type_from_text(&out->type, type, strlen(type)))
        return err_set(ERR_FORMAT, &r->error, "'%s' is not a type of records", type);
    return OK;
}

void api_get_log(struct api_request *r)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct history h = {0};
    struct log_walk w = {.request = r, .history = &h};
    struct audit_name name;
    uint64_t before = 0;

    r->result = json_array();
    if ((r->rc = api_arg_number(&w.limit, r, "limit", LOG_LIMIT)) ||
        (r->rc = api_arg_number(&before, r, "before", 0)) ||
        (r->rc = api_log_filter_take(&w.filter, r)) || (r->rc = take_name(&name, owner, r)) ||
        (r->rc = api_history(&h, &w.zone, r)))
        goto out;
    w.limit = w.limit > LOG_LIMIT_MAX ? LOG_LIMIT_MAX : w.limit;
    if (name.owner || name.type) {
        if (w.limit)
            r->rc = audit_versions(&h, &w.zone, &name, before, on_touching, &w, &r->error);
        goto out;
    }
    do { /* each batch is a short look at the store */
        w.rows = 0;
        r->rc =
            store_version_each(h.store, w.zone.id, before, ROWS_AT_ONCE, on_version, &w, &r->error);
        before = w.last;
    } while (r->rc == OK && w.limit && w.rows == ROWS_AT_ONCE);
out:
    history_close(&h);
}

/* ---- All zones ---- */

static enum err on_any_version(void *ctx, int64_t zone_id, const struct store_version *v,
                               struct errinfo *e)
{
    struct log_walk *w = ctx;
    enum err rc;

    w->rows++;
    w->last = v->seq;
    if (!w->limit || !fits(&w->filter, v))
        return OK;
    if ((w->zone.id != zone_id) &&
        (rc = store_zone_get_id(w->history->store, zone_id, &w->zone, e)))
        return rc;
    if (!w->filter.account[0] || strcmp(w->filter.account, w->zone.account) == 0)
        add_version(w, v, true);
    return OK;
}

void api_get_node_log(struct api_request *r)
{
    struct history h = {0};
    struct log_walk w = {.request = r, .history = &h};
    uint64_t before = 0;

    r->result = json_array();
    if ((r->rc = api_arg_number(&w.limit, r, "limit", LOG_LIMIT)) ||
        (r->rc = api_arg_number(&before, r, "before", 0)) ||
        (r->rc = api_log_filter_take(&w.filter, r)) || (r->rc = api_history(&h, NULL, r)))
        goto out;
    w.limit = w.limit > LOG_LIMIT_MAX ? LOG_LIMIT_MAX : w.limit;
    do {
        w.rows = 0;
        r->rc =
            store_version_all_each(h.store, before, ROWS_AT_ONCE, on_any_version, &w, &r->error);
        before = w.last;
    } while (r->rc == OK && w.limit && w.rows == ROWS_AT_ONCE);
out:
    history_close(&h);
}

/* ---- Blame ---- */

static void on_line(void *ctx, const struct blame_line *l)
{
    struct log_walk *w = ctx;
    struct rr rr = l->rr;
    struct rr_list one = {.rrs = &rr, .n = 1};
    json_t *text = api_json_records(&one);

    (void)json_array_append_new(
        w->request->result,
        json_pack("{s:O, s:o, s:o}", "record", json_array_get(text, 0), "since",
                  l->known ? api_json_version(&w->zone, &l->since) : json_null(), "before",
                  l->has_before ? api_json_version(&w->zone, &l->before) : json_null()));
    json_decref(text);
}

void api_get_blame(struct api_request *r)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct history h = {0};
    struct log_walk w = {.request = r, .history = &h};
    struct audit_name name;

    r->result = json_array();
    if ((r->rc = take_name(&name, owner, r)) == OK && (r->rc = api_history(&h, &w.zone, r)) == OK)
        r->rc = audit_blame(&h, &w.zone, &name, BLAME_VERSIONS_MAX, on_line, &w, &r->error);
    history_close(&h);
}
