/* Secrets of cookies: from a file, or random and new each day; what a reload changes and what not.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "authd/cookie_front.h"
#include "authd/grace.h"
#include "lib/base/log.h"

#define S1 "00112233445566778899aabbccddeeff"
#define S2 "ffeeddccbbaa99887766554433221100"

static char path[64];
static int64_t mono_ms;
static uint8_t next_random;

static struct mono fake_mono(void *ctx)
{
    (void)ctx;
    return (struct mono){mono_ms};
}

static void fake_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, ++next_random, n);
}

static const struct clock fake_clock = {.mono = fake_mono, .random = fake_random};

static struct config config_with(bool cookies, char *file)
{
    return (struct config){.cookies = cookies, .cookie_secret_file = file};
}

static void put_file(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

struct world {
    struct shared shared;
    struct cookie_front front;
};

static void world_init(struct world *w)
{
    *w = (struct world){.shared = {.clock = &fake_clock}};
    atomic_init(&w->shared.cookies, NULL);
    mono_ms = 1000;
    next_random = 0;
}

static void set(struct world *w, const struct config *c)
{
    struct cookie_secrets *loaded = NULL;

    assert_int_equal(cookie_front_load(&loaded, c, NULL), OK);
    cookie_front_set(&w->front, &w->shared, c, loaded);
}

static const struct cookie_secrets *in_force(struct world *w)
{
    return atomic_load(&w->shared.cookies);
}

/* Random secrets of the fake clock are all the same octet. */
static void check_random(struct world *w, size_t count, uint8_t first, uint8_t second)
{
    const struct cookie_secrets *s = in_force(w);

    assert_non_null(s);
    assert_int_equal(s->count, count);
    assert_int_equal(s->secret[0][0], first);
    if (count > 1)
        assert_int_equal(s->secret[1][0], second);
}

static void a_random_secret_is_new_each_day(void **state)
{
    struct config c = config_with(true, "");
    struct world w;

    (void)state;
    world_init(&w);
    set(&w, &c);
    check_random(&w, 1, 1, 0);
    cookie_front_roll(&w.front, &w.shared);
    set(&w, &c); /* a reload */
    mono_ms += COOKIE_FRONT_DAY_MS - 1;
    cookie_front_roll(&w.front, &w.shared);
    check_random(&w, 1, 1, 0);
    mono_ms++;
    cookie_front_roll(&w.front, &w.shared);
    check_random(&w, 2, 2, 1);
    cookie_front_roll(&w.front, &w.shared);
    set(&w, &c);
    check_random(&w, 2, 2, 1);
    mono_ms += COOKIE_FRONT_DAY_MS;
    cookie_front_roll(&w.front, &w.shared);
    check_random(&w, 2, 3, 2);
    cookie_front_done(&w.shared);
    assert_null(in_force(&w));
}

static void a_file_is_read_again(void **state)
{
    struct config c = config_with(true, path);
    struct config no_file = config_with(true, "");
    struct config off = config_with(false, path);
    struct world w;

    (void)state;
    world_init(&w);
    put_file(S1 "\n", 0600);
    set(&w, &c);
    assert_int_equal(in_force(&w)->count, 1);
    assert_int_equal(in_force(&w)->secret[0][1], 0x11);
    put_file(S2 "\n" S1 "\n", 0640);
    set(&w, &c);
    assert_int_equal(in_force(&w)->count, 2);
    assert_int_equal(in_force(&w)->secret[0][0], 0xff);
    mono_ms += 2 * COOKIE_FRONT_DAY_MS;
    cookie_front_roll(&w.front, &w.shared); /* is the operator's business here */
    assert_int_equal(in_force(&w)->secret[0][0], 0xff);
    set(&w, &no_file);
    check_random(&w, 1, 1, 0); /* those of the file are not accepted any more */
    set(&w, &off);
    assert_null(in_force(&w));
    cookie_front_roll(&w.front, &w.shared);
    assert_null(in_force(&w));
    set(&w, &no_file);
    check_random(&w, 1, 2, 0);
    set(&w, &c);
    assert_int_equal(in_force(&w)->count, 2);
    cookie_front_done(&w.shared);
}

static void a_bad_file_is_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } cases[] = {{S1 "\n", 0644, "others may read"},
                 {S1 "\n", 0660, "others may change"},
                 {"nothing", 0600, "line 1"},
                 {"", 0600, "no secret"},
                 {NULL, 0, "cannot be opened"}};
    struct config c = config_with(true, path);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cookie_secrets *loaded = NULL;
        struct errinfo e = {{0}};

        if (cases[i].text)
            put_file(cases[i].text, cases[i].mode);
        else
            assert_int_equal(unlink(path), 0);
        assert_int_not_equal(cookie_front_load(&loaded, &c, &e), OK);
        assert_null(loaded);
        assert_non_null(strstr(e.text, cases[i].says));
        assert_non_null(strstr(e.text, path));
        assert_null(strstr(e.text, "112233"));
    }
}

/* ---- Workers look while secrets change ---- */

#define READERS 2
#define CHANGES 300

struct reader_arg {
    struct world *w;
    atomic_bool *stop;
    unsigned looked;
};

static void *look(void *ctx)
{
    struct reader_arg *a = ctx;
    struct addr source = {.ip = {192, 0, 2, 1}, .family = 4};
    uint8_t reply[COOKIE_OCTETS];

    grace_register();
    while (!atomic_load(a->stop) || a->looked == 0) {
        const struct cookie_secrets *s;

        grace_enter();
        s = atomic_load_explicit(&a->w->shared.cookies, memory_order_acquire);
        if (s && cookie_check(reply, s, (const uint8_t *)"01234567", 8, &source,
                              (struct wall){1000}) == COOKIE_CLIENT)
            a->looked++;
        grace_leave();
    }
    grace_unregister();
    return NULL;
}

static void readers_and_changes(void **state)
{
    struct config c = config_with(true, "");
    struct config from_file = config_with(true, path);
    struct config off = config_with(false, "");
    struct reader_arg args[READERS];
    pthread_t threads[READERS];
    atomic_bool stop;
    struct world w;

    (void)state;
    put_file(S1 "\n" S2 "\n", 0600);
    world_init(&w);
    set(&w, &c);
    atomic_init(&stop, false);
    for (size_t i = 0; i < READERS; i++) {
        args[i] = (struct reader_arg){.w = &w, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, look, &args[i]), 0);
    }
    for (int i = 0; i < CHANGES; i++) {
        set(&w, i % 4 == 3 ? &off : i % 2 ? &from_file : &c);
        mono_ms += COOKIE_FRONT_DAY_MS;
        cookie_front_roll(&w.front, &w.shared);
    }
    set(&w, &c);
    atomic_store(&stop, true);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(args[i].looked > 0);
    }
    cookie_front_done(&w.shared);
}

static int setup(void **state)
{
    int fd;

    (void)state;
    log_init("test", LOG_ERROR, LOG_TEXT);
    (void)snprintf(path, sizeof(path), "/tmp/zl-cookies-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_random_secret_is_new_each_day, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_and_changes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
