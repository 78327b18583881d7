/* The preview of a fleet rollback. */
#include <string.h>

#include "syncd/api_internal.h"
#include "syncd/fleet_plan.h"

struct gathered {
    json_t *zones;
    json_int_t of[FLEET_CANNOT + 1];
};

static void on_planned(void *ctx, const struct fleet_zone *z)
{
    struct gathered *g = ctx;

    g->of[z->step]++;
    if (z->step == FLEET_SAME)
        return;
    (void)json_array_append_new(
        g->zones,
        json_pack("{s:o, s:s, s:I, s:I, s:o}", "name", api_json_name(z->row->name), "step",
                  fleet_step_name(z->step), "added", (json_int_t)z->added, "removed",
                  (json_int_t)z->removed, "why", z->why[0] ? api_json_text(z->why) : json_null()));
}

/* A moment that was is meant, and it must stay the same one while the zones are gone through. */
static enum err find_moment(struct wall *at, const char *text, const struct api_request *r,
                            struct errinfo *e)
{
    if (!text[0] || !history_time(at, text, r->now))
        return err_set(ERR_FORMAT, e,
                       "'to' should be a time, such as 2026-05-29T10:00Z or '2h ago': many zones "
                       "have nothing else in common");
    return at->s > r->now.s ? err_set(ERR_FORMAT, e, "%s has not been yet", text) : OK;
}

void api_post_fleet_plan(struct api_request *r)
{
    const char *catalog = api_arg(r, "catalog");
    uint8_t name[NAME_MAX_OCTETS];
    struct fleet_pick pick = {.account = api_arg(r, "account"), .match = api_arg(r, "match")};
    struct operator_act act = {
        .who = r->who, .reason = "", .force = api_arg_true(r, "force"), .now = r->now};
    struct gathered g = {.zones = json_array()};
    struct history h = {0};
    struct wall at = {0};

    if (api_arg(r, "serial")[0] &&
        !config_rollback_serial_from_text(&act.serial, api_arg(r, "serial"))) {
        r->rc = err_set(ERR_FORMAT, &r->error, "serial: should be auto, exact or local");
        goto out;
    }
    if (catalog[0]) {
        if ((r->rc = name_from_text(name, catalog, strlen(catalog), NULL, &r->error)))
            goto out;
        (void)name_fold(name, name);
        pick.catalog = name;
    }
    if ((r->rc = find_moment(&at, api_arg(r, "to"), r, &r->error)) == OK &&
        (r->rc = api_history(&h, NULL, r)) == OK &&
        (r->rc = fleet_plan(&h, &pick, at, &act, on_planned, &g, &r->error)) == OK)
        r->result = json_pack("{s:o, s:O, s:I, s:I, s:I, s:I, s:I}", "to", api_json_time(at),
                              "zones", g.zones, "same", g.of[FLEET_SAME], "rollback",
                              g.of[FLEET_ROLLBACK], "undelete", g.of[FLEET_UNDELETE], "remove",
                              g.of[FLEET_REMOVE], "cannot", g.of[FLEET_CANNOT]);
    history_close(&h);
out:
    json_decref(g.zones);
}
