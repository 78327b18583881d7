/* The keys that sign the history. */
#include "journal/checkpoint.h"
#include "syncd/api_internal.h"

static void add_key(void *ctx, const struct signing_key *k)
{
    char fingerprint[JOURNAL_FINGERPRINT_TEXT_MAX], text[JOURNAL_KEY_TEXT_MAX];

    journal_signer_fingerprint(fingerprint, &k->signer);
    journal_signer_text(text, &k->signer);
    (void)json_array_append_new(ctx,
                                json_pack("{s:s, s:s, s:s, s:o, s:b}", "fingerprint", fingerprint,
                                          "public_key", text, "since", k->since, "until",
                                          k->until[0] ? json_string(k->until) : json_null(),
                                          "current", (int)k->current));
}

/* The newest checkpoint; null: there is none. */
static json_t *json_checkpoint(struct api_request *r)
{
    struct history h = {0};
    struct journal *j = NULL;
    struct journal_checkpoint c;
    struct journal_oid tip;
    json_t *out = json_null();

    if (api_history(&h, NULL, r) == OK && history_journal(&j, &h, NULL) == OK &&
        journal_checkpoint_tip(j, &tip, NULL) == OK &&
        journal_checkpoint_get(&c, j, &tip, NULL) == OK) {
        char hex[JOURNAL_HEX_MAX];

        journal_oid_hex(hex, &tip);
        out = json_pack("{s:I, s:I, s:o, s:s}", "number", (json_int_t)c.number, "seq",
                        (json_int_t)c.seq, "at", api_json_time(c.at), "commit", hex);
    }
    history_close(&h);
    return out;
}

void api_get_keys(struct api_request *r)
{
    struct signing *s = r->api->env.signing;
    json_t *list = json_array();
    struct buf allowed = BUF_INIT;

    signing_each(s, add_key, list);
    signing_allowed(&allowed, s);
    r->result = json_pack("{s:b, s:o, s:s, s:b, s:o}", "signing", signing_current(s) != NULL,
                          "keys", list, "allowed_signers", buf_cstr(&allowed), "checkpoints",
                          (int)r->config->checkpoints, "checkpoint", json_checkpoint(r));
    buf_free(&allowed);
}

void api_post_keys(struct api_request *r)
{
    r->rc = signing_create(r->api->env.signing, r->now, &r->error);
    if (r->rc == OK) {
        journaler_wake(r->api->env.journaler); /* a checkpoint may be due */
        api_get_keys(r);
    }
}

void api_post_keys_rotate(struct api_request *r)
{
    r->rc = signing_rotate(r->api->env.signing, r->now, &r->error);
    if (r->rc == OK)
        api_get_keys(r);
}
