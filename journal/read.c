#include <string.h>

#include "journal/journal_internal.h"

static enum err commit_context(enum err rc, const struct journal_oid *commit, struct errinfo *e)
{
    char hex[JOURNAL_HEX_MAX];

    journal_oid_hex(hex, commit);
    return err_wrap(rc, e, "journal: commit %s", hex);
}

/* What a commit of ours points to must be there. */
static enum err must_be_there(enum err rc)
{
    return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
}

static bool is_there(struct journal *j, const struct journal_oid *oid)
{
    git_oid id;

    memcpy(id.id, oid->id, sizeof(id.id));
    return git_odb_exists_ext(j->odb, &id, GIT_ODB_LOOKUP_NO_REFRESH) == 1;
}

bool journal_has(struct journal *j, const struct journal_oid *commit)
{
    struct object o = {0};
    struct journal_oid tree;
    struct part zone;
    bool has = object_get(j, NULL, commit, OBJ_COMMIT, &o, NULL) == OK &&
               commit_tree(&tree, o.data, o.len, NULL) == OK &&
               top_get(j, NULL, &tree, &zone, NULL) == OK && is_there(j, &zone.oid);

    object_done(&o);
    return has;
}

enum err journal_commit_get(struct journal *j, const struct journal_oid *commit,
                            struct journal_commit *out, struct errinfo *e)
{
    uint8_t zone[NAME_MAX_OCTETS];

    return journal_commit_zone(j, commit, out, zone, e);
}

enum err journal_commit_zone(struct journal *j, const struct journal_oid *commit,
                             struct journal_commit *out, uint8_t zone[NAME_MAX_OCTETS],
                             struct errinfo *e)
{
    struct object o = {0};
    enum err rc = object_get(j, NULL, commit, OBJ_COMMIT, &o, e);

    if (rc == OK && (rc = commit_decode(out, zone, o.data, o.len, e)) == OK)
        out->commit = *commit;
    object_done(&o);
    return rc ? commit_context(rc, commit, e) : OK;
}

/* Reads a commit, which must be one of this zone. */
static enum err zone_part(struct journal *j, const uint8_t *zone, const struct journal_oid *commit,
                          struct journal_commit *c, struct part *out, struct errinfo *e)
{
    struct object o = {0};
    uint8_t name[NAME_MAX_OCTETS];
    enum err rc = object_get(j, NULL, commit, OBJ_COMMIT, &o, e);

    if (rc == OK && (rc = commit_decode(c, name, o.data, o.len, e)) == OK) {
        if (!name_eq(name, zone))
            rc = err_set(ERR_NOT_FOUND, e, "is a version of another zone");
        else
            rc = must_be_there(top_get(j, NULL, &c->content_id, out, e));
    }
    object_done(&o);
    return rc;
}

/* ---- A version ---- */

struct load {
    struct zone_builder *builder;
    struct line_rr rr;
};

static enum err load_text(void *ctx, const char *text, size_t len, struct errinfo *e)
{
    struct load *load = ctx;
    const char *pos = text;
    struct line l;
    enum err rc = OK;

    while (rc == OK && line_next(&l, &pos, text + len))
        if ((rc = line_parse(&load->rr, &l, e)) == OK &&
            zone_builder_add(load->builder, &load->rr.rr, e))
            rc = ERR_CORRUPT; /* we wrote it, so it was a record of this zone */
    return rc;
}

enum err journal_zone_load(struct zone **out, struct journal *j, const uint8_t *zone,
                           const struct journal_oid *commit, struct errinfo *e)
{
    struct load load = {.builder = zone_builder_new(zone, NULL)};
    struct zone_build_report report;
    struct journal_commit c;
    struct part part;
    enum err rc;

    if ((rc = zone_part(j, zone, commit, &c, &part, e)) == OK &&
        (rc = must_be_there(part_each_text(j, &part, load_text, &load, e))) == OK)
        rc = zone_builder_finish(out, load.builder, &report, e);
    zone_builder_free(load.builder);
    buf_free(&load.rr.rdata);
    return rc ? commit_context(rc, commit, e) : OK;
}

