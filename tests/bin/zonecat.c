/* zonecat FILE [ORIGIN]: the records of a zone file as the journal's lines, owners folded, in
 * canonical order, duplicates dropped. Errors go to stderr as file:line:column; exit status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/dns/zonefile.h"

struct records {
    struct arena arena;
    struct rr *list;
    size_t count;
    size_t cap;
};

static enum err keep(void *ctx, const struct rr *rr, struct errinfo *e)
{
    struct records *all = ctx;
    uint8_t owner[NAME_MAX_OCTETS];
    size_t n = name_fold(owner, rr->owner);

    (void)e;
    if (all->count == all->cap)
        all->list = xgrow(all->list, &all->cap, all->count + 1, sizeof(*all->list));
    all->list[all->count] = *rr;
    all->list[all->count].owner = arena_dup(&all->arena, owner, n);
    all->list[all->count].rdata = arena_dup(&all->arena, rr->rdata, rr->rdata_len);
    all->count++;
    return OK;
}

static void tell(void *ctx, const struct zonefile_error *error)
{
    (void)ctx;
    (void)fprintf(stderr, "%s:%u:%u: %s\n", error->path, error->line, error->column, error->text);
}

static int by_order(const void *a, const void *b)
{
    return rr_cmp(a, b);
}

static void print(struct records *all)
{
    struct buf line = BUF_INIT;

    if (all->count > 0)
        qsort(all->list, all->count, sizeof(*all->list), by_order);
    for (size_t i = 0; i < all->count; i++) {
        if (i > 0 && rr_cmp(&all->list[i - 1], &all->list[i]) == 0)
            continue;
        line.len = 0;
        zonefile_write_rr(&line, &all->list[i], NULL);
        (void)fwrite(line.data, 1, line.len, stdout);
    }
    buf_free(&line);
}

int main(int argc, char **argv)
{
    struct records all = {.count = 0};
    struct errinfo e = {0};
    uint8_t origin[NAME_MAX_OCTETS];
    struct zonefile_opts opts = {.allow_include = true, .on_error = tell};
    enum err rc;

    if (argc != 2 && argc != 3) {
        (void)fprintf(stderr, "usage: zonecat FILE [ORIGIN]\n");
        return 2;
    }
    if (argc == 3) {
        if (name_from_text(origin, argv[2], strlen(argv[2]), NULL, &e)) {
            (void)fprintf(stderr, "zonecat: origin: %s\n", e.text);
            return 2;
        }
        opts.origin = origin;
    }
    rc = zonefile_read_file(argv[1], &opts, keep, &all, &e);
    if (rc == OK)
        print(&all);
    else
        (void)fprintf(stderr, "zonecat: %s\n", e.text);
    free(all.list);
    arena_done(&all.arena);
    return rc ? 1 : 0;
}
