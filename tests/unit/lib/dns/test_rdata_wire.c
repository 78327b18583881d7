#include "lib/dns/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rdata_cases.h"

static const char *label(const struct rdata_case *c)
{
    static char whom[2048];
    char name[TYPE_TEXT_MAX];

    type_to_text(name, c->type);
    (void)snprintf(whom, sizeof(whom), "%s %s", name, c->text);
    return whom;
}

/* Reads RDATA of `rdlen` octets at `pos` of a message that has not an octet more than n. */
static enum err read_at(struct buf *out, const uint8_t *msg, size_t n, size_t pos, uint16_t type,
                        size_t rdlen, struct errinfo *e)
{
    uint8_t *exact = exact_copy(msg, n);
    struct reader r = reader_of(exact, n);
    enum err rc;

    r.pos = pos;
    rc = rdata_read(out, &r, type, (uint16_t)rdlen, e);
    assert_int_equal(r.failed, rc != OK);
    if (rc == OK)
        assert_int_equal(r.pos, pos + rdlen);
    free(exact);
    return rc;
}

static enum err check(uint16_t type, const uint8_t *rdata, size_t n)
{
    uint8_t *exact = exact_copy(rdata, n);
    struct errinfo e = {{0}};
    enum err rc = rdata_check(type, exact, n, &e);

    assert_int_equal(e.text[0] != 0, rc != OK);
    free(exact);
    return rc;
}

static void reads_and_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, cases[i].hex);
        struct buf out = BUF_INIT;
        struct errinfo e = {{0}};

        if (check(cases[i].type, wire, n) != OK)
            fail_msg("%s", label(&cases[i]));
        buf_u8(&out, 0xee);
        assert_int_equal(read_at(&out, wire, n, 0, cases[i].type, n, &e), OK);
        assert_int_equal(out.len, n + 1);
        if (n)
            assert_memory_equal(out.data + 1, wire, n);
        buf_free(&out);
    }
}

/* RDATA that the message does not hold to its end. */
static void cut_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, cases[i].hex);
        struct buf out = BUF_INIT;
        struct errinfo e = {{0}};

        for (size_t cut = 0; cut < n; cut++) {
            assert_int_equal(read_at(&out, wire, cut, 0, cases[i].type, n, &e), ERR_FORMAT);
            assert_non_null(strstr(e.text, "cut off"));
            assert_int_equal(out.len, 0);
        }
        buf_free(&out);
    }
}

/* Whether RDATA of this type ends in octets of any number, so that fewer or more may be right. */
static bool open_ended(uint16_t type)
{
    static const uint16_t types[] = {
        RR_NULL, RR_WKS,        RR_TXT,  RR_NSAP, RR_SIG,   RR_KEY,    RR_EID,    RR_NIMLOC,
        RR_ATMA, RR_CERT,       RR_SINK, RR_DS,   RR_SSHFP, RR_RRSIG,  RR_DNSKEY, RR_DHCID,
        RR_TLSA, RR_SMIMEA,     RR_CDS,  RR_RKEY, RR_NINFO, RR_ZONEMD, RR_SPF,    RR_CDNSKEY,
        RR_URI,  RR_OPENPGPKEY, RR_CAA,  RR_AVC,  RR_DOA,   RR_WALLET, RR_TA,     RR_RESINFO,
        RR_DLV,  RR_IPSECKEY,   RR_NXT,  65280};

    for (size_t i = 0; i < COUNT(types); i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

/* Types whose RDATA is a list: it may end, or go on, at certain octets only. */
static bool is_list(uint16_t type)
{
    static const uint16_t types[] = {RR_ISDN, RR_APL,   RR_NSEC, RR_NSEC3,
                                     RR_HIP,  RR_CSYNC, RR_SVCB, RR_HTTPS};

    for (size_t i = 0; i < COUNT(types); i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

static void rdata_with_an_octet_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, cases[i].hex);

        for (size_t cut = 0; cut < n; cut++) {
            struct buf out = BUF_INIT;
            struct errinfo e = {{0}};
            enum err rc = check(cases[i].type, wire, cut);

            if (rc == OK && !open_ended(cases[i].type) && !is_list(cases[i].type))
                fail_msg("%zu octets pass: %s", cut, label(&cases[i]));
            /* Nothing behind the RDATA is read, though it is there. */
            assert_int_equal(read_at(&out, wire, n, 0, cases[i].type, cut, &e), rc);
            buf_free(&out);
        }
    }
}

static void rdata_with_an_octet_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, cases[i].hex);
        bool is_name = cases[i].type == RR_HIP;

        if (open_ended(cases[i].type))
            continue;
        for (unsigned octet = 0; octet < 256; octet++) {
            wire[n] = (uint8_t)octet;
            if (is_name && octet == 0)
                continue; /* the root as one more rendezvous server */
            if (cases[i].type == RR_ISDN && octet == 0)
                continue; /* an empty subaddress */
            if (check(cases[i].type, wire, n + 1) == OK)
                fail_msg("and %u: %s", octet, label(&cases[i]));
        }
    }
}

