/* One stream against a client that is OpenSSL's, over a pair of sockets; several threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/net/tls_server.h"

#define THREADS 4
#define HANDSHAKES 10

static char crt_path[] = "/tmp/zl-tls-crt-XXXXXX";
static char key_path[] = "/tmp/zl-tls-key-XXXXXX";

static void fill(X509 *x, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(x);

    assert_int_equal(X509_set_version(x, 2), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 86400));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"ns.test", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
}

static int make_files(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    FILE *crt = fdopen(mkstemp(crt_path), "w");
    FILE *secret = fdopen(mkstemp(key_path), "w");

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    fill(x, key);
    assert_int_equal(PEM_write_X509(crt, x), 1);
    assert_int_equal(PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(crt);
    (void)fclose(secret);
    X509_free(x);
    EVP_PKEY_free(key);
    return 0;
}

static int drop_files(void **state)
{
    (void)state;
    (void)unlink(crt_path);
    (void)unlink(key_path);
    return 0;
}

static enum err make_server(struct tls_server **out, const char *crt, const char *key,
                            struct tls_tickets *t, struct errinfo *e)
{
    struct tls_server_spec spec = {.certificate = crt, .key = key, .client_ca = ""};

    return tls_server_new(out, &spec, t, e);
}

struct pair {
    int fd[2]; /* ours, the client's */
    struct tls_stream *stream;
    SSL *client;
};

static void pair_open(struct pair *p, struct tls_server *s, SSL_CTX *client)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
    p->stream = tls_stream_new(s, p->fd[0]);
    p->client = SSL_new(client);
    assert_non_null(p->stream);
    assert_int_equal(SSL_set_fd(p->client, p->fd[1]), 1);
    SSL_set_connect_state(p->client);
}

static void pair_close(struct pair *p)
{
    tls_stream_free(p->stream);
    SSL_free(p->client);
    (void)close(p->fd[0]);
    (void)close(p->fd[1]);
}

/* Both sides in turn, until ours is through or cannot be. */
static enum tls_result shake(struct pair *p)
{
    enum tls_result r;
    struct errinfo e = {{0}};

    do {
        (void)SSL_do_handshake(p->client);
        r = tls_stream_handshake(p->stream, &e);
    } while (r == TLS_WANT_READ || r == TLS_WANT_WRITE);
    if (r == TLS_FAILED)
        assert_true(e.text[0] != 0);
    return r;
}

static void say_hello(struct pair *p)
{
    char buf[16];
    size_t n = 0;

    assert_int_equal(SSL_write(p->client, "hello", 5), 5);
    assert_int_equal(tls_stream_read(p->stream, buf, sizeof(buf), &n), TLS_OK);
    assert_int_equal(n, 5);
    assert_int_equal(tls_stream_write(p->stream, "world", 5, &n), TLS_OK);
    assert_int_equal(n, 5);
    assert_int_equal(SSL_read(p->client, buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "world", 5);
}

static void a_connection_from_hello_to_goodbye(void **state)
{
    struct tls_tickets *t = tls_tickets_new(clock_real());
    struct tls_server *s = NULL;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    struct errinfo e = {{0}};
    struct pair p;
    char buf[16];
    size_t n;

    (void)state;
    assert_int_equal(make_server(&s, crt_path, key_path, t, &e), OK);
    assert_true(tls_server_end(s).s > clock_wall(clock_real()).s + 80000);
    pair_open(&p, s, client);
    tls_server_free(s); /* streams outlive it */
    assert_int_equal(tls_stream_handshake(p.stream, &e), TLS_WANT_READ);
    assert_int_equal(shake(&p), TLS_OK);
    assert_false(tls_stream_resumed(p.stream));
    assert_string_equal(tls_stream_version(p.stream), "TLSv1.3");
    say_hello(&p);
    assert_int_equal(tls_stream_read(p.stream, buf, sizeof(buf), &n), TLS_WANT_READ);

    /* RFC 8446 4.6.3: the client updates its key and wants an update of ours. */
    assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_REQUESTED), 1);
    say_hello(&p);
    say_hello(&p);

    /* More than our buffer: the rest is held, and no event of the socket would tell. */
    assert_int_equal(SSL_write(p.client, "0123456789abcdefghij", 20), 20);
    assert_int_equal(tls_stream_read(p.stream, buf, sizeof(buf), &n), TLS_OK);
    assert_int_equal(n, 16);
    assert_true(tls_stream_holds_input(p.stream));
    assert_int_equal(tls_stream_read(p.stream, buf, sizeof(buf), &n), TLS_OK);
    assert_int_equal(n, 4);
    assert_false(tls_stream_holds_input(p.stream));

    /* Good-bye from the client; ours reaches it. */
    assert_int_equal(SSL_shutdown(p.client), 0);
    assert_int_equal(tls_stream_read(p.stream, buf, sizeof(buf), &n), TLS_CLOSED);
    tls_stream_close(p.stream);
    tls_stream_close(p.stream);
    assert_int_equal(SSL_shutdown(p.client), 1);
    pair_close(&p);
    SSL_CTX_free(client);
    tls_tickets_free(t);
}

