/* Does all that we keep agree? Store, journal, and what authd serves, zone by zone (zonectl
 * verify).
 */
#ifndef ZL_SYNCD_VERIFY_H
#define ZL_SYNCD_VERIFY_H

#include "lib/zone/zone.h"
#include "syncd/history.h"
#include "syncd/signing.h"

enum verify_level {
    VERIFY_CLEAN = 0,
    VERIFY_REPAIRABLE = 1, /* the next start, a reload or a re-transfer mends it */
    VERIFY_LOST = 2,       /* something recorded cannot be had any more */
};

struct verify_fault {
    char zone[NAME_TEXT_MAX]; /* "" if it concerns no zone */
    enum verify_level level;
    char text[ERR_TEXT_MAX];
};

/* What a zone should look like from authd's side. */
struct verify_zone {
    uint8_t name[NAME_MAX_OCTETS];
    bool expired;
    struct serial serial;
    uint64_t version;
    uint64_t seq;
    uint8_t sha256[32];
};

struct verify_report {
    struct verify_fault *faults;
    size_t fault_count, fault_cap;
    struct verify_zone *zones; /* those that authd has to serve */
    size_t zone_count, zone_cap;
    uint64_t versions;    /* commits looked at */
    uint64_t thinned;     /* of them, whose content is kept no more */
    uint64_t signatures;  /* of them, with a good signature */
    uint64_t checkpoints; /* with a good signature */
    uint64_t vouched;     /* versions without one of their own, that a later signature covers */
    uint64_t unvouched;   /* the next checkpoint will; no fault */
    uint64_t unjournaled; /* changes that the journal has not recorded yet; no fault */
};

void verify_report_free(struct verify_report *r);
void verify_fault_add(struct verify_report *r, const uint8_t *zone, enum verify_level level,
                      const char *text);

struct verify_wish {
    struct wall since;              /* older versions' commits are not looked at; 0: all are */
    const struct signing_key *keys; /* that sign, or did, oldest first; lent */
    size_t key_count;               /* 0: signatures are not looked at */
    bool checkpoints;               /* the node makes them, instead of signing each version */
};

/* Checks the store and the journal against each other: invariants of both, each version's commit
 * (its tree, parent, trailers and signature), each ref. Pool thread; takes as long as all zones are
 * large. */
MUST_USE enum err verify_run(struct verify_report *r, struct history *h,
                             const struct verify_wish *wish, struct errinfo *e);

#endif
