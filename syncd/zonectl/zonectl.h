/* zonectl, the operator's command: one verb a row (verbs.c), one HTTP request to syncd's control
 * socket, one way to print: a table for people, JSON with --json.
 */
#ifndef ZL_SYNCD_ZONECTL_ZONECTL_H
#define ZL_SYNCD_ZONECTL_ZONECTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"

/* Exit codes: documented in zonectl(1). */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_LOST = 2, EXIT_UNREACHABLE = 3, EXIT_USAGE = 64 };

struct options {
    const char *socket;        /* path */
    const char *config;        /* path; NULL: not given */
    const char *url;           /* instead of the socket: "https://HOST:PORT"; NULL: not given */
    const char *key_file, *ca; /* of it */
    bool json;
    bool color;
    bool dry_run;
    const char *to;
    const char *from; /* a repository */
    const char *reason;
    const char *limit;
    const char *before;
    const char *zone;
    const char *account, *key, *zones_max, *zones_per_hour;
    const char **suffixes; /* of the given ones */
    size_t suffix_count;
    const char *serial;
    const char *newer_than, *span; /* of a hold; `until` too */
    bool force;
    bool zones;
    bool compute, records;
    bool may_miss; /* 404 is no error to print; the reply has the status */
    bool all, yes; /* of a fleet rollback, as the next line's */
    const char *catalog, *match, *pace;
    const char *since, *until, *origin, *user, *name, *type; /* of a log */
    const char *remote;                                      /* of a verify */
    bool git;                                                /* of a diff */
    bool actions;                                            /* ... of what operators did */
    const char *action;
    const char *role; /* of an API key */
};

struct call {
    const struct options *opt;
    char **args; /* behind the verb */
    int arg_count;
};

struct reply;

struct verb {
    const char *name; /* "log", "zone list" */
    const char *args; /* for help, and which options it takes */
    int min_args, max_args;
    const char *help;
    int (*run)(const struct call *c); /* gives the exit code */
};

const struct verb *verbs(size_t *n);

/* ---- usage.c ---- */

#define DEFAULT_SOCKET "/run/zoneledger/control.sock"

/* Words of the verb that argv starts with; 0 if it does not. */
int verb_words(const struct verb *v, int argc, char **argv);
/* Whether its arguments name the option (without "--"): what they don't name, it has no use for. */
bool verb_takes(const struct verb *v, const char *option);
void usage_of(FILE *to, const struct verb *v);
/* Of the verb, or the verbs, that these words are the start of; false if there is none. */
bool usage_verb(FILE *to, int argc, char **argv);
void usage_unknown(FILE *to, char **argv);
void usage_all(FILE *to);

/* ---- What verbs are made of (reply.c) ---- */

/* "/KIND/NAME" and the rest, with the name escaped; heap memory. */
char *verb_path(const char *kind, const char *name, const char *rest);
/* What --to, --reason, --serial, --dry-run and the options of a hold say. */
json_t *verb_body(const struct call *c);
/* A text of a reply; "" if it is not there. Lent. */
const char *verb_text(const json_t *j, const char *key);
/* Records that go and come, as `removed` and `added` of a reply have them. */
void verb_print_change(const struct call *c, const json_t *change);
/* What was done to a zone ("released"), with the change unless it is long. */
void verb_print_done(const struct call *c, const struct reply *r, const char *what);

/* ", or ..." for each rule that ends a hold. */
void verb_print_rule(const json_t *hold);

/* As client_request; takes `path` (heap) and `body` (NULL: none). */
int verb_request(struct reply *r, const struct call *c, const char *method, char *path,
                 json_t *body);
/* With --json the reply is the output: prints it and gives true. */
bool verb_print_json(const struct call *c, const struct reply *r);
/* Adds name=value to a path on the heap; nothing for a NULL value. */
void verb_query_add(char **path, const char *name, const char *value);

/* ---- ids.c, compare.c ---- */

