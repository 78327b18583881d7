#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define CACHE_BYTES (32 * 1024 * 1024)
#define LOCK_NAME "zoneledger.pid"
#define HEAD_TEXT "ref: refs/heads/%2E\n"

/* ---- Small things ---- */

/* Fetched once: looking it up by name costs more than hashing a name. */
static EVP_MD *sha256;

static void sha256_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void sha256_bytes(uint8_t out[32], const void *p, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, sha256_fetch);
    if (!sha256 || EVP_Digest(p, n, out, NULL, sha256, NULL) != 1)
        abort();
}

void hex_write(char *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_read(uint8_t *out, const char *text, size_t chars)
{
    for (size_t i = 0; i + 1 < chars; i += 2) {
        int hi = hex_value(text[i]);
        int lo = hex_value(text[i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

void journal_oid_hex(char out[JOURNAL_HEX_MAX], const struct journal_oid *oid)
{
    hex_write(out, oid->id, sizeof(oid->id));
}

bool oid_from_hex(struct journal_oid *out, const char *text, size_t len)
{
    char again[JOURNAL_HEX_MAX];

    if (len != OID_HEX_CHARS || !hex_read(out->id, text, len))
        return false;
    journal_oid_hex(again, out); /* lower case only */
    return memcmp(again, text, len) == 0;
}

bool journal_oid_read(struct journal_oid *out, const char *hex)
{
    return oid_from_hex(out, hex, strlen(hex));
}

bool journal_oid_is_none(const struct journal_oid *oid)
{
    static const struct journal_oid none;

    return oid_eq(oid, &none);
}

/* A full disk is no broken one: nothing of the pack that was being written is kept, and the same
 * work is done anew later. libgit2 tells it by errno's text only. */
static bool says_no_room(const char *text)
{
    return strstr(text, "No space left on device") || strstr(text, "Disk quota exceeded");
}

enum err err_git(int code, struct errinfo *e, const char *fmt, ...)
{
    const git_error *g = git_error_last();
    int class = g ? g->klass : GIT_ERROR_NONE;
    struct errinfo what = {0};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what.text, sizeof(what.text), fmt, ap);
    va_end(ap);
    (void)err_set(OK, e, "%.500s: %.400s", what.text, g && g->message ? g->message : "git failed");
    if (code == GIT_ENOTFOUND)
        return ERR_NOT_FOUND;
    if (code == GIT_ELOCKED)
        return ERR_BUSY;
    switch (class) {
    case GIT_ERROR_ODB:
    case GIT_ERROR_INDEXER:
    case GIT_ERROR_OBJECT:
    case GIT_ERROR_TREE:
    case GIT_ERROR_ZLIB:
    case GIT_ERROR_REFERENCE:
        return ERR_CORRUPT;
    case GIT_ERROR_OS:
        return g && g->message && says_no_room(g->message) ? ERR_LIMIT : ERR_IO;
    case GIT_ERROR_SHA: /* SHA-1 collision attack detected */
        return ERR_CHECK;
    default:
        return ERR_IO;
    }
}

/* ---- Opening ---- */

static int library_rc;

/* Settings of libgit2 are the process's; nothing else in a process of ours uses it. */
static void library_init(void)
{
    static const int levels[] = {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
                                 GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA};

    library_rc = git_libgit2_init();
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]) && library_rc >= 0; i++)
        library_rc = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    if (library_rc >= 0)
        library_rc = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    if (library_rc >= 0) /* the path is given, not discovered */
        library_rc = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    if (library_rc >= 0)
        library_rc = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)CACHE_BYTES);
}

static enum err library_ready(struct errinfo *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, library_init);
    return library_rc < 0 ? err_git(library_rc, e, "starting libgit2") : OK;
}

static enum err make_dirs(const char *path, struct errinfo *e)
{
    char *p = xstrdup(path);
    enum err rc = OK;

    for (char *s = p + 1; rc == OK; s++) {
        char c = *s;

        if (c != 0 && c != '/')
            continue;
        *s = 0;
        if (mkdir(p, 0700) == 0)
            rc = dir_sync_parent(p, e);
        else if (errno != EEXIST)
            rc = err_sys(errno, e, "creating %s", p);
        *s = c;
        if (c == 0)
            break;
    }
    free(p);
    return rc;
}

static bool is_good_head(const char *path)
{
    char text[256] = "";
    FILE *f = fopen(path, "re");
    bool good = f && fgets(text, sizeof(text), f) && strncmp(text, "ref: refs/", 10) == 0;

    if (f)
        (void)fclose(f);
    return good;
}

static enum err set_config(const char *path, struct errinfo *e)
{
    static const struct {
        const char *key;
        const char *value;
    } items[] = {
        {"core.repositoryformatversion", "0"},
        {"core.filemode", "true"},
        {"core.bare", "true"},
        {"core.logallrefupdates", "false"},
        {"gc.auto", "0"}, /* we merge packs ourselves */
        {"gc.pruneexpire", "never"},
        {"receive.autogc", "false"},
        {"receive.denydeletes", "true"},
        {"receive.denynonfastforwards", "true"},
    };
    git_config *c = NULL;
    int g = git_config_open_ondisk(&c, path);

    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]) && g == 0; i++) {
        git_buf have = {0};

        g = git_config_get_string_buf(&have, c, items[i].key);
        if (g == GIT_ENOTFOUND || (g == 0 && strcmp(have.ptr, items[i].value) != 0))
            g = git_config_set_string(c, items[i].key, items[i].value);
        git_buf_dispose(&have);
    }
    git_config_free(c);
    return g < 0 ? err_git(g, e, "configuration %s", path) : OK;
}

