/* The files that a guard command reads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/guard_command.h"

#define PIECE ((size_t)256 * 1024)

struct out {
    int fd;
    struct buf text;
    enum err rc;
    struct errinfo *e;
    const char *path;
};

static void flush(struct out *o)
{
    size_t done = 0;

    while (o->rc == OK && done < o->text.len) {
        ssize_t n = write(o->fd, o->text.data + done, o->text.len - done);

        if (n < 0 && errno != EINTR)
            o->rc = err_sys(errno, o->e, "%s", o->path);
        done += n > 0 ? (size_t)n : 0;
    }
    o->text.len = 0;
}

static void put(struct out *o, const char *sign, const struct rr *rr)
{
    buf_str(&o->text, sign);
    rr_to_text(&o->text, rr);
    if (o->text.len >= PIECE)
        flush(o);
}

static enum err open_out(struct out *o, const char *path, mode_t mode, struct errinfo *e)
{
    *o = (struct out){.e = e, .path = path};
    o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    return o->fd < 0 ? err_sys(errno, e, "%s", path) : OK;
}

static enum err close_out(struct out *o)
{
    flush(o);
    buf_free(&o->text);
    (void)close(o->fd);
    return o->rc;
}

static enum err write_zone(const char *path, mode_t mode, const struct zone *z, struct errinfo *e)
{
    struct zone_rr_iter it;
    struct out o;
    struct rr rr;
    enum err rc = open_out(&o, path, mode, e);

    if (rc)
        return rc;
    if (z) {
        zone_rr_iter_init(&it, z);
        while (o.rc == OK && zone_rr_next(&it, &rr))
            put(&o, "", &rr);
    }
    return close_out(&o);
}

static enum err write_diff(const char *path, mode_t mode, const struct zone *old_zone,
                           const struct zone *new_zone, struct errinfo *e)
{
    struct changeset *cs = NULL;
    struct out o;
    enum err rc;

    if ((rc = zone_diff(&cs, old_zone, new_zone, e)))
        return rc;
    if ((rc = open_out(&o, path, mode, e)) == OK) {
        for (size_t i = 0; i < cs->removed.n && o.rc == OK; i++)
            put(&o, "-", &cs->removed.rrs[i]);
        for (size_t i = 0; i < cs->added.n && o.rc == OK; i++)
            put(&o, "+", &cs->added.rrs[i]);
        rc = close_out(&o);
    }
    changeset_free(cs);
    return rc;
}

enum err guard_files_write(const char *dir, mode_t mode, const struct zone *old_zone,
                           const struct zone *new_zone, struct errinfo *e)
{
    mode_t file_mode = mode & 0640;
    char *old_path = xasprintf("%s/" GUARD_OLD, dir);
    char *new_path = xasprintf("%s/" GUARD_NEW, dir);
    char *diff_path = xasprintf("%s/" GUARD_DIFF, dir);
    enum err rc = OK;

    if (mkdir(dir, mode) != 0)
        rc = err_sys(errno, e, "%s", dir);
    if (rc == OK && (rc = write_zone(old_path, file_mode, old_zone, e)) == OK &&
        (rc = write_zone(new_path, file_mode, new_zone, e)) == OK)
        rc = write_diff(diff_path, file_mode, old_zone, new_zone, e);
    free(old_path);
    free(new_path);
    free(diff_path);
    return rc;
}

void guard_files_remove(const char *dir)
{
    static const char *const names[] = {GUARD_OLD, GUARD_NEW, GUARD_DIFF};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = xasprintf("%s/%s", dir, names[i]);

        (void)unlink(path);
        free(path);
    }
    (void)rmdir(dir);
}
