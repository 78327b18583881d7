/* Both lists of the change set and the zone are in canonical order, so that one merge does:
 *
 *     old record only in the zone           context: of a hunk's end, of the next one's start, or
 *                                           of neither, and then it is only counted
 *     old record that is also removed       "-"
 *     added record that sorts before it     "+", kept until the "-" of the same run are out
 */
#include "lib/zone/unified.h"

#include <inttypes.h>
#include <string.h>

#define CONTEXT 3

/* A record of the zone, which the iterator lends the owner of. */
struct kept {
    uint8_t owner[NAME_MAX_OCTETS];
    struct rr rr;
};

struct unified {
    struct buf *out;
    const char *file;
    bool any; /* the heading is out */

    uint64_t old_line, new_line; /* of what comes next, from 1 */
    struct kept last[CONTEXT];   /* the lines before, oldest first, that are in no hunk */
    size_t last_n;

    bool open;
    struct buf body, plus;
    uint64_t old_start, new_start, old_n, new_n;
    size_t trailing; /* lines of context at its end */
};

static void put_line(struct buf *out, char sign, const struct rr *rr)
{
    buf_u8(out, (uint8_t)sign);
    rr_to_text(out, rr);
}

/* "12,3", and without its number if that is one, as diff has it. */
static void put_range(struct buf *out, char sign, uint64_t start, uint64_t n)
{
    buf_printf(out, "%c%" PRIu64, sign, n ? start : start - 1);
    if (n != 1)
        buf_printf(out, ",%" PRIu64, n);
}

static void flush_plus(struct unified *u)
{
    buf_put(&u->body, u->plus.data, u->plus.len);
    u->plus.len = 0;
}

static void hunk_close(struct unified *u)
{
    if (!u->open)
        return;
    flush_plus(u);
    if (!u->any)
        buf_printf(u->out, "diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n", u->file, u->file, u->file,
                   u->file);
    u->any = true;
    buf_str(u->out, "@@ ");
    put_range(u->out, '-', u->old_start, u->old_n);
    buf_u8(u->out, ' ');
    put_range(u->out, '+', u->new_start, u->new_n);
    buf_str(u->out, " @@\n");
    buf_put(u->out, u->body.data, u->body.len);
    u->body.len = 0;
    u->open = false;
}

/* The lines before become context of the hunk: of its start, or between two of its changes. */
static void hunk_take_last(struct unified *u)
{
    if (!u->open) {
        u->open = true;
        u->old_start = u->old_line - u->last_n;
        u->new_start = u->new_line - u->last_n;
        u->old_n = u->new_n = 0;
    }
    for (size_t i = 0; i < u->last_n; i++) {
        u->last[i].rr.owner = u->last[i].owner;
        put_line(&u->body, ' ', &u->last[i].rr);
    }
    u->old_n += u->last_n;
    u->new_n += u->last_n;
    u->last_n = u->trailing = 0;
}

static void on_same(struct unified *u, const struct rr *rr)
{
    u->old_line++;
    u->new_line++;
    if (u->open && u->trailing < CONTEXT) {
        flush_plus(u);
        put_line(&u->body, ' ', rr);
        u->old_n++;
        u->new_n++;
        u->trailing++;
        return;
    }
    if (u->last_n == CONTEXT) {
        hunk_close(u);
        memmove(&u->last[0], &u->last[1], (CONTEXT - 1) * sizeof(u->last[0]));
        u->last_n--;
    }
    (void)name_copy(u->last[u->last_n].owner, rr->owner);
    u->last[u->last_n++].rr = *rr;
}

static void on_removed(struct unified *u, const struct rr *rr)
{
    hunk_take_last(u);
    put_line(&u->body, '-', rr);
    u->old_n++;
    u->old_line++;
}

static void on_added(struct unified *u, const struct rr *rr)
{
    hunk_take_last(u);
    put_line(&u->plus, '+', rr);
    u->new_n++;
    u->new_line++;
}

void zone_unified(struct buf *out, const char *file, const struct zone *from,
                  const struct changeset *cs)
{
    struct unified u = {.out = out, .file = file, .old_line = 1, .new_line = 1};
    const struct rr_list *removed = &cs->removed, *added = &cs->added;
    struct zone_rr_iter it;
    size_t r = 0, a = 0;
    struct rr rr;

    zone_rr_iter_init(&it, from);
    while (zone_rr_next(&it, &rr)) {
        while (a < added->n && rr_cmp(&added->rrs[a], &rr) < 0)
            on_added(&u, &added->rrs[a++]);
        while (r < removed->n && rr_cmp(&removed->rrs[r], &rr) < 0)
            r++;
        if (r < removed->n && rr_cmp(&removed->rrs[r], &rr) == 0) {
            on_removed(&u, &rr);
            r++;
        } else {
            on_same(&u, &rr);
        }
    }
    while (a < added->n)
        on_added(&u, &added->rrs[a++]);
    hunk_close(&u);
    buf_free(&u.body);
    buf_free(&u.plus);
}
