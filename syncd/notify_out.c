#include "syncd/notify_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "lib/dns/response.h"
#include "syncd/notify_ns.h"
#include "syncd/sched.h"
#include "syncd/tcpconn.h"

#define RATE_PER_SECOND 1000u
#define BURST 200u
#define FIRST_WAIT_MS 2000
#define WAIT_MAX_MS 300000
#define TRIES_MAX 12 /* about 40 minutes */
#define MESSAGE_MAX 1024
#define AUTHD_WAIT_MS 2000 /* for authd to serve what is to be told */
#define LIST_UNSERVED (TRIES_MAX + 1)
#define LISTS (TRIES_MAX + 2)
#define DATAGRAMS_AT_ONCE 64
#define BUCKETS 4096u /* power of two */

/* A socket for each of our addresses that NOTIFYs leave from. */
struct out_socket {
    struct notify_out *owner;
    struct addr source;
    uint8_t family;
    int fd;
    struct event *readable;
    struct out_socket *next;
};

/* One zone to tell one secondary of, or one nameserver. */
struct job {
    uint8_t *zone;       /* folded */
    int secondary;       /* index into config.secondaries; -1: it is a nameserver */
    uint8_t *nameserver; /* its name ... */
    struct addr address; /* ... and address */
    struct serial serial;
    uint8_t *soa; /* RDATA, or NULL */
    size_t soa_len;
    uint32_t soa_ttl;

    uint64_t seq;    /* of the change */
    unsigned list;   /* LIST_UNSERVED, or the tries so far */
    struct mono due; /* for the next try */
    struct tsig tsig;
    uint8_t *query; /* as it was sent last */
    size_t query_len;

    struct job *prev, *next; /* in the list */
    struct job *other;       /* in the bucket */
};

/* All in a list wait as long, so it is in order of time. */
struct job_list {
    struct job *first, *last;
};

struct notify_out {
    struct loop *loop;
    struct config *config;
    struct keyring *keys;
    struct token_bucket pace;
    struct event *timer;
    struct out_socket *sockets;
    struct job_list lists[LISTS];
    struct job *buckets[BUCKETS]; /* by zone */
    uint64_t served;              /* what authd has come to */
    struct notify_out_counts counts;
    struct notify_ns *nameservers;
};

static const struct addr *address_of(const struct notify_out *n, const struct job *j)
{
    return j->secondary < 0 ? &j->address : &n->config->secondaries[j->secondary].address;
}

static struct mono now_of(const struct notify_out *n)
{
    return clock_mono(loop_clock(n->loop));
}

/* ---- Jobs ---- */

static struct job **bucket_of(struct notify_out *n, const uint8_t *zone)
{
    static const uint8_t key[16] = "notify-out"; /* names are ours, not strangers' */

    return &n->buckets[name_hash(zone, key) & (BUCKETS - 1)];
}

static void list_put(struct notify_out *n, struct job *j)
{
    struct job_list *l = &n->lists[j->list];

    j->next = NULL;
    j->prev = l->last;
    if (l->last)
        l->last->next = j;
    else
        l->first = j;
    l->last = j;
}

static void list_take(struct notify_out *n, struct job *j)
{
    struct job_list *l = &n->lists[j->list];

    if (j->prev)
        j->prev->next = j->next;
    else
        l->first = j->next;
    if (j->next)
        j->next->prev = j->prev;
    else
        l->last = j->prev;
}

static void job_end(struct notify_out *n, struct job *j)
{
    struct job **at = bucket_of(n, j->zone);

    while (*at != j)
        at = &(*at)->other;
    *at = j->other;
    list_take(n, j);
    n->counts.waiting--;
    tsig_done(&j->tsig);
    free(j->query);
    free(j->zone);
    free(j->nameserver);
    free(j->soa);
    free(j);
}

static bool is_target(const struct job *j, int secondary, const struct ns_target *t)
{
    return j->secondary == secondary && (!t || addr_eq(&j->address, &t->address));
}

/* `t`: the nameserver, if secondary is -1. */
static struct job *job_find(struct notify_out *n, const uint8_t *zone, int secondary,
                            const struct ns_target *t)
{
    struct job *j = *bucket_of(n, zone);

    while (j && (!is_target(j, secondary, t) || !name_eq(j->zone, zone)))
        j = j->other;
    return j;
}

