/* Floor L2: L1, and for each request one call of an `async def` in an embedded CPython, driven by one send.
 *
 * What remains above this figure is what a Python server does of its own will: tasks, contexts, routes, objects.
 *
 * Usage: l2 PORT
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include "head.h"

static const char HANDLER[] = "async def handler(target):\n    return 'Hello, World!'\n";

static PyObject *handler;

static void give_up(void) {
    PyErr_Print();
    exit(1);
}

static void answer(const struct head *head) {
    PyObject *coroutine, *result = NULL, *target;
    const char *body;
    Py_ssize_t length;
    target = PyBytes_FromStringAndSize(head->target, (Py_ssize_t)head->target_length);
    if (!target || !(coroutine = PyObject_CallOneArg(handler, target))) give_up();
    if (PyIter_Send(coroutine, Py_None, &result) != PYGEN_RETURN) give_up();
    body = PyUnicode_AsUTF8AndSize(result, &length);
    if (!body || length > ROOM / 2) give_up();
    put_answer(body, (size_t)length, head->keep_alive);
    Py_DECREF(result);
    Py_DECREF(coroutine);
    Py_DECREF(target);
}

int main(int argc, char **argv) {
    PyObject *names;
    if (argc != 2) {
        fputs("usage: l2 PORT\n", stderr);
        return 2;
    }
    make_tables();
    Py_InitializeEx(0);
    names = PyDict_New();
    if (!names || !PyRun_String(HANDLER, Py_file_input, names, names)) give_up();
    handler = PyDict_GetItemString(names, "handler");
    if (!handler) give_up();
    run((unsigned short)atoi(argv[1]));
}
