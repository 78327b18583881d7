#include "syncd/update_forward.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/dns/message.h"
#include "syncd/tcpconn.h"

/* authd waits for five seconds. */
#define CONNECT_MS 1500
#define ANSWER_MS 4000

struct forward {
    struct forwarder *owner;
    struct forward *next, **at;
    struct front_later *later;
    struct config *config;             /* a reference, */
    const struct config_zone *section; /* and of it */
    size_t primary;                    /* that is asked */
    struct keyring *keys;              /* a reference */
    struct tcpconn *tcp;
    uint8_t *wire;
    size_t len;
    uint8_t *servfail;
    size_t servfail_len;
    struct addr source; /* the client */
};

struct forwarder {
    struct loop *loop;
    struct forward *list;
    unsigned count;
};

struct forwarder *forwarder_new(struct loop *loop)
{
    struct forwarder *f = xcalloc(1, sizeof(*f));

    f->loop = loop;
    return f;
}

bool forwarder_has_room(const struct forwarder *f)
{
    return f->count < FORWARDS_MAX;
}

static void finish(struct forward *w, const uint8_t *wire, size_t len)
{
    front_answer(w->later, wire, len);
    tcpconn_close(w->tcp);
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    w->owner->count--;
    config_unref(w->config);
    keyring_unref(w->keys);
    free(w->wire);
    free(w->servfail);
    free(w);
}

void forwarder_close(struct forwarder *f)
{
    while (f->list)
        finish(f->list, f->list->servfail, f->list->servfail_len);
}

void forwarder_free(struct forwarder *f)
{
    if (!f)
        return;
    while (f->list)
        finish(f->list, NULL, 0);
    free(f);
}

static const struct config_primary *primary_of(const struct forward *w)
{
    return &w->config->primaries[w->section->primaries[w->primary]];
}

static void say_how(const struct forward *w, const char *sentence, enum log_level level,
                    const struct errinfo *e)
{
    char client[ADDR_TEXT_MAX];

    addr_to_text(client, &w->source);
    log_write(level, LOG_KVS(say(sentence), kv_str("zone", w->section->name),
                             kv_str("client", client), kv_str("primary", primary_of(w)->name),
                             kv_str("transport", primary_of(w)->tls.on ? "tls" : "tcp"),
                             kv_str("error", e ? e->text : NULL)));
}

static void ask(struct forward *w);

static void on_ready(void *ctx)
{
    struct forward *w = ctx;

    tcpconn_send(w->tcp, w->wire, w->len);
}

/* Whatever the primary says is the answer, if it is one to this message. */
static bool on_message(void *ctx, const uint8_t *wire, size_t len)
{
    struct forward *w = ctx;

    if (len < MSG_HEADER_OCTETS || get_u16(wire) != get_u16(w->wire) ||
        (get_u16(wire + 2) & (MSG_QR | MSG_OPCODE_MASK)) !=
            (MSG_QR | (get_u16(w->wire + 2) & MSG_OPCODE_MASK))) {
        say_how(w, "the answer to a forwarded update makes no sense", LOG_WARNING, NULL);
        finish(w, w->servfail, w->servfail_len);
        return false;
    }
    say_how(w, "an update is forwarded", LOG_INFO, NULL);
    finish(w, wire, len);
    return false;
}

static void on_over(void *ctx, enum err rc, const struct errinfo *e)
{
    struct forward *w = ctx;

    (void)rc;
    say_how(w, "an update cannot be forwarded to a primary", LOG_WARNING, e);
    tcpconn_close(w->tcp);
    w->tcp = NULL;
    if (++w->primary < w->section->primary_count)
        ask(w);
    else
        finish(w, w->servfail, w->servfail_len);
}

static void ask(struct forward *w)
{
    static const struct tcpconn_events events = {on_ready, on_message, on_over};
    const struct config_primary *p = primary_of(w);
    struct tcpconn_spec spec = {.peer = p->address,
                                .source = p->source,
                                .tls =
                                    keyring_tls(w->keys, (size_t)w->section->primaries[w->primary]),
                                .connect_ms = CONNECT_MS,
                                .idle_ms = ANSWER_MS};

    w->tcp = tcpconn_open(loop_base(w->owner->loop), &spec, &events, w);
}

void forwarder_pass(struct forwarder *f, const struct ho_frame *m, struct config *config,
                    struct keyring *keys, const struct config_zone *section,
                    const uint8_t *servfail, size_t servfail_len, struct front_later *later)
{
    struct forward *w = xcalloc(1, sizeof(*w));

    *w = (struct forward){.owner = f,
                          .next = f->list,
                          .at = &f->list,
                          .later = later,
                          .config = config_ref(config),
                          .keys = keyring_ref(keys),
                          .section = section,
                          .wire = xmemdup(m->wire, m->wire_len),
                          .len = m->wire_len,
                          .servfail = xmemdup(servfail, servfail_len),
                          .servfail_len = servfail_len,
                          .source = m->source};
    if (f->list)
        f->list->at = &w->next;
    f->list = w;
    f->count++;
    ask(w);
}
