/* Content: pages in, pages out. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/store/store_internal.h"

static size_t page_key(uint8_t key[NAME_KEY_MAX], const struct page *p, const uint8_t *apex)
{
    uint8_t owner[NAME_MAX_OCTETS];
    struct node first;

    page_node(p, 0, &first);
    (void)node_owner(owner, &first, apex);
    return name_key(key, owner);
}

static int key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* ---- Reading ---- */

struct page_list {
    struct page **pages;
    size_t n;
    size_t cap;
};

static enum err page_from_row(struct page **out, sqlite3_stmt *st, const uint8_t *apex,
                              struct errinfo *e)
{
    const uint8_t *key = sqlite3_column_blob(st, 0);
    size_t key_len = (size_t)sqlite3_column_bytes(st, 0);
    const uint8_t *data;
    size_t len;
    uint8_t want[NAME_KEY_MAX];
    struct page *p = NULL;
    enum err rc;

    if ((rc = col_summed(st, 2, &data, &len, e)))
        return err_wrap(rc, e, "a page");
    if ((rc = page_parse(&p, data, len, apex, e)))
        return rc;
    /* SQLite gives NULL for an empty blob: the root's key. */
    if (key_cmp(want, page_key(want, p, apex), key ? key : (const uint8_t *)"", key_len) != 0) {
        page_unref(p);
        return err_set(ERR_CORRUPT, e, "a page does not stand under the key of its first owner");
    }
    *out = p;
    return OK;
}

/* The first `max` pages (-1: all), or, unless `owner` is NULL, the one in which that would be. */
static enum err pages_read(struct page_list *list, struct store *s, const struct store_zone *z,
                           int64_t max, const uint8_t *owner, struct errinfo *e)
{
    enum stmt_id id = owner ? ST_PAGE_OF : ST_PAGES;
    uint8_t key[NAME_KEY_MAX];
    sqlite3_stmt *st = NULL;
    bool row = false;
    enum err rc;

    if ((rc = stmt_start(&st, s, id, e)))
        return rc;
    bind_i64(st, 1, z->id);
    if (owner)
        bind_blob(st, 2, key, name_key(key, owner));
    else
        bind_i64(st, 2, max);
    while (!rc && !(rc = stmt_row(s, st, &row, e)) && row) {
        list->pages = xgrow(list->pages, &list->cap, list->n + 1, sizeof(*list->pages));
        if (!(rc = page_from_row(&list->pages[list->n], st, z->name, e)))
            list->n++;
    }
    stmt_end(s, id, st);
    return rc;
}

/* The zone of those pages. */
static enum err zone_read(struct zone **out, struct store *s, const struct store_zone *z,
                          int64_t max, const uint8_t *owner, struct errinfo *e)
{
    struct page_list list = {NULL, 0, 0};
    char text[NAME_TEXT_MAX];
    enum err rc = pages_read(&list, s, z, max, owner, e);

    if (!rc && list.n == 0)
        rc = z->has_content ? err_set(ERR_CORRUPT, e, "its content is gone")
                            : err_set(ERR_NOT_FOUND, e, "it has no content yet");
    if (!rc) {
        rc = zone_from_pages(out, z->name, list.pages, list.n, e);
        list.n = 0; /* taken over */
    }
    while (list.n > 0)
        page_unref(list.pages[--list.n]);
    free(list.pages);
    if (!rc)
        return OK;
    (void)name_to_text(text, z->name);
    return err_wrap(rc, e, "zone %s", text);
}

enum err store_zone_load(struct zone **out, struct store *s, const struct store_zone *z,
                         struct errinfo *e)
{
    return zone_read(out, s, z, -1, NULL, e);
}

enum err store_zone_soa(struct buf *rdata, uint32_t *ttl, struct store *s,
                        const struct store_zone *z, struct errinfo *e)
{
    struct zone *apex = NULL;
    struct soa fields;
    struct rr soa;
    enum err rc = zone_read(&apex, s, z, 1, NULL, e);

    if (rc)
        return rc;
    if (zone_soa(apex, &soa, &fields)) {
        buf_put(rdata, soa.rdata, soa.rdata_len);
        *ttl = soa.ttl;
    } else {
        rc = err_set(ERR_CORRUPT, e, "its content has no SOA");
    }
    zone_unref(apex);
    return rc;
}

enum err store_zone_part(struct zone **out, struct store *s, const struct store_zone *z,
                         const uint8_t *owner, struct errinfo *e)
{
    return zone_read(out, s, z, 1, owner, e);
}

/* ---- Writing ---- */

/* A page that is replaced by one with the same first owner is updated where it is: that writes one
 * leaf, where deleting and inserting writes up to four. Both lists come in order of their keys, so
 * one look at the front of what is gone tells. */
struct page_writer {
    struct store *s;
    int64_t zone_id;
    const uint8_t *apex;
    const struct page **gone;
    size_t n;
    size_t cap;
    size_t next; /* first of gone that no page that came has passed */
};

static enum err page_write(struct page_writer *w, enum stmt_id id, const struct page *p,
                           struct errinfo *e)
{
    uint8_t key[NAME_KEY_MAX];
    size_t key_len = page_key(key, p, w->apex);
    sqlite3_stmt *st = NULL;
    int changed = 0;
    enum err rc;

    if ((rc = stmt_start(&st, w->s, id, e)))
        return rc;
    bind_i64(st, 1, w->zone_id);
    bind_blob(st, 2, key, key_len);
    if (id != ST_PAGE_DELETE) {
        bind_i64(st, 3, blob_sum(p->data, p->len));
        bind_blob(st, 4, p->data, p->len);
    }
    rc = stmt_run(w->s, st, &changed, e);
    stmt_end(w->s, id, st);
    if (!rc && changed != 1)
        return err_set(ERR_CORRUPT, e, "a page of the present version is not in the store");
    return rc;
}

static enum err page_gone(void *ctx, const struct page *p, struct errinfo *e)
{
    struct page_writer *w = ctx;

    (void)e;
    w->gone = xgrow(w->gone, &w->cap, w->n + 1, sizeof(*w->gone));
    w->gone[w->n++] = p;
    return OK;
}

static enum err page_came(void *ctx, const struct page *p, struct errinfo *e)
{
    struct page_writer *w = ctx;
    uint8_t key[NAME_KEY_MAX], old[NAME_KEY_MAX];
    size_t key_len = page_key(key, p, w->apex);

    while (w->next < w->n) {
        const struct page *g = w->gone[w->next];
        int c = key_cmp(old, page_key(old, g, w->apex), key, key_len);
        enum err rc;

        if (c > 0)
            break;
        w->next++;
        if (c == 0)
            return page_write(w, ST_PAGE_UPDATE, p, e);
        if ((rc = page_write(w, ST_PAGE_DELETE, g, e)))
            return rc;
    }
    return page_write(w, ST_PAGE_INSERT, p, e);
}

enum err pages_put(struct store *s, int64_t zone_id, const struct zone *old_zone,
                   const struct zone *new_zone, struct errinfo *e)
{
    struct page_writer w = {.s = s, .zone_id = zone_id, .apex = zone_apex(new_zone)};
    enum err rc = zone_page_changes(old_zone, new_zone, page_gone, page_came, &w, e);

    while (!rc && w.next < w.n)
        rc = page_write(&w, ST_PAGE_DELETE, w.gone[w.next++], e);
    free(w.gone);
    return rc;
}
