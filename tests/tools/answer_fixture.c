#include "tests/tools/answer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/dns/message_build.h"
#include "lib/dns/zonefile.h"

static void must(bool ok, const char *what, const struct errinfo *e)
{
    if (ok)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, e ? e->text : "");
    abort();
}

static enum err add(void *ctx, const struct rr *rr, struct errinfo *e)
{
    return zone_builder_add(ctx, rr, e);
}

struct zone *text_zone(const char *apex_text, const char *text)
{
    uint8_t apex[NAME_MAX_OCTETS];
    struct zonefile_opts opts = {.origin = apex, .has_ttl = true, .ttl = 3600};
    struct zone_build_report report;
    struct zone_builder *b;
    struct zone *z = NULL;
    struct errinfo e = {0};

    must(name_from_text(apex, apex_text, strlen(apex_text), NULL, &e) == OK, apex_text, &e);
    b = zone_builder_new(apex, NULL);
    must(zonefile_read_mem(text, strlen(text), &opts, add, b, &e) == OK, apex_text, &e);
    must(zone_builder_finish(&z, b, &report, &e) == OK, apex_text, &e);
    must(zone_check(z, &e) == OK, apex_text, &e);
    zone_builder_free(b);
    return z;
}

struct zonedb *text_zonedb(const char *const (*zones)[2], size_t n)
{
    struct zonedb *db = zonedb_new(clock_real());

    for (size_t i = 0; i < n; i++)
        zonedb_put(db, text_zone(zones[i][0], zones[i][1]), 1, 1, false);
    return db;
}

const struct config *plain_config(void)
{
    static char version[] = "zl";
    static char id[] = "node-1";
    static struct config c = {.udp_payload = 1232,
                              .version_text = version,
                              .server_id = id,
                              .tcp_clients = 100,
                              .tcp_per_source = 100,
                              .tcp_idle_ms = 10000,
                              .tcp_first_ms = 3000,
                              .tcp_pipeline = 100};

    return &c;
}

struct answer_made answer_octets(struct answerer *a, const struct config *c, const uint8_t *query,
                                 size_t len, bool stream, uint8_t *out, size_t cap)
{
    static const struct addr source = {.ip = {192, 0, 2, 99}, .port = 4711, .family = 4};
    struct answer_client client = {
        .transport = stream ? HO_TCP : HO_UDP, .source = &source, .wall = {10}, .mono = {10000}};

    return answer_make(a, c, &client, query, len, out, cap);
}

size_t ask_build(uint8_t *out, const struct ask *q)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct edns_reply opt = {.udp_size = q->udp_size ? q->udp_size : 1232, .dnssec_ok = q->dnssec};
    struct msg_query_spec spec = {
        .qname = name, .qclass = q->qclass, .id = 4711, .opt = q->edns ? &opt : NULL};
    struct errinfo e = {0};
    size_t len;

    must(name_from_text(name, q->qname, strlen(q->qname), NULL, &e) == OK, q->qname, &e);
    must(type_from_text(&spec.qtype, q->qtype, strlen(q->qtype)), q->qtype, NULL);
    len = msg_build_query(out, MSG_MAX_OCTETS, &spec);
    must(len > 0, "msg_build_query", NULL);
    put_u16(out + 2, q->flags);
    return len;
}

static void put_flags(struct buf *b, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        const char *text;
    } names[] = {{MSG_AA, " aa"}, {MSG_TC, " tc"}, {MSG_RD, " rd"},
                 {MSG_RA, " ra"}, {MSG_AD, " ad"}, {MSG_CD, " cd"}};

    must((flags & MSG_QR) && !(flags & MSG_Z), "QR and Z", NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (flags & names[i].bit)
            buf_str(b, names[i].text);
    }
    buf_str(b, "\n");
}

static void put_record(struct buf *b, const char *section, struct msg_rr *m)
{
    struct buf rdata = BUF_INIT;
    struct rr rr = {.owner = m->owner, .ttl = m->ttl, .type = m->type, .rclass = m->rclass};
    struct errinfo e = {0};

    must(rdata_read(&rdata, &m->rdata, m->type, m->rdlen, &e) == OK, "rdata", &e);
    rr.rdata = rdata.data;
    rr.rdata_len = (uint16_t)rdata.len;
    buf_str(b, section);
    if (rr.rclass != CLASS_IN) { /* rr_to_text is for zones: it says IN always */
        char text[TYPE_TEXT_MAX];

        class_to_text(text, rr.rclass);
        buf_printf(b, "%s: ", text);
    }
    rr_to_text(b, &rr);
    buf_free(&rdata);
}

char *answer_text(const uint8_t *wire, size_t len)
{
    static const char *const sections[] = {"", "an ", "ns ", "ar "};
    struct msg_layout m;
    struct buf b = BUF_INIT;
    char rcode[RCODE_TEXT_MAX];
    char *text;

    must(msg_layout_read(&m, wire, len), "the answer's frame", NULL);
    rcode_to_text(rcode, (uint16_t)(m.edns.ext_rcode << 4 | msg_rcode(&m.header)));
    buf_str(&b, rcode);
    put_flags(&b, m.header.flags);
    for (enum section s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++) {
        struct reader r = msg_section(&m, wire, len, s);

        for (unsigned i = 0; i < m.header.counts[s]; i++) {
            struct msg_rr rr;

            must(msg_read_rr(&rr, &r), "a record", NULL);
            if (rr.type == RR_OPT)
                buf_printf(&b, "opt %u%s\n", m.edns.udp_size, m.edns.dnssec_ok ? " do" : "");
            else
                put_record(&b, sections[s], &rr);
        }
    }
    text = xstrdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

/* Header fields and question come back as they were (RFC 1035 4.1.1; case included). */
static void check_echo(const uint8_t *query, size_t query_len, const uint8_t *answer, size_t len)
{
    struct reader q = reader_of(query, query_len);
    struct reader a = reader_of(answer, len);
    struct msg_header qh, ah;
    struct msg_question qq, aq;

    must(msg_read_header(&qh, &q) && msg_read_header(&ah, &a), "headers", NULL);
    must(qh.id == ah.id && msg_opcode(&qh) == msg_opcode(&ah), "ID and opcode", NULL);
    if (ah.counts[SECTION_QUESTION] == 0)
        return;
    must(msg_read_question(&qq, &q) && msg_read_question(&aq, &a), "questions", NULL);
    must(memcmp(qq.name, aq.name, name_len(qq.name)) == 0 && qq.type == aq.type &&
             qq.qclass == aq.qclass,
         "the question", NULL);
}

char *ask_text(struct answerer *a, const struct ask *q)
{
    static uint8_t query[MSG_MAX_OCTETS], out[MSG_MAX_OCTETS];
    size_t len = ask_build(query, q);
    size_t limit = q->tcp ? MSG_MAX_OCTETS : !q->edns ? 512 : q->udp_size ? q->udp_size : 1232;
    struct answer_made made =
        answer_octets(a, plain_config(), query, len, q->tcp, out, sizeof(out));

    if (made.action == ANSWER_DROP)
        return xstrdup("(drop)\n");
    if (made.action == ANSWER_HAND_OVER && made.len == 0)
        return xstrdup("(hand over)\n");
    must(made.len <= (limit < 512 ? 512 : limit), "the size", NULL);
    check_echo(query, len, out, made.len);
    return answer_text(out, made.len);
}
