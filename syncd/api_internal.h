/* What the files of the control surface share. */
#ifndef ZL_SYNCD_API_INTERNAL_H
#define ZL_SYNCD_API_INTERNAL_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "lib/base/mem.h"
#include "lib/dns/namemap.h"
#include "syncd/api.h"
#include "syncd/api_remote.h"
#include "syncd/operate.h"
#include "syncd/verify.h"

/* Where a request came in. */
struct api_door {
    struct api *api;
    struct api_remote *remote; /* NULL: by the Unix socket */
    unsigned busy;             /* its requests under way, bounded */
};

struct api {
    struct api_env env;
    struct config *config;
    struct evhttp *http;
    char *socket_path;
    struct api_door local, remote;
    bool
        stopped; /* connections are gone, and so is what env points to; the last request frees it */
};

/* One request on its way: loop thread -> pool (work) -> loop thread (then writer) -> answer. */
struct api_request {
    struct api *api;
    struct api_door *door;
    struct evhttp_request *http;
    const struct api_route *route;

    struct config *config; /* a reference */
    uint8_t zone[NAME_MAX_OCTETS];
    bool has_zone;
    const struct config_zone *section; /* that holds for it, as the loop thread knows; or NULL */
    char parts[2][512];                /* what stood for the "{*}" of its path, decoded */
    struct evkeyvalq query;            /* of the URL */
    json_t *body;                      /* NULL unless the body is JSON */
    uint8_t *raw;                      /* the body as it came, for routes that take text */
    size_t raw_len;
    char who[64];               /* a user, or "api:" and the name of a key */
    char client[ADDR_TEXT_MAX]; /* where that came from; "": from this machine */
    enum config_api_role role;  /* of the key */
    struct wall now;
    bool authd_connected;            /* as the loop thread saw them: what `env` points to is */
    struct journaler_status journal; /* not for the pool's threads */

    enum err rc;
    struct errinfo error;
    int status;             /* answered if all is well; 0: 200, or 204 without a result */
    json_t *result;         /* answered as JSON, unless text is there */
    struct buf text;        /* answered as text/plain if not empty */
    struct commit_job *job; /* submitted before answering */
    bool acts_itself;       /* its handler writes it down as an act */
    void *row;              /* freed with the request */
    struct verify_report verify;
    size_t verify_asked, verify_told;
};

enum api_where { API_POOL, API_LOOP };

typedef void api_handler(struct api_request *r); /* sets rc, error, result, text, job */

struct api_route {
    enum evhttp_cmd_type method;
    const char *path;          /* "{}" stands for a zone, "{*}" for any text */
    enum config_api_role role; /* that a key needs for it */
    enum api_where where;
    bool takes_text;
    api_handler *handle;
    api_handler *after; /* in the loop thread before the answer; may keep the request, or NULL */
    const char *help;
};

const struct api_route *api_routes(size_t *n);

/* Answers and frees the request. Loop thread. */
void api_answer(struct api_request *r);

/* A text argument from the query or the JSON body; "" if it is not there. Lent. */
const char *api_arg(const struct api_request *r, const char *name);
bool api_arg_true(const struct api_request *r, const char *name);

/* JSON of a wall time (null for none), of a zone row, of a version. */
json_t *api_json_time(struct wall t);
/* Free text, as people, peers and files gave it: JSON wants UTF-8, so other octets become '?'. */
json_t *api_json_text(const char *text);
json_t *api_json_name(const uint8_t *name);
/* The zones of a configuration by their names, made once for a list; of one zone, if `only` is set.
 */
struct api_sections {
    const struct config *config;
    const uint8_t *zone; /* of the request; NULL: it is about no zone of which more is known */
    const struct config_zone *section; /* its section, of a group of a catalog too */
    struct signature_ends *ends;       /* lent */
    struct arena names;
    struct namemap map;
};
void api_sections_init(struct api_sections *s, const struct api_request *r, const uint8_t *only);
void api_sections_done(struct api_sections *s);

