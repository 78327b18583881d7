/* retention: "all", or "90d then day", or "90d then day, 730d then month". */
#include <stdio.h>
#include <string.h>

#include "lib/base/config.h"

#define DAYS_MAX 100000

static const struct {
    const char *name;
    enum config_thin to;
} words[] = {{"day", CONFIG_THIN_DAY}, {"week", CONFIG_THIN_WEEK}, {"month", CONFIG_THIN_MONTH}};

/* DAYS "d then " WORD; the rest of the text, or NULL. */
static const char *take_step(uint32_t *days, enum config_thin *to, const char *text)
{
    static const char then[] = "d then ";
    uint64_t n = 0;

    if (*text < '1' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9' && n <= DAYS_MAX; text++)
        n = n * 10 + (uint64_t)(*text - '0');
    if (n > DAYS_MAX || strncmp(text, then, sizeof(then) - 1) != 0)
        return NULL;
    text += sizeof(then) - 1;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i].name);

        if (strncmp(text, words[i].name, len) == 0 && (text[len] == 0 || text[len] == ',')) {
            *days = (uint32_t)n;
            *to = words[i].to;
            return text + len;
        }
    }
    return NULL;
}

bool config_retention_read(struct config_retention *out, const char *text)
{
    struct config_retention r = {.set = text[0] != 0};

    if (!text[0] || strcmp(text, "all") == 0) {
        *out = r;
        return true;
    }
    if (!(text = take_step(&r.days, &r.to, text)))
        return false;
    if (strncmp(text, ", ", 2) == 0 && (!(text = take_step(&r.later_days, &r.later_to, text + 2)) ||
                                        r.later_days <= r.days || r.later_to <= r.to))
        return false;
    if (*text)
        return false;
    *out = r;
    return true;
}
