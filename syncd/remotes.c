#include "syncd/remotes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define TICK_MS 250
#define COUNT_MS 1000 /* between two looks at the backlog */
#define LOOK_MS                                                                                    \
    900000             /* nothing is new: a push all the same, which finds what was changed there  \
                        */
#define GRACE_MS 60000 /* behind its time limit a push should have been ended */
#define KEY_MAX 64
#define SHIFT_MAX 16

struct remote {
    char *name, *url;
    uint32_t interval_s, retry_max_s, time_limit_s;

    enum remote_state state;
    bool pushing;
    bool again; /* somebody asked for a push while one was under way, which may lack what is new */
    uint64_t pushing_seq;
    uint64_t checkpoint, pushing_checkpoint; /* the newest that it has */
    struct mono pushing_since, next;
    uint64_t seq;
    uint64_t pushes, failures, failures_in_row;
    struct wall last_push, failing_since;
    struct remote_result last;

    uint64_t backlog; /* as last counted, behind counted_seq */
    uint64_t counted_seq;
    struct wall backlog_since;
};

struct remotes {
    struct remotes_env env;
    struct remote *list;
    size_t n;
    struct event *tick, *answers;
    struct remote_lists lists;
    struct mono count_at;
    struct count *count; /* under way */
};

/* ---- How far each is, in the store ---- */

static void meta_key(char out[KEY_MAX], const char *name)
{
    (void)snprintf(out, KEY_MAX, "remote.%s", name);
}

/* "SEQ URL": at another address nothing is known to be there. */
static void recall(struct remotes *r, struct remote *m)
{
    struct store *s = NULL;
    struct buf value = BUF_INIT;
    struct errinfo e = {0};
    char key[KEY_MAX];
    char *end = NULL;
    unsigned long long seq;
    enum err rc;

    meta_key(key, m->name);
    if ((rc = store_readers_take(r->env.readers, &s, &e)) == OK &&
        (rc = store_meta_get(s, key, &value, &e)) == OK) {
        seq = strtoull(buf_cstr(&value), &end, 10);
        if (*end == ' ' && strcmp(end + 1, m->url) == 0)
            m->seq = seq;
    }
    store_readers_give(r->env.readers, s, rc == ERR_NOT_FOUND ? OK : rc);
    buf_free(&value);
    if (rc && rc != ERR_NOT_FOUND)
        log_warning(say("how far a remote is, is not known"), kv_str("remote", m->name),
                    kv_err(&e));
}

struct memory {
    char key[KEY_MAX];
    char *value;
};

static enum err memory_write(void *ctx, struct store *s, struct errinfo *e)
{
    const struct memory *m = ctx;

    return store_meta_put(s, m->key, m->value, e);
}

static void memory_done(void *ctx, struct commit_job *job)
{
    struct memory *m = ctx;

    if (job->rc)
        log_warning(say("how far a remote is could not be written down"), kv_str("key", m->key),
                    kv_err(&job->error));
    free(m->value);
    free(m);
}

static void remember(struct remotes *r, const struct remote *m)
{
    static const struct store_zone none;
    struct memory *mem = xcalloc(1, sizeof(*mem));
    struct commit_job *job = commit_job_new(COMMIT_WRITE, &none);

    meta_key(mem->key, m->name);
    mem->value = xasprintf("%llu %s", (unsigned long long)m->seq, m->url);
    job->write = memory_write;
    job->write_ctx = mem;
    job->done = memory_done;
    job->ctx = mem;
    commit_submit(r->env.committer, job);
}

/* ---- The backlog: counted in a thread of the pool ---- */

struct count {
    struct remotes *r;
    struct store_readers *readers;
    size_t n;
    struct counted {
        char name[REMOTE_NAME_MAX];
        uint64_t seq, behind;
        struct wall since;
        bool known;
    } of[];
};

static void count_work(void *ctx)
{
    struct count *c = ctx;
    struct store *s = NULL;
    enum err rc = store_readers_take(c->readers, &s, NULL);

    for (size_t i = 0; i < c->n && rc == OK; i++) {
        rc = store_versions_behind(s, c->of[i].seq, &c->of[i].behind, &c->of[i].since, NULL);
        c->of[i].known = rc == OK;
    }
    store_readers_give(c->readers, s, rc);
}

static struct remote *find(struct remotes *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->list[i].name, name) == 0)
            return &r->list[i];
    }
    return NULL;
}

