/* A zone's tree from its content: docs/journal-format.md section 2. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"
#include "lib/base/mem.h"

#define DIGITS 16
#define ADDRESS_DIGITS 64
#define MODE_BLOB "100644 "
#define MODE_TREE "40000 "
#define TOP_NAME "zone"

/* ---- Trees as objects ---- */

void tree_entry_put(struct buf *b, const struct part *part, const char *name)
{
    buf_str(b, part->kind == PART_TREE ? MODE_TREE : MODE_BLOB);
    buf_put(b, name, strlen(name) + 1);
    buf_put(b, part->oid.id, sizeof(part->oid.id));
}

/* One entry: mode SP name NUL id. */
bool tree_entry(struct reader *r, struct part *part, char *name, size_t name_cap)
{
    static const struct {
        const char *mode;
        enum part_kind kind;
    } kinds[] = {{MODE_BLOB, PART_BLOB}, {MODE_TREE, PART_TREE}};
    const uint8_t *p = r->msg + r->pos;
    size_t left = reader_left(r);
    const uint8_t *id;
    size_t n;

    part->kind = PART_NONE;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        n = strlen(kinds[i].mode);
        if (left > n && memcmp(p, kinds[i].mode, n) == 0) {
            part->kind = kinds[i].kind;
            (void)read_bytes(r, n);
            break;
        }
    }
    n = strnlen((const char *)(r->msg + r->pos), reader_left(r));
    if (part->kind == PART_NONE || n == 0 || n >= name_cap || n >= reader_left(r))
        return false;
    memcpy(name, read_bytes(r, n + 1), n + 1);
    if (!(id = read_bytes(r, JOURNAL_OID_BYTES)))
        return false;
    memcpy(part->oid.id, id, JOURNAL_OID_BYTES);
    return true;
}

enum err part_put_tree(struct packer *p, const struct part children[DIGITS],
                       const struct journal_oid *before, struct part *out, struct errinfo *e)
{
    static const char names[DIGITS][2] = {"0", "1", "2", "3", "4", "5", "6", "7",
                                          "8", "9", "a", "b", "c", "d", "e", "f"};
    struct buf b = BUF_INIT;
    enum err rc;

    for (size_t i = 0; i < DIGITS; i++)
        if (children[i].kind != PART_NONE)
            tree_entry_put(&b, &children[i], names[i]);
    if ((rc = packer_put_after(p, OBJ_TREE, b.data, b.len, before, &out->oid, e)) == OK)
        out->kind = PART_TREE;
    buf_free(&b);
    return rc;
}

enum err part_children(struct part children[DIGITS], const struct object *tree, struct errinfo *e)
{
    struct reader r = reader_of(tree->data, tree->len);
    int last = -1;

    memset(children, 0, DIGITS * sizeof(children[0]));
    while (reader_left(&r)) {
        struct part part;
        char name[2];
        uint8_t digit[1];
        char pair[2] = {'0', 0};

        if (!tree_entry(&r, &part, name, sizeof(name)))
            return err_set(ERR_CORRUPT, e, "a tree of the journal is damaged");
        pair[1] = name[0];
        if (!hex_read(digit, pair, 2) || (name[0] >= 'A' && name[0] <= 'F') || digit[0] <= last)
            return err_set(ERR_CORRUPT, e, "a tree of the journal has a strange entry");
        last = digit[0];
        children[digit[0]] = part;
    }
    return OK;
}

enum err top_put(struct packer *p, const struct part *zone, struct journal_oid *out,
                 struct errinfo *e)
{
    struct part part = *zone;
    struct buf b = BUF_INIT;
    enum err rc = OK;

    if (part.kind == PART_NONE) {
        part.kind = PART_BLOB;
        rc = packer_put(p, OBJ_BLOB, "", 0, &part.oid, e);
    }
    if (rc == OK) {
        tree_entry_put(&b, &part, TOP_NAME);
        rc = packer_put(p, OBJ_TREE, b.data, b.len, out, e);
    }
    buf_free(&b);
    return rc;
}

enum err top_get(struct journal *j, struct packer *p, const struct journal_oid *tree,
                 struct part *zone, struct errinfo *e)
{
    struct object o = {0};
    struct reader r;
    struct part part;
    char name[sizeof(TOP_NAME)];
    enum err rc = object_get(j, p, tree, OBJ_TREE, &o, e);

    if (rc)
        return rc;
    r = reader_of(o.data, o.len);
    if (!tree_entry(&r, &part, name, sizeof(name)) || strcmp(name, TOP_NAME) != 0 ||
        reader_left(&r))
        rc = err_set(ERR_CORRUPT, e, "the tree isn't one of a zone");
    else
        *zone = part;
    object_done(&o);
    return rc;
}

