/* Commits as octets: docs/journal-format.md sections 3 and 4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"
#include "tests/tools/journal_fixture.h"

static const uint8_t example[] = "\7Example\3COM";
static const struct journal_oid tree = {{0xaa, 1, 2, 3}};
static const struct journal_oid parent = {{0xbb, 4, 5, 6}};
static const struct journal_oid none;

static struct journal_entry plain_entry(void)
{
    return (struct journal_entry){
        .zone = example,
        .has_from = true,
        .from = {41},
        .to = {42},
        .seq = 7,
        .version = 3,
        .added = 3,
        .removed = 1,
        .at = {1790000000},
        .origin = "axfr",
        .who = "192.0.2.1@53",
        .source = "ns1.example.net.",
        .key = "transfer-key.",
        .transport = "tcp",
        .reason = "because",
    };
}

static void test_octets(void **state)
{
    static const char want[] = "tree aa01020300000000000000000000000000000000\n"
                               "parent bb04050600000000000000000000000000000000\n"
                               "author 192.0.2.1@53 <axfr@zoneledger.invalid> 1790000000 +0000\n"
                               "committer node-1 <journal@zoneledger.invalid> 1790000000 +0000\n"
                               "\n"
                               "example.com 41 → 42 (+3 −1)\n"
                               "\n"
                               "Zone: example.com.\n"
                               "Serial: 42\n"
                               "Previous-Serial: 41\n"
                               "Version: 3\n"
                               "Origin: axfr\n"
                               "Source: ns1.example.net.\n"
                               "Key: transfer-key.\n"
                               "Transport: tcp\n"
                               "Reason: because\n"
                               "Seq: 7\n"
                               "Content-Id: aa01020300000000000000000000000000000000\n";
    struct journal_entry en = plain_entry();
    struct buf b = BUF_INIT;

    (void)state;
    commit_encode(&b, &en, "node-1", &parent, &tree);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void test_first_version(void **state)
{
    static const uint8_t root[] = {0};
    static const char want[] = "tree aa01020300000000000000000000000000000000\n"
                               "author unknown <unknown@zoneledger.invalid> 0 +0000\n"
                               "committer unknown <journal@zoneledger.invalid> 0 +0000\n"
                               "\n"
                               ". → 4294967295 (+0 −0) waiting\n"
                               "\n"
                               "Zone: .\n"
                               "Serial: 4294967295\n"
                               "Version: 18446744073709551615\n"
                               "Origin: unknown\n"
                               "Waiting: yes\n"
                               "Seq: 0\n"
                               "Content-Id: aa01020300000000000000000000000000000000\n";
    struct journal_entry en = {
        .zone = root,
        .to = {UINT32_MAX},
        .version = UINT64_MAX,
        .at = {-5},
        .origin = "",
        .who = "",
        .source = "",
        .key = "",
        .transport = "",
        .reason = "",
        .waiting = true,
    };
    struct buf b = BUF_INIT;

    (void)state;
    commit_encode(&b, &en, "", &none, &tree);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void decode_ok(const struct journal_entry *en, const char *node, struct journal_commit *c)
{
    struct buf b = BUF_INIT;
    uint8_t zone[NAME_MAX_OCTETS];
    struct errinfo e = {0};

    commit_encode(&b, en, node, &parent, &tree);
    if (commit_decode(c, zone, b.data, b.len, &e))
        fail_msg("%s:\n%s", e.text, buf_cstr(&b));
    assert_true(name_eq(zone, en->zone));
    buf_free(&b);
}

static void test_round(void **state)
{
    struct journal_entry en = plain_entry();
    struct journal_commit c;

    (void)state;
    decode_ok(&en, "node", &c);
    assert_memory_equal(&c.parent, &parent, sizeof(parent));
    assert_memory_equal(&c.content_id, &tree, sizeof(tree));
    assert_int_equal(c.at.s, 1790000000);
    assert_true(c.has_from);
    assert_int_equal(c.from.v, 41);
    assert_int_equal(c.to.v, 42);
    assert_int_equal(c.seq, 7);
    assert_int_equal(c.version, 3);
    assert_false(c.waiting);
    assert_string_equal(c.author, en.who);
    assert_string_equal(c.origin, en.origin);
    assert_string_equal(c.source, en.source);
    assert_string_equal(c.key, en.key);
    assert_string_equal(c.transport, en.transport);
    assert_string_equal(c.reason, en.reason);
    assert_string_equal(c.subject, "example.com 41 → 42 (+3 −1)");
}

/* Whatever a peer or an operator puts there comes back as it was, and forges nothing. */
static void test_hostile_values(void **state)
{
    static const char *const hostile[] = {
        "x\nSerial: 99",
        "x\r\nSerial: 99",
        "\n\nZone: evil.",
        "root <root@localhost> 1 +0000\ncommitter x",
        "a > b < c",
        "<>",
        " spaces ",
        " ",
        "   ",
        "%",
        "%0A",
        "100%",
        "\x01\x02\x7f\x80\xff",
        "\xc3\xbc ist gut",
        "\xc0\x80",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xf0\x9f\x92\xa9",
        "\xe2\x80\xae"
        "dlrow olleh",
        "\xe2\x80\xa8line",
        "\xc2\x85next",
        "\xef\xbb\xbf"
        "bom",
        "\xc3",
        "gpgsig x\n y",
        "Waiting: yes",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct journal_entry en = plain_entry();
        struct journal_commit c;

        en.who = en.source = en.key = en.reason = hostile[i];
        decode_ok(&en, hostile[i], &c);
        assert_string_equal(c.author, hostile[i]);
        assert_string_equal(c.source, hostile[i]);
        assert_string_equal(c.key, hostile[i]);
        assert_string_equal(c.reason, hostile[i]);
        assert_int_equal(c.to.v, 42);
        assert_false(c.waiting);
        assert_string_equal(c.subject, "example.com 41 → 42 (+3 −1)");
    }
}

