/* Where counting begins and ends. Outside of callgrind these calls do nothing. */
#include <valgrind/callgrind.h>

void instrument(void) { CALLGRIND_START_INSTRUMENTATION; }

void begin(void) { CALLGRIND_TOGGLE_COLLECT; }

void end(const char *name)
{
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(name);
}
