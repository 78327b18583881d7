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

/* Three quarters of the time without a primary are over. */
static bool expires_soon(const struct store_zone *z)
{
    return z->has_content && !z->held && z->expires_at.s != 0 &&
           (z->expires_at.s - clock_wall(clock_real()).s) * 4 < z->expires_at.s - z->last_success.s;
}

/* The one word an operator looks for, worst first. */
const char *api_zone_state(const struct store_zone *z)
{
    if (z->removed)
        return "removed";
    if (z->orphan)
        return "orphan";
    if (z->expired)
        return "expired";
    if (store_zone_is_quarantined(z))
        return expires_soon(z) ? "expiring" : "quarantined";
    if (z->failures > 0)
        return expires_soon(z) ? "expiring" : "failing";
    if (!z->has_content)
        return "new";
    if (z->held)
        return "held";
    if (store_zone_is_staged(z))
        return "staged";
    return z->has_primary_serial &&
                   serial_cmp(z->primary_serial, store_zone_theirs(z)) == SERIAL_NEWER
               ? "lagging"
               : "ok";
}

static json_t *json_hold(const struct store_zone *z)
{
    if (!z->held)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "version", (json_int_t)z->held_version,
                     "since", api_json_time(z->held_at), "by", api_json_text(z->held_by), "reason",
                     api_json_text(z->held_reason), "until_newer_than",
                     z->hold_has_serial ? json_integer(z->hold_serial.v) : json_null(), "until",
                     api_json_time(z->hold_until));
}

static json_t *json_quarantine(const struct store_zone *z)
{
    if (z->quarantine_version <= z->version)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:b}", "version", (json_int_t)z->quarantine_version, "since",
                     api_json_time(z->quarantine_at), "reason", api_json_text(z->quarantine_reason),
                     "rejected", (int)z->quarantine_rejected);
}

/* The newest version that waits for its time, or was rejected while it did. */
static json_t *json_staged(const struct store_zone *z)
{
    if (z->held || z->staged_version <= z->version)
        return json_null();
    return json_pack("{s:I, s:b}", "version", (json_int_t)z->staged_version, "rejected",
                     (int)z->staged_rejected);
}

/* ---- The sections of the configuration, by name ---- */

