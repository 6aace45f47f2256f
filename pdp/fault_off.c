/* The installed program's side of fault.h: no faults, and nothing in the environment changes that.
 */
#include "fault.h"

void fault_point(void)
{
}

bool fault_without_zap(void)
{
    return false;
}
