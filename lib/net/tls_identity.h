/* Who a client is, by the certificate that it showed in TLS: what authd has seen, and syncd decides
 * by. The handshake proves that the client has the certificate's key; whether the names in it mean
 * anything is another question, and the answer is `vouched`.
 */
#ifndef ZL_NET_TLS_IDENTITY_H
#define ZL_NET_TLS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"

#define TLS_PIN_OCTETS 32
#define TLS_NAMES_MAX 8 /* more are not looked at */
#define TLS_NAME_OCTETS 253
#define TLS_IDENTITY_TEXT_MAX 256
/* Encoded: flags, pin, number of names, each with its length. */
#define TLS_IDENTITY_OCTETS (1 + TLS_PIN_OCTETS + 1 + TLS_NAMES_MAX * (1 + TLS_NAME_OCTETS))

struct tls_identity {
    bool shown;                  /* a certificate; else nothing below is there */
    bool vouched;                /* by an authority that we trust for clients, and in force */
    uint8_t pin[TLS_PIN_OCTETS]; /* SHA-256 of its public key (SubjectPublicKeyInfo, DER) */
    unsigned name_count;
    char names[TLS_NAMES_MAX][TLS_NAME_OCTETS + 1]; /* DNS names, or else the common name */
};

/* Appends `u8 flags (1: vouched), pin, u8 number of names, of each u8 length and its octets`;
 * nothing if none was shown. */
void tls_identity_encode(struct buf *out, const struct tls_identity *id);
/* The whole of the reader; none left: none was shown. False if it is malformed. */
bool tls_identity_decode(struct tls_identity *out, struct reader *r);

/* Is it a name that stands in a certificate? Only letters, digits and signs of ASCII. */
bool tls_name_is_plain(const char *name, size_t len);

/* For logs: the first name if it is vouched for, else "pin:" and the pin in base64; "" if none was
 * shown. */
void tls_identity_text(char out[TLS_IDENTITY_TEXT_MAX], const struct tls_identity *id);

#endif
