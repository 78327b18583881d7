#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fault.h"
#include "lib/base/mem.h"

enum err err_file(int errnum, struct errinfo *e, const char *what, const char *path)
{
    enum err rc = err_sys(errnum, e, "%s %s", what, path);

    return errnum == ENOSPC || errnum == EDQUOT ? ERR_LIMIT : rc;
}

enum err dir_sync(const char *path, struct errinfo *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err rc = OK;

    if (fd < 0)
        return err_sys(errno, e, "opening %s", path);
    if (fsync(fd) < 0)
        rc = err_sys(errno, e, "fsync of %s", path);
    (void)close(fd);
    return rc;
}

enum err dir_sync_parent(const char *path, struct errinfo *e)
{
    char *dir = xstrdup(path);
    char *slash = strrchr(dir, '/');
    enum err rc;

    if (slash)
        slash[slash == dir] = 0;
    rc = dir_sync(slash ? dir : ".", e);
    free(dir);
    return rc;
}

/* The mode holds from the first octet on, and whatever the umask. */
static enum err write_new(const char *path, const void *data, size_t len, mode_t mode,
                          struct errinfo *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    enum err rc = OK;
    ssize_t n = 0;

    if (fd < 0)
        return err_file(errno, e, "creating", path);
    errno = 0;
    if (fchmod(fd, mode) != 0 || (n = write(fd, data, len)) < 0)
        rc = err_file(errno, e, "writing", path);
    else if (n != (ssize_t)len)
        rc = err_file(ENOSPC, e, "writing", path);
    else if (fsync(fd) < 0)
        rc = err_file(errno, e, "fsync of", path);
    if (close(fd) < 0 && rc == OK)
        rc = err_file(errno, e, "closing", path);
    return rc;
}

enum err file_replace(const char *path, const void *data, size_t len, mode_t mode,
                      struct errinfo *e)
{
    char *tmp = xasprintf("%s.lock", path);
    enum err rc = write_new(tmp, data, len, mode, e);

    FAULT("file:before_rename");
    if (rc == OK && rename(tmp, path) < 0)
        rc = err_file(errno, e, "renaming", tmp);
    else if (rc)
        (void)unlink(tmp);
    if (rc == OK)
        rc = dir_sync_parent(path, e);
    free(tmp);
    return rc;
}
