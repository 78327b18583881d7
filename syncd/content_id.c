#include "syncd/content_id.h"

#include <string.h>

/* What the version's row says; false if it says nothing yet. */
static enum err from_row(struct content_id *out, bool *there, struct store *s,
                         const struct store_zone *z, struct errinfo *e)
{
    struct store_version v;
    enum err rc = store_version_get(s, z->id, z->version, &v, e);

    if (rc)
        return rc;
    *out = (struct content_id){.serial = z->serial, .version = z->version};
    *there = v.journaled;
    memcpy(out->id.id, v.content_oid, sizeof(out->id.id));
    return OK;
}

static bool is_served(const struct store_zone *z)
{
    return z->has_content && !z->removed;
}

/* Row, version and content of one moment; the content is left in *content if it is needed. */
static enum err read_one(struct content_id *out, struct zone **content, struct store *s,
                         const uint8_t *zone, bool compute, struct errinfo *e)
{
    char text[NAME_TEXT_MAX];
    struct store_zone row;
    bool there = false;
    enum err rc = store_read_begin(s, e);

    if (rc)
        return rc;
    (void)name_to_text(text, zone);
    rc = store_zone_get(s, zone, &row, e);
    if (rc == ERR_NOT_FOUND)
        (void)err_set(rc, e, "there is no zone %s; 'zonectl zone list' shows all", text);
    else if (rc == OK && !is_served(&row))
        rc = err_set(ERR_NOT_FOUND, e, "zone %s is not served here", text);
    if (rc == OK && (rc = from_row(out, &there, s, &row, e)) == OK && (compute || !there))
        rc = store_zone_load(content, s, &row, e);
    store_read_end(s);
    return rc;
}

enum err content_id_get(struct content_id *out, struct store *s, const uint8_t *zone, bool compute,
                        struct errinfo *e)
{
    struct zone *content = NULL;
    enum err rc = read_one(out, &content, s, zone, compute, e);

    if (rc == OK && content) { /* the snapshot has ended: hashing takes its time */
        out->computed = true;
        rc = journal_content_id(&out->id, content, e);
    }
    zone_unref(content);
    return rc;
}

struct walk {
    struct store *store;
    bool compute;
    content_id_fn *f;
    void *ctx;
    struct buf later; /* names of zones whose rows do not say it, one behind the other */
};

static enum err on_zone(void *ctx, const struct store_zone *z, struct errinfo *e)
{
    struct walk *w = ctx;
    struct content_id id;
    bool there = false;
    enum err rc = OK;

    if (!is_served(z))
        return OK;
    if (!w->compute && (rc = from_row(&id, &there, w->store, z, e)) == OK && there)
        w->f(w->ctx, z->name, &id);
    else if (rc == OK)
        buf_put(&w->later, z->name, name_len(z->name));
    return rc;
}

enum err content_id_each(struct store *s, bool compute, content_id_fn *f, void *ctx,
                         struct errinfo *e)
{
    struct walk w = {.store = s, .compute = compute, .f = f, .ctx = ctx};
    enum err rc = store_zone_each(s, on_zone, &w, e);

    for (size_t at = 0; rc == OK && at < w.later.len; at += name_len(w.later.data + at)) {
        struct content_id id;

        rc = content_id_get(&id, s, w.later.data + at, compute, e);
        if (rc == OK)
            f(ctx, w.later.data + at, &id);
        else if (rc == ERR_NOT_FOUND)
            rc = OK;
    }
    buf_free(&w.later);
    return rc;
}
