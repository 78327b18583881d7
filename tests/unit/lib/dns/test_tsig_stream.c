#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/dns/tsig.h"
#include "msg_util.h"
#include "tsig_vectors.h"

#define STREAM_MAX 300

struct message {
    uint8_t b[256];
    size_t len;
};

static const struct wall now = {VECTOR_TIME};
static struct tsig_key *key;
static struct message request;
static struct message stream[STREAM_MAX];

static int make_key(void **state)
{
    (void)state;
    return tsig_key_new(&key, N("\3key\7example"), TSIG_HMAC_SHA256, VECTOR_SECRET,
                        strlen(VECTOR_SECRET), NULL) == OK
               ? 0
               : -1;
}

static int drop_key(void **state)
{
    (void)state;
    tsig_key_unref(key);
    return 0;
}

static size_t tsig_at(const struct message *m)
{
    struct msg_layout l;

    return msg_layout_read(&l, m->b, m->len) ? l.tsig : 0;
}

static void plain(struct message *m, uint16_t flags, unsigned number)
{
    m->len = unhex(m->b, "123400000001000000000000076578616d706c6503636f6d0000fc0001");
    put_u16(m->b + 2, flags);
    m->b[13] = (uint8_t)('a' + number % 26);
    m->b[14] = (uint8_t)('a' + number / 26);
}

/* A client's request and a server's stream of n messages, all signed. */
static void make_stream(struct tsig *client, unsigned n)
{
    struct tsig server = {.key = NULL};

    plain(&request, 0, 0);
    assert_true(tsig_sign_request(client, key, request.b, &request.len, sizeof(request.b), now));
    assert_int_equal(
        tsig_verify_request(&server, key, request.b, request.len, tsig_at(&request), now), TSIG_OK);
    for (unsigned i = 0; i < n; i++) {
        plain(&stream[i], MSG_QR, i);
        assert_true(
            tsig_sign_stream(&server, stream[i].b, &stream[i].len, sizeof(stream[i].b), now));
        assert_int_not_equal(tsig_at(&stream[i]), 0);
    }
    tsig_done(&server);
}

static enum tsig_outcome verify(struct tsig *t, const struct message *m)
{
    return tsig_verify_stream(t, m->b, m->len, tsig_at(m), now);
}

static void reads_a_stream_of_another_implementation(void **state)
{
    const char *const *streams[] = {stream_messages, stream_signed};
    const size_t counts[] = {sizeof(stream_messages) / sizeof(stream_messages[0]),
                             sizeof(stream_signed) / sizeof(stream_signed[0])};

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        struct tsig t = {.key = NULL};
        struct message m;

        request.len = unhex(request.b, stream_request);
        request.len = tsig_at(&request);
        put_u16(request.b + 10, 0);
        assert_true(tsig_sign_request(&t, key, request.b, &request.len, sizeof(request.b), now));
        for (size_t i = 0; i < counts[s]; i++) {
            m.len = unhex(m.b, streams[s][i]);
            assert_int_equal(verify(&t, &m), TSIG_OK);
            assert_int_equal(tsig_verify_stream_end(&t), tsig_at(&m) ? TSIG_OK : TSIG_MISSING);
        }
        tsig_done(&t);
    }
}

static void writes_a_stream_as_another_implementation(void **state)
{
    struct tsig t = {.key = NULL};
    struct message m;
    struct message ours;

    (void)state;
    request.len = unhex(request.b, stream_request);
    assert_int_equal(tsig_verify_request(&t, key, request.b, request.len, tsig_at(&request), now),
                     TSIG_OK);
    for (size_t i = 0; i < sizeof(stream_signed) / sizeof(stream_signed[0]); i++) {
        struct tsig_rr want;
        struct tsig_rr got;

        m.len = unhex(m.b, stream_signed[i]);
        ours = m;
        ours.len = tsig_at(&m);
        put_u16(ours.b + 10, 0);
        assert_true(tsig_sign_stream(&t, ours.b, &ours.len, sizeof(ours.b),
                                     (struct wall){VECTOR_TIME + 1 + (int64_t)i}));
        assert_int_equal(ours.len, m.len);
        assert_true(tsig_read(&want, m.b, m.len, tsig_at(&m)));
        assert_true(tsig_read(&got, ours.b, ours.len, tsig_at(&ours)));
        assert_int_equal(want.time_s, got.time_s);
        assert_memory_equal(want.mac, got.mac, 32);
    }
    tsig_done(&t);
}

