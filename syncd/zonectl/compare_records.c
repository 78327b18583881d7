/* Which records two texts of a zone do not share. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/compare.h"

struct lines {
    char **list;
    size_t n, cap;
};

static int line_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void split(struct lines *l, struct buf *text)
{
    char *p;

    (void)buf_cstr(text);
    p = (char *)text->data;
    while (*p) {
        size_t n = strcspn(p, "\n");
        bool last = p[n] == 0;

        p[n] = 0;
        l->list = xgrow(l->list, &l->cap, l->n + 1, sizeof(*l->list));
        l->list[l->n++] = p;
        p += n + !last;
    }
    if (l->n)
        qsort(l->list, l->n, sizeof(*l->list), line_cmp);
}

json_t *compare_records(struct buf *a, struct buf *b)
{
    json_t *removed = json_array();
    json_t *added = json_array();
    struct lines la = {0};
    struct lines lb = {0};
    size_t i = 0;
    size_t k = 0;

    split(&la, a);
    split(&lb, b);
    while (i < la.n || k < lb.n) {
        int order = i == la.n ? 1 : k == lb.n ? -1 : strcmp(la.list[i], lb.list[k]);

        if (order < 0)
            (void)json_array_append_new(removed, json_string(la.list[i]));
        else if (order > 0)
            (void)json_array_append_new(added, json_string(lb.list[k]));
        i += order <= 0;
        k += order >= 0;
    }
    free(la.list);
    free(lb.list);
    return json_pack("{s:o, s:o}", "removed", removed, "added", added);
}
