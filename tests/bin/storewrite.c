/* Writes stores without primaries, and changes them in syncd's place, for measurements.
 *
 *   storewrite fill DIR ZONES RECORDS           z0000000.test. and so on, each with so many records
 *   storewrite change DIR RUN PORT ZONE COUNT   one record at a time in one zone
 *   storewrite rate DIR RUN ZONES RATE SECONDS  so many one-record changes a second, over ZONES
 *
 * The last two stand where syncd stands: they hold the store's lock and listen on the hand-over
 * socket of RUN, so authd is told of each commit as ever. Their figures are microseconds from the
 * end of the commit until authd (at 127.0.0.1 PORT) answers with the new serial, and until it says
 * that it does. Without an authd they wait for one.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/message.h"
#include "lib/net/handover.h"
#include "lib/store/store.h"

#define FILL_GROUP 10000 /* zones in a transaction */
#define PATIENCE_MS 60000

static void must(enum err rc, const struct errinfo *e)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "storewrite: %s: %s\n", err_name(rc), e->text);
    exit(1);
}

static _Noreturn void fail(const char *text)
{
    (void)fprintf(stderr, "storewrite: %s\n", text);
    exit(1);
}

static uint64_t now_ns(void)
{
    return clock_mono_ns(clock_real());
}

/* ---- Zones ---- */

static const struct origin origin = {
    .kind = ORIGIN_AXFR, .who = "192.0.2.1@53", .source = "storewrite", .transport = "tcp"};

static void zone_name(uint8_t out[NAME_MAX_OCTETS], unsigned i)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "z%07u.test.", i);
    must(name_from_text(out, text, strlen(text), NULL, NULL), &(struct errinfo){"a name"});
}

static void add(struct zone_builder *b, const uint8_t *owner, uint16_t type, const void *rdata,
                size_t len)
{
    struct rr rr = {.owner = owner,
                    .rdata = rdata,
                    .rdata_len = (uint16_t)len,
                    .ttl = 3600,
                    .type = type,
                    .rclass = CLASS_IN};
    struct errinfo e = {""};

    must(zone_builder_add(b, &rr, &e), &e);
}

/* SOA, NS, and hosts that have an address each. */
static struct zone *zone_make(const uint8_t *apex, uint32_t records)
{
    static const uint8_t ns[] = "\2ns\7example\3net";
    struct zone_builder *b = zone_builder_new(apex, NULL);
    uint8_t soa[2 * sizeof(ns) + 20], owner[NAME_MAX_OCTETS], a[4];
    struct zone *z = NULL;
    struct errinfo e = {""};

    memcpy(soa, ns, sizeof(ns));
    memcpy(soa + sizeof(ns), ns, sizeof(ns));
    for (size_t k = 0; k < 5; k++)
        put_u32(soa + 2 * sizeof(ns) + 4 * k, k == 0 ? 1 : 86400);
    add(b, apex, RR_SOA, soa, sizeof(soa));
    add(b, apex, RR_NS, ns, sizeof(ns));
    for (uint32_t k = 2; k < records; k++) {
        (void)snprintf((char *)owner, 16, "\x8h%07u", k % 10000000);
        (void)name_copy(owner + 9, apex);
        put_u32(a, 0x0a000000 + k);
        add(b, owner, RR_A, a, sizeof(a));
    }
    must(zone_builder_finish(&z, b, NULL, &e), &e);
    zone_builder_free(b);
    return z;
}

static void fill(struct store *s, unsigned zones, uint32_t records)
{
    struct errinfo e = {""};
    uint64_t begin = now_ns(), seq;

    for (unsigned i = 0; i < zones; i++) {
        struct store_zone row = {.kind = ZONE_SECONDARY, .source = SOURCE_CONFIG};
        struct zone *z;

        if (i % FILL_GROUP == 0)
            must(store_begin(s, &e), &e);
        zone_name(row.name, i);
        z = zone_make(row.name, records);
        must(store_zone_put(s, &row, &e), &e);
        must(store_change_put(s, &row, NULL, z, NULL, &origin, clock_wall(clock_real()), &seq, &e),
             &e);
        zone_unref(z);
        if (i % FILL_GROUP == FILL_GROUP - 1 || i == zones - 1) {
            must(store_commit(s, &e), &e);
            must(store_checkpoint(s, &e), &e);
        }
    }
    (void)printf("%u zones in %.2f s\n", zones, (double)(now_ns() - begin) / 1e9);
}

