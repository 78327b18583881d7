/* A pack's object is a varint of type and size and a zlib stream. A delta's stream is: size of the
 * base, size of the result, then copies from the base and octets to insert; its base stands before
 * it in the pack (by distance), or anywhere in it (by id).
 */
#include "journal/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define OBJECT_MAX ((uint64_t)1 << 30)
#define INFLATE_MAX 1100 /* zlib makes no more octets of one */
#define DEPTH_MAX 256    /* git makes chains of 50 */
#define HEADER_MAX 64
#define PACK_HEADER 12
#define TRAILER JOURNAL_OID_BYTES
#define CHUNK 16384

enum { OFS_DELTA = 6, REF_DELTA = 7 };

struct damaged {
    int fd;
    uint64_t bytes;
    struct oidmap at; /* id -> offset */
    struct journal_oid *ids;
    size_t n, cap;
};

struct content {
    struct buf data;
    unsigned type;
    uint64_t end; /* of its stream, in the pack */
};

static size_t read_some(const struct damaged *d, uint64_t at, uint8_t *to, size_t n)
{
    ssize_t got;

    if (at >= d->bytes)
        return 0;
    do {
        got = pread(d->fd, to, n, (off_t)at);
    } while (got < 0 && errno == EINTR);
    return got > 0 ? (size_t)got : 0;
}

/* Exactly `size` octets come out of the stream. */
static bool inflate_at(const struct damaged *d, uint64_t at, uint64_t size, struct buf *out,
                       uint64_t *end)
{
    uint8_t chunk[CHUNK];
    z_stream z = {0};
    uint8_t over;
    int rc = Z_OK;

    if (size > OBJECT_MAX || size / INFLATE_MAX > d->bytes || inflateInit(&z) != Z_OK)
        return false;
    out->len = 0;
    buf_reserve(out, (size_t)size + 1);
    z.next_out = out->data;
    z.avail_out = (uInt)size;
    while (rc == Z_OK) {
        if (z.avail_in == 0) {
            size_t n = read_some(d, at, chunk, sizeof(chunk));

            if (n == 0)
                break;
            at += n;
            z.next_in = chunk;
            z.avail_in = (uInt)n;
        }
        if (z.avail_out == 0 && z.total_out == size) {
            z.next_out = &over; /* only the stream's end may follow */
            z.avail_out = 1;
        }
        rc = inflate(&z, Z_NO_FLUSH);
        if (z.total_out > size)
            rc = Z_DATA_ERROR;
    }
    *end = at - z.avail_in;
    (void)inflateEnd(&z);
    out->len = (size_t)size;
    return rc == Z_STREAM_END && z.total_out == size;
}

struct header {
    unsigned type;
    uint64_t size;
    size_t len;
    uint64_t base; /* offset, of a delta; 0: not to be had */
};

static bool take_distance(uint64_t *out, const uint8_t *p, size_t n, size_t *at)
{
    uint64_t v;

    if (*at >= n)
        return false;
    v = p[*at] & 0x7f;
    while (p[(*at)++] & 0x80) {
        if (*at >= n || v >= UINT64_MAX >> 8)
            return false;
        v = (v + 1) << 7 | (p[*at] & 0x7f);
    }
    *out = v;
    return true;
}

static bool read_header(const struct damaged *d, uint64_t at, struct header *out)
{
    uint8_t p[HEADER_MAX];
    size_t n = read_some(d, at, p, sizeof(p));
    size_t i = 0;
    unsigned shift = 4;
    uint64_t distance = 0;

    if (n == 0)
        return false;
    *out = (struct header){.type = p[0] >> 4 & 7, .size = p[0] & 15};
    while (p[i++] & 0x80) {
        if (i >= n || shift > 50)
            return false;
        out->size |= (uint64_t)(p[i] & 0x7f) << shift;
        shift += 7;
    }
    if (out->type == OFS_DELTA) {
        if (!take_distance(&distance, p, n, &i) || distance == 0 || distance >= at)
            return false;
        out->base = at - distance;
    } else if (out->type == REF_DELTA) {
        struct journal_oid oid;

        if (n - i < sizeof(oid.id))
            return false;
        memcpy(oid.id, p + i, sizeof(oid.id));
        i += sizeof(oid.id);
        out->base = oidmap_get(&d->at, &oid);
    }
    out->len = i;
    return true;
}

