#include "syncd/signing.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/secret_file.h"

#define ALLOWED_BYTES_MAX ((size_t)1 << 20)
#define ON_THEIR_WAY_SECONDS 60
#define PRINCIPAL_MAX 64

struct signing {
    char *dir, *key_path, *allowed_path;
    char *node; /* as committers have it */
    char principal[PRINCIPAL_MAX];

    pthread_mutex_t lock; /* of all below */
    struct signing_key *keys;
    size_t count;
    struct journal_key **loaded; /* all that ever signed in this process; the last one does */
    size_t loaded_count;
};

/* ---- Lines of allowed-signers ---- */

/* "2026-11-24T16:00:00Z" as ssh-keygen has dates: 20261124160000Z. And back. */
static void date_to_ssh(char out[SIGNING_DATE_MAX], const char *date)
{
    size_t n = 0;

    for (; *date; date++) {
        if ((*date >= '0' && *date <= '9') || *date == 'Z')
            out[n++] = *date;
    }
    out[n] = 0;
}

static bool date_of_ssh(char out[SIGNING_DATE_MAX], const char *text, size_t len)
{
    if (len != 15 || text[14] != 'Z' || strspn(text, "0123456789") != 14)
        return false;
    (void)snprintf(out, SIGNING_DATE_MAX, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", text, text + 4,
                   text + 6, text + 8, text + 10, text + 12);
    return true;
}

static void put_key(struct buf *out, const struct signing *s, const struct signing_key *k)
{
    char text[JOURNAL_KEY_TEXT_MAX], until[SIGNING_DATE_MAX];

    buf_printf(out, "%s namespaces=\"git\"", s->principal);
    if (k->until[0]) {
        date_to_ssh(until, k->until);
        buf_printf(out, ",valid-before=\"%s\"", until);
    }
    journal_signer_text(text, &k->signer);
    buf_printf(out, " %s since:%s\n", text, k->since);
}

/* Takes `prefix` from the start of the text. */
static bool skip_text(const char **p, const char *prefix)
{
    size_t n = strlen(prefix);

    if (strncmp(*p, prefix, n) != 0)
        return false;
    *p += n;
    return true;
}

/* One line that put_key wrote, whatever the node was called then. */
static bool take_key(struct signing_key *k, const char *line)
{
    const char *p = strchr(line, ' ');
    const char *comment;

    *k = (struct signing_key){.current = false};
    if (!p || !skip_text(&p, " namespaces=\"git\""))
        return false;
    if (skip_text(&p, ",valid-before=\"")) {
        size_t n = strcspn(p, "\"");

        if (!date_of_ssh(k->until, p, n))
            return false;
        p += n;
        if (!skip_text(&p, "\""))
            return false;
    }
    comment = strstr(p, " since:");
    if (!skip_text(&p, " ") || !comment || comment < p ||
        !journal_signer_read(&k->signer, p, (size_t)(comment - p)))
        return false;
    comment += strlen(" since:");
    if (strlen(comment) != 20)
        return false;
    memcpy(k->since, comment, 21);
    return true;
}

static enum err take_lines(struct signing *s, char *text, struct errinfo *e)
{
    unsigned number = 0;
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n"))) {
        number++;
        if (!line[0] || line[0] == '#')
            continue;
        s->keys = xrealloc(s->keys, (s->count + 1) * sizeof(*s->keys));
        if (!take_key(&s->keys[s->count], line))
            return err_set(ERR_FORMAT, e, "%s:%u: is not a line that this program writes",
                           s->allowed_path, number);
        s->count++;
    }
    return OK;
}

static void put_all(struct buf *out, const struct signing *s)
{
    for (size_t i = 0; i < s->count; i++)
        put_key(out, s, &s->keys[i]);
}

static enum err write_allowed(const struct signing *s, struct errinfo *e)
{
    struct buf text = BUF_INIT;
    enum err rc;

    put_all(&text, s);
    rc = file_replace(s->allowed_path, text.data, text.len, 0644, e);
    buf_free(&text);
    return rc;
}

/* ---- Keys ---- */

