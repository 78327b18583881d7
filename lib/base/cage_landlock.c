/* Landlock: the three system calls, since glibc has no functions for them. The header of Debian 12
 * knows the rights of ABI 1 and 2; the kernel may know more, and what it knows is handled. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cage_internal.h"
#include "lib/base/mem.h"

/* ABI 3, 4, 5 and 6. */
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define NET_BIND_AND_CONNECT_TCP UINT64_C(3)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define SCOPE_ABSTRACT_UNIX_AND_SIGNAL UINT64_C(3)

#define FS_ABI_1 ((UINT64_C(1) << 13) - 1)
#define FS_OF_FILES                                                                                \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE |                  \
     LANDLOCK_ACCESS_FS_EXECUTE | FS_IOCTL_DEV)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                     \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |       \
     FS_TRUNCATE)

/* As of ABI 6; an older kernel wants the fields that it does not know to be 0. */
struct ruleset_attr {
    uint64_t fs, net, scoped;
};

static struct ruleset_attr handled(int abi, enum cage_role role)
{
    struct ruleset_attr a = {.fs = FS_ABI_1};

    if (abi >= 2)
        a.fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        a.fs |= FS_TRUNCATE;
    if (abi >= 4 && role == CAGE_ANSWERS)
        a.net = NET_BIND_AND_CONNECT_TCP; /* its sockets are bound, and it connects to nobody */
    if (abi >= 5)
        a.fs |= FS_IOCTL_DEV;
    if (abi >= 6)
        a.scoped = SCOPE_ABSTRACT_UNIX_AND_SIGNAL;
    return a;
}

/* Opens the path, or its nearest parent that there is; *parent says so. -1 and errno. */
static int open_path(const char *path, bool *parent)
{
    char *copy = xstrdup(path);
    const char *at = copy;
    int fd = -1;

    *parent = false;
    while ((fd = open(at, O_PATH | O_CLOEXEC)) < 0 && errno == ENOENT && strcmp(at, "/") != 0 &&
           strcmp(at, ".") != 0) {
        *parent = true;
        at = dirname(copy);
    }
    free(copy);
    return fd;
}

static enum err add_rule(int ruleset, uint64_t known, const struct cage_path *p,
                         char not_there_yet[256], struct errinfo *e)
{
    struct landlock_path_beneath_attr rule = {.allowed_access =
                                                  p->access == CAGE_WRITE ? FS_WRITE : FS_READ};
    bool parent;
    struct stat st;
    enum err rc = OK;
    int fd = open_path(p->path, &parent);

    if (fd < 0) /* a rule could not open what the user may not */
        return errno == EACCES ? OK : err_sys(errno, e, "%s", p->path);
    if (parent) {
        rule.allowed_access = FS_READ;
        (void)snprintf(not_there_yet, 256, "%s", p->path);
    }
    if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
        rule.allowed_access &= FS_OF_FILES;
    rule.allowed_access &= known;
    rule.parent_fd = fd;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        rc = err_sys(errno, e, "Landlock: %s", p->path);
    (void)close(fd);
    return rc;
}

/* What the kernel has and we can use; 0 if nothing. */
static int usable_abi(char why[64], const struct cage *c)
{
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi <= 0) {
        (void)snprintf(why, 64, "%s", abi < 0 ? strerror(errno) : "no version");
        return 0;
    }
    /* Before ABI 2 no file can be moved to another directory, as the journal does. */
    if (abi < 2 && c->role == CAGE_REPLICATES) {
        (void)snprintf(why, 64, "version %ld cannot move files", abi);
        return 0;
    }
    return (int)abi;
}

enum err landlock_enter(int *out, char why[64], char not_there_yet[256], const struct cage *c,
                        struct errinfo *e)
{
    int abi = usable_abi(why, c);
    struct ruleset_attr attr = handled(abi, c->role);
    enum err rc = OK;
    int fd;

    if (!abi)
        return OK;
    fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (fd < 0)
        return err_sys(errno, e, "Landlock: making the rules");
    for (size_t i = 0; i < c->n && rc == OK; i++)
        rc = add_rule(fd, attr.fs, &c->paths[i], not_there_yet, e);
    if (rc == OK && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
        rc = err_sys(errno, e, "Landlock: closing");
    (void)close(fd);
    if (rc == OK)
        *out = abi;
    return rc;
}
