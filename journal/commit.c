/* A commit's octets: docs/journal-format.md section 3. Reading is strict, since what we read is
 * what we wrote: a commit by somebody else, or a damaged one, is not taken for a version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "journal/journal_internal.h"

#define TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define ADDRESS_HOST "@zoneledger.invalid"
#define ARROW "\xe2\x86\x92"
#define MINUS "\xe2\x88\x92"
#define UNKNOWN "unknown"
#define WAITING_END " waiting"
#define QUARANTINE_END " quarantined"
#define WAITING "yes"
#define QUARANTINED "quarantine"

enum {
    NODE_MAX = 127,
    AUTHOR_MAX = 127,
    ORIGIN_MAX = 31,
    SOURCE_MAX = 255,
    KEY_MAX = 255,
    TRANSPORT_MAX = 15,
    REASON_MAX = 511
};

/* ---- Writing ---- */

static void put_mail_word(struct buf *out, const char *word)
{
    size_t n = strnlen(word, ORIGIN_MAX);

    if (n == 0)
        buf_str(out, UNKNOWN);
    for (size_t i = 0; i < n; i++) {
        char c = word[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '_' || c == '-')
            buf_u8(out, (uint8_t)c);
        else
            buf_printf(out, "%%%02X", (uint8_t)c);
    }
}

static void put_ident(struct buf *out, const char *field, const char *name, size_t max,
                      const char *mail_word, int64_t at)
{
    if (at < 0 || at > TIME_MAX)
        at = at < 0 ? 0 : TIME_MAX;
    buf_printf(out, "%s ", field);
    value_escape(out, name[0] ? name : UNKNOWN, max, true);
    buf_str(out, " <");
    put_mail_word(out, mail_word);
    buf_printf(out, ADDRESS_HOST "> %" PRId64 " +0000\n", at);
}

static void put_trailer(struct buf *out, const char *name, const char *value, size_t max)
{
    if (!value[0])
        return;
    buf_printf(out, "%s: ", name);
    value_escape(out, value, max, false);
    buf_u8(out, '\n');
}

static void put_subject(struct buf *out, const struct journal_entry *entry, const char *zone)
{
    size_t n = strlen(zone);

    buf_put(out, zone, n > 1 ? n - 1 : n); /* without the last dot, but for the root */
    if (entry->has_from)
        buf_printf(out, " %" PRIu32, entry->from.v);
    buf_printf(out, " " ARROW " %" PRIu32 " (+%" PRIu64 " " MINUS "%" PRIu64 ")", entry->to.v,
               entry->added, entry->removed);
    buf_str(out, !entry->waiting      ? "\n"
                 : entry->quarantined ? QUARANTINE_END "\n"
                                      : WAITING_END "\n");
}

static void put_trailers(struct buf *out, const struct journal_entry *entry, const char *zone,
                         const char *tree)
{
    buf_printf(out, "Zone: %s\nSerial: %" PRIu32 "\n", zone, entry->to.v);
    if (entry->has_from)
        buf_printf(out, "Previous-Serial: %" PRIu32 "\n", entry->from.v);
    if (entry->ours)
        buf_printf(out, "Primary-Serial: %" PRIu32 "\n", entry->theirs.v);
    buf_printf(out, "Version: %" PRIu64 "\n", entry->version);
    put_trailer(out, "Origin", entry->origin[0] ? entry->origin : UNKNOWN, ORIGIN_MAX);
    put_trailer(out, "Source", entry->source, SOURCE_MAX);
    put_trailer(out, "Key", entry->key, KEY_MAX);
    put_trailer(out, "Transport", entry->transport, TRANSPORT_MAX);
    put_trailer(out, "Reason", entry->reason, REASON_MAX);
    if (entry->waiting)
        buf_printf(out, "Waiting: %s\n", entry->quarantined ? QUARANTINED : WAITING);
    buf_printf(out, "Seq: %" PRIu64 "\nContent-Id: %s\n", entry->seq, tree);
}

void commit_encode(struct buf *out, const struct journal_entry *entry, const char *node,
                   const struct journal_oid *parent, const struct journal_oid *tree)
{
    char hex[JOURNAL_HEX_MAX];
    char zone[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX_OCTETS];

    (void)name_fold(name, entry->zone);
    (void)name_to_text(zone, name);
    journal_oid_hex(hex, tree);
    buf_printf(out, "tree %s\n", hex);
    if (!journal_oid_is_none(parent)) {
        char parent_hex[JOURNAL_HEX_MAX];

        journal_oid_hex(parent_hex, parent);
        buf_printf(out, "parent %s\n", parent_hex);
    }
    put_ident(out, "author", entry->who, AUTHOR_MAX, entry->origin, entry->at.s);
    put_ident(out, "committer", node, NODE_MAX, "journal", entry->at.s);
    buf_u8(out, '\n');
    put_subject(out, entry, zone);
    buf_u8(out, '\n');
    put_trailers(out, entry, zone, hex);
}

void commit_put_ident(struct buf *out, const char *field, const char *node, const char *mail_word,
                      int64_t at)
{
    put_ident(out, field, node, NODE_MAX, mail_word, at);
}