/* ---- One-record changes ---- */

struct subject {
    struct store_zone row;
    struct zone *zone;
};

static void subject_load(struct subject *t, struct store *s, const uint8_t *name)
{
    struct errinfo e = {""};

    must(store_zone_get(s, name, &t->row, &e), &e);
    must(store_zone_load(&t->zone, s, &t->row, &e), &e);
}

static struct rr soa_with(uint8_t *rdata, const struct rr *soa, uint32_t serial)
{
    struct rr out = *soa;

    memcpy(rdata, soa->rdata, soa->rdata_len);
    soa_set_serial(rdata, soa->rdata_len, (struct serial){serial});
    out.rdata = rdata;
    return out;
}

/* The address that "changing", below the apex, has now; false if it has none. */
static bool present_address(uint8_t a[4], const struct zone *z, const uint8_t *owner)
{
    struct rrset set;
    struct node node;

    if (!zone_find(z, owner, &node) || !node_rrset(&node, RR_A, &set))
        return false;
    memcpy(a, set.rdatas + 2, 4);
    return true;
}

/* The next address for it, and the next serial. */
static struct changeset *next_change(const struct zone *z)
{
    struct changeset *cs = changeset_new(zone_apex(z));
    uint8_t owner[NAME_MAX_OCTETS + 16] = "\x8"
                                          "changing";
    uint8_t rdata[2 * NAME_MAX_OCTETS + 20], a[4] = {10};
    struct rr rr, soa;
    struct soa fields;
    struct errinfo e = {""};

    if (!zone_soa(z, &soa, &fields))
        fail("a zone without SOA");
    must(changeset_remove(cs, &soa, &e), &e);
    rr = soa_with(rdata, &soa, fields.serial.v + 1);
    must(changeset_add(cs, &rr, &e), &e);
    (void)name_copy(owner + 9, zone_apex(z));
    rr = (struct rr){
        .owner = owner, .rdata = a, .rdata_len = 4, .ttl = 60, .type = RR_A, .rclass = CLASS_IN};
    if (present_address(a, z, owner))
        must(changeset_remove(cs, &rr, &e), &e);
    put_u32(a, get_u32(a) + 1);
    must(changeset_add(cs, &rr, &e), &e);
    changeset_finish(cs);
    return cs;
}

/* Inside a transaction. Returns its seq. */
static uint64_t subject_change(struct subject *t, struct store *s)
{
    struct changeset *cs = next_change(t->zone);
    struct zone *next = NULL;
    struct errinfo e = {""};
    uint64_t seq = 0;

    must(zone_apply(&next, t->zone, cs, NULL, &e), &e);
    must(store_change_put(s, &t->row, t->zone, next, cs, &origin, clock_wall(clock_real()), &seq,
                          &e),
         &e);
    changeset_free(cs);
    zone_unref(t->zone);
    t->zone = next;
    return seq;
}

/* ---- In syncd's place ---- */

struct updater {
    int fd;
    uint64_t served; /* the seq that authd has told */
};

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) > 0;
}

/* Takes what authd says; false if there is nothing. */
static bool updater_hear(struct updater *u, int ms)
{
    static uint8_t buf[HO_FRAME_MAX];
    struct errinfo e = {""};
    struct ho_frame f;
    int passed = -1;
    enum err rc;

    if (!readable(u->fd, ms))
        return false;
    rc = ho_recv(&f, u->fd, buf, &passed, &e);
    if (passed >= 0)
        (void)close(passed);
    if (rc == ERR_BUSY)
        return false;
    must(rc, &e);
    if (f.type == HO_HINT)
        u->served = f.seq;
    return true;
}

