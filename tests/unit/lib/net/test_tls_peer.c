/* A primary that is called by TLS, in all the ways in which it may not be who it shall be; what a
 * client shows, and what a server makes of it; the octets in which that travels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/net/tls_peer.h"
#include "lib/net/tls_server.h"

#define DAY 86400

static char dir[] = "/tmp/zl-tls-peer-XXXXXX";
static char none[1]; /* an empty text */

/* ---- Certificates ---- */

static const char *path_of(const char *name, const char *kind)
{
    static char paths[8][256];
    static unsigned n;

    n = (n + 1) % 8;
    (void)snprintf(paths[n], sizeof(paths[n]), "%s/%s.%s", dir, name, kind);
    return paths[n];
}

static void put_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

struct authority {
    X509 *x;
    EVP_PKEY *key;
};

static void write_pem(const char *name, X509 *x, EVP_PKEY *key)
{
    FILE *f = fopen(path_of(name, "crt"), "w");

    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    (void)fclose(f);
    f = fopen(path_of(name, "key"), "w");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(f);
}

/* Signed by `by`, or by itself; `names` as OpenSSL writes them, NULL: an authority. */
static struct authority certify(const char *name, const struct authority *by, const char *names,
                                long begin, long end)
{
    static long number;
    struct authority a = {.x = X509_new(), .key = EVP_EC_gen("P-256")};
    X509_NAME *subject = X509_get_subject_name(a.x);

    assert_int_equal(X509_set_version(a.x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(a.x), ++number), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(a.x), begin));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(a.x), end));
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(a.x, by ? X509_get_subject_name(by->x) : subject), 1);
    assert_int_equal(X509_set_pubkey(a.x, a.key), 1);
    if (names && names[0])
        put_extension(a.x, NID_subject_alt_name, names);
    if (!names)
        put_extension(a.x, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(a.x, by ? by->key : a.key, EVP_sha256()) > 0);
    write_pem(name, a.x, a.key);
    return a;
}

static void drop(struct authority a)
{
    X509_free(a.x);
    EVP_PKEY_free(a.key);
}

static struct config_pin pin_of(const char *name)
{
    FILE *f = fopen(path_of(name, "crt"), "r");
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    unsigned char *der = NULL;
    struct config_pin pin;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    assert_true(n > 0);
    (void)SHA256(der, (size_t)n, pin.sha256);
    OPENSSL_free(der);
    X509_free(x);
    (void)fclose(f);
    return pin;
}

static int make_files(void **state)
{
    struct authority ca, other;

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(dir));
    ca = certify("ca", NULL, NULL, -DAY, DAY);
    other = certify("other", NULL, NULL, -DAY, DAY);
    drop(certify("good", &ca, "DNS:ns.test,DNS:*.many.test,IP:192.0.2.1", -DAY, DAY));
    drop(certify("expired", &ca, "DNS:ns.test", -2 * DAY, -DAY));
    drop(certify("early", &ca, "DNS:ns.test", DAY, 2 * DAY));
    drop(certify("stranger", &other, "DNS:ns.test", -DAY, DAY));
    drop(certify("ns.test", &ca, "", -DAY, DAY)); /* a common name alone */
    drop(ca);
    drop(other);
    return 0;
}

static int drop_files(void **state)
{
    static const char *const names[] = {"ca",    "other",    "good",   "expired",
                                        "early", "stranger", "ns.test"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(path_of(names[i], "crt"));
        (void)unlink(path_of(names[i], "key"));
    }
    return rmdir(dir);
}

/* ---- A pair ---- */

struct pair {
    struct tls_server *server;
    struct tls_tickets *tickets;
    struct tls_peer *peer;
    struct tls_stream *theirs, *ours;
    int fd[2];
};

static struct tls_server *server_of(struct tls_tickets *t, const char *name, const char *client_ca,
                                    enum config_clients clients)
{
    struct tls_server_spec spec = {.certificate = path_of(name, "crt"),
                                   .key = path_of(name, "key"),
                                   .client_ca = client_ca ? path_of(client_ca, "crt") : "",
                                   .clients = clients};
    struct tls_server *s = NULL;
    struct errinfo e = {{0}};

    if (tls_server_new(&s, &spec, t, &e) != OK)
        fail_msg("%s", e.text);
    return s;
}

