/* Signed commits that list the newest version of each zone. */
#include "journal/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"

#define ROOT ((const uint8_t *)"")
#define VERSION_CHARS_MAX 21 /* "v" and a u64 */

/* ---- A record of the list ---- */

struct tip_rr {
    uint8_t rdata[2 + VERSION_CHARS_MAX + OID_HEX_CHARS + 1];
    struct rr rr;
};

static void tip_to_rr(struct tip_rr *out, const struct journal_tip *tip)
{
    char version[VERSION_CHARS_MAX + 1];
    size_t n = (size_t)snprintf(version, sizeof(version), "v%" PRIu64, tip->version);
    char hex[JOURNAL_HEX_MAX];

    journal_oid_hex(hex, &tip->commit);
    out->rdata[0] = (uint8_t)n;
    memcpy(out->rdata + 1, version, n);
    out->rdata[n + 1] = OID_HEX_CHARS;
    memcpy(out->rdata + n + 2, hex, OID_HEX_CHARS);
    out->rr = (struct rr){.owner = tip->zone,
                          .type = RR_TXT,
                          .rclass = CLASS_IN,
                          .rdata = out->rdata,
                          .rdata_len = (uint16_t)(n + 2 + OID_HEX_CHARS)};
}

static enum err tip_of_rr(struct journal_tip *out, const struct rr *rr, struct errinfo *e)
{
    char version[VERSION_CHARS_MAX + 1];
    struct tip_rr again;
    size_t n = rr->rdata_len ? rr->rdata[0] : 0;

    *out = (struct journal_tip){.zone = rr->owner};
    if (n < 2 || n > VERSION_CHARS_MAX || rr->rdata_len != n + 2 + OID_HEX_CHARS)
        return err_set(ERR_CORRUPT, e, "a line of a checkpoint is none");
    memcpy(version, rr->rdata + 1, n);
    version[n] = 0;
    out->version = strtoull(version + 1, NULL, 10);
    if (!oid_from_hex(&out->commit, (const char *)rr->rdata + n + 2, OID_HEX_CHARS))
        return err_set(ERR_CORRUPT, e, "a line of a checkpoint has no commit id");
    tip_to_rr(&again, out);
    if (rr->type != RR_TXT || rr->ttl != 0 || again.rr.rdata_len != rr->rdata_len ||
        memcmp(again.rdata, rr->rdata, rr->rdata_len) != 0)
        return err_set(ERR_CORRUPT, e, "a line of a checkpoint is not as it is written");
    return OK;
}

/* ---- Reading the list ---- */

struct each {
    journal_tip_fn *f;
    void *ctx;
    const uint8_t *only; /* NULL: all */
};

enum err checkpoint_lines(const char *text, size_t len, const uint8_t *only, journal_tip_fn *f,
                          void *ctx, struct errinfo *e)
{
    struct line_rr line = {.rdata = BUF_INIT};
    const char *pos = text;
    struct journal_tip tip;
    struct line l;
    enum err rc = OK;

    while (rc == OK && line_next(&l, &pos, text + len)) {
        if ((rc = line_parse(&line, &l, e)) || (only && !name_eq(line.rr.owner, only)))
            continue;
        if ((rc = tip_of_rr(&tip, &line.rr, e)) == OK)
            rc = f(ctx, &tip, e);
    }
    buf_free(&line.rdata);
    return rc;
}

static enum err each_text(void *ctx, const char *text, size_t len, struct errinfo *e)
{
    const struct each *each = ctx;

    return checkpoint_lines(text, len, each->only, each->f, each->ctx, e);
}

enum err journal_checkpoint_each(struct journal *j, const struct journal_checkpoint *c,
                                 journal_tip_fn *f, void *ctx, struct errinfo *e)
{
    struct each each = {.f = f, .ctx = ctx};
    struct part part;
    enum err rc = top_get(j, NULL, &c->tree, &part, e);

    return rc ? rc : part_each_text(j, &part, each_text, &each, e);
}

