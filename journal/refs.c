/* Setting and getting refs. They are derived from the store, so whatever stands in the way of one
 * (an empty file, a stale lock, a damaged packed-refs) is put aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/checkpoint.h"
#include "journal/journal_internal.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define CHECKPOINTS_REF "refs/zoneledger/checkpoints"
#define REF_MODE 0644
#define LOCK_TRIES 10
#define LOCK_WAIT_NS 20000000 /* git holds a ref's lock for less */

static void line_ref(char out[JOURNAL_REF_MAX], enum journal_line line, const uint8_t *zone)
{
    static const char *const where[] = {
        [LINE_SERVED] = "heads", [LINE_WAITING] = "waiting", [LINE_QUARANTINE] = "quarantine"};
    char heads[JOURNAL_REF_MAX];

    journal_ref_name(heads, zone);
    (void)snprintf(out, JOURNAL_REF_MAX, "refs/%s/%s", where[line], strrchr(heads, '/') + 1);
}

/* What libgit2 does for a loose ref, but its two fsyncs only if wanted: the zones' refs are set
 * again from the store at the start, and ten thousand zones that change are ten thousand refs. */
static enum err write_ref(const char *path, bool durable, const struct journal_oid *id,
                          struct errinfo *e)
{
    char *lock = xasprintf("%s.lock", path);
    char text[OID_HEX_CHARS + 2];
    int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, REF_MODE);
    enum err rc = OK;

    if (fd < 0) {
        int why = errno;

        rc = err_file(why, e, "creating", lock);
        free(lock);
        return why == EEXIST ? ERR_BUSY : why == ENOENT ? ERR_NOT_FOUND : rc;
    }
    journal_oid_hex(text, id);
    text[OID_HEX_CHARS] = '\n';
    errno = 0;
    if (write(fd, text, OID_HEX_CHARS + 1) != OID_HEX_CHARS + 1)
        rc = err_file(errno ? errno : ENOSPC, e, "writing", lock);
    else if (durable && fsync(fd) < 0)
        rc = err_file(errno, e, "fsync of", lock);
    if (close(fd) < 0 && rc == OK)
        rc = err_file(errno, e, "closing", lock);
    FAULT("journal:ref_lock");
    if (rc == OK && rename(lock, path) < 0)
        rc = err_file(errno, e, "renaming", lock);
    if (rc == OK && durable)
        rc = dir_sync_parent(path, e);
    if (rc)
        (void)unlink(lock);
    free(lock);
    return rc;
}

/* The directory may be missing: git takes away those that are empty. */
static enum err make_parents(char *path, size_t top, struct errinfo *e)
{
    enum err rc = OK;

    for (char *s = path + top; rc == OK && (s = strchr(s, '/')); s++) {
        *s = 0;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            rc = err_file(errno, e, "creating", path);
        *s = '/';
    }
    return rc;
}

static enum err create(struct journal *j, const char *name, bool durable,
                       const struct journal_oid *id, struct errinfo *e)
{
    struct timespec wait = {0, LOCK_WAIT_NS};
    char *path = xasprintf("%s/%s", j->path, name);
    enum err rc = OK;

    for (int i = 0; i < LOCK_TRIES; i++) {
        rc = write_ref(path, durable, id, e);
        if (rc == ERR_NOT_FOUND && (rc = make_parents(path, strlen(j->path) + 1, e)) == OK)
            rc = write_ref(path, durable, id, e);
        if (rc != ERR_BUSY)
            break;
        (void)nanosleep(&wait, NULL);
    }
    free(path);
    return rc;
}

/* Takes one thing after the other out of the way, the likeliest first; false if nothing is left. */
static bool clear_the_way(struct journal *j, const char *name, unsigned step)
{
    char *from = NULL;
    char *to = NULL;
    bool done = true;

    switch (step) {
    case 0:
        from = xasprintf("%s/%s.lock", j->path, name);
        (void)unlink(from);
        break;
    case 1:
        from = xasprintf("%s/%s", j->path, name);
        if (unlink(from) < 0 && errno == EISDIR)
            (void)rmdir(from);
        break;
    case 2:
        from = xasprintf("%s/packed-refs", j->path);
        to = xasprintf("%s.bad", from);
        (void)rename(from, to);
        break;
    default:
        done = false;
    }
    if (done)
        log_warning(say("journal: a ref cannot be set, its remains are put aside"),
                    kv_str("ref", name), kv_str("file", from));
    free(from);
    free(to);
    return done;
}

