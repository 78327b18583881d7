#include "lib/store/store_readers.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define KEPT_MAX 16 /* as many threads as could use them */

struct store_readers {
    char *dir;
    pthread_mutex_t lock; /* guards what follows */
    struct store *kept[KEPT_MAX];
    unsigned count;
};

struct store_readers *store_readers_new(const char *dir)
{
    struct store_readers *r = xcalloc(1, sizeof(*r));

    r->dir = xstrdup(dir);
    if (pthread_mutex_init(&r->lock, NULL) != 0)
        abort(); /* out of memory */
    return r;
}

void store_readers_free(struct store_readers *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->count; i++)
        store_close(r->kept[i]);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->dir);
    free(r);
}

const char *store_readers_dir(const struct store_readers *r)
{
    return r->dir;
}

enum err store_readers_take(struct store_readers *r, struct store **out, struct errinfo *e)
{
    struct store *s = NULL;

    pthread_mutex_lock(&r->lock);
    if (r->count > 0)
        s = r->kept[--r->count];
    pthread_mutex_unlock(&r->lock);
    if (!s)
        return store_open_reader(out, r->dir, e);
    *out = s;
    return OK;
}

void store_readers_give(struct store_readers *r, struct store *s, enum err rc)
{
    bool kept = false;

    if (!s)
        return;
    pthread_mutex_lock(&r->lock);
    if ((rc == OK || rc == ERR_NOT_FOUND) && r->count < KEPT_MAX) {
        r->kept[r->count++] = s;
        kept = true;
    }
    pthread_mutex_unlock(&r->lock);
    if (!kept)
        store_close(s);
}
