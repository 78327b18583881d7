#include "syncd/remote_lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct remote_list {
    char name[REMOTE_NAME_MAX];
    struct buf refs;
    remote_list_fn *f;
    void *ctx;
    struct remote_list *next;
};

static struct remote_list **find(struct remote_lists *l, const char *name)
{
    struct remote_list **at = &l->first;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

enum err remote_lists_add(struct remote_lists *l, const char *name, remote_list_fn *f, void *ctx,
                          struct errinfo *e)
{
    struct remote_list **at = find(l, name);

    if (*at)
        return err_set(ERR_BUSY, e, "the remote '%s' is being asked already", name);
    *at = xcalloc(1, sizeof(**at));
    (void)snprintf((*at)->name, sizeof((*at)->name), "%s", name);
    (*at)->f = f;
    (*at)->ctx = ctx;
    return OK;
}

void remote_lists_piece(struct remote_lists *l, const struct remote_piece *p)
{
    struct remote_list *list = *find(l, p->name);

    if (list && p->len <= sizeof(p->data) && list->refs.len + p->len <= REMOTE_REFS_MAX)
        buf_put(&list->refs, p->data, p->len);
}

static void end(struct remote_list **at, const char *why)
{
    struct remote_list *list = *at;

    *at = list->next;
    list->f(list->ctx, why ? NULL : &list->refs, why);
    buf_free(&list->refs);
    free(list);
}

void remote_lists_end(struct remote_lists *l, const struct remote_result *result)
{
    struct remote_list **at = find(l, result->name);

    if (*at)
        end(at, result->outcome == REMOTE_DONE ? NULL : result->text);
}

void remote_lists_fail(struct remote_lists *l, const char *name, const char *why)
{
    if (name) {
        struct remote_list **at = find(l, name);

        if (*at)
            end(at, why);
        return;
    }
    while (l->first)
        end(&l->first, why);
}
