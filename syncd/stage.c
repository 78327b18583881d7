#include "syncd/stage.h"

#include <stdlib.h>

#include "lib/base/mem.h"

void stage_done(struct stage_list *l)
{
    free(l->versions);
    *l = (struct stage_list){.n = 0};
}

void stage_add(struct stage_list *l, const struct store_staged *v, struct mono now)
{
    struct store_staged *to;

    l->versions = xgrow(l->versions, &l->cap, l->n + 1, sizeof(*l->versions));
    to = &l->versions[l->n++];
    *to = *v;
    if (mono_cmp(to->since, now) > 0)
        to->since = now;
}

void stage_drop(struct stage_list *l, uint64_t version)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (l->versions[i].version > version)
            l->versions[kept++] = l->versions[i];
    }
    l->n = kept;
}

static struct mono due_at(const struct store_staged *v, uint32_t stage_s)
{
    return mono_add_ms(v->since, (int64_t)stage_s * 1000);
}

const struct store_staged *stage_due(const struct stage_list *l, uint32_t stage_s, struct mono now)
{
    for (size_t i = l->n; i-- > 0;) {
        if (mono_cmp(due_at(&l->versions[i], stage_s), now) <= 0)
            return &l->versions[i];
    }
    return NULL;
}

const struct store_staged *stage_next(const struct stage_list *l, uint32_t stage_s, struct mono *at)
{
    const struct store_staged *first = NULL;

    for (size_t i = 0; i < l->n; i++) {
        if (!first || mono_cmp(l->versions[i].since, first->since) < 0)
            first = &l->versions[i];
    }
    if (first)
        *at = due_at(first, stage_s);
    return first;
}
