#include "lib/zone/zone_dnssec.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/zone/zone_dnssec_internal.h"

#define PART_PAGES 32 /* of a zone, that one thread takes at a time */
#define HELPERS_MAX 63

/* ---- How it went ---- */

void tally_init(struct tally *t)
{
    *t = (struct tally){.until = {INT64_MAX}, .first_part = SIZE_MAX};
    dnssec_verifier_init(&t->verifier);
}

void tally_done(struct tally *t)
{
    dnssec_verifier_done(&t->verifier);
}

void fault(struct tally *t, const uint8_t *owner, uint16_t type, const char *why, ...)
{
    char name[NAME_TEXT_MAX], of[TYPE_TEXT_MAX], text[ZONE_DNSSEC_REASON_MAX];
    va_list ap;

    if (t->faults++ > 0)
        return; /* a thread goes through its parts in order */
    (void)name_to_text(name, owner);
    type_to_text(of, type);
    va_start(ap, why);
    (void)vsnprintf(text, sizeof(text), why, ap);
    va_end(ap);
    t->first_part = t->part;
    (void)snprintf(t->first, sizeof(t->first), "%.80s %s: %.130s", name, of, text);
}

static void tally_add(struct tally *sum, const struct tally *t)
{
    sum->rrsets += t->rrsets;
    sum->faults += t->faults;
    if (t->until.s < sum->until.s)
        sum->until = t->until;
    if (t->faults > 0 && t->first_part < sum->first_part) {
        sum->first_part = t->first_part;
        memcpy(sum->first, t->first, sizeof(sum->first));
    }
}

/* ---- Standing ---- */

/* True for an owner that is there for its NSEC3 alone. */
static bool is_hash_alone(const struct node *n)
{
    struct rrset s;

    if (!node_rrset(n, RR_NSEC3, &s))
        return false;
    for (uint32_t i = 0; i < n->rrsets; i++) {
        node_rrset_at(n, i, &s);
        if (s.type != RR_NSEC3 && !(s.type == RR_RRSIG && s.covered == RR_NSEC3))
            return false;
    }
    return true;
}

enum standing standing_here(const struct node *n)
{
    struct rrset s;

    if (n->rel_len == 0)
        return STANDS_OWN;
    if (node_rrset(n, RR_NS, &s))
        return STANDS_CUT;
    return n->page->has_nsec3 && is_hash_alone(n) ? STANDS_HASH : STANDS_OWN;
}

/* The delegation above a name, the topmost one; false if there is none. */
static bool find_cut(const struct zone *z, const uint8_t *name, struct node *cut)
{
    const uint8_t *above[NAME_MAX_LABELS];
    unsigned n = 0;
    struct rrset s;

    for (; !name_eq(name, zone_apex(z)); name = name_parent(name))
        above[n++] = name;
    while (n-- > 1) {
        if (zone_find(z, above[n], cut) && node_rrset(cut, RR_NS, &s))
            return true;
    }
    return false;
}

enum standing standing_of(const struct zone *z, const uint8_t *name, const struct node *n)
{
    struct node cut;

    if (find_cut(z, name, &cut))
        return STANDS_OCCLUDED;
    return n ? standing_here(n) : STANDS_OWN;
}

/* ---- A walk over part of a zone ---- */

struct walk {
    const struct check *c;
    struct tally *t;
    struct zone_iter it;
    struct node n; /* the present one */
    enum standing standing;
    uint8_t owner[NAME_MAX_OCTETS];

    struct node cut; /* the last delegation: what is below it follows */
    bool has_cut;
    uint8_t before[NAME_MAX_OCTETS]; /* the owner in front */
    bool has_before;

    struct node waits; /* a name whose NSEC leads to the next one, */
    enum standing waits_standing;
    uint8_t waits_owner[NAME_MAX_OCTETS];
    bool has_waits;
};

static bool step(struct walk *w)
{
    if (!zone_next(&w->it, &w->n))
        return false;
    (void)node_owner(w->owner, &w->n, zone_apex(w->c->z));
    if (w->has_cut && rel_below(w->n.rel_owner, w->n.rel_len, w->cut.rel_owner, w->cut.rel_len)) {
        w->standing = STANDS_OCCLUDED;
        return true;
    }
    w->standing = standing_here(&w->n);
    w->has_cut = w->standing == STANDS_CUT;
    if (w->has_cut)
        w->cut = w->n;
    return true;
}

