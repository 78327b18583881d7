/* What differs between two versions: as records, by RRset, and as git shows it. */
#include <string.h>

#include "lib/zone/unified.h"
#include "syncd/api_internal.h"

/* ---- By RRset ---- */

static json_t *json_record(const struct rr *rr, struct buf *text)
{
    text->len = 0;
    rdata_to_text(text, rr->type, rr->rdata, rr->rdata_len);
    return json_pack("{s:I, s:s}", "ttl", (json_int_t)rr->ttl, "rdata", buf_cstr(text));
}

static bool same_rrset(const struct rr *a, const struct rr *b)
{
    return a->type == b->type && name_eq(a->owner, b->owner);
}

/* Takes the records of one RRset from the list. */
static json_t *take_rrset(const struct rr_list *l, size_t *at, const struct rr *of,
                          struct buf *text)
{
    json_t *list = json_array();

    for (; *at < l->n && same_rrset(&l->rrs[*at], of); ++*at)
        (void)json_array_append_new(list, json_record(&l->rrs[*at], text));
    return list;
}

/* Whose RRset comes first; canonical order is that of owners and types, too. */
static const struct rr *next_of(const struct changeset *cs, size_t removed, size_t added)
{
    const struct rr *r = removed < cs->removed.n ? &cs->removed.rrs[removed] : NULL;
    const struct rr *a = added < cs->added.n ? &cs->added.rrs[added] : NULL;
    int order;

    if (!r || !a)
        return r ? r : a;
    order = name_cmp(r->owner, a->owner);
    if (order == 0)
        order = (int)r->type - (int)a->type;
    return order <= 0 ? r : a;
}

static json_t *json_rrsets(const struct changeset *cs)
{
    json_t *list = json_array();
    struct buf text = BUF_INIT;
    size_t removed = 0, added = 0;
    const struct rr *of;

    while ((of = next_of(cs, removed, added))) {
        char type[TYPE_TEXT_MAX];
        json_t *r = take_rrset(&cs->removed, &removed, of, &text);
        json_t *a = take_rrset(&cs->added, &added, of, &text);

        type_to_text(type, of->type);
        (void)json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o}", "owner",
                                                    api_json_name(of->owner), "type", type,
                                                    "removed", r, "added", a));
    }
    buf_free(&text);
    return list;
}

/* ---- The request ---- */

struct versions {
    struct history history;
    struct store_zone row;
    struct store_version from, to;
    struct changeset *changes;
};

static enum err find(struct versions *v, struct api_request *r)
{
    const char *from = api_arg(r, "from"), *to = api_arg(r, "to");
    struct history *h = &v->history;
    enum err rc;

    if (!from[0])
        return err_set(ERR_FORMAT, &r->error, "'from' is missing: which version?");
    if ((rc = api_history(h, &v->row, r)) ||
        (rc = history_find(&v->from, h, &v->row, from, r->now, &r->error)) ||
        (rc = history_find(&v->to, h, &v->row, to[0] ? to : "current", r->now, &r->error)))
        return rc;
    return history_diff(&v->changes, h, &v->row, &v->from, &v->to, &r->error);
}

/* The file is called as the zone's branch, so that no name is a path. */
static enum err put_unified(struct versions *v, struct api_request *r)
{
    char ref[JOURNAL_REF_MAX];
    struct zone *from = NULL;
    enum err rc = history_content(&from, &v->history, &v->row, &v->from, &r->error);

    if (rc == OK) {
        journal_ref_name(ref, v->row.name);
        zone_unified(&r->text, strrchr(ref, '/') + 1, from, v->changes);
    }
    zone_unref(from);
    return rc;
}

static void put_json(struct versions *v, struct api_request *r)
{
    const struct changeset *cs = v->changes;

    r->result =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "from", api_json_version(&v->row, &v->from), "to",
                  api_json_version(&v->row, &v->to), "removed", api_json_records(&cs->removed),
                  "added", api_json_records(&cs->added), "rrsets", json_rrsets(cs));
}

void api_get_diff(struct api_request *r)
{
    const char *format = api_arg(r, "format");
    bool git = strcmp(format, "git") == 0;
    struct versions v = {.changes = NULL};

    if (format[0] && !git && strcmp(format, "json") != 0)
        r->rc = err_set(ERR_FORMAT, &r->error, "format: '%s' should be json or git", format);
    else
        r->rc = find(&v, r);
    if (v.changes && git)
        r->rc = put_unified(&v, r);
    else if (v.changes)
        put_json(&v, r);
    changeset_free(v.changes);
    history_close(&v.history);
}
