#include "syncd/api.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "syncd/api_internal.h"

#define BUSY_MAX 32                    /* requests under way, by either door */
#define HEADERS_MAX 16384              /* octets */
#define BODY_MAX ((ev_ssize_t)1 << 31) /* an import of a large zone */
#define IO_TIMEOUT_S 60

/* ---- Answers ---- */

static int status_of(enum err rc)
{
    switch (rc) {
    case OK:
        return 200;
    case ERR_FORMAT:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_SERIAL:
        return 409;
    case ERR_CHECK:
        return 422;
    case ERR_AUTH:
        return 401;
    case ERR_DENIED:
        return 403;
    case ERR_LIMIT:
        return 507;
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_CLOSED:
        return 503;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_IO:
    case ERR_CORRUPT:
        return 500;
    }
    return 500;
}

static void api_free(struct api *a)
{
    config_unref(a->config);
    free(a->socket_path);
    free(a);
}

static bool is_idle(const struct api *a)
{
    return a->local.busy + a->remote.busy == 0;
}

static void request_free(struct api_request *r)
{
    struct api *a = r->api;

    r->door->busy--;
    evhttp_clear_headers(&r->query);
    json_decref(r->body);
    json_decref(r->result);
    buf_free(&r->text);
    commit_job_free(r->job);
    verify_report_free(&r->verify);
    config_unref(r->config);
    free(r->row);
    free(r->raw);
    free(r);
    if (a->stopped && is_idle(a))
        api_free(a);
}

static void send_json(struct evhttp_request *http, int status, json_t *j)
{
    struct evbuffer *out = evbuffer_new();
    char *text = json_dumps(j, JSON_COMPACT);

    (void)evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type",
                            "application/json");
    (void)evhttp_add_header(evhttp_request_get_output_headers(http), "X-Content-Type-Options",
                            "nosniff");
    if (out && text)
        (void)evbuffer_add_printf(out, "%s\n", text);
    evhttp_send_reply(http, status, NULL, out);
    free(text);
    if (out)
        evbuffer_free(out);
}

static void send_text(struct evhttp_request *http, const struct buf *text)
{
    struct evbuffer *out = evbuffer_new();

    (void)evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type",
                            "text/plain; charset=utf-8");
    if (out)
        (void)evbuffer_add(out, text->data, text->len);
    evhttp_send_reply(http, 200, NULL, out);
    if (out)
        evbuffer_free(out);
}

static void send_error(struct evhttp_request *http, int status, enum err rc, const char *text)
{
    json_t *j = json_pack("{s:o, s:s}", "error", api_json_text(text), "kind", err_name(rc));

    if (status == 401) /* RFC 9110 11.6.1 */
        (void)evhttp_add_header(evhttp_request_get_output_headers(http), "WWW-Authenticate",
                                "X-API-Key");
    send_json(http, status, j);
    json_decref(j);
}

static void send_answer(struct api_request *r)
{
    if (r->rc != OK)
        send_error(r->http, r->status >= 400 ? r->status : status_of(r->rc), r->rc, r->error.text);
    else if (r->text.len)
        send_text(r->http, &r->text);
    else if (r->result)
        send_json(r->http, r->status ? r->status : 200, r->result);
    else
        evhttp_send_reply(r->http, 204, NULL, NULL);
}

void api_answer(struct api_request *r)
{
    if (!r->api->stopped)
        send_answer(r);
    request_free(r);
}

/* ---- Arguments ---- */

const char *api_arg(const struct api_request *r, const char *name)
{
    const char *v = evhttp_find_header(&r->query, name);

    if (!v && r->body)
        v = json_string_value(json_object_get(r->body, name));
    return v ? v : "";
}

bool api_arg_true(const struct api_request *r, const char *name)
{
    const char *v = evhttp_find_header(&r->query, name);

    if (v)
        return strcmp(v, "true") == 0 || strcmp(v, "1") == 0;
    return r->body && json_is_true(json_object_get(r->body, name));
}

/* ---- The way of a request ---- */

