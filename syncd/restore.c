#include "syncd/restore.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/store_restore.h"
#include "syncd/stock_git.h"

/* ---- The journal ---- */

static enum err on_any_ref(void *ctx, const char *ref, const struct journal_oid *commit,
                           struct errinfo *e)
{
    (void)commit;
    *(bool *)ctx = true;
    return err_set(ERR_EXISTS, e, "%s", ref);
}

static enum err has_refs(bool *out, const char *path, const char *node, struct errinfo *e)
{
    struct journal *j = NULL;
    enum err rc = journal_open(&j, path, node, false, e);

    *out = false;
    if (rc == ERR_NOT_FOUND)
        return OK;
    if (rc == OK)
        rc = journal_ref_each(j, "refs/", on_any_ref, out, e);
    journal_close(j);
    return *out ? OK : rc;
}

/* Into a directory beside it, which becomes the journal when it is whole. A journal without
 * anything in it, as a syncd makes that was started too early, goes aside. */
static enum err bring(const char *path, const char *node, const char *from, struct errinfo *e)
{
    char *fresh = xasprintf("%s.restore", path);
    char *aside = xasprintf("%s.empty-%d", path, (int)getpid());
    struct journal *j = NULL;
    enum err rc = journal_open(&j, fresh, node, true, e);

    journal_close(j);
    if (rc == OK && (rc = stock_git_fetch(fresh, from, e)) == OK &&
        (rc = stock_git_fsck(fresh, e)) == OK) {
        if (rename(path, aside) != 0 && errno != ENOENT)
            rc = err_sys(errno, e, "moving %s aside", path);
        else if (rename(fresh, path) != 0)
            rc = err_sys(errno, e, "moving %s to %s", fresh, path);
    }
    free(fresh);
    free(aside);
    return rc;
}

static enum err get_journal(struct restore *r, const char *from, struct errinfo *e)
{
    char *path = xasprintf("%s/journal.git", r->config->data_dir);
    bool there;
    enum err rc = has_refs(&there, path, r->config->node, e);

    if (rc)
        goto out;
    if (there && from)
        rc = err_set(ERR_EXISTS, e,
                     "%s is there already: leave the repository out to restore from it, or move "
                     "it aside",
                     path);
    else if (!there && !from)
        rc =
            err_set(ERR_NOT_FOUND, e, "%s has no history: name a repository to restore from", path);
    else
        rc = from ? bring(path, r->config->node, from, e) : stock_git_fsck(path, e);
    if (rc == OK && (rc = journal_open(&r->journal, path, r->config->node, true, e)) == OK)
        rc = journal_adopt_packs(r->journal, e);
out:
    free(path);
    return rc;
}

/* ---- The store ---- */

static enum err on_kept(void *ctx, const char *ref, const struct journal_oid *commit,
                        struct errinfo *e)
{
    struct restore *r = ctx;

    (void)e;
    r->kept = xgrow(r->kept, &r->kept_cap, r->kept_count + 1, sizeof(*r->kept));
    r->kept[r->kept_count++] = (struct restore_ref){xstrdup(ref), *commit};
    return OK;
}

static int by_ref(const void *a, const void *b)
{
    return strcmp(((const struct restore_ref *)a)->ref, ((const struct restore_ref *)b)->ref);
}

static enum err on_zone(void *ctx, const char *ref, const struct journal_oid *tip,
                        struct errinfo *e)
{
    return restore_zone(ctx, ref, tip, e);
}

static void find_sections(struct namemap *map, struct arena *names, const struct config *c)
{
    uint8_t name[NAME_MAX_OCTETS];

    for (size_t i = 0; i < c->zone_count; i++) {
        if (c->zones[i].primary_count &&
            name_from_text(name, c->zones[i].name, strlen(c->zones[i].name), NULL, NULL) == OK) {
            (void)name_fold(name, name);
            if (!namemap_get(map, name))
                namemap_put(map, arena_dup(names, name, name_len(name)), &c->zones[i]);
        }
    }
}

static enum err fill_store(struct restore *r, struct errinfo *e)
{
    struct arena names;
    enum err rc;

    arena_init(&names, 0);
    namemap_init(&r->sections, clock_real());
    find_sections(&r->sections, &names, r->config);
    if ((rc = journal_ref_each(r->journal, "refs/zoneledger/waiting/", on_kept, r, e)))
        goto out;
    if (r->kept_count)
        qsort(r->kept, r->kept_count, sizeof(*r->kept), by_ref);
    if ((rc = store_begin(r->store, e)) == OK &&
        (rc = journal_ref_each(r->journal, "refs/heads/", on_zone, r, e)) == OK &&
        (rc = store_restore_log(r->store, r->report.last_seq, e)) == OK)
        rc = store_commit(r->store, e);
    store_rollback(r->store);
out:
    namemap_done(&r->sections);
    arena_done(&names);
    return rc;
}

enum err restore_become_owner(const char *dir, struct errinfo *e)
{
    struct stat st;

    if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
        return OK;
    if (setgroups(0, NULL) != 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) != 0 ||
        setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)
        return err_sys(errno, e, "becoming the owner of %s", dir);
    return OK;
}

enum err restore_run(struct restore_report *out, const struct config *c, const char *from,
                     struct errinfo *e)
{
    struct restore r = {.config = c, .now = clock_wall(clock_real())};
    enum err rc;

    if ((rc = restore_become_owner(c->data_dir, e)))
        return rc;
    if (mkdir(c->data_dir, 0750) != 0 && errno != EEXIST)
        return err_sys(errno, e, "directory %s", c->data_dir);
    if ((rc = store_open_writer(&r.store, c->data_dir, e)) == OK &&
        (rc = store_restore_check(r.store, e)) == OK && (rc = get_journal(&r, from, e)) == OK)
        rc = fill_store(&r, e);
    journal_close(r.journal);
    store_close(r.store);
    for (size_t i = 0; i < r.kept_count; i++)
        free(r.kept[i].ref);
    free(r.kept);
    if (rc == OK)
        *out = r.report;
    return rc;
}