/* A peer that takes nothing: part is written, then WANT_WRITE, and the rest when it reads again. */
static void a_full_socket(void **state)
{
    static uint8_t data[1 << 20];
    static uint8_t back[1 << 16];
    struct tls_tickets *t = tls_tickets_new(clock_real());
    struct tls_server *s = NULL;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    struct pair p;
    size_t sent = 0, got = 0, n = 0;
    enum tls_result r;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 >> 3);
    assert_int_equal(make_server(&s, crt_path, key_path, t, NULL), OK);
    pair_open(&p, s, client);
    assert_int_equal(shake(&p), TLS_OK);
    while ((r = tls_stream_write(p.stream, data + sent, sizeof(data) - sent, &n)) == TLS_OK)
        sent += n;
    assert_int_equal(r, TLS_WANT_WRITE);
    assert_true(sent < sizeof(data));
    while (got < sizeof(data)) {
        int k = SSL_read(p.client, back, sizeof(back));

        if (k > 0) {
            assert_memory_equal(back, data + got, (size_t)k);
            got += (size_t)k;
        }
        if (sent < sizeof(data) &&
            tls_stream_write(p.stream, data + sent, sizeof(data) - sent, &n) == TLS_OK)
            sent += n;
    }
    pair_close(&p);
    tls_server_free(s);
    SSL_CTX_free(client);
    tls_tickets_free(t);
}

static void garbage_and_departure(void **state)
{
    struct tls_tickets *t = tls_tickets_new(clock_real());
    struct tls_server *s = NULL;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    struct errinfo e = {{0}};
    struct pair p;
    size_t n;

    (void)state;
    assert_int_equal(make_server(&s, crt_path, key_path, t, NULL), OK);
    pair_open(&p, s, client);
    assert_int_equal(write(p.fd[1], "GET / HTTP/1.0\r\n\r\n", 18), 18);
    assert_int_equal(tls_stream_handshake(p.stream, &e), TLS_FAILED);
    tls_stream_close(p.stream); /* nothing to say */
    pair_close(&p);

    pair_open(&p, s, client);
    (void)SSL_do_handshake(p.client);
    (void)shutdown(p.fd[1], SHUT_RDWR);
    while (tls_stream_handshake(p.stream, &e) != TLS_FAILED)
        ;
    assert_string_equal(e.text, "the client went away");
    pair_close(&p);

    pair_open(&p, s, client);
    assert_int_equal(shake(&p), TLS_OK);
    (void)shutdown(p.fd[1], SHUT_RDWR);
    assert_int_equal(tls_stream_read(p.stream, (char[8]){0}, 8, &n), TLS_FAILED);
    assert_int_equal(tls_stream_write(p.stream, "x", 1, &n), TLS_FAILED);
    pair_close(&p);
    tls_server_free(s);
    SSL_CTX_free(client);
    tls_tickets_free(t);
}

