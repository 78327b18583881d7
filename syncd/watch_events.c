#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "syncd/watch_internal.h"

#define MASK                                                                                       \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |            \
     IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static struct watch_dir *dir_of(const struct watch *w, int wd)
{
    struct watch_dir *d = w->dirs;

    while (d && d->wd != wd)
        d = d->next;
    return d;
}

/* ---- One event ---- */

/* Somebody has it open, and is not done. */
static void being_written(struct watch_file *f)
{
    f->writing = true;
    f->written = watch_now(f->dir->watch);
    if (f->state == FILE_BUSY)
        f->again = true;
    watch_queue_take(f);
}

/* What is created to be written tells of its end; a link that is made to a file does not, but the
 * scan sees that it is one. */
static void on_zone_event(struct watch_dir *d, const struct inotify_event *ev)
{
    uint8_t zone[NAME_MAX_OCTETS];
    struct watch_file *f = NULL;

    if (watch_zone_of(zone, ev->name, NULL) != OK ||
        watch_file_get(&f, d, ev->name, zone, NULL) != OK) {
        watch_scan_soon(d); /* it tells what is wrong */
        return;
    }
    f->known.there = false; /* two changes may have one stamp */
    if (ev->mask & (IN_CREATE | IN_MODIFY)) {
        being_written(f);
        if (ev->mask & IN_CREATE)
            watch_scan_soon(d);
        return;
    }
    if (ev->mask & (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE))
        f->writing = false;
    f->seen = (struct watch_stamp){.there = false};
    if (!f->writing)
        watch_file_touch(f);
}

static void on_dir_event(struct watch_dir *d, const struct inotify_event *ev)
{
    if (ev->mask & IN_IGNORED)
        d->wd = -1;
    else if (ev->mask & IN_MOVE_SELF)
        watch_events_remove(d);
    watch_scan_soon(d);
}

static void on_event(struct watch *w, const struct inotify_event *ev)
{
    struct watch_dir *d;

    if (ev->mask & IN_Q_OVERFLOW) {
        log_warning(say("too many changes to zone files at once; all are looked at"));
        for (d = w->dirs; d; d = d->next)
            watch_scan_soon(d);
        return;
    }
    if (!(d = dir_of(w, ev->wd)) || !d->config)
        return;
    if (ev->len == 0) {
        on_dir_event(d, ev);
        return;
    }
    if (ev->mask & IN_ISDIR)
        return;
    switch (watch_name_kind(ev->name)) {
    case NAME_IGNORED:
        break;
    case NAME_OTHER:
        if (ev->mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE))
            watch_touch_includers(d);
        break;
    case NAME_ZONE:
        on_zone_event(d, ev);
        break;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct watch *w = ctx;
    _Alignas(struct inotify_event) char events[16384];
    ssize_t n = read(fd, events, sizeof(events));

    (void)what;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *ev = (const void *)(events + at);

        at += (ssize_t)(sizeof(*ev) + ev->len);
        on_event(w, ev);
    }
    watch_settle(w);
}

/* ---- Life ---- */

void watch_events_start(struct watch *w)
{
    struct errinfo e;

    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        (void)err_sys(errno, &e, "inotify");
        log_warning(say("the system does not tell of changes to zone files; they are seen at each "
                        "interval"),
                    kv_err(&e));
        return;
    }
    w->readable = event_new(loop_base(w->ops.loop), w->fd, EV_READ | EV_PERSIST, on_readable, w);
    if (w->readable)
        (void)event_add(w->readable, NULL);
}

void watch_events_stop(struct watch *w)
{
    if (w->readable)
        event_free(w->readable);
    if (w->fd >= 0)
        (void)close(w->fd);
    w->readable = NULL;
    w->fd = -1;
    for (struct watch_dir *d = w->dirs; d; d = d->next)
        d->wd = -1;
}

void watch_events_add(struct watch_dir *d)
{
    int was = d->wd;

    if (d->watch->fd < 0)
        return;
    /* The path may lead to another directory by now; for the same one the number is the same. */
    d->wd = inotify_add_watch(d->watch->fd, d->path, MASK);
    if (was >= 0 && was != d->wd)
        (void)inotify_rm_watch(d->watch->fd, was);
    if (was < 0 && d->wd < 0 && errno == ENOSPC)
        log_warning(say("the system tells of changes in no more directories; this one is looked at "
                        "at each interval"),
                    kv_str("directory", d->path));
}

void watch_events_remove(struct watch_dir *d)
{
    if (d->wd >= 0)
        (void)inotify_rm_watch(d->watch->fd, d->wd);
    d->wd = -1;
}
