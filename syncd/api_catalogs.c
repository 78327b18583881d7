/* The catalogs that this node follows. */
#include "syncd/api_internal.h"

static void add_catalog(void *ctx, const struct replicator_catalog *c)
{
    json_t *list = ctx;

    (void)json_array_append_new(
        list,
        json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "name", api_json_name(c->name),
                  "account", api_json_text(c->config->account), "state",
                  c->error    ? "broken"
                  : c->braked ? "braked"
                  : !c->read  ? "new"
                              : "ok",
                  "members", (json_int_t)c->members, "zones", (json_int_t)c->zones, "refused",
                  (json_int_t)c->refused, "waiting_to_go", (json_int_t)c->going, "braked",
                  (int)c->braked, "last_error", c->error ? api_json_text(c->error) : json_null()));
}

void api_get_catalogs(struct api_request *r)
{
    r->result = json_array();
    replicator_each_catalog(r->api->env.replicator, add_catalog, r->result);
}

static void add_member(void *ctx, const uint8_t *zone, enum replicator_member state,
                       const char *why)
{
    static const char *const states[] = {[MEMBER_SERVED] = "served",
                                         [MEMBER_COMING] = "coming",
                                         [MEMBER_REFUSED] = "refused",
                                         [MEMBER_GOING] = "waiting to go"};
    json_t *list = ctx;

    (void)json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "zone", api_json_name(zone),
                                                "state", states[state], "why", api_json_text(why)));
}

void api_get_catalog(struct api_request *r)
{
    json_t *members = json_array();

    r->rc = replicator_each_member(r->api->env.replicator, r->zone, add_member, members, &r->error);
    if (r->rc == OK)
        r->result = json_pack("{s:o, s:O}", "name", api_json_name(r->zone), "members", members);
    json_decref(members);
}

void api_post_approve(struct api_request *r)
{
    size_t removed = 0;

    r->rc = replicator_catalog_approve(r->api->env.replicator, r->zone, &removed, &r->error);
    if (r->rc == OK)
        r->result =
            json_pack("{s:s, s:I}", "result", "the zones are removed; their history is kept",
                      "removed", (json_int_t)removed);
}