static void finish(struct api_request *r)
{
    if (r->rc == OK && r->route->after && !r->api->stopped)
        r->route->after(r);
    else
        api_answer(r);
}

/* What an operator changed is likely to be changed again: undone, or released. */
static void keep(struct api_request *r, const struct commit_job *job)
{
    if (r->api->env.cache && job->kind == COMMIT_CHANGE && job->old_zone && job->new_zone)
        zone_cache_put(r->api->env.cache, job->new_zone, job->row.seq);
}

static void on_committed(void *ctx, struct commit_job *job)
{
    struct api_request *r = ctx;
    char zone[NAME_TEXT_MAX];

    r->rc = job->rc;
    if (r->api->stopped) {
        finish(r);
        return;
    }
    (void)name_to_text(zone, job->row.name);
    if (job->rc == OK) {
        replicator_row_changed(r->api->env.replicator, &job->row);
        keep(r, job);
        log_info(say("an operator changed a zone"), kv_str("zone", zone),
                 kv_str("action", origin_name(job->origin.kind)), kv_str("who", r->who),
                 kv_u64("serial", job->row.serial.v), kv_u64("version", job->row.version),
                 kv_str("reason", job->origin.reason));
        journaler_wake(r->api->env.journaler);
        if (r->result)
            (void)json_object_set_new(r->result, "zone", api_json_one_zone(&job->row, r));
    } else if (job->rc == ERR_CONFLICT) {
        (void)err_set(job->rc, &r->error, "zone %s changed at the same moment; try again", zone);
    } else {
        r->error = job->error;
    }
    finish(r);
}

static void on_act_written(void *ctx, struct commit_job *job)
{
    struct api_request *r = ctx;

    /* It is done, and the log has it: an error would say that it is not. */
    if (job->rc)
        log_warning(say("what an operator did is in this log only: the store did not take it"),
                    kv_str("action", job->act->action), kv_str("who", job->act->who),
                    kv_err(&job->error));
    finish(r);
}

/* What was done without a job of the store's is written down before it is answered. */
static void finish_act(struct api_request *r)
{
    if (!r->api->stopped && api_act_is_due(r))
        api_act_submit(r, on_act_written);
    else
        finish(r);
}

static void on_worked(void *ctx)
{
    struct api_request *r = ctx;
    struct commit_job *job = r->job;

    if (r->rc != OK || !job || r->api->stopped) {
        finish_act(r);
        return;
    }
    r->job = NULL;
    job->act = api_act_new(r);
    job->done = on_committed;
    job->ctx = r;
    commit_submit(r->api->env.committer, job);
}

static void work(void *ctx)
{
    struct api_request *r = ctx;

    r->route->handle(r);
}

/* ---- Routing ---- */

static bool zone_from_path(struct api_request *r, const char *text, size_t len)
{
    char *part = xmemdup(text, len + 1);
    char *decoded;
    size_t n = 0;
    bool ok;

    part[len] = 0;
    decoded = evhttp_uridecode(part, 0, &n);
    ok = decoded && name_from_text(r->zone, decoded, n, NULL, &r->error) == OK;
    if (ok)
        (void)name_fold(r->zone, r->zone);
    free(decoded);
    free(part);
    return ok;
}

static bool part_from_path(struct api_request *r, size_t i, const char *text, size_t len)
{
    char *part = xmemdup(text, len + 1);
    char *decoded;
    size_t n = 0;
    bool ok;

    part[len] = 0;
    decoded = evhttp_uridecode(part, 0, &n);
    ok = decoded && n < sizeof(r->parts[i]) && strlen(decoded) == n;
    if (ok)
        memcpy(r->parts[i], decoded, n + 1);
    free(decoded);
    free(part);
    return ok;
}

/* Matches one row; a hole in it takes everything up to the next slash: "{}" is left to the caller.
 */
