#include "syncd/producer_plan.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/dns/namemap.h"
#include "syncd/update_draft.h"

#define LABEL_OCTETS 16 /* of the hash; twice as many digits */
#define REFRESH_S 3600  /* consumers are told by NOTIFY; as in RFC 9432, appendix A */
#define RETRY_S 600
#define EXPIRE_S 2147483646

static const uint8_t invalid[] = "\7invalid";
static const uint8_t zones_label[] = {5, 'z', 'o', 'n', 'e', 's'};
static const uint8_t version_label[] = {7, 'v', 'e', 'r', 's', 'i', 'o', 'n'};
static const uint8_t version_2[] = {1, '2'};

/* A catalog and what becomes of it. */
struct work {
    struct producer_catalog *c;
    struct catalog *list; /* of `base`; NULL: there are no members that count */
    const struct zone *from;
    struct draft draft;
};

struct planning {
    struct producer_plan *p;
    struct work *works;
    size_t moved_cap;
};

/* ---- Owners ---- */

/* LABEL.zones.CATALOG, behind a property's label if there is one (NULL: none). Names are short
 * enough: config_check looks at the catalog's. */
static void owner_of(uint8_t out[NAME_MAX_OCTETS], const char *property, const uint8_t *label,
                     const uint8_t *apex)
{
    size_t n = 0;

    if (property) {
        out[n] = (uint8_t)strlen(property);
        memcpy(out + n + 1, property, out[n]);
        n += 1u + out[n];
    }
    memcpy(out + n, label, 1u + label[0]);
    n += 1u + label[0];
    memcpy(out + n, zones_label, sizeof(zones_label));
    (void)name_copy(out + n + sizeof(zones_label), apex);
}

/* A label that nothing had before: no two versions of a catalog have both serial and number. */
static void label_make(uint8_t out[LABEL_MAX_OCTETS + 1], const struct work *w, const uint8_t *zone)
{
    uint8_t text[2 * NAME_MAX_OCTETS + 12];
    uint8_t hash[EVP_MAX_MD_SIZE];
    size_t n = name_copy(text, w->c->apex);
    struct serial serial = w->c->base ? zone_serial(w->c->base) : w->c->first;

    n += name_copy(text + n, zone);
    put_u32(text + n, serial.v);
    put_u32(text + n + 4, (uint32_t)(w->c->version >> 32));
    put_u32(text + n + 8, (uint32_t)w->c->version);
    if (EVP_Digest(text, n + 12, hash, NULL, EVP_sha256(), NULL) != 1)
        abort(); /* no memory */
    out[0] = 2 * LABEL_OCTETS;
    for (size_t i = 0; i < LABEL_OCTETS; i++) {
        out[1 + 2 * i] = (uint8_t) "0123456789abcdef"[hash[i] >> 4];
        out[2 + 2 * i] = (uint8_t) "0123456789abcdef"[hash[i] & 15];
    }
}

/* ---- Records ---- */

/* The only record of this type at the owner; RDATA NULL: none. */
static void put(struct work *w, const uint8_t *owner, uint16_t type, const uint8_t *rdata,
                size_t len)
{
    struct draft_node *n = draft_node(&w->draft, owner);
    struct draft_rr rr = {.type = type, .len = (uint16_t)len, .ttl = 0, .rdata = rdata};

    draft_remove_type(n, type);
    if (rdata)
        draft_add(&w->draft, n, &rr);
}

static void put_property(struct work *w, const char *property, const uint8_t *label, uint16_t type,
                         const uint8_t *rdata, size_t len)
{
    uint8_t owner[NAME_MAX_OCTETS];

    owner_of(owner, property, label, w->c->apex);
    put(w, owner, type, rdata, len);
}

static void put_group(struct work *w, const uint8_t *label, const char *group)
{
    uint8_t text[256];

    text[0] = (uint8_t)strlen(group);
    memcpy(text + 1, group, text[0]);
    put_property(w, "group", label, RR_TXT, text[0] ? text : NULL, 1u + text[0]);
}

static void put_coo(struct work *w, const uint8_t *label, const uint8_t *catalog)
{
    put_property(w, "coo", label, RR_PTR, catalog, catalog ? name_len(catalog) : 0);
}