static void count_done(void *ctx)
{
    struct count *c = ctx;
    struct remotes *r = c->r;

    r->count = NULL;
    for (size_t i = 0; i < c->n; i++) {
        struct remote *m = find(r, c->of[i].name);

        if (!m || !c->of[i].known || m->seq != c->of[i].seq)
            continue;
        m->backlog = c->of[i].behind;
        m->backlog_since = c->of[i].since;
        m->counted_seq = c->of[i].seq;
    }
    free(c);
}

static void count_backlog(struct remotes *r, struct mono now)
{
    struct count *c;

    if (r->count || r->n == 0 || mono_cmp(now, r->count_at) < 0)
        return;
    c = xcalloc(1, sizeof(*c) + r->n * sizeof(c->of[0]));
    *c = (struct count){.r = r, .readers = r->env.readers, .n = r->n};
    for (size_t i = 0; i < r->n; i++) {
        (void)snprintf(c->of[i].name, sizeof(c->of[i].name), "%s", r->list[i].name);
        c->of[i].seq = r->list[i].seq;
    }
    r->count = c;
    r->count_at = mono_add_ms(now, COUNT_MS);
    loop_work(r->env.loop, count_work, count_done, c);
}

/* ---- Pushing ---- */

const char *remote_state_name(enum remote_state s)
{
    static const char *const names[] = {[REMOTE_STARTING] = "starting",
                                        [REMOTE_OK] = "ok",
                                        [REMOTE_FAILING] = "failing",
                                        [REMOTE_HAS_DIVERGED] = "diverged"};

    return names[s];
}

static struct mono now_of(const struct remotes *r)
{
    return clock_mono(loop_clock(r->env.loop));
}

static struct wall wall_of(const struct remotes *r)
{
    return clock_wall(loop_clock(r->env.loop));
}

/* The interval, doubled for each failure behind the first. */
static int64_t backoff_ms(const struct remote *m)
{
    uint64_t doublings = m->failures_in_row > SHIFT_MAX ? SHIFT_MAX : m->failures_in_row - 1;
    uint64_t s = (uint64_t)m->interval_s << doublings;

    return (int64_t)(s < m->retry_max_s ? s : m->retry_max_s) * 1000;
}

static void failed(struct remotes *r, struct remote *m, const struct remote_result *result)
{
    bool diverged = result->outcome == REMOTE_DIVERGED;
    bool news = m->failures_in_row == 0 || diverged != (m->state == REMOTE_HAS_DIVERGED);

    m->failures++;
    m->failures_in_row++;
    if (m->failing_since.s == 0)
        m->failing_since = wall_of(r);
    m->state = diverged ? REMOTE_HAS_DIVERGED : REMOTE_FAILING;
    m->last = *result;
    m->next = mono_add_ms(now_of(r), backoff_ms(m));
    if (diverged && news)
        log_error(say("a remote has diverged from the journal: somebody else has written to it; "
                      "nothing there is overwritten"),
                  kv_str("remote", m->name), kv_u64("branches", result->refused),
                  kv_str("git", result->text));
    else if (news)
        log_warning(say("a push to a remote failed; it tries again"), kv_str("remote", m->name),
                    kv_str("git", result->text), kv_i64("retry_s", backoff_ms(m) / 1000));
}

static void succeeded(struct remotes *r, struct remote *m)
{
    bool further = m->pushing_seq > m->seq;

    if (m->failures_in_row)
        log_info(say("a remote has caught up"), kv_str("remote", m->name),
                 kv_u64("failures", m->failures_in_row));
    m->state = REMOTE_OK;
    m->failures_in_row = 0;
    m->failing_since = (struct wall){0};
    m->last = (struct remote_result){.outcome = REMOTE_DONE};
    m->last_push = wall_of(r);
    m->pushes++;
    m->seq = m->pushing_seq;
    m->checkpoint = m->pushing_checkpoint;
    m->next = mono_add_ms(now_of(r), (int64_t)m->interval_s * 1000);
    r->count_at = now_of(r);
    if (further)
        remember(r, m);
}

static void push_soon(const struct remotes *r, struct remote *m)
{
    m->next = now_of(r);
    m->pushing_since.ms = m->next.ms - LOOK_MS; /* also if nothing is new */
}

static void ended(struct remotes *r, struct remote *m, const struct remote_result *result)
{
    m->pushing = false;
    if (result->outcome == REMOTE_DONE)
        succeeded(r, m);
    else
        failed(r, m, result);
    if (m->again)
        push_soon(r, m);
    m->again = false;
}

