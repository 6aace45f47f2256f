/* Counting forks: see fork.h. */
#include "pep/fork.h"

#include "pep.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered = PEP_ENOMEM;

static void in_child(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch(void)
{
    if (pthread_atfork(NULL, NULL, in_child) == 0)
        registered = PEP_OK;
}

int pep_forks_watch(void)
{
    if (pthread_once(&once, watch) != 0)
        return PEP_ENOMEM;
    return registered;
}

unsigned pep_forks(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed);
}
