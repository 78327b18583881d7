#include "syncd/access.h"

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
