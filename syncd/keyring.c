#include "syncd/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define SECRET_FILE_MAX 4096 /* octets; base64 of the longest secret is 1368 */

struct keyring {
    struct tsig_key **keys; /* as config.keys */
    size_t count;
    atomic_uint refs;
};

/* Nobody but its owner may change the secret, and not everybody may know it. */
static enum err check_file(int fd, struct errinfo *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_sys(errno, e, "stat");
    if (!S_ISREG(st.st_mode))
        return err_set(ERR_DENIED, e, "is not a regular file");
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(ERR_DENIED, e, "belongs to user %u; it must be root's or ours",
                       (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH | S_IROTH))
        return err_set(ERR_DENIED, e,
                       "has mode %04o, so others may %s it; make it 0600 or 0640 (chmod)",
                       (unsigned)(st.st_mode & 07777), st.st_mode & S_IROTH ? "read" : "change");
    if (st.st_size > SECRET_FILE_MAX)
        return err_set(ERR_FORMAT, e, "is too large for a secret");
    return OK;
}

/* Fills buf (SECRET_FILE_MAX octets). */
static enum err read_secret(char *buf, size_t *len, const char *path, struct errinfo *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t got = 0;
    size_t n = 0;
    enum err rc;

    if (fd < 0)
        return err_sys(errno, e, "cannot be opened");
    rc = check_file(fd, e);
    while (rc == OK && n < SECRET_FILE_MAX &&
           ((got = read(fd, buf + n, SECRET_FILE_MAX - n)) > 0 || (got < 0 && errno == EINTR)))
        n += got > 0 ? (size_t)got : 0;
    if (rc == OK && got < 0)
        rc = err_sys(errno, e, "cannot be read");
    (void)close(fd);
    *len = n;
    return rc;
}

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
    if ((rc = read_secret(secret, &len, k->secret_file, e)) == OK)
        rc = tsig_key_new(out, name, alg, secret, len, e);
    explicit_bzero(secret, sizeof(secret));
    return rc ? err_wrap(rc, e, "key '%s': its file %s", k->name, k->secret_file) : OK;
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
    free(k->keys);
    free(k);
}

struct tsig_key *keyring_get(const struct keyring *k, int index)
{
    return index >= 0 && (size_t)index < k->count ? k->keys[index] : NULL;
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
