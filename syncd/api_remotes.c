/* Where the history is pushed to, and how far each remote is. */
#include "syncd/api_internal.h"

static void add_remote(void *ctx, const struct remote_status *s)
{
    json_t *list = ctx;

    (void)json_array_append_new(
        list,
        json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o}",
                  "name", s->name, "url", s->url, "state", remote_state_name(s->state), "pushing",
                  (int)s->pushing, "backlog", (json_int_t)s->backlog, "lag_s", (json_int_t)s->lag_s,
                  "seq", (json_int_t)s->seq, "pushes", (json_int_t)s->pushes, "failures",
                  (json_int_t)s->failures, "failures_in_row", (json_int_t)s->failures_in_row,
                  "refused", (json_int_t)s->refused, "last_push", api_json_time(s->last_push),
                  "failing_since", api_json_time(s->failing_since), "retry_s",
                  (json_int_t)s->retry_s, "error",
                  s->error[0] ? api_json_text(s->error) : json_null()));
}

json_t *api_json_remotes(const struct api_request *r)
{
    json_t *list = json_array();

    remotes_each(r->api->env.remotes, add_remote, list);
    return list;
}

void api_get_remotes(struct api_request *r)
{
    r->result = api_json_remotes(r);
}

void api_post_remotes_push(struct api_request *r)
{
    const char *name = api_arg(r, "remote");

    r->rc = remotes_push(r->api->env.remotes, name[0] ? name : NULL, &r->error);
    if (r->rc == OK)
        r->result = api_json_remotes(r);
}

/* ---- Prometheus ---- */

struct metric {
    const char *name, *type, *help;
    uint64_t (*value)(const struct remote_status *s);
};

static uint64_t backlog_of(const struct remote_status *s)
{
    return s->backlog;
}

static uint64_t lag_of(const struct remote_status *s)
{
    return (uint64_t)s->lag_s;
}

static uint64_t failing_of(const struct remote_status *s)
{
    return s->state == REMOTE_FAILING;
}

static uint64_t diverged_of(const struct remote_status *s)
{
    return s->state == REMOTE_HAS_DIVERGED;
}

static uint64_t pushes_of(const struct remote_status *s)
{
    return s->pushes;
}

static uint64_t failures_of(const struct remote_status *s)
{
    return s->failures;
}

static const struct metric metrics[] = {
    {"remote_backlog", "gauge", "Versions that the remote lacks.", backlog_of},
    {"remote_lag_seconds", "gauge", "Age of the oldest version that the remote lacks.", lag_of},
    {"remote_failing", "gauge", "Whether pushes to the remote fail.", failing_of},
    {"remote_diverged", "gauge", "Whether the remote has what the journal does not continue.",
     diverged_of},
    {"remote_pushes_total", "counter", "Pushes that went well.", pushes_of},
    {"remote_push_failures_total", "counter", "Pushes that failed.", failures_of},
};

struct put {
    struct buf *out;
    const struct metric *metric;
};

static void put_value(void *ctx, const struct remote_status *s)
{
    const struct put *p = ctx;

    buf_printf(p->out, "zoneledger_%s{remote=\"%s\"} %llu\n", p->metric->name, s->name,
               (unsigned long long)p->metric->value(s));
}

void api_put_remotes(struct buf *out, const struct api_request *r)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        struct put p = {.out = out, .metric = &metrics[i]};

        buf_printf(out, "# HELP zoneledger_%s %s\n# TYPE zoneledger_%s %s\n", metrics[i].name,
                   metrics[i].help, metrics[i].name, metrics[i].type);
        remotes_each(r->api->env.remotes, put_value, &p);
    }
}
