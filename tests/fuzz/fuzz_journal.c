/* Any octets as what the journal reads back: the first one chooses between commit, tree and text. A
 * line that is accepted, written again, is the same record.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void try_commit(const uint8_t *data, size_t size)
{
    struct journal_commit c;
    struct journal_oid tree;
    uint8_t zone[NAME_MAX_OCTETS];

    if (commit_decode(&c, zone, data, size, NULL) == OK)
        must(commit_tree(&tree, data, size, NULL) == OK && oid_eq(&tree, &c.content_id));
}

/* A tree that is accepted has only entries that would be written so. */
static void try_tree(const uint8_t *data, size_t size)
{
    struct object o = {.data = data, .len = size};
    struct part children[16];
    struct part part;
    struct journal_oid id;
    struct packer p;

    if (part_children(children, &o, NULL))
        return;
    packer_init(&p, NULL, true);
    must(part_put_tree(&p, children, NULL, &part, NULL) == OK &&
         packer_put(&p, OBJ_TREE, data, size, &id, NULL) == OK && oid_eq(&id, &part.oid));
    packer_done(&p);
}

static void try_text(const uint8_t *data, size_t size)
{
    const char *pos = (const char *)data;
    const char *end = pos + size;
    struct run_list runs = {0};
    struct line_rr a = {.rdata = BUF_INIT};
    struct line_rr b = {.rdata = BUF_INIT};
    struct buf text = BUF_INIT;
    struct line l;

    (void)!runs_of_text(&runs, pos, size, NULL);
    while (line_next(&l, &pos, end)) {
        if (line_parse(&a, &l, NULL))
            continue;
        text.len = 0;
        rr_to_text(&text, &a.rr);
        l = (struct line){(const char *)text.data, text.len - 1};
        must(line_parse(&b, &l, NULL) == OK && rr_cmp(&a.rr, &b.rr) == 0 && a.rr.ttl == b.rr.ttl);
        must(a.rdata.len == b.rdata.len &&
             (a.rdata.len == 0 || memcmp(a.rdata.data, b.rdata.data, a.rdata.len) == 0));
    }
    free(runs.runs);
    buf_free(&a.rdata);
    buf_free(&b.rdata);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        try_commit(data + 1, size - 1);
        break;
    case 1:
        try_tree(data + 1, size - 1);
        break;
    default:
        try_text(data + 1, size - 1);
    }
    return 0;
}
