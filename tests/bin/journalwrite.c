/* journalwrite REPOSITORY ZONE FILE...: records the zone files as versions that follow each other
 * (each as what differs from the one before), sets the branch, reads every version back and
 * compares. Prints a line a version: commit id, content id, serial. Exit status 1 on any error. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "lib/base/mem.h"
#include "lib/dns/zonefile.h"

static void must(enum err rc, const struct errinfo *e)
{
    if (rc == OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", err_name(rc), e->text);
    exit(1);
}

static enum err add_record(void *ctx, const struct rr *rr, struct errinfo *e)
{
    return zone_builder_add(ctx, rr, e);
}

static struct zone *zone_read(const uint8_t *apex, const char *path)
{
    struct zonefile_opts opts = {.origin = apex};
    struct zone_builder *b = zone_builder_new(apex, NULL);
    struct zone_build_report report;
    struct zone *z = NULL;
    struct errinfo e = {0};

    must(zonefile_read_file(path, &opts, add_record, b, &e), &e);
    must(zone_builder_finish(&z, b, &report, &e), &e);
    zone_builder_free(b);
    return z;
}

static struct journal_entry entry_make(const struct zone *z, uint64_t version, const char *path)
{
    return (struct journal_entry){
        .zone = zone_apex(z),
        .parent_entry = -1,
        .content = z,
        .to = zone_serial(z),
        .seq = version,
        .version = version,
        .added = zone_records(z),
        .at = {INT64_C(1790000000) + (int64_t)version},
        .origin = "import",
        .who = "test",
        .source = path,
        .key = "",
        .transport = "",
        .reason = "",
    };
}

static void write_version(struct journal *j, struct journal_entry *en, const struct zone *before,
                          const struct zone *z, const struct journal_oid *tip)
{
    struct changeset *cs = NULL;
    struct errinfo e = {0};

    if (before) {
        must(zone_diff(&cs, before, z, &e), &e);
        en->changes = cs;
        en->content = NULL;
        en->parent = *tip;
        en->has_from = true;
        en->from = zone_serial(before);
        en->added = cs->added.n;
        en->removed = cs->removed.n;
    }
    must(journal_write(j, en, 1, &e), &e);
    changeset_free(cs);
}

/* The version as it is in the journal against the file it came from. */
static void check_version(struct journal *j, const struct journal_oid *commit, const struct zone *z)
{
    struct zone *back = NULL;
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    struct errinfo e = {0};

    must(journal_zone_load(&back, j, zone_apex(z), commit, &e), &e);
    zone_to_text(&a, z);
    zone_to_text(&b, back);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0) {
        (void)fprintf(stderr, "a version is not what was written\n");
        exit(1);
    }
    buf_free(&a);
    buf_free(&b);
    zone_unref(back);
}

int main(int argc, char **argv)
{
    uint8_t apex[NAME_MAX_OCTETS];
    struct journal_oid tip = {{0}};
    struct journal *j = NULL;
    struct zone *before = NULL;
    struct errinfo e = {0};

    if (argc < 4) {
        (void)fprintf(stderr, "usage: journalwrite REPOSITORY ZONE FILE...\n");
        return 2;
    }
    must(name_from_text(apex, argv[2], strlen(argv[2]), NULL, &e), &e);
    must(journal_open(&j, argv[1], "journalwrite", true, &e), &e);
    for (int i = 3; i < argc; i++) {
        struct zone *z = zone_read(apex, argv[i]);
        struct journal_entry en = entry_make(z, (uint64_t)(i - 2), argv[i]);
        char commit[JOURNAL_HEX_MAX];
        char content[JOURNAL_HEX_MAX];

        write_version(j, &en, before, z, &tip);
        tip = en.commit;
        if (i % 50 == 0)
            must(journal_repack(j, &e), &e);
        check_version(j, &tip, z);
        journal_oid_hex(commit, &en.commit);
        journal_oid_hex(content, &en.content_id);
        (void)printf("%s %s %" PRIu32 "\n", commit, content, zone_serial(z).v);
        zone_unref(before);
        before = z;
    }
    must(journal_ref_set(j, LINE_SERVED, apex, &tip, &e), &e);
    must(journal_repack(j, &e), &e);
    zone_unref(before);
    journal_close(j);
    return 0;
}
