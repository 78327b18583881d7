/* Serials of imported files, and what counts as a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "syncd/import.h"

static const uint8_t apex[] = "\3own\7example";

#define NOON_OF_2026_11_24 1795521600
#define TODAY 2026112400u

struct serial_case {
    enum config_serial policy;
    bool force;
    int64_t current; /* -1: none */
    uint32_t file;
    int64_t want; /* -1: refused */
};

static const struct serial_case serial_cases[] = {
    {CONFIG_SERIAL_KEEP, false, -1, 7, 7},
    {CONFIG_SERIAL_KEEP, false, 7, 8, 8},
    {CONFIG_SERIAL_KEEP, false, 7, 7, -1},
    {CONFIG_SERIAL_KEEP, false, 7, 6, -1},
    {CONFIG_SERIAL_KEEP, true, 7, 6, 6},
    {CONFIG_SERIAL_KEEP, false, 0xffffffff, 0, 0}, /* RFC 1982: newer */
    {CONFIG_SERIAL_KEEP, false, 0, 0xffffffff, -1},
    {CONFIG_SERIAL_KEEP, false, 0, 0x80000000, -1}, /* neither */
    {CONFIG_SERIAL_INCREMENT, false, -1, 7, 7},
    {CONFIG_SERIAL_INCREMENT, false, 7, 9, 9},
    {CONFIG_SERIAL_INCREMENT, false, 7, 7, 8},
    {CONFIG_SERIAL_INCREMENT, false, 7, 1, 8},
    {CONFIG_SERIAL_INCREMENT, false, 0xffffffff, 5, 5},
    {CONFIG_SERIAL_INCREMENT, false, 0xffffffff, 0xfffffff0, 1}, /* 0 is skipped */
    {CONFIG_SERIAL_DATE, false, -1, 7, TODAY},
    {CONFIG_SERIAL_DATE, false, 7, 8, TODAY},
    {CONFIG_SERIAL_DATE, false, TODAY, 8, TODAY + 1},
    {CONFIG_SERIAL_DATE, false, TODAY + 99, 8, TODAY + 100},
    {CONFIG_SERIAL_DATE, false, TODAY, TODAY + 5, TODAY + 5},
    {CONFIG_SERIAL_DATE, false, TODAY, TODAY + 1, TODAY + 1},
    {CONFIG_SERIAL_DATE, false, TODAY - 100, TODAY - 50, TODAY},
    {CONFIG_SERIAL_DATE, false, TODAY + 5, TODAY, TODAY + 6},
};

static void serials_go_forward_as_is_wished(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(serial_cases) / sizeof(serial_cases[0]); i++) {
        const struct serial_case *c = &serial_cases[i];
        struct import_wish wish = {
            .serial = c->policy, .force = c->force, .now = {NOON_OF_2026_11_24}};
        struct serial current = {(uint32_t)c->current};
        struct serial got = {0};
        struct errinfo e = {{0}};
        char words[64];
        enum err rc = import_serial(&got, &wish, c->current < 0 ? NULL : &current,
                                    (struct serial){c->file}, &e);

        if (rc != (c->want < 0 ? ERR_SERIAL : OK) || (c->want >= 0 && got.v != c->want))
            fail_msg("case %zu: %d, %u", i, (int)rc, (unsigned)got.v);
        (void)snprintf(words, sizeof(words), "%u is not newer than ours, %u", (unsigned)c->file,
                       (unsigned)current.v);
        if (rc)
            assert_non_null(strstr(e.text, words));
    }
}

static struct zone *zone_of(const char *serial, const char *www)
{
    struct zonefile_opts opts = {.origin = apex, .path = "f"};
    struct zone *z = NULL;
    struct errinfo e = {{0}};
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "$TTL 300\n@ SOA ns host %s 3600 600 86400 300\n@ NS ns\nwww A %s\n", serial,
                   www);
    if (import_zone(&z, text, strlen(text), &opts, NULL, &e) != OK)
        fail_msg("%s", e.text);
    return z;
}

struct step_case {
    const char *from, *to; /* serials */
    bool other;            /* content */
    struct import_wish wish;
    enum err rc;
    bool changed;
    uint32_t serial;
};

#define KEEP CONFIG_SERIAL_KEEP
#define INCREMENT CONFIG_SERIAL_INCREMENT

static const struct step_case step_cases[] = {
    {NULL, "5", true, {.serial = KEEP}, OK, true, 5},
    {"5", "6", true, {.serial = KEEP}, OK, true, 6},
    {"5", "5", true, {.serial = KEEP}, ERR_SERIAL, false, 0},
    {"5", "4", true, {.serial = KEEP}, ERR_SERIAL, false, 0},
    {"5", "4", true, {.serial = KEEP, .force = true}, OK, true, 4},
    {"5", "5", false, {.serial = KEEP}, OK, false, 5},
    {"5", "4", false, {.serial = KEEP}, OK, false, 5}, /* what is served stays */
    {"5", "4", false, {.serial = KEEP, .force = true}, OK, true, 4},
    {"5", "6", false, {.serial = KEEP}, OK, false, 6},
    {"5", "6", false, {.serial = KEEP, .bare = true}, OK, true, 6},
    {"5", "4", false, {.serial = KEEP, .bare = true}, OK, false, 5},
    {"5", "4", true, {.serial = INCREMENT}, OK, true, 6},
    {"5", "9", false, {.serial = INCREMENT, .bare = true}, OK, false, 9},
};

static void only_what_differs_is_a_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(step_cases) / sizeof(step_cases[0]); i++) {
        const struct step_case *c = &step_cases[i];
        struct zone *from = c->from ? zone_of(c->from, "192.0.2.1") : NULL;
        struct zone *to = zone_of(c->to, c->other ? "192.0.2.2" : "192.0.2.1");
        struct import_step step = {.next = NULL};
        struct errinfo e = {{0}};

        if (import_step(&step, from, to, &c->wish, &e) != c->rc)
            fail_msg("case %zu: %s", i, e.text);
        if (c->rc == OK && (step.changed != c->changed || zone_serial(step.next).v != c->serial))
            fail_msg("case %zu: %d, %u", i, step.changed, (unsigned)zone_serial(step.next).v);
        if (c->rc == OK && from)
            assert_int_equal(step.changes->to.v, c->serial);
        import_step_done(&step);
        zone_unref(from);
        zone_unref(to);
    }
}

static void errors_name_the_file(void **state)
{
    static const struct {
        const char *text;
        enum err rc;
        const char *says;
    } cases[] = {
        {"@ 300 SOA a b 1 2 3 4 5\n@ NS\n", ERR_FORMAT, "f.zone:2:"},
        {"@ 300 SOA a b 1 2 3 4 5\nx.test. NS a\n", ERR_CHECK, "f.zone:2:"},
        {"@ 300 SOA a b 1 2 3 4 5\n", ERR_CHECK, "f.zone: "},
        {"$INCLUDE x\n", ERR_DENIED, "f.zone:1:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zonefile_opts opts = {.origin = apex, .path = "f.zone"};
        struct zone *z = NULL;
        struct errinfo e = {{0}};

        assert_int_equal(import_zone(&z, cases[i].text, strlen(cases[i].text), &opts, NULL, &e),
                         cases[i].rc);
        assert_null(z);
        if (!strstr(e.text, cases[i].says))
            fail_msg("case %zu: %s", i, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serials_go_forward_as_is_wished),
        cmocka_unit_test(only_what_differs_is_a_change),
        cmocka_unit_test(errors_name_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
