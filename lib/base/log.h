/* Structured logging to stderr: one line an event, a sentence and key=value pairs behind it
 * (journald-friendly with a <N> priority prefix where stderr is journald), or JSON on request.
 *
 *     log_info(say("new version is served"), kv_str("zone", zone), kv_u64("records", n));
 *
 * Values are escaped, so that a peer cannot write lines of its own. Never log a secret.
 * Threads: any; a line is written whole with one write(2).
 * Levels: error (someone must act), warning (we coped), info (a version changed), debug (protocol).
 */
#ifndef ZL_BASE_LOG_H
#define ZL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_TEXT, LOG_JSON };

enum log_kind { LOG_KV_END, LOG_KV_SAY, LOG_KV_STR, LOG_KV_U64, LOG_KV_I64, LOG_KV_BOOL };

struct log_kv {
    enum log_kind kind;
    const char *key;
    const char *str; /* NULL is written as "-" */
    uint64_t u;
    int64_t i;
};

/* `program` ("authd") is lent for the life of the process. */
void log_init(const char *program, enum log_level level, enum log_format format);
bool log_on(enum log_level level);

/* "error" ... "debug"; false if it is none of them. */
bool log_level_from_text(enum log_level *out, const char *text);

/* The list ends with LOG_KV_END; the first entry is the sentence. */
void log_write(enum log_level level, const struct log_kv *kv);

static inline struct log_kv say(const char *sentence)
{
    return (struct log_kv){.kind = LOG_KV_SAY, .str = sentence};
}

static inline struct log_kv kv_str(const char *key, const char *value)
{
    return (struct log_kv){.kind = LOG_KV_STR, .key = key, .str = value};
}

static inline struct log_kv kv_u64(const char *key, uint64_t value)
{
    return (struct log_kv){.kind = LOG_KV_U64, .key = key, .u = value};
}

static inline struct log_kv kv_i64(const char *key, int64_t value)
{
    return (struct log_kv){.kind = LOG_KV_I64, .key = key, .i = value};
}

static inline struct log_kv kv_bool(const char *key, bool value)
{
    return (struct log_kv){.kind = LOG_KV_BOOL, .key = key, .u = value};
}

static inline struct log_kv kv_err(const struct errinfo *e)
{
    return (struct log_kv){.kind = LOG_KV_STR, .key = "error", .str = e->text};
}

#define LOG_KVS(...) ((const struct log_kv[]){__VA_ARGS__, {.kind = LOG_KV_END}})
#define log_error(...) log_write(LOG_ERROR, LOG_KVS(__VA_ARGS__))
#define log_warning(...) log_write(LOG_WARNING, LOG_KVS(__VA_ARGS__))
#define log_info(...) log_write(LOG_INFO, LOG_KVS(__VA_ARGS__))
#define log_debug(...) log_write(LOG_DEBUG, LOG_KVS(__VA_ARGS__))

#endif