/* Empty non-terminals between the name in front and this one: the names above it that the other is
 * not below (RFC 5155 7.1). */
static void check_empty(struct walk *w)
{
    unsigned common = w->has_before ? name_common_labels(w->before, w->owner) : 0;
    unsigned apex = name_labels(zone_apex(w->c->z));
    const uint8_t *name = name_parent(w->owner);

    if (common < apex)
        common = apex;
    for (unsigned n = name_labels(w->owner); n > common + 1; n--, name = name_parent(name))
        check_nsec3(w->c, w->t, name, NULL, STANDS_OWN);
}

static void look(struct walk *w)
{
    check_node(w->c, w->t, &w->n, w->owner, w->standing);
    if (!is_real(w->standing))
        return;
    if (w->c->chain_count > 0) {
        if (w->n.rel_len > 0)
            check_empty(w);
        check_nsec3(w->c, w->t, w->owner, &w->n, w->standing);
    }
    w->has_waits = w->c->has_nsec;
    w->waits = w->n;
    w->waits_standing = w->standing;
    (void)name_copy(w->waits_owner, w->owner);
}

static void settle(struct walk *w, const uint8_t *next)
{
    if (w->has_waits)
        check_nsec(w->t, &w->waits, w->waits_owner, w->waits_standing, next);
    w->has_waits = false;
}

/* Where the walk stands at its first name: behind which name, below which delegation. */
static void look_back(struct walk *w, struct table_pos at)
{
    const struct zone *z = w->c->z;
    struct node n;

    page_node(table_page(&z->table, at), 0, &n);
    (void)node_owner(w->owner, &n, zone_apex(z));
    w->has_cut = find_cut(z, w->owner, &w->cut);
    if (n.rel_len == 0)
        return;
    if (at.page > 0)
        at.page--;
    else
        at = (struct table_pos){at.chunk - 1, z->table.chunks[at.chunk - 1]->n - 1};
    page_node(table_page(&z->table, at), table_page(&z->table, at)->nodes - 1, &n);
    (void)node_owner(w->before, &n, zone_apex(z));
    w->has_before = true;
}

static bool is_inside(const struct walk *w, struct table_pos end)
{
    struct table_pos at = {w->it.chunk, w->it.page};

    return table_pos_before(at, end);
}

/* From one page to another, and on to the next name that the last NSEC must lead to. */
static void look_at_part(const struct check *c, struct tally *t, struct table_pos from,
                         struct table_pos end)
{
    struct walk w = {.c = c, .t = t};

    zone_iter_init(&w.it, c->z);
    w.it.chunk = from.chunk;
    w.it.page = from.page;
    look_back(&w, from);
    for (;;) {
        bool inside = is_inside(&w, end);

        if ((!inside && !w.has_waits) || !step(&w))
            break;
        if (is_real(w.standing))
            settle(&w, w.owner);
        if (inside)
            look(&w);
        (void)name_copy(w.before, w.owner);
        w.has_before = true;
    }
    settle(&w, zone_apex(c->z)); /* the last one leads round to the first (RFC 4034 4.1.1) */
}

/* ---- In several threads ---- */

struct work {
    const struct check *c;
    struct table_pos *parts; /* where each begins; one more: the end */
    size_t part_count;
    atomic_size_t next;
};

struct helper {
    struct work *work;
    struct tally tally;
    pthread_t thread;
};

static atomic_uint helpers; /* at work, in the whole process */

static unsigned take_helpers(unsigned want, unsigned most)
{
    unsigned busy = atomic_load(&helpers);

    for (;;) {
        unsigned left = busy < most ? most - busy : 0;
        unsigned n = want < left ? want : left;

        if (n == 0 || atomic_compare_exchange_weak(&helpers, &busy, busy + n))
            return n;
    }
}

static void cut_parts(struct work *w)
{
    const struct table *t = &w->c->z->table;

    w->parts = xcalloc(t->pages + t->n + 1, sizeof(*w->parts));
    for (size_t i = 0; i < t->n; i++) {
        for (uint32_t k = 0; k < t->chunks[i]->n; k += PART_PAGES)
            w->parts[w->part_count++] = (struct table_pos){i, k};
    }
    w->parts[w->part_count] = (struct table_pos){t->n, 0};
}