int run_id(const struct call *c);
int run_compare(const struct call *c);

/* ---- autoprimary.c ---- */

int run_autoprimary_add(const struct call *c);
int run_autoprimary_list(const struct call *c);
int run_autoprimary_remove(const struct call *c);
int run_autoprimary_why(const struct call *c);

/* ---- api_key.c ---- */

int run_api_key(const struct call *c);

/* ---- stats.c ---- */

int run_stats(const struct call *c);
int run_metrics(const struct call *c);

/* ---- primaries.c ---- */

int run_primary_list(const struct call *c);

/* ---- catalogs.c ---- */

int run_catalog_list(const struct call *c);
int run_catalog_show(const struct call *c);
int run_catalog_approve(const struct call *c);

/* ---- remotes.c ---- */

int run_journal_remotes(const struct call *c);
int run_journal_push(const struct call *c);
int run_journal_thin(const struct call *c);           /* thin.c */
int run_journal_restore(const struct call *c);        /* restore.c */
char *find_syncd(void);                               /* that came with this zonectl; heap memory */
bool is_here(const struct call *c, const char *what); /* or says that it must be */
int run_journal_reindex(const struct call *c);        /* reindex.c */
int run_journal_repair(const struct call *c);         /* repair.c */
void print_remotes_short(const struct call *c, const json_t *list); /* for status */

/* ---- quarantine.c ---- */

int run_quarantine_list(const struct call *c);
int run_quarantine_show(const struct call *c);
int run_quarantine_approve(const struct call *c);
int run_quarantine_reject(const struct call *c);
int run_staged_reject(const struct call *c);

/* ---- verify.c ---- */

int run_verify(const struct call *c);

/* ---- diff.c ---- */

int run_diff(const struct call *c);
int run_quarantine_diff(const struct call *c);

/* ---- audit.c ---- */

int run_log(const struct call *c);
int run_blame(const struct call *c);

/* ---- fleet.c ---- */

/* rollback without a zone: of many at once. */
int run_fleet_rollback(const struct call *c);

/* ---- keys.c ---- */

int run_journal_key_create(const struct call *c);
int run_journal_key_rotate(const struct call *c);
int run_journal_key_list(const struct call *c);
int run_journal_key_export(const struct call *c);

/* ---- zonefile.c ---- */

/* The text of a zone file ("-": standard input) for syncd, which opens no files of ours: one with
 * $INCLUDEs is read here, as whoever calls, and becomes one text. They lie below the directory of
 * the file. False once the reason is printed. */
bool zonefile_gather(struct buf *out, const char *zone, const char *path);

/* ---- client.c ---- */

struct reply {
    long status;
    struct buf body;
    json_t *json; /* NULL unless the body is JSON */
};

/* One request; `path` is behind the base. Prints what went wrong to stderr itself.
 * Returns EXIT_DONE, EXIT_REFUSED or EXIT_UNREACHABLE; the reply is filled on the first only. */
int client_request(struct reply *out, const struct options *opt, const char *method,
                   const char *path, const void *body, size_t body_len);
void reply_free(struct reply *r);

/* Appends text percent-encoded for a path or query part. */
void client_escape(struct buf *out, const char *text);

/* ---- print.c ---- */

enum tint { TINT_NONE, TINT_GOOD, TINT_WARN, TINT_BAD, TINT_DIM, TINT_BOLD };

void print_tinted(const struct options *opt, enum tint t, const char *text);
/* Control characters are shown as '?', so that no text from elsewhere can play with the terminal.
 */
void print_safe(FILE *to, const char *text);

struct table {
    const char *const *titles;
    size_t columns;
    struct cell {
        char *text;
        enum tint tint;
    } * cells;
    size_t count, cap;
};

void table_add(struct table *t, const char *text, enum tint tint); /* text may be NULL: "-" */
void table_print(struct table *t, const struct options *opt);      /* and empties it */

#endif
