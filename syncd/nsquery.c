#include "syncd/nsquery.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "lib/dns/response.h"
#include "syncd/tcpconn.h"

#define QUERY_MAX 1024

struct nsquery {
    struct loop *loop;
    nsquery_done_fn *done;
    void *ctx;
    uint8_t zone[NAME_MAX_OCTETS];
    struct tcpconn *conn;
    struct tsig_key *key;
    struct tls_peer *tls;
    struct tsig tsig;
    uint8_t query[QUERY_MAX];
    size_t query_len;
    struct nsquery_report report;
};

void nsquery_cancel(struct nsquery *q)
{
    tcpconn_close(q->conn);
    tsig_done(&q->tsig);
    tsig_key_unref(q->key);
    tls_peer_unref(q->tls);
    free(q);
}

static void finish(struct nsquery *q)
{
    tcpconn_close(q->conn);
    q->conn = NULL;
    q->done(q->ctx, &q->report);
    nsquery_cancel(q);
}

static void on_ready(void *ctx)
{
    struct nsquery *q = ctx;

    tcpconn_send(q->conn, q->query, q->query_len);
}

static enum err take_names(struct nsquery *q, const struct response *resp, const uint8_t *wire,
                           size_t len, struct errinfo *e)
{
    struct reader r = msg_section(&resp->layout, wire, len, SECTION_ANSWER);
    struct buf rdata = BUF_INIT;

    for (unsigned n = resp->layout.header.counts[SECTION_ANSWER]; n > 0; n--) {
        struct msg_rr rr;

        if (!msg_read_rr(&rr, &r))
            break;
        rdata.len = 0;
        if (rr.type != RR_NS || rr.rclass != CLASS_IN || !name_eq(rr.owner, q->zone) ||
            q->report.count == NSQUERY_NAMES_MAX ||
            rdata_read(&rdata, &rr.rdata, rr.type, rr.rdlen, NULL) != OK)
            continue;
        (void)name_copy(q->report.names[q->report.count++], rdata.data);
    }
    buf_free(&rdata);
    return q->report.count ? OK : err_set(ERR_FORMAT, e, "the primary has no NS records of it");
}

static enum err judge(struct nsquery *q, const uint8_t *wire, size_t len, struct errinfo *e)
{
    struct response resp;
    enum response_outcome o =
        response_check(&resp, RESPONSE_SINGLE, q->query, q->query_len, wire, len);
    char rcode[RCODE_TEXT_MAX];

    if (o != RESPONSE_OK)
        return err_set(ERR_FORMAT, e, "the answer to our question for NS %s",
                       response_outcome_text(o));
    rcode_to_text(rcode, resp.rcode);
    if (q->key && tsig_verify_response(&q->tsig, wire, len, resp.layout.tsig,
                                       clock_wall(loop_clock(q->loop))) != TSIG_OK)
        return err_set(ERR_AUTH, e,
                       "the answer (%s) to our question for NS is not signed as it should be",
                       rcode);
    if (resp.rcode != RCODE_NOERROR)
        return err_set(ERR_DENIED, e, "asked for NS, the primary answers %s", rcode);
    if (!(resp.layout.header.flags & MSG_AA))
        return err_set(ERR_DENIED, e, "the primary is not authoritative for it");
    return take_names(q, &resp, wire, len, e);
}

static bool on_message(void *ctx, const uint8_t *wire, size_t len)
{
    struct nsquery *q = ctx;

    q->report.ok = judge(q, wire, len, &q->report.error) == OK;
    finish(q);
    return false;
}

static void on_over(void *ctx, enum err rc, const struct errinfo *e)
{
    struct nsquery *q = ctx;

    (void)rc;
    q->report.error = *e;
    finish(q);
}

struct nsquery *nsquery_start(struct loop *loop, const struct nsquery_spec *spec,
                              nsquery_done_fn *done, void *ctx)
{
    static const struct tcpconn_events events = {on_ready, on_message, on_over};
    struct nsquery *q = xcalloc(1, sizeof(*q));
    struct msg_query_spec query = {.qname = spec->zone, .qtype = RR_NS};
    struct tcpconn_spec conn = {.peer = spec->address,
                                .source = spec->source,
                                .tls = spec->tls,
                                .connect_ms = spec->timeout_ms,
                                .idle_ms = spec->timeout_ms};

    q->loop = loop;
    q->done = done;
    q->ctx = ctx;
    (void)name_copy(q->zone, spec->zone);
    q->key = spec->key ? tsig_key_ref(spec->key) : NULL;
    q->tls = spec->tls ? tls_peer_ref(spec->tls) : NULL;
    clock_random(loop_clock(loop), &query.id, sizeof(query.id));
    q->query_len = msg_build_query(q->query, sizeof(q->query), &query);
    if (q->key && !tsig_sign_request(&q->tsig, q->key, q->query, &q->query_len, sizeof(q->query),
                                     clock_wall(loop_clock(loop))))
        abort(); /* two names and a MAC always fit */
    q->conn = tcpconn_open(loop_base(loop), &conn, &events, q);
    return q;
}
