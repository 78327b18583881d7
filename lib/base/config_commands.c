/* Items guard-command, -time and -failure: a program that judges new versions. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/config_where.h"
#include "lib/base/config_zones.h"
#include "lib/base/mem.h"

#define ARGS_MAX 32

static const char *check_args(const struct config_command *cmd)
{
    size_t octets = 0;

    if (cmd->arg_count && cmd->args[0][0] != '/')
        return "guard-command should be a path from the root on, and arguments";
    if (cmd->arg_count > ARGS_MAX)
        return "guard-command has more than 31 arguments";
    for (size_t i = 0; i < cmd->arg_count; i++) {
        for (const char *p = cmd->args[i]; *p; p++) {
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                return "guard-command has a control character in it";
        }
        octets += strlen(cmd->args[i]) + 1;
    }
    return octets > CONFIG_COMMAND_MAX ? "guard-command is longer than 1000 octets" : NULL;
}

enum err config_take_command(struct config_command *cmd, const struct config *c, cfg_t *sec,
                             struct errinfo *e)
{
    const char *failure = cfg_getstr(sec, "guard-command-failure");
    const char *wrong;

    config_take_texts(&cmd->args, &cmd->arg_count, sec, "guard-command");
    cmd->time_s = config_number_of(sec, "guard-command-time");
    cmd->failure_serves = strcmp(failure, "serve") == 0;
    if (!cmd->failure_serves && strcmp(failure, "quarantine") != 0)
        return config_fail_at(c, sec, e, "guard-command-failure should be quarantine or serve");
    wrong = check_args(cmd);
    return wrong ? config_fail_at(c, sec, e, "%s", wrong) : OK;
}

void config_command_done(struct config_command *cmd)
{
    config_free_texts(cmd->args, cmd->arg_count);
    *cmd = (struct config_command){.args = NULL};
}

void config_command_text(char out[CONFIG_COMMAND_MAX + 1], const struct config_command *cmd)
{
    size_t n = 0;

    for (size_t i = 0; i < cmd->arg_count; i++) {
        size_t len = strlen(cmd->args[i]);

        memcpy(out + n, cmd->args[i], len);
        n += len;
        out[n++] = '\n';
    }
    out[n] = 0;
}

static bool is_it(const struct config_zone *z, const char *text, uint32_t time_s)
{
    char ours[CONFIG_COMMAND_MAX + 1];

    if (!z->command.arg_count || (text && z->command.time_s != time_s))
        return false;
    config_command_text(ours, &z->command);
    return !text || strcmp(ours, text) == 0;
}

const struct config_command *config_command_find(const struct config *c, const char *text,
                                                 uint32_t time_s)
{
    for (size_t i = 0; i < c->zone_count; i++) {
        if (is_it(&c->zones[i], text, time_s))
            return &c->zones[i].command;
    }
    for (size_t i = 0; i < c->template_count; i++) {
        if (is_it(&c->templates[i].zone, text, time_s))
            return &c->templates[i].zone.command;
    }
    for (size_t i = 0; i < c->catalog_count; i++) {
        if (is_it(&c->catalogs[i].zone, text, time_s))
            return &c->catalogs[i].zone.command;
    }
    for (size_t i = 0; i < c->autoprimary_count; i++) {
        if (is_it(&c->autoprimaries[i].zone, text, time_s))
            return &c->autoprimaries[i].zone.command;
    }
    return NULL;
}
