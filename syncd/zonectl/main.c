#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/config.h"
#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

#define DEFAULT_SOCKET "/run/zoneledger/control.sock"

enum {
    OPT_SOCKET = 256,
    OPT_RUN_DIR,
    OPT_JSON,
    OPT_NO_COLOR,
    OPT_TO,
    OPT_REASON,
    OPT_DRY_RUN,
    OPT_LIMIT,
    OPT_BEFORE,
    OPT_ZONE,
    OPT_ACCOUNT,
    OPT_KEY,
    OPT_ZONES_MAX,
    OPT_ZONES_PER_HOUR,
    OPT_SUFFIX,
    OPT_SERIAL,
    OPT_FORCE,
    OPT_EACH_ZONE,
    OPT_COMPUTE,
    OPT_RECORDS,
    OPT_ALL,
    OPT_CATALOG,
    OPT_MATCH,
    OPT_PACE,
    OPT_YES,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"json", no_argument, NULL, OPT_JSON},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {"to", required_argument, NULL, OPT_TO},
    {"reason", required_argument, NULL, OPT_REASON},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"before", required_argument, NULL, OPT_BEFORE},
    {"zone", required_argument, NULL, OPT_ZONE},
    {"account", required_argument, NULL, OPT_ACCOUNT},
    {"key", required_argument, NULL, OPT_KEY},
    {"zones-max", required_argument, NULL, OPT_ZONES_MAX},
    {"zones-per-hour", required_argument, NULL, OPT_ZONES_PER_HOUR},
    {"suffix", required_argument, NULL, OPT_SUFFIX},
    {"serial", required_argument, NULL, OPT_SERIAL},
    {"force", no_argument, NULL, OPT_FORCE},
    {"zones", no_argument, NULL, OPT_EACH_ZONE},
    {"compute", no_argument, NULL, OPT_COMPUTE},
    {"records", no_argument, NULL, OPT_RECORDS},
    {"all", no_argument, NULL, OPT_ALL},
    {"catalog", required_argument, NULL, OPT_CATALOG},
    {"match", required_argument, NULL, OPT_MATCH},
    {"pace", required_argument, NULL, OPT_PACE},
    {"yes", no_argument, NULL, OPT_YES},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
    size_t n;
    const struct verb *v = verbs(&n);

    (void)fputs("usage: zonectl [OPTIONS] VERB ...\n\n", to);
    for (size_t i = 0; i < n; i++) {
        char *left = xasprintf("%s %s", v[i].name, v[i].args);
        (void)fprintf(to, "  %-52s %s\n", left, v[i].help);
        free(left);
    }
    (void)fputs("\nVERSION is v12, a serial, a commit id (7 digits or more), a time\n"
                "(2026-05-29T10:00Z, '2h ago'), current, or waiting.\n\n"
                "  -c, --config FILE   find the control socket by this configuration\n"
                "      --run-dir DIR   the daemons' run-dir\n"
                "      --socket PATH   the control socket (default " DEFAULT_SOCKET ")\n"
                "      --json          output for programs\n"
                "      --no-color      no colour, on a terminal too\n"
                "      --version, -h, --help\n",
                to);
}

static char *socket_of_config(const char *path)
{
    struct config *c = NULL;
    struct errinfo e = {0};
    char *socket;

    if (config_load(&c, path, &e) != OK) {
        (void)fprintf(stderr, "zonectl: %s\n", e.text);
        exit(EXIT_USAGE);
    }
    socket = xasprintf("%s/control.sock", c->run_dir);
    config_unref(c);
    return socket;
}