static bool take_size(uint64_t *out, const uint8_t **p, const uint8_t *end)
{
    unsigned shift = 0;

    *out = 0;
    while (*p < end && shift < 56) {
        uint8_t c = *(*p)++;

        *out |= (uint64_t)(c & 0x7f) << shift;
        shift += 7;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

/* The offset and length that a copy's bits say are there. */
static bool take_copy(uint8_t op, const uint8_t **p, const uint8_t *end, size_t *from, size_t *n)
{
    size_t v[2] = {0, 0};

    for (unsigned bit = 0; bit < 7; bit++) {
        if (!(op >> bit & 1))
            continue;
        if (*p >= end)
            return false;
        v[bit / 4] |= (size_t) * (*p)++ << 8 * (bit % 4);
    }
    *from = v[0];
    *n = v[1] ? v[1] : 0x10000;
    return true;
}

static bool apply_delta(struct buf *out, const struct buf *base, const struct buf *delta)
{
    const uint8_t *p = delta->data;
    const uint8_t *end = p + delta->len;
    uint64_t base_size, size;

    if (!take_size(&base_size, &p, end) || !take_size(&size, &p, end) || base_size != base->len ||
        size > OBJECT_MAX)
        return false;
    buf_reserve(out, (size_t)size);
    while (p < end && out->len <= size) {
        uint8_t op = *p++;
        size_t from = 0, n = op;

        if (op == 0 || (op & 0x80 && !take_copy(op, &p, end, &from, &n)))
            return false;
        if (op & 0x80) {
            if (from > base->len || n > base->len - from)
                return false;
            buf_put(out, base->data + from, n);
        } else {
            if (n > (size_t)(end - p))
                return false;
            buf_put(out, p, n);
            p += n;
        }
    }
    return out->len == size;
}

static bool read_object(const struct damaged *d, uint64_t at, unsigned depth, struct content *out)
{
    struct header h;
    struct content base = {.type = 0};
    struct buf delta = BUF_INIT;
    bool good;

    if (depth > DEPTH_MAX || at < PACK_HEADER || !read_header(d, at, &h))
        return false;
    if (h.type >= OBJ_COMMIT && h.type <= OBJ_BLOB) {
        out->type = h.type;
        return inflate_at(d, at + h.len, h.size, &out->data, &out->end);
    }
    good = (h.type == OFS_DELTA || h.type == REF_DELTA) &&
           inflate_at(d, at + h.len, h.size, &delta, &out->end) && h.base &&
           read_object(d, h.base, depth + 1, &base) && apply_delta(&out->data, &base.data, &delta);
    out->type = base.type;
    buf_free(&base.data);
    buf_free(&delta);
    return good;
}

static bool id_of(struct journal_oid *out, const struct content *c)
{
    git_oid id;

    if (git_odb_hash(&id, c->data.data, c->data.len, (git_object_t)c->type) < 0)
        return false;
    memcpy(out->id, id.id, sizeof(out->id));
    return true;
}

/* ---- Where objects are ---- */

static void add(struct damaged *d, const struct journal_oid *oid, uint64_t at)
{
    d->ids = xgrow(d->ids, &d->cap, d->n + 1, sizeof(*d->ids));
    d->ids[d->n++] = *oid;
    oidmap_put(&d->at, oid, at);
}

static bool take_index(struct damaged *d, const char *path)
{
    size_t n = 0;
    struct idx_entry *list = NULL;

    if (idx_entries(&list, &n, path) != OK)
        return false;
    for (size_t i = 0; i < n; i++)
        add(d, &list[i].oid, list[i].offset ? list[i].offset : 1);
    free(list);
    return true;
}

/* Without an index: from one object to the next, as long as they are whole. */
static void scan(struct damaged *d)
{
    uint64_t at = PACK_HEADER;

    while (at + TRAILER < d->bytes) {
        struct content c = {.type = 0};
        struct journal_oid oid;
        bool good = read_object(d, at, 0, &c) && id_of(&oid, &c);

        if (good)
            add(d, &oid, at);
        buf_free(&c.data);
        if (!good || c.end <= at)
            return;
        at = c.end;
    }
}

static enum err tell(struct damaged *d, salvage_fn *f, void *ctx, struct errinfo *e)
{
    enum err rc = OK;

    for (size_t i = 0; i < d->n && rc == OK; i++) {
        struct content c = {.type = 0};
        struct journal_oid oid;

        if (read_object(d, oidmap_get(&d->at, &d->ids[i]), 0, &c) && id_of(&oid, &c) &&
            oid_eq(&oid, &d->ids[i]))
            rc = f(ctx, &oid, (enum obj_type)c.type, c.data.data ? (void *)c.data.data : "",
                   c.data.len, e);
        else
            rc = f(ctx, &d->ids[i], OBJ_BLOB, NULL, 0, e);
        buf_free(&c.data);
    }
    return rc;
}

enum err pack_salvage(const char *stem, salvage_fn *f, void *ctx, struct errinfo *e)
{
    char *pack = xasprintf("%s.pack", stem);
    char *idx = xasprintf("%s.idx", stem);
    struct damaged d = {.fd = open(pack, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat st;
    enum err rc = OK;

    if (d.fd < 0 || fstat(d.fd, &st) < 0) {
        rc = errno == ENOENT ? err_set(ERR_NOT_FOUND, e, "%s is not there", pack)
                             : err_sys(errno, e, "opening %s", pack);
    } else {
        d.bytes = (uint64_t)st.st_size;
        if (!take_index(&d, idx))
            scan(&d);
        rc = tell(&d, f, ctx, e);
    }
    if (d.fd >= 0)
        (void)close(d.fd);
    oidmap_done(&d.at);
    free(d.ids);
    free(pack);
    free(idx);
    return rc;
}
