#include "lib/base/bus.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local volatile unsigned guarded;
static uintptr_t page_bytes = 4096;

/* Only async-signal-safe calls: the raw mmap, and nothing that locks. */
static void on_bus(int number, siginfo_t *info, void *context)
{
    static const struct sigaction by_default = {.sa_handler = SIG_DFL};
    uintptr_t page = (uintptr_t)info->si_addr & ~(page_bytes - 1);

    (void)context;
    if (guarded && info->si_code == BUS_ADRERR && page &&
        syscall(SYS_mmap, page, page_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (long)page)
        return;
    (void)sigaction(number, &by_default, NULL); /* and the same access again ends us */
}

void bus_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    long n = sysconf(_SC_PAGESIZE);

    if (n > 0)
        page_bytes = (uintptr_t)n;
    (void)sigaction(SIGBUS, &action, NULL);
}

void bus_guard_begin(void)
{
    guarded++;
}

void bus_guard_end(void)
{
    guarded--;
}
