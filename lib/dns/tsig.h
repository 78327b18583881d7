/* Transaction signatures, RFC 8945.
 *
 * A key (struct tsig_key) is shared and counted; a signer or verifier (struct tsig) belongs to one
 * exchange: one request and its response, or its stream of responses. It knows no sockets.
 *
 *   client   tsig_sign_request ──▶ tsig_verify_response      (one message)
 *                              └─▶ tsig_verify_stream ... tsig_verify_stream_end   (AXFR, IXFR)
 *   server   tsig_read, find the key, tsig_verify_request ──▶ tsig_sign_response
 *                              └─▶ tsig_sign_stream ...      (AXFR, IXFR; any number of messages)
 *
 * Times are the caller's. A message is only believed on TSIG_OK.
 * Threads: keys may be used by any number of threads at once; a struct tsig has one owner.
 */
#ifndef ZL_DNS_TSIG_H
#define ZL_DNS_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/dns/name.h"

#define TSIG_FUDGE_S 300
#define TSIG_MAC_MAX 64
#define TSIG_SECRET_MAX 1024
#define TSIG_UNSIGNED_MAX 99 /* messages of a stream between two signed ones, RFC 8945 5.3.1 */

enum tsig_alg {
    TSIG_HMAC_MD5,
    TSIG_HMAC_SHA1,
    TSIG_HMAC_SHA224,
    TSIG_HMAC_SHA256,
    TSIG_HMAC_SHA384,
    TSIG_HMAC_SHA512,
};

/* "hmac-sha256", in any case, with or without the last dot; "hmac-md5" is short for
 * "hmac-md5.sig-alg.reg.int". */
bool tsig_alg_from_text(enum tsig_alg *out, const char *text);
const char *tsig_alg_text(enum tsig_alg alg); /* without the last dot; MD5's long name */
/* The algorithm's name in wire form; false if it is none of ours. */
const uint8_t *tsig_alg_name(enum tsig_alg alg);
bool tsig_alg_from_name(enum tsig_alg *out, const uint8_t *name);
size_t tsig_alg_octets(enum tsig_alg alg); /* of a full MAC */

struct tsig_key;

/* Makes a key with one reference; its name is folded. The secret is base64 (RFC 4648 4, with
 * padding; blanks in it are ignored), 1 to TSIG_SECRET_MAX octets. ERR_FORMAT: bad base64 or empty;
 * ERR_UNSUPPORTED: OpenSSL refuses the algorithm (MD5 in FIPS mode). No text holds the secret. */
MUST_USE enum err tsig_key_new(struct tsig_key **out, const uint8_t *name, enum tsig_alg alg,
                               const char *secret_base64, size_t secret_len, struct errinfo *e);

/* Accepts MACs cut to the least that RFC 8945 5.2.2.1 allows: half of the full length, at least 10
 * octets. To be called before the key is shared; otherwise only full MACs are accepted. */
void tsig_key_allow_truncated(struct tsig_key *k);

struct tsig_key *tsig_key_ref(struct tsig_key *k);
void tsig_key_unref(struct tsig_key *k); /* the last one wipes the secret; NULL is fine */
const uint8_t *tsig_key_name(const struct tsig_key *k);
enum tsig_alg tsig_key_alg(const struct tsig_key *k);

/* Octets a TSIG record made with this key takes at most (BADTIME's included): to be reserved. */
size_t tsig_key_space(const struct tsig_key *k);

enum tsig_outcome {
    TSIG_OK,
    TSIG_MISSING,  /* not signed though it must be */
    TSIG_FORMERR,  /* a TSIG that breaks the format; answer FORMERR, unsigned */
    TSIG_BADKEY,   /* name or algorithm isn't the key's */
    TSIG_BADSIG,   /* the MAC is wrong */
    TSIG_BADTIME,  /* the MAC is right, but the time is off by more than the fudge */
    TSIG_BADTRUNC, /* the MAC is right as far as it goes, but shorter than we accept */
    TSIG_PEER,     /* client only: the server refuses our signature, see peer_error */
};

/* "BADSIG" and so on, for logs. */
const char *tsig_outcome_text(enum tsig_outcome o);

/* Server: the rcode of the answer to a request that was verified so (RFC 8945 5.2, 5.3.2); NOERROR
 * for TSIG_OK and TSIG_MISSING. */
uint16_t tsig_rcode(enum tsig_outcome o);