static void verifies_a_long_stream(void **state)
{
    struct tsig t = {.key = NULL};

    (void)state;
    make_stream(&t, STREAM_MAX);
    assert_int_equal(tsig_verify_stream_end(&t), TSIG_MISSING);
    for (unsigned i = 0; i < STREAM_MAX; i++) {
        assert_int_equal(verify(&t, &stream[i]), TSIG_OK);
        assert_int_equal(tsig_verify_stream_end(&t), TSIG_OK);
    }
    tsig_done(&t);
}

/* What an attacker on the path can do to message 2 of 5; each ends the stream for good. */
static void change_one(struct message s[5], unsigned how)
{
    switch (how) {
    case 0: /* a letter of the question */
        s[2].b[15] ^= 1;
        break;
    case 1: /* a flag */
        s[2].b[3] ^= RCODE_REFUSED;
        break;
    case 2: /* dropped */
        s[2] = s[3];
        break;
    case 3: /* replayed */
        s[2] = s[1];
        break;
    case 4: /* the first again */
        s[2] = s[0];
        break;
    case 5: /* one of the MAC */
        s[2].b[s[2].len - 7] ^= 1;
        break;
    case 6: /* the time */
        s[2].b[tsig_at(&s[2]) + 13 + 10 + 13 + 5] ^= 1;
        break;
    case 7: /* octets behind it */
        s[2].b[s[2].len++] = 0;
        break;
    case 8: /* the request in its place */
        s[2] = request;
        break;
    case 9: { /* swapped with the next */
        struct message swap = s[2];
        s[2] = s[3];
        s[3] = swap;
        break;
    }
    case 10: /* key name */
        s[2].b[tsig_at(&s[2]) + 1] ^= 1;
        break;
    case 11: /* fudge */
        s[2].b[tsig_at(&s[2]) + 13 + 10 + 13 + 7] ^= 1;
        break;
    case 12: /* an error that the MAC does not cover */
        s[2].b[s[2].len - 3] = RCODE_BADTIME;
        break;
    default:
        fail();
    }
}

static void any_change_ends_the_stream(void **state)
{
    struct message changed[5];

    (void)state;
    for (unsigned how = 0; how <= 12; how++) {
        struct tsig t = {.key = NULL};

        make_stream(&t, 5);
        memcpy(changed, stream, sizeof(changed));
        change_one(changed, how);
        assert_int_equal(verify(&t, &changed[0]), TSIG_OK);
        assert_int_equal(verify(&t, &changed[1]), TSIG_OK);
        if (how == 7) { /* no frame any more: the TSIG is not found, as if there were none */
            assert_int_equal(
                tsig_verify_stream(&t, changed[2].b, changed[2].len, tsig_at(&stream[2]), now),
                TSIG_FORMERR);
        } else if (verify(&t, &changed[2]) == TSIG_OK) {
            fail_msg("change %u goes unnoticed", how);
        }
        assert_int_equal(tsig_verify_stream_end(&t), TSIG_MISSING);
        assert_int_not_equal(verify(&t, &stream[2]), TSIG_OK);
        assert_int_not_equal(verify(&t, &stream[3]), TSIG_OK);
        assert_int_equal(tsig_verify_stream_end(&t), TSIG_MISSING);
        tsig_done(&t);
    }
}

/* Taking the signature off makes an unsigned message, which the next MAC exposes. */
static void strip(struct message *m)
{
    m->len = tsig_at(m);
    put_u16(m->b + 10, 0);
}

