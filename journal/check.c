#include "journal/check.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/salvage.h"
#include "lib/base/mem.h"

#define READ_BYTES ((size_t)1 << 20)

struct journal_check *journal_check_new(struct journal *j)
{
    struct journal_check *c = xcalloc(1, sizeof(*c));

    c->j = j;
    return c;
}

void journal_check_free(struct journal_check *c)
{
    if (!c)
        return;
    if (c->j->bad == &c->bad)
        c->j->bad = NULL;
    oidmap_done(&c->whole);
    oidmap_done(&c->bad);
    free(c->damaged);
    free(c);
}

/* ---- Packs ---- */

/* The pack's last octets are the checksum of all before. */
static bool pack_sum_holds(const char *path)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    uint8_t last[JOURNAL_OID_BYTES] = {0};
    uint8_t *chunk = xmalloc(READ_BYTES + sizeof(last));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t held = 0; /* of the end, which may be the checksum */
    ssize_t n = -1;

    if (!md || EVP_DigestInit_ex(md, EVP_sha1(), NULL) != 1)
        abort();
    while (fd >= 0 && (n = read(fd, chunk + held, READ_BYTES)) > 0) {
        size_t have = held + (size_t)n;

        held = have < sizeof(last) ? have : sizeof(last);
        (void)EVP_DigestUpdate(md, chunk, have - held);
        memmove(chunk, chunk + have - held, held);
    }
    memcpy(last, chunk, held);
    (void)EVP_DigestFinal_ex(md, sum, NULL);
    EVP_MD_CTX_free(md);
    if (fd >= 0)
        (void)close(fd);
    free(chunk);
    return n == 0 && held == sizeof(last) && memcmp(sum, last, sizeof(last)) == 0;
}

struct look {
    struct journal_check *c;
    uint64_t damaged;
    struct journal_oid first;
};

static enum err on_object(void *ctx, const struct journal_oid *oid, enum obj_type type,
                          const void *data, size_t len, struct errinfo *e)
{
    struct look *l = ctx;

    (void)type;
    (void)len;
    (void)e;
    if (data)
        return OK;
    if (l->damaged++ == 0)
        l->first = *oid;
    oidmap_put(&l->c->bad, oid, 1);
    return OK;
}

static void note_damaged(struct journal_check *c, const char *name)
{
    c->damaged = xgrow(c->damaged, &c->damaged_cap, c->damaged_count + 1, sizeof(*c->damaged));
    (void)snprintf(c->damaged[c->damaged_count++], PACK_NAME_MAX, "%s", name);
}

static enum err look_into(struct journal_check *c, const struct packfile *p, journal_fault_fn *f,
                          void *ctx, struct errinfo *e)
{
    struct look l = {.c = c};
    char *stem = xasprintf("%s/%s", c->j->pack_dir, p->name);
    char hex[JOURNAL_HEX_MAX];
    char *text;
    enum err rc = pack_salvage(stem, on_object, &l, e);

    free(stem);
    if (rc == ERR_NOT_FOUND)
        return OK; /* merged into another one just now */
    if (rc)
        return rc;
    note_damaged(c, p->name);
    journal_oid_hex(hex, &l.first);
    text = l.damaged ? xasprintf("%s is damaged: object %s%s", p->name, hex,
                                 l.damaged > 1 ? " and others cannot be read" : " cannot be read")
                     : xasprintf("%s is damaged, its objects can be read", p->name);
    f(ctx, text);
    free(text);
    return OK;
}

/* What a sound pack has, is not lost with a damaged one. */
static void forgive(struct journal_check *c)
{
    struct oidmap still = {.slots = NULL};

    for (size_t i = 0; i < c->j->pack_count; i++) {
        const struct packfile *p = &c->j->packs[i];
        bool damaged = !p->sound;

        for (size_t k = 0; k < c->damaged_count; k++)
            damaged = damaged || strcmp(c->damaged[k], p->name) == 0;
        for (size_t k = 0; !damaged && c->bad.n && k < p->objects; k++) {
            struct journal_oid oid;

            memcpy(oid.id, pack_ids(p) + k * JOURNAL_OID_BYTES, sizeof(oid.id));
            if (oidmap_get(&c->bad, &oid))
                oidmap_put(&still, &oid, 1);
        }
    }
    if (still.n) {
        struct oidmap left = {.slots = NULL};

        oidmap_subtract(&left, &c->bad, &still);
        oidmap_done(&c->bad);
        c->bad = left;
    }
    oidmap_done(&still);
}

