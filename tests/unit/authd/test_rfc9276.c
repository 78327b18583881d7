/* RFC 9276 3.2: beyond 50 iterations a name costs more than its answer is worth; no proof is made
 * then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "authd/answer_nsec3.h"
#include "lib/base/encode.h"
#include "tests/tools/answer_cases.h"

/* NODATA at the apex of a zone whose one NSEC3 has so many iterations; its owner's first digits. */
static char *no_type(unsigned iterations, char digits[5])
{
    const struct nsec3_params p = {.iterations = (uint16_t)iterations};
    uint8_t name[NAME_MAX_OCTETS], hash[NSEC3_HASH_OCTETS];
    struct buf label = BUF_INIT;
    struct answer_world w;
    char zone[512];
    char *text;

    assert_int_equal(name_from_text(name, "example.", 8, NULL, NULL), OK);
    nsec3_hash(hash, &p, name);
    base32hex_encode(&label, hash, sizeof(hash));
    (void)snprintf(zone, sizeof(zone),
                   "@ 3600 SOA ns.invalid. h 1 2 3 4 5\n@ NS ns.invalid.\n"
                   "@ NSEC3PARAM 1 0 %u -\n%s NSEC3 1 0 %u - %s NS SOA NSEC3PARAM\n",
                   iterations, buf_cstr(&label), iterations, buf_cstr(&label));
    (void)snprintf(digits, 5, "%.4s", buf_cstr(&label));
    for (char *c = digits; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    buf_free(&label);
    w = answer_world_of_text(zone);
    text = ask_text(
        w.a, &(struct ask){
                 .qname = "example.", .qtype = "A", .tcp = true, .edns = true, .dnssec = true});
    answer_world_done(&w);
    return text;
}

static void test_iterations(void **state)
{
    static const unsigned iterations[] = {0, 1, 50, 51, 100, 65535};

    (void)state;
    for (size_t i = 0; i < sizeof(iterations) / sizeof(iterations[0]); i++) {
        char digits[5], proofs[64], want[64];
        char *text = no_type(iterations[i], digits);

        answer_proofs(proofs, sizeof(proofs), text);
        (void)snprintf(want, sizeof(want), iterations[i] <= 50 ? "NOERROR %s" : "NOERROR", digits);
        assert_string_equal(proofs, want);
        assert_non_null(strstr(text, " SOA ")); /* the answer itself is the same */
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iterations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
