#include "syncd/autoprimary.h"

#include <string.h>

const struct config_autoprimary *autoprimary_find(const struct config *c, const char *account)
{
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        if (strcmp(c->autoprimaries[i].account, account) == 0)
            return &c->autoprimaries[i];
    }
    return NULL;
}

static bool name_of(uint8_t out[NAME_MAX_OCTETS], const char *text)
{
    return name_from_text(out, text, strlen(text), NULL, NULL) == OK; /* config_check has read it */
}

static bool suffix_fits(const struct config_autoprimary *s, const uint8_t *zone)
{
    for (size_t i = 0; i < s->suffix_count; i++) {
        uint8_t suffix[NAME_MAX_OCTETS];

        if (name_of(suffix, s->suffixes[i]) && name_within(zone, suffix))
            return true;
    }
    return s->suffix_count == 0;
}

/* Why nobody takes it: the reason of the section with which it got furthest. */
enum far { FAR_NOWHERE, FAR_ADDRESS, FAR_KEY, FAR_SUFFIX };

struct reason {
    enum far far;
    const char *text;
};

static void reason_is(struct reason *r, enum far far, const char *text)
{
    if (far >= r->far)
        *r = (struct reason){far, text};
}

/* The primary of the section that speaks; -1: none. */
static int speaker(const struct config *c, const struct config_autoprimary *s,
                   const struct announcement *a, struct reason *why)
{
    for (size_t i = 0; i < s->zone.primary_count; i++) {
        int index = s->zone.primaries[i];
        const struct config_primary *p = &c->primaries[index];

        if (!addr_ip_eq(&p->address, &a->source))
            continue;
        if (p->key < 0 || p->key == a->key)
            return index;
        reason_is(why, FAR_ADDRESS,
                  a->key < 0 ? "it comes from an autoprimary, but is not signed with its key"
                             : "it comes from an autoprimary, but is signed with another key");
    }
    return -1;
}

/* Does the section take it, whatever the nameservers? */
static bool section_fits(const struct config *c, const struct config_autoprimary *s,
                         const struct announcement *a, int *primary, struct reason *why)
{
    if ((*primary = speaker(c, s, a, why)) < 0)
        return false;
    if (suffix_fits(s, a->zone))
        return true;
    reason_is(why, FAR_KEY, "its autoprimary may not bring zones of this suffix");
    return false;
}

enum err autoprimary_may(const struct config *c, const struct announcement *a, int *primary,
                         struct errinfo *e)
{
    struct reason why = {FAR_NOWHERE, "it is no zone of ours, and comes from no autoprimary"};

    for (size_t i = 0; i < c->autoprimary_count; i++) {
        if (section_fits(c, &c->autoprimaries[i], a, primary, &why))
            return OK;
    }
    return err_set(ERR_DENIED, e, "%s", why.text);
}

static bool names_fit(const struct config_autoprimary *s, const uint8_t (*names)[NAME_MAX_OCTETS],
                      size_t n)
{
    for (size_t i = 0; i < s->nameserver_count; i++) {
        uint8_t ours[NAME_MAX_OCTETS];

        for (size_t k = 0; name_of(ours, s->nameservers[i]) && k < n; k++) {
            if (name_eq(ours, names[k]))
                return true;
        }
    }
    return false;
}

enum err autoprimary_choose(const struct config *c, const struct announcement *a,
                            const uint8_t (*names)[NAME_MAX_OCTETS], size_t n, int *section,
                            struct errinfo *e)
{
    struct reason why = {FAR_NOWHERE, "its autoprimary is not in the configuration any more"};

    for (size_t i = 0; i < c->autoprimary_count; i++) {
        int primary;

        if (!section_fits(c, &c->autoprimaries[i], a, &primary, &why))
            continue;
        if (names_fit(&c->autoprimaries[i], names, n)) {
            *section = (int)i;
            return OK;
        }
        reason_is(&why, FAR_SUFFIX, "none of our nameservers is in the zone's NS records");
    }
    return err_set(ERR_DENIED, e, "%s", why.text);
}
