#include "syncd/loop.h"

#include <errno.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/mem.h"

struct task {
    loop_fn *work; /* NULL for a posted one */
    loop_fn *done;
    void *ctx;
    struct task *next;
};

struct task_queue {
    struct task *head;
    struct task **tail;
};

struct loop {
    struct event_base *base;
    const struct clock *clock;
    struct event *wake_event;
    int wake_fd;
    pthread_t *threads;
    uint32_t thread_count;

    /* Guards all below; no other lock is taken while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t work_there;
    struct task_queue work;
    struct task_queue posted;
    bool closing;
};

static void queue_put(struct task_queue *q, struct task *t)
{
    t->next = NULL;
    if (!q->head)
        q->tail = &q->head;
    *q->tail = t;
    q->tail = &t->next;
}

static struct task *queue_take(struct task_queue *q)
{
    struct task *t = q->head;

    if (t)
        q->head = t->next;
    return t;
}

static void wake(struct loop *l)
{
    uint64_t one = 1;

    /* A full counter (EAGAIN) means that it is awake already. */
    (void)!write(l->wake_fd, &one, sizeof(one));
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    struct loop *l = ctx;
    struct task *t;
    uint64_t n;

    (void)what;
    (void)!read(fd, &n, sizeof(n));
    pthread_mutex_lock(&l->lock);
    t = l->posted.head;
    l->posted.head = NULL;
    pthread_mutex_unlock(&l->lock);
    while (t) {
        struct task *next = t->next;
        t->done(t->ctx);
        free(t);
        t = next;
    }
}

static void *pool_main(void *ctx)
{
    struct loop *l = ctx;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        struct task *t = queue_take(&l->work);

        if (!t && l->closing)
            break;
        if (!t) {
            pthread_cond_wait(&l->work_there, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        t->work(t->ctx);
        pthread_mutex_lock(&l->lock);
        queue_put(&l->posted, t);
        wake(l);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static enum err start_threads(struct loop *l, uint32_t n, struct errinfo *e)
{
    l->threads = xcalloc(n, sizeof(*l->threads));
    for (uint32_t i = 0; i < n; i++) {
        int rc = pthread_create(&l->threads[i], NULL, pool_main, l);

        if (rc != 0)
            return err_sys(rc, e, "starting a pool thread");
        l->thread_count++;
    }
    return OK;
}

enum err loop_new(struct loop **out, const struct clock *clock, uint32_t pool_threads,
                  struct errinfo *e)
{
    struct loop *l = xcalloc(1, sizeof(*l));
    enum err rc;

    l->clock = clock;
    l->wake_fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work_there, NULL);
    if (evthread_use_pthreads() != 0 || !(l->base = event_base_new())) {
        rc = err_set(ERR_LIMIT, e, "cannot start the event loop");
        goto fail;
    }
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) {
        rc = err_sys(errno, e, "eventfd");
        goto fail;
    }
    l->wake_event = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    if (!l->wake_event || event_add(l->wake_event, NULL) != 0) {
        rc = err_set(ERR_LIMIT, e, "cannot start the event loop");
        goto fail;
    }
    if ((rc = start_threads(l, pool_threads, e)))
        goto fail;
    *out = l;
    return OK;
fail:
    loop_free(l);
    return rc;
}

void loop_free(struct loop *l)
{
    struct task *t;

    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->work_there);
    pthread_mutex_unlock(&l->lock);
    for (uint32_t i = 0; i < l->thread_count; i++)
        pthread_join(l->threads[i], NULL);
    /* What was finished but not told yet still frees its memory in `done`. */
    if (l->wake_fd >= 0)
        on_wake(l->wake_fd, EV_READ, l);
    while ((t = queue_take(&l->work)))
        free(t);
    if (l->wake_event)
        event_free(l->wake_event);
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
    if (l->base)
        event_base_free(l->base);
    pthread_cond_destroy(&l->work_there);
    pthread_mutex_destroy(&l->lock);
    free(l->threads);
    free(l);
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

const struct clock *loop_clock(struct loop *l)
{
    return l->clock;
}

void loop_run(struct loop *l)
{
    (void)event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *l)
{
    (void)event_base_loopbreak(l->base);
}

void loop_post(struct loop *l, loop_fn *f, void *ctx)
{
    struct task *t = xcalloc(1, sizeof(*t));

    t->done = f;
    t->ctx = ctx;
    pthread_mutex_lock(&l->lock);
    queue_put(&l->posted, t);
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *ctx)
{
    struct task *t = xcalloc(1, sizeof(*t));

    t->work = work;
    t->done = done;
    t->ctx = ctx;
    pthread_mutex_lock(&l->lock);
    queue_put(&l->work, t);
    pthread_cond_signal(&l->work_there);
    pthread_mutex_unlock(&l->lock);
}
