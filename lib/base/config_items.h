/* The table of configuration items; shared by config.c and config_items.c only. */
#ifndef ZL_BASE_CONFIG_ITEMS_H
#define ZL_BASE_CONFIG_ITEMS_H

#include "lib/base/config.h"

#define CONFIG_ITEMS_MAX 80
#define CONFIG_NO_OFFSET SIZE_MAX

enum item_kind {
    ITEM_TEXT,
    ITEM_FLAG, /* bool: yes or no */
    ITEM_U32,
    ITEM_COUNT,   /* u64, with k, M, G (powers of 1000) */
    ITEM_OCTETS,  /* u64, with k, M, G (powers of 1024) */
    ITEM_MS,      /* duration, kept in u32 milliseconds */
    ITEM_SECONDS, /* duration, kept in u32 seconds */
    ITEM_LOG_LEVEL,
    ITEM_LOG_FORMAT,
    ITEM_ADDRESS,
    ITEM_NAMES, /* a list of texts */
};

struct config_item {
    const char *section; /* "root" for the top level */
    const char *name;
    enum item_kind kind;
    uint64_t min, max; /* for numbers, in the unit kept */
    const char *def;   /* as an operator would write it */
    size_t offset;     /* in struct config, or CONFIG_NO_OFFSET */
    const char *help;
};

union config_value {
    uint64_t number;
    bool flag;
    enum log_level level;
    enum log_format format;
};

const struct config_item *config_items(size_t *n);
const struct config_item *config_item_find(const char *section, const char *name);
/* Checks and converts one value; ERR_FORMAT says what would be right. */
MUST_USE enum err config_value_parse(union config_value *out, const struct config_item *item,
                                     const char *text, struct errinfo *e);

#endif