/* ---- Names in RDATA ---- */

/* RFC 3597 4: these must be read compressed; only the first list may be written so. */
static const uint16_t compressible[] = {RR_NS, RR_MD, RR_MF,  RR_CNAME, RR_SOA, RR_MB,
                                        RR_MG, RR_MR, RR_PTR, RR_MINFO, RR_MX};
static const uint16_t expandable[] = {RR_RP, RR_AFSDB, RR_RT,  RR_SIG,
                                      RR_PX, RR_NXT,   RR_SRV, RR_NAPTR};

static bool listed(uint16_t type, const uint16_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == type)
            return true;
    }
    return false;
}

struct squeeze {
    const uint8_t *rdata;
    struct buf *out;
    size_t done;
    unsigned names;
    uint16_t type;
};

/* Each name becomes a label "x" of its own and a pointer to the question's name. */
static void put_compressed(void *ctx, size_t offset, const uint8_t *name, bool may)
{
    struct squeeze *s = ctx;

    assert_ptr_equal(name, s->rdata + offset);
    assert_int_equal(may, listed(s->type, compressible, COUNT(compressible)));
    buf_put(s->out, s->rdata + s->done, offset - s->done);
    buf_put(s->out, "\1x\xc0\0", 4);
    s->done = offset + name_len(name);
    s->names++;
}

static void put_expanded(void *ctx, size_t offset, const uint8_t *name, bool may)
{
    struct squeeze *s = ctx;

    (void)may;
    buf_put(s->out, s->rdata + s->done, offset - s->done);
    buf_put(s->out, "\1x\3Net", 7);
    s->done = offset + name_len(name);
}

static void compressed_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint16_t type = cases[i].type;
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, cases[i].hex);
        struct buf msg = BUF_INIT;
        struct buf want = BUF_INIT;
        struct buf out = BUF_INIT;
        struct squeeze s = {.rdata = wire, .out = &msg, .type = type};
        struct squeeze x = {.rdata = wire, .out = &want, .type = type};
        struct errinfo e = {{0}};
        bool may = listed(type, compressible, COUNT(compressible)) ||
                   listed(type, expandable, COUNT(expandable));
        enum err rc;

        buf_put(&msg, "\3Net", 5);
        rdata_each_name(type, wire, n, put_compressed, &s);
        buf_put(&msg, wire + s.done, n - s.done);
        rdata_each_name(type, wire, n, put_expanded, &x);
        buf_put(&want, wire + x.done, n - x.done);
        rc = read_at(&out, msg.data, msg.len, 5, type, msg.len - 5, &e);
        if (s.names > 0 && (rc == OK) != may)
            fail_msg("%s: %s", label(&cases[i]), e.text);
        if (s.names > 0 && may) {
            assert_int_equal(out.len, want.len);
            assert_memory_equal(out.data, want.data, want.len);
            /* A pointer has no place where RDATA is uncompressed. */
            assert_int_equal(check(type, msg.data + 5, msg.len - 5), ERR_FORMAT);
        }
        buf_free(&msg);
        buf_free(&want);
        buf_free(&out);
    }
}

static void expanded_rdata_has_a_bound(void **state)
{
    static uint8_t msg[12 + 65535];
    struct buf out = BUF_INIT;
    struct errinfo e = {{0}};

    (void)state;
    memcpy(msg, "\7example\3net", 13);
    msg[13 + 18] = 0xc0; /* SIG: 18 octets, the signer, the signature */
    assert_int_equal(read_at(&out, msg, 13 + 65524, 13, RR_SIG, 65524, &e), OK);
    assert_int_equal(out.len, 65535);
    assert_int_equal(read_at(&out, msg, 13 + 65525, 13, RR_SIG, 65525, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "when expanded"));
    assert_int_equal(out.len, 65535);
    buf_free(&out);
}

/* ---- What is malformed ---- */

