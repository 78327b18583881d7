/* How many clients the file descriptors are enough for; some are kept back from them, so that the
 * store, syncd and all else can be reached however many connect. */
#ifndef ZL_AUTHD_DESCRIPTORS_H
#define ZL_AUTHD_DESCRIPTORS_H

#include "lib/base/config.h"

/* How many connections there may be: tcp-clients, or what the descriptors are enough for. Says in
 * the log if that is less. */
uint32_t descriptors_for_clients(const struct config *c, size_t workers);

#endif
