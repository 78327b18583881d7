/* DNS cookies (RFC 7873), server cookies as RFC 9018 makes them, so that servers of any vendor that
 * share a secret accept each other's.
 *
 *   octet  0  client cookie, 8, whatever the client chose for this server
 *          8  version, 1; reserved, 3
 *         12  time, 4: seconds since 1970, compared as serial numbers
 *         16  SipHash-2-4 over all before and the client's address (4 or 16 octets), 8
 *
 * A server cookie shows that who sends it has been sent it at that address, an hour ago at most.
 */
#ifndef ZL_DNS_COOKIE_H
#define ZL_DNS_COOKIE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

#define COOKIE_CLIENT_OCTETS 8
#define COOKIE_OCTETS 24
#define COOKIE_SECRET_OCTETS 16
#define COOKIE_SECRETS_MAX 8

#define COOKIE_LIFE_S 3600  /* RFC 9018 4.3: older ones are not accepted */
#define COOKIE_FUTURE_S 300 /* nor are those from beyond */
#define COOKIE_RENEW_S 1800 /* older ones are replaced in the answer */

/* The first makes cookies, all are accepted: that is how secrets are changed (RFC 9018 5). */
struct cookie_secrets {
    size_t count; /* 1 at least */
    uint8_t secret[COOKIE_SECRETS_MAX][COOKIE_SECRET_OCTETS];
};

/* Reads secrets from the text of a file: 32 hex digits a line; blank lines, and what follows '#',
 * do not count. The caller wipes *out, also after an error.
 *
 * Errors: ERR_FORMAT if there is none, there are too many, one is no such digits or stands there
 * twice. The text names the line, and quotes nothing of it. */
MUST_USE enum err cookie_secrets_read(struct cookie_secrets *out, const char *text, size_t len,
                                      struct errinfo *e);

enum cookie_state {
    COOKIE_NONE,      /* the query has no such option, or nobody looks at it */
    COOKIE_MALFORMED, /* FORMERR (RFC 7873 5.2.2) */
    COOKIE_CLIENT,    /* only a client cookie: a client that comes for the first time */
    COOKIE_BAD,       /* with a server cookie that is not ours, not the client's, or too old */
    COOKIE_GOOD,
};

/* Judges the octets of a COOKIE option. Behind the last three outcomes `reply` holds what goes into
 * the answer. Pure; constant time in the secrets. */
enum cookie_state cookie_check(uint8_t reply[COOKIE_OCTETS], const struct cookie_secrets *secrets,
                               const uint8_t *option, size_t len, const struct addr *client,
                               struct wall now);

#endif
