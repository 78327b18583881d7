/* What follower.c (the store and its log) and follower_work.c (one zone) share. */
#ifndef ZL_AUTHD_FOLLOWER_INTERNAL_H
#define ZL_AUTHD_FOLLOWER_INTERNAL_H

#include <sys/stat.h>

#include "authd/expiry.h"
#include "authd/follower.h"
#include "lib/dns/namemap.h"
#include "lib/store/store.h"

/* Which list a zone's work stands in. */
enum work_place {
    WORK_NOWHERE,
    WORK_TOUCHED, /* by the changes just read: published at the end of the step */
    WORK_LOADS,   /* to be read from the store, one after the other */
    WORK_WAITING, /* failed; tried again when due */
    WORK_PLACES,
};

/* What has to be done for one zone; exists only as long. */
struct work {
    enum work_place place;
    struct work *prev, *next;

    bool load;         /* the content must be read from the store */
    bool row;          /* the zone's row must be looked at */
    struct zone *zone; /* changes applied, but not published yet; owned; NULL if there are none */
    uint64_t version, seq;
    struct mono began;

    struct mono due; /* WAITING */
    int64_t delay_ms;

    uint8_t name[];
};

struct work_list {
    struct work *first, *last;
    size_t count;
};

struct follower {
    struct zonedb *db;
    const char *data_dir;
    const struct clock *clock;

    struct store *store; /* NULL: not there, or lost */
    char *store_path;
    struct stat store_file; /* as it was opened */
    bool has_position;      /* seq is meaningful */
    uint64_t seq;
    uint64_t renewal;             /* the last one that was looked at, see store_renewal_each */
    bool gone;                    /* the file was seen to be away */
    char complaint[ERR_TEXT_MAX]; /* what was logged last about the store */

    struct expiry expiry;
    struct namemap work;
    struct work_list lists[WORK_PLACES];

    bool starting; /* reading all zones: told in one line at the end */
    struct mono start;
    uint64_t start_failures;
};

/* The zone's work; made if there is none. */
struct work *work_get(struct follower *f, const uint8_t *zone);
void work_move(struct follower *f, struct work *w, enum work_place place);
void work_free(struct follower *f, struct work *w);

/* A change of the log, in order. Never fails: what does not fit makes the zone be read anew. */
void work_change(struct follower *f, const struct store_change *c);

/* Publishes what the work has made of the zone, or what the store says of it; the work is done, or
 * waits for another try. ERR_BUSY, ERR_IO ...: the store itself is in trouble; the work stays. */
void work_settle(struct follower *f, struct work *w);

#endif
