/* kill -9 at named points and at random instants while two zones change together: afterwards the
 * store holds what was acknowledged, or the one change in flight, for both zones the same. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "lib/store/store_internal.h"
#include "tests/tools/journal_fixture.h"
#include "tests/tools/store_fixture.h"

#define HOSTS 300

static const uint8_t *const names[2] = {(const uint8_t *)"\7example\3com",
                                        (const uint8_t *)"\5other\3org"};
static struct errinfo e;

static struct zone *version(int i, uint32_t serial)
{
    return plain_zone_but(names[i], serial, HOSTS, serial % HOSTS, serial);
}

struct job {
    const char *dir;
    const char *fault; /* or NULL */
    uint32_t until;    /* serial */
    int told;          /* each acknowledged serial is written here */
};

static void both_to(struct store *s, struct store_zone z[2], struct zone *cur[2], uint32_t serial)
{
    uint64_t seq = 0;

    if (store_begin(s, &e))
        _exit(2);
    for (int i = 0; i < 2; i++) {
        struct zone *next = version(i, serial);

        if (put_change(s, &z[i], cur[i], next, serial, &seq, &e))
            _exit(3);
        zone_unref(cur[i]);
        cur[i] = next;
    }
    if (store_commit(s, &e))
        _exit(4);
}

static void child(void *ctx)
{
    struct job *job = ctx;
    struct store *s;
    struct store_zone z[2];
    struct zone *cur[2] = {NULL, NULL};

    if (job->fault)
        (void)setenv("ZL_FAULT", job->fault, 1);
    s = must_open_writer(job->dir);
    for (int i = 0; i < 2; i++) {
        z[i] = plain_row(names[i]);
        if (store_zone_get(s, names[i], &z[i], &e) == OK && store_zone_load(&cur[i], s, &z[i], &e))
            _exit(5);
    }
    for (uint32_t serial = z[0].serial.v + 1; serial <= job->until; serial++) {
        both_to(s, z, cur, serial);
        if (write(job->told, &serial, sizeof(serial)) != sizeof(serial))
            _exit(6);
        if (serial % 7 == 0 && store_checkpoint(s, &e))
            _exit(7);
    }
    store_close(s);
    zone_unref(cur[0]);
    zone_unref(cur[1]);
}

/* The last serial that was acknowledged; `before` if none. */
static uint32_t last_told(int fd, uint32_t before)
{
    uint32_t serial;

    while (read(fd, &serial, sizeof(serial)) == sizeof(serial))
        before = serial;
    return before;
}

static enum err next_seq(void *ctx, const struct store_change *c, struct errinfo *err)
{
    (void)err;
    assert_int_equal(c->seq, ++*(uint64_t *)ctx);
    return OK;
}

/* Returns the serial that is stored. */
static uint32_t check(const char *dir, uint32_t told)
{
    struct store *s = must_open_writer(dir);
    uint64_t seq = 0, last = 0, first = 0;
    uint32_t serial = 0;

    for (int i = 0; i < 2; i++) {
        struct store_zone z = {0};
        struct zone *got = NULL, *want;
        enum err rc = store_zone_get(s, names[i], &z, &e);

        assert_true(rc == OK || (rc == ERR_NOT_FOUND && told == 0));
        assert_true(z.serial.v == told || z.serial.v == told + 1);
        assert_true(i == 0 || z.serial.v == serial);
        serial = z.serial.v;
        assert_int_equal(z.last_version, serial);
        if (serial == 0)
            continue;
        want = version(i, serial);
        assert_int_equal(store_zone_load(&got, s, &z, &e), OK);
        assert_true(same_content(got, want));
        zone_unref(got);
        zone_unref(want);
    }
    assert_int_equal(store_change_each(s, 0, UINT32_MAX, next_seq, &seq, &e), OK);
    assert_int_equal(store_seq(s, &last, &first, &e), OK);
    assert_int_equal(seq, last);
    assert_int_equal(last, 2 * serial);
    assert_int_equal(verify_faults(s, NULL), 0);
    store_close(s);
    return serial;
}

#ifdef FAULT_POINTS
static void test_points(void **state)
{
    static const char *const points[] = {
        "store:migrate",
        "store:between_pages_and_log@1",
        "store:between_pages_and_log@2",
        "store:between_pages_and_log@6",
        /* the first commit is the migration's */
        "store:before_commit@1",
        "store:before_commit@2",
        "store:before_commit@5",
        "store:after_commit@1",
        "store:after_commit@2",
        "store:after_commit@5",
        "store:before_checkpoint",
        "store:after_checkpoint",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char *dir = temp_dir_new();
        int fds[2], status;
        uint32_t told;

        assert_int_equal(pipe(fds), 0);
        status = in_child(child, &(struct job){dir, points[i], 10, fds[1]});
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail_msg("%s was not reached", points[i]);
        (void)close(fds[1]);
        told = last_told(fds[0], 0);
        (void)close(fds[0]);
        (void)check(dir, told);
        temp_dir_free(dir);
    }
}
#endif

static void test_random_kills(void **state)
{
    char *dir = temp_dir_new();
    struct rng rng = {20261123};
    uint32_t serial = 0;

    (void)state;
    for (int round = 0; round < 25; round++) {
        struct timespec pause = {0, (long)(2000000 + rng_below(&rng, 60000000))};
        int fds[2], status;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        if ((pid = fork()) == 0) {
            child(&(struct job){dir, NULL, UINT32_MAX, fds[1]});
            _exit(0);
        }
        (void)close(fds[1]);
        (void)nanosleep(&pause, NULL); /* the instant is the point */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        serial = check(dir, last_told(fds[0], serial));
        (void)close(fds[0]);
    }
    print_message("25 kills, %u versions\n", serial);
    assert_true(serial > 0);
    temp_dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef FAULT_POINTS
        cmocka_unit_test(test_points),
#endif
        cmocka_unit_test(test_random_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
