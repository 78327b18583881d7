/* The names of all that is counted, in one table. */
#include <stdio.h>
#include <string.h>

#include "lib/dns/message.h"
#include "lib/dns/rr.h"
#include "lib/net/stats.h"

#define AT(field) offsetof(struct counters, field)

static const struct stats_row rows[] = {
    {"queries", AXIS_WAY, AXIS_NONE, AT(queries), 0, "Messages received from clients."},
    {"answers", AXIS_WAY, AXIS_RCODE, AT(answers), 0, "Answers sent, by response code."},
    {"dropped", AXIS_WAY, AXIS_NONE, AT(dropped), 0,
     "Messages that get no answer: responses, and what is shorter than a header."},
    {"questions", AXIS_TYPE, AXIS_NONE, AT(types), 0, "Queries by type."},
    {"outcomes", AXIS_KIND, AXIS_NONE, AT(kinds), 0, "Answers by what they say."},
    {"truncated", AXIS_NONE, AXIS_NONE, AT(truncated), 0,
     "UDP answers with TC, as they did not fit."},
    {"answer_octets", AXIS_STREAM, AXIS_SIZE, AT(sizes), AT(octets), "Sizes of answers."},
    {"answer_seconds", AXIS_NONE, AXIS_TIME, AT(times), AT(time_ns),
     "UDP answers: from receiving the batch of queries to having sent its answers."},
    {"rate_limited", AXIS_NONE, AXIS_NONE, AT(rate_limited), 0,
     "UDP answers over the rate, dropped, slipped, or (rrl-log-only) sent all the same."},
    {"rate_dropped", AXIS_NONE, AXIS_NONE, AT(rate_dropped), 0, "Of those, not sent."},
    {"rate_slipped", AXIS_NONE, AXIS_NONE, AT(rate_slipped), 0, "Of those, sent truncated."},
    {"cookies_new", AXIS_NONE, AXIS_NONE, AT(cookies_new), 0,
     "Queries of clients that know no cookie of ours yet."},
    {"cookies_good", AXIS_NONE, AXIS_NONE, AT(cookies_good), 0,
     "Queries with a cookie that was made for their source."},
    {"cookies_bad", AXIS_NONE, AXIS_NONE, AT(cookies_bad), 0,
     "Queries with a cookie that was not, is too old, or is malformed."},
    {"unsent", AXIS_NONE, AXIS_NONE, AT(unsent), 0, "UDP answers that the system did not take."},
    {"handed_notify", AXIS_NONE, AXIS_NONE, AT(handed_notify), 0, "NOTIFY passed to syncd."},
    {"handed_update", AXIS_NONE, AXIS_NONE, AT(handed_update), 0, "UPDATE passed to syncd."},
    {"handed_signed", AXIS_NONE, AXIS_NONE, AT(handed_signed), 0,
     "Queries with TSIG passed to syncd."},
    {"handed_transfer", AXIS_NONE, AXIS_NONE, AT(handed_transfer), 0,
     "Connections passed to syncd for a zone transfer."},
    {"handover_failures", AXIS_NONE, AXIS_NONE, AT(handover_failures), 0,
     "Of those passed, answered with SERVFAIL as syncd did not answer."},
    {"tcp_accepted", AXIS_NONE, AXIS_NONE, AT(tcp_accepted), 0,
     "TCP and TLS connections that got a place."},
    {"tcp_refused", AXIS_NONE, AXIS_NONE, AT(tcp_refused), 0, "Connections beyond the limits."},
    {"tcp_timed_out", AXIS_NONE, AXIS_NONE, AT(tcp_timed_out), 0,
     "Connections closed for being idle or slow."},
    {"tcp_evicted", AXIS_NONE, AXIS_NONE, AT(tcp_evicted), 0,
     "Connections closed, as the one idle longest, for a new one."},
    {"tls_accepted", AXIS_NONE, AXIS_NONE, AT(tls_accepted), 0, "Of tcp_accepted, for TLS."},
    {"tls_handshakes", AXIS_NONE, AXIS_NONE, AT(tls_handshakes), 0, "Handshakes that ended well."},
    {"tls_resumed", AXIS_NONE, AXIS_NONE, AT(tls_resumed), 0, "Of those, resumed sessions."},
    {"tls_failed", AXIS_NONE, AXIS_NONE, AT(tls_failed), 0, "Handshakes that failed."},
    {"proxy_refused", AXIS_NONE, AXIS_NONE, AT(proxy_refused), 0,
     "Messages and connections from balancers without a right PROXY header."},
};

const struct stats_row *stats_rows(size_t *n)
{
    *n = sizeof(rows) / sizeof(rows[0]);
    return rows;
}

