/* What operators did: each request that changes something is written down with who, when and why,
 * in the transaction that does it where that is one of the store's, otherwise right behind it and
 * before the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/api_internal.h"

#define BASE "/api/v1/servers/localhost"
#define ACTS_LIMIT 50
#define ACTS_LIMIT_MAX 10000
#define ROWS_AT_ONCE 1000

/* ---- Which requests are acts ---- */

/* By zonectl's verb. A route that is not here is one, too, unless it is a GET: its method and path
 * name it. NULL: it changes nothing. */
static const struct {
    enum evhttp_cmd_type method;
    const char *path, *action;
} actions[] = {
    {EVHTTP_REQ_DELETE, BASE "/zones/{}", "zone remove"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/undelete", "undelete"},
    {EVHTTP_REQ_PUT, BASE "/zones/{}/refresh", "refresh"},
    {EVHTTP_REQ_PUT, BASE "/zones/{}/axfr-retrieve", "retransfer"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/rollback", "rollback"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/hold", "hold"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/release", "release"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/quarantine/approve", "quarantine approve"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/quarantine/reject", "quarantine reject"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/staged/reject", "staged reject"},
    {EVHTTP_REQ_PUT, BASE "/zones/{}/import", "import"},
    {EVHTTP_REQ_POST, BASE "/remotes/push", "journal push"},
    {EVHTTP_REQ_POST, BASE "/journal/keys", "journal key create"},
    {EVHTTP_REQ_POST, BASE "/journal/keys/rotate", "journal key rotate"},
    {EVHTTP_REQ_POST, BASE "/zones/{}/reindex", "journal reindex"},
    {EVHTTP_REQ_POST, BASE "/journal/repair", "journal repair"},
    {EVHTTP_REQ_POST, BASE "/catalogs/{}/approve", "catalog approve"},
    {EVHTTP_REQ_POST, BASE "/autoprimaries", "autoprimary add"},
    {EVHTTP_REQ_DELETE, BASE "/autoprimaries/{*}/{*}", "autoprimary remove"},
    {EVHTTP_REQ_POST, BASE "/rollback/plan", NULL},
    {EVHTTP_REQ_POST, BASE "/verify", NULL},
    {EVHTTP_REQ_POST, BASE "/remotes/verify", NULL},
};

static const char *method_name(enum evhttp_cmd_type method)
{
    return method == EVHTTP_REQ_POST     ? "POST"
           : method == EVHTTP_REQ_PUT    ? "PUT"
           : method == EVHTTP_REQ_DELETE ? "DELETE"
                                         : "PATCH";
}

bool api_act_name(char *out, size_t cap, const struct api_route *route)
{
    const char *path = route->path;

    if (route->method == EVHTTP_REQ_GET)
        return false;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (actions[i].method != route->method || strcmp(actions[i].path, path) != 0)
            continue;
        (void)snprintf(out, cap, "%s", actions[i].action ? actions[i].action : "");
        return actions[i].action != NULL;
    }
    if (strncmp(path, BASE, strlen(BASE)) == 0)
        path += strlen(BASE);
    (void)snprintf(out, cap, "%s %s", method_name(route->method), path);
    return true;
}

/* ---- One act ---- */

static void add_detail(struct buf *out, const char *name, const char *value)
{
    if (value[0])
        buf_printf(out, "%s%s%s%s", out->len ? " " : "", name, name[0] ? "=" : "", value);
}

/* Cut at the end of a character. */
static void copy_text(char *out, size_t cap, const char *text)
{
    size_t n = strnlen(text, cap - 1);

    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, text, n);
    out[n] = 0;
}

struct store_act *api_act_new(const struct api_request *r)
{
    static const char *const args[] = {
        "to",  "file",   "serial", "ip",      "nameserver",       "account",
        "key", "remote", "until",  "version", "until_newer_than", "for"};
    struct store_act *a = xcalloc(1, sizeof(*a));
    struct buf detail = BUF_INIT;

    (void)api_act_name(a->action, sizeof(a->action), r->route);
    a->at = r->now;
    (void)snprintf(a->who, sizeof(a->who), "%s", r->who);
    a->has_zone = r->has_zone;
    if (r->has_zone)
        (void)name_copy(a->zone, r->zone);
    for (size_t i = 0; i < sizeof(r->parts) / sizeof(r->parts[0]); i++)
        add_detail(&detail, "", r->parts[i]);
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
        add_detail(&detail, args[i], api_arg(r, args[i]));
    add_detail(&detail, "client", r->client);
    if (api_arg_true(r, "force"))
        add_detail(&detail, "", "force");
    copy_text(a->detail, sizeof(a->detail), buf_cstr(&detail));
    copy_text(a->reason, sizeof(a->reason), api_arg(r, "reason"));
    buf_free(&detail);
    return a;
}

