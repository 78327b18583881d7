/* Objects on their way to the disk. A pack is built in memory:
 *
 *   "PACK", u32 2, u32 objects, then for each object a varint of type and size and its zlib
 *   stream; at last the SHA-1 of all that
 *
 * Objects are whole, but for those that take the place of one that is in the same pack: these are
 * deltas to it. So of a hundred changes to a zone the upper trees, the part with the SOA and the
 * commits are there once, and what differs ninety-nine times.
 *
 * Ids are computed by libgit2's SHA-1, which detects collision attacks: a primary may choose what
 * is in a blob.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/bus.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"

#define PACK_HEADER_BYTES 12
#define SMALL_OBJECT_BYTES 8192
#define FEED_BYTES ((size_t)4 << 20)

#define TREE_STREAM_BYTES 65535 /* that much fits a stored block */
#define OFS_DELTA 6
#define DEPTH_MAX 24                  /* reading inflates so many objects, at most */
#define BODIES_MAX ((size_t)32 << 20) /* of a batch; more is inflated when it is needed */
#define BODY_MAX ((size_t)256 << 10)  /* of one object */

static const char *type_word(enum obj_type type)
{
    switch (type) {
    case OBJ_COMMIT:
        return "commit";
    case OBJ_TREE:
        return "tree";
    case OBJ_BLOB:
        return "blob";
    }
    return "?";
}

