#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "syncd/zonectl/zonectl.h"

static const char *const tints[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};

void print_safe(FILE *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        (void)fputc(c < 0x20 || c == 0x7f ? '?' : c, to);
    }
}

void print_tinted(const struct options *opt, enum tint t, const char *text)
{
    bool on = opt->color && t != TINT_NONE;

    if (on)
        (void)fputs(tints[t], stdout);
    print_safe(stdout, text);
    if (on)
        (void)fputs("\033[0m", stdout);
}

void table_add(struct table *t, const char *text, enum tint tint)
{
    t->cells = xgrow(t->cells, &t->cap, t->count + 1, sizeof(*t->cells));
    t->cells[t->count].text = xstrdup(text && *text ? text : "-");
    t->cells[t->count++].tint = tint;
}

static void pad(size_t n)
{
    while (n-- > 0)
        (void)putchar(' ');
}

void table_print(struct table *t, const struct options *opt)
{
    size_t *width = xcalloc(t->columns, sizeof(*width));

    assert(t->columns > 0);
    for (size_t c = 0; c < t->columns; c++)
        width[c] = strlen(t->titles[c]);
    for (size_t i = 0; i < t->count; i++) {
        size_t n = strlen(t->cells[i].text);
        if (n > width[i % t->columns])
            width[i % t->columns] = n;
    }
    for (size_t c = 0; c < t->columns; c++) {
        print_tinted(opt, TINT_BOLD, t->titles[c]);
        if (c + 1 < t->columns)
            pad(width[c] - strlen(t->titles[c]) + 2);
    }
    (void)putchar('\n');
    for (size_t i = 0; i < t->count; i++) {
        bool last = i % t->columns + 1 == t->columns;

        print_tinted(opt, t->cells[i].tint, t->cells[i].text);
        if (last)
            (void)putchar('\n');
        else
            pad(width[i % t->columns] - strlen(t->cells[i].text) + 2);
        free(t->cells[i].text);
    }
    free(t->cells);
    free(width);
    t->cells = NULL;
    t->count = t->cap = 0;
}
