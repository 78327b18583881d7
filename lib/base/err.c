#include "lib/base/err.h"

#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void set_text(struct errinfo *e, const char *fmt,
                                                           va_list ap)
{
    if (e)
        (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

enum err err_set(enum err rc, struct errinfo *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_text(e, fmt, ap);
    va_end(ap);
    return rc;
}

enum err err_wrap(enum err rc, struct errinfo *e, const char *fmt, ...)
{
    va_list ap;
    char old[ERR_TEXT_MAX];
    size_t n;

    if (!e)
        return rc;
    memcpy(old, e->text, sizeof(old));
    va_start(ap, fmt);
    set_text(e, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    if (old[0])
        (void)snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
    return rc;
}

enum err err_sys(int errnum, struct errinfo *e, const char *fmt, ...)
{
    va_list ap;
    size_t n;
    char why[128];

    if (!e)
        return ERR_IO;
    va_start(ap, fmt);
    set_text(e, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    (void)snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror_r(errnum, why, sizeof(why)));
    return ERR_IO;
}

const char *err_name(enum err rc)
{
    switch (rc) {
    case OK:
        return "ok";
    case ERR_FORMAT:
        return "format";
    case ERR_LIMIT:
        return "limit";
    case ERR_NOT_FOUND:
        return "not-found";
    case ERR_EXISTS:
        return "exists";
    case ERR_SERIAL:
        return "serial";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_CHECK:
        return "check";
    case ERR_DENIED:
        return "denied";
    case ERR_AUTH:
        return "auth";
    case ERR_BUSY:
        return "busy";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_CLOSED:
        return "closed";
    case ERR_IO:
        return "io";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_UNSUPPORTED:
        return "unsupported";
    }
    return "unknown";
}
