#include "lib/dns/msgwriter.h"

#include <assert.h>
#include <string.h>

#include "lib/dns/msgwriter_internal.h"

void msgw_init(struct msg_writer *w)
{
    memset(w, 0, sizeof(*w));
}

void msgw_begin(struct msg_writer *w, void *buf, size_t limit, uint16_t id, uint16_t flags)
{
    assert(limit >= MSG_HEADER_OCTETS);
    msgw_names_forget(w, 0);
    w->buf = buf;
    w->pos = MSG_HEADER_OCTETS;
    w->limit = limit > MSG_MAX_OCTETS ? MSG_MAX_OCTETS : limit;
    w->reserved = 0;
    w->recent = 0;
    memset(w->counts, 0, sizeof(w->counts));
    put_u16(w->buf, id);
    put_u16(w->buf + 2, flags);
    memset(w->buf + 4, 0, 8);
}

void msgw_set_flags(struct msg_writer *w, uint16_t set, uint16_t clear)
{
    put_u16(w->buf + 2, (uint16_t)((get_u16(w->buf + 2) & ~(unsigned)clear) | set));
}

void msgw_set_rcode(struct msg_writer *w, uint16_t rcode)
{
    msgw_set_flags(w, rcode & MSG_RCODE_MASK, MSG_RCODE_MASK);
}

bool msgw_reserve(struct msg_writer *w, size_t n)
{
    if (n > msgw_left(w))
        return false;
    w->reserved += n;
    return true;
}

void msgw_release(struct msg_writer *w, size_t n)
{
    assert(n <= w->reserved);
    w->reserved -= n;
}

struct msgw_mark msgw_mark(const struct msg_writer *w)
{
    struct msgw_mark m = {.pos = w->pos, .used = w->used};

    memcpy(m.counts, w->counts, sizeof(m.counts));
    return m;
}

void msgw_rollback(struct msg_writer *w, const struct msgw_mark *m)
{
    assert(m->pos <= w->pos && m->used <= w->used);
    msgw_names_forget(w, m->used);
    w->pos = m->pos;
    memcpy(w->counts, m->counts, sizeof(w->counts));
    if (w->recent >= m->pos)
        w->recent = 0;
}

static void count_records(struct msg_writer *w, enum section s, uint16_t n)
{
    w->counts[s] = (uint16_t)(w->counts[s] + n);
}

/* Nothing may stand behind the section already. */
static bool section_open(const struct msg_writer *w, enum section section)
{
    for (size_t s = (size_t)section + 1; s < 4; s++)
        if (w->counts[s] != 0)
            return false;
    return true;
}

bool msgw_question(struct msg_writer *w, const uint8_t *qname, uint16_t type, uint16_t qclass)
{
    struct msgw_mark m = msgw_mark(w);
    uint16_t ref;
    uint8_t *p;

    assert(section_open(w, SECTION_QUESTION));
    if (!msgw_put_name(w, qname, &ref) || !(p = msgw_space(w, 4))) {
        msgw_rollback(w, &m);
        return false;
    }
    put_u16(p, type);
    put_u16(p + 2, qclass);
    count_records(w, SECTION_QUESTION, 1);
    return true;
}

bool msgw_question_first(struct msg_writer *w, const uint8_t *qname, size_t len, uint16_t type,
                         uint16_t qclass)
{
    uint8_t *p;

    assert(w->pos == MSG_HEADER_OCTETS);
    if (!(p = msgw_space(w, len + 4)))
        return false;
    memcpy(p, qname, len);
    put_u16(p + len, type);
    put_u16(p + len + 2, qclass);
    if (len > 1) {
        w->recent = MSG_HEADER_OCTETS;
        w->recent_labels = MSGW_UNCOUNTED;
    }
    count_records(w, SECTION_QUESTION, 1);
    return true;
}

/* RDATA whose names may be compressed, copied from name to name. */
struct rdata_copy {
    struct msg_writer *w;
    const uint8_t *rdata;
    size_t done; /* octets of rdata that are written */
    bool failed;
};

