/* TLS in the configuration: how primaries are reached by it, which clients are known by their
 * certificates. Part of config.c's files. */
#ifndef ZL_BASE_CONFIG_TLS_H
#define ZL_BASE_CONFIG_TLS_H

#include <confuse.h>

#include "lib/base/config.h"

/* The tls items of a primary's section. */
MUST_USE enum err config_take_tls(struct config_tls *out, const struct config *c, cfg_t *sec,
                                  struct errinfo *e);
void config_tls_done(struct config_tls *t);

/* All sections "client". */
MUST_USE enum err config_take_clients(struct config *c, cfg_t *cfg, struct errinfo *e);
void config_free_clients(struct config *c);

/* tls-clients of section authd; tls_client_ca is set. */
MUST_USE enum err config_take_tls_clients(struct config *c, cfg_t *authd, struct errinfo *e);

/* transfer-tls of a zone; what section authd says is set. */
MUST_USE enum err config_take_transfer_tls(enum config_transport *out, const struct config *c,
                                           cfg_t *sec, struct errinfo *e);

#endif
