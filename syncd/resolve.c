#include "syncd/resolve.h"

#include <event2/dns.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define BUCKETS 1024u  /* power of two */
#define NAMES_MAX 8192 /* remembered; when there are so many, all that are not being asked go */
#define TTL_MIN_S 60
#define TTL_MAX_S 86400
#define TTL_NONE_S 300
#define FAMILIES 2 /* a question each */

struct asker {
    resolve_done_fn *done;
    void *ctx;
    struct asker *next;
};

struct host {
    struct resolver *resolver;
    uint8_t *name; /* folded */
    struct addr addresses[RESOLVE_ADDRESSES_MAX];
    size_t count;
    unsigned open; /* questions without an answer */
    uint32_t ttl_s;
    struct mono until; /* once there is none */
    struct asker *askers;
    struct host *next; /* in the bucket */
};

struct resolver {
    struct loop *loop;
    struct evdns_base *dns; /* NULL: nobody has asked yet */
    struct addr *servers;   /* none: what the system has */
    size_t server_count;
    struct host *buckets[BUCKETS];
    size_t count;
};

/* ---- What is remembered ---- */

static struct host **bucket_of(struct resolver *r, const uint8_t *name)
{
    static const uint8_t key[16] = "resolve"; /* names are those of our zones' nameservers */

    return &r->buckets[name_hash(name, key) & (BUCKETS - 1)];
}

static void host_free(struct host *h)
{
    while (h->askers) {
        struct asker *a = h->askers;

        h->askers = a->next;
        free(a);
    }
    free(h->name);
    free(h);
}

/* All, or those that are not being asked. */
static void forget(struct resolver *r, bool all)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct host **at = &r->buckets[i];

        while (*at) {
            struct host *h = *at;

            if (!all && h->open) {
                at = &h->next;
                continue;
            }
            *at = h->next;
            r->count--;
            host_free(h);
        }
    }
}

static struct host *host_get(struct resolver *r, const uint8_t *name)
{
    struct host **at = bucket_of(r, name);
    struct host *h = *at;

    while (h && !name_eq(h->name, name))
        h = h->next;
    if (h)
        return h;
    if (r->count >= NAMES_MAX)
        forget(r, false);
    h = xcalloc(1, sizeof(*h));
    h->resolver = r;
    h->name = xmemdup(name, name_len(name));
    h->next = *at;
    *at = h;
    r->count++;
    return h;
}

/* ---- Asking ---- */

static void answered(struct host *h)
{
    struct asker *askers = h->askers;
    struct addr addresses[RESOLVE_ADDRESSES_MAX]; /* who is told may ask, and forget this host */
    size_t count = h->count;
    char name[NAME_TEXT_MAX];

    memcpy(addresses, h->addresses, sizeof(addresses));
    h->until = mono_add_ms(clock_mono(loop_clock(h->resolver->loop)), (int64_t)h->ttl_s * 1000);
    h->askers = NULL;
    if (h->count == 0) {
        (void)name_to_text(name, h->name);
        log_info(say("no address of a nameserver can be found"), kv_str("nameserver", name));
    }
    while (askers) {
        struct asker *a = askers;

        askers = a->next;
        a->done(a->ctx, addresses, count);
        free(a);
    }
}

static void add(struct host *h, char type, const uint8_t *octets)
{
    struct addr a = {.family = type == DNS_IPv4_A ? 4 : 6};

    if (h->count == RESOLVE_ADDRESSES_MAX)
        return;
    memcpy(a.ip, octets, type == DNS_IPv4_A ? 4 : 16);
    h->addresses[h->count++] = a;
}

static void on_answer(int result, char type, int count, int ttl, void *addresses, void *ctx)
{
    struct host *h = ctx;
    size_t octets = type == DNS_IPv4_A ? 4 : 16;

    if (result == DNS_ERR_NONE && (type == DNS_IPv4_A || type == DNS_IPv6_AAAA) && count > 0) {
        uint32_t ttl_s = ttl < TTL_MIN_S ? TTL_MIN_S : ttl > TTL_MAX_S ? TTL_MAX_S : (uint32_t)ttl;

        if (h->count == 0 || ttl_s < h->ttl_s)
            h->ttl_s = ttl_s;
        for (int i = 0; i < count; i++)
            add(h, type, (const uint8_t *)addresses + (size_t)i * octets);
    }
    if (--h->open == 0)
        answered(h);
}

