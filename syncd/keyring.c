#include "syncd/keyring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/secret_file.h"

#define SECRET_FILE_MAX 4096 /* octets; base64 of the longest secret is 1368 */

struct keyring {
    struct tsig_key **keys; /* as config.keys */
    size_t count;
    struct tls_peer **peers; /* as config.primaries */
    size_t peer_count;
    atomic_uint refs;
};

static enum err load_key(struct tsig_key **out, const struct config_key *k, struct errinfo *e)
{
    uint8_t name[NAME_MAX_OCTETS];
    char secret[SECRET_FILE_MAX];
    enum tsig_alg alg;
    size_t len = 0;
    enum err rc;

    if ((rc = name_from_text(name, k->name, strlen(k->name), NULL, e)))
        return err_wrap(rc, e, "key '%s': its name", k->name);
    if (!tsig_alg_from_text(&alg, k->algorithm))
        return err_set(ERR_UNSUPPORTED, e, "key '%s': there is no algorithm '%s'", k->name,
                       k->algorithm);
    if ((rc = secret_file_read(secret, sizeof(secret), &len, k->secret_file, false, e)) == OK)
        rc = tsig_key_new(out, name, alg, secret, len, e);
    explicit_bzero(secret, sizeof(secret));
    return rc ? err_wrap(rc, e, "key '%s': its file %s", k->name, k->secret_file) : OK;
}

static enum err load_peers(struct keyring *k, const struct config *config, struct errinfo *e)
{
    struct tls_roots *roots = tls_roots_new();
    enum err rc = OK;

    k->peer_count = config->primary_count;
    k->peers = xcalloc(k->peer_count ? k->peer_count : 1, sizeof(struct tls_peer *));
    for (size_t i = 0; i < k->peer_count && rc == OK; i++) {
        const struct config_primary *p = &config->primaries[i];

        if (p->tls.on && (rc = tls_peer_new(&k->peers[i], &p->tls, roots, e)))
            (void)err_wrap(rc, e, "primary '%s'", p->name);
    }
    tls_roots_free(roots);
    return rc;
}

enum err keyring_load(struct keyring **out, const struct config *config, struct errinfo *e)
{
    struct keyring *k = xcalloc(1, sizeof(*k));
    enum err rc;

    atomic_init(&k->refs, 1);
    k->keys = xcalloc(config->key_count ? config->key_count : 1, sizeof(struct tsig_key *));
    for (size_t i = 0; i < config->key_count; i++) {
        struct tsig_key *key = NULL;
        int other = 0;

        if ((rc = load_key(&key, &config->keys[i], e)))
            goto fail;
        if (keyring_find(k, tsig_key_name(key), &other)) {
            tsig_key_unref(key);
            rc = err_set(ERR_EXISTS, e, "keys '%s' and '%s' have the same name",
                         config->keys[other].name, config->keys[i].name);
            goto fail;
        }
        k->keys[k->count++] = key;
    }
    if ((rc = load_peers(k, config, e)))
        goto fail;
    *out = k;
    return OK;
fail:
    keyring_unref(k);
    return rc;
}

struct keyring *keyring_ref(struct keyring *k)
{
    atomic_fetch_add(&k->refs, 1);
    return k;
}

void keyring_unref(struct keyring *k)
{
    if (!k || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    for (size_t i = 0; i < k->count; i++)
        tsig_key_unref(k->keys[i]);
    for (size_t i = 0; i < k->peer_count; i++)
        tls_peer_unref(k->peers[i]);
    free(k->peers);
    free(k->keys);
    free(k);
}

struct tsig_key *keyring_get(const struct keyring *k, int index)
{
    return index >= 0 && (size_t)index < k->count ? k->keys[index] : NULL;
}

struct tls_peer *keyring_tls(const struct keyring *k, size_t index)
{
    return index < k->peer_count ? k->peers[index] : NULL;
}

/* Keys are few, and this is asked once a signed message. */
struct tsig_key *keyring_find(const struct keyring *k, const uint8_t *name, int *index)
{
    for (size_t i = 0; i < k->count; i++) {
        if (name_eq(tsig_key_name(k->keys[i]), name)) {
            if (index)
                *index = (int)i;
            return k->keys[i];
        }
    }
    return NULL;
}

enum tsig_outcome keyring_verify(const struct keyring *k, struct tsig *t, const uint8_t *wire,
                                 size_t len, size_t at, struct wall now, int *index)
{
    struct tsig_key *key = NULL;
    struct tsig_rr rr;
    int found = -1;
    enum tsig_outcome o;

    if (at && tsig_read(&rr, wire, len, at))
        key = keyring_find(k, rr.key_name, &found);
    o = tsig_verify_request(t, key, wire, len, at, now);
    *index = o == TSIG_OK ? found : -1;
    return o;
}
