/* ZONEMD: the example zones of RFC 8976 appendix A, and each way in which one may not fit. What
 * other software makes and says of it is in tests/integration/test_zone_checks.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/base/encode.h"
#include "lib/zone/zone_digest.h"
#include "tests/unit/lib/zone/zone_util.h"

#define APEX N("\7example")
#define SOA "@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n"
#define NS "@ 86400 NS ns1\n@ 86400 NS ns2\n"
#define GLUE "ns1 3600 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n"
#define MD "@ 86400 ZONEMD 2018031900 "
#define SIMPLE384                                                                                  \
    "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9"                             \
    "a9713b3c9ae5cc27777f98b8e730044c"

/* A.2: but for the record outside the zone, which no zone here can have. */
#define COMPLEX_RECORDS                                                                            \
    SOA NS "ns1 3600 A 203.0.113.63\nNS2 3600 AAAA 2001:db8::63\n"                                 \
           "occluded.sub 7200 TXT \"I'm occluded but must be digested\"\n"                         \
           "sub 7200 NS ns1\n"                                                                     \
           "duplicate 300 TXT \"I must be digested just once\"\n"                                  \
           "duplicate 300 TXT \"I must be digested just once\"\n"                                  \
           "UPPERCASE 3600 TXT \"canonicalize uppercase owner names\"\n"                           \
           "* 777 PTR dont-forget-about-wildcards\n"                                               \
           "mail 3600 MX 20 MAIL1\n"                                                               \
           "mail 3600 MX 10 Mail2.Example.\n"                                                      \
           "sortme 3600 AAAA 2001:db8::5:61\n"                                                     \
           "sortme 3600 AAAA 2001:db8::3:62\n"                                                     \
           "sortme 3600 AAAA 2001:db8::4:63\n"                                                     \
           "sortme 3600 AAAA 2001:db8::1:65\n"                                                     \
           "sortme 3600 AAAA 2001:db8::2:64\n"                                                     \
           "non-apex 900 ZONEMD 2018031900 1 1 "                                                   \
           "616c6c6f776564206275742069676e6f7265642e20616c6c"                                      \
           "6f776564206275742069676e6f7265642e20616c6c6f7765\n"
#define COMPLEX384                                                                                 \
    "a3b69bad980a3504e1cffcb0fd6397f93848071c93151f55"                                             \
    "2ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe"

#define MULTI_RECORDS                                                                              \
    SOA NS "ns1 3600 A 203.0.113.63\nns2 86400 TXT \"This example has multiple digests\"\n"        \
           "NS2 3600 AAAA 2001:db8::63\n"
#define MULTI384                                                                                   \
    "62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637"                                             \
    "493daaf401c92c279dd10f0edb1c56f8080211f8480ee306"
#define MULTI512                                                                                   \
    "08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a"                             \
    "4e114d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27"
#define MULTI_OTHERS                                                                               \
    MD "1 240 e2d523f654b9422a96c5a8f44607bbee\n" MD                                               \
       "241 1 e1846540e33a9e4189792d18d5d131f605fc283e\n"

static void expect(const char *text, enum zone_digest_result want, const char *word)
{
    char reason[ZONE_DIGEST_REASON_MAX];
    struct zone *z = zone_of(text, APEX);

    assert_int_equal(zone_digest_verify(z, reason), want);
    if (!strstr(reason, word))
        fail_msg("'%s' is not in '%s'", word, reason);
    zone_unref(z);
}

static void assert_digest(const char *text, uint8_t hash, const char *hex)
{
    struct zone *z = zone_of(text, APEX);
    uint8_t digest[ZONE_DIGEST_MAX];
    struct buf out = BUF_INIT;

    hex_encode(&out, digest, zone_digest(digest, z, hash));
    assert_string_equal(buf_cstr(&out), hex);
    buf_free(&out);
    zone_unref(z);
}

