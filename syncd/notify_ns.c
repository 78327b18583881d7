/*    find ─▶ waiting ─▶ pool: NS, SOA, addresses that we serve ─▶ found
 *                                                └─ the others ─▶ resolver ─▶ found
 */
#include "syncd/notify_ns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/zone/page.h"
#include "lib/zone/zone.h"
#include "syncd/resolve.h"

#define HOSTS_MAX 32  /* nameservers of a zone; more are not told */
#define AT_ONCE 64    /* zones in one piece of work */
#define BUCKETS 1024u /* power of two */

struct host {
    struct search *search;
    uint8_t name[NAME_MAX_OCTETS];
    struct addr addresses[RESOLVE_ADDRESSES_MAX];
    size_t count;
    bool told;
};

/* One zone on its way. */
struct search {
    struct notify_ns *owner; /* NULL: it is gone */
    struct ns_change change;
    struct addr *skip; /* addresses that are not told */
    size_t skip_count;
    struct host *hosts; /* once it was read */
    size_t host_count;
    size_t open; /* questions to the resolver */
    struct errinfo error;
    struct search *prev, *next; /* while it waits, in order; then in the work, or among the open */
    struct search *other;       /* in the bucket, while it waits */
};

struct search_list {
    struct search *first, *last;
};

struct work {
    struct notify_ns *owner; /* NULL: it is gone */
    struct store_readers *readers;
    struct search_list searches;
};

struct notify_ns {
    struct loop *loop;
    struct config *config;
    struct store_readers *readers; /* lent */
    notify_ns_found_fn *found;
    void *ctx;

    struct resolver *resolver;
    struct search_list waiting, asking;
    struct search *buckets[BUCKETS]; /* those that wait, by zone */
    struct work *work;               /* in the pool; NULL: none */
};

/* ---- Lists ---- */

static void list_put(struct search_list *l, struct search *s)
{
    s->next = NULL;
    s->prev = l->last;
    if (l->last)
        l->last->next = s;
    else
        l->first = s;
    l->last = s;
}

static void list_take(struct search_list *l, struct search *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        l->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        l->last = s->prev;
}

static void search_free(struct search *s)
{
    free(s->change.soa);
    free(s->skip);
    free(s->hosts);
    free(s);
}

static void list_free(struct search_list *l)
{
    while (l->first) {
        struct search *s = l->first;

        list_take(l, s);
        search_free(s);
    }
}

static struct search **bucket_of(struct notify_ns *n, const uint8_t *zone)
{
    static const uint8_t key[16] = "notify-ns"; /* names are ours, not strangers' */

    return &n->buckets[name_hash(zone, key) & (BUCKETS - 1)];
}

/* ---- What the store knows (in the pool) ---- */

static void add_address(struct host *h, uint16_t type, const uint8_t *rdata, uint16_t len)
{
    struct addr a = {.family = type == RR_A ? 4 : 6};

    if (h->count == RESOLVE_ADDRESSES_MAX || len != (type == RR_A ? 4 : 16))
        return;
    memcpy(a.ip, rdata, len);
    h->addresses[h->count++] = a;
}

/* What the nearest zone above a nameserver's name says of it, as data or glue. */
static void find_addresses(struct host *h, struct store *st, const struct store_zone *z)
{
    static const uint16_t types[] = {RR_A, RR_AAAA};
    struct zone *part = NULL;
    struct node node;

    if (store_zone_part(&part, st, z, h->name, NULL) != OK)
        return; /* perhaps the resolver knows */
    for (size_t i = 0; zone_find(part, h->name, &node) && i < 2; i++) {
        struct rrset_iter it;
        struct rrset set;
        const uint8_t *rdata;
        uint16_t len;

        if (!node_rrset(&node, types[i], &set))
            continue;
        rrset_iter_init(&it, &set);
        while (rrset_next(&it, &rdata, &len))
            add_address(h, types[i], rdata, len);
    }
    zone_unref(part);
}

static void look_among_ours(struct host *h, struct store *st)
{
    for (const uint8_t *above = h->name; *above; above += *above + 1) {
        struct store_zone z;

        if (store_zone_get(st, above, &z, NULL) != OK || z.removed || !z.has_content)
            continue;
        find_addresses(h, st, &z);
        return;
    }
}

static bool is_told(const struct search *s, const uint8_t *name, const uint8_t *mname)
{
    static const uint8_t nowhere[] = "\7invalid"; /* what a catalog has (RFC 9432 4.1) */

    for (size_t i = 0; i < s->host_count; i++) {
        if (name_eq(s->hosts[i].name, name))
            return false;
    }
    return s->host_count < HOSTS_MAX && !name_eq(name, mname) && !name_is_root(name) &&
           !name_eq(name, nowhere);
}

