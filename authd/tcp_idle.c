/* Which connections are idle, oldest first, and how they make room for new ones. A connection is
 * idle while nothing of it waits for an answer or to be sent; also one that sends a message octet
 * by octet, or has not said anything yet. */
#include "authd/idle_board.h"
#include "authd/tcp_internal.h"

/* Places beyond the limit while other workers close what they were asked to close. */
#define EXTRA_PLACES 16

static void show(struct worker *w)
{
    idle_board_show(w->shared->idle_board, w->seat,
                    w->idle_oldest ? w->idle_oldest->idle_since.ms : IDLE_NONE);
}

void tcp_idle_leave(struct tcp_conn *c)
{
    struct worker *w = c->worker;

    if (!c->idle)
        return;
    c->idle = false;
    if (c->newer)
        c->newer->older = c->older;
    else
        w->idle_newest = c->older;
    if (c->older) {
        c->older->newer = c->newer;
    } else {
        w->idle_oldest = c->newer;
        show(w);
    }
}

void tcp_idle_enter(struct tcp_conn *c, struct mono since)
{
    struct worker *w = c->worker;

    if (c->idle && mono_cmp(c->idle_since, since) == 0)
        return;
    tcp_idle_leave(c);
    c->idle = true;
    c->idle_since = since;
    c->newer = NULL;
    c->older = w->idle_newest;
    w->idle_newest = c;
    if (c->older) {
        c->older->newer = c;
    } else {
        w->idle_oldest = c;
        show(w);
    }
}

static bool evict(struct worker *w)
{
    if (!w->idle_oldest)
        return false;
    count_one(&w->counters->tcp_evicted);
    tcp_conn_close(w->idle_oldest);
    return true;
}

/* Who asked saw whose was the oldest then. That may be long ago when this thread had to wait for a
 * processor: several asked for the same one, or it has gone by itself. So each is looked at anew;
 * else a worker with few connections would close those that have only just come. */
void tcp_idle_asked(struct worker *w)
{
    struct idle_board *b = w->shared->idle_board;
    size_t seat;

    for (uint64_t n = idle_board_asked(b, w->seat); n > 0; n--) {
        if (!tcp_quota_is_over(w->shared->quota) || !idle_board_oldest(b, &seat))
            break; /* all are busy: there are a few extra places for that */
        if (seat != w->seat)
            idle_board_ask(b, seat);
        else if (!evict(w))
            break;
    }
}

/* Whose is the oldest is asked to close it; a storm of new ones may come faster than others close
 * theirs, and then our own oldest has to do. */
bool tcp_idle_take_place(struct worker *w, const struct addr *source)
{
    struct tcp_quota *q = w->shared->quota;
    struct idle_board *b = w->shared->idle_board;
    enum tcp_place place = tcp_quota_take(q, source, 0);
    size_t seat;

    if (place == TCP_PLACE_NONE && idle_board_oldest(b, &seat) && seat != w->seat) {
        place = tcp_quota_take(q, source, EXTRA_PLACES);
        if (place == TCP_PLACE_TAKEN)
            idle_board_ask(b, seat);
    }
    if (place == TCP_PLACE_NONE && evict(w))
        place = tcp_quota_take(q, source, EXTRA_PLACES); /* one for one */
    return place == TCP_PLACE_TAKEN;
}