static void test_the_examples_of_the_rfc(void **state)
{
    (void)state;
    expect(SOA NS GLUE MD "1 1 " SIMPLE384 "\n", ZONE_DIGEST_OK, "SHA-384");
    expect(COMPLEX_RECORDS MD "1 1 " COMPLEX384 "\n", ZONE_DIGEST_OK, "SHA-384");
    expect(MULTI_RECORDS MULTI_OTHERS MD "1 1 " MULTI384 "\n" MD "1 2 " MULTI512 "\n",
           ZONE_DIGEST_OK, "SHA-384");
    expect(MULTI_RECORDS MULTI_OTHERS MD "1 2 " MULTI512 "\n", ZONE_DIGEST_OK, "SHA-512");
}

static void test_digests_by_themselves(void **state)
{
    struct zone *z = zone_of(SOA NS GLUE, APEX);
    uint8_t digest[ZONE_DIGEST_MAX];

    (void)state;
    assert_digest(SOA NS GLUE, ZONEMD_SHA384, SIMPLE384);
    assert_digest(MULTI_RECORDS MULTI_OTHERS, ZONEMD_SHA384, MULTI384);
    assert_digest(MULTI_RECORDS MULTI_OTHERS, ZONEMD_SHA512, MULTI512);
    assert_int_equal(zone_digest(digest, z, 3), 0);
    zone_unref(z);
}

static void test_none(void **state)
{
    (void)state;
    expect(SOA NS GLUE, ZONE_DIGEST_NONE, "no ZONEMD");
    expect(SOA NS GLUE "sub 86400 ZONEMD 2018031900 1 1 " SIMPLE384 "\n", ZONE_DIGEST_NONE,
           "no ZONEMD");
}

static void test_a_changed_zone(void **state)
{
    (void)state;
    expect(SOA NS GLUE "new 60 A 192.0.2.1\n" MD "1 1 " SIMPLE384 "\n", ZONE_DIGEST_MISMATCH,
           "does not have the SHA-384");
    expect(SOA NS "ns1 3601 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n" MD "1 1 " SIMPLE384 "\n",
           ZONE_DIGEST_MISMATCH, "does not have the SHA-384"); /* a TTL counts */
    expect(SOA NS GLUE MD "1 1 " SIMPLE384 "00\n", ZONE_DIGEST_MISMATCH, "49 octets");
    expect(SOA NS GLUE MD "1 1 c68090d90a7aed716bc459f9\n", ZONE_DIGEST_MISMATCH, "12 octets");
}

static void test_one_that_fits_is_enough(void **state)
{
    (void)state;
    expect(MULTI_RECORDS MD "1 1 " SIMPLE384 "\n" MD "1 2 " MULTI512 "\n", ZONE_DIGEST_OK,
           "SHA-512");
}

static void test_another_serial(void **state)
{
    (void)state;
    expect(SOA NS GLUE "@ 86400 ZONEMD 2018031899 1 1 " SIMPLE384 "\n", ZONE_DIGEST_SERIAL,
           "for serial 2018031899, and the SOA has 2018031900");
}

static void test_unknown_schemes_and_hashes(void **state)
{
    (void)state;
    expect(SOA NS GLUE MULTI_OTHERS, ZONE_DIGEST_UNSUPPORTED, "not known");
    /* What is known says more. */
    expect(SOA NS GLUE MULTI_OTHERS MD "1 1 " MULTI384 "\n", ZONE_DIGEST_MISMATCH, "SHA-384");
}

static void test_two_for_the_same(void **state)
{
    (void)state;
    expect(SOA NS GLUE MD "1 1 " SIMPLE384 "\n" MD "1 1 " MULTI384 "\n", ZONE_DIGEST_DUPLICATES,
           "two ZONEMD for scheme 1 and hash 1");
    expect(SOA NS GLUE MD "1 1 " SIMPLE384 "\n" MD "1 240 00\n" MD "1 240 01\n",
           ZONE_DIGEST_DUPLICATES, "hash 240");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_examples_of_the_rfc),
        cmocka_unit_test(test_digests_by_themselves),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_a_changed_zone),
        cmocka_unit_test(test_one_that_fits_is_enough),
        cmocka_unit_test(test_another_serial),
        cmocka_unit_test(test_unknown_schemes_and_hashes),
        cmocka_unit_test(test_two_for_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
