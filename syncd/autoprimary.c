#include "syncd/autoprimary.h"

#include <string.h>

const struct config_autoprimary *autoprimary_find(const struct config *c, const char *account,
                                                  const uint8_t *nameserver)
{
    bool added = nameserver && !name_is_root(nameserver);
    char text[NAME_TEXT_MAX] = "";

    if (added)
        (void)name_to_text(text, nameserver);
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        const struct config_autoprimary *a = &c->autoprimaries[i];

        if (a->added == added && strcmp(a->account, account) == 0 &&
            (!added || strcmp(a->nameservers[0], text) == 0))
            return a;
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

/* Why nobody takes it: the rule at which the section refused that it got furthest with. */
struct reason {
    enum autoprimary_rule rule;
    const char *text;
};

static void reason_is(struct reason *r, enum autoprimary_rule rule, const char *text)
{
    if (rule >= r->rule)
        *r = (struct reason){rule, text};
}

static enum err refuse(const struct reason *why, enum autoprimary_rule *rule, struct errinfo *e)
{
    if (rule)
        *rule = why->rule;
    return err_set(ERR_DENIED, e, "%s", why->text);
}

/* The primary of the section that speaks; -1: none. */
static int speaker(const struct config *c, const struct config_autoprimary *s,
                   const struct announcement *a, struct reason *why)
{
    struct access_client who = {
        .source = a->source, .transport = a->transport, .key = a->key, .identity = a->identity};

    for (size_t i = 0; i < s->speaker_count; i++) {
        int index = s->zone.primaries[i];
        const char *missing = NULL;

        if (access_speaks(&c->primaries[index], &who, &missing))
            return index;
        if (missing)
            reason_is(why, AUTOPRIMARY_SIGNATURE, missing);
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
    reason_is(why, AUTOPRIMARY_SUFFIX, "its autoprimary may not bring zones of this suffix");
    return false;
}

enum err autoprimary_may(const struct config *c, const struct announcement *a, int *primary,
                         enum autoprimary_rule *rule, struct errinfo *e)
{
    struct reason why = {AUTOPRIMARY_SENDER,
                         "it is no zone of ours, and comes from no autoprimary"};

    for (size_t i = 0; i < c->autoprimary_count; i++) {
        if (section_fits(c, &c->autoprimaries[i], a, primary, &why))
            return OK;
    }
    return refuse(&why, rule, e);
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

/* The section that takes it, among those that the file has, or those that were added. */
static int choose_among(const struct config *c, const struct announcement *a,
                        const uint8_t (*names)[NAME_MAX_OCTETS], size_t n, bool added,
                        struct reason *why)
{
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        int primary;

        if (c->autoprimaries[i].added != added ||
            !section_fits(c, &c->autoprimaries[i], a, &primary, why))
            continue;
        if (names_fit(&c->autoprimaries[i], names, n))
            return (int)i;
        reason_is(why, AUTOPRIMARY_NAMESERVER,
                  "none of our nameservers is in the zone's NS records");
    }
    return -1;
}

enum err autoprimary_choose(const struct config *c, const struct announcement *a,
                            const uint8_t (*names)[NAME_MAX_OCTETS], size_t n, int *section,
                            enum autoprimary_rule *rule, struct errinfo *e)
{
    struct reason why = {AUTOPRIMARY_SENDER, "its autoprimary is not there any more"};
    int found = choose_among(c, a, names, n, false, &why);

    for (size_t k = 0; k < n && found < 0; k++)
        found = choose_among(c, a, &names[k], 1, true, &why);
    if (found < 0)
        return refuse(&why, rule, e);
    *section = found;
    return OK;
}