static bool path_matches(struct api_request *r, const char *pattern, const char *path,
                         const char **zone, size_t *len)
{
    size_t parts = 0;

    while (*pattern) {
        size_t n = strcspn(path, "/");

        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        if (n == 0)
            return false;
        if (pattern[1] == '}') {
            *zone = path;
            *len = n;
        } else if (parts == 2 || !part_from_path(r, parts++, path, n)) {
            return false;
        }
        path += n;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == 0;
}

static const struct api_route *find_route(struct api_request *r, const char *path,
                                          bool *other_method)
{
    size_t n;
    const struct api_route *routes = api_routes(&n);

    for (size_t i = 0; i < n; i++) {
        const char *zone = NULL;
        size_t len = 0;

        if (!path_matches(r, routes[i].path, path, &zone, &len))
            continue;
        if (routes[i].method != evhttp_request_get_command(r->http)) {
            *other_method = true;
            continue;
        }
        r->has_zone = zone != NULL;
        if (zone && !zone_from_path(r, zone, len)) {
            r->rc = err_wrap(ERR_FORMAT, &r->error, "zone name");
            return NULL;
        }
        return &routes[i];
    }
    return NULL;
}

static enum err take_body(struct api_request *r)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(r->http);
    json_error_t je;

    r->raw_len = evbuffer_get_length(in);
    r->raw = xmalloc(r->raw_len + 1);
    (void)evbuffer_copyout(in, r->raw, r->raw_len);
    r->raw[r->raw_len] = 0;
    if (r->route->takes_text || r->raw_len == 0)
        return OK;
    r->body = json_loadb((const char *)r->raw, r->raw_len, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(r->body))
        return err_set(ERR_FORMAT, &r->error, "the body is not a JSON object: %s", je.text);
    return OK;
}

static void peer_name(struct api_request *r)
{
    struct bufferevent *bev =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(r->http));
    struct ucred cred = {.uid = (uid_t)-1};
    socklen_t len = sizeof(cred);
    struct passwd pw;
    struct passwd *got = NULL;
    char scratch[4096];

    (void)snprintf(r->who, sizeof(r->who), "unknown");
    if (getsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return;
    if (getpwuid_r(cred.uid, &pw, scratch, sizeof(scratch), &got) == 0 && got)
        (void)snprintf(r->who, sizeof(r->who), "%s", got->pw_name);
    else
        (void)snprintf(r->who, sizeof(r->who), "uid %u", (unsigned)cred.uid);
}

/* By TCP: a key, and the right to do this. */
static enum err check_key(struct api_request *r)
{
    const struct config_api_key *key = NULL;
    struct addr from;
    enum err rc = api_remote_key(&key, &from, r->door->remote, r->http, &r->error);

    if (rc) {
        r->status = rc == ERR_LIMIT ? 429 : 401;
        return rc;
    }
    (void)snprintf(r->who, sizeof(r->who), "api:%s", key->name);
    addr_ip_to_text(r->client, &from);
    r->role = key->role;
    return OK;
}

static enum err check_role(struct api_request *r)
{
    static const char *const names[] = {"read", "zones", "admin"};

    if (!r->door->remote || r->role >= r->route->role)
        return OK;
    return err_set(ERR_DENIED, &r->error, "this needs a key with the role %s, and %s has %s",
                   names[r->route->role], r->who, names[r->role]);
}

static enum err take_route(struct api_request *r)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    bool other_method = false;

    if (query)
        (void)evhttp_parse_query_str(query, &r->query);
    r->route = find_route(r, path ? path : "", &other_method);
    if (!r->route && r->rc == OK)
        r->rc = err_set(ERR_NOT_FOUND, &r->error,
                        other_method ? "this path has no such method" : "there is no such path");
    return r->rc;
}