static struct job *job_new(struct notify_out *n, const uint8_t *zone, int secondary,
                           const struct ns_target *t)
{
    struct job **at = bucket_of(n, zone);
    struct job *j = xcalloc(1, sizeof(*j));

    j->zone = xmemdup(zone, name_len(zone));
    j->secondary = secondary;
    if (t) {
        j->nameserver = xmemdup(t->name, name_len(t->name));
        j->address = t->address;
    }
    j->other = *at;
    *at = j;
    list_put(n, j);
    n->counts.waiting++;
    return j;
}

static unsigned tries_of(const struct job *j)
{
    return j->list == LIST_UNSERVED ? 0 : j->list;
}

static void log_job(enum log_level level, const struct notify_out *n, const struct job *j,
                    const char *sentence, const char *error)
{
    char zone[NAME_TEXT_MAX];
    char host[NAME_TEXT_MAX];
    char address[ADDR_TEXT_MAX];

    (void)name_to_text(zone, j->zone);
    if (j->nameserver)
        (void)name_to_text(host, j->nameserver);
    addr_to_text(address, address_of(n, j));
    log_write(level,
              LOG_KVS(say(sentence), kv_str("zone", zone),
                      kv_str("secondary",
                             j->nameserver ? NULL : n->config->secondaries[j->secondary].name),
                      kv_str("nameserver", j->nameserver ? host : NULL), kv_str("address", address),
                      kv_u64("serial", j->serial.v), kv_u64("tries", tries_of(j)),
                      kv_str("error", error)));
}

/* ---- What comes back ---- */

/* What an acknowledgement, or something else, says; true if the job is over. */
static bool take_reply(struct notify_out *n, struct job *j, const uint8_t *wire, size_t len)
{
    struct wall now = clock_wall(loop_clock(n->loop));
    char rcode[RCODE_TEXT_MAX];
    struct response resp;

    if (!j->query ||
        response_check(&resp, RESPONSE_SINGLE, j->query, j->query_len, wire, len) != RESPONSE_OK)
        return false; /* not the answer to this: perhaps a forgery */
    if (j->tsig.key && tsig_verify_response(&j->tsig, wire, len, resp.layout.tsig, now) != TSIG_OK)
        return false;
    if (resp.rcode == RCODE_NOERROR) {
        n->counts.acknowledged++;
        log_job(LOG_DEBUG, n, j, "a NOTIFY is acknowledged", NULL);
        return true;
    }
    if (resp.rcode == RCODE_SERVFAIL)
        return false; /* it may be able to later */
    n->counts.refused++;
    rcode_to_text(rcode, resp.rcode);
    log_job(LOG_WARNING, n, j, "a secondary refuses our NOTIFY", rcode);
    return true;
}

/* The job that a reply from there may be for. */
static struct job *job_of_reply(struct notify_out *n, const struct addr *from, const uint8_t *wire,
                                size_t len)
{
    uint8_t zone[NAME_MAX_OCTETS];
    struct reader r = reader_of(wire, len);
    struct job *j;

    if (!read_bytes(&r, MSG_HEADER_OCTETS) || !read_name_plain(&r, zone))
        return NULL;
    (void)name_fold(zone, zone);
    for (j = *bucket_of(n, zone); j; j = j->other) {
        if (name_eq(j->zone, zone) && addr_eq(address_of(n, j), from))
            break;
    }
    return j;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct notify_out *n = ((struct out_socket *)ctx)->owner;

    (void)what;
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        uint8_t wire[4096];
        struct sockaddr_storage ss;
        socklen_t ss_len = sizeof(ss);
        ssize_t len =
            recvfrom(fd, wire, sizeof(wire), MSG_DONTWAIT, (struct sockaddr *)&ss, &ss_len);
        struct addr from;
        struct job *j;

        if (len < 0)
            return;
        if (!addr_from_sockaddr(&from, (struct sockaddr *)&ss))
            continue;
        j = job_of_reply(n, &from, wire, (size_t)len);
        if (j && take_reply(n, j, wire, (size_t)len))
            job_end(n, j);
    }
}

/* ---- Sending ---- */

static void make_query(struct notify_out *n, struct job *j)
{
    struct tsig_key *key =
        j->secondary < 0 ? NULL : keyring_get(n->keys, n->config->secondaries[j->secondary].key);
    uint8_t wire[MESSAGE_MAX];
    uint16_t id;
    size_t len;

    clock_random(loop_clock(n->loop), &id, sizeof(id));
    len = msg_build_notify(wire, sizeof(wire), id, j->zone, j->soa, j->soa_len, j->soa_ttl);
    tsig_done(&j->tsig);
    if (key && !tsig_sign_request(&j->tsig, key, wire, &len, sizeof(wire),
                                  clock_wall(loop_clock(n->loop))))
        abort(); /* a SOA, two names and a MAC always fit */
    free(j->query);
    j->query = xmemdup(wire, len);
    j->query_len = len;
}

