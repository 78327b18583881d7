/* Objects on the disk. libgit2 reads the packs, but we decide which one: it maps an index and
 * trusts it, so each is checked here first; and its own look-up formats an error text for every
 * pack that doesn't have the object, which made a write in a journal of 500 packs four times as
 * slow.
 *
 * So the odb has a backend of ours that finds the pack and leaves the reading to libgit2's backend
 * for this one pack. A pack that went away (merged into another one) stays readable for whoever
 * has it open; a look-up that fails lists the directory again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

#include "journal/journal_internal.h"
#include "journal/oidmap.h"
#include "lib/base/bus.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define IDX_HEADER_BYTES 8
#define IDX_FANOUT_BYTES 1024
#define IDX_TRAILER_BYTES 40
#define IDX_PER_OBJECT 28 /* id, CRC, offset */
#define PACK_MIN_BYTES 32
#define LONG_OFFSET UINT32_C(0x80000000)
#define PACK_PRIORITY 2
#define LOOSE_PRIORITY 1

static enum err read_at(int fd, const char *path, uint64_t at, void *to, size_t n,
                        struct errinfo *e)
{
    uint8_t *p = to;

    while (n) {
        ssize_t got = pread(fd, p, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(errno, e, "reading %s", path);
        if (got == 0)
            return err_set(ERR_CORRUPT, e, "%s ends too early", path);
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return OK;
}

static enum err open_file(int *fd, uint64_t *bytes, const char *path, struct errinfo *e)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0 && errno == ENOENT)
        return err_set(ERR_NOT_FOUND, e, "%s is not there", path);
    if (*fd < 0 || fstat(*fd, &st) < 0)
        return err_sys(errno, e, "opening %s", path);
    *bytes = (uint64_t)st.st_size;
    return OK;
}

/* What an index (git's version 2) says of itself. The order: header, 256 running counts, ids, CRCs,
 * offsets, long offsets, the pack's checksum, its own. */
struct idx {
    uint8_t *data;
    size_t len;
    uint32_t n;
};

static enum err idx_tables(struct idx *x, const char *path, struct errinfo *e)
{
    static const uint8_t magic[IDX_HEADER_BYTES] = {0xff, 't', 'O', 'c', 0, 0, 0, 2};
    uint8_t sum[JOURNAL_OID_BYTES];
    const uint8_t *fan = x->data + IDX_HEADER_BYTES;
    size_t fixed = IDX_HEADER_BYTES + IDX_FANOUT_BYTES + IDX_TRAILER_BYTES;

    if (x->len < fixed || memcmp(x->data, magic, sizeof(magic)) != 0)
        return err_set(ERR_CORRUPT, e, "%s is no pack index", path);
    if (EVP_Digest(x->data, x->len - sizeof(sum), sum, NULL, EVP_sha1(), NULL) != 1)
        abort();
    if (memcmp(sum, x->data + x->len - sizeof(sum), sizeof(sum)) != 0)
        return err_set(ERR_CORRUPT, e, "%s: wrong checksum", path);
    for (size_t i = 1; i < 256; i++)
        if (get_u32(fan + 4 * i) < get_u32(fan + 4 * (i - 1)))
            return err_set(ERR_CORRUPT, e, "%s: counts go back", path);
    x->n = get_u32(fan + IDX_FANOUT_BYTES - 4);
    if (x->len < fixed + (uint64_t)x->n * IDX_PER_OBJECT)
        return err_set(ERR_CORRUPT, e, "%s is too short", path);
    return OK;
}

/* False if there is no such long offset. */
static bool idx_offset(const struct idx *x, size_t i, uint64_t *at)
{
    const uint8_t *offs = x->data + IDX_HEADER_BYTES + IDX_FANOUT_BYTES + (size_t)x->n * 24;
    const uint8_t *longs = offs + (size_t)x->n * 4;
    size_t long_count = (size_t)(x->data + x->len - IDX_TRAILER_BYTES - longs) / 8;
    size_t k;

    *at = get_u32(offs + 4 * i);
    if (!(*at & LONG_OFFSET))
        return true;
    k = *at & ~LONG_OFFSET;
    if (k >= long_count)
        return false;
    *at = (uint64_t)get_u32(longs + 8 * k) << 32 | get_u32(longs + 8 * k + 4);
    return true;
}

