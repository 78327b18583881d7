/* A node that is compared: by its control surface, or by DNS. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/compare.h"

#define DNS_PORT 53

enum err compare_node_init(struct compare_node *n, const char *text, const struct options *opt,
                           struct tsig_key *key, struct errinfo *e)
{
    struct stat st;

    *n = (struct compare_node){.name = text, .opt = opt, .key = key};
    if (!strchr(text, '/'))
        return addr_from_text(&n->address, text, DNS_PORT, e);
    n->socket = stat(text, &st) == 0 && S_ISDIR(st.st_mode) ? xasprintf("%s/control.sock", text)
                                                            : xstrdup(text);
    return OK;
}

void compare_node_done(struct compare_node *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->ids[i].zone);
    free(n->ids);
    free(n->socket);
}

static int id_cmp(const void *a, const void *b)
{
    return strcmp(((const struct compare_id *)a)->zone, ((const struct compare_id *)b)->zone);
}

const struct compare_id *compare_node_find(const struct compare_node *n, const char *zone)
{
    struct compare_id key = {.zone = (char *)(uintptr_t)zone};

    return n->count ? bsearch(&key, n->ids, n->count, sizeof(*n->ids), id_cmp) : NULL;
}

/* ---- By the control surface ---- */

/* False if it is no id: another release may say other things. */
static bool read_json(struct content_answer *out, const json_t *j)
{
    const char *id = json_string_value(json_object_get(j, "content_id"));

    if (!id || strlen(id) >= sizeof(out->id))
        return false;
    memcpy(out->id, id, strlen(id) + 1);
    out->serial.v = (uint32_t)json_integer_value(json_object_get(j, "serial"));
    out->version = (uint64_t)json_integer_value(json_object_get(j, "version"));
    return true;
}

static int get(struct reply *r, const struct compare_node *n, char *path, bool id)
{
    struct options opt = *n->opt;
    int code;

    opt.url = strncmp(n->socket, "https://", strlen("https://")) == 0 ? n->socket : NULL;
    opt.socket = n->socket;
    opt.json = false; /* errors go to stderr alone */
    opt.may_miss = true;
    if (id)
        verb_query_add(&path, "compute", n->opt->compute ? "true" : NULL);
    code = client_request(r, &opt, "GET", path, NULL, 0);
    free(path);
    return code;
}

static int bad_answer(const struct compare_node *n)
{
    (void)fprintf(stderr, "zonectl: %s does not answer with content ids\n", n->name);
    return EXIT_UNREACHABLE;
}

int compare_node_list(struct compare_node *n)
{
    struct reply r = {0};
    const json_t *j;
    size_t i;
    int code = get(&r, n, xstrdup("/ids"), true);

    if (code != EXIT_DONE)
        return code == EXIT_REFUSED ? bad_answer(n) : code;
    json_array_foreach(r.json, i, j)
    {
        const char *zone = json_string_value(json_object_get(j, "zone"));
        struct compare_id id;

        if (!zone || !read_json(&id.has, j)) {
            code = bad_answer(n);
            break;
        }
        id.zone = xstrdup(zone);
        n->ids = xgrow(n->ids, &n->cap, n->count + 1, sizeof(*n->ids));
        n->ids[n->count++] = id;
    }
    if (n->count)
        qsort(n->ids, n->count, sizeof(*n->ids), id_cmp);
    reply_free(&r);
    return code;
}

static int ask_socket(struct content_answer *out, bool *there, const struct compare_node *n,
                      const char *zone)
{
    struct reply r = {0};
    int code = get(&r, n, verb_path("zones", zone, "/id"), true);

    *there = code == EXIT_DONE;
    if (code == EXIT_REFUSED && r.status == 404)
        return EXIT_DONE;
    if (code != EXIT_DONE)
        return EXIT_UNREACHABLE;
    if (!read_json(out, r.json))
        code = bad_answer(n);
    reply_free(&r);
    return code;
}

int compare_node_records(struct buf *out, const struct compare_node *n, const char *zone)
{
    struct reply r = {0};
    int code = get(&r, n, verb_path("zones", zone, "/export"), false);

    if (code == EXIT_DONE)
        buf_put(out, r.body.data, r.body.len);
    reply_free(&r);
    return code;
}

/* ---- Either way ---- */

int compare_node_ask(struct content_answer *out, bool *there, const struct compare_node *n,
                     const char *zone)
{
    uint8_t name[NAME_MAX_OCTETS];
    struct errinfo e = {0};
    enum err rc;

    if (n->socket)
        return ask_socket(out, there, n, zone);
    if ((rc = name_from_text(name, zone, strlen(zone), NULL, &e)) == OK) {
        (void)name_fold(name, name);
        rc = compare_dns_ask(out, there, &n->address, n->key, name, &e);
    }
    if (rc == OK)
        return EXIT_DONE;
    (void)fprintf(stderr, "zonectl: %s, zone %s: %s\n", n->name, zone, e.text);
    return EXIT_UNREACHABLE;
}