static void put_soa(struct work *w, struct serial serial)
{
    static const uint32_t timers[] = {REFRESH_S, RETRY_S, EXPIRE_S, 0};
    uint8_t rdata[2 * sizeof(invalid) + 20];
    size_t n = 2 * sizeof(invalid);

    memcpy(rdata, invalid, sizeof(invalid)); /* with its NUL, the root label */
    memcpy(rdata + sizeof(invalid), invalid, sizeof(invalid));
    put_u32(rdata + n, serial.v);
    for (size_t i = 0; i < 4; i++)
        put_u32(rdata + n + 4 + 4 * i, timers[i]);
    put(w, w->c->apex, RR_SOA, rdata, sizeof(rdata));
}

/* What every catalog has (RFC 9432 4 and 4.2). */
static void put_frame(struct work *w)
{
    uint8_t owner[NAME_MAX_OCTETS];

    memcpy(owner, version_label, sizeof(version_label));
    (void)name_copy(owner + sizeof(version_label), w->c->apex);
    put(w, owner, RR_TXT, version_2, sizeof(version_2));
    put(w, w->c->apex, RR_NS, invalid, sizeof(invalid));
    put_soa(w, w->from ? zone_serial(w->from) : (struct serial){0});
}

/* ---- Members ---- */

static bool same_group(const struct catalog_member *m, const char *group)
{
    uint8_t len = 0;
    const uint8_t *is;

    if (m->group_count != 1)
        return m->group_count == 0 && !group[0];
    is = catalog_group(m, 0, &len);
    return len == strlen(group) && memcmp(is, group, len) == 0;
}

static void member_keep(struct work *w, const struct catalog_member *m, const char *group)
{
    if (!same_group(m, group))
        put_group(w, m->label, group);
    if (m->coo) {
        put_coo(w, m->label, NULL); /* it is back */
        w->c->joined++;
    }
}

static void member_add(struct work *w, const struct producer_want *want, const uint8_t *label)
{
    put_property(w, NULL, label, RR_PTR, want->zone, name_len(want->zone));
    put_group(w, label, want->group);
    w->c->joined++;
}

static void member_remove(struct work *w, const struct catalog_member *m)
{
    put_property(w, NULL, m->label, RR_PTR, NULL, 0);
    put_group(w, m->label, "");
    put_coo(w, m->label, NULL);
    w->c->left++;
}

/* It is listed elsewhere now: either the word of it stays here for a time, or nothing. */
static void member_move(struct planning *g, size_t at, const struct producer_want *want,
                        const struct catalog_member *m)
{
    struct producer_plan *p = g->p;
    struct work *w = &g->works[at];
    const uint8_t *to = p->catalogs[want->catalog].apex;
    bool said = m->coo && name_eq(m->coo, to);

    if (want->fresh || (said && want->due && want->ready)) {
        member_remove(w, m);
        return;
    }
    p->moved = xgrow(p->moved, &g->moved_cap, p->moved_count + 1, sizeof(*p->moved));
    p->moved[p->moved_count++] = (struct producer_moved){
        .catalog = at, .to = want->catalog, .zone = want->zone, .fresh = !said};
    if (said)
        return;
    put_coo(w, m->label, to);
    w->c->moved += !m->coo;
}

static bool is_blocked(const struct producer_plan *p, size_t catalog)
{
    return catalog != PRODUCER_NOWHERE && p->catalogs[catalog].blocked;
}

/* Whether consumers may still have to hear the words about a zone, those from `first` on, before it
 * is listed where it goes. */
static bool must_wait(struct producer_plan *p, size_t first, bool ready)
{
    bool wait = first < p->moved_count && !ready;

    for (size_t i = first; i < p->moved_count; i++)
        wait = wait || p->moved[i].fresh;
    for (size_t i = first; i < p->moved_count; i++)
        p->moved[i].waiting = wait;
    return wait;
}

static void plan_want(struct planning *g, const struct producer_want *want)
{
    struct producer_plan *p = g->p;
    uint8_t label[LABEL_MAX_OCTETS + 1] = {0};
    struct catalog_member m;
    size_t first_moved = p->moved_count;
    bool there = false;

    if (is_blocked(p, want->catalog))
        return;
    for (size_t i = 0; i < p->catalog_count; i++) {
        struct work *w = &g->works[i];

        if (w->c->blocked || !catalog_find(w->list, want->zone, &m))
            continue;
        memcpy(label, m.label, 1u + m.label[0]);
        if (i == want->catalog && !want->fresh) {
            there = true;
            member_keep(w, &m, want->group);
        } else if (i == want->catalog || want->catalog == PRODUCER_NOWHERE) {
            member_remove(w, &m);
        } else {
            member_move(g, i, want, &m);
        }
    }
    if (want->catalog == PRODUCER_NOWHERE || there)
        return;
    if (must_wait(p, first_moved, want->ready))
        return;
    if (want->fresh || !label[0])
        label_make(label, &g->works[want->catalog], want->zone);
    member_add(&g->works[want->catalog], want, label);
}