static void read_names(struct search *s, const struct zone *apex)
{
    struct rrset_iter it;
    struct rrset ns;
    struct node node;
    struct soa soa;
    struct rr rr;
    const uint8_t *rdata;
    uint16_t len;

    if (!zone_soa(apex, &rr, &soa) || !zone_find(apex, zone_apex(apex), &node) ||
        !node_rrset(&node, RR_NS, &ns))
        return;
    s->hosts = xcalloc(HOSTS_MAX, sizeof(*s->hosts));
    rrset_iter_init(&it, &ns);
    while (rrset_next(&it, &rdata, &len)) {
        if (is_told(s, rdata, soa.mname))
            (void)name_fold(s->hosts[s->host_count++].name, rdata);
    }
}

static enum err read_zone(struct search *s, struct store *st, struct errinfo *e)
{
    struct zone *apex = NULL;
    struct store_zone z;
    enum err rc;

    if ((rc = store_zone_get(st, s->change.zone, &z, e)))
        return rc;
    if (z.removed || !z.has_content) /* meanwhile */
        return OK;
    if ((rc = store_zone_part(&apex, st, &z, s->change.zone, e)))
        return rc;
    read_names(s, apex);
    zone_unref(apex);
    for (size_t i = 0; i < s->host_count; i++)
        look_among_ours(&s->hosts[i], st);
    return OK;
}

static void on_work(void *ctx)
{
    struct work *w = ctx;
    struct errinfo e = {{0}};
    struct store *st = NULL;
    enum err rc = store_readers_take(w->readers, &st, &e);

    for (struct search *s = w->searches.first; s; s = s->next) {
        if (rc)
            s->error = e;
        else if (store_read_begin(st, &s->error) == OK) {
            (void)read_zone(s, st, &s->error);
            store_read_end(st);
        }
    }
    if (rc == OK)
        store_readers_give(w->readers, st, OK);
}

/* ---- Who is told in the end ---- */