static struct tls_peer *peer_of(const struct config_tls *how)
{
    struct tls_roots *roots = tls_roots_new();
    struct tls_peer *p = NULL;
    struct errinfo e = {{0}};

    if (tls_peer_new(&p, how, roots, &e) != OK)
        fail_msg("%s", e.text);
    tls_roots_free(roots);
    return p;
}

static void call(struct pair *p)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
    p->theirs = tls_stream_new(p->server, p->fd[0]);
    p->ours = tls_peer_stream(p->peer, p->fd[1]);
    assert_non_null(p->theirs);
    assert_non_null(p->ours);
}

static void hang_up(struct pair *p)
{
    tls_stream_close(p->ours);
    tls_stream_free(p->ours);
    tls_stream_free(p->theirs);
    (void)close(p->fd[0]);
    (void)close(p->fd[1]);
}

static bool waits(enum tls_result r)
{
    return r == TLS_WANT_READ || r == TLS_WANT_WRITE;
}

/* Both sides in turn, until neither waits, and a few octets each way: a client's certificate is
 * refused only behind its handshake. */
static enum tls_result meet(struct pair *p, struct errinfo *e)
{
    enum tls_result ours = TLS_WANT_READ, theirs = TLS_WANT_READ;
    struct errinfo ignored;
    char octets[8];
    size_t n = 0;

    for (int i = 0; i < 10 && (waits(ours) || waits(theirs)); i++) {
        if (waits(ours))
            ours = tls_stream_handshake(p->ours, e);
        if (waits(theirs))
            theirs = tls_stream_handshake(p->theirs, &ignored);
    }
    if (ours != TLS_OK)
        return ours;
    if (theirs == TLS_OK) {
        assert_int_equal(tls_stream_write(p->ours, "ask", 3, &n), TLS_OK);
        assert_int_equal(tls_stream_read(p->theirs, octets, sizeof(octets), &n), TLS_OK);
        assert_int_equal(tls_stream_write(p->theirs, "answer", 6, &n), TLS_OK);
    }
    ours = tls_stream_read(p->ours, octets, sizeof(octets), &n);
    if (ours == TLS_FAILED)
        tls_stream_explain(p->ours, e);
    return ours;
}

static void pair_open(struct pair *p, const struct config_tls *how, const char *server,
                      const char *client_ca, enum config_clients clients)
{
    p->tickets = tls_tickets_new(clock_real());
    p->server = server_of(p->tickets, server, client_ca, clients);
    p->peer = peer_of(how);
    call(p);
}

static void pair_close(struct pair *p)
{
    hang_up(p);
    tls_server_free(p->server);
    tls_peer_unref(p->peer);
    tls_tickets_free(p->tickets);
}

/* ---- Who is called ---- */

static const struct {
    const char *server;   /* its certificate */
    const char *hostname; /* "": by pin */
    const char *ca;
    const char *pins[2];
    const char *why; /* NULL: it is the one */
} calls[] = {
    {"good", "ns.test", "ca", {NULL}, NULL},
    {"good", "NS.Test", "ca", {NULL}, NULL},
    {"good", "a.many.test", "ca", {NULL}, NULL},
    {"good", "192.0.2.1", "ca", {NULL}, NULL},
    {"good", "192.0.2.2", "ca", {NULL}, "not for '192.0.2.2'"},
    {"good", "a.b.many.test", "ca", {NULL}, "not for 'a.b.many.test'"},
    {"good", "other.test", "ca", {NULL}, "not for 'other.test'"},
    {"good", "test", "ca", {NULL}, "not for 'test'"},
    {"ns.test", "ns.test", "ca", {NULL}, "not for 'ns.test'"}, /* RFC 9525: no common names */
    {"expired", "ns.test", "ca", {NULL}, "has expired"},
    {"early", "ns.test", "ca", {NULL}, "not yet valid"},
    {"stranger", "ns.test", "ca", {NULL}, "not trusted"},
    {"good", "ns.test", "other", {NULL}, "not trusted"},
    {"stranger", "ns.test", "other", {NULL}, NULL},
    {"good", "", "", {"good"}, NULL},
    {"good", "", "", {"stranger", "good"}, NULL},
    {"expired", "", "", {"expired"}, NULL}, /* the pin is all that counts */
    {"good", "", "", {"stranger"}, "none of tls-pins"},
    {"good", "", "", {"ca"}, "none of tls-pins"}, /* of its own key, not of its authority */
    {"good", "ns.test", "ca", {"good"}, NULL},    /* both */
    {"good", "ns.test", "ca", {"stranger"}, "none of tls-pins"},
    {"expired", "ns.test", "ca", {"expired"}, "has expired"},
    {"good", "x.test", "ca", {"good"}, "not for 'x.test'"},
};

