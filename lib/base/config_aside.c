#include "lib/base/config_aside.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/config_where.h"
#include "lib/base/mem.h"

static struct {
    const char *name;
    cfg_value_t **values; /* malloced, as libconfuse will have it */
    size_t n, cap;
} aside;

/* libconfuse calls this when a section has been read, and has no use for it any more. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    (void)cfg;
    aside.values = xgrow(aside.values, &aside.cap, aside.n + 1, sizeof(cfg_value_t *));
    aside.values[aside.n++] = opt->values[--opt->nvalues];
    return 0;
}

void config_aside_begin(cfg_t *cfg, const char *name)
{
    aside.name = name;
    (void)cfg_set_validate_func(cfg, name, on_section);
}

static int by_title(const void *a, const void *b)
{
    const cfg_value_t *const *x = a, *const *y = b;
    int c = strcmp(cfg_title((*x)->section), cfg_title((*y)->section));

    return c ? c
             : ((*x)->section->line > (*y)->section->line) -
                   ((*x)->section->line < (*y)->section->line);
}

static enum err check_titles(const struct config *c, struct errinfo *e)
{
    cfg_value_t **sorted;
    enum err rc = OK;

    if (aside.n < 2)
        return OK;
    sorted = xmemdup(aside.values, aside.n * sizeof(cfg_value_t *));
    qsort(sorted, aside.n, sizeof(cfg_value_t *), by_title);
    for (size_t i = 1; i < aside.n && rc == OK; i++) {
        if (strcmp(cfg_title(sorted[i - 1]->section), cfg_title(sorted[i]->section)) == 0)
            rc = config_fail_at(c, sorted[i]->section, e, "stands there twice");
    }
    free(sorted);
    return rc;
}

enum err config_aside_end(const struct config *c, cfg_t *cfg, struct errinfo *e)
{
    cfg_opt_t *opt = cfg_getopt(cfg, aside.name);
    enum err rc = check_titles(c, e);

    /* One that was not read to its end is there still. */
    for (unsigned i = 0; i < opt->nvalues; i++) {
        aside.values = xgrow(aside.values, &aside.cap, aside.n + 1, sizeof(cfg_value_t *));
        aside.values[aside.n++] = opt->values[i];
    }
    free(opt->values);
    opt->values = aside.values;
    opt->nvalues = (unsigned)aside.n;
    aside.values = NULL;
    aside.n = aside.cap = 0;
    return rc;
}
