/* zonectl api-key: asks nobody; the key goes into a file, and its hash into the configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/api_key.h"
#include "syncd/zonectl/zonectl.h"

static bool is_role(const char *role)
{
    return strcmp(role, "read") == 0 || strcmp(role, "zones") == 0 || strcmp(role, "admin") == 0;
}

static enum err write_key(const char *path, const char *key, struct errinfo *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t n = strlen(key);
    enum err rc = OK;

    if (fd < 0)
        return err_sys(errno, e, "%s", path);
    if (write(fd, key, n) != (ssize_t)n || write(fd, "\n", 1) != 1)
        rc = err_sys(errno, e, "%s", path);
    if (close(fd) != 0 && rc == OK)
        rc = err_sys(errno, e, "%s", path);
    if (rc)
        (void)unlink(path);
    return rc;
}

int run_api_key(const struct call *c)
{
    const char *role = c->opt->role ? c->opt->role : "read";
    char key[API_KEY_MAX], hash[API_KEY_HASH_MAX];
    struct errinfo e = {0};
    enum err rc;

    if (!is_role(role)) {
        (void)fprintf(stderr, "zonectl: --role %s: should be read, zones or admin\n", role);
        return EXIT_USAGE;
    }
    rc = api_key_make(key, hash, &e);
    if (rc == OK)
        rc = write_key(c->args[1], key, &e);
    explicit_bzero(key, sizeof(key));
    if (rc) {
        (void)fprintf(stderr, "zonectl: %s\n", e.text);
        return EXIT_REFUSED;
    }
    (void)printf("# %s has the key. This goes into syncd's configuration, and its section api\n"
                 "# says where that listens:\n"
                 "api-key \"%s\" {\n    hash = \"%s\"\n    role = \"%s\"\n}\n",
                 c->args[1], c->args[0], hash, role);
    return EXIT_DONE;
}
