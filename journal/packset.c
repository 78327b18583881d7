/* The objects of several packs as they lie there, for copying: where each entry is, which other
 * object it is a delta of, and how long its chains are. Nothing is inflated.
 *
 * Of an object that is in several packs, the copy in the first one counts. A pack is complete in
 * itself, so the base of a delta is in the same pack or in one before it: no circle can come of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"

enum { OBJ_TAG = 4, ENTRY_OFS_DELTA = 6, ENTRY_REF_DELTA = 7 };

/* What stands at an offset of the pack that is being read. */
struct place {
    uint64_t at;
    uint32_t index;  /* in the pack's index */
    uint32_t object; /* number in the set */
};

static int place_cmp(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

static int oid_cmp(const void *a, const void *b)
{
    return memcmp(a, b, JOURNAL_OID_BYTES);
}

static int object_cmp(const void *a, const void *b)
{
    return oid_cmp(((const struct pack_object *)a)->oid.id,
                   ((const struct pack_object *)b)->oid.id);
}

uint32_t packset_find(const struct packset *s, const struct journal_oid *oid)
{
    struct pack_object key = {.oid = *oid};
    const struct pack_object *o = bsearch(&key, s->objects, s->n, sizeof(*s->objects), object_cmp);

    return o ? (uint32_t)(o - s->objects) : NO_OBJECT;
}

/* ---- Which objects there are ---- */

static void collect_ids(struct packset *s, const struct packfile *packs, size_t n)
{
    size_t all = 0;
    size_t unique = 0;

    for (size_t i = 0; i < n; i++)
        all += packs[i].objects;
    s->objects = xcalloc(all ? all : 1, sizeof(*s->objects));
    all = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *ids = pack_ids(&packs[i]);

        for (size_t k = 0; k < packs[i].objects; k++)
            memcpy(s->objects[all++].oid.id, ids + k * JOURNAL_OID_BYTES, JOURNAL_OID_BYTES);
    }
    qsort(s->objects, all, sizeof(*s->objects), object_cmp);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || !oid_eq(&s->objects[i].oid, &s->objects[unique - 1].oid))
            s->objects[unique++] = s->objects[i];
    s->n = (uint32_t)unique;
    for (size_t i = 0; i < unique; i++)
        s->objects[i].base = s->objects[i].after = s->objects[i].pack = NO_OBJECT;
}

/* ---- Entries ---- */

static enum err bad_entry(const struct packfile *p, uint64_t at, struct errinfo *e)
{
    return err_set(ERR_CORRUPT, e, "%s: no object at %llu", p->name, (unsigned long long)at);
}

/* Type and size. */
static void take_header(struct reader *r, struct pack_object *o)
{
    uint8_t c = read_u8(r);
    unsigned shift = 4;

    o->entry_type = c >> 4 & 7;
    o->size = c & 15;
    for (; c & 0x80 && shift < 60; shift += 7) {
        c = read_u8(r);
        o->size |= (uint64_t)(c & 0x7f) << shift;
    }
    if (c & 0x80)
        reader_fail(r);
}

static uint64_t take_distance(struct reader *r)
{
    uint8_t c = read_u8(r);
    uint64_t d = c & 0x7f;

    for (unsigned i = 0; c & 0x80 && i < 9; i++) {
        c = read_u8(r);
        d = (d + 1) << 7 | (c & 0x7f);
    }
    if (c & 0x80)
        reader_fail(r);
    return d;
}

/* `places` are those of the whole pack, sorted. */
static enum err take_base(struct packset *s, struct pack_object *o, struct reader *r,
                          const struct place *places, size_t n)
{
    if (o->entry_type == ENTRY_OFS_DELTA) {
        uint64_t d = take_distance(r);
        struct place key = {.at = o->at - d};
        const struct place *base = bsearch(&key, places, n, sizeof(*places), place_cmp);

        if (!base || d == 0 || d > o->at)
            return ERR_CORRUPT;
        o->base = base->object;
    } else if (o->entry_type == ENTRY_REF_DELTA) {
        const uint8_t *id = read_bytes(r, JOURNAL_OID_BYTES);
        struct journal_oid oid;

        if (!id)
            return ERR_CORRUPT;
        memcpy(oid.id, id, sizeof(oid.id));
        if ((o->base = packset_find(s, &oid)) == NO_OBJECT)
            return ERR_CORRUPT;
    }
    return OK;
}