static void ended_by(struct remotes *r, struct remote *m, const char *why)
{
    struct remote_result result = {.outcome = REMOTE_FAILED};

    (void)snprintf(result.text, sizeof(result.text), "%s", why);
    ended(r, m, &result);
}

static bool ask_helper(struct remotes *r, enum remote_op op, const char *name)
{
    struct remote_request q = {.op = op};

    (void)snprintf(q.name, sizeof(q.name), "%s", name);
    return r->env.helper >= 0 &&
           send(r->env.helper, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(q);
}

static void start_push(struct remotes *r, struct remote *m, const struct journaler_status *js)
{
    m->pushing = true;
    m->pushing_seq = js->seq;
    m->pushing_checkpoint = js->checkpoint;
    m->pushing_since = now_of(r);
    if (!ask_helper(r, REMOTE_PUSH, m->name))
        ended_by(r, m,
                 r->env.helper < 0 ? "the helper for remotes does not run: restart syncd"
                                   : "the helper for remotes does not listen");
}

/* What there is to do now: a checkpoint is news, too. */
static bool is_due(const struct remote *m, const struct journaler_status *js, struct mono now)
{
    if (m->pushing || mono_cmp(now, m->next) < 0)
        return false;
    return m->state != REMOTE_OK || js->seq > m->seq || js->checkpoint != m->checkpoint ||
           mono_cmp(now, mono_add_ms(m->pushing_since, LOOK_MS)) >= 0;
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct remotes *r = ctx;
    struct journaler_status js;
    struct mono now = now_of(r);

    (void)fd;
    (void)what;
    journaler_status(r->env.journaler, &js);
    for (size_t i = 0; i < r->n; i++) {
        struct remote *m = &r->list[i];

        if (m->pushing &&
            mono_cmp(now,
                     mono_add_ms(m->pushing_since, (int64_t)m->time_limit_s * 1000 + GRACE_MS)) > 0)
            ended_by(r, m, "the helper for remotes did not answer");
        else if (is_due(m, &js, now))
            start_push(r, m, &js);
    }
    count_backlog(r, now);
}

static void lose_helper(struct remotes *r)
{
    log_error(say("the helper for remotes ended: nothing is pushed until syncd is restarted"));
    remote_lists_fail(&r->lists, NULL, "the helper for remotes ended: restart syncd");
    event_free(r->answers);
    r->answers = NULL;
    (void)close(r->env.helper);
    r->env.helper = -1;
    for (size_t i = 0; i < r->n; i++) {
        if (r->list[i].pushing)
            ended_by(r, &r->list[i], "the helper for remotes ended: restart syncd");
    }
}

static void take_result(struct remotes *r, struct remote_result *result)
{
    struct remote *m;

    result->name[sizeof(result->name) - 1] = 0;
    result->text[sizeof(result->text) - 1] = 0;
    m = find(r, result->name);
    if (result->op == REMOTE_LIST)
        remote_lists_end(&r->lists, result);
    else if (m && m->pushing)
        ended(r, m, result);
}

static void on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct remotes *r = ctx;
    union {
        uint32_t kind;
        struct remote_result result;
        struct remote_piece piece;
    } answer;
    ssize_t n;

    (void)what;
    while ((n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
        if (n == sizeof(answer.result) && answer.kind == REMOTE_RESULT) {
            take_result(r, &answer.result);
        } else if (n == sizeof(answer.piece) && answer.kind == REMOTE_PIECE) {
            answer.piece.name[sizeof(answer.piece.name) - 1] = 0;
            remote_lists_piece(&r->lists, &answer.piece);
        }
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        lose_helper(r);
}

enum err remotes_list(struct remotes *r, const char *name, remote_list_fn *f, void *ctx,
                      struct errinfo *e)
{
    enum err rc;

    if (!find(r, name))
        return err_set(ERR_NOT_FOUND, e, "the configuration has no remote '%s'", name);
    if (r->env.helper < 0)
        return err_set(ERR_CLOSED, e, "the helper for remotes does not run: restart syncd");
    if ((rc = remote_lists_add(&r->lists, name, f, ctx, e)))
        return rc;
    if (!ask_helper(r, REMOTE_LIST, name))
        remote_lists_fail(&r->lists, name, "the helper for remotes does not listen");
    return OK;
}

uint64_t remotes_seq(struct remotes *r, const char *name)
{
    const struct remote *m = find(r, name);

    return m ? m->seq : 0;
}

enum err remotes_push(struct remotes *r, const char *name, struct errinfo *e)
{
    if (name && !find(r, name))
        return err_set(ERR_NOT_FOUND, e, "the configuration has no remote '%s'", name);
    if (r->env.helper < 0)
        return err_set(ERR_CLOSED, e, "the helper for remotes does not run: restart syncd");
    for (size_t i = 0; i < r->n; i++) {
        struct remote *m = &r->list[i];

        if (name && strcmp(m->name, name) != 0)
            continue;
        if (m->pushing)
            m->again = true;
        else
            push_soon(r, m);
    }
    return OK;
}

/* ---- Status ---- */

void remotes_each(struct remotes *r, remote_status_fn *f, void *ctx)
{
    struct wall now = wall_of(r);
    struct mono mono = now_of(r);

    for (size_t i = 0; i < r->n; i++) {
        const struct remote *m = &r->list[i];
        bool counted = m->counted_seq == m->seq;
        struct remote_status s = {.name = m->name,
                                  .url = m->url,
                                  .state = m->state,
                                  .pushing = m->pushing,
                                  .backlog = counted ? m->backlog : 0,
                                  .seq = m->seq,
                                  .pushes = m->pushes,
                                  .failures = m->failures,
                                  .failures_in_row = m->failures_in_row,
                                  .refused = m->last.refused,
                                  .last_push = m->last_push,
                                  .failing_since = m->failing_since,
                                  .error = m->last.text};

        if (s.backlog && now.s > m->backlog_since.s)
            s.lag_s = now.s - m->backlog_since.s;
        if (m->failures_in_row && !m->pushing && m->next.ms > mono.ms)
            s.retry_s = (m->next.ms - mono.ms + 999) / 1000;
        f(ctx, &s);
    }
}

/* ---- Start, reload, stop ---- */

static void remote_done(struct remote *m)
{
    free(m->name);
    free(m->url);
}

static void take_settings(struct remote *m, const struct config_remote *c)
{
    m->interval_s = c->interval_s;
    m->retry_max_s = c->retry_max_s;
    m->time_limit_s = c->time_limit_s;
}

/* One that is at the same place goes on as it is, but is tried at once: its key may be another. */
static void take_remotes(struct remotes *r, const struct config *config)
{
    struct remote *list = xcalloc(config->remote_count, sizeof(*list));

    for (size_t i = 0; i < config->remote_count; i++) {
        const struct config_remote *c = &config->remotes[i];
        struct remote *old = find(r, c->name);

        if (old && strcmp(old->url, c->url) == 0) {
            list[i] = *old;
            old->name = xstrdup("");
            old->url = NULL;
            list[i].next = now_of(r);
        } else {
            list[i].name = xstrdup(c->name);
            list[i].url = xstrdup(c->url);
            list[i].counted_seq = UINT64_MAX;
            recall(r, &list[i]);
        }
        take_settings(&list[i], c);
    }
    for (size_t i = 0; i < r->n; i++)
        remote_done(&r->list[i]);
    free(r->list);
    r->list = list;
    r->n = config->remote_count;
}

struct remotes *remotes_new(const struct remotes_env *env, const struct config *config)
{
    struct remotes *r = xcalloc(1, sizeof(*r));
    struct timeval tick = {.tv_usec = TICK_MS * 1000};

    r->env = *env;
    take_remotes(r, config);
    r->tick = event_new(loop_base(env->loop), -1, EV_PERSIST, on_tick, r);
    if (env->helper >= 0)
        r->answers =
            event_new(loop_base(env->loop), env->helper, EV_READ | EV_PERSIST, on_answer, r);
    if (!r->tick || event_add(r->tick, &tick) != 0 || (r->answers && event_add(r->answers, NULL)))
        abort();
    return r;
}

void remotes_reload(struct remotes *r, const struct config *config)
{
    if (r->env.helper < 0 && config->remote_count > 0 && r->n == 0)
        log_warning(say("the first remote is pushed to only after a restart of syncd"));
    if (r->env.helper >= 0 && !ask_helper(r, REMOTE_RELOAD, ""))
        log_warning(say("the helper for remotes does not listen"));
    take_remotes(r, config);
}

void remotes_stop(struct remotes *r)
{
    if (!r)
        return;
    event_free(r->tick);
    if (r->answers)
        event_free(r->answers);
    if (r->env.helper >= 0)
        (void)close(r->env.helper);
    r->tick = r->answers = NULL;
    r->env.helper = -1;
    remote_lists_fail(&r->lists, NULL, "syncd stops");
}

void remotes_free(struct remotes *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        remote_done(&r->list[i]);
    free(r->list);
    free(r->count); /* that never came to be done */
    free(r);
}