static enum err set(struct journal *j, const char *name, bool durable,
                    const struct journal_oid *commit, struct errinfo *e)
{
    enum err rc;

    if (!journal_has(j, commit))
        return err_set(ERR_NOT_FOUND, e, "journal: %s: its commit is not in the journal", name);
    FAULT("journal:before_ref");
    for (unsigned step = 0; (rc = create(j, name, durable, commit, e)); step++)
        if (rc == ERR_LIMIT || !clear_the_way(j, name, step))
            return err_wrap(rc, e, "journal: setting %s", name);
    return OK;
}

static enum err get(struct journal *j, const char *name, struct journal_oid *out, struct errinfo *e)
{
    git_reference *ref = NULL;
    const git_oid *id;
    enum err rc = OK;
    int g;

    if ((g = git_reference_lookup(&ref, j->repo, name)) < 0)
        return err_git(g, e, "journal: reading %s", name);
    if ((id = git_reference_target(ref)))
        memcpy(out->id, id->id, sizeof(out->id));
    else
        rc = err_set(ERR_CORRUPT, e, "journal: %s names no commit", name);
    git_reference_free(ref);
    return rc;
}

enum err journal_ref_set(struct journal *j, enum journal_line line, const uint8_t *zone,
                         const struct journal_oid *commit, struct errinfo *e)
{
    char name[JOURNAL_REF_MAX];

    line_ref(name, line, zone);
    return set(j, name, false, commit, e);
}

static void thinned_ref(char name[JOURNAL_REF_MAX], const uint8_t *zone)
{
    char heads[JOURNAL_REF_MAX];

    journal_ref_name(heads, zone);
    (void)snprintf(name, JOURNAL_REF_MAX, "refs/zoneledger/thinned/%.220s",
                   strrchr(heads, '/') + 1);
}

enum err ref_thinned_set(struct journal *j, const uint8_t *zone, const struct journal_oid *record,
                         struct errinfo *e)
{
    char name[JOURNAL_REF_MAX];
    enum err rc;

    thinned_ref(name, zone);
    FAULT("journal:before_ref");
    for (unsigned step = 0; (rc = create(j, name, true, record, e)); step++)
        if (rc == ERR_LIMIT || !clear_the_way(j, name, step))
            return err_wrap(rc, e, "journal: setting %s", name);
    return OK;
}

enum err ref_thinned_get(struct journal *j, const uint8_t *zone, struct journal_oid *out,
                         struct errinfo *e)
{
    char name[JOURNAL_REF_MAX];
    git_oid id;
    int g;

    thinned_ref(name, zone);
    if ((g = git_reference_name_to_id(&id, j->repo, name)) < 0)
        return err_git(g, e, "journal: reading %s", name);
    memcpy(out->id, id.id, sizeof(out->id));
    return OK;
}

enum err journal_ref_get(struct journal *j, enum journal_line line, const uint8_t *zone,
                         struct journal_oid *out, struct errinfo *e)
{
    char name[JOURNAL_REF_MAX];

    line_ref(name, line, zone);
    return get(j, name, out, e);
}

enum err journal_checkpoint_set(struct journal *j, const struct journal_oid *commit,
                                struct errinfo *e)
{
    return set(j, CHECKPOINTS_REF, true, commit, e);
}

enum err journal_checkpoint_tip(struct journal *j, struct journal_oid *out, struct errinfo *e)
{
    return get(j, CHECKPOINTS_REF, out, e);
}

enum err journal_ref_keep(struct journal *j, const uint8_t *zone, uint64_t version,
                          const struct journal_oid *commit, struct errinfo *e)
{
    char heads[JOURNAL_REF_MAX];
    char *name;
    enum err rc;

    journal_ref_name(heads, zone);
    name = xasprintf("refs/zoneledger/waiting/%s/v%llu", strrchr(heads, '/') + 1,
                     (unsigned long long)version);
    rc = create(j, name, true, commit, e);
    free(name);
    return rc ? err_wrap(rc, e, "journal: keeping a waiting version") : OK;
}

enum err journal_ref_each(struct journal *j, const char *prefix, journal_ref_fn *f, void *ctx,
                          struct errinfo *e)
{
    char *glob = xasprintf("%s*", prefix);
    git_reference_iterator *it = NULL;
    git_reference *ref = NULL;
    enum err rc = OK;
    int g = git_reference_iterator_glob_new(&it, j->repo, glob);

    while (g == 0 && rc == OK && (g = git_reference_next(&ref, it)) == 0) {
        const git_oid *id = git_reference_target(ref);
        struct journal_oid oid;

        if (id) {
            memcpy(oid.id, id->id, sizeof(oid.id));
            rc = f(ctx, git_reference_name(ref), &oid, e);
        }
        git_reference_free(ref);
    }
    if (rc == OK && g != GIT_ITEROVER)
        rc = err_git(g, e, "journal: reading refs");
    git_reference_iterator_free(it);
    free(glob);
    return rc;
}
