#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

/* ---- Reading replies ---- */

static char *number(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);

    return json_is_integer(v) ? xasprintf("%lld", (long long)json_integer_value(v)) : xstrdup("-");
}

static void add_number(struct table *t, const json_t *j, const char *key, enum tint tint)
{
    char *text = number(j, key);

    table_add(t, text, tint);
    free(text);
}

/* ---- Printing ---- */

static enum tint state_tint(const char *state)
{
    if (strcmp(state, "ok") == 0)
        return TINT_GOOD;
    if (strcmp(state, "expired") == 0 || strcmp(state, "orphan") == 0)
        return TINT_BAD;
    if (strcmp(state, "removed") == 0)
        return TINT_DIM;
    return TINT_WARN;
}

static void print_zones(const struct call *c, const json_t *zones)
{
    static const char *const titles[] = {"ZONE",      "KIND",       "STATE",
                                         "SERIAL",    "PRIMARY'S",  "RECORDS",
                                         "LAST GOOD", "NEXT CHECK", "LAST ERROR"};
    struct table t = {.titles = titles, .columns = 9};
    size_t i;
    const json_t *z;

    json_array_foreach(zones, i, z)
    {
        table_add(&t, verb_text(z, "name"), TINT_NONE);
        table_add(&t, verb_text(z, "kind"), TINT_NONE);
        table_add(&t, verb_text(z, "state"), state_tint(verb_text(z, "state")));
        add_number(&t, z, "serial", TINT_NONE);
        add_number(&t, z, "primary_serial", TINT_NONE);
        add_number(&t, z, "records", TINT_NONE);
        table_add(&t, verb_text(z, "last_success"), TINT_DIM);
        table_add(&t, verb_text(z, "next_check"), TINT_DIM);
        table_add(&t, verb_text(z, "last_error"), TINT_WARN);
    }
    table_print(&t, c->opt);
}

static void print_field(const struct call *c, const char *label, const char *text)
{
    (void)printf("%-14s ", label);
    print_tinted(c->opt, TINT_NONE, *text ? text : "-");
    (void)putchar('\n');
}

static void print_number_field(const struct call *c, const char *label, const json_t *j,
                               const char *key)
{
    char *text = number(j, key);

    print_field(c, label, text);
    free(text);
}

/* ---- Verbs ---- */

/* Zone files that have errors stand behind their directory. */
static void print_directories(const struct call *c, const json_t *list)
{
    const json_t *d;
    const json_t *f;
    size_t i, k;

    json_array_foreach(list, i, d)
    {
        char *text = xasprintf("%s: %lld files%s", verb_text(d, "path"),
                               (long long)json_integer_value(json_object_get(d, "files")),
                               json_is_true(json_object_get(d, "watched")) ? "" : ", not watched");

        print_field(c, i ? "" : "zone files", text);
        free(text);
        if (*verb_text(d, "error"))
            print_field(c, "", verb_text(d, "error"));
        json_array_foreach(json_object_get(d, "errors"), k, f)
        {
            const char *file = verb_text(f, "file");
            bool named = strncmp(verb_text(f, "error"), file, strlen(file)) == 0;

            text =
                xasprintf("  %s%s%s", named ? "" : file, named ? "" : ": ", verb_text(f, "error"));
            print_field(c, "", text);
            free(text);
        }
    }
}

static void print_lost(const struct call *c, const json_t *journal)
{
    long long n = (long long)json_integer_value(json_object_get(journal, "lost"));
    char *text;

    if (!n)
        return;
    text = xasprintf("%lld versions are LOST here; 'zonectl journal repair --from REPOSITORY' "
                     "brings back what another one has",
                     n);
    print_field(c, "", text);
    free(text);
}