static enum err idx_offsets(const struct idx *x, uint64_t pack_bytes, const char *path,
                            struct errinfo *e)
{
    for (size_t i = 0; i < x->n; i++) {
        uint64_t at = 0;

        if (!idx_offset(x, i, &at))
            return err_set(ERR_CORRUPT, e, "%s: no such long offset", path);
        if (at < 12 || at >= pack_bytes - JOURNAL_OID_BYTES)
            return err_set(ERR_CORRUPT, e, "%s: an offset behind the pack's end", path);
    }
    return OK;
}

static enum err pack_fits_idx(int fd, uint64_t bytes, const char *path, const struct idx *x,
                              struct errinfo *e)
{
    uint8_t head[12];
    uint8_t sum[JOURNAL_OID_BYTES];
    enum err rc;

    if (bytes < PACK_MIN_BYTES)
        return err_set(ERR_CORRUPT, e, "%s is too short", path);
    if ((rc = read_at(fd, path, 0, head, sizeof(head), e)) ||
        (rc = read_at(fd, path, bytes - sizeof(sum), sum, sizeof(sum), e)))
        return rc;
    if (memcmp(head, "PACK\0\0\0\2", 8) != 0 || get_u32(head + 8) != x->n)
        return err_set(ERR_CORRUPT, e, "%s does not begin as a pack of %u objects", path, x->n);
    if (memcmp(sum, x->data + x->len - IDX_TRAILER_BYTES, sizeof(sum)) != 0)
        return err_set(ERR_CORRUPT, e, "%s is cut short, or not the pack of its index", path);
    return OK;
}

/* Reads the whole index and checks it; what is mapped afterwards is what was checked, since nobody
 * rewrites an index in place. */
static enum err check_files(int idx_fd, const char *idx_path, uint64_t idx_bytes, int pack_fd,
                            const char *pack_path, struct packfile *p, struct errinfo *e)
{
    struct idx x = {.data = xmalloc(idx_bytes), .len = (size_t)idx_bytes};
    enum err rc;

    if ((rc = read_at(idx_fd, idx_path, 0, x.data, x.len, e)) == OK &&
        (rc = idx_tables(&x, idx_path, e)) == OK &&
        (rc = pack_fits_idx(pack_fd, p->bytes, pack_path, &x, e)) == OK &&
        (rc = idx_offsets(&x, p->bytes, idx_path, e)) == OK)
        p->objects = x.n;
    free(x.data);
    return rc;
}

enum err idx_entries(struct idx_entry **out, size_t *n, const char *idx_path)
{
    struct idx x = {.data = NULL};
    struct idx_entry *list = NULL;
    uint64_t bytes = 0;
    int fd = -1;
    enum err rc;

    if ((rc = open_file(&fd, &bytes, idx_path, NULL)))
        goto out;
    x = (struct idx){.data = xmalloc(bytes), .len = (size_t)bytes};
    if ((rc = read_at(fd, idx_path, 0, x.data, x.len, NULL)) ||
        (rc = idx_tables(&x, idx_path, NULL)))
        goto out;
    list = xcalloc(x.n, sizeof(*list));
    for (size_t i = 0; i < x.n; i++) {
        memcpy(list[i].oid.id, x.data + IDX_HEADER_BYTES + IDX_FANOUT_BYTES + i * JOURNAL_OID_BYTES,
               JOURNAL_OID_BYTES);
        (void)idx_offset(&x, i, &list[i].offset);
    }
    *out = list;
    *n = x.n;
out:
    if (fd >= 0)
        (void)close(fd);
    free(x.data);
    return rc;
}

enum err pack_open(struct packfile *out, const char *dir, const char *name, struct errinfo *e)
{
    char *idx_path = xasprintf("%s/%s.idx", dir, name);
    char *pack_path = xasprintf("%s/%s.pack", dir, name);
    struct packfile p = {.sound = true};
    uint64_t idx_bytes = 0;
    int idx_fd = -1;
    int pack_fd = -1;
    void *map;
    enum err rc;

