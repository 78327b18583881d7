/* zonectl journal repair. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

/* The daemon starts no programs, so another syncd, which is none, brings the objects to where it
 * can read them. False once the reason is printed. */
static bool fetch(const struct call *c)
{
    char *syncd = find_syncd();
    char *config = xasprintf("--config=%s",
                             c->opt->config ? c->opt->config : "/etc/zoneledger/zoneledger.conf");
    char *from = xasprintf("--fetch=%s", c->opt->from);
    char *const args[] = {syncd, config, from, NULL};
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)execvp(syncd, args);
        (void)fprintf(stderr, "zonectl: %s: %s\n", syncd, strerror(errno));
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    free(syncd);
    free(config);
    free(from);
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static long long count_of(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

static void print_count(const json_t *j, const char *key, const char *what)
{
    if (count_of(j, key))
        (void)printf("%lld %s\n", count_of(j, key), what);
}

static void print_lost_versions(const struct call *c, const json_t *list)
{
    static const char *const titles[] = {"ZONE", "VERSION", "SERIAL", "SEQ", "WHEN", "WHY"};
    struct table t = {.titles = titles, .columns = 6};
    const json_t *l;
    size_t i;

    json_array_foreach(list, i, l)
    {
        char *text[] = {xasprintf("v%lld", count_of(l, "version")),
                        xasprintf("%lld", count_of(l, "serial")),
                        xasprintf("%lld", count_of(l, "seq"))};

        table_add(&t, verb_text(l, "zone"), TINT_NONE);
        for (size_t k = 0; k < 3; k++) {
            table_add(&t, text[k], k ? TINT_NONE : TINT_BAD);
            free(text[k]);
        }
        table_add(&t, verb_text(l, "at"), TINT_DIM);
        table_add(&t, verb_text(l, "why"), TINT_NONE);
    }
    table_print(&t, c->opt);
}

static void print_report(const struct call *c, const json_t *j)
{
    const json_t *d;
    size_t i;

    json_array_foreach(json_object_get(j, "damaged"), i, d)
    {
        print_safe(stdout, json_string_value(d));
        (void)putchar('\n');
    }
    print_count(j, "packs_aside", "damaged packs put aside, in objects/pack/bad");
    print_count(j, "objects_saved", "good objects of theirs saved");
    print_count(j, "made_again", "versions made again of what the store knows");
    print_count(j, "copied", "versions copied from the repository");
    print_count(j, "renewed", "present versions written under another id");
    print_count(j, "refs", "refs set from the store");
    if (count_of(j, "lost_count"))
        print_lost_versions(c, json_object_get(j, "lost"));
    (void)printf("%lld zones and %lld versions looked at; %lld lost%s\n", count_of(j, "zones"),
                 count_of(j, "versions"), count_of(j, "lost_count"),
                 json_is_true(json_object_get(j, "dry_run")) ? ". Dry run: nothing was changed."
                 : count_of(j, "lost_count")
                     ? ": they are marked in log and status; --from REPOSITORY brings back "
                       "what another one has"
                     : "");
}

int run_journal_repair(const struct call *c)
{
    struct reply r = {0};
    json_t *body =
        json_pack("{s:b, s:b}", "dry_run", (int)c->opt->dry_run, "fetched", c->opt->from != NULL);
    int code;

    if (c->arg_count)
        (void)json_object_set_new(body, "zone", json_string(c->args[0]));
    if (c->opt->from && (!is_here(c, "--from") || !fetch(c))) {
        json_decref(body);
        return EXIT_REFUSED;
    }
    code = verb_request(&r, c, "POST", xstrdup("/journal/repair"), body);
    if (code == EXIT_DONE) {
        if (!verb_print_json(c, &r))
            print_report(c, r.json);
        code = (int)json_integer_value(json_object_get(r.json, "exit"));
    }
    reply_free(&r);
    return code;
}
