/* Sequences of an incremental transfer from serial 10, as strings of records behind the opening
 * SOA: a..d   the zone's SOA with serial 10 .. 13      e  like c, with another refresh f      a SOA
 * below the apex 0..9   an A record each                          o  outside the zone The transfer
 * opens with c (serial 12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "syncd/ixfr.h"

static const uint8_t apex[] = "\7example";
static const uint8_t below[] = "\3sub\7example";
static const uint8_t outside[] = "\5other";

static struct rr record(struct buf *rdata, char kind)
{
    struct rr rr = {.owner = apex, .rclass = CLASS_IN, .ttl = 300, .type = RR_SOA};
    char text[80];

    if (kind >= 'a' && kind <= 'f') {
        int serial = kind == 'e' ? 12 : kind == 'f' ? 11 : 10 + kind - 'a';

        (void)snprintf(text, sizeof(text), "ns.example. host.example. %d %d 900 9000 300", serial,
                       kind == 'e' ? 7201 : 7200);
        if (kind == 'f')
            rr.owner = below;
    } else {
        (void)snprintf(text, sizeof(text), "192.0.2.%d", kind == 'o' ? 99 : kind - '0');
        rr.type = RR_A;
        rr.owner = kind == 'o' ? outside : below;
    }
    rdata->len = 0;
    assert_int_equal(rdata_from_text(rdata, rr.type, text, strlen(text), apex, NULL), OK);
    rr.rdata = rdata->data;
    rr.rdata_len = (uint16_t)rdata->len;
    return rr;
}

/* Feeds all records; none but the last may be a fault. */
static enum ixfr_step run(struct ixfr **out, const char *records, struct errinfo *e)
{
    struct buf rdata = BUF_INIT;
    struct rr goal = record(&rdata, 'c');
    struct ixfr *x = ixfr_new(apex, (struct serial){10}, &goal);
    enum ixfr_step step = IXFR_MORE;

    for (; *records; records++) {
        struct rr rr = record(&rdata, *records);

        assert_int_not_equal(step, IXFR_FAULT);
        step = ixfr_feed(x, &rr, e);
    }
    buf_free(&rdata);
    *out = x;
    return step;
}

static void test_streams(void **state)
{
    static const struct {
        const char *records;
        enum ixfr_step last;
        const char *says;
    } table[] = {
        {"a1c2c", IXFR_DONE, NULL},
        {"acc", IXFR_DONE, NULL},
        {"a1b2b2c3c", IXFR_DONE, NULL},
        {"a12c34c", IXFR_DONE, NULL},
        {"a1c1c", IXFR_DONE, NULL}, /* goes and comes; whether it is there, zone_apply looks */
        {"a1b1b1c1c", IXFR_DONE, NULL},
        {"a1c2", IXFR_MORE, NULL},
        {"a1b2b3", IXFR_MORE, NULL},
        {"1", IXFR_FAULT, "does not begin with a SOA"},
        {"b", IXFR_FAULT, "begins at serial 11 instead of 10"},
        {"c", IXFR_FAULT, "begins at serial 12 instead of 10"},
        {"f", IXFR_FAULT, "not the zone's"},
        {"a1f", IXFR_FAULT, "not the zone's"},
        {"a1a", IXFR_FAULT, "from serial 10 to 10"},
        {"a1b2a", IXFR_FAULT, "begins at serial 10 instead of 11"},
        {"a1b2c", IXFR_FAULT, "begins at serial 12 instead of 11"},
        {"a1d2c", IXFR_FAULT, "begins at serial 12 instead of 13"},
        {"a1b2bc3b", IXFR_FAULT, "closing SOA is not the opening one"},
        {"a1c2e", IXFR_FAULT, "closing SOA is not the opening one"},
        {"a1e", IXFR_FAULT, "two SOAs with serial 12"},
        {"a1c2c3", IXFR_FAULT, "behind the closing SOA"},
        {"a1c2cc", IXFR_FAULT, "behind the closing SOA"},
        {"a11c2c", IXFR_FAULT, "names a record twice"},
        {"a1c22c", IXFR_FAULT, "names a record twice"},
        {"a1c121c", IXFR_FAULT, "names a record twice"},
        {"ao", IXFR_FAULT, "outside the zone"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct errinfo e = {0};
        struct ixfr *x;
        enum ixfr_step step = run(&x, table[i].records, &e);

        if (step != table[i].last || (table[i].says && !strstr(e.text, table[i].says)))
            fail_msg("%s: step %d, %s", table[i].records, (int)step, e.text);
        ixfr_free(x);
    }
}

static void test_change_sets(void **state)
{
    struct changeset *const *changes;
    struct errinfo e;
    struct ixfr *x;
    size_t n;

    (void)state;
    assert_int_equal(run(&x, "a1b23b2c2c", &e), IXFR_DONE);
    changes = ixfr_changes(x, &n);
    assert_int_equal(n, 2);
    assert_true(changes[0]->has_from);
    assert_int_equal(changes[0]->from.v, 10);
    assert_int_equal(changes[0]->to.v, 11);
    assert_int_equal(changes[0]->removed.n, 2); /* with the SOA */
    assert_int_equal(changes[0]->added.n, 3);
    assert_int_equal(changes[0]->kept.n, 0);
    assert_int_equal(changes[1]->from.v, 11);
    assert_int_equal(changes[1]->to.v, 12);
    assert_int_equal(changes[1]->removed.n, 1);
    assert_int_equal(changes[1]->added.n, 1);
    assert_int_equal(changes[1]->kept.n, 1);
    ixfr_free(x);
}

static void test_sequences_are_bounded(void **state)
{
    struct buf rdata = BUF_INIT;
    struct rr goal = record(&rdata, 'a');
    struct buf soa = BUF_INIT;
    struct errinfo e;
    enum ixfr_step step = IXFR_MORE;
    struct ixfr *x = ixfr_new(apex, (struct serial){100}, &goal); /* goal 10: never met */
    uint32_t serial = 100;

    (void)state;
    buf_put(&soa, goal.rdata, goal.rdata_len);
    for (unsigned fed = 0; step == IXFR_MORE; fed++) {
        struct rr rr = goal;

        assert_in_range(fed, 0, 2 * IXFR_SEQUENCES_MAX);
        soa_set_serial(soa.data, soa.len, (struct serial){serial});
        rr.rdata = soa.data;
        step = ixfr_feed(x, &rr, &e);
        serial += fed % 2 == 0;
    }
    assert_int_equal(step, IXFR_FAULT);
    assert_non_null(strstr(e.text, "sequences"));
    ixfr_free(x);
    buf_free(&soa);
    buf_free(&rdata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_change_sets),
        cmocka_unit_test(test_sequences_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