static void only_who_it_shall_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        char hostname[32], ca[256];
        struct config_pin pins[2];
        struct config_tls how = {.on = true,
                                 .hostname = hostname,
                                 .ca = ca,
                                 .pins = pins,
                                 .certificate = none,
                                 .key = none};
        struct errinfo e = {{0}};
        struct pair p;
        enum tls_result r;

        (void)snprintf(hostname, sizeof(hostname), "%s", calls[i].hostname);
        (void)snprintf(ca, sizeof(ca), "%s", calls[i].ca[0] ? path_of(calls[i].ca, "crt") : "");
        while (how.pin_count < 2 && calls[i].pins[how.pin_count]) {
            pins[how.pin_count] = pin_of(calls[i].pins[how.pin_count]);
            how.pin_count++;
        }
        pair_open(&p, &how, calls[i].server, NULL, CONFIG_CLIENTS_NOT_ASKED);
        r = meet(&p, &e);
        if (calls[i].why ? r != TLS_FAILED || !strstr(e.text, calls[i].why) : r != TLS_OK)
            fail_msg("call %zu of %s: %d %s", i, calls[i].server, (int)r, e.text);
        pair_close(&p);
    }
}

/* ---- What is spoken ---- */

static struct config_tls by_name(char hostname[32], char ca[256])
{
    (void)snprintf(hostname, 32, "ns.test");
    (void)snprintf(ca, 256, "%s", path_of("ca", "crt"));
    return (struct config_tls){
        .on = true, .hostname = hostname, .ca = ca, .certificate = none, .key = none};
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                  const unsigned char *in, unsigned in_len, void *ctx)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    *out = (const unsigned char *)ctx;
    *out_len = (unsigned char)strlen(ctx);
    return SSL_TLSEXT_ERR_OK;
}

/* A server that is OpenSSL's, which lets itself be told to do it wrong. */
static void meet_odd_server(int max_version, char *alpn, const char *why)
{
    char hostname[32], ca[256], octets[8];
    struct config_tls how = by_name(hostname, ca);
    struct tls_peer *peer = peer_of(&how);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    enum tls_result r = TLS_WANT_READ;
    struct errinfo e = {{0}};
    struct tls_stream *ours;
    SSL *theirs;
    int fd[2];

    assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, path_of("good", "crt")), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, path_of("good", "key"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, max_version), 1);
    if (alpn)
        SSL_CTX_set_alpn_select_cb(ctx, choose, alpn);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    theirs = SSL_new(ctx);
    assert_int_equal(SSL_set_fd(theirs, fd[0]), 1);
    SSL_set_accept_state(theirs);
    ours = tls_peer_stream(peer, fd[1]);
    for (int i = 0; i < 10 && waits(r); i++) {
        r = tls_stream_handshake(ours, &e);
        (void)SSL_do_handshake(theirs);
    }
    if (why)
        assert_int_equal(r, TLS_FAILED);
    if (why && !strstr(e.text, why))
        fail_msg("%s, not %s", e.text, why);
    if (!why) { /* and then cuts the connection */
        size_t n;

        assert_int_equal(r, TLS_OK);
        assert_int_equal(shutdown(fd[0], SHUT_RDWR), 0);
        assert_int_equal(tls_stream_read(ours, octets, sizeof(octets), &n), TLS_FAILED);
        tls_stream_explain(ours, &e);
        assert_non_null(strstr(e.text, "cut the connection"));
    }
    tls_stream_free(ours);
    SSL_free(theirs);
    SSL_CTX_free(ctx);
    tls_peer_unref(peer);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static void only_tls_1_3_and_dot(void **state)
{
    (void)state;
    meet_odd_server(TLS1_2_VERSION, (char[]){"dot"}, "does not speak TLS 1.3");
    meet_odd_server(TLS1_3_VERSION, NULL, "ALPN 'dot'");
    meet_odd_server(TLS1_3_VERSION, (char[]){"dot"}, NULL);
}