/* ---- What differs between two ---- */

struct diff {
    struct journal *j;
    struct changeset *cs;
    struct line_rr rr, tmp;
    char owner[NAME_TEXT_MAX + 1]; /* as lines begin with it, with its space */
    size_t owner_len;              /* 0: all owners */
};

static enum err diff_line(struct diff *d, const struct line *l, bool add, struct errinfo *e)
{
    enum err rc = line_parse(&d->rr, l, e);

    if (rc)
        return rc;
    rc = add ? changeset_add(d->cs, &d->rr.rr, e) : changeset_remove(d->cs, &d->rr.rr, e);
    return rc ? ERR_CORRUPT : OK;
}

/* With an owner only its lines count. */
static bool is_passed(const struct diff *d, const struct line *l)
{
    return d->owner_len && (l->len <= d->owner_len || memcmp(l->text, d->owner, d->owner_len) != 0);
}

static enum err diff_text(struct diff *d, const char *text, size_t len, bool add, struct errinfo *e)
{
    const char *pos = text;
    struct line l;
    enum err rc = OK;

    while (rc == OK && line_next(&l, &pos, text + len))
        rc = is_passed(d, &l) ? OK : diff_line(d, &l, add, e);
    return rc;
}

static enum err removed_text(void *ctx, const char *text, size_t len, struct errinfo *e)
{
    return diff_text(ctx, text, len, false, e);
}

static enum err added_text(void *ctx, const char *text, size_t len, struct errinfo *e)
{
    return diff_text(ctx, text, len, true, e);
}