static const struct {
    uint16_t type;
    const char *hex;
    const char *why;
} malformed[] = {
    {RR_A, "", "A record: field 1: it is too short"},
    {RR_NS, "0161", "field 1: a name"},
    {RR_NS, "c000", "name"},
    {RR_NS, "410000", "name"},
    {RR_TXT, "", "too short"},
    {RR_TXT, "0261", "too short"},
    {RR_CNAME, "01610061", "left over"},
    {RR_WKS, "c0000201", "too short"},
    {RR_NSAP, "", "too short"},
    {RR_NXT, "00", "bitmap"},
    {RR_NXT, "0000", "bitmap"},
    {RR_NXT, "004000", "bitmap"},
    {RR_NXT, "0080", "bitmap"},
    {RR_NXT, "000000000000000000000000000000000001", "bitmap"},
    {RR_LOC, "01121613800000008000000000989680", "version"},
    {RR_LOC, "00a21613800000008000000000989680", "size"},
    {RR_LOC, "00121a13800000008000000000989680", "size"},
    {RR_LOC, "0012161f800000008000000000989680", "size"},
    {RR_A6, "81", "above 128"},
    {RR_A6, "4000000000000001", "too short"},
    {RR_A6, "400000000000000001", "name"},
    {RR_APL, "0001210400000001", "prefix"},
    {RR_APL,
     "0001200500000000"
     "01",
     "prefix"},
    {RR_APL, "0001180400000000", "prefix"},
    {RR_APL, "00028100", "prefix is malformed"},
    {RR_APL, "000118", "prefix"},
    {RR_IPSECKEY, "0a0402c0000201", "gateway"},
    {RR_IPSECKEY, "0a0102c00002", "too short"},
    {RR_AMTRELAY, "0a04", "gateway"},
    {RR_AMTRELAY, "0a84", "gateway"},
    {RR_AMTRELAY, "0a0000", "left over"},
    {RR_HIP, "0002000161", "empty"},
    {RR_HIP, "0102000061", "empty"},
    {RR_HIP, "0102000261", "too short"},
    {RR_NSEC, "00000100", "bitmap"},
    {RR_NSEC, "000000", "bitmap"},
    {RR_NSEC,
     "000021"
     "000000000000000000000000000000000000000000000000000000000000000001",
     "bitmap"},
    {RR_NSEC,
     "00"
     "000140"
     "000140",
     "bitmap"},
    {RR_NSEC,
     "00"
     "010140"
     "000140",
     "bitmap"},
    {RR_NSEC, "0000024000", "bitmap"},
    {RR_NSEC3,
     "01000000"
     "00"
     "00",
     "hash is empty"},
    {RR_NSEC3, "0100000002aa", "too short"},
    {RR_NSEC3PARAM, "0100000001", "too short"},
    {RR_NSEC3PARAM, "0100000000aa", "left over"},
    {RR_CAA, "0000", "tag"},
    {RR_CAA, "00026100", "tag"},
    {RR_CAA, "0001ff", "tag"},
    {RR_CAA, "000361", "tag"},
    {RR_SVCB, "00010000010001", "too short"},
    {RR_SVCB, "0001000001", "too short"},
    {RR_SVCB,
     "000100"
     "00030002"
     "0035"
     "00010003"
     "026832",
     "not in order"},
    {RR_SVCB,
     "000100"
     "00030002"
     "0035"
     "00030002"
     "0035",
     "stands twice"},
    {RR_SVCB,
     "000100"
     "00000000",
     "value"},
    {RR_SVCB,
     "000100"
     "00000001"
     "00",
     "value"},
    {RR_SVCB,
     "000100"
     "00000002"
     "0003",
     "value"},
    {RR_SVCB,
     "000100"
     "00000002"
     "0000",
     "value"},
    {RR_SVCB,
     "000100"
     "00000004"
     "00040003"
     "00030002"
     "0035"
     "00040004"
     "c0000201",
     "value"},
    {RR_SVCB,
     "000100"
     "00010000",
     "value"},
    {RR_SVCB,
     "000100"
     "00010001"
     "00",
     "value"},
    {RR_SVCB,
     "000100"
     "00010002"
     "0261",
     "value"},
    {RR_SVCB,
     "000100"
     "00020000",
     "without alpn"},
    {RR_SVCB,
     "000100"
     "00030001"
     "00",
     "value"},
    {RR_SVCB,
     "000100"
     "00030003"
     "000000",
     "value"},
    {RR_SVCB,
     "000100"
     "00040000",
     "value"},
    {RR_SVCB,
     "000100"
     "00040003"
     "c00002",
     "value"},
    {RR_SVCB,
     "000100"
     "00050000",
     "value"},
    {RR_SVCB,
     "000100"
     "00060004"
     "c0000201",
     "value"},
    {RR_SVCB,
     "000100"
     "00080001"
     "00",
     "value"},
    {RR_SVCB,
     "000100"
     "ffff0000",
     "value"},
    {RR_SVCB, "0001c000", "name"},
    {RR_EUI48, "00005e00532a00", "left over"},
    {RR_OPENPGPKEY, "", "too short"},
    {RR_DHCID, "", "too short"},
};

