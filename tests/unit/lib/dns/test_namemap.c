/* Names to pointers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/dns/name.h"
#include "lib/dns/namemap.h"

#define NAMES 2000u

static uint8_t names[NAMES][16];

static void test_namemap(void **state)
{
    struct namemap m;
    uint8_t other[] = "\3XYZ";

    (void)state;
    namemap_init(&m, clock_real());
    assert_null(namemap_get(&m, other));
    namemap_remove(&m, other);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf((char *)names[i], sizeof(names[i]), "\6n%05u\2zz", i);
        namemap_put(&m, names[i], &names[i]);
    }
    assert_int_equal(m.count, NAMES);
    for (unsigned i = 0; i < NAMES; i += 3)
        namemap_remove(&m, names[i]);
    namemap_remove(&m, other);
    for (unsigned i = 0; i < NAMES; i++) {
        uint8_t upper[16];

        memcpy(upper, names[i], sizeof(upper));
        upper[1] = 'N';
        assert_ptr_equal(namemap_get(&m, upper), i % 3 ? &names[i] : NULL);
    }
    for (unsigned i = 0; i < NAMES; i++)
        namemap_remove(&m, names[i]);
    assert_int_equal(m.count, 0);
    namemap_put(&m, names[5], &m);
    assert_ptr_equal(namemap_get(&m, names[5]), &m);
    namemap_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_namemap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
