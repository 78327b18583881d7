/* authd: the command line and the signals. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "authd/cookie_front.h"
#include "authd/server.h"
#include "authd/tls_front.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/config_check.h"

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'C'},
    {"help-config", no_argument, NULL, 'H'},  {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
    (void)fputs("usage: authd [--config FILE] [--check-config]\n\n"
                "Answers DNS queries from the zones that syncd keeps in the store.\n\n"
                "  -c, --config FILE   default: /etc/zoneledger/zoneledger.conf\n"
                "      --check-config  read and check it, say what is wrong, and exit\n"
                "      --help-config   all configuration items\n"
                "      --version, -h, --help\n\n"
                "SIGHUP reads the configuration again; SIGTERM and SIGINT stop.\n",
                to);
}

static void help_config(void)
{
    struct buf text = BUF_INIT;

    config_help(&text);
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(const char **path, bool *check, int argc, char **argv)
{
    int c;

    while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            *path = optarg;
            break;
        case 'C':
            *check = true;
            break;
        case 'H':
            help_config();
            return 0;
        case 'V':
            (void)puts("authd " ZL_VERSION);
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

static enum err load_config(struct config **out, const char *path, struct errinfo *e)
{
    struct config *c = NULL;
    enum err rc;

    if ((rc = config_load(&c, path, e)))
        return rc;
    if ((rc = config_check(c, e))) {
        config_unref(c);
        return rc;
    }
    *out = c;
    return OK;
}

/* What parsing cannot know: are the certificate, its key and the secrets there and right? */
static int report_check(struct config *c)
{
    struct tls_tickets *tickets = tls_tickets_new(clock_real());
    struct tls_server *tls = NULL;
    struct errinfo e = {0};
    struct cookie_secrets *secrets = NULL;
    enum err rc = tls_front_load(&tls, c, tickets, clock_real(), &e);

    if (rc || (rc = cookie_front_load(&secrets, c, &e)))
        (void)fprintf(stderr, "authd: %s: %s\n", c->path, e.text);
    else
        (void)printf("%s: right; listens on %zu addresses\n", c->path,
                     c->listen_count + c->listen_tls_count);
    tls_server_free(tls);
    tls_tickets_free(tickets);
    cookie_front_wipe(secrets);
    config_unref(c);
    return rc ? 1 : 0;
}

/* The old configuration stays in force unless the whole new one is right. */
static void reload(struct server *s, const char *path)
{
    struct config *config = NULL;
    struct errinfo e = {0};

    if (load_config(&config, path, &e) != OK || server_reload(s, config, &e) != OK)
        log_error(say("reload refused, the old configuration stays"), kv_err(&e));
}

/* Blocked before any thread starts, so that they come to sigwait alone. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void wait_for_end(struct server *s, const sigset_t *set, const char *path)
{
    static const struct timespec tick = {.tv_sec = SERVER_TICK_S};
    int number;

    for (;;) {
        number = sigtimedwait(set, NULL, &tick);
        if (number == SIGHUP)
            reload(s, path);
        else if (number > 0)
            break;
        server_tick(s);
    }
    log_info(say("stopping"), kv_str("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
}

int main(int argc, char **argv)
{
    const char *path = "/etc/zoneledger/zoneledger.conf";
    struct config *config = NULL;
    struct server *server = NULL;
    struct errinfo e = {0};
    bool check = false;
    sigset_t signals;
    int code = parse_options(&path, &check, argc, argv);

    if (code >= 0)
        return code;
    if (load_config(&config, path, &e) != OK) {
        (void)fprintf(stderr, "authd: %s\n", e.text);
        return 1;
    }
    if (check)
        return report_check(config);
    mem_one_heap(); /* the updater's; workers allocate for connections alone */
    block_signals(&signals);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    log_init("authd", config->log_level, config->log_format);
    if (server_start(&server, config, &e) != OK) {
        log_error(say("cannot start"), kv_err(&e));
        return 1;
    }
    log_info(say("ready"), kv_str("release", ZL_VERSION));
    wait_for_end(server, &signals, path);
    server_stop(server);
    return 0;
}
