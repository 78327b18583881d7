/* How long a connection's peer may take for what. */
#include "authd/tcp_internal.h"

static struct mono earlier(struct mono a, struct mono b)
{
    return mono_cmp(a, b) < 0 ? a : b;
}

/* Between messages, or within one. Only a whole message counts as a sign of life. */
static struct mono message_deadline(const struct tcp_conn *c, const struct config *cfg)
{
    struct mono at = mono_add_ms(c->last, c->taken > 0 ? cfg->tcp_idle_ms : cfg->tcp_first_ms);

    if (c->in.len > 0)
        at = earlier(at, mono_add_ms(c->message_began, cfg->tcp_message_ms));
    return at;
}

/* When patience ends; false if it is not the peer we wait for. */
static bool deadline(const struct tcp_conn *c, struct mono *out)
{
    const struct config *cfg = worker_config(c->worker);

    switch (c->phase) {
    case TCP_PROXY:
        *out = mono_add_ms(c->began, cfg->tcp_first_ms);
        return true;
    case TCP_HANDSHAKE:
        *out = mono_add_ms(c->began, cfg->tls_handshake_ms);
        return true;
    case TCP_RELAY: /* syncd sees to it, until it has said all */
        *out = c->write_deadline;
        return c->draining && tcp_relay_is_ending(c);
    case TCP_LINGER:
        *out = mono_add_ms(c->began, TCP_LINGER_MS);
        return true;
    case TCP_OPEN:
        break;
    }
    if (c->draining)
        *out = c->write_deadline;
    else if (c->waiting > 0)
        return false; /* tickets have a deadline of their own */
    else
        *out = message_deadline(c, cfg);
    return true;
}

/* A timer that goes off too early is cheap: it is asked again then, which is once in a while, and
 * not set anew for each message. */
void tcp_time_arm(struct tcp_conn *c)
{
    struct mono at;
    int64_t ms;
    struct timeval tv;

    if (!deadline(c, &at))
        return;
    if (evtimer_pending(c->timer, NULL) && mono_cmp(c->timer_at, at) <= 0)
        return;
    ms = at.ms - tcp_now(c).ms;
    ms = ms < 1 ? 1 : ms;
    tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    c->timer_at = at;
    (void)event_add(c->timer, &tv);
}

bool tcp_time_is_over(const struct tcp_conn *c)
{
    struct mono at;

    return deadline(c, &at) && mono_cmp(at, tcp_now(c)) <= 0;
}
