/* One transfer in: TCP, or TLS, to a primary (or first a question by UDP, for increments), the
 * stream, then (in a pool thread) the zone from it, our checks, and the difference to what the
 * store has. What comes out is ready to commit; the served zone is not touched here.
 *
 * If IXFR was asked for and anything is wrong with the answer, TRANSFER_NOT_INCREMENTAL is the
 * outcome, whatever it was: the whole zone is to be asked for next.
 *
 *    connect ─▶ ask ─▶ stream ─▶ [received] ─▶ pool: build, check, load, diff ─▶ [done]
 *       ▲                 ▲                                  │ a guard command   ▲
 *       └── ask by UDP ───┘ the whole answer                 └──▶ it is asked ───┘
 *                           in one datagram; anything else, and TCP decides
 *
 * Each request asks how long the zone is good for at the primary (RFC 7314), which takes EDNS; one
 * that has never heard of EDNS is asked again without. What comes by UDP is judged as strictly as
 * what comes by TCP, must fit into one message, and can only help: whatever is wrong with it, the
 * question goes to TCP, and that answer counts.
 *
 * Loop thread only, but for the pool's part, which has the transfer to itself.
 */
#ifndef ZL_SYNCD_XFRIN_H
#define ZL_SYNCD_XFRIN_H

#include "lib/base/addr.h"
#include "lib/store/store_readers.h"
#include "syncd/conn_pool.h"
#include "syncd/guard.h"
#include "syncd/guard_command.h"
#include "syncd/loop.h"
#include "syncd/refresh.h"
#include "syncd/xfrin_stream.h"
#include "syncd/zone_cache.h"

/* A version that was found whole by DNSSEC, and until when its signatures are good. */
struct soundness {
    uint64_t seq; /* of its change; 0: none */
    struct wall until;
};

struct xfrin_spec {
    uint8_t zone[NAME_MAX_OCTETS];
    struct addr address;
    struct addr source;   /* family 0: any */
    struct tsig_key *key; /* NULL: unsigned; a reference is taken */
    struct tls_peer *tls; /* NULL: without; a reference is taken */
    uint32_t connect_ms;
    uint32_t idle_ms; /* without an octet */
    uint32_t max_s;   /* in all */
    struct zone_limits limits;
    bool catalog;                         /* a catalog zone: a broken one is refused */
    struct config_guards guards;          /* what they point to, and ... */
    const struct config_command *command; /* ... the last guard (NULL: none) are lent from ... */
    struct config *config;                /* ... this, to which a reference is taken; or NULL */
    unsigned guard_threads;
    struct soundness sound;          /* of what is served, as far as it is known */
    struct wall now;                 /* when guards judge; set by xfrin itself */
    struct guard_commands *commands; /* lent; what runs it */

    bool stage; /* a version that passes waits for its time */

    struct store_readers *readers; /* lent */
    bool any_serial;               /* take any serial, and the same one with other content */
    bool has_newest;               /* the newest version we fetched has this serial */
    struct serial newest;
    bool ixfr;                /* ask for what changed since `newest`, which is what is served */
    bool udp;                 /* that first by UDP (RFC 1995 2); not with `tls` */
    uint32_t udp_ms;          /* of each of two tries */
    struct conn_pool *conns;  /* lent; NULL: a connection of its own */
    struct zone_cache *cache; /* lent; where `newest` may be kept; NULL: nowhere */
};

/* What came of asking by UDP. */
enum xfrin_datagram {
    DATAGRAM_NOT_ASKED,
    DATAGRAM_TAKEN,     /* the whole answer was in it */
    DATAGRAM_TRUNCATED, /* TC, or the newer SOA alone: it is too large */
    DATAGRAM_UNUSABLE,  /* an error, a bad signature, no answer in the sense of RFC 1995 */
    DATAGRAM_SILENT,    /* none came */
};
#define DATAGRAM_ENDS (DATAGRAM_SILENT + 1)

/* What came of it. */
struct xfrin_result {
    struct transfer_report report; /* TRANSFER_NEW: to be committed; what follows is there then */
    struct errinfo error;          /* unless NEW or SAME */
    enum xfrin_fault fault;        /* its kind, if something is wrong */

    struct store_zone row; /* the stored row that old_zone belongs to ... */
    bool ours;             /* ... and what it shall say of the new one (series.h) */
    struct serial theirs;
    struct zone *served;       /* until it is ready: as it is served, if that is under our serial */
    bool judged;               /* by the guard command, too */
    struct zone *old_zone;     /* NULL: none was stored */
    struct zone *new_zone;     /* as it is to be stored: under our own serial, if row says ours */
    struct changeset *changes; /* old_zone -> new_zone */
    bool asked_ixfr;           /* for changes */
    bool incremental;          /* the primary sent changes, not the zone */
    uint64_t sequences;        /* of changes, if so */
    bool staged;               /* it is to wait for its time; old_zone is what it stands behind */
    bool same_serial;          /* other content under the same serial */
    bool older_serial;         /* the serial went backwards, and any was wanted */
    bool forward_ended; /* and it must be served so: the zone does not bear a serial of ours */
    bool quarantine;    /* TRANSFER_REFUSED by a guard, and new: to be kept aside; old_zone is
                           then what is served, or the newest version aside */
    struct guard_verdict guard;

    uint64_t records, octets, messages;
    uint64_t duplicates, ttls_changed;
    uint32_t ms;           /* network and pool together */
    const char *transport; /* "tcp", "tls" or "udp": that the answer came by */
    enum xfrin_datagram datagram;
};
void xfrin_result_done(struct xfrin_result *r); /* frees what it owns */

struct xfrin;

/* Each is called once at most, later, never from within xfrin_start. `done` always is: it may
 * move things out of *result, the rest is freed behind it, and so is the transfer. */
struct xfrin_events {
    void (*received)(void *ctx); /* the network part is over, its place can be given away */
    void (*done)(void *ctx, struct xfrin_result *result);
};

struct xfrin *xfrin_start(struct loop *loop, const struct xfrin_spec *spec,
                          const struct xfrin_events *events, void *ctx);
/* No event is called any more. */
void xfrin_cancel(struct xfrin *x);

#endif
