#include <stdlib.h>
#include <string.h>

#include "syncd/zonectl/zonectl.h"

enum { LINE_CHARS = 96, INDENT = 4 };

int verb_words(const struct verb *v, int argc, char **argv)
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

bool verb_takes(const struct verb *v, const char *option)
{
    size_t n = strlen(option);

    for (const char *p = v->args; (p = strstr(p, "--")); p += 2) {
        if (strncmp(p + 2, option, n) == 0 && !strchr("abcdefghijklmnopqrstuvwxyz-", p[2 + n]))
            return true;
    }
    return false;
}

/* Where the next piece of arguments ends: "[--to TIME]" is one, and so is a word. */
static size_t piece_len(const char *p)
{
    size_t depth = 0, n = 0;

    for (; p[n] && (depth || p[n] != ' '); n++)
        depth += (size_t)(p[n] == '[') - (size_t)(p[n] == ']');
    return n;
}

/* The arguments behind the verb, in lines that fit. */
static void put_args(FILE *to, const char *args, size_t at)
{
    while (*args) {
        size_t n = piece_len(args);

        if (at + 1 + n > LINE_CHARS) {
            (void)fprintf(to, "\n%*s", 2 * INDENT, "");
            at = 2 * INDENT;
        } else {
            (void)fputc(' ', to);
            at++;
        }
        (void)fwrite(args, 1, n, to);
        at += n;
        args += n + (args[n] == ' ');
    }
}

void usage_of(FILE *to, const struct verb *v)
{
    int n = fprintf(to, "usage: zonectl %s", v->name);

    put_args(to, v->args, n > 0 ? (size_t)n : 0);
    (void)fprintf(to, "\n%*s%s\n", INDENT, "", v->help);
}

/* The verbs that have this for their first word. */
static bool usage_near(FILE *to, const char *word)
{
    size_t n, len = strlen(word);
    const struct verb *v = verbs(&n);
    bool some = false;

    for (size_t i = 0; i < n; i++) {
        if (strncmp(v[i].name, word, len) != 0 || v[i].name[len] != ' ')
            continue;
        if (!some)
            (void)fprintf(to, "zonectl: what begins with '%s':\n", word);
        (void)fprintf(to, "  %-22s %s\n", v[i].name, v[i].help);
        some = true;
    }
    return some;
}

void usage_unknown(FILE *to, char **argv)
{
    if (!usage_near(to, argv[0]))
        (void)fprintf(to, "zonectl: there is no verb '%s'; --help shows all\n", argv[0]);
}

bool usage_verb(FILE *to, int argc, char **argv)
{
    size_t n;
    const struct verb *v = verbs(&n);
    bool some = false;

    for (size_t i = 0; i < n; i++) {
        if (!verb_words(&v[i], argc, argv))
            continue;
        usage_of(to, &v[i]);
        some = true;
    }
    return some || usage_near(to, argv[0]);
}

void usage_all(FILE *to)
{
    size_t n;
    const struct verb *v = verbs(&n);

    (void)fputs("usage: zonectl [OPTIONS] VERB ...\n\n", to);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(to, "  %-22s %s\n", v[i].name, v[i].help);
    (void)fputs("\n'zonectl VERB --help' shows what a verb takes; zonectl(1) explains it.\n\n"
                "VERSION is v12, a serial, a commit id (7 digits or more), a time\n"
                "(2026-05-29T10:00Z, '2h ago'), current, waiting, or quarantined.\n\n"
                "  -c, --config FILE   find the control socket by this configuration\n"
                "      --run-dir DIR   the daemons' run-dir\n"
                "      --socket PATH   the control socket (default " DEFAULT_SOCKET ")\n"
                "      --url URL       another machine: https://HOST:PORT (with --key-file)\n"
                "      --key-file FILE the key for it, as `zonectl api-key` made it\n"
                "      --ca FILE       who vouches for its certificate (default: the system's)\n"
                "      --json          output for programs\n"
                "      --no-color      no colour, on a terminal too\n"
                "      --version, -h, --help\n",
                to);
}
