#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/config.h"
#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

enum {
    OPT_SOCKET = 256,
    OPT_RUN_DIR,
    OPT_URL,
    OPT_KEY_FILE,
    OPT_CA,
    OPT_JSON,
    OPT_NO_COLOR,
    OPT_VERSION,
    FIRST_OF_VERBS, /* those above are for all */
    OPT_TO = FIRST_OF_VERBS,
    OPT_FROM,
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
    OPT_SINCE,
    OPT_UNTIL,
    OPT_NEWER_THAN,
    OPT_FOR,
    OPT_ORIGIN,
    OPT_USER,
    OPT_NAME,
    OPT_TYPE,
    OPT_REMOTE,
    OPT_GIT,
    OPT_ACTIONS,
    OPT_ACTION,
    OPT_ROLE
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"url", required_argument, NULL, OPT_URL},
    {"key-file", required_argument, NULL, OPT_KEY_FILE},
    {"ca", required_argument, NULL, OPT_CA},
    {"json", no_argument, NULL, OPT_JSON},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {"to", required_argument, NULL, OPT_TO},
    {"from", required_argument, NULL, OPT_FROM},
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
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"until-newer-than", required_argument, NULL, OPT_NEWER_THAN},
    {"for", required_argument, NULL, OPT_FOR},
    {"origin", required_argument, NULL, OPT_ORIGIN},
    {"user", required_argument, NULL, OPT_USER},
    {"name", required_argument, NULL, OPT_NAME},
    {"type", required_argument, NULL, OPT_TYPE},
    {"remote", required_argument, NULL, OPT_REMOTE},
    {"git", no_argument, NULL, OPT_GIT},
    {"actions", no_argument, NULL, OPT_ACTIONS},
    {"action", required_argument, NULL, OPT_ACTION},
    {"role", required_argument, NULL, OPT_ROLE},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

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

/* Options that are a text or a flag and nothing else. */
static const struct {
    int code;
    size_t at; /* in struct options */
} texts[] =
    {
        {OPT_URL, offsetof(struct options, url)},
        {OPT_KEY_FILE, offsetof(struct options, key_file)},
        {OPT_CA, offsetof(struct options, ca)},
        {OPT_TO, offsetof(struct options, to)},
        {OPT_FROM, offsetof(struct options, from)},
        {OPT_REASON, offsetof(struct options, reason)},
        {OPT_LIMIT, offsetof(struct options, limit)},
        {OPT_BEFORE, offsetof(struct options, before)},
        {OPT_ZONE, offsetof(struct options, zone)},
        {OPT_ACCOUNT, offsetof(struct options, account)},
        {OPT_KEY, offsetof(struct options, key)},
        {OPT_ZONES_MAX, offsetof(struct options, zones_max)},
        {OPT_ZONES_PER_HOUR, offsetof(struct options, zones_per_hour)},
        {OPT_SERIAL, offsetof(struct options, serial)},
        {OPT_CATALOG, offsetof(struct options, catalog)},
        {OPT_MATCH, offsetof(struct options, match)},
        {OPT_PACE, offsetof(struct options, pace)},
        {OPT_SINCE, offsetof(struct options, since)},
        {OPT_UNTIL, offsetof(struct options, until)},
        {OPT_NEWER_THAN, offsetof(struct options, newer_than)},
        {OPT_FOR, offsetof(struct options, span)},
        {OPT_ORIGIN, offsetof(struct options, origin)},
        {OPT_USER, offsetof(struct options, user)},
        {OPT_NAME, offsetof(struct options, name)},
        {OPT_TYPE, offsetof(struct options, type)},
        {OPT_REMOTE, offsetof(struct options, remote)},
        {OPT_ACTION, offsetof(struct options, action)},
        {OPT_ROLE, offsetof(struct options, role)},
},
  flags[] = {
      {OPT_JSON, offsetof(struct options, json)},
      {OPT_DRY_RUN, offsetof(struct options, dry_run)},
      {OPT_EACH_ZONE, offsetof(struct options, zones)},
      {OPT_COMPUTE, offsetof(struct options, compute)},
      {OPT_RECORDS, offsetof(struct options, records)},
      {OPT_ALL, offsetof(struct options, all)},
      {OPT_GIT, offsetof(struct options, git)},
      {OPT_ACTIONS, offsetof(struct options, actions)},
      {OPT_YES, offsetof(struct options, yes)},
      {OPT_FORCE, offsetof(struct options, force)},
};

