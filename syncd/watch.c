#include "syncd/watch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/watch_internal.h"

#define SUFFIX ".zone"
#define WAIT_MAX_MS 10000 /* one that is written without end is read after so long */
#define SHORT_MS 100

/* ---- Names ---- */

enum watch_name watch_name_kind(const char *name)
{
    size_t n = strlen(name);

    if (name[0] == '.' || name[0] == '#' || name[n - 1] == '~')
        return NAME_IGNORED;
    if (n <= strlen(SUFFIX) || strcmp(name + n - strlen(SUFFIX), SUFFIX) != 0)
        return NAME_OTHER;
    return NAME_ZONE;
}

enum err watch_zone_of(uint8_t out[NAME_MAX_OCTETS], const char *name, struct errinfo *e)
{
    enum err rc = name_from_text(out, name, strlen(name) - strlen(SUFFIX), NULL, e);

    if (rc)
        return err_wrap(rc, e, "its name is not NAME" SUFFIX);
    (void)name_fold(out, out);
    return OK;
}

/* ---- Queues ---- */

void watch_queue_put(struct watch_queue *q, struct watch_file *f, enum watch_state state)
{
    if (!q->tail)
        q->tail = &q->head;
    f->state = state;
    f->queue_next = NULL;
    f->queue_at = q->tail;
    *q->tail = f;
    q->tail = &f->queue_next;
}

void watch_queue_take(struct watch_file *f)
{
    struct watch_queue *q = f->state == FILE_PENDING ? &f->dir->pending : &f->dir->watch->ready;

    if (f->state != FILE_PENDING && f->state != FILE_READY)
        return;
    *f->queue_at = f->queue_next;
    if (f->queue_next)
        f->queue_next->queue_at = f->queue_at;
    else
        q->tail = f->queue_at;
    f->state = FILE_IDLE;
}

/* ---- Files ---- */

enum err watch_file_get(struct watch_file **out, struct watch_dir *d, const char *name,
                        const uint8_t *zone, struct errinfo *e)
{
    struct watch *w = d->watch;
    struct watch_file *f = namemap_get(&w->zones, zone);

    if (f && f->dir == d && strcmp(f->name, name) == 0) {
        *out = f;
        return OK;
    }
    if (f && (!f->gone || f->state == FILE_BUSY))
        return err_set(ERR_EXISTS, e, "its zone is read from %s/%s", f->dir->path, f->name);
    if (f)
        watch_file_drop(f); /* it has moved */
    f = xcalloc(1, sizeof(*f));
    f->dir = d;
    f->name = xstrdup(name);
    f->zone = xmemdup(zone, name_len(zone));
    f->next = d->files;
    d->files = f;
    d->count++;
    namemap_put(&w->zones, f->zone, f);
    *out = f;
    return OK;
}

void watch_file_drop(struct watch_file *f)
{
    struct watch_file **at = &f->dir->files;

    watch_queue_take(f);
    namemap_remove(&f->dir->watch->zones, f->zone);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->dir->count--;
    free(f->name);
    free(f->zone);
    free(f->error);
    free(f);
}

void watch_file_touch(struct watch_file *f)
{
    struct mono now = watch_now(f->dir->watch);

    if (f->state == FILE_BUSY) {
        f->again = true;
        return;
    }
    if (f->state == FILE_PENDING && mono_cmp(mono_add_ms(f->first, WAIT_MAX_MS), now) < 0)
        return;
    if (f->state != FILE_PENDING)
        f->first = now;
    watch_queue_take(f);
    f->due = mono_add_ms(now, f->dir->config ? f->dir->config->settle_ms : 0);
    watch_queue_put(&f->dir->pending, f, FILE_PENDING);
}

void watch_touch_includers(struct watch_dir *d)
{
    for (struct watch_file *f = d->files; f; f = f->next) {
        if (f->includes)
            watch_file_touch(f);
    }
}

