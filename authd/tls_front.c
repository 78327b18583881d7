#include "authd/tls_front.h"

#include "authd/grace.h"
#include "lib/base/log.h"

#define WARN_BEFORE_S (14 * 86400)

static void log_end(const struct config *c, const struct tls_server *tls, const struct clock *clock)
{
    struct wall end = tls_server_end(tls);
    char text[WALL_TEXT_MAX];

    wall_to_text(text, end);
    if (end.s <= clock_wall(clock).s)
        log_warning(say("the TLS certificate has ended: clients that check it will not trust us"),
                    kv_str("file", c->tls_certificate), kv_str("end", text));
    else if (end.s - clock_wall(clock).s < WARN_BEFORE_S)
        log_warning(say("the TLS certificate ends soon"), kv_str("file", c->tls_certificate),
                    kv_str("end", text));
    else
        log_info(say("TLS certificate is in force"), kv_str("file", c->tls_certificate),
                 kv_str("end", text));
}

enum err tls_front_load(struct tls_server **out, const struct config *c,
                        struct tls_tickets *tickets, const struct clock *clock, struct errinfo *e)
{
    struct tls_server *tls = NULL;
    enum err rc;

    if (c->listen_tls_count > 0) {
        struct tls_server_spec spec = {.certificate = c->tls_certificate,
                                       .key = c->tls_key,
                                       .client_ca = c->tls_client_ca,
                                       .clients = c->tls_clients};

        if ((rc = tls_server_new(&tls, &spec, tickets, e)))
            return rc;
        log_end(c, tls, clock);
    }
    *out = tls;
    return OK;
}

void tls_front_replace(struct shared *s, struct tls_server *tls)
{
    struct tls_server *old = atomic_exchange(&s->tls, tls);

    grace_wait();
    tls_server_free(old);
}
