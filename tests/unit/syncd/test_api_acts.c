/* Every route that changes something is written down as an act, under the verb of zonectl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/api_internal.h"

static bool only_reads(const struct api_route *r)
{
    return r->method == EVHTTP_REQ_GET || strstr(r->path, "/plan") || strstr(r->path, "/verify");
}

static void test_routes_that_change_something_are_acts(void **state)
{
    size_t n, acts = 0;
    const struct api_route *routes = api_routes(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char name[64] = "";

        assert_int_equal(api_act_name(name, sizeof(name), &routes[i]), !only_reads(&routes[i]));
        acts += name[0] != 0;
    }
    assert_true(acts >= 15);
}

static void test_a_route_that_nobody_named_is_named_by_its_path(void **state)
{
    static const struct api_route other = {.method = EVHTTP_REQ_PATCH,
                                           .path = "/api/v1/servers/localhost/new/{}"};
    char name[64];

    (void)state;
    assert_true(api_act_name(name, sizeof(name), &other));
    assert_string_equal(name, "PATCH /new/{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes_that_change_something_are_acts),
        cmocka_unit_test(test_a_route_that_nobody_named_is_named_by_its_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