static int wait_ms(unsigned tries)
{
    int ms = FIRST_WAIT_MS;

    while (tries-- > 1 && ms < WAIT_MAX_MS)
        ms *= 2;
    return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

static struct out_socket *socket_for(struct notify_out *n, const struct job *j, struct errinfo *e)
{
    const struct addr *to = address_of(n, j);
    struct addr source = {.family = 0};
    struct out_socket *o = n->sockets;
    int fd = -1;

    if (j->secondary >= 0)
        source = n->config->secondaries[j->secondary].source;
    while (o && (o->family != to->family || !addr_eq(&o->source, &source)))
        o = o->next;
    if (o || peer_socket(&fd, SOCK_DGRAM, to, &source, e) != OK)
        return o;
    o = xcalloc(1, sizeof(*o));
    *o = (struct out_socket){
        .owner = n, .source = source, .family = to->family, .fd = fd, .next = n->sockets};
    n->sockets = o;
    o->readable = event_new(loop_base(n->loop), fd, EV_READ | EV_PERSIST, on_readable, o);
    if (!o->readable || event_add(o->readable, NULL) != 0)
        abort(); /* out of memory */
    return o;
}

static void sockets_close(struct notify_out *n)
{
    while (n->sockets) {
        struct out_socket *o = n->sockets;

        n->sockets = o->next;
        event_free(o->readable);
        (void)close(o->fd);
        free(o);
    }
}

static bool send_query(struct notify_out *n, struct job *j, struct errinfo *e)
{
    struct out_socket *o = socket_for(n, j, e);
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&ss, address_of(n, j));

    if (!o)
        return false;
    make_query(n, j);
    if (sendto(o->fd, j->query, j->query_len, MSG_NOSIGNAL, (struct sockaddr *)&ss, len) >= 0) {
        n->counts.sent++;
        return true;
    }
    (void)err_sys(errno, e, "sending");
    return false;
}

static void job_move(struct notify_out *n, struct job *j, unsigned list, struct mono due)
{
    list_take(n, j);
    j->list = list;
    j->due = due;
    list_put(n, j);
}

/* Its time has come: the next try, or the end. */
static void job_try(struct notify_out *n, struct job *j)
{
    unsigned tries = tries_of(j) + 1;
    struct errinfo e = {0};

    if (tries > TRIES_MAX) {
        n->counts.given_up++;
        log_job(LOG_WARNING, n, j,
                "a secondary does not answer our NOTIFYs, it is not told any more", NULL);
        job_end(n, j);
        return;
    }
    job_move(n, j, tries, mono_add_ms(now_of(n), wait_ms(tries)));
    if (!send_query(n, j, &e))
        log_job(tries == 1 ? LOG_WARNING : LOG_DEBUG, n, j, "a NOTIFY cannot be sent", e.text);
    else if (tries == 4)
        log_job(LOG_WARNING, n, j, "a secondary does not answer our NOTIFYs", NULL);
}

/* ---- The pump ---- */

/* Sends what is due, and says when there is more to do; false: never. */
static bool send_due(struct notify_out *n, struct mono now, struct mono *next)
{
    bool any = false;

    for (unsigned t = 0; t < LISTS; t++) {
        struct job *j;

        while ((j = n->lists[t].first) && mono_cmp(j->due, now) <= 0) {
            if (!token_bucket_take(&n->pace, now)) {
                *next = token_bucket_ready(&n->pace, now);
                return true;
            }
            job_try(n, j);
        }
    }
    for (unsigned t = 0; t < LISTS; t++) {
        const struct job *j = n->lists[t].first;

        if (j && (!any || mono_cmp(j->due, *next) < 0)) {
            *next = j->due;
            any = true;
        }
    }
    return any;
}