static bool take_plain(struct options *opt, int code, const char *arg)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].code == code) {
            *(const char **)(void *)((char *)opt + texts[i].at) = arg;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (flags[i].code == code) {
            *(bool *)(void *)((char *)opt + flags[i].at) = true;
            return true;
        }
    }
    return false;
}

/* What was said, beside what it says: for the verb to be asked whether it takes that. */
struct given {
    const char **option; /* names of long options; room for argc of them */
    size_t count;
    bool help;
};

/* Returns -1 to go on, or the exit code. */
static int parse_options(struct options *opt, struct given *given, char **socket, int argc,
                         char **argv)
{
    int c, index = -1;

    while ((c = getopt_long(argc, argv, "c:h", long_options, &index)) != -1) {
        if (c >= FIRST_OF_VERBS && index >= 0)
            given->option[given->count++] = long_options[index].name;
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
        case OPT_NO_COLOR:
            opt->color = false;
            break;
        case OPT_SUFFIX:
            opt->suffixes[opt->suffix_count++] = optarg;
            break;
        case OPT_VERSION:
            (void)puts("zonectl " ZL_VERSION);
            return EXIT_DONE;
        case 'h':
            given->help = true;
            break;
        default:
            if (take_plain(opt, c, optarg))
                break;
            (void)fputs("zonectl: --help shows what there is\n", stderr);
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* What a verb has no use for is a mistake, and may be one that matters (--dry-run). */
static bool takes_all(const struct verb *v, const struct given *given)
{
    for (size_t i = 0; i < given->count; i++) {
        if (verb_takes(v, given->option[i]))
            continue;
        (void)fprintf(stderr, "zonectl: '%s' takes no --%s\n", v->name, given->option[i]);
        usage_of(stderr, v);
        return false;
    }
    return true;
}

static int run_verb(const struct options *opt, const struct given *given, int argc, char **argv)
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
        return takes_all(&v[i], given) ? v[i].run(&call) : EXIT_USAGE;
    }
    if (near)
        usage_of(stderr, near);
    else
        usage_unknown(stderr, argv);
    return EXIT_USAGE;
}

/* Is it one that a key may be sent to? */
static bool url_is_right(const char *url)
{
    if (!url || strncmp(url, "https://", strlen("https://")) == 0)
        return true;
    (void)fprintf(stderr, "zonectl: --url %s: should be https://HOST:PORT\n", url);
    return false;
}

static int help(int argc, char **argv)
{
    if (argc && !usage_verb(stdout, argc, argv)) {
        usage_unknown(stderr, argv);
        return EXIT_USAGE;
    }
    if (!argc)
        usage_all(stdout);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct options opt = {.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
    struct given given = {.option = xcalloc((size_t)argc, sizeof(*given.option))};
    char *socket = xstrdup(DEFAULT_SOCKET);
    int code;

    opt.suffixes = xcalloc((size_t)argc, sizeof(*opt.suffixes));
    code = parse_options(&opt, &given, &socket, argc, argv);

    if (code < 0 && !url_is_right(opt.url))
        code = EXIT_USAGE;
    if (code < 0) {
        opt.socket = socket;
        if (given.help) {
            code = help(argc - optind, argv + optind);
        } else if (optind == argc) {
            usage_all(stderr);
            code = EXIT_USAGE;
        } else {
            code = run_verb(&opt, &given, argc - optind, argv + optind);
        }
    }
    free(given.option);
    free(opt.suffixes);
    free(socket);
    return code;
}