static void work_on(struct work *w, struct tally *t)
{
    size_t i;

    while ((i = atomic_fetch_add(&w->next, 1)) < w->part_count) {
        t->part = 1 + i;
        look_at_part(w->c, t, w->parts[i], w->parts[i + 1]);
    }
}

static void *help(void *ctx)
{
    struct helper *h = ctx;

    work_on(h->work, &h->tally);
    return NULL;
}

static void look_at_all(const struct check *c, struct tally *t)
{
    struct helper list[HELPERS_MAX];
    struct work w = {.c = c};
    unsigned most = c->spec->threads > 1 ? c->spec->threads - 1 : 0;
    unsigned n, started = 0;
    size_t want;

    if (most > HELPERS_MAX)
        most = HELPERS_MAX;
    cut_parts(&w);
    want = w.part_count > 0 ? w.part_count - 1 : 0;
    n = take_helpers(want < most ? (unsigned)want : most, most);
    while (started < n) {
        struct helper *h = &list[started];

        h->work = &w;
        tally_init(&h->tally);
        if (pthread_create(&h->thread, NULL, help, h) != 0) {
            tally_done(&h->tally);
            break; /* the others do it */
        }
        started++;
    }
    work_on(&w, t);
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(list[i].thread, NULL);
        tally_add(t, &list[i].tally);
        tally_done(&list[i].tally);
    }
    (void)atomic_fetch_sub(&helpers, n);
    free(w.parts);
}

/* ---- Whole ---- */

bool zone_is_signed(const struct zone *z)
{
    const struct node *apex = zone_apex_node(z);
    struct rrset s;

    return apex && (node_rrset(apex, RR_DNSKEY, &s) || node_rrset(apex, RR_RRSIG, &s) ||
                    node_rrset(apex, RR_NSEC, &s) || node_rrset(apex, RR_NSEC3PARAM, &s));
}

void check_init(struct check *c, struct tally *t, const struct zone *z,
                const struct zone_dnssec_spec *spec)
{
    struct rrset s;

    *c = (struct check){.z = z, .spec = spec};
    check_keys(c, t);
    c->has_nsec = node_rrset(zone_apex_node(z), RR_NSEC, &s);
    chains_init(c, t);
    if (!c->has_nsec && c->chain_count == 0 && t->faults == 0)
        fault(t, zone_apex(z), RR_NSEC, "the zone has neither this nor an NSEC3PARAM");
}

void check_done(struct check *c)
{
    for (size_t i = 0; i < c->key_count; i++)
        dnskey_done(&c->keys[i].dnskey);
    free(c->keys);
    chains_done(c);
}

void check_report(struct zone_dnssec_report *out, const struct check *c, const struct tally *t)
{
    char when[WALL_TEXT_MAX];

    *out = (struct zone_dnssec_report){
        .rrsets = t->rrsets, .faults = t->faults, .until = t->until, .whole = true};
    if (t->faults > 0) {
        out->result = ZONE_DNSSEC_BOGUS;
        (void)snprintf(out->reason, sizeof(out->reason), "DNSSEC: %.230s", t->first);
        if (t->faults > 1)
            (void)snprintf(out->reason, sizeof(out->reason),
                           "DNSSEC: %" PRIu64 " faults, the first: %.180s", t->faults, t->first);
        return;
    }
    if (c->blind) {
        out->result = ZONE_DNSSEC_UNCHECKED;
        (void)snprintf(out->reason, sizeof(out->reason),
                       "DNSSEC: its keys are signed with no algorithm that is known here");
        return;
    }
    out->result = ZONE_DNSSEC_OK;
    wall_to_text(when, t->until);
    (void)snprintf(out->reason, sizeof(out->reason),
                   "DNSSEC: %" PRIu64 " RRsets are signed, until %s at least", t->rrsets, when);
}

void zone_dnssec_check(struct zone_dnssec_report *out, const struct zone *z,
                       const struct zone_dnssec_spec *spec)
{
    struct check c;
    struct tally t;

    if (!zone_is_signed(z)) {
        *out = (struct zone_dnssec_report){
            .result = ZONE_DNSSEC_UNSIGNED, .whole = true, .reason = "DNSSEC: it is not signed"};
        return;
    }
    tally_init(&t);
    check_init(&c, &t, z, spec);
    chains_read(&c, &t);
    look_at_all(&c, &t);
    t.part = SIZE_MAX - 1;
    chains_finish(&c, &t);
    check_report(out, &c, &t);
    check_done(&c);
    tally_done(&t);
}
