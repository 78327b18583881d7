/* What producer.c (when, and which zones) and producer_round.c (one round of work) share. */
#ifndef ZL_SYNCD_PRODUCER_INTERNAL_H
#define ZL_SYNCD_PRODUCER_INTERNAL_H

#include "lib/base/mem.h"
#include "lib/dns/namemap.h"
#include "syncd/producer.h"
#include "syncd/producer_plan.h"

/* A zone that something happened to. */
struct touched {
    struct touched *next;
    bool fresh; /* it was away */
    uint8_t zone[];
};

/* A zone that is still listed where it was, with the word where it went. */
struct moved_on {
    struct moved_on *next;
    struct wall since;
    uint32_t wait_s, coo_s; /* until it is listed where it goes; until the word is taken back */
    bool waiting;           /* for the first */
    uint8_t zone[];
};

struct round;

struct producer {
    struct producer_ops ops;
    struct config *config;
    struct event *timer;

    struct namemap touched; /* name -> struct touched */
    struct touched *first_touched;
    struct mono first_at; /* when the first of them was */
    bool all;             /* look at all zones */
    struct round *round;  /* at work */

    struct namemap moved; /* name -> struct moved_on */
    struct moved_on *first_moved;
};

enum round_end {
    ROUND_DONE,
    ROUND_AGAIN, /* somebody else changed something: look at all again */
    ROUND_LATER, /* the store cannot take it now */
};

/* One round of work. The fields up to `plan` are filled by producer.c. */
struct round {
    struct producer *producer; /* NULL: gone */
    struct config *config;     /* a reference */
    struct store_readers *readers;
    struct zone_cache *cache;
    struct wall now;
    struct arena arena;          /* of names */
    struct producer_want *wants; /* groups are lent from the configuration */
    size_t want_count, want_cap;
    const uint8_t **leftovers; /* catalogs that we don't make any more */
    size_t leftover_count, leftover_cap;
    struct touched *touched; /* what the round is about, kept for another try */

    struct producer_plan plan; /* a catalog for each of config.producers */
    uint8_t (*apexes)[NAME_MAX_OCTETS];
    struct store_zone *rows; /* of catalogs */
    struct wall *made_at;    /* when the version that is there was made */
    struct store_zone *leftover_rows;
    enum err rc;
    struct errinfo error;

    size_t pending; /* commits */
    enum round_end end;
};

struct round *round_new(struct producer *p);
/* Begins the work; producer_round_over comes back, if the producer still lives. */
void round_start(struct round *r);
/* The round is over; it is freed behind this. */
void producer_round_over(struct producer *p, struct round *r);
/* True if this job is a round's. */
bool round_made(const struct commit_job *job);

#endif