    if ((rc = open_file(&idx_fd, &idx_bytes, idx_path, e)) ||
        (rc = open_file(&pack_fd, &p.bytes, pack_path, e)) ||
        (rc = check_files(idx_fd, idx_path, idx_bytes, pack_fd, pack_path, &p, e)))
        goto out;
    map = mmap(NULL, (size_t)idx_bytes, PROT_READ, MAP_SHARED, idx_fd, 0);
    if (map == MAP_FAILED) {
        rc = err_sys(errno, e, "mapping %s", idx_path);
        goto out;
    }
    p.idx = map;
    p.idx_len = (size_t)idx_bytes;
    (void)snprintf(p.name, sizeof(p.name), "%s", name);
    *out = p;
out:
    if (idx_fd >= 0)
        (void)close(idx_fd);
    if (pack_fd >= 0)
        (void)close(pack_fd);
    free(idx_path);
    free(pack_path);
    return rc;
}

void pack_close(struct packfile *p)
{
    if (p->backend)
        p->backend->free(p->backend);
    if (p->idx)
        (void)munmap(p->idx, p->idx_len);
    p->backend = NULL;
    p->idx = NULL;
}

const uint8_t *pack_ids(const struct packfile *p)
{
    return p->idx + IDX_HEADER_BYTES + IDX_FANOUT_BYTES;
}

uint32_t pack_crc(const struct packfile *p, uint32_t i)
{
    return get_u32(pack_ids(p) + p->objects * JOURNAL_OID_BYTES + 4 * (size_t)i);
}

uint64_t pack_offset(const struct packfile *p, uint32_t i)
{
    const uint8_t *offs = pack_ids(p) + p->objects * (JOURNAL_OID_BYTES + 4);
    uint32_t at = get_u32(offs + 4 * (size_t)i);
    const uint8_t *far = offs + p->objects * 4 + (size_t)(at & ~LONG_OFFSET) * 8;

    return at & LONG_OFFSET ? (uint64_t)get_u32(far) << 32 | get_u32(far + 4) : at;
}

