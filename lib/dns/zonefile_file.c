#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/dns/zonefile_internal.h"

/* Columns are 32 bits wide. */
#define TEXT_MAX 0xffffffffu

static enum err check_size(struct zonefile_reader *r, uint64_t size, struct errinfo *e)
{
    if (r->opts.max_bytes && size > r->opts.max_bytes - r->bytes)
        return err_set(ERR_LIMIT, e, "more than %llu octets of text",
                       (unsigned long long)r->opts.max_bytes);
    if (size > TEXT_MAX)
        return err_set(ERR_LIMIT, e, "a file of 4 GiB or more");
    return OK;
}

static void begin(struct zonefile_source *s, struct zonefile_reader *r, size_t len)
{
    s->text[len] = 0;
    s->lex = (struct lexer){.end = s->text + len, .pos = s->text, .start = s->text, .line = 1};
    s->lex.start_line = 1;
    r->bytes += len;
}

/* Octets of the file in *len; a file that grows or shrinks meanwhile is read as far as the size it
 * had. Not mapped: a file cut by somebody else must not kill a daemon. */
static enum err read_whole(struct zonefile_source *s, int fd, size_t size, size_t *len,
                           const char *path, struct errinfo *e)
{
    size_t have = 0;

    s->text = xmalloc(size + 1);
    while (have < size) {
        ssize_t n = read(fd, s->text + have, size - have);

        if (n < 0 && errno != EINTR)
            return err_sys(errno, e, "%s", path);
        if (n == 0)
            break;
        if (n > 0)
            have += (size_t)n;
    }
    *len = have;
    return OK;
}

enum err zonefile_open(struct zonefile_source *s, struct zonefile_reader *r, const char *path,
                       struct errinfo *e)
{
    struct stat st;
    size_t len = 0;
    enum err rc = OK;
    /* The path of an included file is a real one: a link there was put there since. */
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (s->parent ? O_NOFOLLOW : 0));

    if (fd < 0) {
        rc = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        (void)err_sys(errno, e, "%s", path);
        return rc;
    }
    if (fstat(fd, &st) < 0)
        rc = err_sys(errno, e, "%s", path);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(ERR_IO, e, "%s: not a regular file", path);
    else if ((rc = check_size(r, (uint64_t)st.st_size, e)))
        (void)err_wrap(rc, e, "%s", path);
    else
        rc = read_whole(s, fd, (size_t)st.st_size, &len, path, e);
    (void)close(fd);
    if (rc)
        return rc;
    s->path = xstrdup(path);
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    begin(s, r, len);
    return OK;
}

enum err zonefile_open_mem(struct zonefile_source *s, struct zonefile_reader *r, const char *path,
                           const void *text, size_t len, struct errinfo *e)
{
    enum err rc = check_size(r, len, e);

    if (rc)
        return rc;
    s->path = xstrdup(path);
    s->text = xmalloc(len + 1);
    if (len > 0)
        memcpy(s->text, text, len);
    begin(s, r, len);
    return OK;
}

void zonefile_close(struct zonefile_source *s)
{
    free(s->lex.tokens);
    free(s->text);
    free(s->path);
}

/* ---- $INCLUDE ---- */

/* The token's text with its escapes resolved; the lexer has checked them. */
static char *file_name(const struct token *t)
{
    char *out = xmalloc((size_t)t->len + 1);
    size_t n = 0;

    for (uint32_t i = 0; i < t->len; i++) {
        const uint8_t *p = t->p + i;

        if (p[0] != '\\') {
            out[n++] = (char)p[0];
        } else if (p[1] >= '0' && p[1] <= '9') {
            out[n++] = (char)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
            i += 3;
        } else {
            out[n++] = (char)p[1];
            i++;
        }
    }
    out[n] = 0;
    return out;
}

static bool path_below(const char *path, const char *root)
{
    size_t n = strlen(root);

    if (n > 0 && root[n - 1] == '/') /* only "/" itself ends in one */
        return strncmp(path, root, n) == 0;
    return strncmp(path, root, n) == 0 && path[n] == '/';
}

/* Gives the real path, without symbolic links, in heap memory. Somebody who may write in these
 * directories can swap a directory between this check and the opening; the root guards against what
 * a zone file says, not against them. */
static enum err include_path(char **out, const struct zonefile_reader *r, const struct token *t,
                             struct errinfo *e)
{
    const char *from = r->source->path;
    const char *slash = strrchr(from, '/');
    char *name = file_name(t);
    char *joined = NULL;
    char *path = NULL;
    char *root = NULL;
    enum err rc = OK;

    if (name[0] == '/' || !slash)
        joined = xstrdup(name);
    else
        joined = xasprintf("%.*s/%s", (int)(slash - from), from, name);
    path = realpath(joined, NULL);
    if (!path) {
        rc = errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
        (void)err_sys(errno, e, "%s", joined);
        goto out;
    }
    if (r->opts.include_root) {
        root = realpath(r->opts.include_root, NULL);
        if (!root || !path_below(path, root)) {
            rc = ERR_DENIED;
            (void)err_set(rc, e, "%s lies outside of %s", joined, r->opts.include_root);
            goto out;
        }
    }
    *out = path;
    path = NULL;
out:
    free(root);
    free(path);
    free(joined);
    free(name);
    return rc;
}

static bool is_open(const struct zonefile_source *s)
{
    for (const struct zonefile_source *p = s->parent; p; p = p->parent) {
        if (p->ino == s->ino && p->dev == s->dev)
            return true;
    }
    return false;
}

static enum err include_open(struct zonefile_source *s, struct zonefile_reader *r,
                             const struct token *t, struct errinfo *e)
{
    char *path = NULL;
    enum err rc;

    if (!r->opts.allow_include)
        return err_set(ERR_DENIED, e, "$INCLUDE is not allowed here");
    if (s->depth > r->opts.include_depth)
        return err_set(ERR_LIMIT, e, "$INCLUDE is more than %u files deep", r->opts.include_depth);
    rc = include_path(&path, r, t, e);
    if (rc)
        return rc;
    rc = zonefile_open(s, r, path, e);
    if (rc == OK && is_open(s))
        rc = err_set(ERR_FORMAT, e, "%s includes itself", path);
    free(path);
    return rc;
}

enum err zonefile_include(struct zonefile_reader *r)
{
    struct zonefile_source *parent = r->source;
    const struct lexer *lx = &parent->lex;
    struct zonefile_source s = {.parent = parent, .depth = parent->depth + 1};
    enum err rc;

    if (lx->count != 2 && lx->count != 3)
        return zonefile_fail(r, ERR_FORMAT, lx->tokens[0].p,
                             "$INCLUDE takes a file and perhaps an origin");
    if (lx->count == 3 && (rc = zonefile_name(r, s.origin, &lx->tokens[2], "origin")))
        return rc;
    if (lx->count == 2)
        (void)name_copy(s.origin, parent->origin);
    s.origin_len = name_len(s.origin);
    s.has_owner = parent->has_owner;
    if (s.has_owner)
        (void)name_copy(s.owner, parent->owner);
    rc = include_open(&s, r, &lx->tokens[1], &r->why);
    if (rc)
        rc = zonefile_fail_why(r, rc, lx->tokens[1].p);
    else
        zonefile_run(r, &s);
    zonefile_close(&s);
    return rc;
}
