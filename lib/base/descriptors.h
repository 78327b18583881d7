/* File descriptors: as many as we are allowed, and some kept back from what peers and clients can
 * make us open, so that the store, the journal and the sockets of our own can always be reached. */
#ifndef ZL_BASE_DESCRIPTORS_H
#define ZL_BASE_DESCRIPTORS_H

#include <stdbool.h>

#define DESCRIPTORS_OWN 64 /* kept back; half of all where there are fewer than twice as many */

/* Raises the process's limit as far as it goes. Main thread, before others start. */
void descriptors_raise(void);

/* May `fd`, which was just opened, be kept for a peer or client? The kernel gives the lowest number
 * that is free, so one above the limit less what is kept back says that only those are left.
 * Any descriptor may, if descriptors_raise was never called. Threads: any. No system call. */
bool descriptors_spare(int fd);

#endif
