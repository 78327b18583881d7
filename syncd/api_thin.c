/* zonectl journal thin: the retention that is configured, now, or what it would do. */
#include <stdlib.h>

#include "syncd/api_internal.h"
#include "syncd/retention.h"

struct thin_request {
    struct retention_list list;
    struct store_readers *readers;
    json_t *zones;
};

void api_post_thin(struct api_request *r)
{
    struct thin_request *t = xcalloc(1, sizeof(*t));
    struct history h = {0};

    r->row = t;
    t->readers = r->api->env.readers;
    if ((r->rc = api_history(&h, NULL, r)) == OK)
        r->rc = retention_read(&t->list, &h, &r->error);
    history_close(&h);
    if (r->rc)
        retention_list_done(&t->list);
}

static void add_zone(struct thin_request *t, const struct store_zone *z, const struct thin_plan *p)
{
    uint64_t n = p->gone_count;

    if (n == 0)
        return;
    (void)json_array_append_new(
        t->zones, json_pack("{s:o, s:I, s:I, s:I}", "zone", api_json_name(z->name), "versions",
                            (json_int_t)n, "oldest", (json_int_t)p->gone[0].version, "newest",
                            (json_int_t)p->gone[n - 1].version));
}

/* In the pool once more: what holds for each zone is known now. */
static void preview(void *ctx)
{
    struct api_request *r = ctx;
    struct thin_request *t = r->row;
    struct history h = {0};

    t->zones = json_array();
    if ((r->rc = history_open(&h, t->readers, &r->error)) == OK)
        for (size_t i = 0; i < t->list.n && r->rc == OK; i++) {
            const struct retention_zone *z = &t->list.zones[i];
            struct thin_plan p;

            r->rc = thin_plan_make(&p, h.store, &z->row, &z->policy, r->now, SIZE_MAX, &r->error);
            if (r->rc == OK)
                add_zone(t, &z->row, &p);
            thin_plan_done(&p);
        }
    history_close(&h);
}

static void answer(void *ctx)
{
    struct api_request *r = ctx;
    struct thin_request *t = r->row;

    if (r->rc == OK)
        r->result = json_pack("{s:I, s:O}", "zones_with_retention", (json_int_t)t->list.n, "zones",
                              t->zones);
    json_decref(t->zones);
    retention_list_done(&t->list);
    api_answer(r);
}

void api_after_thin(struct api_request *r)
{
    struct thin_request *t = r->row;

    retention_settle(&t->list, r->api->env.replicator, r->config);
    if (!api_arg_true(r, "dry_run") && t->list.n)
        journaler_thin(r->api->env.journaler, retention_wish(&t->list, r->now));
    loop_work(r->api->env.loop, preview, answer, r);
}