static void on_request(struct evhttp_request *http, void *ctx)
{
    struct api_door *door = ctx;
    struct api *a = door->api;
    struct api_request *r = xcalloc(1, sizeof(*r));

    r->api = a;
    r->door = door;
    r->http = http;
    r->config = config_ref(a->config);
    r->now = clock_wall(loop_clock(a->env.loop));
    r->authd_connected = front_has_authd(a->env.front);
    journaler_status(a->env.journaler, &r->journal);
    TAILQ_INIT(&r->query);
    if (++door->busy > BUSY_MAX)
        r->rc = err_set(ERR_BUSY, &r->error, "too many requests at the same time");
    else if (door->remote)
        r->rc = check_key(r);
    else
        peer_name(r);
    if (r->rc || (r->rc = take_route(r)) || (r->rc = check_role(r)) || (r->rc = take_body(r))) {
        api_answer(r);
        return;
    }
    if (r->has_zone)
        r->section = replicator_section(a->env.replicator, r->zone);
    if (r->route->where == API_POOL) {
        loop_work(a->env.loop, work, on_worked, r);
    } else {
        r->route->handle(r);
        finish_act(r);
    }
}

/* ---- Socket ---- */

static enum err socket_group(const char *path, const char *group, struct errinfo *e)
{
    struct group gr;
    struct group *got = NULL;
    char scratch[16384];

    if (!group[0])
        return OK;
    if (getgrnam_r(group, &gr, scratch, sizeof(scratch), &got) != 0 || !got)
        return err_set(ERR_NOT_FOUND, e, "socket-group: there is no group '%s'", group);
    if (chown(path, (uid_t)-1, got->gr_gid) != 0)
        return err_sys(errno, e, "socket-group: %s", path);
    return OK;
}

static enum err control_listen(int *out, const char *path, const char *group, struct errinfo *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    enum err rc = OK;
    mode_t old;
    int fd;

    if (strlen(path) >= sizeof(sun.sun_path))
        return err_set(ERR_LIMIT, e, "'%s' is too long for a socket's path", path);
    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(errno, e, "control socket");
    (void)unlink(path);
    old = umask(0117); /* 0660 from the first moment */
    if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(fd, 64) != 0)
        rc = err_sys(errno, e, "control socket %s", path);
    (void)umask(old);
    if (rc == OK)
        rc = socket_group(path, group, e);
    if (rc) {
        (void)close(fd);
        return rc;
    }
    *out = fd;
    return OK;
}

enum err api_start(struct api **out, const struct api_env *env, struct errinfo *e)
{
    struct api *a = xcalloc(1, sizeof(*a));
    enum err rc;
    int fd = -1;

    a->env = *env;
    a->local.api = a->remote.api = a;
    a->config = config_ref(env->config);
    a->socket_path = xasprintf("%s/control.sock", env->config->run_dir);
    if ((rc = control_listen(&fd, a->socket_path, env->config->socket_group, e)))
        goto fail;
    a->http = evhttp_new(loop_base(env->loop));
    if (!a->http || evhttp_accept_socket(a->http, fd) != 0) {
        (void)close(fd);
        rc = err_set(ERR_LIMIT, e, "cannot start the control surface");
        goto fail;
    }
    evhttp_set_allowed_methods(a->http, EVHTTP_REQ_GET | EVHTTP_REQ_PUT | EVHTTP_REQ_POST |
                                            EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE);
    evhttp_set_max_headers_size(a->http, HEADERS_MAX);
    evhttp_set_max_body_size(a->http, BODY_MAX);
    evhttp_set_timeout(a->http, IO_TIMEOUT_S);
    evhttp_set_gencb(a->http, on_request, &a->local);
    a->remote.remote = api_remote_new(env->loop, on_request, &a->remote);
    if ((rc = api_remote_configure(a->remote.remote, a->config, e)))
        goto fail;
    *out = a;
    return OK;
fail:
    api_stop(a);
    return rc;
}

void api_set_config(struct api *a, struct config *config)
{
    struct config *old = a->config;
    struct errinfo e = {0};

    if (api_remote_configure(a->remote.remote, config, &e))
        log_error(say("the control surface listens as before"), kv_err(&e));
    a->config = config_ref(config);
    config_unref(old);
}

void api_stop(struct api *a)
{
    if (!a)
        return;
    if (a->http)
        evhttp_free(a->http);
    api_remote_free(a->remote.remote);
    (void)unlink(a->socket_path);
    a->stopped = true;
    if (is_idle(a))
        api_free(a);
}
