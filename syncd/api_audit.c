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
#define CHANGES_AT_ONCE 50 /* that are looked at themselves */
#define CHANGES_MAX 20000
#define BLAME_VERSIONS_MAX 100000

/* A version that fits, and whose. */
struct found {
    struct store_zone zone;
    struct store_version version;
};

struct log_walk {
    struct api_request *request;
    struct history *history;
    struct api_log_filter filter;
    uint64_t limit; /* still to be found */
    uint64_t last;  /* number, or seq, of the last one looked at */
    struct store_zone zone;
    size_t rows; /* of this batch */
    struct audit_name name;
    size_t changes; /* looked at for a type alone */
    struct found *found;
    size_t n, cap;
    bool past; /* all that follow are too old */
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

/* The name and the type in the query; `owner` is where the name goes. With a zone in the path it is
 * one of it. */
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
        if (r->has_zone && !name_within(owner, r->zone))
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

/* A name is in its zone, but it may have been in a parent's, and be in one of the same name below:
 * so all that could have it are asked, and what they say is put in order. */
static bool on_found(void *ctx, const struct store_version *v)
{
    struct log_walk *w = ctx;

    if ((!w->last || v->seq < w->last) && fits(&w->filter, v)) {
        w->found = xgrow(w->found, &w->cap, w->n + 1, sizeof(*w->found));
        w->found[w->n++] = (struct found){.zone = w->zone, .version = *v};
        w->rows++;
    }
    return w->rows < w->limit && !(w->filter.has_since && v->at.s < w->filter.since.s);
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const struct found *)a)->version.seq, y = ((const struct found *)b)->version.seq;

    return x < y ? 1 : -(x > y);
}

static enum err walk_name(struct log_walk *w, uint64_t before, struct errinfo *e)
{
    const uint8_t *zone = w->name.owner;
    enum err rc = OK;

    w->last = before;
    for (bool more = true; more && rc == OK; zone = more ? name_parent(zone) : zone) {
        more = !name_is_root(zone);
        rc = store_zone_get(w->history->store, zone, &w->zone, e);
        w->rows = 0;
        if (rc == OK && (!w->filter.account[0] || !strcmp(w->filter.account, w->zone.account)))
            rc = audit_versions(w->history, &w->zone, &w->name, 0, on_found, w, e);
        if (rc == ERR_NOT_FOUND)
            rc = OK;
    }
    if (rc == OK && w->n)
        qsort(w->found, w->n, sizeof(*w->found), by_seq);
    for (size_t i = 0; i < w->n && w->limit && rc == OK; i++) {
        w->zone = w->found[i].zone;
        add_version(w, &w->found[i].version, true);
    }
    free(w->found);
    return rc;
}

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
    if (w->filter.account[0] && strcmp(w->filter.account, w->zone.account) != 0)
        return OK;
    if (w->name.type && ++w->changes > CHANGES_MAX)
        return err_set(ERR_FORMAT, e,
                       "a type alone is looked for in each change, and there are more than %d: say "
                       "a zone or a name, 'since', or 'before'",
                       CHANGES_MAX);
    if (!w->name.type || audit_touches(w->history, &w->zone, v, &w->name))
        add_version(w, v, true);
    return OK;
}

static enum err walk_all(struct log_walk *w, uint64_t before, struct errinfo *e)
{
    size_t at_once = w->name.type ? CHANGES_AT_ONCE : ROWS_AT_ONCE;
    enum err rc;

    do { /* each batch is a short look at the store */
        w->rows = 0;
        rc = store_version_all_each(w->history->store, before, (uint32_t)at_once, on_any_version, w,
                                    e);
        before = w->last;
    } while (rc == OK && w->limit && w->rows == at_once);
    return rc;
}

void api_get_node_log(struct api_request *r)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct history h = {0};
    struct log_walk w = {.request = r, .history = &h};
    uint64_t before = 0;

    r->result = json_array();
    if ((r->rc = api_arg_number(&w.limit, r, "limit", LOG_LIMIT)) ||
        (r->rc = api_arg_number(&before, r, "before", 0)) ||
        (r->rc = api_log_filter_take(&w.filter, r)) || (r->rc = take_name(&w.name, owner, r)) ||
        (r->rc = api_history(&h, NULL, r)))
        goto out;
    w.limit = w.limit > LOG_LIMIT_MAX ? LOG_LIMIT_MAX : w.limit;
    if (w.limit)
        r->rc = w.name.owner ? walk_name(&w, before, &r->error) : walk_all(&w, before, &r->error);
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
        json_pack("{s:O, s:b, s:o, s:o}", "record", json_array_get(text, 0), "thinned",
                  (int)l->thinned, "since",
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
