#include "syncd/access.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct named_zone {
    uint8_t *name; /* folded */
    const struct config_zone *zone;
};

struct access {
    struct config *config;
    struct named_zone *zones; /* sorted */
    size_t count;
};

static int named_cmp(const void *a, const void *b)
{
    const struct named_zone *x = a;
    const struct named_zone *y = b;

    return name_cmp(x->name, y->name);
}

struct access *access_new(struct config *config)
{
    struct access *a = xcalloc(1, sizeof(*a));

    a->config = config_ref(config);
    a->zones = xcalloc(config->zone_count, sizeof(a->zones[0]));
    for (size_t i = 0; i < config->zone_count; i++) {
        const struct config_zone *z = &config->zones[i];
        uint8_t name[NAME_MAX_OCTETS];

        if (name_from_text(name, z->name, strlen(z->name), NULL, NULL) != OK)
            continue; /* can't be: config_check has read it */
        (void)name_fold(name, name);
        a->zones[a->count++] =
            (struct named_zone){.name = xmemdup(name, name_len(name)), .zone = z};
    }
    qsort(a->zones, a->count, sizeof(a->zones[0]), named_cmp);
    return a;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        free(a->zones[i].name);
    free(a->zones);
    config_unref(a->config);
    free(a);
}

const struct config_zone *access_zone(const struct access *a, const uint8_t *zone)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct named_zone wanted = {.name = name};
    const struct named_zone *found;

    (void)name_fold(name, zone);
    found = bsearch(&wanted, a->zones, a->count, sizeof(a->zones[0]), named_cmp);
    return found ? found->zone : NULL;
}

static bool by_key(const struct config_zone *z, int key)
{
    for (size_t i = 0; i < z->transfer_key_count; i++) {
        if (key >= 0 && z->transfer_keys[i] == key)
            return true;
    }
    return false;
}

static bool by_network(const struct config_zone *z, const struct addr *source)
{
    for (size_t i = 0; i < z->transfer_from_count; i++) {
        if (addr_in_prefix(source, &z->transfer_from[i]))
            return true;
    }
    return false;
}

/* A secondary with this address, with the right key or none; *other if one has another key. */
static bool by_secondary(const struct access *a, const struct config_zone *z,
                         const struct access_client *who, bool *other)
{
    for (size_t i = 0; i < z->secondary_count; i++) {
        const struct config_secondary *s = &a->config->secondaries[z->secondaries[i]];

        if (!addr_ip_eq(&s->address, &who->source))
            continue;
        if (s->key < 0 || s->key == who->key)
            return true;
        *other = true;
    }
    return false;
}

enum err access_transfer(const struct access *a, const uint8_t *zone,
                         const struct access_client *who, struct errinfo *e)
{
    const struct config_zone *z = access_zone(a, zone);
    bool other = false;

    if (!z)
        return err_set(ERR_DENIED, e, "the configuration lets nobody transfer this zone");
    if (by_key(z, who->key) || by_secondary(a, z, who, &other) || by_network(z, &who->source))
        return OK;
    if (other)
        return err_set(ERR_DENIED, e, "a secondary, but %s its key",
                       who->key < 0 ? "not signed with" : "signed with another key than");
    return err_set(ERR_DENIED, e,
                   "in none of the zone's secondaries, transfer-keys, transfer-from");
}