static enum err take_tip(void *ctx, const struct journal_tip *tip, struct errinfo *e)
{
    (void)e;
    *(struct journal_tip *)ctx = *tip;
    return OK;
}

/* Down to the one blob that has the owner. */
static enum err find_blob(struct part *part, struct journal *j, const uint8_t *zone,
                          struct errinfo *e)
{
    uint8_t owner[NAME_MAX_OCTETS];
    uint8_t address[32];
    enum err rc = OK;

    sha256_bytes(address, owner, name_fold(owner, zone));
    for (unsigned depth = 0; rc == OK && part->kind == PART_TREE && depth < 64; depth++) {
        struct part children[16];
        struct object o = {0};

        if ((rc = object_get(j, NULL, &part->oid, OBJ_TREE, &o, e)) == OK &&
            (rc = part_children(children, &o, e)) == OK)
            *part = children[address_digit(address, depth)];
        object_done(&o);
    }
    return rc;
}

enum err journal_checkpoint_find(struct journal_tip *out, struct journal *j,
                                 const struct journal_checkpoint *c, const uint8_t *zone,
                                 struct errinfo *e)
{
    struct journal_tip found = {.version = 0};
    struct each each = {.f = take_tip, .ctx = &found, .only = zone};
    struct part part;
    enum err rc;

    if ((rc = top_get(j, NULL, &c->tree, &part, e)) || (rc = find_blob(&part, j, zone, e)) ||
        (rc = part_each_text(j, &part, each_text, &each, e)))
        return rc == ERR_NOT_FOUND ? err_wrap(ERR_CORRUPT, e, "checkpoint") : rc;
    if (!found.version)
        return err_set(ERR_NOT_FOUND, e, "the checkpoint does not list this zone");
    found.zone = zone;
    *out = found;
    return OK;
}

/* ---- Writing the list ---- */

/* The first list: as a text, in canonical order. */
static enum err tree_of_list(struct journal_oid *out, struct packer *p, const struct rr_list *list,
                             struct errinfo *e)
{
    struct buf text = BUF_INIT;
    struct run_list runs = {0};
    struct part part;
    enum err rc;

    for (size_t i = 0; i < list->n; i++)
        rr_to_text(&text, &list->rrs[i]);
    if ((rc = runs_of_text(&runs, (const char *)text.data, text.len, e)) == OK &&
        (rc = part_build(p, ROOT, runs.runs, runs.n, 0, &part, e)) == OK)
        rc = top_put(p, &part, out, e);
    free(runs.runs);
    buf_free(&text);
    return rc;
}

static enum err tree_of_tips(struct journal_oid *out, struct packer *p,
                             const struct journal_checkpoint *parent,
                             const struct journal_tip *tips, size_t n, struct errinfo *e)
{
    struct changeset *cs = changeset_new(ROOT);
    struct tip_rr rr;
    enum err rc = OK;

    for (size_t i = 0; i < n && rc == OK; i++) {
        struct journal_tip old = {.version = 0};

        tip_to_rr(&rr, &tips[i]);
        rc = changeset_add(cs, &rr.rr, e);
        if (rc || !parent)
            continue;
        rc = journal_checkpoint_find(&old, p->j, parent, tips[i].zone, e);
        if (rc == OK) {
            tip_to_rr(&rr, &old);
            rc = changeset_remove(cs, &rr.rr, e);
        } else if (rc == ERR_NOT_FOUND) {
            rc = OK;
        }
    }
    changeset_finish(cs);
    if (rc == OK)
        rc = parent ? tree_of_changes(p, &parent->tree, cs, out, e)
                    : tree_of_list(out, p, &cs->added, e);
    changeset_free(cs);
    return rc;
}

/* ---- The commit ---- */

/* All but the header: what a reader expects to the octet. */
static void put_message(struct buf *out, const struct journal_checkpoint *c)
{
    buf_printf(out,
               "checkpoint %" PRIu64 ": changes up to %" PRIu64 "\n\nCheckpoint: %" PRIu64
               "\nSeq: %" PRIu64 "\n",
               c->number, c->seq, c->number, c->seq);
}

