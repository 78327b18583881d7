/* The error idiom of the whole project.
 *
 * A function that can fail returns `enum err` (OK is 0), which says what a caller can act on, and
 * takes a `struct errinfo *` as its last argument, which holds the sentence for a person. Outputs
 * are written only on success. The sentence travels with the work (also to another thread); each
 * floor wraps what it knows with err_wrap, and whoever handles the error logs it, once.
 */
#ifndef ZL_BASE_ERR_H
#define ZL_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err {
    OK = 0,
    ERR_FORMAT,      /* malformed input: wire, text, page, request */
    ERR_LIMIT,       /* a budget or a protocol limit is passed */
    ERR_NOT_FOUND,   /* no such zone, record, version, file */
    ERR_EXISTS,      /* it is there already */
    ERR_SERIAL,      /* a serial does not fit (RFC 1982) */
    ERR_CONFLICT,    /* the change does not fit the present state */
    ERR_CHECK,       /* well-formed, but refused by a check or guard */
    ERR_DENIED,      /* not allowed */
    ERR_AUTH,        /* TSIG or TLS identity failed */
    ERR_BUSY,        /* try again later */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_CLOSED,      /* the peer or the other daemon went away */
    ERR_IO,          /* the operating system said no */
    ERR_CORRUPT,     /* what we stored ourselves is damaged */
    ERR_UNSUPPORTED, /* a valid thing that we do not do */
};

#define ERR_TEXT_MAX 1024

struct errinfo {
    char text[ERR_TEXT_MAX]; /* one line, no trailing newline; "" if there is none */
};

/* Sets the sentence and returns rc; `e` may be NULL. Too long a text is cut. */
enum err err_set(enum err rc, struct errinfo *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the sentence that is there and returns rc; `e` may be NULL. */
enum err err_wrap(enum err rc, struct errinfo *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Like err_set, with ": " and the text of `errnum` (errno) behind the sentence; returns ERR_IO. */
enum err err_sys(int errnum, struct errinfo *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The kind as a short word ("format", "limit" ...), for logs and JSON. */
const char *err_name(enum err rc);

#endif
