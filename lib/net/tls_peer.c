#include "lib/net/tls_peer.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/mem.h"
#include "lib/net/tls_internal.h"

#define SESSIONS_MAX 4 /* that wait for their use; servers send two at a time */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
#define ALERT(number) (SSL_AD_REASON_OFFSET + (number))

struct tls_peer {
    SSL_CTX *ctx;
    char *hostname;  /* "": the pins alone count */
    bool is_address; /* that is, hostname */
    struct config_pin *pins;
    size_t pin_count;
    atomic_uint refs;

    SSL_SESSION *sessions[SESSIONS_MAX]; /* the newest last */
    unsigned session_count;
};

/* ---- Authorities ---- */

struct roots_file {
    char *path;
    X509_STORE *store;
};

struct tls_roots {
    struct roots_file *files;
    size_t n, cap;
};

struct tls_roots *tls_roots_new(void)
{
    return xcalloc(1, sizeof(struct tls_roots));
}

void tls_roots_free(struct tls_roots *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        free(r->files[i].path);
        X509_STORE_free(r->files[i].store);
    }
    free(r->files);
    free(r);
}

/* One file, read now: OpenSSL's directory of them would be read in the middle of a handshake. */
const char *tls_system_authorities(void)
{
    const char *path = secure_getenv(X509_get_default_cert_file_env());

    if (path)
        return path;
    return access(SYSTEM_AUTHORITIES, R_OK) == 0 ? SYSTEM_AUTHORITIES
                                                 : X509_get_default_cert_file();
}

static enum err roots_get(X509_STORE **out, struct tls_roots *r, const char *ca, struct errinfo *e)
{
    const char *path = ca[0] ? ca : tls_system_authorities();
    X509_STORE *store;
    enum err rc;

    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->files[i].path, path) == 0) {
            *out = r->files[i].store;
            return OK;
        }
    }
    store = X509_STORE_new();
    if (!store)
        abort(); /* out of memory */
    if ((rc = tls_load_authorities(store, ca[0] ? "tls-ca" : "the system's authorities", path, NULL,
                                   e))) {
        X509_STORE_free(store);
        return rc;
    }
    r->files = xgrow(r->files, &r->cap, r->n + 1, sizeof(*r->files));
    r->files[r->n++] = (struct roots_file){.path = xstrdup(path), .store = store};
    *out = store;
    return OK;
}

/* ---- The check of its certificate ---- */

static bool has_pin(const struct tls_peer *p, const uint8_t pin[TLS_PIN_OCTETS])
{
    for (size_t i = 0; i < p->pin_count; i++) {
        if (memcmp(p->pins[i].sha256, pin, TLS_PIN_OCTETS) == 0)
            return true;
    }
    return false;
}

static void say_pin(struct tls_stream *t, const uint8_t pin[TLS_PIN_OCTETS])
{
    struct buf b = BUF_INIT;

    buf_str(&b, "the pin of its key, ");
    base64_encode(&b, pin, TLS_PIN_OCTETS);
    buf_str(&b, ", is none of tls-pins");
    free(t->why);
    buf_u8(&b, 0);
    t->why = xmemdup(b.data, b.len);
    buf_free(&b);
}

