/* Whom a change is told to: nameservers of zones in a real store, by the addresses that stand
 * there, and by a resolver that does not answer for the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/notify_ns.h"
#include "tests/tools/answer_fixture.h"
#include "tests/tools/config_fixture.h"
#include "tests/tools/store_fixture.h"

#define TOLD_MAX 2000

static const uint8_t apex[] = "\7example";
static struct store_readers *readers;
static char dir[] = "/tmp/test_notify_ns.XXXXXX";

/* The primary of the SOA, one with two addresses, glue, another zone of ours, one that is ours, one
 * that is a secondary by its name, one that is a primary, a twin, one that nobody knows. */
static const char example[] =
    "@ SOA ns1 hostmaster 7 3600 600 86400 300\n"
    "@ NS ns1\n@ NS NS2\n@ NS ns.sub\n@ NS ns.other.\n@ NS own\n@ NS listed\n@ NS from\n"
    "@ NS twin\n@ NS far.elsewhere.\n"
    "ns1 A 192.0.2.1\nns2 A 192.0.2.2\nns2 AAAA 2001:db8::2\nns.sub A 192.0.2.3\nsub NS ns.sub\n"
    "own A 192.0.2.9\nlisted A 192.0.2.10\nfrom A 192.0.2.11\ntwin A 192.0.2.2\n";
static const char other[] = "@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.4\n";

struct told {
    struct loop *loop;
    size_t count;
    size_t want; /* stops then */
    char addresses[TOLD_MAX][ADDR_TEXT_MAX];
    uint32_t serial;
};

static void on_found(void *ctx, const struct ns_change *change, const struct ns_target *targets,
                     size_t count)
{
    struct told *t = ctx;

    for (size_t i = 0; i < count; i++) {
        assert_true(t->count < TOLD_MAX);
        addr_to_text(t->addresses[t->count++], &targets[i].address);
    }
    t->serial = change->serial.v;
    if (t->count >= t->want)
        loop_stop(t->loop);
}

static bool is_told(const struct told *t, const char *address)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->addresses[i], address) == 0)
            return true;
    }
    return false;
}

struct bench {
    struct loop *loop;
    int silent; /* the resolver's socket, which nobody reads */
    struct config *config;
    struct notify_ns *n;
    struct told told;
};

static void start(struct bench *b, size_t want)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(in);
    char text[1000];

    b->silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(b->silent, (struct sockaddr *)&in, len), 0);
    assert_int_equal(getsockname(b->silent, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(loop_new(&b->loop, clock_real(), 2, NULL), OK);
    (void)snprintf(text, sizeof(text),
                   "authd { listen = {\"192.0.2.9\"} }\n"
                   "syncd { resolvers = {\"127.0.0.1@%u\"} }\n"
                   "primary p { address = \"192.0.2.11@5353\" }\n"
                   "secondary s { address = \"192.0.2.10\" }\n"
                   "zone example { primaries = {p} secondaries = {s} notify-ns = yes }\n",
                   (unsigned)ntohs(in.sin_port));
    b->config = text_config(text);
    b->told = (struct told){.loop = b->loop, .want = want};
    b->n = notify_ns_new(b->loop, b->config, readers, on_found, &b->told);
}

static void stop(struct bench *b)
{
    notify_ns_free(b->n);
    loop_free(b->loop);
    config_unref(b->config);
    (void)close(b->silent);
    free(b);
}

static void test_who_is_told(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    (void)state;
    start(b, 4);
    notify_ns_find(b->n, apex, &b->config->zones[0], NULL, (struct serial){6}, 1);
    notify_ns_find(b->n, apex, &b->config->zones[0], NULL, (struct serial){7}, 2);
    assert_int_equal(b->told.count, 0); /* never from within */
    loop_run(b->loop);
    assert_true(is_told(&b->told, "192.0.2.2@53"));
    assert_true(is_told(&b->told, "2001:db8::2@53"));
    assert_true(is_told(&b->told, "192.0.2.3@53"));
    assert_true(is_told(&b->told, "192.0.2.4@53"));
    assert_int_equal(b->told.count, 4);
    stop(b); /* while the resolver is being asked */
}

/* While the first are read, changes of one zone come a thousand times: they are one. */
static void test_many_changes_are_one(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    (void)state;
    start(b, 8);
    for (uint32_t i = 1; i <= 1000; i++)
        notify_ns_find(b->n, apex, &b->config->zones[0], NULL, (struct serial){i}, i);
    loop_run(b->loop);
    assert_int_equal(b->told.count, 8); /* the first one and the last */
    assert_int_equal(b->told.serial, 1000);
    stop(b);
}

static void test_zones_that_are_not_there(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    (void)state;
    start(b, 4);
    for (unsigned i = 0; i < 300; i++) {
        uint8_t name[NAME_MAX_OCTETS];
        char text[32];

        (void)snprintf(text, sizeof(text), "z%u", i);
        assert_int_equal(name_from_text(name, text, strlen(text), NULL, NULL), OK);
        notify_ns_find(b->n, name, &b->config->zones[0], NULL, (struct serial){1}, 1);
    }
    notify_ns_find(b->n, apex, &b->config->zones[0], NULL, (struct serial){7}, 2);
    loop_run(b->loop);
    assert_int_equal(b->told.count, 4);
    stop(b);
}

static void test_ends_at_any_moment(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct bench *b = xcalloc(1, sizeof(*b));

        start(b, 1000);
        for (int k = 0; k < i; k++)
            notify_ns_find(b->n, apex, &b->config->zones[0], NULL, (struct serial){7}, 2);
        for (int k = 0; k < i % 5; k++)
            (void)event_base_loop(loop_base(b->loop), EVLOOP_NONBLOCK);
        notify_ns_reload(b->n, b->config);
        stop(b);
    }
}

static void put_zone(struct store *s, const char *name, const char *text)
{
    struct zone *z = text_zone(name, text);
    struct store_zone row = plain_row(zone_apex(z));

    (void)must_commit(s, &row, NULL, z, 1700000000);
    zone_unref(z);
}

static int make_store(void **state)
{
    struct store *s;

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    s = must_open_writer(dir);
    readers = store_readers_new(dir);
    put_zone(s, "example.", example);
    put_zone(s, "other.", other);
    store_close(s);
    return 0;
}

static int remove_store(void **state)
{
    static const char *const files[] = {"zoneledger.db", "zoneledger.db-wal", "zoneledger.db-shm",
                                        "lock"};
    char path[128];

    (void)state;
    store_readers_free(readers);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_told),
        cmocka_unit_test(test_many_changes_are_one),
        cmocka_unit_test(test_zones_that_are_not_there),
        cmocka_unit_test(test_ends_at_any_moment),
    };

    return cmocka_run_group_tests(tests, make_store, remove_store);
}