static int run_node_status(const struct call *c)
{
    struct reply r;
    int code = verb_request(&r, c, "GET", xstrdup("/status"), NULL);
    const json_t *journal;
    const json_t *states;
    const json_t *n;
    const char *state;

    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r)) {
        journal = json_object_get(r.json, "journal");
        states = json_object_get(r.json, "states");
        (void)printf("%-14s %s (zoneledger %s)\n", "node", verb_text(r.json, "node"),
                     verb_text(r.json, "version"));
        (void)printf("%-14s %s\n", "sandbox", verb_text(r.json, "sandbox"));
        (void)printf("%-14s ", "authd");
        if (json_is_true(json_object_get(r.json, "authd_connected")))
            print_tinted(c->opt, TINT_GOOD, "connected");
        else
            print_tinted(c->opt, TINT_BAD, "not connected");
        (void)printf("\n%-14s %lld", "zones",
                     (long long)json_integer_value(json_object_get(r.json, "zones")));
        json_object_foreach((json_t *)states, state, n)
        {
            if (json_integer_value(n)) {
                char *text = xasprintf("  %s %lld", state, (long long)json_integer_value(n));
                print_tinted(c->opt, state_tint(state), text);
                free(text);
            }
        }
        (void)printf("\n%-14s %lld\n", "changes",
                     (long long)json_integer_value(json_object_get(r.json, "seq")));
        (void)printf("%-14s %lld behind, %lld packs, %lld octets%s\n", "journal",
                     (long long)json_integer_value(json_object_get(journal, "behind")),
                     (long long)json_integer_value(json_object_get(journal, "packs")),
                     (long long)json_integer_value(json_object_get(journal, "bytes")),
                     json_is_true(json_object_get(journal, "failing")) ? ", FAILING:" : "");
        if (json_is_true(json_object_get(journal, "failing")))
            print_field(c, "", verb_text(journal, "last_error"));
        print_lost(c, journal);
        print_remotes_short(c, json_object_get(r.json, "remotes"));
        print_directories(c, json_object_get(r.json, "directories"));
        if (json_array_size(json_object_get(r.json, "attention"))) {
            (void)printf("\nThese need a look:\n");
            print_zones(c, json_object_get(r.json, "attention"));
        }
    }
    reply_free(&r);
    return EXIT_DONE;
}

static int run_zone_list(const struct call *c)
{
    struct reply r;
    int code = verb_request(&r, c, "GET", xstrdup("/zones"), NULL);

    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r))
        print_zones(c, r.json);
    reply_free(&r);
    return EXIT_DONE;
}

static void print_hold(const struct call *c, const json_t *zone)
{
    const json_t *hold = json_object_get(zone, "hold");
    const json_t *serial;
    char *text;

    if (!json_is_object(hold))
        return;
    text = xasprintf("at version %lld since %s by %s%s%s",
                     (long long)json_integer_value(json_object_get(hold, "version")),
                     verb_text(hold, "since"), verb_text(hold, "by"),
                     *verb_text(hold, "reason") ? ": " : "", verb_text(hold, "reason"));
    print_field(c, "held", text);
    free(text);
    serial = json_object_get(hold, "until_newer_than");
    text =
        xasprintf("%s%.0lld%s%s%s", json_is_integer(serial) ? "a version newer than " : "",
                  (long long)json_integer_value(serial),
                  json_is_integer(serial) && *verb_text(hold, "until") ? " waits, or " : "",
                  verb_text(hold, "until"),
                  json_is_integer(serial) || *verb_text(hold, "until") ? "" : "'zonectl release'");
    print_field(c, "held until", text);
    free(text);
    print_field(c, "waiting",
                json_is_true(json_object_get(zone, "waiting"))
                    ? "yes; 'zonectl diff ZONE current waiting' shows it, 'zonectl release' serves "
                      "it"
                    : "nothing newer has come");
}

static void print_staged(const struct call *c, const json_t *zone)
{
    const json_t *staged = json_object_get(zone, "staged");
    char *text;

    if (!json_is_object(staged))
        return;
    text = xasprintf("version %lld %s",
                     (long long)json_integer_value(json_object_get(staged, "version")),
                     json_is_true(json_object_get(staged, "rejected"))
                         ? "was rejected"
                         : "waits for its time; 'zonectl diff ZONE current waiting' shows it, "
                           "'zonectl release' serves it, 'zonectl staged reject' does not");
    print_field(c, "staged", text);
    free(text);
}