/* In place of OpenSSL's own check. 1: it is who it shall be. */
static int on_verify(X509_STORE_CTX *x, void *ctx)
{
    struct tls_peer *p = ctx;
    SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
    const X509 *leaf = X509_STORE_CTX_get0_cert(x);
    uint8_t pin[TLS_PIN_OCTETS];

    if (p->hostname[0] && X509_verify_cert(x) != 1)
        return 0;
    if (p->pin_count && (!leaf || !tls_pin_of(pin, leaf) || !has_pin(p, pin))) {
        if (leaf)
            say_pin(SSL_get_app_data(ssl), pin);
        X509_STORE_CTX_set_error(x, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    X509_STORE_CTX_set_error(x, X509_V_OK);
    return 1;
}

/* ---- Sessions ---- */

/* 1: it is ours now. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_stream *t = SSL_get_app_data(ssl);
    struct tls_peer *p = t->peer;

    if (p->session_count == SESSIONS_MAX) {
        SSL_SESSION_free(p->sessions[0]);
        memmove(p->sessions, p->sessions + 1, sizeof(p->sessions) - sizeof(p->sessions[0]));
        p->session_count--;
    }
    p->sessions[p->session_count++] = session;
    return 1;
}

/* The newest one that can still be used. A session is as old as its first handshake: the
 * certificate may have ended since. */
static void offer_session(struct tls_peer *p, SSL *ssl)
{
    bool offered = false;

    while (p->session_count && !offered) {
        SSL_SESSION *s = p->sessions[--p->session_count];
        const X509 *x = SSL_SESSION_get0_peer(s);

        offered = SSL_SESSION_is_resumable(s) && x &&
                  (!p->hostname[0] || X509_cmp_current_time(X509_get0_notAfter(x)) > 0) &&
                  SSL_set_session(ssl, s) == 1;
        SSL_SESSION_free(s);
    }
}

/* ---- The peer ---- */

static bool set_host(struct tls_peer *p)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(p->ctx);

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    p->is_address = X509_VERIFY_PARAM_set1_ip_asc(param, p->hostname) == 1;
    return p->is_address || X509_VERIFY_PARAM_set1_host(param, p->hostname, 0) == 1;
}

static bool set_rules(struct tls_peer *p)
{
    static const unsigned char dot[] = {3, 'd', 'o', 't'};
    SSL_CTX *ctx = p->ctx;

    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); /* one system call a record, not two */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, p);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set1_groups_list(ctx, TLS_GROUPS) == 1 &&
           SSL_CTX_set_alpn_protos(ctx, dot, sizeof(dot)) == 0; /* 0 is success here */
}

static enum err load_files(struct tls_peer *p, const struct config_tls *how,
                           struct tls_roots *roots, struct errinfo *e)
{
    X509_STORE *store = NULL;
    enum err rc;

    if (how->hostname[0]) {
        if ((rc = roots_get(&store, roots, how->ca, e)))
            return rc;
        SSL_CTX_set1_cert_store(p->ctx, store);
        if (!set_host(p))
            return err_set(ERR_FORMAT, e, "tls-hostname '%s' is no host name", how->hostname);
    }
    if (how->certificate[0] && ((rc = tls_load_certificate(p->ctx, how->certificate, e)) ||
                                (rc = tls_load_key(p->ctx, how->key, how->certificate, e))))
        return rc;
    return OK;
}

enum err tls_peer_new(struct tls_peer **out, const struct config_tls *how, struct tls_roots *roots,
                      struct errinfo *e)
{
    struct tls_peer *p = xcalloc(1, sizeof(*p));
    enum err rc = OK;

    ERR_clear_error();
    atomic_init(&p->refs, 1);
    p->hostname = xstrdup(how->hostname);
    p->pins = xmemdup(how->pins, how->pin_count * sizeof(*how->pins));
    p->pin_count = how->pin_count;
    p->ctx = SSL_CTX_new(TLS_client_method());
    if (!p->ctx || !set_rules(p))
        rc = err_set(ERR_UNSUPPORTED, e, "OpenSSL cannot do TLS as we need it: %s", tls_reason());
    if (rc || (rc = load_files(p, how, roots, e))) {
        tls_peer_unref(p);
        ERR_clear_error();
        return rc;
    }
    *out = p;
    return OK;
}