bool pack_has(const struct packfile *p, const uint8_t id[JOURNAL_OID_BYTES])
{
    const uint8_t *fan = p->idx + IDX_HEADER_BYTES;
    const uint8_t *ids = pack_ids(p);
    bool found = false;
    size_t lo, hi;

    bus_guard_begin();
    lo = id[0] ? get_u32(fan + 4 * ((size_t)id[0] - 1)) : 0;
    hi = get_u32(fan + 4 * (size_t)id[0]);
    hi = hi < p->objects ? hi : (size_t)p->objects; /* pages of a cut file read as zeros */
    while (lo < hi && !found) {
        size_t mid = lo + (hi - lo) / 2;
        int order = memcmp(id, ids + mid * JOURNAL_OID_BYTES, JOURNAL_OID_BYTES);

        found = order == 0;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    bus_guard_end();
    return found;
}

/* ---- Our backend ---- */

struct backend {
    git_odb_backend parent;
    struct journal *j;
};

/* The newest first: it is asked for most. A pack that cannot give the object, though it has it, is
 * no reason not to ask another one. */
static int backend_read(void **data, size_t *len, git_object_t *type, git_odb_backend *b,
                        const git_oid *id)
{
    const struct journal *j = ((struct backend *)b)->j;
    int g = GIT_ENOTFOUND;

    bus_guard_begin();
    for (size_t i = j->pack_count; i-- > 0 && g < 0;) {
        git_odb_backend *in = j->packs[i].backend;

        if (j->packs[i].sound && pack_has(&j->packs[i], id->id))
            g = in->read(data, len, type, in, id);
    }
    bus_guard_end();
    return g;
}

static int backend_read_header(size_t *len, git_object_t *type, git_odb_backend *b,
                               const git_oid *id)
{
    const struct journal *j = ((struct backend *)b)->j;
    int g = GIT_ENOTFOUND;

    bus_guard_begin();
    for (size_t i = j->pack_count; i-- > 0 && g < 0;) {
        git_odb_backend *in = j->packs[i].backend;

        if (j->packs[i].sound && pack_has(&j->packs[i], id->id))
            g = in->read_header(len, type, in, id);
    }
    bus_guard_end();
    return g;
}

static int backend_exists(git_odb_backend *b, const git_oid *id)
{
    const struct journal *j = ((struct backend *)b)->j;

    for (size_t i = j->pack_count; i-- > 0;)
        if (j->packs[i].sound && pack_has(&j->packs[i], id->id))
            return 1;
    return 0;
}

static void backend_free(git_odb_backend *b)
{
    free(b);
}

static int add_backends(struct journal *j, const char *objects)
{
    struct backend *ours = xcalloc(1, sizeof(*ours));
    git_odb_backend *loose = NULL;
    int g;

    ours->j = j;
    ours->parent.version = GIT_ODB_BACKEND_VERSION;
    ours->parent.read = backend_read;
    ours->parent.read_header = backend_read_header;
    ours->parent.exists = backend_exists;
    ours->parent.free = backend_free;
    if ((g = git_odb_add_backend(j->odb, &ours->parent, PACK_PRIORITY)) < 0) {
        free(ours);
        return g;
    }
    if ((g = git_odb_backend_loose(&loose, objects, -1, 1, 0, 0)) < 0)
        return g;
    if ((g = git_odb_add_backend(j->odb, loose, LOOSE_PRIORITY)) < 0)
        loose->free(loose);
    return g;
}

enum err odb_open(struct journal *j, struct errinfo *e)
{
    char *objects = xasprintf("%s/objects", j->path);
    enum err rc = OK;
    int g;

    if ((g = git_odb_new(&j->odb)) < 0 || (g = add_backends(j, objects)) < 0 ||
        (g = git_repository_set_odb(j->repo, j->odb)) < 0)
        rc = err_git(g, e, "opening %s", objects);
    free(objects);
    return rc ? rc : odb_refresh(j, e);
}

void odb_close(struct journal *j)
{
    git_odb_free(j->odb);
    for (size_t i = 0; i < j->pack_count; i++)
        pack_close(&j->packs[i]);
    free(j->packs);
}

/* ---- The list of packs ---- */

/* A pack in use that is not as long as it was is looked at again, as if it were new. */
static bool has_shrunk(const struct journal *j, const struct packfile *p)
{
    char *path = xasprintf("%s/%s.pack", j->pack_dir, p->name);
    char *idx = xasprintf("%s/%s.idx", j->pack_dir, p->name);
    struct stat st, idx_st;
    bool other = stat(path, &st) == 0 && stat(idx, &idx_st) == 0 &&
                 ((uint64_t)st.st_size != p->bytes || (size_t)idx_st.st_size != p->idx_len);

    free(path);
    free(idx);
    return other;
}

static struct packfile *find_pack(struct journal *j, const char *name)
{
    for (size_t i = 0; i < j->pack_count; i++)
        if (strcmp(j->packs[i].name, name) == 0)
            return &j->packs[i];
    return NULL;
}

static enum err open_for_reading(struct packfile *out, const struct journal *j, const char *name,
                                 struct errinfo *e)
{
    enum err rc = pack_open(out, j->pack_dir, name, e);
    char *path;
    int g;

    if (rc)
        return rc;
    path = xasprintf("%s/%s.idx", j->pack_dir, name);
    if ((g = git_odb_backend_one_pack(&out->backend, path)) < 0) {
        pack_close(out);
        rc = err_git(g, e, "opening %s", path);
    }
    free(path);
    return rc;
}

/* A pack that wasn't there at the last look, or was damaged then (`p`). A damaged one stays in the
 * list, unused, and is looked at again next time: the writer may have made its index anew. */
static enum err look_at_pack(struct journal *j, struct packfile *p, const char *name,
                             struct errinfo *e)
{
    struct errinfo why = {0};
    struct packfile now = {0};
    enum err rc = open_for_reading(&now, j, name, &why);

    if (rc == ERR_NOT_FOUND)
        return OK; /* gone between listing and looking */
    if (rc == ERR_IO)
        return err_set(rc, e, "%s", why.text);
    if (rc) {
        if (!p)
            log_warning(say("journal: a damaged pack is left out"), kv_str("pack", name),
                        kv_err(&why));
        now = (struct packfile){.sound = false};
        (void)snprintf(now.name, sizeof(now.name), "%s", name);
    }
    now.seen = true;
    if (!p) {
        j->packs = xgrow(j->packs, &j->pack_cap, j->pack_count + 1, sizeof(*j->packs));
        p = &j->packs[j->pack_count++];
    }
    *p = now;
    return OK;
}

static bool idx_name(char out[PACK_NAME_MAX], const char *file)
{
    size_t n = strlen(file);

    if (n < 10 || n - 4 >= PACK_NAME_MAX || strncmp(file, "pack-", 5) != 0 ||
        strcmp(file + n - 4, ".idx") != 0)
        return false;
    (void)snprintf(out, PACK_NAME_MAX, "%.*s", (int)(n - 4), file);
    return true;
}

enum err odb_refresh(struct journal *j, struct errinfo *e)
{
    DIR *d = opendir(j->pack_dir);
    const struct dirent *ent;
    size_t kept = 0;
    enum err rc = OK;

    if (!d)
        return err_sys(errno, e, "opening %s", j->pack_dir);
    for (size_t i = 0; i < j->pack_count; i++)
        j->packs[i].seen = false;
    while (rc == OK && (ent = readdir(d))) {
        char name[PACK_NAME_MAX];
        struct packfile *p;

        if (!idx_name(name, ent->d_name))
            continue;
        if ((p = find_pack(j, name)))
            p->seen = true;
        if (p && p->sound && has_shrunk(j, p)) {
            log_error(say("journal: a pack changed its length while it was in use"),
                      kv_str("pack", name));
            pack_close(p);
            p->sound = false;
            j->vanished++;
        }
        if (!p || !p->sound)
            rc = look_at_pack(j, p, name, e);
    }
    (void)closedir(d);
    if (rc)
        return rc; /* the packs of before are all there still */
    for (size_t i = 0; i < j->pack_count; i++) {
        if (j->packs[i].seen)
            j->packs[kept++] = j->packs[i];
        else {
            j->vanished += !j->packs[i].going;
            pack_close(&j->packs[i]);
        }
    }
    j->pack_count = kept;
    return OK;
}

/* ---- Objects ---- */

void object_done(struct object *o)
{
    git_odb_object_free(o->odb);
    free(o->heap);
    *o = (struct object){0};
}

bool odb_has(const struct journal *j, const struct journal_oid *oid)
{
    if (j->bad && oidmap_get(j->bad, oid))
        return false;
    for (size_t i = j->pack_count; i-- > 0;)
        if (j->packs[i].sound && pack_has(&j->packs[i], oid->id))
            return true;
    return false;
}

enum err object_get(struct journal *j, struct packer *p, const struct journal_oid *oid,
                    enum obj_type type, struct object *out, struct errinfo *e)
{
    git_odb_object *o = NULL;
    char hex[JOURNAL_HEX_MAX];
    git_oid id;
    enum err rc;
    int g;

    if (p && packer_get(p, oid, type, out))
        return OK;
    memcpy(id.id, oid->id, sizeof(id.id));
    journal_oid_hex(hex, oid);
    if (!odb_has(j, oid) && (rc = odb_refresh(j, e)))
        return rc;
    /* A pack may be listed, and gone before it was opened for the first time. */
    if ((g = git_odb_read(&o, j->odb, &id)) < 0 && odb_refresh(j, e) == OK)
        g = git_odb_read(&o, j->odb, &id);
    if (g == GIT_ENOTFOUND)
        return err_set(ERR_NOT_FOUND, e, "object %s is not in the journal", hex);
    if (g < 0)
        return err_git(g, e, "object %s", hex);
    if ((int)git_odb_object_type(o) != (int)type) {
        git_odb_object_free(o);
        return err_set(ERR_CORRUPT, e, "object %s is of another kind than expected", hex);
    }
    *out = (struct object){.data = git_odb_object_data(o), .len = git_odb_object_size(o), .odb = o};
    return OK;
}
