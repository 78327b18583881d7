#include "authd/grace.h"

#include <urcu.h>

/* ThreadSanitizer cannot see the ordering that liburcu makes with membarrier(2): leaving happens
 * before the return of grace_wait. These calls tell it so, and nothing else. */
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
static char left_mark;
#define MARK_LEFT() __tsan_release(&left_mark)
#define MARK_WAITED() __tsan_acquire(&left_mark)
#else
#define MARK_LEFT() ((void)0)
#define MARK_WAITED() ((void)0)
#endif

void grace_register(void)
{
    rcu_register_thread();
}

void grace_unregister(void)
{
    rcu_unregister_thread();
}

void grace_enter(void)
{
    rcu_read_lock();
}

void grace_leave(void)
{
    MARK_LEFT();
    rcu_read_unlock();
}

void grace_wait(void)
{
    synchronize_rcu();
    MARK_WAITED();
}