static void a_stripped_signature_is_noticed(void **state)
{
    struct tsig t = {.key = NULL};

    (void)state;
    make_stream(&t, 3); /* the first must be signed */
    strip(&stream[0]);
    assert_int_equal(verify(&t, &stream[0]), TSIG_MISSING);
    assert_int_not_equal(verify(&t, &stream[1]), TSIG_OK);
    make_stream(&t, 3); /* one in the middle: the next MAC is over other octets */
    strip(&stream[1]);
    assert_int_equal(verify(&t, &stream[0]), TSIG_OK);
    assert_int_equal(verify(&t, &stream[1]), TSIG_OK);
    assert_int_equal(tsig_verify_stream_end(&t), TSIG_MISSING);
    assert_int_equal(verify(&t, &stream[2]), TSIG_BADSIG);
    make_stream(&t, 3); /* the last must be signed */
    strip(&stream[2]);
    assert_int_equal(verify(&t, &stream[0]), TSIG_OK);
    assert_int_equal(verify(&t, &stream[1]), TSIG_OK);
    assert_int_equal(tsig_verify_stream_end(&t), TSIG_OK);
    assert_int_equal(verify(&t, &stream[2]), TSIG_OK);
    assert_int_equal(tsig_verify_stream_end(&t), TSIG_MISSING);
    tsig_done(&t);
}

static void bears_99_unsigned_messages(void **state)
{
    struct tsig t = {.key = NULL};

    (void)state;
    make_stream(&t, 1);
    assert_int_equal(verify(&t, &stream[0]), TSIG_OK);
    for (unsigned i = 1; i <= TSIG_UNSIGNED_MAX; i++) {
        plain(&stream[i], MSG_QR, i);
        assert_int_equal(verify(&t, &stream[i]), TSIG_OK);
    }
    plain(&stream[100], MSG_QR, 100);
    assert_int_equal(verify(&t, &stream[100]), TSIG_MISSING);
    assert_int_not_equal(verify(&t, &stream[1]), TSIG_OK);
    tsig_done(&t);
}

static void checks_the_time_of_each_message(void **state)
{
    struct tsig t = {.key = NULL};
    struct wall late = {VECTOR_TIME + 301};

    (void)state;
    make_stream(&t, 3);
    assert_int_equal(verify(&t, &stream[0]), TSIG_OK);
    assert_int_equal(verify(&t, &stream[1]), TSIG_OK);
    assert_int_equal(tsig_verify_stream(&t, stream[2].b, stream[2].len, tsig_at(&stream[2]), late),
                     TSIG_BADTIME);
    assert_int_equal(tsig_verify_stream_end(&t), TSIG_MISSING);
    tsig_done(&t);
}

static void a_refusal_is_told(void **state)
{
    struct tsig client = {.key = NULL};
    struct tsig server = {.key = NULL};
    struct message reply;

    (void)state;
    make_stream(&client, 1);
    assert_int_equal(
        tsig_verify_request(&server, NULL, request.b, request.len, tsig_at(&request), now),
        TSIG_BADKEY);
    plain(&reply, MSG_QR | RCODE_NOTAUTH, 0);
    assert_true(tsig_sign_stream(&server, reply.b, &reply.len, sizeof(reply.b), now));
    assert_int_equal(verify(&client, &reply), TSIG_PEER);
    assert_int_equal(client.peer_error, RCODE_BADKEY);
    assert_int_equal(tsig_verify_stream_end(&client), TSIG_MISSING);
    tsig_done(&client);
    tsig_done(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_stream_of_another_implementation),
        cmocka_unit_test(writes_a_stream_as_another_implementation),
        cmocka_unit_test(verifies_a_long_stream),
        cmocka_unit_test(any_change_ends_the_stream),
        cmocka_unit_test(a_stripped_signature_is_noticed),
        cmocka_unit_test(bears_99_unsigned_messages),
        cmocka_unit_test(checks_the_time_of_each_message),
        cmocka_unit_test(a_refusal_is_told),
    };

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