/* ---- Building ---- */

static void put_node(struct buf *b, const struct run *run, const uint8_t *apex)
{
    struct node node;
    struct rrset set;
    uint8_t owner[NAME_MAX_OCTETS];

    page_node(run->page, run->index, &node);
    (void)node_owner(owner, &node, apex);
    for (uint32_t i = 0; i < node.rrsets; i++) {
        struct rrset_iter it;
        struct rr rr = {.owner = owner, .rclass = CLASS_IN};

        node_rrset_at(&node, i, &set);
        rr.type = set.type;
        rr.ttl = set.ttl;
        rrset_iter_init(&it, &set);
        while (rrset_next(&it, &rr.rdata, &rr.rdata_len))
            rr_to_text(b, &rr);
    }
}

struct builder {
    struct packer *p;
    const uint8_t *apex;
    struct run *spare; /* as many as there are runs, for sorting */
    struct buf text;
};

static enum err build_blob(struct builder *b, const struct run *runs, size_t n, struct part *out,
                           struct errinfo *e)
{
    enum err rc;

    b->text.len = 0;
    for (size_t i = 0; i < n; i++) {
        if (runs[i].is_text)
            buf_put(&b->text, runs[i].text, runs[i].len);
        else
            put_node(&b->text, &runs[i], b->apex);
    }
    if ((rc = packer_put(b->p, OBJ_BLOB, b->text.data, b->text.len, &out->oid, e)) == OK)
        out->kind = PART_BLOB;
    return rc;
}

/* The owner whose records the run has; its text was read once before. */
static size_t run_owner(uint8_t owner[NAME_MAX_OCTETS], const struct run *run, const uint8_t *apex)
{
    const char *pos = run->text;
    struct node node;
    struct line l;

    if (!run->is_text) {
        page_node(run->page, run->index, &node);
        (void)node_owner(owner, &node, apex);
    } else if (!line_next(&l, &pos, run->text + run->len) || line_owner(owner, &l, NULL) != OK) {
        abort();
    }
    return name_fold(owner, owner);
}

static unsigned run_digit(const struct builder *b, const struct run *run, unsigned depth)
{
    uint8_t owner[NAME_MAX_OCTETS], whole[ADDRESS_DIGITS / 2];

    if (depth < 2 * RUN_ADDRESS_OCTETS)
        return address_digit(run->address, depth);
    sha256_bytes(whole, owner, run_owner(owner, run, b->apex));
    return address_digit(whole, depth);
}

/* Sorts by one digit; runs of the same digit keep their order. start[] gets where each begins. */
static void sort_by_digit(const struct builder *b, struct run *runs, size_t n, unsigned depth,
                          size_t start[DIGITS + 1])
{
    size_t next[DIGITS];

    memset(start, 0, (DIGITS + 1) * sizeof(start[0]));
    for (size_t i = 0; i < n; i++)
        start[run_digit(b, &runs[i], depth) + 1]++;
    for (size_t i = 0; i < DIGITS; i++)
        start[i + 1] += start[i];
    memcpy(next, start, sizeof(next));
    for (size_t i = 0; i < n; i++)
        b->spare[next[run_digit(b, &runs[i], depth)]++] = runs[i];
    memcpy(runs, b->spare, n * sizeof(*runs));
}

static enum err build(struct builder *b, struct run *runs, size_t n, unsigned depth,
                      struct part *out, struct errinfo *e)
{
    struct part children[DIGITS] = {0};
    size_t start[DIGITS + 1];
    uint64_t records = 0;
    enum err rc = OK;

    if (n == 0) {
        out->kind = PART_NONE;
        return OK;
    }
    for (size_t i = 0; i < n && records <= PART_RECORDS_MAX; i++)
        records += runs[i].records;
    if (n == 1 || records <= PART_RECORDS_MAX || depth == ADDRESS_DIGITS)
        return build_blob(b, runs, n, out, e);
    sort_by_digit(b, runs, n, depth, start);
    for (size_t i = 0; i < DIGITS && rc == OK; i++)
        rc = build(b, runs + start[i], start[i + 1] - start[i], depth + 1, &children[i], e);
    return rc ? rc : part_put_tree(b->p, children, NULL, out, e);
}