/* Members that nothing was said of. */
static void remove_others(struct planning *g)
{
    struct producer_plan *p = g->p;
    struct namemap wanted;

    namemap_init(&wanted, clock_real());
    for (size_t i = 0; i < p->want_count; i++)
        namemap_put(&wanted, p->wants[i].zone, (void *)(uintptr_t)&p->wants[i]);
    for (size_t i = 0; i < p->catalog_count; i++) {
        struct work *w = &g->works[i];

        for (size_t k = 0; !w->c->blocked && k < catalog_count(w->list); k++) {
            struct catalog_member m;

            catalog_at(w->list, k, &m);
            if (!namemap_get(&wanted, m.zone))
                member_remove(w, &m);
        }
    }
    namemap_done(&wanted);
}

/* ---- The next versions ---- */

static enum err changes_of(struct changeset **out, const struct work *w, struct errinfo *e)
{
    struct changeset *cs = changeset_new(w->c->apex);
    enum err rc = draft_changes(cs, &w->draft, e);

    if (rc) {
        changeset_free(cs);
        return rc;
    }
    changeset_finish(cs);
    *out = cs;
    return OK;
}

static struct serial next_serial(const struct producer_catalog *c)
{
    return c->base ? serial_next(zone_serial(c->base)) : c->first;
}

/* Content that was not made here is replaced whole: the way there is what differs. */
static enum err replace(struct changeset **cs, const struct producer_catalog *c,
                        const struct zone *next, struct errinfo *e)
{
    changeset_free(*cs);
    *cs = NULL;
    return zone_diff(cs, c->base, next, e);
}

static enum err finish(struct work *w, struct errinfo *e)
{
    struct producer_catalog *c = w->c;
    struct changeset *cs = NULL;
    struct zone *next = NULL;
    enum err rc = changes_of(&cs, w, e);

    if (rc || (cs->added.n == 0 && cs->removed.n == 0))
        goto out;
    changeset_free(cs);
    cs = NULL;
    put_soa(w, next_serial(c));
    if ((rc = changes_of(&cs, w, e)) || (rc = zone_apply(&next, w->from, cs, NULL, e)) ||
        (rc = w->from ? zone_check_change(next, cs, e) : zone_check(next, e)) ||
        (c->base && !w->from && (rc = replace(&cs, c, next, e))))
        goto out;
    c->next = next;
    c->changes = cs;
    return OK;
out:
    zone_unref(next);
    changeset_free(cs);
    return rc;
}

static void begin(struct producer_plan *p, struct work *w, struct producer_catalog *c)
{
    w->c = c;
    c->joined = c->left = c->moved = 0;
    if (c->base && !c->foreign && catalog_parse(&w->list, c->base, NULL) == OK)
        w->from = c->base;
    if (!w->from && !p->all && !c->blocked)
        c->blocked = p->incomplete = true;
    draft_init(&w->draft, w->from);
    if (!c->blocked)
        put_frame(w);
}

enum err producer_plan_make(struct producer_plan *p, struct errinfo *e)
{
    struct planning g = {.p = p, .works = xcalloc(p->catalog_count, sizeof(*g.works))};
    enum err rc = OK;

    p->moved = NULL;
    p->moved_count = 0;
    p->incomplete = false;
    for (size_t i = 0; i < p->catalog_count; i++)
        begin(p, &g.works[i], &p->catalogs[i]);
    for (size_t i = 0; i < p->want_count; i++)
        plan_want(&g, &p->wants[i]);
    if (p->all)
        remove_others(&g);
    for (size_t i = 0; i < p->catalog_count && !rc; i++) {
        if (!p->catalogs[i].blocked)
            rc = finish(&g.works[i], e);
    }
    for (size_t i = 0; i < p->catalog_count; i++) {
        draft_done(&g.works[i].draft);
        catalog_free(g.works[i].list);
    }
    free(g.works);
    if (rc)
        producer_plan_done(p);
    return rc;
}

void producer_plan_done(struct producer_plan *p)
{
    for (size_t i = 0; i < p->catalog_count; i++) {
        struct producer_catalog *c = &p->catalogs[i];

        zone_unref(c->next);
        changeset_free(c->changes);
        c->next = NULL;
        c->changes = NULL;
    }
    free(p->moved);
    p->moved = NULL;
    p->moved_count = 0;
}
