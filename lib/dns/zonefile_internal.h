/* What the files of the zone file reader share. The way of an entry:
 *
 *   zonefile.c           the loop: next entry, what it is, errors told with their position
 *   zonefile_lex.c       text → tokens of one entry (quotes, comments, parentheses are gone then)
 *   zonefile_entry.c     tokens → $ORIGIN, $TTL or a record
 *   zonefile_rdata.c     the commonest RDATA without a detour; rdata_from_text for the rest
 *   zonefile_generate.c  $GENERATE
 *   zonefile_file.c      files, read whole; $INCLUDE, and its root
 */
#ifndef ZL_DNS_ZONEFILE_INTERNAL_H
#define ZL_DNS_ZONEFILE_INTERNAL_H

#include <sys/types.h>

#include "lib/dns/zonefile.h"

#define ZONEFILE_TTL_MAX 0x7fffffffu
#define ZONEFILE_RDATA_MAX 65535

/* ---- Tokens ---- */

enum {
    TOKEN_QUOTED = 1, /* p and len are what stands between the quotes */
    TOKEN_ESCAPED = 2,
};

struct token {
    const uint8_t *p; /* into the text */
    uint32_t len;
    uint16_t flags;
    bool adjacent; /* nothing stands between it and the token before: a"b" is two tokens */
};

/* One entry is what ends with a line end outside of parentheses. The text is closed by a NUL at
 * `end`, on which every loop stops. */
struct lexer {
    const uint8_t *end;

    const uint8_t *pos;
    uint32_t line; /* of pos */

    /* the present entry */
    const uint8_t *start;
    uint32_t start_line;
    struct token *tokens;
    size_t count;
    size_t cap;
    bool blank_owner; /* it begins with a blank */
    bool folded;      /* it has parentheses: the text between two tokens isn't just blanks */
    bool adjacent;    /* it has an adjacent token */

    /* an error */
    const uint8_t *error_at;
    char error[80];
};

enum lex_outcome { LEX_ENTRY, LEX_END, LEX_ERROR };

enum lex_outcome lexer_next(struct lexer *lx);
/* Goes on with the line behind the one of `at`, which lies in the present entry. */
void lexer_recover(struct lexer *lx, const uint8_t *at);
/* Line and column of a place in the present entry. */
void lexer_position(const struct lexer *lx, const uint8_t *at, uint32_t *line, uint32_t *column);

bool token_is(const struct token *t, const char *word); /* unquoted, case ignored */

/* Text for a message: quotes around it, cut if long, escaped if it isn't printable. */
#define TOKEN_TEXT_MAX 64
const char *token_text(char out[TOKEN_TEXT_MAX], const struct token *t);

/* ---- The reader ---- */

/* A text being read; those that included it are its parents. */
struct zonefile_source {
    struct zonefile_source *parent;
    unsigned depth; /* of parents */
    char *path;     /* owned; for messages, and what an $INCLUDE is relative to */
    uint8_t *text;  /* owned, with a NUL behind it */
    dev_t dev;      /* 0/0 for a text from memory */
    ino_t ino;

    struct lexer lex;
    uint8_t origin[NAME_MAX_OCTETS];
    size_t origin_len;
    uint8_t owner[NAME_MAX_OCTETS]; /* the last one */
    bool has_owner;
};

/* A type's text as it stood in the file. */
#define TYPES_SEEN 32
struct type_seen {
    uint32_t len; /* 0: none */
    uint16_t type;
    char text[10];
};

struct zonefile_reader {
    struct zonefile_opts opts; /* with the defaults filled in */
    zonefile_rr_fn *f;
    void *ctx;

    struct zonefile_source *source;
    bool has_ttl, has_last_ttl, has_minimum;
    uint32_t ttl, last_ttl, minimum;
    uint64_t records;
    uint64_t bytes;

    struct type_seen types[TYPES_SEEN];
    struct buf rdata;   /* of the present record */
    struct buf scratch; /* text put together again */

    /* the present entry's error, until it is told */
    const uint8_t *error_at;
    bool fatal;
    struct errinfo why;

    /* the first error told */
    enum err first_rc;
    struct errinfo *first;
    unsigned errors;
    bool stopped;
};

/* Notes the error of the present entry; `at` lies in it. Returns rc. */
enum err zonefile_fail(struct zonefile_reader *r, enum err rc, const uint8_t *at, const char *fmt,
                       ...) __attribute__((format(printf, 4, 5)));
/* The same with the sentence that is in r->why already. */
enum err zonefile_fail_why(struct zonefile_reader *r, enum err rc, const uint8_t *at);

/* The present entry of r->source, whatever it is. */
enum err zonefile_entry(struct zonefile_reader *r);

/* Owner, TTL, class and type as they stand before RDATA. */
struct entry_head {
    const uint8_t *type_at;
    size_t rdata; /* index of the first token of RDATA */
    uint32_t ttl;
    uint16_t type;
    bool has_ttl;
};
/* Reads TTL, class and type from token i on. */
enum err zonefile_head(struct entry_head *out, struct zonefile_reader *r, size_t i);
/* Completes the TTL and hands r->rdata over as a record; `at` for its errors. */
enum err zonefile_emit(struct zonefile_reader *r, const uint8_t *owner, struct entry_head *head,
                       const uint8_t *at);
enum err zonefile_name(struct zonefile_reader *r, uint8_t out[NAME_MAX_OCTETS],
                       const struct token *t, const char *what);

/* RDATA of `type` from the tokens i to the last of lx, into r->rdata; `at` for its errors. */
enum err zonefile_rdata(struct zonefile_reader *r, uint16_t type, const struct lexer *lx, size_t i,
                        const uint8_t *at);
/* The tokens i to the last as one line of text as rdata_from_text wants it, lent: a part of lx's
 * text or r->scratch. */
void zonefile_rest(struct zonefile_reader *r, uint16_t type, const struct lexer *lx, size_t i,
                   const uint8_t **text, size_t *len);
/* Where a token begins, its quote included. */
static inline const uint8_t *token_start(const struct token *t)
{
    return t->p - (t->flags & TOKEN_QUOTED);
}

/* A name without escapes; 0 if it isn't one or needs a closer look, else its length. */
size_t zonefile_plain_name(uint8_t out[NAME_MAX_OCTETS], const uint8_t *p, size_t n,
                           const uint8_t *origin, size_t origin_len);

enum err zonefile_generate(struct zonefile_reader *r);

enum ttl_outcome { TTL_OK, TTL_BAD, TTL_TOO_BIG };
enum ttl_outcome zonefile_ttl(uint32_t *out, const uint8_t *p, size_t len);

/* The two kinds of text. s is zeroed but for parent and depth before; afterwards it is complete but
 * for origin and owner, and zonefile_close is due even after an error. */
enum err zonefile_open(struct zonefile_source *s, struct zonefile_reader *r, const char *path,
                       struct errinfo *e);
enum err zonefile_open_mem(struct zonefile_source *s, struct zonefile_reader *r, const char *path,
                           const void *text, size_t len, struct errinfo *e);
void zonefile_close(struct zonefile_source *s);

enum err zonefile_include(struct zonefile_reader *r);
/* Reads a whole source entry by entry and tells its errors; r->stopped if that ended the reading.
 */
void zonefile_run(struct zonefile_reader *r, struct zonefile_source *s);

#endif
