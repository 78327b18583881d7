/* Reading files that are mapped and may get shorter meanwhile (a disk that fails, somebody who
 * truncates): the system answers with SIGBUS, which would end a daemon for one bad file.
 *
 * Between bus_guard_begin and bus_guard_end, in that thread, a page that is gone reads as zeros
 * instead. Who reads there must take them for what they are: octets that need checking. Anywhere
 * else the signal ends the process as ever: what reads the store's own index must not go on.
 */
#ifndef ZL_BASE_BUS_H
#define ZL_BASE_BUS_H

#include <stdbool.h>

/* Once in a process, before threads. */
void bus_guard_install(void);

/* Calls nest. Cost: two instructions. */
void bus_guard_begin(void);
void bus_guard_end(void);

#endif
