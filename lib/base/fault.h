/* Named points at which a test can kill the process, to try what a crash there leaves behind.
 *
 * FAULT("store:after_commit") is nothing in a build that ships. In one with -DFAULT_POINTS (every
 * sanitizer build) it sends SIGKILL to the process when ZL_FAULT in the environment is the point's
 * name, or "name@3" for its third passage.
 */
#ifndef ZL_BASE_FAULT_H
#define ZL_BASE_FAULT_H

#ifdef FAULT_POINTS
#define FAULT(name) fault_point(name)
#else
#define FAULT(name) ((void)0)
#endif

/* Use FAULT. Threads: any; passages are counted over all of them. */
void fault_point(const char *name);

#endif
