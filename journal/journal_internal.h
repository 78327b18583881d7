/* What the files of the journal share.
 *
 *   ref.c     names of branches               refs.c    setting and getting them
 *   value.c   safe values                     commit.c  a commit's text
 *   line.c    lines of records                tree.c    a zone's tree from its content
 *   update.c  ... from the tree before        pack.c    objects on their way to the disk
 *   odb.c     objects on the disk             heal.c    what a crash left behind
 *   write.c   journal_write                   read.c    load, diff, commit, content id
 *   delta.c   what differs of an object       packout.c a pack's files, durably
 *   packset.c the objects of packs            merged.c  one pack of several
 *   thin.c    versions whose content went     thin_pack.c  ... from the packs
 *   repack.c  merging packs                   journal.c opening and closing
 *   sign.c    signatures of commits           sshsig.c  keys and signatures as OpenSSH has them
 *   checkpoint.c  signed lists of what is newest
 *   check.c   is all there, and whole?        repair.c  what is damaged, made again
 *   salvage.c objects of damaged packs        cuts.c    where history is missing
 */
#ifndef ZL_JOURNAL_INTERNAL_H
#define ZL_JOURNAL_INTERNAL_H

#include <git2.h>
#define ZLIB_CONST
#include <zlib.h>

#include "journal/checkpoint.h"
#include "journal/journal.h"
#include "journal/sign.h"
#include "lib/base/file.h"

#define PART_RECORDS_MAX 256 /* records of a part that stays a blob */
#define OID_HEX_CHARS 40
#define KEEP_TEXT "zoneledger\n" /* what a .keep file of ours says */

/* ---- Small things (journal.c) ---- */

void sha256_bytes(uint8_t out[32], const void *p, size_t n);
void hex_write(char *out, const uint8_t *p, size_t n); /* 2n digits and a NUL */
/* `chars` digits (even); lower or upper case. false if one is none. */
bool hex_read(uint8_t *out, const char *text, size_t chars);
bool oid_from_hex(struct journal_oid *out, const char *text, size_t len);
static inline bool oid_eq(const struct journal_oid *a, const struct journal_oid *b)
{
    return __builtin_memcmp(a->id, b->id, JOURNAL_OID_BYTES) == 0;
}