void api_sections_init(struct api_sections *s, const struct api_request *r, const uint8_t *only)
{
    const struct config *c = r->config;
    uint8_t name[NAME_MAX_OCTETS];

    s->config = c;
    s->zone = r->section ? r->zone : NULL;
    s->section = r->section;
    s->ends = r->api->env.ends;
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

/* The zone's section, or its autoprimary's, or its catalog's; of groups the request's zone knows.
 */
static const struct config_zone *section_of(const struct api_sections *s,
                                            const struct store_zone *z)
{
    const struct config_autoprimary *a =
        z->source == SOURCE_AUTOPRIMARY ? autoprimary_find(s->config, z->account, z->nameserver)
                                        : NULL;

    if (s->zone && name_eq(s->zone, z->name))
        return s->section;
    if (z->source == SOURCE_CATALOG)
        return catalog_section(s, z);
    return a ? &a->zone : namemap_get(&s->map, z->name);
}

const struct config_zone *api_section(const struct store_zone *z, const struct api_request *r)
{
    struct api_sections sections;
    const struct config_zone *cz;

    api_sections_init(&sections, r, z->name);
    cz = section_of(&sections, z);
    api_sections_done(&sections);
    return cz;
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

/* Of what is served, where it waits for an operator; null: it does not, has none, or is not known
 * yet. */
static json_t *json_signatures(const struct store_zone *z, const struct api_sections *sections)
{
    struct wall end;

    return sections->ends && signature_ends_find(sections->ends, z, &end) ? api_json_time(end)
                                                                          : json_null();
}

json_t *api_json_zone(const struct store_zone *z, const struct api_sections *sections)
{
    bool waits = z->held ? z->last_version > z->version : store_zone_is_staged(z);

    return json_pack(
        "{s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:b, s:o, s:o, s:o, s:o, "
        "s:i, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
        "id", api_json_name(z->name), "name", api_json_name(z->name), "kind",
        z->kind == ZONE_LOCAL ? "Local" : "Secondary", "account", api_json_text(z->account),
        "state", api_zone_state(z), "masters", json_primaries(z, sections), "serial",
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
        z->file[0] ? api_json_text(z->file) : json_null(), "quarantine", json_quarantine(z),
        "signatures_until", json_signatures(z, sections), "staged", json_staged(z),

        "theirs", z->ours ? json_integer(z->theirs.v) : json_null());
}

json_t *api_json_one_zone(const struct store_zone *z, const struct api_request *r)
{
    struct api_sections sections;
    json_t *zone;

    api_sections_init(&sections, r, z->name);
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

    h->cache = r->api->env.cache;
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

    api_sections_init(&l.sections, r, NULL);
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
        r->result = api_json_one_zone(&row, r);
    history_close(&h);
}

#define ATTENTION_MAX 1000 /* zones that are shown in full */

/* Worst first. */
static const char *const states_in_order[] = {"expired", "expiring", "quarantined", "failing",
                                              "orphan",  "lagging",  "held",        "staged",
                                              "new",     "ok",       "removed"};
#define STATES (sizeof(states_in_order) / sizeof(states_in_order[0]))
#define STATES_BAD 9 /* of these */

struct counts {
    json_int_t zones, of[STATES];
    json_t *trouble[STATES_BAD]; /* zones that need a look, in full */
    struct api_sections sections;
};

static enum err on_count(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct counts *c = ctx;
    const char *state = api_zone_state(z);
    size_t i = 0;

    (void)e;
    while (strcmp(states_in_order[i], state) != 0)
        i++;
    c->zones++;
    c->of[i]++;
    if (i < STATES_BAD && c->of[i] <= ATTENTION_MAX)
        (void)json_array_append_new(c->trouble[i], api_json_zone(z, &c->sections));
    return OK;
}

/* One list of all, the worst first; the lists are given up. */
static json_t *attention_of(struct counts *c)
{
    json_t *all = json_array();

    for (size_t i = 0; i < STATES_BAD; i++) {
        size_t room = ATTENTION_MAX - json_array_size(all);

        for (size_t k = 0; k < json_array_size(c->trouble[i]) && k < room; k++)
            (void)json_array_append(all, json_array_get(c->trouble[i], k));
        json_decref(c->trouble[i]);
    }
    return all;
}

static json_t *states_of(const struct counts *c)
{
    json_t *all = json_object();

    for (size_t i = 0; i < STATES; i++)
        (void)json_object_set_new(all, states_in_order[i], json_integer(c->of[i]));
    return all;
}

void api_get_status(struct api_request *r)
{
    struct history h = {0};
    const struct journaler_status *js = &r->journal;
    struct counts c = {.zones = 0};
    json_t *attention;
    uint64_t last = 0;
    uint64_t first = 0;
    uint64_t behind = 0;
    uint64_t lost = 0;

    api_sections_init(&c.sections, r, NULL);
    for (size_t i = 0; i < STATES_BAD; i++)
        c.trouble[i] = json_array();
    if (!(r->rc = api_history(&h, NULL, r)) &&
        !(r->rc = store_seq(h.store, &last, &first, &r->error)) &&
        !(r->rc = store_unjournaled_count(h.store, &behind, &r->error)) &&
        !(r->rc = store_lost_count(h.store, &lost, &r->error)))
        r->rc = store_zone_each(h.store, on_count, &c, &r->error);
    attention = attention_of(&c);
    if (r->rc) {
        json_decref(attention);
        goto out;
    }
    r->result = json_pack(
        "{s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:b, s:I, "
        "s:I}}",
        "node", r->config->node, "version", ZL_VERSION, "sandbox", r->api->env.sandbox,
        "authd_connected", (int)r->authd_connected, "seq", (json_int_t)last, "zones", c.zones,
        "states", states_of(&c), "attention", attention, "journal", "behind", (json_int_t)behind,
        "lost", (json_int_t)lost, "written", (json_int_t)js->written, "packs",
        (json_int_t)js->packs, "bytes", (json_int_t)js->pack_bytes, "failing", (int)js->failing,
        "last_error", api_json_text(js->last_error), "thinning", (int)js->thinning.busy, "thinned",
        (json_int_t)js->thinning.thinned, "thin_runs", (json_int_t)js->thinning.runs);
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
    json_t *journal = json_object_get(r->result, "journal");
    json_int_t behind = json_integer_value(json_object_get(journal, "behind"));
    struct journaler_status js;

    /* As of now: what the store has just been told of may lack its refs. */
    journaler_status(r->api->env.journaler, &js);
    if ((json_int_t)js.settling > behind)
        (void)json_object_set_new(journal, "behind", json_integer((json_int_t)js.settling));
    watch_each(r->api->env.watch, on_watched, list);
    (void)json_object_set_new(r->result, "directories", list);
    (void)json_object_set_new(r->result, "remotes", api_json_remotes(r));
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
