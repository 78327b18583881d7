/* What a crash, a full disk or a damaged disk left behind, put right before the repository is
 * opened for writing. Everything here is derived (indexes, locks, temporary files) or is moved
 * aside to objects/pack/bad/, never deleted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define FOREIGN_AGE_S 3600 /* git's own temporary files and locks may be in use */

struct names {
    char **list;
    size_t n;
    size_t cap;
};

static void names_free(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->list[i]);
    free(s->list);
}

/* All names first: the directory changes while we work. A missing directory is an empty one. */
static enum err names_of(struct names *out, const char *dir, struct errinfo *e)
{
    DIR *d = opendir(dir);
    const struct dirent *ent;

    if (!d && errno == ENOENT)
        return OK;
    if (!d)
        return err_sys(errno, e, "opening %s", dir);
    while ((ent = readdir(d))) {
        if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
            continue;
        out->list = xgrow(out->list, &out->cap, out->n + 1, sizeof(*out->list));
        out->list[out->n++] = xstrdup(ent->d_name);
    }
    (void)closedir(d);
    return OK;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s);
    size_t m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_there(const char *dir, const char *stem, size_t stem_len, const char *end)
{
    char *path = xasprintf("%s/%.*s%s", dir, (int)stem_len, stem, end);
    bool yes = access(path, F_OK) == 0;

    free(path);
    return yes;
}

static bool is_old(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 &&
           clock_wall(clock_real()).s - (int64_t)st.st_mtim.tv_sec > FOREIGN_AGE_S;
}

static enum err sweep(const char *dir, const char *name, const char *what, struct errinfo *e)
{
    char *path = xasprintf("%s/%s", dir, name);
    enum err rc = OK;

    if (unlink(path) == 0)
        log_warning(say("journal: swept"), kv_str("file", path), kv_str("what", what));
    else if (errno != ENOENT)
        rc = err_sys(errno, e, "removing %s", path);
    free(path);
    return rc;
}

/* Moves a file of the pack directory to bad/; fine if it isn't there. */
static enum err move_aside(const char *dir, const char *stem, const char *end, struct errinfo *e)
{
    char *bad = xasprintf("%s/bad", dir);
    char *from = xasprintf("%s/%s%s", dir, stem, end);
    char *to = xasprintf("%s/%s%s", bad, stem, end);
    enum err rc = OK;

    if (mkdir(bad, 0700) < 0 && errno != EEXIST)
        rc = err_sys(errno, e, "creating %s", bad);
    else if (rename(from, to) == 0)
        log_error(say("journal: a damaged file is moved aside"), kv_str("file", from),
                  kv_str("to", to));
    else if (errno != ENOENT)
        rc = err_sys(errno, e, "moving %s to %s", from, to);
    free(bad);
    free(from);
    free(to);
    return rc;
}

enum err pack_aside(const char *dir, const char *stem, struct errinfo *e)
{
    /* The index first: a pack without one is looked at again. */
    enum err rc = move_aside(dir, stem, ".idx", e);

    return rc ? rc : move_aside(dir, stem, ".pack", e);
}

static enum err feed_file(void *ctx, git_indexer *ix, git_indexer_progress *st, struct errinfo *e)
{
    const char *path = ctx;
    uint8_t *chunk = xmalloc(1u << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum err rc = OK;
    ssize_t n = 0;
    int g;

    if (fd < 0)
        rc = err_sys(errno, e, "opening %s", path);
    while (rc == OK && (n = read(fd, chunk, 1u << 20)) > 0)
        if ((g = git_indexer_append(ix, chunk, (size_t)n, st)) < 0)
            rc = err_git(g, e, "reading %s", path);
    if (rc == OK && n < 0)
        rc = err_sys(errno, e, "reading %s", path);
    if (fd >= 0)
        (void)close(fd);
    free(chunk);
    return rc;
}

/* Makes the index of a pack again; the pack itself is checked as a whole on the way. A pack that
 * cannot be indexed goes aside: what only it held is reported by whoever looks for it. */
static enum err index_again(const char *dir, const char *stem, struct errinfo *e)
{
    char *path = xasprintf("%s/%s.pack", dir, stem);
    char name[PACK_NAME_MAX];
    struct errinfo why = {0};
    enum err rc = pack_index(dir, name, feed_file, path, &why);

    if (rc == ERR_IO) {
        rc = err_set(rc, e, "%s", why.text);
        goto out;
    }
    if (rc) {
        log_error(say("journal: a pack is damaged"), kv_str("pack", path), kv_err(&why));
        rc = pack_aside(dir, stem, e);
        goto out;
    }
    log_warning(say("journal: the index of a pack is made again"), kv_str("pack", path));
    if (strcmp(name, stem) != 0) /* the pack had another name than its checksum */
        rc = sweep(dir, stem, "stray index", e);
out:
    free(path);
    return rc;
}

static enum err heal_pack(const char *dir, const char *stem, bool *damage, struct errinfo *e)
{
    struct packfile p;
    struct errinfo why = {0};
    enum err rc = pack_open(&p, dir, stem, &why);