static void add_loaded(struct signing *s, struct journal_key *k)
{
    s->loaded = xrealloc(s->loaded, (s->loaded_count + 1) * sizeof(struct journal_key *));
    s->loaded[s->loaded_count++] = k;
}

static bool is_signer(const struct signing_key *k, const struct journal_signer *signer)
{
    return memcmp(k->signer.id, signer->id, sizeof(signer->id)) == 0;
}

/* The current one is marked; whatever else may still sign may so no longer. True if one was such.
 */
static bool settle(struct signing *s, struct wall until)
{
    struct journal_signer signer = journal_key_signer(s->loaded[s->loaded_count - 1]);
    bool changed = false;

    for (size_t i = 0; i < s->count; i++) {
        struct signing_key *k = &s->keys[i];

        k->current = is_signer(k, &signer);
        if (!k->current && !k->until[0]) {
            wall_to_text(k->until, until);
            changed = true;
        }
    }
    return changed;
}

static enum err read_key(struct signing *s, struct errinfo *e)
{
    char text[JOURNAL_KEY_FILE_MAX];
    struct journal_key *k = NULL;
    struct errinfo why = {0};
    size_t len = 0;
    enum err rc = secret_file_read(text, sizeof(text), &len, s->key_path, false, &why);

    if (rc == OK)
        rc = journal_key_read(&k, text, len, &why);
    OPENSSL_cleanse(text, sizeof(text));
    if (rc)
        return err_set(rc, e, "%s: %s", s->key_path, why.text);
    add_loaded(s, k);
    return OK;
}

static enum err write_key(const struct signing *s, const struct journal_key *k, struct errinfo *e)
{
    char *comment = xasprintf("zoneledger %s", s->principal);
    struct buf text = BUF_INIT;
    enum err rc;

    journal_key_write(&text, k, comment);
    rc = file_replace(s->key_path, text.data, text.len, 0600, e);
    OPENSSL_cleanse(text.data, text.len);
    buf_free(&text);
    free(comment);
    return rc;
}

/* ---- Opening ---- */

/* What ssh-keygen takes for a principal, without patterns; git shows it. */
static void set_principal(struct signing *s)
{
    size_t n = 0;

    for (const char *p = s->node; *p && n + 1 < sizeof(s->principal); p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("._-@", *p);

        s->principal[n++] = plain ? *p : '_';
    }
    if (n == 0)
        n = (size_t)snprintf(s->principal, sizeof(s->principal), "node");
    s->principal[n] = 0;
}

static enum err read_allowed(struct signing *s, struct errinfo *e)
{
    struct errinfo why = {0};
    char *text = xmalloc(ALLOWED_BYTES_MAX + 1);
    size_t len = 0;
    FILE *f = fopen(s->allowed_path, "re");
    enum err rc = OK;

    if (!f) {
        rc = errno == ENOENT ? OK : err_sys(errno, &why, "cannot be opened");
    } else {
        len = fread(text, 1, ALLOWED_BYTES_MAX, f);
        if (ferror(f))
            rc = err_sys(errno, &why, "cannot be read");
        else if (len == ALLOWED_BYTES_MAX || memchr(text, 0, len))
            rc = err_set(ERR_FORMAT, &why, "is no file of allowed signers");
        (void)fclose(f);
    }
    text[len] = 0;
    if (rc)
        rc = err_set(rc, e, "%s: %s", s->allowed_path, why.text);
    else
        rc = take_lines(s, text, e);
    free(text);
    return rc;
}

/* Finds what a crash left: a key that is allowed but never signed is dropped with the next
 * rotation's settling; an old one that is still allowed gets its end now. */
static enum err load(struct signing *s, struct wall now, struct errinfo *e)
{
    struct journal_signer signer;
    struct stat st;
    enum err rc;

    if ((rc = read_allowed(s, e)))
        return rc;
    if (lstat(s->key_path, &st) != 0 && errno == ENOENT)
        return OK;
    if ((rc = read_key(s, e)))
        return rc;
    signer = journal_key_signer(s->loaded[0]);
    for (size_t i = 0; i < s->count; i++) {
        if (is_signer(&s->keys[i], &signer) && !s->keys[i].until[0])
            return settle(s, now) ? write_allowed(s, e) : OK;
    }
    return err_set(ERR_CONFLICT, e,
                   "%s: this key is not among those in %s that may sign: nobody could verify what "
                   "it signs",
                   s->key_path, s->allowed_path);
}