/* ---- Reading ---- */

static enum err bad(const char *what, struct errinfo *e)
{
    return err_set(ERR_CORRUPT, e, "not a commit of this journal: %s", what);
}

/* The rest of a line that starts so. */
static bool after(struct line *value, const struct line *l, const char *prefix)
{
    size_t n = strlen(prefix);

    if (l->len < n || memcmp(l->text, prefix, n) != 0)
        return false;
    *value = (struct line){l->text + n, l->len - n};
    return true;
}

/* Decimal, no sign, no leading zeros. */
static bool take_number(uint64_t *out, const struct line *l, uint64_t max)
{
    uint64_t v = 0;

    if (l->len == 0 || (l->len > 1 && l->text[0] == '0'))
        return false;
    for (size_t i = 0; i < l->len; i++) {
        unsigned d = (unsigned)(l->text[i] - '0');

        if (d > 9 || v > (max - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

/* name SP "<" address "> " time " +0000" */
static bool take_ident(char *name, size_t cap, struct wall *at, const struct line *l)
{
    static const char zone[] = " +0000";
    const char *lt = memchr(l->text, '<', l->len);
    const char *gt = lt ? memchr(lt, '>', l->len - (size_t)(lt - l->text)) : NULL;
    size_t n = sizeof(zone) - 1;
    struct line time;
    uint64_t s = 0;

    if (!gt || lt < l->text + 2 || lt[-1] != ' ')
        return false;
    time = (struct line){gt + 1, l->len - (size_t)(gt + 1 - l->text)};
    if (time.len <= n || time.text[0] != ' ' || memcmp(time.text + time.len - n, zone, n) != 0)
        return false;
    time = (struct line){time.text + 1, time.len - 1 - n};
    if (!take_number(&s, &time, (uint64_t)TIME_MAX))
        return false;
    at->s = (int64_t)s;
    return value_unescape(name, cap, l->text, (size_t)(lt - 1 - l->text), true);
}

enum err commit_take_header(struct journal_commit *c, const char **pos, const char *end,
                            struct errinfo *e)
{
    char committer[NODE_MAX + 1];
    struct wall committed;
    struct line l;
    struct line v;

    if (!line_next(&l, pos, end) || !after(&v, &l, "tree ") ||
        !oid_from_hex(&c->content_id, v.text, v.len))
        return bad("tree", e);
    if (!line_next(&l, pos, end))
        return bad("header", e);
    if (after(&v, &l, "parent ")) {
        if (!oid_from_hex(&c->parent, v.text, v.len) || !line_next(&l, pos, end))
            return bad("parent", e);
    }
    if (!after(&v, &l, "author ") || !take_ident(c->author, sizeof(c->author), &c->at, &v))
        return bad("author", e);
    if (!line_next(&l, pos, end) || !after(&v, &l, "committer ") ||
        !take_ident(committer, sizeof(committer), &committed, &v) || committed.s != c->at.s)
        return bad("committer", e);
    while (line_next(&l, pos, end))
        if (l.len == 0)
            return OK;
    return bad("no message", e);
}

static bool take_zone(uint8_t zone[NAME_MAX_OCTETS], const struct line *v)
{
    char again[NAME_TEXT_MAX];
    uint8_t folded[NAME_MAX_OCTETS];

    if (name_from_text(zone, v->text, v->len, NULL, NULL))
        return false;
    (void)name_fold(folded, zone);
    return name_to_text(again, folded) == v->len && memcmp(again, v->text, v->len) == 0;
}

static bool take_serial(struct serial *out, const struct line *v)
{
    uint64_t n = 0;
    bool good = take_number(&n, v, UINT32_MAX);

    out->v = (uint32_t)n;
    return good;
}

enum trailer {
    T_ZONE,
    T_SERIAL,
    T_PREVIOUS,
    T_PRIMARY,
    T_VERSION,
    T_ORIGIN,
    T_SOURCE,
    T_KEY,
    T_TRANSPORT,
    T_REASON,
    T_WAITING,
    T_SEQ,
    T_CONTENT,
    TRAILERS
};

static const struct {
    const char *prefix;
    bool required;
} trailers[TRAILERS] = {
    [T_ZONE] = {"Zone: ", true},
    [T_SERIAL] = {"Serial: ", true},
    [T_PREVIOUS] = {"Previous-Serial: ", false},
    [T_PRIMARY] = {"Primary-Serial: ", false},
    [T_VERSION] = {"Version: ", true},
    [T_ORIGIN] = {"Origin: ", true},
    [T_SOURCE] = {"Source: ", false},
    [T_KEY] = {"Key: ", false},
    [T_TRANSPORT] = {"Transport: ", false},
    [T_REASON] = {"Reason: ", false},
    [T_WAITING] = {"Waiting: ", false},
    [T_SEQ] = {"Seq: ", true},
    [T_CONTENT] = {"Content-Id: ", true},
};

static bool is_word(const struct line *v, const char *word)
{
    return v->len == strlen(word) && memcmp(v->text, word, v->len) == 0;
}

static bool take_trailer(struct journal_commit *c, uint8_t zone[NAME_MAX_OCTETS], enum trailer t,
                         const struct line *v)
{
    struct journal_oid content;

    switch (t) {
    case T_ZONE:
        return take_zone(zone, v);
    case T_SERIAL:
        return take_serial(&c->to, v);
    case T_PREVIOUS:
        c->has_from = true;
        return take_serial(&c->from, v);
    case T_PRIMARY:
        c->ours = true;
        return take_serial(&c->theirs, v);
    case T_VERSION:
        return take_number(&c->version, v, UINT64_MAX);
    case T_ORIGIN:
        return value_unescape(c->origin, sizeof(c->origin), v->text, v->len, false);
    case T_SOURCE:
        return value_unescape(c->source, sizeof(c->source), v->text, v->len, false);
    case T_KEY:
        return value_unescape(c->key, sizeof(c->key), v->text, v->len, false);
    case T_TRANSPORT:
        return value_unescape(c->transport, sizeof(c->transport), v->text, v->len, false);
    case T_REASON:
        return value_unescape(c->reason, sizeof(c->reason), v->text, v->len, false);
    case T_WAITING:
        c->waiting = true;
        c->quarantined = is_word(v, QUARANTINED);
        return c->quarantined || is_word(v, WAITING);
    case T_SEQ:
        return take_number(&c->seq, v, UINT64_MAX);
    case T_CONTENT:
        return oid_from_hex(&content, v->text, v->len) && oid_eq(&content, &c->content_id);
    case TRAILERS:
        break;
    }
    return false;
}

static enum err take_trailers(struct journal_commit *c, uint8_t zone[NAME_MAX_OCTETS],
                              const char *pos, const char *end, struct errinfo *e)
{
    unsigned t = 0;
    struct line l;
    struct line v;

    while (line_next(&l, &pos, end)) {
        while (t < TRAILERS && !after(&v, &l, trailers[t].prefix)) {
            if (trailers[t].required)
                return bad(trailers[t].prefix, e);
            t++;
        }
        if (t == TRAILERS || !take_trailer(c, zone, (enum trailer)t, &v))
            return bad(t < TRAILERS ? trailers[t].prefix : "a strange trailer", e);
        t++;
    }
    return t == TRAILERS ? OK : bad("a trailer is missing", e);
}

/* " (+<added> \u2212<removed>)", where the subject has it: after a name, which may hold anything.
 */
static bool take_counts(struct journal_commit *c, const struct line *l)
{
    static const char minus[] = " \xe2\x88\x92";
    struct line added, removed;
    const char *end = l->text + l->len;
    const char *at = NULL, *sign, *close;

    for (const char *p = l->text; p + 3 <= end; p++) {
        if (memcmp(p, " (+", 3) == 0)
            at = p + 3;
    }
    if (!at || !(sign = memmem(at, (size_t)(end - at), minus, sizeof(minus) - 1)))
        return false;
    added = (struct line){at, (size_t)(sign - at)};
    sign += sizeof(minus) - 1;
    if (!(close = memchr(sign, ')', (size_t)(end - sign))))
        return false;
    removed = (struct line){sign, (size_t)(close - sign)};
    return take_number(&c->added, &added, UINT64_MAX) &&
           take_number(&c->removed, &removed, UINT64_MAX);
}

/* Cut at the end of a character. */
static void copy_subject(char out[512], const struct line *l)
{
    size_t n = l->len < 511 ? l->len : 511;

    while (n > 0 && n < l->len && ((uint8_t)l->text[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, l->text, n);
    out[n] = 0;
}

enum err commit_decode(struct journal_commit *out, uint8_t zone[NAME_MAX_OCTETS],
                       const uint8_t *data, size_t len, struct errinfo *e)
{
    struct journal_commit c = {0};
    const char *pos = (const char *)data;
    const char *end = pos + len;
    struct line subject;
    struct line empty;
    enum err rc;

    if (len == 0 || end[-1] != '\n' || memchr(data, 0, len))
        return bad("its end", e);
    if ((rc = commit_take_header(&c, &pos, end, e)))
        return rc;
    if (!line_next(&subject, &pos, end) || !line_next(&empty, &pos, end) || empty.len != 0)
        return bad("subject", e);
    copy_subject(c.subject, &subject);
    if (!take_counts(&c, &subject))
        return bad("subject", e);
    if ((rc = take_trailers(&c, zone, pos, end, e)))
        return rc;
    *out = c;
    return OK;
}

enum err commit_tree(struct journal_oid *tree, const uint8_t *data, size_t len, struct errinfo *e)
{
    static const char prefix[] = "tree ";
    size_t n = sizeof(prefix) - 1;
    struct journal_oid id;

    if (len < n + OID_HEX_CHARS + 1 || memcmp(data, prefix, n) != 0 ||
        data[n + OID_HEX_CHARS] != '\n' ||
        !oid_from_hex(&id, (const char *)data + n, OID_HEX_CHARS))
        return bad("tree", e);
    *tree = id;
    return OK;
}