void watch_file_error(struct watch_file *f, const char *error)
{
    bool is_new = error && (!f->error || strcmp(f->error, error) != 0);
    char zone[NAME_TEXT_MAX];

    if (is_new) {
        (void)name_to_text(zone, f->zone);
        log_write(f->gone ? LOG_WARNING : LOG_ERROR,
                  LOG_KVS(say(f->gone ? "a zone file vanished, its zone stays as it is"
                                      : "a zone file is not taken, its zone stays as it is"),
                          kv_str("zone", zone), kv_str("directory", f->dir->path),
                          kv_str("file", f->name), kv_str("error", error)));
    }
    if (!is_new && error)
        return;
    free(f->error);
    f->error = error ? xstrdup(error) : NULL;
}

/* ---- Directories ---- */

static void dir_free(struct watch_dir *d)
{
    struct watch_dir **at = &d->watch->dirs;

    while (d->files)
        watch_file_drop(d->files);
    watch_events_remove(d);
    watch_odd_clear(d);
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    free(d->path);
    free(d->error);
    free(d);
}

static struct watch_dir *dir_find(struct watch *w, const char *path)
{
    struct watch_dir *d = w->dirs;

    while (d && strcmp(d->path, path) != 0)
        d = d->next;
    return d;
}

void watch_scan_soon(struct watch_dir *d)
{
    struct mono soon = mono_add_ms(watch_now(d->watch), SHORT_MS);

    if (mono_cmp(soon, d->scan_at) < 0)
        d->scan_at = soon;
}

static void take_config(struct watch *w, struct config *config)
{
    struct config *was = w->config;

    w->config = config_ref(config);
    for (struct watch_dir *d = w->dirs; d; d = d->next)
        d->config = NULL;
    for (size_t i = 0; i < config->directory_count; i++) {
        const struct config_directory *c = &config->directories[i];
        struct watch_dir *d = dir_find(w, c->path);

        if (!d) {
            d = xcalloc(1, sizeof(*d));
            d->watch = w;
            d->path = xstrdup(c->path);
            d->wd = -1;
            d->next = w->dirs;
            w->dirs = d;
        }
        d->config = c;
        d->scan_at = watch_now(w);
    }
    config_unref(was);
}

/* Those that no section names any more, as soon as nothing of theirs is under way. */
static void end_dirs(struct watch *w)
{
    struct watch_dir *next;

    for (struct watch_dir *d = w->dirs; d; d = next) {
        next = d->next;
        if (d->config || d->scanning || d->under_way)
            continue;
        if (d->count)
            log_warning(say("a directory of zone files is not configured any more; its zones stay "
                            "as they are"),
                        kv_str("directory", d->path), kv_u64("zones", d->count));
        watch_forget_errors(d);
        dir_free(d);
    }
}

/* ---- Time ---- */

/* Files that nobody has touched for long enough go to the pool's queue. */
static void take_due(struct watch_dir *d, struct mono now)
{
    struct watch_file *f;

    while ((f = d->pending.head) && mono_cmp(f->due, now) <= 0) {
        watch_queue_take(f);
        watch_queue_put(&d->watch->ready, f, FILE_READY);
    }
}

static void earlier(struct mono *at, bool *any, struct mono t)
{
    if (!*any || mono_cmp(t, *at) < 0)
        *at = t;
    *any = true;
}

