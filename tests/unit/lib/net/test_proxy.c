#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/proxy.h"

#define SIG "\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a"
#define V4                                                                                         \
    "\xc0\x00\x02\x01\xc6\x33\x64\x07\x10\x01\x00\x35" /* 192.0.2.1@4097, 198.51.100.7@53          \
                                                        */
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"                             \
    "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xff\xff\x03\x55"
#define MAPPED                                                                                     \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x09"                             \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x0a\x00\x01\x00\x02"
#define LOTS "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

struct sample {
    const char *name;
    const char *octets;
    size_t len;
    enum proxy_verdict verdict;
    size_t header_len;
    const char *source, *destination; /* NULL: local */
};

#define OCTETS(s) (s), sizeof(s) - 1

static const struct sample cases[] = {
    {"udp4", OCTETS(SIG "\x21\x12\x00\x0c" V4 "query"), PROXY_WHOLE, 28, "192.0.2.1@4097",
     "198.51.100.7@53"},
    {"tcp4 in a datagram, or the reverse, is the balancer's business",
     OCTETS(SIG "\x21\x11\x00\x0c" V4), PROXY_WHOLE, 28, "192.0.2.1@4097", "198.51.100.7@53"},
    {"tcp6", OCTETS(SIG "\x21\x21\x00\x24" V6), PROXY_WHOLE, 52, "2001:db8::1@65535",
     "2001:db8::2@853"},
    {"udp6", OCTETS(SIG "\x21\x22\x00\x24" V6 "xyz"), PROXY_WHOLE, 52, "2001:db8::1@65535",
     "2001:db8::2@853"},
    {"a mapped address is an IPv4 one", OCTETS(SIG "\x21\x22\x00\x24" MAPPED), PROXY_WHOLE, 52,
     "192.0.2.9@1", "192.0.2.10@2"},
    {"TLVs are skipped", OCTETS(SIG "\x21\x12\x00\x13" V4 "\x04\x00\x04wxyz"), PROXY_WHOLE, 35,
     "192.0.2.1@4097", "198.51.100.7@53"},
    {"so are broken TLVs", OCTETS(SIG "\x21\x12\x00\x0f" V4 "\x04\xff\xff"), PROXY_WHOLE, 31,
     "192.0.2.1@4097", "198.51.100.7@53"},
    {"local", OCTETS(SIG "\x20\x00\x00\x00"), PROXY_WHOLE, 16, NULL, NULL},
    {"local with addresses, which don't count", OCTETS(SIG "\x20\x12\x00\x0c" V4), PROXY_WHOLE, 28,
     NULL, NULL},
    {"nothing yet", OCTETS(""), PROXY_MORE, 0, NULL, NULL},
    {"half a signature", OCTETS("\x0d\x0a\x0d\x0a\x00"), PROXY_MORE, 0, NULL, NULL},
    {"half a header", OCTETS(SIG "\x21\x12\x00\x0c\xc0"), PROXY_MORE, 0, NULL, NULL},
    {"version 1", OCTETS("PROXY TCP4 192.0.2.1 198.51.100.7 4097 53\r\n"), PROXY_BAD, 0, NULL,
     NULL},
    {"a query", OCTETS("\x00\x1d\x12\x34\x00\x00"), PROXY_BAD, 0, NULL, NULL},
    {"a ClientHello", OCTETS("\x16\x03\x01"), PROXY_BAD, 0, NULL, NULL},
    {"a wrong octet late in the signature", OCTETS("\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIZ"), PROXY_BAD,
     0, NULL, NULL},
    {"version 3", OCTETS(SIG "\x31\x12\x00\x0c" V4), PROXY_BAD, 0, NULL, NULL},
    {"version 1 in binary", OCTETS(SIG "\x11\x12\x00\x0c" V4), PROXY_BAD, 0, NULL, NULL},
    {"an unknown command", OCTETS(SIG "\x22\x12\x00\x0c" V4), PROXY_BAD, 0, NULL, NULL},
    {"nobody named", OCTETS(SIG "\x21\x00\x00\x00"), PROXY_BAD, 0, NULL, NULL},
    {"no protocol", OCTETS(SIG "\x21\x10\x00\x0c" V4), PROXY_BAD, 0, NULL, NULL},
    {"an unknown protocol", OCTETS(SIG "\x21\x13\x00\x0c" V4), PROXY_BAD, 0, NULL, NULL},
    {"an unknown family", OCTETS(SIG "\x21\x42\x00\x0c" V4), PROXY_BAD, 0, NULL, NULL},
    {"a Unix socket", OCTETS(SIG "\x21\x31\x00\x10" LOTS), PROXY_BAD, 0, NULL, NULL},
    {"too short for IPv4", OCTETS(SIG "\x21\x12\x00\x0b" V4), PROXY_BAD, 0, NULL, NULL},
    {"too short for IPv6", OCTETS(SIG "\x21\x22\x00\x23" V6), PROXY_BAD, 0, NULL, NULL},
    {"too long for us", OCTETS(SIG "\x21\x12\x03\xf1" V4), PROXY_BAD, 0, NULL, NULL},
    {"64 KiB promised", OCTETS(SIG "\x21\x12\xff\xff" V4), PROXY_BAD, 0, NULL, NULL},
};

static void headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sample *c = &cases[i];
        uint8_t *exact = xmemdup(c->octets, c->len);
        struct proxy_header h = {.len = 0};
        enum proxy_verdict v = proxy_parse(&h, exact, c->len);
        char text[ADDR_TEXT_MAX];

        free(exact);
        if (v != c->verdict)
            fail_msg("%s: verdict %d", c->name, (int)v);
        assert_int_equal(h.len, c->header_len);
        if (v != PROXY_WHOLE)
            continue;
        assert_int_equal(h.local, c->source == NULL);
        if (h.local)
            continue;
        addr_to_text(text, &h.source);
        assert_string_equal(text, c->source);
        addr_to_text(text, &h.destination);
        assert_string_equal(text, c->destination);
    }
}

/* A whole header cut anywhere is one that needs more; and the longest that we take is taken. */
static void cut_and_long(void **state)
{
    static const char begin[] = SIG "\x21\x12\x03\xf0" V4;
    uint8_t p[PROXY_HEADER_MAX] = {0};
    struct proxy_header h;

    (void)state;
    memcpy(p, begin, sizeof(begin) - 1);
    for (size_t n = 0; n < sizeof(p); n++) {
        assert_int_equal(proxy_parse(&h, p, n), PROXY_MORE);
        assert_int_equal(proxy_missing(p, n), n < 16 ? 16 - n : sizeof(p) - n);
    }
    assert_int_equal(proxy_parse(&h, p, sizeof(p)), PROXY_WHOLE);
    assert_int_equal(h.len, sizeof(p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(cut_and_long)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
