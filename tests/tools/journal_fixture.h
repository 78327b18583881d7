/* For tests of the journal: temporary directories, stock git as the judge, zones from lines. */
#ifndef ZL_TESTS_TOOLS_JOURNAL_FIXTURE_H
#define ZL_TESTS_TOOLS_JOURNAL_FIXTURE_H

#include "journal/journal.h"

/* A fresh directory below $TMPDIR or /tmp; heap memory. */
char *temp_dir_new(void);
/* Removes it with all that is in it, and frees the name. NULL is fine. */
void temp_dir_free(char *dir);

/* Runs `git -C dir ...` with an empty configuration; the arguments end with NULL. What it prints to
 * both outputs goes into *out (may be NULL). Returns the exit code. */
int git_run(const char *dir, struct buf *out, const char *arg, ...) __attribute__((sentinel));

/* fsck --full --strict says nothing but "notice"s of unborn HEAD and dangling commits. */
bool git_fsck_is_clean(const char *dir);

/* A small generator with a seed of its own, so that a failure can be played again. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

/* A set of records as lines ("owner TTL IN TYPE RDATA"), for zones that change. */
struct line_set {
    char **lines;
    size_t n;
    size_t cap;
};
void line_set_add(struct line_set *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void line_set_drop(struct line_set *s, size_t i);
void line_set_free(struct line_set *s);
/* The first line becomes the SOA of `apex` with this serial. */
void line_set_soa(struct line_set *s, const char *apex, uint32_t serial);

/* The zone; every line must be good. */
struct zone *zone_of_lines(const char *apex, const struct line_set *s);
void name_of(uint8_t out[NAME_MAX_OCTETS], const char *text);

/* An entry with plain values, for a version of `z`. */
struct journal_entry entry_of(const struct zone *z, uint64_t version);

#endif