static void malformed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        uint8_t wire[CASE_WIRE_MAX];
        size_t n = unhex(wire, malformed[i].hex);
        uint8_t *exact = exact_copy(wire, n);
        struct errinfo e = {{0}};
        struct buf out = BUF_INIT;

        if (rdata_check(malformed[i].type, exact, n, &e) != ERR_FORMAT ||
            !strstr(e.text, malformed[i].why))
            fail_msg("type %u %s: \"%s\"", malformed[i].type, malformed[i].hex, e.text);
        assert_int_equal(rdata_check(malformed[i].type, exact, n, NULL), ERR_FORMAT);
        assert_int_equal(read_at(&out, wire, n, 0, malformed[i].type, n, &e), ERR_FORMAT);
        assert_int_equal(out.len, 0);
        buf_free(&out);
        free(exact);
    }
}

/* Every type on any octets: whatever is accepted can be gone through, folded and compared. */
static void any_octets(void **state)
{
    uint32_t seed = 7;

    (void)state;
    for (unsigned i = 0; i < 60000; i++) {
        uint16_t type = (uint16_t)(i % 264 ? i % 264 : RR_DLV);
        uint8_t a[64];
        size_t n = 0;
        struct buf out = BUF_INIT;
        struct buf text = BUF_INIT;

        for (size_t max = i / 264 % 64; n < max; n++) {
            seed = seed * 1664525u + 1013904223u;
            a[n] = (uint8_t)(seed >> 30 ? seed >> 24 & 3 : seed >> 20);
        }
        (void)check(type, a, n);
        {
            uint8_t *exact = exact_copy(a, n);

            rdata_canonical(&out, type, exact, n);
            assert_int_equal(out.len, n);
            assert_int_equal(rdata_cmp(type, exact, n, out.data, out.len), 0);
            rdata_to_text(&text, type, exact, n);
            assert_true(text.len > 0);
            free(exact);
        }
        buf_free(&out);
        buf_free(&text);
    }
}

/* ---- Canonical form and order ---- */

static const struct {
    uint16_t type;
    const char *text;
    const char *canonical;
} canonical[] = {
    {RR_NS, "A.B.", "a.b."},
    {RR_MD, "A.", "a."},
    {RR_MF, "A.", "a."},
    {RR_CNAME, "A.", "a."},
    {RR_SOA, "A. B. 1 2 3 4 5", "a. b. 1 2 3 4 5"},
    {RR_MB, "A.", "a."},
    {RR_MG, "A.", "a."},
    {RR_MR, "A.", "a."},
    {RR_PTR, "A.", "a."},
    {RR_MINFO, "A. B.", "a. b."},
    {RR_MX, "65 A.", "65 a."}, /* 65 is 'A' */
    {RR_RP, "A. B.", "a. b."},
    {RR_AFSDB, "1 A.", "1 a."},
    {RR_RT, "1 A.", "1 a."},
    {RR_SIG, "A 65 65 65 19700101000005 19700101000006 65 A. QUFB",
     "A 65 65 65 19700101000005 19700101000006 65 a. QUFB"},
    {RR_PX, "1 A. B.", "1 a. b."},
    {RR_NXT, "A. A", "a. A"},
    {RR_NAPTR, "1 2 A B C D.", "1 2 A B C d."},
    {RR_KX, "1 A.", "1 a."},
    {RR_SRV, "1 2 3 A.", "1 2 3 a."},
    {RR_DNAME, "A.", "a."},
    {RR_A6, "64 ::4141:0:0:41 A.", "64 ::4141:0:0:41 a."},
    {RR_RRSIG, "A 65 65 65 19700101000005 19700101000006 65 A. QUFB",
     "A 65 65 65 19700101000005 19700101000006 65 a. QUFB"},
    /* RFC 6840 5.1: not NSEC; and none of the types that came later, nor those without names */
    {RR_NSEC, "A. A", "A. A"},
    {RR_HINFO, "A B", "A B"},
    {RR_TXT, "A", "A"},
    {RR_NSAP_PTR, "A.", "A."},
    {RR_HIP, "2 41 QUFB A.", "2 41 QUFB A."},
    {RR_IPSECKEY, "1 3 2 A. QUFB", "1 3 2 A. QUFB"},
    {RR_AMTRELAY, "1 0 3 A.", "1 0 3 A."},
    {RR_LP, "1 A.", "1 A."},
    {RR_TALINK, "A. B.", "A. B."},
    {RR_SVCB, "1 A.", "1 A."},
    {RR_HTTPS, "1 A.", "1 A."},
    {RR_DSYNC, "CDS 1 5 A.", "CDS 1 5 A."},
    {RR_CAA, "0 Issue A", "0 Issue A"},
    {65280, "\\# 3 014100", "\\# 3 014100"},
};

