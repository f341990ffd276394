/* Floor L1: L0, and a request head that is read and checked, and a response head that is built, Date included.
 *
 * Usage: l1 PORT
 */
#define _GNU_SOURCE
#include "head.h"

static const char BODY[] = "Hello, World!";

static void answer(const struct head *head) { put_answer(BODY, sizeof BODY - 1, head->keep_alive); }

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: l1 PORT\n", stderr);
        return 2;
    }
    make_tables();
    run((unsigned short)atoi(argv[1]));
}