static void put_commit(struct buf *out, const struct journal_checkpoint *c, const char *node)
{
    char hex[JOURNAL_HEX_MAX];

    journal_oid_hex(hex, &c->tree);
    buf_printf(out, "tree %s\n", hex);
    if (!journal_oid_is_none(&c->parent)) {
        journal_oid_hex(hex, &c->parent);
        buf_printf(out, "parent %s\n", hex);
    }
    commit_put_ident(out, "author", node, "checkpoint", c->at.s);
    commit_put_ident(out, "committer", node, "journal", c->at.s);
    buf_u8(out, '\n');
    put_message(out, c);
}

enum err journal_checkpoint_write(struct journal_checkpoint *out, struct journal *j,
                                  const struct journal_checkpoint *parent,
                                  const struct journal_tip *tips, size_t n, uint64_t seq,
                                  struct wall at, const struct journal_key *key, struct errinfo *e)
{
    struct journal_checkpoint c = {.number = parent ? parent->number + 1 : 1, .seq = seq, .at = at};
    struct buf b = BUF_INIT;
    struct packer p;
    enum err rc;

    if (parent)
        c.parent = parent->commit;
    packer_init(&p, j, false);
    if ((rc = tree_of_tips(&c.tree, &p, parent, tips, n, e)) == OK) {
        put_commit(&b, &c, j->node);
        rc = commit_sign(&b, key, e);
    }
    if (rc == OK && (rc = packer_put(&p, OBJ_COMMIT, b.data, b.len, &c.commit, e)) == OK)
        rc = packer_install(&p, e);
    packer_done(&p);
    buf_free(&b);
    if (rc)
        return err_wrap(rc, e, "journal: checkpoint %" PRIu64, c.number);
    *out = c;
    return OK;
}

/* "checkpoint 7: changes up to 4711" */
static bool take_subject(struct journal_checkpoint *c, const char *text)
{
    static const char first[] = "checkpoint ", second[] = ": changes up to ";
    char *end = NULL;

    if (strncmp(text, first, sizeof(first) - 1) != 0)
        return false;
    c->number = strtoull(text + sizeof(first) - 1, &end, 10);
    if (strncmp(end, second, sizeof(second) - 1) != 0)
        return false;
    c->seq = strtoull(end + sizeof(second) - 1, &end, 10);
    return true;
}

enum err checkpoint_decode(struct journal_checkpoint *c, const uint8_t *data, size_t len,
                           struct errinfo *e)
{
    struct journal_commit header = {.seq = 0};
    const char *pos = (const char *)data;
    const char *end = pos + len;
    struct buf text = BUF_INIT, message = BUF_INIT;
    enum err rc = commit_take_header(&header, &pos, end, e);

    if (rc)
        return rc;
    buf_put(&text, pos, (size_t)(end - pos));
    c->tree = header.content_id;
    c->parent = header.parent;
    c->at = header.at;
    if (take_subject(c, buf_cstr(&text)))
        put_message(&message, c);
    if (!c->number || message.len != text.len || strcmp(buf_cstr(&message), buf_cstr(&text)) != 0)
        rc = err_set(ERR_CORRUPT, e, "is not a checkpoint");
    buf_free(&text);
    buf_free(&message);
    return rc;
}

enum err journal_checkpoint_get(struct journal_checkpoint *out, struct journal *j,
                                const struct journal_oid *commit, struct errinfo *e)
{
    struct journal_checkpoint c = {.commit = *commit};
    struct object o = {0};
    char hex[JOURNAL_HEX_MAX];
    enum err rc = object_get(j, NULL, commit, OBJ_COMMIT, &o, e);

    if (rc == OK)
        rc = checkpoint_decode(&c, o.data, o.len, e);
    object_done(&o);
    if (rc == OK) {
        *out = c;
        return OK;
    }
    journal_oid_hex(hex, commit);
    return err_wrap(rc, e, "checkpoint %s", hex);
}
