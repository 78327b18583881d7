/* Files, $INCLUDE and its bounds, limits, errors collected, what callbacks return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/dns/zonefile.h"

static const uint8_t origin[] = {2, 'e', 'x', 0};
static char dir[] = "/tmp/zonefile-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) && chdir(dir) == 0 && mkdir("sub", 0700) == 0 && mkdir("root", 0700) == 0 &&
                   mkdir("root2", 0700) == 0
               ? 0
               : -1;
}

static int remove_dir(void **state)
{
    static const char *const files[] = {"a",      "b",      "sub/c",   "root/in",
                                        "root/o", "root/l", "root2/x", "loop"};
    static const char *const dirs[] = {"sub", "root", "root2"};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        (void)unlink(files[i]);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        (void)rmdir(dirs[i]);
    return rmdir(dir);
}

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static enum err append(void *ctx, const struct rr *rr, struct errinfo *e)
{
    (void)e;
    rr_to_text(ctx, rr);
    return OK;
}

static void note(void *ctx, const struct zonefile_error *error)
{
    buf_printf(ctx, "%s:%u:%u %s %s\n", error->path, error->line, error->column,
               err_name(error->rc), error->text);
}

/* Reads file "a": records, then the result and its text. */
static const char *read_a(struct buf *out, const struct zonefile_opts *opts)
{
    struct errinfo e = {0};
    enum err rc;

    out->len = 0;
    rc = zonefile_read_file("a", opts, append, out, &e);
    if (rc)
        buf_printf(out, "%s %s", err_name(rc), e.text);
    return buf_cstr(out);
}

static void test_include(void **state)
{
    struct zonefile_opts opts = {.origin = origin, .allow_include = true};
    struct buf out = BUF_INIT;

    (void)state;
    put_file("a", "$TTL 1\na A 192.0.2.1\n$INCLUDE sub/c sub\n A 192.0.2.9\nz A 192.0.2.3\n"
                  "$include \"\\115ub/c\"\nz A 192.0.2.4\n");
    put_file("sub/c", "\tTXT c\nc A 192.0.2.2\n$ORIGIN net.\n$INCLUDE ../b\n$TTL 2");
    put_file("b", "b NS @\n");
    assert_string_equal(read_a(&out, &opts),
                        "a.ex. 1 IN A 192.0.2.1\na.ex. 1 IN TXT \"c\"\nc.sub.ex. 1 IN A 192.0.2.2\n"
                        "b.net. 1 IN NS net.\n"
                        "a.ex. 2 IN A 192.0.2.9\nz.ex. 2 IN A 192.0.2.3\n"
                        "z.ex. 2 IN TXT \"c\"\nc.ex. 2 IN A 192.0.2.2\nb.net. 2 IN NS net.\n"
                        "z.ex. 2 IN A 192.0.2.4\n");
    buf_free(&out);
}

static void test_include_refused(void **state)
{
    struct zonefile_opts opts = {.origin = origin, .allow_include = true};
    struct buf out = BUF_INIT;

    (void)state;
    put_file("a", "$INCLUDE b\n");
    put_file("b", "\n  $INCLUDE\n$INCLUDE a\n");
    put_file("loop", "$INCLUDE b\n");
    assert_non_null(strstr(read_a(&out, &opts), "/b:2:3: no owner"));
    put_file("b", "\n$INCLUDE ./a\n");
    assert_non_null(strstr(read_a(&out, &opts), "/b:2:10: "));
    assert_non_null(strstr(read_a(&out, &opts), "/a includes itself"));
    put_file("a", "$INCLUDE a\n");
    assert_non_null(strstr(read_a(&out, &opts), "format a:1:10: "));
    put_file("a", "$INCLUDE none\n");
    assert_string_equal(read_a(&out, &opts), "not-found a:1:10: none: No such file or directory");
    put_file("a", "$INCLUDE sub\n");
    assert_non_null(strstr(read_a(&out, &opts), "/sub: not a regular file"));
    put_file("a", "$INCLUDE b a..b\n");
    assert_non_null(strstr(read_a(&out, &opts), "format a:1:12: origin 'a..b'"));
    put_file("a", "$INCLUDE b\n");
    put_file("b", "$INCLUDE sub/c\n");
    put_file("sub/c", "x 1 NS x\n");
    assert_string_equal(read_a(&out, &opts), "x.ex. 1 IN NS x.ex.\n");
    opts.include_depth = 1;
    assert_non_null(strstr(read_a(&out, &opts), "/b:1:10: $INCLUDE is more than 1 files deep"));
    opts.allow_include = false;
    assert_string_equal(read_a(&out, &opts), "denied a:1:10: $INCLUDE is not allowed here");
    buf_free(&out);
}

