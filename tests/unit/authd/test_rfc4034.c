/* RFC 4034 6.1: the canonical order of names decides which NSEC covers one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/answer_cases.h"

/* The list of 6.1, an NSEC each. */
static const char zone[] = "@ 3600 SOA ns.invalid. host 1 2 3 4 5\n@ NS ns.invalid.\n"
                           "@ NSEC a NS SOA RRSIG NSEC\na NSEC yljkjljk.a TXT NSEC\n"
                           "yljkjljk.a NSEC Z.a TXT NSEC\nZ.a NSEC zABC.a TXT NSEC\n"
                           "zABC.a NSEC z TXT NSEC\nz NSEC \\001.z TXT NSEC\n"
                           "\\001.z NSEC *.z TXT NSEC\n*.z NSEC \\200.z TXT NSEC\n"
                           "\\200.z NSEC @ TXT NSEC\n"
                           "a TXT a\nyljkjljk.a TXT b\nZ.a TXT c\nzABC.a TXT d\nz TXT e\n"
                           "\\001.z TXT f\n*.z TXT g\n\\200.z TXT h\n";

static void test_order(void **state)
{
    static const struct answer_case cases[] = {
        {"!.example.", "A", "NXDOMAIN @"}, /* name and wildcard in one span */
        {"\\000.a.example.", "A", "NXDOMAIN a"},
        {"yljkjljj.a.example.", "A", "NXDOMAIN a"},
        {"yljkjljk\\000.a.example.", "A", "NXDOMAIN yljkjljk.a a"},
        {"YLJKJLJK!.A.example.", "A", "NXDOMAIN yljkjljk.A A"}, /* by compression */
        {"x.yljkjljk.a.example.", "A", "NXDOMAIN yljkjljk.a"},
        {"za.a.example.", "A", "NXDOMAIN z.a a"},   /* Z.a: case counts for nothing, */
        {"ZAAA.a.example.", "A", "NXDOMAIN z.a a"}, /* nor does that of the question */
        {"zABCD.a.example.", "A", "NXDOMAIN zabc.a a"},
        {"[.a.example.", "A", "NXDOMAIN a"}, /* 0x5b is before "y", as letters sort as small ones */
        {"_.a.example.", "A", "NXDOMAIN a"}, /* 0x5f */
        {"{.a.example.", "A", "NXDOMAIN zabc.a a"}, /* 0x7b is behind "z" */
        {"y.example.", "A", "NXDOMAIN zabc.a @"},
        {"\\000.z.example.", "MX", "NOERROR z *.z"}, /* the shorter label first */
        {"\\001\\000.z.example.", "MX", "NOERROR \\001.z *.z"},
        {"\\002.z.example.", "MX", "NOERROR \\001.z *.z"},
        {"*\\000.z.example.", "MX", "NOERROR *.z"},
        {"~.z.example.", "MX", "NOERROR *.z"},
        {"\\199.z.example.", "MX", "NOERROR *.z"}, /* octets are unsigned */
        {"\\201.z.example.", "MX", "NOERROR \\200.z *.z"},
        {"\\255.example.", "A", "NXDOMAIN \\200.z @"},
    };

    (void)state;
    answer_check_all_proofs(zone, CASES(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