/* An address on this machine: only such can be bound. */
static bool is_local(const struct addr *a)
{
    struct addr any = *a;
    struct sockaddr_storage ss;
    socklen_t len;
    int fd = socket(a->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool bound;

    if (fd < 0)
        return false;
    any.port = 0;
    len = addr_to_sockaddr(&ss, &any);
    bound = bind(fd, (struct sockaddr *)&ss, len) == 0;
    (void)close(fd);
    return bound;
}

static bool is_any(const struct addr *a)
{
    static const struct addr zero;

    return memcmp(a->ip, zero.ip, sizeof(a->ip)) == 0;
}

/* Does our own authd listen there? */
static bool is_ours(const struct config *c, const struct addr *a)
{
    for (size_t i = 0; i < c->listen_count; i++) {
        const struct addr *l = &c->listen[i];

        if (addr_eq(l, a) || (l->port == a->port && is_any(l) && is_local(a)))
            return true;
    }
    return false;
}

/* Another of the zone's nameservers may have the same address. */
static bool is_told_already(const struct search *s, const struct addr *a)
{
    for (size_t i = 0; i < s->host_count; i++) {
        for (size_t k = 0; s->hosts[i].told && k < s->hosts[i].count; k++) {
            if (addr_ip_eq(&s->hosts[i].addresses[k], a))
                return true;
        }
    }
    return false;
}

static bool is_wanted(const struct notify_ns *n, const struct search *s, const struct addr *a)
{
    for (size_t i = 0; i < s->skip_count; i++) {
        if (addr_ip_eq(&s->skip[i], a))
            return false;
    }
    return !is_told_already(s, a) && !is_ours(n->config, a);
}

/* A nameserver's addresses are there. */
static void tell(struct notify_ns *n, struct search *s, struct host *h)
{
    struct ns_target targets[RESOLVE_ADDRESSES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < h->count; i++) {
        struct ns_target t = {.name = h->name, .address = h->addresses[i]};

        t.address.port = (uint16_t)n->config->notify_ns_port;
        if (is_wanted(n, s, &t.address))
            targets[count++] = t;
    }
    h->told = true;
    if (count)
        n->found(n->ctx, &s->change, targets, count);
}

static void question_end(struct search *s)
{
    if (--s->open > 0)
        return;
    list_take(&s->owner->asking, s);
    search_free(s);
}

static void on_addresses(void *ctx, const struct addr *addresses, size_t count)
{
    struct host *h = ctx;
    struct search *s = h->search;

    memcpy(h->addresses, addresses, count * sizeof(*addresses));
    h->count = count;
    tell(s->owner, s, h);
    question_end(s);
}

/* Those that we know first: others may take a while. */
static void tell_all(struct notify_ns *n, struct search *s)
{
    s->open = 1; /* ours, so that it does not end under our hands */
    for (size_t i = 0; i < s->host_count; i++) {
        if (s->hosts[i].count)
            tell(n, s, &s->hosts[i]);
    }
    for (size_t i = 0; i < s->host_count; i++) {
        struct host *h = &s->hosts[i];

        if (h->told)
            continue;
        h->search = s;
        s->open++;
        resolver_ask(n->resolver, h->name, on_addresses, h);
    }
    question_end(s);
}

/* ---- The way ---- */

static void start_work(struct notify_ns *n);

static void log_unread(const struct search *s)
{
    char zone[NAME_TEXT_MAX];

    (void)name_to_text(zone, s->change.zone);
    log_warning(say("the nameservers of a zone cannot be read, they are not told of its change"),
                kv_str("zone", zone), kv_err(&s->error));
}

static void on_work_done(void *ctx)
{
    struct work *w = ctx;
    struct notify_ns *n = w->owner;

    while (n && w->searches.first) {
        struct search *s = w->searches.first;

        list_take(&w->searches, s);
        if (s->error.text[0]) {
            log_unread(s);
            search_free(s);
            continue;
        }
        list_put(&n->asking, s);
        tell_all(n, s);
    }
    list_free(&w->searches);
    free(w);
    if (n) {
        n->work = NULL;
        start_work(n);
    }
}

static void start_work(struct notify_ns *n)
{
    struct work *w;

    if (n->work || !n->waiting.first)
        return;
    w = xcalloc(1, sizeof(*w));
    w->owner = n;
    w->readers = n->readers;
    for (int i = 0; i < AT_ONCE && n->waiting.first; i++) {
        struct search *s = n->waiting.first;
        struct search **at = bucket_of(n, s->change.zone);

        while (*at != s)
            at = &(*at)->other;
        *at = s->other;
        list_take(&n->waiting, s);
        list_put(&w->searches, s);
    }
    n->work = w;
    loop_work(n->loop, on_work, on_work_done, w);
}

static struct search *search_get(struct notify_ns *n, const uint8_t *zone)
{
    struct search **at = bucket_of(n, zone);
    struct search *s = *at;

    while (s && !name_eq(s->change.zone, zone))
        s = s->other;
    if (s)
        return s;
    s = xcalloc(1, sizeof(*s));
    s->owner = n;
    (void)name_copy(s->change.zone, zone);
    s->other = *at;
    *at = s;
    list_put(&n->waiting, s);
    return s;
}

static void take_skip(struct search *s, const struct config *c, const struct config_zone *section)
{
    free(s->skip);
    s->skip = xcalloc(section->primary_count + section->secondary_count, sizeof(*s->skip));
    s->skip_count = 0;
    for (size_t i = 0; i < section->primary_count; i++)
        s->skip[s->skip_count++] = c->primaries[section->primaries[i]].address;
    for (size_t i = 0; i < section->secondary_count; i++)
        s->skip[s->skip_count++] = c->secondaries[section->secondaries[i]].address;
}

void notify_ns_find(struct notify_ns *n, const uint8_t *zone, const struct config_zone *section,
                    const struct rr *soa, struct serial serial, uint64_t seq)
{
    struct search *s = search_get(n, zone);

    take_skip(s, n->config, section);
    free(s->change.soa);
    s->change.soa = soa ? xmemdup(soa->rdata, soa->rdata_len) : NULL;
    s->change.soa_len = soa ? soa->rdata_len : 0;
    s->change.soa_ttl = soa ? soa->ttl : 0;
    s->change.serial = serial;
    s->change.seq = seq;
    start_work(n);
}

/* ---- ---- */

struct notify_ns *notify_ns_new(struct loop *loop, struct config *config,
                                struct store_readers *readers, notify_ns_found_fn *found, void *ctx)
{
    struct notify_ns *n = xcalloc(1, sizeof(*n));

    n->loop = loop;
    n->config = config_ref(config);
    n->readers = readers;
    n->found = found;
    n->ctx = ctx;
    n->resolver = resolver_new(loop, config);
    return n;
}

void notify_ns_reload(struct notify_ns *n, struct config *config)
{
    struct config *old = n->config;

    n->config = config_ref(config);
    resolver_reload(n->resolver, config);
    config_unref(old);
}

void notify_ns_free(struct notify_ns *n)
{
    if (!n)
        return;
    if (n->work)
        n->work->owner = NULL;
    resolver_free(n->resolver);
    list_free(&n->waiting);
    list_free(&n->asking);
    config_unref(n->config);
    free(n);
}