static void set_socket(char **socket, char *path)
{
    free(*socket);
    *socket = path;
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(struct options *opt, char **socket, int argc, char **argv)
{
    int c;

    while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            set_socket(socket, socket_of_config(optarg));
            opt->config = optarg;
            break;
        case OPT_SOCKET:
            set_socket(socket, xstrdup(optarg));
            break;
        case OPT_RUN_DIR:
            set_socket(socket, xasprintf("%s/control.sock", optarg));
            break;
        case OPT_JSON:
            opt->json = true;
            break;
        case OPT_NO_COLOR:
            opt->color = false;
            break;
        case OPT_TO:
            opt->to = optarg;
            break;
        case OPT_REASON:
            opt->reason = optarg;
            break;
        case OPT_DRY_RUN:
            opt->dry_run = true;
            break;
        case OPT_LIMIT:
            opt->limit = optarg;
            break;
        case OPT_BEFORE:
            opt->before = optarg;
            break;
        case OPT_ZONE:
            opt->zone = optarg;
            break;
        case OPT_ACCOUNT:
            opt->account = optarg;
            break;
        case OPT_KEY:
            opt->key = optarg;
            break;
        case OPT_ZONES_MAX:
            opt->zones_max = optarg;
            break;
        case OPT_ZONES_PER_HOUR:
            opt->zones_per_hour = optarg;
            break;
        case OPT_SUFFIX:
            opt->suffixes[opt->suffix_count++] = optarg;
            break;
        case OPT_SERIAL:
            opt->serial = optarg;
            break;
        case OPT_EACH_ZONE:
            opt->zones = true;
            break;
        case OPT_COMPUTE:
            opt->compute = true;
            break;
        case OPT_RECORDS:
            opt->records = true;
            break;
        case OPT_ALL:
            opt->all = true;
            break;
        case OPT_CATALOG:
            opt->catalog = optarg;
            break;
        case OPT_MATCH:
            opt->match = optarg;
            break;
        case OPT_PACE:
            opt->pace = optarg;
            break;
        case OPT_YES:
            opt->yes = true;
            break;
        case OPT_FORCE:
            opt->force = true;
            break;
        case OPT_VERSION:
            (void)puts("zonectl " ZL_VERSION);
            return EXIT_DONE;
        case 'h':
            usage(stdout);
            return EXIT_DONE;
        default:
            (void)fputs("zonectl: --help shows what there is\n", stderr);
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* Words of the verb that argv starts with; 0 if it does not. */
static int verb_words(const struct verb *v, int argc, char **argv)
{
    const char *p = v->name;
    int words = 0;

    while (*p) {
        size_t n = strcspn(p, " ");
        if (words >= argc || strlen(argv[words]) != n || strncmp(argv[words], p, n) != 0)
            return 0;
        p += n + (p[n] == ' ');
        words++;
    }
    return words;
}

static int run_verb(const struct options *opt, int argc, char **argv)
{
    const struct verb *near = NULL; /* its words fit, what follows does not */
    size_t n;
    const struct verb *v = verbs(&n);

    for (size_t i = 0; i < n; i++) {
        int words = verb_words(&v[i], argc, argv);
        struct call call = {.opt = opt, .args = argv + words, .arg_count = argc - words};

        if (!words)
            continue;
        if (call.arg_count < v[i].min_args || call.arg_count > v[i].max_args) {
            near = near ? near : &v[i];
            continue;
        }
        return v[i].run(&call);
    }
    if (near) {
        (void)fprintf(stderr, "usage: zonectl %s %s\n", near->name, near->args);
        return EXIT_USAGE;
    }
    (void)fprintf(stderr, "zonectl: there is no verb '%s'; --help shows all\n", argv[0]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options opt = {.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
    char *socket = xstrdup(DEFAULT_SOCKET);
    int code;

    opt.suffixes = xcalloc((size_t)argc, sizeof(*opt.suffixes));
    code = parse_options(&opt, &socket, argc, argv);

    if (code < 0) {
        opt.socket = socket;
        if (optind == argc) {
            usage(stderr);
            code = EXIT_USAGE;
        } else {
            code = run_verb(&opt, argc - optind, argv + optind);
        }
    }
    free(opt.suffixes);
    free(socket);
    return code;
}
