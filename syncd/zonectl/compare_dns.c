/* A content id by DNS: one signed question, one signed answer. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/config.h"
#include "lib/base/secret_file.h"
#include "lib/dns/message_build.h"
#include "lib/dns/rr.h"
#include "syncd/zonectl/compare.h"

#define TRIES 3
#define WAIT_MS 2000
#define SECRET_MAX 4096
#define PAYLOAD 1232

/* ---- The key ---- */

static enum err key_of(struct tsig_key **out, const struct config_key *k, struct errinfo *e)
{
    uint8_t name[NAME_MAX_OCTETS];
    char secret[SECRET_MAX];
    enum tsig_alg alg;
    size_t len = 0;
    enum err rc;

    if ((rc = name_from_text(name, k->name, strlen(k->name), NULL, e)))
        return err_wrap(rc, e, "key '%s': its name", k->name);
    if (!tsig_alg_from_text(&alg, k->algorithm))
        return err_set(ERR_UNSUPPORTED, e, "key '%s': there is no algorithm '%s'", k->name,
                       k->algorithm);
    if ((rc = secret_file_read(secret, sizeof(secret), &len, k->secret_file, false, e)) == OK)
        rc = tsig_key_new(out, name, alg, secret, len, e);
    explicit_bzero(secret, sizeof(secret));
    return rc ? err_wrap(rc, e, "key '%s': its file %s", k->name, k->secret_file) : OK;
}

enum err compare_key_load(struct tsig_key **out, const char *config, const char *name,
                          struct errinfo *e)
{
    struct config *c = NULL;
    enum err rc;

    if (!config)
        return err_set(ERR_FORMAT, e, "--key needs --config FILE, which has the key");
    if ((rc = config_load(&c, config, e)))
        return rc;
    rc = err_set(ERR_NOT_FOUND, e, "%s has no key '%s'", config, name);
    for (size_t i = 0; i < c->key_count; i++) {
        if (strcasecmp(c->keys[i].name, name) == 0) {
            rc = key_of(out, &c->keys[i], e);
            break;
        }
    }
    config_unref(c);
    return rc;
}

/* ---- Question and answer ---- */

static enum err make_query(uint8_t *wire, size_t cap, size_t *len, struct tsig *t,
                           struct tsig_key *key, const uint8_t *qname, struct errinfo *e)
{
    struct edns_reply opt = {.udp_size = PAYLOAD};
    struct msg_query_spec spec = {.qname = qname, .qtype = RR_TXT, .qclass = CLASS_CH, .opt = &opt};

    clock_random(clock_real(), &spec.id, sizeof(spec.id));
    *len = msg_build_query(wire, cap, &spec);
    if (!*len || (key && !tsig_sign_request(t, key, wire, len, cap, clock_wall(clock_real()))))
        return err_set(ERR_LIMIT, e, "the question has no room");
    return OK;
}

/* The record that answers qname. */
static enum err read_record(struct content_answer *out, const struct msg_layout *m,
                            const uint8_t *wire, size_t len, const uint8_t *qname,
                            struct errinfo *e)
{
    struct reader r = msg_section(m, wire, len, SECTION_ANSWER);
    struct msg_rr rr;

    if (m->header.counts[SECTION_ANSWER] != 1 || !msg_read_rr(&rr, &r) ||
        !name_eq(rr.owner, qname) || rr.type != RR_TXT || rr.rclass != CLASS_CH ||
        !content_answer_read(out, rr.rdata.msg + rr.rdata.pos, rr.rdlen))
        return err_set(ERR_FORMAT, e, "the answer has no content id in it");
    return OK;
}

static enum err read_answer(struct content_answer *out, bool *there, struct tsig *t,
                            const uint8_t *wire, size_t len, const uint8_t *qname,
                            struct errinfo *e)
{
    struct wall now = clock_wall(clock_real());
    char rcode[RCODE_TEXT_MAX];
    struct msg_layout m;
    enum tsig_outcome signed_so;

    if (!msg_layout_read(&m, wire, len))
        return err_set(ERR_FORMAT, e, "the answer is not well formed");
    signed_so = t->key ? tsig_verify_response(t, wire, len, m.tsig, now) : TSIG_OK;
    *there = false;
    if (signed_so == TSIG_MISSING && msg_rcode(&m.header) == RCODE_REFUSED)
        return OK; /* who knows no keys refuses so, and nothing is believed of it */
    if (signed_so != TSIG_OK)
        return err_set(ERR_AUTH, e, "the answer's signature: %s", tsig_outcome_text(signed_so));
    if (msg_rcode(&m.header) == RCODE_REFUSED)
        return OK;
    if (msg_rcode(&m.header) != RCODE_NOERROR) {
        rcode_to_text(rcode, msg_rcode(&m.header));
        return err_set(ERR_BUSY, e, "it answers %s", rcode);
    }
    *there = true;
    return read_record(out, &m, wire, len, qname, e);
}

/* Waits for a datagram with our ID; the socket is connected, so it comes from there. */
static enum err await(int fd, uint8_t *wire, size_t cap, size_t *len, const uint8_t id[2],
                      struct errinfo *e)
{
    struct mono until = mono_add_ms(clock_mono(clock_real()), WAIT_MS);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        int64_t left = until.ms - clock_mono(clock_real()).ms;
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return err_set(ERR_TIMEOUT, e, "no answer");
        n = recv(fd, wire, cap, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_sys(errno, e, "no answer");
        if (n >= MSG_HEADER_OCTETS && memcmp(wire, id, 2) == 0 && (wire[2] & 0x80)) {
            *len = (size_t)n;
            return OK;
        }
    }
}

static enum err ask_once(struct content_answer *out, bool *there, int fd, struct tsig_key *key,
                         const uint8_t *qname, struct errinfo *e)
{
    uint8_t query[1024];
    uint8_t answer[4096];
    struct tsig t = {.key = NULL};
    size_t len = 0;
    enum err rc = make_query(query, sizeof(query), &len, &t, key, qname, e);

    if (rc == OK && send(fd, query, len, 0) < 0)
        rc = err_sys(errno, e, "asking");
    if (rc == OK && (rc = await(fd, answer, sizeof(answer), &len, query, e)) == OK)
        rc = read_answer(out, there, &t, answer, len, qname, e);
    tsig_done(&t);
    return rc;
}

enum err compare_dns_ask(struct content_answer *out, bool *there, const struct addr *node,
                         struct tsig_key *key, const uint8_t *zone, struct errinfo *e)
{
    uint8_t qname[NAME_MAX_OCTETS];
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(&sa, node);
    enum err rc = ERR_TIMEOUT;
    int fd;

    if (!content_query_name(qname, zone))
        return err_set(ERR_LIMIT, e, "the zone's name is too long to be asked for by DNS");
    fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sa_len) != 0)
        rc = err_sys(errno, e, "socket");
    for (int i = 0; i < TRIES && (rc == ERR_TIMEOUT || rc == ERR_BUSY); i++)
        rc = ask_once(out, there, fd, key, qname, e);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}
