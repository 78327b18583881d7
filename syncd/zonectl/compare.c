/* zonectl compare: do these nodes serve the same? One id a zone goes over the wire; only where they
 * differ does anything else.
 */
#include "syncd/zonectl/compare.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct comparison {
    const struct call *call;
    struct compare_node *nodes;
    size_t node_count;
    struct tsig_key *key;
    char **zones; /* sorted; lent from nodes, or from the command line */
    size_t zone_count, zone_cap;
    json_t *differ; /* what is found */
};

struct seen {
    bool there;
    struct content_answer has;
};

/* ---- Which zones ---- */

static int text_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_zone(struct comparison *c, char *zone)
{
    c->zones = xgrow(c->zones, &c->zone_cap, c->zone_count + 1, sizeof(*c->zones));
    c->zones[c->zone_count++] = zone;
}

/* All zones of all nodes that can list them, each once. */
static void collect_zones(struct comparison *c)
{
    size_t unique = 0;

    for (size_t i = 0; i < c->node_count; i++) {
        for (size_t k = 0; k < c->nodes[i].count; k++)
            add_zone(c, c->nodes[i].ids[k].zone);
    }
    if (c->zone_count)
        qsort(c->zones, c->zone_count, sizeof(*c->zones), text_cmp);
    for (size_t i = 0; i < c->zone_count; i++) {
        if (i == 0 || strcmp(c->zones[i], c->zones[unique - 1]) != 0)
            c->zones[unique++] = c->zones[i];
    }
    c->zone_count = unique;
}

static int find_zones(struct comparison *c)
{
    const char *zone = c->call->opt->zone;
    bool lists = false;

    if (zone) {
        add_zone(c, (char *)(uintptr_t)zone);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].socket) {
            int code = compare_node_list(&c->nodes[i]);

            if (code != EXIT_DONE)
                return code;
            lists = true;
        }
    }
    if (!lists) {
        (void)fputs("zonectl: which zones? A node that is asked by DNS does not list them: name "
                    "one with --zone, or a node by its socket or https://HOST:PORT\n",
                    stderr);
        return EXIT_USAGE;
    }
    collect_zones(c);
    return EXIT_DONE;
}

/* ---- Looking at one ---- */

static bool all_agree(const struct seen *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i].there != s[0].there || strcmp(s[i].has.id, s[0].has.id) != 0 ||
            s[i].has.serial.v != s[0].has.serial.v)
            return false;
    }
    return true;
}

/* `again`: what the lists said is not believed. */
static int look(struct seen *s, const struct comparison *c, const char *zone, bool again)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < c->node_count && code == EXIT_DONE; i++) {
        const struct compare_id *id = compare_node_find(&c->nodes[i], zone);

        s[i] = (struct seen){.there = id != NULL};
        if (id)
            s[i].has = id->has;
        if (again || !c->nodes[i].socket || c->call->opt->zone)
            code = compare_node_ask(&s[i].has, &s[i].there, &c->nodes[i], zone);
    }
    return code;
}

static const char *state_of(const struct seen *s, size_t n, size_t me)
{
    const char *state = "ok";

    if (!s[me].there)
        return "missing";
    for (size_t i = 0; i < n; i++) {
        if (!s[i].there)
            continue;
        if (s[i].has.serial.v == s[me].has.serial.v && strcmp(s[i].has.id, s[me].has.id) != 0)
            return "same serial, other content";
        if (serial_cmp(s[i].has.serial, s[me].has.serial) == SERIAL_NEWER)
            state = "behind";
    }
    return state;
}

static json_t *json_seen(const struct comparison *c, const struct seen *s, size_t me)
{
    json_t *j =
        json_pack("{s:s, s:s}", "node", c->nodes[me].name, "state", state_of(s, c->node_count, me));

    if (s[me].there)
        (void)json_object_update_new(
            j, json_pack("{s:I, s:I, s:s}", "serial", (json_int_t)s[me].has.serial.v, "version",
                         (json_int_t)s[me].has.version, "content_id", s[me].has.id));
    return j;
}

/* What each node with other content than the first one has has differently. */
static json_t *json_records(const struct comparison *c, const struct seen *s, const char *zone)
{
    json_t *list = json_array();
    size_t base = 0;

    while (base < c->node_count && !(s[base].there && c->nodes[base].socket))
        base++;
    for (size_t i = base + 1; i < c->node_count; i++) {
        struct buf a = BUF_INIT;
        struct buf b = BUF_INIT;
        json_t *diff;

        if (!s[i].there || !c->nodes[i].socket || strcmp(s[i].has.id, s[base].has.id) == 0)
            continue;
        if (compare_node_records(&a, &c->nodes[base], zone) == EXIT_DONE &&
            compare_node_records(&b, &c->nodes[i], zone) == EXIT_DONE) {
            diff = compare_records(&a, &b);
            (void)json_object_set_new(diff, "from", json_string(c->nodes[base].name));
            (void)json_object_set_new(diff, "to", json_string(c->nodes[i].name));
            (void)json_array_append_new(list, diff);
        }
        buf_free(&a);
        buf_free(&b);
    }
    return list;
}

