/* One zone's answer, with what the loop thread knows besides: what comes next. */
#include "syncd/api_internal.h"

#define NEXT_MAX 640

void api_after_zone(struct api_request *r)
{
    char next[NEXT_MAX];

    replicator_next(r->api->env.replicator, r->zone, next, sizeof(next));
    (void)json_object_set_new(r->result, "next", next[0] ? api_json_text(next) : json_null());
    api_answer(r);
}
