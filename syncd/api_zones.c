/* Status and zones: what is, and asking primaries again. */
#include "syncd/api_internal.h"
#include "syncd/autoprimary.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

json_t *api_json_time(struct wall t)
{
    char text[WALL_TEXT_MAX];

    if (t.s == 0)
        return json_null();
    wall_to_text(text, t);
    return json_string(text);
}

json_t *api_json_text(const char *text)
{
    json_t *j = json_string(text);
    char *copy;

    if (j)
        return j;
    copy = xstrdup(text);
    for (char *p = copy; *p; p++) {
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    }
    j = json_string(copy);
    free(copy);
    return j;
}

json_t *api_json_name(const uint8_t *name)
{
    char text[NAME_TEXT_MAX];

    (void)name_to_text(text, name);
    return json_string(text);
}

/* The one word an operator looks for, worst first. */
static const char *state_of(const struct store_zone *z)
{
    if (z->removed)
        return "removed";
    if (z->orphan)
        return "orphan";
    if (z->expired)
        return "expired";
    if (z->failures > 0)
        return "failing";
    if (!z->has_content)
        return "new";
    return z->held ? "held" : "ok";
}

static json_t *json_hold(const struct store_zone *z)
{
    if (!z->held)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o}", "version", (json_int_t)z->held_version, "since",
                     api_json_time(z->held_at), "by", api_json_text(z->held_by), "reason",
                     api_json_text(z->held_reason));
}

/* ---- The sections of the configuration, by name ---- */

void api_sections_init(struct api_sections *s, const struct config *c, const uint8_t *only)
{
    uint8_t name[NAME_MAX_OCTETS];

    s->config = c;
    arena_init(&s->names, 0);
    namemap_init(&s->map, clock_real());
    for (size_t i = 0; i < c->zone_count; i++) {
        if (name_from_text(name, c->zones[i].name, strlen(c->zones[i].name), NULL, NULL) == OK &&
            (!only || name_eq(name, only)))
            namemap_put(&s->map, arena_dup(&s->names, name, name_len(name)), &c->zones[i]);
    }
}

void api_sections_done(struct api_sections *s)
{
    namemap_done(&s->map);
    arena_done(&s->names);
}

/* What a catalog's zones are configured as, unless their group says otherwise. */
static const struct config_zone *catalog_section(const struct api_sections *s,
                                                 const struct store_zone *z)
{
    const struct config_zone *own = namemap_get(&s->map, z->name);
    uint8_t name[NAME_MAX_OCTETS];

    for (size_t i = 0; !own && i < s->config->catalog_count; i++) {
        const struct config_catalog *c = &s->config->catalogs[i];

        if (name_from_text(name, c->name, strlen(c->name), NULL, NULL) == OK &&
            name_eq(name, z->catalog))
            return &c->zone;
    }
    return own;
}

/* The zone's section, or its autoprimary's, or its catalog's. */
static const struct config_zone *section_of(const struct api_sections *s,
                                            const struct store_zone *z)
{
    const struct config_autoprimary *a =
        z->source == SOURCE_AUTOPRIMARY ? autoprimary_find(s->config, z->account, z->nameserver)
                                        : NULL;

    if (z->source == SOURCE_CATALOG)
        return catalog_section(s, z);
    return a ? &a->zone : namemap_get(&s->map, z->name);
}

static json_t *json_primaries(const struct store_zone *z, const struct api_sections *s)
{
    const struct config_zone *cz = z->kind == ZONE_SECONDARY ? section_of(s, z) : NULL;
    json_t *list = json_array();

    for (size_t i = 0; cz && i < cz->primary_count; i++) {
        char text[ADDR_TEXT_MAX];
        addr_to_text(text, &s->config->primaries[cz->primaries[i]].address);
        (void)json_array_append_new(list, json_string(text));
    }
    return list;
}

json_t *api_json_zone(const struct store_zone *z, const struct api_sections *sections)
{
    bool waits = z->held && z->last_version > z->version;

    return json_pack(
        "{s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:b, s:o, s:o, s:o, s:o, "
        "s:i, s:o, s:o, s:o, s:b, s:o, s:o}",
        "id", api_json_name(z->name), "name", api_json_name(z->name), "kind",
        z->kind == ZONE_LOCAL ? "Local" : "Secondary", "account", api_json_text(z->account),
        "state", state_of(z), "masters", json_primaries(z, sections), "serial",
        z->has_content ? json_integer(z->serial.v) : json_null(), "primary_serial",
        z->has_primary_serial ? json_integer(z->primary_serial.v) : json_null(), "version",
        (json_int_t)z->version, "records", (json_int_t)z->records, "hold", json_hold(z), "waiting",
        (int)waits, "last_check", api_json_time(z->last_check), "last_success",
        api_json_time(z->last_success), "next_check", api_json_time(z->next_check), "expires_at",
        api_json_time(z->expires_at), "failures", (int)z->failures, "last_error",
        api_json_text(z->last_error), "last_primary", api_json_text(z->last_primary), "catalog",
        name_is_root(z->catalog) || z->source != SOURCE_CATALOG ? json_null()
                                                                : api_json_name(z->catalog),
        "orphan", (int)z->orphan, "unserved_since", api_json_time(z->unserved_since), "file",
        z->file[0] ? api_json_text(z->file) : json_null());
}

json_t *api_json_one_zone(const struct store_zone *z, const struct config *c)
{
    struct api_sections sections;
    json_t *zone;

    api_sections_init(&sections, c, z->name);
    zone = api_json_zone(z, &sections);
    api_sections_done(&sections);
    return zone;
}