static void deflate_open(z_stream *z, int window_bits, int mem_level)
{
    *z = (z_stream){0};
    if (deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, window_bits, mem_level, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        abort(); /* out of memory, as xmalloc */
}

void packer_init(struct packer *p, struct journal *j, bool hash_only)
{
    *p = (struct packer){.j = j, .hash_only = hash_only};
    if (hash_only) {
        p->sha1 = EVP_MD_CTX_new();
        if (!p->sha1 || EVP_DigestInit_ex(p->sha1, EVP_sha1(), NULL) != 1)
            abort();
        return;
    }
    deflate_open(&p->small, 13, 5);
    deflate_open(&p->large, 15, 8);
    (void)memset(buf_space(&p->pack, PACK_HEADER_BYTES), 0, PACK_HEADER_BYTES);
}

void packer_done(struct packer *p)
{
    EVP_MD_CTX_free(p->sha1);
    if (!p->hash_only) {
        (void)deflateEnd(&p->small);
        (void)deflateEnd(&p->large);
    }
    buf_free(&p->pack);
    buf_free(&p->bodies);
    buf_free(&p->delta);
    free(p->objects);
    free(p->slots);
    *p = (struct packer){.hash_only = true};
}

/* Nothing is stored under it, so it needs no look for collisions, which makes it slow. */
static void fast_id(struct packer *p, enum obj_type type, const void *data, size_t len,
                    struct journal_oid *out)
{
    char head[32];
    int n = snprintf(head, sizeof(head), "%s %zu", type_word(type), len);

    if (EVP_DigestInit_ex(p->sha1, NULL, NULL) != 1 ||
        EVP_DigestUpdate(p->sha1, head, (size_t)n + 1) != 1 ||
        EVP_DigestUpdate(p->sha1, data, len) != 1 ||
        EVP_DigestFinal_ex(p->sha1, out->id, NULL) != 1)
        abort();
}

static enum err checked_id(enum obj_type type, const void *data, size_t len,
                           struct journal_oid *out, struct errinfo *e)
{
    git_oid id;
    int g = git_odb_hash(&id, data, len, (git_object_t)type);

    if (g < 0)
        return err_git(g, e, "an object of %zu octets", len);
    memcpy(out->id, id.id, sizeof(out->id));
    return OK;
}

/* The slot of an id, or the free one where it belongs. Needs a table with room. */
static uint32_t *slot_of(const struct packer *p, const struct journal_oid *oid)
{
    size_t i = 0;

    memcpy(&i, oid->id, sizeof(i));
    for (i &= p->slot_cap - 1; p->slots[i]; i = (i + 1) & (p->slot_cap - 1))
        if (oid_eq(&p->objects[p->slots[i] - 1].oid, oid))
            break;
    return &p->slots[i];
}

static const struct packer_object *find_object(const struct packer *p,
                                               const struct journal_oid *oid)
{
    uint32_t at = p->n ? *slot_of(p, oid) : 0;

    return at ? &p->objects[at - 1] : NULL;
}

static void slots_grow(struct packer *p)
{
    size_t cap = p->slot_cap ? p->slot_cap * 2 : 64;

    if (p->n * 2 < p->slot_cap)
        return;
    free(p->slots);
    p->slots = xcalloc(cap, sizeof(*p->slots));
    p->slot_cap = cap;
    for (size_t i = 0; i < p->n; i++)
        *slot_of(p, &p->objects[i].oid) = (uint32_t)i + 1;
}

static void put_header(struct buf *b, unsigned type, size_t len)
{
    uint8_t c = (uint8_t)(type << 4 | (len & 15));

    for (len >>= 4; len; len >>= 7) {
        buf_u8(b, c | 0x80);
        c = len & 0x7f;
    }
    buf_u8(b, c);
}

static void put_deflated(struct packer *p, const void *data, size_t len)
{
    z_stream *z = len <= SMALL_OBJECT_BYTES ? &p->small : &p->large;
    const uint8_t *in = data;
    int rc;

    (void)deflateReset(z);
    buf_reserve(&p->pack, deflateBound(z, (uLong)(len < FEED_BYTES ? len : FEED_BYTES)));
    do {
        size_t n = len < FEED_BYTES ? len : FEED_BYTES;

        z->next_in = in;
        z->avail_in = (uInt)n;
        in += n;
        len -= n;
        do {
            size_t room;

            buf_reserve(&p->pack, 4096);
            room = p->pack.cap - p->pack.len;
            room = room < FEED_BYTES ? room : FEED_BYTES;
            z->next_out = p->pack.data + p->pack.len;
            z->avail_out = (uInt)room;
            rc = deflate(z, len ? Z_NO_FLUSH : Z_FINISH);
            p->pack.len += room - z->avail_out;
        } while (z->avail_out == 0 && rc != Z_STREAM_END);
    } while (rc != Z_STREAM_END);
}

/* A zlib stream of one stored block: ids do not get shorter. */
static void put_stored(struct packer *p, const void *data, size_t len)
{
    uint32_t sum = (uint32_t)adler32(1, data, (uInt)len);
    uint16_t n = (uint16_t)len;
    const uint8_t head[] = {
        0x78, 0x01, 1, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n, (uint8_t)(~n >> 8)};

    buf_put(&p->pack, head, sizeof(head));
    buf_put(&p->pack, data, len);
    buf_u32(&p->pack, sum);
}

static void put_stream(struct packer *p, enum obj_type type, const void *data, size_t len)
{
    if (type == OBJ_TREE && len <= TREE_STREAM_BYTES)
        put_stored(p, data, len);
    else
        put_deflated(p, data, len);
}

/* The distance to the base, as git writes it: big end first, and one less for each octet more. */
static void put_distance(struct buf *b, uint64_t d)
{
    uint8_t octets[10];
    size_t i = sizeof(octets) - 1;

    octets[i] = d & 0x7f;
    while (d >>= 7) {
        d--;
        octets[--i] = (uint8_t)(0x80 | (d & 0x7f));
    }
    buf_put(b, octets + i, sizeof(octets) - i);
}

/* Puts what differs from `base`; false if it isn't worth while. */
static bool put_delta(struct packer *p, const struct packer_object *base, struct packer_object *o,
                      const void *data)
{
    struct delta_text from, to = {data, o->len};

    if (!base || !base->body || base->type != o->type || base->depth >= DEPTH_MAX)
        return false;
    from = (struct delta_text){p->bodies.data + base->body - 1, base->len};
    p->delta.len = 0;
    delta_encode(&p->delta, &from, &to);
    if (p->delta.len > o->len / 2)
        return false;
    put_header(&p->pack, OFS_DELTA, p->delta.len);
    put_distance(&p->pack, o->at - base->at);
    put_stream(p, o->type, p->delta.data, p->delta.len);
    o->depth = base->depth + 1;
    return true;
}

static void put_object(struct packer *p, const struct packer_object *base, struct packer_object *o,
                       const void *data)
{
    o->at = p->pack.len;
    if (!put_delta(p, base, o, data)) {
        put_header(&p->pack, o->type, o->len);
        o->stream = p->pack.len;
        put_stream(p, o->type, data, o->len);
    }
    o->crc = (uint32_t)crc32_z(0, p->pack.data + o->at, p->pack.len - o->at);
}

/* ---- Packs made of others ---- */

static uint64_t add_entry(struct packer *p, const struct journal_oid *oid, uint64_t at)
{
    p->objects = xgrow(p->objects, &p->cap, p->n + 1, sizeof(*p->objects));
    p->objects[p->n++] = (struct packer_object){
        .oid = *oid,
        .at = at,
        .crc = (uint32_t)crc32_z(0, p->pack.data + at, p->pack.len - (size_t)at),
    };
    return at;
}

uint64_t packer_copy(struct packer *p, const struct journal_oid *oid, const uint8_t *entry,
                     size_t n)
{
    uint64_t at = p->pack.len;

    buf_put(&p->pack, entry, n);
    return add_entry(p, oid, at);
}

uint64_t packer_copy_delta(struct packer *p, const struct journal_oid *oid, uint64_t base_at,
                           size_t size, const uint8_t *stream, size_t n)
{
    uint64_t at = p->pack.len;

    put_header(&p->pack, OFS_DELTA, size);
    put_distance(&p->pack, at - base_at);
    buf_put(&p->pack, stream, n);
    return add_entry(p, oid, at);
}

uint64_t packer_put_whole(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                          const void *data, size_t len)
{
    uint64_t at = p->pack.len;

    put_header(&p->pack, type, len);
    put_deflated(p, data, len);
    return add_entry(p, oid, at);
}

/* What replaces an old pack is looked at twice: a wrong delta would be the end of a version. */
uint64_t packer_put_delta(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                          uint64_t base_at, const struct delta_text *base,
                          const struct delta_text *to, size_t limit)
{
    uint64_t at = p->pack.len;

    p->delta.len = 0;
    delta_encode(&p->delta, base, to);
    if (!delta_check(&p->delta, base, to))
        abort(); /* we made it a moment ago */
    put_header(&p->pack, OFS_DELTA, p->delta.len);
    put_distance(&p->pack, at - base_at);
    put_stream(p, type, p->delta.data, p->delta.len);
    if (p->pack.len - at < limit)
        return add_entry(p, oid, at);
    p->pack.len = (size_t)at;
    return 0;
}

/* ---- Putting ---- */

/* Behind what may still be read from the bodies as the base. */
static void keep_body(struct packer *p, struct packer_object *o, const void *data)
{
    if (!p->keep_bodies || o->len > BODY_MAX || p->bodies.len + o->len > BODIES_MAX)
        return;
    o->body = p->bodies.len + 1;
    buf_put(&p->bodies, data, o->len);
}

enum err packer_put_after(struct packer *p, enum obj_type type, const void *data, size_t len,
                          const struct journal_oid *before, struct journal_oid *out,
                          struct errinfo *e)
{
    struct packer_object o = {.len = len, .type = type};
    uint32_t *slot;
    enum err rc;

    if (p->hash_only) {
        fast_id(p, type, data, len, out);
        return OK;
    }
    if ((rc = checked_id(type, data, len, &o.oid, e)))
        return rc;
    *out = o.oid;
    slots_grow(p);
    slot = slot_of(p, &o.oid);
    if (*slot || odb_has(p->j, &o.oid))
        return OK;
    if (p->n == UINT32_MAX - 1)
        return err_set(ERR_LIMIT, e, "a pack cannot hold more objects");
    put_object(p, before ? find_object(p, before) : NULL, &o, data);
    keep_body(p, &o, data);
    p->objects = xgrow(p->objects, &p->cap, p->n + 1, sizeof(*p->objects));
    p->objects[p->n++] = o;
    *slot = (uint32_t)p->n;
    return OK;
}

enum err packer_put(struct packer *p, enum obj_type type, const void *data, size_t len,
                    struct journal_oid *out, struct errinfo *e)
{
    return packer_put_after(p, type, data, len, NULL, out, e);
}

bool packer_has(const struct packer *p, const struct journal_oid *oid)
{
    return p && !p->hash_only && find_object(p, oid);
}

/* From the pack; not for a delta. */
static void inflate_again(const struct packer *p, const struct packer_object *o, uint8_t *to)
{
    z_stream z = {0};
    size_t left = p->pack.len - o->stream;
    size_t done = 0;
    int rc = Z_OK;

    if (inflateInit(&z) != Z_OK)
        abort();
    z.next_in = p->pack.data + o->stream;
    z.avail_in = left < UINT32_MAX ? (uInt)left : UINT32_MAX;
    while (rc == Z_OK && done < o->len) {
        size_t room = o->len - done < FEED_BYTES ? o->len - done : FEED_BYTES;

        z.next_out = to + done;
        z.avail_out = (uInt)room;
        rc = inflate(&z, Z_NO_FLUSH);
        done += room - z.avail_out;
    }
    (void)inflateEnd(&z);
    if (done != o->len)
        abort(); /* we deflated it a moment ago */
}

bool packer_get(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                struct object *out)
{
    const struct packer_object *o = p->hash_only ? NULL : find_object(p, oid);

    if (!o || o->type != type)
        return false;
    *out = (struct object){.heap = xmalloc(o->len), .len = o->len};
    out->data = out->heap;
    if (o->body)
        memcpy(out->heap, p->bodies.data + o->body - 1, o->len);
    else
        inflate_again(p, o, out->heap);
    return true;
}

/* ---- To the disk ---- */

enum err pack_index(const char *dir, char name[PACK_NAME_MAX], pack_feed_fn *feed, void *ctx,
                    struct errinfo *e)
{
    git_indexer *ix = NULL;
    git_indexer_progress st = {0};
    enum err rc;
    int g;

    if ((g = git_indexer_new(&ix, dir, 0, NULL, NULL)) < 0)
        return err_git(g, e, "starting a pack in %s", dir);
    bus_guard_begin(); /* it maps what it has written */
    if ((rc = feed(ctx, ix, &st, e)) == OK) {
        FAULT("journal:before_commit");
        if ((g = git_indexer_commit(ix, &st)) < 0)
            rc = err_git(g, e, "finishing a pack in %s", dir);
        else
            (void)snprintf(name, PACK_NAME_MAX, "pack-%s", git_indexer_name(ix));
    }
    bus_guard_end();
    git_indexer_free(ix); /* and the temporary file with it, if the pack was not finished */
    return rc;
}

/* Before the pack shows up, so that a `git gc` by hand at this very moment leaves it alone: its
 * commits have no ref yet. Not synced: after a crash there is no gc running. */
static enum err keep_file(const char *path, struct errinfo *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0)
        return err_file(errno, e, "creating", path);
    if (write(fd, KEEP_TEXT, strlen(KEEP_TEXT)) != (ssize_t)strlen(KEEP_TEXT)) {
        int why = errno;

        (void)close(fd);
        (void)unlink(path);
        return err_file(why, e, "writing", path);
    }
    return close(fd) == 0 ? OK : err_file(errno, e, "closing", path);
}

