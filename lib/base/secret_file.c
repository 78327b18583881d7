#include "lib/base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err check(int fd, size_t cap, struct errinfo *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_sys(errno, e, "stat");
    if (!S_ISREG(st.st_mode))
        return err_set(ERR_DENIED, e, "is not a regular file");
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(ERR_DENIED, e, "belongs to user %u; it must be root's or ours",
                       (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH | S_IROTH))
        return err_set(ERR_DENIED, e,
                       "has mode %04o, so others may %s it; make it 0600 or 0640 (chmod)",
                       (unsigned)(st.st_mode & 07777), st.st_mode & S_IROTH ? "read" : "change");
    if (st.st_size < 0 || (size_t)st.st_size > cap)
        return err_set(ERR_FORMAT, e, "is too large for a secret");
    return OK;
}

enum err secret_file_read(char *buf, size_t cap, size_t *len, const char *path, bool links,
                          struct errinfo *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (links ? 0 : O_NOFOLLOW));
    ssize_t got = 0;
    size_t n = 0;
    enum err rc;

    if (fd < 0)
        return err_sys(errno, e, "cannot be opened");
    rc = check(fd, cap, e);
    while (rc == OK && n < cap &&
           ((got = read(fd, buf + n, cap - n)) > 0 || (got < 0 && errno == EINTR)))
        n += got > 0 ? (size_t)got : 0;
    if (rc == OK && got < 0)
        rc = err_sys(errno, e, "cannot be read");
    (void)close(fd);
    if (rc == OK)
        *len = n;
    return rc;
}