static int run_zone_show(const struct call *c)
{
    struct reply r;
    int code = verb_request(&r, c, "GET", verb_path("zones", c->args[0], ""), NULL);
    const json_t *m;
    size_t i;

    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r)) {
        print_field(c, "zone", verb_text(r.json, "name"));
        print_field(c, "kind", verb_text(r.json, "kind"));
        print_field(c, "state", verb_text(r.json, "state"));
        print_number_field(c, "serial", r.json, "serial");
        print_number_field(c, "version", r.json, "version");
        print_number_field(c, "records", r.json, "records");
        json_array_foreach(json_object_get(r.json, "masters"), i, m)
        {
            print_field(c, i ? "" : "primaries", json_string_value(m));
        }
        print_hold(c, r.json);
        if (json_is_string(json_object_get(r.json, "signatures_until")))
            print_field(c, "signatures until", verb_text(r.json, "signatures_until"));
        print_staged(c, r.json);
        if (strcmp(verb_text(r.json, "kind"), "Secondary") == 0) {
            print_number_field(c, "at primary", r.json, "primary_serial");
            if (json_is_integer(json_object_get(r.json, "theirs")))
                print_number_field(c, "has there", r.json, "theirs");
            print_field(c, "last check", verb_text(r.json, "last_check"));
            print_field(c, "last success", verb_text(r.json, "last_success"));
            print_field(c, "next check", verb_text(r.json, "next_check"));
            print_field(c, "next", verb_text(r.json, "next"));
            print_field(c, "expires at", verb_text(r.json, "expires_at"));
            if (json_is_string(json_object_get(r.json, "unserved_since")))
                print_field(c, "unserved", verb_text(r.json, "unserved_since"));
            print_number_field(c, "failures", r.json, "failures");
            print_field(c, "last error", verb_text(r.json, "last_error"));
        } else if (*verb_text(r.json, "file")) {
            print_field(c, "file", verb_text(r.json, "file"));
            print_field(c, "last change", verb_text(r.json, "last_success"));
            print_field(c, "last error", verb_text(r.json, "last_error"));
        }
    }
    reply_free(&r);
    return EXIT_DONE;
}

static int run_status(const struct call *c)
{
    return c->arg_count ? run_zone_show(c) : run_node_status(c);
}

static int run_ask_primaries(const struct call *c, const char *action)
{
    struct reply r;
    int code = verb_request(&r, c, "PUT", verb_path("zones", c->args[0], action), NULL);

    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r))
        (void)printf("%s: %s\n", c->args[0], verb_text(r.json, "result"));
    reply_free(&r);
    return EXIT_DONE;
}

static int run_refresh(const struct call *c)
{
    return run_ask_primaries(c, "/refresh");
}

static int run_retransfer(const struct call *c)
{
    return run_ask_primaries(c, "/axfr-retrieve");
}

static int run_show(const struct call *c)
{
    struct reply r;
    char *zone = xstrdup(c->args[0]);
    char *at = strrchr(zone, '@');
    char *path;
    int code;

    /* An '@' of the name itself is written "\@". */
    if (at && at != zone && at[-1] == '\\')
        at = NULL;
    if (at)
        *at = 0;
    path = verb_path("zones", zone, "/export");
    verb_query_add(&path, "version", at ? at + 1 : NULL);
    code = verb_request(&r, c, "GET", path, NULL);
    free(zone);
    if (code != EXIT_DONE)
        return code;
    (void)fwrite(r.body.data, 1, r.body.len, stdout);
    reply_free(&r);
    return EXIT_DONE;
}

/* Says what an action did, or with --dry-run would do. */
static int run_rollback(const struct call *c)
{
    struct reply r;
    int code;

    if (c->arg_count == 0)
        return run_fleet_rollback(c);
    if (!c->opt->to) {
        (void)fputs("zonectl: rollback needs --to VERSION (v12, a serial, a commit id, a time)\n",
                    stderr);
        return EXIT_USAGE;
    }
    code = verb_request(&r, c, "POST", verb_path("zones", c->args[0], "/rollback"), verb_body(c));
    if (code != EXIT_DONE)
        return code;
    verb_print_done(c, &r, "rolled back");
    reply_free(&r);
    return EXIT_DONE;
}

static int run_release(const struct call *c)
{
    struct reply r;
    int code =
        verb_request(&r, c, "POST", verb_path("zones", c->args[0], "/release"), verb_body(c));

    if (code != EXIT_DONE)
        return code;
    verb_print_done(c, &r,
                    json_is_object(json_object_get(json_object_get(r.json, "zone"), "hold"))
                        ? "still held"
                        : "released");
    reply_free(&r);
    return EXIT_DONE;
}

static int run_hold(const struct call *c)
{
    struct reply r;
    int code = verb_request(&r, c, "POST", verb_path("zones", c->args[0], "/hold"), verb_body(c));

    if (code != EXIT_DONE)
        return code;
    verb_print_done(c, &r, "held");
    reply_free(&r);
    return EXIT_DONE;
}