enum err journal_adopt_packs(struct journal *j, struct errinfo *e)
{
    enum err rc = odb_refresh(j, e);

    for (size_t i = 0; i < j->pack_count && rc == OK; i++) {
        char *keep = xasprintf("%s/%s.keep", j->pack_dir, j->packs[i].name);

        if (access(keep, F_OK) != 0)
            rc = keep_file(keep, e);
        free(keep);
    }
    return rc ? rc : dir_sync(j->pack_dir, e);
}

/* The pack's name is its checksum. */
static void pack_finish(struct packer *p, char name[PACK_NAME_MAX])
{
    struct journal_oid sum;
    char hex[OID_HEX_CHARS + 1];

    memcpy(p->pack.data, "PACK", 4);
    put_u32(p->pack.data + 4, 2);
    put_u32(p->pack.data + 8, (uint32_t)p->n);
    if (EVP_Digest(p->pack.data, p->pack.len, sum.id, NULL, EVP_sha1(), NULL) != 1)
        abort();
    buf_put(&p->pack, sum.id, sizeof(sum.id));
    hex_write(hex, sum.id, sizeof(sum.id));
    (void)snprintf(name, PACK_NAME_MAX, "pack-%s", hex);
}

enum err packer_install(struct packer *p, struct errinfo *e)
{
    struct pack_entry *entries;
    char name[PACK_NAME_MAX];
    char *keep;
    enum err rc;

    if (p->n == 0)
        return OK;
    pack_finish(p, name);
    entries = xmalloc(p->n * sizeof(*entries));
    for (size_t i = 0; i < p->n; i++)
        entries[i] = (struct pack_entry){p->objects[i].oid, p->objects[i].at, p->objects[i].crc};
    keep = xasprintf("%s/%s.keep", p->j->pack_dir, name);
    if ((rc = keep_file(keep, e)) == OK) {
        FAULT("journal:after_keep");
        if ((rc = pack_write(p->j->pack_dir, name, &p->pack, entries, (uint32_t)p->n, e)))
            (void)unlink(keep);
        else
            rc = odb_refresh(p->j, e);
        FAULT("journal:after_pack");
    }
    free(keep);
    free(entries);
    return rc;
}