static void test_include_root(void **state)
{
    struct zonefile_opts opts = {.origin = origin, .allow_include = true, .include_root = "root"};
    struct buf out = BUF_INIT;

    (void)state;
    put_file("root/in", "in 1 NS a\n");
    put_file("root2/x", "x 1 NS a\n");
    assert_int_equal(symlink("../root2/x", "root/l"), 0);
    put_file("a", "$INCLUDE root/../root/in\n");
    assert_string_equal(read_a(&out, &opts), "in.ex. 1 IN NS a.ex.\n");
    put_file("a", "$INCLUDE root2/x\n");
    assert_string_equal(read_a(&out, &opts), "denied a:1:10: root2/x lies outside of root");
    put_file("a", "$INCLUDE root/l\n");
    assert_string_equal(read_a(&out, &opts), "denied a:1:10: root/l lies outside of root");
    put_file("a", "$INCLUDE /etc/passwd\n");
    assert_string_equal(read_a(&out, &opts), "denied a:1:10: /etc/passwd lies outside of root");
    opts.include_root = "/";
    put_file("a", "$INCLUDE root/l\n");
    assert_string_equal(read_a(&out, &opts), "x.ex. 1 IN NS a.ex.\n");
    buf_free(&out);
}

static void test_limits(void **state)
{
    struct zonefile_opts opts = {.origin = origin, .allow_include = true, .max_records = 2};
    struct buf out = BUF_INIT;

    (void)state;
    put_file("a", "a 1 NS a\nb 1 NS a\n");
    assert_string_equal(read_a(&out, &opts), "a.ex. 1 IN NS a.ex.\nb.ex. 1 IN NS a.ex.\n");
    put_file("a", "a 1 NS a\n$GENERATE 1-2 b$ 1 NS a\n");
    assert_string_equal(read_a(&out, &opts), "a.ex. 1 IN NS a.ex.\nb1.ex. 1 IN NS a.ex.\n"
                                             "limit a:2:1: more than 2 records");
    put_file("a", "$INCLUDE b\n");
    put_file("b", "b 1 NS a\n");
    opts.max_bytes = 20;
    assert_string_equal(read_a(&out, &opts), "b.ex. 1 IN NS a.ex.\n");
    opts.max_bytes = 19;
    assert_non_null(strstr(read_a(&out, &opts), "/b: more than 19 octets of text"));
    opts.max_bytes = 10;
    assert_non_null(strstr(read_a(&out, &opts), "limit a: more"));
    assert_int_equal(zonefile_read_file("none", NULL, append, &out, NULL), ERR_NOT_FOUND);
    assert_int_equal(zonefile_read_file("sub", NULL, append, &out, NULL), ERR_IO);
    buf_free(&out);
}

static void test_collect(void **state)
{
    struct buf errors = BUF_INIT;
    struct buf out = BUF_INIT;
    struct zonefile_opts opts = {
        .origin = origin, .allow_include = true, .on_error = note, .error_ctx = &errors};

    (void)state;
    put_file("a", "a 1 NS a\nb 1 CH NS a\nc 1 NS ( a\n\n ) )\nd 1 NS d\n"
                  "$INCLUDE none\ne 1 NS \"x\n( \nf 1 NS f\n");
    assert_string_equal(read_a(&out, &opts), "a.ex. 1 IN NS a.ex.\nd.ex. 1 IN NS d.ex.\n"
                                             "f.ex. 1 IN NS f.ex.\n"
                                             "format a:2:5: class 'CH': only IN is served here");
    assert_string_equal(buf_cstr(&errors), "a:2:5 format class 'CH': only IN is served here\n"
                                           "a:5:4 format ')' without a '(' before it\n"
                                           "a:7:10 not-found none: No such file or directory\n"
                                           "a:8:8 format the quoted string does not end on its "
                                           "line\n"
                                           "a:9:1 format '(' is never closed\n");
    errors.len = 0;
    opts.error_max = 2;
    assert_string_equal(read_a(&out, &opts), "a.ex. 1 IN NS a.ex.\n"
                                             "format a:2:5: class 'CH': only IN is served here");
    assert_string_equal(buf_cstr(&errors), "a:2:5 format class 'CH': only IN is served here\n"
                                           "a:5:4 format ')' without a '(' before it\n");
    buf_free(&errors);
    buf_free(&out);
}

static enum err refuse_b(void *ctx, const struct rr *rr, struct errinfo *e)
{
    enum err *rc = ctx;

    if (rr->owner[1] == 'b')
        return err_set(*rc, e, "no b");
    if (rr->owner[1] == 'c')
        *rc = OK;
    return OK;
}

