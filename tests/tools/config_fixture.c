#include "tests/tools/config_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config *text_config(const char *text)
{
    char path[] = "/tmp/zl-config.XXXXXX";
    struct errinfo e = {{0}};
    struct config *c = NULL;
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0) {
        perror(path);
        abort();
    }
    if (config_load(&c, path, &e) != OK) {
        (void)fprintf(stderr, "%s\n", e.text);
        abort();
    }
    (void)unlink(path);
    return c;
}