static int run_zone_remove(const struct call *c)
{
    struct reply r;
    char *path = verb_path("zones", c->args[0], "");
    int code;

    verb_query_add(&path, "reason", c->opt->reason);
    verb_query_add(&path, "dry_run", c->opt->dry_run ? "true" : NULL);
    code = verb_request(&r, c, "DELETE", path, NULL);
    if (code != EXIT_DONE)
        return code;
    if (!verb_print_json(c, &r)) {
        if (c->opt->dry_run)
            (void)printf("Dry run: nothing was changed.\n");
        else
            (void)printf("%s: removed; its history stays, and 'zonectl undelete %s' brings it "
                         "back\n",
                         c->args[0], c->args[0]);
    }
    reply_free(&r);
    return EXIT_DONE;
}

static int run_undelete(const struct call *c)
{
    struct reply r;
    int code =
        verb_request(&r, c, "POST", verb_path("zones", c->args[0], "/undelete"), verb_body(c));

    if (code != EXIT_DONE)
        return code;
    verb_print_done(c, &r, "undeleted");
    reply_free(&r);
    return EXIT_DONE;
}

static int run_import(const struct call *c)
{
    struct reply r;
    struct buf text = BUF_INIT;
    char *path = verb_path("zones", c->args[0], "/import");
    int code = EXIT_REFUSED;

    verb_query_add(&path, "file", c->args[1]);
    verb_query_add(&path, "serial", c->opt->serial);
    verb_query_add(&path, "force", c->opt->force ? "true" : NULL);
    verb_query_add(&path, "reason", c->opt->reason);
    verb_query_add(&path, "dry_run", c->opt->dry_run ? "true" : NULL);
    if (zonefile_gather(&text, c->args[0], c->args[1]))
        code =
            client_request(&r, c->opt, "PUT", path, text.data ? (void *)text.data : "", text.len);
    free(path);
    buf_free(&text);
    if (code != EXIT_DONE)
        return code;
    verb_print_done(c, &r, "imported");
    reply_free(&r);
    return EXIT_DONE;
}

