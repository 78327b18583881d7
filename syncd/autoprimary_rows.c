#include "syncd/autoprimary_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

int autoprimary_rows_key(const struct config *c, const char *name)
{
    uint8_t want[NAME_MAX_OCTETS];
    uint8_t has[NAME_MAX_OCTETS];

    if (name_from_text(want, name, strlen(name), NULL, NULL) != OK)
        return -1;
    for (size_t i = 0; i < c->key_count; i++) {
        if (name_from_text(has, c->keys[i].name, strlen(c->keys[i].name), NULL, NULL) == OK &&
            name_eq(want, has))
            return (int)i;
    }
    return -1;
}

/* ---- The text ---- */

/* Between single quotes nothing but these two means anything. */
static void put_quoted(struct buf *out, const char *text)
{
    buf_u8(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_u8(out, '\\');
        buf_u8(out, (uint8_t)*text);
    }
    buf_u8(out, '\'');
}

static bool same_group(const struct store_autoprimary *a, const struct store_autoprimary *b)
{
    return name_eq(a->nameserver, b->nameserver) && strcmp(a->account, b->account) == 0;
}

static bool in_force(const struct config *c, const struct store_autoprimary *a)
{
    if (!a->key[0] || autoprimary_rows_key(c, a->key) >= 0)
        return true;
    log_error(say("an autoprimary is not in force: its key is not in the configuration"),
              kv_str("address", a->ip), kv_str("key", a->key));
    return false;
}

/* Its name among the primaries: what logs and zones show. */
static char *primary_name(const struct store_autoprimary *a)
{
    return a->key[0] ? xasprintf("%s key %s", a->ip, a->key) : xstrdup(a->ip);
}

static bool was_before(const struct store_autoprimary *rows, size_t n,
                       const struct store_autoprimary *a)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].ip, a->ip) == 0 && strcmp(rows[i].key, a->key) == 0)
            return true;
    }
    return false;
}

static void put_primary(struct buf *out, const struct config *c, const struct store_autoprimary *a)
{
    char *name = primary_name(a);

    buf_str(out, "primary ");
    put_quoted(out, name);
    buf_str(out, " { address = ");
    put_quoted(out, a->ip);
    if (a->key[0]) {
        buf_str(out, " key = ");
        put_quoted(out, c->keys[autoprimary_rows_key(c, a->key)].name);
    }
    buf_str(out, " }\n");
    free(name);
}

/* Names of primaries in a list; the retired ones, or the others. Returns how many. */
static size_t put_names(struct buf *out, const struct store_autoprimary *rows, size_t n,
                        bool retired, bool more)
{
    size_t put = 0;

    for (size_t i = 0; i < n; i++) {
        char *name;

        if (rows[i].retired != retired)
            continue;
        name = primary_name(&rows[i]);
        buf_str(out, more || put ? ", " : "");
        put_quoted(out, name);
        put++;
        free(name);
    }
    return put;
}

static void put_suffixes(struct buf *out, const char *suffixes)
{
    const char *gap = "";

    while (*suffixes) {
        size_t len = strcspn(suffixes, " ");
        char *one = xasprintf("%.*s", (int)len, suffixes);

        if (len) {
            buf_str(out, gap);
            put_quoted(out, one);
            gap = ", ";
        }
        free(one);
        suffixes += len + (suffixes[len] == ' ');
    }
}

/* One section; returns how many of its primaries may bring zones. */
static size_t put_group(struct buf *out, size_t number, const struct store_autoprimary *rows,
                        size_t n)
{
    char nameserver[NAME_TEXT_MAX];
    size_t speakers;

    (void)name_to_text(nameserver, rows->nameserver);
    buf_printf(out, "autoprimary '%zu' { primaries = {", number);
    speakers = put_names(out, rows, n, false, false);
    (void)put_names(out, rows, n, true, speakers > 0);
    buf_str(out, "} nameservers = {");
    put_quoted(out, nameserver);
    buf_str(out, "} suffixes = {");
    put_suffixes(out, rows->suffixes);
    buf_printf(out, "} zones-max = '%u' zones-per-hour = '%u' }\n", (unsigned)rows->zones_max,
               (unsigned)rows->zones_per_hour);
    return speakers;
}

/* ---- The configuration ---- */

struct group {
    const struct store_autoprimary *first;
    size_t speakers;
};

static void finish_sections(struct config *c, size_t first, const struct group *groups, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct config_autoprimary *a = &c->autoprimaries[first + i];

        free(a->account);
        a->account = xstrdup(groups[i].first->account);
        a->speaker_count = groups[i].speakers;
        c->more->autoprimaries[i].account = a->account; /* which frees it */
    }
}

enum err autoprimary_rows_extend(struct config **out, struct config *base,
                                 const struct store_autoprimary *rows, size_t n, struct errinfo *e)
{
    struct store_autoprimary *valid = xcalloc(n + 1, sizeof(*valid));
    struct group *groups = xcalloc(n + 1, sizeof(*groups));
    struct buf text = BUF_INIT;
    struct config *c = NULL;
    size_t count = 0;
    size_t group_count = 0;
    enum err rc = OK;

    for (size_t i = 0; i < n; i++) {
        if (in_force(base, &rows[i]))
            valid[count++] = rows[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (!was_before(valid, i, &valid[i]))
            put_primary(&text, base, &valid[i]);
    }
    for (size_t i = 0, k; i < count; i = k) {
        for (k = i + 1; k < count && same_group(&valid[i], &valid[k]); k++)
            ;
        groups[group_count] =
            (struct group){&valid[i], put_group(&text, group_count, &valid[i], k - i)};
        group_count++;
    }
    if (count == 0) {
        *out = config_ref(base);
    } else if ((rc = config_extend(&c, base, buf_cstr(&text), e)) == OK) {
        finish_sections(c, base->autoprimary_count, groups, group_count);
        *out = c;
    } else {
        (void)err_wrap(rc, e, "autoprimaries of the store");
    }
    buf_free(&text);
    free(groups);
    free(valid);
    return rc;
}

struct rows {
    struct store_autoprimary *list;
    size_t n, cap;
};

static enum err on_row(void *ctx, const struct store_autoprimary *a, struct errinfo *e)
{
    struct rows *r = ctx;

    (void)e;
    r->list = xgrow(r->list, &r->cap, r->n + 1, sizeof(*r->list));
    r->list[r->n++] = *a;
    return OK;
}

enum err autoprimary_rows_config(struct config **out, struct config *base, const char *data_dir,
                                 struct errinfo *e)
{
    struct rows rows = {.list = NULL};
    struct store *s = NULL;
    enum err rc = store_open_reader(&s, data_dir, e);

    if (rc == OK && (rc = store_autoprimary_each(s, on_row, &rows, e)) == OK)
        rc = autoprimary_rows_extend(out, base, rows.list, rows.n, e);
    store_close(s);
    free(rows.list);
    return rc;
}
