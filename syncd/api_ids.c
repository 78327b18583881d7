/* Content ids, for zonectl id and compare. */
#include "syncd/api_internal.h"
#include "syncd/content_id.h"

static json_t *json_id(const uint8_t *zone, const struct content_id *id)
{
    char hex[JOURNAL_HEX_MAX];

    journal_oid_hex(hex, &id->id);
    return json_pack("{s:o, s:I, s:I, s:s, s:b}", "zone", api_json_name(zone), "serial",
                     (json_int_t)id->serial.v, "version", (json_int_t)id->version, "content_id",
                     hex, "computed", (int)id->computed);
}

void api_get_id(struct api_request *r)
{
    struct history h = {0};
    struct content_id id;

    if ((r->rc = api_history(&h, NULL, r)) == OK &&
        (r->rc = content_id_get(&id, h.store, r->zone, api_arg_true(r, "compute"), &r->error)) ==
            OK)
        r->result = json_id(r->zone, &id);
    history_close(&h);
}

static void on_id(void *ctx, const uint8_t *zone, const struct content_id *id)
{
    (void)json_array_append_new(ctx, json_id(zone, id));
}

void api_get_ids(struct api_request *r)
{
    struct history h = {0};

    r->result = json_array();
    if ((r->rc = api_history(&h, NULL, r)) == OK)
        r->rc = content_id_each(h.store, api_arg_true(r, "compute"), on_id, r->result, &r->error);
    history_close(&h);
}
