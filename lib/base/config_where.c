#include "lib/base/config_where.h"

#include <stdio.h>

enum err config_fail_at(const struct config *c, cfg_t *sec, struct errinfo *e, const char *fmt, ...)
{
    const char *file = config_file_of(sec, c->path);
    const char *title = cfg_title(sec);
    char text[ERR_TEXT_MAX / 2];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!title)
        return err_set(ERR_FORMAT, e, "%s:%d: %s: %s", file, sec->line, cfg_name(sec), text);
    return err_set(ERR_FORMAT, e, "%s:%d: %s '%s': %s", file, sec->line, cfg_name(sec), title,
                   text);
}