/* ---- Threads: handshakes and tickets at the same time, as workers do ---- */

struct thread_args {
    struct tls_server *s;
    SSL_SESSION *session;
    unsigned resumed;
};

static void *handshakes(void *ctx)
{
    struct thread_args *a = ctx;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());

    for (int i = 0; i < HANDSHAKES; i++) {
        struct pair p;

        pair_open(&p, a->s, client);
        if (a->session)
            assert_int_equal(SSL_set_session(p.client, a->session), 1);
        assert_int_equal(shake(&p), TLS_OK);
        a->resumed += tls_stream_resumed(p.stream);
        say_hello(&p); /* the ticket comes with it */
        SSL_SESSION_free(a->session);
        a->session = SSL_get1_session(p.client);
        (void)SSL_shutdown(p.client);
        pair_close(&p);
    }
    SSL_CTX_free(client);
    return NULL;
}

static void tickets_are_shared_by_threads_and_servers(void **state)
{
    struct tls_tickets *t = tls_tickets_new(clock_real());
    struct tls_server *s = NULL;
    struct thread_args args[THREADS];
    pthread_t threads[THREADS];
    struct thread_args later;

    (void)state;
    assert_int_equal(make_server(&s, crt_path, key_path, t, NULL), OK);
    for (int i = 0; i < THREADS; i++) {
        args[i] = (struct thread_args){.s = s};
        assert_int_equal(pthread_create(&threads[i], NULL, handshakes, &args[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(args[i].resumed, HANDSHAKES - 1);
    }
    tls_server_free(s);
    /* Another server with the same keys: a reload. */
    assert_int_equal(make_server(&s, crt_path, key_path, t, NULL), OK);
    later = (struct thread_args){.s = s, .session = args[0].session};
    (void)handshakes(&later);
    assert_int_equal(later.resumed, HANDSHAKES);
    SSL_SESSION_free(later.session);
    for (int i = 1; i < THREADS; i++)
        SSL_SESSION_free(args[i].session);
    tls_server_free(s);
    tls_tickets_free(t);
}

static void files_that_are_wrong(void **state)
{
    struct tls_tickets *t = tls_tickets_new(clock_real());
    struct tls_server *s = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_int_equal(make_server(&s, "/nowhere/crt", key_path, t, &e), ERR_IO);
    assert_string_equal(e.text, "tls-certificate /nowhere/crt: No such file or directory");
    assert_int_equal(make_server(&s, crt_path, "/nowhere/key", t, &e), ERR_IO);
    assert_non_null(strstr(e.text, "tls-key /nowhere/key"));
    assert_int_equal(make_server(&s, key_path, key_path, t, &e), ERR_FORMAT);
    assert_int_equal(make_server(&s, crt_path, crt_path, t, &e), ERR_FORMAT);
    assert_int_equal(chmod(key_path, 0644), 0);
    assert_int_equal(make_server(&s, crt_path, key_path, t, &e), ERR_DENIED);
    assert_non_null(strstr(e.text, "0644"));
    assert_int_equal(chmod(key_path, 0640), 0);
    assert_int_equal(make_server(&s, crt_path, key_path, t, &e), OK);
    assert_int_equal(chmod(key_path, 0600), 0);
    tls_server_free(s);
    tls_server_free(NULL);
    tls_stream_free(NULL);
    tls_tickets_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_from_hello_to_goodbye),
        cmocka_unit_test(a_full_socket),
        cmocka_unit_test(garbage_and_departure),
        cmocka_unit_test(tickets_are_shared_by_threads_and_servers),
        cmocka_unit_test(files_that_are_wrong),
    };

    return cmocka_run_group_tests(tests, make_files, drop_files);
}