static void what_is_no_tls(void **state)
{
    char hostname[32], ca[256];
    struct config_tls how = by_name(hostname, ca);
    struct tls_peer *peer = peer_of(&how);
    struct errinfo e = {{0}};
    struct tls_stream *ours;
    int fd[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    ours = tls_peer_stream(peer, fd[1]);
    assert_int_equal(tls_stream_handshake(ours, &e), TLS_WANT_READ);
    assert_int_equal(write(fd[0], "HTTP/1.0 400 Bad Request\r\n\r\n", 28), 28);
    assert_int_equal(tls_stream_handshake(ours, &e), TLS_FAILED);
    assert_non_null(strstr(e.text, "not TLS"));
    tls_stream_free(ours);
    tls_peer_unref(peer);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static void sessions_are_resumed(void **state)
{
    char hostname[32], ca[256];
    struct config_tls how = by_name(hostname, ca);
    struct errinfo e = {{0}};
    struct pair p;

    (void)state;
    pair_open(&p, &how, "good", NULL, CONFIG_CLIENTS_NOT_ASKED);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(meet(&p, &e), TLS_OK);
        if (tls_stream_resumed(p.ours) != (i > 0))
            fail_msg("connection %d", i);
        hang_up(&p);
        call(&p);
    }
    pair_close(&p);
}

/* ---- A handshake that is cut, or damaged ---- */

/* Carries what `from` has said to `to`; of what comes behind octet `end` nothing, and octet `flip`
 * with a bit changed. Returns how many octets were carried in all. */
static size_t carry(int from, int to, size_t before, size_t end, size_t flip)
{
    uint8_t octets[16384];
    ssize_t n = recv(from, octets, sizeof(octets), MSG_DONTWAIT);
    size_t take = n > 0 ? (size_t)n : 0;

    if (before + take > end)
        take = end - before;
    if (flip >= before && flip < before + take)
        octets[flip - before] ^= 1;
    if (take)
        assert_int_equal(send(to, octets, take, MSG_NOSIGNAL), take);
    return before + take;
}

/* What comes of a handshake of which the client gets so much; *total is what it got. */
static enum tls_result meet_through(struct tls_server *server, struct tls_peer *peer, size_t end,
                                    size_t flip, size_t *total, struct errinfo *e)
{
    struct tls_stream *ours, *theirs;
    struct errinfo ignored;
    enum tls_result r;
    int client[2], far[2];
    size_t up = 0;

    *total = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, far), 0);
    ours = tls_peer_stream(peer, client[0]);
    theirs = tls_stream_new(server, far[0]);
    for (int i = 0; waits(r = tls_stream_handshake(ours, e)) && i < 4; i++) {
        up = carry(client[1], far[1], up, SIZE_MAX, SIZE_MAX);
        (void)tls_stream_handshake(theirs, &ignored);
        *total = carry(far[1], client[1], *total, end, flip);
        if (*total == end)
            (void)shutdown(client[1], SHUT_WR);
    }
    tls_stream_free(ours);
    tls_stream_free(theirs);
    for (int i = 0; i < 2; i++) {
        (void)close(client[i]);
        (void)close(far[i]);
    }
    return r;
}

/* At every fifth octet of what the server says: the connection is never taken for one that stands,
 * and there is always a reason. */
static void cut_and_damaged_handshakes(void **state)
{
    char hostname[32], ca[256];
    struct config_tls how = by_name(hostname, ca);
    struct tls_tickets *tickets = tls_tickets_new(clock_real());
    struct tls_server *server = server_of(tickets, "good", NULL, CONFIG_CLIENTS_NOT_ASKED);
    struct tls_peer *peer = peer_of(&how);
    struct errinfo e = {{0}};
    size_t total, ignored;

    (void)state;
    assert_int_equal(meet_through(server, peer, SIZE_MAX, SIZE_MAX, &total, &e), TLS_OK);
    assert_true(total > 500);
    for (size_t n = 0; n + 5 < total; n += 5) {
        enum tls_result r;

        e.text[0] = 0;
        r = meet_through(server, peer, n, SIZE_MAX, &ignored, &e);
        if (r != TLS_FAILED || !e.text[0])
            fail_msg("cut behind %zu octets: %d %s", n, (int)r, e.text);
        e.text[0] = 0;
        r = meet_through(server, peer, SIZE_MAX, n, &ignored, &e);
        if (r == TLS_OK || (r == TLS_FAILED && !e.text[0]))
            fail_msg("octet %zu changed: %d %s", n, (int)r, e.text);
    }
    tls_peer_unref(peer);
    tls_server_free(server);
    tls_tickets_free(tickets);
}

