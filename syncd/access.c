#include "syncd/access.h"

#include <string.h>
#include <strings.h>

#include "lib/dns/rr.h"

/* ---- Who it is ---- */

static bool by_tls(const struct access_client *who)
{
    return who->transport == HO_TLS;
}

bool access_shows(const struct config_client *k, const struct tls_identity *id)
{
    if (!id || !id->shown)
        return false;
    for (size_t i = 0; i < k->pin_count; i++) {
        if (memcmp(k->pins[i].sha256, id->pin, sizeof(id->pin)) == 0)
            return true;
    }
    for (size_t i = 0; id->vouched && i < k->name_count; i++) {
        for (unsigned n = 0; n < id->name_count; n++) {
            if (strcasecmp(k->names[i], id->names[n]) == 0)
                return true;
        }
    }
    return false;
}

static bool shows(const struct config_client *k, const struct access_client *who)
{
    return by_tls(who) && access_shows(k, who->identity);
}

static bool shows_one_of(const struct config *c, const int *clients, size_t n,
                         const struct access_client *who)
{
    for (size_t i = 0; i < n; i++) {
        if (shows(&c->clients[clients[i]], who))
            return true;
    }
    return false;
}

static bool signs_with(const int *keys, size_t n, const struct access_client *who)
{
    for (size_t i = 0; i < n; i++) {
        if (who->key >= 0 && keys[i] == who->key)
            return true;
    }
    return false;
}

/* ---- Transfers ---- */

/* Is its certificate worth anything here, whoever it is? */
static bool is_trusted(const struct config *c, const struct access_client *who)
{
    if (!by_tls(who) || !who->identity || !who->identity->shown)
        return false;
    for (size_t i = 0; i < c->client_count; i++) {
        if (shows(&c->clients[i], who))
            return true;
    }
    return who->identity->vouched;
}

/* What the zone demands of everybody; NULL: it is met. */
static const char *missing_transport(const struct config *c, const struct config_zone *z,
                                     const struct access_client *who)
{
    switch (z->transfer_tls) {
    case CONFIG_ANY_TRANSPORT:
        return NULL;
    case CONFIG_TLS:
        return by_tls(who) ? NULL : "the zone is transferred over TLS alone";
    case CONFIG_TLS_CERTIFICATE:
        return is_trusted(c, who) ? NULL
                                  : "the zone is transferred over TLS alone, to clients with a "
                                    "certificate that is trusted here";
    }
    return "?";
}

/* What a secondary lacks; NULL: nothing. */
static const char *missing_of(const struct config_secondary *s, const struct access_client *who)
{
    if (s->key >= 0 && s->key != who->key)
        return who->key < 0 ? "a secondary, but not signed with its key"
                            : "a secondary, but signed with another key than its key";
    if ((s->tls || s->client) && !by_tls(who))
        return "a secondary, but not by TLS";
    if (s->client && !shows(s->client, who))
        return "a secondary, but it does not show its certificate";
    return NULL;
}

/* A secondary with this address that lacks nothing; *why if one does. */
static bool by_secondary(const struct config *c, const struct config_zone *z,
                         const struct access_client *who, const char **why)
{
    for (size_t i = 0; i < z->secondary_count; i++) {
        const struct config_secondary *s = &c->secondaries[z->secondaries[i]];
        const char *missing;

        if (!addr_ip_eq(&s->address, &who->source))
            continue;
        if (!(missing = missing_of(s, who)))
            return true;
        *why = missing;
    }
    return false;
}

static enum err may_transfer(const struct config *c, const struct config_zone *z,
                             const struct access_client *who, struct errinfo *e)
{
    const char *why = missing_transport(c, z, who);

    if (why)
        return err_set(ERR_DENIED, e, "%s", why);
    why = "in none of the zone's secondaries, transfer-keys, transfer-clients, transfer-from";
    if (signs_with(z->transfer_keys, z->transfer_key_count, who) ||
        shows_one_of(c, z->transfer_clients, z->transfer_client_count, who) ||
        by_secondary(c, z, who, &why) ||
        addr_in_prefixes(&who->source, z->transfer_from, z->transfer_from_count))
        return OK;
    if (addr_in_prefixes(&who->source, z->transfer_from_tls, z->transfer_from_tls_count)) {
        if (by_tls(who))
            return OK;
        why = "in transfer-from-tls, but not by TLS";
    }
    return err_set(ERR_DENIED, e, "%s", why);
}

/* ---- NOTIFY ---- */

/* What a primary lacks; NULL: nothing. */
static const char *missing_of_primary(const struct config_primary *p,
                                      const struct access_client *who)
{
    if (p->key >= 0 && p->key != who->key)
        return who->key < 0 ? "it comes from a primary, but is not signed with its key"
                            : "it comes from a primary, but is signed with another key";
    if (p->client && !by_tls(who))
        return "it comes from a primary, but not by TLS";
    if (p->client && !shows(p->client, who))
        return "it comes from a primary, but does not show its certificate";
    return NULL;
}

