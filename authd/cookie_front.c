#include "authd/cookie_front.h"

#include <stdlib.h>
#include <string.h>

#include "authd/grace.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/secret_file.h"

#define FILE_MAX_OCTETS 4096

enum err cookie_front_load(struct cookie_secrets **out, const struct config *c, struct errinfo *e)
{
    struct cookie_secrets *secrets;
    char text[FILE_MAX_OCTETS];
    size_t len = 0;
    enum err rc;

    *out = NULL;
    if (!c->cookies || !c->cookie_secret_file[0])
        return OK;
    secrets = xcalloc(1, sizeof(*secrets));
    if ((rc = secret_file_read(text, sizeof(text), &len, c->cookie_secret_file, true, e)) == OK)
        rc = cookie_secrets_read(secrets, text, len, e);
    explicit_bzero(text, sizeof(text));
    if (rc) {
        cookie_front_wipe(secrets);
        return err_wrap(rc, e, "cookie-secret-file %s", c->cookie_secret_file);
    }
    *out = secrets;
    return OK;
}

void cookie_front_wipe(struct cookie_secrets *secrets)
{
    if (!secrets)
        return;
    explicit_bzero(secrets, sizeof(*secrets));
    free(secrets);
}

static void publish(struct shared *s, struct cookie_secrets *secrets)
{
    struct cookie_secrets *old = atomic_exchange(&s->cookies, secrets);

    if (!old)
        return;
    grace_wait();
    cookie_front_wipe(old);
}

/* A new random one; behind it the one before, if that was random too. */
static void publish_random(struct cookie_front *f, struct shared *s)
{
    const struct cookie_secrets *now = f->random ? atomic_load(&s->cookies) : NULL;
    struct cookie_secrets *next = xcalloc(1, sizeof(*next));

    clock_random(s->clock, next->secret[0], COOKIE_SECRET_OCTETS);
    next->count = 1;
    if (now)
        memcpy(next->secret[next->count++], now->secret[0], COOKIE_SECRET_OCTETS);
    f->random = true;
    f->born = clock_mono(s->clock);
    publish(s, next);
}

void cookie_front_set(struct cookie_front *f, struct shared *s, const struct config *c,
                      struct cookie_secrets *loaded)
{
    if (c->cookies && !loaded) {
        if (f->random)
            return;
        publish_random(f, s);
        log_info(say("cookies are made with a random secret"));
        return;
    }
    if (loaded)
        log_info(say("cookie secrets are in force"), kv_str("file", c->cookie_secret_file),
                 kv_u64("secrets", loaded->count));
    f->random = false;
    publish(s, loaded);
}

void cookie_front_roll(struct cookie_front *f, struct shared *s)
{
    if (f->random && clock_mono(s->clock).ms - f->born.ms >= COOKIE_FRONT_DAY_MS)
        publish_random(f, s);
}

void cookie_front_done(struct shared *s)
{
    cookie_front_wipe(atomic_exchange(&s->cookies, NULL));
}