/* Our sentence and libgit2's behind it; the kind by libgit2's code and class. */
enum err err_git(int code, struct errinfo *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Objects ---- */

enum obj_type { OBJ_COMMIT = 1, OBJ_TREE = 2, OBJ_BLOB = 3 }; /* the numbers of git's packs */

/* An object's content, lent until object_done. */
struct object {
    const uint8_t *data;
    size_t len;

    git_odb_object *odb;
    uint8_t *heap;
};
void object_done(struct object *o);

/* One object of a pack that is being made. */
struct packer_object {
    struct journal_oid oid;
    uint64_t at;     /* where it begins in the pack */
    uint64_t stream; /* where its zlib stream does; 0 if it is a delta */
    size_t len;      /* inflated */
    size_t body;     /* where it is in packer.bodies, plus 1; 0: not kept */
    uint32_t crc;    /* of what the pack has of it */
    enum obj_type type;
    uint8_t depth; /* deltas up to the whole object */
};

/* Objects of one call, collected as a pack in memory. An object that the journal has, or that was
 * put before, is not put again. With `hash_only` nothing is kept: ids are all one gets.
 *
 * While `keep_bodies` is set, what is put is also kept as it is, as far as a budget goes: the next
 * version of the batch reads it, and what it replaces becomes a delta. */
struct packer {
    struct journal *j; /* NULL if hash_only */
    bool hash_only;
    bool keep_bodies;

    struct buf pack;
    struct packer_object *objects;
    size_t n, cap;
    uint32_t *slots; /* open addressing, by id: an object's number plus 1 */
    size_t slot_cap;
    struct buf bodies;
    struct buf delta;      /* scratch */
    z_stream small, large; /* two sizes of hash table: clearing a big one costs more than 1 KB */
    void *sha1;            /* EVP_MD_CTX, reused; of hash_only */
};

void packer_init(struct packer *p, struct journal *j, bool hash_only);
bool packer_has(const struct packer *p, const struct journal_oid *oid);
void packer_done(struct packer *p);
/* ERR_LIMIT, ERR_CHECK (libgit2 takes it for a SHA-1 collision attack). */
MUST_USE enum err packer_put(struct packer *p, enum obj_type type, const void *data, size_t len,
                             struct journal_oid *out, struct errinfo *e);
/* The same for what takes the place of another object, `before` (NULL: of none): if that is in this
 * pack too, only what differs is. No part of any id. */
MUST_USE enum err packer_put_after(struct packer *p, enum obj_type type, const void *data,
                                   size_t len, const struct journal_oid *before,
                                   struct journal_oid *out, struct errinfo *e);
/* True if the object was put; its content is lent until the next put, or inflated again. */
bool packer_get(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                struct object *out);
/* Makes the pack durable and visible. Nothing to do if it is empty. */
MUST_USE enum err packer_install(struct packer *p, struct errinfo *e);

/* Appends a delta in git's form: what makes `to` of `base`. */
struct delta_text {
    const uint8_t *data;
    size_t len;
};
void delta_encode(struct buf *out, const struct delta_text *base, const struct delta_text *to);

/* What `delta` makes of `base`, into `out`; false unless it is `to`. */
bool delta_check(const struct buf *delta, const struct delta_text *base,
                 const struct delta_text *to);

/* For packs made of others: entries go to the end, nothing is looked up. Each returns where. */
uint64_t packer_copy(struct packer *p, const struct journal_oid *oid, const uint8_t *entry,
                     size_t n);
/* The zlib stream of a delta that inflates to `size` octets. */
uint64_t packer_copy_delta(struct packer *p, const struct journal_oid *oid, uint64_t base_at,
                           size_t size, const uint8_t *stream, size_t n);
uint64_t packer_put_whole(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                          const void *data, size_t len);
/* 0 if the delta would be no shorter than `limit`. */
uint64_t packer_put_delta(struct packer *p, const struct journal_oid *oid, enum obj_type type,
                          uint64_t base_at, const struct delta_text *base,
                          const struct delta_text *to, size_t limit);

/* Writes DIR/NAME.pack (ends with its checksum) and the index made of `entries` (their order is
 * spoilt); both are durable, and so are their names. ERR_LIMIT, ERR_IO; nothing is left then. */
struct pack_entry {
    struct journal_oid oid;
    uint64_t at;
    uint32_t crc;
};
MUST_USE enum err pack_write(const char *dir, const char *name, const struct buf *pack,
                             struct pack_entry *entries, uint32_t n, struct errinfo *e);

/* Runs a whole pack through libgit2's indexer into the pack directory: checks every object,
 * writes pack and index, fsyncs. `name` gets the pack's name ("pack-<hex>"). */
#define PACK_NAME_MAX 64
typedef enum err pack_feed_fn(void *ctx, git_indexer *ix, git_indexer_progress *st,
                              struct errinfo *e);
MUST_USE enum err pack_index(const char *dir, char name[PACK_NAME_MAX], pack_feed_fn *feed,
                             void *ctx, struct errinfo *e);
/* ---- Packs on the disk (odb.c) ---- */

struct packfile {
    char name[PACK_NAME_MAX];
    uint64_t bytes;
    uint64_t objects;
    uint8_t *idx; /* mapped for reading */
    size_t idx_len;
    git_odb_backend *backend; /* libgit2's, for this pack alone; NULL until it is read from */
    bool sound;               /* the index was checked and is in use */
    bool seen;                /* in the last listing */
    bool going;               /* we take it away ourselves */
};

struct oidmap;

struct journal {
    char *path;
    char *pack_dir;
    char *node;
    bool writer;
    const struct journal_key *key; /* lent; NULL: commits are not signed */
    bool sign_waiting_only;

    git_repository *repo;
    git_odb *odb;
    struct packfile *packs;
    size_t pack_count;
    size_t pack_cap;

    int lock;                 /* the writer's, held as long as it is open; -1: none */
    uint64_t vanished;        /* packs in use that went, or changed, by nobody of ours ... */
    uint64_t vanished_told;   /* ... of which journal_look has told */
    const struct oidmap *bad; /* lent; ids whose objects are known to be damaged, so that they
                                 count as missing; NULL: none */
};

/* Checks a pack's index (its trailer, its tables, and that pack and index belong together) and maps
 * it. ERR_CORRUPT, ERR_IO, ERR_NOT_FOUND. */
MUST_USE enum err pack_open(struct packfile *out, const char *dir, const char *name,
                            struct errinfo *e);
void pack_close(struct packfile *p);
const uint8_t *pack_ids(const struct packfile *p); /* sorted, 20 octets each */
uint32_t pack_crc(const struct packfile *p, uint32_t i);
uint64_t pack_offset(const struct packfile *p, uint32_t i); /* behind the header, before the end */
bool pack_has(const struct packfile *p, const uint8_t id[JOURNAL_OID_BYTES]);

/* What an index says, in the order of ids, on the heap; its pack is not looked at. ERR_CORRUPT,
 * ERR_IO, ERR_NOT_FOUND. */
struct idx_entry {
    struct journal_oid oid;
    uint64_t offset;
};
MUST_USE enum err idx_entries(struct idx_entry **out, size_t *n, const char *idx_path);

MUST_USE enum err odb_open(struct journal *j, struct errinfo *e);
void odb_close(struct journal *j);
/* Looks for packs that came or went. Packs with a damaged index are left out, with a warning. */
MUST_USE enum err odb_refresh(struct journal *j, struct errinfo *e);
/* ERR_NOT_FOUND, ERR_CORRUPT (also for an object of another type). `p` may be NULL. */
MUST_USE enum err object_get(struct journal *j, struct packer *p, const struct journal_oid *oid,
                             enum obj_type type, struct object *out, struct errinfo *e);
/* Looks at the packs known, without a refresh; not at loose objects. */
bool odb_has(const struct journal *j, const struct journal_oid *oid);

/* ---- Several packs (packset.c, merged.c) ---- */

#define NO_OBJECT UINT32_MAX
#define CHAIN_MAX 4095 /* deltas in a row: git makes no more */

struct pack_object {
    struct journal_oid oid;
    uint64_t at, end;   /* its entry in its pack */
    uint64_t size;      /* inflated; of a delta: the delta's */
    uint64_t new_at;    /* in the new pack; 0: not there yet */
    uint32_t pack;      /* number of the pack */
    uint32_t stream;    /* where the zlib stream is, from `at` */
    uint32_t base;      /* it is a delta of this object there, or NO_OBJECT */
    uint32_t after;     /* it shall become a delta of this one, or NO_OBJECT */
    uint32_t height;    /* the longest chain of deltas below it */
    enum obj_type type; /* or 4, a tag */
    uint8_t entry_type; /* or a kind of delta */
    bool walked;
    bool gone;          /* it shall not be in the new pack */
    bool whole;         /* it is a delta of one that is gone, and is written anew */
    bool reached, kept; /* by versions that go, and that stay (thin_pack.c) */
};

struct pack_map {
    const uint8_t *data;
    size_t len;
};

struct packset {
    struct pack_object *objects; /* by id */
    uint32_t n;
    struct pack_map *maps;
    size_t pack_count;
    bool thinned; /* some are `gone` */
};

/* Checks the CRC of every entry. ERR_CORRUPT, ERR_IO. */
MUST_USE enum err packset_open(struct packset *out, const char *dir, const struct packfile *packs,
                               size_t n, struct errinfo *e);
void packset_done(struct packset *s);
uint32_t packset_find(const struct packset *s, const struct journal_oid *oid);

/* All objects of the set, as one pack in memory. ERR_CLOSED if it was stopped. */
MUST_USE enum err merged_write(struct packer *out, struct journal *j, struct packset *s,
                               journal_stop_fn *stop, void *ctx, struct errinfo *e);

/* ---- What goes when versions are thinned (thin_pack.c) ---- */

struct thinning;
/* The n-th parent of a commit of anybody's, from 0; false if there are fewer. */
bool commit_parent(struct journal_oid *out, const struct object *commit, size_t n);
/* Looks through all packs. *out is NULL if nothing can go; otherwise free it. */
MUST_USE enum err thinning_find(struct thinning **out, struct journal *j,
                                const struct journal_oid *gone, size_t gone_count,
                                journal_stop_fn *stop, void *ctx, struct errinfo *e);
void thinning_free(struct thinning *t);
bool thinning_touches(const struct thinning *t, const struct packfile *p);
/* Sets `gone` of the set's objects. */
void thinning_mark(const struct thinning *t, struct packset *s);
/* Before the packs go: nothing that was written meanwhile may need what goes (ERR_BUSY), and git
 * must know where histories begin now. `made` is the name of the new pack. The writer's. */
MUST_USE enum err thinning_check(const struct thinning *t, struct journal *j, const char *made,
                                 struct errinfo *e);

/* What the writer does before the repository is opened (heal.c): first the locks of the files at
 * the top, which it rewrites, then the rest. */
MUST_USE enum err journal_heal_locks(const char *path, struct errinfo *e);
MUST_USE enum err journal_heal(const char *path, const char *pack_dir, bool *damage,
                               struct errinfo *e);
/* Only the packs: indexes without packs go, packs without a good index get one, or go aside.
 * *damage becomes true if something may be lost. Nobody else may be writing a pack. */
MUST_USE enum err packs_heal(const char *dir, bool *damage, struct errinfo *e);
/* Moves a pack's files to bad/; for heal.c and repair.c. */
MUST_USE enum err pack_aside(const char *dir, const char *stem, struct errinfo *e);

/* ---- Lines (line.c) ---- */

/* One line of a blob, lent, without its LF. */
struct line {
    const char *text;
    size_t len;
};
/* Takes the next line from *pos; false at `end`. A last line without LF is ERR_CORRUPT's business:
 * line_parse sees it as it is. */
bool line_next(struct line *l, const char **pos, const char *end);

/* A line as a record. rdata is appended to `rdata`, and `rr` lends from it and from `owner`. */
struct line_rr {
    uint8_t owner[NAME_MAX_OCTETS];
    struct buf rdata;
    struct rr rr;
};
MUST_USE enum err line_parse(struct line_rr *out, const struct line *l, struct errinfo *e);
/* Only the owner. */
MUST_USE enum err line_owner(uint8_t owner[NAME_MAX_OCTETS], const struct line *l,
                             struct errinfo *e);
size_t line_owner_chars(const struct line *l); /* length of the owner's text */
/* *order as rr_cmp(rr, line), parsing no more than needed; `tmp` is scratch. */
MUST_USE enum err line_cmp(int *order, const struct rr *rr, const struct line *l,
                           struct line_rr *tmp, struct errinfo *e);

/* ---- Trees (tree.c, update.c) ---- */

enum part_kind { PART_NONE, PART_BLOB, PART_TREE };

struct part {
    enum part_kind kind;
    struct journal_oid oid;
};

/* All records of one owner: lines of a text, or node `index` of a zone's page. There are as many
 * as a zone has owners, so it is kept small: of the SHA-256 of the folded owner, which is its
 * address, there is the beginning; the rest is worked out again if it ever matters. */
#define RUN_ADDRESS_OCTETS 8
struct run {
    uint8_t address[RUN_ADDRESS_OCTETS];
    union {
        const char *text; /* if is_text */
        const struct page *page;
    };
    union {
        uint32_t len; /* of text */
        uint32_t index;
    };
    uint32_t records : 31;
    uint32_t is_text : 1;
};

static inline unsigned address_digit(const uint8_t *address, unsigned depth)
{
    return depth & 1 ? address[depth / 2] & 15u : address[depth / 2] >> 4;
}

struct run_list {
    struct run *runs;
    size_t n;
    size_t cap;
};
/* Appends the owners of a text, in its order. */
MUST_USE enum err runs_of_text(struct run_list *out, const char *text, size_t len,
                               struct errinfo *e);

/* Stores the part that the runs (in canonical order of owners) make at this depth. `apex` is for
 * runs of a zone. No runs: PART_NONE. The order of the runs is spoilt. */
MUST_USE enum err part_build(struct packer *p, const uint8_t *apex, struct run *runs, size_t n,
                             unsigned depth, struct part *out, struct errinfo *e);

/* The children of a tree, by digit, from the object and back. */
MUST_USE enum err part_children(struct part children[16], const struct object *tree,
                                struct errinfo *e);
/* `before` is the tree whose place it takes, or NULL. */
MUST_USE enum err part_put_tree(struct packer *p, const struct part children[16],
                                const struct journal_oid *before, struct part *out,
                                struct errinfo *e);

/* One entry of a tree: mode, name, id. False if it is none, or its name too long. */
bool tree_entry(struct reader *r, struct part *part, char *name, size_t name_cap);
void tree_entry_put(struct buf *b, const struct part *part, const char *name);

/* The record of a zone's thinned versions (refs.c). ERR_NOT_FOUND. */
MUST_USE enum err ref_thinned_get(struct journal *j, const uint8_t *zone, struct journal_oid *out,
                                  struct errinfo *e);
MUST_USE enum err ref_thinned_set(struct journal *j, const uint8_t *zone,
                                  const struct journal_oid *record, struct errinfo *e);

/* What the signature of a commit (its octets) is worth (sign.c). */
enum journal_signature signature_judge(const struct object *o, const struct journal_signer *signers,
                                       size_t n, size_t *which);

/* The top tree with its one entry, written and read. PART_NONE makes the empty blob. */
MUST_USE enum err top_put(struct packer *p, const struct part *zone, struct journal_oid *out,
                          struct errinfo *e);
MUST_USE enum err top_get(struct journal *j, struct packer *p, const struct journal_oid *tree,
                          struct part *zone, struct errinfo *e);

/* The tree of a whole zone. */
MUST_USE enum err tree_of_zone(struct packer *p, const struct zone *z, struct journal_oid *out,
                               struct errinfo *e);
/* The tree that a change set makes of another one; only touched parts are read and written.
 * ERR_CONFLICT, ERR_CORRUPT. */
MUST_USE enum err tree_of_changes(struct packer *p, const struct journal_oid *base,
                                  const struct changeset *cs, struct journal_oid *out,
                                  struct errinfo *e);

/* Calls f with the text of each blob of a part, lent. */
typedef enum err text_fn(void *ctx, const char *text, size_t len, struct errinfo *e);
MUST_USE enum err part_each_text(struct journal *j, const struct part *part, text_fn *f, void *ctx,
                                 struct errinfo *e);

/* ---- Commits (value.c, commit.c) ---- */

/* docs/journal-format.md section 4. At most `max` octets of the value are taken. */
void value_escape(struct buf *out, const char *value, size_t max, bool in_name);
/* Undoes it; false if it doesn't fit or isn't what value_escape writes. */
bool value_unescape(char *out, size_t cap, const char *text, size_t len, bool in_name);

/* The commit object's octets. */
void commit_encode(struct buf *out, const struct journal_entry *entry, const char *node,
                   const struct journal_oid *parent, const struct journal_oid *tree);
/* Strict. `zone` gets the Zone trailer's name. ERR_CORRUPT. */
MUST_USE enum err commit_decode(struct journal_commit *out, uint8_t zone[NAME_MAX_OCTETS],
                                const uint8_t *data, size_t len, struct errinfo *e);
/* Signs the octets of a commit: they are replaced by those with a signature. ERR_UNSUPPORTED. */
MUST_USE enum err commit_sign(struct buf *commit, const struct journal_key *k, struct errinfo *e);
/* What commits of ours have in common: from "tree" to the empty line, which *pos then stands behind
 * (content_id is the tree); and "author" or "committer", when the node itself is that. */
MUST_USE enum err commit_take_header(struct journal_commit *c, const char **pos, const char *end,
                                     struct errinfo *e);
void commit_put_ident(struct buf *out, const char *field, const char *node, const char *mail_word,
                      int64_t at);
/* Only the tree, for walking. */
MUST_USE enum err commit_tree(struct journal_oid *tree, const uint8_t *data, size_t len,
                              struct errinfo *e);

/* ---- Checkpoints (checkpoint.c) ---- */

/* From a commit's octets. ERR_CORRUPT. */
MUST_USE enum err checkpoint_decode(struct journal_checkpoint *c, const uint8_t *data, size_t len,
                                    struct errinfo *e);
/* Calls f for each line, or for those of one zone. ERR_CORRUPT. */
MUST_USE enum err checkpoint_lines(const char *text, size_t len, const uint8_t *only,
                                   journal_tip_fn *f, void *ctx, struct errinfo *e);

/* ---- Keys and signatures (sshsig.c) ---- */

#define SIGN_NAMESPACE "git" /* what git signs commits for */

/* Appends a signature of the message; each line but the first begins with `line_start`.
 * ERR_UNSUPPORTED. */
MUST_USE enum err sshsig_make(struct buf *out, const struct journal_key *k, const void *message,
                              size_t len, const char *line_start, struct errinfo *e);
/* True if it is the message's signature by *by. *known_form: it is a signature at all, of the kind
 * that we make, and *by is known. */
bool sshsig_check(struct journal_signer *by, bool *known_form, const char *armour,
                  size_t armour_len, const void *message, size_t len);

#endif