enum err part_build(struct packer *p, const uint8_t *apex, struct run *runs, size_t n,
                    unsigned depth, struct part *out, struct errinfo *e)
{
    struct builder b = {.p = p, .apex = apex};
    enum err rc;

    b.spare = xmalloc(n * sizeof(*runs));
    rc = build(&b, runs, n, depth, out, e);
    buf_free(&b.text);
    free(b.spare);
    return rc;
}

/* ---- Runs ---- */

static struct run *run_add(struct run_list *l)
{
    l->runs = xgrow(l->runs, &l->cap, l->n + 1, sizeof(*l->runs));
    l->runs[l->n] = (struct run){0};
    return &l->runs[l->n++];
}

enum err runs_of_text(struct run_list *out, const char *text, size_t len, struct errinfo *e)
{
    const char *pos = text;
    const char *end = text + len;
    struct line l;
    struct run *run = NULL;
    size_t chars = 0;

    while (line_next(&l, &pos, end)) {
        if (!run || line_owner_chars(&l) != chars || memcmp(l.text, run->text, chars) != 0) {
            uint8_t owner[NAME_MAX_OCTETS], address[ADDRESS_DIGITS / 2];
            enum err rc = line_owner(owner, &l, e);

            if (rc)
                return rc;
            chars = line_owner_chars(&l);
            run = run_add(out);
            run->is_text = true;
            run->text = l.text;
            sha256_bytes(address, owner, name_len(owner));
            memcpy(run->address, address, sizeof(run->address));
        }
        run->records++;
        run->len = (uint32_t)(pos - run->text);
    }
    if (len && end[-1] != '\n')
        return err_set(ERR_CORRUPT, e, "a text of the journal ends in mid-line");
    return OK;
}

static size_t count_owners(const struct zone *z)
{
    struct zone_iter it;
    struct node node;
    size_t n = 0;

    zone_iter_init(&it, z);
    while (zone_next(&it, &node))
        n++;
    return n;
}

static void runs_of_zone(struct run_list *out, const struct zone *z)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    const struct page *page = NULL;
    struct zone_iter it;
    struct node node;
    uint32_t index = 0;

    if (!ctx || !sha256 || EVP_DigestInit_ex(ctx, sha256, NULL) != 1)
        abort();
    out->cap = count_owners(z); /* a list that grows takes up to twice that */
    out->runs = xmalloc(out->cap * sizeof(*out->runs));
    zone_iter_init(&it, z);
    while (zone_next(&it, &node)) {
        struct run *run = run_add(out);
        struct rrset set;
        uint8_t owner[NAME_MAX_OCTETS], address[ADDRESS_DIGITS / 2];
        size_t len = node_owner(owner, &node, zone_apex(z));

        index = node.page == page ? index + 1 : 0;
        page = node.page;
        run->page = page;
        run->index = index;
        for (uint32_t i = 0; i < node.rrsets; i++) {
            node_rrset_at(&node, i, &set);
            run->records += set.count;
        }
        (void)name_fold(owner, owner);
        if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1 || EVP_DigestUpdate(ctx, owner, len) != 1 ||
            EVP_DigestFinal_ex(ctx, address, NULL) != 1)
            abort();
        memcpy(run->address, address, sizeof(run->address));
    }
    EVP_MD_free(sha256);
    EVP_MD_CTX_free(ctx);
}

enum err tree_of_zone(struct packer *p, const struct zone *z, struct journal_oid *out,
                      struct errinfo *e)
{
    const bool keep = p->keep_bodies;
    struct run_list l = {0};
    struct part part;
    enum err rc;

    runs_of_zone(&l, z);
    p->keep_bodies = false; /* a large zone would be in memory once more */
    if ((rc = part_build(p, zone_apex(z), l.runs, l.n, 0, &part, e)) == OK)
        rc = top_put(p, &part, out, e);
    p->keep_bodies = keep;
    free(l.runs);
    return rc;
}

/* ---- Walking ---- */

enum err part_each_text(struct journal *j, const struct part *part, text_fn *f, void *ctx,
                        struct errinfo *e)
{
    struct object o = {0};
    struct part children[DIGITS];
    enum err rc;

    if (part->kind == PART_NONE)
        return OK;
    if ((rc =
             object_get(j, NULL, &part->oid, part->kind == PART_TREE ? OBJ_TREE : OBJ_BLOB, &o, e)))
        return rc;
    if (part->kind == PART_BLOB) {
        rc = f(ctx, (const char *)o.data, o.len, e);
    } else if ((rc = part_children(children, &o, e)) == OK) {
        for (size_t i = 0; i < DIGITS && rc == OK; i++)
            rc = part_each_text(j, &children[i], f, ctx, e);
    }
    object_done(&o);
    return rc;
}
