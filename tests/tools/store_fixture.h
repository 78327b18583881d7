/* For tests of the store: zones from a few numbers, rows, commits that must succeed. */
#ifndef ZL_TESTS_TOOLS_STORE_FIXTURE_H
#define ZL_TESTS_TOOLS_STORE_FIXTURE_H

#include <stdio.h>
#include <sys/types.h>

#include "lib/store/store.h"

/* SOA, one NS and `hosts` A records h0000000, h0000001 ... below `apex` (which must leave room for
 * them), all with the address `value`; passes zone_check. */
struct zone *plain_zone(const uint8_t *apex, uint32_t serial, uint32_t hosts, uint32_t value);

/* The same with host number `i` at the address `value` instead. */
struct zone *plain_zone_but(const uint8_t *apex, uint32_t serial, uint32_t hosts, uint32_t i,
                            uint32_t value);

bool same_content(const struct zone *a, const struct zone *b);

/* A secondary zone with nothing yet. */
struct store_zone plain_row(const uint8_t *apex);

struct store *must_open_writer(const char *dir);
struct store *must_open_reader(const char *dir);

/* One transaction: the row is made if z->id is 0, then the change from old_zone to new_zone.
 * Returns the seq. */
uint64_t must_commit(struct store *s, struct store_zone *z, const struct zone *old_zone,
                     const struct zone *new_zone, int64_t at);
/* The same inside a transaction that runs; the error is the caller's. */
enum err put_change(struct store *s, struct store_zone *z, const struct zone *old_zone,
                    const struct zone *new_zone, int64_t at, uint64_t *seq, struct errinfo *e);
uint64_t must_commit_waiting(struct store *s, struct store_zone *z, const struct zone *before,
                             const struct zone *new_zone, int64_t at);
void must_journal(struct store *s, uint64_t seq); /* with ids made from the seq */

/* Faults that store_verify finds; each is printed. */
unsigned verify_faults(struct store *s, bool *data_lost);

/* Forks, runs f in the child and gives its wait status. No store may be open then: a connection of
 * SQLite must not be carried over a fork. */
int in_child(void (*f)(void *ctx), void *ctx);

/* This very program again, with these arguments (up to NULL), talked to by lines: for processes
 * beside one that has a store open. */
struct helper {
    pid_t pid;
    FILE *to;
    FILE *from;
};
void helper_start(struct helper *h, const char *arg, ...) __attribute__((sentinel));
/* Sends a line and gives the answer's line, lent until the next call. */
const char *helper_ask(struct helper *h, const char *line);
void helper_kill(struct helper *h); /* SIGKILL */
void helper_end(struct helper *h);

#endif
