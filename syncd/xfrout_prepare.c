#include "syncd/xfrout_prepare.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/dns/message.h"
#include "syncd/history.h"

/* ---- Sharing ---- */

struct shared_zone {
    int64_t zone_id;
    uint64_t version;
    struct zone *zone;
    unsigned users;
    struct shared_zone *next;
};

struct xfrout_share {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct shared_zone *zones;
};

struct xfrout_share *xfrout_share_new(void)
{
    struct xfrout_share *s = xcalloc(1, sizeof(*s));

    atomic_init(&s->refs, 1);
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        abort(); /* out of memory */
    return s;
}

struct xfrout_share *xfrout_share_ref(struct xfrout_share *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void xfrout_share_unref(struct xfrout_share *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    while (s->zones) {
        struct shared_zone *z = s->zones;

        s->zones = z->next;
        zone_unref(z->zone);
        free(z);
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct shared_zone *find_shared(struct xfrout_share *s, const struct store_zone *row)
{
    for (struct shared_zone *z = s->zones; z; z = z->next) {
        if (z->zone_id == row->id && z->version == row->version)
            return z;
    }
    return NULL;
}

/* One more user of it; NULL if nobody sends this version. */
static struct zone *share_take(struct xfrout_share *s, const struct store_zone *row)
{
    struct shared_zone *z;
    struct zone *out = NULL;

    (void)pthread_mutex_lock(&s->lock);
    if ((z = find_shared(s, row))) {
        z->users++;
        out = zone_ref(z->zone);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return out;
}

/* `zone` was loaded; if somebody else was faster, his is used. */
static struct zone *share_put(struct xfrout_share *s, const struct store_zone *row,
                              struct zone *zone)
{
    struct shared_zone *z;

    (void)pthread_mutex_lock(&s->lock);
    if (!(z = find_shared(s, row))) {
        z = xcalloc(1, sizeof(*z));
        *z = (struct shared_zone){
            .zone_id = row->id, .version = row->version, .zone = zone_ref(zone), .next = s->zones};
        s->zones = z;
    }
    z->users++;
    zone_unref(zone);
    zone = zone_ref(z->zone);
    (void)pthread_mutex_unlock(&s->lock);
    return zone;
}

void xfrout_share_end(struct xfrout_share *s, const struct zone *zone)
{
    (void)pthread_mutex_lock(&s->lock);
    for (struct shared_zone **at = &s->zones; *at; at = &(*at)->next) {
        struct shared_zone *z = *at;

        if (z->zone != zone)
            continue;
        if (--z->users == 0) {
            *at = z->next;
            zone_unref(z->zone);
            free(z);
        }
        break;
    }
    (void)pthread_mutex_unlock(&s->lock);
}

bool xfrout_have(struct serial *out, const struct query *q, const uint8_t *wire, size_t len)
{
    struct reader r = reader_of(wire, len);
    struct buf rdata = BUF_INIT;
    struct soa soa;
    struct msg_rr rr;
    bool ok;

    if (q->authority_count != 1 || !read_bytes(&r, q->authority))
        return false;
    ok = msg_read_rr(&rr, &r) && rr.type == RR_SOA && name_eq(rr.owner, q->qname) &&
         rdata_read(&rdata, &rr.rdata, rr.type, rr.rdlen, NULL) == OK &&
         soa_parse(&soa, rdata.data, rdata.len);
    if (ok)
        *out = soa.serial;
    buf_free(&rdata);
    return ok;
}

/* ---- What is there ---- */

/* One wish at work. */
struct work {
    struct xfrout_prepared *out;
    const struct xfrout_wish *wish;
    struct xfrout_share *share;
    struct history h;
    struct store_zone row;
};

static enum err whole_zone(struct work *w, struct errinfo *e)
{
    struct xfrout_content *c = &w->out->content;
    struct zone *zone = share_take(w->share, &w->row);
    enum err rc;

    if (!zone) {
        if ((rc = store_zone_load(&zone, w->h.store, &w->row, e)))
            return rc;
        zone = share_put(w->share, &w->row, zone);
    }
    c->kind = XFROUT_AXFR;
    c->zone = zone;
    return OK;
}

/* As authd says it in answers: what is left until the zone expires here, or what the SOA says. */
static uint32_t vouched_s(const struct store_zone *row, uint32_t soa_s)
{
    int64_t left = row->expires_at.s - clock_wall(clock_real()).s;

    if (row->kind != ZONE_SECONDARY || row->held || row->expires_at.s == 0)
        return soa_s;
    return left < 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* The SOA that is served now. */
static enum err present_soa(struct work *w, struct errinfo *e)
{
    struct xfrout_content *c = &w->out->content;

    enum err rc = store_zone_soa(&c->soa, &c->soa_ttl, w->h.store, &w->row, e);
    struct soa soa;

    if (rc == OK && soa_parse(&soa, c->soa.data, c->soa.len))
        c->expire_s = vouched_s(&w->row, soa.expire_s);
    return rc;
}

/* The changes from version `from` to what is served; from the log, or else from the journal. */
static enum err changes_since(struct changeset **out, struct work *w,
                              const struct store_version *from, struct errinfo *e)
{
    struct store_version now;
    /* More of them than this would weigh more than the zone, too. */
    uint64_t max = (w->row.records + 1000) * 2 * sizeof(struct rr);
    enum err rc = store_changes_since(out, w->h.store, &w->row, from->version, max, e);

    if (rc != ERR_NOT_FOUND)
        return rc;
    if ((rc = store_version_get(w->h.store, w->row.id, w->row.version, &now, e)))
        return rc;
    return history_diff(out, &w->h, &w->row, from, &now, e);
}

/* Changes instead of the zone; an error says why not. */
static enum err increments(struct work *w, struct errinfo *e)
{
    struct xfrout_content *c = &w->out->content;
    struct changeset *cs = NULL;
    struct store_version from;
    struct rr soa = {.rdata_len = 0};
    struct rr old;
    enum err rc;

    rc = store_version_by_serial(w->h.store, w->row.id, w->wish->have, &from, e);
    if (rc == OK && (from.waiting || from.version > w->row.version))
        rc = err_set(ERR_NOT_FOUND, e, "serial %u was never served", (unsigned)w->wish->have.v);
    if (rc || (rc = changes_since(&cs, w, &from, e)))
        return rc;
    if (!serial_eq(cs->from, w->wish->have) || !serial_eq(cs->to, w->row.serial) ||
        !rr_list_soa(&cs->removed, cs->apex, &old) || !rr_list_soa(&cs->added, cs->apex, &soa))
        rc = err_set(ERR_SERIAL, e, "the changes do not lead from serial %u to %u",
                     (unsigned)w->wish->have.v, (unsigned)w->row.serial.v);
    else if (cs->added.n + cs->removed.n > w->row.records)
        rc = err_set(ERR_LIMIT, e, "the changes are larger than the zone");
    if (rc) {
        changeset_free(cs);
        return rc;
    }
    c->kind = XFROUT_IXFR;
    c->changes = cs;
    return OK;
}

/* Is one SOA the answer? */
static bool soa_is_all(const struct work *w)
{
    return w->wish->qtype == RR_SOA ||
           (w->wish->qtype == RR_IXFR && serial_cmp(w->row.serial, w->wish->have) != SERIAL_NEWER);
}

static enum err wanted(struct work *w, struct errinfo *e)
{
    bool increments_wanted = w->wish->qtype == RR_IXFR;
    enum err rc;

    if (soa_is_all(w)) {
        w->out->content.kind = XFROUT_SOA;
    } else if (!increments_wanted || increments(w, &w->out->error) != OK) {
        w->out->fell_back = increments_wanted;
        if ((rc = whole_zone(w, e)))
            return rc;
    }
    return present_soa(w, e);
}

/* RCODE_NOERROR if there is something to send. */
static uint16_t look(struct work *w, struct errinfo *e)
{
    enum err rc = store_zone_get(w->h.store, w->wish->zone, &w->row, e);

    if (rc == ERR_NOT_FOUND || (rc == OK && w->row.removed))
        return RCODE_NOTAUTH;
    if (rc)
        return RCODE_SERVFAIL;
    if (!w->row.has_content || w->row.expired) {
        (void)err_set(ERR_NOT_FOUND, e,
                      w->row.expired ? "it has expired" : "it has no content yet");
        return RCODE_SERVFAIL;
    }
    w->out->serial = w->row.serial;
    return wanted(w, e) == OK ? RCODE_NOERROR : RCODE_SERVFAIL;
}

void xfrout_prepare(struct xfrout_prepared *out, const struct xfrout_wish *wish,
                    struct xfrout_share *share, struct store_readers *readers)
{
    struct work w = {.out = out, .wish = wish, .share = share};
    struct errinfo e = {0};

    *out = (struct xfrout_prepared){.rcode = RCODE_SERVFAIL};
    if (history_open(&w.h, readers, &e) == OK && store_read_begin(w.h.store, &e) == OK) {
        out->rcode = look(&w, &e);
        store_read_end(w.h.store);
    }
    history_close(&w.h);
    if (out->rcode == RCODE_NOERROR)
        return;
    out->error = e;
    if (out->content.zone)
        xfrout_share_end(share, out->content.zone);
    xfrout_content_done(&out->content);
}
