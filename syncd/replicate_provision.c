/* Zones that appear by themselves, because an autoprimary announces them ("super-slave"):
 *
 *    NOTIFY ──may it?──▶ asked for NS ──one of our names is there──▶ row ──▶ first transfer
 *
 * The row is the promise: from there on the zone is a secondary zone like any other, and a restart
 * finds it. A restart before that loses the announcement; primaries tell again.
 */
#include "syncd/replicate_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define ASKING_MAX 32     /* connections */
#define WAITING_MAX 10000 /* announcements */
#define HOUR_MS 3600000

const struct config_autoprimary *replicate_autoprimary(const struct zone_entry *z)
{
    return z->row.source == SOURCE_AUTOPRIMARY
               ? autoprimary_find(z->replicator->config, z->row.account ? z->row.account : "",
                                  z->row.nameserver)
               : NULL;
}

static struct announcement announcement_of(const uint8_t *zone, const struct access_client *who)
{
    struct announcement a = {.source = who->source,
                             .key = who->key,
                             .transport = who->transport,
                             .identity = who->identity};

    (void)name_fold(a.zone, zone);
    return a;
}

/* Who it came from, and what for. */
static void log_announcement(enum log_level level, const struct provision *p, const char *sentence,
                             const char *error)
{
    const struct config_primary *primary = &p->replicator->config->primaries[p->primary];
    char zone[NAME_TEXT_MAX];
    char source[ADDR_TEXT_MAX];

    (void)name_to_text(zone, p->announcement.zone);
    addr_to_text(source, &p->announcement.source);
    log_write(level, LOG_KVS(say(sentence), kv_str("zone", zone), kv_str("primary", primary->name),
                             kv_str("source", source), kv_str("error", error)));
}

/* ---- May it? ---- */

enum err replicate_may_appear(void *replicator, const uint8_t *zone,
                              const struct access_client *who, struct errinfo *e)
{
    struct replicator *r = replicator;
    struct announcement a = announcement_of(zone, who);
    const struct zone_entry *z = replicate_find(r, a.zone);
    int primary;

    if (z && z->row.id && !z->row.removed)
        return err_set(ERR_DENIED, e, "the zone is here, but has no primaries");
    if (r->provision_count >= WAITING_MAX)
        return err_set(ERR_LIMIT, e, "too many zones are announced at the same time");
    return autoprimary_may(r->config, &a, &primary, NULL, e);
}

enum err replicate_section_room(const struct replicator *r, int section, struct errinfo *e)
{
    const struct config_autoprimary *a = &r->config->autoprimaries[section];
    const struct section_state *s = &r->sections[section];

    if (s->zones >= a->zones_max)
        return err_set(ERR_LIMIT, e, "account %s has its %u zones (zones-max)", a->account,
                       (unsigned)a->zones_max);
    if (replicate_now(r).ms - s->hour.ms < HOUR_MS && s->in_hour >= a->zones_per_hour)
        return err_set(ERR_LIMIT, e,
                       "account %s had its %u new zones in this hour (zones-per-hour)", a->account,
                       (unsigned)a->zones_per_hour);
    return OK;
}

static enum err section_take(struct replicator *r, int section, struct errinfo *e)
{
    struct section_state *s = &r->sections[section];
    struct mono now = replicate_now(r);
    enum err rc = replicate_section_room(r, section, e);

    if (rc)
        return rc;
    if (now.ms - s->hour.ms >= HOUR_MS) {
        s->hour = now;
        s->in_hour = 0;
    }
    s->zones++;
    s->in_hour++;
    return OK;
}

/* ---- The row ---- */

static enum err make_zone(struct provision *p, const struct nsquery_report *report,
                          struct errinfo *e)
{
    struct replicator *r = p->replicator;
    const struct config_autoprimary *a;
    struct store_zone row = {.kind = ZONE_SECONDARY, .source = SOURCE_AUTOPRIMARY};
    struct zone_entry *z = replicate_find(r, p->announcement.zone);
    int section = 0;
    enum err rc;

    if (z && ((z->row.id && !z->row.removed) || z->row_busy))
        return OK; /* it has appeared meanwhile */
    if ((rc = autoprimary_choose(r->config, &p->announcement, report->names, report->count,
                                 &section, NULL, e)) ||
        (rc = section_take(r, section, e)))
        return rc;
    a = &r->config->autoprimaries[section];
    (void)name_copy(row.name, p->announcement.zone);
    if (z)
        zone_row_get(&row, &z->row); /* removed once: its history goes on */
    else
        z = replicate_add(r, &row);
    row.kind = ZONE_SECONDARY;
    row.source = SOURCE_AUTOPRIMARY;
    (void)snprintf(row.account, sizeof(row.account), "%s", a->account);
    row.nameserver[0] = 0;
    if (a->added && name_from_text(row.nameserver, a->nameservers[0], strlen(a->nameservers[0]),
                                   NULL, NULL) == OK)
        (void)name_fold(row.nameserver, row.nameserver);
    zone_row_set(&z->row, &row);
    z->config = &a->zone;
    if (!z->section)
        z->section = &a->zone;
    z->generation = r->generation;
    log_announcement(LOG_INFO, p, "a zone appears, as its autoprimary announced it", NULL);
    replicate_commit_row(z);
    return OK;
}