static enum err take_entry(struct packset *s, uint32_t pack, const struct packfile *p,
                           const struct place *places, size_t n, size_t i, struct errinfo *e)
{
    struct pack_object *o = &s->objects[places[i].object];
    const uint8_t *data = s->maps[pack].data;
    uint64_t end = i + 1 < n ? places[i + 1].at : p->bytes - JOURNAL_OID_BYTES;
    struct reader r = reader_of(data + places[i].at, (size_t)(end - places[i].at));

    if (o->pack != NO_OBJECT)
        return OK; /* a pack before has it */
    o->pack = pack;
    o->at = places[i].at;
    o->end = end;
    take_header(&r, o);
    if (take_base(s, o, &r, places, n) || r.failed)
        return bad_entry(p, o->at, e);
    o->stream = (uint32_t)r.pos;
    if ((uint32_t)crc32_z(0, data + o->at, (size_t)(end - o->at)) != pack_crc(p, places[i].index))
        return err_set(ERR_CORRUPT, e, "%s: the object at %llu is damaged", p->name,
                       (unsigned long long)o->at);
    return OK;
}

static enum err map_pack(struct pack_map *out, const char *dir, const struct packfile *p,
                         struct errinfo *e)
{
    char *path = xasprintf("%s/%s.pack", dir, p->name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    void *map = MAP_FAILED;
    enum err rc = OK;

    if (fd < 0 || (map = mmap(NULL, (size_t)p->bytes, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED)
        rc = err_sys(errno, e, "opening %s", path);
    else
        *out = (struct pack_map){map, (size_t)p->bytes};
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return rc;
}

static enum err take_pack(struct packset *s, uint32_t pack, const char *dir,
                          const struct packfile *p, struct errinfo *e)
{
    size_t n = p->objects;
    struct place *places = xmalloc((n ? n : 1) * sizeof(*places));
    enum err rc = map_pack(&s->maps[pack], dir, p, e);

    for (uint32_t i = 0; i < n && rc == OK; i++) {
        struct journal_oid oid;

        memcpy(oid.id, pack_ids(p) + (size_t)i * JOURNAL_OID_BYTES, sizeof(oid.id));
        places[i] = (struct place){pack_offset(p, i), i, packset_find(s, &oid)};
    }
    qsort(places, n, sizeof(*places), place_cmp);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = take_entry(s, pack, p, places, n, i, e);
    free(places);
    return rc;
}

/* ---- Chains ---- */

/* The type comes down from the whole object, heights go up to it. */
static enum err measure_chains(struct packset *s, struct errinfo *e)
{
    for (uint32_t i = 0; i < s->n; i++) {
        unsigned type;
        uint32_t depth = 0;
        uint32_t at = i;

        for (; s->objects[at].base != NO_OBJECT; at = s->objects[at].base) {
            struct pack_object *base = &s->objects[s->objects[at].base];

            if (++depth > CHAIN_MAX)
                return err_set(ERR_CORRUPT, e, "a chain of deltas has no end");
            base->height = base->height > depth ? base->height : depth;
        }
        if ((type = s->objects[at].entry_type) < OBJ_COMMIT || type > OBJ_TAG)
            return err_set(ERR_CORRUPT, e, "an object of no known type");
        s->objects[i].type = (enum obj_type)type;
    }
    return OK;
}

enum err packset_open(struct packset *out, const char *dir, const struct packfile *packs, size_t n,
                      struct errinfo *e)
{
    struct packset s = {.pack_count = n};
    enum err rc = OK;

    s.maps = xcalloc(n ? n : 1, sizeof(*s.maps));
    collect_ids(&s, packs, n);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = take_pack(&s, (uint32_t)i, dir, &packs[i], e);
    if (rc == OK)
        rc = measure_chains(&s, e);
    if (rc)
        packset_done(&s);
    else
        *out = s;
    return rc;
}

void packset_done(struct packset *s)
{
    for (size_t i = 0; i < s->pack_count && s->maps; i++)
        if (s->maps[i].data)
            (void)munmap((void *)(uintptr_t)s->maps[i].data, s->maps[i].len);
    free(s->maps);
    free(s->objects);
    *s = (struct packset){0};
}