/* A TSIG record as it stands in a message. */
struct tsig_rr {
    uint8_t key_name[NAME_MAX_OCTETS]; /* folded */
    uint8_t alg_name[NAME_MAX_OCTETS]; /* folded */
    const uint8_t *mac;                /* into the message */
    const uint8_t *other;              /* into the message */
    uint64_t time_s;
    uint16_t fudge_s;
    uint16_t mac_len;
    uint16_t original_id;
    uint16_t error;
    uint16_t other_len;
};

/* Reads the TSIG record at offset `at` (query.tsig, msg_layout.tsig), which must end the message.
 * False if it isn't well formed (class ANY, TTL 0): FORMERR. */
bool tsig_read(struct tsig_rr *out, const uint8_t *wire, size_t len, size_t at);

/* One exchange. Zeroed is ready for use; the fields are read-only for callers. */
struct tsig {
    struct tsig_key *key;  /* a reference of our own, NULL before the first call */
    uint16_t error;        /* server: the TSIG error that tsig_sign_response sends */
    uint16_t peer_error;   /* client: BADSIG, BADKEY, BADTIME ... from the server; see TSIG_PEER */
    bool peer_authentic;   /* client: the MAC over peer_error was right */
    struct wall peer_time; /* client: the server's time with BADTIME, else 0 */
    unsigned unsigned_count; /* messages since the last signed one */
    bool started;            /* first message of the response is through */
    bool over;               /* client: the stream has failed */

    void *running; /* digest over unsigned messages of a stream */
    uint64_t request_time_s;
    uint16_t mac_len;
    uint8_t mac[TSIG_MAC_MAX];        /* the MAC that the next message is chained to */
    uint8_t bad_key[NAME_MAX_OCTETS]; /* server, BADKEY and BADSIG: what the request said */
    uint8_t bad_alg[NAME_MAX_OCTETS];
};

/* Drops the key and wipes the rest; the struct is zeroed and ready for use again. */
void tsig_done(struct tsig *t);

/* Client: appends a TSIG to the request in buf (`*len` octets, room for `cap`), corrects ARCOUNT
 * and *len, and begins an exchange (what *t held is dropped). False if it does not fit. */
MUST_USE bool tsig_sign_request(struct tsig *t, struct tsig_key *key, uint8_t *buf, size_t *len,
                                size_t cap, struct wall now);

/* Server: checks a request. `at` is the offset of its TSIG (0: none, TSIG_MISSING); `key` is the
 * one named in it, or NULL if we have none (TSIG_BADKEY). Begins an exchange; *t then knows how to
 * sign the response, whatever the outcome. Order of checks: RFC 8945 5.2. */
MUST_USE enum tsig_outcome tsig_verify_request(struct tsig *t, struct tsig_key *key,
                                               const uint8_t *wire, size_t len, size_t at,
                                               struct wall now);

/* Server: appends the TSIG to a response: signed after TSIG_OK, BADTIME (with our time) and
 * BADTRUNC; with an empty MAC after BADKEY and BADSIG (RFC 8945 5.3.2); nothing at all (but true)
 * after MISSING and FORMERR. False if it does not fit. The rcode (NOTAUTH for all of these errors)
 * is the caller's. */
MUST_USE bool tsig_sign_response(struct tsig *t, uint8_t *buf, size_t *len, size_t cap,
                                 struct wall now);

/* Server: the same for each message of a stream, every one signed; the first as a response, later
 * ones over the previous MAC and the timers (RFC 8945 5.3.1). */
MUST_USE bool tsig_sign_stream(struct tsig *t, uint8_t *buf, size_t *len, size_t cap,
                               struct wall now);

/* Client: checks the only response. `at` as above. */
MUST_USE enum tsig_outcome tsig_verify_response(struct tsig *t, const uint8_t *wire, size_t len,
                                                size_t at, struct wall now);

/* Client: checks one message of a stream. The first must be signed; up to TSIG_UNSIGNED_MAX in a
 * row may then be unsigned: they give TSIG_OK, but are proven only by the next signed one. After
 * anything but TSIG_OK the exchange is over, and each further call fails. */
MUST_USE enum tsig_outcome tsig_verify_stream(struct tsig *t, const uint8_t *wire, size_t len,
                                              size_t at, struct wall now);

/* Client: after the last message: TSIG_OK if that one was signed, and only then may any of the
 * stream be used; else TSIG_MISSING. */
MUST_USE enum tsig_outcome tsig_verify_stream_end(const struct tsig *t);

#endif
