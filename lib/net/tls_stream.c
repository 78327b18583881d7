#include "lib/net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/tls_internal.h"

const char *tls_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    return text ? text : "OpenSSL gives no reason";
}

struct tls_stream *tls_stream_make(SSL_CTX *ctx, int fd, struct tls_peer *peer)
{
    struct tls_stream *t = xcalloc(1, sizeof(*t));

    ERR_clear_error();
    t->peer = peer;
    t->ssl = SSL_new(ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1) {
        tls_stream_free(t);
        return NULL;
    }
    SSL_set_app_data(t->ssl, t);
    if (peer)
        SSL_set_connect_state(t->ssl);
    else
        SSL_set_accept_state(t->ssl);
    return t;
}

void tls_stream_free(struct tls_stream *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    tls_peer_unref(t->peer);
    free(t->why);
    free(t);
}

/* What a call that gave `ret` means; a failure ends the stream. */
static enum tls_result outcome(struct tls_stream *t, int ret)
{
    int errnum = errno;
    int what = SSL_get_error(t->ssl, ret);

    switch (what) {
    case SSL_ERROR_NONE:
        return TLS_OK;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        t->stands = false;
        t->failure = ERR_peek_last_error();
        t->failure_errno = what == SSL_ERROR_SYSCALL ? errnum : 0;
        return TLS_FAILED;
    }
}

void tls_stream_explain(const struct tls_stream *t, struct errinfo *e)
{
    const char *text = t->failure ? ERR_reason_error_string(t->failure) : NULL;

    if (t->peer)
        tls_peer_explain(t, e);
    else
        (void)err_set(ERR_AUTH, e, "%s", text ? text : "the client went away");
}

enum tls_result tls_stream_handshake(struct tls_stream *t, struct errinfo *e)
{
    enum tls_result r;

    ERR_clear_error();
    r = outcome(t, SSL_do_handshake(t->ssl));
    t->stands = r == TLS_OK;
    if (r == TLS_FAILED)
        tls_stream_explain(t, e);
    if (r == TLS_OK && t->peer && !tls_peer_accepts(t, e)) {
        tls_stream_close(t);
        return TLS_FAILED;
    }
    return r;
}

bool tls_stream_resumed(const struct tls_stream *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

const char *tls_stream_version(const struct tls_stream *t)
{
    return SSL_get_version(t->ssl);
}

bool tls_stream_is_xot(const struct tls_stream *t)
{
    const unsigned char *chosen = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(t->ssl, &chosen, &len);
    return SSL_version(t->ssl) >= TLS1_3_VERSION && len == 3 && memcmp(chosen, "dot", 3) == 0;
}

enum tls_result tls_stream_read(struct tls_stream *t, void *buf, size_t cap, size_t *n)
{
    ERR_clear_error();
    return outcome(t, SSL_read_ex(t->ssl, buf, cap, n));
}

bool tls_stream_holds_input(const struct tls_stream *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

enum tls_result tls_stream_write(struct tls_stream *t, const void *p, size_t len, size_t *n)
{
    ERR_clear_error();
    return outcome(t, SSL_write_ex(t->ssl, p, len, n));
}

void tls_stream_close(struct tls_stream *t)
{
    if (!t->stands)
        return;
    t->stands = false;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* ---- Who the client is ---- */

static void add_name(struct tls_identity *out, const ASN1_STRING *s)
{
    const char *text = (const char *)ASN1_STRING_get0_data(s);
    int len = ASN1_STRING_length(s);

    if (out->name_count == TLS_NAMES_MAX || len < 0 || !tls_name_is_plain(text, (size_t)len))
        return;
    memcpy(out->names[out->name_count++], text, (size_t)len); /* zero behind it */
}

/* True if there were any, whatever they look like. */
static bool add_dns_names(struct tls_identity *out, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool any = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != GEN_DNS)
            continue;
        any = true;
        add_name(out, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    return any;
}

static void add_common_name(struct tls_identity *out, const X509 *x)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *utf8 = NULL;
    int len;

    if (at < 0)
        return;
    len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0 && tls_name_is_plain((char *)utf8, (size_t)len))
        memcpy(out->names[out->name_count++], utf8, (size_t)len);
    OPENSSL_free(utf8);
}

void tls_stream_identity(const struct tls_stream *t, struct tls_identity *out)
{
    const X509 *x = SSL_get0_peer_certificate(t->ssl);

    *out = (struct tls_identity){.shown = false};
    ERR_clear_error();
    if (!x || !tls_pin_of(out->pin, x))
        return;
    out->shown = true;
    /* A resumed session is as old as its first handshake: the certificate may have ended since. */
    out->vouched = SSL_get_verify_result(t->ssl) == X509_V_OK &&
                   X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
    if (!add_dns_names(out, x))
        add_common_name(out, x);
    ERR_clear_error();
}