    if (rc == OK) {
        pack_close(&p);
        return OK;
    }
    if (rc == ERR_IO)
        return err_set(rc, e, "%s", why.text);
    if (rc == ERR_CORRUPT) {
        *damage = true;
        log_warning(say("journal: pack and index don't fit"), kv_str("pack", stem), kv_err(&why));
        if ((rc = move_aside(dir, stem, ".idx", e)))
            return rc;
    }
    return index_again(dir, stem, e);
}

static enum err heal_pack_file(const char *dir, const char *name, bool *damage, struct errinfo *e)
{
    static const char *const companions[] = {".idx", ".keep", ".rev", ".bitmap", ".mtimes"};
    char stem[PACK_NAME_MAX];
    char *path;
    bool old;

    if (strncmp(name, "pack_git2_", 10) == 0 || ends_with(name, ".idx.lock"))
        return sweep(dir, name, "temporary file", e);
    if (strncmp(name, "tmp_", 4) == 0 || strncmp(name, ".tmp-", 5) == 0) {
        path = xasprintf("%s/%s", dir, name);
        old = is_old(path);
        free(path);
        return old ? sweep(dir, name, "temporary file of git", e) : OK;
    }
    if (strncmp(name, "pack-", 5) != 0 || strlen(name) >= sizeof(stem))
        return OK;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        size_t n = strlen(name) - strlen(companions[i]);

        if (ends_with(name, companions[i]) && !is_there(dir, name, n, ".pack")) {
            *damage = *damage || i == 0; /* or a crash between the two; a look will tell */
            return sweep(dir, name, "its pack is not there", e);
        }
    }
    if (!ends_with(name, ".pack"))
        return OK;
    (void)snprintf(stem, sizeof(stem), "%.*s", (int)(strlen(name) - 5), name);
    return heal_pack(dir, stem, damage, e);
}

enum err packs_heal(const char *dir, bool *damage, struct errinfo *e)
{
    struct names s = {0};
    enum err rc = names_of(&s, dir, e);

    for (size_t i = 0; i < s.n && rc == OK; i++)
        rc = heal_pack_file(dir, s.list[i], damage, e);
    names_free(&s);
    return rc;
}

/* No ref of ours ends in .lock, so each file that does is a lock, and the one who writes refs is
 * us. */
static enum err sweep_ref_locks(const char *dir, struct errinfo *e)
{
    struct names s = {0};
    enum err rc = names_of(&s, dir, e);

    for (size_t i = 0; i < s.n && rc == OK; i++) {
        char *path = xasprintf("%s/%s", dir, s.list[i]);
        struct stat st;

        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            rc = sweep_ref_locks(path, e);
        else if (ends_with(path, ".lock"))
            rc = sweep(dir, s.list[i], "stale lock", e);
        free(path);
    }
    names_free(&s);
    return rc;
}

enum err journal_heal_locks(const char *path, struct errinfo *e)
{
    char *packed = xasprintf("%s/packed-refs.lock", path);
    enum err rc;

    if ((rc = sweep(path, "HEAD.lock", "stale lock", e)) == OK &&
        (rc = sweep(path, "config.lock", "stale lock", e)) == OK && is_old(packed))
        rc = sweep(path, "packed-refs.lock", "stale lock of git", e);
    free(packed);
    return rc;
}

/* "# comment", "<id> refs/...", "^<id>", each with its LF: anything else stops stock git. */
static bool packed_line_is_good(const char *l, size_t len)
{
    struct journal_oid oid;

    if (len == 0 || l[len - 1] != '\n')
        return false;
    if (l[0] == '#')
        return true;
    if (l[0] == '^')
        return len == OID_HEX_CHARS + 2 && oid_from_hex(&oid, l + 1, OID_HEX_CHARS);
    return len > OID_HEX_CHARS + 7 && oid_from_hex(&oid, l, OID_HEX_CHARS) &&
           strncmp(l + OID_HEX_CHARS, " refs/", 6) == 0;
}

/* Refs are packed only by hand (`git pack-refs`). A damaged file goes aside: the store sets the
 * refs again that were in it. */
static enum err heal_packed_refs(const char *path, struct errinfo *e)
{
    char *file = xasprintf("%s/packed-refs", path);
    char *bad = xasprintf("%s.bad", file);
    FILE *f = fopen(file, "re");
    char *l = NULL;
    size_t cap = 0;
    ssize_t n;
    bool good = true;
    enum err rc = OK;

    while (f && good && (n = getline(&l, &cap, f)) > 0)
        good = packed_line_is_good(l, (size_t)n);
    if (f)
        (void)fclose(f);
    if (!good && rename(file, bad) < 0)
        rc = err_sys(errno, e, "moving %s to %s", file, bad);
    else if (!good)
        log_error(say("journal: a damaged file is moved aside"), kv_str("file", file),
                  kv_str("to", bad));
    free(l);
    free(file);
    free(bad);
    return rc;
}

enum err journal_heal(const char *path, const char *pack_dir, bool *damage, struct errinfo *e)
{
    char *refs = xasprintf("%s/refs", path);
    enum err rc;

    if ((rc = sweep_ref_locks(refs, e)) == OK && (rc = heal_packed_refs(path, e)) == OK &&
        (rc = packs_heal(pack_dir, damage, e)) == OK)
        /* A process killed behind the rename of a pack left its name in the cache only; objects
         * that are there are not written again, so make the names durable now. */
        rc = dir_sync(pack_dir, e);
    free(refs);
    return rc;
}