static const struct verb table[] = {
    {"status", "[ZONE]", 0, 1, "this node at a glance, with zones that need a look; or one zone",
     run_status},
    {"zone list", "", 0, 0, "all zones", run_zone_list},
    {"zone show", "ZONE", 1, 1, "one zone", run_zone_show},
    {"zone remove", "ZONE [--reason TEXT] [--dry-run]", 1, 1,
     "serve it no longer; its history stays", run_zone_remove},
    {"undelete", "ZONE [--to VERSION [--serial exact|local]] [--reason TEXT] [--dry-run]", 1, 1,
     "serve a removed zone again", run_undelete},
    {"refresh", "ZONE [--reason TEXT]", 1, 1, "ask the primaries for their serial now",
     run_refresh},
    {"retransfer", "ZONE [--reason TEXT]", 1, 1, "transfer the zone now, whatever the serial",
     run_retransfer},
    {"log",
     "[ZONE] [--name NAME] [--type TYPE] [--account NAME] [--since TIME] [--until TIME] "
     "[--origin WORD] [--key NAME] [--user NAME] [--limit N] [--before N] "
     "[--actions [--action VERB]]",
     0, 1, "versions of a zone, or of all, newest first; or what operators did", run_log},
    {"blame", "ZONE [NAME [TYPE]]", 1, 3, "which version brought each record, and by whom",
     run_blame},
    {"id", "[ZONE...] [--compute]", 0, 1000, "their content ids (of all zones, without names)",
     run_id},
    {"compare", "NODE NODE... [--zone ZONE] [--key NAME] [--compute] [--records]", 2, 1000,
     "do these nodes serve the same? A node is a run-dir, a control socket, https://... or an "
     "address",
     run_compare},
    {"diff", "ZONE A [B] [--git]", 2, 3, "what differs from version A to B (or current)", run_diff},
    {"show", "ZONE[@VERSION]", 1, 1, "a version as a zone file", run_show},
    {"rollback",
     "ZONE --to VERSION [--serial exact|local] [--until-newer-than SERIAL] [--until TIME|--for "
     "SPAN] "
     "[--reason TEXT] [--force] [--dry-run]",
     1, 1, "serve an old version", run_rollback},
    {"rollback",
     "--all|--account NAME|--catalog NAME|--match PATTERN --to TIME [--serial exact|local] "
     "[--reason TEXT] [--pace N] [--force] [--dry-run] [--yes]",
     0, 0, "... of many zones at once, with those added and removed since", run_rollback},
    {"hold", "ZONE [--until-newer-than SERIAL] [--until TIME|--for SPAN] [--reason TEXT]", 1, 1,
     "serve what is served now, and let newer versions wait; or change when that ends", run_hold},
    {"release",
     "ZONE [--until-newer-than SERIAL] [--until TIME|--for SPAN] [--reason TEXT] [--dry-run]", 1, 1,
     "end a hold, now or then, or the wait of a staged version", run_release},
    {"staged reject", "ZONE [--reason TEXT]", 1, 1,
     "the versions that wait for their time are not served", run_staged_reject},
    {"quarantine list", "", 0, 0, "versions that a guard did not let through", run_quarantine_list},
    {"quarantine show", "ZONE", 1, 1, "such a version as a zone file", run_quarantine_show},
    {"quarantine diff", "ZONE [--git]", 1, 1, "what differs in it from what is served",
     run_quarantine_diff},
    {"quarantine approve", "ZONE [--reason TEXT] [--dry-run]", 1, 1, "serve it",
     run_quarantine_approve},
    {"quarantine reject", "ZONE [--reason TEXT]", 1, 1,
     "ask no more; the old one stays until there is another", run_quarantine_reject},
    {"import", "ZONE FILE [--serial keep|increment|date] [--force] [--reason TEXT] [--dry-run]", 2,
     2, "a zone of our own from a zone file ('-': standard input)", run_import},
    {"primary list", "", 0, 0, "the primaries, and how each does", run_primary_list},
    {"catalog list", "", 0, 0, "the catalog zones that this node follows", run_catalog_list},
    {"catalog show", "CATALOG", 1, 1, "a catalog's zones, and why one is refused",
     run_catalog_show},
    {"catalog approve", "CATALOG [--reason TEXT]", 1, 1,
     "zones that a catalog lost, and that wait, may go", run_catalog_approve},
    {"autoprimary add",
     "ADDRESS NAMESERVER [--account NAME] [--key NAME] [--suffix NAME]... [--zones-max N] "
     "[--zones-per-hour N] [--reason TEXT]",
     2, 2, "it may bring zones that have this nameserver", run_autoprimary_add},
    {"autoprimary list", "", 0, 0, "who may bring zones", run_autoprimary_list},
    {"autoprimary remove", "ADDRESS NAMESERVER [--reason TEXT]", 2, 2,
     "it brings no zones any more", run_autoprimary_remove},
    {"autoprimary why", "ZONE ADDRESS [--key NAME]", 2, 2,
     "what a NOTIFY for the zone from there would do, rule by rule", run_autoprimary_why},
    {"stats", "[--zone ZONE]", 0, 0, "what authd has counted since it started", run_stats},
    {"metrics", "[--zones]", 0, 0, "the same, as Prometheus reads it; each zone's numbers too",
     run_metrics},
    {"api-key", "NAME FILE [--role read|zones|admin]", 2, 2,
     "make a key for the control surface by TCP, into the file", run_api_key},
    {"journal remotes", "", 0, 0, "where the history is pushed to, and how far each is",
     run_journal_remotes},
    {"journal restore", "[REPOSITORY]", 0, 1,
     "make the store anew from the history (syncd does not run)", run_journal_restore},
    {"journal repair", "[ZONE] [--dry-run] [--from REPOSITORY] [--reason TEXT]", 0, 1,
     "make again what the journal lost, of the store or of another repository", run_journal_repair},
    {"repair", "[ZONE] [--dry-run] [--from REPOSITORY] [--reason TEXT]", 0, 1, "as journal repair",
     run_journal_repair},
    {"journal push", "[REMOTE] [--reason TEXT]", 0, 1, "push it now, to this one or to all",
     run_journal_push},
    {"journal key create", "[--reason TEXT]", 0, 0, "from now on the history is signed",
     run_journal_key_create},
    {"journal key rotate", "[--reason TEXT]", 0, 0, "a new key signs from now on",
     run_journal_key_rotate},
    {"journal key list", "", 0, 0, "the keys that sign the history, and did", run_journal_key_list},
    {"journal key export", "", 0, 0, "their public halves, for git's gpg.ssh.allowedSignersFile",
     run_journal_key_export},
    {"journal reindex", "[ZONE...] [--dry-run] [--reason TEXT]", 0, 1000000,
     "make the index behind log and blame anew from the history", run_journal_reindex},
    {"journal thin", "[--dry-run]", 0, 0,
     "thin old versions now, as `retention` says, and not once a day", run_journal_thin},
    {"journal verify", "[--since TIME] [--remote NAME]", 0, 0, "as verify", run_verify},
    {"verify", "[--since TIME] [--remote NAME]", 0, 0,
     "check that store, journal, signatures and authd agree", run_verify},
};

const struct verb *verbs(size_t *n)
{
    *n = sizeof(table) / sizeof(table[0]);
    return table;
}
