#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/import.h"
#include "syncd/watch_internal.h"

/* ---- Files ---- */

static struct watch_stamp stamp_of(const struct stat *st)
{
    return (struct watch_stamp){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
        .ctime_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
        .there = true,
        .linked = st->st_nlink > 1};
}

struct watch_stamp watch_stamp_at(int dir_fd, const char *name, bool *regular)
{
    struct stat st;

    *regular = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    return *regular ? stamp_of(&st) : (struct watch_stamp){.there = false};
}

bool watch_stamp_eq(const struct watch_stamp *a, const struct watch_stamp *b)
{
    return a->there == b->there && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* What a task holds while it is done. */
struct reading {
    const struct watch_batch *batch;
    struct watch_task *task;
    struct history *history;
    char *path;
    uid_t owner;
    char *text;
    size_t len;

    bool has_row;
    struct store_zone row;
    struct zone *current, *fresh;
};

static enum watch_outcome fail(struct reading *r, int errnum, const char *what)
{
    (void)err_sys(errnum, &r->task->error, "%s: %s", r->path, what);
    return READ_ERROR;
}

/* Reads the whole of it. READ_CHANGE: there it is. */
static enum watch_outcome read_text(struct reading *r, int fd, const struct stat *st)
{
    size_t size = (size_t)st->st_size;

    r->text = xmalloc(size + 1);
    while (r->len < size) {
        ssize_t n = read(fd, r->text + r->len, size - r->len);

        if (n < 0 && errno != EINTR)
            return fail(r, errno, "reading it");
        if (n == 0)
            return READ_UNSETTLED;
        if (n > 0)
            r->len += (size_t)n;
    }
    r->text[r->len] = 0;
    return READ_CHANGE;
}

static enum watch_outcome look_and_read(struct reading *r, int fd, uint64_t *bytes)
{
    struct watch_task *t = r->task;
    uint64_t max = r->batch->config->max_zone_bytes;
    enum watch_outcome outcome;
    struct stat st;
    struct stat after;

    if (fstat(fd, &st) != 0)
        return fail(r, errno, "looking at it");
    if (!S_ISREG(st.st_mode))
        return READ_GONE;
    t->stamp = stamp_of(&st);
    r->owner = st.st_uid;
    if (t->expected.there && !watch_stamp_eq(&t->expected, &t->stamp))
        return READ_UNSETTLED;
    if ((uint64_t)st.st_size > max) {
        (void)err_set(ERR_LIMIT, &t->error, "%s: is larger than max-zone-size, %llu octets",
                      r->path, (unsigned long long)max);
        return READ_ERROR;
    }
    if (*bytes > 0 && *bytes + (uint64_t)st.st_size > WATCH_BATCH_BYTES)
        return READ_LATER;
    *bytes += (uint64_t)st.st_size;
    if ((outcome = read_text(r, fd, &st)) != READ_CHANGE)
        return outcome;
    if (fstat(fd, &after) != 0)
        return fail(r, errno, "looking at it");
    t->expected = stamp_of(&after);
    return watch_stamp_eq(&t->expected, &t->stamp) ? READ_CHANGE : READ_UNSETTLED;
}

static enum watch_outcome open_and_read(struct reading *r, int dir_fd, uint64_t *bytes)
{
    enum watch_outcome outcome;
    int fd =
        openat(dir_fd, r->task->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENXIO ? READ_GONE
                                                                   : fail(r, errno, "opening it");
    outcome = look_and_read(r, fd, bytes);
    (void)close(fd);
    return outcome;
}

/* ---- Whose zone it is ---- */

static enum err read_row(struct reading *r)
{
    enum err rc = store_zone_get(r->history->store, r->task->zone, &r->row, &r->task->error);

    r->has_row = rc == OK;
    if (rc != ERR_NOT_FOUND)
        return rc;
    r->row = (struct store_zone){.kind = ZONE_LOCAL, .source = SOURCE_OPERATOR};
    (void)name_copy(r->row.name, r->task->zone);
    return OK;
}

static bool is_ours(const struct reading *r)
{
    return r->has_row && r->row.kind == ZONE_LOCAL && !r->row.removed &&
           strcmp(r->row.file, r->path) == 0;
}

static enum err check_owner(struct reading *r)
{
    struct errinfo *e = &r->task->error;
    char catalog[NAME_TEXT_MAX];

    if (r->task->refused[0])
        return err_set(ERR_CONFLICT, e, "%s: %s", r->path, r->task->refused);
    if (!r->has_row || r->row.removed)
        return OK;
    if (r->row.kind != ZONE_SECONDARY)
        return store_zone_is_catalog(&r->row)
                   ? err_set(ERR_CONFLICT, e, "%s: the zone is a catalog that we make", r->path)
                   : OK;
    switch (r->row.source) {
    case SOURCE_CATALOG:
        (void)name_to_text(catalog, r->row.catalog);
        return err_set(ERR_CONFLICT, e, "%s: the zone comes from the catalog %s", r->path, catalog);
    case SOURCE_AUTOPRIMARY:
        return err_set(ERR_CONFLICT, e, "%s: the zone came from autoprimary '%s'", r->path,
                       r->row.account);
    case SOURCE_CONFIG:
    case SOURCE_OPERATOR:
        break;
    }
    return err_set(ERR_CONFLICT, e, "%s: the zone comes from its primaries", r->path);
}

/* ---- What the file changes ---- */

static enum err parse(struct reading *r)
{
    const struct config *c = r->batch->config;
    struct zone_limits limits = {.max_bytes = c->max_zone_bytes,
                                 .max_records = c->max_zone_records,
                                 .max_rrset = c->max_rrset_records,
                                 .max_types = c->max_owner_types};
    struct zonefile_opts opts = {.origin = r->task->zone,
                                 .path = r->path,
                                 .allow_include = true,
                                 .include_root = r->batch->directory->path,
                                 .max_records = c->max_zone_records,
                                 .max_bytes = c->max_zone_bytes};

    enum err rc;

    r->task->includes = strcasestr(r->text, "$INCLUDE") != NULL;
    rc = import_zone(&r->fresh, r->text, r->len, &opts, &limits, &r->task->error);
    free(r->text); /* before the other version is loaded beside it */
    r->text = NULL;
    return rc;
}

static enum err load_current(struct reading *r)
{
    if (!r->row.has_content)
        return OK;
    r->current = zone_cache_get(r->batch->cache, r->row.name, r->row.seq);
    return r->current ? OK
                      : store_zone_load(&r->current, r->history->store, &r->row, &r->task->error);
}

struct newest {
    const char *path;
    bool found;
    struct store_version version;
};

#define TRANSPORT "file"

static enum err on_version(void *ctx, const struct store_version *v, struct errinfo *e)
{
    struct newest *n = ctx;

    (void)e;
    if (v->origin.kind != ORIGIN_IMPORT || strcmp(v->origin.transport, TRANSPORT) != 0 ||
        strncmp(v->origin.source, n->path, sizeof(v->origin.source) - 1) != 0)
        return OK;
    n->found = true;
    n->version = *v;
    return ERR_EXISTS; /* ends the walk */
}

/* Whether the file has what it had when it was read last, while something else is served since: an
 * operator's rollback, say. */
static enum err is_as_before(bool *out, struct reading *r)
{
    struct newest n = {.path = r->path};
    struct zone *then = NULL;
    struct changeset *cs = NULL;
    struct errinfo *e = &r->task->error;
    enum err rc =
        store_version_each(r->history->store, r->row.id, 0, UINT32_MAX, on_version, &n, e);

    *out = false;
    if (!n.found)
        return rc;
    if (n.version.version == r->row.version || !is_ours(r))
        return OK;
    if ((rc = history_content(&then, r->history, &r->row, &n.version, e)) ||
        (rc = zone_diff(&cs, then, r->fresh, e)))
        goto out;
    *out = import_only_serial(cs);
out:
    zone_unref(then);
    changeset_free(cs);
    return rc;
}

static void set_origin(struct reading *r, struct origin *o, enum origin_kind kind)
{
    struct passwd pw;
    struct passwd *got = NULL;
    char scratch[4096];

    *o = (struct origin){.kind = kind};
    if (getpwuid_r(r->owner, &pw, scratch, sizeof(scratch), &got) == 0 && got)
        (void)snprintf(o->who, sizeof(o->who), "%s", got->pw_name);
    else
        (void)snprintf(o->who, sizeof(o->who), "uid %u", (unsigned)r->owner);
    (void)snprintf(o->source, sizeof(o->source), "%s", r->path);
    (void)snprintf(o->transport, sizeof(o->transport), TRANSPORT);
}

static void claim(struct reading *r, struct commit_job *job)
{
    import_claim(job, r->path);
    (void)snprintf(job->row.account, sizeof(job->row.account), "%s", r->batch->directory->account);
    job->row.last_success = r->batch->now;
}

static void change_job(struct reading *r, struct import_step *step)
{
    struct commit_job *job = commit_job_new(COMMIT_CHANGE, &r->row);

    job->old_zone = r->current;
    job->new_zone = step->next;
    job->changes = step->changes;
    r->current = NULL;
    *step = (struct import_step){.next = NULL};
    claim(r, job);
    set_origin(r, &job->origin, ORIGIN_IMPORT);
    r->task->job = job;
}

/* The content is served; what the row says about it may still be another thing. */
static enum watch_outcome same(struct reading *r)
{
    const struct store_zone *row = &r->row;
    bool known = is_ours(r) && strcmp(row->account, r->batch->directory->account) == 0;

    if (known && row->failures == 0 && !row->last_error[0])
        return READ_SAME;
    r->task->job = commit_job_new(known ? COMMIT_STATE : COMMIT_SERVED, row);
    claim(r, r->task->job);
    return READ_CHANGE;
}

static enum err compare(struct reading *r, struct import_step *step, bool *before)
{
    struct import_wish wish = {
        .serial = r->batch->directory->serial, .bare = true, .now = r->batch->now};
    struct serial file = zone_serial(r->fresh);
    enum err rc;

    if (r->current && serial_cmp(file, zone_serial(r->current)) != SERIAL_NEWER &&
        (rc = is_as_before(before, r)))
        return rc;
    if (*before)
        return OK;
    if ((rc = import_step(step, r->current, r->fresh, &wish, &r->task->error)) == ERR_SERIAL)
        (void)err_wrap(rc, &r->task->error, "%s", r->path);
    return rc;
}

/* ERR_*: an error of the file, or of the store. */
static enum err decide(struct reading *r, enum watch_outcome *outcome)
{
    struct import_step step = {.next = NULL};
    bool before = false;
    enum err rc;

    if ((rc = check_owner(r)) || (rc = parse(r)) || (rc = load_current(r)) ||
        (rc = compare(r, &step, &before)))
        return rc;
    if (!before && (step.changed || r->row.removed)) {
        change_job(r, &step);
        *outcome = READ_CHANGE;
    } else {
        *outcome = same(r);
    }
    import_step_done(&step);
    return OK;
}

/* ---- What is noted about a zone that stays ---- */

/* The error goes into the row of its zone, unless it stands there. */
static void note_error(struct reading *r)
{
    struct commit_job *job;

    if (!is_ours(r) || (r->row.failures && strncmp(r->row.last_error, r->task->error.text,
                                                   sizeof(r->row.last_error) - 1) == 0))
        return;
    job = commit_job_new(COMMIT_STATE, &r->row);
    job->row.failures = 1;
    (void)snprintf(job->row.last_error, sizeof(job->row.last_error), "%.*s",
                   (int)sizeof(job->row.last_error) - 1, r->task->error.text);
    job->owns_state = true;
    r->task->job = job;
}

/* `task->error` says why the zone stays; without a job and an error, there is none of it. */
static void vanished(struct reading *r)
{
    struct watch_task *t = r->task;
    bool remove = r->batch->directory->remove;

    if (!is_ours(r))
        return;
    if (remove && (r->batch->known <= 1 || watch_any_file(r->batch->directory->path))) {
        t->job = commit_job_new(COMMIT_MARK, &r->row);
        t->job->row.removed = true;
        set_origin(r, &t->job->origin, ORIGIN_REMOVE);
        (void)snprintf(t->job->origin.who, sizeof(t->job->origin.who), "%s",
                       r->batch->config->node);
        (void)snprintf(t->job->origin.reason, sizeof(t->job->origin.reason),
                       "its zone file vanished");
        return;
    }
    (void)err_set(ERR_NOT_FOUND, &t->error, "%s: %s", r->path,
                  remove ? "all zone files vanished at once: is the directory mounted?"
                         : "the file is not there any more");
    note_error(r);
}

/* ---- A batch ---- */

static void read_one(struct watch_batch *b, struct watch_task *t, struct history *h, int dir_fd,
                     uint64_t *bytes)
{
    struct reading r = {.batch = b, .task = t, .history = h};

    r.path =
        xasprintf("%s/%s", strcmp(b->directory->path, "/") == 0 ? "" : b->directory->path, t->name);
    t->outcome = open_and_read(&r, dir_fd, bytes);
    if (t->outcome == READ_LATER || t->outcome == READ_UNSETTLED)
        goto out;
    if (strlen(r.path) >= STORE_FILE_MAX) {
        (void)err_set(ERR_LIMIT, &t->error, "%s: the path is too long", r.path);
        t->outcome = READ_ERROR;
    } else if (read_row(&r) != OK) {
        t->outcome = READ_ERROR;
    } else if (t->outcome == READ_GONE) {
        vanished(&r);
    } else {
        if (t->outcome == READ_CHANGE && decide(&r, &t->outcome) != OK)
            t->outcome = READ_ERROR;
        if (t->outcome == READ_ERROR)
            note_error(&r);
    }
out:
    zone_unref(r.current);
    zone_unref(r.fresh);
    free(r.text);
    free(r.path);
}

static void fail_all(struct watch_batch *b, const struct errinfo *e)
{
    for (size_t i = 0; i < b->n; i++) {
        b->tasks[i].outcome = READ_ERROR;
        b->tasks[i].error = *e;
    }
}

void watch_read(void *ctx)
{
    struct watch_batch *b = ctx;
    struct history h = {.store = NULL};
    struct errinfo e;
    uint64_t bytes = 0;
    int fd = open(b->directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        (void)err_sys(errno, &e, "directory %s", b->directory->path);
        fail_all(b, &e);
        return;
    }
    if (history_open(&h, b->readers, &e) == OK) {
        for (size_t i = 0; i < b->n; i++)
            read_one(b, &b->tasks[i], &h, fd, &bytes);
    } else {
        fail_all(b, &e);
    }
    history_close(&h);
    (void)close(fd);
}
