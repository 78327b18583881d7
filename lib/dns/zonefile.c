#include "lib/dns/zonefile.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/dns/zonefile_internal.h"

static const uint8_t root_name[1] = {0};

/* ---- Errors ---- */

enum err zonefile_fail(struct zonefile_reader *r, enum err rc, const uint8_t *at, const char *fmt,
                       ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(r->why.text, sizeof(r->why.text), fmt, ap);
    va_end(ap);
    return zonefile_fail_why(r, rc, at);
}

enum err zonefile_fail_why(struct zonefile_reader *r, enum err rc, const uint8_t *at)
{
    r->error_at = at;
    r->fatal = r->fatal || rc == ERR_LIMIT;
    return rc;
}

/* Tells the noted error of the present entry and decides whether reading goes on. */
static void report(struct zonefile_reader *r, enum err rc)
{
    const struct zonefile_source *s = r->source;
    struct zonefile_error error = {.path = s->path, .rc = rc, .text = r->why.text};

    lexer_position(&s->lex, r->error_at, &error.line, &error.column);
    if (r->errors++ == 0) {
        r->first_rc = rc;
        (void)err_set(rc, r->first, "%s:%u:%u: %s", s->path, error.line, error.column, r->why.text);
    }
    if (r->opts.on_error)
        r->opts.on_error(r->opts.error_ctx, &error);
    r->stopped = r->fatal || !r->opts.on_error || r->errors >= r->opts.error_max;
    r->why.text[0] = 0;
}

/* ---- The loop ---- */

void zonefile_run(struct zonefile_reader *r, struct zonefile_source *s)
{
    enum lex_outcome outcome = LEX_ENTRY;
    enum err rc;

    r->source = s;
    while (!r->stopped && outcome != LEX_END) {
        outcome = lexer_next(&s->lex);
        switch (outcome) {
        case LEX_ENTRY:
            rc = zonefile_entry(r);
            if (rc)
                report(r, rc);
            break;
        case LEX_ERROR:
            rc = zonefile_fail(r, ERR_FORMAT, s->lex.error_at, "%s", s->lex.error);
            report(r, rc);
            lexer_recover(&s->lex, s->lex.error_at);
            break;
        case LEX_END:
            break;
        }
    }
    r->source = s->parent;
}

static void reader_init(struct zonefile_reader *r, struct zonefile_source *s,
                        const struct zonefile_opts *opts, zonefile_rr_fn *f, void *ctx,
                        struct errinfo *e)
{
    struct zonefile_opts *o = &r->opts;

    if (opts)
        *o = *opts;
    if (!o->origin)
        o->origin = root_name;
    if (o->include_depth == 0)
        o->include_depth = ZONEFILE_INCLUDE_DEPTH;
    if (o->generate_max == 0)
        o->generate_max = ZONEFILE_GENERATE_MAX;
    if (o->error_max == 0)
        o->error_max = ZONEFILE_ERRORS_MAX;
    r->f = f;
    r->ctx = ctx;
    r->first = e;
    r->has_ttl = o->has_ttl;
    r->ttl = o->ttl;
    s->origin_len = name_copy(s->origin, o->origin);
}

static enum err read_source(struct zonefile_reader *r, struct zonefile_source *s, enum err rc)
{
    if (rc == OK) {
        zonefile_run(r, s);
        rc = r->first_rc;
    }
    zonefile_close(s);
    buf_free(&r->rdata);
    buf_free(&r->scratch);
    return rc;
}

enum err zonefile_read_file(const char *path, const struct zonefile_opts *opts, zonefile_rr_fn *f,
                            void *ctx, struct errinfo *e)
{
    struct zonefile_reader r = {.stopped = false};
    struct zonefile_source s = {.parent = NULL};

    reader_init(&r, &s, opts, f, ctx, e);
    return read_source(&r, &s, zonefile_open(&s, &r, path, e));
}

enum err zonefile_read_mem(const void *text, size_t len, const struct zonefile_opts *opts,
                           zonefile_rr_fn *f, void *ctx, struct errinfo *e)
{
    struct zonefile_reader r = {.stopped = false};
    struct zonefile_source s = {.parent = NULL};
    const char *path = opts && opts->path ? opts->path : "-";

    reader_init(&r, &s, opts, f, ctx, e);
    return read_source(&r, &s, zonefile_open_mem(&s, &r, path, text, len, e));
}