struct tls_peer *tls_peer_ref(struct tls_peer *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void tls_peer_unref(struct tls_peer *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    while (p->session_count)
        SSL_SESSION_free(p->sessions[--p->session_count]);
    SSL_CTX_free(p->ctx);
    free(p->hostname);
    free(p->pins);
    free(p);
}

struct tls_stream *tls_peer_stream(struct tls_peer *p, int fd)
{
    struct tls_stream *t = tls_stream_make(p->ctx, fd, tls_peer_ref(p));

    if (!t)
        return NULL;
    /* The name goes along (RFC 6066 3), but no address ever. */
    if (p->hostname[0] && !p->is_address)
        (void)SSL_set_tlsext_host_name(t->ssl, p->hostname);
    offer_session(p, t->ssl);
    return t;
}

/* ---- What was wrong ---- */

bool tls_peer_accepts(struct tls_stream *t, struct errinfo *e)
{
    if (tls_stream_is_xot(t))
        return true;
    (void)err_set(ERR_AUTH, e, "TLS: it does not agree to ALPN 'dot'");
    return false;
}

static void say_end(struct errinfo *e, const X509 *x)
{
    char text[WALL_TEXT_MAX];
    struct tm tm;

    (void)err_set(ERR_AUTH, e, "TLS: its certificate has expired");
    if (!x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
        return;
    wall_to_text(text, (struct wall){timegm(&tm)});
    (void)err_set(ERR_AUTH, e, "TLS: its certificate has expired, %s", text);
}

static void say_certificate(const struct tls_stream *t, long result, struct errinfo *e)
{
    switch (result) {
    case X509_V_ERR_APPLICATION_VERIFICATION:
        (void)err_set(ERR_AUTH, e, "TLS: %s", t->why ? t->why : "its key cannot be read");
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        (void)err_set(ERR_AUTH, e, "TLS: its certificate is not for '%s' (tls-hostname)",
                      t->peer->hostname);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        say_end(e, SSL_get0_peer_certificate(t->ssl));
        break;
    default:
        (void)err_set(ERR_AUTH, e, "TLS: its certificate is not trusted: %s",
                      X509_verify_cert_error_string(result));
    }
}

/* What OpenSSL's reasons mean to whoever runs the primary. */
static const struct {
    int reason;
    const char *text;
} reasons[] = {
    {ALERT(SSL_AD_PROTOCOL_VERSION), "it does not speak TLS 1.3"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "it does not speak TLS 1.3"},
    {SSL_R_WRONG_SSL_VERSION, "it does not speak TLS 1.3"},
    {SSL_R_WRONG_VERSION_NUMBER, "what it speaks is not TLS"},
    {ALERT(SSL_AD_NO_APPLICATION_PROTOCOL), "it refuses ALPN 'dot'"},
    {ALERT(SSL3_AD_HANDSHAKE_FAILURE), "it refuses the handshake (handshake failure)"},
    {ALERT(SSL_AD_CERTIFICATE_REQUIRED), "it demands a certificate of ours (tls-certificate)"},
    {ALERT(SSL_AD_UNKNOWN_CA), "it does not trust who made our certificate (unknown CA)"},
    {ALERT(SSL3_AD_BAD_CERTIFICATE), "it does not accept our certificate (bad certificate)"},
    {ALERT(SSL3_AD_CERTIFICATE_EXPIRED), "to it our certificate has expired"},
    {ALERT(SSL3_AD_CERTIFICATE_UNKNOWN), "it does not accept our certificate"},
    {ALERT(SSL3_AD_UNSUPPORTED_CERTIFICATE), "it does not accept our certificate's kind"},
    {ALERT(SSL_AD_ACCESS_DENIED), "it denies us access"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the primary cut the connection, without a good-bye"},
};

void tls_peer_explain(const struct tls_stream *t, struct errinfo *e)
{
    long result = SSL_get_verify_result(t->ssl);
    const char *text = t->failure ? ERR_reason_error_string(t->failure) : NULL;

    if (result != X509_V_OK) {
        say_certificate(t, result, e);
        return;
    }
    for (size_t i = 0; t->failure && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (ERR_GET_LIB(t->failure) == ERR_LIB_SSL &&
            ERR_GET_REASON(t->failure) == reasons[i].reason)
            text = reasons[i].text;
    }
    if (!text && t->failure_errno)
        (void)err_sys(t->failure_errno, e, "TLS");
    else
        (void)err_set(ERR_AUTH, e, "TLS: %s", text ? text : "the primary cut the connection");
}
