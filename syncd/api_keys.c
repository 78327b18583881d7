/* The keys that sign the history. */
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

void api_get_keys(struct api_request *r)
{
    struct signing *s = r->api->env.signing;
    json_t *list = json_array();
    struct buf allowed = BUF_INIT;

    signing_each(s, add_key, list);
    signing_allowed(&allowed, s);
    r->result = json_pack("{s:b, s:o, s:s}", "signing", signing_current(s) != NULL, "keys", list,
                          "allowed_signers", buf_cstr(&allowed));
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