bool access_speaks(const struct config_primary *p, const struct access_client *who,
                   const char **why)
{
    return addr_ip_eq(&p->address, &who->source) && !(*why = missing_of_primary(p, who));
}

/* By key or certificate from anywhere, and by its address and what goes with that; *primary if it
 * is one of the zone's. */
static enum err may_notify(const struct config *c, const struct config_zone *z,
                           const struct access_client *who, int *primary, struct errinfo *e)
{
    bool known = signs_with(z->notify_keys, z->notify_key_count, who) ||
                 shows_one_of(c, z->notify_clients, z->notify_client_count, who);
    const char *why = "it comes from none of the zone's primaries";

    *primary = -1;
    for (size_t i = 0; i < z->primary_count; i++) {
        const struct config_primary *p = &c->primaries[z->primaries[i]];

        if (!addr_ip_eq(&p->address, &who->source))
            continue;
        if (access_speaks(p, who, &why) || known) {
            *primary = (int)i;
            return OK;
        }
    }
    return known ? OK : err_set(ERR_DENIED, e, "%s", why);
}

/* ---- UPDATE ---- */

static bool policy_is_for(const struct config *c, const struct config_update_policy *p,
                          const struct access_client *who)
{
    return (p->key_count == 0 || signs_with(p->keys, p->key_count, who)) &&
           (p->client_count == 0 || shows_one_of(c, p->clients, p->client_count, who)) &&
           (p->from_count == 0 || addr_in_prefixes(&who->source, p->from, p->from_count)) &&
           (!p->tls || by_tls(who));
}

static enum err may_update(const struct config *c, const struct config_zone *z,
                           const struct access_client *who, struct errinfo *e)
{
    if (z->update_count == 0)
        return err_set(ERR_DENIED, e, "the configuration lets nobody change this zone");
    for (size_t i = 0; i < z->update_count; i++) {
        if (policy_is_for(c, &c->update_policies[z->updates[i]], who))
            return OK;
    }
    return err_set(ERR_DENIED, e, "none of the zone's update policies is for this client");
}

/* ---- All of it ---- */

enum err access_may(const struct config *c, const struct config_zone *z, enum access_right right,
                    const struct access_client *who, int *primary, struct errinfo *e)
{
    int ignored;

    switch (right) {
    case ACCESS_TRANSFER:
        return z ? may_transfer(c, z, who, e)
                 : err_set(ERR_DENIED, e, "the configuration lets nobody transfer this zone");
    case ACCESS_NOTIFY:
        return z ? may_notify(c, z, who, primary ? primary : &ignored, e)
                 : err_set(ERR_DENIED, e, "the zone has no primaries here");
    case ACCESS_UPDATE:
        return z ? may_update(c, z, who, e)
                 : err_set(ERR_DENIED, e, "the configuration lets nobody change this zone");
    }
    return err_set(ERR_DENIED, e, "?");
}

void access_client_text(char out[ACCESS_CLIENT_TEXT_MAX], const struct access_client *who)
{
    out[0] = '\0';
    if (who->identity)
        tls_identity_text(out, who->identity);
}

const char *access_transport_text(enum ho_transport t)
{
    switch (t) {
    case HO_UDP:
        return "udp";
    case HO_TCP:
        return "tcp";
    case HO_TLS:
        return "tls";
    }
    return "?";
}

/* ---- Records of an UPDATE ---- */

static bool has_name(const struct config_update_policy *p, const uint8_t *apex,
                     const uint8_t *owner)
{
    for (size_t i = 0; i < p->name_count; i++) {
        uint8_t name[NAME_MAX_OCTETS];

        if (name_from_text(name, p->names[i], strlen(p->names[i]), apex, NULL) != OK)
            continue; /* too long in this zone: nothing has that name */
        if (name_is_wildcard(name)
                ? name_within(owner, name_parent(name)) && !name_eq(owner, name_parent(name))
                : name_eq(owner, name))
            return true;
    }
    return p->name_count == 0;
}

static bool has_type(const struct config_update_policy *p, uint16_t type)
{
    for (size_t i = 0; i < p->type_count; i++) {
        uint16_t t;

        if (type_from_text(&t, p->types[i], strlen(p->types[i])) && t == type)
            return true;
    }
    return p->type_count == 0 && type != RR_SOA && type != RR_NS && type != RR_RRSIG &&
           type != RR_NSEC && type != RR_NSEC3;
}

bool access_update_record(const struct config *c, const struct config_zone *z,
                          const struct access_client *who, const uint8_t *apex,
                          const uint8_t *owner, uint16_t type)
{
    for (size_t i = 0; i < z->update_count; i++) {
        const struct config_update_policy *p = &c->update_policies[z->updates[i]];

        if (policy_is_for(c, p, who) && has_type(p, type) && has_name(p, apex, owner))
            return true;
    }
    return false;
}