/* ---- Handlers ---- */

struct zone_list {
    struct api_sections sections;
    json_t *array;
};

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct zone_list *l = ctx;

    (void)e;
    (void)json_array_append_new(l->array, api_json_zone(z, &l->sections));
    return OK;
}

enum err api_history(struct history *h, struct store_zone *row, struct api_request *r)
{
    char zone[NAME_TEXT_MAX];
    enum err rc = history_open(h, r->api->env.readers, &r->error);

    if (rc || !row)
        return rc;
    rc = store_zone_get(h->store, r->zone, row, &r->error);
    if (rc == ERR_NOT_FOUND) {
        (void)name_to_text(zone, r->zone);
        return err_set(rc, &r->error, "there is no zone %s; 'zonectl zone list' shows all", zone);
    }
    return rc;
}

void api_get_zones(struct api_request *r)
{
    struct history h = {0};
    struct zone_list l = {.array = json_array()};

    api_sections_init(&l.sections, r->config, NULL);
    if ((r->rc = api_history(&h, NULL, r)) == OK)
        r->rc = store_zone_each(h.store, on_zone, &l, &r->error);
    r->result = l.array;
    api_sections_done(&l.sections);
    history_close(&h);
}

void api_get_zone(struct api_request *r)
{
    struct history h = {0};
    struct store_zone row;

    if ((r->rc = api_history(&h, &row, r)) == OK)
        r->result = api_json_one_zone(&row, r->config);
    history_close(&h);
}

struct state_count {
    const char *state;
    json_int_t n;
};

struct counts {
    struct state_count states[7];
    json_t *trouble; /* zones that need a look, in full */
    struct api_sections sections;
    json_int_t zones;
};

static enum err on_count(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct counts *c = ctx;
    const char *state = state_of(z);

    (void)e;
    c->zones++;
    for (size_t i = 0; i < sizeof(c->states) / sizeof(c->states[0]); i++) {
        if (strcmp(c->states[i].state, state) == 0)
            c->states[i].n++;
    }
    if (strcmp(state, "ok") != 0 && strcmp(state, "removed") != 0 &&
        json_array_size(c->trouble) < 1000)
        (void)json_array_append_new(c->trouble, api_json_zone(z, &c->sections));
    return OK;
}

void api_get_status(struct api_request *r)
{
    struct history h = {0};
    const struct journaler_status *js = &r->journal;
    struct counts c = {.states = {{"ok", 0},
                                  {"new", 0},
                                  {"held", 0},
                                  {"failing", 0},
                                  {"expired", 0},
                                  {"orphan", 0},
                                  {"removed", 0}},
                       .trouble = json_array()};
    json_t *states = json_object();
    uint64_t last = 0;
    uint64_t first = 0;
    uint64_t behind = 0;

    api_sections_init(&c.sections, r->config, NULL);
    if ((r->rc = api_history(&h, NULL, r)) ||
        (r->rc = store_seq(h.store, &last, &first, &r->error)) ||
        (r->rc = store_unjournaled_count(h.store, &behind, &r->error)) ||
        (r->rc = store_zone_each(h.store, on_count, &c, &r->error))) {
        json_decref(c.trouble);
        json_decref(states);
        goto out;
    }
    for (size_t i = 0; i < sizeof(c.states) / sizeof(c.states[0]); i++)
        (void)json_object_set_new(states, c.states[i].state, json_integer(c.states[i].n));
    r->result =
        json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:b, s:o}}",
                  "node", r->config->node, "version", ZL_VERSION, "sandbox", r->api->env.sandbox,
                  "authd_connected", (int)r->authd_connected, "seq", (json_int_t)last, "zones",
                  c.zones, "states", states, "attention", c.trouble, "journal", "behind",
                  (json_int_t)behind, "written", (json_int_t)js->written, "packs",
                  (json_int_t)js->packs, "bytes", (json_int_t)js->pack_bytes, "failing",
                  (int)js->failing, "last_error", api_json_text(js->last_error));
out:
    api_sections_done(&c.sections);
    history_close(&h);
}

static void on_watched(void *ctx, const struct watch_status *s)
{
    json_t *list = ctx;
    json_t *last = json_array_get(list, json_array_size(list) - 1);

    if (s->is_directory)
        (void)json_array_append_new(
            list, json_pack("{s:o, s:o, s:b, s:I, s:I, s:[]}", "path", api_json_text(s->path),
                            "error", api_json_text(s->error), "watched", (int)s->told, "files",
                            (json_int_t)s->zones, "wrong", (json_int_t)s->wrong, "errors"));
    else if (last)
        (void)json_array_append_new(json_object_get(last, "errors"),
                                    json_pack("{s:o, s:o}", "file", api_json_text(s->path), "error",
                                              api_json_text(s->error)));
}

/* What the loop thread alone knows. */
void api_after_status(struct api_request *r)
{
    json_t *list = json_array();

    watch_each(r->api->env.watch, on_watched, list);
    (void)json_object_set_new(r->result, "directories", list);
    api_answer(r);
}

void api_put_refresh(struct api_request *r)
{
    r->rc = replicator_refresh(r->api->env.replicator, r->zone, &r->error);
    if (r->rc == OK)
        r->result = json_pack("{s:s}", "result", "the primaries are being asked");
}

void api_put_retransfer(struct api_request *r)
{
    r->rc = replicator_retransfer(r->api->env.replicator, r->zone, &r->error);
    if (r->rc == OK)
        r->result = json_pack("{s:s}", "result", "a transfer is queued");
}
