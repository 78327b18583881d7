/* zonectl verify: the pool compares store and journal, then the loop asks authd zone by zone. */
#include "syncd/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define ASK_AT_ONCE 8
#define ASK_TIMEOUT_MS 20000

static void ask_more(struct api_request *r);

struct question {
    struct api_request *request;
    size_t zone; /* index into verify.zones */
};

struct keys {
    struct signing_key *keys;
    size_t n, cap;
};

static void on_key(void *ctx, const struct signing_key *k)
{
    struct keys *l = ctx;

    l->keys = xgrow(l->keys, &l->cap, l->n + 1, sizeof(*l->keys));
    l->keys[l->n++] = *k;
}

void api_post_verify(struct api_request *r)
{
    const char *since = api_arg(r, "since");
    struct verify_wish wish = {.key_count = 0};
    struct history h = {0};
    struct keys l = {.n = 0};

    if (since[0] && !history_time(&wish.since, since, r->now)) {
        r->rc = err_set(ERR_FORMAT, &r->error, "since: '%s' is not a time", since);
        return;
    }
    signing_each(r->api->env.signing, on_key, &l);
    wish.keys = l.keys;
    wish.key_count = l.n;
    wish.checkpoints = r->config->checkpoints;
    if ((r->rc = api_history(&h, NULL, r)) == OK)
        r->rc = verify_run(&r->verify, &h, &wish, &r->error);
    history_close(&h);
    free(l.keys);
}

json_t *api_json_faults(const struct verify_report *report, int *worst)
{
    json_t *faults = json_array();

    *worst = VERIFY_CLEAN;
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct verify_fault *f = &report->faults[i];

        if ((int)f->level > *worst)
            *worst = (int)f->level;
        (void)json_array_append_new(faults,
                                    json_pack("{s:s, s:s, s:o}", "zone", f->zone, "level",
                                              f->level == VERIFY_LOST ? "lost" : "repairable",
                                              "text", api_json_text(f->text)));
    }
    return faults;
}

static void finish(struct api_request *r)
{
    int worst = 0;
    json_t *faults = api_json_faults(&r->verify, &worst);

    r->result = json_pack(
        "{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "exit", worst, "zones",
        (json_int_t)r->verify.zone_count, "versions", (json_int_t)r->verify.versions, "thinned",
        (json_int_t)r->verify.thinned, "signatures", (json_int_t)r->verify.signatures,
        "checkpoints", (json_int_t)r->verify.checkpoints, "vouched", (json_int_t)r->verify.vouched,
        "unvouched", (json_int_t)r->verify.unvouched, "unjournaled",
        (json_int_t)r->verify.unjournaled, "authd_asked", (int)front_has_authd(r->api->env.front),
        "faults", faults);
    api_answer(r);
}

static void compare(struct api_request *r, const struct verify_zone *z, const struct ho_frame *tell)
{
    char text[256];

    if (!tell)
        (void)snprintf(text, sizeof(text), "authd does not say what it serves; is it running?");
    else if (tell->seq > z->seq)
        return; /* it changed while we looked; authd is ahead of what we read */
    else if (tell->state == HO_ABSENT)
        (void)snprintf(text, sizeof(text), "authd does not serve it");
    else if ((tell->state == HO_EXPIRED) != z->expired)
        (void)snprintf(text, sizeof(text), "authd takes it for %s, the store does not",
                       z->expired ? "alive" : "expired");
    else if (tell->version != z->version || memcmp(tell->sha256, z->sha256, 32) != 0)
        (void)snprintf(text, sizeof(text),
                       "authd serves version %llu (serial %u), the store has version %llu (serial "
                       "%u)%s",
                       (unsigned long long)tell->version, tell->serial.v,
                       (unsigned long long)z->version, z->serial.v,
                       tell->version == z->version ? ", with other content" : "");
    else
        return;
    verify_fault_add(&r->verify, z->name, VERIFY_REPAIRABLE, text);
}

static void on_tell(void *ctx, const struct ho_frame *tell)
{
    struct question *q = ctx;
    struct api_request *r = q->request;

    compare(r, &r->verify.zones[q->zone], tell);
    free(q);
    r->verify_told++;
    if (r->verify_told == r->verify.zone_count ||
        (r->api->stopped && r->verify_told == r->verify_asked))
        finish(r);
    else if (!r->api->stopped)
        ask_more(r);
}

static void ask_more(struct api_request *r)
{
    while (r->verify_asked < r->verify.zone_count &&
           r->verify_asked - r->verify_told < ASK_AT_ONCE) {
        struct question *q = xcalloc(1, sizeof(*q));

        *q = (struct question){.request = r, .zone = r->verify_asked++};
        front_ask(r->api->env.front, r->verify.zones[q->zone].name, ASK_TIMEOUT_MS, on_tell, q);
    }
}

void api_after_verify(struct api_request *r)
{
    if (r->verify.zone_count == 0)
        finish(r);
    else if (!r->authd_connected) {
        verify_fault_add(&r->verify, NULL, VERIFY_REPAIRABLE,
                         "authd is not connected, so what it serves was not compared");
        finish(r);
    } else {
        ask_more(r);
    }
}