static const char *const ways[WAYS] = {"udp4", "udp6", "tcp", "tls"};
static const char *const streams[COUNTED_STREAMS] = {"udp", "stream"};
static const char *const kinds[ANSWER_KINDS] = {"data", "no_type", "no_name", "referral", "error"};
static const uint16_t types[] = {RR_A,    RR_NS,  RR_CNAME,  RR_SOA,   RR_PTR,   RR_MX,   RR_TXT,
                                 RR_AAAA, RR_SRV, RR_NAPTR,  RR_DS,    RR_RRSIG, RR_NSEC, RR_TLSA,
                                 RR_CDS,  RR_CAA, RR_DNSKEY, RR_HTTPS, RR_SVCB,  RR_ANY};

_Static_assert(sizeof(types) / sizeof(types[0]) == COUNTED_TYPES - 1, "one row for each");

/* Place in types[] plus one; 0: among the others. */
static const uint8_t places[RR_CAA + 1] = {
    [RR_A] = 1,    [RR_NS] = 2,      [RR_CNAME] = 3,  [RR_SOA] = 4,   [RR_PTR] = 5,
    [RR_MX] = 6,   [RR_TXT] = 7,     [RR_AAAA] = 8,   [RR_SRV] = 9,   [RR_NAPTR] = 10,
    [RR_DS] = 11,  [RR_RRSIG] = 12,  [RR_NSEC] = 13,  [RR_TLSA] = 14, [RR_CDS] = 15,
    [RR_CAA] = 16, [RR_DNSKEY] = 17, [RR_HTTPS] = 18, [RR_SVCB] = 19, [RR_ANY] = 20,
};

size_t counted_type(uint16_t qtype)
{
    uint8_t place = qtype <= RR_CAA ? places[qtype] : 0;

    return place ? place - 1u : COUNTED_TYPES - 1;
}

size_t stats_axis_length(enum stats_axis axis)
{
    switch (axis) {
    case AXIS_NONE:
        return 1;
    case AXIS_WAY:
        return WAYS;
    case AXIS_STREAM:
        return COUNTED_STREAMS;
    case AXIS_RCODE:
        return COUNTED_RCODES;
    case AXIS_TYPE:
        return COUNTED_TYPES;
    case AXIS_KIND:
        return ANSWER_KINDS;
    case AXIS_SIZE:
        return COUNTED_SIZES;
    case AXIS_TIME:
        return COUNTED_TIMES;
    }
    return 1;
}

const char *stats_axis_name(enum stats_axis axis)
{
    switch (axis) {
    case AXIS_NONE:
        return "";
    case AXIS_WAY:
    case AXIS_STREAM:
        return "transport";
    case AXIS_RCODE:
        return "rcode";
    case AXIS_TYPE:
        return "type";
    case AXIS_KIND:
        return "outcome";
    case AXIS_SIZE:
    case AXIS_TIME:
        return "le";
    }
    return "";
}

static void rcode_label(char out[STATS_LABEL_MAX], size_t i)
{
    char text[RCODE_TEXT_MAX];

    rcode_to_text(text, (uint16_t)i);
    (void)snprintf(out, STATS_LABEL_MAX, "%s", i == COUNTED_RCODES - 1 ? "other" : text);
}

static void type_label(char out[STATS_LABEL_MAX], size_t i)
{
    char text[TYPE_TEXT_MAX] = "other";

    if (i < COUNTED_TYPES - 1)
        type_to_text(text, types[i]);
    (void)snprintf(out, STATS_LABEL_MAX, "%s", text);
}

void stats_label(char out[STATS_LABEL_MAX], enum stats_axis axis, size_t i)
{
    switch (axis) {
    case AXIS_NONE:
        out[0] = 0;
        break;
    case AXIS_WAY:
        (void)snprintf(out, STATS_LABEL_MAX, "%s", ways[i]);
        break;
    case AXIS_STREAM:
        (void)snprintf(out, STATS_LABEL_MAX, "%s", streams[i]);
        break;
    case AXIS_RCODE:
        rcode_label(out, i);
        break;
    case AXIS_TYPE:
        type_label(out, i);
        break;
    case AXIS_KIND:
        (void)snprintf(out, STATS_LABEL_MAX, "%s", kinds[i]);
        break;
    case AXIS_SIZE:
        (void)snprintf(out, STATS_LABEL_MAX, "%u", 64u << i);
        break;
    case AXIS_TIME:
        if (i == COUNTED_TIMES - 1)
            (void)snprintf(out, STATS_LABEL_MAX, "+Inf");
        else
            (void)snprintf(out, STATS_LABEL_MAX, "%.9f", (double)(UINT64_C(1024) << i) / 1e9);
        break;
    }
}

size_t stats_at(const struct stats_row *row, size_t i, size_t j)
{
    return row->at + (i * stats_axis_length(row->inner) + j) * sizeof(uint64_t);
}
