#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "lib/base/addr.h"

static const struct {
    const char *text;
    const char *shown; /* NULL: refused */
} cases[] = {
    {"192.0.2.1", "192.0.2.1@53"},
    {"192.0.2.1@5353", "192.0.2.1@5353"},
    {"2001:DB8::1", "2001:db8::1@53"},
    {"2001:db8::1@65535", "2001:db8::1@65535"},
    {"::ffff:192.0.2.1@1", "192.0.2.1@1"},
    {"", NULL},
    {"192.0.2", NULL},
    {"192.0.2.1@", NULL},
    {"192.0.2.1@65536", NULL},
    {"192.0.2.1@-1", NULL},
    {"192.0.2.1@5 3", NULL},
    {"example.org", NULL},
    {"2001:db8::1%eth0", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL},
};

static void text_goes_in_and_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a;
        struct addr back;
        struct sockaddr_storage ss;
        char text[ADDR_TEXT_MAX];
        struct errinfo e = {{0}};
        enum err rc = addr_from_text(&a, cases[i].text, 53, &e);

        if (!cases[i].shown) {
            assert_int_equal(rc, ERR_FORMAT);
            assert_true(e.text[0] != 0);
            continue;
        }
        assert_int_equal(rc, OK);
        addr_to_text(text, &a);
        assert_string_equal(text, cases[i].shown);
        assert_true(addr_to_sockaddr(&ss, &a) > 0);
        assert_true(addr_from_sockaddr(&back, (struct sockaddr *)&ss));
        assert_true(addr_eq(&a, &back));
        back.port++;
        assert_false(addr_eq(&a, &back));
        assert_true(addr_ip_eq(&a, &back));
    }
}

static const struct {
    const char *net;
    const char *in;  /* NULL: the network is refused */
    const char *out; /* NULL: there is none outside */
} nets[] = {
    {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
    {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
    {"192.0.2.7", "192.0.2.7@99", "192.0.2.6"},
    {"192.0.2.7/32", "192.0.2.7", "2001:db8::1"},
    {"0.0.0.0/0", "255.255.255.255", "::1"},
    {"::/0", "2001:db8::1", "0.0.0.0"},
    {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
    {"2001:db8::1", "2001:db8::1", "2001:db8::3"},
    {"::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"},
    {"192.0.2.1/24", NULL, NULL},
    {"192.0.2.0/33", NULL, NULL},
    {"2001:db8::/129", NULL, NULL},
    {"::ffff:0.0.0.0/95", NULL, NULL},
    {"192.0.2.0/", NULL, NULL},
    {"192.0.2.0/2 4", NULL, NULL},
    {"192.0.2.0/-1", NULL, NULL},
    {"192.0.2.0@53/24", NULL, NULL},
    {"/24", NULL, NULL},
    {"", NULL, NULL},
    {"everybody", NULL, NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64", NULL, NULL},
};

static void networks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        struct addr_prefix p;
        struct addr a;
        struct errinfo e = {{0}};
        enum err rc = addr_prefix_from_text(&p, nets[i].net, &e);

        if (!nets[i].in) {
            assert_int_equal(rc, ERR_FORMAT);
            assert_true(e.text[0] != 0);
            continue;
        }
        assert_int_equal(rc, OK);
        assert_int_equal(addr_from_text(&a, nets[i].in, 1, NULL), OK);
        assert_true(addr_in_prefix(&a, &p));
        assert_int_equal(addr_from_text(&a, nets[i].out, 1, NULL), OK);
        assert_false(addr_in_prefix(&a, &p));
    }
}

static void lists_of_networks(void **state)
{
    struct addr_prefix list[2];
    struct addr a;

    (void)state;
    assert_int_equal(addr_prefix_from_text(&list[0], "192.0.2.0/24", NULL), OK);
    assert_int_equal(addr_prefix_from_text(&list[1], "2001:db8::/32", NULL), OK);
    assert_int_equal(addr_from_text(&a, "2001:db8::1", 1, NULL), OK);
    assert_true(addr_in_prefixes(&a, list, 2));
    assert_false(addr_in_prefixes(&a, list, 1));
    assert_false(addr_in_prefixes(&a, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_goes_in_and_out),
                                       cmocka_unit_test(networks),
                                       cmocka_unit_test(lists_of_networks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