static void note(struct comparison *c, const struct seen *s, const char *zone)
{
    json_t *nodes = json_array();
    json_t *found;

    for (size_t i = 0; i < c->node_count; i++)
        (void)json_array_append_new(nodes, json_seen(c, s, i));
    found = json_pack("{s:s, s:o}", "zone", zone, "nodes", nodes);
    if (c->call->opt->records)
        (void)json_object_set_new(found, "records", json_records(c, s, zone));
    (void)json_array_append_new(c->differ, found);
}

/* What differs is looked at once more: the nodes were not asked in the same moment. */
static int compare_all(struct comparison *c)
{
    struct seen *s = xcalloc(c->node_count, sizeof(*s));
    int code = EXIT_DONE;

    for (size_t i = 0; i < c->zone_count && code == EXIT_DONE; i++) {
        code = look(s, c, c->zones[i], false);
        if (code != EXIT_DONE || (all_agree(s, c->node_count) && s[0].there))
            continue;
        code = look(s, c, c->zones[i], true);
        if (code == EXIT_DONE && !(all_agree(s, c->node_count) && s[0].there))
            note(c, s, c->zones[i]);
    }
    free(s);
    return code;
}

/* ---- Saying it ---- */

static const char *str(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

static void print_lines(const struct options *opt, char sign, enum tint tint, const json_t *lines)
{
    const json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        char *text = xasprintf("%c%s", sign, json_string_value(line));

        print_tinted(opt, tint, text);
        (void)putchar('\n');
        free(text);
    }
}

static void print_records(const struct options *opt, const json_t *found)
{
    const json_t *diff;
    size_t i;

    json_array_foreach(json_object_get(found, "records"), i, diff)
    {
        (void)printf("\n%s\n--- %s\n+++ %s\n", str(found, "zone"), str(diff, "from"),
                     str(diff, "to"));
        print_lines(opt, '-', TINT_BAD, json_object_get(diff, "removed"));
        print_lines(opt, '+', TINT_GOOD, json_object_get(diff, "added"));
    }
}

static void add_rows(struct table *t, const json_t *found)
{
    const json_t *n;
    size_t i;

    json_array_foreach(json_object_get(found, "nodes"), i, n)
    {
        const json_t *serial = json_object_get(n, "serial");
        char *text = serial ? xasprintf("%lld", (long long)json_integer_value(serial)) : NULL;
        const char *state = str(n, "state");

        table_add(t, i ? "" : str(found, "zone"), TINT_NONE);
        table_add(t, str(n, "node"), TINT_NONE);
        table_add(t, text, TINT_NONE);
        table_add(t, serial ? str(n, "content_id") : NULL, TINT_DIM);
        table_add(t, state,
                  strcmp(state, "ok") == 0       ? TINT_GOOD
                  : strcmp(state, "behind") == 0 ? TINT_WARN
                                                 : TINT_BAD);
        free(text);
    }
}

static void print_differ(const struct comparison *c)
{
    static const char *const titles[] = {"ZONE", "NODE", "SERIAL", "CONTENT ID", "STATE"};
    struct table t = {.titles = titles, .columns = 5};
    const json_t *found;
    size_t i;

    json_array_foreach(c->differ, i, found)
    {
        add_rows(&t, found);
    }
    if (i)
        table_print(&t, c->call->opt);
    json_array_foreach(c->differ, i, found)
    {
        print_records(c->call->opt, found);
    }
    (void)printf("%zu zones compared on %zu nodes; %zu differ\n", c->zone_count, c->node_count,
                 json_array_size(c->differ));
}

static int print_found(const struct comparison *c)
{
    if (c->call->opt->json) {
        json_t *all =
            json_pack("{s:I, s:O}", "zones", (json_int_t)c->zone_count, "differ", c->differ);

        (void)json_dumpf(all, stdout, JSON_INDENT(2));
        (void)putchar('\n');
        json_decref(all);
    } else {
        print_differ(c);
    }
    return json_array_size(c->differ) ? EXIT_REFUSED : EXIT_DONE;
}

/* ---- All of it ---- */

static int open_nodes(struct comparison *c)
{
    const struct options *opt = c->call->opt;
    struct errinfo e = {0};
    enum err rc = opt->key ? compare_key_load(&c->key, opt->config, opt->key, &e) : OK;

    for (int i = 0; i < c->call->arg_count && rc == OK; i++) {
        rc = compare_node_init(&c->nodes[i], c->call->args[i], opt, c->key, &e);
        if (rc == OK)
            c->node_count++;
    }
    if (rc)
        (void)fprintf(stderr, "zonectl: %s\n", e.text);
    return rc ? EXIT_USAGE : EXIT_DONE;
}

int run_compare(const struct call *call)
{
    struct comparison c = {.call = call, .differ = json_array()};
    int code;

    c.nodes = xcalloc((size_t)call->arg_count, sizeof(*c.nodes));
    if ((code = open_nodes(&c)) == EXIT_DONE && (code = find_zones(&c)) == EXIT_DONE &&
        (code = compare_all(&c)) == EXIT_DONE)
        code = print_found(&c);
    for (size_t i = 0; i < c.node_count; i++)
        compare_node_done(&c.nodes[i]);
    free(c.nodes);
    free(c.zones);
    tsig_key_unref(c.key);
    json_decref(c.differ);
    return code;
}