static void canonical_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(canonical); i++) {
        uint16_t type = canonical[i].type;
        struct buf in = BUF_INIT;
        struct buf want = BUF_INIT;
        struct buf out = BUF_INIT;

        assert_int_equal(
            rdata_from_text(&in, type, canonical[i].text, strlen(canonical[i].text), NULL, NULL),
            OK);
        assert_int_equal(rdata_from_text(&want, type, canonical[i].canonical,
                                         strlen(canonical[i].canonical), NULL, NULL),
                         OK);
        rdata_canonical(&out, type, in.data, in.len);
        assert_int_equal(out.len, want.len);
        if (memcmp(out.data, want.data, want.len) != 0)
            fail_msg("type %u", type);
        assert_int_equal(rdata_cmp(type, in.data, in.len, want.data, want.len), 0);
        buf_free(&in);
        buf_free(&want);
        buf_free(&out);
    }
}

static const struct {
    uint16_t type;
    const char *low, *high;
} order[] = {
    {RR_A, "10.0.0.1", "192.0.2.1"},
    {RR_A, "127.0.0.1", "128.0.0.1"},
    {RR_TXT, "a", "b"},
    {RR_TXT, "z", "aa"}, /* the length octet is the first */
    {RR_TXT, "a", "a b"},
    {RR_TXT, "A", "a"},
    {RR_NS, "a.", "b."},
    {RR_NS, "A.", "b."},
    {RR_NS, "a.", "B."},
    {RR_NS, "[.", "A."}, /* '[' lies between the capitals and the others */
    {RR_NS, "b.", "aa."},
    {RR_NS, "a.", "a.b."},
    {RR_MX, "1 Z.", "2 a."},
    {RR_MX, "65 a.", "97 A."},
    {RR_SOA, "A. B. 1 2 3 4 5", "a. b. 1 2 3 4 6"},
    {RR_NSEC, "A. A", "a. A"},
    {RR_APL, "\\# 0", "1:0.0.0.0/0"},
    {65280, "\\# 0", "\\# 1 00"},
    {65280, "\\# 1 41", "\\# 1 61"},
};

static void order_of_rdata(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(order); i++) {
        uint16_t type = order[i].type;
        struct buf a = BUF_INIT;
        struct buf b = BUF_INIT;

        assert_int_equal(rdata_from_text(&a, type, order[i].low, strlen(order[i].low), NULL, NULL),
                         OK);
        assert_int_equal(
            rdata_from_text(&b, type, order[i].high, strlen(order[i].high), NULL, NULL), OK);
        if (rdata_cmp(type, a.data, a.len, b.data, b.len) >= 0 ||
            rdata_cmp(type, b.data, b.len, a.data, a.len) <= 0)
            fail_msg("%s, %s", order[i].low, order[i].high);
        assert_int_equal(rdata_cmp(type, a.data, a.len, a.data, a.len), 0);
        buf_free(&a);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_checks),         cmocka_unit_test(cut_messages),
        cmocka_unit_test(rdata_with_an_octet_less), cmocka_unit_test(rdata_with_an_octet_more),
        cmocka_unit_test(compressed_names),         cmocka_unit_test(expanded_rdata_has_a_bound),
        cmocka_unit_test(malformed_is_refused),     cmocka_unit_test(any_octets),
        cmocka_unit_test(canonical_forms),          cmocka_unit_test(order_of_rdata),
    };

    return cmocka_run_group_tests_name("rdata wire", tests, NULL, NULL);
}