/* ---- What we show ---- */

static const struct {
    const char *shown; /* our certificate, NULL: none */
    enum config_clients clients;
    const char *ca;
    const char *why; /* NULL: let in */
    bool vouched;
    const char *text; /* of the identity; "pin": its pin */
} clients[] = {
    {NULL, CONFIG_CLIENTS_NOT_ASKED, NULL, NULL, false, ""},
    {"good", CONFIG_CLIENTS_NOT_ASKED, NULL, NULL, false, ""},
    {NULL, CONFIG_CLIENTS_ACCEPTED, "ca", NULL, false, ""},
    {"good", CONFIG_CLIENTS_ACCEPTED, "ca", NULL, true, "ns.test"},
    {"ns.test", CONFIG_CLIENTS_ACCEPTED, "ca", NULL, true, "ns.test"}, /* the common name */
    {"good", CONFIG_CLIENTS_ACCEPTED, NULL, NULL, false, "pin"},
    {"stranger", CONFIG_CLIENTS_ACCEPTED, "ca", NULL, false, "pin"},
    {"expired", CONFIG_CLIENTS_ACCEPTED, "ca", NULL, false, "pin"},
    {"good", CONFIG_CLIENTS_DEMANDED, "ca", NULL, true, "ns.test"},
    {"stranger", CONFIG_CLIENTS_DEMANDED, NULL, NULL, false, "pin"},
    {NULL, CONFIG_CLIENTS_DEMANDED, "ca", "demands a certificate", false, ""},
    {NULL, CONFIG_CLIENTS_DEMANDED, NULL, "demands a certificate", false, ""},
    {"stranger", CONFIG_CLIENTS_DEMANDED, "ca", "unknown CA", false, ""},
    {"expired", CONFIG_CLIENTS_DEMANDED, "ca", "has expired", false, ""},
};

static void check_identity(const struct pair *p, size_t i)
{
    struct tls_identity id, again;
    char text[TLS_IDENTITY_TEXT_MAX];
    struct buf wire = BUF_INIT;
    struct reader r;

    tls_stream_identity(p->theirs, &id);
    tls_identity_text(text, &id);
    assert_int_equal(id.shown, clients[i].text[0] != 0);
    assert_int_equal(id.vouched, clients[i].vouched);
    if (strcmp(clients[i].text, "pin") == 0)
        assert_memory_equal(text, "pin:", 4);
    else
        assert_string_equal(text, clients[i].text);
    if (id.shown)
        assert_memory_equal(id.pin, pin_of(clients[i].shown).sha256, sizeof(id.pin));
    tls_identity_encode(&wire, &id);
    r = reader_of(wire.data, wire.len);
    assert_true(tls_identity_decode(&again, &r));
    assert_memory_equal(&again, &id, sizeof(id));
    buf_free(&wire);
}

static void what_a_client_shows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        char hostname[32], ca[256], crt[256] = "", key[256] = "";
        struct config_tls how = by_name(hostname, ca);
        struct errinfo e = {{0}};
        struct pair p;
        enum tls_result r;

        if (clients[i].shown) {
            (void)snprintf(crt, sizeof(crt), "%s", path_of(clients[i].shown, "crt"));
            (void)snprintf(key, sizeof(key), "%s", path_of(clients[i].shown, "key"));
        }
        how.certificate = crt;
        how.key = key;
        pair_open(&p, &how, "good", clients[i].ca, clients[i].clients);
        for (int again = 0; again < 2; again++) { /* the second time the session is resumed */
            r = meet(&p, &e);
            if (clients[i].why ? r != TLS_FAILED || !strstr(e.text, clients[i].why) : r != TLS_OK)
                fail_msg("client %zu: %d %s", i, (int)r, e.text);
            if (!clients[i].why) {
                assert_int_equal(tls_stream_resumed(p.theirs), again);
                check_identity(&p, i);
            }
            hang_up(&p);
            call(&p);
        }
        pair_close(&p);
    }
}