static void test_callback(void **state)
{
    static const char text[] = "a 1 NS a\n  \nb 1 NS a\nc 1 NS a\n";
    struct buf errors = BUF_INIT;
    struct zonefile_opts opts = {.origin = origin};
    struct errinfo e = {0};
    enum err rc = ERR_CHECK;

    (void)state;
    assert_int_equal(zonefile_read_mem(text, sizeof(text) - 1, &opts, refuse_b, &rc, &e),
                     ERR_CHECK);
    assert_string_equal(e.text, "-:3:1: no b");
    assert_int_equal(rc, ERR_CHECK); /* c was not seen */
    opts.on_error = note;
    opts.error_ctx = &errors;
    assert_int_equal(zonefile_read_mem(text, sizeof(text) - 1, &opts, refuse_b, &rc, &e),
                     ERR_CHECK);
    assert_string_equal(buf_cstr(&errors), "-:3:1 check no b\n");
    assert_int_equal(rc, OK);
    rc = ERR_BUSY; /* ends the reading in any case */
    assert_int_equal(zonefile_read_mem(text, sizeof(text) - 1, &opts, refuse_b, &rc, &e), ERR_BUSY);
    assert_int_equal(rc, ERR_BUSY);
    buf_free(&errors);
}

static void test_long(void **state)
{
    struct zonefile_opts opts = {.origin = origin};
    struct buf text = BUF_INIT;
    struct buf out = BUF_INIT;
    struct errinfo e = {0};

    (void)state;
    buf_str(&text, "a 1 TYPE65280 \\# 65535 ");
    memset(buf_space(&text, 131070), 'a', 131070);
    buf_str(&text, " ;");
    memset(buf_space(&text, 3u << 20), ';', 3u << 20);
    buf_str(&text, "\nb 1 TYPE65280 ( \\# 65535");
    for (int i = 0; i < 65535; i++)
        buf_str(&text, "\n bb ; x");
    buf_str(&text, "\n)\n");
    assert_int_equal(zonefile_read_mem(text.data, text.len, &opts, append, &out, &e), OK);
    assert_int_equal(out.len, 2 * strlen("a.ex. 1 IN TYPE65280 \\# 65535 \n") + 4 * 65535);
    text.len = 0;
    buf_str(&text, "a 1 TXT");
    for (int i = 0; i < 70000; i++)
        buf_str(&text, " x");
    assert_int_equal(zonefile_read_mem(text.data, text.len, &opts, append, &out, &e), ERR_FORMAT);
    for (int i = 0; i < 100000; i++)
        buf_str(&text, " x");
    assert_int_equal(zonefile_read_mem(text.data, text.len, &opts, append, &out, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "the entry is too long to be a record"));
    buf_free(&text);
    buf_free(&out);
}

static enum err write_line(void *ctx, const struct rr *rr, struct errinfo *e)
{
    static const struct zonefile_write_opts opts = {.origin = origin};

    (void)e;
    zonefile_write_rr(ctx, rr, &opts);
    return OK;
}

static void test_write(void **state)
{
    static const char text[] = "@ 1 IN NS a.ex.\na 1 IN NS b.\na\\.b.c 1 IN TXT \"x y\"\n"
                               "a\\032b.eX 2 IN A 192.0.2.1\nex. 3 IN A 192.0.2.2\n"
                               "aex. 3 IN A 192.0.2.2\n. 3 IN A 192.0.2.2\n";
    struct zonefile_opts opts = {.origin = origin};
    struct buf out = BUF_INIT;
    struct buf absolute = BUF_INIT;

    (void)state;
    assert_int_equal(zonefile_read_mem(text, strlen(text), &opts, write_line, &out, NULL), OK);
    assert_string_equal(buf_cstr(&out), "@ 1 IN NS a.ex.\na 1 IN NS b.\na\\.b.c 1 IN TXT \"x y\"\n"
                                        "a\\032b.eX 2 IN A 192.0.2.1\n@ 3 IN A 192.0.2.2\n"
                                        "aex. 3 IN A 192.0.2.2\n. 3 IN A 192.0.2.2\n");
    out.len = 0;
    assert_int_equal(zonefile_read_mem(text, strlen(text), &opts, append, &absolute, NULL), OK);
    assert_int_equal(zonefile_read_mem(absolute.data, absolute.len, NULL, append, &out, NULL), OK);
    assert_int_equal(out.len, absolute.len);
    assert_memory_equal(out.data, absolute.data, out.len);
    buf_free(&absolute);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_include),      cmocka_unit_test(test_include_refused),
        cmocka_unit_test(test_include_root), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_collect),      cmocka_unit_test(test_callback),
        cmocka_unit_test(test_long),         cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
