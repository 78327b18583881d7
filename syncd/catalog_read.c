#include "syncd/catalog_read.h"

#include <stdlib.h>

#include "lib/base/mem.h"

struct catalog_reading {
    struct store_readers *readers; /* lent */
    struct store_zone row;
    struct zone *content;
    catalog_done_fn *done; /* NULL: nobody waits any more */
    void *ctx;
    struct catalog_report report;
};

/* In the pool. */
static void load(struct catalog_reading *c)
{
    struct store *s;
    enum err rc = store_readers_take(c->readers, &s, &c->report.error);

    if (rc)
        return;
    rc = store_zone_load(&c->content, s, &c->row, &c->report.error);
    store_readers_give(c->readers, s, rc);
    if (rc)
        c->content = NULL;
}

static void work(void *ctx)
{
    struct catalog_reading *c = ctx;

    if (!c->content)
        load(c);
    if (c->content && catalog_parse(&c->report.list, c->content, &c->report.error) != OK)
        c->report.list = NULL;
}

static void worked(void *ctx)
{
    struct catalog_reading *c = ctx;

    if (c->done)
        c->done(c->ctx, &c->report);
    else
        catalog_free(c->report.list);
    zone_unref(c->content);
    free(c);
}

struct catalog_reading *catalog_read(struct loop *loop, struct store_readers *readers,
                                     const struct store_zone *row, struct zone *content,
                                     catalog_done_fn *done, void *ctx)
{
    struct catalog_reading *c = xcalloc(1, sizeof(*c));

    c->readers = readers;
    c->row = *row;
    c->content = content ? zone_ref(content) : NULL;
    c->done = done;
    c->ctx = ctx;
    loop_work(loop, work, worked, c);
    return c;
}

void catalog_read_cancel(struct catalog_reading *c)
{
    c->done = NULL;
}
