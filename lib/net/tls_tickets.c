#include "lib/net/tls_tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct tls_tickets {
    const struct clock *clock;

    pthread_mutex_t lock; /* guards all below */
    struct mono born;     /* of the newest */
    bool has_before;
    struct tls_ticket_key newest, before;
};

static void make_key(struct tls_tickets *t, struct mono now)
{
    clock_random(t->clock, &t->newest, sizeof(t->newest));
    t->born = now;
}

struct tls_tickets *tls_tickets_new(const struct clock *clock)
{
    struct tls_tickets *t = xcalloc(1, sizeof(*t));

    t->clock = clock;
    (void)pthread_mutex_init(&t->lock, NULL);
    make_key(t, clock_mono(clock));
    return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (!t)
        return;
    (void)pthread_mutex_destroy(&t->lock);
    explicit_bzero(t, sizeof(*t));
    free(t);
}

/* Brings the keys up to now. After a long silence the one before is too old as well. */
static void rotate(struct tls_tickets *t)
{
    struct mono now = clock_mono(t->clock);
    int64_t age = now.ms - t->born.ms;

    if (age < TLS_TICKET_KEY_MS)
        return;
    t->has_before = age < INT64_C(2) * TLS_TICKET_KEY_MS;
    t->before = t->newest;
    make_key(t, now);
}

void tls_tickets_newest(struct tls_tickets *t, struct tls_ticket_key *out)
{
    (void)pthread_mutex_lock(&t->lock);
    rotate(t);
    *out = t->newest;
    (void)pthread_mutex_unlock(&t->lock);
}

bool tls_tickets_find(struct tls_tickets *t, const uint8_t name[TLS_TICKET_NAME_OCTETS],
                      struct tls_ticket_key *out, bool *old)
{
    const struct tls_ticket_key *found = NULL;

    (void)pthread_mutex_lock(&t->lock);
    rotate(t);
    if (memcmp(name, t->newest.name, TLS_TICKET_NAME_OCTETS) == 0)
        found = &t->newest;
    else if (t->has_before && memcmp(name, t->before.name, TLS_TICKET_NAME_OCTETS) == 0)
        found = &t->before;
    if (found) {
        *out = *found;
        *old = found == &t->before;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return found != NULL;
}
