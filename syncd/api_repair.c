/* zonectl journal repair: asks the journal thread, and waits for it without holding a thread. */
#include "syncd/api_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/repair_fetch.h"

enum { EXIT_WHOLE = 0, EXIT_WOULD_REPAIR = 1, EXIT_LOST = 2 };

struct asked {
    struct journaler_repair repair;
    struct api_request *request;
    char *from; /* NULL: nothing was fetched */
};

static json_t *json_damaged(const struct repair_report *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->damaged_count; i++)
        (void)json_array_append_new(list, api_json_text(p->damaged[i]));
    return list;
}

static json_t *json_lost(const struct repair_report *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->lost_listed; i++) {
        const struct repair_lost *l = &p->lost[i];

        (void)json_array_append_new(
            list, json_pack("{s:o, s:I, s:I, s:I, s:o, s:o}", "zone", api_json_text(l->zone),
                            "version", (json_int_t)l->version, "serial", (json_int_t)l->serial.v,
                            "seq", (json_int_t)l->seq, "at", api_json_time(l->at), "why",
                            api_json_text(l->why)));
    }
    return list;
}

static json_t *json_report(const struct repair_report *p, bool dry_run)
{
    bool needed = p->damaged_count + p->again + p->copied + p->renewed + p->refs > 0;

    return json_pack(
        "{s:i, s:b, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "exit",
        p->lost_count       ? EXIT_LOST
        : dry_run && needed ? EXIT_WOULD_REPAIR
                            : EXIT_WHOLE,
        "dry_run", (int)dry_run, "zones", (json_int_t)p->zones, "versions", (json_int_t)p->versions,
        "damaged", json_damaged(p), "packs_aside", (json_int_t)p->packs.packs, "objects_saved",
        (json_int_t)p->packs.saved, "objects_lost", (json_int_t)p->packs.lost, "made_again",
        (json_int_t)p->again, "copied", (json_int_t)p->copied, "renewed", (json_int_t)p->renewed,
        "refs", (json_int_t)p->refs, "cuts", (json_int_t)p->cuts, "lost_count",
        (json_int_t)p->lost_count, "lost", json_lost(p));
}

/* Loop thread. */
static void finish(void *ctx)
{
    struct asked *a = ctx;
    struct api_request *r = a->request;

    r->rc = a->repair.rc;
    r->error = a->repair.error;
    if (r->rc == OK)
        r->result = json_report(&a->repair.report, a->repair.wish.dry_run);
    repair_report_free(&a->repair.report);
    free(a->from);
    free(a);
    api_answer(r);
}

/* Journal thread. */
static void on_done(struct journaler_repair *q)
{
    struct asked *a = q->ctx;

    if (a->from)
        repair_fetched_drop(a->from);
    loop_post(a->request->api->env.loop, finish, a);
}

void api_post_repair(struct api_request *r)
{
    const char *zone = api_arg(r, "zone");

    if (zone[0] && (r->rc = name_from_text(r->zone, zone, strlen(zone), NULL, &r->error)) != OK)
        return;
    (void)name_fold(r->zone, r->zone);
    r->has_zone = zone[0] != 0;
}

void api_after_repair(struct api_request *r)
{
    struct asked *a = xcalloc(1, sizeof(*a));

    a->request = r;
    if (api_arg_true(r, "fetched"))
        a->from = repair_fetched(store_readers_dir(r->api->env.readers));
    a->repair.wish = (struct repair_wish){.zone = r->has_zone ? r->zone : NULL,
                                          .dry_run = api_arg_true(r, "dry_run"),
                                          .from = a->from};
    a->repair.done = on_done;
    a->repair.ctx = a;
    journaler_repair(r->api->env.journaler, &a->repair);
}