/* The one word an operator looks for, worst first. */
const char *api_zone_state(const struct store_zone *z);
json_t *api_json_zone(const struct store_zone *z, const struct api_sections *sections);
json_t *api_json_one_zone(const struct store_zone *z, const struct api_request *r);
json_t *api_json_version(const struct store_zone *z, const struct store_version *v);
json_t *api_json_records(const struct rr_list *list);

/* The zone's section, or its autoprimary's, or its catalog's; NULL: none. Lent by the request's
 * configuration. */
const struct config_zone *api_section(const struct store_zone *z, const struct api_request *r);

/* Opens the history and reads the zone's row. */
MUST_USE enum err api_history(struct history *h, struct store_zone *row, struct api_request *r);

/* Handlers (api_zones.c, api_changes.c, api_autoprimary.c, api_verify.c, api_stats.c,
 * api_catalogs.c). */
api_handler api_get_status, api_after_status, api_get_zones, api_get_zone, api_put_refresh,
    api_put_retransfer;
api_handler api_get_log, api_get_diff, api_get_export, api_post_rollback, api_post_release,
    api_post_hold, api_put_import, api_delete_zone, api_post_undelete;
api_handler api_get_autoprimaries, api_post_autoprimary, api_after_post_autoprimary,
    api_delete_autoprimary, api_after_delete_autoprimary, api_get_why, api_after_why;
api_handler api_post_verify, api_after_verify;
/* *worst: the exit code that they make. */
json_t *api_json_faults(const struct verify_report *report, int *worst);
api_handler api_post_remotes_verify, api_after_remotes_verify; /* api_verify_remote.c */
api_handler api_get_stats, api_get_metrics;
api_handler api_get_primaries;
api_handler api_after_zone;
/* Each zone's own numbers, for Prometheus. Cost: all zones. Loop thread. */
void api_put_zone_metrics(struct buf *out, const struct api_request *r);
/* Appends what replication has counted, for Prometheus. Loop thread. */
void api_put_replication(struct buf *out, const struct api_request *r);
/* api_remotes.c: where the history is pushed to. Loop thread. */
api_handler api_get_remotes, api_post_remotes_push;
json_t *api_json_remotes(const struct api_request *r);
void api_put_remotes(struct buf *out, const struct api_request *r);
api_handler api_get_quarantine, api_post_approve_version, api_post_reject_version,
    api_post_reject_staged;
/* api_acts.c: what operators did. The verb of a route that changes something; false: it does not.
 */
bool api_act_name(char *out, size_t cap, const struct api_route *route);
/* This request's, for commit_job.act; heap. */
struct store_act *api_act_new(const struct api_request *r);
/* Has the request done something that is not written down yet? Then api_act_submit does, and calls
 * `done` with the request. */
bool api_act_is_due(const struct api_request *r);
void api_act_submit(struct api_request *r, commit_done_fn *done);
api_handler api_get_acts;
/* api_audit.c */
/* What log and actions are asked for. Texts are lent, "" where there is none. */
struct api_log_filter {
    bool has_since, has_until;
    struct wall since, until;
    const char *origin, *key, *user, *account;
};
MUST_USE enum err api_log_filter_take(struct api_log_filter *f, struct api_request *r);
/* A decimal argument; `def` if there is none. */
MUST_USE enum err api_arg_number(uint64_t *out, struct api_request *r, const char *name,
                                 uint64_t def);
api_handler api_get_node_log, api_get_blame;
/* api_fleet.c */
api_handler api_post_fleet_plan;
/* api_thin.c */
api_handler api_post_thin, api_after_thin;
/* api_reindex.c: a slice */
api_handler api_post_reindex, api_after_reindex;
/* api_keys.c */
api_handler api_get_keys, api_post_keys, api_post_keys_rotate;
api_handler api_post_repair, api_after_repair; /* api_repair.c */
api_handler api_get_id, api_get_ids;           /* api_ids.c */
api_handler api_get_catalogs, api_get_catalog, api_post_approve;

#endif