/* The authorities for clients are others now: what was believed before is no longer. */
static void a_session_ends_with_its_rules(void **state)
{
    char hostname[32], ca[256], crt[256], key[256];
    struct config_tls how = by_name(hostname, ca);
    struct tls_identity id;
    struct errinfo e = {{0}};
    struct pair p;

    (void)state;
    (void)snprintf(crt, sizeof(crt), "%s", path_of("good", "crt"));
    (void)snprintf(key, sizeof(key), "%s", path_of("good", "key"));
    how.certificate = crt;
    how.key = key;
    pair_open(&p, &how, "good", "ca", CONFIG_CLIENTS_ACCEPTED);
    assert_int_equal(meet(&p, &e), TLS_OK);
    hang_up(&p);
    tls_server_free(p.server);
    p.server = server_of(p.tickets, "good", "other", CONFIG_CLIENTS_ACCEPTED);
    call(&p);
    assert_int_equal(meet(&p, &e), TLS_OK);
    assert_false(tls_stream_resumed(p.theirs));
    tls_stream_identity(p.theirs, &id);
    assert_true(id.shown);
    assert_false(id.vouched);
    pair_close(&p);
}

/* ---- Files ---- */

static void wrong_files(void **state)
{
    static const struct {
        const char *ca, *crt, *key, *why;
    } wrong[] = {
        {"/nowhere", "", "", "tls-ca /nowhere"},
        {"KEY", "", "", "is not a list of certificates"},
        {"", "/nowhere", "/nowhere", "tls-certificate /nowhere"},
        {"", "CRT", "/nowhere", "tls-key /nowhere"},
        {"", "CRT", "OTHER", "does not belong to the certificate"},
    };
    struct tls_roots *roots = tls_roots_new();

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char hostname[32], ca[256], crt[256], key[256];
        struct config_tls how = by_name(hostname, ca);
        struct errinfo e = {{0}};
        struct tls_peer *p = NULL;

        if (wrong[i].ca[0])
            (void)snprintf(ca, sizeof(ca), "%s",
                           wrong[i].ca[0] == 'K' ? path_of("ca", "key") : wrong[i].ca);
        (void)snprintf(crt, sizeof(crt), "%s",
                       wrong[i].crt[0] == 'C' ? path_of("good", "crt") : wrong[i].crt);
        (void)snprintf(key, sizeof(key), "%s",
                       wrong[i].key[0] == 'O' ? path_of("other", "key") : wrong[i].key);
        how.certificate = crt;
        how.key = key;
        assert_true(tls_peer_new(&p, &how, roots, &e) != OK);
        if (!strstr(e.text, wrong[i].why))
            fail_msg("%s, not %s", e.text, wrong[i].why);
        assert_null(p);
    }
    tls_roots_free(roots);
}

/* ---- The octets of an identity ---- */

static void malformed_identities(void **state)
{
    static const struct {
        size_t len;
        uint8_t flags, count;
        const char *names;
        bool ok;
    } cases[] = {
        {0, 0, 0, "", true},       {34, 1, 0, "", true},
        {34, 2, 0, "", false}, /* an unknown flag */
        {33, 0, 0, "", false}, /* cut */
        {36, 0, 1, "\1a", true},   {36, 0, 1, "\2a", false},
        {36, 0, 0, "\1a", false}, /* more than it says */
        {35, 0, 1, "\0", false},  /* an empty name */
        {36, 0, 1, "\1\n", false}, {36, 0, 1, "\1 ", false},
        {34, 0, 9, "", false},     {38, 0, 2, "\1a\1b", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t wire[64] = {cases[i].flags};
        struct reader r = reader_of(wire, cases[i].len);
        struct tls_identity id;

        wire[33] = cases[i].count;
        if (cases[i].len > 34)
            memcpy(wire + 34, cases[i].names, cases[i].len - 34);
        if (tls_identity_decode(&id, &r) != cases[i].ok)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_it_shall_be),
        cmocka_unit_test(only_tls_1_3_and_dot),
        cmocka_unit_test(what_is_no_tls),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(what_a_client_shows),
        cmocka_unit_test(a_session_ends_with_its_rules),
        cmocka_unit_test(cut_and_damaged_handshakes),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(malformed_identities),
    };

    return cmocka_run_group_tests(tests, make_files, drop_files);
}
