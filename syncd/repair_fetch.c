#include "syncd/repair_fetch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/journal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/restore.h"
#include "syncd/stock_git.h"

#define OPEN_DIRS_MAX 16

char *repair_fetched(const char *data_dir)
{
    return xasprintf("%s/journal.repair.git", data_dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)remove(path);
    return 0;
}

void repair_fetched_drop(const char *path)
{
    (void)nftw(path, remove_one, OPEN_DIRS_MAX, FTW_DEPTH | FTW_PHYS);
}

enum err repair_fetch(const struct config *c, const char *from, struct errinfo *e)
{
    char *path = repair_fetched(c->data_dir);
    struct journal *j = NULL;
    enum err rc = restore_become_owner(c->data_dir, e);

    if (rc == OK) {
        repair_fetched_drop(path);
        rc = journal_open(&j, path, c->node, true, e);
        journal_close(j);
    }
    if (rc == OK && (rc = stock_git_fetch(path, from, e)) == OK)
        rc = stock_git_fsck(path, e);
    if (rc)
        repair_fetched_drop(path);
    free(path);
    return rc;
}
