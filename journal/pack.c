/* Objects on their way to the disk. A pack is built in memory, whole objects only:
 *
 *   "PACK", u32 2, u32 objects, then for each object a varint of type and size and its zlib
 *   stream; at last the SHA-1 of all that
 *
 * and goes through libgit2's indexer, which inflates and hashes everything again (with collision
 * detection), writes pack and index, and fsyncs both and the directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"

#define PACK_HEADER_BYTES 12
#define SMALL_OBJECT_BYTES 8192
#define FEED_BYTES ((size_t)4 << 20)

struct packer_slot {
    struct journal_oid oid;
    size_t offset; /* of the zlib stream in the pack; 0: free */
    size_t len;    /* inflated */
    enum obj_type type;
};

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
    p->sha1 = EVP_MD_CTX_new();
    if (!p->sha1 || EVP_DigestInit_ex(p->sha1, EVP_sha1(), NULL) != 1)
        abort();
    if (hash_only)
        return;
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
    free(p->slots);
    *p = (struct packer){.hash_only = true};
}

static void object_id(struct packer *p, enum obj_type type, const void *data, size_t len,
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

/* The slot of an id, or the free one where it belongs. Needs a table with room. */
static struct packer_slot *slot_of(const struct packer *p, const struct journal_oid *oid)
{
    size_t i = 0;

    memcpy(&i, oid->id, sizeof(i));
    for (i &= p->slot_cap - 1; p->slots[i].offset; i = (i + 1) & (p->slot_cap - 1))
        if (oid_eq(&p->slots[i].oid, oid))
            break;
    return &p->slots[i];
}

static void slots_grow(struct packer *p)
{
    struct packer_slot *old = p->slots;
    size_t old_cap = p->slot_cap;

    if ((size_t)p->objects * 2 < old_cap)
        return;
    p->slot_cap = old_cap ? old_cap * 2 : 64;
    p->slots = xcalloc(p->slot_cap, sizeof(*p->slots));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].offset)
            *slot_of(p, &old[i].oid) = old[i];
    free(old);
}

static void put_header(struct buf *b, enum obj_type type, size_t len)
{
    uint8_t c = (uint8_t)((unsigned)type << 4 | (len & 15));

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

enum err packer_put(struct packer *p, enum obj_type type, const void *data, size_t len,
                    struct journal_oid *out, struct errinfo *e)
{
    struct packer_slot *slot;

    object_id(p, type, data, len, out);
    if (p->hash_only)
        return OK;
    slots_grow(p);
    slot = slot_of(p, out);
    if (slot->offset || odb_has(p->j, out))
        return OK;
    if (p->objects == UINT32_MAX)
        return err_set(ERR_LIMIT, e, "a pack cannot hold more objects");
    put_header(&p->pack, type, len);
    *slot = (struct packer_slot){*out, p->pack.len, len, type};
    put_deflated(p, data, len);
    p->objects++;
    return OK;
}

bool packer_get(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                struct object *out)
{
    const struct packer_slot *slot;
    z_stream z = {0};
    size_t done = 0;
    int rc = Z_OK;

    if (p->hash_only || p->objects == 0)
        return false;
    slot = slot_of(p, oid);
    if (!slot->offset || slot->type != type)
        return false;
    *out = (struct object){.heap = xmalloc(slot->len), .len = slot->len};
    out->data = out->heap;
    if (inflateInit(&z) != Z_OK)
        abort();
    z.next_in = p->pack.data + slot->offset;
    z.avail_in =
        p->pack.len - slot->offset < UINT32_MAX ? (uInt)(p->pack.len - slot->offset) : UINT32_MAX;
    while (rc == Z_OK && done < slot->len) {
        size_t room = slot->len - done < FEED_BYTES ? slot->len - done : FEED_BYTES;

        z.next_out = out->heap + done;
        z.avail_out = (uInt)room;
        rc = inflate(&z, Z_NO_FLUSH);
        done += room - z.avail_out;
    }
    (void)inflateEnd(&z);
    if (done != slot->len)
        abort(); /* we deflated it a moment ago */
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
    if ((rc = feed(ctx, ix, &st, e)) == OK) {
        FAULT("journal:before_commit");
        if ((g = git_indexer_commit(ix, &st)) < 0)
            rc = err_git(g, e, "finishing a pack in %s", dir);
        else
            (void)snprintf(name, PACK_NAME_MAX, "pack-%s", git_indexer_name(ix));
    }
    git_indexer_free(ix); /* and the temporary file with it, if the pack was not finished */
    return rc;
}

struct memory {
    const uint8_t *data;
    size_t len;
};

static enum err feed_memory(void *ctx, git_indexer *ix, git_indexer_progress *st, struct errinfo *e)
{
    struct memory *m = ctx;
    int g;

    while (m->len) {
        size_t n = m->len < FEED_BYTES ? m->len : FEED_BYTES;

        if ((g = git_indexer_append(ix, m->data, n, st)) < 0)
            return err_git(g, e, "writing a pack");
        m->data += n;
        m->len -= n;
    }
    return OK;
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

enum err pack_install(struct journal *j, const uint8_t *data, size_t len, struct errinfo *e)
{
    struct memory m = {data, len};
    char hex[OID_HEX_CHARS + 1];
    char name[PACK_NAME_MAX];
    char *keep;
    enum err rc;

    hex_write(hex, data + len - JOURNAL_OID_BYTES, JOURNAL_OID_BYTES);
    keep = xasprintf("%s/pack-%s.keep", j->pack_dir, hex);
    if ((rc = keep_file(keep, e)))
        goto out;
    FAULT("journal:after_keep");
    if ((rc = pack_index(j->pack_dir, name, feed_memory, &m, e)))
        (void)unlink(keep);
    else
        rc = odb_refresh(j, e);
    FAULT("journal:after_pack");
out:
    free(keep);
    return rc;
}

enum err packer_install(struct packer *p, struct errinfo *e)
{
    struct journal_oid sum;

    if (p->objects == 0)
        return OK;
    memcpy(p->pack.data, "PACK", 4);
    put_u32(p->pack.data + 4, 2);
    put_u32(p->pack.data + 8, p->objects);
    if (EVP_Digest(p->pack.data, p->pack.len, sum.id, NULL, EVP_sha1(), NULL) != 1)
        abort();
    buf_put(&p->pack, sum.id, sizeof(sum.id));
    return pack_install(p->j, p->pack.data, p->pack.len, e);
}
