/* zonectl journal reindex: a slice a request. The pool reads and compares, the writer thread writes
 * what differs, in transactions of bounded size between those of others.
 */
#include <stdlib.h>
#include <string.h>

#include "syncd/api_internal.h"
#include "syncd/reindex.h"

struct reindex_job {
    struct reindex x;
    bool check;
};

void api_post_reindex(struct api_request *r)
{
    struct reindex_job *j = xcalloc(1, sizeof(*j));
    struct history h = {0};
    struct store_zone row;

    j->check = api_arg_true(r, "check");
    if ((r->rc = api_history(&h, &row, r)) == OK)
        r->rc = reindex_slice(&j->x, &h, &row, api_arg(r, "at"), &r->error);
    history_close(&h);
    r->row = j;
    if (r->rc)
        reindex_done(&j->x);
}

static void answer(struct api_request *r)
{
    struct reindex_job *j = r->row;
    const struct reindex *x = &j->x;

    if (r->rc == OK)
        r->result = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "versions", (json_int_t)x->versions,
            "versions_missing", (json_int_t)x->versions_missing, "versions_wrong",
            (json_int_t)x->versions_wrong, "rows", (json_int_t)x->rows, "rows_missing",
            (json_int_t)x->rows_missing, "rows_surplus", (json_int_t)x->rows_surplus, "first",
            x->first[0] ? api_json_text(x->first) : json_null(), "next", x->next);
    reindex_done(&j->x);
    api_answer(r);
}

static enum err write_rows(void *ctx, struct store *s, struct errinfo *e)
{
    return reindex_write(ctx, s, e);
}

static void submit(struct api_request *r);

static void on_written(void *ctx, struct commit_job *job)
{
    struct api_request *r = ctx;
    struct reindex_job *j = r->row;

    r->rc = job->rc;
    r->error = job->error;
    if (r->rc == OK && reindex_has_writes(&j->x) && !r->api->stopped)
        submit(r);
    else
        answer(r);
}

static void submit(struct api_request *r)
{
    static const struct store_zone none;
    struct commit_job *job = commit_job_new(COMMIT_WRITE, &none);

    job->write = write_rows;
    job->write_ctx = &((struct reindex_job *)r->row)->x;
    job->done = on_written;
    job->ctx = r;
    commit_submit(r->api->env.committer, job);
}

void api_after_reindex(struct api_request *r)
{
    struct reindex_job *j = r->row;

    if (j->check || !reindex_has_writes(&j->x))
        answer(r);
    else
        submit(r);
}