static void test_each_octet_in_values(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 256; i++) {
        const char text[] = {'a', (char)i, 'b', (char)i, 0};
        struct journal_entry en = plain_entry();
        struct journal_commit c;

        en.who = en.reason = en.origin = text;
        decode_ok(&en, text, &c);
        assert_string_equal(c.author, text);
        assert_string_equal(c.reason, text);
        assert_string_equal(c.origin, text);
    }
}

static void test_safe_text(void **state)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"a\nb", "a%0Ab"},
        {" a ", "%20a%20"},
        {"50%", "50%25"},
        {"\xc3\xbc", "\xc3\xbc"},
        {"\xff", "%FF"},
        {"\xe2\x80\xae", "%E2%80%AE"},
        {"<a>", "<a>"},
    };
    struct buf b = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        b.len = 0;
        value_escape(&b, cases[i][0], 100, false);
        assert_string_equal(buf_cstr(&b), cases[i][1]);
    }
    b.len = 0;
    value_escape(&b, "<a>", 100, true);
    assert_string_equal(buf_cstr(&b), "%3Ca%3E");
    buf_free(&b);
}

static void test_long_values_are_cut(void **state)
{
    char longer[4000];
    struct journal_entry en = plain_entry();
    struct journal_commit c;

    (void)state;
    memset(longer, '\n', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    en.who = en.origin = en.source = en.key = en.transport = en.reason = longer;
    decode_ok(&en, longer, &c);
    assert_int_equal(strlen(c.author), 127);
    assert_int_equal(strlen(c.origin), 31);
    assert_int_equal(strlen(c.source), 255);
    assert_int_equal(strlen(c.key), 255);
    assert_int_equal(strlen(c.transport), 15);
    assert_int_equal(strlen(c.reason), 511);
}

/* Each of these is one change away from a good commit. */
static void test_strict(void **state)
{
    static const char *const changes[][2] = {
        {"tree aa", "tree AA"},
        {"tree ", "Tree "},
        {"parent bb", "parent b"},
        {"+0000\nc", "+0100\nc"},
        {" 1790000000 +0000\nc", " 1790000001 +0000\nc"},
        {" 1790000000 ", " 01790000000 "},
        {"author 192.0.2.1@53 ", "author "},
        {"\n\nexample", "\nexample"},
        {"\n\nZone", "\nZone"},
        {"Zone: example", "Zone: Example"},
        {"Zone: example.com.", "Zone: example.com"},
        {"Serial: 42\n", ""},
        {"Serial: 42", "Serial: 042"},
        {"Serial: 42", "Serial: 4294967296"},
        {"Serial: 42", "Serial: -1"},
        {"Serial: 42\n", "Serial: 42\nSerial: 42\n"},
        {"Version: 3\n", ""},
        {"Origin: axfr\n", ""},
        {"Key: ", "Kee: "},
        {"Reason: because", "Reason: be%cause"},
        {"Reason: because", "Reason: be%00cause"},
        {"Seq: 7\n", "Waiting: no\nSeq: 7\n"},
        {"Seq: 7", "Seq: 18446744073709551616"},
        {"Seq: 7\n", ""},
        {"Content-Id: aa", "Content-Id: ab"},
        {"Source: ns1.example.net.\nKey: transfer-key.\n",
         "Key: transfer-key.\nSource: ns1.example.net.\n"},
    };
    struct journal_entry en = plain_entry();
    struct buf b = BUF_INIT;
    struct journal_commit c;
    uint8_t zone[NAME_MAX_OCTETS];

    (void)state;
    commit_encode(&b, &en, "node", &parent, &tree);
    assert_int_equal(commit_decode(&c, zone, b.data, b.len, NULL), OK);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const char *text = buf_cstr(&b);
        const char *at = strstr(text, changes[i][0]);
        char *bad;

        assert_non_null(at);
        bad = xasprintf("%.*s%s%s", (int)(at - text), text, changes[i][1],
                        at + strlen(changes[i][0]));
        if (commit_decode(&c, zone, (const uint8_t *)bad, strlen(bad), NULL) != ERR_CORRUPT)
            fail_msg("accepted: %s", bad);
        free(bad);
    }
    for (size_t n = 0; n < b.len; n++) /* cut after every octet */
        assert_int_equal(commit_decode(&c, zone, b.data, n, NULL), ERR_CORRUPT);
    buf_free(&b);
}

/* A signature in the header is passed over. */
static void test_other_headers(void **state)
{
    struct journal_entry en = plain_entry();
    struct buf b = BUF_INIT;
    struct journal_commit c;
    uint8_t zone[NAME_MAX_OCTETS];
    char *at;
    char *with;

    (void)state;
    commit_encode(&b, &en, "node", &parent, &tree);
    at = strstr(buf_cstr(&b), "\n\n");
    with = xasprintf("%.*s\ngpgsig -----BEGIN\n abc\n -----END%s", (int)(at - (char *)b.data),
                     (char *)b.data, at);
    assert_int_equal(commit_decode(&c, zone, (uint8_t *)with, strlen(with), NULL), OK);
    assert_int_equal(c.to.v, 42);
    free(with);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_first_version),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_hostile_values),
        cmocka_unit_test(test_each_octet_in_values),
        cmocka_unit_test(test_safe_text),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_other_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
