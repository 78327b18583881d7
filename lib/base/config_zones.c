#include "lib/base/config_zones.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/config_items.h"
#include "lib/base/config_tls.h"
#include "lib/base/config_where.h"
#include "lib/base/mem.h"

#define PORT_DNS 53
#define PORT_TLS 853
#define ACCOUNT_MAX 63 /* octets; what a zone's row has room for */

/* ---- Sections that zones name ---- */

static int key_index(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->key_count; i++) {
        if (strcasecmp(c->keys[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int primary_index(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->primary_count; i++) {
        if (strcmp(c->primaries[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int secondary_index(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->secondary_count; i++) {
        if (strcmp(c->secondaries[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int update_policy_index(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->update_policy_count; i++) {
        if (strcmp(c->update_policies[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int client_index(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->client_count; i++) {
        if (strcmp(c->clients[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static enum err take_keys(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "key");

    c->keys = xcalloc(n, sizeof(*c->keys));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "key", i);
        struct config_key *k = &c->keys[c->key_count++];

        k->name = xstrdup(cfg_title(sec));
        k->algorithm = xstrdup(cfg_getstr(sec, "algorithm"));
        k->secret_file = xstrdup(cfg_getstr(sec, "secret-file"));
        if (!k->secret_file[0])
            return config_fail_at(c, sec, e, "needs a secret-file");
    }
    return OK;
}

/* What primaries and secondaries have in common. */
static enum err take_peer(const struct config *c, cfg_t *sec, uint16_t port, struct addr *peer,
                          struct addr *source_out, int *key_out,
                          const struct config_client **client_out, struct errinfo *e)
{
    const char *address = cfg_getstr(sec, "address");
    const char *source = cfg_getstr(sec, "source");
    const char *key = cfg_getstr(sec, "key");
    const char *client = cfg_getstr(sec, "client");
    int index;

    *key_out = -1;
    if (!address[0])
        return config_fail_at(c, sec, e, "needs an address");
    if (addr_from_text(peer, address, port, e) != OK ||
        (source[0] && addr_from_text(source_out, source, 0, e) != OK))
        return err_wrap(ERR_FORMAT, e, "%s:%d: %s '%s'", config_file_of(sec, c->path), sec->line,
                        cfg_name(sec), cfg_title(sec));
    if (source[0] && source_out->family != peer->family)
        return config_fail_at(c, sec, e, "source and address are of different families");
    if (key[0] && (*key_out = key_index(c, key)) < 0)
        return config_fail_at(c, sec, e, "there is no key '%s'", key);
    if (!client[0])
        return OK;
    if ((index = client_index(c, client)) < 0)
        return config_fail_at(c, sec, e, "there is no client '%s'", client);
    *client_out = &c->clients[index];
    return OK;
}

static bool flag_of(cfg_t *sec, const char *name)
{
    return strcmp(cfg_getstr(sec, name), "yes") == 0;
}

static enum err take_primaries(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "primary");
    enum err rc;

    c->primaries = xcalloc(n, sizeof(*c->primaries));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "primary", i);
        struct config_primary *p = &c->primaries[c->primary_count++];

        p->name = xstrdup(cfg_title(sec));
        p->ixfr = flag_of(sec, "ixfr");
        p->ixfr_udp = flag_of(sec, "ixfr-udp");
        if ((rc = config_take_tls(&p->tls, c, sec, e)) ||
            (rc = take_peer(c, sec, p->tls.on ? PORT_TLS : PORT_DNS, &p->address, &p->source,
                            &p->key, &p->client, e)))
            return rc;
        if (p->tls.on && p->address.port == PORT_DNS) /* RFC 7858 3.1 */
            return config_fail_at(c, sec, e, "port 53 is for DNS without TLS");
        if (p->ixfr_udp && (p->tls.on || !p->ixfr))
            return config_fail_at(c, sec, e, "ixfr-udp goes with ixfr, and without tls");
    }
    return OK;
}

static enum err take_secondaries(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "secondary");
    enum err rc;

    c->secondaries = xcalloc(n, sizeof(*c->secondaries));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "secondary", i);
        struct config_secondary *p = &c->secondaries[c->secondary_count++];

        p->name = xstrdup(cfg_title(sec));
        p->notify = flag_of(sec, "notify");
        p->tls = flag_of(sec, "tls");
        if ((rc = take_peer(c, sec, PORT_DNS, &p->address, &p->source, &p->key, &p->client, e)))
            return rc;
    }
    return OK;
}

/* ---- Zones ---- */

typedef int index_fn(const struct config *c, const char *name);

/* A list of names of sections, as indices. */
static enum err take_names(struct config *c, cfg_t *sec, const char *item, const char *kind,
                           index_fn *find, int **out, size_t *count, struct errinfo *e)
{
    unsigned n = cfg_size(sec, item);

    *out = xcalloc(n, sizeof(int));
    for (unsigned i = 0; i < n; i++) {
        const char *name = cfg_getnstr(sec, item, i);
        int index = find(c, name);

        if (index < 0)
            return config_fail_at(c, sec, e, "there is no %s '%s'", kind, name);
        (*out)[(*count)++] = index;
    }
    return OK;
}

/* A list of networks. */
static enum err take_networks(const struct config *c, cfg_t *sec, const char *item,
                              struct addr_prefix **out, size_t *count, struct errinfo *e)
{
    unsigned n = cfg_size(sec, item);

    *out = xcalloc(n, sizeof(**out));
    for (unsigned i = 0; i < n; i++) {
        if (addr_prefix_from_text(&(*out)[i], cfg_getnstr(sec, item, i), e) != OK)
            return err_wrap(ERR_FORMAT, e, "%s:%d: %s '%s': %s", config_file_of(sec, c->path),
                            sec->line, cfg_name(sec), cfg_title(sec), item);
        (*count)++;
    }
    return OK;
}

enum err config_take_transfers(struct config *c, struct config_zone *z, cfg_t *sec,
                               struct errinfo *e)
{
    enum err rc;

    z->notify_ns = flag_of(sec, "notify-ns");
    if ((rc = take_names(c, sec, "secondaries", "secondary", secondary_index, &z->secondaries,
                         &z->secondary_count, e)) ||
        (rc = take_names(c, sec, "transfer-keys", "key", key_index, &z->transfer_keys,
                         &z->transfer_key_count, e)) ||
        (rc = take_networks(c, sec, "transfer-from", &z->transfer_from, &z->transfer_from_count,
                            e)) ||
        (rc = take_networks(c, sec, "transfer-from-tls", &z->transfer_from_tls,
                            &z->transfer_from_tls_count, e)) ||
        (rc = take_names(c, sec, "transfer-clients", "client", client_index, &z->transfer_clients,
                         &z->transfer_client_count, e)))
        return rc;
    return config_take_transfer_tls(&z->transfer_tls, c, sec, e);
}

static enum err take_zone_lists(struct config *c, struct config_zone *z, cfg_t *sec,
                                struct errinfo *e)
{
    enum err rc;

    if ((rc = take_names(c, sec, "primaries", "primary", primary_index, &z->primaries,
                         &z->primary_count, e)) ||
        (rc = take_names(c, sec, "notify-keys", "key", key_index, &z->notify_keys,
                         &z->notify_key_count, e)) ||
        (rc = take_names(c, sec, "notify-clients", "client", client_index, &z->notify_clients,
                         &z->notify_client_count, e)) ||
        (rc = config_take_transfers(c, z, sec, e)))
        return rc;
    return config_take_membership(c, z, sec, e);
}

enum err config_take_account(char **out, const struct config *c, cfg_t *sec, struct errinfo *e)
{
    *out = xstrdup(cfg_getstr(sec, "account"));
    if (strlen(*out) > ACCOUNT_MAX)
        return config_fail_at(c, sec, e, "its account is longer than %d octets", ACCOUNT_MAX);
    return OK;
}

uint32_t config_number_of(cfg_t *sec, const char *name)
{
    union config_value v = {0};

    if (config_value_parse(&v, config_item_find(cfg_name(sec), name), cfg_getstr(sec, name),
                           NULL) != OK)
        return 0; /* on_value has refused it already */
    return (uint32_t)v.number;
}

bool config_rollback_serial_from_text(enum config_rollback_serial *out, const char *text)
{
    static const char *const names[] = {"auto", "exact", "local"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum config_rollback_serial)i;
            return true;
        }
    }
    return false;
}

static enum err take_serial_back(struct config_guards *g, const struct config *c, cfg_t *sec,
                                 struct errinfo *e)
{
    const char *back = cfg_getstr(sec, "guard-serial-back");

    g->serial_back_s = config_number_of(sec, "guard-serial-back-after");
    if (strcmp(back, "alert") == 0)
        g->serial_back = CONFIG_BACK_ALERT;
    else if (strcmp(back, "accept") == 0)
        g->serial_back = CONFIG_BACK_ACCEPT;
    else if (strcmp(back, "ignore") != 0)
        return config_fail_at(c, sec, e, "guard-serial-back should be ignore, alert or accept");
    return OK;
}

static enum err take_guards(struct config_guards *g, const struct config *c, cfg_t *sec,
                            struct errinfo *e)
{
    const char *apex_ns = cfg_getstr(sec, "guard-apex-ns");
    const char *zonemd = cfg_getstr(sec, "guard-zonemd");
    const char *dnssec = cfg_getstr(sec, "guard-dnssec");

    g->shrink_percent = config_number_of(sec, "guard-shrink-percent");
    g->shrink_records = config_number_of(sec, "guard-shrink-records");
    g->growth_percent = config_number_of(sec, "guard-growth-percent");
    g->growth_records = config_number_of(sec, "guard-growth-records");
    g->serial_jump = config_number_of(sec, "guard-serial-jump");
    if (strcmp(apex_ns, "alert") == 0)
        g->apex_ns = CONFIG_ALERT;
    else if (strcmp(apex_ns, "quarantine") == 0)
        g->apex_ns = CONFIG_QUARANTINE;
    else if (strcmp(apex_ns, "ignore") != 0)
        return config_fail_at(c, sec, e, "guard-apex-ns should be ignore, alert or quarantine");
    if (strcmp(zonemd, "if-present") == 0)
        g->zonemd = CONFIG_ZONEMD_IF_PRESENT;
    else if (strcmp(zonemd, "required") == 0)
        g->zonemd = CONFIG_ZONEMD_REQUIRED;
    else if (strcmp(zonemd, "off") != 0)
        return config_fail_at(c, sec, e, "guard-zonemd should be off, if-present or required");
    g->dnssec_life_s = config_number_of(sec, "guard-dnssec-life");
    config_take_texts(&g->anchors, &g->anchor_count, sec, "guard-dnssec-anchor");
    if (strcmp(dnssec, "if-signed") == 0)
        g->dnssec = CONFIG_DNSSEC_IF_SIGNED;
    else if (strcmp(dnssec, "required") == 0)
        g->dnssec = CONFIG_DNSSEC_REQUIRED;
    else if (strcmp(dnssec, "off") != 0)
        return config_fail_at(c, sec, e, "guard-dnssec should be off, if-signed or required");
    if (g->dnssec == CONFIG_DNSSEC_OFF && (g->anchor_count || g->dnssec_life_s))
        return config_fail_at(c, sec, e,
                              "guard-dnssec-life and guard-dnssec-anchor need guard-dnssec");
    return take_serial_back(g, c, sec, e);
}

enum err config_take_zone(struct config *c, struct config_zone *z, cfg_t *sec, struct errinfo *e)
{
    enum err rc;

    z->line = sec->line;
    z->refresh_min_s = config_number_of(sec, "refresh-min");
    z->refresh_max_s = config_number_of(sec, "refresh-max");
    z->retry_min_s = config_number_of(sec, "retry-min");
    z->retry_max_s = config_number_of(sec, "retry-max");
    z->expire_max_s = config_number_of(sec, "expire-max");
    z->tolerance_s = config_number_of(sec, "primary-tolerance");
    z->stage_s = config_number_of(sec, "stage-time");
    z->forward_updates = flag_of(sec, "forward-updates");
    if (z->refresh_min_s > z->refresh_max_s || z->retry_min_s > z->retry_max_s)
        return config_fail_at(c, sec, e, "a minimum is above its maximum");
    if (!config_rollback_serial_from_text(&z->rollback_serial, cfg_getstr(sec, "rollback-serial")))
        return config_fail_at(c, sec, e, "rollback-serial should be auto, exact or local");
    if (!config_retention_read(&z->retention, cfg_getstr(sec, "retention")))
        return config_fail_at(c, sec, e, CONFIG_RETENTION_FORM);
    if ((rc = take_guards(&z->guards, c, sec, e)) ||
        (rc = config_take_command(&z->command, c, sec, e)))
        return rc;
    return take_zone_lists(c, z, sec, e);
}

static enum err take_zones(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "zone");
    enum err rc;

    c->zones = xcalloc(n + cfg_size(cfg, "catalog") + cfg_size(cfg, "producer"), sizeof(*c->zones));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "zone", i);
        struct config_zone *z = &c->zones[c->zone_count++];

        z->name = xstrdup(cfg_title(sec));
        if ((rc = config_take_zone(c, z, sec, e)) ||
            (rc = take_names(c, sec, "update", "update-policy", update_policy_index, &z->updates,
                             &z->update_count, e)))
            return rc;
        if (!z->primary_count && !z->secondary_count && !z->transfer_key_count &&
            !z->transfer_from_count && !z->transfer_from_tls_count && !z->transfer_client_count &&
            !z->update_count && !z->member_of && !z->notify_ns)
            return config_fail_at(
                c, sec, e,
                "needs primaries; a zone of our own is made by zonectl import, and may "
                "stand here with secondaries");
        if (z->primary_count && z->update_count)
            return config_fail_at(c, sec, e,
                                  "a zone with primaries is changed at its primary, not here");
    }
    return OK;
}

void config_take_texts(char ***out, size_t *count, cfg_t *sec, const char *item)
{
    unsigned n = cfg_size(sec, item);

    *out = xcalloc(n, sizeof(char *));
    for (unsigned i = 0; i < n; i++)
        (*out)[(*count)++] = xstrdup(cfg_getnstr(sec, item, i));
}

static enum err take_update_policies(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "update-policy");
    enum err rc;

    c->update_policies = xcalloc(n, sizeof(*c->update_policies));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "update-policy", i);
        struct config_update_policy *p = &c->update_policies[c->update_policy_count++];

        p->name = xstrdup(cfg_title(sec));
        p->line = sec->line;
        p->tls = flag_of(sec, "tls");
        config_take_texts(&p->names, &p->name_count, sec, "names");
        config_take_texts(&p->types, &p->type_count, sec, "types");
        if ((rc = take_names(c, sec, "keys", "key", key_index, &p->keys, &p->key_count, e)) ||
            (rc = take_names(c, sec, "clients", "client", client_index, &p->clients,
                             &p->client_count, e)) ||
            (rc = take_networks(c, sec, "from", &p->from, &p->from_count, e)))
            return rc;
        if (!p->key_count && !p->client_count && !p->from_count)
            return config_fail_at(
                c, sec, e, "needs keys, clients or from: else everybody could change the zone");
    }
    return OK;
}

static enum err take_autoprimaries(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    unsigned n = cfg_size(cfg, "autoprimary");
    enum err rc;

    c->autoprimaries = xcalloc(n, sizeof(*c->autoprimaries));
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "autoprimary", i);
        struct config_autoprimary *a = &c->autoprimaries[c->autoprimary_count++];

        a->account = xstrdup(cfg_title(sec));
        a->line = sec->line;
        a->zones_max = config_number_of(sec, "zones-max");
        a->zones_per_hour = config_number_of(sec, "zones-per-hour");
        config_take_texts(&a->nameservers, &a->nameserver_count, sec, "nameservers");
        config_take_texts(&a->suffixes, &a->suffix_count, sec, "suffixes");
        if ((rc = config_take_zone(c, &a->zone, sec, e)))
            return rc;
        if (!a->account[0] || strlen(a->account) > ACCOUNT_MAX)
            return config_fail_at(c, sec, e, "its name is an account, 1 to 63 octets long");
        if (!a->zone.primary_count)
            return config_fail_at(c, sec, e, "needs primaries");
        a->speaker_count = a->zone.primary_count;
        if (!a->nameserver_count)
            return config_fail_at(c, sec, e,
                                  "needs nameservers: the names under which we serve its zones");
    }
    return OK;
}

enum err config_take_zones(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    enum err rc;

    if ((rc = take_keys(c, cfg, e)) || (rc = config_take_clients(c, cfg, e)) ||
        (rc = take_primaries(c, cfg, e)) || (rc = take_secondaries(c, cfg, e)))
        return rc;
    config_take_producers(c, cfg); /* which zones of any kind may name */
    if ((rc = config_take_remotes(c, cfg, e)) || (rc = config_take_directories(c, cfg, e)) ||
        (rc = take_autoprimaries(c, cfg, e)) || (rc = take_update_policies(c, cfg, e)) ||
        (rc = take_zones(c, cfg, e)) || (rc = config_take_catalogs(c, cfg, e)))
        return rc;
    return config_take_producer_zones(c, cfg, e);
}

enum err config_take_more(struct config *c, cfg_t *cfg, struct errinfo *e)
{
    enum err rc = take_primaries(c, cfg, e);

    return rc ? rc : take_autoprimaries(c, cfg, e);
}

void config_zone_done(struct config_zone *z)
{
    free(z->name);
    free(z->primaries);
    free(z->notify_keys);
    free(z->secondaries);
    free(z->transfer_keys);
    free(z->transfer_from);
    free(z->transfer_from_tls);
    free(z->transfer_clients);
    free(z->notify_clients);
    free(z->updates);
    free(z->catalog_group);
    config_command_done(&z->command);
    config_free_texts(z->guards.anchors, z->guards.anchor_count);
}

void config_free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

void config_free_zones(struct config *c)
{
    for (size_t i = 0; i < c->key_count; i++) {
        free(c->keys[i].name);
        free(c->keys[i].algorithm);
        free(c->keys[i].secret_file);
    }
    config_free_clients(c);
    for (size_t i = 0; i < c->primary_count; i++) {
        free(c->primaries[i].name);
        config_tls_done(&c->primaries[i].tls);
    }
    for (size_t i = 0; i < c->secondary_count; i++)
        free(c->secondaries[i].name);
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        struct config_autoprimary *a = &c->autoprimaries[i];

        free(a->account);
        config_free_texts(a->nameservers, a->nameserver_count);
        config_free_texts(a->suffixes, a->suffix_count);
        config_zone_done(&a->zone);
    }
    for (size_t i = 0; i < c->update_policy_count; i++) {
        struct config_update_policy *p = &c->update_policies[i];

        free(p->name);
        free(p->keys);
        free(p->from);
        free(p->clients);
        config_free_texts(p->names, p->name_count);
        config_free_texts(p->types, p->type_count);
    }
    config_free_catalogs(c);
    config_free_producers(c);
    config_free_remotes(c);
    config_free_directories(c);
    free(c->update_policies);
    for (size_t i = 0; i < c->zone_count; i++)
        config_zone_done(&c->zones[i]);
    free(c->autoprimaries);
    free(c->keys);
    free(c->primaries);
    free(c->secondaries);
    free(c->zones);
}
