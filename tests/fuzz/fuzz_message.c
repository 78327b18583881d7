/* Any octets as a message: parsed as a query and as a frame, each record read and its RDATA
 * expanded, and what was accepted is written again and must be read back as the same records.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/dns/msgwriter.h"
#include "lib/dns/query.h"
#include "lib/dns/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct msg_writer writer;
static uint8_t wire[MSG_MAX_OCTETS];

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_query(const uint8_t *data, size_t size)
{
    struct query q;

    switch (query_parse(&q, data, size)) {
    case QUERY_OK:
    case QUERY_BADVERS:
        must(q.has_question && q.question_end <= q.answer && q.answer <= q.authority);
        must(q.authority <= q.additional && q.additional <= size && q.tsig < size);
        must(name_len(q.qname) == q.qname_len && name_eq(q.qname, q.qname_raw));
        must((size_t)q.edns.options_at + q.edns.options_len <= size);
        break;
    case QUERY_DROP:
    case QUERY_FORMERR:
    case QUERY_NOTIMP:
        break;
    }
}

/* The record in *rr, with its expanded RDATA in *rdata; false if it is not one to write again. */
static bool next_record(struct msg_rr *rr, struct buf *rdata, struct reader *r)
{
    rdata->len = 0;
    return msg_read_rr(rr, r) && rr->type != RR_OPT && rr->type != RR_TSIG &&
           rdata_read(rdata, &rr->rdata, rr->type, rr->rdlen, NULL) == OK;
}

/* Writes the records of a section until one is not accepted or does not fit; returns how many. */
static unsigned write_section(const struct msg_layout *l, const uint8_t *data, size_t size,
                              enum section s, struct buf *rdata)
{
    struct reader r = msg_section(l, data, size, s);
    struct msg_rr got;
    unsigned n = 0;

    for (; n < l->header.counts[s] && next_record(&got, rdata, &r); n++) {
        struct rr rr = {.owner = got.owner,
                        .rdata = rdata->data,
                        .ttl = got.ttl,
                        .type = got.type,
                        .rclass = got.rclass,
                        .rdata_len = (uint16_t)rdata->len};
        if (!msgw_rr(&writer, s, &rr))
            break;
    }
    return n;
}

static void compare_section(const struct msg_layout *a, const uint8_t *data, size_t size,
                            const struct msg_layout *b, size_t len, enum section s, unsigned n)
{
    struct reader ra = msg_section(a, data, size, s);
    struct reader rb = msg_section(b, wire, len, s);
    struct buf da = BUF_INIT;
    struct buf db = BUF_INIT;
    struct msg_rr x;
    struct msg_rr y;

    for (unsigned i = 0; i < n; i++) {
        must(next_record(&x, &da, &ra));
        must(next_record(&y, &db, &rb));
        must(name_eq(x.owner, y.owner) && x.type == y.type && x.rclass == y.rclass);
        must(x.ttl == y.ttl && rdata_cmp(x.type, da.data, da.len, db.data, db.len) == 0);
    }
    buf_free(&da);
    buf_free(&db);
}

static void write_again(const struct msg_layout *l, const uint8_t *data, size_t size)
{
    size_t limit = size > MSG_HEADER_OCTETS && data[1] & 1 ? size : sizeof(wire);
    struct buf rdata = BUF_INIT;
    struct msg_layout again;
    unsigned n[4];
    size_t len;

    msgw_begin(&writer, wire, limit, l->header.id, l->header.flags);
    for (unsigned s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++)
        n[s] = write_section(l, data, size, (enum section)s, &rdata);
    buf_free(&rdata);
    len = msgw_finish(&writer);
    must(len <= limit && msg_layout_read(&again, wire, len));
    for (unsigned s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++) {
        must(again.header.counts[s] == n[s]);
        compare_section(l, data, size, &again, len, (enum section)s, n[s]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg_layout l;
    struct response resp;

    check_query(data, size);
    (void)response_check(&resp, RESPONSE_SINGLE, data, size, data, size);
    if (msg_layout_read(&l, data, size))
        write_again(&l, data, size);
    return 0;
}
