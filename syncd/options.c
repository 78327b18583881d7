#include "syncd/options.h"

#include <getopt.h>
#include <stdio.h>

#include "lib/base/bytes.h"
#include "lib/base/config.h"

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'C'},
    {"help-config", no_argument, NULL, 'H'},  {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},         {"restore", optional_argument, NULL, 'R'},
    {"fetch", required_argument, NULL, 'F'},  {NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
    (void)fputs("usage: syncd [--config FILE] [--check-config]\n\n"
                "Replicates zones into the store and keeps their history.\n\n"
                "  -c, --config FILE   default: /etc/zoneledger/zoneledger.conf\n"
                "      --check-config  read and check it, say what is wrong, and exit\n"
                "      --help-config   all configuration items\n"
                "      --restore[=REPOSITORY]  make the store anew from the history, and exit\n"
                "      --fetch=REPOSITORY  get a history for zonectl journal repair, and exit\n"
                "      --version, -h, --help\n",
                to);
}

static void help_config(void)
{
    struct buf text = BUF_INIT;

    config_help(&text);
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
}

int options_parse(struct options *o, int argc, char **argv)
{
    int c;

    while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->config_path = optarg;
            break;
        case 'C':
            o->check = true;
            break;
        case 'R':
            o->restore = true;
            o->restore_from = optarg;
            break;
        case 'F':
            o->fetch_from = optarg;
            break;
        case 'H':
            help_config();
            return 0;
        case 'V':
            (void)puts("syncd " ZL_VERSION);
            return 0;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 64;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return 64;
    }
    return -1;
}
