#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/watch_internal.h"

#define SILENT_MS 60000 /* who has a file open and writes nothing for so long is not waited for */

struct found {
    char *name;
    struct watch_stamp stamp;
};

struct scan {
    struct watch_dir *dir;
    char *path;

    enum err rc;
    struct errinfo error;
    struct found *found;
    size_t n, cap;
};

/* ---- In the pool ---- */

static void look(struct scan *s, int fd, const char *name)
{
    struct watch_stamp stamp;
    bool regular;

    if (watch_name_kind(name) != NAME_ZONE)
        return;
    stamp = watch_stamp_at(fd, name, &regular);
    if (!regular)
        return;
    s->found = xgrow(s->found, &s->cap, s->n + 1, sizeof(s->found[0]));
    s->found[s->n++] = (struct found){.name = xstrdup(name), .stamp = stamp};
}

bool watch_any_file(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *entry;
    bool any = false;

    while (d && !any && (entry = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): its own */
        if (watch_name_kind(entry->d_name) == NAME_ZONE)
            (void)watch_stamp_at(dirfd(d), entry->d_name, &any);
    }
    if (d)
        (void)closedir(d);
    return any;
}

static void work(void *ctx)
{
    struct scan *s = ctx;
    DIR *d = opendir(s->path);
    const struct dirent *entry;

    if (!d) {
        s->rc = err_sys(errno, &s->error, "the directory cannot be read");
        return;
    }
    do {
        errno = 0;
        if ((entry = readdir(d))) /* NOLINT(concurrency-mt-unsafe): a stream of its own */
            look(s, dirfd(d), entry->d_name);
    } while (entry);
    if (errno)
        s->rc = err_sys(errno, &s->error, "the directory cannot be read");
    (void)closedir(d);
}

/* ---- In the loop ---- */

void watch_odd_clear(struct watch_dir *d)
{
    for (size_t i = 0; i < d->odd_count && i < WATCH_ODD_MAX; i++) {
        free(d->odd[i].name);
        free(d->odd[i].error);
    }
    d->odd_count = 0;
}

static bool was_odd(const struct watch_odd *odd, size_t n, const char *name, const char *error)
{
    for (size_t i = 0; i < n && i < WATCH_ODD_MAX; i++) {
        if (strcmp(odd[i].name, name) == 0 && strcmp(odd[i].error, error) == 0)
            return true;
    }
    return false;
}

static void take_odd(struct watch_dir *d, const struct watch_odd *before, size_t n,
                     const char *name, const char *error)
{
    if (d->odd_count++ >= WATCH_ODD_MAX)
        return;
    d->odd[d->odd_count - 1] = (struct watch_odd){.name = xstrdup(name), .error = xstrdup(error)};
    if (!was_odd(before, n, name, error))
        log_error(say("a zone file is not taken"), kv_str("directory", d->path),
                  kv_str("file", name), kv_str("error", error));
}

static bool is_waited_for(const struct watch_file *f, struct mono now)
{
    return f->writing && mono_cmp(mono_add_ms(f->written, SILENT_MS), now) > 0;
}

/* A file that is there. */
static void take_file(struct watch_file *f, const struct watch_stamp *stamp, struct mono now)
{
    f->found = true;
    if (is_waited_for(f, now) && !stamp->linked)
        return;
    f->writing = false;
    if (!f->gone && !f->error && !f->includes && watch_stamp_eq(stamp, &f->known))
        return;
    f->seen = *stamp;
    if (f->state != FILE_PENDING && f->state != FILE_READY)
        watch_file_touch(f);
}

static void take_found(struct watch_dir *d, const struct scan *s)
{
    struct watch_odd *before = xmemdup(d->odd, sizeof(d->odd));
    size_t odd = d->odd_count;
    struct mono now = watch_now(d->watch);

    d->odd_count = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint8_t zone[NAME_MAX_OCTETS];
        struct watch_file *f = NULL;
        struct errinfo e;

        if (watch_zone_of(zone, s->found[i].name, &e) == OK &&
            watch_file_get(&f, d, s->found[i].name, zone, &e) == OK)
            take_file(f, &s->found[i].stamp, now);
        else
            take_odd(d, before, odd, s->found[i].name, e.text);
    }
    for (size_t i = 0; i < odd && i < WATCH_ODD_MAX; i++) {
        free(before[i].name);
        free(before[i].error);
    }
    free(before);
}

/* Those that the scan did not see: the reader finds out what there is instead. */
static void take_missing(struct watch_dir *d)
{
    for (struct watch_file *f = d->files; f; f = f->next) {
        if (!f->found && f->state == FILE_IDLE) {
            f->writing = false;
            f->seen = (struct watch_stamp){.there = false};
            watch_file_touch(f);
        }
        f->found = false;
    }
}

static void take_error(struct watch_dir *d, const char *error)
{
    if (error && (!d->error || strcmp(d->error, error) != 0))
        log_error(say("a directory of zone files cannot be read, its zones stay as they are"),
                  kv_str("directory", d->path), kv_str("error", error));
    free(d->error);
    d->error = error ? xstrdup(error) : NULL;
}

static void on_scanned(void *ctx)
{
    struct scan *s = ctx;
    struct watch_dir *d = s->dir;
    struct watch *w = d->watch;

    d->scanning = false;
    if (watch_unref(w)) {
        if (s->rc)
            w->ops.explain(w->ops.ctx, d->path, &s->error);
        take_error(d, s->rc ? s->error.text : NULL);
        if (d->config && s->rc == OK) {
            take_found(d, s);
            take_missing(d);
        }
        watch_settle(w);
    }
    for (size_t i = 0; i < s->n; i++)
        free(s->found[i].name);
    free(s->found);
    free(s->path);
    free(s);
}

void watch_scan(struct watch_dir *d)
{
    struct scan *s = xcalloc(1, sizeof(*s));

    watch_events_add(d); /* first, so that no change falls between the two */
    s->dir = d;
    s->path = xstrdup(d->path);
    d->scanning = true;
    watch_ref(d->watch);
    loop_work(d->watch->ops.loop, work, on_scanned, s);
}