static void run(struct notify_out *n)
{
    struct mono now = now_of(n);
    struct mono next = now;
    struct timeval tv;
    int64_t ms;

    if (!send_due(n, now, &next))
        return;
    ms = next.ms > now.ms ? next.ms - now.ms : 1;
    tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(n->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    run(ctx);
}

static void job_begin(struct notify_out *n, struct job *j, const struct rr *soa,
                      struct serial serial, uint64_t seq)
{
    struct mono now = now_of(n);

    free(j->soa);
    j->soa = soa ? xmemdup(soa->rdata, soa->rdata_len) : NULL;
    j->soa_len = soa ? soa->rdata_len : 0;
    j->soa_ttl = soa ? soa->ttl : 0;
    j->serial = serial;
    j->seq = seq;
    if (seq > n->served)
        job_move(n, j, LIST_UNSERVED, mono_add_ms(now, AUTHD_WAIT_MS));
    else
        job_move(n, j, 0, now);
}

void notify_out_served(struct notify_out *n, uint64_t seq)
{
    struct mono now = now_of(n);
    struct job *j;

    n->served = seq;
    while ((j = n->lists[LIST_UNSERVED].first) && j->seq <= seq)
        job_move(n, j, 0, now);
    run(n);
}

void notify_out_zone(struct notify_out *n, const uint8_t *name, const struct config_zone *zone,
                     const struct rr *soa, struct serial serial, uint64_t seq)
{
    if (!zone)
        return;
    for (size_t i = 0; i < zone->secondary_count; i++) {
        int index = zone->secondaries[i];
        struct job *j;

        if (!n->config->secondaries[index].notify)
            continue;
        j = job_find(n, name, index, NULL);
        job_begin(n, j ? j : job_new(n, name, index, NULL), soa, serial, seq);
    }
    if (zone->notify_ns)
        notify_ns_find(n->nameservers, name, zone, soa, serial, seq);
    run(n);
}

static void on_nameservers(void *ctx, const struct ns_change *change,
                           const struct ns_target *targets, size_t count)
{
    struct notify_out *n = ctx;
    struct rr soa = {
        .rdata = change->soa, .rdata_len = (uint16_t)change->soa_len, .ttl = change->soa_ttl};

    for (size_t i = 0; i < count; i++) {
        struct job *j = job_find(n, change->zone, -1, &targets[i]);

        if (j && j->seq > change->seq)
            continue; /* it is being told of a later one */
        job_begin(n, j ? j : job_new(n, change->zone, -1, &targets[i]), change->soa ? &soa : NULL,
                  change->serial, change->seq);
    }
    run(n);
}

/* ---- ---- */

static void jobs_end(struct notify_out *n)
{
    for (unsigned t = 0; t < LISTS; t++) {
        while (n->lists[t].first)
            job_end(n, n->lists[t].first);
    }
}

struct notify_out *notify_out_new(struct loop *loop, struct config *config, struct keyring *keys,
                                  struct store_readers *readers)
{
    struct notify_out *n = xcalloc(1, sizeof(*n));

    n->loop = loop;
    n->config = config_ref(config);
    n->keys = keyring_ref(keys);
    n->timer = evtimer_new(loop_base(loop), on_timer, n);
    if (!n->timer)
        abort(); /* out of memory */
    token_bucket_init(&n->pace, RATE_PER_SECOND, BURST, now_of(n));
    n->nameservers = notify_ns_new(loop, config, readers, on_nameservers, n);
    return n;
}

static int index_in(const struct config *c, const char *secondary)
{
    for (size_t i = 0; i < c->secondary_count; i++) {
        if (strcmp(c->secondaries[i].name, secondary) == 0)
            return (int)i;
    }
    return -1;
}

/* Indices become those of another configuration; who is not in it is not told any more. */
static void jobs_move(struct notify_out *n, const struct config *to)
{
    for (unsigned t = 0; t < LISTS; t++) {
        for (struct job *j = n->lists[t].first, *next; j; j = next) {
            next = j->next;
            if (j->secondary < 0)
                continue;
            j->secondary = index_in(to, n->config->secondaries[j->secondary].name);
            if (j->secondary < 0)
                job_end(n, j);
        }
    }
}

void notify_out_reload(struct notify_out *n, struct config *config, struct keyring *keys)
{
    struct config *old_config = n->config;
    struct keyring *old_keys = n->keys;

    sockets_close(n);
    jobs_move(n, config);
    notify_ns_reload(n->nameservers, config);
    n->config = config_ref(config);
    n->keys = keyring_ref(keys);
    config_unref(old_config);
    keyring_unref(old_keys);
}

const struct notify_out_counts *notify_out_counts(const struct notify_out *n)
{
    return &n->counts;
}

void notify_out_free(struct notify_out *n)
{
    if (!n)
        return;
    notify_ns_free(n->nameservers);
    jobs_end(n);
    sockets_close(n);
    event_free(n->timer);
    keyring_unref(n->keys);
    config_unref(n->config);
    free(n);
}