static void set_timer(struct watch *w, struct mono now)
{
    struct mono at = now;
    struct timeval tv;
    int64_t ms;
    bool any = false;

    for (const struct watch_dir *d = w->dirs; d; d = d->next) {
        if (d->pending.head)
            earlier(&at, &any, d->pending.head->due);
        if (d->config && !d->scanning)
            earlier(&at, &any, d->scan_at);
    }
    if (!any) {
        (void)evtimer_del(w->timer);
        return;
    }
    ms = at.ms > now.ms ? at.ms - now.ms : 0;
    tv =
        (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(w->timer, &tv);
}

void watch_settle(struct watch *w)
{
    struct mono now = watch_now(w);

    if (w->stopped || !w->started)
        return;
    end_dirs(w);
    for (struct watch_dir *d = w->dirs; d; d = d->next) {
        take_due(d, now);
        if (d->config && !d->scanning && mono_cmp(d->scan_at, now) <= 0) {
            d->scan_at = mono_add_ms(now, (int64_t)d->config->interval_s * 1000);
            watch_scan(d);
        }
    }
    watch_batch_start(w);
    set_timer(w, now);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    watch_settle(ctx);
}

/* ---- Life ---- */

void watch_ref(struct watch *w)
{
    w->refs++;
}

static void watch_end(struct watch *w)
{
    while (w->dirs)
        dir_free(w->dirs);
    namemap_done(&w->zones);
    config_unref(w->config);
    free(w);
}

bool watch_unref(struct watch *w)
{
    bool stopped = w->stopped;

    if (--w->refs == 0)
        watch_end(w);
    return !stopped;
}

struct watch *watch_new(const struct watch_ops *ops, struct config *config)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    w->ops = *ops;
    w->refs = 1;
    w->fd = -1;
    namemap_init(&w->zones, loop_clock(ops->loop));
    w->timer = evtimer_new(loop_base(ops->loop), on_timer, w);
    if (!w->timer)
        abort(); /* no memory, as everywhere */
    take_config(w, config);
    return w;
}

void watch_known(struct watch *w, const struct store_zone *row)
{
    const struct config_directory *c =
        row->removed || !row->file[0] ? NULL : config_directory_of(w->config, row->file);
    struct watch_dir *d = c ? dir_find(w, c->path) : NULL;
    struct watch_file *f;

    if (d && !namemap_get(&w->zones, row->name))
        (void)!watch_file_get(&f, d, strrchr(row->file, '/') + 1, row->name, NULL);
}

void watch_start(struct watch *w)
{
    w->started = true;
    if (w->dirs && w->fd < 0)
        watch_events_start(w);
    watch_settle(w);
}

void watch_reload(struct watch *w, struct config *config)
{
    take_config(w, config);
}

void watch_again(struct watch *w)
{
    for (struct watch_dir *d = w->dirs; d; d = d->next) {
        for (struct watch_file *f = d->files; f; f = f->next) {
            f->known = (struct watch_stamp){.there = false};
            f->gone = false; /* it may be removed by now */
            f->again = f->again || f->state == FILE_BUSY;
        }
    }
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    watch_events_stop(w);
    event_free(w->timer);
    w->stopped = true;
    (void)watch_unref(w);
}

/* ---- Status ---- */

static void each_error(const struct watch_dir *d, watch_status_fn *f, void *ctx)
{
    size_t told = 0;

    for (const struct watch_file *file = d->files; file && told < WATCH_ODD_MAX;
         file = file->next) {
        struct watch_status s = {.error = file->error};
        char *path;

        if (!file->error)
            continue;
        s.path = path = xasprintf("%s/%s", d->path, file->name);
        f(ctx, &s);
        free(path);
        told++;
    }
    for (size_t i = 0; i < d->odd_count && i < WATCH_ODD_MAX; i++) {
        struct watch_status s = {.error = d->odd[i].error};
        char *path = xasprintf("%s/%s", d->path, d->odd[i].name);

        s.path = path;
        f(ctx, &s);
        free(path);
    }
}

void watch_each(const struct watch *w, watch_status_fn *f, void *ctx)
{
    for (const struct watch_dir *d = w->dirs; d; d = d->next) {
        struct watch_status s = {.path = d->path,
                                 .error = d->error ? d->error : "",
                                 .is_directory = true,
                                 .told = d->wd >= 0,
                                 .wrong = d->odd_count};

        for (const struct watch_file *file = d->files; file; file = file->next) {
            s.zones += !file->gone;
            s.wrong += file->error != NULL;
        }
        f(ctx, &s);
        each_error(d, f, ctx);
    }
}
