/* A pack of ours on its way to the disk: the pack, the index made of what the packer knows, both
 * durable before either has its name. The pack's name comes first, so that there never is an index
 * without its pack; a pack without its index is what the next start makes one for.
 *
 * libgit2's indexer would inflate and hash everything again, find bases of deltas by search, and
 * sync four times; it is left to packs whose objects we do not know (merged and foreign ones).
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

#define LONG_OFFSET UINT32_C(0x80000000)
#define FILE_MODE 0444
#define PIECE_BYTES ((size_t)1 << 20)

static int entry_cmp(const void *a, const void *b)
{
    return memcmp(((const struct pack_entry *)a)->oid.id, ((const struct pack_entry *)b)->oid.id,
                  JOURNAL_OID_BYTES);
}

static void put_sum(struct buf *b)
{
    uint8_t sum[JOURNAL_OID_BYTES];

    if (EVP_Digest(b->data, b->len, sum, NULL, EVP_sha1(), NULL) != 1)
        abort();
    buf_put(b, sum, sizeof(sum));
}

/* Version 2: header, counts, ids, CRCs, offsets, long offsets, the pack's checksum, its own. */
static void idx_encode(struct buf *out, const struct pack_entry *sorted, uint32_t n,
                       const uint8_t *pack_sum)
{
    static const uint8_t magic[8] = {0xff, 't', 'O', 'c', 0, 0, 0, 2};
    uint32_t longs = 0;
    uint32_t k = 0;

    buf_put(out, magic, sizeof(magic));
    for (unsigned i = 0; i < 256; i++) {
        while (k < n && sorted[k].oid.id[0] == i)
            k++;
        buf_u32(out, k);
    }
    for (uint32_t i = 0; i < n; i++)
        buf_put(out, sorted[i].oid.id, JOURNAL_OID_BYTES);
    for (uint32_t i = 0; i < n; i++)
        buf_u32(out, sorted[i].crc);
    for (uint32_t i = 0; i < n; i++)
        buf_u32(out, sorted[i].at < LONG_OFFSET ? (uint32_t)sorted[i].at : LONG_OFFSET | longs++);
    for (uint32_t i = 0; i < n; i++) {
        if (sorted[i].at >= LONG_OFFSET) {
            buf_u32(out, (uint32_t)(sorted[i].at >> 32));
            buf_u32(out, (uint32_t)sorted[i].at);
        }
    }
    buf_put(out, pack_sum, JOURNAL_OID_BYTES);
    put_sum(out);
}

/* In pieces that are on the disk one by one: whoever else waits for the file system's journal would
 * wait for all that is written and not there yet. */
static enum err write_all(int fd, const char *path, const struct buf *b, struct errinfo *e)
{
    size_t done = 0;

    while (done < b->len) {
        size_t want = b->len - done < PIECE_BYTES ? b->len - done : PIECE_BYTES;
        ssize_t n = write(fd, b->data + done, want);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_file(errno, e, "writing", path);
        done += (size_t)n;
        if (done < b->len && fdatasync(fd) < 0)
            return err_file(errno, e, "fsync of", path);
    }
    return fsync(fd) < 0 ? err_file(errno, e, "fsync of", path) : OK;
}

static enum err write_file(const char *path, const struct buf *b, struct errinfo *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    enum err rc;

    if (fd < 0)
        return err_file(errno, e, "creating", path);
    rc = write_all(fd, path, b, e);
    if (close(fd) < 0 && rc == OK)
        rc = err_file(errno, e, "closing", path);
    return rc;
}

static enum err rename_to(const char *from, const char *to, struct errinfo *e)
{
    return rename(from, to) < 0 ? err_file(errno, e, "renaming", from) : OK;
}

/* The temporary names are those that libgit2 takes, since these are swept already. */
static enum err write_both(const char *dir, const char *name, const struct buf *pack,
                           const struct buf *idx, struct errinfo *e)
{
    char *tmp_pack = xasprintf("%s/pack_git2_%s.p", dir, name);
    char *tmp_idx = xasprintf("%s/pack_git2_%s.i", dir, name);
    char *pack_path = xasprintf("%s/%s.pack", dir, name);
    char *idx_path = xasprintf("%s/%s.idx", dir, name);
    enum err rc;

    (void)unlink(tmp_pack); /* of a writing that failed: read-only, so not to be opened again */
    (void)unlink(tmp_idx);
    if ((rc = write_file(tmp_pack, pack, e)) == OK && (rc = write_file(tmp_idx, idx, e)) == OK) {
        FAULT("journal:before_commit");
        rc = rename_to(tmp_pack, pack_path, e);
        FAULT("journal:between_names");
        if (rc == OK && (rc = rename_to(tmp_idx, idx_path, e)) == OK)
            rc = dir_sync(dir, e);
    }
    if (rc) {
        (void)unlink(tmp_pack);
        (void)unlink(tmp_idx);
    }
    free(tmp_pack);
    free(tmp_idx);
    free(pack_path);
    free(idx_path);
    return rc;
}

enum err pack_write(const char *dir, const char *name, const struct buf *pack,
                    struct pack_entry *entries, uint32_t n, struct errinfo *e)
{
    struct buf idx = BUF_INIT;
    enum err rc;

    qsort(entries, n, sizeof(*entries), entry_cmp);
    idx_encode(&idx, entries, n, pack->data + pack->len - JOURNAL_OID_BYTES);
    rc = write_both(dir, name, pack, &idx, e);
    buf_free(&idx);
    return rc;
}