static enum err act_write(void *ctx, struct store *s, struct errinfo *e)
{
    (void)ctx; /* the job's act is all there is to write */
    (void)s;
    (void)e;
    return OK;
}

static void log_act(const struct store_act *a)
{
    char zone[NAME_TEXT_MAX] = "";

    if (a->has_zone)
        (void)name_to_text(zone, a->zone);
    log_info(say("an operator acted"), kv_str("action", a->action), kv_str("zone", zone),
             kv_str("detail", a->detail), kv_str("who", a->who), kv_str("reason", a->reason));
}

/* A reindex is many requests, of which the first is the act: 'at' is where another one goes on. */
bool api_act_is_due(const struct api_request *r)
{
    char name[sizeof(((struct store_act *)0)->action)] = "";
    bool looks_only = api_arg_true(r, "dry_run") || api_arg_true(r, "check");

    return r->rc == OK && !r->acts_itself && !looks_only &&
           api_act_name(name, sizeof(name), r->route) &&
           !(strcmp(name, "journal reindex") == 0 && api_arg(r, "at")[0]);
}

void api_act_submit(struct api_request *r, commit_done_fn *done)
{
    static const struct store_zone none;
    struct commit_job *job = commit_job_new(COMMIT_WRITE, &none);

    job->act = api_act_new(r);
    job->write = act_write;
    job->done = done;
    job->ctx = r;
    log_act(job->act);
    commit_submit(r->api->env.committer, job);
}

/* ---- Reading them ---- */

struct acts_walk {
    struct api_request *request;
    struct api_log_filter filter;
    const char *action;
    bool has_zone;
    uint8_t zone[NAME_MAX_OCTETS];
    uint64_t limit, last;
    size_t rows;
};

static bool fits(const struct acts_walk *w, const struct store_act *a)
{
    return !(w->filter.has_since && a->at.s < w->filter.since.s) &&
           !(w->filter.has_until && a->at.s > w->filter.until.s) &&
           (!w->filter.user[0] || strcmp(w->filter.user, a->who) == 0) &&
           (!w->action[0] || strcasecmp(w->action, a->action) == 0) &&
           (!w->has_zone || (a->has_zone && name_eq(w->zone, a->zone)));
}

static enum err on_act(void *ctx, const struct store_act *a, struct errinfo *e)
{
    struct acts_walk *w = ctx;

    (void)e;
    w->rows++;
    w->last = a->id;
    if (!w->limit || !fits(w, a))
        return OK;
    w->limit--;
    (void)json_array_append_new(
        w->request->result,
        json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "id", (json_int_t)a->id, "at",
                  api_json_time(a->at), "who", api_json_text(a->who), "action", a->action, "zone",
                  a->has_zone ? api_json_name(a->zone) : json_null(), "detail",
                  api_json_text(a->detail), "reason", api_json_text(a->reason), "version",
                  a->version ? json_integer((json_int_t)a->version) : json_null()));
    return OK;
}

static enum err take_zone(struct acts_walk *w, struct api_request *r)
{
    const char *zone = api_arg(r, "zone");
    enum err rc;

    w->has_zone = zone[0] != 0;
    if (!w->has_zone)
        return OK;
    if ((rc = name_from_text(w->zone, zone, strlen(zone), NULL, &r->error)))
        return err_wrap(rc, &r->error, "zone '%s'", zone);
    (void)name_fold(w->zone, w->zone);
    return OK;
}

void api_get_acts(struct api_request *r)
{
    struct acts_walk w = {.request = r, .action = api_arg(r, "action")};
    struct history h = {0};
    uint64_t before = 0;

    r->result = json_array();
    if ((r->rc = api_arg_number(&w.limit, r, "limit", ACTS_LIMIT)) ||
        (r->rc = api_arg_number(&before, r, "before", 0)) ||
        (r->rc = api_log_filter_take(&w.filter, r)) || (r->rc = take_zone(&w, r)) ||
        (r->rc = api_history(&h, NULL, r)))
        goto out;
    w.limit = w.limit > ACTS_LIMIT_MAX ? ACTS_LIMIT_MAX : w.limit;
    do { /* each batch is a short look at the store */
        w.rows = 0;
        r->rc = store_act_each(h.store, before, ROWS_AT_ONCE, on_act, &w, &r->error);
        before = w.last;
    } while (r->rc == OK && w.limit && w.rows == ROWS_AT_ONCE);
out:
    history_close(&h);
}
