/* Any octets as a damaged pack without an index: read from its start, object for object. What is
 * called good has its id.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/salvage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err on_object(void *ctx, const struct journal_oid *oid, enum obj_type type,
                          const void *object, size_t len, struct errinfo *e)
{
    git_oid id;

    (void)ctx;
    (void)e;
    if (object && (git_odb_hash(&id, object, len, (git_object_t)type) < 0 ||
                   memcmp(id.id, oid->id, sizeof(oid->id)) != 0))
        abort();
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char dir[32];
    char stem[64], path[80];
    int fd;

    if (!dir[0]) {
        (void)git_libgit2_init();
        (void)strcpy(dir, "/tmp/zl-fuzz-XXXXXX");
        if (!mkdtemp(dir))
            abort();
    }
    (void)snprintf(stem, sizeof(stem), "%s/x", dir);
    (void)snprintf(path, sizeof(path), "%s.pack", stem);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    (void)close(fd);
    (void)!pack_salvage(stem, on_object, NULL, NULL);
    (void)unlink(path);
    (void)rmdir(dir);
    dir[0] = 0;
    return 0;
}