/* ---- Asking ---- */

static void provision_end(struct provision *p)
{
    struct replicator *r = p->replicator;
    struct provision **at = &r->provisions;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    r->provision_count--;
    if (p->nsquery)
        r->provisions_asking--;
    free(p->identity);
    free(p);
}

static void start_some(struct replicator *r);

static void on_nameservers(void *ctx, const struct nsquery_report *report)
{
    struct provision *p = ctx;
    struct replicator *r = p->replicator;
    struct errinfo e = report->error;

    if (!report->ok || make_zone(p, report, &e) != OK)
        log_announcement(LOG_WARNING, p, "an announced zone is not taken", e.text);
    provision_end(p);
    start_some(r);
    replicate_settle(r);
}

static void start_one(struct provision *p)
{
    struct replicator *r = p->replicator;
    const struct config_primary *primary = &r->config->primaries[p->primary];
    struct nsquery_spec spec = {.address = primary->address,
                                .source = primary->source,
                                .key = keyring_get(r->keys, primary->key),
                                .tls = replicate_tls(r, primary),
                                .timeout_ms = 2 * r->config->probe_timeout_ms};

    (void)name_copy(spec.zone, p->announcement.zone);
    r->provisions_asking++;
    p->nsquery = r->ops.nsquery(r->ops.ctx, &spec, on_nameservers, p);
}

static void start_some(struct replicator *r)
{
    for (struct provision *p = r->provisions; p && r->provisions_asking < ASKING_MAX; p = p->next) {
        if (!p->nsquery)
            start_one(p);
    }
}

void replicate_announced(struct replicator *r, const uint8_t *zone, const struct access_client *who)
{
    struct announcement a = announcement_of(zone, who);
    struct provision **at = &r->provisions;
    struct provision *p;
    int primary;

    for (; *at; at = &(*at)->next) {
        if (name_eq((*at)->announcement.zone, a.zone))
            return; /* it is looked at already */
    }
    if (autoprimary_may(r->config, &a, &primary, NULL, NULL) != OK)
        return;
    p = xcalloc(1, sizeof(*p));
    *p = (struct provision){.replicator = r, .announcement = a, .primary = primary};
    if (who->identity && who->identity->shown)
        p->identity = xmemdup(who->identity, sizeof(*who->identity));
    p->announcement.identity = p->identity;
    *at = p;
    r->provision_count++;
    start_some(r);
}

/* ---- A new configuration ---- */

static bool same_section(const struct config_autoprimary *a, const struct config_autoprimary *b)
{
    return a->added == b->added && strcmp(a->account, b->account) == 0 &&
           (!a->added || strcmp(a->nameservers[0], b->nameservers[0]) == 0);
}

/* A reload is no way around the limits: what came in this hour is remembered. */
static void carry_hours(struct replicator *r, const struct config *old,
                        const struct section_state *before)
{
    for (size_t i = 0; i < r->config->autoprimary_count; i++) {
        r->sections[i].hour = replicate_now(r);
        for (size_t k = 0; old && before && k < old->autoprimary_count; k++) {
            if (same_section(&r->config->autoprimaries[i], &old->autoprimaries[k])) {
                r->sections[i].hour = before[k].hour;
                r->sections[i].in_hour = before[k].in_hour;
            }
        }
    }
}

static void count_zones(struct replicator *r)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (const struct zone_entry *z = r->buckets[i]; z; z = z->next) {
            const struct config_autoprimary *a = z->row.removed ? NULL : replicate_autoprimary(z);

            if (a)
                r->sections[a - r->config->autoprimaries].zones++;
        }
    }
}

static int key_in(const struct config *c, const struct config *old, int key)
{
    if (key < 0 || !old)
        return -1;
    for (size_t i = 0; i < c->key_count; i++) {
        if (strcasecmp(c->keys[i].name, old->keys[key].name) == 0)
            return (int)i;
    }
    return -1;
}

static void stop_asking(struct provision *p)
{
    struct replicator *r = p->replicator;

    if (!p->nsquery)
        return;
    r->ops.nsquery_cancel(r->ops.ctx, p->nsquery);
    p->nsquery = NULL;
    r->provisions_asking--;
}

void replicate_provision_reset(struct replicator *r, const struct config *old)
{
    struct section_state *before = r->sections;

    replicate_why_end(r, "the configuration was changed meanwhile; ask again");
    for (struct provision *p = r->provisions; p; p = p->next) {
        stop_asking(p);
        p->announcement.key = key_in(r->config, old, p->announcement.key);
    }
    r->sections = xcalloc(r->config->autoprimary_count, sizeof(r->sections[0]));
    carry_hours(r, old, before);
    free(before);
    count_zones(r);
}

void replicate_provision_again(struct replicator *r)
{
    struct provision *next;

    for (struct provision *p = r->provisions; p; p = next) {
        next = p->next;
        if (autoprimary_may(r->config, &p->announcement, &p->primary, NULL, NULL) != OK)
            provision_end(p);
    }
    start_some(r);
}

void replicate_provision_free(struct replicator *r)
{
    replicate_why_end(r, "syncd is stopping");
    while (r->provisions) {
        stop_asking(r->provisions);
        provision_end(r->provisions);
    }
    free(r->sections);
    r->sections = NULL;
}