/* A configuration that can't be read goes aside. Ours is known; an operator's additions (remotes)
 * stay in the old file. */
static enum err heal_config(const char *path, struct errinfo *e)
{
    struct errinfo why = {0};
    char *bad;
    enum err rc;

    if (set_config(path, &why) == OK)
        return OK;
    bad = xasprintf("%s.bad", path);
    log_warning(say("journal: the configuration is damaged and made anew"), kv_str("file", path),
                kv_str("old", bad), kv_err(&why));
    if (rename(path, bad) < 0 && errno != ENOENT)
        rc = err_sys(errno, e, "moving %s to %s", path, bad);
    else
        rc = set_config(path, e);
    free(bad);
    return rc;
}

/* Everything that makes a directory a repository; what is there already stays. */
static enum err lay_out(const char *path, struct errinfo *e)
{
    static const char *const dirs[] = {"objects/info", "objects/pack", "refs/heads", "refs/waiting",
                                       "refs/quarantine"};
    char *head = xasprintf("%s/HEAD", path);
    char *config = xasprintf("%s/config", path);
    enum err rc = make_dirs(path, e);

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == OK; i++) {
        char *dir = xasprintf("%s/%s", path, dirs[i]);

        rc = make_dirs(dir, e);
        free(dir);
    }
    if (rc == OK && !is_good_head(head))
        rc = file_replace(head, HEAD_TEXT, strlen(HEAD_TEXT), 0644, e);
    if (rc == OK)
        rc = heal_config(config, e);
    free(head);
    free(config);
    return rc;
}

/* Who has the lock; it is held all the same if that cannot be told. */
static void say_who(const char *path)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    (void)!dprintf(fd, "%ld\n", (long)getpid());
    (void)close(fd);
}

/* Whoever writes holds this; a directory that two stores lead to would get two histories. Open for
 * reading only, so that the disk can be made read-only meanwhile. */
static enum err take_lock(struct journal *j, struct errinfo *e)
{
    char *path = xasprintf("%s/" LOCK_NAME, j->path);
    char pid[24] = "";
    ssize_t n;
    enum err rc = OK;

    j->lock = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->lock < 0) {
        rc = err_sys(errno, e, "opening %s", path);
    } else if (flock(j->lock, LOCK_EX | LOCK_NB) < 0) {
        n = pread(j->lock, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = 0;
        pid[strcspn(pid, "\n")] = 0;
        rc = err_set(ERR_BUSY, e, "%s is written by another process, pid %s", j->path,
                     pid[0] ? pid : "unknown");
    } else {
        say_who(path);
    }
    free(path);
    return rc;
}

enum err journal_open(struct journal **out, const char *path, const char *node, bool writer,
                      struct errinfo *e)
{
    struct journal *j = xcalloc(1, sizeof(*j));
    bool damage = false;
    enum err rc;
    int g;

    j->path = xstrdup(path);
    j->pack_dir = xasprintf("%s/objects/pack", path);
    j->node = xstrdup(node);
    j->writer = writer;
    j->lock = -1;
    if (!writer && access(path, F_OK) < 0 && errno == ENOENT) {
        rc = err_set(ERR_NOT_FOUND, e, "%s is not there", path);
        goto out;
    }
    if ((rc = library_ready(e)))
        goto out;
    if (writer && ((rc = make_dirs(path, e)) || (rc = take_lock(j, e)) ||
                   (rc = journal_heal_locks(path, e)) || (rc = lay_out(path, e)) ||
                   (rc = journal_heal(path, j->pack_dir, &damage, e))))
        goto out;
    j->vanished = damage;
    if ((g = git_repository_open_bare(&j->repo, path)) < 0) {
        rc = err_git(g, e, "opening %s", path);
        goto out;
    }
    if ((rc = odb_open(j, e)))
        goto out;
    *out = j;
    j = NULL;
out:
    journal_close(j);
    return rc ? err_wrap(rc, e, "journal") : OK;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    git_repository_free(j->repo);
    odb_close(j);
    if (j->lock >= 0)
        (void)close(j->lock);
    free(j->path);
    free(j->pack_dir);
    free(j->node);
    free(j);
}

enum journal_look journal_look(struct journal *j)
{
    static const char *const parts[] = {"HEAD", "config", "objects", "refs/heads", LOCK_NAME};
    bool there = true;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && there; i++) {
        char *path = xasprintf("%s/%s", j->path, parts[i]);

        there = access(path, F_OK) == 0 || errno != ENOENT;
        free(path);
    }
    if (!there || (access(j->pack_dir, F_OK) < 0 && errno == ENOENT))
        return JOURNAL_GONE;
    if (odb_refresh(j, NULL) != OK || j->vanished == j->vanished_told)
        return JOURNAL_SAME;
    j->vanished_told = j->vanished;
    return JOURNAL_CHANGED;
}

enum err journal_stats(struct journal *j, struct journal_stats *out, struct errinfo *e)
{
    struct journal_stats s = {0};
    enum err rc = odb_refresh(j, e);

    if (rc)
        return err_wrap(rc, e, "journal");
    for (size_t i = 0; i < j->pack_count; i++) {
        s.packs++;
        s.pack_bytes += j->packs[i].bytes;
    }
    *out = s;
    return OK;
}
