#include "tests/tools/store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"

static void must(enum err rc, const struct errinfo *e, const char *what)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "%s: %s: %s\n", what, err_name(rc), e->text);
    abort();
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

    must(zone_builder_add(b, &rr, &e), &e, "zone_builder_add");
}

struct zone *plain_zone_but(const uint8_t *apex, uint32_t serial, uint32_t hosts, uint32_t i,
                            uint32_t value)
{
    static const uint8_t ns[] = "\2ns\7example\3net";
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone *z = NULL;
    struct errinfo e = {""};
    uint8_t soa[2 * sizeof(ns) + 20];
    uint8_t owner[NAME_MAX_OCTETS + 16];
    uint8_t a[4];

    memcpy(soa, ns, sizeof(ns));
    memcpy(soa + sizeof(ns), ns, sizeof(ns));
    for (size_t k = 0; k < 5; k++)
        put_u32(soa + 2 * sizeof(ns) + 4 * k, k == 0 ? serial : 3600);
    add(b, apex, RR_SOA, soa, sizeof(soa));
    add(b, apex, RR_NS, ns, sizeof(ns));
    for (uint32_t k = 0; k < hosts; k++) {
        (void)snprintf((char *)owner, 16, "\x8h%07u", k % 10000000);
        memcpy(owner + 9, apex, name_len(apex));
        put_u32(a, k == i ? value : 0x0a000000 + k);
        add(b, owner, RR_A, a, sizeof(a));
    }
    must(zone_builder_finish(&z, b, NULL, &e), &e, "zone_builder_finish");
    zone_builder_free(b);
    return z;
}

struct zone *plain_zone(const uint8_t *apex, uint32_t serial, uint32_t hosts, uint32_t value)
{
    return plain_zone_but(apex, serial, hosts, 0, value);
}

bool same_content(const struct zone *a, const struct zone *b)
{
    uint8_t x[32], y[32];

    zone_sha256(x, a);
    zone_sha256(y, b);
    return memcmp(x, y, sizeof(x)) == 0;
}

struct store_zone plain_row(const uint8_t *apex)
{
    struct store_zone z = {.kind = ZONE_SECONDARY, .source = SOURCE_CONFIG};

    (void)name_copy(z.name, apex);
    return z;
}

struct store *must_open_writer(const char *dir)
{
    struct store *s = NULL;
    struct errinfo e = {""};

    must(store_open_writer(&s, dir, &e), &e, "store_open_writer");
    return s;
}

struct store *must_open_reader(const char *dir)
{
    struct store *s = NULL;
    struct errinfo e = {""};

    must(store_open_reader(&s, dir, &e), &e, "store_open_reader");
    return s;
}

enum err put_change(struct store *s, struct store_zone *z, const struct zone *old_zone,
                    const struct zone *new_zone, int64_t at, uint64_t *seq, struct errinfo *e)
{
    static const struct origin origin = {.kind = ORIGIN_AXFR,
                                         .who = "192.0.2.1@53",
                                         .source = "ns1.example.net.",
                                         .key = "transfer-key.",
                                         .transport = "tcp",
                                         .reason = "because"};
    struct changeset *cs = NULL;
    enum err rc;

    if (old_zone)
        must(zone_diff(&cs, old_zone, new_zone, e), e, "zone_diff");
    if (!z->id)
        must(store_zone_put(s, z, e), e, "store_zone_put");
    rc = store_change_put(s, z, old_zone, new_zone, cs, &origin, (struct wall){at}, seq, e);
    changeset_free(cs);
    return rc;
}

uint64_t must_commit(struct store *s, struct store_zone *z, const struct zone *old_zone,
                     const struct zone *new_zone, int64_t at)
{
    struct errinfo e = {""};
    uint64_t seq = 0;

    must(store_begin(s, &e), &e, "store_begin");
    must(put_change(s, z, old_zone, new_zone, at, &seq, &e), &e, "store_change_put");
    must(store_commit(s, &e), &e, "store_commit");
    return seq;
}

