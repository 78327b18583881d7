#include "authd/handover_client.h"

#include <stdlib.h>
#include <string.h>

#include "authd/handover_link.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define NONE UINT16_MAX

_Static_assert(HANDOVER_TICKETS < NONE, "tickets are numbered with 16 bits");

struct ticket {
    uint64_t id; /* 0: free. The slot is id modulo HANDOVER_TICKETS. */
    struct mono deadline;
    uint16_t prev, next; /* oldest first; `next` also chains the free ones */

    struct way_back back;
    uint16_t servfail_len;
    uint8_t servfail[HANDOVER_SERVFAIL_MAX];
};

struct handover_client {
    const struct clock *clock;
    handover_reply_fn *reply;
    void *ctx;
    struct handover_link *link;
    struct event *timer;

    uint64_t round; /* makes ids that are never given twice */
    uint16_t oldest, newest, free;
    struct ticket tickets[HANDOVER_TICKETS];
};

/* ---- The table ---- */

static struct ticket *ticket_take(struct handover_client *c)
{
    uint16_t i = c->free;
    struct ticket *t;

    if (i == NONE)
        return NULL;
    t = &c->tickets[i];
    c->free = t->next;
    t->id = ++c->round * HANDOVER_TICKETS + i;
    t->deadline = mono_add_ms(clock_mono(c->clock), HANDOVER_TICKET_MS);
    t->prev = c->newest;
    t->next = NONE;
    if (c->newest == NONE)
        c->oldest = i;
    else
        c->tickets[c->newest].next = i;
    c->newest = i;
    return t;
}

static void ticket_release(struct handover_client *c, struct ticket *t)
{
    uint16_t i = (uint16_t)(t - c->tickets);

    if (t->prev == NONE)
        c->oldest = t->next;
    else
        c->tickets[t->prev].next = t->next;
    if (t->next == NONE)
        c->newest = t->prev;
    else
        c->tickets[t->next].prev = t->prev;
    t->id = 0;
    t->next = c->free;
    c->free = i;
}

static void timer_arm(struct handover_client *c)
{
    int64_t ms;
    struct timeval tv;

    if (c->oldest == NONE)
        return;
    ms = c->tickets[c->oldest].deadline.ms - clock_mono(c->clock).ms;
    ms = ms < 1 ? 1 : ms;
    tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)event_add(c->timer, &tv);
}

/* The reply may hand over further messages, so the ticket goes first. */
static void ticket_fail(struct handover_client *c, struct ticket *t)
{
    struct way_back back = t->back;
    uint8_t servfail[HANDOVER_SERVFAIL_MAX];
    size_t len = t->servfail_len;

    memcpy(servfail, t->servfail, len);
    ticket_release(c, t);
    c->reply(c->ctx, &back, servfail, len, true);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct handover_client *c = ctx;
    struct mono now = clock_mono(c->clock);

    (void)fd;
    (void)what;
    while (c->oldest != NONE && mono_cmp(c->tickets[c->oldest].deadline, now) <= 0)
        ticket_fail(c, &c->tickets[c->oldest]);
    timer_arm(c);
}

/* ---- What syncd says ---- */

static enum err on_frame(void *ctx, const struct ho_frame *f, struct errinfo *e)
{
    struct handover_client *c = ctx;
    struct ticket *t = &c->tickets[f->id % HANDOVER_TICKETS];
    struct way_back back;

    if (f->type != HO_REPLY)
        return err_set(ERR_FORMAT, e, "a frame of type %u is not for a worker", (unsigned)f->type);
    if (t->id != f->id || f->id == 0)
        return OK; /* too late: it was answered with SERVFAIL */
    back = t->back;
    ticket_release(c, t);
    c->reply(c->ctx, &back, f->wire, f->wire_len, false);
    return OK;
}

static void on_state(void *ctx, bool connected, const struct errinfo *why)
{
    struct handover_client *c = ctx;

    (void)why;                              /* the updater's link logs it, once for all */
    while (!connected && c->oldest != NONE) /* none is added: nothing can be sent now */
        ticket_fail(c, &c->tickets[c->oldest]);
}

/* ---- */

struct handover_client *handover_client_new(struct event_base *base, const char *run_dir,
                                            const struct clock *clock, handover_reply_fn *reply,
                                            void *ctx)
{
    struct handover_client *c = xcalloc(1, sizeof(*c));

    c->clock = clock;
    c->reply = reply;
    c->ctx = ctx;
    c->oldest = c->newest = NONE;
    for (uint16_t i = 0; i < HANDOVER_TICKETS; i++)
        c->tickets[i].next = i + 1 < HANDOVER_TICKETS ? (uint16_t)(i + 1) : NONE;
    c->timer = evtimer_new(base, on_timer, c);
    c->link = handover_link_new(base, run_dir, HO_WORKER, -1, on_frame, on_state, c);
    if (!c->timer || !c->link) {
        handover_client_free(c);
        return NULL;
    }
    return c;
}

void handover_client_free(struct handover_client *c)
{
    if (!c)
        return;
    handover_link_free(c->link);
    if (c->timer)
        event_free(c->timer);
    free(c);
}

bool handover_client_ask(struct handover_client *c, const struct ho_frame *f,
                         const struct way_back *back, const uint8_t *servfail, size_t servfail_len)
{
    struct ho_frame numbered = *f;
    struct ticket *t;

    handover_link_wake(c->link);
    if (!(t = ticket_take(c)))
        return false;
    numbered.id = t->id;
    if (servfail_len > sizeof(t->servfail) || !handover_link_send(c->link, &numbered)) {
        ticket_release(c, t);
        return false;
    }
    t->back = *back;
    memcpy(t->servfail, servfail, servfail_len);
    t->servfail_len = (uint16_t)servfail_len;
    if (c->oldest == c->newest)
        timer_arm(c);
    return true;
}

bool handover_client_give(struct handover_client *c, const struct ho_frame *f, int connection)
{
    handover_link_wake(c->link);
    return handover_link_send_stream(c->link, f, connection);
}
