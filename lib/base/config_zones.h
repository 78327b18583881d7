/* Keys, primaries, secondaries and zones. Part of config.c, which alone calls it. */
#ifndef ZL_BASE_CONFIG_ZONES_H
#define ZL_BASE_CONFIG_ZONES_H

#include <confuse.h>

#include "lib/base/config.h"

MUST_USE enum err config_take_zones(struct config *c, cfg_t *cfg, struct errinfo *e);

/* Primaries and autoprimaries alone, for config_extend; the keys are there. */
MUST_USE enum err config_take_more(struct config *c, cfg_t *cfg, struct errinfo *e);

/* All that zones have, whichever kind of section it stands in; z is zeroed. */
MUST_USE enum err config_take_zone(struct config *c, struct config_zone *z, cfg_t *sec,
                                   struct errinfo *e);
/* Who may have the zone, and is told of its changes. */
MUST_USE enum err config_take_transfers(struct config *c, struct config_zone *z, cfg_t *sec,
                                        struct errinfo *e);
void config_zone_done(struct config_zone *z);
/* A list of texts as it is; a number that was checked when it was read. */
void config_take_texts(char ***out, size_t *count, cfg_t *sec, const char *item);
void config_free_texts(char **texts, size_t n);
uint32_t config_number_of(cfg_t *sec, const char *name);
/* The item `account`. */
MUST_USE enum err config_take_account(char **out, const struct config *c, cfg_t *sec,
                                      struct errinfo *e);

/* config_catalogs.c: templates, and catalogs, whose own zones it appends to c->zones (which has
 * room). */
MUST_USE enum err config_take_catalogs(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_catalogs(struct config *c);

/* config_producers.c: the catalogs that we make, before the zones that name them, and their own
 * zones, which are appended to c->zones as well. */
void config_take_producers(struct config *c, cfg_t *cfg);
MUST_USE enum err config_take_producer_zones(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_producers(struct config *c);
/* Which of them lists the zone. */
MUST_USE enum err config_take_membership(struct config *c, struct config_zone *z, cfg_t *sec,
                                         struct errinfo *e);

/* config_directories.c */
MUST_USE enum err config_take_directories(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_directories(struct config *c);

/* config_commands.c */
MUST_USE enum err config_take_command(struct config_command *cmd, const struct config *c,
                                      cfg_t *sec, struct errinfo *e);
void config_command_done(struct config_command *cmd);

/* config_remotes.c */
MUST_USE enum err config_take_remotes(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_remotes(struct config *c);

void config_free_zones(struct config *c);

#endif
