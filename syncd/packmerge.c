#include "syncd/packmerge.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

struct packmerge {
    char *path;
    packmerge_made_fn *made_fn;
    void *ctx;
    pthread_t thread;
    bool started;

    /* Guards all below; no other lock is taken while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool wanted;
    bool closing;
    bool held, working;
    struct journal_merge *made;
};

static bool is_closing(void *ctx)
{
    struct packmerge *m = ctx;
    bool closing;

    pthread_mutex_lock(&m->lock);
    closing = m->closing || m->held;
    pthread_mutex_unlock(&m->lock);
    return closing;
}

/* The handle lives as long as the work: an open one would keep the packs on the disk that go. */
static struct journal_merge *make(struct packmerge *m)
{
    struct journal *j = NULL;
    struct journal_merge *made = NULL;
    struct errinfo e = {0};
    enum err rc = journal_open(&j, m->path, "merger", false, &e);

    if (rc == OK)
        rc = journal_merge_make(&made, j, is_closing, m, &e);
    journal_close(j);
    if (rc && rc != ERR_CLOSED)
        log_warning(say("journal: small packs could not be merged, all stays readable"),
                    kv_err(&e));
    mem_give_back();
    return made;
}

/* False when it is time to stop. */
static bool wait_wanted(struct packmerge *m)
{
    bool go_on;

    pthread_mutex_lock(&m->lock);
    m->working = false;
    pthread_cond_broadcast(&m->there);
    while (!m->closing && (!m->wanted || m->made || m->held))
        pthread_cond_wait(&m->there, &m->lock);
    m->wanted = false;
    m->working = true;
    go_on = !m->closing;
    pthread_mutex_unlock(&m->lock);
    return go_on;
}

static void *packmerge_main(void *ctx)
{
    struct packmerge *m = ctx;

    while (wait_wanted(m)) {
        struct journal_merge *made = make(m);

        if (!made)
            continue;
        pthread_mutex_lock(&m->lock);
        m->made = made;
        pthread_mutex_unlock(&m->lock);
        m->made_fn(m->ctx);
    }
    return NULL;
}

enum err packmerge_start(struct packmerge **out, const char *path, packmerge_made_fn *made,
                         void *ctx, struct errinfo *e)
{
    struct packmerge *m = xcalloc(1, sizeof(*m));
    int failed;

    m->path = xstrdup(path);
    m->made_fn = made;
    m->ctx = ctx;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->there, NULL);
    failed = pthread_create(&m->thread, NULL, packmerge_main, m);
    m->started = failed == 0;
    if (failed) {
        packmerge_stop(m);
        return err_sys(failed, e, "starting the thread that merges packs");
    }
    *out = m;
    return OK;
}

void packmerge_stop(struct packmerge *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    pthread_cond_broadcast(&m->there);
    pthread_mutex_unlock(&m->lock);
    if (m->started)
        pthread_join(m->thread, NULL);
    journal_merge_free(m->made);
    pthread_cond_destroy(&m->there);
    pthread_mutex_destroy(&m->lock);
    free(m->path);
    free(m);
}

void packmerge_want(struct packmerge *m)
{
    pthread_mutex_lock(&m->lock);
    m->wanted = true;
    pthread_cond_broadcast(&m->there);
    pthread_mutex_unlock(&m->lock);
}

struct journal_merge *packmerge_take(struct packmerge *m)
{
    struct journal_merge *made;

    pthread_mutex_lock(&m->lock);
    made = m->made;
    m->made = NULL;
    if (made) /* what was wanted meanwhile would look at packs that are about to go */
        m->wanted = false;
    pthread_mutex_unlock(&m->lock);
    return made;
}

void packmerge_hold(struct packmerge *m)
{
    pthread_mutex_lock(&m->lock);
    m->held = true;
    while (m->working && !m->closing)
        pthread_cond_wait(&m->there, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

void packmerge_release(struct packmerge *m)
{
    pthread_mutex_lock(&m->lock);
    m->held = false;
    pthread_cond_broadcast(&m->there);
    pthread_mutex_unlock(&m->lock);
}
