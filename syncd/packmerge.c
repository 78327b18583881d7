#include "syncd/packmerge.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "journal/thin.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/store.h"

struct packmerge {
    char *path;
    char *data_dir; /* of the store; NULL: nothing is thinned */
    packmerge_made_fn *made_fn;
    void *ctx;
    pthread_t thread;
    bool started;

    /* Guards all below; no other lock is taken while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool wanted, thin_wanted;
    bool thin_over; /* nothing more could go */
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

/* ---- The thinned versions, from the store ---- */

struct ids {
    struct journal_oid *list;
    size_t n, cap;
};

static enum err on_thinned(void *ctx, const uint8_t oid[STORE_OID_BYTES], struct errinfo *e)
{
    struct ids *l = ctx;

    (void)e;
    l->list = xgrow(l->list, &l->cap, l->n + 1, sizeof(*l->list));
    memcpy(l->list[l->n++].id, oid, STORE_OID_BYTES);
    return OK;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, JOURNAL_OID_BYTES);
}

static enum err thinned_ids(struct ids *l, const char *data_dir, struct errinfo *e)
{
    struct store *s = NULL;
    enum err rc = store_open_reader(&s, data_dir, e);

    if (rc == OK)
        rc = store_thinned_each(s, on_thinned, l, e);
    store_close(s);
    if (l->n)
        qsort(l->list, l->n, sizeof(*l->list), by_id);
    return rc;
}

static struct journal_merge *thin(struct packmerge *m)
{
    struct journal *j = NULL;
    struct journal_merge *made = NULL;
    struct ids l = {.n = 0};
    struct errinfo e = {0};
    enum err rc = thinned_ids(&l, m->data_dir, &e);

    if (rc == OK && l.n && (rc = journal_open(&j, m->path, "thinner", false, &e)) == OK)
        rc = journal_thin_make(&made, j, l.list, l.n, is_closing, m, &e);
    journal_close(j);
    free(l.list);
    if (rc && rc != ERR_CLOSED)
        log_warning(say("journal: packs could not be thinned, all stays readable"), kv_err(&e));
    mem_give_back();
    return made;
}

/* ---- Making ---- */

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
static bool wait_wanted(struct packmerge *m, bool *thins)
{
    bool go_on;

    pthread_mutex_lock(&m->lock);
    m->working = false;
    pthread_cond_broadcast(&m->there);
    while (!m->closing && ((!m->wanted && !m->thin_wanted) || m->made || m->held))
        pthread_cond_wait(&m->there, &m->lock);
    *thins = m->thin_wanted;
    if (*thins)
        m->thin_wanted = false;
    else
        m->wanted = false;
    m->working = true;
    go_on = !m->closing;
    pthread_mutex_unlock(&m->lock);
    return go_on;
}

static void *packmerge_main(void *ctx)
{
    struct packmerge *m = ctx;

    bool thins;

    while (wait_wanted(m, &thins)) {
        struct journal_merge *made = thins ? thin(m) : make(m);

        if (!made && !thins)
            continue;
        pthread_mutex_lock(&m->lock);
        m->made = made;
        m->thin_over = m->thin_over || (thins && !made);
        pthread_mutex_unlock(&m->lock);
        m->made_fn(m->ctx);
    }
    return NULL;
}

enum err packmerge_start(struct packmerge **out, const char *path, const char *data_dir,
                         packmerge_made_fn *made, void *ctx, struct errinfo *e)
{
    struct packmerge *m = xcalloc(1, sizeof(*m));
    int failed;

    m->path = xstrdup(path);
    m->data_dir = data_dir ? xstrdup(data_dir) : NULL;
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
    free(m->data_dir);
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

void packmerge_want_thin(struct packmerge *m)
{
    pthread_mutex_lock(&m->lock);
    m->thin_wanted = m->data_dir != NULL;
    pthread_cond_signal(&m->there);
    pthread_mutex_unlock(&m->lock);
}

bool packmerge_thin_over(struct packmerge *m)
{
    bool over;

    pthread_mutex_lock(&m->lock);
    over = m->thin_over;
    m->thin_over = false;
    pthread_mutex_unlock(&m->lock);
    return over;
}
