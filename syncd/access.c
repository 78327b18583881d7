#include "syncd/access.h"

#include <string.h>

#include "lib/dns/rr.h"

static bool by_key(const struct config_zone *z, int key)
{
    for (size_t i = 0; i < z->transfer_key_count; i++) {
        if (key >= 0 && z->transfer_keys[i] == key)
            return true;
    }
    return false;
}

/* A secondary with this address, with the right key or none; *other if one has another key. */
static bool by_secondary(const struct config *c, const struct config_zone *z,
                         const struct access_client *who, bool *other)
{
    for (size_t i = 0; i < z->secondary_count; i++) {
        const struct config_secondary *s = &c->secondaries[z->secondaries[i]];

        if (!addr_ip_eq(&s->address, &who->source))
            continue;
        if (s->key < 0 || s->key == who->key)
            return true;
        *other = true;
    }
    return false;
}

enum err access_transfer(const struct config *c, const struct config_zone *z,
                         const struct access_client *who, struct errinfo *e)
{
    bool other = false;

    if (!z)
        return err_set(ERR_DENIED, e, "the configuration lets nobody transfer this zone");
    if (by_key(z, who->key) || by_secondary(c, z, who, &other) ||
        addr_in_prefixes(&who->source, z->transfer_from, z->transfer_from_count))
        return OK;
    if (other)
        return err_set(ERR_DENIED, e, "a secondary, but %s its key",
                       who->key < 0 ? "not signed with" : "signed with another key than");
    return err_set(ERR_DENIED, e,
                   "in none of the zone's secondaries, transfer-keys, transfer-from");
}

/* ---- UPDATE ---- */

static bool policy_is_for(const struct config_update_policy *p, const struct access_client *who)
{
    bool key = p->key_count == 0;

    for (size_t i = 0; i < p->key_count && !key; i++)
        key = who->key >= 0 && p->keys[i] == who->key;
    return key && (p->from_count == 0 || addr_in_prefixes(&who->source, p->from, p->from_count));
}

enum err access_update(const struct config *c, const struct config_zone *z,
                       const struct access_client *who, struct errinfo *e)
{
    if (!z || z->update_count == 0)
        return err_set(ERR_DENIED, e, "the configuration lets nobody change this zone");
    for (size_t i = 0; i < z->update_count; i++) {
        if (policy_is_for(&c->update_policies[z->updates[i]], who))
            return OK;
    }
    return err_set(ERR_DENIED, e, "none of the zone's update policies is for this client");
}

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

        if (policy_is_for(p, who) && has_type(p, type) && has_name(p, apex, owner))
            return true;
    }
    return false;
}