uint64_t must_commit_waiting(struct store *s, struct store_zone *z, const struct zone *before,
                             const struct zone *new_zone, int64_t at)
{
    struct origin origin = {.kind = ORIGIN_AXFR};
    struct changeset *cs = NULL;
    struct errinfo e = {""};
    uint64_t seq = 0;

    must(zone_diff(&cs, before, new_zone, &e), &e, "zone_diff");
    must(store_begin(s, &e), &e, "store_begin");
    must(store_waiting_put(s, z, new_zone, cs, &origin, (struct wall){at}, false, &seq, &e), &e,
         "store_waiting_put");
    must(store_commit(s, &e), &e, "store_commit");
    changeset_free(cs);
    return seq;
}

void must_journal(struct store *s, uint64_t seq)
{
    struct errinfo e = {""};
    uint8_t oid[STORE_OID_BYTES] = {0xab, (uint8_t)(seq >> 8), (uint8_t)seq, 1};
    uint8_t tree[STORE_OID_BYTES] = {0xcd, (uint8_t)(seq >> 8), (uint8_t)seq, 2};

    must(store_begin(s, &e), &e, "store_begin");
    must(store_journaled_put(s, seq, oid, tree, &e), &e, "store_journaled_put");
    must(store_commit(s, &e), &e, "store_commit");
}

struct faults {
    unsigned n;
    bool data_lost;
};

static void count_fault(void *ctx, const uint8_t *zone, bool data_lost, const char *text)
{
    struct faults *f = ctx;
    char name[NAME_TEXT_MAX] = "-";

    if (zone)
        (void)name_to_text(name, zone);
    (void)fprintf(stderr, "fault: %s: %s\n", name, text);
    f->n++;
    f->data_lost |= data_lost;
}

unsigned verify_faults(struct store *s, bool *data_lost)
{
    struct faults f = {0, false};
    struct errinfo e = {""};

    must(store_verify(s, count_fault, &f, &e), &e, "store_verify");
    if (data_lost)
        *data_lost = f.data_lost;
    return f.n;
}

int in_child(void (*f)(void *ctx), void *ctx)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        f(ctx);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    return status;
}

void helper_start(struct helper *h, const char *arg, ...)
{
    char *argv[8] = {"helper"};
    posix_spawn_file_actions_t fa;
    int in[2], out[2];
    va_list ap;
    size_t n = 1;

    va_start(ap, arg);
    for (const char *a = arg; a && n < 7; a = va_arg(ap, const char *))
        argv[n++] = xstrdup(a);
    va_end(ap);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
        posix_spawn_file_actions_init(&fa) != 0 ||
        posix_spawn_file_actions_adddup2(&fa, in[0], 0) != 0 ||
        posix_spawn_file_actions_adddup2(&fa, out[1], 1) != 0 ||
        posix_spawn(&h->pid, "/proc/self/exe", &fa, NULL, argv, environ) != 0)
        abort();
    (void)posix_spawn_file_actions_destroy(&fa);
    (void)close(in[0]);
    (void)close(out[1]);
    h->to = fdopen(in[1], "w");
    h->from = fdopen(out[0], "r");
    while (n > 1)
        free(argv[--n]);
}

const char *helper_ask(struct helper *h, const char *line)
{
    static char answer[2048];

    if (fprintf(h->to, "%s\n", line) < 0 || fflush(h->to) != 0 ||
        !fgets(answer, sizeof(answer), h->from))
        return "gone";
    answer[strcspn(answer, "\n")] = 0;
    return answer;
}

static void helper_reap(struct helper *h)
{
    (void)fclose(h->to);
    (void)waitpid(h->pid, NULL, 0);
    (void)fclose(h->from);
}

void helper_kill(struct helper *h)
{
    (void)kill(h->pid, SIGKILL);
    helper_reap(h);
}

void helper_end(struct helper *h)
{
    helper_reap(h); /* it ends when its input does */
}
