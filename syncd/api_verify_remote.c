/* zonectl verify --remote: the loop asks the remote, the pool compares. */
#include <stdlib.h>

#include "syncd/api_internal.h"
#include "syncd/verify_remote.h"

struct question {
    struct api_request *request;
    struct buf refs;
    uint64_t seq;
};

static void compare(void *ctx)
{
    struct question *q = ctx;
    struct api_request *r = q->request;
    struct remote_report report = {.refs = 0};
    struct history h = {0};

    if ((r->rc = api_history(&h, NULL, r)) == OK)
        r->rc = verify_remote(&report, &h, &q->refs, q->seq, &r->error);
    history_close(&h);
    if (r->rc == OK) {
        int worst = 0;
        json_t *faults = api_json_faults(&report.report, &worst);

        r->result =
            json_pack("{s:s, s:i, s:I, s:I, s:I, s:o}", "remote", api_arg(r, "remote"), "exit",
                      worst, "refs", (json_int_t)report.refs, "same", (json_int_t)report.same,
                      "behind", (json_int_t)report.behind, "faults", faults);
    }
    verify_report_free(&report.report);
}

static void compared(void *ctx)
{
    struct question *q = ctx;

    buf_free(&q->refs);
    api_answer(q->request);
    free(q);
}

static void on_refs(void *ctx, const struct buf *refs, const char *why)
{
    struct question *q = ctx;
    struct api_request *r = q->request;

    if (!refs) {
        r->rc = err_set(ERR_CLOSED, &r->error, "remote %s: %s", api_arg(r, "remote"), why);
        compared(q);
        return;
    }
    buf_put(&q->refs, refs->data, refs->len);
    loop_work(r->api->env.loop, compare, compared, q);
}

void api_post_remotes_verify(struct api_request *r)
{
    if (!api_arg(r, "remote")[0])
        r->rc = err_set(ERR_FORMAT, &r->error, "'remote' is missing: which one?");
}

void api_after_remotes_verify(struct api_request *r)
{
    struct question *q = xcalloc(1, sizeof(*q));
    struct remotes *remotes = r->api->env.remotes;

    *q = (struct question){.request = r, .seq = remotes_seq(remotes, api_arg(r, "remote"))};
    r->rc = remotes_list(remotes, api_arg(r, "remote"), on_refs, q, &r->error);
    if (r->rc != OK)
        compared(q);
}
