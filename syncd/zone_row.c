#include "syncd/zone_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

void zone_row_text(char **field, const char *text)
{
    char *copy = text[0] ? xstrdup(text) : NULL;

    free(*field);
    *field = copy;
}

void zone_row_catalog(struct zone_row *row, const uint8_t *catalog, const uint8_t *member)
{
    free(row->catalog);
    free(row->member);
    row->catalog = row->member = NULL;
    if (catalog && !name_is_root(catalog))
        row->catalog = xmemdup(catalog, name_len(catalog));
    if (member && member[0])
        row->member = xmemdup(member, 1u + member[0]);
}

void zone_row_done(struct zone_row *row)
{
    free(row->name);
    free(row->account);
    free(row->file);
    free(row->catalog);
    free(row->member);
    free(row->nameserver);
    free(row->held_by);
    free(row->held_reason);
    free(row->quarantine_reason);
    free(row->last_error);
    free(row->last_primary);
    *row = (struct zone_row){.id = 0};
}

void zone_row_set(struct zone_row *to, const struct store_zone *from)
{
    zone_row_done(to);
    *to = (struct zone_row){.id = from->id,
                            .name = xmemdup(from->name, name_len(from->name)),
                            .kind = from->kind,
                            .source = from->source,
                            .has_content = from->has_content,
                            .expired = from->expired,
                            .removed = from->removed,
                            .held = from->held,
                            .quarantine_rejected = from->quarantine_rejected,
                            .staged_rejected = from->staged_rejected,
                            .staged_version = from->staged_version,
                            .quarantine_version = from->quarantine_version,
                            .quarantine_at = from->quarantine_at,
                            .orphan = from->orphan,
                            .has_primary_serial = from->has_primary_serial,
                            .serial = from->serial,
                            .ours = from->ours,
                            .theirs = from->theirs,
                            .hold_has_serial = from->hold_has_serial,
                            .hold_serial = from->hold_serial,
                            .hold_until = from->hold_until,
                            .primary_serial = from->primary_serial,
                            .failures = from->failures,
                            .version = from->version,
                            .last_version = from->last_version,
                            .seq = from->seq,
                            .records = from->records,
                            .held_version = from->held_version,
                            .held_at = from->held_at,
                            .last_check = from->last_check,
                            .last_success = from->last_success,
                            .next_check = from->next_check,
                            .expires_at = from->expires_at,
                            .unserved_since = from->unserved_since};
    memcpy(to->tip_oid, from->tip_oid, sizeof(to->tip_oid));
    zone_row_catalog(to, from->catalog, from->member);
    if (!name_is_root(from->nameserver))
        to->nameserver = xmemdup(from->nameserver, name_len(from->nameserver));
    zone_row_text(&to->account, from->account);
    zone_row_text(&to->file, from->file);
    zone_row_text(&to->held_by, from->held_by);
    zone_row_text(&to->held_reason, from->held_reason);
    zone_row_text(&to->quarantine_reason, from->quarantine_reason);
    zone_row_text(&to->last_error, from->last_error);
    zone_row_text(&to->last_primary, from->last_primary);
}

static void put_text(char *to, size_t room, const char *text)
{
    (void)snprintf(to, room, "%s", text ? text : "");
}

void zone_row_get(struct store_zone *to, const struct zone_row *from)
{
    *to = (struct store_zone){.id = from->id,
                              .kind = from->kind,
                              .source = from->source,
                              .has_content = from->has_content,
                              .expired = from->expired,
                              .removed = from->removed,
                              .held = from->held,
                              .quarantine_rejected = from->quarantine_rejected,
                              .staged_rejected = from->staged_rejected,
                              .staged_version = from->staged_version,
                              .quarantine_version = from->quarantine_version,
                              .quarantine_at = from->quarantine_at,
                              .orphan = from->orphan,
                              .has_primary_serial = from->has_primary_serial,
                              .serial = from->serial,
                              .ours = from->ours,
                              .theirs = from->theirs,
                              .hold_has_serial = from->hold_has_serial,
                              .hold_serial = from->hold_serial,
                              .hold_until = from->hold_until,
                              .primary_serial = from->primary_serial,
                              .failures = from->failures,
                              .version = from->version,
                              .last_version = from->last_version,
                              .seq = from->seq,
                              .records = from->records,
                              .held_version = from->held_version,
                              .held_at = from->held_at,
                              .last_check = from->last_check,
                              .last_success = from->last_success,
                              .next_check = from->next_check,
                              .expires_at = from->expires_at,
                              .unserved_since = from->unserved_since};
    (void)name_copy(to->name, from->name);
    if (from->catalog)
        (void)name_copy(to->catalog, from->catalog);
    if (from->nameserver)
        (void)name_copy(to->nameserver, from->nameserver);
    if (from->member)
        memcpy(to->member, from->member, 1u + from->member[0]);
    memcpy(to->tip_oid, from->tip_oid, sizeof(to->tip_oid));
    put_text(to->account, sizeof(to->account), from->account);
    put_text(to->file, sizeof(to->file), from->file);
    put_text(to->held_by, sizeof(to->held_by), from->held_by);
    put_text(to->held_reason, sizeof(to->held_reason), from->held_reason);
    put_text(to->quarantine_reason, sizeof(to->quarantine_reason), from->quarantine_reason);
    put_text(to->last_error, sizeof(to->last_error), from->last_error);
    put_text(to->last_primary, sizeof(to->last_primary), from->last_primary);
}