static void updater_wait(struct updater *u, uint64_t seq)
{
    while (u->served < seq) {
        if (!updater_hear(u, PATIENCE_MS))
            fail("authd does not say that it serves a change");
    }
}

/* Workers connect too; they have nothing to say here. */
static void updater_await(struct updater *u, const char *run_dir)
{
    static uint8_t buf[HO_FRAME_MAX];
    struct errinfo e = {""};
    int listener = -1;

    must(ho_listen(&listener, run_dir, &e), &e);
    for (;;) {
        struct ho_frame f;
        int passed = -1;

        if (!readable(listener, PATIENCE_MS) || (u->fd = accept(listener, NULL, NULL)) < 0)
            fail("no authd connects");
        ho_prepare(u->fd);
        if (!readable(u->fd, PATIENCE_MS))
            fail("authd does not say who it is");
        must(ho_recv(&f, u->fd, buf, &passed, &e), &e);
        if (passed >= 0)
            (void)close(passed);
        if (f.type == HO_HELLO && f.role == HO_UPDATER)
            break;
    }
}

static void updater_hint(const struct updater *u, uint64_t seq)
{
    struct ho_frame f = {.type = HO_HINT, .seq = seq};
    struct errinfo e = {""};

    must(ho_send(u->fd, &f, &e), &e);
}

/* ---- Questions ---- */

struct asker {
    int fd;
    uint8_t query[MSG_UDP_MIN_OCTETS];
    size_t len;
};

static void asker_init(struct asker *a, const char *port, const uint8_t *apex)
{
    struct errinfo e = {""};
    struct addr to;
    struct sockaddr_storage sa;
    char text[32];
    socklen_t n;

    (void)snprintf(text, sizeof(text), "127.0.0.1@%s", port);
    must(addr_from_text(&to, text, 53, &e), &e);
    n = addr_to_sockaddr(&sa, &to);
    a->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&sa, n) != 0)
        fail("no socket to ask with");
    memset(a->query, 0, MSG_HEADER_OCTETS);
    a->query[5] = 1;
    a->len = MSG_HEADER_OCTETS + name_copy(a->query + MSG_HEADER_OCTETS, apex);
    put_u16(a->query + a->len, RR_SOA);
    put_u16(a->query + a->len + 2, CLASS_IN);
    a->len += 4;
}

/* The serial that is answered now. */
static bool asker_serial(struct asker *a, uint32_t *serial)
{
    uint8_t answer[4096];
    struct msg_layout m;
    struct msg_rr rr;
    struct reader r;
    ssize_t n;

    a->query[1]++;
    if (send(a->fd, a->query, a->len, 0) < 0 || !readable(a->fd, 1000))
        return false;
    n = recv(a->fd, answer, sizeof(answer), 0);
    if (n < MSG_HEADER_OCTETS || answer[1] != a->query[1] ||
        !msg_layout_read(&m, answer, (size_t)n) || m.header.counts[SECTION_ANSWER] == 0)
        return false;
    r = msg_section(&m, answer, (size_t)n, SECTION_ANSWER);
    if (!msg_read_rr(&rr, &r) || rr.type != RR_SOA || !msg_skip_name(&rr.rdata) ||
        !msg_skip_name(&rr.rdata))
        return false;
    *serial = read_u32(&rr.rdata);
    return true;
}

/* ---- Figures ---- */

struct series {
    uint64_t *ns;
    size_t n, cap;
};

static void series_add(struct series *s, uint64_t ns)
{
    s->ns = xgrow(s->ns, &s->cap, s->n + 1, sizeof(*s->ns));
    s->ns[s->n++] = ns;
}

static int ns_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void series_print(struct series *s, const char *what)
{
    if (s->n == 0)
        return;
    qsort(s->ns, s->n, sizeof(*s->ns), ns_order);
    (void)printf("%s median %" PRIu64 " p90 %" PRIu64 " p99 %" PRIu64 " max %" PRIu64 "\n", what,
                 s->ns[s->n / 2] / 1000, s->ns[s->n * 9 / 10] / 1000, s->ns[s->n * 99 / 100] / 1000,
                 s->ns[s->n - 1] / 1000);
    free(s->ns);
}

