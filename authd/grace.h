/* Grace periods: how the workers read without locks what the updater replaces.
 *
 * A reader enters, loads pointers that were published with an atomic store (release), uses what
 * they point to, and leaves. The writer publishes something new, waits until every reader that was
 * inside has left, and frees the old. Entering costs a worker next to nothing (liburcu's default
 * flavour, with the kernel's membarrier behind it); it is done once for a batch of queries.
 *
 * Threads: each reader calls grace_register first and grace_unregister last. A thread must not be
 * inside when it waits or blocks.
 */
#ifndef ZL_AUTHD_GRACE_H
#define ZL_AUTHD_GRACE_H

void grace_register(void);
void grace_unregister(void);

void grace_enter(void);
void grace_leave(void);

/* Returns when all readers that were inside have left. Milliseconds; never from inside. */
void grace_wait(void);

#endif
