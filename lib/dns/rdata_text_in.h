/* What the files that read RDATA's text share: rdata_text_in.c, which goes by the table, and those
 * named below. */
#ifndef ZL_DNS_RDATA_TEXT_IN_H
#define ZL_DNS_RDATA_TEXT_IN_H

#include "lib/dns/rr_internal.h"

/* One field of the text: a word, or what stands between quotes. Escapes are still in it. */
struct word {
    const char *p;
    size_t len;
    bool quoted;
};

struct text_in {
    const char *pos;
    const char *end;
    const uint8_t *origin;
    struct buf *out;
    struct errinfo *e; /* fail() fills it */
};

/* Sets the sentence (without type and field, which the caller adds); gives false. */
bool text_fail(struct text_in *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool text_blank(char c);
bool text_at_end(struct text_in *t);                  /* blanks skipped */
bool text_word(struct text_in *t, struct word *out);  /* false (failed) if there is none */
bool text_param(struct text_in *t, struct word *out); /* the same, but alpn="h2,h3" is one */
bool text_number(struct text_in *t, uint32_t max, uint32_t *out);
bool word_number(const struct word *w, uint32_t max, uint32_t *out);
int word_cut(const struct word *w); /* its length, or what of it fits a sentence: for %.*s */
bool word_is(const struct word *w, const char *name); /* case ignored */

/* Undoes \X and \DDD; appends the octets. */
bool text_unescape(struct text_in *t, const struct word *w, struct buf *out);

bool text_name(struct text_in *t);
bool text_ip(struct text_in *t, const struct word *w, int family, uint8_t out[16]);

/* Fields with a file of their own. */
bool text_svcparams(struct text_in *t); /* rdata_text_svcb.c */
bool text_loc(struct text_in *t);       /* rdata_text_odd.c from here on */
bool text_apl(struct text_in *t);
bool text_hip(struct text_in *t);
bool text_names(struct text_in *t);
bool text_gateway(struct text_in *t);
bool text_amtrelay(struct text_in *t);
bool text_a6(struct text_in *t);
bool text_atma(struct text_in *t);
bool text_nsap(struct text_in *t);
bool text_wks(struct text_in *t);
bool text_nxt(struct text_in *t);

#endif