static bool line_eq(const struct line *a, const struct line *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Two texts in canonical order, by merge; equal lines are passed without parsing. */
static enum err diff_texts(struct diff *d, const struct object *from, const struct object *to,
                           struct errinfo *e)
{
    const char *pos[2] = {(const char *)from->data, (const char *)to->data};
    const char *end[2] = {pos[0] + from->len, pos[1] + to->len};
    struct line l[2];
    bool more[2] = {line_next(&l[0], &pos[0], end[0]), line_next(&l[1], &pos[1], end[1])};
    enum err rc = OK;

    while (rc == OK && (more[0] || more[1])) {
        bool take[2] = {more[0], more[1]};
        int order = 0;

        if (more[0] && more[1] && !line_eq(&l[0], &l[1])) {
            if ((rc = line_parse(&d->rr, &l[0], e)) ||
                (rc = line_cmp(&order, &d->rr.rr, &l[1], &d->tmp, e)))
                break;
            take[0] = order <= 0;
            take[1] = order >= 0;
        }
        if (!(more[0] && more[1] && line_eq(&l[0], &l[1]))) {
            if (take[0] && (rc = diff_line(d, &l[0], false, e)))
                break;
            if (take[1] && (rc = diff_line(d, &l[1], true, e)))
                break;
        }
        for (size_t i = 0; i < 2; i++)
            if (take[i])
                more[i] = line_next(&l[i], &pos[i], end[i]);
    }
    return rc;
}

static enum err diff_parts(struct diff *d, const struct part *from, const struct part *to,
                           struct errinfo *e);

static enum err diff_trees(struct diff *d, const struct object *from, const struct object *to,
                           struct errinfo *e)
{
    struct part a[16];
    struct part b[16];
    enum err rc;

    if ((rc = part_children(a, from, e)) || (rc = part_children(b, to, e)))
        return rc;
    for (size_t i = 0; i < 16 && rc == OK; i++)
        rc = diff_parts(d, &a[i], &b[i], e);
    return rc;
}

/* A blob that became a tree, or the reverse: all goes in, and changeset_finish cancels what is the
 * same on both sides. */
static enum err diff_parts(struct diff *d, const struct part *from, const struct part *to,
                           struct errinfo *e)
{
    struct object a = {0};
    struct object b = {0};
    enum obj_type type = from->kind == PART_TREE ? OBJ_TREE : OBJ_BLOB;
    enum err rc;

    if (from->kind == to->kind && (from->kind == PART_NONE || oid_eq(&from->oid, &to->oid)))
        return OK;
    if (from->kind != to->kind) {
        rc = part_each_text(d->j, from, removed_text, d, e);
        return rc ? rc : part_each_text(d->j, to, added_text, d, e);
    }
    if ((rc = object_get(d->j, NULL, &from->oid, type, &a, e)) == OK &&
        (rc = object_get(d->j, NULL, &to->oid, type, &b, e)) == OK)
        rc = type == OBJ_TREE ? diff_trees(d, &a, &b, e) : diff_texts(d, &a, &b, e);
    object_done(&a);
    object_done(&b);
    return rc;
}

/* The blob in which the owner's records are, if it has any: one entry of each tree on the way. */
static enum err part_of_owner(struct journal *j, struct part *part, const uint8_t address[32],
                              struct errinfo *e)
{
    for (unsigned depth = 0; part->kind == PART_TREE; depth++) {
        struct part children[16];
        struct object o = {0};
        enum err rc = object_get(j, NULL, &part->oid, OBJ_TREE, &o, e);

        if (rc == OK)
            rc = part_children(children, &o, e);
        object_done(&o);
        if (rc)
            return rc;
        if (depth >= 64)
            return err_set(ERR_CORRUPT, e, "a tree of the journal is too deep");
        *part = children[address_digit(address, depth)];
    }
    return OK;
}

static enum err diff_owner(struct diff *d, const uint8_t *owner, struct part *from, struct part *to,
                           struct errinfo *e)
{
    uint8_t folded[NAME_MAX_OCTETS], address[32];
    enum err rc;

    (void)name_fold(folded, owner);
    sha256_bytes(address, folded, name_len(folded));
    d->owner_len = name_to_text(d->owner, folded);
    d->owner[d->owner_len++] = ' ';
    if ((rc = part_of_owner(d->j, from, address, e)) ||
        (rc = part_of_owner(d->j, to, address, e)) ||
        (from->kind == to->kind && (from->kind == PART_NONE || oid_eq(&from->oid, &to->oid))))
        return rc;
    if ((rc = part_each_text(d->j, from, removed_text, d, e)))
        return rc;
    return part_each_text(d->j, to, added_text, d, e);
}

enum err journal_diff(struct changeset **out, struct journal *j, const uint8_t *zone,
                      const struct journal_oid *from, const struct journal_oid *to,
                      struct errinfo *e)
{
    return journal_diff_owner(out, j, zone, NULL, from, to, e);
}

enum err journal_diff_owner(struct changeset **out, struct journal *j, const uint8_t *zone,
                            const uint8_t *owner, const struct journal_oid *from,
                            const struct journal_oid *to, struct errinfo *e)
{
    struct diff d = {.j = j, .cs = changeset_new(zone)};
    struct journal_commit a = {0};
    struct journal_commit b = {0};
    struct part from_part = {0};
    struct part to_part = {0};
    enum err rc = OK;

    if (!journal_oid_is_none(from) && (rc = zone_part(j, zone, from, &a, &from_part, e)))
        rc = commit_context(rc, from, e);
    else if ((rc = zone_part(j, zone, to, &b, &to_part, e)) ||
             (rc = must_be_there(owner ? diff_owner(&d, owner, &from_part, &to_part, e)
                                       : diff_parts(&d, &from_part, &to_part, e))))
        rc = commit_context(rc, to, e);
    if (rc == OK) {
        d.cs->has_from = !journal_oid_is_none(from);
        d.cs->from = a.to;
        d.cs->to = b.to;
        changeset_finish(d.cs);
        *out = d.cs;
        d.cs = NULL;
    }
    changeset_free(d.cs);
    buf_free(&d.rr.rdata);
    buf_free(&d.tmp.rdata);
    return rc;
}