static void add_servers(struct resolver *r)
{
    for (size_t i = 0; i < r->server_count; i++) {
        struct sockaddr_storage ss;
        socklen_t len = addr_to_sockaddr(&ss, &r->servers[i]);

        (void)evdns_base_nameserver_sockaddr_add(r->dns, (struct sockaddr *)&ss, len, 0);
    }
    /* Without the file it is the host itself. */
    if (r->server_count == 0)
        (void)evdns_base_resolv_conf_parse(r->dns, DNS_OPTION_NAMESERVERS, "/etc/resolv.conf");
}

static bool is_ready(struct resolver *r)
{
    if (r->dns)
        return true;
    r->dns = evdns_base_new(loop_base(r->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!r->dns)
        return false;
    (void)evdns_base_set_option(r->dns, "timeout:", "3");
    (void)evdns_base_set_option(r->dns, "attempts:", "2");
    /* A server that is "down" would be asked for a name of evdns's own choice to see if it is up.
     */
    (void)evdns_base_set_option(r->dns, "max-timeouts:", "255");
    add_servers(r);
    return true;
}

/* As evdns wants it: nothing but what hosts are called. */
static bool host_text(char out[NAME_TEXT_MAX], const uint8_t *name)
{
    size_t n = name_to_text(out, name);

    if (n < 2)
        return false;
    out[n - 1] = 0; /* the last dot */
    return strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n - 1;
}

static void ask(struct host *h)
{
    struct resolver *r = h->resolver;
    char text[NAME_TEXT_MAX];

    h->count = 0;
    h->ttl_s = TTL_NONE_S;
    h->open = FAMILIES + 1; /* one for us, so that it does not end under our hands */
    if (!host_text(text, h->name) || !is_ready(r)) {
        h->open = 1;
    } else {
        if (!evdns_base_resolve_ipv4(r->dns, text, DNS_QUERY_NO_SEARCH, on_answer, h))
            h->open--;
        if (!evdns_base_resolve_ipv6(r->dns, text, DNS_QUERY_NO_SEARCH, on_answer, h))
            h->open--;
    }
    if (--h->open == 0)
        answered(h);
}

void resolver_ask(struct resolver *r, const uint8_t *name, resolve_done_fn *done, void *ctx)
{
    uint8_t folded[NAME_MAX_OCTETS];
    struct host *h;
    struct asker *a;

    (void)name_fold(folded, name);
    h = host_get(r, folded);
    if (!h->open && h->until.ms && mono_cmp(h->until, clock_mono(loop_clock(r->loop))) > 0) {
        done(ctx, h->addresses, h->count);
        return;
    }
    a = xcalloc(1, sizeof(*a));
    *a = (struct asker){.done = done, .ctx = ctx, .next = h->askers};
    h->askers = a;
    if (!h->open)
        ask(h);
}

/* ---- ---- */

static void take_servers(struct resolver *r, const struct config *c)
{
    free(r->servers);
    r->server_count = c->resolver_count;
    r->servers =
        c->resolver_count ? xmemdup(c->resolvers, c->resolver_count * sizeof(*c->resolvers)) : NULL;
}

struct resolver *resolver_new(struct loop *loop, const struct config *config)
{
    struct resolver *r = xcalloc(1, sizeof(*r));

    r->loop = loop;
    take_servers(r, config);
    return r;
}

void resolver_reload(struct resolver *r, const struct config *config)
{
    take_servers(r, config);
    forget(r, false);
    if (!r->dns)
        return;
    (void)evdns_base_clear_nameservers_and_suspend(r->dns);
    add_servers(r);
    (void)evdns_base_resume(r->dns);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->dns)
        evdns_base_free(r->dns, 0);
    forget(r, true);
    free(r->servers);
    free(r);
}