static void change(struct store *s, const char *run_dir, const char *port, const char *zone,
                   unsigned count)
{
    struct series answered = {0}, told = {0};
    struct updater u = {.fd = -1};
    struct subject t = {0};
    struct errinfo e = {""};
    uint8_t name[NAME_MAX_OCTETS];
    struct asker a;
    uint32_t serial = 0;

    must(name_from_text(name, zone, strlen(zone), NULL, &e), &e);
    subject_load(&t, s, name);
    asker_init(&a, port, name);
    updater_await(&u, run_dir);
    for (unsigned i = 0; i < count; i++) {
        uint64_t begin, seq;
        unsigned tries = 0;

        must(store_begin(s, &e), &e);
        seq = subject_change(&t, s);
        must(store_commit(s, &e), &e);
        begin = now_ns();
        updater_hint(&u, seq);
        while (!asker_serial(&a, &serial) || serial != zone_serial(t.zone).v) {
            if (++tries > 1000000)
                fail("a change is not answered");
        }
        series_add(&answered, now_ns() - begin);
        updater_wait(&u, seq);
        series_add(&told, now_ns() - begin);
    }
    series_print(&answered, "answered");
    series_print(&told, "told");
    zone_unref(t.zone);
    (void)close(a.fd);
    (void)close(u.fd);
}

/* Groups as syncd makes them: what has come while the last commit was on its way. */
static void rate(struct store *s, const char *run_dir, unsigned zones, unsigned per_second,
                 unsigned seconds)
{
    struct subject *t = xcalloc(zones, sizeof(*t));
    struct updater u = {.fd = -1};
    struct series told = {0};
    struct errinfo e = {""};
    uint8_t name[NAME_MAX_OCTETS];
    uint64_t begin, done = 0, commits = 0, all = (uint64_t)per_second * seconds;

    for (unsigned i = 0; i < zones; i++) {
        zone_name(name, i);
        subject_load(&t[i], s, name);
    }
    updater_await(&u, run_dir);
    begin = now_ns();
    while (done < all) {
        uint64_t due = (now_ns() - begin) * per_second / 1000000000, seq = 0;

        if (due > all)
            due = all;
        if (due == done) {
            (void)usleep(500);
            continue;
        }
        must(store_begin(s, &e), &e);
        for (; done < due; done++)
            seq = subject_change(&t[done % zones], s);
        must(store_commit(s, &e), &e);
        due = now_ns();
        updater_hint(&u, seq);
        updater_wait(&u, seq);
        series_add(&told, now_ns() - due);
        if (++commits % 200 == 0)
            must(store_checkpoint(s, &e), &e);
    }
    (void)printf("changes %" PRIu64 " commits %" PRIu64 " seconds %.3f\n", done, commits,
                 (double)(now_ns() - begin) / 1e9);
    series_print(&told, "told");
    for (unsigned i = 0; i < zones; i++)
        zone_unref(t[i].zone);
    free(t);
    (void)close(u.fd);
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    struct store *s = NULL;
    struct errinfo e = {""};

    if (!(strcmp(what, "fill") == 0 && argc == 5) && !(strcmp(what, "change") == 0 && argc == 7) &&
        !(strcmp(what, "rate") == 0 && argc == 7)) {
        (void)fprintf(stderr, "usage: storewrite fill DIR ZONES RECORDS\n"
                              "       storewrite change DIR RUN PORT ZONE COUNT\n"
                              "       storewrite rate DIR RUN ZONES RATE SECONDS\n");
        return 2;
    }
    log_init("storewrite", LOG_WARNING, LOG_TEXT);
    must(store_open_writer(&s, argv[2], &e), &e);
    if (what[0] == 'f')
        fill(s, number(argv[3]), number(argv[4]));
    else if (what[0] == 'c')
        change(s, argv[3], argv[4], argv[5], number(argv[6]));
    else
        rate(s, argv[3], number(argv[4]), number(argv[5]), number(argv[6]));
    store_close(s);
    return 0;
}