enum err signing_open(struct signing **out, const char *data_dir, const char *node, struct wall now,
                      struct errinfo *e)
{
    struct signing *s = xcalloc(1, sizeof(*s));
    enum err rc;

    s->dir = xasprintf("%s/signing", data_dir);
    s->key_path = xasprintf("%s/key", s->dir);
    s->allowed_path = xasprintf("%s/allowed-signers", s->dir);
    s->node = xstrdup(node);
    set_principal(s);
    pthread_mutex_init(&s->lock, NULL);
    rc = load(s, now, e);
    if (rc) {
        signing_free(s);
        return rc;
    }
    if (s->loaded_count) {
        struct journal_signer signer = journal_key_signer(s->loaded[0]);
        char text[JOURNAL_FINGERPRINT_TEXT_MAX];

        journal_signer_fingerprint(text, &signer);
        log_info(say("the history is signed"), kv_str("key", text));
    }
    *out = s;
    return OK;
}

void signing_free(struct signing *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->loaded_count; i++)
        journal_key_free(s->loaded[i]);
    free(s->loaded);
    free(s->keys);
    pthread_mutex_destroy(&s->lock);
    free(s->node);
    free(s->dir);
    free(s->key_path);
    free(s->allowed_path);
    free(s);
}

/* ---- Use ---- */

const struct journal_key *signing_current(struct signing *s)
{
    const struct journal_key *k;

    pthread_mutex_lock(&s->lock);
    k = s->loaded_count ? s->loaded[s->loaded_count - 1] : NULL;
    pthread_mutex_unlock(&s->lock);
    return k;
}

static void drop_last(struct signing *s)
{
    s->count--;
}

/* With the lock held. */
static enum err add_key(struct signing *s, struct wall now, struct errinfo *e)
{
    struct journal_key *k = NULL;
    char text[JOURNAL_FINGERPRINT_TEXT_MAX];
    struct signing_key *row;
    enum err rc;

    if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
        return err_sys(errno, e, "creating %s", s->dir);
    if ((rc = dir_sync_parent(s->dir, e)) || (rc = journal_key_make(&k, e)))
        return rc;
    s->keys = xrealloc(s->keys, (s->count + 1) * sizeof(*s->keys));
    row = &s->keys[s->count++];
    *row = (struct signing_key){.signer = journal_key_signer(k)};
    wall_to_text(row->since, now);
    rc = write_allowed(s, e);
    FAULT("signing:after_allowed");
    if (rc == OK)
        rc = write_key(s, k, e);
    FAULT("signing:after_key");
    if (rc) {
        drop_last(s);
        journal_key_free(k);
        return rc;
    }
    add_loaded(s, k);
    journal_signer_fingerprint(text, &row->signer);
    log_info(say("a new key signs the history"), kv_str("key", text));
    return settle(s, (struct wall){now.s + ON_THEIR_WAY_SECONDS}) ? write_allowed(s, e) : OK;
}

enum err signing_create(struct signing *s, struct wall now, struct errinfo *e)
{
    enum err rc;

    pthread_mutex_lock(&s->lock);
    if (s->loaded_count)
        rc = err_set(ERR_EXISTS, e, "there is a key already; journal key rotate makes another one");
    else
        rc = add_key(s, now, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

enum err signing_rotate(struct signing *s, struct wall now, struct errinfo *e)
{
    enum err rc;

    pthread_mutex_lock(&s->lock);
    if (!s->loaded_count)
        rc = err_set(ERR_NOT_FOUND, e, "there is no key yet; journal key create makes the first");
    else
        rc = add_key(s, now, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void signing_each(struct signing *s, signing_key_fn *f, void *ctx)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++)
        f(ctx, &s->keys[i]);
    pthread_mutex_unlock(&s->lock);
}

void signing_allowed(struct buf *out, struct signing *s)
{
    pthread_mutex_lock(&s->lock);
    put_all(out, s);
    pthread_mutex_unlock(&s->lock);
}