enum err journal_check_packs(struct journal_check *c, journal_fault_fn *f, void *ctx,
                             struct errinfo *e)
{
    struct journal *j = c->j;
    enum err rc = odb_refresh(j, e);

    c->damaged_count = 0;
    for (size_t i = 0; i < j->pack_count && rc == OK; i++) {
        const struct packfile *p = &j->packs[i];
        char *path = xasprintf("%s/%s.pack", j->pack_dir, p->name);

        if (!p->sound || (!pack_sum_holds(path) && access(path, F_OK) == 0))
            rc = look_into(c, p, f, ctx, e);
        free(path);
    }
    if (rc)
        return err_wrap(rc, e, "journal");
    forgive(c);
    j->bad = &c->bad;
    return OK;
}

/* ---- Versions ---- */

static enum err missing(const char *what, const struct journal_oid *oid, struct errinfo *e)
{
    char hex[JOURNAL_HEX_MAX];

    journal_oid_hex(hex, oid);
    return err_set(ERR_NOT_FOUND, e, "%s %s is missing or damaged", what, hex);
}

static enum err read_whole(struct journal_check *c, const struct journal_oid *oid,
                           enum obj_type type, const char *what, struct object *out,
                           struct errinfo *e)
{
    if ((c->j->bad && oidmap_get(c->j->bad, oid) && !packer_has(c->p, oid)) ||
        object_get(c->j, c->p, oid, type, out, NULL) != OK)
        return missing(what, oid, e);
    return OK;
}

/* Packs have been read as a whole, or are said to be sound; an object beside them is read here. */
enum err check_blob(struct journal_check *c, const struct journal_oid *oid, struct errinfo *e)
{
    struct object o = {0};
    enum err rc = OK;

    if (oidmap_get(&c->whole, oid))
        return OK;
    if (!packer_has(c->p, oid) && !odb_has(c->j, oid))
        rc = read_whole(c, oid, OBJ_BLOB, "blob", &o, e);
    object_done(&o);
    if (rc == OK)
        oidmap_put(&c->whole, oid, 1);
    return rc;
}

static enum err check_part(struct journal_check *c, const struct part *part, struct errinfo *e)
{
    struct object o = {0};
    struct part children[16];
    enum err rc;

    if (part->kind == PART_NONE || oidmap_get(&c->whole, &part->oid))
        return OK;
    if (part->kind == PART_BLOB)
        return check_blob(c, &part->oid, e);
    if ((rc = read_whole(c, &part->oid, OBJ_TREE, "tree", &o, e)))
        return rc;
    if (part_children(children, &o, NULL) != OK)
        rc = missing("tree", &part->oid, e);
    object_done(&o);
    for (size_t i = 0; i < 16 && rc == OK; i++)
        rc = check_part(c, &children[i], e);
    if (rc == OK)
        oidmap_put(&c->whole, &part->oid, 1);
    return rc;
}

enum err check_tree(struct journal_check *c, const struct journal_oid *tree, struct errinfo *e)
{
    struct object o = {0};
    struct part part;
    enum err rc;

    if (oidmap_get(&c->whole, tree))
        return OK;
    if ((rc = read_whole(c, tree, OBJ_TREE, "tree", &o, e)))
        return rc;
    object_done(&o);
    if (top_get(c->j, c->p, tree, &part, NULL) != OK)
        return missing("tree", tree, e);
    if ((rc = check_part(c, &part, e)) == OK)
        oidmap_put(&c->whole, tree, 1);
    return rc;
}

enum err journal_check_commit(struct journal_check *c, const struct journal_oid *commit,
                              struct errinfo *e)
{
    struct object o = {0};
    struct journal_oid tree;
    enum err rc;

    if (oidmap_get(&c->whole, commit))
        return OK;
    if ((rc = read_whole(c, commit, OBJ_COMMIT, "commit", &o, e)))
        return rc;
    if (commit_tree(&tree, o.data, o.len, NULL) != OK)
        rc = missing("commit", commit, e);
    object_done(&o);
    if (rc == OK && (rc = check_tree(c, &tree, e)) == OK)
        oidmap_put(&c->whole, commit, 1);
    return rc;
}
