/* The socket between authd and syncd: RUN_DIR/handover.sock, a Unix SOCK_SEQPACKET socket that
 * syncd listens on. It carries hints and client messages, never truth: if it breaks, authd still
 * serves and follows the store's change log by looking.
 *
 * One packet is one frame:
 *   u8 version 2, u8 type, u16 0, u64 id, then by type:
 *   HELLO    authd->syncd  u8 role (enum ho_role); an updater's may come with a descriptor: the
 *                          memory file with authd's counters (stats.h)
 *   MESSAGE  authd->syncd  u8 transport, addr source, addr destination, identity,
 *                          u32 length + DNS message, u32 length + ready unsigned answer (0: none)
 *                          addr: u8 family (4, 6, 0), u16 port, 16 octets
 *                          identity: u16 length + what the client has shown in TLS
 *                          (tls_identity.h); 0: nothing, and always so without TLS
 *   STREAM   authd->syncd  u8 transport, addr source, addr destination, identity, u32 length +
 *                          octets that were read from the connection already; with it goes the
 *                          connection itself, as a descriptor (SCM_RIGHTS). Its first message asks
 *                          for a transfer. For TLS it is one end of a pair of sockets: syncd sees
 *                          plain octets in each case
 *   REPLY    syncd->authd  u32 length + DNS message to send; length 0: send nothing
 *   HINT     syncd->authd  u64 seq: the change log has reached it
 *   ASK      syncd->authd  name (wire): what do you serve?  (zonectl verify)
 *   TELL     authd->syncd  u8 state (enum ho_zone_state), u32 serial, u64 version, u64 seq,
 *                          u64 records, 32 octets zone_sha256
 * A peer that sends a malformed frame is disconnected. Each authd worker and its updater thread has
 * a connection of its own, so answers come back to the thread that owns the client. Threads: each
 * connection belongs to one.
 */
#ifndef ZL_NET_HANDOVER_H
#define ZL_NET_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/bytes.h"
#include "lib/base/err.h"
#include "lib/base/serial.h"
#include "lib/dns/name.h"
#include "lib/net/tls_identity.h"

#define HO_FRAME_MAX (2 * 65536 + 512 + TLS_IDENTITY_OCTETS)

#define HO_STREAM_MAX 131072 /* octets that a STREAM brings */

enum ho_type { HO_HELLO = 1, HO_MESSAGE, HO_REPLY, HO_HINT, HO_ASK, HO_TELL, HO_STREAM };
enum ho_role { HO_WORKER = 1, HO_UPDATER = 2 };
enum ho_transport { HO_UDP = 1, HO_TCP = 2, HO_TLS = 3 };
enum ho_zone_state { HO_ABSENT = 0, HO_SERVED = 1, HO_EXPIRED = 2 };

/* One decoded frame; pointers lend from the decoded octets. */
struct ho_frame {
    enum ho_type type;
    uint64_t id;

    enum ho_role role;           /* HELLO */
    enum ho_transport transport; /* MESSAGE, STREAM */
    struct addr source, destination;
    const uint8_t *identity; /* well-formed; NULL if identity_len is 0 */
    uint32_t identity_len;
    const uint8_t *wire; /* MESSAGE, REPLY, STREAM; NULL if wire_len is 0 */
    uint32_t wire_len;
    const uint8_t *answer; /* MESSAGE; NULL if there is none */
    uint32_t answer_len;
    uint64_t seq;                  /* HINT, TELL */
    uint8_t zone[NAME_MAX_OCTETS]; /* ASK */
    enum ho_zone_state state;      /* TELL */
    struct serial serial;
    uint64_t version;
    uint64_t records;
    uint8_t sha256[32];
};

/* What the client of a MESSAGE or STREAM has shown. */
void ho_identity(struct tls_identity *out, const struct ho_frame *f);

/* Appends the frame's octets to out. */
void ho_encode(struct buf *out, const struct ho_frame *f);
/* ERR_FORMAT for anything that is not exactly one whole frame. */
MUST_USE enum err ho_decode(struct ho_frame *out, const uint8_t *p, size_t n, struct errinfo *e);

/* A listening socket at RUN_DIR/handover.sock, mode 0660, non-blocking; replaces a stale one. */
MUST_USE enum err ho_listen(int *fd, const char *run_dir, struct errinfo *e);
/* A connected, non-blocking socket. ERR_CLOSED if nobody listens. */
MUST_USE enum err ho_connect(int *fd, const char *run_dir, struct errinfo *e);

/* Gives an accepted socket the room that a whole frame needs. */
void ho_prepare(int fd);

/* Sends one frame; ERR_BUSY if the socket is full, ERR_CLOSED if the other side is gone. */
MUST_USE enum err ho_send(int fd, const struct ho_frame *f, struct errinfo *e);
/* The same for a STREAM, with the connection, or for a HELLO, with the counters (-1: none); the
 * caller keeps its own descriptor of it. */
MUST_USE enum err ho_send_stream(int fd, const struct ho_frame *f, int connection,
                                 struct errinfo *e);
/* Receives one frame into buf (HO_FRAME_MAX octets) and decodes it. ERR_BUSY if there is none now,
 * ERR_CLOSED at the end, ERR_FORMAT if it is malformed. `connection` is where the
 * descriptor of a STREAM, or of an updater's HELLO, goes, the caller's from then on (-1 if none
 * came); NULL: no frame may bring one. */
MUST_USE enum err ho_recv(struct ho_frame *out, int fd, uint8_t *buf, int *connection,
                          struct errinfo *e);

#endif
