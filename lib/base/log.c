#include "lib/base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char journald_prefix[] = {'3', '4', '6', '7'}; /* sd-daemon(3) */

static _Atomic(const char *) log_program = "zoneledger";
static atomic_int log_threshold = LOG_INFO;
static atomic_int log_style = LOG_TEXT;
static atomic_bool log_journald;

void log_init(const char *program, enum log_level level, enum log_format format)
{
    log_program = program;
    atomic_store(&log_threshold, (int)level);
    atomic_store(&log_style, (int)format);
    log_journald = getenv("JOURNAL_STREAM") != NULL;
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

bool log_level_from_text(enum log_level *out, const char *text)
{
    for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Quoted with JSON's escapes: valid in both formats, and no octet can end or forge a line. */
static void put_quoted(struct buf *b, const char *s)
{
    buf_u8(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_u8(b, c);
    }
    buf_u8(b, '"');
}

static bool is_plain(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return true;
}

static void put_value(struct buf *b, const struct log_kv *kv, bool json)
{
    const char *s = kv->str ? kv->str : "-";

    switch (kv->kind) {
    case LOG_KV_STR:
    case LOG_KV_SAY:
        if (json || !is_plain(s))
            put_quoted(b, s);
        else
            buf_str(b, s);
        break;
    case LOG_KV_U64:
        buf_printf(b, "%llu", (unsigned long long)kv->u);
        break;
    case LOG_KV_I64:
        buf_printf(b, "%lld", (long long)kv->i);
        break;
    case LOG_KV_BOOL:
        buf_str(b, kv->u ? "true" : "false");
        break;
    case LOG_KV_END:
        break;
    }
}

static void put_text(struct buf *b, enum log_level level, const char *now, const struct log_kv *kv)
{
    if (log_journald)
        buf_printf(b, "<%c>", journald_prefix[level]);
    else
        buf_printf(b, "%s ", now);
    buf_printf(b, "%s %s: ", log_program, level_names[level]);
    for (; kv->kind != LOG_KV_END; kv++) {
        if (kv->kind == LOG_KV_SAY) {
            buf_str(b, kv->str);
            continue;
        }
        buf_printf(b, " %s=", kv->key);
        put_value(b, kv, false);
    }
}

static void put_json(struct buf *b, enum log_level level, const char *now, const struct log_kv *kv)
{
    buf_printf(b, "{\"time\":\"%s\",\"program\":\"%s\",\"level\":\"%s\"", now, log_program,
               level_names[level]);
    for (; kv->kind != LOG_KV_END; kv++) {
        buf_printf(b, ",\"%s\":", kv->kind == LOG_KV_SAY ? "message" : kv->key);
        put_value(b, kv, true);
    }
    buf_u8(b, '}');
}

void log_write(enum log_level level, const struct log_kv *kv)
{
    struct buf line = BUF_INIT;
    char now[WALL_TEXT_MAX];
    size_t done = 0;

    if (!log_on(level))
        return;
    wall_to_text(now, clock_wall(clock_real()));
    if (atomic_load(&log_style) == LOG_JSON)
        put_json(&line, level, now, kv);
    else
        put_text(&line, level, now, kv);
    buf_u8(&line, '\n');
    while (done < line.len) {
        ssize_t n = write(STDERR_FILENO, line.data + done, line.len - done);
        if (n <= 0)
            break; /* nobody listens; losing a line is better than stopping */
        done += (size_t)n;
    }
    buf_free(&line);
}
