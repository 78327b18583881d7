/* syncd as it runs: the parts are made, one after the other, they work until a signal ends them,
 * and are freed. A reload puts a new configuration in force in all of them.
 */
#ifndef ZL_SYNCD_DAEMON_H
#define ZL_SYNCD_DAEMON_H

#include "lib/base/config.h"
#include "syncd/keyring.h"

/* Closes the cage, starts, runs until SIGTERM or SIGINT, and stops. Takes the references over;
 * `config_path` is what a reload reads. Returns the exit code; what went wrong is logged. */
int daemon_run(const char *config_path, struct config *config, struct keyring *keys);

#endif