static void copy_upto(struct rdata_copy *c, size_t end)
{
    uint8_t *p = msgw_space(c->w, end - c->done);

    if (!p) {
        c->failed = true;
        return;
    }
    memcpy(p, c->rdata + c->done, end - c->done);
    c->done = end;
}

static void copy_name(void *ctx, size_t offset, const uint8_t *name, bool compressible)
{
    struct rdata_copy *c = ctx;
    uint16_t ref;

    if (!compressible || c->failed)
        return;
    copy_upto(c, offset);
    if (c->failed || !msgw_put_name(c->w, name, &ref)) {
        c->failed = true;
        return;
    }
    c->done = offset + name_len(name);
}

/* All types with compressible names are RFC 1035's, whose last such one is MX. */
static bool put_rdata(struct msg_writer *w, uint16_t type, const uint8_t *rdata, size_t len)
{
    struct rdata_copy c = {.w = w, .rdata = rdata};

    if (len == 0)
        return true;
    if (type <= RR_MX && type != RR_A)
        rdata_each_name(type, rdata, len, copy_name, &c);
    if (!c.failed)
        copy_upto(&c, len);
    return !c.failed;
}

/* A record with its owner; `*ref` is the offset of the owner if it is known (set by the first
 * record of an RRset, used by the others), else 0. */
static bool put_record(struct msg_writer *w, const struct rr *rr, uint16_t *ref)
{
    uint8_t *p;
    size_t rdata_at;

    if (*ref) {
        if (!(p = msgw_space(w, 2)))
            return false;
        put_u16(p, 0xc000u | *ref);
    } else if (!msgw_put_name(w, rr->owner, ref)) {
        return false;
    }
    if (!(p = msgw_space(w, 10)))
        return false;
    put_u16(p, rr->type);
    put_u16(p + 2, rr->rclass);
    put_u32(p + 4, rr->ttl);
    rdata_at = w->pos;
    if (!put_rdata(w, rr->type, rr->rdata, rr->rdata_len))
        return false;
    put_u16(w->buf + rdata_at - 2, (uint16_t)(w->pos - rdata_at));
    return true;
}

bool msgw_rr(struct msg_writer *w, enum section section, const struct rr *rr)
{
    struct msgw_mark m = msgw_mark(w);
    uint16_t ref = 0;

    assert(section_open(w, section));
    if (!put_record(w, rr, &ref)) {
        msgw_rollback(w, &m);
        return false;
    }
    count_records(w, section, 1);
    return true;
}

bool msgw_rrset(struct msg_writer *w, enum section section, const struct msg_rrset *s)
{
    struct msgw_mark m = msgw_mark(w);
    struct rr rr = {.owner = s->owner, .ttl = s->ttl, .type = s->type, .rclass = s->rclass};
    const uint8_t *pos = s->rdatas;
    const uint8_t *end = s->rdatas + s->rdatas_len;
    uint16_t ref = s->owner_at;

    assert(section_open(w, section));
    while (pos < end) {
        rr.rdata_len = get_u16(pos);
        rr.rdata = pos + 2;
        pos += 2 + (size_t)rr.rdata_len;
        if (!put_record(w, &rr, &ref)) {
            msgw_rollback(w, &m);
            return false;
        }
        count_records(w, section, 1);
    }
    return true;
}

bool msgw_opt(struct msg_writer *w, const struct edns_reply *o, uint16_t rcode)
{
    uint8_t *p = msgw_space(w, edns_octets(o));

    if (!p)
        return false;
    p[0] = 0;
    put_u16(p + 1, RR_OPT);
    put_u16(p + 3, o->udp_size);
    p[5] = (uint8_t)(rcode >> 4);
    p[6] = 0;
    put_u16(p + 7, o->dnssec_ok ? EDNS_FLAG_DO : 0);
    put_u16(p + 9, o->options_len);
    if (o->options_len > 0)
        memcpy(p + EDNS_OPT_OCTETS, o->options, o->options_len);
    msgw_set_rcode(w, rcode);
    count_records(w, SECTION_ADDITIONAL, 1);
    return true;
}

size_t msgw_finish(struct msg_writer *w)
{
    for (size_t i = 0; i < 4; i++)
        put_u16(w->buf + 4 + 2 * i, w->counts[i]);
    return w->pos;
}
