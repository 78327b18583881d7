/* RFC 9460 4.1: what goes with SVCB and HTTPS in the additional section: addresses of the target,
 * and its records of the same type, where an alias leads to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_fixture.h"

#define SIG " 8 2 3600 20300101000000 20200101000000 1 example. AAAA\n"

static const char *const zones[][2] = {
    {"example.", "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
                 "@ HTTPS 0 pool\npool HTTPS 1 . port=8443\npool HTTPS 2 spare\n"
                 "pool SVCB 1 .\npool A 192.0.2.3\npool AAAA 2001:db8::3\nspare A 192.0.2.4\n"
                 "pool RRSIG HTTPS" SIG "self HTTPS 0 self\nafar SVCB 0 svc.other.\n"
                 "gone SVCB 0 none\nown SVCB 1 .\nown A 192.0.2.5\nsrv SRV 0 0 1 pool\n"},
    {"other.", "@ SOA ns1 host 7 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
               "svc SVCB 1 .\nsvc A 192.0.2.9\n"},
};

static struct zonedb *db;
static struct answerer *answerer;

static int setup(void **state)
{
    (void)state;
    db = text_zonedb(zones, sizeof(zones) / sizeof(zones[0]));
    answerer = answerer_new(db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(answerer);
    zonedb_free(db);
    return 0;
}

static void check(const struct ask *q, const char *want)
{
    char *got = ask_text(answerer, q);

    if (strcmp(got, want) != 0)
        fail_msg("%s %s\ngot:\n%swanted:\n%s", q->qname, q->qtype, got, want);
    free(got);
}

static void test_alias(void **state)
{
    (void)state;
    check(&(struct ask){.qname = "example.", .qtype = "HTTPS"},
          "NOERROR aa\nan example. 3600 IN HTTPS 0 pool.example.\n"
          "ar pool.example. 3600 IN A 192.0.2.3\nar pool.example. 3600 IN AAAA 2001:db8::3\n"
          "ar pool.example. 3600 IN HTTPS 1 . port=8443\n"
          "ar pool.example. 3600 IN HTTPS 2 spare.example.\n");
    check(&(struct ask){.qname = "afar.example.", .qtype = "SVCB"}, /* in another zone of ours */
          "NOERROR aa\nan afar.example. 3600 IN SVCB 0 svc.other.\n"
          "ar svc.other. 3600 IN A 192.0.2.9\nar svc.other. 3600 IN SVCB 1 .\n");
    check(&(struct ask){.qname = "self.example.", .qtype = "HTTPS"}, /* nothing twice */
          "NOERROR aa\nan self.example. 3600 IN HTTPS 0 self.example.\n");
    check(&(struct ask){.qname = "gone.example.", .qtype = "SVCB"},
          "NOERROR aa\nan gone.example. 3600 IN SVCB 0 none.example.\n");
}

static void test_service(void **state)
{
    (void)state;
    check(&(struct ask){.qname = "own.example.", .qtype = "SVCB"}, /* 2.5: "." is the owner */
          "NOERROR aa\nan own.example. 3600 IN SVCB 1 .\nar own.example. 3600 IN A 192.0.2.5\n");
    check(&(struct ask){.qname = "srv.example.", .qtype = "SRV"}, /* other types: addresses alone */
          "NOERROR aa\nan srv.example. 3600 IN SRV 0 0 1 pool.example.\n"
          "ar pool.example. 3600 IN A 192.0.2.3\nar pool.example. 3600 IN AAAA 2001:db8::3\n");
}

static void test_signatures(void **state)
{
    char *got = ask_text(
        answerer,
        &(struct ask){.qname = "example.", .qtype = "HTTPS", .edns = true, .dnssec = true});

    (void)state;
    assert_non_null(strstr(got, "ar pool.example. 3600 IN RRSIG HTTPS "));
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alias),
        cmocka_unit_test(test_service),
        cmocka_unit_test(test_signatures),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
